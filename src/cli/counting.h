/* counting.h: what decides how records are counted, from options and environment. */
#ifndef CLI_COUNTING_H
#define CLI_COUNTING_H

#include "base/rfc3339.h"
#include "count/object_counter.h"
#include "price/price.h"

struct region_guard;
struct sources;

struct counting {
    struct counter_options options; /* all but dimensions, interval and range */
    metric_set metrics;             /* that are shown */
    struct profiles *profiles;
    struct prices *prices;
    struct region_guard *guard;
    char prices_as_of[RFC3339_BYTES];
    unsigned jobs;
};

/* Options as given, NULL where not. */
struct counting_choice {
    const char *jobs, *profiles, *prices;
    const char *allowed; /* inference Regions */
};

/* ST_USAGE: *err says why. */
NODISCARD enum status counting_settle(const struct counting_choice *choice, struct counting *out,
                                      struct error *err);
void counting_clear(struct counting *counting);

/* --since and --until, NULL where not given, into *counter.  ST_USAGE: *err says why. */
NODISCARD enum status counting_settle_times(const char *since, const char *until,
                                            struct counter_options *counter, struct error *err);

/* The sources of the command line for what *counter counts; as sources_open(). */
NODISCARD enum status counting_open(const struct counter_options *counter, char *const *words,
                                    size_t count, struct sources *sources, struct error *err);

#endif
