/*
 * json_scalar.h: JSON strings and numbers, checked by RFC 8259 and decoded, in pieces of any size.
 */
#ifndef RECORDS_JSON_SCALAR_H
#define RECORDS_JSON_SCALAR_H

#include "base/view.h"

/* ---- strings: what is between the quotes ---- */

/*
 * Decodes into a buffer of the caller.  What does not fit is checked and dropped, so the result is
 * a prefix cut at a character border.  Invalid UTF-8 and lone surrogates become U+FFFD, one for
 * each maximal subpart.
 */
struct json_string {
    char *out;
    size_t len;
    size_t max;
    bool full;           /* something did not fit: nothing more is added */
    uint8_t escape;      /* 0 none, 1 after a backslash, 2..5 that many - 1 hex digits expected */
    uint8_t pending_len; /* bytes of an unfinished UTF-8 character */
    char pending[4];
    uint32_t hex;            /* \uXXXX being read */
    uint32_t high_surrogate; /* waiting for its second half, or 0 */
};

/* Begin a value that goes into out[0..max), the caller's. */
void json_string_begin(struct json_string *js, char *out, size_t max);

/*
 * Take bytes up to and including the closing quote.  ST_END: *p is after the quote and
 * out[0..len) is the value.  ST_OK: everything up to `end` was taken.  ST_BAD_ITEM: *p is at the
 * byte that cannot be there (a control character, a bad escape).
 */
NODISCARD enum status json_string_next(struct json_string *js, const uint8_t **p,
                                       const uint8_t *end);

/* ---- numbers: evaluated exactly ---- */

#define JSON_COUNT_MAX (UINT64_C(1) << 53) /* the largest integer every JSON reader agrees on */

/* value = mantissa * 10^(zeros + exponent - fraction digits), without rounding */
struct json_number {
    uint8_t state; /* see json_number.c */
    bool negative;
    bool exponent_negative;
    bool too_long; /* more than 18 digits between the first and the last that is not 0 */
    uint64_t mantissa;
    uint64_t digits;   /* of the mantissa */
    uint64_t zeros;    /* after the mantissa */
    uint64_t fraction; /* digits after the point */
    uint64_t exponent; /* without its sign; stops growing at 2^60 */
};

/* Begin a number. */
void json_number_begin(struct json_number *number);

/*
 * Take what belongs to the number.  ST_END: *p is at the first byte that does not (the number is
 * complete); ST_OK: all taken, there may be more; ST_BAD_ITEM: *p is at a byte that cannot be
 * there.
 */
NODISCARD enum status json_number_next(struct json_number *number, const uint8_t **p,
                                       const uint8_t *end);

/* Whether what was taken so far is a complete JSON number. */
bool json_number_complete(const struct json_number *number);

/* The value, when it is an integer in 0..JSON_COUNT_MAX (1e3, 12.0, -0 are); else ST_BAD_ITEM. */
NODISCARD enum status json_number_count(const struct json_number *number, uint64_t *count);

#endif
