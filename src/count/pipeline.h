/* pipeline.h: all objects of some sources, through a pool of readers, into one aggregate. */
#ifndef COUNT_PIPELINE_H
#define COUNT_PIPELINE_H

#include "count/reader_pool.h"
#include "objects/source.h"

struct pipeline_options {
    struct counter_options counter;
    unsigned jobs;             /* at least 1 */
    struct progress *progress; /* may be NULL */
    /* Called with each object that was counted, one at a time, as its source names it.  Another
     * status than ST_OK ends the run.  May be NULL. */
    enum status (*on_counted)(void *context, struct view key);
    void *context;
};

/*
 * Count every object of the sources.  ST_OK: *result (freed by the caller with aggregate_free) has
 * the sums, *tally the balance; objects that failed are logged and counted in it.  Otherwise
 * *result is NULL.
 */
NODISCARD enum status pipeline_run(struct source *const *sources, size_t source_count,
                                   const struct pipeline_options *options,
                                   struct aggregate **result, struct tally *tally,
                                   struct error *err);

#endif
