/*
 * wrap.c: makes the Nth call of a kind fail, for torture.py.
 *
 * The linker (--wrap) sends the program's calls here; those inside of libraries are not counted,
 * but jansson is given our allocator.
 * Set by the environment:
 *
 *     TORTURE=alloc:7     the seventh allocation gets no memory
 *     TORTURE=alloc:7+    and neither does any after it
 *     TORTURE=read:7      the seventh read, open, stat, readdir, ... fails with an I/O error
 *     TORTURE=write:7     the seventh write to a result fails: the disk is full
 *     TORTURE=thread:1    the first thread cannot be started
 *     TORTURE=short:7     the seventh read gives one byte, as any read may
 *     TORTURE=signal:7    the seventh read is interrupted, as any read may be
 *     TORTURE_MARK=FILE   gets a byte when something was made to fail
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdio_ext.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum kind { ALLOC, READ, WRITE, THREAD, SHORT, SIGNAL, KIND_COUNT };

static struct {
    enum kind kind;
    unsigned long at; /* 0: nothing fails */
    bool onward;
    unsigned long seen; /* calls of the kind so far */
    const char *mark;
} plan;

/* Whether this call of a kind is the one. */
static bool fails(enum kind kind)
{
    if (plan.at == 0 || kind != plan.kind)
        return false;
    unsigned long n = __atomic_add_fetch(&plan.seen, 1, __ATOMIC_RELAXED);
    if (n != plan.at && !(plan.onward && n > plan.at))
        return false;
    int fd = plan.mark == NULL ? -1 : creat(plan.mark, 0666);
    if (fd >= 0)
        close(fd);
    return true;
}

#define WRAP(result, name, ...)                                                                    \
    result __real_##name(__VA_ARGS__);                                                             \
    result __wrap_##name(__VA_ARGS__)

#define FAIL_IF(kind, code, result)                                                                \
    do {                                                                                           \
        if (fails(kind)) {                                                                         \
            errno = (code);                                                                        \
            return (result);                                                                       \
        }                                                                                          \
    } while (0)

WRAP(void *, malloc, size_t n)
{
    FAIL_IF(ALLOC, ENOMEM, NULL);
    return __real_malloc(n);
}

WRAP(void *, calloc, size_t count, size_t n)
{
    FAIL_IF(ALLOC, ENOMEM, NULL);
    return __real_calloc(count, n);
}

WRAP(void *, realloc, void *old, size_t n)
{
    FAIL_IF(ALLOC, ENOMEM, NULL);
    return __real_realloc(old, n);
}

WRAP(char *, strdup, const char *text)
{
    FAIL_IF(ALLOC, ENOMEM, NULL);
    return __real_strdup(text);
}

WRAP(char *, strndup, const char *text, size_t n)
{
    FAIL_IF(ALLOC, ENOMEM, NULL);
    return __real_strndup(text, n);
}

WRAP(int, setenv, const char *name, const char *value, int overwrite)
{
    FAIL_IF(ALLOC, ENOMEM, -1);
    return __real_setenv(name, value, overwrite);
}

WRAP(char *, realpath, const char *path, char *out)
{
    FAIL_IF(ALLOC, ENOMEM, NULL);
    return __real_realpath(path, out);
}

WRAP(DIR *, fdopendir, int fd)
{
    FAIL_IF(ALLOC, ENOMEM, NULL);
    return __real_fdopendir(fd);
}

WRAP(FILE *, fdopen, int fd, const char *mode)
{
    FAIL_IF(ALLOC, ENOMEM, NULL);
    return __real_fdopen(fd, mode);
}

WRAP(FILE *, fopen, const char *path, const char *mode)
{
    FAIL_IF(ALLOC, ENOMEM, NULL);
    FAIL_IF(READ, EIO, NULL);
    return __real_fopen(path, mode);
}

WRAP(ssize_t, read, int fd, void *out, size_t n)
{
    FAIL_IF(READ, EIO, -1);
    FAIL_IF(SIGNAL, EINTR, -1);
    return __real_read(fd, out, fails(SHORT) && n > 0 ? 1 : n);
}

int __real_open(const char *path, int flags, ...);
int __wrap_open(const char *path, int flags, ...);
int __wrap_open(const char *path, int flags, ...)
{
    va_list ap;
    va_start(ap, flags);
    mode_t mode = (flags & O_CREAT) != 0 ? va_arg(ap, mode_t) : 0;
    va_end(ap);
    FAIL_IF(READ, EMFILE, -1);
    return __real_open(path, flags, mode);
}

int __real_openat(int folder, const char *path, int flags, ...);
int __wrap_openat(int folder, const char *path, int flags, ...);
int __wrap_openat(int folder, const char *path, int flags, ...)
{
    FAIL_IF(READ, EMFILE, -1);
    return __real_openat(folder, path, flags);
}

WRAP(int, stat, const char *path, struct stat *st)
{
    FAIL_IF(READ, EIO, -1);
    return __real_stat(path, st);
}

WRAP(int, fstat, int fd, struct stat *st)
{
    FAIL_IF(READ, EIO, -1);
    return __real_fstat(fd, st);
}

WRAP(int, fstatat, int folder, const char *path, struct stat *st, int flags)
{
    FAIL_IF(READ, EIO, -1);
    return __real_fstatat(folder, path, st, flags);
}

WRAP(struct dirent *, readdir, DIR *dir)
{
    FAIL_IF(READ, EIO, NULL);
    return __real_readdir(dir);
}

/* A file whose fread failed also says so afterwards. */
static FILE *broken;

WRAP(size_t, fread, void *out, size_t size, size_t count, FILE *file)
{
    if (fails(READ)) {
        errno = EIO;
        broken = file;
        return 0;
    }
    return __real_fread(out, size, count, file);
}

WRAP(int, ferror, FILE *file)
{
    return file == broken ? 1 : __real_ferror(file);
}

WRAP(size_t, fwrite, const void *bytes, size_t size, size_t count, FILE *file)
{
    if (file != stderr) /* what is said about a failure is no result */
        FAIL_IF(WRITE, ENOSPC, 0);
    return __real_fwrite(bytes, size, count, file);
}

WRAP(int, fflush, FILE *file)
{
    if (__fpending(file) > 0) /* nothing to write cannot fail */
        FAIL_IF(WRITE, ENOSPC, EOF);
    return __real_fflush(file);
}

WRAP(int, fclose, FILE *file)
{
    bool failed = fails(WRITE);
    int result = __real_fclose(file);
    if (!failed)
        return result;
    errno = ENOSPC;
    return EOF;
}

WRAP(int, mkstemp, char *name)
{
    FAIL_IF(WRITE, ENOSPC, -1);
    return __real_mkstemp(name);
}

WRAP(int, rename, const char *from, const char *to)
{
    FAIL_IF(WRITE, EXDEV, -1);
    return __real_rename(from, to);
}

WRAP(int, pthread_create, pthread_t *thread, const pthread_attr_t *attributes, void *(*run)(void *),
     void *context)
{
    if (fails(THREAD))
        return EAGAIN;
    return __real_pthread_create(thread, attributes, run, context);
}

static void *json_malloc_or_fail(size_t n)
{
    return __wrap_malloc(n);
}

__attribute__((constructor)) static void read_plan(void)
{
    static const char *const kinds[KIND_COUNT] = {
        "alloc:", "read:", "write:", "thread:", "short:", "signal:"};
    const char *text = getenv("TORTURE");
    plan.mark = getenv("TORTURE_MARK");
    for (int i = 0; i < KIND_COUNT && text != NULL; i++) {
        size_t n = strlen(kinds[i]);
        if (strncmp(text, kinds[i], n) != 0)
            continue;
        char *end;
        plan.kind = (enum kind)i;
        plan.at = strtoul(text + n, &end, 10);
        plan.onward = *end == '+';
    }
    json_set_alloc_funcs(json_malloc_or_fail, free);
}
