/* report_table.c: the sums as a table for people: aligned, thousands separated, with shares. */
#include <stdlib.h>

#include "base/json_write.h"
#include "base/rfc3339.h"
#include "base/utf8.h"
#include "report/report.h"

enum {
    GATHERED_BYTES = 1 << 20,
    ROW_BYTES = 64 * 1024,
    MAX_COLUMNS = DIMENSIONS_PER_SET + METRIC_COUNT + 3,
    CELL_BYTES = 512,
    NARROWEST = 10, /* a dimension is not cut below this */
    LEGIBLE = 24,   /* nor below this as long as there are columns to leave out */
    GAP = 2,
};

enum column_kind { COLUMN_TIME, COLUMN_DIMENSION, COLUMN_METRIC, COLUMN_SHARE, COLUMN_ERRORS };

struct column {
    enum column_kind kind;
    size_t dimension;
    enum metric metric;
    struct view title;
    size_t width;
};

struct table {
    const struct report *report;
    struct column column[MAX_COLUMNS];
    size_t count;
    bool short_numbers;
    bool left_out; /* columns, for want of width */
    u128 total[METRIC_COUNT];
};

static const char *const titles[METRIC_COUNT] = {
    [METRIC_INVOCATIONS] = "Invocations",
    [METRIC_INPUT] = "Input",
    [METRIC_OUTPUT] = "Output",
    [METRIC_CACHE_READ] = "Cache read",
    [METRIC_CACHE_WRITE] = "Cache write",
    [METRIC_TOTAL] = "Total tokens",
    [METRIC_CLIENT_ERRORS] = "Client err",
    [METRIC_SERVER_ERRORS] = "Server err",
    [METRIC_THROTTLES] = "Throttles",
    [METRIC_LATENCY] = "Latency ms",
    [METRIC_COST] = "Est. cost USD",
    [METRIC_UNPRICED] = "Unpriced",
    [METRIC_APPROXIMATE] = "Approximate",
    [METRIC_DISALLOWED_TOKENS] = "Elsewhere",
    [METRIC_DISALLOWED_INVOCATIONS] = "Inv. elsewhere",
};

/* ---- text in columns ---- */

static bool is_printable(uint32_t code)
{
    return code != UTF8_INVALID && code >= 0x20 && !(code >= 0x7f && code < 0xa0) &&
           !(code >= 0x200b && code <= 0x200f) && !(code >= 0x2028 && code <= 0x202e) &&
           !(code >= 0x2060 && code <= 0x206f) && code != 0xfeff && code != 0x061c;
}

/* Copy a value, one column a character, with `?` for what a terminal would act on. */
static size_t add_clean(struct buf *out, struct view text)
{
    size_t columns = 0;
    while (text.len > 0) {
        uint32_t code;
        size_t n = utf8_decode(text, &code);
        if (is_printable(code))
            buf_add(out, text.ptr, n);
        else
            buf_add_char(out, '?');
        text = view_skip(text, n);
        columns++;
    }
    return columns;
}

static size_t columns_of(struct view text)
{
    size_t columns = 0;
    while (text.len > 0) {
        uint32_t code;
        text = view_skip(text, utf8_decode(text, &code));
        columns++;
    }
    return columns;
}

static void add_spaces(struct buf *out, size_t n)
{
    while (n-- > 0)
        buf_add_char(out, ' ');
}

/* The beginning and the end of what is too wide, an ellipsis between. */
static void add_cut(struct buf *out, struct view text, size_t width)
{
    size_t columns = columns_of(text);
    if (columns <= width) {
        add_clean(out, text);
        return;
    }
    size_t tail = (width - 1) * 2 / 3;
    size_t head = width - 1 - tail;
    size_t at = 0;
    while (text.len > 0) {
        uint32_t code;
        size_t n = utf8_decode(text, &code);
        if (at == head)
            buf_add_cstr(out, "\xe2\x80\xa6");
        if (at < head || at >= columns - tail)
            add_clean(out, view_first(text, n));
        text = view_skip(text, n);
        at++;
    }
}

static void add_grouped(struct buf *out, u128 value)
{
    char text[64];
    size_t at = sizeof(text);
    unsigned digits = 0;
    do {
        if (digits > 0 && digits % 3 == 0)
            text[--at] = ',';
        text[--at] = (char)('0' + (int)(value % 10));
        value /= 10;
        digits++;
    } while (value != 0);
    buf_add(out, text + at, sizeof(text) - at);
}

/* 1,234,567 as 1.23 M */
static void add_short(struct buf *out, u128 value)
{
    static const char units[] = " kMGTPEZY";
    size_t unit = 0;
    u128 divisor = 1;
    if (value < 1000) {
        json_add_u128(out, value);
        return;
    }
    /* 999.5 k and more is 1.00 M. */
    while (value >= divisor * 999 + divisor / 2 + divisor % 2 && unit + 2 < sizeof(units)) {
        divisor *= 1000;
        unit++;
    }
    u128 hundredths = (value * 100 + divisor / 2) / divisor;
    if (hundredths >= 99950 || hundredths >= 10000)
        json_add_u128(out, (value + divisor / 2) / divisor);
    else if (hundredths >= 1000)
        buf_printf(out, "%u.%u", (unsigned)((hundredths + 5) / 100),
                   (unsigned)((hundredths + 5) / 10 % 10));
    else
        buf_printf(out, "%u.%02u", (unsigned)(hundredths / 100), (unsigned)(hundredths % 100));
    buf_printf(out, " %c", units[unit]);
}

static void add_money(struct buf *out, u128 cost)
{
    /* 1e-12 USD; four decimals, rounded half up. */
    u128 units = (cost + 50000000) / 100000000;
    add_grouped(out, units / 10000);
    buf_printf(out, ".%04u", (unsigned)(units % 10000));
}

static void add_share(struct buf *out, u128 part, u128 whole)
{
    if (whole == 0) {
        buf_add_char(out, '-');
        return;
    }
    unsigned tenths = (unsigned)((part * 1000 + whole / 2) / whole);
    buf_printf(out, "%u.%u%%", tenths / 10, tenths % 10);
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
            if (value == 0 && sum[METRIC_UNPRICED] > 0)
                buf_add_cstr(out, "unpriced");
            else
                add_money(out, value);
            return;
        }
        break;
    }
    if (t->short_numbers)
        add_short(out, value);
    else
        add_grouped(out, value);
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

static void add_column(struct table *t, struct column column)
{
    column.width = columns_of(column.title);
    t->column[t->count++] = column;
}

static void choose_columns(struct table *t)
{
    const struct report *report = t->report;
    const struct dimension_set *set = aggregate_set(report->aggregate, report->set);
    if (report_has_time(report))
        add_column(t, (struct column){.kind = COLUMN_TIME, .title = VIEW_LIT("Time (UTC)")});
    for (size_t i = 0; i < set->count; i++)
        add_column(t, (struct column){.kind = COLUMN_DIMENSION,
                                      .dimension = i,
                                      .title = set->dimension[i].name});
    bool errors = false;
    for (unsigned m = 0; m < METRIC_COUNT; m++) {
        if ((report->metrics & METRIC_BIT(m)) == 0)
            continue;
        if (m == METRIC_CLIENT_ERRORS || m == METRIC_SERVER_ERRORS || m == METRIC_THROTTLES) {
            errors = errors || t->total[m] > 0;
            if (m == METRIC_THROTTLES && errors)
                add_column(t, (struct column){.kind = COLUMN_ERRORS, .title = VIEW_LIT("Errors")});
            continue;
        }
        if (m == METRIC_UNPRICED && t->total[m] == 0)
            continue;
        add_column(t, (struct column){.kind = COLUMN_METRIC,
                                      .metric = (enum metric)m,
                                      .title = view_of(titles[m])});
        if (m == METRIC_TOTAL)
            add_column(t, (struct column){.kind = COLUMN_SHARE, .title = VIEW_LIT("Share")});
    }
}

static bool is_text(const struct column *column)
{
    return column->kind == COLUMN_TIME || column->kind == COLUMN_DIMENSION;
}

static size_t cell_columns(const struct table *t, const struct column *column,
                           const struct aggregate_row *row, struct buf *scratch)
{
    buf_reset(scratch);
    if (column->kind == COLUMN_DIMENSION)
        return columns_of(row->value[column->dimension]);
    if (column->kind == COLUMN_TIME)
        add_time(scratch, t->report, row->time);
    else
        add_number(scratch, t, column, row->sum);
    return scratch->len;
}

static size_t total_width(const struct table *t)
{
    size_t width = 0;
    for (size_t i = 0; i < t->count; i++)
        width += t->column[i].width + (i > 0 ? GAP : 0);
    return width;
}

static void measure(struct table *t, const struct aggregate_rows *rows, struct buf *scratch)
{
    struct aggregate_row row;
    for (size_t k = 0; k < t->count; k++)
        t->column[k].width = columns_of(t->column[k].title);
    for (size_t i = 0; i <= aggregate_rows_count(rows); i++) {
        bool is_total = i == aggregate_rows_count(rows);
        if (is_total)
            memcpy(row.sum, t->total, sizeof(row.sum));
        else
            aggregate_rows_get(rows, i, &row);
        for (size_t k = 0; k < t->count; k++) {
            if (is_total && is_text(&t->column[k]))
                continue;
            size_t columns = cell_columns(t, &t->column[k], &row, scratch);
            if (columns > t->column[k].width)
                t->column[k].width = columns;
        }
    }
}

/* Make room by one column, from the widest dimension; false: none is wider than `least`. */
static bool cut_dimension(struct table *t, size_t least)
{
    struct column *widest = NULL;
    for (size_t k = 0; k < t->count; k++) {
        struct column *column = &t->column[k];
        if (column->kind == COLUMN_DIMENSION && column->width > least &&
            (widest == NULL || column->width > widest->width))
            widest = column;
    }
    if (widest != NULL)
        widest->width--;
    return widest != NULL;
}

/* Leave out the column that is missed least; false: those that are left all stay. */
static bool leave_out_column(struct table *t)
{
    static const struct {
        enum column_kind kind;
        enum metric metric;
    } expendable[] = {
        {COLUMN_METRIC, METRIC_CACHE_WRITE}, {COLUMN_METRIC, METRIC_CACHE_READ},
        {COLUMN_METRIC, METRIC_UNPRICED},    {COLUMN_METRIC, METRIC_LATENCY},
        {COLUMN_ERRORS, METRIC_COUNT},       {COLUMN_METRIC, METRIC_OUTPUT},
        {COLUMN_METRIC, METRIC_INPUT},       {COLUMN_SHARE, METRIC_COUNT},
        {COLUMN_METRIC, METRIC_COST},
    };
    for (size_t i = 0; i < sizeof(expendable) / sizeof(expendable[0]); i++) {
        for (size_t k = 0; k < t->count; k++) {
            const struct column *column = &t->column[k];
            if (column->kind != expendable[i].kind ||
                (column->kind == COLUMN_METRIC && column->metric != expendable[i].metric))
                continue;
            memmove(&t->column[k], &t->column[k + 1], (--t->count - k) * sizeof(*t->column));
            t->left_out = true;
            return true;
        }
    }
    return false;
}

/*
 * Make it fit: numbers shortened first, then dimensions cut, then columns left out, then dimensions
 * cut until they are hardly legible.
 */
static void fit(struct table *t, const struct aggregate_rows *rows, struct buf *scratch)
{
    size_t limit = t->report->width;
    measure(t, rows, scratch);
    if (limit == 0 || total_width(t) <= limit)
        return;
    t->short_numbers = true;
    measure(t, rows, scratch);
    while (total_width(t) > limit) {
        if (!cut_dimension(t, LEGIBLE) && !leave_out_column(t) && !cut_dimension(t, NARROWEST))
            return;
    }
}

/* ---- writing ---- */

static void add_cell(struct buf *out, const struct column *column, struct view text, bool last)
{
    size_t columns = columns_of(text);
    size_t shown = columns < column->width ? columns : column->width;
    if (!is_text(column))
        add_spaces(out, column->width - shown);
    add_cut(out, text, column->width);
    if (is_text(column) && !last)
        add_spaces(out, column->width - shown);
}

static void add_rule(struct buf *out, const struct table *t)
{
    for (size_t i = total_width(t); i > 0; i--)
        buf_add_cstr(out, "\xe2\x94\x80");
    buf_add_char(out, '\n');
}

static void add_line(struct buf *out, const struct table *t, const struct aggregate_row *row,
                     bool is_total, struct buf *cell)
{
    bool labelled = false;
    for (size_t k = 0; k < t->count; k++) {
        const struct column *column = &t->column[k];
        struct view text;
        buf_reset(cell);
        if (is_text(column) && is_total) {
            text = labelled ? VIEW_LIT("") : VIEW_LIT("Total");
            labelled = true;
        } else if (column->kind == COLUMN_DIMENSION) {
            text = row->value[column->dimension];
        } else if (column->kind == COLUMN_TIME) {
            add_time(cell, t->report, row->time);
            text = buf_view(cell);
        } else {
            add_number(cell, t, column, row->sum);
            text = buf_view(cell);
        }
        add_spaces(out, k > 0 ? GAP : 0);
        add_cell(out, column, text, k + 1 == t->count);
    }
    buf_add_char(out, '\n');
}

static void add_styled(struct buf *out, const struct table *t, const char *style)
{
    if (t->report->colour)
        buf_add_cstr(out, style);
}

static enum status add_body(struct table *t, const struct aggregate_rows *rows, struct buf *text,
                            struct buf *scratch, FILE *out)
{
    enum status st = ST_OK;
    struct aggregate_row row;
    add_styled(text, t, "\033[1m");
    for (size_t k = 0; k < t->count; k++) {
        add_spaces(text, k > 0 ? GAP : 0);
        add_cell(text, &t->column[k], t->column[k].title, k + 1 == t->count);
    }
    buf_add_char(text, '\n');
    add_styled(text, t, "\033[0m\033[2m");
    add_rule(text, t);
    add_styled(text, t, "\033[0m");
    for (size_t i = 0; i < aggregate_rows_count(rows) && st == ST_OK; i++) {
        aggregate_rows_get(rows, i, &row);
        add_line(text, t, &row, false, scratch);
        if (text->len > ROW_BYTES)
            st = report_flush(text, out);
    }
    memcpy(row.sum, t->total, sizeof(row.sum));
    add_styled(text, t, "\033[2m");
    add_rule(text, t);
    add_styled(text, t, "\033[0m\033[1m");
    add_line(text, t, &row, true, scratch);
    add_styled(text, t, "\033[0m");
    return st;
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
        add_grouped(out, t->total[METRIC_UNPRICED]);
        buf_add_cstr(out, " tokens have no price and are not in it");
    }
    if (t->total[METRIC_APPROXIMATE] > 0) {
        buf_add_cstr(out, "; ");
        add_grouped(out, t->total[METRIC_APPROXIMATE]);
        buf_add_cstr(out, " tokens are priced approximately");
    }
    buf_add_cstr(out, ".\n");
}

enum status report_write_table(const struct report *report, FILE *out)
{
    struct aggregate_rows *rows = aggregate_rows_new(report->aggregate, report->set);
    if (rows == NULL)
        return ST_NO_MEMORY;
    struct table t = {.report = report};
    struct buf text, scratch;
    buf_init(&text, GATHERED_BYTES);
    buf_init(&scratch, CELL_BYTES);
    aggregate_totals(report->aggregate, t.total);
    choose_columns(&t);
    /* With all its room from the beginning no cell can come out empty for want of memory. */
    enum status st = buf_reserve(&scratch, CELL_BYTES) == NULL ? ST_NO_MEMORY : ST_OK;
    if (st == ST_OK) {
        fit(&t, rows, &scratch);
        st = add_body(&t, rows, &text, &scratch, out);
        add_notes(&t, &text);
    }
    if (st == ST_OK)
        st = report_flush(&text, out);
    buf_clear(&text);
    buf_clear(&scratch);
    aggregate_rows_free(rows);
    return st;
}
