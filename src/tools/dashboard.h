/*
 * dashboard.h: a CloudWatch dashboard body that fits what is published.
 *
 * Facts: CloudWatch API reference, "Dashboard body structure and syntax"; CloudWatch user guide,
 * "Search expression syntax" and "Use dynamic labels".  A SEARCH with a schema finds only metrics
 * with exactly its dimensions, so every widget names one of the sets that are published.  Every
 * record is in every set once, so a sum over any one set is the total.
 */
#ifndef TOOLS_DASHBOARD_H
#define TOOLS_DASHBOARD_H

#include "aggregate/dimension.h"
#include "aggregate/metric.h"
#include "base/buf.h"

enum {
    DASHBOARD_MAX_BYTES = 1000 * 1000, /* of a body: "1 MB", read as a million */
    DASHBOARD_MAX_WIDGETS = 500,
    DASHBOARD_GRID = 24,               /* columns */
    DASHBOARD_MAX_SEARCH_CHARS = 1024, /* of a SEARCH expression */
};

/* A queue, function or table: its name, and its Region where that is known (else empty). */
struct dashboard_target {
    struct view name;
    struct view region;
};

struct dashboard_targets {
    const struct dashboard_target *list;
    size_t count;
};

struct dashboard_options {
    struct view name_space;
    struct view region; /* where the metrics are, and targets that do not say */
    const struct dimension_set *sets;
    size_t set_count;
    metric_set metrics;  /* published; widgets without one of theirs are left out */
    unsigned resolution; /* seconds of a bucket: no period is shorter */
    struct dashboard_targets queues, dead_letters, functions, tables;
    /*
     * The body is text for CloudFormation's Fn::Sub: "${NAME}" in namespace, Region and targets is
     * put in by it, and CloudWatch's own ${...} is written ${!...}, as Fn::Sub asks.
     */
    bool for_template;
};

/*
 * "https://sqs.REGION.amazonaws.com/ACCOUNT/NAME", "arn:PARTITION:SERVICE:REGION:ACCOUNT:NAME" (for
 * functions "function:NAME[:QUALIFIER]", for tables "table/NAME") or NAME.  Views into `text`.
 * ST_USAGE: no such thing; *err quotes it.
 */
NODISCARD enum status dashboard_target_parse(struct view text, struct dashboard_target *out,
                                             struct error *err);

/*
 * Whether a SEARCH can name the set: not with a quote or backslash in a name, nor when the
 * expression gets longer than CloudWatch takes.  Widgets of other sets are left out.
 */
bool dashboard_can_search(struct view name_space, const struct dimension_set *set);

/* Append the body.  ST_TOO_BIG, ST_NO_MEMORY: of `out`. */
NODISCARD enum status dashboard_write(const struct dashboard_options *options, struct buf *out);

#endif
