/*
 * chunk.h: the sums of one object and hour, packed for the store.
 *
 * A chunk is a row of cells: series, minute of the hour, a mask of the metrics that are not 0, and
 * those sums, all as little-endian base 128 numbers.  A typical cell takes 15 to 20 bytes.  Chunks
 * of one hour laid end to end are a chunk again.  Numbers of metrics in the mask are fixed for ever
 * (chunk.c) and independent of enum metric.
 */
#ifndef STORE_CHUNK_H
#define STORE_CHUNK_H

#include "aggregate/metric.h"
#include "base/buf.h"
#include "base/u128.h"

enum { CHUNK_SECONDS = 3600, CHUNK_MINUTES = 60 };

struct chunk_cell {
    uint32_t series;
    unsigned minute;        /* below CHUNK_MINUTES */
    metric_set present;     /* metrics with a sum; the other sums are not set when reading */
    u128 sum[METRIC_COUNT]; /* METRIC_TOTAL is neither written nor read */
};

/* Append a cell; `present` is not looked at.  The buffer remembers a failure, as always. */
void chunk_add(struct buf *out, const struct chunk_cell *cell);

/*
 * Take the first cell off *rest.  ST_END: there is none.  ST_BAD_ITEM: this is not a chunk, or names a
 * series of `series_count` or above.
 */
NODISCARD enum status chunk_next(struct view *rest, uint32_t series_count, struct chunk_cell *out);

/* Add a cell that was read to sums by enum metric. */
static inline void chunk_add_to(u128 *sum, const struct chunk_cell *cell)
{
    for (metric_set left = cell->present; left != 0; left &= left - 1) {
        unsigned m = (unsigned)__builtin_ctz(left);
        sum[m] += cell->sum[m];
    }
}

/*
 * Add up what is of one series: each series of `cells` (chunks laid end to end) becomes one cell,
 * with minute 0, sorted by series, appended to `out`.  `map` (NULL: none) gives another series, not
 * above it, for each.  ST_BAD_ITEM: these are not chunks.  ST_TOO_BIG: 4 GiB.  ST_NO_MEMORY.
 */
NODISCARD enum status chunk_condense(struct view cells, const uint32_t *map, uint32_t series_count,
                                     struct buf *out);

/* A number as cells have it: little-endian base 128.  false: *rest begins with none. */
void chunk_add_number(struct buf *out, u128 value);
bool chunk_take_number(struct view *rest, u128 *value);

#endif
