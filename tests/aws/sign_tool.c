/*
 * sign_tool: sign what comes in on standard input, one JSON object a line, for sign_test.py.
 *
 * {"method","path","query","headers":[[name,value]...],"body","key","secret","token","region",
 *  "service","time","s3":bool} -> {"status","authorization","canonical"}
 */
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "aws/sigv4.h"

static struct view text(const json_t *o, const char *key)
{
    const json_t *m = json_object_get(o, key);
    return json_is_string(m) ? view_make(json_string_value(m), json_string_length(m)) : VIEW_EMPTY;
}

static void sign_line(const json_t *in, struct sigv4_cache *cache)
{
    struct http_header headers[40];
    struct sigv4_request r = {.access_key_id = text(in, "key"),
                              .secret = text(in, "secret"),
                              .session_token = text(in, "token"),
                              .region = text(in, "region"),
                              .service = text(in, "service"),
                              .time_s = json_integer_value(json_object_get(in, "time")),
                              .method = text(in, "method"),
                              .path = text(in, "path"),
                              .query = text(in, "query"),
                              .headers = headers,
                              .body = text(in, "body"),
                              .s3 = json_is_true(json_object_get(in, "s3"))};
    r.normalize_path = !r.s3;
    size_t i;
    json_t *pair;
    json_array_foreach(json_object_get(in, "headers"), i, pair)
    {
        const json_t *name = json_array_get(pair, 0);
        const json_t *value = json_array_get(pair, 1);
        headers[r.n_headers++] =
            (struct http_header){view_of(json_string_value(name)),
                                 view_make(json_string_value(value), json_string_length(value))};
    }
    struct sigv4_result got;
    sigv4_result_init(&got);
    enum status st = sigv4_sign(&r, cache, &got);
    json_t *out =
        json_pack("{s:s, s:s%, s:s%}", "status", status_name(st), "authorization",
                  got.authorization.len > 0 ? got.authorization.ptr : "", got.authorization.len,
                  "canonical", got.canonical.len > 0 ? got.canonical.ptr : "", got.canonical.len);
    char *line = json_dumps(out, JSON_COMPACT);
    puts(line != NULL ? line : "{}");
    fflush(stdout);
    free(line);
    json_decref(out);
    sigv4_result_clear(&got);
}

int main(void)
{
    struct sigv4_cache cache = {0};
    json_t *in;
    while ((in = json_loadf(stdin, JSON_DISABLE_EOF_CHECK, NULL)) != NULL) {
        sign_line(in, &cache);
        json_decref(in);
    }
    sigv4_cache_clear(&cache);
    return 0;
}
