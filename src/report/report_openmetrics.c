/*
 * report_openmetrics.c: OpenMetrics 1.0 text, one gauge family for each metric.
 *
 * A row is the sum of a bucket, not a counter that only grows, so the families are gauges; a sample
 * has the begin of its bucket as timestamp.  With one bucket for all time it has that of the last
 * record.  Samples of a series follow one another in time, as the format demands.
 */
#include <stdlib.h>

#include "report/report.h"

static bool is_upper(char c)
{
    return c >= 'A' && c <= 'Z';
}

static bool is_alnum(char c)
{
    return is_upper(c) || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}

void openmetrics_add_name(struct buf *out, struct view name)
{
    for (size_t i = 0; i < name.len; i++) {
        char c = name.ptr[i];
        bool after_lower = i > 0 && is_alnum(name.ptr[i - 1]) && !is_upper(name.ptr[i - 1]);
        if (is_upper(c) && after_lower)
            buf_add_char(out, '_');
        buf_add_char(out, !is_alnum(c) ? '_' : is_upper(c) ? (char)(c - 'A' + 'a') : c);
    }
}

void openmetrics_add_label_value(struct buf *out, struct view value)
{
    for (size_t i = 0; i < value.len; i++) {
        char c = value.ptr[i];
        if (c == '\n') {
            buf_add_cstr(out, "\\n");
            continue;
        }
        if (c == '\\' || c == '"')
            buf_add_char(out, '\\');
        buf_add_char(out, c);
    }
}

enum status report_check_labels(const struct dimension_set *set, struct error *err)
{
    enum { MAX_LABEL = 8 * 1024 };
    struct buf one, other;
    enum status st = ST_OK;
    buf_init(&one, MAX_LABEL);
    buf_init(&other, MAX_LABEL);
    for (size_t i = 0; i < set->count && st == ST_OK; i++) {
        buf_reset(&one);
        openmetrics_add_name(&one, set->dimension[i].name);
        for (size_t k = 0; k < i && st == ST_OK; k++) {
            struct view a = set->dimension[k].name, b = set->dimension[i].name;
            buf_reset(&other);
            openmetrics_add_name(&other, a);
            if (view_eq(buf_view(&one), buf_view(&other)))
                st = error_set(err, ST_USAGE, E_U211,
                               "\"%.*s\" and \"%.*s\" are the same label in OpenMetrics",
                               SHOW_MAX(a, 80), SHOW_MAX(b, 80));
        }
    }
    buf_clear(&one);
    buf_clear(&other);
    return st;
}

/* Rows in the order of their series, then time. */
struct ordered {
    const struct aggregate_rows *rows;
    size_t *index;
    size_t count, dimensions;
};

static int by_series(const void *a, const void *b, void *context)
{
    const struct ordered *o = context;
    struct aggregate_row left, right;
    size_t l, r;
    memcpy(&l, a, sizeof(l));
    memcpy(&r, b, sizeof(r));
    aggregate_rows_get(o->rows, l, &left);
    aggregate_rows_get(o->rows, r, &right);
    for (size_t i = 0; i < o->dimensions; i++) {
        int order = view_compare(left.value[i], right.value[i]);
        if (order != 0)
            return order;
    }
    return (l > r) - (l < r);
}

void openmetrics_add_labels(struct buf *out, const struct dimension_set *set,
                            const struct aggregate_row *row)
{
    buf_add_char(out, '{');
    for (size_t i = 0; i < set->count; i++) {
        if (i > 0)
            buf_add_char(out, ',');
        openmetrics_add_name(out, set->dimension[i].name);
        buf_add_cstr(out, "=\"");
        openmetrics_add_label_value(out, row->value[i]);
        buf_add_char(out, '"');
    }
    buf_add_char(out, '}');
}

static void add_family(struct buf *out, enum metric metric)
{
    struct view name = view_of(metric_name(metric));
    buf_add_cstr(out, "# TYPE bedrock_");
    openmetrics_add_name(out, name);
    buf_add_cstr(out, " gauge\n# HELP bedrock_");
    openmetrics_add_name(out, name);
    buf_printf(out, " %s\n", metric_help(metric));
}

static void add_sample(struct buf *out, const struct report *report, enum metric metric,
                       const struct aggregate_row *row)
{
    const struct dimension_set *set = aggregate_set(report->aggregate, report->set);
    buf_add_cstr(out, "bedrock_");
    openmetrics_add_name(out, view_of(metric_name(metric)));
    openmetrics_add_labels(out, set, row);
    buf_add_char(out, ' ');
    metric_add_value(out, metric, row->sum[metric]);
    int64_t time = report_has_time(report) ? row->time : report->tally->last_time;
    buf_printf(out, " %lld\n", (long long)time);
}

static enum status add_families(const struct report *report, const struct ordered *o,
                                struct buf *text, FILE *out)
{
    struct aggregate_row row;
    enum status st = ST_OK;
    for (unsigned m = 0; m < METRIC_COUNT && st == ST_OK; m++) {
        if ((report->metrics & METRIC_BIT(m)) == 0)
            continue;
        add_family(text, (enum metric)m);
        for (size_t i = 0; i < o->count && st == ST_OK; i++) {
            aggregate_rows_get(o->rows, o->index[i], &row);
            add_sample(text, report, (enum metric)m, &row);
            st = report_flush_lines(report, text, REPORT_PIECE, out);
        }
    }
    return st;
}

enum status report_write_openmetrics(const struct report *report, FILE *out)
{
    struct aggregate_rows *rows = aggregate_rows_new(report->aggregate, report->set);
    if (rows == NULL)
        return ST_NO_MEMORY;
    struct ordered o = {rows, NULL, aggregate_rows_count(rows),
                        aggregate_set(report->aggregate, report->set)->count};
    struct buf text;
    enum status st = ST_NO_MEMORY;
    buf_init(&text, REPORT_GATHERED);
    o.index = malloc((o.count + 1) * sizeof(*o.index));
    if (o.index != NULL) {
        for (size_t i = 0; i < o.count; i++)
            o.index[i] = i;
        qsort_r(o.index, o.count, sizeof(*o.index), by_series, &o);
        st = add_families(report, &o, &text, out);
    }
    if (st == ST_OK) {
        buf_add_cstr(&text, "# EOF\n");
        st = report_flush_lines(report, &text, 0, out);
    }
    free(o.index);
    buf_clear(&text);
    aggregate_rows_free(rows);
    return st;
}
