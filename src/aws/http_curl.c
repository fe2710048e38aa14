/*
 * http_curl.c: http.h with libcurl's multi interface, driven by the calling thread.
 *
 * multi_poll() in slices of 100 ms instead of easy_perform(), for three reasons: a stop is noticed
 * while the network is silent, a stream is pulled by its reader, and waiting is measured apart
 * from a slow reader.  libcurl's own conveniences that would send bytes twice, follow a redirect,
 * add a header or read an environment variable are all switched off: what is sent is what was
 * signed.
 */
#include "aws/http.h"

#include <stdio.h>
#include <stdlib.h>

#include "aws/curl_library.h"
#include "base/log.h"

enum {
    STAGING = CURL_MAX_WRITE_SIZE, /* what libcurl hands over at once, at most */
    RECEIVE_BUFFER = 256 * 1024,
    SLICE_MS = 100, /* how often a wait looks at aws_stop */
    DEFAULT_CONNECT_MS = 3000,
    DEFAULT_IDLE_MS = 20000,
    DEFAULT_MAX_BODY = 1024 * 1024,
    MAX_REFUSAL = 64 * 1024, /* body of an answer to a stream that is not 2xx */
};

struct http {
    CURLM *multi;
    CURL *spare; /* an easy handle kept for the next request; its buffers are large */
    struct http_options options;
};

/*
 * One request under way.  States: sending and receiving the head (!head_done), body (head_done,
 * !done), done.  In a stream the body goes straight to the reader's `out`, with what does not fit
 * kept in `staging`; while staging is in use libcurl pauses the transfer.
 */
struct http_stream {
    struct http *h;
    CURL *easy;
    struct curl_slist *lines;
    struct http_response *resp; /* NULL once a stream was handed to its reader */
    struct view body;
    size_t body_given;
    bool once;
    bool streaming;  /* asked for as a stream */
    bool collecting; /* body goes to resp->body */
    bool head_done;
    bool paused;
    bool done;
    bool timed_out;
    CURLcode result;
    enum status failed; /* found by a callback, which stopped the transfer */
    size_t max_body;
    uint64_t progress; /* bytes moved in either direction, for the idle and speed checks */

    char *out; /* the reader's, while it waits */
    size_t out_size;
    size_t out_len;
    size_t staged;
    size_t staged_at;

    uint32_t idle_timeout_ms;
    uint32_t min_bytes_per_s;
    int64_t idle_ms;   /* waited without a byte */
    int64_t window_ms; /* waited since window_progress was taken */
    uint64_t window_progress;

    char curl_text[CURL_ERROR_SIZE];
    char staging[STAGING];
};

enum status http_new(struct http **out, const struct http_options *options)
{
    *out = NULL;
    struct error err = {0};
    enum status st = curl_library_load(&err);
    if (st != ST_OK) {
        LOG_FAULT(LOG_ERROR, E_R112, "no HTTP", log_cstr("reason", err.text));
        return st;
    }
    struct http *h = calloc(1, sizeof(*h));
    if (h == NULL)
        return ST_NO_MEMORY;
    h->options = *options;
    if (options->clock.steady_ms == NULL)
        h->options.clock = aws_clock_system();
    h->multi = curl_library.multi_init();
    if (h->multi == NULL) {
        http_free(h);
        return ST_NO_MEMORY;
    }
    curl_library.multi_setopt(h->multi, CURLMOPT_PIPELINING, CURLPIPE_NOTHING);
    *out = h;
    return ST_OK;
}

void http_free(struct http *h)
{
    if (h == NULL)
        return;
    if (h->spare != NULL)
        curl_library.easy_cleanup(h->spare);
    if (h->multi != NULL)
        curl_library.multi_cleanup(h->multi);
    free(h);
}

void http_forget_connections(struct http *h)
{
    CURLM *fresh = curl_library.multi_init();
    if (fresh == NULL)
        return; /* the old connections are then found dead one by one */
    curl_library.multi_setopt(fresh, CURLMOPT_PIPELINING, CURLPIPE_NOTHING);
    curl_library.multi_cleanup(h->multi);
    h->multi = fresh;
}

void http_response_init(struct http_response *r)
{
    memset(r, 0, sizeof(*r));
    buf_init(&r->head, HTTP_MAX_HEAD);
    buf_init(&r->body, DEFAULT_MAX_BODY);
}

void http_response_clear(struct http_response *r)
{
    buf_clear(&r->head);
    buf_wipe(&r->body); /* it may have held credentials */
    r->status = 0;
    r->handed_over = false;
}

struct view http_response_header(const struct http_response *r, const char *name)
{
    struct view found = VIEW_EMPTY;
    struct view rest = buf_view(&r->head);
    struct view line;
    while (rest.len > 0 && view_split(&rest, '\n', &line)) {
        size_t colon = view_find_char(line, ':');
        if (colon != SIZE_MAX && view_eq_nocase(view_first(line, colon), view_of(name)))
            found = view_trim(view_skip(line, colon + 1));
    }
    return found;
}

static size_t stop_with(struct http_stream *t, enum status st)
{
    t->failed = st;
    return 0; /* libcurl takes a short count as "abort" */
}

/* A line of the head.  A 1xx head (100 Continue) is followed by another one, which replaces it. */
static size_t on_header(char *bytes, size_t one, size_t n, void *user)
{
    (void)one;
    struct http_stream *t = user;
    struct view line = view_make(bytes, n);
    t->progress += n;
    if (t->resp == NULL) /* trailers after a body that is already being read */
        return n;
    if (view_starts(line, VIEW_LIT("HTTP/"))) {
        /* HTTP/1.1 200 OK
         *          ^     a new head: the first, or the one after a 1xx */
        buf_reset(&t->resp->head);
        size_t blank = view_find_char(line, ' ');
        uint64_t status = 0;
        if (blank == SIZE_MAX ||
            view_parse_u64(view_first(view_skip(line, blank + 1), 3), 999, &status))
            return stop_with(t, ST_RETRY);
        t->resp->status = (int)status;
        return n;
    }
    if (view_trim(line).len == 0) {
        if (t->resp->status >= 200) {
            t->head_done = true;
            t->collecting = !t->streaming || t->resp->status >= 300;
            if (t->streaming && t->collecting)
                t->max_body = MAX_REFUSAL;
        }
        return n;
    }
    buf_add(&t->resp->head, bytes, n);
    if (buf_status(&t->resp->head) != ST_OK)
        return stop_with(t, buf_status(&t->resp->head));
    return n;
}

/*
 * Bytes of the body: into resp->body when it is collected, else to the reader, else into staging.
 */
static size_t on_body(char *bytes, size_t one, size_t n, void *user)
{
    (void)one;
    struct http_stream *t = user;
    if (n == 0)
        return 0;
    if (t->collecting) {
        t->progress += n;
        if (n > t->max_body - t->resp->body.len)
            return stop_with(t, ST_TOO_BIG);
        buf_add(&t->resp->body, bytes, n);
        if (buf_status(&t->resp->body) != ST_OK)
            return stop_with(t, buf_status(&t->resp->body));
        return n;
    }
    if (t->staged > 0) { /* no room: libcurl keeps these bytes and stops reading the socket */
        t->paused = true;
        return CURL_WRITEFUNC_PAUSE;
    }
    if (n > STAGING)
        return stop_with(t, ST_TOO_BIG);
    t->progress += n;
    size_t room = t->out == NULL ? 0 : t->out_size - t->out_len;
    size_t direct = n < room ? n : room;
    if (direct > 0) {
        memcpy(t->out + t->out_len, bytes, direct);
        t->out_len += direct;
    }
    memcpy(t->staging, bytes + direct, n - direct);
    t->staged = n - direct;
    t->staged_at = 0;
    return n;
}

/* Body of a `once` request.  There is no way back to its start, so libcurl cannot send it again. */
static size_t on_send(char *out, size_t one, size_t n, void *user)
{
    struct http_stream *t = user;
    size_t left = t->body.len - t->body_given;
    size_t take = one * n < left ? one * n : left;
    if (take > 0)
        memcpy(out, t->body.ptr + t->body_given, take);
    t->body_given += take;
    t->progress += take;
    return take;
}

/* libcurl asks for this when it wants to send the body again on another connection: refused. */
static int on_seek(void *user, curl_off_t offset, int origin)
{
    (void)user;
    (void)offset;
    (void)origin;
    return CURL_SEEKFUNC_FAIL;
}

static enum status add_line(struct http_stream *t, struct buf *scratch)
{
    const char *line = buf_cstr(scratch);
    struct curl_slist *longer = line == NULL ? NULL : curl_library.slist_append(t->lines, line);
    if (longer == NULL)
        return ST_NO_MEMORY;
    t->lines = longer;
    return ST_OK;
}

/* The header lines as libcurl wants them ("Name: value", or "Name;" for an empty value). */
static enum status build_lines(struct http_stream *t, const struct http_request *req)
{
    /* Headers libcurl would add by itself, which nobody signed: an empty one takes them out. */
    static const char *const unwanted[] = {"Accept:", "Expect:", "Content-Type:"};
    struct buf line;
    buf_init(&line, HTTP_MAX_HEAD);
    enum status st = ST_OK;
    bool has_type = false;
    for (size_t i = 0; i < req->n_headers && !st; i++) {
        const struct http_header *h = &req->headers[i];
        if (!http_header_clean(h)) {
            st = ST_BAD_ITEM;
            break;
        }
        has_type = has_type || view_eq_nocase(h->name, VIEW_LIT("content-type"));
        buf_reset(&line);
        buf_add_view(&line, h->name);
        buf_add_cstr(&line, h->value.len == 0 ? ";" : ": ");
        buf_add_view(&line, h->value);
        st = buf_status(&line);
        if (!st)
            st = add_line(t, &line);
    }
    for (size_t i = 0; i < sizeof(unwanted) / sizeof(unwanted[0]) && !st; i++) {
        if (i == 2 && has_type)
            continue;
        buf_reset(&line);
        buf_add_cstr(&line, unwanted[i]);
        st = add_line(t, &line);
    }
    buf_wipe(&line);
    return st;
}

static void set_method(struct http_stream *t, const struct http_request *req)
{
    CURL *e = t->easy;
    if (strcmp(req->method, "HEAD") == 0) {
        curl_library.easy_setopt(e, CURLOPT_NOBODY, 1L);
        return;
    }
    if (strcmp(req->method, "GET") == 0) {
        curl_library.easy_setopt(e, CURLOPT_HTTPGET, 1L);
        return;
    }
    curl_library.easy_setopt(e, CURLOPT_POST, 1L);
    if (strcmp(req->method, "POST") != 0)
        curl_library.easy_setopt(e, CURLOPT_CUSTOMREQUEST, req->method);
    curl_library.easy_setopt(e, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)req->body.len);
    if (req->once && req->body.len > 0) {
        curl_library.easy_setopt(e, CURLOPT_READFUNCTION, on_send);
        curl_library.easy_setopt(e, CURLOPT_READDATA, t);
        curl_library.easy_setopt(e, CURLOPT_SEEKFUNCTION, on_seek);
    } else {
        curl_library.easy_setopt(e, CURLOPT_POSTFIELDS, req->body.len > 0 ? req->body.ptr : "");
    }
}

/* Everything about the transfer but its connection handle. */
static void set_options(struct http_stream *t, const struct http_request *req)
{
    CURL *e = t->easy;
    const struct http_options *h = &t->h->options;
    curl_library.easy_setopt(e, CURLOPT_URL, req->url);
    /* "/../" in an S3 key is part of its name. */
    curl_library.easy_setopt(e, CURLOPT_PATH_AS_IS, 1L);
    curl_library.easy_setopt(e, CURLOPT_PROTOCOLS_STR, "https,http");
    curl_library.easy_setopt(e, CURLOPT_FOLLOWLOCATION, 0L);
    curl_library.easy_setopt(e, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    curl_library.easy_setopt(e, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
    curl_library.easy_setopt(e, CURLOPT_SSL_VERIFYPEER, 1L);
    curl_library.easy_setopt(e, CURLOPT_SSL_VERIFYHOST, 2L);
    if (h->ca_file != NULL)
        curl_library.easy_setopt(e, CURLOPT_CAINFO, h->ca_file);
    curl_library.easy_setopt(e, CURLOPT_NOSIGNAL, 1L);
    curl_library.easy_setopt(e, CURLOPT_HTTP_CONTENT_DECODING, 0L);
    curl_library.easy_setopt(e, CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
    curl_library.easy_setopt(e, CURLOPT_USERAGENT, "bedrock-metrics/" BM_VERSION);
    curl_library.easy_setopt(e, CURLOPT_HTTPHEADER, t->lines);
    curl_library.easy_setopt(e, CURLOPT_ERRORBUFFER, t->curl_text);
    curl_library.easy_setopt(e, CURLOPT_PRIVATE, t);
    curl_library.easy_setopt(e, CURLOPT_HEADERFUNCTION, on_header);
    curl_library.easy_setopt(e, CURLOPT_HEADERDATA, t);
    curl_library.easy_setopt(e, CURLOPT_WRITEFUNCTION, on_body);
    curl_library.easy_setopt(e, CURLOPT_WRITEDATA, t);
    if (t->streaming)
        curl_library.easy_setopt(e, CURLOPT_BUFFERSIZE, (long)RECEIVE_BUFFER);
    curl_library.easy_setopt(
        e, CURLOPT_CONNECTTIMEOUT_MS,
        (long)(req->connect_timeout_ms > 0 ? req->connect_timeout_ms : DEFAULT_CONNECT_MS));
    /* A stream is as slow as its reader; only waiting counts there, see wait_slice(). */
    if (!t->streaming && req->total_timeout_ms > 0)
        curl_library.easy_setopt(e, CURLOPT_TIMEOUT_MS, (long)req->total_timeout_ms);
    /* Set always: libcurl would otherwise take proxies from the environment by its own rules. */
    bool https = strncmp(req->url, "https:", 6) == 0;
    const char *proxy = req->direct ? NULL : https ? h->https_proxy : h->http_proxy;
    curl_library.easy_setopt(e, CURLOPT_PROXY, proxy != NULL ? proxy : "");
    curl_library.easy_setopt(e, CURLOPT_NOPROXY, h->no_proxy != NULL ? h->no_proxy : "");
    /* AWS closes idle connections after 20 s (S3) and later; an older one is likely dead. */
    curl_library.easy_setopt(e, CURLOPT_MAXAGE_CONN, 18L);
    if (req->once) {
        /* libcurl sends a POST again by itself when a reused connection dies without an answer. */
        curl_library.easy_setopt(e, CURLOPT_FRESH_CONNECT, 1L);
        curl_library.easy_setopt(e, CURLOPT_FORBID_REUSE, 1L);
    }
    set_method(t, req);
}

void http_stream_close(struct http_stream *t)
{
    if (t == NULL)
        return;
    if (t->easy != NULL) {
        curl_library.multi_remove_handle(t->h->multi, t->easy);
        curl_library.easy_reset(t->easy);
        if (t->h->spare == NULL)
            t->h->spare = t->easy;
        else
            curl_library.easy_cleanup(t->easy);
    }
    /* Header lines held a session token. */
    for (struct curl_slist *l = t->lines; l != NULL; l = l->next)
        explicit_bzero(l->data, strlen(l->data));
    curl_library.slist_free_all(t->lines);
    free(t);
}

static enum status transfer_new(struct http *h, const struct http_request *req,
                                struct http_response *resp, bool streaming,
                                struct http_stream **out, struct error *err)
{
    *out = NULL;
    buf_reset(&resp->head);
    buf_reset(&resp->body);
    resp->status = 0;
    resp->handed_over = false;
    resp->timed_out = false;
    for (const char *p = req->url; *p != '\0'; p++)
        if ((unsigned char)*p <= 0x20 || *p == 0x7f)
            return error_set(err, ST_BAD_ITEM, E_A309,
                             "request address holds a control byte or blank");

    struct http_stream *t = calloc(1, sizeof(*t));
    if (t == NULL)
        return ST_NO_MEMORY;
    t->h = h;
    t->resp = resp;
    t->body = req->body;
    t->once = req->once;
    t->streaming = streaming;
    t->max_body = req->max_body_bytes > 0 ? req->max_body_bytes : DEFAULT_MAX_BODY;
    resp->body.max = t->max_body > MAX_REFUSAL ? t->max_body : MAX_REFUSAL;
    t->idle_timeout_ms = req->idle_timeout_ms > 0 ? req->idle_timeout_ms : DEFAULT_IDLE_MS;
    t->min_bytes_per_s = req->min_bytes_per_s;
    enum status st = build_lines(t, req);
    if (st == ST_BAD_ITEM)
        error_set(err, st, E_A309, "request header holds a control byte");
    if (!st) {
        t->easy = h->spare != NULL ? h->spare : curl_library.easy_init();
        h->spare = NULL;
        st = t->easy == NULL ? ST_NO_MEMORY : ST_OK;
    }
    if (!st) {
        set_options(t, req);
        if (curl_library.multi_add_handle(h->multi, t->easy) != CURLM_OK)
            st = ST_NO_MEMORY;
    }
    if (st)
        http_stream_close(t);
    else
        *out = t;
    return st;
}

/* Let libcurl work; note which transfers ended. */
static enum status perform(struct http *h)
{
    int running = 0;
    if (curl_library.multi_perform(h->multi, &running) != CURLM_OK)
        return ST_NO_MEMORY;
    int left = 0;
    CURLMsg *m;
    while ((m = curl_library.multi_info_read(h->multi, &left)) != NULL) {
        struct http_stream *t = NULL;
        if (m->msg != CURLMSG_DONE)
            continue;
        CURLcode result = m->data.result;
        curl_library.easy_getinfo(m->easy_handle, CURLINFO_PRIVATE, (char **)&t);
        t->done = true;
        t->result = result;
    }
    return ST_OK;
}

/* Wait a little; ST_RETRY when the server was silent or slow for too long. */
static enum status wait_slice(struct http_stream *t, struct error *err)
{
    const struct aws_clock *clock = &t->h->options.clock;
    if (!t->once && aws_stop_asked(&t->h->options.stop))
        return error_set(err, ST_CANCELLED, E_A306, "stopped while waiting for the network");
    uint64_t before = t->progress;
    int64_t from = clock->steady_ms(clock->ctx);
    if (curl_library.multi_poll(t->h->multi, NULL, 0, SLICE_MS, NULL) != CURLM_OK)
        return ST_NO_MEMORY;
    enum status st = perform(t->h);
    if (st)
        return st;
    int64_t waited = clock->steady_ms(clock->ctx) - from;
    t->idle_ms = t->progress != before ? 0 : t->idle_ms + waited;
    if (t->idle_timeout_ms == UINT32_MAX || t->done)
        return ST_OK;
    if (t->idle_ms >= (int64_t)t->idle_timeout_ms) {
        t->timed_out = true;
        return error_set(err, ST_RETRY, E_A301, "timed out: no byte for %u ms", t->idle_timeout_ms);
    }
    t->window_ms += waited;
    if (t->min_bytes_per_s > 0 && t->window_ms >= (int64_t)t->idle_timeout_ms) {
        uint64_t due = (uint64_t)t->min_bytes_per_s * (uint64_t)t->window_ms / 1000;
        if (t->progress - t->window_progress < due) {
            t->timed_out = true;
            return error_set(err, ST_RETRY, E_A301, "timed out: slower than %u bytes a second",
                             t->min_bytes_per_s);
        }
        t->window_ms = 0;
        t->window_progress = t->progress;
    }
    return ST_OK;
}

/*
 * Was the whole request given to the network?  Counted in bytes, not guessed from the error:
 * libcurl's upload count holds what the socket (or TLS) took, so anything short of the length is an
 * incomplete body, which no server can apply.
 */
static bool was_handed_over(struct http_stream *t)
{
    curl_off_t uploaded = 0;
    long head = 0;
    curl_library.easy_getinfo(t->easy, CURLINFO_SIZE_UPLOAD_T, &uploaded);
    curl_library.easy_getinfo(t->easy, CURLINFO_REQUEST_SIZE, &head);
    if (t->body.len == 0)
        return head > 0;
    if (t->once && t->body_given < t->body.len)
        return false;
    return uploaded >= (curl_off_t)t->body.len;
}

/* How a transfer that is done ended, without its HTTP status. */
static enum status outcome(struct http_stream *t, struct error *err)
{
    if (t->failed == ST_TOO_BIG)
        return error_set(err, ST_TOO_BIG, E_A305, "the answer is larger than allowed");
    if (t->failed != ST_OK)
        return error_set(err, t->failed, E_A305, "unusable answer");
    const char *text =
        t->curl_text[0] != '\0' ? t->curl_text : curl_library.easy_strerror(t->result);
    switch (t->result) {
    case CURLE_OK: return ST_OK;
    case CURLE_OUT_OF_MEMORY: return ST_NO_MEMORY;
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CACERT_BADFILE:
    case CURLE_SSL_ISSUER_ERROR:
        return error_set(err, ST_DENIED, E_A302, "the server could not be authenticated: %s", text);
    case CURLE_URL_MALFORMAT: return error_set(err, ST_BAD_ITEM, E_A309, "bad address: %s", text);
    case CURLE_OPERATION_TIMEDOUT:
        t->timed_out = true;
        return error_set(err, ST_RETRY, E_A301, "timed out: %s", text);
    case CURLE_COULDNT_RESOLVE_HOST:
    case CURLE_COULDNT_RESOLVE_PROXY: return error_set(err, ST_RETRY, E_A303, "%s", text);
    case CURLE_COULDNT_CONNECT:
    case CURLE_SSL_CONNECT_ERROR:
    case CURLE_SEND_ERROR:
    case CURLE_RECV_ERROR:
    case CURLE_GOT_NOTHING:
    case CURLE_PARTIAL_FILE: return error_set(err, ST_RETRY, E_A304, "%s", text);
    default: return error_set(err, ST_RETRY, E_A305, "%s", text);
    }
}

enum status http_send(struct http *h, const struct http_request *req, struct http_response *resp,
                      struct error *err)
{
    struct http_stream *t = NULL;
    enum status st = transfer_new(h, req, resp, false, &t, err);
    if (st)
        return st;
    st = perform(h);
    while (!st && !t->done)
        st = wait_slice(t, err);
    resp->handed_over = was_handed_over(t);
    if (!st)
        st = outcome(t, err);
    resp->timed_out = t->timed_out;
    http_stream_close(t);
    return st;
}

enum status http_stream_open(struct http *h, const struct http_request *req,
                             struct http_response *resp, struct http_stream **out,
                             struct error *err)
{
    struct http_stream *t = NULL;
    *out = NULL;
    enum status st = transfer_new(h, req, resp, true, &t, err);
    if (st)
        return st;
    st = perform(h);
    while (!st && !t->done && (!t->head_done || t->collecting))
        st = wait_slice(t, err);
    resp->handed_over = was_handed_over(t);
    if (!st && (!t->head_done || t->collecting))
        st = outcome(t, err);
    resp->timed_out = t->timed_out;
    if (st || !t->head_done || t->collecting) {
        http_stream_close(t);
        return st;
    }
    t->resp = NULL;
    *out = t;
    return ST_OK;
}

enum status http_stream_read(struct http_stream *t, void *out, size_t size, size_t *n,
                             struct error *err)
{
    enum status st = ST_OK;
    *n = 0;
    t->out = out;
    t->out_size = size;
    t->idle_ms = 0;
    /* What an earlier read left over. */
    size_t left = t->staged < size ? t->staged : size;
    memcpy(t->out, t->staging + t->staged_at, left);
    t->out_len = left;
    t->staged -= left;
    t->staged_at += left;
    if (t->paused && t->staged == 0) {
        t->paused = false;
        /* Delivers what libcurl kept at once, through on_body(), which may pause again. */
        if (curl_library.easy_pause(t->easy, CURLPAUSE_CONT) != CURLE_OK && t->failed == ST_OK)
            t->failed = ST_RETRY;
    }
    /*
     * Take what is there without waiting, so that a reader with a large buffer does few system
     * calls; wait only for the first byte.
     */
    while (!st && !t->done && t->failed == ST_OK && t->out_len < size) {
        size_t before = t->out_len;
        st = before == 0 ? wait_slice(t, err) : perform(t->h);
        if (before > 0 && t->out_len == before)
            break;
    }
    *n = t->out_len;
    t->out = NULL;
    t->out_size = 0;
    if (*n > 0)
        return ST_OK; /* a failure after these bytes is the next read's answer */
    if (!st)
        st = outcome(t, err);
    return st ? st : ST_END;
}
