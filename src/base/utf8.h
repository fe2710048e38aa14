/* utf8.h: UTF-8 as Unicode defines it (no surrogates, no overlong forms, up to U+10FFFF). */
#ifndef BASE_UTF8_H
#define BASE_UTF8_H

#include "base/view.h"

#define UTF8_INVALID UINT32_MAX
#define UTF8_REPLACEMENT "\xef\xbf\xbd" /* U+FFFD */

/*
 * The first character of v (not empty): its code in *code and its length in bytes.  Where there is
 * none, *code is UTF8_INVALID and the length is that of the maximal subpart (Unicode 15, 3.9, table
 * 3-7), which one U+FFFD stands for; at least 1.
 */
size_t utf8_decode(struct view v, uint32_t *code);

/* Encode a scalar value (not a surrogate, at most U+10FFFF) into out; its length, 1..4. */
size_t utf8_from_code(uint32_t code, char out[4]);

/*
 * Whether a character could end a line, steer a terminal, hide, or turn the reading direction around:
 * controls, zero-width and bidirectional characters, tags, and UTF8_INVALID.
 */
bool utf8_is_harmful(uint32_t code);

/* The longest prefix of v of at most max_bytes that does not cut a character; v is valid UTF-8. */
struct view utf8_cut(struct view v, size_t max_bytes);

#endif
