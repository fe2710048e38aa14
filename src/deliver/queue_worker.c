/*
 * One queue and its thread.  What becomes of a message:
 *
 *   received --> kept invisible by the heartbeat, read, published --> ST_OK: deleted
 *                          ^                                     \-> else: visible again after a while
 *                          `--------- held: a fault that may pass --'
 *
 * It is deleted only after every request with its data was accepted.  So whatever ends the process in
 * between, SQS delivers the message again when its visibility timeout is over: nothing is lost, and
 * without a ledger it may be counted twice.
 */
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/kill_point.h"
#include "base/log.h"
#include "base/stop.h"
#include "config/variables.h"
#include "deliver/worker_private.h"

enum {
    READERS = 4, /* of each queue */
    LONG_POLL_S = 20,
    DRAIN_POLL_S = 2, /* with --once: long enough to ask all of SQS's servers */
    /* Bodies of a round; beyond it the round is published though it is not full. */
    MAX_BODY_BYTES = 16 << 20,
    ROUND_FULL_PERCENT = 50,    /* of the bound of the sums: the same */
    DEFAULT_VISIBILITY_S = 120, /* when we may not ask the queue */
    /* A message that failed is retried after this, doubled each time. */
    AGAIN_S = 10,
    MAX_AGAIN_S = 300,
    SOON_S = 1,
    MAX_VISIBILITY_S = 3600, /* of a message whose batch is in doubt until then */
    HOLD_FIRST_MS = 1000,    /* between attempts of a round that is held, doubled up to the most */
    HOLD_MOST_MS = 60 * 1000,
    MAX_BACKOFF_MS = 60 * 1000,
    DELETE_ATTEMPTS = 4,
};

/* ---- visibility ---- */

/*
 * Extends the visibility of all messages here, so that a long round's are not delivered to others
 * meanwhile: every third of the timeout, so that two attempts may fail.  The receipts are read without
 * the mutex; `busy` keeps their owner from reusing them until then.
 */
static void *heartbeat_main(void *context)
{
    struct queue_worker *q = context;
    size_t most = (size_t)q->worker->options->settings->batch_size;
    struct sqs_visibility *entries = calloc(most, sizeof(*entries));
    enum status *each = calloc(most, sizeof(*each));
    int64_t interval = (int64_t)q->visibility_s * 1000 / 3;
    int64_t last = clock_steady_ms();
    pthread_mutex_lock(&q->locked.mutex);
    while (!q->locked.ended && entries != NULL && each != NULL) {
        struct timespec until;
        clock_gettime(CLOCK_MONOTONIC, &until);
        until.tv_nsec += 200 * 1000 * 1000;
        until.tv_sec += until.tv_nsec / 1000000000;
        until.tv_nsec %= 1000000000;
        pthread_cond_timedwait(&q->locked.changed, &q->locked.mutex, &until);
        size_t n = 0;
        for (size_t i = 0; i < most; i++) {
            if (q->slots[i].extended)
                entries[n++] = (struct sqs_visibility){q->slots[i].receipt, q->visibility_s};
        }
        if (n == 0)
            last = clock_steady_ms();
        if (n == 0 || clock_steady_ms() - last < interval)
            continue;
        q->locked.busy = true;
        pthread_mutex_unlock(&q->locked.mutex);
        struct error err = {0};
        enum status st = sqs_change_visibility(q->heartbeat, &q->queue, entries, n, each, &err);
        if (st != ST_OK)
            LOG_FAULT(LOG_WARN, E_Q122, "visibility of messages under way cannot be extended",
                      log_cstr("queue", q->queue.name), log_cstr("reason", err.text));
        else
            LOG_EVENT(LOG_DEBUG, "visibility extended", log_cstr("queue", q->queue.name),
                      log_u64("messages", n));
        last = clock_steady_ms();
        pthread_mutex_lock(&q->locked.mutex);
        q->locked.busy = false;
        pthread_cond_broadcast(&q->locked.changed);
    }
    pthread_mutex_unlock(&q->locked.mutex);
    free(entries);
    free(each);
    return NULL;
}

/* From here on the heartbeat uses no receipt but those of messages that are held. */
static void stop_extending(struct queue_worker *q)
{
    pthread_mutex_lock(&q->locked.mutex);
    for (size_t i = 0; i < q->worker->options->settings->batch_size; i++)
        q->slots[i].extended = q->slots[i].extended && q->slots[i].message.held;
    while (q->locked.busy)
        pthread_cond_wait(&q->locked.changed, &q->locked.mutex);
    pthread_mutex_unlock(&q->locked.mutex);
}

/* ---- receiving ---- */

/* Not polled: say so, and wait a while that doubles; the faults of configuration longest. */
static void receive_failed(struct queue_worker *q, enum status st, const struct error *err)
{
    if (st == ST_CANCELLED)
        return;
    LOG_FAULT(LOG_ERROR, error_code(err, E_Q120), "queue cannot be polled",
              log_cstr("queue", q->queue.url), log_cstr("reason", err->text),
              log_cstr("status", status_name(st)));
    pthread_mutex_lock(&q->locked.mutex);
    q->locked.totals.receive_failures++;
    pthread_mutex_unlock(&q->locked.mutex);
    q->failures++;
    int64_t wait = q->failures < 7 ? (int64_t)1000 << (q->failures - 1) : MAX_BACKOFF_MS;
    if (!q->worker->options->once)
        stop_pause_ms(wait < MAX_BACKOFF_MS ? wait : MAX_BACKOFF_MS);
}

/* Take up to ten messages more into the round and read them; *got says how many. */
static enum status receive(struct queue_worker *q, unsigned wait_s, size_t *got)
{
    struct error err = {0};
    struct sqs_messages *answer = NULL;
    struct round_message *added[SQS_MAX_BATCH];
    uint64_t room = q->worker->options->settings->batch_size - q->count;
    struct sqs_receive options = {.max_messages =
                                      room < SQS_MAX_BATCH ? (unsigned)room : SQS_MAX_BATCH,
                                  .wait_s = wait_s,
                                  .visibility_s = q->receive_visibility_s};
    *got = 0;
    enum status st = sqs_receive(q->receiver, &q->queue, &options, &answer, &err);
    if (st != ST_OK) {
        receive_failed(q, st, &err);
        return st;
    }
    q->failures = 0;
    size_t n = answer->n < options.max_messages ? answer->n : options.max_messages;
    struct answer *kept = q->answers;
    while (kept->messages != NULL) /* each has a message here, so one is free */
        kept++;
    *kept = (struct answer){answer, n};
    pthread_mutex_lock(&q->locked.mutex);
    q->locked.polled_ms = clock_steady_ms();
    struct slot *slot = q->slots;
    for (size_t i = 0; i < n; i++) {
        const struct sqs_message *m = &answer->all[i];
        while (slot->answer != NULL)
            slot++;
        *slot = (struct slot){
            .message = {.id = m->message_id, .body = m->body, .ordered = q->queue.fifo},
            .receipt = m->receipt_handle,
            .receive_count = m->receive_count,
            .answer = kept,
            .since_ms = q->locked.polled_ms,
            .extended = true};
        added[i] = &slot->message;
        q->body_bytes += m->body.len;
    }
    q->count += n;
    q->locked.in_flight = q->count;
    pthread_mutex_unlock(&q->locked.mutex);
    if (n == 0) {
        sqs_messages_free(answer);
        kept->messages = NULL;
    } else {
        round_add(q->round, added, n);
    }
    *got = n;
    return ST_OK;
}

/*
 * Fill a round: it ends when it is full, or FLUSH_INTERVAL after its first message, or when enough
 * bytes of bodies or of sums are held, or when it is time to try again what is held.  An empty round waits for
 * a message as long as SQS lets it, which costs one request in twenty seconds.  ST_END: the queue is
 * empty (once).
 */
static enum status fill(struct queue_worker *q)
{
    const struct worker_options *o = q->worker->options;
    int64_t began = 0;
    size_t held = q->count;
    enum status st = ST_OK;
    while (!stop_asked(NULL) && q->count < o->settings->batch_size &&
           q->body_bytes < MAX_BODY_BYTES &&
           (q->count == 0 || !aggregate_bound_is_used(o->settings->bound, ROUND_FULL_PERCENT))) {
        int64_t left = LONG_POLL_S * 1000, now = clock_steady_ms();
        size_t got;
        if (q->count > held)
            left = began + (int64_t)o->settings->flush_interval_s * 1000 - now;
        if (held > 0 && q->again_ms - now < left)
            left = q->again_ms - now;
        if (left <= 0)
            break;
        int64_t wait = (left + 999) / 1000;
        wait = wait > LONG_POLL_S ? LONG_POLL_S : wait;
        if (o->once && wait > DRAIN_POLL_S)
            wait = DRAIN_POLL_S;
        st = receive(q, (unsigned)wait, &got);
        if (st != ST_OK)
            break;
        if (q->count > held && began == 0)
            began = clock_steady_ms();
        if (got == 0 && o->once) {
            st = ST_END;
            break;
        }
    }
    return st;
}

/* ---- answering the queue ---- */

/*
 * In how many seconds a message that failed is to be visible again.  Twice as long after each
 * receive, so that a fault that lasts does not use up the queue's maxReceiveCount at once, and a
 * message that never works is a dead letter within the hour.
 */
static uint32_t delay_of(const struct slot *slot)
{
    if (slot->message.status == ST_CANCELLED)
        return 0; /* not its fault: somebody else may have it at once */
    uint64_t times = slot->receive_count > 1 ? slot->receive_count - 1 : 0;
    int64_t wanted_s = (slot->message.retry_after_ms + 999) / 1000;
    /* "Soon" is for once: while a ledger is away every message would be a dead letter before. */
    if (wanted_s > SOON_S || (wanted_s > 0 && times == 0))
        return wanted_s < MAX_VISIBILITY_S ? (uint32_t)wanted_s : MAX_VISIBILITY_S;
    uint32_t delay = times < 5 ? (uint32_t)AGAIN_S << times : MAX_AGAIN_S;
    return delay < MAX_AGAIN_S ? delay : MAX_AGAIN_S;
}

/* Where this fails they are delivered again when their visibility ends. */
static void return_failed(struct queue_worker *q)
{
    struct error err = {0};
    size_t n = 0;
    for (size_t i = 0; i < q->worker->options->settings->batch_size; i++) {
        const struct slot *slot = &q->slots[i];
        if (slot->answer != NULL && !slot->message.held && slot->message.status != ST_OK)
            q->failed[n++] = (struct sqs_visibility){slot->receipt, delay_of(slot)};
    }
    if (n > 0 &&
        sqs_change_visibility(q->finisher, &q->queue, q->failed, n, q->each, &err) != ST_OK)
        LOG_EVENT(LOG_INFO, "messages are returned only when their visibility ends",
                  log_cstr("queue", q->queue.name), log_cstr("reason", err.text));
}

/* A message whose delete is lost is counted again: so this tries harder than anything else. */
static void delete_done(struct queue_worker *q)
{
    struct error err = {0};
    size_t n = 0, deleted = 0;
    for (size_t i = 0; i < q->worker->options->settings->batch_size; i++) {
        const struct slot *slot = &q->slots[i];
        if (slot->answer != NULL && !slot->message.held && slot->message.status == ST_OK)
            q->done[n++] = slot->receipt;
    }
    for (unsigned attempt = 0; n > 0 && attempt < DELETE_ATTEMPTS; attempt++) {
        if (attempt > 0 && !stop_asked(NULL))
            usleep((useconds_t)500 * 1000U << attempt);
        enum status st = sqs_delete(q->finisher, &q->queue, q->done, n, q->each, &err);
        size_t left = 0;
        for (size_t i = 0; i < n; i++) {
            if (q->each[i] == ST_OK)
                deleted++;
            else
                q->done[left++] = q->done[i];
        }
        n = left;
        if (st == ST_CANCELLED)
            break;
    }
    if (n > 0)
        LOG_FAULT(LOG_ERROR, E_Q121, "counted messages cannot be deleted: they count again",
                  log_cstr("queue", q->queue.url), log_u64("messages", n),
                  log_cstr("reason", err.text));
    pthread_mutex_lock(&q->locked.mutex);
    q->locked.totals.deleted += deleted;
    q->locked.totals.delete_failures += n;
    pthread_mutex_unlock(&q->locked.mutex);
}

/* Answer the queue for all messages that are not held. */
static void settle(struct queue_worker *q, const struct round_summary *summary)
{
    stop_extending(q);
    kill_point("delete", false);
    delete_done(q);
    kill_point("delete", true);
    return_failed(q);
    pthread_mutex_lock(&q->locked.mutex);
    for (size_t i = 0; i < q->worker->options->settings->batch_size; i++) {
        struct slot *slot = &q->slots[i];
        if (slot->answer == NULL || slot->message.held)
            continue;
        q->count--;
        q->body_bytes -= slot->message.body.len;
        if (--slot->answer->left == 0) {
            sqs_messages_free(slot->answer->messages);
            slot->answer->messages = NULL;
        }
        *slot = (struct slot){0};
    }
    round_summary_add(&q->locked.totals.rounds, summary);
    q->locked.totals.round_count += summary->messages > 0;
    q->locked.in_flight = q->count;
    pthread_mutex_unlock(&q->locked.mutex);
}

static bool is_held_too_long(const struct queue_worker *q, int64_t now)
{
    bool any = false;
    for (size_t i = 0; i < q->worker->options->settings->batch_size; i++)
        any = any || (q->slots[i].answer != NULL &&
                      now - q->slots[i].since_ms >= (int64_t)q->max_hold_s * 1000);
    return any;
}

/*
 * After a round that holds: when to try again, and whether to receive meanwhile.  While nothing can
 * be published, or nothing can be read, receiving would only use up the queue's maxReceiveCount.
 * Faults of single objects must not fill the round: then all that is held is returned.
 */
static void plan_hold(struct queue_worker *q, const struct round_summary *summary)
{
    struct round_state state = round_state(q->round);
    bool outage = state.halted || (state.unread > 0 && summary->tally.objects.counted == 0);
    int64_t now = clock_steady_ms();
    if (q->count == 0 && !state.halted) {
        if (q->held)
            LOG_EVENT(LOG_INFO, "nothing is held any more", log_cstr("queue", q->queue.name));
        q->held = q->outage = false;
        q->hold_ms = 0;
        return;
    }
    q->hold_ms = summary->tally.objects.counted + summary->published.requests > 0 ? 0 : q->hold_ms;
    q->hold_ms = q->hold_ms == 0                 ? HOLD_FIRST_MS
                 : q->hold_ms * 2 < HOLD_MOST_MS ? q->hold_ms * 2
                                                 : HOLD_MOST_MS;
    int64_t wait = state.retry_after_ms > q->hold_ms && !outage ? state.retry_after_ms : q->hold_ms;
    q->again_ms = now + (wait < HOLD_MOST_MS ? wait : HOLD_MOST_MS);
    if (!q->held || outage != q->outage)
        LOG_FAULT(LOG_WARN, E_Q128, "messages are held until they can be counted",
                  log_cstr("queue", q->queue.name), log_u64("messages", q->count),
                  log_cstr("receiving", outage ? "no" : "yes"), log_cstr("reason", state.why.text));
    q->held = true;
    q->outage = outage;
    bool full = !outage && q->count * 2 > q->worker->options->settings->batch_size;
    if (full || is_held_too_long(q, now)) {
        struct round_summary given_up;
        round_give_up(q->round, false, &given_up);
        settle(q, &given_up);
    }
}

static void end_round(struct queue_worker *q)
{
    struct round_summary summary;
    round_publish(q->round, &summary);
    settle(q, &summary);
    if (!stop_asked(NULL))
        plan_hold(q, &summary);
}

/* ---- life of a queue's thread ---- */

/* The queue's own timeout, so that an operator's choice holds; where it may not be asked for, one is
 * asked for with every receive instead. */
static void learn_visibility(struct queue_worker *q)
{
    struct sqs_attributes attributes = {0};
    struct error err = {0};
    q->receive_visibility_s = -1;
    enum status st = sqs_attributes(q->receiver, &q->queue, &attributes, &err);
    if (st == ST_OK && attributes.visibility_timeout_s >= 1 &&
        attributes.visibility_timeout_s <= 43200) {
        q->visibility_s = (uint32_t)attributes.visibility_timeout_s;
    } else {
        q->visibility_s = DEFAULT_VISIBILITY_S;
        q->receive_visibility_s = DEFAULT_VISIBILITY_S;
        if (st != ST_CANCELLED)
            LOG_FAULT(LOG_WARN, E_Q123,
                      "queue's visibility timeout is not known, two minutes are used",
                      log_cstr("queue", q->queue.url),
                      log_cstr("reason", st == ST_OK ? "it is 0" : err.text));
    }
    sqs_attributes_clear(&attributes);
}

void *queue_worker_main(void *context)
{
    struct queue_worker *q = context;
    const struct worker_options *o = q->worker->options;
    learn_visibility(q);
    q->heartbeat_started = pthread_create(&q->heartbeat_thread, NULL, heartbeat_main, q) == 0;
    if (!q->heartbeat_started)
        LOG_FAULT(LOG_WARN, E_Q124, "no thread for the heartbeat",
                  log_cstr("queue", q->queue.name));
    while (!stop_asked(NULL)) {
        if (o->queue_count == 1)
            settings_resolve_profiles(o->settings, q->receiver, &q->region, 1);
        worker_tend_ledger(q);
        enum status st = q->outage ? ST_OK : fill(q);
        bool empty = q->count == 0 && !q->outage;
        if (q->held && clock_steady_ms() < q->again_ms)
            stop_pause_ms(q->again_ms - clock_steady_ms());
        if (!empty)
            end_round(q);
        q->ended = st;
        if (worker_is_ledger_broken(q->worker))
            break;
        if (o->once && ((st == ST_END && empty) || (st != ST_OK && st != ST_END)))
            break;
    }
    if (q->count > 0) { /* held */
        struct round_summary summary;
        round_give_up(q->round, true, &summary);
        settle(q, &summary);
    }
    pthread_mutex_lock(&q->locked.mutex);
    q->locked.ended = true;
    pthread_cond_broadcast(&q->locked.changed);
    pthread_mutex_unlock(&q->locked.mutex);
    if (q->heartbeat_started)
        pthread_join(q->heartbeat_thread, NULL);
    return NULL;
}

enum status queue_worker_init(struct queue_worker *q, struct worker *w,
                              const struct sqs_queue *queue, struct error *err)
{
    const struct worker_options *o = w->options;
    size_t n = (size_t)o->settings->batch_size;
    pthread_condattr_t monotonic;
    q->worker = w;
    q->queue = *queue;
    q->region =
        q->queue.region[0] != '\0' ? view_of(q->queue.region) : aws_config_region(o->aws->config);
    pthread_mutex_init(&q->locked.mutex, NULL);
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&q->locked.changed, &monotonic);
    pthread_condattr_destroy(&monotonic);
    q->locked.polled_ms = clock_steady_ms();
    q->slots = calloc(n, sizeof(*q->slots));
    q->answers = calloc(n, sizeof(*q->answers));
    q->done = calloc(n, sizeof(*q->done));
    q->failed = calloc(n, sizeof(*q->failed));
    q->each = calloc(n, sizeof(*q->each));
    if (q->slots == NULL || q->answers == NULL || q->done == NULL || q->failed == NULL ||
        q->each == NULL)
        return error_set(err, ST_NO_MEMORY, E_R113, "out of memory");
    struct aws_client_options client = settings_aws_client(o->aws);
    client.stop.asked = stop_asked;
    enum status st = variable_number(VAR_MAX_HOLD, &q->max_hold_s, err);
    if (st == ST_OK)
        st = aws_client_new(&q->receiver, &client, err);
    client.stop.ctx = STOP_AFTER_MS(WORKER_STOP_ALL_MS);
    if (st == ST_OK)
        st = aws_client_new(&q->finisher, &client, err);
    if (st == ST_OK)
        st = aws_client_new(&q->heartbeat, &client, err);
    struct round_options round = {
        .settings = o->settings,
        .aws = o->aws,
        .readers = READERS,
        .stop = {stop_asked, NULL},
        .stop_calls = {stop_asked, STOP_AFTER_MS(WORKER_STOP_READING_MS)},
        .stop_publish = {stop_asked, STOP_AFTER_MS(WORKER_STOP_PUBLISHING_MS)},
        .emf_fd = STDOUT_FILENO,
        .hold = q->max_hold_s > 0 && !o->once,
        .ledger = w->ledger};
    if (st == ST_OK)
        st = round_new(&q->round, &round, err);
    return st;
}

void queue_worker_clear(struct queue_worker *q)
{
    if (q->worker == NULL)
        return;
    round_free(q->round);
    aws_client_free(q->receiver);
    aws_client_free(q->finisher);
    aws_client_free(q->heartbeat);
    free(q->slots);
    free(q->answers);
    free(q->done);
    free(q->failed);
    free(q->each);
    pthread_cond_destroy(&q->locked.changed);
    pthread_mutex_destroy(&q->locked.mutex);
}
