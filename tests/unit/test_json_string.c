/* test_json_string.c: the inside of a JSON string, whole and cut at every place. */
#include "unit.h"

#include "records/json_scalar.h"

#define FFFD "\xef\xbf\xbd"

/* Input with its closing quote; `at` is the byte the decoder stops at (behind the quote). */
static const struct {
    struct view json;
    enum status status;
    size_t at;
    struct view value;
} cases[] = {
    {TEXT("\""), ST_END, 1, TEXT("")},
    {TEXT("abc\"x"), ST_END, 4, TEXT("abc")},
    {TEXT("a\\\"b\\\\\"x"), ST_END, 7, TEXT("a\"b\\")},
    {TEXT("\\/\\b\\f\\n\\r\\t\""), ST_END, 13, TEXT("/\b\f\n\r\t")},
    {TEXT("\\u0041\\u00e9\\u20ac\""), ST_END, 19, TEXT("A\xc3\xa9\xe2\x82\xac")},
    {TEXT("\\u00E9\\uABcd\""), ST_END, 13, TEXT("\xc3\xa9\xea\xaf\x8d")},
    {TEXT("\\u0000\""), ST_END, 7, TEXT("\0")},
    {TEXT("\x7f\xc3\xa9\xf0\x9f\x98\x80\""), ST_END, 8, TEXT("\x7f\xc3\xa9\xf0\x9f\x98\x80")},
    {TEXT("\\ud83d\\ude00\""), ST_END, 13, TEXT("\xf0\x9f\x98\x80")},
    {TEXT("\\uD83D\\uDE00\""), ST_END, 13, TEXT("\xf0\x9f\x98\x80")},
    {TEXT("\\udbff\\udfff\""), ST_END, 13, TEXT("\xf4\x8f\xbf\xbf")},
    /* Lone surrogates */
    {TEXT("\\ud83d\""), ST_END, 7, TEXT(FFFD)},
    {TEXT("\\ude00\""), ST_END, 7, TEXT(FFFD)},
    {TEXT("\\ud83dx\""), ST_END, 8, TEXT(FFFD "x")},
    {TEXT("\\ud83d\\n\""), ST_END, 9, TEXT(FFFD "\n")},
    {TEXT("\\ud83d\\u0041\""), ST_END, 13, TEXT(FFFD "A")},
    {TEXT("\\ud83d\\ud83d\\ude00\""), ST_END, 19, TEXT(FFFD "\xf0\x9f\x98\x80")},
    {TEXT("\\ude00\\ud83d\""), ST_END, 13, TEXT(FFFD FFFD)},
    {TEXT("\\ud83d\xc3\xa9\""), ST_END, 9, TEXT(FFFD "\xc3\xa9")},
    {TEXT("\\ud83d\\\\ude00\""), ST_END, 14, TEXT(FFFD "\\ude00")},
    /* Ill-formed UTF-8: one U+FFFD a maximal subpart (Unicode 15, tables 3-8 to 3-11) */
    {TEXT("\xc0\xaf\xe0\x80\xbf\xf0\x81\x82\x41\""), ST_END, 10,
     TEXT(FFFD FFFD FFFD FFFD FFFD FFFD FFFD FFFD "A")},
    {TEXT("\xed\xa0\x80\xed\xbf\xbf\xed\xaf\x41\""), ST_END, 10,
     TEXT(FFFD FFFD FFFD FFFD FFFD FFFD FFFD FFFD "A")},
    {TEXT("\xf4\x91\x92\x93\xff\x41\x80\xbf\x42\""), ST_END, 10,
     TEXT(FFFD FFFD FFFD FFFD FFFD "A" FFFD FFFD "B")},
    {TEXT("\xe1\x80\xe2\xf0\x91\x92\xf1\xbf\x41\""), ST_END, 10, TEXT(FFFD FFFD FFFD FFFD "A")},
    {TEXT("\xe2\x82\""), ST_END, 3, TEXT(FFFD)},
    {TEXT("\xf0\x9f\x98\\n\""), ST_END, 6, TEXT(FFFD "\n")},
    {TEXT("\xf0\x9f\x98\\u0041\""), ST_END, 10, TEXT(FFFD "A")},
    {TEXT("\xc3\xc3\xa9\""), ST_END, 4, TEXT(FFFD "\xc3\xa9")},
    {TEXT("\xf0\x9f\xe2\x82\xac\""), ST_END, 6, TEXT(FFFD "\xe2\x82\xac")},
    /* Not strings */
    {TEXT("ab\nc\""), ST_BAD_ITEM, 2, TEXT("")},
    {TEXT("\t\""), ST_BAD_ITEM, 0, TEXT("")},
    {TEXT("a\0\""), ST_BAD_ITEM, 1, TEXT("")},
    {TEXT("a\x1f\""), ST_BAD_ITEM, 1, TEXT("")},
    {TEXT("\\x41\""), ST_BAD_ITEM, 1, TEXT("")},
    {TEXT("\\\n\""), ST_BAD_ITEM, 1, TEXT("")},
    {TEXT("\\0\""), ST_BAD_ITEM, 1, TEXT("")},
    {TEXT("\\\0\""), ST_BAD_ITEM, 1, TEXT("")},
    {TEXT("\\U0041\""), ST_BAD_ITEM, 1, TEXT("")},
    {TEXT("\\u004\""), ST_BAD_ITEM, 5, TEXT("")},
    {TEXT("\\u00g1\""), ST_BAD_ITEM, 4, TEXT("")},
    {TEXT("\\u-041\""), ST_BAD_ITEM, 2, TEXT("")},
    {TEXT("\\ud83d\\u\""), ST_BAD_ITEM, 8, TEXT("")},
    {TEXT("\\ud83d\n\""), ST_BAD_ITEM, 6, TEXT("")},
    /* Not ended */
    {TEXT(""), ST_OK, 0, TEXT("")},
    {TEXT("abc"), ST_OK, 3, TEXT("")},
    {TEXT("abc\\"), ST_OK, 4, TEXT("")},
    {TEXT("abc\\\""), ST_OK, 5, TEXT("")},
    {TEXT("abc\\u00"), ST_OK, 7, TEXT("")},
};

static void check(size_t row, const struct json_string *js, enum status status, size_t at)
{
    expect_status(row, status, cases[row].status);
    expect_u64(row, "byte", at, cases[row].at);
    if (status == ST_END)
        expect_view(row, view_make(js->out, js->len), cases[row].value);
}

static void whole(void **state)
{
    (void)state;
    struct guarded page = guarded_new(64);
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        char out[64];
        struct json_string js;
        const uint8_t *begin = guarded_copy(&page, cases[i].json.ptr, cases[i].json.len);
        const uint8_t *p = begin;
        json_string_begin(&js, out, sizeof(out));
        enum status status = json_string_next(&js, &p, begin + cases[i].json.len);
        check(i, &js, status, (size_t)(p - begin));
    }
    guarded_free(&page);
}

/* In two pieces at every place, and byte by byte. */
static void pieces(void **state)
{
    (void)state;
    struct guarded page = guarded_new(64);
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        size_t len = cases[i].json.len;
        for (size_t cut = 0; cut <= len + 1; cut++) {
            size_t step = cut > len ? 1 : len;
            char out[64];
            struct json_string js;
            enum status status = ST_OK;
            size_t at = 0;
            json_string_begin(&js, out, sizeof(out));
            while (at < len && status == ST_OK) {
                size_t n = at < cut && cut <= len ? cut - at : step < len - at ? step : len - at;
                const uint8_t *begin = guarded_copy(&page, cases[i].json.ptr + at, n);
                const uint8_t *p = begin;
                status = json_string_next(&js, &p, begin + n);
                at += (size_t)(p - begin);
            }
            check(i, &js, status, at);
        }
    }
    guarded_free(&page);
}

/* With too little room the value is a prefix of whole characters, and checking goes on. */
static void little_room(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        for (size_t max = 0; max < 30; max++) {
            char out[64];
            memset(out, '~', sizeof(out));
            struct json_string js;
            const uint8_t *begin = (const uint8_t *)cases[i].json.ptr, *p = begin;
            json_string_begin(&js, out, max);
            enum status status = json_string_next(&js, &p, begin + cases[i].json.len);
            expect_status(i, status, cases[i].status);
            expect_u64(i, "byte", (size_t)(p - begin), cases[i].at);
            for (size_t k = max; k < sizeof(out); k++)
                assert_int_equal(out[k], '~');
            if (status != ST_END)
                continue;
            struct view value = cases[i].value;
            size_t wanted = value.len < max ? value.len : max;
            while (wanted < value.len && ((unsigned char)value.ptr[wanted] & 0xc0) == 0x80)
                wanted--;
            expect_view(i, view_make(js.out, js.len), view_first(value, wanted));
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(whole),
        cmocka_unit_test(pieces),
        cmocka_unit_test(little_room),
    };
    return cmocka_run_group_tests_name("json_string", tests, NULL, NULL);
}
