/*
 * json_out.h: compact JSON text appended to a buf; the writer places commas, names and brackets.
 *
 *     struct json_out j = {.out = &text};
 *     json_open_object(&j, NULL);
 *     json_add_u64(&j, "found", 3);
 *     json_open_array(&j, "rows");
 *     json_add_cstr(&j, NULL, "a");
 *     json_add_cstr(&j, NULL, "b");
 *     json_close(&j);
 *     json_close(&j);                       {"found":3,"rows":["a","b"]}
 *
 * Every value takes the name of its member, which is written as it is (a literal of plain ASCII);
 * NULL in an array and after json_add_name().  A document that is longer than memory should hold is
 * written in parts: the buffer may be emptied between any two calls.
 *
 * Ours instead of a library's because sums are 128 bits wide and rows are streamed, which the
 * common document libraries can do neither of.  Documents are read with jansson.
 */
#ifndef BASE_JSON_OUT_H
#define BASE_JSON_OUT_H

#include "base/buf.h"
#include "base/u128.h"

enum { JSON_OUT_DEPTH = 64 };

/* A zeroed one with `out` set is ready.  Failures are those of `out`: check buf_status() once. */
struct json_out {
    struct buf *out;
    bool html;       /* the text goes into an HTML script element: `<` is escaped too */
    bool comma;      /* the next item needs one */
    unsigned depth;  /* of open objects and arrays; deeper than JSON_OUT_DEPTH fails `out` */
    uint64_t arrays; /* a bit for each open level: it is an array */
    const char *gap; /* set to "\n" or the like: before the next item or closing bracket */
};

/* Open an object or array; what is added from then on is in it. */
void json_open_object(struct json_out *j, const char *name);
void json_open_array(struct json_out *j, const char *name);

/* Close the innermost open object or array. */
void json_close(struct json_out *j);

/* A document: an object with its schema; then all that is open closed, and a line feed. */
void json_begin(struct json_out *j, const char *schema);
void json_end(struct json_out *j);

/* The name of the next member where it comes from outside; the value then takes NULL. */
void json_add_name(struct json_out *j, struct view name);

/* One value, text quoted as json_quote does. */
void json_add_string(struct json_out *j, const char *name, struct view value);
void json_add_cstr(struct json_out *j, const char *name, const char *value); /* NULL: null */
void json_add_u64(struct json_out *j, const char *name, uint64_t value);
void json_add_i64(struct json_out *j, const char *name, int64_t value);
void json_add_u128(struct json_out *j, const char *name, u128 value);
void json_add_bool(struct json_out *j, const char *name, bool value);

/* Several numbers: JSON_ADD_NUMBERS(&j, {"found", found}, {"failed", failed}); */
#define JSON_ADD_NUMBERS(j, ...)                                                                   \
    json_add_numbers((j), (const struct json_number[]){__VA_ARGS__},                               \
                     sizeof((const struct json_number[]){__VA_ARGS__}) /                           \
                         sizeof(struct json_number))

struct json_number {
    const char *name;
    uint64_t value;
};

/* What the macro above calls. */
void json_add_numbers(struct json_out *j, const struct json_number *numbers, size_t count);

/* Seconds since the epoch as "2026-07-30T10:00:00Z". */
void json_add_time(struct json_out *j, const char *name, int64_t seconds);

/* Begin a value whose text the caller appends to the returned buffer: a decimal, ready JSON. */
struct buf *json_add_value(struct json_out *j, const char *name);

/*
 * A quoted string.  What utf8_is_harmful() says so of is written as \uXXXX, invalid UTF-8 as
 * U+FFFD: the result is valid JSON whatever went in, and harmless in a terminal.
 */
void json_quote(struct buf *out, struct view text);

/* For people: the same without quotes around, and with `"` and `\` as they are. */
void json_escape(struct buf *out, struct view text);

/* Likewise, with its line feeds as they are: a whole text for a terminal. */
void json_escape_lines(struct buf *out, struct view text);

#endif
