/*
 * aws_json.c: AWS's JSON protocols, one call at a time, and the paging of restJson lists.
 *
 * Smithy's documentation calls them "AWS JSON 1.0 / 1.1" and "AWS restJson1".
 */
#include "aws/aws_json.h"

#include <stdlib.h>

#include "aws/aws_private.h"
#include "aws/uri.h"
#include "base/json_read.h"

enum { MAX_REST_ANSWER = 4 * 1024 * 1024, MAX_PAGES = 200 };

json_t *aws_json_parse(struct view text)
{
    json_t *doc = text.len == 0 ? NULL : json_read(text, 0, NULL);
    if (doc != NULL && !json_is_object(doc)) {
        json_decref(doc);
        return NULL;
    }
    return doc;
}

/* The object an answer holds.  Operations without a result answer with an empty body or {}. */
static enum status parse_answer(const struct aws_answer *a, const char *operation, json_t **out,
                                struct error *err)
{
    struct view body = buf_view(&a->http.body);
    *out = body.len == 0 ? json_object() : aws_json_parse(body);
    return *out != NULL ? ST_OK
                        : error_set(err, ST_RETRY, E_A305,
                                    "%s: the answer is not a JSON object (request %s)", operation,
                                    a->request_id);
}

enum status aws_json_call(struct aws_client *c, const struct aws_json_call *call, const json_t *in,
                          json_t **out, struct aws_answer *answer, struct error *err)
{
    struct aws_answer own;
    struct buf target;
    *out = NULL;
    buf_init(&target, 256);
    aws_answer_init(&own);
    struct aws_answer *a = answer != NULL ? answer : &own;
    char *text = json_dumps(in, JSON_COMPACT);
    buf_add_cstr(&target, call->target_prefix);
    buf_add_char(&target, '.');
    buf_add_cstr(&target, call->operation);
    enum status st = text == NULL ? ST_NO_MEMORY : buf_status(&target);
    if (st)
        goto out;
    struct http_header headers[] = {
        http_header_of("Content-Type", call->json_1_1 ? VIEW_LIT("application/x-amz-json-1.1")
                                                      : VIEW_LIT("application/x-amz-json-1.0")),
        http_header_of("X-Amz-Target", buf_view(&target)),
    };
    struct aws_request req = {.service = call->service,
                              .region = call->region,
                              .endpoint = call->endpoint,
                              .operation = call->operation,
                              .method = "POST",
                              .headers = headers,
                              .n_headers = sizeof(headers) / sizeof(headers[0]),
                              .body = view_of(text),
                              .total_timeout_ms = call->total_timeout_ms,
                              .idle_timeout_ms = call->total_timeout_ms,
                              .max_body_bytes = call->max_body_bytes};
    st = aws_call(c, &req, a, err);
    if (!st)
        st = parse_answer(a, call->operation, out, err);
out:
    free(text);
    buf_clear(&target);
    aws_answer_clear(&own);
    return st;
}

enum status aws_rest_call(struct aws_client *c, const struct aws_rest_call *call, json_t **out,
                          struct error *err)
{
    struct aws_answer answer;
    struct http_header type = http_header_of("Content-Type", VIEW_LIT("application/json"));
    aws_answer_init(&answer);
    *out = NULL;
    struct aws_request req = {.service = call->service,
                              .region = call->region,
                              .operation = call->operation,
                              .method = call->body.len > 0 ? "POST" : "GET",
                              .path = call->path,
                              .query = call->query,
                              .headers = &type,
                              .n_headers = call->body.len > 0 ? 1 : 0,
                              .body = call->body,
                              .max_body_bytes = MAX_REST_ANSWER};
    enum status st = aws_call(c, &req, &answer, err);
    if (!st)
        st = parse_answer(&answer, call->operation, out, err);
    aws_answer_clear(&answer);
    return st;
}

enum status aws_rest_list(struct aws_client *c, const struct aws_rest_call *call,
                          const struct aws_rest_pages *pages, json_t **out, struct error *err)
{
    struct buf query;
    buf_init(&query, 64 * 1024);
    buf_add_view(&query, call->query);
    json_t *all = json_array();
    enum status st = all == NULL ? ST_NO_MEMORY : buf_status(&query);
    *out = NULL;
    bool more = true;
    for (unsigned n = 0; !st && more; n++) {
        struct aws_rest_call next = *call;
        json_t *page = NULL;
        if (n == MAX_PAGES) {
            st = error_set(err, ST_TOO_BIG, E_A305, "%s: more than %d pages", call->operation,
                           MAX_PAGES);
            break;
        }
        next.query = buf_view(&query);
        st = aws_rest_call(c, &next, &page, err);
        if (!st && json_array_extend(all, json_object_get(page, pages->member)) != 0)
            st = error_set(err, ST_RETRY, E_A305, "%s: unusable answer", call->operation);
        struct view token = json_text(page, pages->token);
        more = token.len > 0;
        buf_reset(&query);
        buf_add_view(&query, call->query);
        uri_add_parameter(&query, pages->parameter, token);
        if (!st)
            st = buf_status(&query);
        json_decref(page);
    }
    buf_clear(&query);
    if (st)
        json_decref(all);
    else
        *out = all;
    return st;
}
