#include "aws/aws_json.h"

#include <stdlib.h>

#include "aws/aws_client.h"
#include "base/json_read.h"

json_t *aws_json_parse(struct view text)
{
    json_t *doc = text.len == 0 ? NULL : json_read(text, 0, NULL);
    if (doc != NULL && !json_is_object(doc)) {
        json_decref(doc);
        return NULL;
    }
    return doc;
}

struct view aws_json_text(const json_t *object, const char *key)
{
    const json_t *member = json_object_get(object, key);
    if (!json_is_string(member))
        return VIEW_EMPTY;
    return view_make(json_string_value(member), json_string_length(member));
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
    if (st)
        goto out;
    struct view body = buf_view(&a->http.body);
    /* Operations without a result answer with an empty body or {}. */
    *out = body.len == 0 ? json_object() : aws_json_parse(body);
    if (*out == NULL)
        st = error_set(err, ST_RETRY, "%s: the answer is no JSON object (request %s)",
                       call->operation, a->request_id);
out:
    free(text);
    buf_clear(&target);
    aws_answer_clear(&own);
    return st;
}
