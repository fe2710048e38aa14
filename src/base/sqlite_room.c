/*
 * sqlite_room.c: how much room a SQLite file has, and how it gets some.
 *
 * The reserve is blocks of FILE-lock, because that file stays: also a process that starts on a full
 * disk has it.  The time of FILE-lock is left as it is; sqlite_log.c compares it.
 */
#include "base/sqlite_room.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

enum { KEPT_BYTES = 4096 }; /* of FILE-lock, for sqlite_log.c */

bool room_is_full(sqlite3 *db, int code)
{
    if ((code & 0xff) == SQLITE_FULL)
        return true;
    /* A quota, and the index of the log.  A sync that fails so may have lost what it should sync. */
    int number = sqlite3_system_errno(db);
    return (code == SQLITE_IOERR_WRITE || code == SQLITE_IOERR_SHMSIZE) &&
           (number == ENOSPC || number == EDQUOT);
}

void room_empty_log(sqlite3 *db)
{
    (void)sqlite3_wal_checkpoint_v2(db, "main", SQLITE_CHECKPOINT_TRUNCATE, NULL, NULL);
}

void room_tend_log(sqlite3 *db)
{
    /* 64 pages, and half as much again for the transaction that comes to the limit. */
    (void)sqlite3_exec(db, "PRAGMA wal_autocheckpoint = 64; PRAGMA journal_size_limit = 393216",
                       NULL, NULL, NULL);
    room_empty_log(db);
}

int64_t room_free(int fd)
{
    struct statvfs info;
    if (fstatvfs(fd, &info) != 0)
        return INT64_MAX;
    return info.f_bavail > (uint64_t)INT64_MAX / info.f_frsize
               ? INT64_MAX
               : (int64_t)(info.f_bavail * info.f_frsize);
}

static void keep_time(int fd, const struct stat *before)
{
    const struct timespec times[2] = {{.tv_nsec = UTIME_OMIT}, before->st_mtim};
    (void)futimens(fd, times);
}

bool room_reserve(int lock_fd)
{
    struct stat info;
    if (fstat(lock_fd, &info) != 0)
        return false;
    if (info.st_blocks * 512 >= KEPT_BYTES + ROOM_RESERVED)
        return true;
    bool done = posix_fallocate(lock_fd, 0, KEPT_BYTES + ROOM_RESERVED) == 0;
    if (!done)
        (void)!ftruncate(lock_fd, KEPT_BYTES);
    keep_time(lock_fd, &info);
    return done;
}

void room_release(int lock_fd)
{
    struct stat info;
    if (fstat(lock_fd, &info) != 0 || info.st_size <= KEPT_BYTES)
        return;
    (void)!ftruncate(lock_fd, KEPT_BYTES);
    keep_time(lock_fd, &info);
}
