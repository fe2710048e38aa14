/*
 * tuples.h: rows of numbers, each different one once, named by a small number in the order of first
 * sight.  Not for several threads at a time.
 */
#ifndef BASE_TUPLES_H
#define BASE_TUPLES_H

#include "base/table.h"

/* {.width = n} holds none yet. */
struct tuples {
    size_t width;      /* numbers in a row; may be 0 */
    uint32_t *numbers; /* `width` a row */
    uint32_t count;
    size_t capacity;
    struct table table;
};

#define TUPLES_NONE UINT32_MAX

/*
 * The number of the row of t->width numbers, given if new; *row is copied.  TUPLES_NONE: no memory,
 * or TABLE_MAX_COUNT rows; all is as it was.
 */
uint32_t tuples_id(struct tuples *t, const uint32_t *row);

/* The row of a number; valid until the next tuples_id. */
static inline const uint32_t *tuples_row(const struct tuples *t, uint32_t id)
{
    return &t->numbers[(size_t)id * t->width];
}

/* Forget all rows, keep the memory. */
void tuples_reset(struct tuples *t);

/* Release the memory; no rows are left, the width stays. */
void tuples_clear(struct tuples *t);

#endif
