/*
 * grouping.c: answers a question over millions of stored cells by small numbers only: a series has
 * a group, a group and a bucket have a cell.  Texts are met again at the end, once for each cell.
 */
#include "store/gather.h"

#include <stdlib.h>

#include "base/array.h"
#include "base/tuples.h"

struct group_cell {
    int64_t time;
    uint32_t group;
    u128 sum[METRIC_COUNT];
};

/* The cell of a group in the bucket of a visit. */
struct recent {
    uint32_t visit, cell;
};

struct grouping {
    struct grouping_options options;
    struct tuples groups; /* text numbers by column of the options, as they are shown */
    uint32_t *group_of;   /* by series */
    struct group_cell *cells;
    uint32_t count;
    size_t capacity;
    struct table table;               /* cells by group and time */
    int64_t bucket_begin, bucket_end; /* the last one */
    uint32_t visit;                   /* counts changes of the bucket */
    struct recent *recent;            /* by group */
    enum status status;
};

/*
 * Done once, before any cell is read: after it a cell costs one look at an array and one at the
 * recent cells, whatever the question groups by.
 */
static bool find_groups(struct grouping *g)
{
    const struct grouping_options *o = &g->options;
    size_t width = dictionary_width(o->dictionary);
    uint32_t *all = dictionary_copy_series(o->dictionary, o->series_count);
    bool ok = all != NULL;
    for (uint32_t s = 0; s < o->series_count && ok; s++) {
        uint32_t row[DIMENSIONS_PER_SET];
        for (size_t i = 0; i < o->column_count; i++) {
            size_t column = o->columns[i];
            uint32_t text = all[s * width + column];
            bool replaced = o->replace != NULL && o->replace[column] != NULL;
            row[i] = replaced ? o->replace[column][text] : text;
        }
        g->group_of[s] = tuples_id(&g->groups, row);
        ok = g->group_of[s] != TUPLES_NONE;
    }
    free(all);
    return ok;
}

struct grouping *grouping_new(const struct grouping_options *options)
{
    struct grouping *g = calloc(1, sizeof(*g));
    if (g == NULL)
        return NULL;
    g->options = *options;
    g->groups.width = options->column_count;
    g->visit = 1;
    g->group_of = malloc(((size_t)options->series_count + 1) * sizeof(*g->group_of));
    if (g->group_of != NULL && find_groups(g))
        g->recent = calloc((size_t)g->groups.count + 1, sizeof(*g->recent));
    if (g->recent == NULL) {
        grouping_free(g);
        return NULL;
    }
    return g;
}

void grouping_free(struct grouping *g)
{
    if (g == NULL)
        return;
    tuples_clear(&g->groups);
    free(g->group_of);
    free(g->cells);
    table_clear(&g->table);
    free(g->recent);
    free(g);
}

/* The cell of a group and bucket, made if new; UINT32_MAX: grouping_status says why not. */
static uint32_t find_cell(struct grouping *g, uint32_t group, int64_t time)
{
    uint64_t hash = table_mix(table_mix(0, (uint64_t)time), group);
    struct table_look look = table_look((uint32_t)(hash >> 32));
    while (table_next(&g->table, &look)) {
        const struct group_cell *cell = &g->cells[look.number];
        if (cell->group == group && cell->time == time)
            return look.number;
    }
    if (g->count >= g->options.max_cells)
        g->status = ST_TOO_BIG;
    else if (!array_room(&g->cells, g->count, &g->capacity, 256, sizeof(*g->cells)))
        g->status = ST_NO_MEMORY;
    else
        g->status = table_add(&g->table, look.hash, g->count);
    if (g->status != ST_OK)
        return UINT32_MAX;
    g->cells[g->count] = (struct group_cell){.time = time, .group = group};
    return g->count++;
}

/* The bucket of a time; where it is another one than the last, no cell is recent any more. */
static int64_t enter_bucket(struct grouping *g, int64_t time)
{
    int64_t interval = g->options.interval_seconds;
    if (interval == 0)
        return 0;
    if (time >= g->bucket_begin && time < g->bucket_end)
        return g->bucket_begin;
    g->bucket_begin = (time / interval - (time % interval < 0)) * interval;
    g->bucket_end = g->bucket_begin + interval;
    if (++g->visit == 0) { /* after four thousand million of them */
        memset(g->recent, 0, g->groups.count * sizeof(*g->recent));
        g->visit = 1;
    }
    return g->bucket_begin;
}

/*
 * Cells come by hours, so within a bucket a group has its cell already: `visit` says whether the
 * one remembered is of this bucket.
 */
u128 *grouping_sums(struct grouping *g, uint32_t series, int64_t time)
{
    int64_t bucket = enter_bucket(g, time);
    uint32_t group = g->group_of[series];
    struct recent *recent = &g->recent[group];
    if (recent->visit != g->visit) {
        uint32_t cell = find_cell(g, group, bucket);
        if (cell == UINT32_MAX)
            return NULL;
        *recent = (struct recent){g->visit, cell};
    }
    return g->cells[recent->cell].sum;
}

enum status grouping_status(const struct grouping *g)
{
    return g->status;
}

enum status grouping_add_to(const struct grouping *g, struct aggregate *aggregate, size_t set)
{
    struct view value[DIMENSIONS_PER_SET];
    enum status st = ST_OK;
    for (uint32_t i = 0; i < g->count && st == ST_OK; i++) {
        const struct group_cell *cell = &g->cells[i];
        const uint32_t *texts = tuples_row(&g->groups, cell->group);
        for (size_t k = 0; k < g->options.column_count; k++)
            value[k] = dictionary_text(g->options.dictionary, texts[k]);
        st = aggregate_add_sums(aggregate, set, cell->time, value, cell->sum);
    }
    if (st == ST_OK)
        aggregate_commit(aggregate);
    else
        aggregate_rollback(aggregate);
    return st;
}
