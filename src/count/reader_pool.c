/*
 * reader_pool.c: the threads that read objects, their list of jobs, and who helps whom.  An object
 * larger than OVERLAP_AFTER_BYTES gets an idle reader as helper; below that helping costs more than
 * it saves.
 */
#include "count/reader_pool.h"

#include <pthread.h>
#include <stdlib.h>

#include "base/log.h"
#include "count/progress.h"
#include "count/scan_helper.h"

enum {
    QUEUE_LENGTH = 256, /* jobs ahead of the readers */
    OVERLAP_AFTER_BYTES = 256 * 1024,
};

struct reader {
    struct reader_pool *pool;
    struct object_counter *counter; /* NULL as long as it counted nothing */
    struct scan_helper helper;
    bool helps;            /* it is chosen as a helper; guarded by the pool's mutex */
    uint64_t object_bytes; /* read of the current object */
    pthread_t thread;
};

struct reader_pool {
    struct reader_pool_options options;
    struct reader *readers; /* the first is that of the thread that adds */
    unsigned count, started;
    struct {
        pthread_mutex_t mutex;
        pthread_cond_t changed;
        void *queue[QUEUE_LENGTH];
        size_t head, length;
        bool finishing; /* nothing more is added */
        unsigned busy;  /* readers with a job */
        struct reader *idle[READER_POOL_MAX];
        unsigned idle_count;
    } locked;
    _Atomic unsigned idle_hint; /* idle_count, read without the lock */
};

/* ---- helping ---- */

/* Take an idle reader as helper of `counter`; NULL: there is none, or no memory for it. */
static struct scan_helper *take_helper(struct reader_pool *pool, struct object_counter *counter)
{
    struct scan_helper *helper = NULL;
    pthread_mutex_lock(&pool->locked.mutex);
    if (pool->locked.idle_count > 0) {
        struct reader *reader = pool->locked.idle[pool->locked.idle_count - 1];
        if (scan_helper_begin(&reader->helper, counter)) {
            helper = &reader->helper;
            reader->helps = true;
            pool->idle_hint = --pool->locked.idle_count;
            pthread_cond_broadcast(&pool->locked.changed);
        }
    }
    pthread_mutex_unlock(&pool->locked.mutex);
    return helper;
}

static struct scan_helper *on_progress(void *context, struct object_counter *counter,
                                       uint64_t bytes_read)
{
    struct reader *reader = context;
    progress_add_bytes(reader->pool->options.progress, bytes_read);
    reader->object_bytes += bytes_read;
    if (counter == NULL || reader->object_bytes < OVERLAP_AFTER_BYTES ||
        reader->pool->idle_hint == 0)
        return NULL;
    return take_helper(reader->pool, counter);
}

static void stop_idling(struct reader_pool *pool, const struct reader *reader)
{
    for (unsigned i = 0; i < pool->locked.idle_count; i++) {
        if (pool->locked.idle[i] == reader) {
            pool->locked.idle[i] = pool->locked.idle[--pool->locked.idle_count];
            break;
        }
    }
    pool->idle_hint = pool->locked.idle_count;
}

/* ---- working ---- */

/* With the mutex held. */
static bool is_over(const struct reader_pool *pool)
{
    return pool->locked.finishing && pool->locked.busy == 0 && pool->locked.length == 0;
}

/* Wait for a job, helping others meanwhile; false: there will be none. */
static bool next_job(struct reader *reader, void **job)
{
    struct reader_pool *pool = reader->pool;
    pthread_mutex_lock(&pool->locked.mutex);
    while (pool->locked.length == 0 && !is_over(pool)) {
        reader->helps = false;
        pool->locked.idle[pool->locked.idle_count++] = reader;
        pool->idle_hint = pool->locked.idle_count;
        while (!reader->helps && pool->locked.length == 0 && !is_over(pool))
            pthread_cond_wait(&pool->locked.changed, &pool->locked.mutex);
        if (!reader->helps) {
            stop_idling(pool, reader);
            continue;
        }
        pthread_mutex_unlock(&pool->locked.mutex);
        scan_helper_run(&reader->helper);
        pthread_mutex_lock(&pool->locked.mutex);
    }
    bool found = pool->locked.length > 0;
    if (found) {
        *job = pool->locked.queue[pool->locked.head];
        pool->locked.head = (pool->locked.head + 1) % QUEUE_LENGTH;
        pool->locked.length--;
        pool->locked.busy++;
    }
    pthread_mutex_unlock(&pool->locked.mutex);
    return found;
}

/* A job that is counted as busy. */
static void run_job(struct reader *reader, void *job)
{
    struct reader_pool *pool = reader->pool;
    pool->options.run(pool->options.context, reader, job);
    pthread_mutex_lock(&pool->locked.mutex);
    pool->locked.busy--;
    if (is_over(pool))
        pthread_cond_broadcast(&pool->locked.changed);
    pthread_mutex_unlock(&pool->locked.mutex);
}

static void *reader_main(void *context)
{
    struct reader *reader = context;
    void *job;
    while (next_job(reader, &job))
        run_job(reader, job);
    return NULL;
}

/*
 * Threads are started one by one as jobs come, so that a run over two objects starts two.  When
 * the list is full the adding thread does the job itself, which is also what keeps memory bounded.
 */
void reader_pool_add(struct reader_pool *pool, void *job)
{
    if (pool->count == 1) {
        pool->options.run(pool->options.context, &pool->readers[0], job);
        return;
    }
    if (pool->started < pool->count) {
        struct reader *next = &pool->readers[pool->started];
        pool->started += pthread_create(&next->thread, NULL, reader_main, next) == 0;
    }
    pthread_mutex_lock(&pool->locked.mutex);
    bool full = pool->locked.length == QUEUE_LENGTH;
    if (full) {
        pool->locked.busy++;
    } else {
        pool->locked.queue[(pool->locked.head + pool->locked.length++) % QUEUE_LENGTH] = job;
        pthread_cond_broadcast(&pool->locked.changed);
    }
    pthread_mutex_unlock(&pool->locked.mutex);
    if (full)
        run_job(&pool->readers[0], job);
}

void reader_pool_finish(struct reader_pool *pool)
{
    if (pool->count == 1)
        return;
    pthread_mutex_lock(&pool->locked.mutex);
    pool->locked.finishing = true;
    pthread_cond_broadcast(&pool->locked.changed);
    pthread_mutex_unlock(&pool->locked.mutex);
    (void)reader_main(&pool->readers[0]);
    while (pool->started > 1)
        pthread_join(pool->readers[--pool->started].thread, NULL);
    pool->locked.finishing = false;
}

/* ---- one object ---- */

void object_read_log_failed(const struct object_read *o, bool tried_again)
{
    bool no_time = o->status == ST_CANCELLED;
    LOG_FAULT(!tried_again ? LOG_ERROR
              : no_time    ? LOG_INFO
                           : LOG_WARN,
              error_code(&o->err, E_O100), "object failed",
              log_view("bucket", o->bucket.len > 0 ? o->bucket : VIEW_EMPTY),
              log_view("object", o->key), log_view("messageId", o->message_id),
              log_cstr("reason", o->err.text), log_cstr("status", status_name(o->status)));
}

/*
 * The one place where an object becomes counted: read to its end, then committed to the sums of
 * the reader.  Whatever fails before that leaves the sums as they were.
 */
enum status reader_count(struct reader *reader, struct object_read *o, enum status opened,
                         struct byte_stream *stream)
{
    struct tally found = {.objects = {.found = 1}};
    struct reader_pool *pool = reader->pool;
    o->tally = (struct tally){0};
    o->status = opened;
    reader->object_bytes = 0;
    if (o->status == ST_OK && reader->counter == NULL) {
        reader->counter = object_counter_new(&pool->options.counter);
        if (reader->counter == NULL)
            o->status = error_set(&o->err, ST_NO_MEMORY, E_R113, "out of memory");
        else
            object_counter_on_progress(reader->counter, on_progress, reader);
    }
    if (o->status == ST_OK)
        o->status = object_counter_run(reader->counter, o->key, stream, &o->tally, &o->err);
    byte_stream_close(stream);
    if (o->status == ST_OK)
        aggregate_commit(object_counter_aggregate(reader->counter));
    if (o->status == ST_MISSING)
        LOG_FAULT(LOG_WARN, E_O130, "object missing",
                  log_view("bucket", o->bucket.len > 0 ? o->bucket : VIEW_EMPTY),
                  log_view("object", o->key), log_view("messageId", o->message_id));
    found.objects.counted = o->status == ST_OK;
    found.objects.skipped[OBJECT_MISSING] = o->status == ST_MISSING;
    found.objects.failed = o->status != ST_OK && o->status != ST_MISSING;
    tally_add(&o->tally, &found);
    return o->status;
}

struct aggregate *reader_sums(struct reader *reader)
{
    return reader->counter == NULL ? NULL : object_counter_aggregate(reader->counter);
}

/* ---- life ---- */

struct reader_pool *reader_pool_new(const struct reader_pool_options *options)
{
    struct reader_pool *pool = calloc(1, sizeof(*pool));
    if (pool == NULL)
        return NULL;
    pool->options = *options;
    pool->count = options->readers < READER_POOL_MAX ? options->readers : READER_POOL_MAX;
    pool->started = 1; /* the thread that adds */
    pool->readers = calloc(pool->count, sizeof(*pool->readers));
    if (pool->readers == NULL) {
        free(pool);
        return NULL;
    }
    pthread_mutex_init(&pool->locked.mutex, NULL);
    pthread_cond_init(&pool->locked.changed, NULL);
    for (unsigned i = 0; i < pool->count; i++) {
        pool->readers[i].pool = pool;
        scan_helper_init(&pool->readers[i].helper);
    }
    return pool;
}

void reader_pool_free(struct reader_pool *pool)
{
    if (pool == NULL)
        return;
    for (unsigned i = 0; i < pool->count; i++) {
        object_counter_free(pool->readers[i].counter);
        scan_helper_clear(&pool->readers[i].helper);
    }
    pthread_mutex_destroy(&pool->locked.mutex);
    pthread_cond_destroy(&pool->locked.changed);
    free(pool->readers);
    free(pool);
}

enum status reader_pool_take_sums(struct reader_pool *pool, struct aggregate **out)
{
    *out = NULL;
    for (unsigned i = 0; i < pool->count; i++) {
        struct object_counter *counter = pool->readers[i].counter;
        enum status st = ST_OK;
        if (counter != NULL && *out == NULL)
            *out = object_counter_take_aggregate(counter);
        else if (counter != NULL)
            st = aggregate_merge(*out, object_counter_aggregate(counter), 0);
        if (st != ST_OK) {
            aggregate_free(*out);
            *out = NULL;
            return st;
        }
        object_counter_free(counter);
        pool->readers[i].counter = NULL;
    }
    if (*out == NULL)
        *out = aggregate_new(&pool->options.counter.aggregate);
    return *out == NULL ? ST_NO_MEMORY : ST_OK;
}
