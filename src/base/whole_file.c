/*
 * whole_file.c: the one place where a file is read whole.
 *
 * A name may lead to a device that never ends, to a pipe that nobody writes into, or to a file that
 * grows while it is read.  So it is opened without waiting, looked at, and read up to a ceiling.
 */
#include "base/whole_file.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "base/clock.h"

enum {
    READ_BYTES = 16 * 1024,
    SLICE_MS = 100,
    WRITER_MS = 2000,    /* until somebody opens the other end of a pipe */
    PIPE_MS = 60 * 1000, /* until the other end is closed */
};

/* ST_OK, or that a file of this kind is not read. */
static enum status check_kind(const struct stat *st, enum whole_file_kind kind, struct error *err)
{
    bool null = S_ISCHR(st->st_mode) && st->st_rdev == makedev(1, 3);
    if (S_ISREG(st->st_mode) || null || (S_ISFIFO(st->st_mode) && kind == WHOLE_FILE_OR_PIPE))
        return ST_OK;
    if (S_ISDIR(st->st_mode))
        return error_set(err, ST_IO, E_F106, "%s", strerrordesc_np(EISDIR));
    return error_set(err, ST_IO, E_F110, "is not a regular file%s",
                     kind == WHOLE_FILE_OR_PIPE ? " or a pipe" : "");
}

static enum status too_big(const struct buf *out, struct error *err)
{
    return error_set(err, ST_TOO_BIG, E_F110, "is larger than %zu bytes", out->max);
}

/* One read; ST_END at the end, ST_RETRY: nothing yet. */
static enum status read_some(int fd, struct buf *out, struct error *err)
{
    char bytes[READ_BYTES];
    ssize_t n = read(fd, bytes, sizeof(bytes));
    if (n == 0)
        return ST_END;
    if (n < 0 && (errno == EINTR || errno == EAGAIN))
        return ST_RETRY;
    if (n < 0)
        return error_set(err, ST_IO, code_of_errno(errno, E_F109), "cannot be read: %s",
                         strerrordesc_np(errno));
    buf_add(out, bytes, (size_t)n);
    explicit_bzero(bytes, (size_t)n);
    enum status st = buf_status(out);
    if (st == ST_TOO_BIG)
        return too_big(out, err);
    return st == ST_OK ? ST_OK : error_set(err, st, E_R113, "out of memory");
}

/*
 * A pipe without a writer reads as one that has ended.  It has only if somebody wrote, or poll() says
 * that a writer went away; otherwise somebody may still come.
 */
static enum status read_pipe(int fd, struct buf *out, struct error *err)
{
    int64_t begun = clock_steady_ms();
    size_t before = out->len;
    for (;;) {
        struct pollfd p = {.fd = fd, .events = POLLIN};
        (void)poll(&p, 1, SLICE_MS);
        enum status st = read_some(fd, out, err);
        int64_t waited = clock_steady_ms() - begun;
        if (st == ST_END && (out->len > before || (p.revents & POLLHUP) != 0))
            return ST_OK;
        if (st == ST_END && waited >= WRITER_MS)
            return error_set(err, ST_IO, E_F110, "is a pipe that nothing writes into");
        if (st != ST_OK && st != ST_END && st != ST_RETRY)
            return st;
        if (waited >= PIPE_MS)
            return error_set(err, ST_IO, E_F110, "is a pipe that was not closed within a minute");
    }
}

enum status whole_file_read(struct buf *out, const char *path, enum whole_file_kind kind,
                            struct stat *about, struct error *err)
{
    struct stat st = {0};
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (fd < 0)
        return error_set(err, errno == ENOENT || errno == ENOTDIR ? ST_MISSING : ST_IO,
                         code_of_errno(errno, E_F109), "%s", strerrordesc_np(errno));
    enum status result = fstat(fd, &st) == 0
                             ? check_kind(&st, kind, err)
                             : error_set(err, ST_IO, code_of_errno(errno, E_F109),
                                         "cannot be examined: %s", strerrordesc_np(errno));
    if (about != NULL)
        *about = st;
    if (result == ST_OK && out != NULL) {
        if (S_ISFIFO(st.st_mode)) {
            result = read_pipe(fd, out, err);
        } else if (st.st_size > 0 && (uint64_t)st.st_size > out->max - out->len) {
            result = too_big(out, err);
        } else {
            do {
                result = read_some(fd, out, err);
            } while (result == ST_OK || (result == ST_RETRY && errno == EINTR));
            if (result == ST_END)
                result = ST_OK;
            else if (result == ST_RETRY)
                result =
                    error_set(err, ST_IO, E_F109, "cannot be read: %s", strerrordesc_np(EAGAIN));
        }
    }
    close(fd);
    return result;
}
