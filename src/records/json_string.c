#include "records/json_string.h"

#include "base/utf8.h"

void json_string_begin(struct json_string *js, char *out, size_t max)
{
    *js = (struct json_string){.out = out, .max = max};
}

static void add(struct json_string *js, const char *bytes, size_t n)
{
    if (js->full || js->len + n > js->max) {
        js->full = true;
        return;
    }
    memcpy(js->out + js->len, bytes, n);
    js->len += n;
}

static void add_replacement(struct json_string *js)
{
    add(js, UTF8_REPLACEMENT, 3);
}

static void add_code(struct json_string *js, uint32_t code)
{
    char bytes[4];
    add(js, bytes, utf8_from_code(code, bytes));
}

/* Whether a byte that begins no complete character begins a longer one. */
static bool is_lead(uint8_t c)
{
    return c >= 0xc2 && c <= 0xf4;
}

/* An unfinished character can get no more bytes: one U+FFFD for it. */
static void end_pending(struct json_string *js)
{
    if (js->pending_len > 0) {
        js->pending_len = 0;
        add_replacement(js);
    }
}

static void end_surrogate(struct json_string *js)
{
    if (js->high_surrogate != 0) {
        js->high_surrogate = 0;
        add_replacement(js);
    }
}

static void add_utf8_byte(struct json_string *js, uint8_t c)
{
    js->pending[js->pending_len++] = (char)c;
    uint32_t code;
    size_t n = utf8_decode(view_make(js->pending, js->pending_len), &code);
    if (code != UTF8_INVALID) {
        js->pending_len = 0;
        add(js, js->pending, n);
        return;
    }
    if (n < js->pending_len) {
        /* c does not continue what was pending: a subpart ends before it, c begins anew. */
        add_replacement(js);
        js->pending[0] = (char)c;
        js->pending_len = 1;
    }
    if (js->pending_len == 1 && !is_lead(c))
        end_pending(js);
}

static void add_unicode_escape(struct json_string *js, uint32_t unit)
{
    if (js->high_surrogate != 0 && unit >= 0xdc00 && unit <= 0xdfff) {
        uint32_t code = 0x10000 + ((js->high_surrogate - 0xd800) << 10) + (unit - 0xdc00);
        js->high_surrogate = 0;
        add_code(js, code);
        return;
    }
    end_surrogate(js);
    if (unit >= 0xd800 && unit <= 0xdbff)
        js->high_surrogate = unit;
    else if (unit >= 0xdc00 && unit <= 0xdfff)
        add_replacement(js);
    else
        add_code(js, unit);
}

/* The byte behind a backslash; false when no escape begins so. */
static bool escape_letter(struct json_string *js, uint8_t c)
{
    static const char letters[] = "\"\\/bfnrt";
    static const char meaning[] = "\"\\/\b\f\n\r\t";
    if (c == 'u') {
        js->escape = 5;
        js->hex = 0;
        return true;
    }
    const char *at = c == 0 ? NULL : strchr(letters, c);
    if (at == NULL)
        return false;
    js->escape = 0;
    end_surrogate(js);
    add(js, &meaning[at - letters], 1);
    return true;
}

static bool escape_byte(struct json_string *js, uint8_t c)
{
    if (js->escape == 1)
        return escape_letter(js, c);
    int digit = hex_digit((char)c);
    if (digit < 0)
        return false;
    js->hex = js->hex << 4 | (uint32_t)digit;
    if (--js->escape == 1) {
        js->escape = 0;
        add_unicode_escape(js, js->hex);
    }
    return true;
}

enum status json_string_next(struct json_string *js, const uint8_t **p, const uint8_t *end)
{
    for (; *p < end; ++*p) {
        uint8_t c = **p;
        if (js->escape != 0) {
            if (!escape_byte(js, c))
                return ST_BAD_ITEM;
            continue;
        }
        if (c == '\\') {
            end_pending(js);
            js->escape = 1;
            continue;
        }
        if (c < 0x20)
            return ST_BAD_ITEM;
        end_surrogate(js);
        if (c >= 0x80) {
            add_utf8_byte(js, c);
            continue;
        }
        end_pending(js);
        if (c == '"') {
            ++*p;
            return ST_END;
        }
        char ascii = (char)c;
        add(js, &ascii, 1);
    }
    return ST_OK;
}
