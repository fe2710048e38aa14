/*
 * cube.h: the sums of a store in memory, by series and hour, day and all time.
 *
 * Questions are answered from the coarsest level that can, so that a year of hours is not walked to
 * tell a total.  Minutes stay in the store.  Not locked: the owner sees to it.
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
 * Add all sums of [since, until) to a grouping by `interval` (seconds, 0: all); since and until are
 * whole hours, or INT64_MIN and INT64_MAX.  A status is that of the grouping.
 */
NODISCARD enum status cube_gather(const struct cube *cube, int64_t since, int64_t until,
                                  int64_t interval, struct grouping *into);

/* Rows of the level of hours. */
uint64_t cube_rows(const struct cube *cube);

#endif
