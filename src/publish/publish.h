/*
 * publish.h: sums to where PUBLISHER says, CloudWatch's API or EMF lines, in one call for all who
 * publish without a ledger.
 */
#ifndef PUBLISH_PUBLISH_H
#define PUBLISH_PUBLISH_H

#include "publish/publish_cloudwatch.h"

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
