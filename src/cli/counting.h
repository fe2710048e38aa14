/* counting.h: what decides how records are counted, from options and environment. */
#ifndef CLI_COUNTING_H
#define CLI_COUNTING_H

#include "base/rfc3339.h"
#include "cli/options.h"
#include "config/settings_sources.h"
#include "count/pipeline.h"

struct counting {
    struct pipeline_options pipeline;
    struct sources sources;
    metric_set metrics; /* that are shown */
    struct profiles *profiles;
    struct prices *prices;
    struct region_guard *guard;
    char prices_as_of[RFC3339_BYTES];
};

enum { COUNTING_MAX_JOBS = 64 };

/* Options as given, NULL or 0 where not. */
struct counting_choice {
    uint64_t jobs;
    const char *profiles, *prices;
    const char *allowed; /* inference Regions */
};

/* Rows of a command's table: its struct counting_choice is called `counting`. */
#define JOBS_OPTION                                                                                \
    {                                                                                              \
        "jobs", "N", "objects read at a time (default: processors)",                               \
            OPT_NUMBER(counting.jobs, 1, COUNTING_MAX_JOBS, 0)                                     \
    }
#define PROFILES_OPTION                                                                            \
    {                                                                                              \
        "profiles", "FILE",                                                                        \
            "models of application inference profiles: the\n"                                      \
            "output of \"aws bedrock list-inference-profiles\"",                                   \
            OPT_TEXT(counting.profiles)                                                            \
    }
#define PRICES_OPTION                                                                              \
    {                                                                                              \
        "prices", "FILE",                                                                          \
            "price list whose rows override the built-in ones\n"                                   \
            "(default PRICES_FILE; see \"bedrock-metrics prices\")",                               \
            OPT_TEXT(counting.prices)                                                              \
    }
#define ALLOW_OPTION                                                                               \
    {                                                                                              \
        "allow-inference-regions", "REGION,...",                                                   \
            "count calls outside these Regions as\n"                                               \
            "DisallowedRegionTokenCount, shown on the page",                                       \
            OPT_TEXT(counting.allowed)                                                             \
    }

/* All but dimensions, interval, range and sources.  ST_USAGE: *err says why. */
NODISCARD enum status counting_resolve(const struct counting_choice *choice, struct counting *out,
                                       struct error *err);
void counting_clear(struct counting *counting);

/* What to count by; the views live on. */
void counting_by(struct counting *c, const struct dimension_keys *keys,
                 const struct dimension_set *sets, size_t set_count, int64_t interval_seconds);

/* --since and --until, NULL where not given.  ST_USAGE: *err says why. */
NODISCARD enum status counting_resolve_times(const char *since, const char *until,
                                             struct counting *c, struct error *err);

/* The sources of the command line, for the range; as sources_open(). */
NODISCARD enum status counting_open(struct counting *c, char *const *words, size_t count,
                                    struct error *err);

/* As pipeline_run(). */
NODISCARD enum status counting_run(const struct counting *c, struct aggregate **out,
                                   struct tally *tally, struct error *err);

#endif
