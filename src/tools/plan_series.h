/*
 * plan_series.h: how many series and metrics a dimension set would publish, hour by hour.
 *
 * A series is a combination of dimension values; a metric, as CloudWatch bills it, is a series and
 * a metric's name, in every hour in which it has a value above 0.
 */
#ifndef TOOLS_PLAN_SERIES_H
#define TOOLS_PLAN_SERIES_H

#include "aggregate/aggregate.h"

struct plan_value {
    struct view value;
    uint64_t series, metric_hours;
    u128 tokens;
};

struct plan_dimension {
    struct view name;
    uint64_t values;               /* different ones */
    uint64_t series_without;       /* series of the set were this dimension left out */
    uint64_t metric_hours_without; /* the same for metric-hours, nothing folded */
    struct plan_value *top;        /* most metric-hours first */
    size_t top_count;
};

/* Counts of one set; `kept_` is what is left when the series above the cap become "Other". */
struct plan_set {
    const struct dimension_set *set; /* the aggregate's */
    uint64_t series, metrics;
    uint64_t series_hours, metric_hours;
    uint64_t kept_series, kept_metrics, kept_metric_hours;
    uint64_t folded_series, folded_hours; /* series folded in some hour; hours with a fold */
    u128 tokens, folded_tokens;
    struct {
        uint64_t series, hours;
    } metric[METRIC_COUNT];                              /* nothing folded */
    struct plan_dimension dimension[DIMENSIONS_PER_SET]; /* in the set's order */
};

/* Data that are published in an hour, each metric once. */
struct plan_hour {
    int64_t hour; /* its first second since the epoch */
    uint64_t data;
};

struct plan_series {
    struct plan_set *sets;
    size_t set_count;
    struct plan_hour *hours; /* with data, by time */
    size_t hour_count;
};

struct plan_options {
    metric_set metrics;
    uint64_t max_series; /* of a set in an hour */
    size_t top;          /* values kept of a dimension */
};

/*
 * Of an aggregate with buckets of 3600 s, which must outlive the result.  The cap is applied to
 * every hour, as if that were one round: shorter rounds fold less.  ST_NO_MEMORY: *out is empty.
 */
NODISCARD enum status plan_series_count(const struct aggregate *agg,
                                        const struct plan_options *options,
                                        struct plan_series *out);
void plan_series_clear(struct plan_series *series); /* a zeroed one may be cleared too */

#endif
