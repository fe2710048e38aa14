/*
 * s3_object.c: one object as a stream that survives cut connections.
 *
 * A long GET is often cut (idle readers, load balancers).  The rest is then asked for with Range,
 * and If-Match makes sure that it is the rest of the same version; an object that was replaced
 * meanwhile fails with ST_CONFLICT rather than mixing two versions.
 */
#include <stdlib.h>

#include "aws/aws_private.h"
#include "aws/s3.h"

enum {
    MAX_RESTARTS = 3, /* in a row */
    /* A restart after this much progress is a new fault, not the old one again. */
    PROGRESS_BYTES = 8 * 1024 * 1024,
    IDLE_MS = 20000,
    MIN_BYTES_PER_S = 1024,
};

struct s3_object {
    struct aws_client *client;
    struct http_stream *stream; /* NULL between a cut and the restart */
    struct buf bucket, key, region, etag;
    uint64_t size;
    uint64_t at; /* bytes given so far */
    uint64_t restarted_at;
    unsigned restarts; /* in all */
    unsigned in_a_row; /* without PROGRESS_BYTES between them */
    struct retry pause;
    bool failed;
};

/*
 * Content-Range: bytes 100-999/1000
 *                      ^^^     ^^^^ must be `at` and the size
 */
static bool range_fits(struct view range, uint64_t at, uint64_t size)
{
    uint64_t first = 0;
    uint64_t total = 0;
    if (!view_starts(range, VIEW_LIT("bytes ")))
        return false;
    range = view_skip(range, 6);
    size_t dash = view_find_char(range, '-');
    size_t slash = view_find_char(range, '/');
    return dash != SIZE_MAX && slash != SIZE_MAX && dash < slash &&
           view_parse_u64(view_first(range, dash), UINT64_MAX, &first) == ST_OK &&
           view_parse_u64(view_skip(range, slash + 1), UINT64_MAX, &total) == ST_OK &&
           first == at && total == size;
}

/* What the head says: after a restart that it is our range, else size and ETag. */
static enum status read_head(struct s3_object *o, const struct aws_answer *a, struct error *err)
{
    const struct http_response *r = &a->http;
    uint64_t length = 0;
    /* A head that libcurl and we read differently has no stream behind it. */
    if (o->stream == NULL)
        return error_set(err, ST_RETRY, E_O108, "GetObject: an answer without a body");
    if (o->at > 0) {
        if (r->status != 206 ||
            !range_fits(http_response_header(r, "content-range"), o->at, o->size))
            return error_set(err, ST_RETRY, E_O108,
                             "GetObject: the answer is not the range asked for");
        return ST_OK;
    }
    if (r->status != 200 ||
        view_parse_u64(http_response_header(r, "content-length"), INT64_MAX, &length) != ST_OK)
        return error_set(err, ST_RETRY, E_O108,
                         "GetObject: answer without a usable Content-Length");
    buf_reset(&o->etag);
    buf_add_view(&o->etag, http_response_header(r, "etag"));
    o->size = length;
    return buf_status(&o->etag);
}

/* Open at o->at; after a cut only if the object still has the ETag seen first. */
static enum status open_at(struct s3_object *o, struct error *err)
{
    struct buf range;
    struct aws_answer answer;
    buf_init(&range, 64);
    aws_answer_init(&answer);
    buf_printf(&range, "bytes=%llu-", (unsigned long long)o->at);
    struct http_header rest[] = {http_header_of("Range", buf_view(&range)),
                                 http_header_of("If-Match", buf_view(&o->etag))};
    struct aws_request req = {.operation = "GetObject",
                              .method = "GET",
                              .headers = rest,
                              .n_headers = o->at > 0 ? 2 : 0,
                              .idle_timeout_ms = IDLE_MS,
                              .min_bytes_per_s = MIN_BYTES_PER_S};
    enum status st = buf_status(&range);
    if (!st)
        st = s3_call(o->client, buf_view(&o->bucket), buf_view(&o->region), buf_view(&o->key), &req,
                     &answer, &o->stream, err);
    if (!st)
        st = read_head(o, &answer, err);
    if (st) {
        http_stream_close(o->stream);
        o->stream = NULL;
        /* The object shrank below where we are: it is another one. */
        if (answer.http.status == 416 && o->at > 0)
            st = ST_CONFLICT;
    }
    aws_answer_clear(&answer);
    buf_clear(&range);
    return st;
}

enum status s3_object_open(struct s3_object **out, struct aws_client *client,
                           const struct s3_get *get, struct error *err)
{
    *out = NULL;
    if (get->key.len == 0)
        return error_set(err, ST_BAD_ITEM, E_A216, "empty key");
    struct s3_object *o = calloc(1, sizeof(*o));
    if (o == NULL)
        return ST_NO_MEMORY;
    o->client = client;
    struct buf *kept[] = {&o->bucket, &o->key, &o->region};
    const struct view texts[] = {get->bucket, get->key, get->region};
    buf_init(&o->etag, 1024);
    retry_init(&o->pause, NULL, aws_client_clock(client), NULL, UINT32_MAX,
               aws_client_deadline(client), 0);
    enum status st = ST_OK;
    for (size_t i = 0; i < sizeof(kept) / sizeof(kept[0]); i++) {
        buf_init(kept[i], 4096);
        buf_add_view(kept[i], texts[i]);
        if (buf_status(kept[i]) != ST_OK)
            st = error_set(err, ST_BAD_ITEM, E_A216, "bucket, key or Region is too long");
    }
    if (!st)
        st = open_at(o, err);
    if (st) {
        s3_object_close(o);
        return st;
    }
    *out = o;
    return ST_OK;
}

uint64_t s3_object_size(const struct s3_object *o)
{
    return o->size;
}

struct view s3_object_etag(const struct s3_object *o)
{
    return buf_view(&o->etag);
}

unsigned s3_object_restarts(const struct s3_object *o)
{
    return o->restarts;
}

/* After a cut at o->at: another connection for the rest, if that is still allowed. */
static enum status restart(struct s3_object *o, struct error *err)
{
    http_stream_close(o->stream);
    o->stream = NULL;
    if (o->at - o->restarted_at >= PROGRESS_BYTES)
        o->in_a_row = 0;
    if (o->etag.len == 0 || o->in_a_row == MAX_RESTARTS)
        return ST_RETRY; /* with the text of the cut */
    o->pause.attempt = o->in_a_row + 1;
    o->in_a_row++;
    o->restarts++;
    o->restarted_at = o->at;
    enum status st = retry_wait(&o->pause, false, 0, NULL);
    return st ? st : open_at(o, err);
}

enum status s3_object_read(struct s3_object *o, void *out, size_t size, size_t *n,
                           struct error *err)
{
    struct error cut = {0};
    *n = 0;
    if (o->failed)
        return error_set(err, ST_RETRY, E_O109, "read after a failure");
    for (;;) {
        size_t got = 0;
        char beyond = 0;
        bool all = o->at == o->size;
        enum status st = all ? http_stream_read(o->stream, &beyond, 1, &got, &cut)
                             : http_stream_read(o->stream, out, size, &got, &cut);
        if (st == ST_OK && !all && got <= o->size - o->at) {
            o->at += got;
            *n = got;
            return ST_OK;
        }
        if (all && st == ST_END)
            return ST_END;
        if (st == ST_OK) {
            st = error_set(err, ST_RETRY, E_O108, "GetObject: more bytes than Content-Length said");
        } else if (all) {
            return ST_END; /* every byte is here; how the connection ended does not matter */
        } else if (st == ST_END || st == ST_RETRY) {
            error_set(err, ST_RETRY, E_O109, "GetObject: cut after %llu of %llu bytes: %s",
                      (unsigned long long)o->at, (unsigned long long)o->size,
                      st == ST_END ? "connection closed" : cut.text);
            st = restart(o, err);
            if (st == ST_OK)
                continue;
        } else {
            error_set(err, st, cut.code, "GetObject: %s", cut.text);
        }
        o->failed = true;
        return st;
    }
}

void s3_object_close(struct s3_object *o)
{
    if (o == NULL)
        return;
    http_stream_close(o->stream);
    buf_clear(&o->bucket);
    buf_clear(&o->key);
    buf_clear(&o->region);
    buf_clear(&o->etag);
    free(o);
}
