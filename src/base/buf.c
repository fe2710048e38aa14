/* buf.c: see buf.h.  Growth doubles up to the ceiling, so n appended bytes are copied O(n) times. */
#include "base/buf.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

void buf_init(struct buf *b, size_t max_bytes)
{
    *b = (struct buf){.max = max_bytes};
}

void buf_clear(struct buf *b)
{
    free(b->ptr);
    buf_init(b, b->max);
}

void buf_wipe(struct buf *b)
{
    if (b->ptr != NULL)
        explicit_bzero(b->ptr, b->cap);
    buf_clear(b);
}

void buf_reset(struct buf *b)
{
    b->len = 0;
    b->failed = ST_OK;
}

char *buf_reserve(struct buf *b, size_t n)
{
    if (b->failed != ST_OK)
        return NULL;
    size_t need;
    if (__builtin_add_overflow(b->len, n, &need) || need > b->max) {
        b->failed = ST_TOO_BIG;
        return NULL;
    }
    if (need > b->cap) {
        size_t cap = b->cap < 64 ? 64 : b->cap;
        while (cap < need)
            cap = cap > b->max / 2 ? b->max : cap * 2;
        char *grown = realloc(b->ptr, cap);
        if (grown == NULL) {
            b->failed = ST_NO_MEMORY;
            return NULL;
        }
        b->ptr = grown;
        b->cap = cap;
    }
    return b->ptr + b->len;
}

void buf_add(struct buf *b, const void *bytes, size_t n)
{
    if (n == 0)
        return;
    char *at = buf_reserve(b, n);
    if (at == NULL)
        return;
    memcpy(at, bytes, n);
    b->len += n;
}

void buf_add_view(struct buf *b, struct view v)
{
    buf_add(b, v.ptr, v.len);
}

void buf_add_cstr(struct buf *b, const char *text)
{
    buf_add(b, text, strlen(text));
}

void buf_add_char(struct buf *b, char c)
{
    buf_add(b, &c, 1);
}

void buf_add_u64(struct buf *b, uint64_t value)
{
    char digits[20];
    size_t n = sizeof(digits);
    do {
        digits[--n] = (char)('0' + value % 10);
        value /= 10;
    } while (value != 0);
    buf_add(b, digits + n, sizeof(digits) - n);
}

void buf_add_u128(struct buf *b, u128 value)
{
    if (value <= UINT64_MAX) {
        buf_add_u64(b, (uint64_t)value);
        return;
    }
    char digits[40];
    size_t n = sizeof(digits);
    do {
        digits[--n] = (char)('0' + (int)(value % 10));
        value /= 10;
    } while (value != 0);
    buf_add(b, digits + n, sizeof(digits) - n);
}

void buf_add_grouped(struct buf *b, u128 value)
{
    char text[64];
    size_t at = sizeof(text);
    unsigned digits = 0;
    do {
        if (digits > 0 && digits % 3 == 0)
            text[--at] = ',';
        text[--at] = (char)('0' + (int)(value % 10));
        value /= 10;
        digits++;
    } while (value != 0);
    buf_add(b, text + at, sizeof(text) - at);
}

void buf_add_decimal(struct buf *b, u128 value, unsigned decimals)
{
    char digits[19];
    uint64_t one = 1;
    for (unsigned i = 0; i < decimals; i++)
        one *= 10;
    uint64_t fraction = (uint64_t)(value % one);
    buf_add_u128(b, value / one);
    if (fraction == 0)
        return;
    for (unsigned i = decimals; i-- > 0; fraction /= 10)
        digits[i] = (char)('0' + fraction % 10);
    while (digits[decimals - 1] == '0')
        decimals--;
    buf_add_char(b, '.');
    buf_add(b, digits, decimals);
}

void buf_add_ratio(struct buf *b, u128 numerator, u128 denominator, unsigned decimals)
{
    uint64_t scale = 1;
    for (unsigned i = 0; i < decimals; i++)
        scale *= 10;
    u128 value = denominator == 0 ? 0 : (numerator * scale + denominator / 2) / denominator;
    buf_add_u128(b, value / scale);
    if (decimals > 0)
        buf_printf(b, ".%0*llu", (int)decimals, (unsigned long long)(value % scale));
}

void buf_add_spaces(struct buf *b, size_t n)
{
    char *at = n == 0 ? NULL : buf_reserve(b, n);
    if (at == NULL)
        return;
    memset(at, ' ', n);
    b->len += n;
}

void buf_printf(struct buf *b, const char *format, ...)
{
    va_list ap;
    va_start(ap, format);
    va_list again;
    va_copy(again, ap);
    int n = vsnprintf(NULL, 0, format, ap);
    va_end(ap);
    if (n >= 0) {
        char *at = buf_reserve(b, (size_t)n + 1);
        if (at != NULL) {
            (void)vsnprintf(at, (size_t)n + 1, format, again);
            b->len += (size_t)n;
        }
    }
    va_end(again);
}

const char *buf_cstr(struct buf *b)
{
    char *at = buf_reserve(b, 1);
    if (at == NULL)
        return NULL;
    *at = '\0';
    return b->ptr;
}

enum status buf_status(const struct buf *b)
{
    return b->failed;
}
