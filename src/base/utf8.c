/*
 * utf8.c: one table of limits (Unicode, table 3-7, "Well-Formed UTF-8 Byte Sequences") as a few
 * comparisons.  An invalid sequence is a maximal subpart, so that every reader that follows
 * Unicode replaces it by the same number of U+FFFD.
 */
#include "base/utf8.h"

size_t utf8_decode(struct view v, uint32_t *code)
{
    const unsigned char *p = (const unsigned char *)v.ptr;
    unsigned char lead = p[0];
    if (lead < 0x80) {
        *code = lead;
        return 1;
    }
    *code = UTF8_INVALID;
    size_t more;
    uint32_t value;
    unsigned char low = 0x80;
    unsigned char high = 0xbf; /* limits of the second byte only */
    if (lead >= 0xc2 && lead <= 0xdf) {
        more = 1;
        value = lead & 0x1fU;
    } else if (lead >= 0xe0 && lead <= 0xef) {
        more = 2;
        value = lead & 0x0fU;
        low = lead == 0xe0 ? 0xa0 : 0x80;
        high = lead == 0xed ? 0x9f : 0xbf;
    } else if (lead >= 0xf0 && lead <= 0xf4) {
        more = 3;
        value = lead & 0x07U;
        low = lead == 0xf0 ? 0x90 : 0x80;
        high = lead == 0xf4 ? 0x8f : 0xbf;
    } else {
        return 1;
    }
    for (size_t i = 1; i <= more; i++) {
        if (i >= v.len || p[i] < low || p[i] > high)
            return i;
        value = (value << 6) | (p[i] & 0x3fU);
        low = 0x80;
        high = 0xbf;
    }
    *code = value;
    return more + 1;
}

size_t utf8_from_code(uint32_t code, char out[4])
{
    if (code < 0x80) {
        out[0] = (char)code;
        return 1;
    }
    if (code < 0x800) {
        out[0] = (char)(0xc0 | (code >> 6));
        out[1] = (char)(0x80 | (code & 0x3f));
        return 2;
    }
    if (code < 0x10000) {
        out[0] = (char)(0xe0 | (code >> 12));
        out[1] = (char)(0x80 | ((code >> 6) & 0x3f));
        out[2] = (char)(0x80 | (code & 0x3f));
        return 3;
    }
    out[0] = (char)(0xf0 | (code >> 18));
    out[1] = (char)(0x80 | ((code >> 12) & 0x3f));
    out[2] = (char)(0x80 | ((code >> 6) & 0x3f));
    out[3] = (char)(0x80 | (code & 0x3f));
    return 4;
}

bool utf8_is_harmful(uint32_t code)
{
    return code < 0x20 || (code >= 0x7f && code < 0xa0) || code == 0x061c || code == 0x180e ||
           (code >= 0x200b && code <= 0x200f) || (code >= 0x2028 && code <= 0x202e) ||
           (code >= 0x2060 && code <= 0x206f) || code == 0xfeff ||
           (code >= 0xfff9 && code <= 0xfffb) || (code >= 0xe0000 && code <= 0xe007f) ||
           code == UTF8_INVALID;
}

struct view utf8_cut(struct view v, size_t max_bytes)
{
    if (v.len <= max_bytes)
        return v;
    size_t n = max_bytes;
    while (n > 0 && ((unsigned char)v.ptr[n] & 0xc0) == 0x80)
        n--;
    return view_first(v, n);
}
