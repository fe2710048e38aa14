/*
 * bedrock.c: the four control-plane operations of Amazon Bedrock that classification and doctor
 * need (restJson; Amazon Bedrock API reference).  Model invocations never go through here.
 */
#include "aws/bedrock.h"

#include <stdlib.h>

#include "aws/aws_json.h"
#include "aws/uri.h"

enum { MAX_ID = 2048 };

enum status bedrock_get_inference_profile(struct aws_client *c, struct view region,
                                          struct view id_or_arn, json_t **out, struct error *err)
{
    struct buf path;
    *out = NULL;
    /* A leading dot: "." and ".." as path segments would be another operation. */
    if (id_or_arn.len == 0 || id_or_arn.len > MAX_ID || id_or_arn.ptr[0] == '.')
        return error_set(err, ST_BAD_ITEM, E_A305, "not an inference profile");
    buf_init(&path, 8192);
    buf_add_cstr(&path, "/inference-profiles/");
    uri_add_encoded(&path, id_or_arn);
    enum status st = buf_status(&path);
    if (!st)
        st = aws_rest_call(c,
                           &(struct aws_rest_call){.service = &AWS_BEDROCK,
                                                   .region = region,
                                                   .operation = "GetInferenceProfile",
                                                   .path = buf_view(&path)},
                           out, err);
    buf_clear(&path);
    return st;
}

enum status bedrock_list_inference_profiles(struct aws_client *c, struct view region,
                                            const char *type, json_t **out, struct error *err)
{
    static const struct aws_rest_pages pages = {"inferenceProfileSummaries", "nextToken",
                                                "nextToken"};
    struct buf query;
    json_t *all = NULL;
    *out = NULL;
    buf_init(&query, 256);
    buf_add_cstr(&query, "maxResults=1000");
    if (type != NULL) {
        buf_add_cstr(&query, "&type=");
        uri_add_encoded(&query, view_of(type));
    }
    enum status st = buf_status(&query);
    if (!st)
        st = aws_rest_list(c,
                           &(struct aws_rest_call){.service = &AWS_BEDROCK,
                                                   .region = region,
                                                   .operation = "ListInferenceProfiles",
                                                   .path = VIEW_LIT("/inference-profiles"),
                                                   .query = buf_view(&query)},
                           &pages, &all, err);
    buf_clear(&query);
    if (!st) {
        *out = json_pack("{s:o}", "inferenceProfileSummaries", all); /* takes `all` over */
        if (*out == NULL)
            st = ST_NO_MEMORY;
    }
    return st;
}

enum status bedrock_list_tags(struct aws_client *c, struct view region, struct view arn,
                              json_t **out, struct error *err)
{
    *out = NULL;
    json_t *body = json_pack("{s:s%}", "resourceARN", arn.ptr, arn.len);
    char *text = body == NULL ? NULL : json_dumps(body, JSON_COMPACT);
    json_decref(body);
    if (text == NULL)
        return error_set(err, ST_BAD_ITEM, E_R134, "ListTagsForResource: not an ARN");
    enum status st = aws_rest_call(c,
                                   &(struct aws_rest_call){.service = &AWS_BEDROCK,
                                                           .region = region,
                                                           .operation = "ListTagsForResource",
                                                           .path = VIEW_LIT("/listTagsForResource"),
                                                           .body = view_of(text)},
                                   out, err);
    free(text);
    return st;
}

enum status bedrock_get_logging(struct aws_client *c, struct view region, json_t **out,
                                struct error *err)
{
    return aws_rest_call(
        c,
        &(struct aws_rest_call){.service = &AWS_BEDROCK,
                                .region = region,
                                .operation = "GetModelInvocationLoggingConfiguration",
                                .path = VIEW_LIT("/logging/modelinvocations")},
        out, err);
}
