/*
 * The signer against three sets of published or generated vectors, and its own refusals.
 *
 * BM_VECTORS names the folder that holds aws-c-auth/, s3-doc-examples/ and botocore/; without it
 * the vector tests are skipped, and say so.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <dirent.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "aws/sigv4.h"
#include "base/rfc3339.h"

static const char *folder(void)
{
    const char *set = getenv("BM_VECTORS");
    return set != NULL && set[0] != '\0' ? set : "../shared/data/sigv4";
}

static void path_of(char out[1024], const char *a, const char *b, const char *c)
{
    snprintf(out, 1024, "%s/%s%s%s", folder(), a, b, c);
}

static bool read_file(const char *path, struct buf *out)
{
    FILE *f = fopen(path, "rb");
    if (f == NULL)
        return false;
    char chunk[4096];
    size_t n;
    buf_init(out, 1024 * 1024);
    while ((n = fread(chunk, 1, sizeof(chunk), f)) > 0)
        buf_add(out, chunk, n);
    fclose(f);
    return true;
}

static struct view text_member(const json_t *o, const char *key)
{
    const json_t *m = json_object_get(o, key);
    return json_is_string(m) ? view_make(json_string_value(m), json_string_length(m)) : VIEW_EMPTY;
}

static struct view chop(struct view v)
{
    while (v.len > 0 && (v.ptr[v.len - 1] == '\n' || v.ptr[v.len - 1] == '\r'))
        v.len--;
    return v;
}

static void must_equal(const char *name, const char *what, struct view got, struct view want)
{
    if (!view_eq(got, want))
        fail_msg("%s: %s differs\n--- got\n%.*s\n--- want\n%.*s", name, what, (int)got.len, got.ptr,
                 (int)want.len, want.ptr);
}

/* "GET /path?query HTTP/1.1", headers, empty line, body */
static bool parse_request(struct view text, struct sigv4_request *r, struct http_header headers[32])
{
    struct view line;
    struct view rest = text;
    if (!view_split(&rest, '\n', &line))
        return false;
    size_t blank = view_find_char(line, ' ');
    size_t http = view_rfind(line, VIEW_LIT(" HTTP/1.1"));
    r->method = view_first(line, blank);
    struct view target = view_make(line.ptr + blank + 1, http - blank - 1);
    size_t question = view_find_char(target, '?');
    r->path = view_first(target, question == SIZE_MAX ? target.len : question);
    r->query = question == SIZE_MAX ? VIEW_EMPTY : view_skip(target, question + 1);
    r->headers = headers;
    r->n_headers = 0;
    r->body = VIEW_EMPTY;
    while (rest.len > 0 && view_split(&rest, '\n', &line)) {
        if (line.len == 0) {
            r->body = rest;
            break;
        }
        size_t colon = view_find_char(line, ':');
        if (line.ptr[0] == ' ' || colon == SIZE_MAX)
            return false; /* a folded header: obsolete, never sent by us */
        headers[r->n_headers++] =
            (struct http_header){view_first(line, colon), view_skip(line, colon + 1)};
    }
    return true;
}

static void compare_file(const char *name, const char *file, struct view got)
{
    char path[1024];
    struct buf want = {0};
    path_of(path, "aws-c-auth/v4/", name, file);
    assert_true(read_file(path, &want));
    must_equal(name, file, got, chop(buf_view(&want)));
    buf_clear(&want);
}

static void run_aws_case(const char *name)
{
    char path[1024];
    struct buf context = {0};
    struct buf request = {0};
    struct http_header headers[32];
    struct instant at;
    path_of(path, "aws-c-auth/v4/", name, "/context.json");
    assert_true(read_file(path, &context));
    path_of(path, "aws-c-auth/v4/", name, "/request.txt");
    assert_true(read_file(path, &request));
    json_t *doc = json_loadb(context.ptr, context.len, 0, NULL);
    assert_non_null(doc);
    const json_t *creds = json_object_get(doc, "credentials");
    assert_int_equal(rfc3339_parse(text_member(doc, "timestamp"), &at), ST_OK);
    struct sigv4_request r = {.access_key_id = text_member(creds, "access_key_id"),
                              .secret = text_member(creds, "secret_access_key"),
                              .session_token = text_member(creds, "token"),
                              .region = text_member(doc, "region"),
                              .service = text_member(doc, "service"),
                              .time_s = at.seconds,
                              .normalize_path = json_is_true(json_object_get(doc, "normalize")),
                              .add_sha256 = json_is_true(json_object_get(doc, "sign_body")),
                              .token_unsigned =
                                  json_is_true(json_object_get(doc, "omit_session_token"))};
    assert_true(parse_request(buf_view(&request), &r, headers));
    struct sigv4_result got;
    sigv4_result_init(&got);
    assert_int_equal(sigv4_sign(&r, NULL, &got), ST_OK);
    compare_file(name, "/header-canonical-request.txt", buf_view(&got.canonical));
    compare_file(name, "/header-string-to-sign.txt", buf_view(&got.string_to_sign));
    struct view signature = buf_view(&got.authorization);
    compare_file(name, "/header-signature.txt", view_skip(signature, signature.len - 64));
    sigv4_result_clear(&got);
    json_decref(doc);
    buf_clear(&context);
    buf_clear(&request);
}

static void test_aws_suite(void **state)
{
    (void)state;
    char path[1024];
    path_of(path, "aws-c-auth/v4", "", "");
    DIR *d = opendir(path);
    if (d == NULL) {
        print_message("SKIPPED: no vectors in %s (set BM_VECTORS)\n", path);
        skip();
    }
    unsigned n = 0;
    struct dirent *e;
    while ((e = readdir(d)) != NULL) {
        if (e->d_name[0] == '.' || strcmp(e->d_name, "get-header-value-multiline") == 0)
            continue;
        run_aws_case(e->d_name);
        n++;
    }
    closedir(d);
    print_message("%u cases of AWS's suite\n", n);
    assert_true(n >= 37);
}

static int64_t parse_stamp(struct view v)
{
    char text[32];
    struct instant at;
    assert_int_equal(v.len, 16);
    snprintf(text, sizeof(text), "%.4s-%.2s-%.2sT%.2s:%.2s:%.2sZ", v.ptr, v.ptr + 4, v.ptr + 6,
             v.ptr + 9, v.ptr + 11, v.ptr + 13);
    assert_int_equal(rfc3339_parse(view_of(text), &at), ST_OK);
    return at.seconds;
}

static void run_json_case(const json_t *v, struct sigv4_cache *cache)
{
    struct http_header headers[32];
    struct view name = text_member(v, "name");
    struct sigv4_request r = {.access_key_id = text_member(v, "access_key_id"),
                              .secret = text_member(v, "secret_access_key"),
                              .session_token = text_member(v, "session_token"),
                              .region = text_member(v, "region"),
                              .service = text_member(v, "service"),
                              .time_s = parse_stamp(text_member(v, "timestamp")),
                              .method = text_member(v, "method"),
                              .path = text_member(v, "path"),
                              .query = text_member(v, "query"),
                              .headers = headers,
                              .body = text_member(v, "body")};
    r.s3 = view_eq_cstr(r.service, "s3");
    r.normalize_path = !r.s3;
    const char *key;
    json_t *value;
    json_t *out = json_object_get(v, "headers_out"); /* botocore's */
    if (out == NULL)
        out = json_object_get(v, "headers"); /* the documentation's */
    json_object_foreach(out, key, value)
    {
        struct view k = view_of(key);
        if (view_eq_nocase(k, VIEW_LIT("authorization")) ||
            view_eq_nocase(k, VIEW_LIT("x-amz-date")) ||
            view_eq_nocase(k, VIEW_LIT("x-amz-security-token")) ||
            (r.s3 && view_eq_nocase(k, VIEW_LIT("x-amz-content-sha256"))))
            continue;
        headers[r.n_headers++] = (struct http_header){k, view_of(json_string_value(value))};
    }
    struct sigv4_result got;
    sigv4_result_init(&got);
    assert_int_equal(sigv4_sign(&r, cache, &got), ST_OK);
    char shown[128];
    snprintf(shown, sizeof(shown), "%.*s", (int)name.len, name.ptr);
    if (text_member(v, "canonical_request").len > 0)
        must_equal(shown, "canonical request", buf_view(&got.canonical),
                   text_member(v, "canonical_request"));
    struct view whole = buf_view(&got.authorization);
    if (text_member(v, "authorization").len > 0)
        must_equal(shown, "authorization", whole, text_member(v, "authorization"));
    else
        must_equal(shown, "signature", view_skip(whole, whole.len - 64),
                   text_member(v, "signature"));
    sigv4_result_clear(&got);
}

static void run_json_set(const char *set, size_t at_least)
{
    char path[1024];
    struct buf text = {0};
    path_of(path, set, "/vectors.json", "");
    if (!read_file(path, &text)) {
        print_message("SKIPPED: no vectors in %s (set BM_VECTORS)\n", path);
        skip();
    }
    json_t *doc = json_loadb(text.ptr, text.len, 0, NULL);
    assert_non_null(doc);
    json_t *list = json_object_get(doc, "vectors");
    size_t i;
    json_t *v;
    struct sigv4_cache cache = {0};
    json_array_foreach(list, i, v)
    {
        run_json_case(v, &cache);
    }
    sigv4_cache_clear(&cache);
    print_message("%zu cases of %s\n", json_array_size(list), set);
    assert_true(json_array_size(list) >= at_least);
    json_decref(doc);
    buf_clear(&text);
}

static void test_botocore(void **state)
{
    (void)state;
    run_json_set("botocore", 56);
}

static void test_s3_documentation(void **state)
{
    (void)state;
    run_json_set("s3-doc-examples", 4);
}

/* AWS's documented example for IAM, so that something is proven without the vectors. */
static void test_documented_example(void **state)
{
    (void)state;
    struct http_header headers[] = {
        {VIEW_LIT("Host"), VIEW_LIT("iam.amazonaws.com")},
        {VIEW_LIT("Content-Type"), VIEW_LIT("application/x-www-form-urlencoded; charset=utf-8")}};
    struct sigv4_request r = {.access_key_id = VIEW_LIT("AKIDEXAMPLE"),
                              .secret = VIEW_LIT("wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"),
                              .region = VIEW_LIT("us-east-1"),
                              .service = VIEW_LIT("iam"),
                              .time_s = 1440938160,
                              .method = VIEW_LIT("GET"),
                              .path = VIEW_LIT("/"),
                              .query = VIEW_LIT("Action=ListUsers&Version=2010-05-08"),
                              .headers = headers,
                              .n_headers = 2};
    struct sigv4_result got;
    sigv4_result_init(&got);
    struct sigv4_cache cache = {0};
    for (int twice = 0; twice < 2; twice++) { /* the second time with the key from the cache */
        assert_int_equal(sigv4_sign(&r, &cache, &got), ST_OK);
        assert_string_equal(got.date, "20150830T123600Z");
        assert_true(view_eq_cstr(
            buf_view(&got.authorization),
            "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/iam/aws4_request, "
            "SignedHeaders=content-type;host;x-amz-date, "
            "Signature=5d672d79c15b13162d9279b0855cfba6789a8edb4c82c400e06b5924a6f2b5d7"));
    }
    assert_int_equal(cache.next, 1);
    r.region = VIEW_LIT("us-east-2");
    assert_int_equal(sigv4_sign(&r, &cache, &got), ST_OK);
    assert_int_equal(cache.next, 2);
    sigv4_cache_clear(&cache);
    sigv4_result_clear(&got);
}

static void test_refusals(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        const char *value;
    } bad[] = {{"x-a", "a\r\nx-evil: 1"}, {"x-a\n", "a"}, {"", "a"}, {"x a", "b"}, {"x-a", "\x7f"}};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct http_header h = {view_of(bad[i].name), view_of(bad[i].value)};
        struct sigv4_request r = {.access_key_id = VIEW_LIT("A"),
                                  .secret = VIEW_LIT("s"),
                                  .region = VIEW_LIT("us-east-1"),
                                  .service = VIEW_LIT("s3"),
                                  .method = VIEW_LIT("GET"),
                                  .headers = &h,
                                  .n_headers = 1};
        struct sigv4_result got;
        sigv4_result_init(&got);
        assert_int_equal(sigv4_sign(&r, NULL, &got), ST_BAD_ITEM);
        r.n_headers = 0;
        r.session_token = VIEW_LIT("token\nx: y");
        assert_int_equal(sigv4_sign(&r, NULL, &got), ST_BAD_ITEM);
        r.session_token = VIEW_EMPTY;
        r.time_s = INT64_C(253402300800); /* year 10000 */
        assert_int_equal(sigv4_sign(&r, NULL, &got), ST_BAD_ITEM);
        sigv4_result_clear(&got);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_documented_example), cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_aws_suite),          cmocka_unit_test(test_botocore),
        cmocka_unit_test(test_s3_documentation),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
