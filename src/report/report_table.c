/* report_table.c: the sums as a table for people: aligned, thousands separated, with shares. */
#include "base/rfc3339.h"
#include "report/report.h"
#include "report/text_table.h"

enum {
    MAX_COLUMNS = DIMENSIONS_PER_SET + METRIC_COUNT + 3,
    NARROWEST = 10, /* a dimension is not cut below this */
    LEGIBLE = 24,   /* nor below this as long as there are columns to leave out */
};

enum column_kind { COLUMN_TIME, COLUMN_DIMENSION, COLUMN_METRIC, COLUMN_SHARE, COLUMN_ERRORS };

struct column {
    enum column_kind kind;
    size_t dimension;
    enum metric metric;
};

struct table {
    const struct report *report;
    struct column column[MAX_COLUMNS];    /* what is in each ... */
    struct text_column look[MAX_COLUMNS]; /* ... and how it looks */
    struct text_table text;
    bool short_numbers;
    bool left_out; /* columns, for want of width */
    u128 total[METRIC_COUNT];
};

/* ---- cells ---- */

/* 1,234,567 as 1.23 M */
static void add_short(struct buf *out, u128 value)
{
    static const char units[] = " kMGTPEZY";
    size_t unit = 0;
    u128 divisor = 1;
    if (value < 1000) {
        buf_add_u128(out, value);
        return;
    }
    /* 999.5 k and more is 1.00 M. */
    while (value >= divisor * 999 + divisor / 2 + divisor % 2 && unit + 2 < sizeof(units)) {
        divisor *= 1000;
        unit++;
    }
    u128 hundredths = (value * 100 + divisor / 2) / divisor;
    if (hundredths >= 10000)
        buf_add_u128(out, (value + divisor / 2) / divisor);
    else if (hundredths >= 1000)
        buf_printf(out, "%u.%u", (unsigned)((hundredths + 5) / 100),
                   (unsigned)((hundredths + 5) / 10 % 10));
    else
        buf_printf(out, "%u.%02u", (unsigned)(hundredths / 100), (unsigned)(hundredths % 100));
    buf_printf(out, " %c", units[unit]);
}

static void add_share(struct buf *out, u128 part, u128 whole)
{
    if (whole == 0) {
        buf_add_char(out, '-');
        return;
    }
    buf_add_ratio(out, part * 100, whole, 1);
    buf_add_char(out, '%');
}

static void add_number(struct buf *out, const struct table *t, const struct column *column,
                       const u128 sum[METRIC_COUNT])
{
    u128 value;
    switch (column->kind) {
    case COLUMN_SHARE: add_share(out, sum[METRIC_TOTAL], t->total[METRIC_TOTAL]); return;
    case COLUMN_ERRORS:
        value = sum[METRIC_CLIENT_ERRORS] + sum[METRIC_SERVER_ERRORS] + sum[METRIC_THROTTLES];
        break;
    default:
        value = sum[column->metric];
        if (column->metric == METRIC_COST) {
            /* No price is not the same as for nothing. */
            if (value == 0 && sum[METRIC_UNPRICED] > 0) {
                buf_add_cstr(out, "unpriced");
                return;
            }
            /* 1e-12 USD; four decimals, rounded half up. */
            u128 units = (value + 50000000) / 100000000;
            buf_add_grouped(out, units / 10000);
            buf_printf(out, ".%04u", (unsigned)(units % 10000));
            return;
        }
        break;
    }
    if (t->short_numbers)
        add_short(out, value);
    else
        buf_add_grouped(out, value);
}

static void add_time(struct buf *out, const struct report *report, int64_t time)
{
    char stamp[RFC3339_BYTES];
    rfc3339_format(time, stamp);
    stamp[10] = ' ';
    stamp[strcmp(report->interval, "1d") == 0 ? 10 : 16] = '\0';
    buf_add_cstr(out, stamp);
}

/* ---- layout ---- */

static void add_column(struct table *t, struct column column, struct view title)
{
    bool text = column.kind == COLUMN_TIME || column.kind == COLUMN_DIMENSION;
    t->look[t->text.count] = (struct text_column){.title = title, .right = !text};
    t->column[t->text.count++] = column;
}

static void choose_columns(struct table *t)
{
    const struct report *report = t->report;
    const struct dimension_set *set = aggregate_set(report->aggregate, report->set);
    t->text.column = t->look;
    if (report_has_time(report))
        add_column(t, (struct column){.kind = COLUMN_TIME}, VIEW_LIT("Time (UTC)"));
    for (size_t i = 0; i < set->count; i++)
        add_column(t, (struct column){.kind = COLUMN_DIMENSION, .dimension = i},
                   set->dimension[i].name);
    bool errors = false;
    for (unsigned m = 0; m < METRIC_COUNT; m++) {
        if ((report->metrics & METRIC_BIT(m)) == 0)
            continue;
        if (m == METRIC_CLIENT_ERRORS || m == METRIC_SERVER_ERRORS || m == METRIC_THROTTLES) {
            errors = errors || t->total[m] > 0;
            if (m == METRIC_THROTTLES && errors)
                add_column(t, (struct column){.kind = COLUMN_ERRORS}, VIEW_LIT("Errors"));
            continue;
        }
        if (m == METRIC_UNPRICED && t->total[m] == 0)
            continue;
        add_column(t, (struct column){.kind = COLUMN_METRIC, .metric = (enum metric)m},
                   view_of(metric_title((enum metric)m)));
        if (m == METRIC_TOTAL)
            add_column(t, (struct column){.kind = COLUMN_SHARE}, VIEW_LIT("Share"));
    }
}

/* A row of the aggregate, or with `is_total` the last line of the table. */
static void add_row(struct table *t, const struct aggregate_row *row, bool is_total)
{
    for (size_t k = 0; k < t->text.count; k++) {
        const struct column *column = &t->column[k];
        if (is_total && !t->look[k].right)
            text_table_add(&t->text, k == 0 ? VIEW_LIT("Total") : VIEW_EMPTY);
        else if (column->kind == COLUMN_DIMENSION)
            text_table_add(&t->text, row->value[column->dimension]);
        else if (column->kind == COLUMN_TIME)
            add_time(text_table_cell(&t->text), t->report, row->time);
        else
            add_number(text_table_cell(&t->text), t, column, row->sum);
    }
    text_table_end_row(&t->text);
}

/* The head, all rows and the total; where t->text.out is NULL they are measured. */
static enum status add_rows(struct table *t, const struct aggregate_rows *rows, FILE *out)
{
    enum status st = ST_OK;
    struct aggregate_row row;
    text_table_head(&t->text);
    text_table_rule(&t->text);
    for (size_t i = 0; i < aggregate_rows_count(rows) && st == ST_OK; i++) {
        aggregate_rows_get(rows, i, &row);
        add_row(t, &row, false);
        if (t->text.out != NULL)
            st = report_flush(t->text.out, REPORT_PIECE, out);
    }
    memcpy(row.sum, t->total, sizeof(row.sum));
    text_table_rule(&t->text);
    text_table_style(&t->text, "\033[1m");
    add_row(t, &row, true);
    text_table_style(&t->text, "\033[0m");
    return st;
}

static void measure(struct table *t, const struct aggregate_rows *rows)
{
    for (size_t k = 0; k < t->text.count; k++)
        t->look[k].width = 0;
    t->text.out = NULL;
    (void)add_rows(t, rows, NULL);
}

/* Make room by one column, from the widest dimension; false: none is wider than `least`. */
static bool cut_dimension(struct table *t, size_t least)
{
    struct text_column *widest = NULL;
    for (size_t k = 0; k < t->text.count; k++) {
        struct text_column *look = &t->look[k];
        if (t->column[k].kind == COLUMN_DIMENSION && look->width > least &&
            (widest == NULL || look->width > widest->width))
            widest = look;
    }
    if (widest != NULL)
        widest->width--;
    return widest != NULL;
}

/* Leave out the column that is missed least; false: those that are left all stay. */
static bool leave_out_column(struct table *t)
{
    static const struct column expendable[] = {
        {.kind = COLUMN_METRIC, .metric = METRIC_CACHE_WRITE},
        {.kind = COLUMN_METRIC, .metric = METRIC_CACHE_READ},
        {.kind = COLUMN_METRIC, .metric = METRIC_UNPRICED},
        {.kind = COLUMN_METRIC, .metric = METRIC_LATENCY},
        {.kind = COLUMN_ERRORS},
        {.kind = COLUMN_METRIC, .metric = METRIC_OUTPUT},
        {.kind = COLUMN_METRIC, .metric = METRIC_INPUT},
        {.kind = COLUMN_SHARE},
        {.kind = COLUMN_METRIC, .metric = METRIC_COST},
    };
    for (size_t i = 0; i < sizeof(expendable) / sizeof(expendable[0]); i++) {
        for (size_t k = 0; k < t->text.count; k++) {
            if (t->look[k].hidden || t->column[k].kind != expendable[i].kind ||
                t->column[k].metric != expendable[i].metric)
                continue;
            t->look[k].hidden = t->left_out = true;
            return true;
        }
    }
    return false;
}

/*
 * Make it fit: numbers shortened first, then dimensions cut, then columns left out, then dimensions
 * cut until they are hardly legible.
 */
static void fit(struct table *t, const struct aggregate_rows *rows)
{
    size_t limit = t->report->width;
    measure(t, rows);
    if (limit == 0 || text_table_width(&t->text) <= limit)
        return;
    t->short_numbers = true;
    measure(t, rows);
    while (text_table_width(&t->text) > limit) {
        if (!cut_dimension(t, LEGIBLE) && !leave_out_column(t) && !cut_dimension(t, NARROWEST))
            return;
    }
}

/* What is not to be seen, and what the cost is worth. */
static void add_notes(const struct table *t, struct buf *out)
{
    if (t->left_out)
        buf_add_cstr(out, "More columns in a wider terminal, or with --output csv.\n");
    if (t->report->prices_as_of == NULL || (t->report->metrics & METRIC_BIT(METRIC_COST)) == 0)
        return;
    buf_printf(out, "Cost is estimated from list prices as of %s", t->report->prices_as_of);
    if (t->total[METRIC_UNPRICED] > 0) {
        buf_add_cstr(out, "; ");
        buf_add_grouped(out, t->total[METRIC_UNPRICED]);
        buf_add_cstr(out, " tokens have no price and are not in it");
    }
    if (t->total[METRIC_APPROXIMATE] > 0) {
        buf_add_cstr(out, "; ");
        buf_add_grouped(out, t->total[METRIC_APPROXIMATE]);
        buf_add_cstr(out, " tokens are priced approximately");
    }
    buf_add_cstr(out, ".\n");
}

enum status report_write_table(const struct report *report, FILE *out)
{
    struct aggregate_rows *rows = aggregate_rows_new(report->aggregate, report->set);
    if (rows == NULL)
        return ST_NO_MEMORY;
    struct table t = {.report = report, .text.colour = report->colour};
    struct buf text;
    buf_init(&text, REPORT_GATHERED);
    aggregate_totals(report->aggregate, t.total);
    choose_columns(&t);
    fit(&t, rows);
    t.text.out = &text;
    enum status st = add_rows(&t, rows, out);
    add_notes(&t, &text);
    if (st == ST_OK)
        st = report_flush(&text, 0, out);
    text_table_clear(&t.text);
    buf_clear(&text);
    aggregate_rows_free(rows);
    return st;
}
