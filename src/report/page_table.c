/*
 * page_table.c: makes a set of the aggregate small enough for a page: values beyond the largest
 * become Other, then hours become days, until the rows fit.
 */
#include "report/page_table.h"

#include <stdlib.h>

#include "base/array.h"

enum { DAY = 86400, LONGEST_BY_HOUR = 62 * DAY };

/* ---- values ---- */

/*
 * Texts of an aggregate are interned: the same text is in the same place, so places are
 * compared and hashed instead of texts.
 */
static uint32_t value_of(struct page_values *v, struct view text)
{
    uint64_t place = (uint64_t)(uintptr_t)text.ptr;
    struct table_look look = table_look((uint32_t)(table_mix(0, place) >> 32));
    while (table_next(&v->table, &look)) {
        if (v->value[look.number].text.ptr == text.ptr)
            return look.number;
    }
    if (!array_room(&v->value, v->count, &v->capacity, 32, sizeof(*v->value)) ||
        table_add(&v->table, look.hash, v->count) != ST_OK)
        return UINT32_MAX;
    v->value[v->count] = (struct page_value){.text = text, .number = UINT32_MAX};
    return v->count++;
}

/* A value of that name may be there already, in another place. */
static uint32_t other_of(struct page_values *v)
{
    static const char other[] = "Other";
    for (uint32_t i = 0; i < v->count; i++) {
        if (view_eq_cstr(v->value[i].text, other))
            return i;
    }
    return value_of(v, view_of(other));
}

void page_values_clear(struct page_values *v)
{
    free(v->value);
    table_clear(&v->table);
    *v = (struct page_values){0};
}

/* ---- folding ---- */

static int by_size(const void *a, const void *b, void *context)
{
    const struct page_values *v = context;
    uint32_t left, right;
    memcpy(&left, a, sizeof(left));
    memcpy(&right, b, sizeof(right));
    const struct page_value *l = &v->value[left], *r = &v->value[right];
    if (l->tokens != r->tokens)
        return l->tokens > r->tokens ? -1 : 1;
    if (l->invocations != r->invocations)
        return l->invocations > r->invocations ? -1 : 1;
    return view_compare(l->text, r->text);
}

/* Where each value goes when only `keep` stay; NULL: no memory. */
static uint32_t *fold_values(struct page_values *v, uint32_t keep)
{
    uint32_t other = keep < v->count ? other_of(v) : UINT32_MAX;
    uint32_t *target = malloc(((size_t)v->count + 1) * sizeof(*target));
    uint32_t *order = malloc(((size_t)v->count + 1) * sizeof(*order));
    if (target != NULL && order != NULL && (keep >= v->count || other != UINT32_MAX)) {
        for (uint32_t i = 0; i < v->count; i++)
            order[i] = target[i] = i;
        if (other != UINT32_MAX) {
            qsort_r(order, v->count, sizeof(*order), by_size, v);
            for (uint32_t i = keep; i < v->count; i++)
                target[order[i]] = other;
        }
    } else {
        free(target);
        target = NULL;
    }
    free(order);
    return target;
}

/* ---- building ---- */

/* The rows of the aggregate by numbers. */
struct fact {
    int64_t time;
    uint32_t series;
    uint32_t value[PAGE_SET_DIMENSIONS];
};

struct build {
    const struct aggregate_rows *rows;
    const struct dimension_set *set;
    struct page_values *values;
    struct fact *facts;
    size_t count;
    uint32_t *target[PAGE_SET_DIMENSIONS]; /* by position in the set */
    struct tuples series;                  /* values by position in the set */
    size_t *order;                         /* facts by series, then time */
};

static enum status read_facts(struct build *b)
{
    struct aggregate_row row;
    for (size_t i = 0; i < b->count; i++) {
        aggregate_rows_get(b->rows, i, &row);
        b->facts[i].time = row.time;
        for (size_t k = 0; k < b->set->count; k++) {
            struct page_values *v = &b->values[page_dimension(&b->set->dimension[k])];
            uint32_t value = value_of(v, row.value[k]);
            if (value == UINT32_MAX)
                return ST_NO_MEMORY;
            b->facts[i].value[k] = value;
            v->value[value].tokens += row.sum[METRIC_TOTAL];
            v->value[value].invocations += row.sum[METRIC_INVOCATIONS];
        }
    }
    return ST_OK;
}

static int64_t bucket_of(int64_t time, int64_t interval)
{
    return time / interval - (time % interval < 0);
}

/* Give each fact its series, put them in order, and count the rows that makes. */
static enum status arrange(struct build *b, int64_t interval, size_t *row_count)
{
    tuples_reset(&b->series);
    for (size_t i = 0; i < b->count; i++) {
        uint32_t value[PAGE_SET_DIMENSIONS];
        for (size_t k = 0; k < b->set->count; k++)
            value[k] = b->target[k][b->facts[i].value[k]];
        b->facts[i].series = tuples_id(&b->series, value);
        if (b->facts[i].series == TUPLES_NONE)
            return ST_NO_MEMORY;
    }
    size_t *begin = calloc((size_t)b->series.count + 1, sizeof(*begin));
    if (begin == NULL)
        return ST_NO_MEMORY;
    for (size_t i = 0; i < b->count; i++)
        begin[b->facts[i].series + 1]++;
    for (uint32_t s = 0; s < b->series.count; s++)
        begin[s + 1] += begin[s];
    for (size_t i = 0; i < b->count; i++)
        b->order[begin[b->facts[i].series]++] = i;
    free(begin);
    *row_count = 0;
    for (size_t i = 0; i < b->count; i++) {
        const struct fact *fact = &b->facts[b->order[i]];
        const struct fact *before = i == 0 ? NULL : &b->facts[b->order[i - 1]];
        if (before == NULL || before->series != fact->series ||
            bucket_of(before->time, interval) != bucket_of(fact->time, interval))
            ++*row_count;
    }
    return ST_OK;
}

static enum status sum_rows(const struct build *b, int64_t interval, struct page_table *out)
{
    struct aggregate_row row;
    struct page_row *last = NULL;
    size_t n = 0;
    out->rows = calloc(out->row_count + 1, sizeof(*out->rows));
    if (out->rows == NULL)
        return ST_NO_MEMORY;
    for (size_t i = 0; i < b->count; i++) {
        const struct fact *fact = &b->facts[b->order[i]];
        int64_t bucket = bucket_of(fact->time, interval);
        aggregate_rows_get(b->rows, b->order[i], &row);
        if (last == NULL || last->series != fact->series || last->bucket != bucket) {
            last = &out->rows[n++];
            last->series = fact->series;
            last->bucket = bucket;
        }
        for (unsigned m = 0; m < METRIC_COUNT; m++)
            last->sum[m] += row.sum[m];
    }
    return ST_OK;
}

/* How many values stay by enum dimension_size: principals, accounts, models, operations, Regions. */
struct attempt {
    uint32_t keep[DIMENSION_SIZES];
    bool days;
};

/* What to try, one after the other, until a table is small enough: hours are worth some accounts.
 */
static const struct attempt cube_attempts[] = {
    {{0, 0, 0, 0, 0}, false},   {{0, 50, 60, 0, 0}, false}, {{0, 20, 40, 0, 0}, false},
    {{0, 20, 25, 0, 0}, false}, {{0, 10, 20, 0, 0}, false}, {{0, 10, 12, 0, 0}, false},
    {{0, 5, 12, 0, 0}, false},  {{0, 5, 8, 0, 16}, false},  {{0, 20, 60, 0, 0}, true},
    {{0, 10, 30, 0, 0}, true},  {{0, 10, 20, 0, 0}, true},  {{0, 5, 12, 0, 16}, true},
    {{0, 3, 8, 0, 8}, true},    {{0, 2, 5, 0, 4}, true},
};

static const struct attempt principal_attempts[] = {
    {{0, 0, 0, 0, 0}, true},     {{1000, 0, 0, 0, 0}, true},  {{300, 50, 60, 0, 0}, true},
    {{300, 20, 30, 0, 0}, true}, {{100, 10, 20, 5, 0}, true}, {{100, 5, 12, 3, 0}, true},
    {{50, 5, 8, 2, 16}, true},   {{30, 3, 6, 2, 8}, true},    {{20, 2, 5, 1, 5}, true},
    {{10, 1, 3, 1, 3}, true},
};

static void forget_targets(struct build *b)
{
    for (size_t k = 0; k < PAGE_SET_DIMENSIONS; k++) {
        free(b->target[k]);
        b->target[k] = NULL;
    }
}

static enum status try_out(struct build *b, const struct attempt *a, int64_t interval,
                           struct page_table *out)
{
    forget_targets(b);
    for (size_t k = 0; k < b->set->count; k++) {
        size_t at = page_dimension(&b->set->dimension[k]);
        struct page_values *v = &b->values[at];
        uint32_t keep = dimension_kept(b->set->dimension[k].kind, a->keep), count = v->count;
        bool folds = keep != 0 && keep < count;
        b->target[k] = fold_values(v, folds ? keep : UINT32_MAX);
        if (b->target[k] == NULL)
            return ST_NO_MEMORY;
        out->kept[at] = folds ? keep : count;
        out->folded[at] = folds ? count - keep : 0;
    }
    out->interval = interval;
    return arrange(b, interval, &out->row_count);
}

static enum status choose(struct build *b, size_t max_rows, struct page_table *out)
{
    bool principals = false;
    for (size_t k = 0; k < b->set->count; k++)
        principals = principals || b->set->dimension[k].kind == DIMENSION_PRINCIPAL;
    const struct attempt *attempts = principals ? principal_attempts : cube_attempts;
    size_t count = principals ? sizeof(principal_attempts) / sizeof(principal_attempts[0])
                              : sizeof(cube_attempts) / sizeof(cube_attempts[0]);
    /* Hours for a month or two, else days; principals always by the day. */
    bool is_long = b->count > 0 && b->facts[b->count - 1].time - b->facts[0].time > LONGEST_BY_HOUR;
    int64_t interval = is_long ? DAY : PAGE_INTERVAL;
    enum status st = ST_OK;
    out->row_count = SIZE_MAX;
    for (size_t i = 0; i < count && st == ST_OK && out->row_count > max_rows; i++)
        st = try_out(b, &attempts[i], attempts[i].days ? DAY : interval, out);
    return st;
}

static enum status build(struct build *b, size_t max_rows, struct page_table *out)
{
    b->facts = malloc((b->count + 1) * sizeof(*b->facts));
    b->order = malloc((b->count + 1) * sizeof(*b->order));
    if (b->facts == NULL || b->order == NULL)
        return ST_NO_MEMORY;
    enum status st = read_facts(b);
    if (st == ST_OK)
        st = choose(b, max_rows, out);
    if (st == ST_OK)
        st = sum_rows(b, out->interval, out);
    if (st == ST_OK) {
        out->set = b->set;
        out->series = b->series;
        b->series = (struct tuples){0};
    }
    return st;
}

enum status page_table_build(const struct aggregate *aggregate, size_t set, size_t max_rows,
                             struct page_values *values, struct page_table *out)
{
    struct aggregate_rows *rows = aggregate_rows_new(aggregate, set);
    *out = (struct page_table){0};
    if (rows == NULL)
        return ST_NO_MEMORY;
    struct build b = {
        .rows = rows,
        .set = aggregate_set(aggregate, set),
        .values = values,
        .count = aggregate_rows_count(rows),
        .series.width = aggregate_set(aggregate, set)->count,
    };
    enum status st = build(&b, max_rows, out);
    forget_targets(&b);
    free(b.facts);
    tuples_clear(&b.series);
    free(b.order);
    aggregate_rows_free(rows);
    if (st != ST_OK)
        page_table_clear(out);
    return st;
}

void page_table_clear(struct page_table *table)
{
    tuples_clear(&table->series);
    free(table->rows);
    *table = (struct page_table){0};
}
