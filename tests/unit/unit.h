/* unit.h: what the tables of unit tests share. */
#ifndef TESTS_UNIT_H
#define TESTS_UNIT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/view.h"

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

/* A view in a static table; any bytes, NUL too. */
#define TEXT(literal)                                                                              \
    {                                                                                              \
        (literal), sizeof(literal) - 1                                                             \
    }

/* Which row of a table failed is what one wants to know first. */
PRINTF_LIKE(2, 3) static inline void fail_row(size_t row, const char *format, ...)
{
    char text[4096];
    va_list ap;
    va_start(ap, format);
    vsnprintf(text, sizeof(text), format, ap);
    va_end(ap);
    fail_msg("row %u: %s", (unsigned)row, text);
}

static inline void expect_view(size_t row, struct view got, struct view wanted)
{
    if (!view_eq(got, wanted))
        fail_row(row, "got \"%.*s\" (%u bytes), wanted \"%.*s\" (%u bytes)", (int)got.len,
                 got.len > 0 ? got.ptr : "", (unsigned)got.len, (int)wanted.len,
                 wanted.len > 0 ? wanted.ptr : "", (unsigned)wanted.len);
}

static inline void expect_u64(size_t row, const char *what, uint64_t got, uint64_t wanted)
{
    if (got != wanted)
        fail_row(row, "%s: got %llu, wanted %llu", what, (unsigned long long)got,
                 (unsigned long long)wanted);
}

static inline void expect_status(size_t row, enum status got, enum status wanted)
{
    if (got != wanted)
        fail_row(row, "got %s, wanted %s", status_name(got), status_name(wanted));
}

/*
 * Memory that ends where the next page cannot be read, so that one byte too far is a crash in
 * every build, SIMD loads included.
 */
struct guarded {
    uint8_t *base;
    size_t bytes; /* that can be used, in front of the guard page */
};

static inline struct guarded guarded_new(size_t bytes)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    size_t usable = (bytes + page - 1) / page * page;
    uint8_t *base =
        mmap(NULL, usable + page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (base == MAP_FAILED || mprotect(base + usable, page, PROT_NONE) != 0)
        fail_msg("no memory for a guard page");
    return (struct guarded){base, usable};
}

/* A copy of n bytes that ends at the guard page. */
static inline uint8_t *guarded_copy(const struct guarded *g, const void *bytes, size_t n)
{
    uint8_t *at = g->base + (g->bytes - n);
    if (n > 0)
        memcpy(at, bytes, n);
    return at;
}

static inline void guarded_free(struct guarded *g)
{
    munmap(g->base, g->bytes + (size_t)sysconf(_SC_PAGESIZE));
}

#endif
