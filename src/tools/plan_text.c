/*
 * plan_text.c: the report of `plan` for people: what it is based on, the sets with what each costs,
 * what the cap folds, and what to change to pay less.
 */
#include "base/json_out.h"
#include "base/rfc3339.h"
#include "report/text_table.h"
#include "tools/plan.h"

static const char *plural(uint64_t n)
{
    return n == 1 ? "" : "s";
}

static void add_set_name(struct buf *out, const struct dimension_set *set)
{
    for (size_t i = 0; i < set->count; i++) {
        buf_add_cstr(out, i > 0 ? "," : "");
        buf_add_view(out, set->dimension[i].name);
    }
}

static void text_head(const struct plan_report *r, struct buf *out)
{
    const struct tally *t = r->tally;
    buf_printf(out, "%llu record%s of %llu object%s", (unsigned long long)t->records.counted,
               plural(t->records.counted), (unsigned long long)t->objects.counted,
               plural(t->objects.counted));
    if (r->hours == 0) {
        buf_add_cstr(out, ": nothing to plan with\n");
        return;
    }
    char first[RFC3339_BYTES], last[RFC3339_BYTES];
    rfc3339_format(t->first_time, first);
    rfc3339_format(t->last_time, last);
    buf_printf(out, ", %s to %s: %llu hour%s, with records in %llu\n\n", first, last,
               (unsigned long long)r->hours, plural(r->hours),
               (unsigned long long)r->series->hour_count);
}

/*
 *     series  metrics  metric-hours  at a time  $/month  set
 *
 * The table is laid out twice: the first pass measures its columns, the second one writes.
 */
static void text_sets(const struct plan_report *r, struct buf *out)
{
    struct text_column columns[] = {
        {.title = VIEW_LIT("series"), .width = 6, .right = true},
        {.title = VIEW_LIT("metrics"), .width = 8, .right = true},
        {.title = VIEW_LIT("metric-hours"), .width = 12, .right = true},
        {.title = VIEW_LIT("at a time"), .width = 9, .right = true},
        {.title = VIEW_LIT("$/month"), .width = 8, .right = true},
        {.title = VIEW_LIT("set")},
    };
    struct text_table t = {.column = columns, .count = 6, .indent = 2};
    for (unsigned pass = 0; pass < 2; pass++) {
        t.out = pass == 0 ? NULL : out;
        text_table_head(&t);
        for (size_t i = 0; i < r->series->set_count; i++) {
            const struct plan_set *set = &r->series->sets[i];
            buf_add_u64(text_table_cell(&t), set->kept_series);
            buf_add_u64(text_table_cell(&t), set->kept_metrics);
            buf_add_u64(text_table_cell(&t), set->kept_metric_hours);
            buf_add_ratio(text_table_cell(&t), set->kept_metric_hours, r->hours, 2);
            plan_add_share(text_table_cell(&t), r, set, 2);
            add_set_name(text_table_cell(&t), set->set);
            text_table_end_row(&t);
        }
    }
    text_table_clear(&t);
    buf_add_cstr(out,
                 "A metric is a series and a metric's name, with a value above 0; it is billed for "
                 "the hours it has one.\n\n");
}

static void text_cap(const struct plan_report *r, struct buf *out)
{
    bool any = false;
    for (size_t i = 0; i < r->series->set_count; i++) {
        const struct plan_set *set = &r->series->sets[i];
        if (set->folded_series == 0)
            continue;
        any = true;
        buf_printf(out, "MAX_SERIES_PER_SET=%llu folds %llu of %llu series of ",
                   (unsigned long long)r->max_series, (unsigned long long)set->folded_series,
                   (unsigned long long)set->series);
        add_set_name(out, set->set);
        buf_printf(out, " into Other, in %llu hour%s: ", (unsigned long long)set->folded_hours,
                   plural(set->folded_hours));
        buf_add_ratio(out, set->folded_tokens * 100, set->tokens == 0 ? 1 : set->tokens, 2);
        buf_add_cstr(out, " % of the tokens.\n");
    }
    if (!any) {
        buf_printf(out, "MAX_SERIES_PER_SET=%llu folds nothing.\n\n",
                   (unsigned long long)r->max_series);
        return;
    }
    buf_add_cstr(out, "The cap is applied here to an hour; rounds are shorter and fold less: up "
                      "to $");
    plan_add_usd(out, r->month_whole.total, r->month_whole.hours, 2);
    buf_add_cstr(out, " a month for metrics, with nothing folded.\n\n");
}

static void text_dimension(const struct plan_report *r, const struct plan_set *set,
                           const struct plan_dimension *d, struct buf *out)
{
    struct buf share;
    buf_printf(out, "  %.*s: %llu value%s", SHOW(d->name), (unsigned long long)d->values,
               plural(d->values));
    if (set->set->count > 1) {
        buf_printf(out, "; without it %llu series and ", (unsigned long long)d->series_without);
        buf_add_ratio(out, d->metric_hours_without, r->hours, 2);
        buf_add_cstr(out, " metrics at a time");
    }
    buf_add_char(out, '\n');
    buf_init(&share, 64);
    for (size_t i = 0; i < d->top_count; i++) {
        const struct plan_value *v = &d->top[i];
        buf_reset(&share);
        buf_add_ratio(&share, v->metric_hours * (u128)100, set->metric_hours, 1);
        buf_printf(out, "%9.*s %%  %llu series  ", SHOW(buf_view(&share)),
                   (unsigned long long)v->series);
        json_quote(out, v->value);
        buf_add_char(out, '\n');
    }
    buf_clear(&share);
}

/*
 * What to change first: for each dimension how many values it has, what is left without it, and
 * its largest values, because one label with thousands of values is the usual cause of a large
 * bill.
 */
static void text_offenders(const struct plan_report *r, struct buf *out)
{
    buf_add_cstr(out,
                 "What makes the metrics, before any fold (share of the set's metric-hours):\n");
    for (size_t i = 0; i < r->series->set_count; i++) {
        const struct plan_set *set = &r->series->sets[i];
        add_set_name(out, set->set);
        buf_printf(out, ": %llu series\n", (unsigned long long)set->series);
        for (size_t d = 0; d < set->set->count; d++)
            text_dimension(r, set, &set->dimension[d], out);
        bool first = true;
        for (unsigned m = 0; m < METRIC_COUNT; m++) {
            if ((r->metrics & METRIC_BIT(m)) == 0)
                continue;
            buf_printf(out, "%s%s %llu", first ? "  metric-hours: " : ", ",
                       metric_name((enum metric)m), (unsigned long long)set->metric[m].hours);
            first = false;
        }
        buf_add_char(out, '\n');
    }
    buf_add_char(out, '\n');
}

static void text_bill(const struct plan_report *r, struct buf *out)
{
    uint64_t metric_hours = plan_kept_metric_hours(r);
    buf_printf(out, "EXTRAPOLATED to a month of %d hours like the %llu observed:\n",
               BILL_MONTH_HOURS, (unsigned long long)r->hours);
    buf_printf(out,
               "  metrics: %llu metric-hours / %llu hours = ", (unsigned long long)metric_hours,
               (unsigned long long)r->hours);
    buf_add_ratio(out, metric_hours, r->hours, 2);
    buf_add_cstr(out, " at a time\n");
    for (size_t i = 0; i < r->month.lines; i++) {
        buf_add_cstr(out, "    ");
        buf_add_ratio(out, r->month.metric_hours[i], r->hours, 2);
        buf_add_cstr(out, " x $");
        plan_add_usd(out, r->tiers[i].micro_usd, 1, r->own_price ? 6 : 2);
        buf_add_cstr(out, " a month = $");
        plan_add_usd(out, r->month.micro_usd_hours[i], r->hours, 2);
        buf_add_char(out, '\n');
    }
    buf_printf(
        out, "  PutMetricData: %llu in %llu hours, x %d / %llu = ", (unsigned long long)r->requests,
        (unsigned long long)r->hours, BILL_MONTH_HOURS, (unsigned long long)r->hours);
    buf_add_ratio(out, (u128)r->requests * BILL_MONTH_HOURS, r->hours, 0);
    buf_add_cstr(out, " x $0.01 / 1000 = $");
    plan_add_usd(out, plan_month_requests(r), r->hours, 2);
    buf_add_cstr(out, "\n    (one round a minute while there are records, 1000 data a request)\n");
    buf_add_cstr(out, "  together $");
    plan_add_usd(out, plan_month_total(r), r->hours, 2);
    buf_add_cstr(out, " a month\n\nOBSERVED, as charged for these hours alone: ");
    buf_printf(out, "%llu metric-hours / %d = ", (unsigned long long)metric_hours,
               BILL_MONTH_HOURS);
    buf_add_ratio(out, metric_hours, BILL_MONTH_HOURS, 4);
    buf_add_cstr(out, " metric-months, $");
    plan_add_usd(out, r->observed.total, BILL_MONTH_HOURS, 4);
    buf_add_cstr(out, "; requests $");
    plan_add_usd(out, (u128)r->requests * BILL_REQUEST_MICRO_USD, 1, 4);
    buf_printf(out, "\n\n%s%s.\n",
               r->own_price ? "Prices: metrics as given by --price-per-metric; requests: "
                            : "Prices: ",
               plan_prices_note);
    if (r->hours < 24)
        buf_add_cstr(out, "Less than a day was observed: its busy or quiet hours stand for the "
                          "whole month.\n");
    else if (r->series->hour_count * 2 < r->hours)
        buf_add_cstr(out, "Most hours between the first and the last record have none: choose a "
                          "span with --since and --until if logs are missing.\n");
    if (r->tally->objects.counted > r->requests)
        buf_printf(out,
                   "There are more objects (%llu) than such rounds: a Lambda function that gets "
                   "them one by one makes up to that many requests.\n",
                   (unsigned long long)r->tally->objects.counted);
}

void plan_add_text(const struct plan_report *report, struct buf *out)
{
    text_head(report, out);
    if (report->hours == 0)
        return;
    text_sets(report, out);
    text_cap(report, out);
    text_offenders(report, out);
    text_bill(report, out);
}
