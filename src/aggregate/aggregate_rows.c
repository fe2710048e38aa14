/*
 * aggregate_rows.c: sums in order: rows by time and dimensions, series by size, and folding.
 *
 * Sorting compares numbers: texts are ranked once, and two rows by the ranks of their values.
 */
#include <stdlib.h>

#include "aggregate/aggregate_private.h"

static int by_text(const void *a, const void *b, void *context)
{
    const struct interner *texts = context;
    uint32_t left, right;
    memcpy(&left, a, sizeof(left));
    memcpy(&right, b, sizeof(right));
    return view_compare(interner_text(texts, left), interner_text(texts, right));
}

/* The place of each text in bytewise order, so that rows compare as numbers; NULL: no memory. */
static uint32_t *rank_texts(struct interner *texts)
{
    uint32_t count = interner_count(texts);
    uint32_t *order = malloc((count + 1) * sizeof(*order));
    uint32_t *ranks = malloc((count + 1) * sizeof(*ranks));
    if (order != NULL && ranks != NULL) {
        for (uint32_t i = 0; i < count; i++)
            order[i] = i;
        qsort_r(order, count, sizeof(*order), by_text, texts);
        for (uint32_t i = 0; i < count; i++)
            ranks[order[i]] = i;
    } else {
        free(ranks);
        ranks = NULL;
    }
    free(order);
    return ranks;
}

struct aggregate_rows {
    const struct aggregate *agg;
    const struct cells *cells;
    size_t set;
    uint32_t *order;
    size_t count;
};

struct row_order {
    const struct cells *cells;
    const uint32_t *ranks;
    size_t dimensions;
};

static int by_dimensions(const struct row_order *order, uint32_t left, uint32_t right)
{
    const uint32_t *l = cells_ids(order->cells, left);
    const uint32_t *r = cells_ids(order->cells, right);
    for (size_t i = 0; i < order->dimensions; i++) {
        if (l[i] != r[i])
            return order->ranks[l[i]] < order->ranks[r[i]] ? -1 : 1;
    }
    return 0;
}

static int by_row(const void *a, const void *b, void *context)
{
    const struct row_order *order = context;
    uint32_t left, right;
    memcpy(&left, a, sizeof(left));
    memcpy(&right, b, sizeof(right));
    int64_t l = cells_time(order->cells, left), r = cells_time(order->cells, right);
    if (l != r)
        return l < r ? -1 : 1;
    return by_dimensions(order, left, right);
}

struct aggregate_rows *aggregate_rows_new(const struct aggregate *agg, size_t set)
{
    struct aggregate_rows *rows = calloc(1, sizeof(*rows));
    if (rows == NULL)
        return NULL;
    const struct cells *cells = agg->cells[set];
    rows->agg = agg;
    rows->cells = cells;
    rows->set = set;
    rows->order = malloc(((size_t)cells_count(cells) + 1) * sizeof(*rows->order));
    uint32_t *ranks = rank_texts(agg->texts);
    if (rows->order == NULL || ranks == NULL) {
        free(ranks);
        aggregate_rows_free(rows);
        return NULL;
    }
    for (uint32_t cell = 0; cell < cells_count(cells); cell++) {
        if (cells_is_counted(cells, cell))
            rows->order[rows->count++] = cell;
    }
    struct row_order order = {cells, ranks, agg->sets[set].count};
    qsort_r(rows->order, rows->count, sizeof(*rows->order), by_row, &order);
    free(ranks);
    return rows;
}

void aggregate_rows_free(struct aggregate_rows *rows)
{
    if (rows == NULL)
        return;
    free(rows->order);
    free(rows);
}

size_t aggregate_rows_count(const struct aggregate_rows *rows)
{
    return rows->count;
}

static void get_row(const struct aggregate *agg, size_t set, uint32_t cell,
                    struct aggregate_row *out)
{
    const struct cells *cells = agg->cells[set];
    const uint32_t *ids = cells_ids(cells, cell);
    out->time = cells_time(cells, cell);
    for (size_t i = 0; i < agg->sets[set].count; i++)
        out->value[i] = interner_text(agg->texts, ids[i]);
    memcpy(out->sum, cells_sums(cells, cell), sizeof(out->sum));
    if (agg->statistics)
        memcpy(out->statistic, cells_statistics(cells, cell), sizeof(out->statistic));
}

void aggregate_rows_get(const struct aggregate_rows *rows, size_t index, struct aggregate_row *out)
{
    get_row(rows->agg, rows->set, rows->order[index], out);
}

bool aggregate_next_row(const struct aggregate *agg, size_t set, uint32_t *cursor,
                        struct aggregate_row *out)
{
    const struct cells *cells = agg->cells[set];
    while (*cursor < cells_count(cells)) {
        uint32_t cell = (*cursor)++;
        if (!cells_is_counted(cells, cell))
            continue;
        get_row(agg, set, cell, out);
        return true;
    }
    return false;
}

/* Every set has every record, so the first one is as good as any. */
void aggregate_totals(const struct aggregate *agg, u128 sum[METRIC_COUNT])
{
    memset(sum, 0, sizeof(sum[0]) * METRIC_COUNT);
    const struct cells *cells = agg->cells[0];
    for (uint32_t cell = 0; cell < cells_count(cells); cell++) {
        if (cells_is_counted(cells, cell))
            for (unsigned m = 0; m < METRIC_COUNT; m++)
                sum[m] += cells_sums(cells, cell)[m];
    }
}

/* ---- series ---- */

/* All cells of a set summed over time; NULL: no memory. */
static struct cells *sum_series(const struct aggregate *agg, size_t set)
{
    const struct cells *cells = agg->cells[set];
    struct cells *series = cells_new(agg->sets[set].count, agg->statistics);
    for (uint32_t cell = 0; cell < cells_count(cells) && series != NULL; cell++) {
        if (!cells_is_counted(cells, cell))
            continue;
        struct cell_key key = {.time = 0};
        memcpy(key.id, cells_ids(cells, cell), agg->sets[set].count * sizeof(key.id[0]));
        uint32_t at = cells_find(series, &key);
        if (at == UINT32_MAX) {
            cells_free(series);
            return NULL;
        }
        cells_join(series, at, cells, cell);
    }
    return series;
}

static int compare_u128(u128 left, u128 right)
{
    return (left > right) - (left < right);
}

/* Larger series first. */
static int by_size(const void *a, const void *b, void *context)
{
    const struct row_order *order = context;
    uint32_t left, right;
    memcpy(&left, a, sizeof(left));
    memcpy(&right, b, sizeof(right));
    const u128 *l = cells_sums(order->cells, left), *r = cells_sums(order->cells, right);
    int difference = compare_u128(r[METRIC_TOTAL], l[METRIC_TOTAL]);
    if (difference == 0)
        difference = compare_u128(r[METRIC_INVOCATIONS], l[METRIC_INVOCATIONS]);
    return difference != 0 ? difference : by_dimensions(order, left, right);
}

/* keep[series] is whether it is among the `limit` largest; NULL: no memory. */
static bool *choose_largest(const struct aggregate *agg, size_t set, const struct cells *series,
                            size_t limit)
{
    uint32_t count = cells_count(series);
    uint32_t *order = malloc(((size_t)count + 1) * sizeof(*order));
    uint32_t *ranks = rank_texts(agg->texts);
    bool *keep = calloc((size_t)count + 1, sizeof(*keep));
    if (order == NULL || ranks == NULL || keep == NULL) {
        free(keep);
        keep = NULL;
    } else {
        for (uint32_t i = 0; i < count; i++)
            order[i] = i;
        struct row_order context = {series, ranks, agg->sets[set].count};
        qsort_r(order, count, sizeof(*order), by_size, &context);
        for (uint32_t i = 0; i < count && i < limit; i++)
            keep[order[i]] = true;
    }
    free(order);
    free(ranks);
    return keep;
}

/* A table in which the series that are not kept are one; NULL: no memory. */
static struct cells *fold_cells(const struct aggregate *agg, size_t set, struct cells *series,
                                const bool *keep, uint32_t other)
{
    const struct cells *cells = agg->cells[set];
    size_t dimensions = agg->sets[set].count;
    struct cells *folded = cells_new(dimensions, agg->statistics);
    for (uint32_t cell = 0; cell < cells_count(cells) && folded != NULL; cell++) {
        if (!cells_is_counted(cells, cell))
            continue;
        struct cell_key key = {.time = 0};
        memcpy(key.id, cells_ids(cells, cell), dimensions * sizeof(key.id[0]));
        /* It is there already, so this cannot fail. */
        if (!keep[cells_find(series, &key)]) {
            for (size_t i = 0; i < dimensions; i++)
                key.id[i] = other;
        }
        key.time = cells_time(cells, cell);
        uint32_t at = cells_find(folded, &key);
        if (at == UINT32_MAX) {
            cells_free(folded);
            return NULL;
        }
        cells_join(folded, at, cells, cell);
    }
    return folded;
}

/* keep[series] is whether `known`, all of whose time is one, has it, too; NULL: no memory. */
static bool *choose_known(const struct aggregate *agg, size_t set, const struct cells *series,
                          struct aggregate *known)
{
    uint32_t count = cells_count(series);
    bool *keep = calloc((size_t)count + 1, sizeof(*keep));
    for (uint32_t i = 0; i < count && keep != NULL; i++) {
        struct cell_key key = {.time = 0};
        bool ok = true;
        for (size_t d = 0; d < agg->sets[set].count; d++) {
            struct view text = interner_text(agg->texts, cells_ids(series, i)[d]);
            key.id[d] = interner_id(known->texts, text);
            ok = ok && key.id[d] != INTERNER_NONE;
        }
        /* Looking for it makes a cell of it, but not a counted one. */
        uint32_t cell = ok ? cells_find(known->cells[set], &key) : UINT32_MAX;
        if (cell == UINT32_MAX) {
            free(keep);
            return NULL;
        }
        keep[i] = cells_is_counted(known->cells[set], cell);
    }
    return keep;
}

/* Fold what is not among the `limit` largest, or, with `known`, not there. */
static enum status fold_set(struct aggregate *agg, size_t set, size_t limit,
                            struct aggregate *known, uint64_t *folded)
{
    uint32_t other = interner_id(agg->texts, VIEW_LIT("Other"));
    struct cells *series = other == INTERNER_NONE ? NULL : sum_series(agg, set);
    if (series == NULL)
        return ST_NO_MEMORY;
    enum status st = ST_OK;
    uint32_t count = cells_count(series);
    if (count > limit || known != NULL) {
        bool *keep = known != NULL ? choose_known(agg, set, series, known)
                                   : choose_largest(agg, set, series, limit);
        struct cells *smaller = keep == NULL ? NULL : fold_cells(agg, set, series, keep, other);
        if (smaller != NULL) {
            cells_free(agg->cells[set]);
            agg->cells[set] = smaller;
            if (folded != NULL)
                *folded += count - (uint64_t)limit;
        } else {
            st = ST_NO_MEMORY;
        }
        free(keep);
    }
    cells_free(series);
    return st;
}

enum status aggregate_fold(struct aggregate *agg, size_t sets, size_t limit, uint64_t *folded)
{
    enum status st = ST_OK;
    for (size_t s = 0; s < (sets > 0 ? sets : agg->set_count) && st == ST_OK; s++)
        st = fold_set(agg, s, limit, NULL, folded);
    return st;
}

enum status aggregate_fold_as(struct aggregate *agg, struct aggregate *known)
{
    enum status st = ST_OK;
    for (size_t s = 0; s < agg->set_count && st == ST_OK; s++)
        st = fold_set(agg, s, 0, known, NULL);
    return st;
}
