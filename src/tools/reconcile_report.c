/* reconcile_report.c: what `reconcile` prints, for people and as bedrock-metrics/reconcile/1. */
#include <math.h>

#include "base/json_out.h"
#include "base/rfc3339.h"
#include "report/text_table.h"
#include "tools/reconcile.h"

/* Totals by Region and metric, those without a number left out; *place begins at 0. */
static bool next_total(const struct reconcile *r, size_t *place, struct reconcile_total *total)
{
    while (*place < r->count * RECONCILE_METRICS) {
        size_t at = *place / RECONCILE_METRICS;
        uint32_t metric = (uint32_t)(*place % RECONCILE_METRICS);
        uint32_t region = r->points[at].region;
        ++*place;
        if (at > 0 && r->points[at - 1].region == region)
            continue;
        *total = reconcile_total(r, region, metric);
        if (total->numbers > 0)
            return true;
    }
    return false;
}

static const char *name_of(const struct reconcile_point *p)
{
    return metric_name(reconcile_metrics[p->metric].metric);
}

/* ---- text ---- */

/* How far out of the range that the logs allow, as a part of what they have. */
static void add_difference(struct buf *out, const struct reconcile_point *p)
{
    double logs = (double)p->logs, most = (double)p->logs_most;
    double beyond = p->native > most ? p->native - most : p->native < logs ? p->native - logs : 0;
    if (beyond == 0)
        buf_add_char(out, '0');
    else if (p->logs == 0)
        buf_add_cstr(out, "only in CloudWatch");
    else
        buf_printf(out, "%+.2f%%", 100 * beyond / logs);
}

static void text_totals(const struct reconcile *r, struct buf *out)
{
    struct text_column columns[] = {
        {.title = VIEW_LIT("SourceRegion"), .width = 14},
        {.title = VIEW_LIT("Metric"), .width = 26},
        {.title = VIEW_LIT("Logs"), .width = 15, .right = true},
        {.title = VIEW_LIT("AWS/Bedrock"), .width = 15, .right = true},
        {.title = VIEW_LIT("Difference"), .width = 10, .right = true},
        {.title = VIEW_LIT("Mismatches")},
    };
    struct text_table t = {.column = columns, .count = 6};
    struct reconcile_total total;
    for (unsigned pass = 0; pass < 2; pass++) {
        t.out = pass == 0 ? NULL : out;
        text_table_head(&t);
        for (size_t place = 0; next_total(r, &place, &total);) {
            text_table_add(&t, reconcile_name(r, total.sum.region));
            text_table_add(&t, view_of(name_of(&total.sum)));
            buf_add_u128(text_table_cell(&t), total.sum.logs);
            buf_add_u128(text_table_cell(&t), (u128)llround(total.sum.native));
            add_difference(text_table_cell(&t), &total.sum);
            buf_printf(text_table_cell(&t), "%llu of %llu", (unsigned long long)total.apart,
                       (unsigned long long)total.numbers);
            text_table_end_row(&t);
        }
    }
    text_table_clear(&t);
}

static void text_difference(const struct reconcile *r, const struct reconcile_point *p,
                            bool by_model, struct buf *out)
{
    char time[RFC3339_BYTES];
    rfc3339_format(p->hour_s, time);
    buf_printf(out, "%s  %.*s", time, SHOW(reconcile_name(r, p->region)));
    if (by_model)
        buf_printf(out, "  %.*s", SHOW(reconcile_name(r, p->model)));
    buf_printf(out, "  %s  logs ", name_of(p));
    buf_add_u128(out, p->logs);
    buf_printf(out, "  AWS/Bedrock %.0f\n", p->native);
}

uint64_t reconcile_add_text(const struct reconcile *r, const struct reconcile_options *options,
                            struct buf *out)
{
    uint64_t named = 0;
    text_totals(r, out);
    for (size_t i = 0; i < r->count; i++) {
        const struct reconcile_point *p = &r->points[i];
        if (reconcile_agrees(r, p))
            continue;
        if (named++ == 0)
            buf_add_char(out, '\n');
        if (named <= RECONCILE_NAMED)
            text_difference(r, p, options->by_model, out);
    }
    if (named > RECONCILE_NAMED)
        buf_printf(out, "... and %llu more; --output json has all\n",
                   (unsigned long long)(named - RECONCILE_NAMED));
    return named;
}

/* ---- JSON ---- */

static void json_numbers(struct json_out *j, const struct reconcile_point *p)
{
    json_add_cstr(j, "metric", name_of(p));
    json_add_u128(j, "logs", p->logs);
    buf_printf(json_add_value(j, "cloudwatch"), "%.0f", p->native);
}

uint64_t reconcile_add_json(const struct reconcile *r, const struct reconcile_options *o,
                            struct buf *out)
{
    struct json_out j = {.out = out};
    struct reconcile_total total;
    uint64_t apart = 0;
    json_begin(&j, "bedrock-metrics/reconcile/1");
    json_add_time(&j, "since", o->since_s);
    json_add_time(&j, "until", o->until_s);
    json_add_string(&j, "account", o->account);
    buf_printf(json_add_value(&j, "tolerance_percent"), "%g", 100 * o->tolerance);
    json_add_u128(&j, "records_of_other_accounts", r->other_accounts);
    json_open_array(&j, "totals");
    for (size_t place = 0; next_total(r, &place, &total);) {
        json_open_object(&j, NULL);
        json_add_string(&j, "SourceRegion", reconcile_name(r, total.sum.region));
        json_numbers(&j, &total.sum);
        JSON_ADD_NUMBERS(&j, {"compared", total.numbers}, {"apart", total.apart});
        json_close(&j);
    }
    json_close(&j);
    json_open_array(&j, "differences");
    for (size_t i = 0; i < r->count; i++) {
        const struct reconcile_point *p = &r->points[i];
        if (reconcile_agrees(r, p))
            continue;
        apart++;
        json_open_object(&j, NULL);
        json_add_time(&j, "time", p->hour_s);
        json_add_string(&j, "SourceRegion", reconcile_name(r, p->region));
        if (o->by_model)
            json_add_string(&j, "ModelId", reconcile_name(r, p->model));
        json_numbers(&j, p);
        json_close(&j);
    }
    json_end(&j);
    return apart;
}
