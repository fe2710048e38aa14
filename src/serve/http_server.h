/*
 * http_server.h: the page, its data and the metrics over HTTP.
 *
 * GET and HEAD of /, /api/page, /api/usage, /metrics and /healthz; everything else is refused, and
 * so is what http_guard.h calls foreign.  Nothing can be changed through it.
 */
#ifndef SERVE_HTTP_SERVER_H
#define SERVE_HTTP_SERVER_H

#include "serve/answers.h"

struct http_server;

struct http_server_options {
    struct answers *answers;
    const char *listen;       /* as listen_open */
    const char *allowed_host; /* a name it may be asked by; NULL: none */
};

/* ST_USAGE: no such address.  ST_IO: it cannot be had, *err says why. */
NODISCARD enum status http_server_start(const struct http_server_options *options,
                                        struct http_server **out, struct error *err);

/* "127.0.0.1:8377" */
const char *http_server_address(const struct http_server *server);

void http_server_stop(struct http_server *server); /* NULL is allowed */

#endif
