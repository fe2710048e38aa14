/*
 * json_write.h: JSON text appended to a buf.
 *
 * Ours instead of a library's because sums are 128 bit wide and rows are streamed, which the common
 * document libraries can do neither of.  Documents are read with jansson.
 */
#ifndef BASE_JSON_WRITE_H
#define BASE_JSON_WRITE_H

#include "base/buf.h"
#include "base/u128.h"

/*
 * A quoted string.  Control characters, DEL, C1 controls, U+2028/2029 and bidirectional marks are
 * written as \uXXXX, invalid UTF-8 as U+FFFD: the result is valid JSON whatever went in, and
 * harmless in a terminal.
 */
void json_add_string(struct buf *out, struct view text);

/* As json_add_string with `<` also escaped, for a JSON text inside an HTML script element. */
void json_add_string_html(struct buf *out, struct view text);

/* All digits of an unsigned 128 bit number. */
void json_add_u128(struct buf *out, u128 value);

#endif
