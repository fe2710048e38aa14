/* metric.h: the metrics that are summed, by their published names. */
#ifndef AGGREGATE_METRIC_H
#define AGGREGATE_METRIC_H

#include "base/buf.h"

/* In the order of columns.  The first four token metrics stand in the order of enum scan_number. */
enum metric {
    METRIC_INVOCATIONS,
    METRIC_INPUT,
    METRIC_OUTPUT,
    METRIC_CACHE_READ,
    METRIC_CACHE_WRITE,
    METRIC_TOTAL, /* not stored: the sum of the four before it */
    METRIC_CLIENT_ERRORS,
    METRIC_SERVER_ERRORS,
    METRIC_THROTTLES,
    METRIC_LATENCY,           /* milliseconds; only where it is read */
    METRIC_COST,              /* 1e-12 USD */
    METRIC_UNPRICED,          /* tokens without a price */
    METRIC_APPROXIMATE,       /* tokens priced at a price that is only near the true one */
    METRIC_DISALLOWED_TOKENS, /* of records elsewhere (region_guard.h); only with a list of Regions
                               */
    METRIC_DISALLOWED_INVOCATIONS, /* likewise */
    METRIC_COUNT,
};

/* A set of metrics, one bit each. */
typedef uint32_t metric_set;
#define METRIC_BIT(metric) ((metric_set)1 << (metric))
#define METRIC_SET_BASE (METRIC_BIT(METRIC_LATENCY) - 1)
/* ApproximateTokens is kept as well, but shown only when asked for by name. */
#define METRIC_SET_COST (METRIC_BIT(METRIC_COST) | METRIC_BIT(METRIC_UNPRICED))
#define METRIC_SET_GUARD                                                                           \
    (METRIC_BIT(METRIC_DISALLOWED_TOKENS) | METRIC_BIT(METRIC_DISALLOWED_INVOCATIONS))

/* "InputTokenCount" */
const char *metric_name(enum metric metric);

/* CloudWatch's unit: "Count", "Milliseconds", "None". */
const char *metric_unit(enum metric metric);

/* A short one, for the columns of a table: "Cache read" */
const char *metric_title(enum metric metric);

/* A sentence for OpenMetrics' HELP lines. */
const char *metric_help(enum metric metric);

/* METRIC_COUNT when there is none of that name. */
enum metric metric_find(struct view name);

/* A value as JSON, CSV and CloudWatch have it: all digits; a cost in dollars, "0.0123". */
void metric_add_value(struct buf *out, enum metric metric, u128 value);

#endif
