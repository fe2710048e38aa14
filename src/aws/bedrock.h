/* bedrock.h: inference profiles and where the invocation logs go (REST, JSON). */
#ifndef AWS_BEDROCK_H
#define AWS_BEDROCK_H

#include <jansson.h>

#include "aws/aws_call.h"

/*
 * GetInferenceProfile by id or ARN.  *out is the service's object with `models[].modelArn`, `type`,
 * `inferenceProfileName`, ...; the caller's.  ST_MISSING: no such profile.
 */
NODISCARD enum status bedrock_get_inference_profile(struct aws_client *c, struct view region,
                                                    struct view id_or_arn, json_t **out,
                                                    struct error *err);

/*
 * ListInferenceProfiles, all pages: *out is {"inferenceProfileSummaries":[...]} as the AWS command
 * line prints it.  type: "SYSTEM_DEFINED", "APPLICATION" or NULL for the service's default.
 */
NODISCARD enum status bedrock_list_inference_profiles(struct aws_client *c, struct view region,
                                                      const char *type, json_t **out,
                                                      struct error *err);

/* ListTagsForResource: *out is {"tags":[{"key":...,"value":...}]}; the caller's. */
NODISCARD enum status bedrock_list_tags(struct aws_client *c, struct view region, struct view arn,
                                        json_t **out, struct error *err);

/* GetModelInvocationLoggingConfiguration: *out is {"loggingConfig":{...}} or {} when it is off. */
NODISCARD enum status bedrock_get_logging(struct aws_client *c, struct view region, json_t **out,
                                          struct error *err);

#endif
