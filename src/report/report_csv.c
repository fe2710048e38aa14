/* report_csv.c: RFC 4180 with line feeds: the columns of the JSON rows, in their order. */
#include "base/rfc3339.h"
#include "report/report.h"

/* What a spreadsheet runs; the page's CSV has the same rule (web/src/csv.js). */
static bool is_formula(struct view field)
{
    return field.len > 0 && memchr("=+-@\t\r", field.ptr[0], 6) != NULL;
}

void report_add_csv(struct buf *out, struct view field, bool quote, bool safe)
{
    size_t at = view_find_char(field, '"');
    quote = quote || at != SIZE_MAX;
    if (quote)
        buf_add_char(out, '"');
    if (safe && is_formula(field))
        buf_add_char(out, '\'');
    for (; at != SIZE_MAX; at = view_find_char(field, '"')) {
        buf_add_view(out, view_first(field, at + 1));
        buf_add_char(out, '"');
        field = view_skip(field, at + 1);
    }
    buf_add_view(out, field);
    if (quote)
        buf_add_char(out, '"');
}

/* An empty value is quoted, so that it differs from none; so is what could be misread. */
static void add_text(struct buf *out, struct view text, bool safe)
{
    bool quote = text.len == 0;
    for (size_t i = 0; i < text.len && !quote; i++) {
        char c = text.ptr[i];
        quote = c == ',' || c == '\n' || c == '\r' || c == ' ';
    }
    report_add_csv(out, text, quote, safe);
}

/* The titles where `row` is NULL. */
static void add_line(struct buf *out, const struct report *report, const struct aggregate_row *row)
{
    const struct dimension_set *set = aggregate_set(report->aggregate, report->set);
    const char *separator = "";
    if (report_has_time(report)) {
        char stamp[RFC3339_BYTES] = "time";
        if (row != NULL)
            rfc3339_format(row->time, stamp);
        buf_add_cstr(out, stamp);
        separator = ",";
    }
    for (size_t i = 0; i < set->count; i++) {
        buf_add_cstr(out, separator);
        add_text(out, row != NULL ? row->value[i] : set->dimension[i].name, report->csv_safe);
        separator = ",";
    }
    for (unsigned m = 0; m < METRIC_COUNT; m++) {
        if ((report->metrics & METRIC_BIT(m)) == 0)
            continue;
        buf_add_cstr(out, separator);
        if (row != NULL)
            metric_add_value(out, (enum metric)m, row->sum[m]);
        else
            buf_add_cstr(out, metric_name((enum metric)m));
        separator = ",";
    }
    buf_add_char(out, '\n');
}

enum status report_write_csv(const struct report *report, FILE *out)
{
    struct aggregate_rows *rows = aggregate_rows_new(report->aggregate, report->set);
    if (rows == NULL)
        return ST_NO_MEMORY;
    struct buf text;
    struct aggregate_row row;
    enum status st = ST_OK;
    buf_init(&text, REPORT_GATHERED);
    add_line(&text, report, NULL);
    for (size_t i = 0; i < aggregate_rows_count(rows) && st == ST_OK; i++) {
        aggregate_rows_get(rows, i, &row);
        add_line(&text, report, &row);
        st = report_flush_lines(report, &text, REPORT_PIECE, out);
    }
    if (st == ST_OK)
        st = report_flush_lines(report, &text, 0, out);
    buf_clear(&text);
    aggregate_rows_free(rows);
    return st;
}
