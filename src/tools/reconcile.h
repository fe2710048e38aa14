/*
 * reconcile.h: the sums of the logs against Bedrock's own metrics, per Region and hour.
 *
 * Bedrock publishes its own metrics in namespace AWS/Bedrock, in the Region that was called, with
 * the one dimension ModelId: the model, system profile, or application profile as it was called
 * (https://docs.aws.amazon.com/bedrock/latest/userguide/monitoring-runtime-metrics.html).  They
 * know nothing of accounts: GetMetricData shows the account of the credentials only.
 *
 * Bedrock's Invocations have meant requests that succeeded, and later requests that were accepted,
 * failed ones too; so any number from the successful to all that were not throttled agrees.
 */
#ifndef TOOLS_RECONCILE_H
#define TOOLS_RECONCILE_H

#include "aggregate/aggregate.h"
#include "aws/aws_call.h"

enum {
    RECONCILE_METRICS = 8,
    RECONCILE_HOUR_S = 3600,
    RECONCILE_MAX_HOURS = 455 * 24, /* that long CloudWatch keeps hours */
    RECONCILE_MAX_REGIONS = 64,
};

/* The log's metric and its name in AWS/Bedrock, which is not always the same. */
struct reconcile_metric {
    enum metric metric;
    const char *native;
};
extern const struct reconcile_metric reconcile_metrics[RECONCILE_METRICS];

struct reconcile_options {
    struct aws_client *client;
    struct view account;        /* whose records are compared */
    const struct view *regions; /* asked even if no record is from there */
    size_t region_count;
    int64_t since_s, until_s; /* whole hours, at most RECONCILE_MAX_HOURS */
    double tolerance;         /* a part of the larger number: 0.01 is 1 % */
    bool by_model;
};

/* One number of the logs and the one of CloudWatch. */
struct reconcile_point {
    uint32_t region, model; /* names: see reconcile_name() */
    int64_t hour_s;
    uint32_t metric; /* into reconcile_metrics */
    u128 logs;       /* ... and the highest number that agrees: */
    u128 logs_most;
    double native;
};

struct reconcile_total {
    uint64_t numbers, apart;    /* where either side has something; of them out of tolerance */
    struct reconcile_point sum; /* of them; hour_s is 0, the model is "all models" */
};

/* The result.  {0} may be cleared. */
struct reconcile {
    struct reconcile_point *points; /* sorted by Region, model, hour, metric */
    size_t count, capacity;
    struct interner *names;
    uint32_t all_models;
    double tolerance;
    u128 other_accounts; /* records that were left out: of other accounts, */
    u128 other_regions;  /* of Regions whose name can be none */
};

/*
 * Compare.  `logs` has the set of reconcile_set() first, by the hour.  ST_OK: all was compared.
 * ST_DENIED, ST_RETRY, ...: *err names the call and Region.  Clear *out in every case.
 */
NODISCARD enum status reconcile_run(const struct reconcile_options *options,
                                    const struct aggregate *logs, struct reconcile *out,
                                    struct error *err);
void reconcile_clear(struct reconcile *r);

/* The dimensions that `logs` has to be summed by. */
NODISCARD enum status reconcile_set(struct dimension_keys *keys, struct dimension_set *set,
                                    struct error *err);

/* The name of a Region or model. */
struct view reconcile_name(const struct reconcile *r, uint32_t number);

/* Whether both sides agree within the tolerance. */
bool reconcile_agrees(const struct reconcile *r, const struct reconcile_point *p);

/* The sum of a metric over all hours and models of a Region of the points. */
struct reconcile_total reconcile_total(const struct reconcile *r, uint32_t region, uint32_t metric);

enum { RECONCILE_NAMED = 200 }; /* differences that the text names; the document has all */

/*
 * Append the report for people, or the document bedrock-metrics/reconcile/1 (reconcile_report.c);
 * check buf_status().  Returns how many numbers are out of tolerance.
 */
uint64_t reconcile_add_text(const struct reconcile *r, const struct reconcile_options *options,
                            struct buf *out);
uint64_t reconcile_add_json(const struct reconcile *r, const struct reconcile_options *options,
                            struct buf *out);

#endif
