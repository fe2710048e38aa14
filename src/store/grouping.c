#include "store/grouping.h"

#include <stdlib.h>

/* What is gathered, and where its series stands in for its group's values. */
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
    size_t width;
    uint32_t *values; /* of all series, `width` texts each, replaced ones as they are shown */
    uint32_t series_count;
    uint32_t *group_of;  /* by series */
    uint32_t *member_of; /* by group: one of its series */
    uint32_t group_count;
    struct group_cell *cells;
    uint32_t count, capacity;
    uint32_t *slots; /* cell + 1, 0 is free; a power of two, at most half full */
    uint32_t slot_count;
    int64_t bucket_begin, bucket_end; /* the last one */
    uint32_t visit;                   /* counts changes of the bucket */
    struct recent *recent;            /* by group */
    enum status status;
};

static size_t power_above(size_t n)
{
    size_t power = 64;
    while (power < n)
        power *= 2;
    return power;
}

static bool same_group(const struct grouping *g, uint32_t left, uint32_t right)
{
    const uint32_t *l = &g->values[(size_t)left * g->width],
                   *r = &g->values[(size_t)right * g->width];
    for (size_t i = 0; i < g->options.column_count; i++) {
        size_t column = g->options.columns[i];
        if (l[column] != r[column])
            return false;
    }
    return true;
}

static bool find_groups(struct grouping *g)
{
    size_t size = power_above((size_t)g->series_count * 2);
    uint32_t *slots = calloc(size, sizeof(*slots)); /* group + 1 */
    if (slots == NULL)
        return false;
    for (uint32_t s = 0; s < g->series_count; s++) {
        const uint32_t *values = &g->values[(size_t)s * g->width];
        uint64_t h = 0;
        for (size_t i = 0; i < g->options.column_count; i++)
            h = (h ^ values[g->options.columns[i]]) * UINT64_C(0x9e3779b97f4a7c15) + (h >> 29);
        size_t at = (size_t)(h >> 32) & (size - 1);
        while (slots[at] != 0 && !same_group(g, g->member_of[slots[at] - 1], s))
            at = (at + 1) & (size - 1);
        if (slots[at] == 0) {
            g->member_of[g->group_count] = s;
            slots[at] = ++g->group_count;
        }
        g->group_of[s] = slots[at] - 1;
    }
    free(slots);
    return true;
}

static void replace_values(struct grouping *g)
{
    for (uint32_t s = 0; s < g->series_count; s++) {
        uint32_t *values = &g->values[(size_t)s * g->width];
        for (size_t i = 0; i < g->width; i++) {
            if (g->options.replace[i] != NULL)
                values[i] = g->options.replace[i][values[i]];
        }
    }
}

struct grouping *grouping_new(const struct grouping_options *options)
{
    struct grouping *g = calloc(1, sizeof(*g));
    if (g == NULL)
        return NULL;
    g->options = *options;
    g->width = dictionary_width(options->dictionary);
    g->series_count = options->series_count;
    g->visit = 1;
    g->values = dictionary_copy_series(options->dictionary, g->series_count);
    g->group_of = malloc(((size_t)g->series_count + 1) * sizeof(*g->group_of));
    g->member_of = malloc(((size_t)g->series_count + 1) * sizeof(*g->member_of));
    g->slot_count = 1024;
    g->slots = calloc(g->slot_count, sizeof(*g->slots));
    bool ok = g->values != NULL && g->group_of != NULL && g->member_of != NULL && g->slots != NULL;
    if (ok && options->replace != NULL)
        replace_values(g);
    ok = ok && find_groups(g);
    if (ok) {
        g->recent = calloc((size_t)g->group_count + 1, sizeof(*g->recent));
        ok = g->recent != NULL;
    }
    if (!ok) {
        grouping_free(g);
        return NULL;
    }
    return g;
}

void grouping_free(struct grouping *g)
{
    if (g == NULL)
        return;
    free(g->values);
    free(g->group_of);
    free(g->member_of);
    free(g->cells);
    free(g->slots);
    free(g->recent);
    free(g);
}

static uint32_t hash_cell(uint32_t group, int64_t time)
{
    uint64_t h = (uint64_t)time * UINT64_C(0x9e3779b97f4a7c15) ^ group;
    h = (h ^ h >> 32) * UINT64_C(0xd6e8feb86659fd93);
    return (uint32_t)(h >> 32);
}

static uint32_t *find_slot(const struct grouping *g, uint32_t group, int64_t time)
{
    uint32_t at = hash_cell(group, time) & (g->slot_count - 1);
    while (g->slots[at] != 0 &&
           (g->cells[g->slots[at] - 1].group != group || g->cells[g->slots[at] - 1].time != time))
        at = (at + 1) & (g->slot_count - 1);
    return &g->slots[at];
}

static bool make_room(struct grouping *g)
{
    if (g->count >= g->options.max_cells) {
        g->status = ST_TOO_BIG;
        return false;
    }
    if (g->count == g->capacity) {
        uint32_t capacity = g->capacity == 0 ? 256 : g->capacity * 2;
        struct group_cell *grown = realloc(g->cells, (size_t)capacity * sizeof(*grown));
        if (grown == NULL) {
            g->status = ST_NO_MEMORY;
            return false;
        }
        g->cells = grown;
        g->capacity = capacity;
    }
    if (g->count >= g->slot_count / 2) {
        uint32_t *old = g->slots;
        uint32_t *slots = calloc((size_t)g->slot_count * 2, sizeof(*slots));
        if (slots == NULL) {
            g->status = ST_NO_MEMORY;
            return false;
        }
        g->slots = slots;
        g->slot_count *= 2;
        for (uint32_t i = 0; i < g->count; i++)
            *find_slot(g, g->cells[i].group, g->cells[i].time) = i + 1;
        free(old);
    }
    return true;
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
        memset(g->recent, 0, g->group_count * sizeof(*g->recent));
        g->visit = 1;
    }
    return g->bucket_begin;
}

u128 *grouping_sums(struct grouping *g, uint32_t series, int64_t time)
{
    int64_t bucket = enter_bucket(g, time);
    uint32_t group = g->group_of[series];
    struct recent *recent = &g->recent[group];
    if (recent->visit != g->visit) {
        uint32_t *slot = find_slot(g, group, bucket);
        if (*slot == 0) {
            if (!make_room(g))
                return NULL;
            g->cells[g->count++] = (struct group_cell){.time = bucket, .group = group};
            slot = find_slot(g, group, bucket);
            *slot = g->count;
        }
        *recent = (struct recent){g->visit, *slot - 1};
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
        const uint32_t *values = &g->values[(size_t)g->member_of[cell->group] * g->width];
        for (size_t k = 0; k < g->options.column_count; k++)
            value[k] = dictionary_text(g->options.dictionary, values[g->options.columns[k]]);
        st = aggregate_add_sums(aggregate, set, cell->time, value, cell->sum);
    }
    if (st == ST_OK)
        aggregate_commit(aggregate);
    else
        aggregate_rollback(aggregate);
    return st;
}
