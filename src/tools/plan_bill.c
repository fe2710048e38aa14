#include "tools/plan_bill.h"

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

u128 bill_round(u128 numerator, u128 denominator)
{
    return denominator == 0 ? 0 : (numerator + denominator / 2) / denominator;
}
