/*
 * resource_policy.h: may an AWS service do something to a queue, a bucket or a key, by its policy?
 *
 * A reader of the part of the IAM policy language that such policies are written in.  What it does
 * not know (other operators and keys) it does not guess: an Allow that depends on it counts, and
 * a Deny that depends on it does not, with *unsure set.  Facts: IAM user guide, "Policy evaluation
 * logic" and "IAM JSON policy elements"; S3 user guide, "Granting permissions to publish event
 * notification messages to a destination"; Bedrock user guide, "Monitor model invocation using
 * CloudWatch Logs and Amazon S3", for the policies of bucket and key.
 */
#ifndef TOOLS_DOCTOR_RESOURCE_POLICY_H
#define TOOLS_DOCTOR_RESOURCE_POLICY_H

#include "base/buf.h"

enum policy_answer {
    POLICY_ALLOWS,
    POLICY_ALLOWS_ALL, /* some statement does so for everybody's resources */
    POLICY_EMPTY,      /* no policy, not readable, or no statement for the service */
    POLICY_OTHER_SOURCE,
    POLICY_OTHER_ACCOUNT,
    POLICY_DENIES,
};

struct policy_question {
    struct view service;    /* "s3.amazonaws.com": who asks */
    struct view action;     /* "sqs:SendMessage" */
    struct view resource;   /* ARN of what it is done to */
    struct view written;    /* what a fixed policy has as Resource; empty: `resource` */
    struct view source_arn; /* on whose behalf; with a * at its end any of these */
    struct view account;    /* of the source; empty: unknown */
    const char *sid;        /* of the added statement; a number is appended */
};

struct policy_result {
    enum policy_answer answer;
    bool unsure;
    char statement[64]; /* Sid of the statement that decides, "" none */
    char value[256];    /* what its condition asks for, with OTHER_SOURCE and OTHER_ACCOUNT */
};

/* Judge `policy`, JSON text.  ST_OK with *out, whatever the answer; ST_NO_MEMORY. */
NODISCARD enum status resource_policy_check(struct view policy,
                                            const struct policy_question *question,
                                            struct policy_result *out);

/*
 * The policy with a statement that lets the service in for this source, as JSON on one line,
 * appended to *out; statements that keep it out, or let everybody's sources in, are left away, all
 * others kept.
 */
NODISCARD enum status resource_policy_fixed(struct view policy,
                                            const struct policy_question *question,
                                            struct buf *out);

/* `*` and `?` as in policies. */
bool policy_like(struct view text, struct view pattern);

#endif
