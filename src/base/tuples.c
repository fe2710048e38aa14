/* tuples.c: an array of rows and the table that finds them. */
#include "base/tuples.h"

#include <stdlib.h>

#include "base/array.h"

uint32_t tuples_id(struct tuples *t, const uint32_t *row)
{
    size_t bytes = t->width * sizeof(*row);
    uint64_t hash = 0;
    for (size_t i = 0; i < t->width; i++)
        hash = table_mix(hash, row[i]);
    struct table_look look = table_look((uint32_t)(hash >> 32));
    while (table_next(&t->table, &look)) {
        if (memcmp(tuples_row(t, look.number), row, bytes) == 0)
            return look.number;
    }
    /* A row of no numbers still has a place, so that no array of no bytes is asked for. */
    if (!array_room(&t->numbers, t->count, &t->capacity, 64, bytes > 0 ? bytes : sizeof(*row)) ||
        table_add(&t->table, look.hash, t->count) != ST_OK)
        return TUPLES_NONE;
    memcpy(t->numbers + (size_t)t->count * t->width, row, bytes);
    return t->count++;
}

void tuples_reset(struct tuples *t)
{
    t->count = 0;
    table_reset(&t->table);
}

void tuples_clear(struct tuples *t)
{
    free(t->numbers);
    table_clear(&t->table);
    *t = (struct tuples){.width = t->width};
}
