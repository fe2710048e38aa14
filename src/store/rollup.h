/*
 * rollup.h: the sums of a store summed further, so that a question about months need not read every
 * chunk.
 *
 * A rollup is exact for the chunks up to a number that is written in the same transaction with it
 * (store_get_number "rolled_up"); the chunks above that number, the tail, are read as well.  So
 * it does not matter when rollups are made, nor whether the process is killed meanwhile; without
 * any, all is tail.  The cells of a rollup are one a series, sorted by it (chunk_condense).
 */
#ifndef STORE_ROLLUP_H
#define STORE_ROLLUP_H

#include "store/store.h"

enum rollup_level {
    /*
     * By the hour, without principals, which make most of the series: each cell belongs to the
     * lowest series that differs from its own in the principal only.
     */
    ROLLUP_HOUR = 1,
    ROLLUP_DAY = 2, /* all dimensions */
    ROLLUP_ALL = 3, /* all dimensions, all time: the one bucket 0 */
};

enum { ROLLUP_DAY_SECONDS = 86400 };

struct rollup;

/* The store and its dictionary must outlive it.  ST_NO_MEMORY or a fault of the store. */
NODISCARD enum status rollup_new(struct store *store, const struct dictionary *dictionary,
                                 struct rollup **out, struct error *err);
void rollup_free(struct rollup *rollup);

/* Chunks were committed. */
void rollup_see(struct rollup *rollup, uint64_t chunks, uint64_t bytes);

/*
 * Whether it is time to run.  While much is coming in, the tail may grow to a part of all; when
 * nothing is, to what is read in a moment.  `now_ms` is any steady clock.
 */
bool rollup_is_due(const struct rollup *rollup, bool idle, int64_t now_ms);

/*
 * Take the tail, or as much of it as memory should hold, into the rollups, in one transaction.
 * *more says whether there is more.  On a fault all is as before.
 */
NODISCARD enum status rollup_run(struct rollup *rollup, bool *more, struct error *err);

/* When the last run ended and how long it took, for rollup_is_due. */
void rollup_took(struct rollup *rollup, int64_t begin_ms, int64_t end_ms);

/* The number of the last chunk in the rollups; 0: none. */
NODISCARD enum status rollup_last(struct store *store, int64_t *out, struct error *err);

#endif
