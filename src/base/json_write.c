#include "base/json_write.h"

#include "base/utf8.h"

/* Characters that could end a line, steer a terminal or turn the reading direction around. */
static bool is_harmful(uint32_t c)
{
    return c < 0x20 || (c >= 0x7f && c < 0xa0) || c == 0x2028 || c == 0x2029 || c == 0x200e ||
           c == 0x200f || (c >= 0x202a && c <= 0x202e) || (c >= 0x2066 && c <= 0x2069) ||
           c == 0x061c;
}

static void add_string(struct buf *out, struct view text, bool html)
{
    buf_add_char(out, '"');
    size_t plain_from = 0;
    size_t i = 0;
    while (i < text.len) {
        unsigned char c = (unsigned char)text.ptr[i];
        if (c >= 0x20 && c < 0x7f && c != '"' && c != '\\' && !(html && c == '<')) {
            i++;
            continue;
        }
        uint32_t code;
        size_t n = utf8_decode(view_skip(text, i), &code);
        bool valid = code != UTF8_INVALID;
        if (valid && c >= 0x80 && !is_harmful(code)) {
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
        else
            buf_printf(out, "\\u%04x", (unsigned)code);
        i += n;
        plain_from = i;
    }
    if (text.len > plain_from)
        buf_add(out, text.ptr + plain_from, text.len - plain_from);
    buf_add_char(out, '"');
}

void json_add_string(struct buf *out, struct view text)
{
    add_string(out, text, false);
}

void json_add_string_html(struct buf *out, struct view text)
{
    add_string(out, text, true);
}

void json_add_u128(struct buf *out, u128 value)
{
    if (value <= UINT64_MAX) {
        buf_add_u64(out, (uint64_t)value);
        return;
    }
    char digits[40];
    size_t n = sizeof(digits);
    do {
        digits[--n] = (char)('0' + (int)(value % 10));
        value /= 10;
    } while (value != 0);
    buf_add(out, digits + n, sizeof(digits) - n);
}
