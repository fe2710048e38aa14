/* json_number.h: a JSON number, checked by RFC 8259 and evaluated exactly, in pieces of any size.
 */
#ifndef RECORDS_JSON_NUMBER_H
#define RECORDS_JSON_NUMBER_H

#include "base/view.h"

#define JSON_COUNT_MAX (UINT64_C(1) << 53) /* the largest integer every JSON reader agrees on */

/* value = mantissa * 10^(zeros + exponent - fraction digits), without rounding */
struct json_number {
    uint8_t state; /* see json_number.c */
    bool negative;
    bool exponent_negative;
    bool too_long; /* more than 18 digits between the first and the last that is not 0 */
    uint64_t mantissa;
    uint64_t digits;   /* of the mantissa */
    uint64_t zeros;    /* behind the mantissa */
    uint64_t fraction; /* digits behind the point */
    uint64_t exponent; /* without its sign; stops growing at 2^60 */
};

void json_number_begin(struct json_number *number);

/*
 * Take what belongs to the number.  ST_END: *p is at the first byte that does not (the number is
 * complete); ST_OK: all taken, there may be more; ST_BAD_ITEM: *p is at a byte that cannot stand
 * there.
 */
NODISCARD enum status json_number_next(struct json_number *number, const uint8_t **p,
                                       const uint8_t *end);

/* Whether what was taken so far is a whole number text. */
bool json_number_complete(const struct json_number *number);

/* The value, when it is an integer in 0..JSON_COUNT_MAX (1e3, 12.0, -0 are); else ST_BAD_ITEM. */
NODISCARD enum status json_number_count(const struct json_number *number, uint64_t *count);

#endif
