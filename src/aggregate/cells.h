/* cells.h: the table of sums of one dimension set.  Private to the aggregate stage. */
#ifndef AGGREGATE_CELLS_H
#define AGGREGATE_CELLS_H

#include "aggregate/aggregate.h"

/*
 * METRIC_TOTAL is not stored, so one slot less than metrics.  Its statistic does not follow from
 * those of its parts: with statistics there is one slot more, of which only they are used.
 */
enum { SLOT_COUNT = METRIC_COUNT - 1, SLOT_TOTAL = SLOT_COUNT };

static inline size_t slots_of(bool statistics)
{
    return SLOT_COUNT + (statistics ? 1 : 0);
}

static inline size_t metric_slot(enum metric metric)
{
    return metric < METRIC_TOTAL ? (size_t)metric : (size_t)metric - 1;
}

struct cell_key {
    int64_t time;
    uint32_t id[DIMENSIONS_PER_SET]; /* interned values; the set's count of them */
};

struct cells; /* keys are unique; cells are numbered in the order of first sight */

struct cells *cells_new(size_t dimensions, size_t slots, bool statistics); /* NULL: no memory */
void cells_free(struct cells *cells);
void cells_reset(struct cells *cells);

/* The cell of a key, made if new; UINT32_MAX: no memory. */
uint32_t cells_find(struct cells *cells, const struct cell_key *key);

/* The place of a cell in the pending part, made if it has none; UINT32_MAX: no memory. */
uint32_t cells_pending(struct cells *cells, uint32_t cell);

/* Add to a pending place: the metric's sum and, if kept, its statistic. */
void cells_add(struct cells *cells, uint32_t pending, size_t slot, u128 amount);

/*
 * The sums of a pending place by slot, for adding to them where no statistics are kept.  Valid
 * until the next cells_find or cells_pending.
 */
u128 *cells_pending_sums(struct cells *cells, uint32_t pending);

/* A record was counted in this pending place, whatever it added. */
void cells_mark(struct cells *cells, uint32_t pending);

void cells_commit(struct cells *cells);
void cells_rollback(struct cells *cells);

/* How many cells there are, counted or not. */
uint32_t cells_count(const struct cells *cells);

/* Whether a record has been committed to the cell. */
bool cells_is_counted(const struct cells *cells, uint32_t cell);

int64_t cells_time(const struct cells *cells, uint32_t cell);
const uint32_t *cells_ids(const struct cells *cells, uint32_t cell);
const u128 *cells_sums(const struct cells *cells, uint32_t cell);
const struct statistic *cells_statistics(const struct cells *cells,
                                         uint32_t cell); /* may be NULL */

/* Add the committed part of a cell of `from` to a cell of `into`. */
void cells_join(struct cells *into, uint32_t into_cell, const struct cells *from,
                uint32_t from_cell);

#endif
