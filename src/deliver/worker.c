#include "deliver/worker.h"

#include <dirent.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/kill_point.h"
#include "base/log.h"
#include "base/stop.h"
#include "config/config.h"
#include "deliver/worker_http.h"
#include "ledger/exact_round.h"
#include "ledger/sweep.h"
#include "report/report.h"

enum {
    READERS = 4, /* of each queue */
    LONG_POLL_S = 20,
    DRAIN_POLL_S = 2, /* with --once: long enough to ask all of SQS's servers */
    /* Bodies of a round; beyond it the round is published though it is not full. */
    MAX_HELD_BYTES = 16 << 20,
    DEFAULT_VISIBILITY_S = 120, /* when we may not ask the queue */
    /* A message that failed comes back after this, doubled each time. */
    AGAIN_S = 10,
    MAX_AGAIN_S = 300,
    SOON_S = 1,
    MAX_VISIBILITY_S = 3600, /* of a message whose batch is in doubt until then */
    MAX_BACKOFF_MS = 60 * 1000,
    DELETE_ATTEMPTS = 4,
    RECOVER_EVERY_MS = 60 * 1000, /* batches that others left unfinished, or in doubt */
    RECOVER_MAX = 256,
    SWEEP_GRACE_S = 15 * 60, /* younger objects are left to the queue */
    PRUNE_EVERY_MS = 24 * 3600 * 1000,
    HEALTHY_MS = 120 * 1000, /* a queue that could not be polled for longer is not healthy */
};

/* ---- one queue ---- */

struct worker;

struct lane {
    struct worker *worker;
    struct sqs_queue queue;
    struct view region;
    struct aws_client *receiver; /* ends with the first signal */
    struct aws_client *teller;   /* deletes and visibilities: until the very end */
    struct aws_client *heart;    /* of the heart-beat thread */
    struct round *round;
    int receive_visibility_s; /* -1: the queue's */
    uint32_t visibility_s;
    /* of the round under way; arrays of batch_size */
    struct round_message *messages;
    struct view *receipts;
    uint64_t *receive_counts;
    struct sqs_messages **answers;
    size_t count, answer_count, held_bytes;
    unsigned failures; /* of receiving, one after another */
    enum status ended; /* how the thread ended */
    pthread_t thread, heart_thread;
    bool started, heart_started;
    struct {
        pthread_mutex_t mutex;
        pthread_cond_t changed;
        size_t held; /* receipts to be kept invisible */
        bool busy;   /* the heart-beat is reading them */
        bool ended;
        struct worker_totals totals;
        int64_t polled_ms; /* last time the queue answered */
        uint64_t in_flight;
    } locked;
};

struct worker {
    const struct worker_options *options;
    struct lane *lanes;
    int64_t began_ms;
    struct ledger_session *ledger;             /* NULL: none */
    _Atomic bool ledger_broken;                /* its file failed: only opening it again tells */
    uint64_t sweep_interval_s;                 /* 0: never */
    int64_t recovered_ms, pruned_ms, swept_ms; /* of the first lane's thread */
};

static void *heart_main(void *context)
{
    struct lane *l = context;
    struct sqs_visibility *entries =
        calloc(l->worker->options->settings->batch_size, sizeof(*entries));
    enum status *each = calloc(l->worker->options->settings->batch_size, sizeof(*each));
    int64_t interval = (int64_t)l->visibility_s * 1000 / 3;
    int64_t last = clock_steady_ms();
    pthread_mutex_lock(&l->locked.mutex);
    while (!l->locked.ended && entries != NULL && each != NULL) {
        struct timespec until;
        clock_gettime(CLOCK_MONOTONIC, &until);
        until.tv_nsec += 200 * 1000 * 1000;
        until.tv_sec += until.tv_nsec / 1000000000;
        until.tv_nsec %= 1000000000;
        pthread_cond_timedwait(&l->locked.changed, &l->locked.mutex, &until);
        size_t n = l->locked.held;
        if (n == 0)
            last = clock_steady_ms();
        if (n == 0 || clock_steady_ms() - last < interval)
            continue;
        l->locked.busy = true;
        pthread_mutex_unlock(&l->locked.mutex);
        struct error err = {0};
        for (size_t i = 0; i < n; i++)
            entries[i] = (struct sqs_visibility){l->receipts[i], l->visibility_s};
        enum status st = sqs_change_visibility(l->heart, &l->queue, entries, n, each, &err);
        if (st != ST_OK)
            LOG_FAULT(LOG_WARN, E_Q122, "visibility of messages under way cannot be extended",
                      log_cstr("queue", l->queue.name), log_cstr("reason", err.text));
        else
            LOG_EVENT(LOG_DEBUG, "visibility extended", log_cstr("queue", l->queue.name),
                      log_u64("messages", n));
        last = clock_steady_ms();
        pthread_mutex_lock(&l->locked.mutex);
        l->locked.busy = false;
        pthread_cond_broadcast(&l->locked.changed);
    }
    pthread_mutex_unlock(&l->locked.mutex);
    free(entries);
    free(each);
    return NULL;
}

static void hold(struct lane *l, size_t n)
{
    pthread_mutex_lock(&l->locked.mutex);
    l->locked.held = n;
    l->locked.in_flight = n;
    pthread_mutex_unlock(&l->locked.mutex);
}

/* The heart-beat lets go of the receipts, and is not under way with them any more. */
static void let_go(struct lane *l)
{
    pthread_mutex_lock(&l->locked.mutex);
    l->locked.held = 0;
    while (l->locked.busy)
        pthread_cond_wait(&l->locked.changed, &l->locked.mutex);
    pthread_mutex_unlock(&l->locked.mutex);
}

/* ---- receiving ---- */

/* Not polled: say so, and wait a while that doubles; the faults of configuration longest. */
static void receive_failed(struct lane *l, enum status st, const struct error *err)
{
    if (st == ST_CANCELLED)
        return;
    LOG_FAULT(LOG_ERROR, error_code(err, E_Q120), "queue cannot be polled",
              log_cstr("queue", l->queue.url), log_cstr("reason", err->text),
              log_cstr("status", status_name(st)));
    pthread_mutex_lock(&l->locked.mutex);
    l->locked.totals.receive_failures++;
    pthread_mutex_unlock(&l->locked.mutex);
    l->failures++;
    int64_t wait = l->failures < 7 ? (int64_t)1000 << (l->failures - 1) : MAX_BACKOFF_MS;
    if (!l->worker->options->once)
        stop_pause_ms(wait < MAX_BACKOFF_MS ? wait : MAX_BACKOFF_MS);
}

/* Take up to ten messages more into the round and read them; *got says how many. */
static enum status receive(struct lane *l, unsigned wait_s, size_t *got)
{
    struct error err = {0};
    struct sqs_messages *answer = NULL;
    uint64_t room = l->worker->options->settings->batch_size - l->count;
    struct sqs_receive options = {.max_messages =
                                      room < SQS_MAX_BATCH ? (unsigned)room : SQS_MAX_BATCH,
                                  .wait_s = wait_s,
                                  .visibility_s = l->receive_visibility_s};
    *got = 0;
    enum status st = sqs_receive(l->receiver, &l->queue, &options, &answer, &err);
    if (st != ST_OK) {
        receive_failed(l, st, &err);
        return st;
    }
    l->failures = 0;
    pthread_mutex_lock(&l->locked.mutex);
    l->locked.polled_ms = clock_steady_ms();
    pthread_mutex_unlock(&l->locked.mutex);
    size_t n = sqs_messages_count(answer);
    if (n > room)
        n = (size_t)room;
    if (n == 0) {
        sqs_messages_free(answer);
        return ST_OK;
    }
    l->answers[l->answer_count++] = answer;
    for (size_t i = 0; i < n; i++) {
        const struct sqs_message *m = sqs_messages_at(answer, i);
        l->messages[l->count + i] =
            (struct round_message){.id = m->message_id, .body = m->body, .ordered = l->queue.fifo};
        l->receipts[l->count + i] = m->receipt_handle;
        l->receive_counts[l->count + i] = m->receive_count;
        l->held_bytes += m->body.len;
    }
    hold(l, l->count + n);
    round_add(l->round, l->messages + l->count, n);
    l->count += n;
    *got = n;
    return ST_OK;
}

/* Fill a round.  ST_END: the queue is empty (once). */
static enum status fill(struct lane *l)
{
    const struct worker_options *o = l->worker->options;
    int64_t began = 0;
    enum status st = ST_OK;
    while (!stop_asked(NULL) && l->count < o->settings->batch_size &&
           l->held_bytes < MAX_HELD_BYTES) {
        int64_t left = LONG_POLL_S * 1000;
        size_t got;
        if (l->count > 0) {
            left = began + (int64_t)o->settings->flush_interval_s * 1000 - clock_steady_ms();
            if (left <= 0)
                break;
        }
        int64_t wait = (left + 999) / 1000;
        wait = wait > LONG_POLL_S ? LONG_POLL_S : wait;
        if (o->once && wait > DRAIN_POLL_S)
            wait = DRAIN_POLL_S;
        st = receive(l, (unsigned)wait, &got);
        if (st != ST_OK)
            break;
        if (l->count > 0 && began == 0)
            began = clock_steady_ms();
        if (got == 0 && o->once) {
            st = ST_END;
            break;
        }
    }
    return st;
}

/* ---- telling the queue ---- */

static uint32_t delay_of(const struct lane *l, size_t i)
{
    if (l->messages[i].status == ST_CANCELLED)
        return 0; /* not its fault: somebody else may have it at once */
    uint64_t times = l->receive_counts[i] > 1 ? l->receive_counts[i] - 1 : 0;
    int64_t wanted_s = (l->messages[i].retry_after_ms + 999) / 1000;
    /* "Soon" is for once: while a ledger is away every message would be a dead letter before. */
    if (wanted_s > SOON_S || (wanted_s > 0 && times == 0))
        return wanted_s < MAX_VISIBILITY_S ? (uint32_t)wanted_s : MAX_VISIBILITY_S;
    uint32_t delay = times < 5 ? (uint32_t)AGAIN_S << times : MAX_AGAIN_S;
    return delay < MAX_AGAIN_S ? delay : MAX_AGAIN_S;
}

static void give_back(struct lane *l)
{
    struct error err = {0};
    struct sqs_visibility *entries = calloc(l->count + 1, sizeof(*entries));
    enum status *each = calloc(l->count + 1, sizeof(*each));
    size_t n = 0;
    for (size_t i = 0; i < l->count && entries != NULL; i++) {
        if (l->messages[i].status != ST_OK)
            entries[n++] = (struct sqs_visibility){l->receipts[i], delay_of(l, i)};
    }
    /* Where this fails they come back when their visibility ends. */
    if (n > 0 && each != NULL &&
        sqs_change_visibility(l->teller, &l->queue, entries, n, each, &err) != ST_OK)
        LOG_EVENT(LOG_INFO, "messages come back only when their visibility ends",
                  log_cstr("queue", l->queue.name), log_cstr("reason", err.text));
    free(entries);
    free(each);
}

/* A message whose delete is lost is counted again: so this tries harder than anything else. */
static void delete_done(struct lane *l)
{
    struct error err = {0};
    struct view *receipts = calloc(l->count + 1, sizeof(*receipts));
    enum status *each = calloc(l->count + 1, sizeof(*each));
    size_t n = 0, deleted = 0;
    for (size_t i = 0; i < l->count && receipts != NULL; i++) {
        if (l->messages[i].status == ST_OK)
            receipts[n++] = l->receipts[i];
    }
    for (unsigned attempt = 0; n > 0 && each != NULL && attempt < DELETE_ATTEMPTS; attempt++) {
        if (attempt > 0 && !stop_asked(NULL))
            usleep((useconds_t)500 * 1000U << attempt);
        enum status st = sqs_delete(l->teller, &l->queue, receipts, n, each, &err);
        size_t left = 0;
        for (size_t i = 0; i < n; i++) {
            if (each[i] == ST_OK)
                deleted++;
            else
                receipts[left++] = receipts[i];
        }
        n = left;
        if (st == ST_CANCELLED)
            break;
    }
    if (n > 0)
        LOG_FAULT(LOG_ERROR, E_Q121, "counted messages cannot be deleted: they count again",
                  log_cstr("queue", l->queue.url), log_u64("messages", n),
                  log_cstr("reason", err.text));
    pthread_mutex_lock(&l->locked.mutex);
    l->locked.totals.deleted += deleted;
    l->locked.totals.delete_failures += n;
    pthread_mutex_unlock(&l->locked.mutex);
    free(receipts);
    free(each);
}

static void end_round(struct lane *l)
{
    struct round_summary summary;
    round_publish(l->round, &summary);
    let_go(l);
    kill_point("delete", false);
    delete_done(l);
    kill_point("delete", true);
    give_back(l);
    for (size_t i = 0; i < l->answer_count; i++)
        sqs_messages_free(l->answers[i]);
    l->count = l->answer_count = l->held_bytes = 0;
    pthread_mutex_lock(&l->locked.mutex);
    round_summary_add(&l->locked.totals.rounds, &summary);
    l->locked.totals.round_count++;
    l->locked.in_flight = 0;
    pthread_mutex_unlock(&l->locked.mutex);
}

/* ---- life of a queue's thread ---- */

static void learn_visibility(struct lane *l)
{
    struct sqs_attributes attributes = {0};
    struct error err = {0};
    l->receive_visibility_s = -1;
    enum status st = sqs_attributes(l->receiver, &l->queue, &attributes, &err);
    if (st == ST_OK && attributes.visibility_timeout_s >= 1 &&
        attributes.visibility_timeout_s <= 43200) {
        l->visibility_s = (uint32_t)attributes.visibility_timeout_s;
    } else {
        l->visibility_s = DEFAULT_VISIBILITY_S;
        l->receive_visibility_s = DEFAULT_VISIBILITY_S;
        if (st != ST_CANCELLED)
            LOG_FAULT(LOG_WARN, E_Q123,
                      "queue's visibility timeout is not known, two minutes are used",
                      log_cstr("queue", l->queue.url),
                      log_cstr("reason", st == ST_OK ? "it is 0" : err.text));
    }
    sqs_attributes_clear(&attributes);
}

/* ---- the ledger ---- */

static enum status recover(struct worker *w, bool first, struct error *err)
{
    struct ledger_recovery recovery;
    int64_t now = clock_steady_ms();
    uint64_t removed = 0;
    struct exact_round *counted = round_exact(w->lanes[0].round);
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

/* The interval before last is looked at too: one sweep that fails is not missed. */
static void sweep(struct worker *w)
{
    struct aws_clock clock = aws_clock_system();
    struct sweep_result result;
    struct error err = {0};
    struct sweep_options o = {.round = round_exact(w->lanes[0].round),
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
    struct lane *l = &w->lanes[0];
    pthread_mutex_lock(&l->locked.mutex);
    round_summary_add(&l->locked.totals.rounds, &result.summary);
    pthread_mutex_unlock(&l->locked.mutex);
}

static void recover_now_and_then(struct lane *l)
{
    struct worker *w = l->worker;
    struct error err = {0};
    if (w->ledger == NULL || l != w->lanes)
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
    enum status st = config_get_u64("SWEEP_INTERVAL", 0, 0, 7 * 86400, &w->sweep_interval_s, err);
    if (st == ST_OK)
        st = ledger_session_open(&w->ledger, &options, err);
    return st == ST_IO ? ST_RETRY : st; /* no wrong setting: see ledger_failed */
}

/* All queues stop when the ledger's file has failed: every message would only come back, until it
 * is a dead letter.  Whoever starts the worker again opens the file again. */
static bool is_ledger_broken(struct worker *w)
{
    if (w->ledger == NULL || ledger_session_check(w->ledger) != ST_IO)
        return false;
    w->ledger_broken = true;
    stop_request();
    return true;
}

static void *lane_main(void *context)
{
    struct lane *l = context;
    const struct worker_options *o = l->worker->options;
    learn_visibility(l);
    l->heart_started = pthread_create(&l->heart_thread, NULL, heart_main, l) == 0;
    if (!l->heart_started)
        LOG_FAULT(LOG_WARN, E_Q124, "no thread for the heart-beat",
                  log_cstr("queue", l->queue.name));
    while (!stop_asked(NULL)) {
        if (o->queue_count == 1)
            settings_resolve_profiles(o->settings, l->receiver, &l->region, 1);
        recover_now_and_then(l);
        enum status st = fill(l);
        bool empty = l->count == 0;
        if (!empty)
            end_round(l);
        l->ended = st;
        if (is_ledger_broken(l->worker))
            break;
        if (o->once && ((st == ST_END && empty) || (st != ST_OK && st != ST_END)))
            break;
    }
    pthread_mutex_lock(&l->locked.mutex);
    l->locked.ended = true;
    pthread_cond_broadcast(&l->locked.changed);
    pthread_mutex_unlock(&l->locked.mutex);
    if (l->heart_started)
        pthread_join(l->heart_thread, NULL);
    return NULL;
}

static enum status lane_init(struct lane *l, struct worker *w, const struct sqs_queue *queue,
                             struct error *err)
{
    const struct worker_options *o = w->options;
    size_t n = (size_t)o->settings->batch_size;
    pthread_condattr_t monotonic;
    l->worker = w;
    l->queue = *queue;
    l->region =
        l->queue.region[0] != '\0' ? view_of(l->queue.region) : aws_config_region(o->aws->config);
    pthread_mutex_init(&l->locked.mutex, NULL);
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&l->locked.changed, &monotonic);
    pthread_condattr_destroy(&monotonic);
    l->locked.polled_ms = clock_steady_ms();
    l->messages = calloc(n, sizeof(*l->messages));
    l->receipts = calloc(n, sizeof(*l->receipts));
    l->receive_counts = calloc(n, sizeof(*l->receive_counts));
    l->answers = calloc(n, sizeof(struct sqs_messages *));
    if (l->messages == NULL || l->receipts == NULL || l->receive_counts == NULL ||
        l->answers == NULL)
        return error_set(err, ST_NO_MEMORY, E_R113, "out of memory");
    struct aws_client_options client = {.config = o->aws->config,
                                        .creds = o->aws->creds,
                                        .budget = o->aws->budget,
                                        .clock = aws_clock_system(),
                                        .stop = {stop_asked, NULL}};
    enum status st = aws_client_new(&l->receiver, &client, err);
    client.stop.ctx = STOP_AFTER_MS(WORKER_STOP_ALL_MS);
    if (st == ST_OK)
        st = aws_client_new(&l->teller, &client, err);
    if (st == ST_OK)
        st = aws_client_new(&l->heart, &client, err);
    struct round_options round = {
        .settings = o->settings,
        .aws = o->aws,
        .readers = READERS,
        .stop = {stop_asked, NULL},
        .stop_calls = {stop_asked, STOP_AFTER_MS(WORKER_STOP_READING_MS)},
        .stop_publish = {stop_asked, STOP_AFTER_MS(WORKER_STOP_PUBLISHING_MS)},
        .emf_fd = STDOUT_FILENO,
        .ledger = w->ledger};
    if (st == ST_OK)
        st = round_new(&l->round, &round, err);
    return st;
}

static void lane_clear(struct lane *l)
{
    if (l->worker == NULL)
        return;
    round_free(l->round);
    aws_client_free(l->receiver);
    aws_client_free(l->teller);
    aws_client_free(l->heart);
    free(l->messages);
    free(l->receipts);
    free(l->receive_counts);
    free(l->answers);
    pthread_cond_destroy(&l->locked.changed);
    pthread_mutex_destroy(&l->locked.mutex);
}

/* ---- being watched ---- */

static bool health(void *context, struct buf *out)
{
    struct worker *w = context;
    bool healthy = true;
    for (size_t i = 0; i < w->options->queue_count; i++) {
        struct lane *l = &w->lanes[i];
        pthread_mutex_lock(&l->locked.mutex);
        /* A round under way is work, not silence. */
        bool polled =
            l->locked.in_flight > 0 || clock_steady_ms() - l->locked.polled_ms < HEALTHY_MS;
        pthread_mutex_unlock(&l->locked.mutex);
        if (!polled) {
            buf_printf(out, "queue %s cannot be polled\n", l->queue.name);
            healthy = false;
        }
    }
    if (stop_asked(NULL)) {
        buf_add_cstr(out, "stopping\n");
        healthy = false;
    }
    if (healthy)
        buf_add_cstr(out, "ok\n");
    return healthy;
}

struct counters {
    const struct sqs_queue *queue;
    struct view region;
    struct worker_totals t;
    uint64_t in_flight;
    int64_t idle_ms;
};

/* Columns of the table of counters: name, help, value of a queue. */
static uint64_t value_of(const struct counters *c, size_t column)
{
    const struct round_summary *r = &c->t.rounds;
    switch (column) {
    case 0: return r->messages;
    case 1: return c->t.deleted;
    case 2: return r->returned;
    case 3: return c->t.round_count;
    case 4: return r->tally.objects.counted;
    case 5: return tally_objects_skipped(&r->tally);
    case 6: return r->tally.objects.failed;
    case 7: return r->tally.records.counted;
    case 8: return tally_records_skipped(&r->tally);
    case 9: return r->tally.bytes_read;
    case 10: return (uint64_t)r->invocations;
    case 11: return (uint64_t)r->tokens;
    case 12: return r->published.requests;
    case 13: return r->published.data;
    case 14: return r->published.in_doubt;
    case 15: return r->published.failed;
    case 16: return r->published.data_rejected;
    case 17: return r->dropped.old_rows + r->dropped.future_rows;
    case 18: return r->series_folded;
    case 19: return c->t.receive_failures;
    case 20: return c->t.delete_failures;
    case 21: return r->partial;
    case 22: return (uint64_t)r->disallowed_tokens;
    default: return (uint64_t)r->disallowed_invocations;
    }
}

static void add_family(struct buf *out, const char *name, const char *type, const char *help)
{
    buf_printf(out, "# TYPE bedrock_metrics_%s %s\n# HELP bedrock_metrics_%s %s\n", name, type,
               name, help);
}

static void add_sample(struct buf *out, const char *name, const char *suffix,
                       const struct counters *c, uint64_t value)
{
    buf_printf(out, "bedrock_metrics_%s%s{queue=\"", name, suffix);
    openmetrics_add_label_value(out, view_of(c->queue->name));
    buf_add_cstr(out, "\",region=\"");
    openmetrics_add_label_value(out, c->region);
    buf_printf(out, "\"} %llu\n", (unsigned long long)value);
}

static uint64_t resident_bytes(void)
{
    unsigned long long size = 0, resident = 0;
    FILE *file = fopen("/proc/self/statm", "re");
    if (file == NULL)
        return 0;
    if (fscanf(file, "%llu %llu", &size, &resident) != 2)
        resident = 0;
    fclose(file);
    return resident * (uint64_t)sysconf(_SC_PAGESIZE);
}

static uint64_t open_descriptors(void)
{
    uint64_t n = 0;
    DIR *folder = opendir("/proc/self/fd");
    if (folder == NULL)
        return 0;
    while (readdir(folder) != NULL)
        n++;
    closedir(folder);
    return n > 3 ? n - 3 : 0; /* `.`, `..` and the folder itself */
}

static void metrics(void *context, struct buf *out)
{
    static const char *const families[][2] = {
        {"messages", "Queue messages received."},
        {"messages_deleted", "Messages deleted after their data were published."},
        {"messages_back", "Messages that have to come back."},
        {"rounds", "Rounds published."},
        {"objects_counted", "Objects read and counted."},
        {"objects_skipped", "Objects skipped by rule or gone."},
        {"objects_failed", "Objects of messages that failed."},
        {"records_counted", "Log records counted."},
        {"records_skipped", "Texts that are no valid log records."},
        {"read_bytes", "Bytes of objects read."},
        {"invocations", "Invocations published."},
        {"tokens", "Tokens published."},
        {"publish_requests", "Publishing requests accepted."},
        {"published_data", "Data accepted."},
        {"in_doubt_publishes", "Publishing requests without an answer: perhaps counted twice."},
        {"publish_failures", "Publishing requests surely not taken."},
        {"data_rejected", "Data refused singly and left out."},
        {"cells_out_of_time", "Cells too old or too far ahead for CloudWatch, not sent."},
        {"series_folded", "Series beyond the cap, published as Other."},
        {"receive_failures", "Times a queue could not be polled."},
        {"delete_failures", "Counted messages that could not be deleted."},
        {"partial_publishes", "Messages' data accepted in part before a failure."},
        {"disallowed_region_tokens", "Tokens that ran outside of ALLOW_INFERENCE_REGIONS."},
        {"disallowed_region_invocations", "Invocations that ran outside of it."},
    };
    struct worker *w = context;
    size_t n = w->options->queue_count;
    struct counters *all = calloc(n + 1, sizeof(*all));
    if (all == NULL)
        return;
    for (size_t i = 0; i < n; i++) {
        struct lane *l = &w->lanes[i];
        pthread_mutex_lock(&l->locked.mutex);
        all[i] = (struct counters){&l->queue, l->region, l->locked.totals, l->locked.in_flight,
                                   clock_steady_ms() - l->locked.polled_ms};
        pthread_mutex_unlock(&l->locked.mutex);
    }
    for (size_t f = 0; f < sizeof(families) / sizeof(families[0]); f++) {
        add_family(out, families[f][0], "counter", families[f][1]);
        for (size_t i = 0; i < n; i++)
            add_sample(out, families[f][0], "_total", &all[i], value_of(&all[i], f));
    }
    add_family(out, "messages_in_flight", "gauge", "Messages of the round under way.");
    for (size_t i = 0; i < n; i++)
        add_sample(out, "messages_in_flight", "", &all[i], all[i].in_flight);
    add_family(out, "since_poll_seconds", "gauge", "Since the queue last answered.");
    for (size_t i = 0; i < n; i++)
        add_sample(out, "since_poll_seconds", "", &all[i], (uint64_t)all[i].idle_ms / 1000);
    free(all);
    buf_printf(out,
               "# TYPE process_resident_memory_bytes gauge\n"
               "# HELP process_resident_memory_bytes Memory in use.\n"
               "process_resident_memory_bytes %llu\n"
               "# TYPE process_open_fds gauge\n# HELP process_open_fds Open files.\n"
               "process_open_fds %llu\n"
               "# TYPE bedrock_metrics_uptime_seconds gauge\n"
               "# HELP bedrock_metrics_uptime_seconds Since the start.\n"
               "bedrock_metrics_uptime_seconds %lld\n# EOF\n",
               (unsigned long long)resident_bytes(), (unsigned long long)open_descriptors(),
               (long long)((clock_steady_ms() - w->began_ms) / 1000));
}

/* ---- all ---- */

/* Not ST_IO, which is a setting that cannot work: the same may work once the disk does. */
static enum status ledger_failed(const struct worker *w, struct error *err)
{
    return error_set(err, ST_RETRY, E_L210,
                     "LEDGER: \"%.160s\" failed: the worker has to be started again",
                     ledger_session_name(w->ledger));
}

static enum status run_lanes(struct worker *w, struct worker_totals *totals, struct error *err)
{
    size_t n = w->options->queue_count;
    enum status st = ST_OK;
    for (size_t i = 0; i < n && st == ST_OK; i++) {
        struct lane *l = &w->lanes[i];
        l->started = pthread_create(&l->thread, NULL, lane_main, l) == 0;
        if (!l->started)
            st = error_set(err, ST_NO_MEMORY, E_Q124, "no thread for another queue");
    }
    if (st != ST_OK)
        stop_request(); /* those that were started end in order */
    for (size_t i = 0; i < n; i++) {
        struct lane *l = &w->lanes[i];
        if (!l->started)
            continue;
        pthread_join(l->thread, NULL);
        round_summary_add(&totals->rounds, &l->locked.totals.rounds);
        totals->round_count += l->locked.totals.round_count;
        totals->deleted += l->locked.totals.deleted;
        totals->delete_failures += l->locked.totals.delete_failures;
        totals->receive_failures += l->locked.totals.receive_failures;
        if (w->ledger != NULL)
            run_receipt_merge(&totals->receipt, exact_round_receipt(round_exact(l->round)));
        if (w->options->once && !stop_asked(NULL) && l->ended != ST_OK && l->ended != ST_END &&
            st == ST_OK)
            st = error_set(err, ST_RETRY, E_Q125, "queue %s could not be drained", l->queue.name);
    }
    return st == ST_OK && w->ledger_broken ? ledger_failed(w, err) : st;
}

enum status worker_run(const struct worker_options *options, struct worker_totals *totals,
                       struct error *err)
{
    struct worker w = {.options = options, .began_ms = clock_steady_ms()};
    struct worker_http *server = NULL;
    *totals = (struct worker_totals){0};
    stop_catch_signals(STOP_IN_ORDER);
    w.lanes = calloc(options->queue_count, sizeof(*w.lanes));
    enum status st =
        w.lanes == NULL ? error_set(err, ST_NO_MEMORY, E_R113, "out of memory") : ST_OK;
    if (st == ST_OK)
        st = open_ledger(&w, err);
    totals->delivery = ledger_session_delivery(w.ledger);
    /* Several queues share the profiles: they are resolved before the threads start. */
    for (size_t i = 0; i < options->queue_count && st == ST_OK; i++)
        st = lane_init(&w.lanes[i], &w, &options->queues[i], err);
    if (st == ST_OK && options->queue_count > 1) {
        struct view regions[SETTINGS_MAX_QUEUES];
        for (size_t i = 0; i < options->queue_count; i++)
            regions[i] = w.lanes[i].region;
        settings_resolve_profiles(options->settings, w.lanes[0].receiver, regions,
                                  options->queue_count);
    }
    if (st == ST_OK && w.ledger != NULL)
        st = recover(&w, true, err);
    if (st == ST_IO && w.ledger != NULL)
        st = ledger_failed(&w, err);
    struct worker_http_source source = {health, metrics, &w};
    if (st == ST_OK && options->listen != NULL)
        st = worker_http_start(&server, options->listen, &source, err);
    if (st == ST_OK)
        st = run_lanes(&w, totals, err);
    worker_http_stop(server);
    for (size_t i = 0; i < options->queue_count && w.lanes != NULL; i++)
        lane_clear(&w.lanes[i]);
    ledger_session_close(w.ledger);
    free(w.lanes);
    totals->signal = stop_signal();
    return st;
}
