/*
 * gather.h: the sums of a store over a span of time, from as few rows as have them, grouped by some
 * of its dimensions and by time.
 */
#ifndef STORE_GATHER_H
#define STORE_GATHER_H

#include "aggregate/aggregate.h"
#include "store/dictionary.h"
#include "store/store.h"

/* ---- groups (grouping.c) ---- */

struct grouping_options {
    const struct dictionary *dictionary;
    size_t columns[DIMENSIONS_PER_SET]; /* of the dictionary, by which is grouped */
    size_t column_count;
    uint32_t series_count;    /* of the dictionary that may be asked for */
    int64_t interval_seconds; /* length of a bucket; 0: all time is one */
    uint32_t max_cells;
    /* By column: what each text (by number) is replaced by; NULL: nothing is. */
    const uint32_t *const *replace;
};

struct grouping;

/* The options' dictionary and `replace` must outlive it.  NULL: no memory. */
struct grouping *grouping_new(const struct grouping_options *options);
void grouping_free(struct grouping *g); /* grouping_free(NULL) does nothing */

/*
 * The sums of a series' group at a time, by enum metric, for the caller to add to until the next
 * call.  NULL: no memory, or max_cells are reached (grouping_status says which).
 */
u128 *grouping_sums(struct grouping *g, uint32_t series, int64_t time);
/* ST_OK, or why grouping_sums gave NULL: ST_NO_MEMORY, ST_TOO_BIG. */
enum status grouping_status(const struct grouping *g);

/* Add all to a set of an aggregate with the same dimensions and interval; all or nothing.  ST_NO_MEMORY. */
NODISCARD enum status grouping_add_to(const struct grouping *g, struct aggregate *aggregate,
                                      size_t set);

/* ---- from the store into groups (gather.c) ---- */

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
