/*
 * ingest.c: files to be counted go through a pool of readers to one thread that commits them.  What
 * is counted and not committed is bounded, so a slow disk slows reading, not memory.
 */
#include "serve/ingest.h"

#include <errno.h>
#include <fcntl.h>
#include <isa-l/crc64.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/log.h"
#include "count/reader_pool.h"
#include "objects/source.h"

enum {
    MAX_UNCOMMITTED = 1024,
    RETRY_SECONDS = 5,
    PATH_CEILING = 64 * 1024,
    HASH_BYTES = 64 * 1024,
};

struct job {
    char *path;
    char *key;
    size_t key_len;
    int64_t size, mtime_ns, inode, born_ns;
};

struct ingest {
    struct ingest_options options;
    struct source *files; /* opens them */
    atomic_bool cancelled;
    struct reader_pool *readers; /* jobs are added by the thread that offers */
    pthread_t committer;
    bool has_committer;
    pthread_mutex_t mutex; /* guards what is below */
    pthread_cond_t changed;
    size_t pending;                      /* jobs whose result is not in the list yet */
    struct counted_object *first, *last; /* to be committed */
    size_t uncommitted;                  /* in the list or being committed */
    bool rollup_failed;                  /* the last time */
    enum status fault;
    struct error err;
};

/* ---- reading one file ---- */

/*
 * A file that changed while it was read may have been read in two halves: it is offered again
 * later.
 */
static bool is_as_found(const struct job *job)
{
    struct stat st;
    return lstat(job->path, &st) == 0 && st.st_size == job->size &&
           (int64_t)st.st_mtim.tv_sec * 1000000000 + st.st_mtim.tv_nsec == job->mtime_ns;
}

/*
 * A file's time changes without its bytes: `aws s3 sync` sets it after it has given the file its
 * name.  So the bytes decide whether a file changed.  false: it cannot be read, or is cancelled.
 */
static bool hash_file(const struct ingest *in, const char *path, int64_t *out)
{
    unsigned char bytes[HASH_BYTES];
    uint64_t hash = 1;
    ssize_t n = -1;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    while (fd >= 0 && !in->cancelled && (n = read(fd, bytes, sizeof(bytes))) > 0)
        hash = crc64_ecma_refl(hash, bytes, (uint64_t)n);
    if (fd >= 0)
        close(fd);
    *out = (int64_t)hash;
    return n == 0;
}

/* What is to be remembered of a job; the key moves over.  NULL: nothing, or no memory. */
static struct counted_object *make_result(struct job *job, enum object_state state)
{
    struct counted_object *o = calloc(1, sizeof(*o));
    if (o == NULL)
        return NULL;
    o->key = job->key;
    o->key_len = job->key_len;
    job->key = NULL;
    o->file = (struct store_object){state, job->size, job->mtime_ns, job->inode, job->born_ns, 0};
    return o;
}

/* Count the file, and what it comes to in the store: NULL with ST_OK, ST_CANCELLED and
 * ST_MISSING is nothing to remember. */
static enum status do_job(struct ingest *in, struct reader *reader, struct job *job,
                          struct counted_object **out, struct error *err)
{
    struct object_ref ref = {in->files, view_of(job->path), 0, false};
    struct object_read read = {.key = ref.key};
    struct byte_stream *stream = NULL;
    enum object_skip skip = object_key_skip(ref.key);
    struct counted_object *o = make_result(job, OBJECT_STATE_COUNTED);
    if (o == NULL)
        return error_set(err, ST_NO_MEMORY, E_R113, "out of memory");
    if (skip != OBJECT_READ) {
        o->file.state = OBJECT_STATE_SKIPPED;
        o->skip = skip;
        *out = o;
        return ST_OK;
    }
    enum status opened = object_open(&ref, &stream, &read.err);
    enum status st = reader_count(reader, &read, opened, stream);
    if (st == ST_OK) {
        st = usage_pack(in->options.usage, reader_sums(reader), o);
        aggregate_reset(reader_sums(reader));
        if (st != ST_OK)
            (void)error_set(&read.err, st, E_R113, "out of memory");
    }
    bool lost = st == ST_CANCELLED || st == ST_MISSING || st == ST_NO_MEMORY;
    bool hashed = st != ST_OK || hash_file(in, job->path, &o->file.hash);
    if (!lost && !(hashed && is_as_found(job))) {
        in->options.on_unsettled(in->options.context, job->path);
        lost = true;
        st = ST_CANCELLED;
    }
    if (lost) {
        counted_object_free(o);
        *err = read.err;
        return st;
    }
    if (st == ST_OK) {
        o->tally = read.tally;
    } else {
        object_read_log_failed(&read, false);
        o->file.state = OBJECT_STATE_FAILED;
        (void)snprintf(o->reason, sizeof(o->reason), "%.*s", (int)sizeof(o->reason) - 1,
                       read.err.text);
    }
    *out = o;
    return ST_OK;
}

/* ---- jobs ---- */

static void free_job(struct job *job)
{
    free(job->path);
    free(job->key);
    free(job);
}

static void set_fault(struct ingest *in, enum status st, const struct error *err)
{
    if (in->fault == ST_OK) {
        in->fault = st;
        in->err = *err;
    }
    pthread_cond_broadcast(&in->changed);
}

/*
 * Results go to a list for the committing thread, so that the readers never wait for the disk,
 * only for room in the list.
 */
static void run_job(void *context, struct reader *reader, void *given)
{
    struct ingest *in = context;
    struct job *job = given;
    struct counted_object *o = NULL;
    struct error err = {0};
    /* While the disk is the slowest, nothing more is read than it will take. */
    pthread_mutex_lock(&in->mutex);
    while (!in->cancelled && in->uncommitted >= MAX_UNCOMMITTED)
        pthread_cond_wait(&in->changed, &in->mutex);
    pthread_mutex_unlock(&in->mutex);
    enum status st = in->cancelled ? ST_CANCELLED : do_job(in, reader, job, &o, &err);
    free_job(job);
    pthread_mutex_lock(&in->mutex);
    in->pending--;
    if (o != NULL) {
        if (in->last != NULL)
            in->last->next = o;
        else
            in->first = o;
        in->last = o;
        in->uncommitted++;
    }
    if (st == ST_NO_MEMORY)
        set_fault(in, st, &err);
    pthread_cond_broadcast(&in->changed);
    pthread_mutex_unlock(&in->mutex);
}

/* ---- committing ---- */

static void free_list(struct counted_object *list)
{
    while (list != NULL) {
        struct counted_object *next = list->next;
        counted_object_free(list);
        list = next;
    }
}

static const char changed_text[] = "object changed after it was counted, not counted again";

static void report_changed(const struct counted_object *list)
{
    for (const struct counted_object *o = list; o != NULL; o = o->next) {
        if (o->changed)
            LOG_FAULT(LOG_WARN, E_O131, changed_text,
                      log_view("object", view_make(o->key, o->key_len)));
    }
}

/* Wait some seconds unless all ends; mutex held. */
static void pause_committing(struct ingest *in)
{
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += RETRY_SECONDS;
    while (!in->cancelled && pthread_cond_timedwait(&in->changed, &in->mutex, &until) != ETIMEDOUT)
        ;
}

static bool exists(void *context, struct view key)
{
    const struct ingest *in = context;
    struct stat st;
    struct buf path;
    buf_init(&path, PATH_CEILING);
    buf_add_cstr(&path, in->options.folder);
    buf_add_char(&path, '/');
    buf_add_view(&path, key);
    const char *name = buf_cstr(&path);
    bool is_there = name != NULL && lstat(name, &st) == 0;
    buf_clear(&path);
    return is_there;
}

/* Take what was committed into the rollups if it is time; called and returns with the mutex held.
 */
static void roll_up(struct ingest *in)
{
    struct error err = {0};
    bool idle = in->pending == 0 && in->first == NULL;
    pthread_mutex_unlock(&in->mutex);
    enum status st =
        usage_roll_up(in->options.usage, idle ? ROLLUP_WHEN_IDLE : ROLLUP_WHEN_BUSY, &err);
    pthread_mutex_lock(&in->mutex);
    if (st != ST_OK && !in->rollup_failed)
        LOG_FAULT(LOG_WARN, E_S102, "rollups cannot be written, answers take longer",
                  log_cstr("reason", err.text), log_cstr("status", status_name(st)));
    in->rollup_failed = st != ST_OK;
}

/*
 * Takes the whole list at a time: while the disk is slow a transaction gets larger and the cost of
 * a sync is shared.  A store that cannot be written (disk full) is tried again every few seconds,
 * because the readers stop by themselves; with --once it ends the run, and so does one that is
 * damaged.
 */
static void *committer_main(void *context)
{
    struct ingest *in = context;
    pthread_mutex_lock(&in->mutex);
    for (;;) {
        while (in->first == NULL && !in->cancelled)
            pthread_cond_wait(&in->changed, &in->mutex);
        if (in->cancelled)
            break;
        struct counted_object *list = in->first;
        size_t n = in->uncommitted;
        in->first = in->last = NULL;
        pthread_mutex_unlock(&in->mutex);
        struct error err = {0};
        enum status st = usage_commit(in->options.usage, list, exists, in, &err);
        pthread_mutex_lock(&in->mutex);
        while (st != ST_OK && st != ST_NO_MEMORY && st != ST_BAD_ITEM && !in->options.once &&
               !in->cancelled) {
            LOG_FAULT(LOG_ERROR, E_S100, "store cannot be written, trying again",
                      log_cstr("reason", err.text));
            pause_committing(in);
            pthread_mutex_unlock(&in->mutex);
            st = usage_commit(in->options.usage, list, exists, in, &err);
            pthread_mutex_lock(&in->mutex);
        }
        if (st != ST_OK)
            set_fault(in, st, &err);
        report_changed(list);
        free_list(list);
        in->uncommitted -= n;
        pthread_cond_broadcast(&in->changed);
        if (st == ST_OK)
            roll_up(in);
    }
    pthread_mutex_unlock(&in->mutex);
    return NULL;
}

/* ---- offering ---- */

/*
 * A file with the size and time that the store has is known.  One that changed after it was
 * counted is reported once (usage_touch remembers it as it is now) and not counted again.
 */
static enum status remembered(struct ingest *in, const struct ingest_file *file, bool *known,
                              struct error *err)
{
    struct store_object object;
    enum status st = usage_find(in->options.usage, file->key, &object, err);
    *known = st == ST_OK;
    if (st == ST_MISSING)
        return ST_OK;
    if (st != ST_OK || (object.size == file->size && object.mtime_ns == file->mtime_ns))
        return st;
    if (object.state == OBJECT_STATE_FAILED) {
        *known = false;
        return ST_OK;
    }
    int64_t hash = object.hash;
    if (object.state == OBJECT_STATE_COUNTED && !hash_file(in, file->path, &hash))
        return ST_OK; /* seen again when the folder is walked */
    if (object.state == OBJECT_STATE_COUNTED && hash != object.hash)
        LOG_FAULT(LOG_WARN, E_O131, changed_text, log_cstr("object", file->path));
    object.size = file->size;
    object.mtime_ns = file->mtime_ns;
    object.hash = hash;
    return usage_touch(in->options.usage, file->key, &object, err);
}

enum status ingest_offer(struct ingest *in, const struct ingest_file *file, bool *taken,
                         struct error *err)
{
    bool known;
    *taken = false;
    if (in->cancelled)
        return ST_CANCELLED;
    enum status st = remembered(in, file, &known, err);
    if (st != ST_OK || known || !in->options.is_ready(in->options.context, file))
        return st;
    struct job *job = calloc(1, sizeof(*job));
    if (job == NULL)
        return error_set(err, ST_NO_MEMORY, E_R113, "out of memory");
    *job = (struct job){
        .path = strdup(file->path),
        .key = malloc(file->key.len + 1),
        .key_len = file->key.len,
        .size = file->size,
        .mtime_ns = file->mtime_ns,
        .inode = file->inode,
        .born_ns = file->born_ns,
    };
    if (job->path == NULL || job->key == NULL) {
        free_job(job);
        return error_set(err, ST_NO_MEMORY, E_R113, "out of memory");
    }
    memcpy(job->key, file->key.ptr, file->key.len);
    pthread_mutex_lock(&in->mutex);
    st = in->fault;
    *err = in->err;
    in->pending += st == ST_OK;
    pthread_mutex_unlock(&in->mutex);
    if (st != ST_OK) {
        free_job(job);
        return st;
    }
    *taken = true;
    reader_pool_add(in->readers, job);
    return ST_OK;
}

enum status ingest_wait(struct ingest *in, struct error *err)
{
    reader_pool_finish(in->readers);
    pthread_mutex_lock(&in->mutex);
    while (in->fault == ST_OK && !in->cancelled && in->uncommitted > 0)
        pthread_cond_wait(&in->changed, &in->mutex);
    enum status st = in->cancelled ? ST_CANCELLED : in->fault;
    if (in->fault != ST_OK)
        *err = in->err;
    pthread_mutex_unlock(&in->mutex);
    return st;
}

/* ---- life ---- */

enum status ingest_start(const struct ingest_options *options, struct ingest **out)
{
    struct ingest *in = calloc(1, sizeof(*in));
    *out = NULL;
    if (in == NULL)
        return ST_NO_MEMORY;
    pthread_mutex_init(&in->mutex, NULL);
    pthread_cond_init(&in->changed, NULL);
    in->options = *options;
    in->options.counter.aggregate.sets =
        usage_dimensions(options->usage, &in->options.counter.aggregate.keys);
    in->options.counter.aggregate.set_count = 1;
    in->options.counter.aggregate.interval_seconds = 60;
    in->options.counter.aggregate.statistics = false;
    in->files = source_files_new(NULL, 0);
    in->options.counter.cancelled = &in->cancelled;
    struct reader_pool_options readers = {.counter = in->options.counter,
                                          .readers = options->jobs + 1, /* and who offers */
                                          .run = run_job,
                                          .context = in};
    in->readers = reader_pool_new(&readers);
    if (in->files != NULL && in->readers != NULL)
        in->has_committer = pthread_create(&in->committer, NULL, committer_main, in) == 0;
    if (!in->has_committer) {
        ingest_stop(in);
        return ST_NO_MEMORY;
    }
    *out = in;
    return ST_OK;
}

void ingest_cancel(struct ingest *in)
{
    in->cancelled = true;
    pthread_mutex_lock(&in->mutex);
    pthread_cond_broadcast(&in->changed);
    pthread_mutex_unlock(&in->mutex);
}

void ingest_stop(struct ingest *in)
{
    if (in == NULL)
        return;
    ingest_cancel(in);
    if (in->readers != NULL)
        reader_pool_finish(in->readers);
    reader_pool_free(in->readers);
    if (in->has_committer)
        pthread_join(in->committer, NULL);
    free_list(in->first);
    source_free(in->files);
    pthread_mutex_destroy(&in->mutex);
    pthread_cond_destroy(&in->changed);
    free(in);
}
