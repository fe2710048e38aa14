/*
 * publish_cloudwatch.h: a batch to CloudWatch, each request once, repeated only after a definite
 * refusal (cloudwatch.h).
 */
#ifndef PUBLISH_PUBLISH_CLOUDWATCH_H
#define PUBLISH_PUBLISH_CLOUDWATCH_H

#include "aws/aws_call.h"
#include "publish/batch.h"

/* What came of it; added to, so that several batches can share one. */
struct publish_result {
    uint64_t requests;      /* accepted */
    uint64_t data;          /* in them */
    uint64_t in_doubt;      /* requests handed over without an answer */
    uint64_t data_rejected; /* refused one by one as invalid, and left out */
    uint64_t failed;        /* requests surely not taken, after all attempts */
};

/* *into came of it, too. */
void publish_result_add(struct publish_result *into, const struct publish_result *from);

/*
 * Send the requests of the batch in order, ending with the first that is not accepted.
 * ST_OK: all are accepted.  Data that CloudWatch alone calls invalid were found by halving, left
 * out, counted and named.  ST_IN_DOUBT: the last request sent may or may not be applied.  ST_RETRY,
 * ST_DENIED, ST_BAD_ITEM (all of it is refused), ST_TOO_BIG, ST_CANCELLED: the last one surely was
 * not.  In every failure *partial says whether some of the batch's data were accepted before.
 */
NODISCARD enum status publish_cloudwatch(struct aws_client *client, struct view region,
                                         const struct batch *batch, struct publish_result *result,
                                         bool *partial, struct error *err);

#endif
