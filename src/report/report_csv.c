/* report_csv.c: RFC 4180 with line feeds: the columns of the JSON rows, in their order. */
#include "base/rfc3339.h"
#include "report/report.h"

enum { GATHERED_BYTES = 1 << 20, ROW_BYTES = 64 * 1024 };

static void add_field(struct buf *out, struct view text)
{
    bool plain = text.len > 0;
    for (size_t i = 0; i < text.len && plain; i++) {
        char c = text.ptr[i];
        plain = c != '"' && c != ',' && c != '\n' && c != '\r' && c != ' ';
    }
    if (plain) {
        buf_add_view(out, text);
        return;
    }
    buf_add_char(out, '"');
    for (size_t i = 0; i < text.len; i++) {
        if (text.ptr[i] == '"')
            buf_add_char(out, '"');
        buf_add_char(out, text.ptr[i]);
    }
    buf_add_char(out, '"');
}

static void add_head(struct buf *out, const struct report *report)
{
    const struct dimension_set *set = aggregate_set(report->aggregate, report->set);
    const char *separator = "";
    if (report_has_time(report)) {
        buf_add_cstr(out, "time");
        separator = ",";
    }
    for (size_t i = 0; i < set->count; i++) {
        buf_add_cstr(out, separator);
        add_field(out, set->dimension[i].name);
        separator = ",";
    }
    for (unsigned m = 0; m < METRIC_COUNT; m++) {
        if ((report->metrics & METRIC_BIT(m)) == 0)
            continue;
        buf_printf(out, "%s%s", separator, metric_name((enum metric)m));
        separator = ",";
    }
    buf_add_char(out, '\n');
}

static void add_row(struct buf *out, const struct report *report, const struct aggregate_row *row)
{
    const struct dimension_set *set = aggregate_set(report->aggregate, report->set);
    const char *separator = "";
    if (report_has_time(report)) {
        char stamp[RFC3339_BYTES];
        rfc3339_format(row->time, stamp);
        buf_add_cstr(out, stamp);
        separator = ",";
    }
    for (size_t i = 0; i < set->count; i++) {
        buf_add_cstr(out, separator);
        add_field(out, row->value[i]);
        separator = ",";
    }
    for (unsigned m = 0; m < METRIC_COUNT; m++) {
        if ((report->metrics & METRIC_BIT(m)) == 0)
            continue;
        buf_add_cstr(out, separator);
        metric_add_value(out, (enum metric)m, row->sum[m]);
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
    buf_init(&text, GATHERED_BYTES);
    add_head(&text, report);
    for (size_t i = 0; i < aggregate_rows_count(rows) && st == ST_OK; i++) {
        aggregate_rows_get(rows, i, &row);
        add_row(&text, report, &row);
        if (text.len > ROW_BYTES)
            st = report_flush(&text, out);
    }
    if (st == ST_OK)
        st = report_flush(&text, out);
    buf_clear(&text);
    aggregate_rows_free(rows);
    return st;
}
