/* test_run.c: the balance, and settings from environment and files. */
#include "unit.h"

#include "config/config.h"
#include "config/dimension_sets.h"
#include "config/variables.h"
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
        bool wanted;
    } cases[] = {
        {NULL, ST_OK, false},       {"", ST_OK, false},      {"true", ST_OK, true},
        {"TRUE", ST_OK, true},      {"1", ST_OK, true},      {"Yes", ST_OK, true},
        {"on", ST_OK, true},        {"false", ST_OK, false}, {"0", ST_OK, false},
        {"no", ST_OK, false},       {"OFF", ST_OK, false},   {"2", ST_USAGE, false},
        {"true ", ST_USAGE, false}, {"y", ST_USAGE, false},
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        bool got = !cases[i].wanted;
        struct error err = {.text = ""};
        unsetenv("METRIC_LATENCY");
        if (cases[i].value != NULL)
            setenv("METRIC_LATENCY", cases[i].value, 1);
        expect_status(i, variable_flag(VAR_METRIC_LATENCY, &got, &err), cases[i].status);
        if (cases[i].status == ST_OK)
            expect_u64(i, "value", got, cases[i].wanted);
        else if (strstr(err.text, cases[i].value) == NULL ||
                 strncmp(err.text, "METRIC_LATENCY: ", 16) != 0)
            fail_row(i, "\"%s\"", err.text);
    }
    unsetenv("METRIC_LATENCY");
}

static void numbers(void **state)
{
    static const struct {
        const char *value;
        enum status status;
        uint64_t wanted;
    } cases[] = {
        {NULL, ST_OK, 35},
        {"", ST_OK, 35},
        {"17", ST_OK, 17},
        {"3650", ST_OK, 3650},
        {"16", ST_USAGE, 0},
        {"3651", ST_USAGE, 0},
        {"-35", ST_USAGE, 0},
        {"35.0", ST_USAGE, 0},
        {"35x", ST_USAGE, 0},
        {" 35", ST_USAGE, 0},
        {"0x23", ST_USAGE, 0},
        {"five", ST_USAGE, 0},
        {"99999999999999999999", ST_USAGE, 0},
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        uint64_t got = 0;
        struct error err = {.text = ""};
        unsetenv("LEDGER_TTL_DAYS");
        if (cases[i].value != NULL)
            setenv("LEDGER_TTL_DAYS", cases[i].value, 1);
        expect_status(i, variable_number(VAR_LEDGER_TTL_DAYS, &got, &err), cases[i].status);
        if (cases[i].status == ST_OK)
            expect_u64(i, "value", got, cases[i].wanted);
        else if (strncmp(err.text, "LEDGER_TTL_DAYS: must be an integer from 17 to 3650, not \"",
                         57) != 0)
            fail_row(i, "\"%s\"", err.text);
    }
    unsetenv("LEDGER_TTL_DAYS");
}

/* Each row by itself: a default that is good, words that differ, a name that is told apart. */
static void variables(void **state)
{
    (void)state;
    for (unsigned i = 0; i < VARIABLE_COUNT; i++) {
        const struct variable *v = variable_at(i);
        struct error err = {.text = ""};
        const char *kept = getenv(v->name);
        unsetenv(v->name);
        if (variable_check(i, &err) != ST_OK || v->help[0] == '\0' || v->readers == 0)
            fail_row(i, "%s: %s", v->name, err.text);
        assert_false(variable_given(i));
        assert_ptr_equal(variable_get(i), v->otherwise);
        setenv(v->name, "\"nonsense", 1);
        assert_true(variable_given(i));
        assert_string_equal(variable_get(i), "\"nonsense");
        enum status wanted = v->kind == VARIABLE_TEXT ? ST_OK : ST_USAGE;
        expect_status(i, variable_check(i, &err), wanted);
        if (wanted != ST_OK && (strncmp(err.text, v->name, strlen(v->name)) != 0 ||
                                strstr(err.text, "\"nonsense") == NULL))
            fail_row(i, "%s: %s", v->name, err.text);
        assert_int_equal(v->kind == VARIABLE_CHOICE, v->words != NULL);
        assert_int_equal(v->kind == VARIABLE_NUMBER, v->high > 0);
        unsetenv(v->name);
        if (kept != NULL)
            setenv(v->name, kept, 1);
        for (unsigned k = 0; k < i; k++)
            assert_string_not_equal(v->name, variable_at(k)->name);
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
        {NULL, ST_OK, METRIC_SET_BASE | METRIC_SET_COST, ""},
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
        expect_status(i, dimension_sets_choose_metrics(NULL, &got, &err), cases[i].status);
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
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tallies),   cmocka_unit_test(balance_lines),
        cmocka_unit_test(booleans),  cmocka_unit_test(numbers),
        cmocka_unit_test(variables), cmocka_unit_test(chosen_metrics),
        cmocka_unit_test(env_files),
    };
    return cmocka_run_group_tests_name("run", tests, NULL, NULL);
}
