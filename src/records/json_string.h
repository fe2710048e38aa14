/* json_string.h: the inside of a JSON string, checked by RFC 8259 and decoded, in pieces of any
 * size. */
#ifndef RECORDS_JSON_STRING_H
#define RECORDS_JSON_STRING_H

#include "base/view.h"

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
    uint8_t escape;      /* 0 none, 1 behind a backslash, 2..5 that many - 1 hex digits expected */
    uint8_t pending_len; /* bytes of an unfinished UTF-8 character */
    char pending[4];
    uint32_t hex;            /* \uXXXX being read */
    uint32_t high_surrogate; /* waiting for its second half, or 0 */
};

void json_string_begin(struct json_string *js, char *out, size_t max);

/*
 * Take bytes up to and including the closing quote.  ST_END: *p is behind the quote and
 * out[0..len) is the value.  ST_OK: everything up to `end` was taken.  ST_BAD_ITEM: *p is at the
 * byte that cannot stand there (a control character, a bad escape).
 */
NODISCARD enum status json_string_next(struct json_string *js, const uint8_t **p,
                                       const uint8_t *end);

#endif
