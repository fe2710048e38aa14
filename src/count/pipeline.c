/*
 * pipeline.c: a run over sources: what the listing finds becomes a job, what a job comes to joins
 * the balance. The listing is the calling thread's, and goes on while others read.
 */
#include "count/pipeline.h"

#include <pthread.h>
#include <stdlib.h>

#include "base/log.h"
#include "count/progress.h"

struct pipeline {
    const struct pipeline_options *options;
    struct reader_pool *pool;
    struct {
        pthread_mutex_t mutex;
        struct tally tally;
        enum status fault; /* why the run ends early */
        struct error err;
    } locked;
};

struct job {
    struct object_ref ref; /* its key follows the struct */
    char key[];
};

/* Objects that are not begun yet are left out from now on.  With the mutex held. */
static void end_early(struct pipeline *p, enum status st, enum code code, const char *why)
{
    if (p->locked.fault == ST_OK)
        p->locked.fault = error_set(&p->locked.err, st, code, "%s", why);
}

static enum status fault_of(struct pipeline *p)
{
    pthread_mutex_lock(&p->locked.mutex);
    enum status st = p->locked.fault;
    pthread_mutex_unlock(&p->locked.mutex);
    return st;
}

/*
 * After a fault the jobs that are left are only freed.  An object that cannot be read is a failed
 * object and no fault: the run goes on, and its exit status says so.
 */
static void run_job(void *context, struct reader *reader, void *given)
{
    struct pipeline *p = context;
    struct job *job = given;
    struct object_read o = {.key = job->ref.key};
    struct byte_stream *stream = NULL;
    if (fault_of(p) == ST_OK) {
        enum status opened = object_open(&job->ref, &stream, &o.err);
        enum status st = reader_count(reader, &o, opened, stream);
        if (st != ST_OK && st != ST_MISSING && st != ST_NO_MEMORY)
            object_read_log_failed(&o, false);
        pthread_mutex_lock(&p->locked.mutex);
        tally_add(&p->locked.tally, &o.tally);
        if (st == ST_NO_MEMORY)
            end_early(p, st, o.err.code, o.err.text);
        if (st == ST_OK && p->options->on_counted != NULL &&
            p->options->on_counted(p->options->context, o.key) != ST_OK)
            end_early(p, ST_NO_MEMORY, E_R113, "out of memory");
        pthread_mutex_unlock(&p->locked.mutex);
        progress_add_object(p->options->progress);
    }
    free(job);
}

/*
 * What the listing found: a job, or something that only has its place in the balance: skipped by
 * its name, named before, or not readable at all.
 */
static enum status on_found(void *context, const struct object_ref *ref, enum object_found found,
                            const struct error *err)
{
    struct pipeline *p = context;
    struct tally one = {.objects = {.found = 1}};
    enum object_skip skip = found == OBJECT_FAILED ? OBJECT_READ : object_key_skip(ref->key);
    if (skip == OBJECT_READ && found == OBJECT_FOUND) {
        struct job *job = malloc(sizeof(*job) + ref->key.len);
        if (job == NULL)
            return ST_NO_MEMORY;
        memcpy(job->key, ref->key.ptr, ref->key.len);
        job->ref = *ref;
        job->ref.key.ptr = job->key;
        reader_pool_add(p->pool, job);
        return fault_of(p);
    }
    if (skip != OBJECT_READ) {
        one.objects.skipped[skip] = 1;
    } else if (found == OBJECT_DUPLICATE) {
        one.objects.duplicate = 1;
        LOG_EVENT(LOG_DEBUG, "object named before", log_view("object", ref->key));
    } else {
        struct object_read o = {.key = ref->key, .status = ST_IO, .err = *err};
        one.objects.failed = 1;
        object_read_log_failed(&o, false);
    }
    pthread_mutex_lock(&p->locked.mutex);
    tally_add(&p->locked.tally, &one);
    pthread_mutex_unlock(&p->locked.mutex);
    return ST_OK;
}

enum status pipeline_run(struct source *const *sources, size_t source_count,
                         const struct pipeline_options *options, struct aggregate **result,
                         struct tally *tally, struct error *err)
{
    struct pipeline p = {.options = options};
    struct reader_pool_options readers = {.counter = options->counter,
                                          .readers = options->jobs,
                                          .progress = options->progress,
                                          .run = run_job,
                                          .context = &p};
    enum status st = ST_OK;
    *result = NULL;
    *tally = (struct tally){0};
    p.pool = reader_pool_new(&readers);
    if (p.pool == NULL)
        return error_set(err, ST_NO_MEMORY, E_R113, "out of memory");
    pthread_mutex_init(&p.locked.mutex, NULL);
    for (size_t i = 0; i < source_count && st == ST_OK; i++)
        st = source_list(sources[i], on_found, &p);
    if (st != ST_OK)
        end_early(&p, st,
                  st == ST_CANCELLED   ? E_A306
                  : st == ST_NO_MEMORY ? E_R113
                                       : E_NONE,
                  st == ST_CANCELLED   ? "interrupted"
                  : st == ST_NO_MEMORY ? "out of memory"
                                       : status_name(st));
    reader_pool_finish(p.pool);
    *tally = p.locked.tally;
    st = p.locked.fault;
    if (st == ST_OK)
        st = reader_pool_take_sums(p.pool, result);
    if (st != ST_OK && p.locked.fault == ST_OK)
        (void)error_set(&p.locked.err, st, E_R113, "out of memory");
    if (st != ST_OK && err != NULL)
        *err = p.locked.err;
    reader_pool_free(p.pool);
    pthread_mutex_destroy(&p.locked.mutex);
    return st;
}
