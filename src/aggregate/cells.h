/* cells.h: the table of sums of one dimension set.  Private to the aggregate stage. */
#ifndef AGGREGATE_CELLS_H
#define AGGREGATE_CELLS_H

#include "aggregate/aggregate.h"

struct cell_key {
    int64_t time;
    uint32_t id[DIMENSIONS_PER_SET]; /* interned values; the set's count of them */
};

struct cells; /* keys are unique; cells are numbered in the order of first sight */

/* `dimensions`: values in a key; `statistics`: keep count, minimum and maximum too.  NULL: no
 * memory. */
struct cells *cells_new(size_t dimensions, bool statistics);
void cells_free(struct cells *cells); /* cells_free(NULL) does nothing */

/* Forget all cells, keep the memory of some thousands. */
void cells_reset(struct cells *cells);

/* The cell of a key, made if new; UINT32_MAX: no memory. */
uint32_t cells_find(struct cells *cells, const struct cell_key *key);

/* The same of a key that has a cell already; UINT32_MAX: it has none. */
uint32_t cells_look(const struct cells *cells, const struct cell_key *key);

/* What a cell takes, in bytes: its sums, its key and its places in tables. */
size_t cells_bytes_each(const struct cells *cells);

/*
 * Count a record in a cell, pending.  Returns the cell's pending sums by metric for the caller to
 * add to, valid until the next call for another cell or of cells_find; NULL: no memory, nothing was
 * counted.
 */
u128 *cells_add_record(struct cells *cells, uint32_t cell);

/* Where statistics are kept: what the record just counted in the cell has added. */
void cells_add_statistics(struct cells *cells, uint32_t cell, const u128 amount[METRIC_COUNT]);

/* What is pending joins the cells, or is forgotten. */
void cells_commit(struct cells *cells);
void cells_rollback(struct cells *cells);

/* How many cells there are, counted or not. */
uint32_t cells_count(const struct cells *cells);

/* How many records have been committed to the cell; whether there are any. */
uint64_t cells_records(const struct cells *cells, uint32_t cell);
bool cells_is_counted(const struct cells *cells, uint32_t cell);

/* The key, the committed sums and the statistics of a cell, valid until the next cells_find. */
int64_t cells_time(const struct cells *cells, uint32_t cell);
const uint32_t *cells_ids(const struct cells *cells, uint32_t cell);
const u128 *cells_sums(const struct cells *cells, uint32_t cell);
const struct statistic *cells_statistics(const struct cells *cells,
                                         uint32_t cell); /* may be NULL */

/*
 * Keep the cells whose keep[cell] is true, with new numbers in the old order, and forget the others
 * with their sums.  Nothing is pending.  ST_NO_MEMORY: the table is empty.
 */
NODISCARD enum status cells_retain(struct cells *cells, const bool *keep);

/* Add the committed part of a cell of `from` to a cell of `into`. */
void cells_join(struct cells *into, uint32_t into_cell, const struct cells *from,
                uint32_t from_cell);

#endif
