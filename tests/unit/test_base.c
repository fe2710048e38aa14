/* test_base.c: views, arrays, tables, stopping, buffers, UTF-8, JSON writing, suggestions. */
#include "unit.h"

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/array.h"
#include "base/buf.h"
#include "base/json_out.h"
#include "base/stop.h"
#include "base/suggest.h"
#include "base/table.h"
#include "base/tuples.h"
#include "base/utf8.h"

/* ---- view ---- */

static void view_comparisons(void **state)
{
    static const struct {
        struct view a, b;
        int order;
        bool eq, nocase, starts, ends; /* whether a starts and ends with b */
    } cases[] = {
        {TEXT(""), TEXT(""), 0, true, true, true, true},
        {TEXT("a"), TEXT(""), 1, false, false, true, true},
        {TEXT(""), TEXT("a"), -1, false, false, false, false},
        {TEXT("abc"), TEXT("abc"), 0, true, true, true, true},
        {TEXT("abc"), TEXT("ab"), 1, false, false, true, false},
        {TEXT("abc"), TEXT("bc"), -1, false, false, false, true},
        {TEXT("ABC"), TEXT("abc"), -1, false, true, false, false},
        {TEXT("\xff"), TEXT("a"), 1, false, false, false, false},
        {TEXT("a\0b"), TEXT("a\0c"), -1, false, false, false, false},
        {TEXT("a\0"), TEXT("a"), 1, false, false, true, false},
        {TEXT("@"), TEXT("`"), -1, false, false, false, false},
        {TEXT("["), TEXT("{"), -1, false, false, false, false},
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct view a = cases[i].a, b = cases[i].b;
        int order = view_compare(a, b);
        if ((order > 0) - (order < 0) != cases[i].order)
            fail_row(i, "order %d", order);
        expect_u64(i, "eq", view_eq(a, b), cases[i].eq);
        expect_u64(i, "nocase", view_eq_nocase(a, b), cases[i].nocase);
        expect_u64(i, "starts", view_starts(a, b), cases[i].starts);
        expect_u64(i, "ends", view_ends(a, b), cases[i].ends);
    }
    assert_true(view_eq(VIEW_EMPTY, VIEW_LIT("")));
    assert_true(view_eq_cstr(VIEW_EMPTY, ""));
    assert_int_equal(view_of(NULL).len, 0);
}

static void view_searches(void **state)
{
    static const struct {
        struct view text, needle;
        size_t first, last;
    } cases[] = {
        {TEXT("a/b/c"), TEXT("/"), 1, 3},          {TEXT("abab"), TEXT("ab"), 0, 2},
        {TEXT("aaa"), TEXT("aa"), 0, 1},           {TEXT("abc"), TEXT("abcd"), SIZE_MAX, SIZE_MAX},
        {TEXT(""), TEXT("a"), SIZE_MAX, SIZE_MAX}, {TEXT("a\0b"), TEXT("\0b"), 1, 1},
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        expect_u64(i, "first", view_find(cases[i].text, cases[i].needle), cases[i].first);
        expect_u64(i, "last", view_rfind(cases[i].text, cases[i].needle), cases[i].last);
    }
    assert_int_equal(view_find_char(VIEW_LIT("a.b"), '.'), 1);
    assert_true(view_find_char(VIEW_LIT("ab"), '.') == SIZE_MAX);
    assert_true(view_find_char(VIEW_EMPTY, '.') == SIZE_MAX);
}

static void view_parts(void **state)
{
    static const struct {
        struct view text;
        const char *parts; /* each followed by | */
    } cases[] = {
        {TEXT("a,b"), "a|b|"}, {TEXT("a,,b"), "a||b|"}, {TEXT("a,"), "a||"}, {TEXT(",a"), "|a|"},
        {TEXT("a"), "a|"},     {TEXT(""), "|"},         {TEXT(","), "||"},   {{NULL, 0}, ""},
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct view rest = cases[i].text, part;
        char got[64] = "";
        size_t n = 0;
        while (view_split(&rest, ',', &part))
            n += (size_t)snprintf(got + n, sizeof(got) - n, "%.*s|", (int)part.len, part.ptr);
        expect_view(i, view_of(got), view_of(cases[i].parts));
    }
    expect_view(0, view_trim(VIEW_LIT(" \t\r\na b\v\f ")), VIEW_LIT("a b"));
    expect_view(1, view_trim(VIEW_LIT("  ")), VIEW_LIT(""));
    expect_view(2, view_trim(VIEW_EMPTY), VIEW_LIT(""));
    expect_view(3, view_skip(VIEW_LIT("abc"), 9), VIEW_LIT(""));
    expect_view(4, view_skip(VIEW_LIT("abc"), 2), VIEW_LIT("c"));
    expect_view(5, view_first(VIEW_LIT("abc"), 9), VIEW_LIT("abc"));
    expect_view(6, view_first(VIEW_LIT("abc"), 1), VIEW_LIT("a"));
    assert_null(view_skip(VIEW_EMPTY, 3).ptr);
}

static void view_numbers(void **state)
{
    static const struct {
        struct view text;
        uint64_t max;
        enum status status;
        uint64_t value;
    } cases[] = {
        {TEXT("0"), 10, ST_OK, 0},
        {TEXT("007"), 10, ST_OK, 7},
        {TEXT("10"), 10, ST_OK, 10},
        {TEXT("11"), 10, ST_BAD_ITEM, 0},
        {TEXT("18446744073709551615"), UINT64_MAX, ST_OK, UINT64_MAX},
        {TEXT("18446744073709551616"), UINT64_MAX, ST_BAD_ITEM, 0},
        {TEXT("99999999999999999999999"), UINT64_MAX, ST_BAD_ITEM, 0},
        {TEXT(""), 10, ST_BAD_ITEM, 0},
        {TEXT(" 1"), 10, ST_BAD_ITEM, 0},
        {TEXT("1 "), 10, ST_BAD_ITEM, 0},
        {TEXT("+1"), 10, ST_BAD_ITEM, 0},
        {TEXT("-1"), 10, ST_BAD_ITEM, 0},
        {TEXT("1\0"), 10, ST_BAD_ITEM, 0},
        {TEXT("0x1"), 10, ST_BAD_ITEM, 0},
        {TEXT("1e1"), 10, ST_BAD_ITEM, 0},
        {TEXT("\xd9\xa1"), 10, ST_BAD_ITEM, 0}, /* an Arabic digit */
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        uint64_t value = 77;
        expect_status(i, view_parse_u64(cases[i].text, cases[i].max, &value), cases[i].status);
        expect_u64(i, "value", value, cases[i].status == ST_OK ? cases[i].value : 77);
    }
}

/* ---- buf ---- */

static void buf_grows(void **state)
{
    (void)state;
    struct buf b;
    buf_init(&b, 1 << 20);
    assert_null(b.ptr);
    for (unsigned i = 0; i < 5000; i++)
        buf_printf(&b, "%u,", i);
    buf_add_u64(&b, UINT64_MAX);
    buf_add_char(&b, '.');
    buf_add(&b, NULL, 0);
    assert_int_equal(buf_status(&b), ST_OK);
    assert_true(view_starts(buf_view(&b), VIEW_LIT("0,1,2,3,")));
    assert_true(view_ends(buf_view(&b), VIEW_LIT("4998,4999,18446744073709551615.")));
    size_t len = b.len;
    assert_int_equal(strlen(buf_cstr(&b)), len);
    assert_int_equal(b.len, len);
    buf_reset(&b);
    assert_int_equal(b.len, 0);
    buf_wipe(&b);
    assert_null(b.ptr);
    struct buf zero;
    memset(&zero, 0, sizeof(zero));
    buf_clear(&zero);
}

/* What does not fit leaves the content alone and marks the buffer, whatever comes behind. */
static void buf_ceiling(void **state)
{
    (void)state;
    for (size_t max = 0; max < 300; max++) {
        struct buf b;
        size_t fits = 0;
        buf_init(&b, max);
        while (fits < 400 && buf_status(&b) == ST_OK) {
            buf_add_cstr(&b, "abc");
            fits += buf_status(&b) == ST_OK ? 3 : 0;
        }
        assert_int_equal(fits, max / 3 * 3);
        assert_int_equal(b.len, fits);
        assert_int_equal(buf_status(&b), ST_TOO_BIG);
        buf_add_char(&b, 'x'); /* would fit */
        assert_int_equal(b.len, fits);
        assert_null(buf_reserve(&b, 0));
        assert_null(buf_cstr(&b));
        buf_reset(&b);
        assert_int_equal(buf_status(&b), ST_OK);
        buf_clear(&b);
    }
    struct buf b;
    buf_init(&b, SIZE_MAX);
    buf_add_char(&b, 'x');
    assert_null(buf_reserve(&b, SIZE_MAX));
    assert_int_equal(buf_status(&b), ST_TOO_BIG);
    buf_clear(&b);
}

/* ---- UTF-8 ---- */

static void utf8_characters(void **state)
{
    static const struct {
        struct view text;
        uint32_t code;
        size_t length;
    } cases[] = {
        {TEXT("A"), 'A', 1},
        {TEXT("\0"), 0, 1},
        {TEXT("\x7f"), 0x7f, 1},
        {TEXT("\xc2\x80"), 0x80, 2},
        {TEXT("\xdf\xbf"), 0x7ff, 2},
        {TEXT("\xe0\xa0\x80"), 0x800, 3},
        {TEXT("\xed\x9f\xbf"), 0xd7ff, 3},
        {TEXT("\xee\x80\x80"), 0xe000, 3},
        {TEXT("\xef\xbf\xbf"), 0xffff, 3},
        {TEXT("\xf0\x90\x80\x80"), 0x10000, 4},
        {TEXT("\xf4\x8f\xbf\xbf"), 0x10ffff, 4},
        /* Not characters: the length is that of the maximal subpart. */
        {TEXT("\x80"), UTF8_INVALID, 1},
        {TEXT("\xbf\x80"), UTF8_INVALID, 1},
        {TEXT("\xc0\x80"), UTF8_INVALID, 1},
        {TEXT("\xc1\xbf"), UTF8_INVALID, 1},
        {TEXT("\xc2"), UTF8_INVALID, 1},
        {TEXT("\xc2"
              "A"),
         UTF8_INVALID, 1},
        {TEXT("\xe0\x9f\x80"), UTF8_INVALID, 1},
        {TEXT("\xe0\xa0"), UTF8_INVALID, 2},
        {TEXT("\xe1\x80"
              "A"),
         UTF8_INVALID, 2},
        {TEXT("\xed\xa0\x80"), UTF8_INVALID, 1}, /* a surrogate */
        {TEXT("\xf0\x8f\xbf\xbf"), UTF8_INVALID, 1},
        {TEXT("\xf0\x90\x80"), UTF8_INVALID, 3},
        {TEXT("\xf1\x80\x80"
              "A"),
         UTF8_INVALID, 3},
        {TEXT("\xf4\x90\x80\x80"), UTF8_INVALID, 1},
        {TEXT("\xf5\x80\x80\x80"), UTF8_INVALID, 1},
        {TEXT("\xff"), UTF8_INVALID, 1},
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        uint32_t code;
        char again[4];
        expect_u64(i, "length", utf8_decode(cases[i].text, &code), cases[i].length);
        expect_u64(i, "code", code, cases[i].code);
        if (code != UTF8_INVALID)
            expect_view(i, view_make(again, utf8_from_code(code, again)), cases[i].text);
    }
}

static void utf8_all_scalar_values(void **state)
{
    (void)state;
    for (uint32_t code = 0; code < 0x110000; code++) {
        char bytes[4];
        uint32_t back;
        if (code == 0xd800)
            code = 0xe000;
        size_t n = utf8_from_code(code, bytes);
        if (utf8_decode(view_make(bytes, n), &back) != n || back != code)
            fail_msg("U+%04X", (unsigned)code);
        /* Cut anywhere it is no character, and nothing behind the cut is looked at. */
        for (size_t cut = 1; cut < n; cut++) {
            if (utf8_decode(view_make(bytes, cut), &back) != cut || back != UTF8_INVALID)
                fail_msg("U+%04X cut to %u", (unsigned)code, (unsigned)cut);
        }
    }
}

static void utf8_cuts(void **state)
{
    static const struct {
        struct view text;
        size_t max, length;
    } cases[] = {
        {TEXT("abc"), 5, 3},
        {TEXT("abc"), 3, 3},
        {TEXT("abc"), 2, 2},
        {TEXT("a\xc3\xa9"), 2, 1},
        {TEXT("a\xc3\xa9"), 3, 3},
        {TEXT("\xf0\x9f\x98\x80x"), 4, 4},
        {TEXT("\xf0\x9f\x98\x80x"), 3, 0},
        {TEXT("\xe2\x82\xac\xe2\x82\xac"), 5, 3},
        {TEXT(""), 0, 0},
        {TEXT("a"), 0, 0},
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++)
        expect_u64(i, "length", utf8_cut(cases[i].text, cases[i].max).len, cases[i].length);
}

/* ---- JSON ---- */

static void json_strings(void **state)
{
    static const struct {
        struct view text, json;
    } cases[] = {
        {TEXT(""), TEXT("\"\"")},
        {TEXT("plain"), TEXT("\"plain\"")},
        {TEXT("a\"b\\c/d"), TEXT("\"a\\\"b\\\\c/d\"")},
        {TEXT("\n\r\t\b\0\x1f"), TEXT("\"\\n\\r\\t\\u0008\\u0000\\u001f\"")},
        {TEXT("\x1b[31m\x7f"), TEXT("\"\\u001b[31m\\u007f\"")},
        {TEXT("\xc2\x9b\xc2\xa0"), TEXT("\"\\u009b\xc2\xa0\"")},
        {TEXT("\xe2\x80\xa8\xe2\x80\xa9"), TEXT("\"\\u2028\\u2029\"")},
        {TEXT("\xe2\x80\xae"
              "a\xe2\x81\xa6"),
         TEXT("\"\\u202ea\\u2066\"")},
        {TEXT("\xe2\x80\x8e\xd8\x9c"), TEXT("\"\\u200e\\u061c\"")},
        {TEXT("caf\xc3\xa9 \xf0\x9f\x98\x80"), TEXT("\"caf\xc3\xa9 \xf0\x9f\x98\x80\"")},
        {TEXT("\xff"
              "a\xe2\x82"),
         TEXT("\"\xef\xbf\xbd"
              "a\xef\xbf\xbd\"")},
        {TEXT("</script>"), TEXT("\"</script>\"")},
    };
    (void)state;
    struct buf out;
    buf_init(&out, 4096);
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        buf_reset(&out);
        json_quote(&out, cases[i].text);
        assert_int_equal(buf_status(&out), ST_OK);
        expect_view(i, buf_view(&out), cases[i].json);
    }
    struct json_out j = {.out = &out, .html = true};
    buf_reset(&out);
    json_escape(&out, VIEW_LIT("a\"b\\c<\x1b[1m\n\xff"));
    expect_view(98, buf_view(&out), VIEW_LIT("a\"b\\c<\\u001b[1m\\n\xef\xbf\xbd"));
    buf_reset(&out);
    json_add_string(&j, NULL, VIEW_LIT("</script>&\""));
    expect_view(99, buf_view(&out), VIEW_LIT("\"\\u003c/script>&\\\"\""));
    buf_clear(&out);
}

static void json_documents(void **state)
{
    (void)state;
    struct buf out;
    struct json_out j = {.out = &out};
    buf_init(&out, 4096);
    json_open_object(&j, NULL);
    json_open_array(&j, "none");
    json_close(&j);
    json_open_object(&j, "empty");
    json_close(&j);
    j.gap = "\n ";
    json_open_array(&j, "values");
    json_add_u64(&j, NULL, UINT64_MAX);
    json_add_i64(&j, NULL, INT64_MIN);
    json_add_i64(&j, NULL, 0);
    json_add_u128(&j, NULL, (u128)1 << 64);
    json_add_bool(&j, NULL, true);
    json_add_bool(&j, NULL, false);
    json_add_cstr(&j, NULL, NULL);
    json_open_array(&j, NULL);
    json_open_array(&j, NULL);
    json_add_cstr(&j, NULL, "deep");
    json_close(&j);
    json_close(&j);
    json_open_object(&j, NULL);
    json_add_name(&j, VIEW_LIT("from \"outside\""));
    json_add_time(&j, NULL, 0);
    json_add_name(&j, VIEW_LIT("object"));
    json_open_object(&j, NULL);
    json_close(&j);
    json_close(&j);
    j.gap = "\n";
    json_close(&j);
    buf_add_decimal(json_add_value(&j, "raw"), 12500, 4);
    json_close(&j);
    assert_int_equal(j.depth, 0);
    expect_view(0, buf_view(&out),
                VIEW_LIT("{\"none\":[],\"empty\":{},\n \"values\":[18446744073709551615,"
                         "-9223372036854775808,0,18446744073709551616,true,false,null,"
                         "[[\"deep\"]],{\"from \\\"outside\\\"\":\"1970-01-01T00:00:00Z\","
                         "\"object\":{}}\n],\"raw\":1.25}"));
    buf_clear(&out);
}

/* The buffer may be emptied at any point; too deep and too long end in a failed buffer. */
static void json_in_parts(void **state)
{
    (void)state;
    struct buf out, whole;
    struct json_out j = {.out = &out};
    buf_init(&out, 4096);
    buf_init(&whole, 4096);
    for (int i = 0; i < JSON_OUT_DEPTH; i++) {
        json_open_array(&j, NULL);
        json_add_u64(&j, NULL, 7);
        buf_add_view(&whole, buf_view(&out));
        buf_reset(&out);
    }
    for (int i = 0; i < JSON_OUT_DEPTH; i++) {
        json_close(&j);
        buf_add_view(&whole, buf_view(&out));
        buf_reset(&out);
    }
    assert_int_equal(whole.len, 2 * JSON_OUT_DEPTH + 2 * JSON_OUT_DEPTH - 1);
    expect_view(0, view_first(buf_view(&whole), 8), VIEW_LIT("[7,[7,[7"));
    expect_view(1, view_skip(buf_view(&whole), whole.len - 3), VIEW_LIT("]]]"));
    for (int i = 0; i <= JSON_OUT_DEPTH; i++)
        json_open_object(&j, i == 0 ? NULL : "a");
    assert_int_equal(buf_status(&out), ST_TOO_BIG);
    buf_clear(&out);
    buf_clear(&whole);
    buf_init(&out, 8);
    j = (struct json_out){.out = &out};
    json_open_object(&j, NULL);
    json_add_cstr(&j, "a", "too long");
    json_close(&j);
    assert_int_equal(buf_status(&out), ST_TOO_BIG);
    buf_clear(&out);
}

/* ---- numbers ---- */

static void decimals(void **state)
{
    static const struct {
        u128 value;
        unsigned decimals;
        const char *text;
    } cases[] = {
        {0, 12, "0"},
        {0, 0, "0"},
        {1, 12, "0.000000000001"},
        {26400, 12, "0.0000000264"},
        {1000000000000, 12, "1"},
        {12500000, 6, "12.5"},
        {3437500, 6, "3.4375"},
        {999999999999, 12, "0.999999999999"},
        {10, 19, "0.000000000000000001"},
        {~(u128)0, 12, "340282366920938463463374607.431768211455"},
        {~(u128)0, 0, "340282366920938463463374607431768211455"},
    };
    (void)state;
    struct buf out;
    buf_init(&out, 64);
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        buf_reset(&out);
        buf_add_decimal(&out, cases[i].value, cases[i].decimals);
        expect_view(i, buf_view(&out), view_of(cases[i].text));
    }
    buf_clear(&out);
}

static void grouped_numbers(void **state)
{
    static const struct {
        u128 value;
        const char *text;
    } cases[] = {
        {0, "0"},
        {999, "999"},
        {1000, "1,000"},
        {1234567, "1,234,567"},
        {~(u128)0, "340,282,366,920,938,463,463,374,607,431,768,211,455"},
    };
    (void)state;
    struct buf out;
    buf_init(&out, 64);
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        buf_reset(&out);
        buf_add_grouped(&out, cases[i].value);
        expect_view(i, buf_view(&out), view_of(cases[i].text));
    }
    buf_reset(&out);
    struct view v = VIEW_LIT("abcdef");
    buf_printf(&out, "%.*s|%.*s|%.*s|", SHOW(v), SHOW_MAX(v, 2), SHOW(VIEW_EMPTY));
    buf_add_spaces(&out, 2);
    buf_add_spaces(&out, 0);
    expect_view(99, buf_view(&out), VIEW_LIT("abcdef|ab||  "));
    buf_clear(&out);
}

static void json_wide_numbers(void **state)
{
    (void)state;
    static const struct {
        uint64_t high, low;
        const char *digits;
    } cases[] = {
        {0, 0, "0"},
        {0, 9, "9"},
        {0, 10, "10"},
        {0, UINT64_MAX, "18446744073709551615"},
        {1, 0, "18446744073709551616"},
        {UINT64_MAX, UINT64_MAX, "340282366920938463463374607431768211455"},
    };
    struct buf out;
    buf_init(&out, 64);
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        buf_reset(&out);
        buf_add_u128(&out, (u128)cases[i].high << 64 | cases[i].low);
        expect_view(i, buf_view(&out), view_of(cases[i].digits));
    }
    buf_clear(&out);
}

/* ---- suggest ---- */

static void suggestions(void **state)
{
    static const char *const names[] = {"aggregate", "worker", "serve", "ModelId", "1h"};
    static const struct {
        const char *word, *wanted;
    } cases[] = {
        {"agregate", "aggregate"},
        {"AGGREGATE", "aggregate"},
        {"aggregat", "aggregate"},
        {"worker", "worker"},
        {"wroker", "worker"},
        {"Modelid", "ModelId"},
        {"zzzzzz", NULL},
        {"", NULL},
        {"serves", "serve"},
        {"1d", "1h"},
        {"x", NULL},
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        const char *got = suggest_name(view_of(cases[i].word), names, COUNT_OF(names));
        expect_view(i, view_of(got), view_of(cases[i].wanted));
    }
    char huge[5000];
    memset(huge, 'a', sizeof(huge));
    assert_null(suggest_name(view_make(huge, sizeof(huge)), names, COUNT_OF(names)));
    assert_null(suggest_name(VIEW_LIT("a"), names, 0));
}

/* ---- arrays ---- */

static void arrays_grow(void **state)
{
    uint32_t *list = NULL;
    size_t capacity = 0;
    (void)state;
    for (uint32_t i = 0; i < 1000; i++) {
        assert_true(array_room(&list, i, &capacity, 3, sizeof(*list)));
        assert_true(capacity > i);
        list[i] = i;
    }
    assert_int_equal(capacity, 3 << 9);
    for (uint32_t i = 0; i < 1000; i++)
        assert_int_equal(list[i], i);
    /* What cannot be had leaves everything as it was. */
    size_t many = SIZE_MAX / 2 + 1, some = SIZE_MAX / 4;
    const uint32_t *before = list;
    assert_false(array_room(&list, many, &many, 3, sizeof(*list)));
    assert_false(array_room(&list, some, &some, 3, sizeof(*list)));
    assert_ptr_equal(list, before);
    assert_int_equal(many, SIZE_MAX / 2 + 1);
    assert_int_equal(some, SIZE_MAX / 4);
    free(list);
}

static void text_is_copied(void **state)
{
    (void)state;
    char *copy = view_dup(VIEW_LIT("a\0b"));
    assert_memory_equal(copy, "a\0b", 4);
    free(copy);
    copy = view_dup(VIEW_EMPTY);
    assert_string_equal(copy, "");
    free(copy);
}

static void hexadecimal_bytes(void **state)
{
    static const struct {
        const char *text;
        bool good;
    } rows[] = {
        {"00ff1a", true},   {"00FF1A", true},  {"", false},       {"00ff1", false},
        {"00ff1a0", false}, {"00ff1g", false}, {"0x0f1a", false}, {" 0ff1a", false},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        uint8_t bytes[3];
        char text[7];
        expect_u64(i, "good", hex_parse(view_of(rows[i].text), bytes, sizeof(bytes)), rows[i].good);
        if (!rows[i].good)
            continue;
        hex_format(bytes, sizeof(bytes), text);
        assert_string_equal(text, "00ff1a");
    }
}

static void hexadecimal_digits(void **state)
{
    static const char digits[] = "0123456789abcdef0123456789ABCDEF";
    int good = 0;
    (void)state;
    for (int i = 0; i < 32; i++)
        assert_int_equal(hex_digit(digits[i]), i % 16);
    for (int c = 0; c < 256; c++)
        good += hex_digit((char)c) >= 0;
    assert_int_equal(good, 22);
}

/* ---- status ---- */

static void errors_are_cut(void **state)
{
    (void)state;
    struct error err;
    char huge[1000];
    memset(huge, 'a', sizeof(huge) - 1);
    huge[sizeof(huge) - 1] = '\0';
    assert_int_equal(error_set(&err, ST_IO, E_F104, "%s", huge), ST_IO);
    assert_int_equal(strlen(err.text), sizeof(err.text) - 1);
    assert_int_equal(err.code, E_F104);
    assert_int_equal(error_set(NULL, ST_RETRY, E_F104, "%s", huge), ST_RETRY);
    for (int st = ST_OK; st <= ST_NO_MEMORY; st++)
        assert_string_not_equal(status_name((enum status)st), "unknown");
}

/* ---- tables ---- */

static void tables_find_what_was_added(void **state)
{
    enum { MANY = 3000 };
    struct table t = {0};
    (void)state;
    for (int round = 0; round < 2; round++) {
        struct table_look none = table_look(7);
        assert_false(table_next(&t, &none));
        /* Hashes that differ in the high bits only, some ten times. */
        for (uint32_t i = 0; i < MANY; i++)
            assert_int_equal(table_add(&t, (i / 10) << 20 | 0xffff, i), ST_OK);
        for (uint32_t i = 0; i < MANY; i += 10) {
            struct table_look look = table_look((i / 10) << 20 | 0xffff);
            uint32_t seen = 0;
            while (table_next(&t, &look)) {
                if (look.number / 10 != i / 10)
                    fail_row(i, "found %u", look.number);
                seen |= 1U << look.number % 10;
            }
            expect_u64(i, "seen", seen, 0x3ff);
        }
        table_reset(&t);
    }
    t.count = TABLE_MAX_COUNT;
    assert_int_equal(table_add(&t, 1, 1), ST_TOO_BIG);
    table_clear(&t);
    table_clear(&t);
}

static void tuples_are_numbered_once(void **state)
{
    enum { MANY = 3000 };
    (void)state;
    for (size_t width = 0; width < 4; width++) {
        struct tuples t = {.width = width};
        for (int round = 0; round < 3; round++) {
            for (uint32_t i = 0; i < MANY; i++) {
                uint32_t row[] = {i % 7, i, i / 1000}, wanted[] = {0, i % 7, i, i};
                expect_u64(i, "number", tuples_id(&t, row), wanted[width]);
                if (memcmp(tuples_row(&t, wanted[width]), row, width * sizeof(*row)) != 0)
                    fail_row(i, "another row");
            }
            if (round == 1)
                tuples_reset(&t);
        }
        tuples_clear(&t);
    }
}

static void hashes_stay_inside(void **state)
{
    (void)state;
    struct guarded page = guarded_new(64);
    uint64_t seen[33];
    static const char bytes[] = "abcdefghijklmnopqrstuvwxyz012345";
    for (size_t n = 0; n <= 32; n++) {
        seen[n] = table_hash_bytes(view_make(guarded_copy(&page, bytes, n), n));
        for (size_t k = 0; k < n; k++)
            assert_true(seen[k] != seen[n]);
    }
    guarded_free(&page);
}

/* ---- stopping ---- */

/* In a process of its own: the exit status after the signals, or 0 when it was asked and ended. */
static int end_by(enum stop_mode mode, const char *file, int first, int second)
{
    int status;
    pid_t child = fork();
    if (child == 0) {
        stop_catch_signals(mode);
        stop_remove_at_exit(file);
        raise(first);
        if (!stop_asked(NULL) || stop_signal() != first || !stop_asked(STOP_AFTER_MS(0)) ||
            stop_asked(STOP_AFTER_MS(60 * 1000)))
            _exit(99);
        stop_pause_ms(60 * 1000); /* not past a request */
        if (second != 0)
            raise(second);
        stop_keep_at_exit(file);
        _exit(0);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + status;
}

static void signals_stop(void **state)
{
    char file[] = "/tmp/test_base.XXXXXX";
    (void)state;
    int fd = mkstemp(file);
    assert_true(fd >= 0);
    close(fd);
    assert_int_equal(end_by(STOP_IN_ORDER, file, SIGTERM, 0), 0);
    assert_int_equal(access(file, F_OK), 0);
    assert_int_equal(end_by(STOP_IN_ORDER, file, SIGTERM, SIGINT), 128 + SIGINT);
    assert_int_equal(access(file, F_OK), -1);
    assert_int_equal(end_by(STOP_AT_ONCE, file, SIGINT, 0), 128 + SIGINT);
    stop_catch_signals(STOP_IN_ORDER);
    assert_false(stop_asked(NULL) || stop_asked(STOP_AFTER_MS(1)));
    stop_request();
    assert_true(stop_asked(NULL));
    assert_int_equal(stop_signal(), 0);
    stop_catch_signals(STOP_IN_ORDER);
    assert_false(stop_asked(NULL));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(view_comparisons),
        cmocka_unit_test(view_searches),
        cmocka_unit_test(view_parts),
        cmocka_unit_test(view_numbers),
        cmocka_unit_test(buf_grows),
        cmocka_unit_test(buf_ceiling),
        cmocka_unit_test(utf8_characters),
        cmocka_unit_test(utf8_all_scalar_values),
        cmocka_unit_test(utf8_cuts),
        cmocka_unit_test(json_strings),
        cmocka_unit_test(json_documents),
        cmocka_unit_test(json_in_parts),
        cmocka_unit_test(decimals),
        cmocka_unit_test(grouped_numbers),
        cmocka_unit_test(json_wide_numbers),
        cmocka_unit_test(suggestions),
        cmocka_unit_test(signals_stop),
        cmocka_unit_test(arrays_grow),
        cmocka_unit_test(tables_find_what_was_added),
        cmocka_unit_test(tuples_are_numbered_once),
        cmocka_unit_test(hashes_stay_inside),
        cmocka_unit_test(text_is_copied),
        cmocka_unit_test(hexadecimal_digits),
        cmocka_unit_test(hexadecimal_bytes),
        cmocka_unit_test(errors_are_cut),
    };
    return cmocka_run_group_tests_name("base", tests, NULL, NULL);
}
