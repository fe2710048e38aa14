/* plan_bill.c: CloudWatch's price tiers applied to metric-hours, exact to a millionth of a dollar. */
#include "tools/plan.h"

const char plan_prices_note[] =
    "list prices of us-east-1 as of " BILL_PRICES_AS_OF
    " (the tier above 1,000,000 metrics: 2022), "
    "as third parties transcribed them; no free tier, no discount, no other custom metrics of the "
    "account; custom metrics and PutMetricData only";

size_t bill_list_tiers(struct bill_tier tiers[BILL_TIERS])
{
    static const struct bill_tier list[BILL_TIERS] = {
        {10000, 300000},
        {240000, 100000},
        {750000, 50000},
        {UINT64_MAX, 20000},
    };
    memcpy(tiers, list, sizeof(list));
    return BILL_TIERS;
}

enum status bill_parse_usd(struct view text, uint64_t *micro_usd)
{
    struct view rest = text, whole, fraction = VIEW_LIT("0");
    uint64_t dollars, part;
    if (!view_split(&rest, '.', &whole))
        return ST_BAD_ITEM;
    if (whole.len < text.len)
        fraction = view_skip(text, whole.len + 1);
    if (fraction.len == 0 || fraction.len > 6 ||
        view_parse_u64(whole, BILL_USD - 1, &dollars) != ST_OK ||
        view_parse_u64(fraction, BILL_USD - 1, &part) != ST_OK)
        return ST_BAD_ITEM;
    for (size_t digits = fraction.len; digits < 6; digits++)
        part *= 10;
    *micro_usd = dollars * BILL_USD + part;
    return ST_OK;
}

void bill_metrics(const struct bill_tier *tiers, size_t tier_count, uint64_t metric_hours,
                  uint64_t hours, struct bill *out)
{
    uint64_t left = metric_hours;
    *out = (struct bill){.hours = hours};
    for (size_t i = 0; i < tier_count && left > 0; i++) {
        u128 room = (u128)tiers[i].metrics * hours;
        uint64_t taken = left < room ? left : (uint64_t)room;
        out->metric_hours[i] = taken;
        out->micro_usd_hours[i] = (u128)taken * tiers[i].micro_usd;
        out->total += out->micro_usd_hours[i];
        out->lines = i + 1;
        left -= taken;
    }
}

void plan_add_usd(struct buf *out, u128 numerator, u128 denominator, unsigned decimals)
{
    buf_add_ratio(out, numerator, denominator * BILL_USD, decimals);
}

u128 plan_month_requests(const struct plan_report *r)
{
    return (u128)r->requests * BILL_MONTH_HOURS * BILL_REQUEST_MICRO_USD;
}

u128 plan_month_total(const struct plan_report *r)
{
    return r->month.total + plan_month_requests(r);
}

uint64_t plan_kept_metric_hours(const struct plan_report *r)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < r->series->set_count; i++)
        sum += r->series->sets[i].kept_metric_hours;
    return sum;
}

void plan_add_share(struct buf *out, const struct plan_report *r, const struct plan_set *set,
                    unsigned decimals)
{
    uint64_t all = plan_kept_metric_hours(r);
    /* Two divisions, so that nothing overflows; the first leaves micro-dollars. */
    u128 hours = r->month.hours;
    u128 micro = hours == 0 ? 0 : (r->month.total + hours / 2) / hours;
    plan_add_usd(out, micro * set->kept_metric_hours, all == 0 ? 1 : all, decimals);
}
