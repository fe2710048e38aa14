#include "run/interval.h"

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

enum status time_parse(struct view text, struct instant now, struct instant *out)
{
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
