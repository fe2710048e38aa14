/* view.c: searching, splitting and parsing of text that has a length and no end mark. */
#include "base/view.h"

#include <stdlib.h>

int view_compare(struct view a, struct view b)
{
    size_t n = a.len < b.len ? a.len : b.len;
    int order = n == 0 ? 0 : memcmp(a.ptr, b.ptr, n);
    if (order != 0)
        return order;
    return (a.len > b.len) - (a.len < b.len);
}

size_t view_find_char(struct view v, char c)
{
    const char *at = v.len == 0 ? NULL : memchr(v.ptr, (unsigned char)c, v.len);
    return at == NULL ? SIZE_MAX : (size_t)(at - v.ptr);
}

size_t view_find(struct view v, struct view needle)
{
    if (needle.len > v.len)
        return SIZE_MAX;
    for (size_t i = 0; i + needle.len <= v.len; i++) {
        if (view_starts(view_skip(v, i), needle))
            return i;
    }
    return SIZE_MAX;
}

size_t view_rfind(struct view v, struct view needle)
{
    if (needle.len > v.len)
        return SIZE_MAX;
    for (size_t i = v.len - needle.len + 1; i-- > 0;) {
        if (view_starts(view_skip(v, i), needle))
            return i;
    }
    return SIZE_MAX;
}

bool view_split(struct view *rest, char separator, struct view *part)
{
    if (rest->ptr == NULL)
        return false;
    size_t at = view_find_char(*rest, separator);
    if (at == SIZE_MAX) {
        *part = *rest;
        *rest = VIEW_EMPTY;
        return true;
    }
    *part = view_first(*rest, at);
    *rest = (struct view){rest->ptr + at + 1, rest->len - at - 1};
    return true;
}

static bool is_space(char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

struct view view_trim(struct view v)
{
    while (v.len > 0 && is_space(v.ptr[0]))
        v = view_skip(v, 1);
    while (v.len > 0 && is_space(v.ptr[v.len - 1]))
        v.len--;
    return v;
}

bool view_eq_nocase(struct view a, struct view b)
{
    if (a.len != b.len)
        return false;
    for (size_t i = 0; i < a.len; i++) {
        if (view_lower(a.ptr[i]) != view_lower(b.ptr[i]))
            return false;
    }
    return true;
}

enum status view_parse_u64(struct view v, uint64_t max, uint64_t *out)
{
    uint64_t value = 0;
    if (v.len == 0)
        return ST_BAD_ITEM;
    for (size_t i = 0; i < v.len; i++) {
        if (v.ptr[i] < '0' || v.ptr[i] > '9')
            return ST_BAD_ITEM;
        uint64_t digit = (uint64_t)(v.ptr[i] - '0');
        if (__builtin_mul_overflow(value, 10U, &value) ||
            __builtin_add_overflow(value, digit, &value) || value > max)
            return ST_BAD_ITEM;
    }
    *out = value;
    return ST_OK;
}

bool view_is_digits(struct view v)
{
    size_t i = 0;
    while (i < v.len && v.ptr[i] >= '0' && v.ptr[i] <= '9')
        i++;
    return v.len > 0 && i == v.len;
}

bool view_is_word(struct view v, const char *also)
{
    for (size_t i = 0; i < v.len; i++) {
        char c = view_lower(v.ptr[i]);
        if (!((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ||
              (c != '\0' && strchr(also, v.ptr[i]) != NULL)))
            return false;
    }
    return v.len > 0;
}

bool view_copy(struct view v, char *out, size_t size)
{
    size_t n = v.len < size ? v.len : 0;
    if (n > 0)
        memcpy(out, v.ptr, n);
    out[n] = '\0';
    return v.len < size;
}

char *view_dup(struct view v)
{
    char *copy = malloc(v.len + 1);
    if (copy == NULL)
        return NULL;
    if (v.len > 0)
        memcpy(copy, v.ptr, v.len);
    copy[v.len] = '\0';
    return copy;
}

void hex_format(const void *bytes, size_t n, char *out)
{
    static const char digits[] = "0123456789abcdef";
    const uint8_t *in = bytes;
    for (size_t i = 0; i < n; i++) {
        out[2 * i] = digits[in[i] >> 4];
        out[2 * i + 1] = digits[in[i] & 15];
    }
    out[2 * n] = '\0';
}

bool hex_parse(struct view text, void *out, size_t n)
{
    uint8_t *bytes = out;
    if (text.len != 2 * n)
        return false;
    for (size_t i = 0; i < n; i++) {
        int high = hex_digit(text.ptr[2 * i]), low = hex_digit(text.ptr[2 * i + 1]);
        if (high < 0 || low < 0)
            return false;
        bytes[i] = (uint8_t)(high << 4 | low);
    }
    return true;
}
