#include "count/pipeline.h"

#include <pthread.h>
#include <stdlib.h>

#include "base/log.h"
#include "count/progress.h"
#include "ledger/object_name.h"

enum {
    QUEUE_LENGTH = 256, /* objects listed ahead of the workers */
    RING_LENGTH = 4,    /* chunks inflated ahead of a helper */
    /* Below this a helper costs more than it saves. */
    OVERLAP_AFTER_BYTES = 256 * 1024,
    SPINS = 2000, /* up to 100 microseconds, about what a chunk takes */
};

/* Tell the processor that this is a waiting loop. */
static inline void pause_briefly(void)
{
#if defined(__x86_64__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("yield");
#endif
}

struct work {
    struct object_ref ref;
    char *key; /* owned; ref.key points to it */
};

struct worker;

/*
 * A worker that scans what another one inflates.  A ring of chunks, one writer, one reader; who
 * must wait looks a while before it sleeps, because a chunk takes less time than being woken.
 */
struct helper {
    struct scan_helper base;
    uint8_t *ring[RING_LENGTH];
    size_t length[RING_LENGTH];
    _Atomic size_t submitted, scanned; /* counts of chunks */
    _Atomic bool ended, idle;
    _Atomic unsigned sleepers; /* how many of the two wait for `changed` */
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    struct object_counter *scan_for;
};

struct pool;

struct worker {
    struct pool *pool;
    struct object_counter *counter;
    struct tally tally;
    struct pipeline_receipt receipt;
    struct helper helper;
    uint64_t object_bytes; /* read of the current object */
    pthread_t thread;
    bool started;
};

struct pool {
    const struct pipeline_options *options;
    struct worker *workers;
    unsigned count;
    struct {
        pthread_mutex_t mutex;
        pthread_cond_t changed;
        struct work queue[QUEUE_LENGTH];
        size_t head, length;
        bool listed;             /* nothing more will be queued */
        unsigned busy;           /* workers with an object */
        struct worker *idle[64]; /* ready to help */
        unsigned idle_count;
        enum status fault;
        struct error err;
    } locked;
    _Atomic unsigned idle_hint; /* idle_count, read without the lock */
};

enum { MAX_JOBS = 64 };

static void fail_run(struct pool *pool, enum status st, const struct error *err)
{
    pthread_mutex_lock(&pool->locked.mutex);
    if (pool->locked.fault == ST_OK) {
        pool->locked.fault = st;
        if (err != NULL)
            pool->locked.err = *err;
    }
    pthread_cond_broadcast(&pool->locked.changed);
    pthread_mutex_unlock(&pool->locked.mutex);
}

/* ---- helping ---- */

static bool has_room(const struct helper *h)
{
    return h->submitted - h->scanned < RING_LENGTH;
}

static bool has_chunk(const struct helper *h)
{
    return h->scanned != h->submitted || h->ended;
}

static bool is_idle(const struct helper *h)
{
    return h->idle;
}

static void wait_until(struct helper *h, bool (*condition)(const struct helper *h))
{
    for (unsigned i = 0; i < SPINS; i++) {
        if (condition(h))
            return;
        pause_briefly();
    }
    pthread_mutex_lock(&h->mutex);
    h->sleepers++;
    while (!condition(h))
        pthread_cond_wait(&h->changed, &h->mutex);
    h->sleepers--;
    pthread_mutex_unlock(&h->mutex);
}

/* Something the other one may wait for has happened. */
static void announce(struct helper *h)
{
    if (h->sleepers == 0)
        return;
    pthread_mutex_lock(&h->mutex);
    pthread_cond_broadcast(&h->changed);
    pthread_mutex_unlock(&h->mutex);
}

static uint8_t *helper_buffer(struct scan_helper *base)
{
    struct helper *h = (struct helper *)base;
    wait_until(h, has_room);
    return h->ring[h->submitted % RING_LENGTH];
}

static void helper_submit(struct scan_helper *base, size_t n)
{
    struct helper *h = (struct helper *)base;
    h->length[h->submitted % RING_LENGTH] = n;
    h->submitted++;
    announce(h);
}

static void helper_finish(struct scan_helper *base)
{
    struct helper *h = (struct helper *)base;
    h->ended = true;
    announce(h);
    wait_until(h, is_idle);
}

static const struct scan_helper_class helper_class = {helper_buffer, helper_submit, helper_finish};

/* The helping thread's part: scan what is submitted, in order, until the end. */
static void help(struct helper *h)
{
    for (;;) {
        wait_until(h, has_chunk);
        size_t at = h->scanned;
        if (at == h->submitted)
            break;
        object_counter_scan(h->scan_for, h->ring[at % RING_LENGTH], h->length[at % RING_LENGTH]);
        h->scanned++;
        announce(h);
    }
    h->idle = true;
    announce(h);
}

static bool prepare_ring(struct helper *h, size_t chunk_bytes)
{
    for (size_t i = 0; i < RING_LENGTH; i++) {
        if (h->ring[i] == NULL)
            h->ring[i] = malloc(chunk_bytes);
        if (h->ring[i] == NULL)
            return false;
    }
    return true;
}

/* Take an idle worker as helper of `counter`; NULL: none, or no memory for it. */
static struct scan_helper *take_helper(struct pool *pool, struct object_counter *counter)
{
    struct helper *h = NULL;
    pthread_mutex_lock(&pool->locked.mutex);
    if (pool->locked.idle_count > 0) {
        h = &pool->locked.idle[pool->locked.idle_count - 1]->helper;
        if (prepare_ring(h, object_counter_chunk_bytes(counter))) {
            pool->idle_hint = --pool->locked.idle_count;
            h->scan_for = counter;
            h->submitted = h->scanned = 0;
            h->ended = h->idle = false;
            pthread_cond_broadcast(&pool->locked.changed);
        } else {
            h = NULL;
        }
    }
    pthread_mutex_unlock(&pool->locked.mutex);
    return h == NULL ? NULL : &h->base;
}

static struct scan_helper *on_progress(void *context, struct object_counter *counter,
                                       uint64_t bytes_read)
{
    struct worker *worker = context;
    progress_add_bytes(worker->pool->options->progress, bytes_read);
    worker->object_bytes += bytes_read;
    if (counter == NULL || worker->object_bytes < OVERLAP_AFTER_BYTES ||
        worker->pool->idle_hint == 0)
        return NULL;
    return take_helper(worker->pool, counter);
}

/* ---- one object ---- */

static void log_failed(struct view key, enum status st, const struct error *err)
{
    LOG_FAULT(LOG_ERROR, error_code(err, E_O100), "object failed", log_view("object", key),
              log_cstr("reason", err->text), log_cstr("status", status_name(st)));
}

/* Which object was counted.  A file that was there a moment ago has a name. */
static enum status note_counted(struct worker *worker, struct view shown)
{
    const struct pipeline_receipt *wanted = worker->pool->options->receipt;
    struct ledger_id id;
    if (wanted == NULL)
        return ST_OK;
    enum status st = object_name_id(wanted->identity, shown, &id);
    if (st == ST_MISSING) {
        worker->receipt.unnamed++;
        return ST_OK;
    }
    return st == ST_OK ? receipt_add(&worker->receipt.counted, &id) : st;
}

static void count_object(struct worker *worker, const struct object_ref *ref)
{
    struct tally *tally = &worker->tally;
    struct byte_stream *stream = NULL;
    struct error err = {0};
    struct tally of_object;
    tally->objects.found++;
    worker->object_bytes = 0;
    enum status st = object_open(ref, &stream, &err);
    if (st == ST_OK)
        st = object_counter_run(worker->counter, ref->key, stream, &of_object, &err);
    byte_stream_close(stream);
    if (st == ST_OK) {
        aggregate_commit(object_counter_aggregate(worker->counter));
        of_object.objects.counted = 1;
        tally_add(tally, &of_object);
        st = note_counted(worker, ref->key);
        if (st != ST_OK)
            fail_run(worker->pool, st, &(struct error){.code = E_R113, .text = "out of memory"});
    } else if (st == ST_MISSING) {
        tally->objects.skipped[OBJECT_MISSING]++;
        LOG_FAULT(LOG_WARN, E_O130, "object missing", log_view("object", ref->key));
    } else if (st == ST_NO_MEMORY) {
        tally->objects.failed++;
        fail_run(worker->pool, st, &err);
    } else {
        tally->objects.failed++;
        log_failed(ref->key, st, &err);
    }
    progress_add_object(worker->pool->options->progress);
}

/* ---- listing ---- */

/*
 * Hand an object to the workers.  ST_TOO_BIG: the queue is full, so the listing thread counts it
 * itself rather than wait.
 */
static enum status enqueue(struct pool *pool, const struct object_ref *ref)
{
    char *key = malloc(ref->key.len + 1);
    if (key == NULL)
        return ST_NO_MEMORY;
    memcpy(key, ref->key.ptr, ref->key.len);
    key[ref->key.len] = '\0';
    pthread_mutex_lock(&pool->locked.mutex);
    enum status st = pool->locked.fault;
    if (st == ST_OK && pool->locked.length == QUEUE_LENGTH) {
        pool->locked.busy++;
        st = ST_TOO_BIG;
    } else if (st == ST_OK) {
        size_t at = (pool->locked.head + pool->locked.length++) % QUEUE_LENGTH;
        struct work *work = &pool->locked.queue[at];
        *work = (struct work){*ref, key};
        work->ref.key.ptr = key;
        key = NULL;
        pthread_cond_broadcast(&pool->locked.changed);
    }
    pthread_mutex_unlock(&pool->locked.mutex);
    free(key);
    return st;
}

static enum status end_object(struct pool *pool)
{
    pthread_mutex_lock(&pool->locked.mutex);
    pool->locked.busy--;
    enum status st = pool->locked.fault;
    pthread_cond_broadcast(&pool->locked.changed);
    pthread_mutex_unlock(&pool->locked.mutex);
    return st;
}

/* The listing belongs to the calling thread, whose tally is that of the first worker. */
static enum status on_found(void *context, const struct object_ref *ref, enum object_found found,
                            const struct error *err)
{
    struct pool *pool = context;
    struct worker *first = &pool->workers[0];
    struct tally *tally = &first->tally;
    if (found == OBJECT_FAILED) {
        tally->objects.found++;
        tally->objects.failed++;
        log_failed(ref->key, ST_IO, err);
        return ST_OK;
    }
    enum object_skip skip = object_key_skip(ref->key);
    if (skip != OBJECT_READ) {
        tally->objects.found++;
        tally->objects.skipped[skip]++;
        return ST_OK;
    }
    if (found == OBJECT_DUPLICATE) {
        tally->objects.found++;
        tally->objects.duplicate++;
        LOG_EVENT(LOG_DEBUG, "object named before", log_view("object", ref->key));
        return ST_OK;
    }
    if (pool->count > 1) {
        enum status st = enqueue(pool, ref);
        if (st != ST_TOO_BIG)
            return st;
        count_object(first, ref);
        return end_object(pool);
    }
    count_object(first, ref);
    return pool->locked.fault;
}

static enum status list_all(struct pool *pool, struct source *const *sources, size_t count)
{
    enum status st = ST_OK;
    for (size_t i = 0; i < count && st == ST_OK; i++)
        st = source_list(sources[i], on_found, pool);
    if (st != ST_OK)
        fail_run(pool, st, &(struct error){.code = E_R113, .text = "out of memory"});
    return st;
}

/* ---- workers ---- */

static void become_idle(struct pool *pool, struct worker *worker)
{
    worker->helper.scan_for = NULL;
    pool->locked.idle[pool->locked.idle_count++] = worker;
    pool->idle_hint = pool->locked.idle_count;
}

static void stop_idling(struct pool *pool, const struct worker *worker)
{
    for (unsigned i = 0; i < pool->locked.idle_count; i++) {
        if (pool->locked.idle[i] == worker) {
            pool->locked.idle[i] = pool->locked.idle[--pool->locked.idle_count];
            break;
        }
    }
    pool->idle_hint = pool->locked.idle_count;
}

static bool may_come(const struct pool *pool)
{
    return pool->locked.fault == ST_OK && (!pool->locked.listed || pool->locked.busy > 0);
}

/* Wait for an object, helping others meanwhile; false: there will be none. */
static bool next_work(struct worker *worker, struct work *work)
{
    struct pool *pool = worker->pool;
    bool found = false;
    pthread_mutex_lock(&pool->locked.mutex);
    for (;;) {
        if (pool->locked.fault == ST_OK && pool->locked.length > 0) {
            *work = pool->locked.queue[pool->locked.head];
            pool->locked.head = (pool->locked.head + 1) % QUEUE_LENGTH;
            pool->locked.length--;
            pool->locked.busy++;
            found = true;
            break;
        }
        if (!may_come(pool))
            break;
        become_idle(pool, worker);
        while (worker->helper.scan_for == NULL && pool->locked.length == 0 && may_come(pool))
            pthread_cond_wait(&pool->locked.changed, &pool->locked.mutex);
        if (worker->helper.scan_for == NULL) {
            stop_idling(pool, worker);
            continue;
        }
        pthread_mutex_unlock(&pool->locked.mutex);
        help(&worker->helper);
        pthread_mutex_lock(&pool->locked.mutex);
    }
    pthread_mutex_unlock(&pool->locked.mutex);
    return found;
}

static void *worker_main(void *context)
{
    struct worker *worker = context;
    struct work work;
    while (next_work(worker, &work)) {
        count_object(worker, &work.ref);
        free(work.key);
        (void)end_object(worker->pool);
    }
    return NULL;
}

static enum status start_workers(struct pool *pool)
{
    for (unsigned i = 0; i < pool->count; i++) {
        struct worker *worker = &pool->workers[i];
        worker->counter = object_counter_new(&pool->options->counter);
        if (worker->counter == NULL)
            return ST_NO_MEMORY;
        object_counter_on_progress(worker->counter, on_progress, worker);
    }
    if (pool->count == 1)
        return ST_OK;
    /* The first worker is not the listing thread: its tally is the listing's until joined. */
    for (unsigned i = 1; i < pool->count; i++) {
        struct worker *worker = &pool->workers[i];
        if (pthread_create(&worker->thread, NULL, worker_main, worker) != 0)
            return i > 1 ? ST_OK : ST_NO_MEMORY;
        worker->started = true;
    }
    return ST_OK;
}

static void join_workers(struct pool *pool)
{
    pthread_mutex_lock(&pool->locked.mutex);
    pool->locked.listed = true;
    pthread_cond_broadcast(&pool->locked.changed);
    pthread_mutex_unlock(&pool->locked.mutex);
    /* The listing is done: this thread works too. */
    if (pool->count > 1)
        (void)worker_main(&pool->workers[0]);
    for (unsigned i = 1; i < pool->count; i++) {
        if (pool->workers[i].started)
            pthread_join(pool->workers[i].thread, NULL);
    }
}

static enum status merge_workers(struct pool *pool, struct aggregate **result, struct tally *tally)
{
    for (unsigned i = 0; i < pool->count; i++) {
        struct worker *worker = &pool->workers[i];
        tally_add(tally, &worker->tally);
        if (pool->options->receipt != NULL) {
            receipt_merge(&pool->options->receipt->counted, &worker->receipt.counted);
            pool->options->receipt->unnamed += worker->receipt.unnamed;
        }
        if (i > 0) {
            enum status st = aggregate_merge(object_counter_aggregate(pool->workers[0].counter),
                                             object_counter_aggregate(worker->counter));
            if (st != ST_OK)
                return st;
            object_counter_free(worker->counter);
            worker->counter = NULL;
        }
    }
    *result = object_counter_take_aggregate(pool->workers[0].counter);
    return ST_OK;
}

static struct pool *pool_new(const struct pipeline_options *options)
{
    struct pool *pool = calloc(1, sizeof(*pool));
    if (pool == NULL)
        return NULL;
    pool->options = options;
    pool->count = options->jobs < MAX_JOBS ? options->jobs : MAX_JOBS;
    pool->workers = calloc(pool->count, sizeof(*pool->workers));
    if (pool->workers == NULL) {
        free(pool);
        return NULL;
    }
    pthread_mutex_init(&pool->locked.mutex, NULL);
    pthread_cond_init(&pool->locked.changed, NULL);
    for (unsigned i = 0; i < pool->count; i++) {
        struct worker *worker = &pool->workers[i];
        worker->pool = pool;
        worker->helper.base.class = &helper_class;
        pthread_mutex_init(&worker->helper.mutex, NULL);
        pthread_cond_init(&worker->helper.changed, NULL);
    }
    return pool;
}

static void pool_free(struct pool *pool)
{
    for (unsigned i = 0; i < pool->count; i++) {
        struct worker *worker = &pool->workers[i];
        object_counter_free(worker->counter);
        for (size_t k = 0; k < RING_LENGTH; k++)
            free(worker->helper.ring[k]);
        pthread_mutex_destroy(&worker->helper.mutex);
        pthread_cond_destroy(&worker->helper.changed);
    }
    for (; pool->locked.length > 0; pool->locked.length--) {
        free(pool->locked.queue[pool->locked.head].key);
        pool->locked.head = (pool->locked.head + 1) % QUEUE_LENGTH;
    }
    pthread_mutex_destroy(&pool->locked.mutex);
    pthread_cond_destroy(&pool->locked.changed);
    free(pool->workers);
    free(pool);
}

enum status pipeline_run(struct source *const *sources, size_t source_count,
                         const struct pipeline_options *options, struct aggregate **result,
                         struct tally *tally, struct error *err)
{
    *result = NULL;
    *tally = (struct tally){0};
    struct pool *pool = pool_new(options);
    if (pool == NULL)
        return error_set(err, ST_NO_MEMORY, E_R113, "out of memory");
    enum status st = start_workers(pool);
    if (st == ST_OK)
        st = list_all(pool, sources, source_count);
    else
        fail_run(pool, st, &(struct error){.code = E_R113, .text = "out of memory"});
    join_workers(pool);
    if (pool->locked.fault != ST_OK)
        st = pool->locked.fault;
    if (st == ST_OK)
        st = merge_workers(pool, result, tally);
    if (st != ST_OK)
        (void)error_set(err, st,
                        st == ST_CANCELLED ? E_A306 : error_code(&pool->locked.err, E_R113), "%s",
                        st == ST_CANCELLED                 ? "interrupted"
                        : pool->locked.err.text[0] != '\0' ? pool->locked.err.text
                                                           : "out of memory");
    pool_free(pool);
    return st;
}
