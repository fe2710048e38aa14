/*
 * page_json.c: the data set of the page (bedrock-metrics/page/1, see web/README.md): values by their
 * number in a dictionary, rows as differences, so that a browser can load some 100,000 of them.
 */
#include <stdlib.h>

#include "base/json_out.h"
#include "report/page_table.h"

/* Doubles are exact up to here; larger ones are written as text. */
static const u128 largest_number = ((u128)1 << 53) - 1;

static void add_count(struct json_out *j, u128 value)
{
    bool quoted = value > largest_number;
    buf_add_cstr(json_add_value(j, NULL), quoted ? "\"" : "");
    buf_add_u128(j->out, value);
    buf_add_cstr(j->out, quoted ? "\"" : "");
}

static void add_fixed(struct dimension_set *set, enum dimension_kind kind)
{
    set->dimension[set->count++] =
        (struct dimension){.kind = kind, .name = view_of(dimension_info(kind)->name)};
}

void page_sets(struct dimension_set sets[PAGE_SETS])
{
    sets[0].count = sets[1].count = 0;
    add_fixed(&sets[1], DIMENSION_PRINCIPAL);
    for (unsigned i = 0; i < DIMENSION_FIXED_COUNT; i++) {
        enum dimension_kind kind = (enum dimension_kind)i;
        if ((dimension_info(kind)->page & DIMENSION_ON_CUBE) != 0)
            add_fixed(&sets[0], kind);
        if ((dimension_info(kind)->page & DIMENSION_ON_PRINCIPALS) != 0 &&
            kind != DIMENSION_PRINCIPAL)
            add_fixed(&sets[1], kind);
    }
}

size_t page_dimension(const struct dimension *dimension)
{
    switch (dimension->kind) {
    case DIMENSION_METADATA: return DIMENSION_FIXED_COUNT + dimension->key;
    case DIMENSION_TAG: return DIMENSION_FIXED_COUNT + DIMENSION_METADATA_KEYS + dimension->key;
    default: return (size_t)dimension->kind;
    }
}

/* ---- dictionary ---- */

static void mark_used(const struct page_table *t, struct page_values *values)
{
    for (uint32_t s = 0; s < t->series.count; s++) {
        for (size_t k = 0; k < t->set->count; k++)
            values[page_dimension(&t->set->dimension[k])]
                .value[tuples_row(&t->series, s)[k]]
                .number = 0;
    }
}

static void add_dictionary(struct json_out *j, const struct view *names, struct page_values *values)
{
    json_open_object(j, "dictionary");
    for (size_t kind = 0; kind < PAGE_DIMENSIONS; kind++) {
        uint32_t number = 0;
        if (names[kind].len == 0)
            continue;
        json_add_name(j, names[kind]);
        json_open_array(j, NULL);
        for (uint32_t i = 0; i < values[kind].count; i++) {
            if (values[kind].value[i].number == UINT32_MAX)
                continue;
            json_add_string(j, NULL, values[kind].value[i].text);
            values[kind].value[i].number = number++;
        }
        json_close(j);
    }
    json_close(j);
    j->gap = "\n";
}

/* ---- tables ---- */

/* For each dimension of the set the number of its value in each series. */
static void add_series(struct json_out *j, const struct page_table *t,
                       const struct page_values *values)
{
    json_open_array(j, "series");
    for (size_t k = 0; k < t->set->count; k++) {
        const struct page_values *of = &values[page_dimension(&t->set->dimension[k])];
        json_open_array(j, NULL);
        for (uint32_t s = 0; s < t->series.count; s++)
            json_add_u64(j, NULL, of->value[tuples_row(&t->series, s)[k]].number);
        json_close(j);
    }
    json_close(j);
}

/* How many rows each series has, then their times: the first from `first`, others from the last. */
static void add_rows(struct json_out *j, const struct page_table *t, int64_t first)
{
    const struct page_row *rows = t->rows;
    uint64_t n = 0;
    json_open_array(j, "rows");
    for (size_t i = 0; i < t->row_count; i++) {
        n++;
        if (i + 1 < t->row_count && rows[i + 1].series == rows[i].series)
            continue;
        json_add_u64(j, NULL, n);
        n = 0;
    }
    json_close(j);
    j->gap = "\n";
    json_open_array(j, "time");
    for (size_t i = 0; i < t->row_count; i++) {
        bool same = i > 0 && rows[i - 1].series == rows[i].series;
        json_add_i64(j, NULL, rows[i].bucket - (same ? rows[i - 1].bucket : first));
    }
    json_close(j);
}

static bool is_zero(const struct page_table *t, enum metric metric)
{
    for (size_t i = 0; i < t->row_count; i++) {
        if (t->rows[i].sum[metric] != 0)
            return false;
    }
    return true;
}

static void add_metrics(struct json_out *j, const struct page_table *t, bool has_prices,
                        u128 cost_unit)
{
    /* The total is worked out by the page. */
    metric_set shown = METRIC_SET_BASE & ~METRIC_BIT(METRIC_TOTAL);
    if (has_prices)
        shown |= METRIC_SET_COST | METRIC_BIT(METRIC_APPROXIMATE);
    json_open_object(j, "metrics");
    for (unsigned m = 0; m < METRIC_COUNT; m++) {
        if ((shown & METRIC_BIT(m)) == 0 ||
            (m != METRIC_COST && m != METRIC_INVOCATIONS && is_zero(t, (enum metric)m)))
            continue;
        json_open_array(j, metric_name((enum metric)m));
        for (size_t i = 0; i < t->row_count; i++) {
            u128 value = t->rows[i].sum[m];
            add_count(j, m == METRIC_COST ? value / cost_unit : value);
        }
        json_close(j);
        j->gap = "\n";
    }
    j->gap = NULL;
    json_close(j);
}

static void add_table(struct json_out *j, const char *name, const struct page_table *t,
                      const struct page_values *values, bool has_prices, u128 cost_unit)
{
    int64_t first = t->row_count == 0 ? 0 : INT64_MAX;
    for (size_t i = 0; i < t->row_count; i++)
        first = t->rows[i].bucket < first ? t->rows[i].bucket : first;
    json_open_object(j, name);
    json_add_i64(j, "interval", t->interval);
    json_add_i64(j, "start", first * t->interval);
    json_open_array(j, "dimensions");
    for (size_t k = 0; k < t->set->count; k++)
        json_add_string(j, NULL, t->set->dimension[k].name);
    json_close(j);
    j->gap = "\n";
    add_series(j, t, values);
    j->gap = "\n";
    add_rows(j, t, first);
    j->gap = "\n";
    add_metrics(j, t, has_prices, cost_unit);
    json_close(j);
}

/* The largest power of ten, up to a dollar, that divides all costs. */
static u128 common_unit(const struct page_table tables[PAGE_SETS], int *exponent)
{
    u128 unit = UINT64_C(1000000000000);
    *exponent = 0;
    for (size_t t = 0; t < PAGE_SETS; t++) {
        for (size_t i = 0; i < tables[t].row_count; i++) {
            while (unit > 1 && tables[t].rows[i].sum[METRIC_COST] % unit != 0) {
                unit /= 10;
                --*exponent;
            }
        }
    }
    return unit;
}

/* ---- the rest ---- */

static uint32_t folded_in(const struct page *page, const struct page_table *table, size_t kind)
{
    return table->folded[kind] + page->folded_before[kind];
}

/* "Other" itself is among the values where some were folded before. */
static uint32_t kept_in(const struct page *page, const struct page_table *table, size_t kind)
{
    uint32_t kept = table->kept[kind];
    return page->folded_before[kind] > 0 && kept > 0 ? kept - 1 : kept;
}

static bool has_dimension(const struct page_table *table, size_t kind)
{
    for (size_t k = 0; k < table->set->count; k++) {
        if (page_dimension(&table->set->dimension[k]) == kind)
            return true;
    }
    return false;
}

/* What is folded in the charts, or, where a dimension is not in them, in the principals. */
static void add_folded(struct json_out *j, const struct page *page,
                       const struct page_table tables[PAGE_SETS], const struct view *names)
{
    json_open_array(j, "folded");
    for (size_t kind = 0; kind < PAGE_DIMENSIONS; kind++) {
        const struct page_table *table = &tables[has_dimension(&tables[0], kind) ? 0 : 1];
        if (!has_dimension(table, kind) || folded_in(page, table, kind) == 0)
            continue;
        json_open_object(j, NULL);
        json_add_string(j, "dimension", names[kind]);
        JSON_ADD_NUMBERS(j, {"kept", kept_in(page, table, kind)},
                         {"folded", folded_in(page, table, kind)});
        json_close(j);
    }
    json_close(j);
    j->gap = "\n";
}

/* Sentences: the caller's, and what the table of principals has folded beyond the charts. */
static void add_notes(struct json_out *j, const struct page *page,
                      const struct page_table tables[PAGE_SETS], const struct view *names)
{
    struct buf text;
    u128 sums[METRIC_COUNT];
    buf_init(&text, 1024);
    aggregate_totals(page->aggregate, sums);
    json_open_array(j, "notes");
    if (page->note != NULL)
        json_add_cstr(j, NULL, page->note);
    if (sums[METRIC_DISALLOWED_TOKENS] != 0 || sums[METRIC_DISALLOWED_INVOCATIONS] != 0) {
        buf_add_u128(&text, sums[METRIC_DISALLOWED_TOKENS]);
        buf_add_cstr(&text, " tokens in ");
        buf_add_u128(&text, sums[METRIC_DISALLOWED_INVOCATIONS]);
        buf_add_cstr(&text, " invocations ran in Regions that are not allowed.");
        json_add_string(j, NULL, buf_view(&text));
    }
    for (size_t kind = 0; kind < PAGE_DIMENSIONS; kind++) {
        if (!has_dimension(&tables[0], kind) || !has_dimension(&tables[1], kind) ||
            folded_in(page, &tables[1], kind) <= folded_in(page, &tables[0], kind))
            continue;
        buf_reset(&text);
        buf_printf(&text,
                   "Top principals: the %u largest of %.*s are shown one by one, %u more are "
                   "together as Other.",
                   kept_in(page, &tables[1], kind), SHOW(names[kind]),
                   folded_in(page, &tables[1], kind));
        json_add_string(j, NULL, buf_view(&text));
    }
    json_close(j);
    j->gap = "\n";
    if (buf_status(&text) != ST_OK)
        j->out->failed = buf_status(&text);
    buf_clear(&text);
}

/* What the page calls each metric, and each dimension: one, many, and in its address. */
static void add_names(struct json_out *j)
{
    json_open_object(j, "names");
    json_open_object(j, "metrics");
    for (unsigned m = 0; m < METRIC_COUNT; m++)
        json_add_cstr(j, metric_name((enum metric)m), metric_title((enum metric)m));
    json_close(j);
    json_open_object(j, "dimensions");
    for (unsigned i = 0; i < DIMENSION_FIXED_COUNT; i++) {
        const struct dimension_info *d = dimension_info((enum dimension_kind)i);
        json_open_array(j, d->name);
        json_add_cstr(j, NULL, d->label);
        json_add_cstr(j, NULL, d->labels);
        json_add_cstr(j, NULL, d->address);
        json_close(j);
    }
    json_close(j);
    json_close(j);
    j->gap = "\n";
}

static void add_head(struct json_out *j, const struct page *page, int exponent)
{
    json_add_cstr(j, "schema", "bedrock-metrics/page/1");
    json_add_cstr(j, "version", page->version);
    json_add_i64(j, "generated", page->generated);
    json_add_cstr(j, "program", "bedrock-metrics " BM_VERSION);
    if (page->source.len > 0)
        json_add_string(j, "source", page->source);
    if (page->has_range) {
        json_open_object(j, "range");
        json_add_i64(j, "since", page->since);
        json_add_i64(j, "until", page->until);
        json_close(j);
    }
    json_add_i64(j, "costExponent", exponent);
    if (page->prices_as_of != NULL) {
        json_open_object(j, "prices");
        json_add_cstr(j, "as_of", page->prices_as_of);
        json_close(j);
    }
    j->gap = "\n";
    json_open_object(j, "balance");
    report_add_tally(j, page->tally);
    json_close(j);
    j->gap = "\n";
}

enum status page_add_json_within(struct buf *out, const struct page *page, size_t cube_rows,
                                 size_t principal_rows)
{
    struct page_values values[PAGE_DIMENSIONS] = {{0}};
    struct page_table tables[PAGE_SETS] = {{0}};
    struct view names[PAGE_DIMENSIONS] = {{0}};
    int exponent;
    enum status st = page_table_build(page->aggregate, 0, cube_rows, values, &tables[0]);
    if (st == ST_OK)
        st = page_table_build(page->aggregate, 1, principal_rows, values, &tables[1]);
    if (st == ST_OK) {
        struct json_out j = {.out = out, .html = true};
        bool has_prices = page->prices_as_of != NULL;
        u128 unit = common_unit(tables, &exponent);
        for (size_t t = 0; t < PAGE_SETS; t++) {
            const struct dimension_set *set = tables[t].set;
            mark_used(&tables[t], values);
            for (size_t k = 0; k < set->count; k++)
                names[page_dimension(&set->dimension[k])] = set->dimension[k].name;
        }
        json_open_object(&j, NULL);
        add_head(&j, page, exponent);
        add_names(&j);
        add_folded(&j, page, tables, names);
        add_notes(&j, page, tables, names);
        add_dictionary(&j, names, values);
        add_table(&j, "cube", &tables[0], values, has_prices, unit);
        j.gap = "\n";
        add_table(&j, "principals", &tables[1], values, has_prices, unit);
        json_end(&j);
        st = buf_status(out);
    }
    for (size_t t = 0; t < PAGE_SETS; t++)
        page_table_clear(&tables[t]);
    for (size_t kind = 0; kind < PAGE_DIMENSIONS; kind++)
        page_values_clear(&values[kind]);
    return st;
}

enum status page_add_json(struct buf *out, const struct page *page)
{
    return page_add_json_within(out, page, PAGE_CUBE_ROWS, PAGE_PRINCIPAL_ROWS);
}
