/* test_rfc3339.c: date-times, and times and intervals as people write them. */
#include "unit.h"

#include "base/rfc3339.h"
#include "config/interval.h"

#define BAD ST_BAD_ITEM, 0, 0

static void date_times(void **state)
{
    static const struct {
        struct view text;
        enum status status;
        int64_t seconds;
        uint32_t nanos;
    } cases[] = {
        {TEXT("1970-01-01T00:00:00Z"), ST_OK, 0, 0},
        {TEXT("2026-11-01T10:31:07Z"), ST_OK, 1793529067, 0},
        {TEXT("2026-11-01t10:31:07z"), ST_OK, 1793529067, 0},
        {TEXT("2026-11-01T10:31:07.5Z"), ST_OK, 1793529067, 500000000},
        {TEXT("2026-11-01T10:31:07.123456789Z"), ST_OK, 1793529067, 123456789},
        {TEXT("2026-11-01T10:31:07.1234567899999999999Z"), ST_OK, 1793529067, 123456789},
        {TEXT("2026-11-01T10:31:07+00:00"), ST_OK, 1793529067, 0},
        {TEXT("2026-11-01T10:31:07-00:00"), ST_OK, 1793529067, 0},
        {TEXT("2026-11-01T12:31:07+02:00"), ST_OK, 1793529067, 0},
        {TEXT("2026-11-01T05:01:07-05:30"), ST_OK, 1793529067, 0},
        {TEXT("2026-11-01T10:31:07.25+23:59"), ST_OK, 1793529067 - 86340, 250000000},
        {TEXT("2024-02-29T00:00:00Z"), ST_OK, 1709164800, 0},
        {TEXT("2000-02-29T23:59:59Z"), ST_OK, 951868799, 0},
        {TEXT("1969-12-31T23:59:59Z"), ST_OK, -1, 0},
        {TEXT("0000-01-01T00:00:00Z"), ST_OK, -62167219200, 0},
        {TEXT("9999-12-31T23:59:59.999999999Z"), ST_OK, 253402300799, 999999999},
        /* A leap second stays in its minute, as its last instant. */
        {TEXT("2016-12-31T23:59:60Z"), ST_OK, 1483228799, 999999999},
        {TEXT("2017-01-01T00:59:60.5+01:00"), ST_OK, 1483228799, 999999999},
        {TEXT("2026-11-01T10:31:60Z"), ST_OK, 1793529119, 999999999},
        {TEXT(""), BAD},
        {TEXT("2026-11-01"), BAD},
        {TEXT("2026-11-01T10:31:07"), BAD},
        {TEXT("2026-11-01 10:31:07Z"), BAD},
        {TEXT("2026-11-01T10:31Z"), BAD},
        {TEXT("2026-11-01T10:31:07.Z"), BAD},
        {TEXT("2026-11-01T10:31:07,5Z"), BAD},
        {TEXT("2026-11-01T10:31:07ZZ"), BAD},
        {TEXT("2026-11-01T10:31:07Z "), BAD},
        {TEXT(" 2026-11-01T10:31:07Z"), BAD},
        {TEXT("2026-11-01T10:31:07+0200"), BAD},
        {TEXT("2026-11-01T10:31:07+02"), BAD},
        {TEXT("2026-11-01T10:31:07+24:00"), BAD},
        {TEXT("2026-11-01T10:31:07+02:60"), BAD},
        {TEXT("2026-11-01T10:31:61Z"), BAD},
        {TEXT("2026-11-01T10:60:07Z"), BAD},
        {TEXT("2026-11-01T24:00:00Z"), BAD},
        {TEXT("2026-13-01T10:31:07Z"), BAD},
        {TEXT("2026-00-01T10:31:07Z"), BAD},
        {TEXT("2026-11-31T10:31:07Z"), BAD},
        {TEXT("2026-11-00T10:31:07Z"), BAD},
        {TEXT("2023-02-29T10:31:07Z"), BAD},
        {TEXT("1900-02-29T10:31:07Z"), BAD},
        {TEXT("+026-11-01T10:31:07Z"), BAD},
        {TEXT("2026-11-01T1a:31:07Z"), BAD},
        {TEXT("2026-11-01T10:31:07\0"), BAD},
        {TEXT("0000-01-01T00:00:00+00:01"), BAD},
        {TEXT("9999-12-31T23:59:59-00:01"), BAD},
        {TEXT("1793529067"), BAD},
    };
    (void)state;
    struct guarded page = guarded_new(64);
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct instant out = {77, 7};
        struct view text = cases[i].text;
        text.ptr = (const char *)guarded_copy(&page, text.ptr, text.len);
        expect_status(i, rfc3339_parse(text, &out), cases[i].status);
        if (cases[i].status != ST_OK)
            continue;
        expect_u64(i, "seconds", (uint64_t)out.seconds, (uint64_t)cases[i].seconds);
        expect_u64(i, "nanos", out.nanos, cases[i].nanos);
    }
    guarded_free(&page);
}

static void every_prefix_is_refused(void **state)
{
    (void)state;
    static const char whole[] = "2026-11-01T10:31:07.25+02:00";
    struct guarded page = guarded_new(64);
    struct instant out;
    for (size_t n = 0; n < sizeof(whole) - 1; n++)
        expect_status(n, rfc3339_parse(view_make(guarded_copy(&page, whole, n), n), &out),
                      ST_BAD_ITEM);
    guarded_free(&page);
}

/* All days of 10000 years, against a calendar counted by hand. */
static void calendar(void **state)
{
    (void)state;
    static const unsigned length[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    int64_t day_number = -719528; /* 0000-01-01 */
    for (int64_t year = 0; year < 10000; year++) {
        bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
        for (unsigned month = 1; month <= 12; month++) {
            unsigned days = length[month - 1] + (month == 2 && leap);
            for (unsigned day = 1; day <= days; day++, day_number++) {
                int64_t y;
                unsigned m, d;
                rfc3339_date(day_number, &y, &m, &d);
                if (rfc3339_days(year, month, day) != day_number || y != year || m != month ||
                    d != day)
                    fail_msg("%d-%u-%u", (int)year, month, day);
            }
        }
    }
    assert_int_equal(day_number, rfc3339_days(10000, 1, 1));
}

static void formatting(void **state)
{
    static const struct {
        int64_t ms;
        const char *seconds, *millis;
    } cases[] = {
        {0, "1970-01-01T00:00:00Z", "1970-01-01T00:00:00.000Z"},
        {-1, "1969-12-31T23:59:59Z", "1969-12-31T23:59:59.999Z"},
        {1793529067123, "2026-11-01T10:31:07Z", "2026-11-01T10:31:07.123Z"},
        {-62167219200000, "0000-01-01T00:00:00Z", "0000-01-01T00:00:00.000Z"},
        {253402300799999, "9999-12-31T23:59:59Z", "9999-12-31T23:59:59.999Z"},
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        char out[RFC3339_BYTES];
        int64_t seconds = cases[i].ms / 1000 - (cases[i].ms % 1000 < 0);
        rfc3339_format(seconds, out);
        expect_view(i, view_of(out), view_of(cases[i].seconds));
        rfc3339_format_ms(cases[i].ms, out);
        expect_view(i, view_of(out), view_of(cases[i].millis));
    }
}

static void dates(void **state)
{
    (void)state;
    struct instant out;
    assert_int_equal(rfc3339_parse_date(VIEW_LIT("2026-11-01"), &out), ST_OK);
    assert_int_equal(out.seconds, 1793491200);
    static const char *const bad[] = {"",         "2026-11-1",  "2026-11-01T", "2026-02-30",
                                      "20261101", "2026/11/01", "2026-11-011"};
    for (size_t i = 0; i < COUNT_OF(bad); i++)
        expect_status(i, rfc3339_parse_date(view_of(bad[i]), &out), ST_BAD_ITEM);
    assert_true(instant_compare((struct instant){1, 0}, (struct instant){0, 9}) > 0);
    assert_true(instant_compare((struct instant){1, 0}, (struct instant){1, 9}) < 0);
    assert_true(instant_compare((struct instant){1, 9}, (struct instant){1, 9}) == 0);
}

static void times_of_people(void **state)
{
    static const struct {
        const char *text;
        enum status status;
        int64_t seconds;
    } cases[] = {
        {"2026-11-01T10:31:07Z", ST_OK, 1793529067},
        {"2026-11-01T10:31:07.123456789Z", ST_OK, 1793529067},
        {"2026-11-01T10:31:07.1234567890Z", ST_USAGE, 0},
        {"2026-11-01T10:31:07.0000000001+01:00", ST_USAGE, 0},
        {"2026-11-01", ST_OK, 1793491200},
        {"90m", ST_OK, 1000000 - 5400},
        {"36h", ST_OK, 1000000 - 129600},
        {"7d", ST_OK, 1000000 - 604800},
        {"2w", ST_OK, 1000000 - 1209600},
        {"0m", ST_OK, 1000000},
        {"10000000w", ST_OK, 1000000 - INT64_C(6048000000000)},
        {"10000001w", ST_USAGE, 0},
        {"", ST_USAGE, 0},
        {"7", ST_USAGE, 0},
        {"d", ST_USAGE, 0},
        {"7D", ST_USAGE, 0},
        {"7s", ST_USAGE, 0},
        {"7y", ST_USAGE, 0},
        {"-7d", ST_USAGE, 0},
        {"7 d", ST_USAGE, 0},
        {"7d ", ST_USAGE, 0},
        {"1.5h", ST_USAGE, 0},
        {"2026-11-01T10:31:07", ST_USAGE, 0},
        {"2026-11-32", ST_USAGE, 0},
        {"yesterday", ST_USAGE, 0},
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct instant out = {0, 0};
        const struct instant now = {1000000, 5};
        expect_status(i, time_parse(view_of(cases[i].text), now, &out), cases[i].status);
        if (cases[i].status == ST_OK)
            expect_u64(i, "seconds", (uint64_t)out.seconds, (uint64_t)cases[i].seconds);
    }
}

static void intervals(void **state)
{
    static const struct {
        const char *text;
        enum status status;
        int64_t seconds;
    } cases[] = {
        {"1m", ST_OK, 60},   {"5m", ST_OK, 300},   {"1h", ST_OK, 3600},  {"1d", ST_OK, 86400},
        {"all", ST_OK, 0},   {"", ST_USAGE, 0},    {"2m", ST_USAGE, 0},  {"60", ST_USAGE, 0},
        {"1M", ST_USAGE, 0}, {"ALL", ST_USAGE, 0}, {"1m ", ST_USAGE, 0},
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        int64_t seconds = 0;
        expect_status(i, interval_parse(view_of(cases[i].text), &seconds), cases[i].status);
        expect_u64(i, "seconds", (uint64_t)seconds, (uint64_t)cases[i].seconds);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(date_times), cmocka_unit_test(every_prefix_is_refused),
        cmocka_unit_test(calendar),   cmocka_unit_test(formatting),
        cmocka_unit_test(dates),      cmocka_unit_test(times_of_people),
        cmocka_unit_test(intervals),
    };
    return cmocka_run_group_tests_name("rfc3339", tests, NULL, NULL);
}
