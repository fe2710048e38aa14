/*
 * http.h: send bytes, get bytes.
 *
 * One `struct http` holds one thread's connections (kept alive and reused, HTTP/1.1) and is never
 * shared.  TLS 1.2 or newer with peer and host verified, no redirects followed, no cookies, no
 * netrc, http and https only.  Nothing is ever sent twice unless the server or the network is known
 * not to have taken it: see `once`.
 */
#ifndef AWS_HTTP_H
#define AWS_HTTP_H

#include "aws/aws_clock.h"
#include "base/buf.h"

struct http;
struct http_stream;

struct http_options {
    const char *ca_file;     /* PEM bundle; NULL: the library's own default */
    const char *https_proxy; /* URL or NULL; all texts here must outlive the http */
    const char *http_proxy;
    const char *no_proxy; /* comma separated hosts, domains or `*` */
    struct aws_clock clock;
    struct aws_stop stop;
};

/* Makes the process-wide set-up of the HTTP library too: the first call before threads start. */
NODISCARD enum status http_new(struct http **out, const struct http_options *options);
void http_free(struct http *h); /* http_free(NULL) does nothing; all streams are closed before */

/*
 * Close all idle connections: after a Lambda sandbox was frozen every one of them is stale.
 */
void http_forget_connections(struct http *h);

struct http_header {
    struct view name;
    struct view value;
};

/* A name that is a token, and a value without control bytes: what else would be another request. */
static inline bool http_header_clean(const struct http_header *h)
{
    bool clean = h->name.len > 0;
    for (size_t i = 0; i < h->name.len && clean; i++) {
        unsigned char c = (unsigned char)h->name.ptr[i];
        clean = c > 0x20 && c < 0x7f && c != ':';
    }
    for (size_t i = 0; i < h->value.len && clean; i++) {
        unsigned char c = (unsigned char)h->value.ptr[i];
        clean = c >= 0x20 && c != 0x7f;
    }
    return clean;
}

struct http_request {
    const char *method; /* "GET", "POST", "PUT", "HEAD" */
    const char *url;    /* complete, percent-encoded; used byte for byte */
    const struct http_header *headers;
    size_t n_headers;
    struct view body;            /* sent with Content-Length; "POST" and "PUT" only */
    uint32_t connect_timeout_ms; /* 0: 3000 */
    uint32_t total_timeout_ms;   /* from start to last byte; 0: none (streams have none) */
    uint32_t
        idle_timeout_ms; /* longest wait for a byte while waiting; 0: 20000; UINT32_MAX: none */
    uint32_t min_bytes_per_s; /* averaged over idle_timeout_ms of waiting; 0: no check */
    size_t max_body_bytes;    /* answers beyond it fail; 0: 1 MiB (streams: no ceiling) */
    /* Own connection, closed afterwards, no automatic repetition; not ended by `stop` half way. */
    bool once;
    bool direct; /* no proxy: metadata services, Lambda's runtime API */
};

enum { HTTP_MAX_HEAD = 64 * 1024 };

struct http_response {
    int status;      /* 0: no final answer */
    struct buf head; /* header lines as received, without the status line */
    struct buf body;
    /*
     * false only when the server certainly did not get the whole request: not resolved, not
     * connected, TLS failed, or the body was not completely handed to the network.
     */
    bool handed_over;
    bool timed_out; /* the failure was a timeout, of connecting, idling or in total */
};

/* Begin empty; a response can be used for one request after another. */
void http_response_init(struct http_response *r);
/* Free head and body, which is wiped: it may hold credentials. */
void http_response_clear(struct http_response *r);

/* Value of a header (any case), of the last one if repeated; VIEW_EMPTY if absent. */
struct view http_response_header(const struct http_response *r, const char *name);

/*
 * Send, and collect the whole answer in *resp (emptied first).  ST_OK: a complete answer came,
 * whatever its HTTP status.  ST_RETRY: no connection, cut, timed out, too slow; ST_DENIED: the
 * server could not be authenticated (TLS); ST_TOO_BIG: head or body beyond the ceiling;
 * ST_BAD_ITEM: the request holds control bytes and was not sent; ST_CANCELLED; ST_NO_MEMORY.  After
 * a failure resp->status and head hold what came before it, and resp->handed_over is always
 * meaningful.
 */
NODISCARD enum status http_send(struct http *h, const struct http_request *req,
                                struct http_response *resp, struct error *err);

/*
 * The same with the body pulled by the caller.  Returns when the head is complete: *resp holds
 * status and head, and for a status other than 2xx also the body (up to 64 KiB), with *out NULL.
 * The socket is read only while the caller waits in http_stream_read(), so a slow caller slows the
 * server down; memory stays constant.
 */
NODISCARD enum status http_stream_open(struct http *h, const struct http_request *req,
                                       struct http_response *resp, struct http_stream **out,
                                       struct error *err);

/*
 * At least one byte into out[0..size), size > 0.  ST_END: the body was complete (Content-Length or
 * last chunk seen).  ST_RETRY: cut, too slow.  After a failure only http_stream_close().
 */
NODISCARD enum status http_stream_read(struct http_stream *s, void *out, size_t size, size_t *n,
                                       struct error *err);
void http_stream_close(struct http_stream *s); /* NULL does nothing */

#endif
