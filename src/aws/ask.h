/*
 * ask.h: the services that only doctor asks: KMS, CloudWatch Logs, EventBridge (JSON 1.1).
 *
 * Facts: KMS API reference, DescribeKey and GetKeyPolicy; CloudWatch Logs API reference,
 * DescribeLogGroups; EventBridge API reference, ListRuleNamesByTarget.
 */
#ifndef AWS_ASK_H
#define AWS_ASK_H

#include <jansson.h>

#include "aws/aws_call.h"

enum ask_service { ASK_KMS, ASK_LOGS, ASK_EVENTS };

/* One call; *out is the service's answer, the caller's.  ST_MISSING: no such key, group or rule. */
NODISCARD enum status ask(struct aws_client *c, enum ask_service service, struct view region,
                          const char *operation, const json_t *in, json_t **out, struct error *err);

#endif
