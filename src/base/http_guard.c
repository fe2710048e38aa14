/*
 * http_guard.c: three headers, each compared strictly: Host, Origin, Sec-Fetch-Site.  Kept free of
 * any HTTP library so that a unit test can try hostile values by the hundred.
 */
#include "base/http_guard.h"

#include <arpa/inet.h>

static bool is_port(struct view text)
{
    uint64_t port;
    return view_parse_u64(text, 65535, &port) == ST_OK;
}

static bool is_address(struct view text, int family)
{
    char name[INET6_ADDRSTRLEN];
    unsigned char bytes[sizeof(struct in6_addr)];
    if (text.len == 0 || text.len >= sizeof(name))
        return false;
    memcpy(name, text.ptr, text.len);
    name[text.len] = '\0';
    return inet_pton(family, name, bytes) == 1;
}

bool http_guard_host(const char *host, const char *allowed, bool short_names)
{
    struct view text = view_of(host);
    if (text.len == 0)
        return false;
    if (text.ptr[0] == '[') {
        size_t end = view_find_char(text, ']');
        if (end == SIZE_MAX)
            return false;
        struct view rest = view_skip(text, end + 1);
        return is_address(view_skip(view_first(text, end), 1), AF_INET6) &&
               (rest.len == 0 || (rest.ptr[0] == ':' && is_port(view_skip(rest, 1))));
    }
    size_t colon = view_find_char(text, ':');
    if (colon != SIZE_MAX && !is_port(view_skip(text, colon + 1)))
        return false;
    struct view name = view_first(text, colon);
    return view_eq_nocase(name, VIEW_LIT("localhost")) || is_address(name, AF_INET) ||
           (short_names && name.len > 0 && view_find_char(name, '.') == SIZE_MAX) ||
           (allowed != NULL && view_eq_nocase(name, view_of(allowed)));
}

bool http_guard_origin(const char *origin, const char *host)
{
    struct view text = view_of(origin);
    if (origin == NULL)
        return true;
    if (view_starts(text, VIEW_LIT("http://")))
        text = view_skip(text, 7);
    else if (view_starts(text, VIEW_LIT("https://")))
        text = view_skip(text, 8);
    else
        return false;
    return text.len > 0 && view_eq_nocase(text, view_of(host));
}

bool http_guard_site(const char *fetch_site)
{
    return fetch_site == NULL || strcmp(fetch_site, "same-origin") == 0 ||
           strcmp(fetch_site, "none") == 0;
}
