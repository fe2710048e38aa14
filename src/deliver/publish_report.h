/*
 * publish_report.h: what `aggregate --publish` adds to its report.
 *
 * One pass over the objects serves both: the counter gets the sets of METRIC_DIMENSIONS and those
 * of the report, in buckets of METRIC_RESOLUTION; the report's sums are taken out of what it
 * counted.
 */
#ifndef DELIVER_PUBLISH_REPORT_H
#define DELIVER_PUBLISH_REPORT_H

#include "config/settings.h"
#include "ledger/round_summary.h"

struct publish_report;

enum { PUBLISH_REPORT_MAX_SETS = 32 }; /* of the report */

/*
 * Change *counter, which has the report's sets and interval, so that both can be counted.  *keys is
 * what counter->aggregate.keys points to; the keys of METRIC_DIMENSIONS are added.  ST_USAGE: the
 * report's interval is not a multiple of METRIC_RESOLUTION.  What *counter and `settings` point to
 * must outlive the result, and that the counters.  *out is to be freed in every case.
 */
NODISCARD enum status publish_report_new(struct publish_report **out,
                                         const struct run_settings *settings,
                                         struct counter_options *counter,
                                         struct dimension_keys *keys, struct error *err);
void publish_report_free(struct publish_report *p); /* NULL does nothing */

/* The report's part of these sums joins the report (a struct publish_report).  ST_NO_MEMORY. */
NODISCARD enum status publish_report_add(void *p, const struct aggregate *counted);

/* What joined, with the report's sets and interval; the caller's then. */
struct aggregate *publish_report_take(struct publish_report *p);

/*
 * Publish the rest: series beyond the cap are folded in *counted.  ST_OK: all is accepted; else as
 * publish_sums, and *summary says how far it came.  Logs the line of sums.
 */
NODISCARD enum status publish_report_send(const struct publish_report *p,
                                          const struct settings_aws *aws, struct aggregate *counted,
                                          struct round_summary *summary, struct error *err);

#endif
