/* aws_json.h: calls of the services that speak JSON (awsJson 1.0 and 1.1). */
#ifndef AWS_AWS_JSON_H
#define AWS_AWS_JSON_H

#include <jansson.h>

#include "aws/aws_call.h"

struct aws_json_call {
    const struct aws_service *service;
    struct view region;
    struct view endpoint;      /* empty: the service's */
    const char *target_prefix; /* "AmazonSQS", "DynamoDB_20120810" */
    bool json_1_1;             /* else 1.0 */
    const char *operation;
    uint32_t total_timeout_ms;
    size_t max_body_bytes;
};

/*
 * POST `in` (borrowed) and parse the answer into *out (the caller's, json_decref).  Status as
 * aws_call(); an answer that is no JSON object is ST_RETRY.  answer may be NULL; where given it was
 * initialised by the caller.
 */
NODISCARD enum status aws_json_call(struct aws_client *c, const struct aws_json_call *call,
                                    const json_t *in, json_t **out, struct aws_answer *answer,
                                    struct error *err);

/* A string member as view, VIEW_EMPTY when absent or no string. */
struct view aws_json_text(const json_t *object, const char *key);

/* Parse with a nesting ceiling (jansson's); NULL when it is not an object. */
json_t *aws_json_parse(struct view text);

#endif
