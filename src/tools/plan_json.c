/* plan_json.c: the report of `plan` as the document bedrock-metrics/plan/1. */
#include "base/json_out.h"
#include "tools/plan.h"

static void json_ratio(struct json_out *j, const char *name, u128 numerator, u128 denominator)
{
    buf_add_ratio(json_add_value(j, name), numerator, denominator, 6);
}

static void json_usd(struct json_out *j, const char *name, u128 numerator, u128 denominator)
{
    plan_add_usd(json_add_value(j, name), numerator, denominator, 6);
}

static void json_dimension(struct json_out *j, const struct plan_dimension *d)
{
    json_open_object(j, NULL);
    json_add_string(j, "name", d->name);
    JSON_ADD_NUMBERS(j, {"values", d->values}, {"seriesWithout", d->series_without},
                     {"metricHoursWithout", d->metric_hours_without});
    json_open_array(j, "top");
    for (size_t i = 0; i < d->top_count; i++) {
        const struct plan_value *v = &d->top[i];
        json_open_object(j, NULL);
        json_add_string(j, "value", v->value);
        JSON_ADD_NUMBERS(j, {"series", v->series}, {"metricHours", v->metric_hours});
        json_add_u128(j, "tokens", v->tokens);
        json_close(j);
    }
    json_close(j);
    json_close(j);
}

static void json_cap(struct json_out *j, const struct plan_report *r, const struct plan_set *set)
{
    json_open_object(j, "cap");
    JSON_ADD_NUMBERS(j, {"maxSeries", r->max_series}, {"foldedSeries", set->folded_series},
                     {"foldedHours", set->folded_hours});
    json_add_u128(j, "foldedTokens", set->folded_tokens);
    json_add_u128(j, "tokens", set->tokens);
    JSON_ADD_NUMBERS(j, {"series", set->kept_series}, {"metrics", set->kept_metrics},
                     {"metricHours", set->kept_metric_hours});
    json_close(j);
}

static void json_set(struct json_out *j, const struct plan_report *r, const struct plan_set *set)
{
    j->gap = "\n ";
    json_open_object(j, NULL);
    json_open_array(j, "dimensions");
    for (size_t i = 0; i < set->set->count; i++)
        json_add_string(j, NULL, set->set->dimension[i].name);
    json_close(j);
    JSON_ADD_NUMBERS(j, {"series", set->series}, {"metrics", set->metrics},
                     {"seriesHours", set->series_hours}, {"metricHours", set->metric_hours});
    j->gap = "\n  ";
    json_cap(j, r, set);
    j->gap = "\n  ";
    json_open_object(j, "metricsByName");
    for (unsigned m = 0; m < METRIC_COUNT; m++) {
        if ((r->metrics & METRIC_BIT(m)) == 0)
            continue;
        json_open_object(j, metric_name((enum metric)m));
        JSON_ADD_NUMBERS(j, {"series", set->metric[m].series}, {"hours", set->metric[m].hours});
        json_close(j);
    }
    json_close(j);
    j->gap = "\n  ";
    json_open_array(j, "dimensionsByCost");
    for (size_t d = 0; d < set->set->count; d++) {
        json_dimension(j, &set->dimension[d]);
        j->gap = "\n   ";
    }
    j->gap = NULL;
    json_close(j);
    j->gap = "\n  ";
    plan_add_share(json_add_value(j, "shareOfMonthUsd"), r, set, 6);
    json_close(j);
}

/* Left open, for what is charged with it. */
static void json_open_bill(struct json_out *j, const char *name, const struct plan_report *r,
                           const struct bill *bill)
{
    u128 hours = 0;
    for (size_t i = 0; i < bill->lines; i++)
        hours += bill->metric_hours[i];
    json_open_object(j, name);
    json_ratio(j, "metricMonths", hours, bill->hours);
    json_open_array(j, "tiers");
    for (size_t i = 0; i < bill->lines; i++) {
        json_open_object(j, NULL);
        json_add_u64(j, "metricHours", bill->metric_hours[i]);
        json_ratio(j, "metricMonths", bill->metric_hours[i], bill->hours);
        json_usd(j, "pricePerMetric", r->tiers[i].micro_usd, 1);
        json_usd(j, "usd", bill->micro_usd_hours[i], bill->hours);
        json_close(j);
    }
    json_close(j);
    json_usd(j, "metricsUsd", bill->total, bill->hours);
}

static void json_bills(struct json_out *j, const struct plan_report *r)
{
    j->gap = "\n";
    json_open_bill(j, "observed", r, &r->observed);
    json_add_u64(j, "requests", r->requests);
    json_usd(j, "requestsUsd", (u128)r->requests * BILL_REQUEST_MICRO_USD, 1);
    json_close(j);
    j->gap = "\n";
    json_open_object(j, "month");
    json_add_bool(j, "extrapolated", true);
    JSON_ADD_NUMBERS(j, {"hours", BILL_MONTH_HOURS}, {"fromHours", r->hours});
    json_open_bill(j, "bill", r, &r->month);
    json_close(j);
    buf_add_ratio(json_add_value(j, "requests"), (u128)r->requests * BILL_MONTH_HOURS, r->hours, 0);
    json_usd(j, "requestsUsd", plan_month_requests(r), r->hours);
    json_usd(j, "totalUsd", plan_month_total(r), r->hours);
    json_usd(j, "metricsUsdNothingFolded", r->month_whole.total, r->month_whole.hours);
    json_close(j);
}

static void json_head(struct json_out *j, const struct plan_report *r)
{
    const struct tally *t = r->tally;
    json_add_cstr(j, "schema", "bedrock-metrics/plan/1");
    j->gap = "\n";
    if (r->hours == 0) {
        json_add_cstr(j, "range", NULL);
    } else {
        json_open_object(j, "range");
        json_add_time(j, "first", t->first_time);
        json_add_time(j, "last", t->last_time);
        JSON_ADD_NUMBERS(j, {"hours", r->hours}, {"hoursWithRecords", r->series->hour_count});
        json_close(j);
    }
    j->gap = "\n";
    JSON_ADD_NUMBERS(j, {"objects", t->objects.counted}, {"records", t->records.counted},
                     {"resolution", r->resolution});
    j->gap = "\n";
    json_open_array(j, "metrics");
    for (unsigned m = 0; m < METRIC_COUNT; m++) {
        if ((r->metrics & METRIC_BIT(m)) != 0)
            json_add_cstr(j, NULL, metric_name((enum metric)m));
    }
    json_close(j);
    j->gap = "\n";
    json_open_object(j, "prices");
    json_add_cstr(j, "asOf", r->own_price ? NULL : BILL_PRICES_AS_OF);
    json_add_cstr(j, "note",
                  r->own_price ? "price of a metric as given; requests: list price, us-east-1"
                               : plan_prices_note);
    json_close(j);
}

void plan_add_json(const struct plan_report *report, struct buf *out)
{
    struct json_out j = {.out = out};
    json_open_object(&j, NULL);
    json_head(&j, report);
    j.gap = "\n";
    json_open_array(&j, "sets");
    for (size_t i = 0; i < report->series->set_count; i++)
        json_set(&j, report, &report->series->sets[i]);
    json_close(&j);
    if (report->hours > 0) {
        json_bills(&j, report);
    } else {
        j.gap = "\n";
        json_add_cstr(&j, "observed", NULL);
        j.gap = "\n";
        json_add_cstr(&j, "month", NULL);
    }
    json_end(&j);
}
