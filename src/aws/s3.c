#include "aws/s3.h"

#include <stdlib.h>

#include "aws/aws_client.h"
#include "aws/uri.h"
#include "aws/xml_scan.h"
#include "base/array.h"
#include "base/rfc3339.h"

enum {
    MAX_KEY = 1024,
    MAX_PATH = 8 * 1024,
    /* 1000 keys of 1024 bytes, each byte as %XX, and the rest of their elements. */
    MAX_LIST = 8 * 1024 * 1024,
    MAX_REDIRECTS = 2,
    DEFAULT_RESTARTS = 3,
    /* A restart after this much progress is a new fault, not the old one again. */
    PROGRESS_BYTES = 8 * 1024 * 1024,
    IDLE_MS = 20000,
    MIN_BYTES_PER_S = 1024,
    PAGE_KEYS = 1000,
};

/* ---- addresses and Regions ---- */

static struct view known_region(struct aws_client *c, struct view bucket)
{
    struct s3_regions *r = aws_client_s3_regions(c);
    for (size_t i = 0; i < sizeof(r->known) / sizeof(r->known[0]); i++)
        if (view_eq_cstr(bucket, r->known[i].bucket))
            return view_of(r->known[i].region);
    return VIEW_EMPTY;
}

static void remember_region(struct aws_client *c, struct view bucket, struct view region)
{
    struct s3_regions *r = aws_client_s3_regions(c);
    size_t slots = sizeof(r->known) / sizeof(r->known[0]);
    size_t at = 0;
    while (at < slots && !view_eq_cstr(bucket, r->known[at].bucket))
        at++;
    if (at == slots)
        at = r->next++ % slots;
    memcpy(r->known[at].bucket, bucket.ptr, bucket.len); /* both passed their grammar */
    r->known[at].bucket[bucket.len] = '\0';
    memcpy(r->known[at].region, region.ptr, region.len);
    r->known[at].region[region.len] = '\0';
}

/*
 * https://logs.s3.eu-west-1.amazonaws.com  + /key           virtual-hosted
 * https://s3.eu-west-1.amazonaws.com       + /my.logs/key   path style
 */
static enum status address(struct aws_client *c, struct view bucket, struct view region,
                           struct view key, struct buf *endpoint, struct buf *path,
                           struct error *err)
{
    bool overridden = false;
    struct buf base;
    if (!aws_bucket_valid(bucket))
        return error_set(err, ST_BAD_ITEM, "not a bucket name: \"%.*s\"",
                         (int)(bucket.len < 64 ? bucket.len : 64), bucket.ptr);
    if (key.len > MAX_KEY)
        return error_set(err, ST_BAD_ITEM, "key is longer than %d bytes", MAX_KEY);
    buf_init(&base, MAX_PATH);
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

static struct view first_region(struct aws_client *c, struct view bucket, struct view asked)
{
    struct view region = known_region(c, bucket);
    if (region.len == 0)
        region = asked;
    if (region.len == 0)
        region = aws_config_region(aws_client_config(c));
    /* Any Region can say where a bucket is; us-east-1 always exists. */
    return region.len == 0 ? VIEW_LIT("us-east-1") : region;
}

enum status s3_url(struct aws_client *client, struct view bucket, struct view region,
                   struct view key, struct buf *out, struct error *err)
{
    struct buf path;
    buf_init(&path, MAX_PATH);
    enum status st =
        address(client, bucket, first_region(client, bucket, region), key, out, &path, err);
    if (!st) {
        buf_add_view(out, buf_view(&path));
        st = buf_status(out);
    }
    buf_clear(&path);
    return st;
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
    bool ok = aws_region_valid(buf_view(&text)) && !view_eq(buf_view(&text), used);
    if (ok) {
        memcpy(out, text.ptr, text.len);
        out[text.len] = '\0';
    }
    buf_clear(&text);
    return ok;
}

/* One call about a bucket or object, following it to its Region. */
static enum status call(struct aws_client *c, struct view bucket, struct view region,
                        struct view key, struct aws_request *req, struct aws_answer *answer,
                        struct http_stream **stream, struct error *err)
{
    char learned[33];
    struct view use = first_region(c, bucket, region);
    for (unsigned n = 0;; n++) {
        struct buf endpoint;
        struct buf path;
        buf_init(&endpoint, MAX_PATH);
        buf_init(&path, MAX_PATH);
        enum status st = address(c, bucket, use, key, &endpoint, &path, err);
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

/* ---- objects ---- */

struct s3_object {
    struct aws_client *client;
    struct http_stream *stream; /* NULL between a cut and the restart */
    struct buf bucket, key, version_id, etag, owner, region, version;
    uint64_t size;
    uint64_t at; /* bytes given so far */
    uint64_t restarted_at;
    int64_t modified_s;
    unsigned max_restarts;
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

static enum status read_head(struct s3_object *o, const struct aws_answer *a, struct error *err)
{
    const struct http_response *r = &a->http;
    uint64_t length = 0;
    if (o->at > 0) {
        if (r->status != 206 ||
            !range_fits(http_response_header(r, "content-range"), o->at, o->size))
            return error_set(err, ST_RETRY, "GetObject: the answer is not the range asked for");
        return ST_OK;
    }
    if (r->status != 200 ||
        view_parse_u64(http_response_header(r, "content-length"), INT64_MAX, &length) != ST_OK)
        return error_set(err, ST_RETRY, "GetObject: answer without a usable Content-Length");
    buf_reset(&o->etag);
    buf_reset(&o->version);
    buf_add_view(&o->etag, http_response_header(r, "etag"));
    buf_add_view(&o->version, http_response_header(r, "x-amz-version-id"));
    o->size = length;
    if (retry_parse_http_date(http_response_header(r, "last-modified"), &o->modified_s) != ST_OK)
        o->modified_s = 0;
    enum status st = buf_status(&o->etag);
    return st ? st : buf_status(&o->version);
}

/* Open at o->at.  if_match: what the caller wants, or after a cut the ETag seen first. */
static enum status open_at(struct s3_object *o, struct view if_match, struct error *err)
{
    struct http_header headers[3];
    size_t n = 0;
    struct buf query;
    struct buf range;
    struct aws_answer answer;
    buf_init(&query, MAX_PATH);
    buf_init(&range, 64);
    aws_answer_init(&answer);
    if (o->version_id.len > 0) {
        buf_add_cstr(&query, "versionId=");
        uri_add_encoded(&query, buf_view(&o->version_id));
    }
    if (o->at > 0) {
        buf_add_cstr(&range, "bytes=");
        buf_add_u64(&range, o->at);
        buf_add_char(&range, '-');
        headers[n++] = http_header_of("Range", buf_view(&range));
    }
    if (if_match.len > 0)
        headers[n++] = http_header_of("If-Match", if_match);
    if (o->owner.len > 0)
        headers[n++] = http_header_of("x-amz-expected-bucket-owner", buf_view(&o->owner));
    struct aws_request req = {.operation = "GetObject",
                              .method = "GET",
                              .query = buf_view(&query),
                              .headers = headers,
                              .n_headers = n,
                              .idle_timeout_ms = IDLE_MS,
                              .min_bytes_per_s = MIN_BYTES_PER_S};
    enum status st = buf_status(&query);
    if (!st)
        st = buf_status(&range);
    if (!st)
        st = call(o->client, buf_view(&o->bucket), buf_view(&o->region), buf_view(&o->key), &req,
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
    buf_clear(&query);
    buf_clear(&range);
    return st;
}

static void keep(struct buf *b, struct view v)
{
    buf_init(b, 4096);
    buf_add_view(b, v);
}

enum status s3_object_open(struct s3_object **out, struct aws_client *client,
                           const struct s3_get *get, struct error *err)
{
    *out = NULL;
    if (get->key.len == 0)
        return error_set(err, ST_BAD_ITEM, "empty key");
    struct s3_object *o = calloc(1, sizeof(*o));
    if (o == NULL)
        return ST_NO_MEMORY;
    o->client = client;
    o->max_restarts = get->max_restarts > 0 ? get->max_restarts : DEFAULT_RESTARTS;
    keep(&o->bucket, get->bucket);
    keep(&o->key, get->key);
    keep(&o->version_id, get->version_id);
    keep(&o->owner, get->expected_owner);
    keep(&o->region, get->region);
    buf_init(&o->etag, 1024);
    buf_init(&o->version, 2048);
    retry_init(&o->pause, NULL, aws_client_clock(client), NULL, UINT32_MAX,
               aws_client_deadline(client), 0);
    const struct buf *kept[] = {&o->bucket, &o->key, &o->version_id, &o->owner, &o->region};
    enum status st = ST_OK;
    for (size_t i = 0; i < sizeof(kept) / sizeof(kept[0]) && !st; i++)
        if (buf_status(kept[i]) != ST_OK)
            st = error_set(err, ST_BAD_ITEM, "bucket, key or version is too long");
    if (!st)
        st = open_at(o, get->if_match, err);
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

struct view s3_object_version_id(const struct s3_object *o)
{
    return buf_view(&o->version);
}

int64_t s3_object_modified_s(const struct s3_object *o)
{
    return o->modified_s;
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
    if (o->etag.len == 0 || o->in_a_row == o->max_restarts)
        return ST_RETRY; /* with the text of the cut */
    o->pause.attempt = o->in_a_row + 1;
    o->in_a_row++;
    o->restarts++;
    o->restarted_at = o->at;
    enum status st = retry_wait(&o->pause, false, 0, NULL);
    if (st)
        return st;
    return open_at(o, buf_view(&o->etag), err);
}

enum status s3_object_read(struct s3_object *o, void *out, size_t size, size_t *n,
                           struct error *err)
{
    struct error cut = {{0}, 0};
    *n = 0;
    if (o->failed)
        return error_set(err, ST_RETRY, "read after a failure");
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
            st = error_set(err, ST_RETRY, "GetObject: more bytes than Content-Length said");
        } else if (all) {
            return ST_END; /* every byte is here; how the connection ended does not matter */
        } else if (st == ST_END || st == ST_RETRY) {
            error_set(err, ST_RETRY, "GetObject: cut after %llu of %llu bytes: %s",
                      (unsigned long long)o->at, (unsigned long long)o->size,
                      st == ST_END ? "connection closed" : cut.text);
            st = restart(o, err);
            if (st == ST_OK)
                continue;
        } else {
            error_set(err, st, "GetObject: %s", cut.text);
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
    struct buf *kept[] = {&o->bucket, &o->key,  &o->version_id, &o->owner,
                          &o->region, &o->etag, &o->version};
    for (size_t i = 0; i < sizeof(kept) / sizeof(kept[0]); i++)
        buf_clear(kept[i]);
    free(o);
}

/* ---- listings ---- */

/* An entry of a page; its texts are offsets into `store`, which moves while the page is read. */
struct list_item {
    size_t key_at, key_len;
    size_t etag_at, etag_len;
    uint64_t size;
    int64_t modified_s;
    bool is_prefix;
};

struct s3_list {
    struct aws_client *client;
    struct buf bucket, prefix, start_after, delimiter, owner, region;
    unsigned page_keys;
    struct buf store;
    struct list_item *items;
    size_t n, cap, at;
    struct buf token; /* of the next page */
    bool started;
    bool last_page;
};

enum status s3_list_open(struct s3_list **out, struct aws_client *client,
                         const struct s3_list_options *options, struct error *err)
{
    *out = NULL;
    if (!aws_bucket_valid(options->bucket))
        return error_set(err, ST_BAD_ITEM, "not a bucket name: \"%.*s\"",
                         (int)(options->bucket.len < 64 ? options->bucket.len : 64),
                         options->bucket.ptr);
    if (options->prefix.len > MAX_KEY || options->start_after.len > MAX_KEY ||
        options->delimiter.len > MAX_KEY)
        return error_set(err, ST_BAD_ITEM, "prefix is longer than %d bytes", MAX_KEY);
    struct s3_list *l = calloc(1, sizeof(*l));
    if (l == NULL)
        return ST_NO_MEMORY;
    l->client = client;
    l->page_keys =
        options->page_keys > 0 && options->page_keys < PAGE_KEYS ? options->page_keys : PAGE_KEYS;
    keep(&l->bucket, options->bucket);
    keep(&l->prefix, options->prefix);
    keep(&l->start_after, options->start_after);
    keep(&l->delimiter, options->delimiter);
    keep(&l->owner, options->expected_owner);
    keep(&l->region, options->region);
    buf_init(&l->token, 4096);
    buf_init(&l->store, MAX_LIST);
    const struct buf *kept[] = {&l->bucket,    &l->prefix, &l->start_after,
                                &l->delimiter, &l->owner,  &l->region};
    for (size_t i = 0; i < sizeof(kept) / sizeof(kept[0]); i++) {
        enum status st = buf_status(kept[i]);
        if (st) {
            s3_list_close(l);
            return st;
        }
    }
    *out = l;
    return ST_OK;
}

void s3_list_close(struct s3_list *l)
{
    if (l == NULL)
        return;
    struct buf *kept[] = {&l->bucket, &l->prefix, &l->start_after, &l->delimiter,
                          &l->owner,  &l->region, &l->token,       &l->store};
    for (size_t i = 0; i < sizeof(kept) / sizeof(kept[0]); i++)
        buf_clear(kept[i]);
    free(l->items);
    free(l);
}

static void add_parameter(struct buf *query, const char *name, const struct buf *value)
{
    if (value->len == 0)
        return;
    buf_add_char(query, '&');
    buf_add_cstr(query, name);
    buf_add_char(query, '=');
    uri_add_encoded(query, buf_view(value));
}

static enum status add_item(struct s3_list *l, const struct list_item *item)
{
    if (!array_room(&l->items, l->n, &l->cap, 256, sizeof(*l->items)))
        return ST_NO_MEMORY;
    l->items[l->n++] = *item;
    return ST_OK;
}

/* What a page says besides its entries. */
struct page {
    struct list_item item; /* the one being read */
    bool encoded;          /* keys are percent-encoded */
    bool truncated;
    bool has_token;
    struct buf token;
};

static enum status store_key(struct s3_list *l, struct page *p, struct view text)
{
    p->item.key_at = l->store.len;
    enum status st = ST_OK;
    if (p->encoded) {
        st = uri_decode(&l->store, text, true);
    } else {
        buf_add_view(&l->store, text);
        st = buf_status(&l->store);
    }
    p->item.key_len = l->store.len - p->item.key_at;
    return st;
}

static enum status on_text(struct s3_list *l, struct page *p, const struct xml_scan *x)
{
    struct view path = xml_scan_path(x);
    struct view text = xml_scan_text(x);
    const struct view root = VIEW_LIT("ListBucketResult/");
    if (!view_starts(path, root))
        return ST_BAD_ITEM;
    path = view_skip(path, root.len);
    struct instant at = {0};
    if (view_eq_cstr(path, "Contents/Key") || view_eq_cstr(path, "CommonPrefixes/Prefix"))
        return store_key(l, p, text);
    if (view_eq_cstr(path, "Contents/Size"))
        return view_parse_u64(text, INT64_MAX, &p->item.size);
    if (view_eq_cstr(path, "Contents/ETag")) {
        p->item.etag_at = l->store.len;
        p->item.etag_len = text.len;
        buf_add_view(&l->store, text);
        return buf_status(&l->store);
    }
    if (view_eq_cstr(path, "Contents/LastModified")) {
        if (rfc3339_parse(text, &at) != ST_OK)
            return ST_BAD_ITEM;
        p->item.modified_s = at.seconds;
    } else if (view_eq_cstr(path, "IsTruncated")) {
        p->truncated = view_eq_cstr(text, "true");
    } else if (view_eq_cstr(path, "NextContinuationToken")) {
        p->has_token = true;
        buf_add_view(&p->token, text);
        return buf_status(&p->token);
    }
    return ST_OK;
}

static enum status on_close(struct s3_list *l, struct page *p, const struct xml_scan *x)
{
    bool contents = xml_scan_at(x, "ListBucketResult/Contents");
    bool prefix = xml_scan_at(x, "ListBucketResult/CommonPrefixes");
    if (!contents && !prefix)
        return ST_OK;
    if (p->item.key_len == 0)
        return ST_BAD_ITEM;
    p->item.is_prefix = prefix;
    enum status st = add_item(l, &p->item);
    p->item = (struct list_item){0};
    return st;
}

/* EncodingType may stand behind the keys, so it is looked for first. */
static enum status find_encoding(struct view xml, bool *encoded)
{
    struct buf text;
    buf_init(&text, XML_MAX_TEXT);
    enum status st = xml_scan_find(xml, "ListBucketResult/EncodingType", &text);
    *encoded = st == ST_OK && view_eq_cstr(buf_view(&text), "url");
    buf_clear(&text);
    return st == ST_MISSING ? ST_OK : st; /* keys then stand as they are */
}

static enum status read_page(struct s3_list *l, struct view xml, struct error *err)
{
    struct page p = {0};
    struct xml_scan x;
    enum xml_kind kind;
    struct error inner = {{0}, 0};
    buf_init(&p.token, 4096);
    buf_reset(&l->store);
    l->n = l->at = 0;
    enum status st = find_encoding(xml, &p.encoded);
    if (st)
        return st;
    xml_scan_init(&x, xml);
    while ((st = xml_scan_next(&x, &kind, &inner)) == ST_OK) {
        if (kind == XML_TEXT)
            st = on_text(l, &p, &x);
        else if (kind == XML_CLOSE)
            st = on_close(l, &p, &x);
        if (st)
            break;
    }
    xml_scan_clear(&x);
    if (st == ST_END)
        st = ST_OK;
    else if (st != ST_NO_MEMORY)
        st = error_set(err, ST_RETRY, "ListObjectsV2: unusable answer: %s",
                       inner.text[0] != '\0' ? inner.text : "unexpected element or value");
    l->last_page = !p.truncated;
    if (!st && p.truncated &&
        (!p.has_token || p.token.len == 0 || view_eq(buf_view(&p.token), buf_view(&l->token))))
        st = error_set(err, ST_RETRY, "ListObjectsV2: truncated page without a new token");
    buf_reset(&l->token);
    buf_add_view(&l->token, buf_view(&p.token));
    buf_clear(&p.token);
    return st ? st : buf_status(&l->token);
}

static enum status next_page(struct s3_list *l, struct error *err)
{
    struct buf query;
    struct aws_answer answer;
    struct http_header owner = http_header_of("x-amz-expected-bucket-owner", buf_view(&l->owner));
    buf_init(&query, 32 * 1024);
    aws_answer_init(&answer);
    buf_printf(&query, "list-type=2&encoding-type=url&max-keys=%u", l->page_keys);
    add_parameter(&query, "prefix", &l->prefix);
    add_parameter(&query, "delimiter", &l->delimiter);
    add_parameter(&query, l->token.len > 0 ? "continuation-token" : "start-after",
                  l->token.len > 0 ? &l->token : &l->start_after);
    struct aws_request req = {.operation = "ListObjectsV2",
                              .method = "GET",
                              .query = buf_view(&query),
                              .headers = &owner,
                              .n_headers = l->owner.len > 0 ? 1 : 0,
                              .total_timeout_ms = 30000,
                              .max_body_bytes = MAX_LIST};
    enum status st = buf_status(&query);
    if (!st)
        st = call(l->client, buf_view(&l->bucket), buf_view(&l->region), VIEW_EMPTY, &req, &answer,
                  NULL, err);
    if (!st)
        st = read_page(l, buf_view(&answer.http.body), err);
    aws_answer_clear(&answer);
    buf_clear(&query);
    return st;
}

enum status s3_list_next(struct s3_list *l, struct s3_entry *out, struct error *err)
{
    while (l->at == l->n) { /* pages may be empty */
        if (l->started && l->last_page)
            return ST_END;
        enum status st = next_page(l, err);
        if (st)
            return st;
        l->started = true;
    }
    const struct list_item *item = &l->items[l->at++];
    *out = (struct s3_entry){.key = view_make(l->store.ptr + item->key_at, item->key_len),
                             .etag = view_make(l->store.ptr + item->etag_at, item->etag_len),
                             .size = item->size,
                             .modified_s = item->modified_s,
                             .is_prefix = item->is_prefix};
    return ST_OK;
}

/* ---- the rest ---- */

enum status s3_head_bucket(struct aws_client *client, struct view bucket,
                           struct view expected_owner, struct buf *region, struct error *err)
{
    struct aws_answer answer;
    struct http_header owner = http_header_of("x-amz-expected-bucket-owner", expected_owner);
    aws_answer_init(&answer);
    struct aws_request req = {.operation = "HeadBucket",
                              .method = "HEAD",
                              .headers = &owner,
                              .n_headers = expected_owner.len > 0 ? 1 : 0};
    enum status st = call(client, bucket, VIEW_EMPTY, VIEW_EMPTY, &req, &answer, NULL, err);
    if (!st && region != NULL) {
        struct view told = http_response_header(&answer.http, "x-amz-bucket-region");
        buf_add_view(region,
                     aws_region_valid(told) ? told : first_region(client, bucket, VIEW_EMPTY));
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
        st = call(client, bucket, VIEW_EMPTY, VIEW_EMPTY, &req, &answer, NULL, err);
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
    enum status st = key.len == 0 ? error_set(err, ST_BAD_ITEM, "empty key")
                                  : call(client, bucket, VIEW_EMPTY, key, &req, &answer, NULL, err);
    aws_answer_clear(&answer);
    return st;
}
