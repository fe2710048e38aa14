/*
 * cube.h: the sums of a store in memory: all-time ones by series, and the packed cells of each
 * hour.
 *
 * Totals are answered from the first, everything with a time from the second, by going through the
 * hours asked for.  An hour of a series is mostly one or two records, so unpacked sums of all hours
 * would take ten times the memory and hardly be faster.  Not locked: the owner sees to it.
 */
#ifndef STORE_CUBE_H
#define STORE_CUBE_H

#include "store/chunk.h"
#include "store/grouping.h"

struct cube;

struct cube *cube_new(void); /* NULL: no memory */
void cube_free(struct cube *cube);

/*
 * Add the cells of a chunk whose hour begins at `hour`.  ST_BAD_ITEM: it is none (checked before
 * anything is added).  ST_NO_MEMORY: parts may have been added; the cube is of no use any more.
 */
NODISCARD enum status cube_add(struct cube *cube, int64_t hour, struct view chunk,
                               uint32_t series_count);

/*
 * Add all sums of [since, until) (whole minutes, or INT64_MIN and INT64_MAX) to each of the
 * groupings, which have the same interval.  A status is that of a grouping.
 */
NODISCARD enum status cube_gather(const struct cube *cube, int64_t since, int64_t until,
                                  int64_t interval, struct grouping *const *into, size_t count);

/* Number of series with sums, and the all-time sum of a metric of one of them. */
uint32_t cube_series(const struct cube *cube);
u128 cube_total(const struct cube *cube, uint32_t series, enum metric metric);

#endif
