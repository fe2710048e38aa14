/*
 * All queues of a worker: starting them, stopping them, and the ledger they share, which the first
 * one tends between its rounds.
 */
#include "deliver/worker.h"

#include <stdlib.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/stop.h"
#include "base/web_server.h"
#include "config/variables.h"
#include "deliver/worker_private.h"
#include "ledger/sweep.h"

enum {
    RECOVER_EVERY_MS = 60 * 1000, /* batches that others left unfinished, or in doubt */
    RECOVER_MAX = 256,
    SWEEP_GRACE_S = 15 * 60, /* younger objects are left to the queue */
    PRUNE_EVERY_MS = 24 * 3600 * 1000,
};

/* ---- the ledger ---- */

static enum status recover(struct worker *w, bool first, struct error *err)
{
    struct ledger_recovery recovery;
    int64_t now = clock_steady_ms();
    uint64_t removed = 0;
    struct exact_round *counted = round_exact(w->queues[0].round);
    if (first || now - w->pruned_ms >= PRUNE_EVERY_MS) {
        struct aws_clock clock = aws_clock_system();
        w->pruned_ms = now;
        enum status st = ledger_session_prune(w->ledger, clock.wall_ms(clock.ctx), &removed);
        if (st != ST_OK)
            LOG_FAULT(LOG_WARN, E_L103, "ledger cannot be pruned",
                      log_cstr("status", status_name(st)));
        else if (removed > 0)
            LOG_EVENT(LOG_INFO, "ledger pruned", log_u64("records", removed));
    }
    w->recovered_ms = now;
    return exact_round_recover(counted, first, RECOVER_MAX, &recovery, err);
}

/*
 * A table that cannot be reached right now is waited for, as a queue would be: whoever starts the
 * worker again would only find it in the same state.
 */
static enum status recover_at_start(struct worker *w, struct error *err)
{
    int64_t wait = 1000;
    enum status st = recover(w, true, err);
    while (st == ST_RETRY && !w->options->once && !stop_asked(NULL)) {
        LOG_FAULT(LOG_WARN, E_L104, "unfinished batches stay", log_cstr("reason", err->text));
        stop_pause_ms(wait);
        wait = wait * 2 < RECOVER_EVERY_MS ? wait * 2 : RECOVER_EVERY_MS;
        *err = (struct error){0};
        st = recover(w, true, err);
    }
    return st;
}

/* The interval before last is looked at too: one sweep that fails is not missed. */
static void sweep(struct worker *w)
{
    struct aws_clock clock = aws_clock_system();
    struct sweep_result result;
    struct error err = {0};
    struct sweep_options o = {.round = round_exact(w->queues[0].round),
                              .session = w->ledger,
                              .buckets = w->options->settings->buckets,
                              .has_since = true,
                              .now = {.seconds = clock.wall_ms(clock.ctx) / 1000},
                              .grace_s = SWEEP_GRACE_S,
                              .stop = {stop_asked, NULL}};
    o.since.seconds = o.now.seconds - 3 * (int64_t)w->sweep_interval_s - SWEEP_GRACE_S;
    w->swept_ms = clock_steady_ms();
    enum status st = sweep_run(&o, &result, &err);
    if (st != ST_OK && st != ST_CANCELLED)
        LOG_FAULT(LOG_ERROR, error_code(&err, E_L109), "sweep ended early",
                  log_cstr("reason", err.text), log_cstr("status", status_name(st)));
    struct queue_worker *q = &w->queues[0];
    pthread_mutex_lock(&q->locked.mutex);
    round_summary_add(&q->locked.totals.rounds, &result.summary);
    pthread_mutex_unlock(&q->locked.mutex);
}

void worker_tend_ledger(struct queue_worker *q)
{
    struct worker *w = q->worker;
    struct error err = {0};
    if (w->ledger == NULL || q != w->queues)
        return;
    if (w->sweep_interval_s > 0 && (w->swept_ms == 0 || clock_steady_ms() - w->swept_ms >=
                                                            (int64_t)w->sweep_interval_s * 1000))
        sweep(w);
    if (clock_steady_ms() - w->recovered_ms < RECOVER_EVERY_MS)
        return;
    if (recover(w, false, &err) != ST_OK)
        LOG_FAULT(LOG_WARN, E_L104, "unfinished batches stay", log_cstr("reason", err.text));
}

static enum status open_ledger(struct worker *w, struct error *err)
{
    struct ledger_session_options options = {
        .aws = w->options->aws, .stop = {stop_asked, STOP_AFTER_MS(WORKER_STOP_ALL_MS)}};
    enum status st = variable_number(VAR_SWEEP_INTERVAL, &w->sweep_interval_s, err);
    if (st == ST_OK)
        st = ledger_session_open(&w->ledger, &options, err);
    return st == ST_IO ? ST_RETRY : st; /* no wrong setting: see ledger_failed */
}

/* All queues stop when the ledger's file has failed: every message would only be returned,
 * until it is a dead letter.  Whoever starts the worker again opens the file again. */
bool worker_is_ledger_broken(struct worker *w)
{
    if (w->ledger == NULL || ledger_session_check(w->ledger) != ST_IO)
        return false;
    w->ledger_broken = true;
    stop_request();
    return true;
}

/* ---- all ---- */

/* Not ST_IO, which is a setting that cannot work: the same may work once the disk does. */
static enum status ledger_failed(const struct worker *w, struct error *err)
{
    return error_set(err, ST_RETRY, E_L210,
                     "LEDGER: \"%.160s\" failed: the worker has to be started again",
                     ledger_session_name(w->ledger));
}

static enum status run_queues(struct worker *w, struct worker_totals *totals, struct error *err)
{
    size_t n = w->options->queue_count;
    enum status st = ST_OK;
    for (size_t i = 0; i < n && st == ST_OK; i++) {
        struct queue_worker *q = &w->queues[i];
        q->started = pthread_create(&q->thread, NULL, queue_worker_main, q) == 0;
        if (!q->started)
            st = error_set(err, ST_NO_MEMORY, E_Q124, "no thread for another queue");
    }
    if (st != ST_OK)
        stop_request(); /* those that were started end in order */
    for (size_t i = 0; i < n; i++) {
        struct queue_worker *q = &w->queues[i];
        if (!q->started)
            continue;
        pthread_join(q->thread, NULL);
        round_summary_add(&totals->rounds, &q->locked.totals.rounds);
        totals->round_count += q->locked.totals.round_count;
        totals->deleted += q->locked.totals.deleted;
        totals->delete_failures += q->locked.totals.delete_failures;
        totals->receive_failures += q->locked.totals.receive_failures;
        if (w->ledger != NULL)
            run_receipt_merge(&totals->receipt, exact_round_receipt(round_exact(q->round)));
        if (w->options->once && !stop_asked(NULL) && q->ended != ST_OK && q->ended != ST_END &&
            st == ST_OK)
            st = error_set(err, ST_RETRY, E_Q125, "queue %s could not be drained", q->queue.name);
    }
    return st == ST_OK && w->ledger_broken ? ledger_failed(w, err) : st;
}

enum status worker_run(const struct worker_options *options, struct worker_totals *totals,
                       struct error *err)
{
    struct worker w = {.options = options, .began_ms = clock_steady_ms()};
    struct web_server *server = NULL;
    *totals = (struct worker_totals){0};
    stop_catch_signals(STOP_IN_ORDER);
    w.queues = calloc(options->queue_count, sizeof(*w.queues));
    enum status st =
        w.queues == NULL ? error_set(err, ST_NO_MEMORY, E_R113, "out of memory") : ST_OK;
    if (st == ST_OK)
        st = open_ledger(&w, err);
    totals->delivery = ledger_session_delivery(w.ledger);
    /* Several queues share the profiles: they are resolved before the threads start. */
    for (size_t i = 0; i < options->queue_count && st == ST_OK; i++)
        st = queue_worker_init(&w.queues[i], &w, &options->queues[i], err);
    if (st == ST_OK && options->queue_count > 1) {
        struct view regions[SETTINGS_MAX_QUEUES];
        for (size_t i = 0; i < options->queue_count; i++)
            regions[i] = w.queues[i].region;
        settings_resolve_profiles(options->settings, w.queues[0].receiver, regions,
                                  options->queue_count);
    }
    if (st == ST_OK && options->listen != NULL)
        st = worker_http_start(&w, &server, err);
    if (st == ST_OK && w.ledger != NULL)
        st = recover_at_start(&w, err);
    if (st == ST_IO && w.ledger != NULL)
        st = ledger_failed(&w, err);
    if (st == ST_OK)
        st = run_queues(&w, totals, err);
    web_server_stop(server);
    for (size_t i = 0; i < options->queue_count && w.queues != NULL; i++)
        queue_worker_clear(&w.queues[i]);
    ledger_session_close(w.ledger);
    free(w.queues);
    totals->signal = stop_signal();
    return st;
}
