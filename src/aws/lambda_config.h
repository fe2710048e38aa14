/*
 * lambda_config.h: what Lambda says of a function and of what feeds it (REST, JSON), for doctor.
 *
 * Facts: Lambda API reference, GetFunctionConfiguration and ListEventSourceMappings (version
 * 2015-03-31), GetFunctionConcurrency (2019-09-30).
 */
#ifndef AWS_LAMBDA_CONFIG_H
#define AWS_LAMBDA_CONFIG_H

#include <jansson.h>

#include "aws/aws_call.h"

extern const struct aws_service AWS_LAMBDA;

/*
 * ListEventSourceMappings of one queue: *out is an array of the service's objects, the caller's.
 * ST_TOO_BIG: more than 20 pages.
 */
NODISCARD enum status lambda_list_mappings(struct aws_client *c, struct view region,
                                           struct view source_arn, json_t **out, struct error *err);

/* GetFunctionConfiguration by name or ARN (with or without qualifier).  ST_MISSING: no such
 * function; ST_BAD_ITEM: not usable as a name (nothing was sent). */
NODISCARD enum status lambda_get_function(struct aws_client *c, struct view region,
                                          struct view function, json_t **out, struct error *err);

/* GetFunctionConcurrency by name: {"ReservedConcurrentExecutions":n}, or {} where none is reserved.
 * ST_MISSING, ST_BAD_ITEM as above. */
NODISCARD enum status lambda_get_concurrency(struct aws_client *c, struct view region,
                                             struct view function, json_t **out, struct error *err);

#endif
