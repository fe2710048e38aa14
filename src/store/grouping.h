/* grouping.h: sums of series gathered by some of their dimensions and by time. */
#ifndef STORE_GROUPING_H
#define STORE_GROUPING_H

#include "aggregate/aggregate.h"
#include "store/dictionary.h"

struct grouping_options {
    const struct dictionary *dictionary;
    size_t columns[DIMENSIONS_PER_SET]; /* of the dictionary, by which is grouped */
    size_t column_count;
    uint32_t series_count;    /* of the dictionary that may be asked for */
    int64_t interval_seconds; /* length of a bucket; 0: all time is one */
    uint32_t max_cells;
    /* By column: the text that stands for each text (by number), or NULL: itself. */
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

#endif
