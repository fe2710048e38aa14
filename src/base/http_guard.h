/*
 * http_guard.h: whether a request may come from a page of ours.
 *
 * A page of another site can make a browser ask a local server, and by DNS rebinding (a name of the
 * attacker's that resolves to 127.0.0.1) even read the answer.  So the Host must be an address or a
 * name that cannot be rebound, and an Origin must be the server's own.  Plain functions of the
 * header values; NULL is an absent header.
 */
#ifndef BASE_HTTP_GUARD_H
#define BASE_HTTP_GUARD_H

#include "base/view.h"

/*
 * "localhost", an IPv4 or IPv6 address, `allowed` (a name, NULL: none), or with `short_names` any
 * name without a dot, as containers and services have and no domain of a stranger; each with or
 * without a port.
 */
bool http_guard_host(const char *host, const char *allowed, bool short_names);

/* No Origin, or "http://" and the very Host; `https` origins are those of a proxy before us. */
bool http_guard_origin(const char *origin, const char *host);

/* Sec-Fetch-Site as browsers send it: the data is for pages of this server only. */
bool http_guard_site(const char *fetch_site);

#endif
