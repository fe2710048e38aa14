/* gather.h: the sums of a store over a span of time, from as few rows as have them. */
#ifndef STORE_GATHER_H
#define STORE_GATHER_H

#include "store/grouping.h"
#include "store/store.h"

struct gather {
    struct store *store;   /* reading */
    int64_t since, until;  /* [since, until): whole minutes, INT64_MIN and INT64_MAX: no bound */
    int64_t interval;      /* of the grouping */
    bool has_principal;    /* it tells principals apart */
    uint32_t series_count; /* of the dictionary */
    struct grouping *into;
};

/*
 * Add all sums of the span to the grouping: whole days and hours from rollups as far as they are
 * fine enough, the rest and what is not rolled up yet from chunks.  ST_TOO_BIG, ST_NO_MEMORY: the
 * grouping's.  Others are faults of the store.
 */
NODISCARD enum status gather_sums(const struct gather *gather, struct error *err);

/* All-time tokens by series, added to tokens[0..series_count). */
NODISCARD enum status gather_tokens(struct store *store, uint32_t series_count, u128 *tokens,
                                    struct error *err);

#endif
