/*
 * plan_bill.h: what CloudWatch charges for custom metrics, in whole numbers.
 *
 * Facts: list prices of us-east-1 as third parties transcribed them (the first three tiers in May
 * 2026, the fourth in 2022), not read from AWS's own page.  A custom metric costs a price a month,
 * "prorated by the hour and metered only when data is sent" (CloudWatch user guide on detailed
 * monitoring, which says it of custom metrics too).  The hour is that of sending; a record's own
 * hour stands for it here, which is the same but for logs that come late.  PutMetricData costs by
 * the request.
 */
#ifndef TOOLS_PLAN_BILL_H
#define TOOLS_PLAN_BILL_H

#include "base/u128.h"
#include "base/view.h"

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
 * observed it stands for a whole month of the same.
 */
void bill_metrics(const struct bill_tier *tiers, size_t tier_count, uint64_t metric_hours,
                  uint64_t hours, struct bill *out);

/* numerator / denominator, rounded half up. */
u128 bill_round(u128 numerator, u128 denominator);

#endif
