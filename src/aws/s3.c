/*
 * s3.c: where a bucket is, and what is asked of it as a whole.
 *
 * S3 answers a request in the wrong Region with 301 or 400 and names the right one
 * (x-amz-bucket-region, or <Region> in the body); the call is then signed anew for that Region,
 * which is remembered for the life of the client.
 */
#include "aws/s3.h"

#include "aws/aws_private.h"
#include "aws/uri.h"
#include "aws/xml_scan.h"

enum { MAX_REDIRECTS = 2 };

/* Replace what is known of the bucket, else the oldest entry. */
static void remember_region(struct aws_client *c, struct view bucket, struct view region)
{
    struct s3_regions *r = aws_client_s3_regions(c);
    size_t slots = sizeof(r->known) / sizeof(r->known[0]);
    size_t at = 0;
    while (at < slots && !view_eq_cstr(bucket, r->known[at].bucket))
        at++;
    if (at == slots)
        at = r->next++ % slots;
    /* Both passed their grammar, so they fit. */
    (void)view_copy(bucket, r->known[at].bucket, sizeof(r->known[at].bucket));
    (void)view_copy(region, r->known[at].region, sizeof(r->known[at].region));
}

/*
 * https://logs.s3.eu-west-1.amazonaws.com  + /key           virtual-hosted
 * https://s3.eu-west-1.amazonaws.com       + /my.logs/key   path style
 */
enum status s3_address(struct aws_client *c, struct view bucket, struct view region,
                       struct view key, struct buf *endpoint, struct buf *path, struct error *err)
{
    bool overridden = false;
    struct buf base;
    if (!aws_bucket_valid(bucket))
        return error_set(err, ST_BAD_ITEM, E_U215, "not a bucket name: \"%.*s\"",
                         SHOW_MAX(bucket, 64));
    if (key.len > S3_MAX_KEY)
        return error_set(err, ST_BAD_ITEM, E_A216, "key is longer than %d bytes", S3_MAX_KEY);
    buf_init(&base, S3_MAX_PATH);
    enum status st =
        aws_config_endpoint(aws_client_config(c), &AWS_S3, region, &base, &overridden, err);
    if (st)
        goto out;
    bool path_style = overridden || view_find_char(bucket, '.') != SIZE_MAX;
    if (path_style) {
        buf_add_view(endpoint, buf_view(&base));
        buf_add_char(path, '/');
        buf_add_view(path, bucket);
    } else {
        buf_add_cstr(endpoint, "https://");
        buf_add_view(endpoint, bucket);
        buf_add_char(endpoint, '.');
        buf_add_view(endpoint, view_skip(buf_view(&base), strlen("https://")));
    }
    buf_add_char(path, '/');
    uri_add_encoded_path(path, key);
    st = buf_status(endpoint);
    if (!st)
        st = buf_status(path);
out:
    buf_clear(&base);
    return st;
}

/*
 * Where to try first: what was learned, then what the caller guesses, then the configured Region.
 */
static struct view first_region(struct aws_client *c, struct view bucket, struct view asked)
{
    const struct s3_regions *r = aws_client_s3_regions(c);
    for (size_t i = 0; i < sizeof(r->known) / sizeof(r->known[0]); i++)
        if (view_eq_cstr(bucket, r->known[i].bucket))
            return view_of(r->known[i].region);
    struct view region = asked.len > 0 ? asked : aws_config_region(aws_client_config(c));
    /* Any Region can say where a bucket is; us-east-1 always exists. */
    return region.len == 0 ? VIEW_LIT("us-east-1") : region;
}

/* The Region an answer sends us to; false when it names none that is usable and new. */
static bool redirected(const struct aws_answer *a, struct view used, char out[33])
{
    struct buf text;
    if (a->http.status != 301 && a->http.status != 307 && a->http.status != 400)
        return false;
    buf_init(&text, XML_MAX_TEXT);
    buf_add_view(&text, http_response_header(&a->http, "x-amz-bucket-region"));
    if (text.len == 0 && xml_scan_find(buf_view(&a->http.body), "Error/Region", &text) != ST_OK)
        buf_reset(&text);
    bool ok = aws_region_valid(buf_view(&text)) && !view_eq(buf_view(&text), used) &&
              view_copy(buf_view(&text), out, 33);
    buf_clear(&text);
    return ok;
}

enum status s3_call(struct aws_client *c, struct view bucket, struct view region, struct view key,
                    struct aws_request *req, struct aws_answer *answer, struct http_stream **stream,
                    struct error *err)
{
    char learned[33];
    struct view use = first_region(c, bucket, region);
    for (unsigned n = 0;; n++) {
        struct buf endpoint;
        struct buf path;
        buf_init(&endpoint, S3_MAX_PATH);
        buf_init(&path, S3_MAX_PATH);
        enum status st = s3_address(c, bucket, use, key, &endpoint, &path, err);
        if (!st) {
            req->service = &AWS_S3;
            req->region = use;
            req->endpoint = buf_view(&endpoint);
            req->path = buf_view(&path);
            st = stream != NULL ? aws_call_stream(c, req, answer, stream, err)
                                : aws_call(c, req, answer, err);
        }
        buf_clear(&endpoint);
        buf_clear(&path);
        if (st && n < MAX_REDIRECTS && redirected(answer, use, learned)) {
            remember_region(c, bucket, view_of(learned));
            use = view_of(learned);
            continue;
        }
        return st;
    }
}

/* ---- buckets, and writing ---- */

enum status s3_head_bucket(struct aws_client *client, struct view bucket, struct buf *region,
                           struct error *err)
{
    struct aws_answer answer;
    aws_answer_init(&answer);
    struct aws_request req = {.operation = "HeadBucket", .method = "HEAD"};
    enum status st = s3_call(client, bucket, VIEW_EMPTY, VIEW_EMPTY, &req, &answer, NULL, err);
    if (!st && region != NULL) {
        struct view named = http_response_header(&answer.http, "x-amz-bucket-region");
        buf_add_view(region,
                     aws_region_valid(named) ? named : first_region(client, bucket, VIEW_EMPTY));
        st = buf_status(region);
    }
    aws_answer_clear(&answer);
    return st;
}

enum status s3_get_setting(struct aws_client *client, struct view bucket, const char *what,
                           struct buf *xml, struct error *err)
{
    struct buf query;
    struct aws_answer answer;
    buf_init(&query, 256);
    aws_answer_init(&answer);
    uri_add_encoded(&query, view_of(what));
    buf_add_char(&query, '=');
    struct aws_request req = {
        .operation = "GetBucketSetting", .method = "GET", .query = buf_view(&query)};
    enum status st = buf_status(&query);
    if (!st)
        st = s3_call(client, bucket, VIEW_EMPTY, VIEW_EMPTY, &req, &answer, NULL, err);
    if (!st) {
        buf_add_view(xml, buf_view(&answer.http.body));
        st = buf_status(xml);
    }
    aws_answer_clear(&answer);
    buf_clear(&query);
    return st;
}

enum status s3_put_object(struct aws_client *client, struct view bucket, struct view key,
                          struct view body, bool if_none_match, struct error *err)
{
    struct aws_answer answer;
    struct http_header headers[] = {
        http_header_of("Content-Type", VIEW_LIT("application/octet-stream")),
        http_header_of("If-None-Match", VIEW_LIT("*"))};
    aws_answer_init(&answer);
    struct aws_request req = {.operation = "PutObject",
                              .method = "PUT",
                              .headers = headers,
                              .n_headers = if_none_match ? 2 : 1,
                              .body = body,
                              .total_timeout_ms = 60000};
    enum status st = key.len == 0
                         ? error_set(err, ST_BAD_ITEM, E_A216, "empty key")
                         : s3_call(client, bucket, VIEW_EMPTY, key, &req, &answer, NULL, err);
    aws_answer_clear(&answer);
    return st;
}
