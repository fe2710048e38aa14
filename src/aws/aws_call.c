/*
 * aws_call.c: one signed call, and the same repeated; the only place where signing, sending and
 * waiting meet.
 *
 * An attempt is sign -> send -> judge.  Two refusals have a cause that is removed here and tried
 * again at once, one time each call: expired credentials are fetched anew, and a clock that is off
 * is corrected by the server's Date.  Everything else that may pass goes through retry_wait(),
 * with its budget and its deadline.
 */
#include "aws/aws_call.h"

#include <openssl/crypto.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "aws/aws_private.h"
#include "aws/uri.h"
#include "base/clock.h"
#include "base/log.h"

enum {
    MAX_HEADERS = 32,
    MAX_URL = 16 * 1024,
    DEFAULT_TOTAL_MS = 10000,
    /* The SDKs believe the server's clock when it is further off than this (MAX_SKEW of smithy). */
    SKEW_S = 240,
    SILENCE_EVERY_MS = 10 * 1000,
};

struct aws_client {
    const struct aws_config *config;
    struct cred_chain *creds;
    struct retry_budget *budget;
    struct aws_clock clock;
    struct aws_stop asked; /* the caller's */
    struct aws_stop stop;  /* that and the deadline */
    struct http *http;
    struct sigv4_cache cache;
    struct s3_regions s3_regions;
    int64_t deadline_ms;
    int64_t skew_s; /* added to the wall clock */
};

struct aws_signed {
    const struct aws_request *req; /* only while the request is made or the caller keeps it */
    const char *operation;
    struct buf url;
    struct credentials creds;
    bool has_creds;
    struct sigv4_result result;
    struct http_header headers[MAX_HEADERS + 5];
    struct http_request http;
    int64_t date_s;
    bool sent;
};

/* How an attempt ended, beyond its status. */
struct attempt {
    bool again_at_once; /* the cause is gone: other credentials, another clock */
    uint32_t retry_after_ms;
};

/* The deadline acts like a stop: whatever waits asks this at least ten times a second. */
static bool client_stop(void *ctx)
{
    struct aws_client *c = ctx;
    if (aws_stop_asked(&c->asked))
        return true;
    return c->deadline_ms != INT64_MAX && c->clock.steady_ms(c->clock.ctx) >= c->deadline_ms;
}

enum status aws_client_new(struct aws_client **out, const struct aws_client_options *options,
                           struct error *err)
{
    *out = NULL;
    struct aws_client *c = calloc(1, sizeof(*c));
    if (c == NULL)
        return ST_NO_MEMORY;
    c->config = options->config;
    c->creds = options->creds;
    c->budget = options->budget;
    c->clock = options->clock;
    if (c->clock.steady_ms == NULL)
        c->clock = aws_clock_system();
    c->asked = options->stop;
    c->stop = (struct aws_stop){client_stop, c};
    c->deadline_ms = INT64_MAX;
    struct http_options http = aws_config_http(c->config);
    http.clock = c->clock;
    http.stop = c->stop;
    enum status st = http_new(&c->http, &http);
    if (st) {
        free(c);
        return error_set(err, st, E_A309, "cannot set up HTTP");
    }
    *out = c;
    return ST_OK;
}

void aws_client_free(struct aws_client *c)
{
    if (c == NULL)
        return;
    http_free(c->http);
    sigv4_cache_clear(&c->cache);
    free(c);
}

struct http *aws_client_http(struct aws_client *c)
{
    return c->http;
}

const struct aws_config *aws_client_config(const struct aws_client *c)
{
    return c->config;
}

const struct aws_clock *aws_client_clock(const struct aws_client *c)
{
    return &c->clock;
}

void aws_client_set_deadline(struct aws_client *c, int64_t steady_ms)
{
    c->deadline_ms = steady_ms;
}

int64_t aws_client_deadline(const struct aws_client *c)
{
    return c->deadline_ms;
}

int64_t aws_client_now_s(const struct aws_client *c)
{
    return c->clock.wall_ms(c->clock.ctx) / 1000 + c->skew_s;
}

void aws_client_retry(const struct aws_client *c, struct retry *retry, unsigned max_attempts)
{
    retry_init(retry, c->budget, &c->clock, &c->stop,
               max_attempts > 0 ? max_attempts : aws_config_max_attempts(c->config), c->deadline_ms,
               0);
}

struct s3_regions *aws_client_s3_regions(struct aws_client *c)
{
    return &c->s3_regions;
}

/*
 * A refusal whose cause can be removed here: true when the same call may be signed anew at once.
 * The corrected clock is kept for the life of the client, so only the first call pays for it.
 */
static bool remove_cause(struct aws_client *c, const struct aws_signed *s,
                         const struct aws_answer *a)
{
    if (s->has_creds && aws_answer_is_expired(a)) {
        cred_chain_reject(c->creds, s->creds.access_key_id);
        return true;
    }
    if (aws_answer_is_signature(a) && a->server_date_s != 0) {
        int64_t off = a->server_date_s - aws_client_now_s(c);
        if (off > SKEW_S || off < -SKEW_S) {
            c->skew_s += off;
            LOG_FAULT(LOG_WARN, E_A100, "clock differs from AWS, corrected for signatures",
                      log_u64("seconds", (uint64_t)(off < 0 ? -off : off)),
                      log_cstr("direction", off < 0 ? "ahead" : "behind"));
            return true;
        }
    }
    return false;
}

/* Endpoint, path and query into s->url, and its parts into *u; checks the Region on the way. */
static enum status build_url(const struct aws_client *c, struct aws_signed *s, struct uri *u,
                             struct error *err)
{
    const struct aws_request *req = s->req;
    struct view region = req->region.len > 0 ? req->region : aws_config_region(c->config);
    enum status st = ST_OK;
    if (req->endpoint.len > 0) {
        st = aws_endpoint_check(req->endpoint, "endpoint", err);
        buf_add_view(&s->url, req->endpoint);
    } else {
        st = aws_config_endpoint(c->config, req->service, region, &s->url, NULL, err);
    }
    if (!st && !aws_region_valid(region))
        st = error_set(err, ST_USAGE, region.len == 0 ? E_U303 : E_U214,
                       region.len == 0 ? "no Region: set AWS_REGION" : "not a Region: \"%.*s\"",
                       SHOW_MAX(region, 64));
    if (st)
        return st;
    if (req->path.len > 0)
        buf_add_view(&s->url, req->path);
    else
        buf_add_char(&s->url, '/');
    size_t path_end = s->url.len;
    if (req->query.len > 0) {
        buf_add_char(&s->url, '?');
        buf_add_view(&s->url, req->query);
    }
    if (buf_cstr(&s->url) == NULL)
        return error_set(err, buf_status(&s->url), E_A309, "request address too long");
    /* An endpoint's own path is part of what is signed, so both are parsed together. */
    if (uri_parse(view_make(s->url.ptr, path_end), u) != ST_OK)
        return error_set(err, ST_USAGE, E_A111, "cannot form an address for %s", req->operation);
    return ST_OK;
}

/*
 * What is sent but for the headers.  No attempt may last past the deadline, so its total timeout
 * is cut to what is left.
 */
static void set_up_http(struct aws_client *c, struct aws_signed *s)
{
    const struct aws_request *req = s->req;
    uint32_t total = req->total_timeout_ms > 0 ? req->total_timeout_ms : DEFAULT_TOTAL_MS;
    if (c->deadline_ms != INT64_MAX) {
        int64_t left = c->deadline_ms - c->clock.steady_ms(c->clock.ctx);
        if (left < (int64_t)total)
            total = left > 1 ? (uint32_t)left : 1;
    }
    s->http = (struct http_request){.method = req->method,
                                    .url = s->url.ptr,
                                    .headers = s->headers,
                                    .body = req->body,
                                    .total_timeout_ms = total,
                                    .idle_timeout_ms = req->idle_timeout_ms,
                                    .min_bytes_per_s = req->min_bytes_per_s,
                                    .max_body_bytes = req->max_body_bytes,
                                    .once = req->once};
    if (s->http.idle_timeout_ms == 0)
        s->http.idle_timeout_ms = DEFAULT_TOTAL_MS;
}

/*
 * The headers that are sent, signed where there are credentials.  Host comes first because the URL
 * may be an override whose authority is not the service's own.
 */
static enum status sign(struct aws_client *c, struct aws_signed *s, const struct uri *u,
                        struct error *err)
{
    const struct aws_request *req = s->req;
    struct http_header *h = s->headers;
    size_t n = 0;
    if (req->n_headers >= MAX_HEADERS)
        return ST_TOO_BIG;
    h[n++] = http_header_of("Host", u->authority);
    for (size_t i = 0; i < req->n_headers; i++)
        h[n++] = req->headers[i];
    if (!s->has_creds) {
        s->http.n_headers = n;
        return ST_OK;
    }
    struct sigv4_request r = {.access_key_id = view_of(s->creds.access_key_id),
                              .secret = view_of(s->creds.secret),
                              .session_token = view_of(s->creds.session_token),
                              .region =
                                  req->region.len > 0 ? req->region : aws_config_region(c->config),
                              .service = view_of(req->service->signing_name),
                              .time_s = s->date_s,
                              .method = view_of(req->method),
                              .path = u->path,
                              .query = req->query,
                              .headers = h,
                              .n_headers = n,
                              .body = req->body,
                              .s3 = req->service->s3,
                              .normalize_path = !req->service->s3};
    enum status st = sigv4_sign(&r, &c->cache, &s->result);
    if (st)
        return error_set(err, st, E_A309, "%s: the request cannot be signed", s->operation);
    h[n++] = http_header_of("X-Amz-Date", view_of(s->result.date));
    if (r.session_token.len > 0)
        h[n++] = http_header_of("X-Amz-Security-Token", r.session_token);
    if (s->result.has_sha256_header)
        h[n++] = http_header_of("X-Amz-Content-Sha256", view_of(s->result.payload_sha256));
    h[n++] = http_header_of("Authorization", buf_view(&s->result.authorization));
    s->http.n_headers = n;
    return ST_OK;
}

enum status aws_sign(struct aws_client *c, const struct aws_request *req, struct aws_signed **out,
                     struct error *err)
{
    *out = NULL;
    struct aws_signed *s = calloc(1, sizeof(*s));
    if (s == NULL)
        return ST_NO_MEMORY;
    s->req = req;
    s->operation = req->operation;
    buf_init(&s->url, MAX_URL);
    sigv4_result_init(&s->result);
    struct uri u = {0};
    enum status st = build_url(c, s, &u, err);
    if (!st && c->creds != NULL) {
        st = cred_chain_get(c->creds, c->http, &c->stop, &s->creds, err);
        s->has_creds = st == ST_OK;
    }
    s->date_s = aws_client_now_s(c);
    if (!st) {
        set_up_http(c, s);
        st = sign(c, s, &u, err);
    }
    if (st) {
        aws_signed_free(s);
        return st;
    }
    *out = s;
    return ST_OK;
}

int64_t aws_signed_date_s(const struct aws_signed *s)
{
    return s->date_s;
}

void aws_signed_free(struct aws_signed *s)
{
    if (s == NULL)
        return;
    credentials_wipe(&s->creds);
    sigv4_result_clear(&s->result);
    buf_clear(&s->url);
    free(s);
}

/*
 * The one send of a signature.  A status other than ST_OK comes with *how: whether the cause is
 * gone, and how long the server wants us to wait.
 */
static enum status send_signed(struct aws_client *c, struct aws_signed *s, struct aws_answer *a,
                               struct http_stream **stream, struct attempt *how, struct error *err)
{
    struct error inner = {0};
    *how = (struct attempt){0};
    if (s->sent)
        return error_set(err, ST_USAGE, E_A309, "%s: a signature is sent only once", s->operation);
    s->sent = true;
    a->http.handed_over = false;
    if (client_stop(c))
        return error_set(err, ST_CANCELLED, E_A306, "%s: stopped before it was sent", s->operation);
    enum status st = stream != NULL ? http_stream_open(c->http, &s->http, &a->http, stream, &inner)
                                    : http_send(c->http, &s->http, &a->http, &inner);
    aws_answer_read(a);
    const char *request = a->request_id[0] != '\0' ? " (request " : "";
    const char *request_end = a->request_id[0] != '\0' ? ")" : "";
    if (st)
        return error_set(err, st, inner.code, "%s: %s%s%s%s", s->operation, inner.text, request,
                         a->request_id, request_end);
    st = aws_answer_status(a);
    if (st == ST_OK)
        return ST_OK;
    /* "GetObject: 403 AccessDenied: Access Denied (request 4442587FB7D0A2F9)", what there is of it */
    error_set(err, st, aws_answer_code(a), "%s: %d%s%s%s%s%s%s%s", s->operation, a->http.status,
              a->code[0] != '\0' ? " " : "", a->code, a->message[0] != '\0' ? ": " : "", a->message,
              request, a->request_id, request_end);
    if (st == ST_RETRY) {
        how->retry_after_ms =
            retry_after_amz_ms(http_response_header(&a->http, "x-amz-retry-after"));
        uint32_t plain =
            retry_after_ms(http_response_header(&a->http, "retry-after"), aws_client_now_s(c));
        if (plain > how->retry_after_ms)
            how->retry_after_ms = plain;
    } else if (remove_cause(c, s, a)) {
        how->again_at_once = true;
        st = ST_RETRY;
    }
    return st;
}

enum status aws_send_signed(struct aws_client *c, struct aws_signed *s, struct aws_answer *answer,
                            struct error *err)
{
    struct attempt how;
    answer->attempts = 1;
    return send_signed(c, s, answer, NULL, &how, err);
}

/*
 * A service that takes requests and says nothing keeps a command silent for a minute of attempts.
 * One line in ten seconds is enough, whatever number of requests waits.
 */
static void report_attempt(const struct aws_request *req, const struct aws_answer *a,
                           const struct retry *retry, const struct error *err)
{
    static _Atomic int64_t last_ms = INT64_MIN / 2;
    int64_t now = clock_steady_ms(), last = last_ms;
    LOG_EVENT(LOG_DEBUG, "request failed, may be repeated", log_cstr("operation", req->operation),
              log_u64("attempt", retry->attempt), log_cstr("reason", err->text));
    if (a->timed_out && now - last >= SILENCE_EVERY_MS &&
        atomic_compare_exchange_strong(&last_ms, &last, now))
        LOG_FAULT(LOG_WARN, E_A310, "no answer from AWS, the request is repeated",
                  log_cstr("operation", req->operation), log_u64("attempt", retry->attempt),
                  log_cstr("reason", err->text));
}

/* The loop of aws_call() and aws_call_stream(). */
static enum status call(struct aws_client *c, const struct aws_request *req, struct aws_answer *a,
                        struct http_stream **stream, struct error *err)
{
    struct retry retry;
    struct error inner = {0};
    bool signed_anew = false;
    aws_client_retry(c, &retry, req->max_attempts);
    if (err == NULL)
        err = &inner;
    for (;;) {
        struct aws_signed *s = NULL;
        struct attempt how = {0};
        a->attempts = retry.attempt;
        a->timed_out = false;
        enum status st = aws_sign(c, req, &s, err);
        if (!st)
            st = send_signed(c, s, a, stream, &how, err);
        aws_signed_free(s);
        if (!st) {
            retry_succeeded(&retry);
            return ST_OK;
        }
        if (how.again_at_once) {
            if (signed_anew)
                return ST_DENIED;
            signed_anew = true;
            continue;
        }
        if (st != ST_RETRY)
            return st;
        report_attempt(req, a, &retry, err);
        enum status wait = retry_wait(&retry, a->timed_out, how.retry_after_ms, NULL);
        if (wait == ST_CANCELLED)
            return error_set(err, wait, E_A306, "%s: stopped between attempts", req->operation);
        if (wait)
            return wait;
    }
}

enum status aws_call(struct aws_client *c, const struct aws_request *req, struct aws_answer *answer,
                     struct error *err)
{
    return call(c, req, answer, NULL, err);
}

enum status aws_call_stream(struct aws_client *c, const struct aws_request *req,
                            struct aws_answer *answer, struct http_stream **stream,
                            struct error *err)
{
    *stream = NULL;
    return call(c, req, answer, stream, err);
}
