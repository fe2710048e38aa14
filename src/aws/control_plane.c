/*
 * control_plane.c: read-only calls of services that have no part in counting.  They are kept apart
 * so that what the worker and the function may call is seen at a glance in the other files.
 */
#include "aws/control_plane.h"

#include "aws/aws_json.h"
#include "aws/uri.h"

enum { MAX_ANSWER = 4 * 1024 * 1024, MAX_NAME = 512 };

static const struct aws_service lambda = {"Lambda", "lambda", "lambda", "LAMBDA", "lambda", false};
static const struct aws_service kms = {"KMS", "kms", "kms", "KMS", "kms", false};
static const struct aws_service logs = {"CloudWatch Logs", "logs", "logs", "CLOUDWATCH_LOGS",
                                        "cloudwatch_logs", false};
static const struct aws_service events = {"EventBridge", "events",      "events",
                                          "EVENTBRIDGE", "eventbridge", false};

enum status lambda_list_mappings(struct aws_client *c, struct view region, struct view source_arn,
                                 json_t **out, struct error *err)
{
    static const struct aws_rest_pages pages = {"EventSourceMappings", "NextMarker", "Marker"};
    struct buf query;
    *out = NULL;
    buf_init(&query, 8192);
    buf_add_cstr(&query, "EventSourceArn=");
    uri_add_encoded(&query, source_arn);
    enum status st = buf_status(&query);
    if (!st)
        st = aws_rest_list(
            c,
            &(struct aws_rest_call){.service = &lambda,
                                    .region = region,
                                    .operation = "ListEventSourceMappings",
                                    .path = VIEW_LIT("/2015-03-31/event-source-mappings/"),
                                    .query = buf_view(&query)},
            &pages, out, err);
    buf_clear(&query);
    return st;
}

/* /VERSION/functions/NAME/WHAT */
static enum status get_of_function(struct aws_client *c, struct view region, const char *operation,
                                   const char *version, struct view function, const char *what,
                                   json_t **out, struct error *err)
{
    struct buf path;
    *out = NULL;
    /* A leading dot: "." and ".." as path segments would be another operation. */
    if (function.len == 0 || function.len > MAX_NAME || function.ptr[0] == '.')
        return error_set(err, ST_BAD_ITEM, E_A305, "not a function");
    buf_init(&path, 8192);
    buf_printf(&path, "/%s/functions/", version);
    uri_add_encoded(&path, function);
    buf_printf(&path, "/%s", what);
    enum status st = buf_status(&path);
    if (!st)
        st = aws_rest_call(c,
                           &(struct aws_rest_call){.service = &lambda,
                                                   .region = region,
                                                   .operation = operation,
                                                   .path = buf_view(&path)},
                           out, err);
    buf_clear(&path);
    return st;
}

enum status lambda_get_function(struct aws_client *c, struct view region, struct view function,
                                json_t **out, struct error *err)
{
    return get_of_function(c, region, "GetFunctionConfiguration", "2015-03-31", function,
                           "configuration", out, err);
}

enum status lambda_get_concurrency(struct aws_client *c, struct view region, struct view function,
                                   json_t **out, struct error *err)
{
    return get_of_function(c, region, "GetFunctionConcurrency", "2019-09-30", function,
                           "concurrency", out, err);
}

enum status control_plane_call(struct aws_client *c, enum control_plane service, struct view region,
                               const char *operation, const json_t *in, json_t **out,
                               struct error *err)
{
    static const struct {
        const struct aws_service *service;
        const char *target_prefix;
    } services[] = {
        [CONTROL_KMS] = {&kms, "TrentService"},
        [CONTROL_LOGS] = {&logs, "Logs_20140328"},
        [CONTROL_EVENTS] = {&events, "AWSEvents"},
    };
    struct aws_answer answer;
    aws_answer_init(&answer);
    struct aws_json_call call = {.service = services[service].service,
                                 .region = region,
                                 .target_prefix = services[service].target_prefix,
                                 .json_1_1 = true,
                                 .operation = operation,
                                 .max_body_bytes = MAX_ANSWER};
    enum status st = aws_json_call(c, &call, in, out, &answer, err);
    /* KMS answers 400 with this code where the others have a code that aws_answer_status() knows. */
    if (st == ST_BAD_ITEM && strcmp(answer.code, "NotFoundException") == 0)
        st = ST_MISSING;
    aws_answer_clear(&answer);
    return st;
}
