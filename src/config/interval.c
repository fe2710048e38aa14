/*
 * interval.c: "1h", "36h", "2026-11-01": lengths of buckets, and points in time absolute or
 * relative to now, which is an argument.
 */
#include "config/interval.h"

enum status interval_parse(struct view text, int64_t *seconds)
{
    static const struct {
        const char *name;
        int64_t seconds;
    } intervals[] = {{"1m", 60}, {"5m", 300}, {"1h", 3600}, {"1d", 86400}, {"all", 0}};
    for (size_t i = 0; i < sizeof(intervals) / sizeof(intervals[0]); i++) {
        if (view_eq_cstr(text, intervals[i].name)) {
            *seconds = intervals[i].seconds;
            return ST_OK;
        }
    }
    return ST_USAGE;
}

static bool is_too_fine(struct view text)
{
    size_t point = view_find_char(text, '.');
    size_t end = point == SIZE_MAX ? 0 : point + 1;
    while (end > 0 && end < text.len && text.ptr[end] >= '0' && text.ptr[end] <= '9')
        end++;
    return end > 0 && end - point - 1 > 9;
}

enum status time_parse(struct view text, struct instant now, struct instant *out)
{
    if (is_too_fine(text))
        return ST_USAGE;
    if (rfc3339_parse(text, out) == ST_OK || rfc3339_parse_date(text, out) == ST_OK)
        return ST_OK;
    uint64_t count;
    int64_t unit;
    if (text.len < 2)
        return ST_USAGE;
    switch (text.ptr[text.len - 1]) {
    case 'm': unit = 60; break;
    case 'h': unit = 3600; break;
    case 'd': unit = 86400; break;
    case 'w': unit = 604800; break;
    default: return ST_USAGE;
    }
    if (view_parse_u64(view_first(text, text.len - 1), 10000000, &count) != ST_OK)
        return ST_USAGE;
    *out = (struct instant){now.seconds - (int64_t)count * unit, now.nanos};
    return ST_OK;
}
