/*
 * One queue and its thread.  What becomes of a message:
 *
 *   received --> kept invisible by the heartbeat, read, published --> ST_OK: deleted
 *                                                                \-> else: visible again after a while
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
#include "deliver/worker_private.h"

enum {
    READERS = 4, /* of each queue */
    LONG_POLL_S = 20,
    DRAIN_POLL_S = 2, /* with --once: long enough to ask all of SQS's servers */
    /* Bodies of a round; beyond it the round is published though it is not full. */
    MAX_BODY_BYTES = 16 << 20,
    DEFAULT_VISIBILITY_S = 120, /* when we may not ask the queue */
    /* A message that failed is retried after this, doubled each time. */
    AGAIN_S = 10,
    MAX_AGAIN_S = 300,
    SOON_S = 1,
    MAX_VISIBILITY_S = 3600, /* of a message whose batch is in doubt until then */
    MAX_BACKOFF_MS = 60 * 1000,
    DELETE_ATTEMPTS = 4,
};

/* ---- visibility ---- */

/*
 * Extends the visibility of what is held, so that a long round's messages are not delivered to others
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
        size_t n = q->locked.invisible;
        if (n == 0)
            last = clock_steady_ms();
        if (n == 0 || clock_steady_ms() - last < interval)
            continue;
        q->locked.busy = true;
        pthread_mutex_unlock(&q->locked.mutex);
        struct error err = {0};
        for (size_t i = 0; i < n; i++)
            entries[i] = (struct sqs_visibility){q->receipts[i], q->visibility_s};
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

static void keep_invisible(struct queue_worker *q, size_t n)
{
    pthread_mutex_lock(&q->locked.mutex);
    q->locked.invisible = n;
    q->locked.in_flight = n;
    pthread_mutex_unlock(&q->locked.mutex);
}

/* From here on the heartbeat does not use the receipts. */
static void stop_extending(struct queue_worker *q)
{
    pthread_mutex_lock(&q->locked.mutex);
    q->locked.invisible = 0;
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
    pthread_mutex_lock(&q->locked.mutex);
    q->locked.polled_ms = clock_steady_ms();
    pthread_mutex_unlock(&q->locked.mutex);
    size_t n = answer->n;
    if (n > room)
        n = (size_t)room;
    if (n == 0) {
        sqs_messages_free(answer);
        return ST_OK;
    }
    q->answers[q->answer_count++] = answer;
    for (size_t i = 0; i < n; i++) {
        const struct sqs_message *m = &answer->all[i];
        q->messages[q->count + i] =
            (struct round_message){.id = m->message_id, .body = m->body, .ordered = q->queue.fifo};
        q->receipts[q->count + i] = m->receipt_handle;
        q->receive_counts[q->count + i] = m->receive_count;
        q->body_bytes += m->body.len;
    }
    keep_invisible(q, q->count + n);
    round_add(q->round, q->messages + q->count, n);
    q->count += n;
    *got = n;
    return ST_OK;
}

/*
 * Fill a round: it ends when it is full, or FLUSH_INTERVAL after its first message, or when enough
 * bytes of bodies are held.  An empty round waits for a message as long as SQS lets it, which costs
 * one request in twenty seconds.  ST_END: the queue is empty (once).
 */
static enum status fill(struct queue_worker *q)
{
    const struct worker_options *o = q->worker->options;
    int64_t began = 0;
    enum status st = ST_OK;
    while (!stop_asked(NULL) && q->count < o->settings->batch_size &&
           q->body_bytes < MAX_BODY_BYTES) {
        int64_t left = LONG_POLL_S * 1000;
        size_t got;
        if (q->count > 0) {
            left = began + (int64_t)o->settings->flush_interval_s * 1000 - clock_steady_ms();
            if (left <= 0)
                break;
        }
        int64_t wait = (left + 999) / 1000;
        wait = wait > LONG_POLL_S ? LONG_POLL_S : wait;
        if (o->once && wait > DRAIN_POLL_S)
            wait = DRAIN_POLL_S;
        st = receive(q, (unsigned)wait, &got);
        if (st != ST_OK)
            break;
        if (q->count > 0 && began == 0)
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
static uint32_t delay_of(const struct queue_worker *q, size_t i)
{
    if (q->messages[i].status == ST_CANCELLED)
        return 0; /* not its fault: somebody else may have it at once */
    uint64_t times = q->receive_counts[i] > 1 ? q->receive_counts[i] - 1 : 0;
    int64_t wanted_s = (q->messages[i].retry_after_ms + 999) / 1000;
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
    for (size_t i = 0; i < q->count; i++) {
        if (q->messages[i].status != ST_OK)
            q->failed[n++] = (struct sqs_visibility){q->receipts[i], delay_of(q, i)};
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
    for (size_t i = 0; i < q->count; i++) {
        if (q->messages[i].status == ST_OK)
            q->done[n++] = q->receipts[i];
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

static void end_round(struct queue_worker *q)
{
    struct round_summary summary;
    round_publish(q->round, &summary);
    stop_extending(q);
    kill_point("delete", false);
    delete_done(q);
    kill_point("delete", true);
    return_failed(q);
    for (size_t i = 0; i < q->answer_count; i++)
        sqs_messages_free(q->answers[i]);
    q->count = q->answer_count = q->body_bytes = 0;
    pthread_mutex_lock(&q->locked.mutex);
    round_summary_add(&q->locked.totals.rounds, &summary);
    q->locked.totals.round_count++;
    q->locked.in_flight = 0;
    pthread_mutex_unlock(&q->locked.mutex);
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
        enum status st = fill(q);
        bool empty = q->count == 0;
        if (!empty)
            end_round(q);
        q->ended = st;
        if (worker_is_ledger_broken(q->worker))
            break;
        if (o->once && ((st == ST_END && empty) || (st != ST_OK && st != ST_END)))
            break;
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
    q->messages = calloc(n, sizeof(*q->messages));
    q->receipts = calloc(n, sizeof(*q->receipts));
    q->receive_counts = calloc(n, sizeof(*q->receive_counts));
    q->answers = calloc(n, sizeof(struct sqs_messages *));
    q->done = calloc(n, sizeof(*q->done));
    q->failed = calloc(n, sizeof(*q->failed));
    q->each = calloc(n, sizeof(*q->each));
    if (q->messages == NULL || q->receipts == NULL || q->receive_counts == NULL ||
        q->answers == NULL || q->done == NULL || q->failed == NULL || q->each == NULL)
        return error_set(err, ST_NO_MEMORY, E_R113, "out of memory");
    struct aws_client_options client = settings_aws_client(o->aws);
    client.stop.asked = stop_asked;
    enum status st = aws_client_new(&q->receiver, &client, err);
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
    free(q->messages);
    free(q->receipts);
    free(q->receive_counts);
    free(q->answers);
    free(q->done);
    free(q->failed);
    free(q->each);
    pthread_cond_destroy(&q->locked.changed);
    pthread_mutex_destroy(&q->locked.mutex);
}
