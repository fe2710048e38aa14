/*
 * dimension_sets.h: METRIC_DIMENSIONS, METRICS and METRIC_RESOLUTION as people write them.
 *
 * "InferenceProfileType;InferenceProfileType,ModelId": every set has series of its own, so a record
 * is in each set once.
 */
#ifndef CONFIG_DIMENSION_SETS_H
#define CONFIG_DIMENSION_SETS_H

#include "aggregate/dimension.h"
#include "aggregate/metric.h"

enum { DIMENSION_SETS_MAX = 16 };

/* Views into the text that was parsed, which must outlive it. */
struct dimension_sets {
    struct dimension_keys keys;
    struct dimension_set set[DIMENSION_SETS_MAX];
    size_t count;
};

/*
 * Sets separated by `;`.  Zero *out before, or give it the keys of other sets: new ones are added
 * to them, so that all are numbered through.  ST_USAGE with a text that quotes the value: what
 * dimension_set_parse() refuses, a name CloudWatch does not take, a set named twice (in any order),
 * too many.
 */
NODISCARD enum status dimension_sets_parse(struct view text, struct dimension_sets *out,
                                           struct error *err);

/* METRIC_RESOLUTION in seconds: 1, 5, 10, 30, or a multiple of 60 up to 3600.  ST_USAGE quotes it.
 */
NODISCARD enum status dimension_sets_parse_resolution(struct view text, uint64_t *out,
                                                      struct error *err);

/*
 * The same of an option's value, or of the variable where `given` is NULL; *err begins with the name
 * of the one.
 */
NODISCARD enum status dimension_sets_choose(const char *given, struct dimension_sets *out,
                                            struct error *err);
NODISCARD enum status dimension_sets_choose_resolution(const char *given, uint64_t *out,
                                                       struct error *err);

/* --metrics or METRICS; neither: all but those that are only published on request.  METRIC_LATENCY
 * adds the latency: *out says whether it has to be read. */
NODISCARD enum status dimension_sets_choose_metrics(const char *given, metric_set *out,
                                                    struct error *err);

#endif
