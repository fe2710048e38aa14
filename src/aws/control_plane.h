/*
 * control_plane.h: what only doctor asks of AWS: Lambda's view of a function and of what feeds it,
 * KMS keys, log groups, EventBridge rules.
 *
 * Facts: Lambda API reference, GetFunctionConfiguration and ListEventSourceMappings (version
 * 2015-03-31), GetFunctionConcurrency (2019-09-30); KMS API reference, DescribeKey and GetKeyPolicy;
 * CloudWatch Logs API reference, DescribeLogGroups; EventBridge API reference,
 * ListRuleNamesByTarget.
 */
#ifndef AWS_CONTROL_PLANE_H
#define AWS_CONTROL_PLANE_H

#include <jansson.h>

#include "aws/aws_call.h"

/*
 * ListEventSourceMappings of one queue: *out is an array of the service's objects, the caller's.
 * Statuses as aws_rest_list().
 */
NODISCARD enum status lambda_list_mappings(struct aws_client *c, struct view region,
                                           struct view source_arn, json_t **out, struct error *err);

/*
 * GetFunctionConfiguration by name or ARN (with or without qualifier); *out is the caller's.
 * ST_MISSING: no such function; ST_BAD_ITEM: not usable as a name (nothing was sent).
 */
NODISCARD enum status lambda_get_function(struct aws_client *c, struct view region,
                                          struct view function, json_t **out, struct error *err);

/*
 * GetFunctionConcurrency by name: {"ReservedConcurrentExecutions":n}, or {} where none is reserved.
 * ST_MISSING, ST_BAD_ITEM as above.
 */
NODISCARD enum status lambda_get_concurrency(struct aws_client *c, struct view region,
                                             struct view function, json_t **out, struct error *err);

/* Services that speak awsJson 1.1 and need no function of their own here. */
enum control_plane { CONTROL_KMS, CONTROL_LOGS, CONTROL_EVENTS };

/*
 * One call of `operation` with `in` (borrowed); *out is the service's answer, the caller's.
 * ST_MISSING: no such key, log group or rule.  Else as aws_json_call().
 */
NODISCARD enum status control_plane_call(struct aws_client *c, enum control_plane service,
                                         struct view region, const char *operation,
                                         const json_t *in, json_t **out, struct error *err);

#endif
