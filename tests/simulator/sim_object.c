/*
 * sim_object.c: bytes to files: gzip (level 6, no time in the header) and folders.  The only
 * threads of the simulator are here.
 */
#ifndef _GNU_SOURCE
#define _POSIX_C_SOURCE 200809L
#endif
#include "sim.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

enum { CHUNK = 1 << 18 };

static void file_write(int fd, const void *data, size_t len, const char *path)
{
    const unsigned char *p = data;

    while (len) {
        ssize_t n = write(fd, p, len);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            die("%s: %s", path, strerror(errno));
        p += n;
        len -= (size_t)n;
    }
}

static void deflate_start(z_stream *z)
{
    *z = (z_stream){0};
    if (deflateInit2(z, 6, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY) != Z_OK)
        die("zlib cannot be started");
}

/* ---- many small objects ---- */

/*
 * Compressing takes nearly all of the time, so a few threads do it.  Each object depends on its own
 * content only: who packs it, and when, changes nothing in the bytes.
 */
enum { MAX_WORKERS = 8, MAX_WAITING = 16 };

struct job {
    struct buf path; /* ends with NUL */
    struct buf content;
    struct object_shape shape;
    uint64_t *written;
};

struct store {
    const char *dir;
    bool plain;
    struct buf last_folder;
    pthread_t workers[MAX_WORKERS];
    size_t worker_count;
    pthread_cond_t wake, room;
    struct {
        pthread_mutex_t mutex;
        struct job jobs[MAX_WAITING]; /* a ring; buffers are exchanged with the workers' */
        size_t first, count;
        bool closing;
    } locked;
};

static void member_pack(z_stream *z, struct buf *out, const char *p, size_t len)
{
    uLong bound = deflateBound(z, (uLong)len);

    if (len > UINT32_MAX || bound > UINT32_MAX)
        die("an object of %zu bytes is too large", len);
    buf_room(out, bound);
    /* zlib's next_in is not const unless ZLIB_CONST is defined everywhere; it is never written to.
     */
    z->next_in = (Bytef *)(uintptr_t)p;
    z->avail_in = (uInt)len;
    z->next_out = (Bytef *)out->p + out->len;
    z->avail_out = (uInt)bound;
    if (deflate(z, Z_FINISH) != Z_STREAM_END)
        die("zlib failed");
    out->len += bound - z->avail_out;
    deflateReset(z);
}

static void object_pack(z_stream *z, struct buf *out, const struct job *job)
{
    unsigned members = job->shape.members ? job->shape.members : 1;
    size_t len = job->content.len;

    out->len = 0;
    for (unsigned i = 0; i < members; i++) {
        size_t from = len * i / members;
        size_t to = len * (i + 1) / members;

        member_pack(z, out, len ? job->content.p + from : "", to - from);
    }
    for (unsigned i = 0; i < job->shape.zeros; i++)
        buf_char(out, '\0');
}

static size_t object_write(z_stream *z, struct buf *packed, const struct job *job, bool raw)
{
    const struct buf *data = raw ? &job->content : packed;
    int fd;

    if (!raw)
        object_pack(z, packed, job);
    fd = open(job->path.p, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    if (fd < 0)
        die("%s: %s", job->path.p, strerror(errno));
    file_write(fd, data->p, data->len, job->path.p);
    if (close(fd))
        die("%s: %s", job->path.p, strerror(errno));
    return data->len;
}

static void job_swap(struct job *a, struct job *b)
{
    struct job t = *a;

    *a = *b;
    *b = t;
}

static void *worker_run(void *arg)
{
    struct store *st = arg;
    struct job job = {0};
    struct buf packed = {0};
    z_stream z;

    deflate_start(&z);
    pthread_mutex_lock(&st->locked.mutex);
    for (;;) {
        size_t len;

        while (!st->locked.count && !st->locked.closing)
            pthread_cond_wait(&st->wake, &st->locked.mutex);
        if (!st->locked.count)
            break;
        job_swap(&job, &st->locked.jobs[st->locked.first]);
        st->locked.first = (st->locked.first + 1) % MAX_WAITING;
        st->locked.count--;
        pthread_cond_signal(&st->room);
        pthread_mutex_unlock(&st->locked.mutex);
        len = object_write(&z, &packed, &job, st->plain || job.shape.raw);
        pthread_mutex_lock(&st->locked.mutex);
        if (job.written)
            *job.written += len;
    }
    pthread_mutex_unlock(&st->locked.mutex);
    deflateEnd(&z);
    buf_free(&packed);
    buf_free(&job.path);
    buf_free(&job.content);
    return NULL;
}

struct store *store_new(const char *dir, bool plain)
{
    struct store *st = xmalloc(sizeof(*st));
    long processors = sysconf(_SC_NPROCESSORS_ONLN);

    *st = (struct store){.dir = dir, .plain = plain};
    st->worker_count = processors < 1             ? 1
                       : processors > MAX_WORKERS ? MAX_WORKERS
                                                  : (size_t)processors;
    pthread_mutex_init(&st->locked.mutex, NULL);
    pthread_cond_init(&st->wake, NULL);
    pthread_cond_init(&st->room, NULL);
    for (size_t i = 0; i < st->worker_count; i++)
        if (pthread_create(&st->workers[i], NULL, worker_run, st))
            die("no thread can be started");
    return st;
}

static void folder_make(struct store *st, char *path)
{
    char *slash = strrchr(path, '/');
    size_t len = (size_t)(slash - path);

    if (st->last_folder.len == len && !memcmp(st->last_folder.p, path, len))
        return;
    for (char *at = path + 1; at <= slash; at++) {
        if (*at != '/')
            continue;
        *at = '\0';
        if (mkdir(path, 0777) && errno != EEXIST)
            die("%s: %s", path, strerror(errno));
        *at = '/';
    }
    st->last_folder.len = 0;
    buf_add(&st->last_folder, path, len);
}

static void path_make(struct store *st, struct buf *path, const char *key, bool raw)
{
    path->len = 0;
    buf_str(path, st->dir);
    buf_char(path, '/');
    buf_str(path, key);
    if (st->plain && !raw && path->len > 3 && !memcmp(path->p + path->len - 3, ".gz", 3))
        path->len -= 3;
    buf_char(path, '\0');
    folder_make(st, path->p);
}

void store_put(struct store *st, const char *key, const struct buf *content,
               struct object_shape shape, uint64_t *written)
{
    struct job *job;

    pthread_mutex_lock(&st->locked.mutex);
    while (st->locked.count == MAX_WAITING)
        pthread_cond_wait(&st->room, &st->locked.mutex);
    /* Only this thread fills, so the free slot stays free without the lock. */
    job = &st->locked.jobs[(st->locked.first + st->locked.count) % MAX_WAITING];
    pthread_mutex_unlock(&st->locked.mutex);
    path_make(st, &job->path, key, shape.raw);
    job->content.len = 0;
    buf_add(&job->content, content->p, content->len);
    job->shape = shape;
    job->written = written;
    pthread_mutex_lock(&st->locked.mutex);
    st->locked.count++;
    pthread_cond_signal(&st->wake);
    pthread_mutex_unlock(&st->locked.mutex);
}

void store_close(struct store *st)
{
    pthread_mutex_lock(&st->locked.mutex);
    st->locked.closing = true;
    pthread_cond_broadcast(&st->wake);
    pthread_mutex_unlock(&st->locked.mutex);
    for (size_t i = 0; i < st->worker_count; i++)
        pthread_join(st->workers[i], NULL);
    for (size_t i = 0; i < MAX_WAITING; i++) {
        buf_free(&st->locked.jobs[i].path);
        buf_free(&st->locked.jobs[i].content);
    }
    pthread_mutex_destroy(&st->locked.mutex);
    pthread_cond_destroy(&st->wake);
    pthread_cond_destroy(&st->room);
    buf_free(&st->last_folder);
    free(st);
}

/* ---- one large object ---- */

struct sink {
    const char *path;
    int fd;
    bool plain;
    z_stream z;
    uint64_t written;
    unsigned char out[CHUNK];
};

struct sink *sink_open(const char *path, bool plain)
{
    struct sink *s = xmalloc(sizeof(*s));

    s->path = path;
    s->plain = plain;
    s->written = 0;
    s->fd = !strcmp(path, "-") ? STDOUT_FILENO
                               : open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    if (s->fd < 0)
        die("%s: %s", path, strerror(errno));
    deflate_start(&s->z);
    return s;
}

static void sink_flush(struct sink *s, const void *data, size_t len)
{
    file_write(s->fd, data, len, s->path);
    s->written += len;
}

static void sink_deflate(struct sink *s, int flush)
{
    int rc;

    do {
        s->z.next_out = s->out;
        s->z.avail_out = CHUNK;
        rc = deflate(&s->z, flush);
        if (rc != Z_OK && rc != Z_STREAM_END && rc != Z_BUF_ERROR)
            die("zlib failed");
        sink_flush(s, s->out, CHUNK - s->z.avail_out);
    } while (s->z.avail_out == 0);
}

void sink_write(struct sink *s, const void *data, size_t len)
{
    if (s->plain) {
        sink_flush(s, data, len);
        return;
    }
    s->z.next_in = (Bytef *)(uintptr_t)data;
    s->z.avail_in = (uInt)len;
    sink_deflate(s, Z_NO_FLUSH);
}

uint64_t sink_close(struct sink *s)
{
    uint64_t written;

    if (!s->plain)
        sink_deflate(s, Z_FINISH);
    deflateEnd(&s->z);
    if (s->fd != STDOUT_FILENO && close(s->fd))
        die("%s: %s", s->path, strerror(errno));
    written = s->written;
    free(s);
    return written;
}
