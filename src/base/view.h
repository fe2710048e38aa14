/* view.h: text as {ptr, len} by value.  Never owns, never NUL-terminated. */
#ifndef BASE_VIEW_H
#define BASE_VIEW_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/status.h"

struct view {
    const char *ptr; /* may be NULL when len is 0 */
    size_t len;
};

#define VIEW_LIT(literal) ((struct view){(literal), sizeof(literal) - 1})
#define VIEW_EMPTY ((struct view){NULL, 0})

/* A view as the two arguments of "%.*s"; SHOW_MAX: at most its first bytes.  Evaluates v twice. */
#define SHOW_MAX(v, max) view_shown_length((v), (max)), view_shown_text(v)
#define SHOW(v) SHOW_MAX(v, INT_MAX)

static inline int view_shown_length(struct view v, size_t max)
{
    return (int)(v.len < max ? v.len : max);
}

static inline const char *view_shown_text(struct view v)
{
    return v.ptr == NULL ? "" : v.ptr;
}

static inline struct view view_of(const char *cstr)
{
    return (struct view){cstr, cstr == NULL ? 0 : strlen(cstr)};
}

static inline struct view view_make(const void *ptr, size_t len)
{
    return (struct view){(const char *)ptr, len};
}

static inline bool view_eq(struct view a, struct view b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.ptr, b.ptr, a.len) == 0);
}

static inline bool view_eq_cstr(struct view a, const char *b)
{
    return view_eq(a, view_of(b));
}

static inline bool view_starts(struct view v, struct view prefix)
{
    return v.len >= prefix.len && (prefix.len == 0 || memcmp(v.ptr, prefix.ptr, prefix.len) == 0);
}

static inline bool view_ends(struct view v, struct view suffix)
{
    return v.len >= suffix.len &&
           (suffix.len == 0 || memcmp(v.ptr + (v.len - suffix.len), suffix.ptr, suffix.len) == 0);
}

/* v without its first n bytes (all of it when n is larger). */
static inline struct view view_skip(struct view v, size_t n)
{
    if (n >= v.len)
        return (struct view){v.ptr == NULL ? NULL : v.ptr + v.len, 0};
    return (struct view){v.ptr + n, v.len - n};
}

static inline struct view view_first(struct view v, size_t n)
{
    return (struct view){v.ptr, n < v.len ? n : v.len};
}

/* Order by bytes, a prefix before what it begins: <0, 0, >0. */
int view_compare(struct view a, struct view b);

/* Position of the first `c` or of `needle`, or SIZE_MAX. */
size_t view_find_char(struct view v, char c);
size_t view_find(struct view v, struct view needle);
size_t view_rfind(struct view v, struct view needle);

/*
 * Take what is before the first `separator` off *rest into *part and step past it; without a
 * separator take everything.  false when *rest was already used up.  "a,,b" gives "a", "", "b" and
 * "a," gives "a", "": set *rest to VIEW_EMPTY with ptr NULL to end.
 */
bool view_split(struct view *rest, char separator, struct view *part);

/* ASCII white space off both ends. */
struct view view_trim(struct view v);

/* Equal but for ASCII case. */
bool view_eq_nocase(struct view a, struct view b);

/* Decimal digits only, within 0..max; ST_BAD_ITEM leaves *out untouched. */
NODISCARD enum status view_parse_u64(struct view v, uint64_t max, uint64_t *out);

/* An ASCII letter in lower case; any other byte as it is. */
static inline char view_lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

/* Only digits; an empty view is none such. */
bool view_is_digits(struct view v);

/* Only ASCII letters, digits and characters of `also`; an empty view is none such. */
bool view_is_word(struct view v, const char *also);

/* A copy that ends with NUL, freed by the caller; NULL: no memory. */
char *view_dup(struct view v);

/* The same into out[0..size); false, and an empty text, when it does not fit. */
bool view_copy(struct view v, char *out, size_t size);

/* 0..15, or -1 for what is not a hexadecimal digit. */
static inline int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

/* 2 * n small hexadecimal digits and a NUL. */
void hex_format(const void *bytes, size_t n, char *out);

/* Exactly n bytes from 2 * n digits; false for anything else. */
bool hex_parse(struct view text, void *out, size_t n);

#endif
