/*
 * uri.c: percent-encoding and URLs.  A signature covers bytes, so there must be one spelling only:
 * unreserved characters as they are, all others as %XX with capital digits (RFC 3986, section 2;
 * SigV4 asks for the same).
 */
#include "aws/uri.h"

static bool is_unreserved(unsigned char c)
{
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '_' || c == '.' || c == '~';
}

static void add_encoded(struct buf *out, struct view text, char also)
{
    static const char digits[] = "0123456789ABCDEF";
    for (size_t i = 0; i < text.len; i++) {
        unsigned char c = (unsigned char)text.ptr[i];
        if (is_unreserved(c) || (also != 0 && c == (unsigned char)also)) {
            buf_add_char(out, (char)c);
        } else {
            char triple[3] = {'%', digits[c >> 4], digits[c & 15]};
            buf_add(out, triple, sizeof(triple));
        }
    }
}

void uri_add_encoded(struct buf *out, struct view text)
{
    add_encoded(out, text, 0);
}

void uri_add_encoded_path(struct buf *out, struct view path)
{
    add_encoded(out, path, '/');
}

void uri_add_parameter(struct buf *query, const char *name, struct view value)
{
    if (value.len == 0)
        return;
    if (query->len > 0)
        buf_add_char(query, '&');
    buf_add_cstr(query, name);
    buf_add_char(query, '=');
    uri_add_encoded(query, value);
}

enum status uri_decode(struct buf *out, struct view text, bool plus_is_space)
{
    for (size_t i = 0; i < text.len; i++) {
        char c = text.ptr[i];
        if (c == '+' && plus_is_space) {
            c = ' ';
        } else if (c == '%') {
            if (text.len - i < 3)
                return ST_BAD_ITEM;
            int high = hex_digit(text.ptr[i + 1]);
            int low = hex_digit(text.ptr[i + 2]);
            if (high < 0 || low < 0)
                return ST_BAD_ITEM;
            c = (char)(unsigned char)(high * 16 + low);
            i += 2;
        }
        buf_add_char(out, c);
    }
    return buf_status(out);
}

static bool host_char(char c)
{
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '.' || c == '_';
}

static bool ipv6_char(char c)
{
    return hex_digit(c) >= 0 || c == ':' || c == '.';
}

static bool all_of(struct view v, bool (*is)(char))
{
    for (size_t i = 0; i < v.len; i++)
        if (!is(v.ptr[i]))
            return false;
    return v.len > 0;
}

/* Characters a path may hold as they are, besides %XX (RFC 3986, pchar, with `/`). */
static bool path_valid(struct view path)
{
    for (size_t i = 0; i < path.len; i++) {
        unsigned char c = (unsigned char)path.ptr[i];
        if (c == '%') {
            if (path.len - i < 3 || hex_digit(path.ptr[i + 1]) < 0 ||
                hex_digit(path.ptr[i + 2]) < 0)
                return false;
        } else if (!is_unreserved(c) && (c == 0 || strchr("/:@!$&'()*+,;=", c) == NULL)) {
            return false;
        }
    }
    return true;
}

enum status uri_parse(struct view text, struct uri *out)
{
    struct uri u = {0};
    if (view_eq_nocase(view_first(text, 8), VIEW_LIT("https://"))) {
        u.https = true;
        text = view_skip(text, 8);
    } else if (view_eq_nocase(view_first(text, 7), VIEW_LIT("http://"))) {
        text = view_skip(text, 7);
    } else {
        return ST_USAGE;
    }
    size_t slash = view_find_char(text, '/');
    u.authority = slash == SIZE_MAX ? text : view_first(text, slash);
    u.path = slash == SIZE_MAX ? VIEW_EMPTY : view_skip(text, slash);
    if (!path_valid(u.path))
        return ST_USAGE;

    struct view rest; /* what follows the host: nothing or ":port" */
    if (u.authority.len > 0 && u.authority.ptr[0] == '[') {
        size_t end = view_find_char(u.authority, ']');
        if (end == SIZE_MAX)
            return ST_USAGE;
        u.host = view_make(u.authority.ptr + 1, end - 1);
        rest = view_skip(u.authority, end + 1);
        if (!all_of(u.host, ipv6_char))
            return ST_USAGE;
    } else {
        size_t colon = view_find_char(u.authority, ':');
        u.host = colon == SIZE_MAX ? u.authority : view_first(u.authority, colon);
        rest = colon == SIZE_MAX ? VIEW_EMPTY : view_skip(u.authority, colon);
        if (u.host.len > 253 || !all_of(u.host, host_char) || u.host.ptr[0] == '.')
            return ST_USAGE;
    }
    u.port = u.https ? 443 : 80;
    if (rest.len > 0) {
        uint64_t port = 0;
        if (rest.ptr[0] != ':' || rest.len < 2 || rest.len > 6 ||
            view_parse_u64(view_skip(rest, 1), 65535, &port) || port == 0)
            return ST_USAGE;
        u.port = (uint16_t)port;
    }
    *out = u;
    return ST_OK;
}

bool uri_host_is_loopback(struct view host)
{
    if (view_eq_nocase(host, VIEW_LIT("localhost")) || view_eq_cstr(host, "::1"))
        return true;
    unsigned parts = 0;
    struct view part;
    struct view rest = host;
    while (view_split(&rest, '.', &part)) {
        uint64_t n = 0;
        /* No leading zero: some resolvers read 0127 as octal. */
        if (part.len == 0 || part.len > 3 || (part.len > 1 && part.ptr[0] == '0') ||
            view_parse_u64(part, 255, &n))
            return false;
        if (parts == 0 && n != 127)
            return false;
        parts++;
    }
    return parts == 4;
}
