/* test_json_number.c: JSON numbers, whole and in pieces, and the counts they are. */
#include "unit.h"

#include "records/json_scalar.h"

#define MANY_ZEROS "0000000000000000000000000000000000000000000000000000000000000000"
#define NO_COUNT UINT64_MAX

static const struct {
    const char *text;
    size_t length; /* of the number in it; SIZE_MAX: a byte cannot stand where it does */
    size_t bad_at;
    uint64_t count;
} cases[] = {
    {"0", 1, 0, 0},
    {"-0", 2, 0, 0},
    {"-0.0e5", 6, 0, 0},
    {"0e99999999999999999999999999", 28, 0, 0},
    {"1", 1, 0, 1},
    {"12,", 2, 0, 12},
    {"12.0", 4, 0, 12},
    {"12." MANY_ZEROS "0", 68, 0, 12},
    {"1e3", 3, 0, 1000},
    {"1E+3", 4, 0, 1000},
    {"1e03", 4, 0, 1000},
    {"1.5e1", 5, 0, 15},
    {"1500e-2", 7, 0, 15},
    {"0.0015e4", 8, 0, 15},
    {"1" MANY_ZEROS "e-64", 69, 0, 1},
    {"0." MANY_ZEROS "1e65", 70, 0, 1},
    {"9007199254740992", 16, 0, 9007199254740992},
    {"9007199254740992.000", 20, 0, 9007199254740992},
    {"9007199254740993", 16, 0, NO_COUNT},
    {"9007199254740991.5", 18, 0, NO_COUNT},
    {"9007199254740992.1", 18, 0, NO_COUNT},
    {"90071992547409920e-1", 20, 0, 9007199254740992},
    {"10000000000000000", 17, 0, NO_COUNT},
    {"123456789012345678901234567890", 30, 0, NO_COUNT},
    {"1e16", 4, 0, NO_COUNT},
    {"1e15", 4, 0, 1000000000000000},
    {"1e99999999999999999999999999", 28, 0, NO_COUNT},
    {"1e-99999999999999999999999999", 29, 0, NO_COUNT},
    {"1.5", 3, 0, NO_COUNT},
    {"15e-1", 5, 0, NO_COUNT},
    {"0.1", 3, 0, NO_COUNT},
    {"-1", 2, 0, NO_COUNT},
    {"-1e-400", 7, 0, NO_COUNT},
    {"1e-400", 6, 0, NO_COUNT},
    {"0.9999999999999999999999999999999", 33, 0, NO_COUNT},
    {"0.99999999999999999999999999999991e1", 36, 0, NO_COUNT},
    /* Where the number ends */
    {"01", 1, 0, 0},
    {"1}", 1, 0, 1},
    {"1 2", 1, 0, 1},
    {"1x", 1, 0, 1},
    {"1-", 1, 0, 1},
    {"0x10", 1, 0, 0},
    {"1.2.3", 3, 0, NO_COUNT},
    {"1e2e3", 3, 0, 100},
    /* Not numbers */
    {"-", SIZE_MAX, 1, 0},
    {"-x", SIZE_MAX, 1, 0},
    {"--1", SIZE_MAX, 1, 0},
    {"+1", SIZE_MAX, 0, 0},
    {".5", SIZE_MAX, 0, 0},
    {"1.", SIZE_MAX, 2, 0},
    {"1.e3", SIZE_MAX, 2, 0},
    {"1e", SIZE_MAX, 2, 0},
    {"1e+", SIZE_MAX, 3, 0},
    {"1e+-3", SIZE_MAX, 3, 0},
    {"1ex", SIZE_MAX, 2, 0},
    {"NaN", SIZE_MAX, 0, 0},
    {"-Infinity", SIZE_MAX, 1, 0},
    {"", SIZE_MAX, 0, 0},
};

/* Everything in pieces of at most `step` bytes, the first one `first` long. */
static void run(size_t row, const struct guarded *page, size_t first, size_t step)
{
    struct view text = view_of(cases[row].text);
    struct json_number number;
    enum status status = ST_OK;
    size_t at = 0;
    json_number_begin(&number);
    while (at < text.len && status == ST_OK) {
        size_t n = at == 0 && first > 0 ? first : step;
        if (n > text.len - at)
            n = text.len - at;
        const uint8_t *begin = guarded_copy(page, text.ptr + at, n), *p = begin;
        status = json_number_next(&number, &p, begin + n);
        at += (size_t)(p - begin);
    }
    if (cases[row].length == SIZE_MAX) {
        assert_false(json_number_complete(&number));
        if (cases[row].bad_at < text.len)
            expect_status(row, status, ST_BAD_ITEM);
        expect_u64(row, "bad byte", at, cases[row].bad_at);
        return;
    }
    uint64_t count = NO_COUNT;
    expect_u64(row, "length", at, cases[row].length);
    assert_true(json_number_complete(&number));
    expect_status(row, status, cases[row].length < text.len ? ST_END : ST_OK);
    bool is_count = cases[row].count != NO_COUNT;
    expect_status(row, json_number_count(&number, &count), is_count ? ST_OK : ST_BAD_ITEM);
    expect_u64(row, "count", is_count ? count : NO_COUNT, cases[row].count);
}

static void whole_and_pieces(void **state)
{
    (void)state;
    struct guarded page = guarded_new(128);
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        run(i, &page, 0, 1000);
        run(i, &page, 0, 1);
        for (size_t first = 1; first < strlen(cases[i].text); first++)
            run(i, &page, first, 1000);
    }
    guarded_free(&page);
}

/* Digits without end cost no memory and are still exact. */
static void endless(void **state)
{
    (void)state;
    static char zeros[1 << 16];
    memset(zeros, '0', sizeof(zeros));
    static const struct {
        const char *before, *after;
        uint64_t count;
    } ends[] = {
        {"1.", "", 1},
        {"1.", "1", NO_COUNT},
        {"0.", "7e1048577", 7},
        {"7", "e-1048576", 7},
        {"7", "e-1048575", 70},
        {"7", "e-1048577", NO_COUNT},
        {"0.", "7e1048576", NO_COUNT},
        {"7", "", NO_COUNT},
        {"1e", "3", 1000},
        {"1e-", "", 1},
    };
    for (size_t i = 0; i < COUNT_OF(ends); i++) {
        struct json_number number;
        json_number_begin(&number);
        for (int part = 0; part < 18; part++) {
            const char *text = part == 0 ? ends[i].before : part == 17 ? ends[i].after : zeros;
            size_t n = part == 0 || part == 17 ? strlen(text) : sizeof(zeros);
            const uint8_t *p = (const uint8_t *)text;
            expect_status(i, json_number_next(&number, &p, (const uint8_t *)text + n), ST_OK);
        }
        uint64_t count = NO_COUNT;
        enum status status = json_number_count(&number, &count);
        expect_u64(i, "count", status == ST_OK ? count : NO_COUNT, ends[i].count);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(whole_and_pieces),
        cmocka_unit_test(endless),
    };
    return cmocka_run_group_tests_name("json_number", tests, NULL, NULL);
}
