/*
 * queue_policy.h: may S3 send to a queue on behalf of a bucket, by the queue's policy?
 *
 * A reader of the part of the IAM policy language that queue policies are written in.  What it does
 * not know (other operators and keys) it does not guess: an Allow that depends on it counts, and
 * a Deny that depends on it does not, with *unsure set.  Facts: IAM user guide, "Policy evaluation
 * logic" and "IAM JSON policy elements"; S3 user guide, "Granting permissions to publish event
 * notification messages to a destination".
 */
#ifndef DOCTOR_QUEUE_POLICY_H
#define DOCTOR_QUEUE_POLICY_H

#include "base/buf.h"

enum queue_policy_answer {
    POLICY_ALLOWS,
    POLICY_ALLOWS_ALL, /* some statement does so for every bucket of everybody */
    POLICY_EMPTY,      /* no policy, not readable, or no statement for S3 */
    POLICY_OTHER_BUCKET,
    POLICY_OTHER_ACCOUNT,
    POLICY_DENIES,
};

struct queue_policy_question {
    struct view queue_arn;
    struct view bucket_arn;
    struct view account; /* of the bucket; empty: unknown */
};

struct queue_policy_result {
    enum queue_policy_answer answer;
    bool unsure;
    char statement[64]; /* Sid of the statement that decides, "" none */
    char value[256];    /* what its condition asks for, with OTHER_BUCKET and OTHER_ACCOUNT */
};

/* ST_OK with *out, whatever the answer; ST_NO_MEMORY. */
NODISCARD enum status queue_policy_check(struct view policy,
                                         const struct queue_policy_question *question,
                                         struct queue_policy_result *out);

/*
 * The policy with a statement that lets S3 in for this bucket, as JSON on one line, appended to
 * *out; statements that keep S3 out, or let everybody's buckets in, are left away, all others kept.
 */
NODISCARD enum status queue_policy_mended(struct view policy,
                                          const struct queue_policy_question *question,
                                          struct buf *out);

/* `*` and `?` as in policies. */
bool queue_policy_like(struct view text, struct view pattern);

#endif
