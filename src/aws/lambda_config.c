#include "aws/lambda_config.h"

#include "aws/aws_json.h"
#include "aws/uri.h"

enum { MAX_ANSWER = 4 * 1024 * 1024, MAX_PAGES = 20, MAX_NAME = 512 };

const struct aws_service AWS_LAMBDA = {"Lambda", "lambda", "lambda", "LAMBDA", "lambda", false};

static enum status get(struct aws_client *c, struct view region, const char *operation,
                       struct view path, struct view query, json_t **out, struct error *err)
{
    struct aws_answer answer;
    aws_answer_init(&answer);
    *out = NULL;
    struct aws_request req = {.service = &AWS_LAMBDA,
                              .region = region,
                              .operation = operation,
                              .method = "GET",
                              .path = path,
                              .query = query,
                              .max_body_bytes = MAX_ANSWER};
    enum status st = aws_call(c, &req, &answer, err);
    if (!st) {
        *out = aws_json_parse(buf_view(&answer.http.body));
        if (*out == NULL)
            st = error_set(err, ST_RETRY, "%s: the answer is no JSON object (request %s)",
                           operation, answer.request_id);
    }
    aws_answer_clear(&answer);
    return st;
}

/* One page into `all`; *marker becomes that of the next, empty after the last. */
static enum status mappings_page(struct aws_client *c, struct view region, struct view source_arn,
                                 struct buf *marker, json_t *all, struct error *err)
{
    struct buf query;
    json_t *page = NULL;
    buf_init(&query, 32 * 1024);
    buf_add_cstr(&query, "EventSourceArn=");
    uri_add_encoded(&query, source_arn);
    if (marker->len > 0) {
        buf_add_cstr(&query, "&Marker=");
        uri_add_encoded(&query, buf_view(marker));
    }
    enum status st = buf_status(&query);
    if (!st)
        st = get(c, region, "ListEventSourceMappings",
                 VIEW_LIT("/2015-03-31/event-source-mappings/"), buf_view(&query), &page, err);
    const json_t *items = json_object_get(page, "EventSourceMappings");
    if (!st && (!json_is_array(items) ||
                json_array_extend(all, json_object_get(page, "EventSourceMappings")) != 0))
        st = error_set(err, ST_RETRY, "ListEventSourceMappings: unusable answer");
    buf_reset(marker);
    buf_add_view(marker, aws_json_text(page, "NextMarker"));
    if (!st)
        st = buf_status(marker);
    json_decref(page);
    buf_clear(&query);
    return st;
}

enum status lambda_list_mappings(struct aws_client *c, struct view region, struct view source_arn,
                                 json_t **out, struct error *err)
{
    struct buf marker;
    json_t *all = json_array();
    enum status st = all == NULL ? ST_NO_MEMORY : ST_OK;
    *out = NULL;
    buf_init(&marker, 8192);
    for (unsigned n = 0; !st; n++) {
        if (n == MAX_PAGES)
            st = error_set(err, ST_TOO_BIG, "ListEventSourceMappings: more than %d pages",
                           MAX_PAGES);
        else
            st = mappings_page(c, region, source_arn, &marker, all, err);
        if (marker.len == 0)
            break;
    }
    buf_clear(&marker);
    if (st)
        json_decref(all);
    else
        *out = all;
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
        return error_set(err, ST_BAD_ITEM, "not a function");
    buf_init(&path, 8192);
    buf_printf(&path, "/%s/functions/", version);
    uri_add_encoded(&path, function);
    buf_printf(&path, "/%s", what);
    enum status st = buf_status(&path);
    if (!st)
        st = get(c, region, operation, buf_view(&path), VIEW_EMPTY, out, err);
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
