#include "tools/reconcile_report.h"

#include <math.h>

#include "base/json_out.h"
#include "base/rfc3339.h"

/* ---- text ---- */

static void add_padded(struct buf *out, struct view text, size_t width, bool right)
{
    size_t blanks = text.len < width ? width - text.len : 0;
    for (size_t i = 0; right && i < blanks; i++)
        buf_add_char(out, ' ');
    buf_add_view(out, text);
    for (size_t i = 0; !right && i < blanks; i++)
        buf_add_char(out, ' ');
}

/* A number right-aligned behind two blanks. */
static void add_number(struct buf *out, u128 value)
{
    struct buf digits;
    buf_init(&digits, 64);
    buf_add_u128(&digits, value);
    buf_add_cstr(out, "  ");
    add_padded(out, buf_view(&digits), 15, true);
    buf_clear(&digits);
}

/* "-" where the logs have nothing to divide by. */
static void add_difference(struct buf *out, const struct reconcile_point *p)
{
    double logs = (double)p->logs, most = (double)p->logs_most;
    double beyond = p->native > most ? p->native - most : p->native < logs ? p->native - logs : 0;
    if (beyond == 0)
        buf_printf(out, "  %10s", "0");
    else if (p->logs == 0)
        buf_printf(out, "  %10s", "only there");
    else
        buf_printf(out, "  %+9.2f%%", 100 * beyond / logs);
}

static void total_text(const struct reconcile_report *report, const struct reconcile_total *t,
                       struct buf *out)
{
    const struct reconcile *r = report->result;
    add_padded(out, reconcile_text(r, t->sum.region), 16, false);
    add_padded(out, view_of(metric_name(reconcile_metrics[t->sum.metric].metric)), 26, false);
    add_number(out, t->sum.logs);
    add_number(out, (u128)llround(t->sum.native));
    add_difference(out, &t->sum);
    buf_printf(out, "  %llu of %llu\n", (unsigned long long)t->apart,
               (unsigned long long)t->numbers);
}

static void difference_text(const struct reconcile_report *report, const struct reconcile_point *p,
                            struct buf *out)
{
    char time[RFC3339_BYTES];
    rfc3339_format(p->hour_s, time);
    buf_printf(out, "%s  ", time);
    buf_add_view(out, reconcile_text(report->result, p->region));
    if (report->options->by_model) {
        buf_add_cstr(out, "  ");
        buf_add_view(out, reconcile_text(report->result, p->model));
    }
    buf_printf(out, "  %s  logs ", metric_name(reconcile_metrics[p->metric].metric));
    buf_add_u128(out, p->logs);
    buf_printf(out, "  AWS/Bedrock %.0f\n", p->native);
}

/* Call `each` for every Region and metric that has a number. */
static void for_totals(const struct reconcile_report *report, struct buf *out,
                       void (*each)(const struct reconcile_report *report,
                                    const struct reconcile_total *t, struct buf *out))
{
    const struct reconcile *r = report->result;
    for (size_t i = 0; i < reconcile_count(r); i++) {
        uint32_t region = reconcile_at(r, i)->region;
        if (i > 0 && reconcile_at(r, i - 1)->region == region)
            continue;
        for (uint32_t m = 0; m < RECONCILE_METRICS; m++) {
            struct reconcile_total t = reconcile_total(r, region, m);
            if (t.numbers > 0)
                each(report, &t, out);
        }
    }
}

void reconcile_report_text(const struct reconcile_report *report, struct buf *out)
{
    const struct reconcile *r = report->result;
    uint64_t named = 0;
    add_padded(out, VIEW_LIT("SourceRegion"), 16, false);
    add_padded(out, VIEW_LIT("Metric"), 26, false);
    buf_printf(out, "  %15s  %15s  %10s  Apart\n", "Logs", "AWS/Bedrock", "Difference");
    for_totals(report, out, total_text);
    if (report->apart > 0)
        buf_add_char(out, '\n');
    for (size_t i = 0; i < reconcile_count(r); i++) {
        const struct reconcile_point *p = reconcile_at(r, i);
        if (!reconcile_agrees(r, p) && named++ < RECONCILE_NAMED)
            difference_text(report, p, out);
    }
    if (named > RECONCILE_NAMED)
        buf_printf(out, "... and %llu more; --output json has all\n",
                   (unsigned long long)(named - RECONCILE_NAMED));
}

/* ---- JSON ---- */

static void numbers_json(const struct reconcile_point *p, struct buf *out)
{
    buf_printf(out,
               "\"metric\":\"%s\",\"logs\":", metric_name(reconcile_metrics[p->metric].metric));
    buf_add_u128(out, p->logs);
    buf_printf(out, ",\"cloudwatch\":%.0f", p->native);
}

static void total_json(const struct reconcile_report *report, const struct reconcile_total *t,
                       struct buf *out)
{
    char last = out->len > 0 ? out->ptr[out->len - 1] : '[';
    buf_add_cstr(out, last == '[' ? "{\"SourceRegion\":" : ",{\"SourceRegion\":");
    json_quote(out, reconcile_text(report->result, t->sum.region));
    buf_add_char(out, ',');
    numbers_json(&t->sum, out);
    buf_printf(out, ",\"compared\":%llu,\"apart\":%llu}", (unsigned long long)t->numbers,
               (unsigned long long)t->apart);
}

static void difference_json(const struct reconcile_report *report, const struct reconcile_point *p,
                            struct buf *out)
{
    char time[RFC3339_BYTES];
    rfc3339_format(p->hour_s, time);
    buf_printf(out, "{\"time\":\"%s\",\"SourceRegion\":", time);
    json_quote(out, reconcile_text(report->result, p->region));
    if (report->options->by_model) {
        buf_add_cstr(out, ",\"ModelId\":");
        json_quote(out, reconcile_text(report->result, p->model));
    }
    buf_add_char(out, ',');
    numbers_json(p, out);
    buf_add_char(out, '}');
}

void reconcile_report_json(const struct reconcile_report *report, struct buf *out)
{
    const struct reconcile *r = report->result;
    const struct reconcile_options *o = report->options;
    char since[RFC3339_BYTES], until[RFC3339_BYTES];
    bool first = true;
    rfc3339_format(o->since_s, since);
    rfc3339_format(o->until_s, until);
    buf_printf(out,
               "{\"schema\":\"bedrock-metrics/reconcile/1\",\"since\":\"%s\",\"until\":\"%s\","
               "\"account\":",
               since, until);
    json_quote(out, o->account);
    buf_printf(out, ",\"tolerance_percent\":%g,\"records_of_other_accounts\":", 100 * o->tolerance);
    buf_add_u128(out, reconcile_other_accounts(r));
    buf_add_cstr(out, ",\"totals\":[");
    for_totals(report, out, total_json);
    buf_add_cstr(out, "],\"differences\":[");
    for (size_t i = 0; i < reconcile_count(r); i++) {
        const struct reconcile_point *p = reconcile_at(r, i);
        if (reconcile_agrees(r, p))
            continue;
        if (!first)
            buf_add_char(out, ',');
        first = false;
        difference_json(report, p, out);
    }
    buf_add_cstr(out, "]}\n");
}
