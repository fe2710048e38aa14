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

static int by_series(const void *a, const void *b, void *context)
{
    uint32_t left, right;
    memcpy(&left, a, sizeof(left));
    memcpy(&right, b, sizeof(right));
    return by_dimensions(context, left, right);
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

/*
 * The counted cells of a set by dimension values: those of a series are neighbours, and series are in
 * bytewise order.  NULL: no memory.
 */
static uint32_t *order_by_series(const struct aggregate *agg, size_t set, size_t *count)
{
    const struct cells *cells = agg->cells[set];
    uint32_t *order = malloc(((size_t)cells_count(cells) + 1) * sizeof(*order));
    uint32_t *ranks = rank_texts(agg->texts);
    *count = 0;
    if (order == NULL || ranks == NULL) {
        free(order);
        free(ranks);
        return NULL;
    }
    for (uint32_t cell = 0; cell < cells_count(cells); cell++) {
        if (cells_is_counted(cells, cell))
            order[(*count)++] = cell;
    }
    struct row_order context = {cells, ranks, agg->sets[set].count};
    qsort_r(order, *count, sizeof(*order), by_series, &context);
    free(ranks);
    return order;
}

/* One series: where it begins in the order, and its sums over time. */
struct series {
    u128 tokens, invocations;
    size_t first, end;
};

static struct series series_at(const struct aggregate *agg, size_t set, const uint32_t *order,
                               size_t count, size_t first)
{
    const struct cells *cells = agg->cells[set];
    const uint32_t *ids = cells_ids(cells, order[first]);
    struct series series = {.first = first, .end = first};
    do {
        const u128 *sums = cells_sums(cells, order[series.end++]);
        series.tokens += sums[METRIC_TOTAL];
        series.invocations += sums[METRIC_INVOCATIONS];
    } while (series.end < count && memcmp(cells_ids(cells, order[series.end]), ids,
                                          agg->sets[set].count * sizeof(*ids)) == 0);
    return series;
}

/* By tokens, then invocations, then bytewise. */
static bool is_larger(const struct series *left, const struct series *right)
{
    if (left->tokens != right->tokens)
        return left->tokens > right->tokens;
    if (left->invocations != right->invocations)
        return left->invocations > right->invocations;
    return left->first < right->first;
}

/* Put a series in the place of the smallest, which heap[0] is: no parent is larger than its children. */
static void replace_smallest(struct series *heap, size_t count, struct series series)
{
    size_t at = 0, child = 1;
    while (child < count) {
        child += child + 1 < count && is_larger(&heap[child], &heap[child + 1]);
        if (!is_larger(&series, &heap[child]))
            break;
        heap[at] = heap[child];
        at = child;
        child = 2 * at + 1;
    }
    heap[at] = series;
}

/*
 * stays[cell] is whether it is of one of the `limit` largest series; *more is how many others there
 * are, and where that is 0 nothing is set.
 */
static enum status choose_largest(const struct aggregate *agg, size_t set, size_t limit,
                                  bool *stays, size_t *more)
{
    size_t count, found = 0;
    uint32_t *order = order_by_series(agg, set, &count);
    *more = 0;
    for (size_t at = 0; at < count && order != NULL; found++)
        at = series_at(agg, set, order, count, at).end;
    if (order == NULL || found <= limit) {
        enum status st = order == NULL ? ST_NO_MEMORY : ST_OK;
        free(order);
        return st;
    }
    struct series *heap = calloc(limit + 1, sizeof(*heap));
    for (size_t i = 0; i < limit && heap != NULL; i++)
        heap[i].first = SIZE_MAX; /* none yet: smaller than all */
    for (size_t at = 0; at < count && heap != NULL;) {
        struct series series = series_at(agg, set, order, count, at);
        if (limit > 0 && is_larger(&series, &heap[0]))
            replace_smallest(heap, limit, series);
        at = series.end;
    }
    for (size_t i = 0; i < limit && heap != NULL; i++) {
        for (size_t at = heap[i].first; at < heap[i].end; at++)
            stays[order[at]] = true;
    }
    *more = found - limit;
    enum status st = heap == NULL ? ST_NO_MEMORY : ST_OK;
    free(heap);
    free(order);
    return st;
}

/* stays[cell] is whether `known`, all of whose time is one, has its series, too. */
static void choose_known(const struct aggregate *agg, size_t set, const struct aggregate *known,
                         bool *stays)
{
    const struct cells *cells = agg->cells[set];
    for (uint32_t cell = 0; cell < cells_count(cells); cell++) {
        const uint32_t *ids = cells_ids(cells, cell);
        struct cell_key key = {.time = 0};
        bool found = cells_is_counted(cells, cell);
        for (size_t d = 0; d < agg->sets[set].count && found; d++) {
            key.id[d] = interner_find(known->texts, interner_text(agg->texts, ids[d]));
            found = key.id[d] != INTERNER_NONE;
        }
        uint32_t at = found ? cells_look(known->cells[set], &key) : UINT32_MAX;
        stays[cell] = at != UINT32_MAX && cells_is_counted(known->cells[set], at);
    }
}

/*
 * Make one series of the cells that do not stay.  In place: they are summed by time first, the others
 * move together, and the sums follow them.
 */
static enum status fold_cells(struct aggregate *agg, size_t set, const bool *stays)
{
    struct cells *cells = agg->cells[set];
    struct cells *folded = cells_new(agg->sets[set].count, agg->statistics);
    struct cell_key key;
    enum status st = folded == NULL ? ST_NO_MEMORY : ST_OK;
    for (size_t i = 0; i < agg->sets[set].count; i++)
        key.id[i] = agg->other;
    for (uint32_t cell = 0; st == ST_OK && cell < cells_count(cells); cell++) {
        if (stays[cell] || !cells_is_counted(cells, cell))
            continue;
        key.time = cells_time(cells, cell);
        uint32_t at = cells_find(folded, &key);
        if (at == UINT32_MAX)
            st = ST_NO_MEMORY;
        else
            cells_join(folded, at, cells, cell);
    }
    if (st == ST_OK)
        st = cells_retain(cells, stays);
    for (uint32_t cell = 0; st == ST_OK && cell < cells_count(folded); cell++) {
        key.time = cells_time(folded, cell);
        uint32_t at = cells_find(cells, &key);
        if (at == UINT32_MAX)
            st = ST_NO_MEMORY;
        else
            cells_join(cells, at, folded, cell);
    }
    cells_free(folded);
    return st;
}

/* Fold what is not among the `limit` largest, or, with `known`, not there. */
static enum status fold_set(struct aggregate *agg, size_t set, size_t limit,
                            const struct aggregate *known, uint64_t *folded)
{
    size_t more = 1;
    bool *stays = calloc((size_t)cells_count(agg->cells[set]) + 1, sizeof(*stays));
    enum status st = stays == NULL ? ST_NO_MEMORY : ST_OK;
    if (st == ST_OK && known != NULL)
        choose_known(agg, set, known, stays);
    else if (st == ST_OK)
        st = choose_largest(agg, set, limit, stays, &more);
    if (st == ST_OK && more > 0)
        st = fold_cells(agg, set, stays);
    if (st == ST_OK && folded != NULL)
        *folded += more;
    free(stays);
    return st;
}

enum status aggregate_fold(struct aggregate *agg, size_t sets, size_t limit, uint64_t *folded)
{
    enum status st = ST_OK;
    for (size_t s = 0; s < (sets > 0 ? sets : agg->set_count) && st == ST_OK; s++)
        st = fold_set(agg, s, limit, NULL, folded);
    aggregate_charge(agg);
    return st;
}

enum status aggregate_fold_as(struct aggregate *agg, const struct aggregate *known)
{
    enum status st = ST_OK;
    for (size_t s = 0; s < agg->set_count && st == ST_OK; s++)
        st = fold_set(agg, s, 0, known, NULL);
    aggregate_charge(agg);
    return st;
}
