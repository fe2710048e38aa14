/* plan_report.h: what `plan` prints, as text or as the document bedrock-metrics/plan/1. */
#ifndef TOOLS_PLAN_REPORT_H
#define TOOLS_PLAN_REPORT_H

#include "base/buf.h"
#include "count/tally.h"
#include "tools/plan_bill.h"
#include "tools/plan_series.h"

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

/* Append; the caller checks buf_status(). */
void plan_report_text(const struct plan_report *report, struct buf *out);
void plan_report_json(const struct plan_report *report, struct buf *out);

/* Cost of PutMetricData in micro-dollars, times report->hours. */
u128 plan_report_request_cost(const struct plan_report *report);

#endif
