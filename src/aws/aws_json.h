/*
 * aws_json.h: calls of the services that speak JSON: awsJson 1.0 and 1.1 (SQS, DynamoDB,
 * CloudWatch, ...), where the operation is a header, and restJson (Bedrock, Lambda), where it is
 * method and path.
 */
#ifndef AWS_AWS_JSON_H
#define AWS_AWS_JSON_H

#include <jansson.h>

#include "aws/aws_call.h"

struct aws_json_call {
    const struct aws_service *service;
    struct view region;        /* empty: the configured one */
    struct view endpoint;      /* empty: the service's */
    const char *target_prefix; /* "AmazonSQS", "DynamoDB_20120810" */
    bool json_1_1;             /* else 1.0 */
    const char *operation;
    uint32_t total_timeout_ms; /* as in aws_request */
    size_t max_body_bytes;     /* as in aws_request */
};

/*
 * POST `in` (borrowed) and parse the answer into *out (the caller's, json_decref; NULL on failure).
 * An empty answer is an empty object.  Status as aws_call(); an answer that is not a JSON object is
 * ST_RETRY.  answer may be NULL; where given it was initialised by the caller.
 */
NODISCARD enum status aws_json_call(struct aws_client *c, const struct aws_json_call *call,
                                    const json_t *in, json_t **out, struct aws_answer *answer,
                                    struct error *err);

struct aws_rest_call {
    const struct aws_service *service;
    struct view region;
    const char *operation; /* for messages */
    struct view path;      /* percent-encoded */
    struct view query;     /* percent-encoded, may be empty */
    struct view body;      /* JSON to POST; empty: a GET */
};

/* One call, with the result and statuses of aws_json_call(); answers of at most 4 MiB. */
NODISCARD enum status aws_rest_call(struct aws_client *c, const struct aws_rest_call *call,
                                    json_t **out, struct error *err);

/* How an operation hands out a list page by page. */
struct aws_rest_pages {
    const char *member;    /* the array in an answer: "EventSourceMappings" */
    const char *token;     /* the token in an answer: "NextMarker" */
    const char *parameter; /* the token in the next query: "Marker" */
};

/*
 * A GET repeated until the last page: *out is the array of all elements, the caller's.  ST_TOO_BIG:
 * more than 200 pages.  ST_RETRY: an answer without the list.  Else as aws_rest_call().
 */
NODISCARD enum status aws_rest_list(struct aws_client *c, const struct aws_rest_call *call,
                                    const struct aws_rest_pages *pages, json_t **out,
                                    struct error *err);

/*
 * Parse a JSON object, the caller's; jansson limits the nesting.  NULL: it is not an object, or
 * memory is short.
 */
json_t *aws_json_parse(struct view text);

#endif
