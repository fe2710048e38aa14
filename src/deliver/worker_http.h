/*
 * worker_http.h: /healthz and /metrics of the worker, for whoever watches it.
 *
 * GET and HEAD only, no parameters, nothing of the logs but sums.  Answers are made by a callback
 * in the server's thread.
 */
#ifndef DELIVER_WORKER_HTTP_H
#define DELIVER_WORKER_HTTP_H

#include "base/buf.h"

struct worker_http;

struct worker_http_source {
    /* false: not healthy; *out gets a text for people. */
    bool (*health)(void *context, struct buf *out);
    /* OpenMetrics text with its end mark. */
    void (*metrics)(void *context, struct buf *out);
    void *context;
};

/*
 * Listen on "ADDR:PORT" (a numeric address, "[::1]:9090", or ":9090" for 127.0.0.1).  ST_USAGE
 * quotes a bad address; ST_IO: the port cannot be had.
 */
NODISCARD enum status worker_http_start(struct worker_http **out, const char *address,
                                        const struct worker_http_source *source, struct error *err);
void worker_http_stop(struct worker_http *server); /* NULL does nothing */

#endif
