/* page_json.c: the data set of the page. */
#include <stdlib.h>

#include "base/json_write.h"
#include "report/page_table.h"

enum { COST_DIGITS = 12 };

/* Doubles are exact up to here; larger ones are written as text. */
static const u128 largest_number = ((u128)1 << 53) - 1;

static void add_count(struct buf *out, u128 value)
{
    if (value > largest_number)
        buf_add_char(out, '"');
    json_add_u128(out, value);
    if (value > largest_number)
        buf_add_char(out, '"');
}

void page_sets(struct dimension_set sets[PAGE_SETS])
{
    static const char cube[] =
        "InferenceProfileType,ModelId,SourceRegion,InferenceRegion,AccountId";
    static const char principals[] =
        "Principal,InferenceProfileType,ModelId,SourceRegion,AccountId,Operation";
    struct dimension_keys keys = {0};
    if (dimension_set_parse(VIEW_LIT(cube), &keys, &sets[0], NULL) != ST_OK ||
        dimension_set_parse(VIEW_LIT(principals), &keys, &sets[1], NULL) != ST_OK)
        abort(); /* a name above is wrong */
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

static const struct view *dimension_names(const struct page_table tables[PAGE_SETS],
                                          struct view names[PAGE_DIMENSIONS])
{
    for (size_t t = 0; t < PAGE_SETS; t++) {
        for (size_t k = 0; k < tables[t].set->count; k++)
            names[page_dimension(&tables[t].set->dimension[k])] = tables[t].set->dimension[k].name;
    }
    return names;
}

static void mark_used(const struct page_table *t, struct page_values *values)
{
    for (uint32_t s = 0; s < t->series.count; s++) {
        for (size_t k = 0; k < t->set->count; k++)
            values[page_dimension(&t->set->dimension[k])]
                .value[tuples_row(&t->series, s)[k]]
                .number = 0;
    }
}

static void add_dictionary(struct buf *out, const struct view *names, struct page_values *values)
{
    bool first = true;
    buf_add_cstr(out, "\"dictionary\":{");
    for (size_t kind = 0; kind < PAGE_DIMENSIONS; kind++) {
        uint32_t number = 0;
        if (names[kind].len == 0)
            continue;
        if (!first)
            buf_add_char(out, ',');
        first = false;
        json_add_string_html(out, names[kind]);
        buf_add_cstr(out, ":[");
        for (uint32_t i = 0; i < values[kind].count; i++) {
            if (values[kind].value[i].number == UINT32_MAX)
                continue;
            if (number > 0)
                buf_add_char(out, ',');
            json_add_string_html(out, values[kind].value[i].text);
            values[kind].value[i].number = number++;
        }
        buf_add_char(out, ']');
    }
    buf_add_cstr(out, "},\n");
}

/* ---- tables ---- */

static void add_series(struct buf *out, const struct page_table *t,
                       const struct page_values *values)
{
    for (size_t k = 0; k < t->set->count; k++) {
        buf_add_cstr(out, k > 0 ? ",[" : "[");
        for (uint32_t s = 0; s < t->series.count; s++) {
            uint32_t value = tuples_row(&t->series, s)[k];
            if (s > 0)
                buf_add_char(out, ',');
            buf_add_u64(out, values[page_dimension(&t->set->dimension[k])].value[value].number);
        }
        buf_add_char(out, ']');
    }
}

static void add_row_counts(struct buf *out, const struct page_table *t)
{
    uint64_t n = 0;
    for (size_t i = 0; i < t->row_count; i++) {
        n++;
        if (i + 1 < t->row_count && t->rows[i + 1].series == t->rows[i].series)
            continue;
        if (t->rows[i].series > 0)
            buf_add_char(out, ',');
        buf_add_u64(out, n);
        n = 0;
    }
}

static void add_times(struct buf *out, const struct page_table *t, int64_t first)
{
    for (size_t i = 0; i < t->row_count; i++) {
        bool same = i > 0 && t->rows[i - 1].series == t->rows[i].series;
        int64_t step = t->rows[i].bucket - (same ? t->rows[i - 1].bucket : first);
        if (i > 0)
            buf_add_char(out, ',');
        buf_add_u64(out, (uint64_t)step);
    }
}

static bool is_zero(const struct page_table *t, enum metric metric)
{
    for (size_t i = 0; i < t->row_count; i++) {
        if (t->rows[i].sum[metric] != 0)
            return false;
    }
    return true;
}

static void add_metrics(struct buf *out, const struct page_table *t, bool has_prices,
                        u128 cost_unit)
{
    bool first = true;
    for (unsigned m = 0; m < METRIC_COUNT; m++) {
        bool is_price = m == METRIC_COST || m == METRIC_UNPRICED || m == METRIC_APPROXIMATE;
        if (m == METRIC_TOTAL || m == METRIC_LATENCY || (is_price && !has_prices) ||
            (METRIC_SET_GUARD & METRIC_BIT(m)) != 0 ||
            (m != METRIC_COST && m != METRIC_INVOCATIONS && is_zero(t, (enum metric)m)))
            continue;
        buf_printf(out, "%s\"%s\":[", first ? "" : ",\n", metric_name((enum metric)m));
        first = false;
        for (size_t i = 0; i < t->row_count; i++) {
            u128 value = t->rows[i].sum[m];
            if (i > 0)
                buf_add_char(out, ',');
            add_count(out, m == METRIC_COST ? value / cost_unit : value);
        }
        buf_add_char(out, ']');
    }
}

static void add_table(struct buf *out, const char *name, const struct page_table *t,
                      const struct page_values *values, bool has_prices, u128 cost_unit)
{
    int64_t first = t->row_count == 0 ? 0 : INT64_MAX;
    for (size_t i = 0; i < t->row_count; i++)
        first = t->rows[i].bucket < first ? t->rows[i].bucket : first;
    buf_printf(out, "\"%s\":{\"interval\":%lld,\"start\":%lld,\"dimensions\":[", name,
               (long long)t->interval, (long long)(first * t->interval));
    for (size_t k = 0; k < t->set->count; k++) {
        if (k > 0)
            buf_add_char(out, ',');
        json_add_string_html(out, t->set->dimension[k].name);
    }
    buf_add_cstr(out, "],\n\"series\":[");
    add_series(out, t, values);
    buf_add_cstr(out, "],\n\"rows\":[");
    add_row_counts(out, t);
    buf_add_cstr(out, "],\n\"time\":[");
    add_times(out, t, first);
    buf_add_cstr(out, "],\n\"metrics\":{");
    add_metrics(out, t, has_prices, cost_unit);
    buf_add_cstr(out, "}}");
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
static void add_folded(struct buf *out, const struct page *page,
                       const struct page_table tables[PAGE_SETS], const struct view *names)
{
    bool first = true;
    buf_add_cstr(out, "\"folded\":[");
    for (size_t kind = 0; kind < PAGE_DIMENSIONS; kind++) {
        const struct page_table *table = &tables[has_dimension(&tables[0], kind) ? 0 : 1];
        if (!has_dimension(table, kind) || folded_in(page, table, kind) == 0)
            continue;
        buf_add_cstr(out, first ? "{\"dimension\":" : ",{\"dimension\":");
        json_add_string_html(out, names[kind]);
        buf_printf(out, ",\"kept\":%u,\"folded\":%u}", kept_in(page, table, kind),
                   folded_in(page, table, kind));
        first = false;
    }
    buf_add_cstr(out, "],\n");
}

/* What ran in Regions that are not allowed; false: nothing. */
static bool add_guard_note(struct buf *out, const struct aggregate *aggregate)
{
    u128 sums[METRIC_COUNT];
    struct buf text;
    aggregate_totals(aggregate, sums);
    if (sums[METRIC_DISALLOWED_TOKENS] == 0 && sums[METRIC_DISALLOWED_INVOCATIONS] == 0)
        return false;
    buf_init(&text, 512);
    json_add_u128(&text, sums[METRIC_DISALLOWED_TOKENS]);
    buf_add_cstr(&text, " tokens in ");
    json_add_u128(&text, sums[METRIC_DISALLOWED_INVOCATIONS]);
    buf_add_cstr(&text, " invocations ran in Regions that are not allowed.");
    json_add_string_html(out, buf_view(&text));
    buf_clear(&text);
    return true;
}

/* Sentences: the caller's, and what the table of principals has folded beyond the charts. */
static void add_notes(struct buf *out, const struct page *page,
                      const struct page_table tables[PAGE_SETS], const struct view *names)
{
    bool first = true;
    buf_add_cstr(out, "\"notes\":[");
    if (page->note != NULL) {
        json_add_string_html(out, view_of(page->note));
        first = false;
    }
    struct buf guard;
    buf_init(&guard, 1024);
    if (add_guard_note(&guard, page->aggregate)) {
        if (!first)
            buf_add_char(out, ',');
        buf_add_view(out, buf_view(&guard));
        first = false;
    }
    buf_clear(&guard);
    for (size_t kind = 0; kind < PAGE_DIMENSIONS; kind++) {
        if (!has_dimension(&tables[0], kind) || !has_dimension(&tables[1], kind) ||
            folded_in(page, &tables[1], kind) <= folded_in(page, &tables[0], kind))
            continue;
        struct buf text;
        buf_init(&text, 512);
        buf_printf(&text,
                   "Top principals: the %u largest of %.*s are told apart there, %u more are "
                   "together as Other.",
                   kept_in(page, &tables[1], kind), (int)names[kind].len, names[kind].ptr,
                   folded_in(page, &tables[1], kind));
        if (!first)
            buf_add_char(out, ',');
        json_add_string_html(out, buf_view(&text));
        first = false;
        buf_clear(&text);
    }
    buf_add_cstr(out, "],\n");
}

static void add_head(struct buf *out, const struct page *page, int exponent)
{
    buf_add_cstr(out, "{\"schema\":\"bedrock-metrics/page/1\",\"version\":");
    json_add_string_html(out, view_of(page->version));
    buf_printf(out, ",\"generated\":%lld,\"program\":\"bedrock-metrics " BM_VERSION "\"",
               (long long)page->generated);
    if (page->source.len > 0) {
        buf_add_cstr(out, ",\"source\":");
        json_add_string_html(out, page->source);
    }
    if (page->has_range)
        buf_printf(out, ",\"range\":{\"since\":%lld,\"until\":%lld}", (long long)page->since,
                   (long long)page->until);
    buf_printf(out, ",\"costExponent\":%d", exponent);
    if (page->prices_as_of != NULL) {
        buf_add_cstr(out, ",\"prices\":{\"as_of\":");
        json_add_string_html(out, view_of(page->prices_as_of));
        buf_add_char(out, '}');
    }
    buf_add_cstr(out, ",\n\"balance\":{");
    report_add_balance(out, &page->balance);
    buf_add_cstr(out, "},\n");
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
        bool has_prices = page->prices_as_of != NULL;
        u128 unit = common_unit(tables, &exponent);
        for (size_t t = 0; t < PAGE_SETS; t++)
            mark_used(&tables[t], values);
        add_head(out, page, exponent);
        add_folded(out, page, tables, dimension_names(tables, names));
        add_notes(out, page, tables, names);
        add_dictionary(out, names, values);
        add_table(out, "cube", &tables[0], values, has_prices, unit);
        buf_add_cstr(out, ",\n");
        add_table(out, "principals", &tables[1], values, has_prices, unit);
        buf_add_cstr(out, "}\n");
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
