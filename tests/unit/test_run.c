/* test_run.c: the balance, and settings from environment and files. */
#include "unit.h"

#include "config/config.h"
#include "report/report.h"

static void tallies(void **state)
{
    (void)state;
    struct tally a = {.objects = {.found = 10, .counted = 5, .duplicate = 1, .failed = 1}};
    a.objects.skipped[OBJECT_OFFLOADED_BODY] = 2;
    a.objects.skipped[OBJECT_MISSING] = 1;
    a.records = (struct record_tally){.found = 7, .counted = 3, .skipped = {1, 1, 1, 1}};
    a.bytes_read = 100;
    a.bytes_inflated = 900;
    assert_true(tally_balances(&a));
    assert_int_equal(tally_objects_skipped(&a), 3);
    assert_int_equal(tally_records_skipped(&a), 4);
    tally_see_time(&a, 50);
    tally_see_time(&a, -20);
    tally_see_time(&a, 10);
    struct tally sum = {.has_times = false};
    tally_add(&sum, &a);
    tally_add(&sum, &a);
    struct tally none = {.has_times = false};
    tally_add(&sum, &none);
    assert_true(tally_balances(&sum));
    assert_int_equal(sum.objects.found, 20);
    assert_int_equal(sum.records.skipped[RECORD_OUT_OF_RANGE], 2);
    assert_int_equal(sum.bytes_inflated, 1800);
    assert_int_equal(sum.first_time, -20);
    assert_int_equal(sum.last_time, 50);
    for (int which = 0; which < 4; which++) {
        struct tally broken = a;
        broken.objects.found += which == 0;
        broken.objects.skipped[OBJECT_OTHER_SERVICE] += which == 1;
        broken.records.counted += which == 2;
        broken.records.skipped[RECORD_MALFORMED] += which == 3;
        assert_false(tally_balances(&broken));
    }
}

static void balance_lines(void **state)
{
    (void)state;
    struct tally t = {.objects = {.found = 4, .counted = 1, .duplicate = 1, .failed = 1}};
    t.objects.skipped[OBJECT_PERMISSION_CHECK] = 1;
    t.records = (struct record_tally){.found = 5, .counted = 2, .skipped = {2, 0, 1, 0}};
    char *text = NULL;
    size_t n = 0;
    FILE *out = open_memstream(&text, &n);
    report_print_tally(&t, out);
    fclose(out);
    assert_string_equal(text,
                        "objects: 4 found = 1 counted + 1 duplicate + 1 failed + 1 skipped "
                        "(permission_check 1)\n"
                        "texts:   5 found = 2 counted + 3 skipped (malformed 2, invalid 1)\n");
    free(text);
}

/* ---- settings ---- */

static void booleans(void **state)
{
    static const struct {
        const char *value;
        enum status status;
        bool otherwise, wanted;
    } cases[] = {
        {NULL, ST_OK, true, true},     {"", ST_OK, true, true},
        {NULL, ST_OK, false, false},   {"true", ST_OK, false, true},
        {"TRUE", ST_OK, false, true},  {"1", ST_OK, false, true},
        {"Yes", ST_OK, false, true},   {"on", ST_OK, false, true},
        {"false", ST_OK, true, false}, {"0", ST_OK, true, false},
        {"no", ST_OK, true, false},    {"OFF", ST_OK, true, false},
        {"2", ST_USAGE, true, true},   {"true ", ST_USAGE, true, true},
        {"y", ST_USAGE, true, true},
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        bool got = false;
        struct error err = {.text = ""};
        unsetenv("TEST_VALUE");
        if (cases[i].value != NULL)
            setenv("TEST_VALUE", cases[i].value, 1);
        expect_status(i, config_get_bool("TEST_VALUE", cases[i].otherwise, &got, &err),
                      cases[i].status);
        if (cases[i].status == ST_OK)
            expect_u64(i, "value", got, cases[i].wanted);
        else if (strstr(err.text, cases[i].value) == NULL || strstr(err.text, "TEST_VALUE") == NULL)
            fail_row(i, "\"%s\"", err.text);
    }
}

static void numbers(void **state)
{
    static const struct {
        const char *value;
        enum status status;
        uint64_t wanted;
    } cases[] = {
        {NULL, ST_OK, 7},
        {"", ST_OK, 7},
        {"5", ST_OK, 5},
        {"10", ST_OK, 10},
        {"4", ST_USAGE, 0},
        {"11", ST_USAGE, 0},
        {"-5", ST_USAGE, 0},
        {"5.0", ST_USAGE, 0},
        {"5x", ST_USAGE, 0},
        {" 5", ST_USAGE, 0},
        {"0x5", ST_USAGE, 0},
        {"five", ST_USAGE, 0},
        {"99999999999999999999", ST_USAGE, 0},
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        uint64_t got = 0;
        struct error err = {.text = ""};
        unsetenv("TEST_VALUE");
        if (cases[i].value != NULL)
            setenv("TEST_VALUE", cases[i].value, 1);
        expect_status(i, config_get_u64("TEST_VALUE", 7, 5, 10, &got, &err), cases[i].status);
        if (cases[i].status == ST_OK)
            expect_u64(i, "value", got, cases[i].wanted);
        else if (strstr(err.text, "from 5 to 10") == NULL)
            fail_row(i, "\"%s\"", err.text);
    }
}

static void chosen_metrics(void **state)
{
    static const struct {
        const char *value;
        enum status status;
        metric_set wanted;
        const char *message;
    } cases[] = {
        {NULL, ST_OK, METRIC_SET_BASE, ""},
        {"Invocations", ST_OK, METRIC_BIT(METRIC_INVOCATIONS), ""},
        {"InputTokenCount , OutputTokenCount", ST_OK,
         METRIC_BIT(METRIC_INPUT) | METRIC_BIT(METRIC_OUTPUT), ""},
        {"InputTokens", ST_USAGE, 0, "; did you mean InputTokenCount?"},
        {"Invocations,", ST_USAGE, 0, "unknown metric \"\""},
        {"qqqq", ST_USAGE, 0, "unknown metric \"qqqq\""},
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        metric_set got = 0;
        struct error err = {.text = ""};
        unsetenv("METRICS");
        if (cases[i].value != NULL)
            setenv("METRICS", cases[i].value, 1);
        expect_status(i, config_get_metrics(METRIC_SET_BASE, &got, &err), cases[i].status);
        if (cases[i].status == ST_OK)
            expect_u64(i, "metrics", got, cases[i].wanted);
        else if (strstr(err.text, cases[i].message) == NULL)
            fail_row(i, "\"%s\"", err.text);
    }
    unsetenv("METRICS");
}

static void env_files(void **state)
{
    static const struct {
        const char *content;
        enum status status;
        const char *value; /* of TEST_A afterwards; NULL: unset */
        const char *message;
    } cases[] = {
        {"", ST_OK, NULL, ""},
        {"TEST_A=x", ST_OK, "x", ""},
        {"TEST_A=x\n", ST_OK, "x", ""},
        {"TEST_A=x\r\n", ST_OK, "x", ""},
        {"# comment\n\n  export TEST_A = spaced out \n", ST_OK, "spaced out", ""},
        {"TEST_A='single # \" quoted '\n", ST_OK, "single # \" quoted ", ""},
        {"TEST_A=\"double\"\n", ST_OK, "double", ""},
        {"TEST_A=\"half\n", ST_OK, "\"half", ""},
        {"TEST_A='v' # comment\n", ST_OK, "v", ""},
        {"TEST_A=\"v w\"\t# it's a comment, \"really\"\n", ST_OK, "v w", ""},
        {"TEST_A='' # empty\n", ST_OK, "", ""},
        {"TEST_A='a'#b\n", ST_OK, "'a'#b", ""},
        {"TEST_A='it's'\n", ST_OK, "it's", ""},
        {"TEST_A=\"a\" b\n", ST_OK, "\"a\" b", ""},
        {"TEST_A=a=b=c\n", ST_OK, "a=b=c", ""},
        {"TEST_A=first\nTEST_A=second\n", ST_OK, "first", ""},
        {"TEST_A=\n", ST_OK, "", ""},
        {"TEST_B=from file\n", ST_OK, NULL, ""},
        {"TEST_A\n", ST_USAGE, NULL, "line 1: expected NAME=VALUE"},
        {"\n\n=x\n", ST_USAGE, NULL, "line 3: expected NAME=VALUE"},
        {"1A=x\n", ST_USAGE, NULL, "line 1: expected"},
        {"A-B=x\n", ST_USAGE, NULL, "line 1: expected"},
        {"TEST_A=x\nrubbish here\n", ST_USAGE, "x", "line 2: expected"},
    };
    (void)state;
    char path[] = "/tmp/test-run-XXXXXX";
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct error err = {.text = ""};
        unsetenv("TEST_A");
        setenv("TEST_B", "from environment", 1);
        assert_int_equal(ftruncate(fd, 0), 0);
        assert_int_equal(pwrite(fd, cases[i].content, strlen(cases[i].content), 0),
                         strlen(cases[i].content));
        expect_status(i, config_load_env_file(path, &err), cases[i].status);
        expect_view(i, view_of(getenv("TEST_A")), view_of(cases[i].value));
        assert_string_equal(getenv("TEST_B"), "from environment");
        if (strstr(err.text, cases[i].message) == NULL)
            fail_row(i, "\"%s\"", err.text);
    }
    close(fd);
    unlink(path);
    struct error err;
    assert_int_equal(config_load_env_file(path, &err), ST_MISSING);
    assert_int_equal(config_load_env_file("/", &err), ST_IO);
    setenv("TEST_A", "", 1);
    assert_string_equal(config_get("TEST_A", "otherwise"), "otherwise");
    assert_string_equal(config_get("TEST_B", "otherwise"), "from environment");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tallies), cmocka_unit_test(balance_lines),  cmocka_unit_test(booleans),
        cmocka_unit_test(numbers), cmocka_unit_test(chosen_metrics), cmocka_unit_test(env_files),
    };
    return cmocka_run_group_tests_name("run", tests, NULL, NULL);
}
