/*
 * aws_name.h: the grammar of names that become a part of a host name or URL: buckets and Regions.
 *
 * In base, because both what arrives (events) and what is asked for (aws) must pass the same check,
 * and events do not see the AWS layer.
 */
#ifndef BASE_AWS_NAME_H
#define BASE_AWS_NAME_H

#include "base/view.h"

/*
 * 3..63 of a-z 0-9 . -, a letter or digit at both ends, no "..", ".-", "-.", not like an IPv4
 * address (S3 user guide, "Bucket naming rules").
 */
bool aws_bucket_valid(struct view bucket);

/*
 * "us-east-1", "us-gov-west-1", "eu-isoe-west-1": lower-case letters, digits and inner hyphens, at
 * least two of them, a letter first, 4..32 characters.
 */
bool aws_region_valid(struct view region);

#endif
