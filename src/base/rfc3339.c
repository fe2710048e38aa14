/*
 * rfc3339.c: the proleptic Gregorian calendar in integers.
 *
 * Not timegm() and strptime(): they depend on the locale and the process-wide time zone, accept
 * what RFC 3339 does not, and are slower than what most records need.
 *
 *   2026-11-01T10:31:07.123+05:30
 *   ^date      ^time    ^fraction ^offset, or Z
 */
#include "base/rfc3339.h"

#include <stdio.h>

enum { SECONDS_A_DAY = 86400 };

/*
 * Civil days by 400-year eras, the year beginning in March so that the leap day is its last
 * (Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms").
 */
int64_t rfc3339_days(int64_t year, unsigned month, unsigned day)
{
    year -= month <= 2;
    int64_t era = (year >= 0 ? year : year - 399) / 400;
    unsigned year_of_era = (unsigned)(year - era * 400);
    unsigned shifted = month > 2 ? month - 3 : month + 9;
    unsigned day_of_year = (153 * shifted + 2) / 5 + day - 1;
    unsigned day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    return era * 146097 + (int64_t)day_of_era - 719468;
}

void rfc3339_date(int64_t days, int64_t *year, unsigned *month, unsigned *day)
{
    days += 719468;
    int64_t era = (days >= 0 ? days : days - 146096) / 146097;
    unsigned day_of_era = (unsigned)(days - era * 146097);
    unsigned year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
    unsigned day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    unsigned shifted = (5 * day_of_year + 2) / 153;
    *day = day_of_year - (153 * shifted + 2) / 5 + 1;
    *month = shifted < 10 ? shifted + 3 : shifted - 9;
    *year = (int64_t)year_of_era + era * 400 + (*month <= 2);
}

static bool digits(const char *p, size_t n, unsigned *out)
{
    unsigned value = 0;
    for (size_t i = 0; i < n; i++) {
        unsigned digit = (unsigned)(unsigned char)p[i] - '0';
        if (digit > 9)
            return false;
        value = value * 10 + digit;
    }
    *out = value;
    return true;
}

static unsigned days_in_month(unsigned year, unsigned month)
{
    static const unsigned char length[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    return month == 2 && leap ? 29 : length[month - 1];
}

/* 2026-11-01 in the first ten bytes of p. */
static bool parse_date(const char *p, int64_t *days)
{
    unsigned year, month, day;
    if (!digits(p, 4, &year) || p[4] != '-' || !digits(p + 5, 2, &month) || p[7] != '-' ||
        !digits(p + 8, 2, &day))
        return false;
    if (month < 1 || month > 12 || day < 1 || day > days_in_month(year, month))
        return false;
    *days = rfc3339_days(year, month, day);
    return true;
}

/* "Z", "z" or "+hh:mm" / "-hh:mm", which must be all of v. */
static bool parse_offset(struct view v, int64_t *seconds)
{
    unsigned hours, minutes;
    if (v.len == 1 && (v.ptr[0] == 'Z' || v.ptr[0] == 'z')) {
        *seconds = 0;
        return true;
    }
    if (v.len != 6 || (v.ptr[0] != '+' && v.ptr[0] != '-') || v.ptr[3] != ':' ||
        !digits(v.ptr + 1, 2, &hours) || !digits(v.ptr + 4, 2, &minutes) || hours > 23 ||
        minutes > 59)
        return false;
    int64_t offset = (int64_t)hours * 3600 + (int64_t)minutes * 60;
    *seconds = v.ptr[0] == '-' ? -offset : offset;
    return true;
}

/* ".123" at the start of *v, taken off it; no fraction is 0. */
static bool parse_fraction(struct view *v, uint32_t *nanos)
{
    *nanos = 0;
    if (v->len == 0 || v->ptr[0] != '.')
        return true;
    uint32_t unit = 100000000;
    size_t i = 1;
    for (; i < v->len && v->ptr[i] >= '0' && v->ptr[i] <= '9'; i++) {
        *nanos += unit * (uint32_t)(v->ptr[i] - '0');
        unit /= 10;
    }
    *v = view_skip(*v, i);
    return i > 1;
}

enum status rfc3339_parse(struct view text, struct instant *out)
{
    /*  2026-11-01T10:31:07.25+01:00
     *            ^19 bytes^ fraction, offset */
    unsigned hour, minute, second;
    int64_t days, offset;
    uint32_t nanos;
    const char *p = text.ptr;
    if (text.len < 20 || !parse_date(p, &days) || (p[10] != 'T' && p[10] != 't') ||
        !digits(p + 11, 2, &hour) || p[13] != ':' || !digits(p + 14, 2, &minute) || p[16] != ':' ||
        !digits(p + 17, 2, &second) || hour > 23 || minute > 59 || second > 60)
        return ST_BAD_ITEM;
    struct view rest = view_skip(text, 19);
    if (!parse_fraction(&rest, &nanos) || !parse_offset(rest, &offset))
        return ST_BAD_ITEM;
    if (second == 60) {
        second = 59;
        nanos = 999999999;
    }
    int64_t seconds = days * SECONDS_A_DAY + (int64_t)hour * 3600 + (int64_t)minute * 60 +
                      (int64_t)second - offset;
    if (seconds < rfc3339_days(0, 1, 1) * SECONDS_A_DAY ||
        seconds >= rfc3339_days(10000, 1, 1) * SECONDS_A_DAY)
        return ST_BAD_ITEM;
    *out = (struct instant){seconds, nanos};
    return ST_OK;
}

enum status rfc3339_parse_date(struct view text, struct instant *out)
{
    int64_t days;
    if (text.len != 10 || !parse_date(text.ptr, &days))
        return ST_BAD_ITEM;
    *out = (struct instant){days * SECONDS_A_DAY, 0};
    return ST_OK;
}

static void put(char *at, unsigned value, size_t width)
{
    while (width-- > 0) {
        at[width] = (char)('0' + value % 10);
        value /= 10;
    }
}

void rfc3339_format(int64_t seconds, char out[RFC3339_BYTES])
{
    int64_t days = seconds / SECONDS_A_DAY - (seconds % SECONDS_A_DAY < 0);
    unsigned rest = (unsigned)(seconds - days * SECONDS_A_DAY);
    int64_t year;
    unsigned month, day;
    rfc3339_date(days, &year, &month, &day);
    memcpy(out, "0000-00-00T00:00:00Z", 21);
    put(out, (unsigned)(year % 10000), 4);
    put(out + 5, month, 2);
    put(out + 8, day, 2);
    put(out + 11, rest / 3600, 2);
    put(out + 14, rest / 60 % 60, 2);
    put(out + 17, rest % 60, 2);
}

void rfc3339_format_ms(int64_t milliseconds, char out[RFC3339_BYTES])
{
    int64_t seconds = milliseconds / 1000 - (milliseconds % 1000 < 0);
    rfc3339_format(seconds, out);
    memcpy(out + 19, ".000Z", 6);
    put(out + 20, (unsigned)(milliseconds - seconds * 1000), 3);
}
