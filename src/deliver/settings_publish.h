/*
 * settings_publish.h: what `aggregate --publish` does beside its report.
 *
 * One pass over the objects serves both: the counter gets the sets of METRIC_DIMENSIONS and those
 * of the report, in buckets of METRIC_RESOLUTION; afterwards the report's sums are taken out of
 * them.
 */
#ifndef DELIVER_SETTINGS_PUBLISH_H
#define DELIVER_SETTINGS_PUBLISH_H

#include "deliver/round.h"

struct publish_beside;

enum { PUBLISH_BESIDE_MAX_SETS = 32 }; /* of the report */

/*
 * Settle what is published from the environment and change *counter, which has the report's sets
 * and interval, so that both can be counted.  *keys is what counter->aggregate.keys points to; the
 * keys of METRIC_DIMENSIONS are added.  ST_USAGE: a value cannot be used, or the report's interval
 * is no multiple of METRIC_RESOLUTION.  What *counter points to must outlive the result, and that
 * the counters.  *out is to be freed in every case.
 */
NODISCARD enum status publish_beside_new(struct publish_beside **out,
                                         struct counter_options *counter,
                                         struct dimension_keys *keys, struct error *err);
void publish_beside_free(struct publish_beside *p); /* NULL does nothing */

/* The report's sums, with its sets and interval; freed by the caller. */
NODISCARD enum status publish_beside_report(const struct publish_beside *p,
                                            const struct aggregate *counted,
                                            struct aggregate **report, struct error *err);

/* Publish the rest.  As round_publish_sums; *counted is used up. */
NODISCARD enum status publish_beside_send(struct publish_beside *p, struct aggregate *counted,
                                          struct round_summary *summary, struct error *err);

#endif
