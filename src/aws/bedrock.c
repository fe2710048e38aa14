#include "aws/bedrock.h"

#include "aws/aws_client.h"
#include "aws/aws_json.h"
#include "aws/uri.h"

enum { MAX_ANSWER = 4 * 1024 * 1024, MAX_PAGES = 200, MAX_ID = 2048 };

static enum status get(struct aws_client *c, struct view region, const char *operation,
                       struct view path, struct view query, json_t **out, struct error *err)
{
    struct aws_answer answer;
    aws_answer_init(&answer);
    *out = NULL;
    struct aws_request req = {.service = &AWS_BEDROCK,
                              .region = region,
                              .operation = operation,
                              .method = "GET",
                              .path = path,
                              .query = query,
                              .max_body_bytes = MAX_ANSWER};
    enum status st = aws_call(c, &req, &answer, err);
    if (!st) {
        struct view body = buf_view(&answer.http.body);
        *out = body.len == 0 ? json_object() : aws_json_parse(body);
        if (*out == NULL)
            st = error_set(err, ST_RETRY, "%s: the answer is no JSON object (request %s)",
                           operation, answer.request_id);
    }
    aws_answer_clear(&answer);
    return st;
}

enum status bedrock_get_inference_profile(struct aws_client *c, struct view region,
                                          struct view id_or_arn, json_t **out, struct error *err)
{
    struct buf path;
    *out = NULL;
    /* A leading dot: "." and ".." as path segments would be another operation. */
    if (id_or_arn.len == 0 || id_or_arn.len > MAX_ID || id_or_arn.ptr[0] == '.')
        return error_set(err, ST_BAD_ITEM, "not an inference profile");
    buf_init(&path, 8192);
    buf_add_cstr(&path, "/inference-profiles/");
    uri_add_encoded(&path, id_or_arn);
    enum status st = buf_status(&path);
    if (!st)
        st = get(c, region, "GetInferenceProfile", buf_view(&path), VIEW_EMPTY, out, err);
    buf_clear(&path);
    return st;
}

enum status bedrock_list_inference_profiles(struct aws_client *c, struct view region,
                                            const char *type, json_t **out, struct error *err)
{
    struct buf token;
    struct buf query;
    buf_init(&token, 8192);
    buf_init(&query, 32 * 1024);
    json_t *all = json_array();
    enum status st = all == NULL ? ST_NO_MEMORY : ST_OK;
    *out = NULL;
    for (unsigned n = 0; !st; n++) {
        json_t *page = NULL;
        if (n == MAX_PAGES) {
            st = error_set(err, ST_TOO_BIG, "ListInferenceProfiles: more than %d pages", MAX_PAGES);
            break;
        }
        buf_reset(&query);
        buf_add_cstr(&query, "maxResults=1000");
        if (token.len > 0) {
            buf_add_cstr(&query, "&nextToken=");
            uri_add_encoded(&query, buf_view(&token));
        }
        if (type != NULL) {
            buf_add_cstr(&query, "&type=");
            uri_add_encoded(&query, view_of(type));
        }
        st = buf_status(&query);
        if (!st)
            st = get(c, region, "ListInferenceProfiles", VIEW_LIT("/inference-profiles"),
                     buf_view(&query), &page, err);
        if (st)
            break;
        json_t *items = json_object_get(page, "inferenceProfileSummaries");
        if (items != NULL && json_array_extend(all, items) != 0)
            st = error_set(err, ST_RETRY, "ListInferenceProfiles: unusable answer");
        buf_reset(&token);
        buf_add_view(&token, aws_json_text(page, "nextToken"));
        json_decref(page);
        if (!st)
            st = buf_status(&token);
        if (token.len == 0)
            break;
    }
    if (!st) {
        *out = json_pack("{s:O}", "inferenceProfileSummaries", all);
        if (*out == NULL)
            st = ST_NO_MEMORY;
    }
    json_decref(all);
    buf_clear(&token);
    buf_clear(&query);
    return st;
}

enum status bedrock_list_tags(struct aws_client *c, struct view region, struct view arn,
                              json_t **out, struct error *err)
{
    struct aws_answer answer;
    aws_answer_init(&answer);
    *out = NULL;
    json_t *body = json_pack("{s:s%}", "resourceARN", arn.ptr, arn.len);
    char *text = body == NULL ? NULL : json_dumps(body, JSON_COMPACT);
    json_decref(body);
    if (text == NULL)
        return error_set(err, ST_BAD_ITEM, "ListTagsForResource: not an ARN");
    struct http_header headers[] = {
        http_header_of("Content-Type", VIEW_LIT("application/json")),
    };
    struct aws_request req = {.service = &AWS_BEDROCK,
                              .region = region,
                              .operation = "ListTagsForResource",
                              .method = "POST",
                              .path = VIEW_LIT("/listTagsForResource"),
                              .headers = headers,
                              .n_headers = 1,
                              .body = view_of(text),
                              .max_body_bytes = MAX_ANSWER};
    enum status st = aws_call(c, &req, &answer, err);
    if (!st) {
        *out = aws_json_parse(buf_view(&answer.http.body));
        if (*out == NULL)
            st = error_set(err, ST_RETRY, "ListTagsForResource: the answer is no JSON object");
    }
    free(text);
    aws_answer_clear(&answer);
    return st;
}

enum status bedrock_get_logging(struct aws_client *c, struct view region, json_t **out,
                                struct error *err)
{
    return get(c, region, "GetModelInvocationLoggingConfiguration",
               VIEW_LIT("/logging/modelinvocations"), VIEW_EMPTY, out, err);
}
