/* report_json.c: the document bedrock-metrics/aggregate/1, streamed row by row. */
#include "report/report.h"

enum { MAX_ESCAPED = 6 }; /* bytes that one becomes, as \u001b */

enum status report_flush(struct buf *gathered, size_t piece, FILE *out)
{
    if (buf_status(gathered) != ST_OK)
        return buf_status(gathered);
    if (gathered->len <= piece)
        return ST_OK;
    if (fwrite(gathered->ptr, 1, gathered->len, out) != gathered->len)
        return ST_IO;
    buf_reset(gathered);
    return ST_OK;
}

enum status report_flush_lines(const struct report *report, struct buf *gathered, size_t piece,
                               FILE *out)
{
    if (!report->terminal || buf_status(gathered) != ST_OK || gathered->len <= piece)
        return report_flush(gathered, piece, out);
    struct buf shown;
    buf_init(&shown, (size_t)REPORT_GATHERED * MAX_ESCAPED);
    json_escape_lines(&shown, buf_view(gathered));
    enum status st = report_flush(&shown, 0, out);
    buf_clear(&shown);
    buf_reset(gathered);
    return st;
}

static void add_metrics(struct json_out *j, const struct report *report,
                        const u128 sum[METRIC_COUNT])
{
    for (unsigned i = 0; i < METRIC_COUNT; i++) {
        enum metric metric = (enum metric)i;
        if ((report->metrics & METRIC_BIT(metric)) != 0)
            metric_add_value(json_add_value(j, metric_name(metric)), metric, sum[metric]);
    }
}

static void add_row(struct json_out *j, const struct report *report,
                    const struct aggregate_row *row)
{
    const struct dimension_set *set = aggregate_set(report->aggregate, report->set);
    json_open_object(j, NULL);
    if (report_has_time(report))
        json_add_time(j, "time", row->time);
    for (size_t i = 0; i < set->count; i++) {
        json_add_name(j, set->dimension[i].name);
        json_add_string(j, NULL, row->value[i]);
    }
    add_metrics(j, report, row->sum);
    json_close(j);
}

static void add_head(struct json_out *j, const struct report *report)
{
    const struct dimension_set *set = aggregate_set(report->aggregate, report->set);
    json_begin(j, "bedrock-metrics/aggregate/1");
    j->gap = "\n";
    json_open_array(j, "by");
    for (size_t i = 0; i < set->count; i++)
        json_add_string(j, NULL, set->dimension[i].name);
    json_close(j);
    json_add_cstr(j, "interval", report->interval);
    j->gap = "\n";
    json_open_array(j, "rows");
}

enum status report_write_json(const struct report *report, FILE *out)
{
    struct aggregate_rows *rows = aggregate_rows_new(report->aggregate, report->set);
    if (rows == NULL)
        return ST_NO_MEMORY;
    struct buf text;
    struct json_out j = {.out = &text};
    struct aggregate_row row;
    u128 totals[METRIC_COUNT];
    enum status st = ST_OK;
    buf_init(&text, REPORT_GATHERED);
    add_head(&j, report);
    for (size_t i = 0; i < aggregate_rows_count(rows) && st == ST_OK; i++) {
        aggregate_rows_get(rows, i, &row);
        j.gap = "\n";
        add_row(&j, report, &row);
        st = report_flush(&text, REPORT_PIECE, out);
    }
    if (st == ST_OK) {
        aggregate_totals(report->aggregate, totals);
        json_close(&j);
        j.gap = "\n";
        json_open_object(&j, "totals");
        add_metrics(&j, report, totals);
        json_close(&j);
        j.gap = "\n";
        report_add_tally(&j, report->tally);
        json_end(&j);
        st = report_flush(&text, 0, out);
    }
    buf_clear(&text);
    aggregate_rows_free(rows);
    return st;
}
