/*
 * buf.h: bytes that grow up to a ceiling.
 *
 * Every append that cannot be done (ceiling reached, memory gone) leaves the content as it was and
 * marks the buffer failed; appends to a failed buffer do nothing.  So a run of appends is checked
 * once, at its end, with buf_status().
 */
#ifndef BASE_BUF_H
#define BASE_BUF_H

#include "base/status.h"
#include "base/u128.h"
#include "base/view.h"

struct buf {
    char *ptr;
    size_t len;
    size_t cap;
    size_t max; /* ceiling in bytes, fixed by buf_init */
    enum status failed;
};

/* An empty buffer that may hold up to max_bytes.  Allocates nothing. */
void buf_init(struct buf *b, size_t max_bytes);

/* Release the memory; the buffer is as after buf_init.  A zeroed struct may be cleared too. */
void buf_clear(struct buf *b);

/* As buf_clear, wiping the bytes first: for secrets. */
void buf_wipe(struct buf *b);

/* Forget the content and a failure, keep the memory. */
void buf_reset(struct buf *b);

/* Append bytes, text, a number in decimal. */
void buf_add(struct buf *b, const void *bytes, size_t n);
void buf_add_view(struct buf *b, struct view v);
void buf_add_cstr(struct buf *b, const char *text);
void buf_add_char(struct buf *b, char c);
void buf_add_spaces(struct buf *b, size_t n);
void buf_add_u64(struct buf *b, uint64_t value);
void buf_add_u128(struct buf *b, u128 value);
void buf_add_grouped(struct buf *b, u128 value); /* "1,234,567" */

/* value / 10^decimals (at most 19) without trailing zeros: 12300 with 6 as "0.0123". */
void buf_add_decimal(struct buf *b, u128 value, unsigned decimals);

/*
 * numerator / denominator with so many decimals, rounded half up: 2, 3 and 2 as "0.67".  The
 * numerator times 10^decimals must fit; 0 / 0 is 0.
 */
void buf_add_ratio(struct buf *b, u128 numerator, u128 denominator, unsigned decimals);

/* Append what printf would print. */
void buf_printf(struct buf *b, const char *format, ...) PRINTF_LIKE(2, 3);

/* Room for n more bytes at the end, for the caller to fill and count in b->len; NULL on failure. */
char *buf_reserve(struct buf *b, size_t n);

/* A NUL after the content (not counted in len), for a library that needs one; NULL on failure. */
const char *buf_cstr(struct buf *b);

/* ST_OK, or ST_TOO_BIG / ST_NO_MEMORY if any append since the last reset failed. */
NODISCARD enum status buf_status(const struct buf *b);

static inline struct view buf_view(const struct buf *b)
{
    return (struct view){b->ptr, b->len};
}

#endif
