/*
 * sigv4.c: the canonical request, the string to sign, the derived key.
 *
 *   GET                                                     method
 *   /test.txt                                               canonical path
 *   list-type=2&prefix=a                                    canonical query, sorted
 *   host:examplebucket.s3.amazonaws.com                     canonical headers, sorted
 *   x-amz-date:20130524T000000Z
 *
 *   host;x-amz-date                                         their names
 *   e3b0c442...                                             SHA-256 of the body
 *
 * Facts: IAM user guide, "Create a signed AWS API request".  S3 differs in two points only: its
 * path is signed as it is sent, and the body's digest is a header.
 */
#include "aws/sigv4.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/sha.h>
#include <stdlib.h>

#include "aws/uri.h"
#include "base/rfc3339.h"

enum {
    MAX_HEADERS = 48,    /* what one request of ours could hold, with room */
    MAX_PARAMETERS = 64, /* of a query */
    MAX_CANONICAL = 256 * 1024,
};

/* By name, then by value. */
static int pair_order(const void *a, const void *b)
{
    const struct http_header *x = a;
    const struct http_header *y = b;
    int by_name = view_compare(x->name, y->name);
    return by_name != 0 ? by_name : view_compare(x->value, y->value);
}

void sigv4_cache_clear(struct sigv4_cache *cache)
{
    OPENSSL_cleanse(cache, sizeof(*cache));
}

void sigv4_result_init(struct sigv4_result *r)
{
    memset(r, 0, sizeof(*r));
    buf_init(&r->authorization, 4096);
    buf_init(&r->canonical, MAX_CANONICAL);
    buf_init(&r->string_to_sign, 4096);
}

void sigv4_result_clear(struct sigv4_result *r)
{
    buf_wipe(&r->authorization);
    buf_wipe(&r->canonical);
    buf_wipe(&r->string_to_sign);
}

enum status sigv4_format_date(int64_t time_s, char out[SIGV4_DATE_BYTES])
{
    char text[RFC3339_BYTES];
    size_t n = 0;
    if (time_s < rfc3339_days(0, 1, 1) * 86400 || time_s >= rfc3339_days(10000, 1, 1) * 86400)
        return ST_BAD_ITEM;
    rfc3339_format(time_s, text);
    for (const char *c = text; *c != '\0'; c++)
        if (*c != '-' && *c != ':')
            out[n++] = *c;
    out[n] = '\0';
    return ST_OK;
}

static bool sha256(struct view bytes, uint8_t out[32])
{
    unsigned len = 0;
    return EVP_Digest(bytes.len > 0 ? bytes.ptr : "", bytes.len, out, &len, EVP_sha256(), NULL) ==
           1;
}

enum status sigv4_sha256_hex(struct view bytes, char out[65])
{
    uint8_t digest[32];
    if (!sha256(bytes, digest))
        return ST_NO_MEMORY;
    hex_format(digest, 32, out);
    return ST_OK;
}

static bool hmac(struct view key, struct view text, uint8_t out[32])
{
    unsigned len = 0;
    return key.len <= INT32_MAX &&
           HMAC(EVP_sha256(), key.ptr, (int)key.len, (const unsigned char *)text.ptr, text.len, out,
                &len) != NULL;
}

/*
 * The path folded as RFC 3986, 5.2.4 says, and "//" to "/", which is what AWS services other than
 * S3 do before they check a signature.
 */
static void add_normalized(struct buf *out, struct view path)
{
    struct view rest = view_skip(path, 1);
    struct view part;
    bool trailing = false;
    size_t start = out->len;
    while (view_split(&rest, '/', &part)) {
        trailing = part.len == 0 || view_eq_cstr(part, ".") || view_eq_cstr(part, "..");
        if (view_eq_cstr(part, "..")) {
            while (out->len > start && out->ptr[out->len - 1] != '/')
                out->len--;
            if (out->len > start)
                out->len--;
        } else if (part.len > 0 && !view_eq_cstr(part, ".")) {
            buf_add_char(out, '/');
            buf_add_view(out, part);
        }
    }
    if (trailing || out->len == start)
        buf_add_char(out, '/');
}

static enum status add_canonical_path(struct buf *out, const struct sigv4_request *req)
{
    struct view path = req->path.len > 0 ? req->path : VIEW_LIT("/");
    if (req->s3) {
        buf_add_view(out, path);
        return buf_status(out);
    }
    if (!req->normalize_path) {
        uri_add_encoded_path(out, path);
        return buf_status(out);
    }
    struct buf folded;
    buf_init(&folded, MAX_CANONICAL);
    add_normalized(&folded, path);
    uri_add_encoded_path(out, buf_view(&folded));
    enum status st = buf_status(&folded);
    buf_clear(&folded);
    return st ? st : buf_status(out);
}

/* Append text, decoded and encoded again, so that every spelling is signed in the one AWS uses. */
static enum status add_recoded(struct buf *store, struct view text)
{
    struct buf plain;
    buf_init(&plain, MAX_CANONICAL);
    enum status st = uri_decode(&plain, text, false);
    if (!st)
        uri_add_encoded(store, buf_view(&plain));
    buf_wipe(&plain);
    return st ? st : buf_status(store);
}

/* The parameters, each decoded and encoded anew, sorted by name, then value. */
static enum status add_canonical_query(struct buf *out, struct view query)
{
    struct http_header pairs[MAX_PARAMETERS];
    size_t name_end[MAX_PARAMETERS];
    size_t value_end[MAX_PARAMETERS];
    size_t n = 0;
    struct buf store;
    buf_init(&store, MAX_CANONICAL);
    /* Some memory even when all names and values are empty, so that ptr + 0 is defined. */
    enum status st = buf_cstr(&store) == NULL ? buf_status(&store) : ST_OK;
    struct view rest = query;
    struct view part;
    while (!st && query.len > 0 && view_split(&rest, '&', &part)) {
        if (part.len == 0)
            continue;
        if (n == MAX_PARAMETERS) {
            st = ST_TOO_BIG;
            goto out;
        }
        size_t equals = view_find_char(part, '=');
        st = add_recoded(&store, equals == SIZE_MAX ? part : view_first(part, equals));
        if (st)
            goto out;
        name_end[n] = store.len;
        if (equals != SIZE_MAX) {
            st = add_recoded(&store, view_skip(part, equals + 1));
            if (st)
                goto out;
        }
        value_end[n++] = store.len;
    }
    if (st)
        goto out;
    size_t begin = 0;
    for (size_t i = 0; i < n; i++) { /* only now: the store no longer moves */
        pairs[i].name = view_make(store.ptr + begin, name_end[i] - begin);
        pairs[i].value = view_make(store.ptr + name_end[i], value_end[i] - name_end[i]);
        begin = value_end[i];
    }
    qsort(pairs, n, sizeof(pairs[0]), pair_order);
    for (size_t i = 0; i < n; i++) {
        if (i > 0)
            buf_add_char(out, '&');
        buf_add_view(out, pairs[i].name);
        buf_add_char(out, '=');
        buf_add_view(out, pairs[i].value);
    }
    st = buf_status(out);
out:
    buf_wipe(&store);
    return st;
}

/* Blanks off the ends, runs of blanks to one. */
static void add_folded(struct buf *out, struct view value)
{
    value = view_trim(value);
    bool blank = false;
    for (size_t i = 0; i < value.len; i++) {
        bool is_blank = value.ptr[i] == ' ';
        if (!is_blank || !blank)
            buf_add_char(out, value.ptr[i]);
        blank = is_blank;
    }
}

/* By lower-case name, bytewise. */
static int header_order(struct view a, struct view b)
{
    for (size_t i = 0; i < a.len && i < b.len; i++) {
        unsigned char x = (unsigned char)view_lower(a.ptr[i]);
        unsigned char y = (unsigned char)view_lower(b.ptr[i]);
        if (x != y)
            return x < y ? -1 : 1;
    }
    return (a.len > b.len) - (a.len < b.len);
}

static void add_lower(struct buf *out, struct view name)
{
    for (size_t i = 0; i < name.len; i++)
        buf_add_char(out, view_lower(name.ptr[i]));
}

/*
 * Canonical headers, an empty line, and the list of their names (also into *names).  A stable
 * insertion sort: headers of one name are joined in the order they are sent.
 */
static enum status add_canonical_headers(struct buf *out, struct buf *names,
                                         const struct http_header *headers, size_t n)
{
    const struct http_header *sorted[MAX_HEADERS];
    for (size_t i = 0; i < n; i++) {
        size_t at = i;
        while (at > 0 && header_order(sorted[at - 1]->name, headers[i].name) > 0) {
            sorted[at] = sorted[at - 1];
            at--;
        }
        sorted[at] = &headers[i];
    }
    for (size_t i = 0; i < n; i++) {
        if (i > 0 && view_eq_nocase(sorted[i]->name, sorted[i - 1]->name)) {
            buf_add_char(out, ',');
        } else {
            if (i > 0) {
                buf_add_char(out, '\n');
                buf_add_char(names, ';');
            }
            add_lower(out, sorted[i]->name);
            buf_add_char(out, ':');
            add_lower(names, sorted[i]->name);
        }
        add_folded(out, sorted[i]->value);
    }
    buf_add_cstr(out, "\n\n");
    buf_add_view(out, buf_view(names));
    enum status st = buf_status(names);
    return st ? st : buf_status(out);
}

/* The whole of it into out->canonical; *names gets the list of signed headers. */
static enum status canonical_request(const struct sigv4_request *req, struct sigv4_result *out,
                                     struct buf *names)
{
    struct http_header all[MAX_HEADERS];
    size_t n = 0;
    if (req->n_headers > MAX_HEADERS - 3)
        return ST_TOO_BIG;
    for (size_t i = 0; i < req->n_headers; i++) {
        if (!http_header_clean(&req->headers[i]))
            return ST_BAD_ITEM;
        all[n++] = req->headers[i];
    }
    all[n++] = (struct http_header){VIEW_LIT("x-amz-date"), view_of(out->date)};
    if (out->has_sha256_header)
        all[n++] =
            (struct http_header){VIEW_LIT("x-amz-content-sha256"), view_of(out->payload_sha256)};
    if (req->session_token.len > 0 && !req->token_unsigned) {
        all[n] = (struct http_header){VIEW_LIT("x-amz-security-token"), req->session_token};
        if (!http_header_clean(&all[n++]))
            return ST_BAD_ITEM;
    }
    struct buf *c = &out->canonical;
    buf_add_view(c, req->method);
    buf_add_char(c, '\n');
    enum status st = add_canonical_path(c, req);
    if (st)
        return st;
    buf_add_char(c, '\n');
    st = add_canonical_query(c, req->query);
    if (st)
        return st;
    buf_add_char(c, '\n');
    st = add_canonical_headers(c, names, all, n);
    if (st)
        return st;
    buf_add_char(c, '\n');
    buf_add_cstr(c, out->payload_sha256);
    return buf_status(c);
}

/*
 * AWS4 + secret -> day -> Region -> service -> "aws4_request", an HMAC each: a key that leaks is
 * good for a day, a Region and a service.
 */
static enum status derive(const struct sigv4_request *req, struct view day, uint8_t key[32])
{
    struct buf first;
    buf_init(&first, 4096);
    buf_add_cstr(&first, "AWS4");
    buf_add_view(&first, req->secret);
    enum status st = buf_status(&first);
    if (!st && !(hmac(buf_view(&first), day, key) && hmac(view_make(key, 32), req->region, key) &&
                 hmac(view_make(key, 32), req->service, key) &&
                 hmac(view_make(key, 32), VIEW_LIT("aws4_request"), key)))
        st = ST_NO_MEMORY;
    buf_wipe(&first);
    return st;
}

static enum status signing_key(const struct sigv4_request *req, struct sigv4_cache *cache,
                               struct view day, uint8_t key[32])
{
    if (cache == NULL)
        return derive(req, day, key);
    struct buf id; /* everything the key depends on, each with its length before it */
    buf_init(&id, 4096);
    const struct view parts[] = {req->secret, day, req->region, req->service};
    for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
        buf_add_u64(&id, parts[i].len);
        buf_add_char(&id, ':');
        buf_add_view(&id, parts[i]);
    }
    uint8_t scope[32];
    enum status st = buf_status(&id);
    if (!st && !sha256(buf_view(&id), scope))
        st = ST_NO_MEMORY;
    buf_wipe(&id);
    if (st)
        return st;
    size_t slots = sizeof(cache->keys) / sizeof(cache->keys[0]);
    for (size_t i = 0; i < slots; i++) {
        if (cache->keys[i].used && memcmp(cache->keys[i].scope, scope, 32) == 0) {
            memcpy(key, cache->keys[i].key, 32);
            return ST_OK;
        }
    }
    st = derive(req, day, key);
    if (st)
        return st;
    struct sigv4_cached_key *slot = &cache->keys[cache->next++ % slots];
    memcpy(slot->key, key, 32);
    memcpy(slot->scope, scope, 32);
    slot->used = true;
    return ST_OK;
}

enum status sigv4_sign(const struct sigv4_request *req, struct sigv4_cache *cache,
                       struct sigv4_result *out)
{
    uint8_t key[32] = {0};
    uint8_t digest[32];
    char text[65];
    struct buf names;
    buf_init(&names, 4096);
    buf_reset(&out->authorization);
    buf_reset(&out->canonical);
    buf_reset(&out->string_to_sign);
    out->has_sha256_header = req->s3 || req->add_sha256;

    enum status st = sigv4_format_date(req->time_s, out->date);
    if (!st)
        st = sigv4_sha256_hex(req->body, out->payload_sha256);
    if (!st)
        st = canonical_request(req, out, &names);
    if (!st)
        st = sigv4_sha256_hex(buf_view(&out->canonical), text);
    if (st)
        goto out;

    struct view day = view_make(out->date, 8);
    struct buf *s = &out->string_to_sign;
    buf_add_cstr(s, "AWS4-HMAC-SHA256\n");
    buf_add_cstr(s, out->date);
    buf_add_char(s, '\n');
    size_t scope_at = s->len;
    const struct view scope[] = {day, req->region, req->service, VIEW_LIT("aws4_request")};
    for (size_t i = 0; i < sizeof(scope) / sizeof(scope[0]); i++) {
        if (i > 0)
            buf_add_char(s, '/');
        buf_add_view(s, scope[i]);
    }
    size_t scope_len = s->len - scope_at;
    buf_add_char(s, '\n');
    buf_add_cstr(s, text);
    st = buf_status(s);
    if (!st)
        st = signing_key(req, cache, day, key);
    if (st)
        goto out;
    if (!hmac(view_make(key, 32), buf_view(s), digest)) {
        st = ST_NO_MEMORY;
        goto out;
    }
    hex_format(digest, 32, text);
    struct buf *a = &out->authorization;
    buf_add_cstr(a, "AWS4-HMAC-SHA256 Credential=");
    buf_add_view(a, req->access_key_id);
    buf_add_char(a, '/');
    buf_add(a, s->ptr + scope_at, scope_len);
    buf_add_cstr(a, ", SignedHeaders=");
    buf_add_view(a, buf_view(&names));
    buf_add_cstr(a, ", Signature=");
    buf_add_cstr(a, text);
    st = buf_status(a);
out:
    OPENSSL_cleanse(key, sizeof(key));
    buf_clear(&names);
    return st;
}
