/*
 * publish.h: sums to where PUBLISHER says, CloudWatch's API or EMF lines, in one call for all who
 * publish without a ledger.
 */
#ifndef PUBLISH_PUBLISH_H
#define PUBLISH_PUBLISH_H

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

struct publish_sink {
    struct aws_client *client; /* NULL: as EMF lines on `fd` */
    struct view region;        /* of CloudWatch; empty: the client's */
    int fd;
    uint64_t in_doubt_pending; /* requests without an answer, not published as InDoubtPublishes */
};

/*
 * Publish the sums, of which options->sets were folded.  ST_OK: all is accepted, but for what
 * *dropped says, which is added to.  Else as publish_cloudwatch: *partial says whether some of it
 * was accepted.  *result is added to.
 */
NODISCARD enum status publish_sums(struct publish_sink *sink, const struct aggregate *sums,
                                   const struct batch_options *options,
                                   struct publish_result *result, struct batch_dropped *dropped,
                                   bool *partial, struct error *err);

/*
 * The CloudWatch kind of it: each request once, repeated only after a definite refusal
 * (cloudwatch.h).  Send the requests of the batch in order, ending with the first that is not accepted.
 * ST_OK: all are accepted.  Data that CloudWatch alone calls invalid were found by halving, left
 * out, counted and named.  ST_IN_DOUBT: the last request sent may or may not be applied.  ST_RETRY,
 * ST_DENIED, ST_BAD_ITEM (all of it is refused), ST_TOO_BIG, ST_CANCELLED: the last one surely was
 * not.  In every failure *partial says whether some of the batch's data were accepted before.
 */
NODISCARD enum status publish_cloudwatch(struct aws_client *client, struct view region,
                                         const struct batch *batch, struct publish_result *result,
                                         bool *partial, struct error *err);

/*
 * The EMF kind of it: sums as lines in CloudWatch's embedded metric format.
 *
 * Facts: CloudWatch user guide, "Specification: Embedded metric format".  A line holds the metrics
 * of one cell; written to standard output of a Lambda function, or wherever an agent reads, they
 * become metrics.  A value is the sum itself, so SampleCount counts lines, not records; sums above
 * 2^53 go into several lines.  A line that was written counts as published: what becomes of it
 * afterwards is not known here.
 *
 * ST_IO: a write to fd failed; *partial says whether lines were written before.
 */
NODISCARD enum status publish_emf(int fd, const struct aggregate *agg,
                                  const struct batch_options *options,
                                  struct batch_dropped *dropped, struct publish_result *result,
                                  bool *partial, struct error *err);

#endif
