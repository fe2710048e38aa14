/*
 * plan.h: what the logs would publish for a choice of dimension sets, and what CloudWatch would
 * charge for it.
 *
 * A series is a combination of dimension values; a metric, as CloudWatch bills it, is a series and
 * a metric's name, in every hour in which it has a value above 0.
 */
#ifndef TOOLS_PLAN_H
#define TOOLS_PLAN_H

#include "aggregate/aggregate.h"
#include "count/tally.h"

/* ---- series, hour by hour (plan_series.c) ---- */

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
    struct plan_dimension dimension[DIMENSIONS_PER_SET]; /* fewest hours without it first */
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

/*
 * ---- the bill, in whole numbers (plan_bill.c) ----
 *
 * Facts: list prices of us-east-1 as third parties transcribed them (the first three tiers in May
 * 2026, the fourth in 2022), not read from AWS's own page.  A custom metric costs a price a month,
 * "prorated by the hour and metered only when data is sent" (CloudWatch user guide on detailed
 * monitoring, which says it of custom metrics too).  The hour is that of sending; a record's own
 * hour is taken for it here, which is the same but for logs that come late.  PutMetricData costs by
 * the request.
 */

enum {
    BILL_MONTH_HOURS = 730,
    BILL_TIERS = 4,
    BILL_DATA_PER_REQUEST = 1000,
    BILL_REQUEST_MICRO_USD = 10, /* $0.01 for 1000 */
    BILL_USD = 1000000,          /* micro-dollars */
};

#define BILL_PRICES_AS_OF "2026-05"

struct bill_tier {
    uint64_t metrics;   /* how many are charged at this price; UINT64_MAX: all further ones */
    uint64_t micro_usd; /* a metric for a month */
};

/* Returns the number of tiers. */
size_t bill_list_tiers(struct bill_tier tiers[BILL_TIERS]);

/* "0.3": dollars with up to six decimals, below a million.  ST_BAD_ITEM otherwise. */
NODISCARD enum status bill_parse_usd(struct view text, uint64_t *micro_usd);

struct bill {
    uint64_t hours; /* the month that metric-hours are divided by */
    size_t lines;
    uint64_t metric_hours[BILL_TIERS]; /* charged in each tier */
    u128 micro_usd_hours[BILL_TIERS];  /* cost * hours */
    u128 total;                        /* the same of all */
};

/*
 * The bill of so many metric-hours, where `hours` make a month: metric_hours / hours metrics.
 * With hours = BILL_MONTH_HOURS what was counted is charged as it is; with the hours that were
 * observed it is that of a whole month of the same.
 */
void bill_metrics(const struct bill_tier *tiers, size_t tier_count, uint64_t metric_hours,
                  uint64_t hours, struct bill *out);

/* ---- the report (plan_text.c, plan_json.c) ---- */

struct plan_report {
    const struct plan_series *series;
    const struct tally *tally;
    metric_set metrics;
    uint64_t max_series;
    unsigned resolution;
    uint64_t hours;    /* from the first record's to the last one's, both included; 0: no record */
    uint64_t requests; /* PutMetricData in them, one round a minute */
    struct bill_tier tiers[BILL_TIERS];
    size_t tier_count;
    bool own_price;          /* --price-per-metric */
    struct bill observed;    /* what these hours cost */
    struct bill month;       /* a month of hours like these */
    struct bill month_whole; /* the same with nothing folded */
};

/* Append the report for people, or the document bedrock-metrics/plan/1; check buf_status(). */
void plan_add_text(const struct plan_report *report, struct buf *out);
void plan_add_json(const struct plan_report *report, struct buf *out);

/* ---- figures of the report ---- */

/* What the list prices are. */
extern const char plan_prices_note[];

/* Dollars from numerator / denominator micro-dollars. */
void plan_add_usd(struct buf *out, u128 numerator, u128 denominator, unsigned decimals);

/* The set's part of the month's bill for metrics, by metric-hours, in dollars. */
void plan_add_share(struct buf *out, const struct plan_report *report, const struct plan_set *set,
                    unsigned decimals);

/* Metric-hours of all sets, after the fold. */
uint64_t plan_kept_metric_hours(const struct plan_report *report);

/* PutMetricData in a month, and all of the month's bill: micro-dollars times report->hours. */
u128 plan_month_requests(const struct plan_report *report);
u128 plan_month_total(const struct plan_report *report);

#endif
