/* report_json.c: the document bedrock-metrics/aggregate/1, and what all writers share. */
#include "base/json_write.h"
#include "base/rfc3339.h"
#include "report/report.h"

enum { GATHERED_BYTES = 1 << 20, ROW_BYTES = 64 * 1024 };

enum status report_flush(struct buf *gathered, FILE *out)
{
    if (buf_status(gathered) != ST_OK)
        return buf_status(gathered);
    if (gathered->len > 0 && fwrite(gathered->ptr, 1, gathered->len, out) != gathered->len)
        return ST_IO;
    buf_reset(gathered);
    return ST_OK;
}

static void add_metrics(struct buf *out, const struct report *report, const u128 sum[METRIC_COUNT],
                        bool first)
{
    for (unsigned m = 0; m < METRIC_COUNT; m++) {
        if ((report->metrics & METRIC_BIT(m)) == 0)
            continue;
        /* Not with printf: there may be millions of these. */
        buf_add_cstr(out, first ? "\"" : ",\"");
        buf_add_cstr(out, metric_name((enum metric)m));
        buf_add_cstr(out, "\":");
        metric_add_value(out, (enum metric)m, sum[m]);
        first = false;
    }
}

static void add_reasons(struct buf *out, const struct tally_entry *entries, size_t count)
{
    bool first = true;
    buf_add_cstr(out, "\"skipped\":{");
    for (size_t i = 0; i < count; i++) {
        if (entries[i].count == 0)
            continue;
        buf_printf(out, "%s\"%s\":%llu", first ? "" : ",", entries[i].reason,
                   (unsigned long long)entries[i].count);
        first = false;
    }
    buf_add_char(out, '}');
}

void report_add_balance(struct buf *out, const struct report_balance *b)
{
    buf_printf(out,
               "\"objects\":{\"found\":%llu,\"counted\":%llu,\"duplicate\":%llu,"
               "\"failed\":%llu,",
               (unsigned long long)b->objects_found, (unsigned long long)b->objects_counted,
               (unsigned long long)b->objects_duplicate, (unsigned long long)b->objects_failed);
    add_reasons(out, b->objects_skipped, b->objects_skipped_count);
    buf_printf(out, "},\n\"records\":{\"found\":%llu,\"counted\":%llu,",
               (unsigned long long)b->records_found, (unsigned long long)b->records_counted);
    add_reasons(out, b->records_skipped, b->records_skipped_count);
    buf_printf(out, "},\n\"bytes\":{\"read\":%llu,\"inflated\":%llu}",
               (unsigned long long)b->bytes_read, (unsigned long long)b->bytes_inflated);
}

static void add_row(struct buf *out, const struct report *report, const struct aggregate_row *row)
{
    const struct dimension_set *set = aggregate_set(report->aggregate, report->set);
    bool first = true;
    buf_add_char(out, '{');
    if (report_has_time(report)) {
        char stamp[RFC3339_BYTES];
        rfc3339_format(row->time, stamp);
        buf_add_cstr(out, "\"time\":\"");
        buf_add_cstr(out, stamp);
        buf_add_char(out, '"');
        first = false;
    }
    for (size_t i = 0; i < set->count; i++) {
        if (!first)
            buf_add_char(out, ',');
        json_add_string(out, set->dimension[i].name);
        buf_add_char(out, ':');
        json_add_string(out, row->value[i]);
        first = false;
    }
    add_metrics(out, report, row->sum, first);
    buf_add_char(out, '}');
}

static void add_head(struct buf *out, const struct report *report)
{
    const struct dimension_set *set = aggregate_set(report->aggregate, report->set);
    buf_add_cstr(out, "{\"schema\":\"bedrock-metrics/aggregate/1\",\n\"by\":[");
    for (size_t i = 0; i < set->count; i++) {
        if (i > 0)
            buf_add_char(out, ',');
        json_add_string(out, set->dimension[i].name);
    }
    buf_printf(out, "],\"interval\":\"%s\",\n\"rows\":[", report->interval);
}

enum status report_write_json(const struct report *report, FILE *out)
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
        buf_add_cstr(&text, i > 0 ? ",\n" : "\n");
        add_row(&text, report, &row);
        if (text.len > ROW_BYTES)
            st = report_flush(&text, out);
    }
    if (st == ST_OK) {
        u128 totals[METRIC_COUNT];
        aggregate_totals(report->aggregate, totals);
        buf_add_cstr(&text, "],\n\"totals\":{");
        add_metrics(&text, report, totals, true);
        buf_add_cstr(&text, "},\n");
        report_add_balance(&text, &report->balance);
        buf_add_cstr(&text, "}\n");
        st = report_flush(&text, out);
    }
    buf_clear(&text);
    aggregate_rows_free(rows);
    return st;
}
