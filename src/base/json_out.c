/*
 * json_out.c: see json_out.h.  All state is one flag, whether the next item needs a comma, and a bit
 * for each open level, so that closing needs no kind and documents can be written in parts.
 */
#include "base/json_out.h"

#include "base/rfc3339.h"
#include "base/utf8.h"

static void escape(struct buf *out, struct view text, bool quoted, bool html)
{
    size_t plain_from = 0;
    size_t i = 0;
    while (i < text.len) {
        unsigned char c = (unsigned char)text.ptr[i];
        if (c >= 0x20 && c < 0x7f && !(quoted && (c == '"' || c == '\\')) && !(html && c == '<')) {
            i++;
            continue;
        }
        uint32_t code;
        size_t n = utf8_decode(view_skip(text, i), &code);
        bool valid = code != UTF8_INVALID;
        if (valid && c >= 0x80 && !utf8_is_harmful(code)) {
            i += n;
            continue;
        }
        buf_add(out, text.ptr + plain_from, i - plain_from);
        if (!valid)
            buf_add_cstr(out, "\xef\xbf\xbd");
        else if (code == '"' || code == '\\')
            buf_printf(out, "\\%c", (char)code);
        else if (code == '\n')
            buf_add_cstr(out, "\\n");
        else if (code == '\t')
            buf_add_cstr(out, "\\t");
        else if (code == '\r')
            buf_add_cstr(out, "\\r");
        else if (code > 0xffff)
            buf_printf(out, "\\u%04x\\u%04x", 0xd7c0U + (unsigned)(code >> 10),
                       0xdc00U + (unsigned)(code & 0x3ff));
        else
            buf_printf(out, "\\u%04x", (unsigned)code);
        i += n;
        plain_from = i;
    }
    if (text.len > plain_from)
        buf_add(out, text.ptr + plain_from, text.len - plain_from);
}

static void quote(struct buf *out, struct view text, bool html)
{
    buf_add_char(out, '"');
    escape(out, text, true, html);
    buf_add_char(out, '"');
}

void json_quote(struct buf *out, struct view text)
{
    quote(out, text, false);
}

void json_escape(struct buf *out, struct view text)
{
    escape(out, text, false, false);
}

void json_escape_lines(struct buf *out, struct view text)
{
    struct view line;
    for (bool first = true; view_split(&text, '\n', &line); first = false) {
        if (!first)
            buf_add_char(out, '\n');
        json_escape(out, line);
    }
}

/* Comma and white space before an item. */
static void begin_item(struct json_out *j)
{
    if (j->comma)
        buf_add_char(j->out, ',');
    j->comma = true;
    if (j->gap != NULL)
        buf_add_cstr(j->out, j->gap);
    j->gap = NULL;
}

struct buf *json_add_value(struct json_out *j, const char *name)
{
    begin_item(j);
    if (name == NULL)
        return j->out;
    /* In one piece and not with printf: there may be millions of these. */
    size_t n = strlen(name);
    char *at = buf_reserve(j->out, n + 3);
    if (at != NULL) {
        *at++ = '"';
        memcpy(at, name, n);
        memcpy(at + n, "\":", 2);
        j->out->len += n + 3;
    }
    return j->out;
}

void json_add_name(struct json_out *j, struct view name)
{
    begin_item(j);
    quote(j->out, name, j->html);
    buf_add_char(j->out, ':');
    j->comma = false;
}

static void open_level(struct json_out *j, const char *name, bool array)
{
    buf_add_char(json_add_value(j, name), array ? '[' : '{');
    j->comma = false;
    if (j->depth == JSON_OUT_DEPTH) {
        j->out->failed = ST_TOO_BIG;
        return;
    }
    j->arrays = j->arrays << 1 | array;
    j->depth++;
}

void json_open_object(struct json_out *j, const char *name)
{
    open_level(j, name, false);
}

void json_open_array(struct json_out *j, const char *name)
{
    open_level(j, name, true);
}

void json_close(struct json_out *j)
{
    j->comma = false;
    begin_item(j);
    buf_add_char(j->out, (j->arrays & 1) != 0 ? ']' : '}');
    j->arrays >>= 1;
    j->depth--;
}

void json_begin(struct json_out *j, const char *schema)
{
    json_open_object(j, NULL);
    json_add_cstr(j, "schema", schema);
}

void json_end(struct json_out *j)
{
    while (j->depth > 0)
        json_close(j);
    buf_add_char(j->out, '\n');
}

void json_add_string(struct json_out *j, const char *name, struct view value)
{
    quote(json_add_value(j, name), value, j->html);
}

void json_add_cstr(struct json_out *j, const char *name, const char *value)
{
    if (value == NULL)
        buf_add_cstr(json_add_value(j, name), "null");
    else
        json_add_string(j, name, view_of(value));
}

void json_add_u64(struct json_out *j, const char *name, uint64_t value)
{
    buf_add_u64(json_add_value(j, name), value);
}

void json_add_numbers(struct json_out *j, const struct json_number *numbers, size_t count)
{
    for (size_t i = 0; i < count; i++)
        json_add_u64(j, numbers[i].name, numbers[i].value);
}

void json_add_i64(struct json_out *j, const char *name, int64_t value)
{
    struct buf *out = json_add_value(j, name);
    if (value < 0)
        buf_add_char(out, '-');
    buf_add_u64(out, value < 0 ? -(uint64_t)value : (uint64_t)value);
}

void json_add_u128(struct json_out *j, const char *name, u128 value)
{
    buf_add_u128(json_add_value(j, name), value);
}

void json_add_bool(struct json_out *j, const char *name, bool value)
{
    buf_add_cstr(json_add_value(j, name), value ? "true" : "false");
}

void json_add_time(struct json_out *j, const char *name, int64_t seconds)
{
    char stamp[RFC3339_BYTES];
    rfc3339_format(seconds, stamp);
    json_add_cstr(j, name, stamp);
}
