/*
 * s3_list.c: listings of a bucket (ListObjectsV2), one page of at most 1,000 keys in memory at a
 * time.
 *
 *   <ListBucketResult>
 *     <IsTruncated>true</IsTruncated> <NextContinuationToken>...</NextContinuationToken>
 *     <Contents> <Key>AWSLogs/...</Key> <LastModified/> <ETag/> <Size/> </Contents>
 *     <CommonPrefixes> <Prefix>AWSLogs/</Prefix> </CommonPrefixes>
 *
 * Keys are asked for percent-encoded (encoding-type=url), because XML 1.0 cannot hold every byte a
 * key may have.
 */
#include <stdlib.h>

#include "aws/aws_private.h"
#include "aws/s3.h"
#include "aws/uri.h"
#include "aws/xml_scan.h"
#include "base/array.h"
#include "base/rfc3339.h"

enum {
    /* 1000 keys of 1024 bytes, each byte as %XX, and the rest of their elements. */
    MAX_LIST = 8 * 1024 * 1024,
    PAGE_KEYS = 1000,
};

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
    struct s3_list_options options;
    struct buf start_after; /* a copy, because a walk reuses its own */
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
        return error_set(err, ST_BAD_ITEM, E_U215, "not a bucket name: \"%.*s\"",
                         SHOW_MAX(options->bucket, 64));
    if (options->prefix.len > S3_MAX_KEY || options->start_after.len > S3_MAX_KEY ||
        options->delimiter.len > S3_MAX_KEY)
        return error_set(err, ST_BAD_ITEM, E_A216, "prefix is longer than %d bytes", S3_MAX_KEY);
    struct s3_list *l = calloc(1, sizeof(*l));
    if (l == NULL)
        return ST_NO_MEMORY;
    l->client = client;
    l->options = *options;
    if (options->page_keys == 0 || options->page_keys > PAGE_KEYS)
        l->options.page_keys = PAGE_KEYS;
    buf_init(&l->token, 4096);
    buf_init(&l->store, MAX_LIST);
    buf_init(&l->start_after, S3_MAX_KEY);
    buf_add_view(&l->start_after, options->start_after);
    enum status st = buf_status(&l->start_after);
    if (st)
        s3_list_close(l);
    else
        *out = l;
    return st;
}

void s3_list_close(struct s3_list *l)
{
    if (l == NULL)
        return;
    buf_clear(&l->start_after);
    buf_clear(&l->token);
    buf_clear(&l->store);
    free(l->items);
    free(l);
}

/* What a page says besides its entries. */
struct page {
    struct list_item item; /* the one being read */
    bool encoded;          /* keys are percent-encoded */
    bool truncated;
    bool has_token;
    struct buf token;
};

/* The text of one element; elements that are not named here are passed over. */
static enum status on_text(struct s3_list *l, struct page *p, const struct xml_scan *x)
{
    struct view path = xml_scan_path(x);
    struct view text = xml_scan_text(x);
    const struct view root = VIEW_LIT("ListBucketResult/");
    if (!view_starts(path, root))
        return ST_BAD_ITEM;
    path = view_skip(path, root.len);
    struct instant at = {0};
    if (view_eq_cstr(path, "Contents/Key") || view_eq_cstr(path, "CommonPrefixes/Prefix")) {
        /* Emulators may ignore encoding-type, so it is undone only where the answer names it. */
        p->item.key_at = l->store.len;
        enum status st = ST_OK;
        if (p->encoded)
            st = uri_decode(&l->store, text, true);
        else
            buf_add_view(&l->store, text);
        p->item.key_len = l->store.len - p->item.key_at;
        return st ? st : buf_status(&l->store);
    }
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

/* An entry is complete. */
static enum status on_close(struct s3_list *l, struct page *p, const struct xml_scan *x)
{
    bool contents = xml_scan_at(x, "ListBucketResult/Contents");
    bool prefix = xml_scan_at(x, "ListBucketResult/CommonPrefixes");
    if (!contents && !prefix)
        return ST_OK;
    if (p->item.key_len == 0)
        return ST_BAD_ITEM;
    p->item.is_prefix = prefix;
    if (!array_room(&l->items, l->n, &l->cap, 256, sizeof(*l->items)))
        return ST_NO_MEMORY;
    l->items[l->n++] = p->item;
    p->item = (struct list_item){0};
    return ST_OK;
}

/* EncodingType may come after the keys, so it is looked for first. */
static enum status find_encoding(struct view xml, bool *encoded)
{
    struct buf text;
    buf_init(&text, XML_MAX_TEXT);
    enum status st = xml_scan_find(xml, "ListBucketResult/EncodingType", &text);
    *encoded = st == ST_OK && view_eq_cstr(buf_view(&text), "url");
    buf_clear(&text);
    return st == ST_MISSING ? ST_OK : st; /* keys are then as they are */
}

/*
 * Replace the entries by those of one answer.  A token that does not move on would be an endless
 * listing, so it is refused.
 */
static enum status read_page(struct s3_list *l, struct view xml, struct error *err)
{
    struct page p = {0};
    struct xml_scan x;
    enum xml_kind kind;
    struct error inner = {0};
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
        st = error_set(err, ST_RETRY, E_A305, "ListObjectsV2: unusable answer: %s",
                       inner.text[0] != '\0' ? inner.text : "unexpected element or value");
    l->last_page = !p.truncated;
    if (!st && p.truncated &&
        (!p.has_token || p.token.len == 0 || view_eq(buf_view(&p.token), buf_view(&l->token))))
        st = error_set(err, ST_RETRY, E_A305, "ListObjectsV2: truncated page without a new token");
    buf_reset(&l->token);
    buf_add_view(&l->token, buf_view(&p.token));
    buf_clear(&p.token);
    return st ? st : buf_status(&l->token);
}

static enum status next_page(struct s3_list *l, struct error *err)
{
    struct buf query;
    struct aws_answer answer;
    buf_init(&query, 32 * 1024);
    aws_answer_init(&answer);
    buf_printf(&query, "list-type=2&encoding-type=url&max-keys=%u", l->options.page_keys);
    uri_add_parameter(&query, "prefix", l->options.prefix);
    uri_add_parameter(&query, "delimiter", l->options.delimiter);
    uri_add_parameter(&query, l->token.len > 0 ? "continuation-token" : "start-after",
                      buf_view(l->token.len > 0 ? &l->token : &l->start_after));
    struct aws_request req = {.operation = "ListObjectsV2",
                              .method = "GET",
                              .query = buf_view(&query),
                              .total_timeout_ms = 30000,
                              .max_body_bytes = MAX_LIST};
    enum status st = buf_status(&query);
    if (!st)
        st = s3_call(l->client, l->options.bucket, l->options.region, VIEW_EMPTY, &req, &answer,
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
