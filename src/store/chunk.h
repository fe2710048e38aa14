/*
 * chunk.h: the sums of one object and hour, packed for the store.
 *
 * A chunk is a row of cells: series, minute of the hour, a mask of the metrics that are not 0, and
 * those sums, all as little-endian base 128 numbers.  A typical cell takes 15 to 20 bytes.  Numbers
 * of metrics in the mask are fixed for ever (chunk.c) and independent of enum metric.
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
    u128 sum[METRIC_COUNT]; /* METRIC_TOTAL is neither written nor read: 0 */
};

/* Append a cell.  As with every append, the buffer remembers a failure. */
void chunk_add(struct buf *out, const struct chunk_cell *cell);

/*
 * Take the first cell off *rest.  ST_END: there is none.  ST_BAD_ITEM: this is no chunk, or names a
 * series of `series_count` or above.
 */
NODISCARD enum status chunk_next(struct view *rest, uint32_t series_count, struct chunk_cell *out);

#endif
