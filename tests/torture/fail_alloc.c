/*
 * fail_alloc: a preloaded library that makes one allocation fail, for tests/aws/test_torture.py and
 * tests/pipeline/test_torture.py.
 *
 * FAIL_ALLOC=n: the n-th malloc, calloc or realloc returns NULL, counted from when the program
 * calls fail_alloc_arm() or sets _X_AMZN_TRACE_ID, as it does when it takes an invocation (so
 * start-up is left alone), or with FAIL_ALLOC_ARMED from its begin.  FAIL_ALLOC_REPORT: a file that
 * is given the number of allocations at exit.
 */
#include <dlfcn.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void *(*real_malloc)(size_t);
static void *(*real_calloc)(size_t, size_t);
static void *(*real_realloc)(void *, size_t);
static int (*real_setenv)(const char *, const char *, int);
static atomic_ulong count;
static atomic_int armed;
static unsigned long fail_at;
static char early[65536]; /* for dlsym's own calloc, before the real one is known */
static size_t early_used;

/* ISO C has no cast from an object to a function pointer; POSIX promises they are alike. */
static void find(void *function, const char *name)
{
    void *symbol = dlsym(RTLD_NEXT, name);
    memcpy(function, &symbol, sizeof(symbol));
}

__attribute__((constructor)) static void start(void)
{
    const char *n = getenv("FAIL_ALLOC");
    find(&real_calloc, "calloc");
    find(&real_malloc, "malloc");
    find(&real_realloc, "realloc");
    find(&real_setenv, "setenv");
    fail_at = n != NULL ? strtoul(n, NULL, 10) : 0;
    armed = getenv("FAIL_ALLOC_ARMED") != NULL;
}

__attribute__((destructor)) static void finish(void)
{
    const char *path = getenv("FAIL_ALLOC_REPORT");
    char text[32];
    armed = 0;
    if (path == NULL)
        return;
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    int n = snprintf(text, sizeof(text), "%lu", (unsigned long)count);
    if (fd < 0 || write(fd, text, (size_t)n) != n)
        _exit(99);
    close(fd);
}

static int fails(void)
{
    return armed && ++count == fail_at;
}

void *malloc(size_t n)
{
    if (real_malloc == NULL)
        start();
    return fails() ? NULL : real_malloc(n);
}

void *calloc(size_t n, size_t size)
{
    if (real_calloc == NULL) {
        size_t at = (early_used + 15) & ~(size_t)15;
        if (size != 0 && n > (sizeof(early) - at) / size)
            return NULL;
        early_used = at + n * size;
        return early + at;
    }
    return fails() ? NULL : real_calloc(n, size);
}

void *realloc(void *old, size_t n)
{
    if (real_realloc == NULL)
        start();
    return fails() ? NULL : real_realloc(old, n);
}

int setenv(const char *name, const char *value, int overwrite)
{
    if (strcmp(name, "_X_AMZN_TRACE_ID") == 0)
        armed = 1;
    return real_setenv(name, value, overwrite);
}

void fail_alloc_arm(void);
void fail_alloc_arm(void)
{
    armed = 1;
}
