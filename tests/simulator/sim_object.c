/*
 * sim_object.c: bytes to files: gzip (level 6, no time in the header) and folders.
 */
#ifndef _GNU_SOURCE
#define _POSIX_C_SOURCE 200809L
#endif
#include "sim.h"

#include <errno.h>
#include <fcntl.h>
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

struct store {
    const char *dir;
    bool plain;
    z_stream z;
    struct buf path;
    struct buf last_folder;
    struct buf packed;
};

struct store *store_new(const char *dir, bool plain)
{
    struct store *st = xmalloc(sizeof(*st));

    *st = (struct store){.dir = dir, .plain = plain};
    deflate_start(&st->z);
    return st;
}

static void folder_make(struct store *st)
{
    char *path = st->path.p; /* ends with NUL */
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

static void member_pack(struct store *st, const char *p, size_t len)
{
    uLong bound = deflateBound(&st->z, (uLong)len);

    if (len > UINT32_MAX || bound > UINT32_MAX)
        die("an object of %zu bytes is too large", len);
    buf_room(&st->packed, bound);
    /* zlib's next_in is not const unless ZLIB_CONST is defined everywhere; it is never written to. */
    st->z.next_in = (Bytef *)(uintptr_t)p;
    st->z.avail_in = (uInt)len;
    st->z.next_out = (Bytef *)st->packed.p + st->packed.len;
    st->z.avail_out = (uInt)bound;
    if (deflate(&st->z, Z_FINISH) != Z_STREAM_END)
        die("zlib failed");
    st->packed.len += bound - st->z.avail_out;
    deflateReset(&st->z);
}

void store_put(struct store *st, const char *key, const struct buf *content,
               struct object_shape shape, uint64_t *written)
{
    const struct buf *data = content;
    int fd;

    st->path.len = 0;
    buf_str(&st->path, st->dir);
    buf_char(&st->path, '/');
    buf_str(&st->path, key);
    if (st->plain && !shape.raw && st->path.len > 3 &&
        !memcmp(st->path.p + st->path.len - 3, ".gz", 3))
        st->path.len -= 3;
    buf_char(&st->path, '\0');
    folder_make(st);
    if (!st->plain && !shape.raw) {
        unsigned members = shape.members ? shape.members : 1;

        st->packed.len = 0;
        for (unsigned i = 0; i < members; i++) {
            size_t from = content->len * i / members;
            size_t to = content->len * (i + 1) / members;

            member_pack(st, content->len ? content->p + from : "", to - from);
        }
        for (unsigned i = 0; i < shape.zeros; i++)
            buf_char(&st->packed, '\0');
        data = &st->packed;
    }
    fd = open(st->path.p, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    if (fd < 0)
        die("%s: %s", st->path.p, strerror(errno));
    file_write(fd, data->p, data->len, st->path.p);
    if (close(fd))
        die("%s: %s", st->path.p, strerror(errno));
    if (written)
        *written += data->len;
}

void store_close(struct store *st)
{
    deflateEnd(&st->z);
    buf_free(&st->path);
    buf_free(&st->last_folder);
    buf_free(&st->packed);
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
