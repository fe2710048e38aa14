/*
 * shim.c: system calls counted, broken, written down.  Loaded into the program with LD_PRELOAD by
 * faults/shim.py; nothing of it is in the program.
 *
 * Every call here has an effect that is seen outside of the process: on a file, on a socket.  What
 * a process does between two of them is gone with it, so killing it before each call of a run, and
 * within those that can be done by half, is killing it at every moment there is.
 *
 *   SHIM_FOLDER  files in this folder are "the ledger's"
 *   SHIM_JOURNAL file to which every call is appended as struct entry, its path or data behind it
 *   SHIM_AT      the call that is disturbed: the n-th of those that count, from 1
 *   SHIM_COUNTS  "all" (default), or names of calls on the ledger's files: "pwrite,fsync"
 *   SHIM_MATCH   only calls of send with this text in what is sent count
 *   SHIM_DO      kill  SIGKILL before the call         half  ... when half of it is done
 *                stop  SIGSTOP before the call         eio, enospc  it fails
 *                short half of it is done; the next one that counts fails with ENOSPC
 *   SHIM_ON      1: all calls that count from SHIM_AT on fail
 */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

/* As in shim.py. */
enum call {
    CALL_OPEN,
    CALL_WRITE,
    CALL_PWRITE,
    CALL_FSYNC,
    CALL_FTRUNCATE,
    CALL_UNLINK,
    CALL_SEND,
    CALL_CONNECT,
    CALL_RENAME,
    CALL_N,
};
static const char *const names[CALL_N] = {"open",   "write", "pwrite",  "fsync", "ftruncate",
                                          "unlink", "send",  "connect", "rename"};

struct entry {
    uint32_t call;
    uint32_t ours;  /* on a file of the ledger */
    int64_t file;   /* serial number of the open; 0: no file */
    int64_t offset; /* pwrite; ftruncate: length; open: 1 when it made the file */
    int64_t result; /* of the call; pwrite, write: bytes behind this */
    int64_t bytes;  /* that follow */
};

enum { FDS = 4096 };
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_once_t once = PTHREAD_ONCE_INIT;
static int64_t serial_of[FDS]; /* of the ledger's open files and folder */
static int64_t serials, seen, at;
static int journal_fd = -1;
static char folder[4096], counts[256], match[64], what[16];
static size_t folder_length;
static bool on, short_of;

static void copy(char *to, size_t size, const char *variable)
{
    const char *value = getenv(variable);
    if (value != NULL && strlen(value) < size)
        strcpy(to, value);
}

static void start(void)
{
    const char *journal = getenv("SHIM_JOURNAL");
    const char *number = getenv("SHIM_AT");
    copy(folder, sizeof(folder), "SHIM_FOLDER");
    copy(counts, sizeof(counts), "SHIM_COUNTS");
    copy(match, sizeof(match), "SHIM_MATCH");
    copy(what, sizeof(what), "SHIM_DO");
    folder_length = strlen(folder);
    at = number != NULL ? strtoll(number, NULL, 10) : 0;
    on = getenv("SHIM_ON") != NULL;
    if (journal != NULL)
        journal_fd = (int)syscall(SYS_openat, AT_FDCWD, journal,
                                  O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
}

static bool in_folder(const char *path)
{
    return folder_length > 0 && strncmp(path, folder, folder_length) == 0 &&
           (path[folder_length] == '/' || path[folder_length] == '\0');
}

static int64_t file_of(int fd)
{
    return fd >= 0 && fd < FDS ? serial_of[fd] : 0;
}

static bool is_counted(enum call call, bool ours, const void *bytes, size_t size)
{
    if (match[0] != '\0')
        return call == CALL_SEND && memmem(bytes, size, match, strlen(match)) != NULL;
    if (counts[0] == '\0' || strcmp(counts, "all") == 0)
        return true;
    const char *found = strstr(counts, names[call]);
    size_t n = strlen(names[call]);
    while (found != NULL &&
           !((found == counts || found[-1] == ',') && (found[n] == ',' || found[n] == '\0')))
        found = strstr(found + 1, names[call]);
    return ours && found != NULL;
}

/* With the mutex held: what becomes of this call.  Returns an errno, or 0: do it; *half. */
static int disturb(enum call call, bool ours, const void *bytes, size_t size, bool *half)
{
    *half = false;
    if (!is_counted(call, ours, bytes, size))
        return 0;
    seen++;
    if (short_of) {
        short_of = false;
        return ENOSPC;
    }
    if (at == 0 || seen < at || (seen > at && !on))
        return 0;
    if (strcmp(what, "kill") == 0)
        raise(SIGKILL);
    if (strcmp(what, "half") == 0) {
        if (call != CALL_WRITE && call != CALL_PWRITE && call != CALL_SEND)
            raise(SIGKILL);
        *half = true;
    }
    if (strcmp(what, "short") == 0) {
        if (call != CALL_WRITE && call != CALL_PWRITE)
            return ENOSPC;
        *half = short_of = true;
    }
    if (strcmp(what, "stop") == 0) {
        pthread_mutex_unlock(&mutex);
        raise(SIGSTOP);
        pthread_mutex_lock(&mutex);
    }
    return strcmp(what, "eio") == 0 ? EIO : strcmp(what, "enospc") == 0 ? ENOSPC : 0;
}

static void note(enum call call, bool ours, int64_t file, int64_t offset, int64_t result,
                 const void *bytes, size_t n)
{
    if (journal_fd < 0)
        return;
    struct entry e = {call, ours, file, offset, result, (int64_t)n};
    struct iovec parts[2] = {{&e, sizeof(e)}, {(void *)(uintptr_t)bytes, n}};
    if (syscall(SYS_writev, journal_fd, parts, n > 0 ? 2 : 1) < 0)
        abort();
}

/* One call: counted, broken or carried out, and written down. */
#define AROUND(call, ours, file, offset, bytes, size, n, type, carried_out)                        \
    pthread_once(&once, start);                                                                    \
    pthread_mutex_lock(&mutex);                                                                    \
    bool half;                                                                                     \
    int fault = disturb(call, ours, bytes, size, &half);                                           \
    type result = -1;                                                                              \
    if (fault == 0)                                                                                \
        result = carried_out;                                                                      \
    else                                                                                           \
        errno = fault;                                                                             \
    int kept = errno;                                                                              \
    note(call, ours, file, offset, result, bytes, (ours) && result > 0 ? (size_t)(n) : 0);         \
    if (half && strcmp(what, "half") == 0)                                                         \
        raise(SIGKILL);                                                                            \
    pthread_mutex_unlock(&mutex);                                                                  \
    errno = kept;                                                                                  \
    return result

static ssize_t part_of(size_t n, bool half)
{
    return (ssize_t)(half ? n / 2 : n);
}

ssize_t write(int fd, const void *bytes, size_t n)
{
    AROUND(CALL_WRITE, file_of(fd) != 0, file_of(fd), 0, bytes, n, result, ssize_t,
           syscall(SYS_write, fd, bytes, part_of(n, half)));
}

ssize_t pwrite(int fd, const void *bytes, size_t n, off_t offset)
{
    AROUND(CALL_PWRITE, file_of(fd) != 0, file_of(fd), offset, bytes, n, result, ssize_t,
           syscall(SYS_pwrite64, fd, bytes, part_of(n, half), offset));
}

ssize_t pwrite64(int fd, const void *bytes, size_t n, off64_t offset)
{
    return pwrite(fd, bytes, n, offset);
}

int fsync(int fd)
{
    AROUND(CALL_FSYNC, file_of(fd) != 0, file_of(fd), 0, NULL, 0, 0, int,
           (int)syscall(SYS_fsync, fd));
}

int fdatasync(int fd)
{
    return fsync(fd);
}

int ftruncate(int fd, off_t length)
{
    AROUND(CALL_FTRUNCATE, file_of(fd) != 0, file_of(fd), length, NULL, 0, 0, int,
           (int)syscall(SYS_ftruncate, fd, length));
}

int ftruncate64(int fd, off64_t length)
{
    return ftruncate(fd, length);
}

int unlink(const char *path)
{
    pthread_once(&once, start);
    bool ours = in_folder(path);
    size_t n = strlen(path);
    pthread_mutex_lock(&mutex);
    bool half;
    int fault = disturb(CALL_UNLINK, ours, NULL, 0, &half);
    int result = fault == 0 ? (int)syscall(SYS_unlinkat, AT_FDCWD, path, 0) : -1;
    int kept = fault == 0 ? errno : fault;
    note(CALL_UNLINK, ours, 0, 0, result, path, ours ? n : 0);
    pthread_mutex_unlock(&mutex);
    errno = kept;
    return result;
}

int rename(const char *from, const char *to)
{
    AROUND(CALL_RENAME, in_folder(to), 0, 0, NULL, 0, 0, int,
           (int)syscall(SYS_renameat2, AT_FDCWD, from, AT_FDCWD, to, 0));
}

static int open_file(int dir, const char *path, int flags, mode_t mode)
{
    pthread_once(&once, start);
    bool ours = in_folder(path);
    if (!ours && (flags & O_CREAT) == 0)
        return (int)syscall(SYS_openat, dir, path, flags, mode);
    pthread_mutex_lock(&mutex);
    bool half;
    bool made = (flags & O_CREAT) != 0 && syscall(SYS_faccessat, dir, path, F_OK) != 0;
    int fault = disturb(CALL_OPEN, ours, NULL, 0, &half);
    int fd = fault == 0 ? (int)syscall(SYS_openat, dir, path, flags, mode) : -1;
    int kept = fault == 0 ? errno : fault;
    if (fd >= 0 && fd < FDS)
        serial_of[fd] = ours ? ++serials : 0;
    note(CALL_OPEN, ours, fd >= 0 ? file_of(fd) : 0, made, fd < 0 ? -1 : 1, path,
         ours ? strlen(path) : 0);
    pthread_mutex_unlock(&mutex);
    errno = kept;
    return fd;
}

#define MODE_OF(flags)                                                                             \
    mode_t mode = 0;                                                                               \
    if (((flags) & (O_CREAT | O_TMPFILE)) != 0) {                                                  \
        va_list more;                                                                              \
        va_start(more, flags);                                                                     \
        mode = va_arg(more, mode_t);                                                               \
        va_end(more);                                                                              \
    }

int open(const char *path, int flags, ...)
{
    MODE_OF(flags)
    return open_file(AT_FDCWD, path, flags, mode);
}

int open64(const char *path, int flags, ...)
{
    MODE_OF(flags)
    return open_file(AT_FDCWD, path, flags | O_LARGEFILE, mode);
}

int openat(int dir, const char *path, int flags, ...)
{
    MODE_OF(flags)
    return open_file(dir, path, flags, mode);
}

int openat64(int dir, const char *path, int flags, ...)
{
    MODE_OF(flags)
    return open_file(dir, path, flags | O_LARGEFILE, mode);
}

int close(int fd)
{
    pthread_mutex_lock(&mutex);
    if (fd >= 0 && fd < FDS)
        serial_of[fd] = 0;
    pthread_mutex_unlock(&mutex);
    return (int)syscall(SYS_close, fd);
}

ssize_t send(int fd, const void *bytes, size_t n, int flags)
{
    AROUND(CALL_SEND, false, 0, 0, bytes, n, 0, ssize_t,
           syscall(SYS_sendto, fd, bytes, part_of(n, half), flags, NULL, 0));
}

ssize_t sendto(int fd, const void *bytes, size_t n, int flags, const struct sockaddr *to,
               socklen_t to_length)
{
    AROUND(CALL_SEND, false, 0, 0, bytes, n, 0, ssize_t,
           syscall(SYS_sendto, fd, bytes, part_of(n, half), flags, to, to_length));
}

int connect(int fd, const struct sockaddr *to, socklen_t to_length)
{
    AROUND(CALL_CONNECT, false, 0, 0, NULL, 0, 0, int,
           (int)syscall(SYS_connect, fd, to, to_length));
}
