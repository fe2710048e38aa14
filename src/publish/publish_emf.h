/*
 * publish_emf.h: sums as lines in CloudWatch's embedded metric format.
 *
 * Facts: CloudWatch user guide, "Specification: Embedded metric format".  A line holds the metrics
 * of one cell; written to standard output of a Lambda function, or wherever an agent reads, they
 * become metrics.  A value is the sum itself, so SampleCount counts lines, not records; sums above
 * 2^53 go into several lines.  A line that was written counts as published: what becomes of it
 * afterwards nobody can tell here.
 */
#ifndef PUBLISH_PUBLISH_EMF_H
#define PUBLISH_PUBLISH_EMF_H

#include "publish/batch.h"
#include "publish/publish_cloudwatch.h"

/* Write to fd.  ST_IO: a write failed; *partial says whether lines were written before. */
NODISCARD enum status publish_emf(int fd, const struct aggregate *agg,
                                  const struct batch_options *options,
                                  struct batch_dropped *dropped, struct publish_result *result,
                                  bool *partial, struct error *err);

#endif
