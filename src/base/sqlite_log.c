/* sqlite_log.c: the end of a log in FILE-lock, and the log against it. */
#include "base/sqlite_log.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/sqlite_seal.h"

enum { LOOKS = 4, LOOK_AGAIN_MS = 50 }; /* at a log that another process may be writing */

static const uint32_t END_MAGIC = 0x424d5745; /* "BMWE" */

/* "FILE-lock" for "FILE" or "FILE-wal". */
static bool lock_name(const char *name, size_t cut, char out[SEAL_PATH_BYTES])
{
    size_t n = strlen(name);
    int length = n < cut ? -1 : snprintf(out, SEAL_PATH_BYTES, "%.*s-lock", (int)(n - cut), name);
    return length > 0 && length < SEAL_PATH_BYTES;
}

static struct sum sum_of_end(const struct log_end *end)
{
    unsigned char bytes[offsetof(struct log_end, self)];
    memcpy(bytes, end, sizeof(bytes));
    return add_sum((struct sum){0, 0}, bytes, sizeof(bytes), false);
}

void sqlite_log_keep_end(const char *log_path, struct log_end *end)
{
    static const struct log_end none;
    char path[SEAL_PATH_BYTES];
    int fd = lock_name(log_path, 4, path) ? open(path, O_WRONLY | O_CLOEXEC | O_NOFOLLOW) : -1;
    if (fd < 0)
        return;
    if (end != NULL) {
        end->magic = END_MAGIC;
        end->self = sum_of_end(end);
    }
    if (pwrite(fd, end != NULL ? end : &none, sizeof(none), 0) == (ssize_t)sizeof(none) &&
        end == NULL)
        (void)fdatasync(fd);
    close(fd);
}

static bool read_end(const char *path, struct log_end *out)
{
    char name[SEAL_PATH_BYTES];
    int fd = lock_name(path, 0, name) ? open(name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW) : -1;
    bool ok = fd >= 0 && pread(fd, out, sizeof(*out), 0) == (ssize_t)sizeof(*out) &&
              out->magic == END_MAGIC && same_sum(out->self, sum_of_end(out)) &&
              out->page_bytes >= MIN_PAGE && out->page_bytes <= MAX_PAGE && out->page > 0;
    if (fd >= 0)
        close(fd);
    return ok;
}

/*
 * Without the log all of it must be in the file: the end's page is, or the file was written after
 * the end was.  So it is when another program (sqlite3) has read the file last and closed it.
 */
static bool file_has_end(const char *path, const struct log_end *end, unsigned char *page)
{
    char lock[SEAL_PATH_BYTES];
    struct stat file, kept;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    off_t at = (off_t)(end->page - 1) * end->page_bytes;
    bool ok = fd >= 0 && pread(fd, page, end->page_bytes, at) == (ssize_t)end->page_bytes &&
              same_sum(end->page_sum,
                       add_sum((struct sum){0, 0}, page, end->page_bytes - SEAL_BYTES, false));
    if (!ok && fd >= 0 && fstat(fd, &file) == 0 && lock_name(path, 0, lock) &&
        stat(lock, &kept) == 0)
        ok = file.st_mtim.tv_sec != kept.st_mtim.tv_sec
                 ? file.st_mtim.tv_sec > kept.st_mtim.tv_sec
                 : file.st_mtim.tv_nsec >= kept.st_mtim.tv_nsec;
    if (fd >= 0)
        close(fd);
    return ok;
}

/* The sums of all frames up to the end, one from the other. */
static bool log_has_end(int fd, const unsigned char *log, const struct log_end *end,
                        unsigned char *frame)
{
    bool big = is_big_endian(log);
    size_t size = FRAME_HEADER + (size_t)end->page_bytes;
    struct sum s = stored_sum(log + 24);
    for (uint32_t i = 0; i < end->frames; i++) {
        if (pread(fd, frame, size, LOG_HEADER + (off_t)(i * (uint64_t)size)) != (ssize_t)size)
            return false;
        s = add_sum(s, frame, 8, big);
        s = add_sum(s, frame + FRAME_HEADER, end->page_bytes, big);
        /* The salt, which says that the frame is of this log, is in no sum. */
        if (!same_sum(s, stored_sum(frame + 16)) || memcmp(frame + 8, log + 16, 8) != 0)
            return false;
    }
    return same_sum(s, end->sum);
}

static bool magic_is_ours(const unsigned char *header)
{
    return (be32(header) & ~UINT32_C(1)) == 0x377f0682;
}

/*
 * A log that began anew has the first salt counted up; SQLite does that when all of the one before
 * is in the file.
 */
static bool check_log_once(const char *path, unsigned char *room)
{
    struct log_end end;
    unsigned char log[LOG_HEADER];
    char name[SEAL_PATH_BYTES];
    if (!read_end(path, &end))
        return true;
    int n = snprintf(name, sizeof(name), "%s-wal", path);
    int fd = n < 0 || (size_t)n >= sizeof(name) ? -1 : open(name, O_RDONLY | O_CLOEXEC);
    ssize_t got = fd < 0 ? 0 : pread(fd, log, sizeof(log), 0);
    bool ok;
    if (got == 0) {
        ok = file_has_end(path, &end, room);
    } else if (got != LOG_HEADER || !magic_is_ours(log) ||
               !same_sum(add_sum((struct sum){0, 0}, log, 24, is_big_endian(log)),
                         stored_sum(log + 24))) {
        ok = false;
    } else if (memcmp(end.salt, log + 16, sizeof(end.salt)) == 0) {
        ok = log_has_end(fd, log, &end, room);
    } else {
        unsigned char before[4];
        memcpy(before, end.salt, sizeof(before));
        ok = be32(log + 16) - be32(before) - 1 < INT32_MAX || file_has_end(path, &end, room);
    }
    if (fd >= 0)
        close(fd);
    return ok;
}

/* Whether another process may be writing: see sqlite_file_lock. */
static bool is_in_use(const char *path)
{
    char name[SEAL_PATH_BYTES];
    int fd = lock_name(path, 0, name) ? open(name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW) : -1;
    bool is_locked = fd >= 0 && flock(fd, LOCK_SH | LOCK_NB) != 0;
    if (fd >= 0)
        close(fd);
    return is_locked;
}

enum status seal_check_log(const char *path)
{
    const struct timespec pause = {0, LOOK_AGAIN_MS * 1000000L};
    unsigned char *room = malloc(FRAME_HEADER + MAX_PAGE);
    bool ok = false, alone = false; /* once more alone: who wrote may just have ended */
    for (int i = 0; i < LOOKS && !ok && !alone && room != NULL; i++) {
        alone = i > 0 && !is_in_use(path);
        if (i > 0 && !alone)
            (void)nanosleep(&pause, NULL);
        ok = check_log_once(path, room);
    }
    free(room);
    return room == NULL ? ST_NO_MEMORY : ok ? ST_OK : ST_BAD_ITEM;
}
