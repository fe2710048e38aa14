/*
 * plan_series.c: counts the series and metrics of each dimension set, hour by hour.
 *
 * The rows of the aggregate become small numbers (struct grid), which are then sorted in several
 * orders: by series, by hour, by size in an hour.  What is equal is next to each other in one of
 * them, so everything is counted in one pass over sorted rows, and no table has to be kept.
 */
#include "tools/plan.h"

#include <stdlib.h>

/* Rows of a set as small numbers: values by their rank, metrics above 0 as bits. */
struct grid {
    size_t rows, dimensions;
    uint32_t *id; /* rows * dimensions; ranks, so that their order is that of the values */
    int64_t *hour;
    metric_set *mask;
    u128 *tokens, *invocations;
    bool *folded;
    size_t *order;             /* for sorting */
    struct view *names;        /* for ranking */
    size_t skip;               /* a dimension that comparisons leave out, or SIZE_MAX */
    struct plan_value *values; /* of one dimension */
    uint32_t *seen;            /* by value: number of the last series + 1 */
};

static unsigned bits(metric_set mask)
{
    return (unsigned)__builtin_popcount(mask);
}

static void grid_clear(struct grid *g)
{
    free(g->id);
    free(g->hour);
    free(g->mask);
    free(g->tokens);
    free(g->invocations);
    free(g->folded);
    free(g->order);
    free(g->names);
    free(g->values);
    free(g->seen);
}

/*
 * All arrays at once, by the number of rows: a plan is made once, and small next to the logs it
 * read.
 */
static bool grid_new(struct grid *g, size_t rows, size_t dimensions)
{
    size_t n = rows + 1; /* never 0 bytes */
    *g = (struct grid){.rows = rows, .dimensions = dimensions, .skip = SIZE_MAX};
    g->id = calloc(n, dimensions * sizeof(*g->id));
    g->hour = calloc(n, sizeof(*g->hour));
    g->mask = calloc(n, sizeof(*g->mask));
    g->tokens = calloc(n, sizeof(*g->tokens));
    g->invocations = calloc(n, sizeof(*g->invocations));
    g->folded = calloc(n, sizeof(*g->folded));
    g->order = calloc(n, sizeof(*g->order));
    g->names = calloc(n, dimensions * sizeof(*g->names));
    g->values = calloc(n, sizeof(*g->values));
    g->seen = calloc(n, sizeof(*g->seen));
    return g->id != NULL && g->hour != NULL && g->mask != NULL && g->tokens != NULL &&
           g->invocations != NULL && g->folded != NULL && g->order != NULL && g->names != NULL &&
           g->values != NULL && g->seen != NULL;
}

/* ---- orders ---- */

static size_t index_at(const void *place)
{
    size_t index;
    memcpy(&index, place, sizeof(index));
    return index;
}

/*
 * Values by their rank; the dimension that is left out (`skip`) makes the rest the set without it.
 */
static int compare_ids(const struct grid *g, size_t left, size_t right)
{
    const uint32_t *l = g->id + left * g->dimensions, *r = g->id + right * g->dimensions;
    for (size_t i = 0; i < g->dimensions; i++) {
        if (i != g->skip && l[i] != r[i])
            return l[i] < r[i] ? -1 : 1;
    }
    return 0;
}

static int by_series(const void *a, const void *b, void *context)
{
    const struct grid *g = context;
    size_t l = index_at(a), r = index_at(b);
    int difference = compare_ids(g, l, r);
    return difference != 0 ? difference : (g->hour[l] > g->hour[r]) - (g->hour[l] < g->hour[r]);
}

static int by_hour(const void *a, const void *b, void *context)
{
    const struct grid *g = context;
    size_t l = index_at(a), r = index_at(b);
    if (g->hour[l] != g->hour[r])
        return g->hour[l] < g->hour[r] ? -1 : 1;
    return compare_ids(g, l, r);
}

/* As the cap ranks series: TotalTokenCount, Invocations, bytewise. */
static int by_size(const void *a, const void *b, void *context)
{
    const struct grid *g = context;
    size_t l = index_at(a), r = index_at(b);
    if (g->tokens[l] != g->tokens[r])
        return g->tokens[l] > g->tokens[r] ? -1 : 1;
    if (g->invocations[l] != g->invocations[r])
        return g->invocations[l] > g->invocations[r] ? -1 : 1;
    return compare_ids(g, l, r);
}

struct name_order {
    const struct view *names;
    size_t stride;
};

static int by_name(const void *a, const void *b, void *context)
{
    const struct name_order *order = context;
    return view_compare(order->names[index_at(a) * order->stride],
                        order->names[index_at(b) * order->stride]);
}

static int by_metric_hours(const void *a, const void *b)
{
    struct plan_value l, r;
    memcpy(&l, a, sizeof(l));
    memcpy(&r, b, sizeof(r));
    if (l.metric_hours != r.metric_hours)
        return l.metric_hours > r.metric_hours ? -1 : 1;
    if (l.series != r.series)
        return l.series > r.series ? -1 : 1;
    return view_compare(l.value, r.value);
}

static void sort(struct grid *g, size_t skip,
                 int (*compare)(const void *a, const void *b, void *context))
{
    g->skip = skip;
    for (size_t i = 0; i < g->rows; i++)
        g->order[i] = i;
    qsort_r(g->order, g->rows, sizeof(*g->order), compare, g);
}

/* ---- reading the rows ---- */

/* The place of each value in bytewise order: from here on values are compared as numbers. */
static void rank_values(struct grid *g, size_t dimension)
{
    struct name_order order = {g->names + dimension, g->dimensions};
    for (size_t i = 0; i < g->rows; i++)
        g->order[i] = i;
    qsort_r(g->order, g->rows, sizeof(*g->order), by_name, &order);
    uint32_t rank = 0;
    for (size_t i = 0; i < g->rows; i++) {
        if (i > 0 && by_name(&g->order[i - 1], &g->order[i], &order) != 0)
            rank++;
        g->id[g->order[i] * g->dimensions + dimension] = rank;
    }
}

/* A metric is in the mask where its sum is above 0, because only then is a datum published. */
static void read_rows(struct grid *g, const struct aggregate_rows *rows, metric_set metrics)
{
    struct aggregate_row row;
    for (size_t i = 0; i < g->rows; i++) {
        aggregate_rows_get(rows, i, &row);
        g->hour[i] = row.time;
        g->tokens[i] = row.sum[METRIC_TOTAL];
        g->invocations[i] = row.sum[METRIC_INVOCATIONS];
        for (unsigned m = 0; m < METRIC_COUNT; m++) {
            if (row.sum[m] > 0)
                g->mask[i] |= METRIC_BIT(m) & metrics;
        }
        for (size_t d = 0; d < g->dimensions; d++)
            g->names[i * g->dimensions + d] = row.value[d];
    }
    for (size_t d = 0; d < g->dimensions; d++)
        rank_values(g, d);
}

/* ---- counting ---- */

/* Marks what the cap folds and counts what is left of every hour. */
static void count_hours(struct grid *g, uint64_t max_series, struct plan_set *set,
                        struct plan_hour *hours, size_t *hour_count)
{
    sort(g, SIZE_MAX, by_hour);
    for (size_t begin = 0, end; begin < g->rows; begin = end) {
        metric_set other = 0;
        uint64_t data = 0;
        for (end = begin; end < g->rows && g->hour[g->order[end]] == g->hour[g->order[begin]];)
            end++;
        if (end - begin > max_series) {
            qsort_r(g->order + begin, end - begin, sizeof(*g->order), by_size, g);
            set->folded_hours++;
        }
        for (size_t i = begin; i < end; i++) {
            size_t row = g->order[i];
            set->tokens += g->tokens[row];
            set->metric_hours += bits(g->mask[row]);
            set->series_hours++;
            if (i - begin < max_series) {
                data += bits(g->mask[row]);
                continue;
            }
            g->folded[row] = true;
            other |= g->mask[row];
            set->folded_tokens += g->tokens[row];
        }
        data += bits(other);
        set->kept_metric_hours += data;
        hours[(*hour_count)++] = (struct plan_hour){g->hour[g->order[begin]], data};
    }
}

static void count_series(struct grid *g, struct plan_set *set)
{
    metric_set other = 0;
    sort(g, SIZE_MAX, by_series);
    for (size_t begin = 0, end; begin < g->rows; begin = end) {
        metric_set all = 0, kept = 0;
        bool any_kept = false, any_folded = false;
        for (end = begin; end < g->rows && compare_ids(g, g->order[begin], g->order[end]) == 0;
             end++) {
            size_t row = g->order[end];
            all |= g->mask[row];
            if (g->folded[row])
                other |= g->mask[row];
            else
                kept |= g->mask[row];
            any_kept = any_kept || !g->folded[row];
            any_folded = any_folded || g->folded[row];
            for (unsigned m = 0; m < METRIC_COUNT; m++)
                set->metric[m].hours += (g->mask[row] & METRIC_BIT(m)) != 0;
        }
        set->series++;
        set->metrics += bits(all);
        set->kept_series += any_kept;
        set->kept_metrics += bits(kept);
        set->folded_series += any_folded;
        for (unsigned m = 0; m < METRIC_COUNT; m++)
            set->metric[m].series += (all & METRIC_BIT(m)) != 0;
    }
    set->kept_series += set->folded_series > 0;
    set->kept_metrics += bits(other);
}

static void count_without(struct grid *g, size_t dimension, struct plan_dimension *out)
{
    sort(g, dimension, by_series);
    for (size_t i = 0; i < g->rows; i++)
        out->series_without += i == 0 || compare_ids(g, g->order[i - 1], g->order[i]) != 0;
    sort(g, dimension, by_hour);
    metric_set all = 0;
    for (size_t i = 0; i < g->rows; i++) {
        if (i > 0 && by_hour(&g->order[i - 1], &g->order[i], g) != 0) {
            out->metric_hours_without += bits(all);
            all = 0;
        }
        all |= g->mask[g->order[i]];
    }
    out->metric_hours_without += bits(all);
}

static bool count_values(struct grid *g, size_t dimension, size_t top, struct plan_dimension *out)
{
    uint32_t series = 0;
    memset(g->values, 0, g->rows * sizeof(*g->values));
    memset(g->seen, 0, g->rows * sizeof(*g->seen));
    sort(g, SIZE_MAX, by_series);
    for (size_t i = 0; i < g->rows; i++) {
        size_t row = g->order[i], at = row * g->dimensions + dimension;
        struct plan_value *value = &g->values[g->id[at]];
        series += i == 0 || compare_ids(g, g->order[i - 1], row) != 0;
        if (g->seen[g->id[at]] != series)
            value->series++;
        g->seen[g->id[at]] = series;
        value->value = g->names[at];
        value->metric_hours += bits(g->mask[row]);
        value->tokens += g->tokens[row];
        if (g->id[at] + UINT64_C(1) > out->values)
            out->values = g->id[at] + UINT64_C(1);
    }
    qsort(g->values, out->values, sizeof(*g->values), by_metric_hours);
    out->top_count = out->values < top ? out->values : top;
    out->top = calloc(out->top_count + 1, sizeof(*out->top));
    if (out->top == NULL)
        return false;
    memcpy(out->top, g->values, out->top_count * sizeof(*out->top));
    return true;
}

static enum status count_set(const struct aggregate *agg, size_t index,
                             const struct plan_options *options, struct plan_series *out)
{
    struct aggregate_rows *rows = aggregate_rows_new(agg, index);
    struct plan_set *set = &out->sets[index];
    struct grid g = {0};
    enum status st = ST_NO_MEMORY;
    set->set = aggregate_set(agg, index);
    size_t count = rows == NULL ? 0 : aggregate_rows_count(rows);
    if (rows == NULL || !grid_new(&g, count, set->set->count))
        goto out;
    struct plan_hour *grown =
        realloc(out->hours, (out->hour_count + count + 1) * sizeof(*out->hours));
    if (grown == NULL)
        goto out;
    out->hours = grown;
    read_rows(&g, rows, options->metrics);
    count_hours(&g, options->max_series, set, out->hours, &out->hour_count);
    count_series(&g, set);
    st = ST_OK;
    for (size_t d = 0; d < set->set->count && st == ST_OK; d++) {
        struct plan_dimension one = {.name = set->set->dimension[d].name};
        size_t at = d;
        count_without(&g, d, &one);
        if (!count_values(&g, d, options->top, &one))
            st = ST_NO_MEMORY;
        for (; at > 0 && set->dimension[at - 1].metric_hours_without > one.metric_hours_without;
             at--)
            set->dimension[at] = set->dimension[at - 1];
        set->dimension[at] = one;
    }
out:
    grid_clear(&g);
    aggregate_rows_free(rows);
    return st;
}

static int by_time(const void *a, const void *b)
{
    struct plan_hour l, r;
    memcpy(&l, a, sizeof(l));
    memcpy(&r, b, sizeof(r));
    return (l.hour > r.hour) - (l.hour < r.hour);
}

/* The same hour of several sets is one hour. */
static void join_hours(struct plan_series *s)
{
    size_t kept = 0;
    if (s->hour_count > 0)
        qsort(s->hours, s->hour_count, sizeof(*s->hours), by_time);
    for (size_t i = 0; i < s->hour_count; i++) {
        if (kept > 0 && s->hours[kept - 1].hour == s->hours[i].hour)
            s->hours[kept - 1].data += s->hours[i].data;
        else
            s->hours[kept++] = s->hours[i];
    }
    s->hour_count = kept;
}

enum status plan_series_count(const struct aggregate *agg, const struct plan_options *options,
                              struct plan_series *out)
{
    *out = (struct plan_series){.set_count = aggregate_set_count(agg)};
    out->sets = calloc(out->set_count, sizeof(*out->sets));
    enum status st = out->sets == NULL ? ST_NO_MEMORY : ST_OK;
    for (size_t i = 0; i < out->set_count && st == ST_OK; i++)
        st = count_set(agg, i, options, out);
    if (st == ST_OK)
        join_hours(out);
    else
        plan_series_clear(out);
    return st;
}

void plan_series_clear(struct plan_series *series)
{
    for (size_t i = 0; i < series->set_count && series->sets != NULL; i++) {
        for (size_t d = 0; d < DIMENSIONS_PER_SET; d++)
            free(series->sets[i].dimension[d].top);
    }
    free(series->sets);
    free(series->hours);
    *series = (struct plan_series){0};
}
