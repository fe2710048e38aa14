/*
 * dynamodb.h: single items (JSON protocol 1.0).  Requests are the service's own documents, built by
 * the caller; answers are handed over as they came.
 *
 * Retries repeat writes: an answer may have been lost after the write was applied.  Conditions must
 * therefore tell the caller's own earlier attempt from somebody else's (compare the old item).
 */
#ifndef AWS_DYNAMODB_H
#define AWS_DYNAMODB_H

#include <jansson.h>

#include "aws/aws_call.h"

/*
 * op: "GetItem", "PutItem", "UpdateItem", "DeleteItem", "Query", "BatchGetItem", "DescribeTable",
 * "CreateTable", ...  `in` is borrowed, *out the caller's.
 * ST_CONFLICT: ConditionalCheckFailedException; *out is then the item that was found
 * ({"Item":{...}}, or {} when there was none) if in holds ReturnValuesOnConditionCheckFailure
 * "ALL_OLD".  ST_MISSING: no such table.  ST_RETRY, ST_DENIED, ST_BAD_ITEM as aws_call().
 * In every other failure *out is NULL.  GetItem of an absent key is ST_OK with no "Item".
 */
NODISCARD enum status dynamodb_call(struct aws_client *c, struct view region, const char *op,
                                    const json_t *in, json_t **out, struct error *err);

#endif
