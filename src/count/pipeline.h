/*
 * pipeline.h: all objects of some sources through a bounded pool of workers.
 *
 * Workers share nothing but the list of work, which is bounded: when it is full, the listing thread
 * counts an object itself.  A worker without work scans for one that is busy with a large object,
 * so that inflating and scanning overlap.  With one job everything runs in the calling thread.
 */
#ifndef COUNT_PIPELINE_H
#define COUNT_PIPELINE_H

#include "count/object_counter.h"
#include "ledger/ledger_id.h"
#include "ledger/receipt.h"
#include "objects/source.h"

struct progress;

/* Which objects were counted, for a receipt. */
struct pipeline_receipt {
    enum ledger_identity identity;
    struct receipt counted; /* those that have a name */
    uint64_t unnamed;       /* counted, too: standard input */
};

struct pipeline_options {
    struct counter_options counter;
    unsigned jobs;                    /* at least 1 */
    struct progress *progress;        /* may be NULL */
    struct pipeline_receipt *receipt; /* NULL: none is wanted; all but identity is set */
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
