#include "tools/plan_report.h"

#include <stdio.h>

#include "base/json_out.h"
#include "base/rfc3339.h"

static const char prices_note[] =
    "list prices of us-east-1 as of " BILL_PRICES_AS_OF
    " (the tier above 1,000,000 metrics: 2022), "
    "as third parties transcribed them; no free tier, no discount, no other custom metrics of the "
    "account; custom metrics and PutMetricData only";

static const char *plural(uint64_t n)
{
    return n == 1 ? "" : "s";
}

u128 plan_report_request_cost(const struct plan_report *report)
{
    return (u128)report->requests * BILL_MONTH_HOURS * BILL_REQUEST_MICRO_USD;
}

/* numerator / denominator with `digits` (at most 6) decimals, rounded half up. */
static void add_ratio(struct buf *out, u128 numerator, u128 denominator, unsigned digits)
{
    uint64_t scale = 1;
    for (unsigned i = 0; i < digits; i++)
        scale *= 10;
    u128 value = bill_round(numerator * scale, denominator);
    buf_add_u128(out, value / scale);
    if (digits > 0)
        buf_printf(out, ".%0*llu", (int)digits, (unsigned long long)(value % scale));
}

/* Dollars from numerator / denominator micro-dollars. */
static void add_usd(struct buf *out, u128 numerator, u128 denominator, unsigned digits)
{
    add_ratio(out, numerator, denominator * BILL_USD, digits);
}

static u128 month_total(const struct plan_report *r)
{
    return r->month.total + plan_report_request_cost(r);
}

static void add_stamp(struct buf *out, int64_t seconds)
{
    char stamp[RFC3339_BYTES];
    rfc3339_format(seconds, stamp);
    buf_add_cstr(out, stamp);
}

/* ---- text ---- */

/* A number at the right edge of `width` columns. */
static void add_right(struct buf *out, const struct buf *number, size_t width)
{
    for (size_t n = number->len; n < width; n++)
        buf_add_char(out, ' ');
    buf_add_view(out, buf_view(number));
}

static void add_cell(struct buf *out, u128 numerator, u128 denominator, unsigned digits,
                     size_t width)
{
    struct buf number;
    buf_init(&number, 256);
    add_ratio(&number, numerator, denominator, digits);
    add_right(out, &number, width);
    buf_clear(&number);
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
    buf_add_cstr(out, ", ");
    add_stamp(out, t->first_time);
    buf_add_cstr(out, " to ");
    add_stamp(out, t->last_time);
    buf_printf(out, ": %llu hour%s, with records in %llu\n\n", (unsigned long long)r->hours,
               plural(r->hours), (unsigned long long)r->series->hour_count);
}

/* The set's part of the month's bill for metrics, by metric-hours. */
static void add_share(struct buf *out, const struct plan_report *r, const struct plan_set *set,
                      unsigned digits, size_t width)
{
    u128 all = 0;
    for (size_t i = 0; i < r->series->set_count; i++)
        all += r->series->sets[i].kept_metric_hours;
    struct buf number;
    buf_init(&number, 256);
    /* Two divisions, so that nothing overflows; the first leaves micro-dollars. */
    u128 micro = bill_round(r->month.total, r->month.hours);
    add_usd(&number, micro * set->kept_metric_hours, all == 0 ? 1 : all, digits);
    add_right(out, &number, width);
    buf_clear(&number);
}

static void text_sets(const struct plan_report *r, struct buf *out)
{
    buf_add_cstr(out, "  series   metrics  metric-hours  at a time   $/month  set\n");
    for (size_t i = 0; i < r->series->set_count; i++) {
        const struct plan_set *set = &r->series->sets[i];
        add_cell(out, set->kept_series, 1, 0, 8);
        add_cell(out, set->kept_metrics, 1, 0, 10);
        add_cell(out, set->kept_metric_hours, 1, 0, 14);
        add_cell(out, set->kept_metric_hours, r->hours, 2, 11);
        add_share(out, r, set, 2, 10);
        buf_add_cstr(out, "  ");
        add_set_name(out, set->set);
        buf_add_char(out, '\n');
    }
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
        add_ratio(out, set->folded_tokens * 100, set->tokens == 0 ? 1 : set->tokens, 2);
        buf_add_cstr(out, " % of the tokens.\n");
    }
    if (!any) {
        buf_printf(out, "MAX_SERIES_PER_SET=%llu folds nothing.\n\n",
                   (unsigned long long)r->max_series);
        return;
    }
    buf_add_cstr(out, "The cap is applied here to an hour; rounds are shorter and fold less: up "
                      "to $");
    add_usd(out, r->month_whole.total, r->month_whole.hours, 2);
    buf_add_cstr(out, " a month for metrics, with nothing folded.\n\n");
}

static void text_dimension(const struct plan_report *r, const struct plan_set *set,
                           const struct plan_dimension *d, struct buf *out)
{
    buf_add_cstr(out, "  ");
    buf_add_view(out, d->name);
    buf_printf(out, ": %llu value%s", (unsigned long long)d->values, plural(d->values));
    if (set->set->count > 1) {
        buf_printf(out, "; without it %llu series and ", (unsigned long long)d->series_without);
        add_ratio(out, d->metric_hours_without, r->hours, 2);
        buf_add_cstr(out, " metrics at a time");
    }
    buf_add_char(out, '\n');
    for (size_t i = 0; i < d->top_count; i++) {
        const struct plan_value *v = &d->top[i];
        add_cell(out, v->metric_hours * (u128)100, set->metric_hours == 0 ? 1 : set->metric_hours,
                 1, 9);
        buf_printf(out, " %%  %llu series  ", (unsigned long long)v->series);
        json_quote(out, v->value);
        buf_add_char(out, '\n');
    }
}

/* Where the most goes away first. */
static const struct plan_dimension *next_dimension(const struct plan_set *set, bool *done)
{
    const struct plan_dimension *found = NULL;
    for (size_t i = 0; i < set->set->count; i++) {
        const struct plan_dimension *d = &set->dimension[i];
        if (!done[i] && (found == NULL || d->metric_hours_without < found->metric_hours_without))
            found = d;
    }
    if (found != NULL)
        done[found - set->dimension] = true;
    return found;
}

static void text_offenders(const struct plan_report *r, struct buf *out)
{
    buf_add_cstr(out,
                 "What makes the metrics, before any fold (share of the set's metric-hours):\n");
    for (size_t i = 0; i < r->series->set_count; i++) {
        const struct plan_set *set = &r->series->sets[i];
        bool done[DIMENSIONS_PER_SET] = {false};
        const struct plan_dimension *d;
        add_set_name(out, set->set);
        buf_printf(out, ": %llu series\n", (unsigned long long)set->series);
        while ((d = next_dimension(set, done)) != NULL)
            text_dimension(r, set, d, out);
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
    uint64_t metric_hours = 0;
    for (size_t i = 0; i < r->series->set_count; i++)
        metric_hours += r->series->sets[i].kept_metric_hours;
    buf_printf(out, "EXTRAPOLATED to a month of %d hours like the %llu observed:\n",
               BILL_MONTH_HOURS, (unsigned long long)r->hours);
    buf_printf(out,
               "  metrics: %llu metric-hours / %llu hours = ", (unsigned long long)metric_hours,
               (unsigned long long)r->hours);
    add_ratio(out, metric_hours, r->hours, 2);
    buf_add_cstr(out, " at a time\n");
    for (size_t i = 0; i < r->month.lines; i++) {
        buf_add_cstr(out, "    ");
        add_ratio(out, r->month.metric_hours[i], r->hours, 2);
        buf_add_cstr(out, " x $");
        add_usd(out, r->tiers[i].micro_usd, 1, r->own_price ? 6 : 2);
        buf_add_cstr(out, " a month = $");
        add_usd(out, r->month.micro_usd_hours[i], r->hours, 2);
        buf_add_char(out, '\n');
    }
    buf_printf(
        out, "  PutMetricData: %llu in %llu hours, x %d / %llu = ", (unsigned long long)r->requests,
        (unsigned long long)r->hours, BILL_MONTH_HOURS, (unsigned long long)r->hours);
    add_ratio(out, (u128)r->requests * BILL_MONTH_HOURS, r->hours, 0);
    buf_add_cstr(out, " x $0.01 / 1000 = $");
    add_usd(out, plan_report_request_cost(r), r->hours, 2);
    buf_add_cstr(out, "\n    (one round a minute while there are records, 1000 data a request)\n");
    buf_add_cstr(out, "  together $");
    add_usd(out, month_total(r), r->hours, 2);
    buf_add_cstr(out, " a month\n\nOBSERVED, as charged for these hours alone: ");
    buf_printf(out, "%llu metric-hours / %d = ", (unsigned long long)metric_hours,
               BILL_MONTH_HOURS);
    add_ratio(out, metric_hours, BILL_MONTH_HOURS, 4);
    buf_add_cstr(out, " metric-months, $");
    add_usd(out, r->observed.total, BILL_MONTH_HOURS, 4);
    buf_add_cstr(out, "; requests $");
    add_usd(out, (u128)r->requests * BILL_REQUEST_MICRO_USD, 1, 4);
    buf_printf(out, "\n\n%s%s.\n",
               r->own_price ? "Prices: metrics as given by --price-per-metric; requests: "
                            : "Prices: ",
               prices_note);
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

void plan_report_text(const struct plan_report *report, struct buf *out)
{
    text_head(report, out);
    if (report->hours == 0)
        return;
    text_sets(report, out);
    text_cap(report, out);
    text_offenders(report, out);
    text_bill(report, out);
}

/* ---- JSON ---- */

static void add_number(struct buf *out, const char *name, uint64_t value)
{
    buf_printf(out, ",\"%s\":%llu", name, (unsigned long long)value);
}

static void json_values(const struct plan_dimension *d, struct buf *out)
{
    buf_add_cstr(out, ",\"top\":[");
    for (size_t i = 0; i < d->top_count; i++) {
        const struct plan_value *v = &d->top[i];
        buf_add_cstr(out, i > 0 ? ",{\"value\":" : "{\"value\":");
        json_quote(out, v->value);
        add_number(out, "series", v->series);
        add_number(out, "metricHours", v->metric_hours);
        buf_add_cstr(out, ",\"tokens\":");
        buf_add_u128(out, v->tokens);
        buf_add_char(out, '}');
    }
    buf_add_char(out, ']');
}

static void json_set(const struct plan_report *r, const struct plan_set *set, struct buf *out)
{
    buf_add_cstr(out, "\n {\"dimensions\":[");
    for (size_t i = 0; i < set->set->count; i++) {
        buf_add_cstr(out, i > 0 ? "," : "");
        json_quote(out, set->set->dimension[i].name);
    }
    buf_add_char(out, ']');
    add_number(out, "series", set->series);
    add_number(out, "metrics", set->metrics);
    add_number(out, "seriesHours", set->series_hours);
    add_number(out, "metricHours", set->metric_hours);
    buf_add_cstr(out, ",\n  \"cap\":{\"maxSeries\":");
    buf_add_u128(out, r->max_series);
    add_number(out, "foldedSeries", set->folded_series);
    add_number(out, "foldedHours", set->folded_hours);
    buf_add_cstr(out, ",\"foldedTokens\":");
    buf_add_u128(out, set->folded_tokens);
    buf_add_cstr(out, ",\"tokens\":");
    buf_add_u128(out, set->tokens);
    add_number(out, "series", set->kept_series);
    add_number(out, "metrics", set->kept_metrics);
    add_number(out, "metricHours", set->kept_metric_hours);
    buf_add_cstr(out, "},\n  \"metricsByName\":{");
    bool first = true;
    for (unsigned m = 0; m < METRIC_COUNT; m++) {
        if ((r->metrics & METRIC_BIT(m)) == 0)
            continue;
        buf_printf(out, "%s\"%s\":{\"series\":%llu,\"hours\":%llu}", first ? "" : ",",
                   metric_name((enum metric)m), (unsigned long long)set->metric[m].series,
                   (unsigned long long)set->metric[m].hours);
        first = false;
    }
    buf_add_cstr(out, "},\n  \"dimensionsByCost\":[");
    bool done[DIMENSIONS_PER_SET] = {false};
    const struct plan_dimension *d;
    for (first = true; (d = next_dimension(set, done)) != NULL; first = false) {
        buf_add_cstr(out, first ? "{\"name\":" : ",\n   {\"name\":");
        json_quote(out, d->name);
        add_number(out, "values", d->values);
        add_number(out, "seriesWithout", d->series_without);
        add_number(out, "metricHoursWithout", d->metric_hours_without);
        json_values(d, out);
        buf_add_char(out, '}');
    }
    buf_add_cstr(out, "],\n  \"shareOfMonthUsd\":");
    add_share(out, r, set, 6, 0);
    buf_add_char(out, '}');
}

static void json_bill(const struct plan_report *r, const struct bill *bill, struct buf *out)
{
    buf_add_cstr(out, "{\"metricMonths\":");
    u128 hours = 0;
    for (size_t i = 0; i < bill->lines; i++)
        hours += bill->metric_hours[i];
    add_ratio(out, hours, bill->hours, 6);
    buf_add_cstr(out, ",\"tiers\":[");
    for (size_t i = 0; i < bill->lines; i++) {
        buf_printf(out, "%s{\"metricHours\":%llu,\"metricMonths\":", i > 0 ? "," : "",
                   (unsigned long long)bill->metric_hours[i]);
        add_ratio(out, bill->metric_hours[i], bill->hours, 6);
        buf_add_cstr(out, ",\"pricePerMetric\":");
        add_usd(out, r->tiers[i].micro_usd, 1, 6);
        buf_add_cstr(out, ",\"usd\":");
        add_usd(out, bill->micro_usd_hours[i], bill->hours, 6);
        buf_add_char(out, '}');
    }
    buf_add_cstr(out, "],\"metricsUsd\":");
    add_usd(out, bill->total, bill->hours, 6);
}

static void json_bills(const struct plan_report *r, struct buf *out)
{
    buf_add_cstr(out, ",\n\"observed\":");
    json_bill(r, &r->observed, out);
    add_number(out, "requests", r->requests);
    buf_add_cstr(out, ",\"requestsUsd\":");
    add_usd(out, (u128)r->requests * BILL_REQUEST_MICRO_USD, 1, 6);
    buf_printf(out,
               "},\n\"month\":{\"extrapolated\":true,\"hours\":%d,\"fromHours\":%llu,\"bill\":",
               BILL_MONTH_HOURS, (unsigned long long)r->hours);
    json_bill(r, &r->month, out);
    buf_add_cstr(out, "},\"requests\":");
    add_ratio(out, (u128)r->requests * BILL_MONTH_HOURS, r->hours, 0);
    buf_add_cstr(out, ",\"requestsUsd\":");
    add_usd(out, plan_report_request_cost(r), r->hours, 6);
    buf_add_cstr(out, ",\"totalUsd\":");
    add_usd(out, month_total(r), r->hours, 6);
    buf_add_cstr(out, ",\"metricsUsdNothingFolded\":");
    add_usd(out, r->month_whole.total, r->month_whole.hours, 6);
    buf_add_char(out, '}');
}

static void json_head(const struct plan_report *r, struct buf *out)
{
    const struct tally *t = r->tally;
    buf_add_cstr(out, "{\"schema\":\"bedrock-metrics/plan/1\",\n\"range\":");
    if (r->hours == 0) {
        buf_add_cstr(out, "null");
    } else {
        buf_add_cstr(out, "{\"first\":\"");
        add_stamp(out, t->first_time);
        buf_add_cstr(out, "\",\"last\":\"");
        add_stamp(out, t->last_time);
        buf_printf(out, "\",\"hours\":%llu,\"hoursWithRecords\":%llu}",
                   (unsigned long long)r->hours, (unsigned long long)r->series->hour_count);
    }
    buf_printf(out, ",\n\"objects\":%llu,\"records\":%llu,\"resolution\":%u,\n\"metrics\":[",
               (unsigned long long)t->objects.counted, (unsigned long long)t->records.counted,
               r->resolution);
    bool first = true;
    for (unsigned m = 0; m < METRIC_COUNT; m++) {
        if ((r->metrics & METRIC_BIT(m)) == 0)
            continue;
        buf_printf(out, "%s\"%s\"", first ? "" : ",", metric_name((enum metric)m));
        first = false;
    }
    buf_add_cstr(out, "],\n\"prices\":{\"asOf\":");
    buf_add_cstr(out, r->own_price ? "null" : "\"" BILL_PRICES_AS_OF "\"");
    buf_add_cstr(out, ",\"note\":");
    json_quote(out, view_of(r->own_price ? "price of a metric as given; requests: list "
                                                "price, us-east-1"
                                              : prices_note));
    buf_add_cstr(out, "},\n\"sets\":[");
}

void plan_report_json(const struct plan_report *report, struct buf *out)
{
    json_head(report, out);
    for (size_t i = 0; i < report->series->set_count; i++) {
        buf_add_cstr(out, i > 0 ? "," : "");
        json_set(report, &report->series->sets[i], out);
    }
    buf_add_char(out, ']');
    if (report->hours > 0)
        json_bills(report, out);
    else
        buf_add_cstr(out, ",\n\"observed\":null,\n\"month\":null");
    buf_add_cstr(out, "}\n");
}
