/* test_report.c: the bytes of every report format, and values that could break out of it. */
#include "unit.h"

#include "base/buf.h"
#include "report/report.h"

struct call {
    int64_t time;
    const char *model, *region;
    uint64_t input, output;
    enum invocation_outcome outcome;
};

static struct aggregate *make(const char *by, int64_t interval, const struct call *calls, size_t n)
{
    static struct dimension_keys keys;
    struct dimension_set set;
    keys = (struct dimension_keys){.metadata_count = 0};
    assert_int_equal(dimension_set_parse(view_of(by), &keys, &set, NULL), ST_OK);
    struct aggregate_options options = {
        .sets = &set, .set_count = 1, .keys = &keys, .interval_seconds = interval};
    struct aggregate *agg = aggregate_new(&options);
    for (size_t i = 0; i < n; i++) {
        struct record record = {
            .time = {calls[i].time, 0},
            .outcome = calls[i].outcome,
            .tokens = {[NUMBER_INPUT] = calls[i].input, [NUMBER_OUTPUT] = calls[i].output},
            .model_id = view_of(calls[i].model),
            .region = view_of(calls[i].region),
        };
        assert_int_equal(aggregate_add(agg, &record), ST_OK);
    }
    aggregate_commit(agg);
    return agg;
}

typedef enum status writer_fn(const struct report *report, FILE *out);

static char *written(writer_fn *writer, const struct report *report)
{
    char *text = NULL;
    size_t n = 0;
    FILE *out = open_memstream(&text, &n);
    assert_int_equal(writer(report, out), ST_OK);
    fclose(out);
    return text;
}

static void expect(writer_fn *writer, const struct report *report, const char *wanted)
{
    char *text = written(writer, report);
    expect_view(0, view_of(text), view_of(wanted));
    free(text);
}

static const struct call calls[] = {
    {1793529060, "us.anthropic.claude-sonnet-4-6", "us-east-1", 1234567, 89, INVOCATION_OK},
    {1793529061, "us.anthropic.claude-sonnet-4-6", "us-east-1", 3, 4, INVOCATION_OK},
    {1793529125, "amazon.nova-lite-v1:0", "eu-west-1", 10, 20, INVOCATION_OK},
    {1793529125, "amazon.nova-lite-v1:0", "eu-west-1", 0, 0, INVOCATION_THROTTLED},
};

static const struct tally tally = {
    .objects = {.found = 3, .counted = 1, .failed = 1, .skipped = {[OBJECT_OFFLOADED_BODY] = 1}},
    .records = {.found = 6, .counted = 4, .skipped = {[RECORD_INVALID] = 2}},
    .bytes_read = 1000,
    .bytes_inflated = 5000,
    .has_times = true,
    .first_time = 1793529060,
    .last_time = 1793529125,
};

static struct report report_of(const struct aggregate *agg)
{
    return (struct report){
        .aggregate = agg,
        .interval = aggregate_interval(agg) == 0 ? "all" : "1m",
        .metrics = METRIC_SET_BASE,
        .tally = &tally,
    };
}

static void json(void **state)
{
    (void)state;
    struct aggregate *agg = make("InferenceProfileType,ModelId", 0, calls, COUNT_OF(calls));
    struct report report = report_of(agg);
    expect(
        report_write_json, &report,
        "{\"schema\":\"bedrock-metrics/aggregate/1\",\n"
        "\"by\":[\"InferenceProfileType\",\"ModelId\"],\"interval\":\"all\",\n"
        "\"rows\":[\n"
        "{\"InferenceProfileType\":\"CrossRegion\",\"ModelId\":\"anthropic.claude-sonnet-4-6\","
        "\"Invocations\":2,\"InputTokenCount\":1234570,\"OutputTokenCount\":93,"
        "\"CacheReadInputTokenCount\":0,\"CacheWriteInputTokenCount\":0,"
        "\"TotalTokenCount\":1234663,\"InvocationClientErrors\":0,\"InvocationServerErrors\":0,"
        "\"InvocationThrottles\":0},\n"
        "{\"InferenceProfileType\":\"InRegion\",\"ModelId\":\"amazon.nova-lite-v1:0\","
        "\"Invocations\":1,\"InputTokenCount\":10,\"OutputTokenCount\":20,"
        "\"CacheReadInputTokenCount\":0,\"CacheWriteInputTokenCount\":0,\"TotalTokenCount\":30,"
        "\"InvocationClientErrors\":0,\"InvocationServerErrors\":0,\"InvocationThrottles\":1}],\n"
        "\"totals\":{\"Invocations\":3,\"InputTokenCount\":1234580,\"OutputTokenCount\":113,"
        "\"CacheReadInputTokenCount\":0,\"CacheWriteInputTokenCount\":0,"
        "\"TotalTokenCount\":1234693,\"InvocationClientErrors\":0,\"InvocationServerErrors\":0,"
        "\"InvocationThrottles\":1},\n"
        "\"objects\":{\"found\":3,\"counted\":1,\"duplicate\":0,\"failed\":1,"
        "\"skipped\":{\"offloaded_body\":1}},\n"
        "\"records\":{\"found\":6,\"counted\":4,\"skipped\":{\"invalid\":2}},\n"
        "\"bytes\":{\"read\":1000,\"inflated\":5000}}\n");
    aggregate_free(agg);
}

static void csv(void **state)
{
    (void)state;
    struct aggregate *agg = make("SourceRegion,ModelId", 60, calls, COUNT_OF(calls));
    struct report report = report_of(agg);
    report.metrics = METRIC_BIT(METRIC_INVOCATIONS) | METRIC_BIT(METRIC_TOTAL);
    expect(report_write_csv, &report,
           "time,SourceRegion,ModelId,Invocations,TotalTokenCount\n"
           "2026-11-01T10:31:00Z,us-east-1,anthropic.claude-sonnet-4-6,2,1234663\n"
           "2026-11-01T10:32:00Z,eu-west-1,amazon.nova-lite-v1:0,1,30\n");
    aggregate_free(agg);
}

static void openmetrics(void **state)
{
    (void)state;
    struct aggregate *agg = make("ModelId", 60, calls, COUNT_OF(calls));
    struct report report = report_of(agg);
    report.metrics = METRIC_BIT(METRIC_INVOCATIONS) | METRIC_BIT(METRIC_THROTTLES);
    expect(report_write_openmetrics, &report,
           "# TYPE bedrock_invocations gauge\n"
           "# HELP bedrock_invocations Invocations without an error.\n"
           "bedrock_invocations{model_id=\"amazon.nova-lite-v1:0\"} 1 1793529120\n"
           "bedrock_invocations{model_id=\"anthropic.claude-sonnet-4-6\"} 2 1793529060\n"
           "# TYPE bedrock_invocation_throttles gauge\n"
           "# HELP bedrock_invocation_throttles Invocations that were throttled.\n"
           "bedrock_invocation_throttles{model_id=\"amazon.nova-lite-v1:0\"} 1 1793529120\n"
           "bedrock_invocation_throttles{model_id=\"anthropic.claude-sonnet-4-6\"} 0 1793529060\n"
           "# EOF\n");
    aggregate_free(agg);
}

/* Samples of one series stand together and go up in time, whatever the rows' order. */
static void openmetrics_series(void **state)
{
    (void)state;
    static const struct call mixed[] = {
        {60, "b.b", "r", 1, 0, INVOCATION_OK},
        {0, "b.b", "r", 2, 0, INVOCATION_OK},
        {60, "a.a", "r", 3, 0, INVOCATION_OK},
        {0, "a.a", "r", 4, 0, INVOCATION_OK},
    };
    struct aggregate *agg = make("ModelId", 60, mixed, COUNT_OF(mixed));
    struct report report = report_of(agg);
    report.metrics = METRIC_BIT(METRIC_INPUT);
    char *text = written(report_write_openmetrics, &report);
    assert_non_null(strstr(text, "{model_id=\"a.a\"} 4 0\n"
                                 "bedrock_input_token_count{model_id=\"a.a\"} 3 60\n"
                                 "bedrock_input_token_count{model_id=\"b.b\"} 2 0\n"
                                 "bedrock_input_token_count{model_id=\"b.b\"} 1 60\n# EOF\n"));
    free(text);
    aggregate_free(agg);
}

static void openmetrics_names(void **state)
{
    static const struct {
        struct view name, wanted;
    } names[] =
        {
            {TEXT("InputTokenCount"), TEXT("input_token_count")},
            {TEXT("ModelId"), TEXT("model_id")},
            {TEXT("Metadata:team"), TEXT("metadata_team")},
            {TEXT("Metadata:cost center"), TEXT("metadata_cost_center")},
            {TEXT("Metadata:K\xc3\xa9y\n\"}"), TEXT("metadata_k__y___")},
        },
      values[] = {
          {TEXT("plain"), TEXT("plain")},
          {TEXT("a\\b\"c\nd"), TEXT("a\\\\b\\\"c\\nd")},
          {TEXT(""), TEXT("")},
      };
    (void)state;
    struct buf out;
    buf_init(&out, 256);
    for (size_t i = 0; i < COUNT_OF(names); i++) {
        buf_reset(&out);
        openmetrics_add_name(&out, names[i].name);
        expect_view(i, buf_view(&out), names[i].wanted);
    }
    for (size_t i = 0; i < COUNT_OF(values); i++) {
        buf_reset(&out);
        openmetrics_add_label_value(&out, values[i].name);
        expect_view(i, buf_view(&out), values[i].wanted);
    }
    buf_clear(&out);
}

static void table(void **state)
{
    (void)state;
    struct aggregate *agg = make("ModelId", 0, calls, COUNT_OF(calls));
    struct report report = report_of(agg);
    char *text = written(report_write_table, &report);
    static const char *const wanted[] = {"ModelId", "1,234,570", "1,234,663",
                                         "Total",   "100.0%",    "anthropic.claude-sonnet-4-6"};
    for (size_t i = 0; i < COUNT_OF(wanted); i++) {
        if (strstr(text, wanted[i]) == NULL)
            fail_row(i, "no %s in\n%s", wanted[i], text);
    }
    assert_null(strchr(text, '\033'));
    free(text);
    report.colour = true;
    text = written(report_write_table, &report);
    assert_non_null(strstr(text, "\033[1m"));
    free(text);
    aggregate_free(agg);
}

/* Columns of a line as a terminal shows it; every character here takes one. */
static size_t columns(const char *line, size_t bytes)
{
    size_t n = 0;
    for (size_t i = 0; i < bytes; i++)
        n += ((unsigned char)line[i] & 0xc0) != 0x80;
    return n;
}

static void table_fits(void **state)
{
    (void)state;
    static const struct call wide[] = {
        {0, "us.anthropic.a-very-long-model-name-that-does-not-fit-anywhere-v1:0",
         "a-region-with-a-name-much-longer-than-regions-have", 999999999999, 1, INVOCATION_OK},
        {0, "us.anthropic.caf\xc3\xa9-\xe2\x82\xac\xe2\x82\xac\xe2\x82\xac-\xf0\x9f\x98\x80",
         "us-east-1", 1, 1, INVOCATION_OK},
    };
    struct aggregate *agg =
        make("ModelId,SourceRegion,InferenceProfile", 3600, wide, COUNT_OF(wide));
    for (size_t width = 80; width < 240; width++) {
        struct report report = report_of(agg);
        report.interval = "1h";
        report.width = width;
        char *text = written(report_write_table, &report);
        for (const char *line = text; *line != '\0'; line = strchr(line, '\n') + 1) {
            size_t n = columns(line, (size_t)(strchr(line, '\n') - line));
            if (n > width)
                fail_msg("%u columns for a width of %u:\n%s", (unsigned)n, (unsigned)width, text);
        }
        free(text);
    }
    aggregate_free(agg);
}

/* Values with everything in them that a format or terminal could take for its own. */
static void hostile_values(void **state)
{
    (void)state;
    static const struct call hostile[] = {
        {0, "a.b", "\x1b[31m", 1, 0, INVOCATION_OK},
        {0, "a.b", "x\",\"y\ny\r", 1, 0, INVOCATION_OK},
        {0, "a.b", "</script>\xe2\x80\xae\xe2\x80\xa8", 1, 0, INVOCATION_OK},
        {0, "a.b", "=1+2", 1, 0, INVOCATION_OK},
        {0, "a.b", "} 5\n# EOF", 1, 0, INVOCATION_OK},
    };
    static const struct {
        writer_fn *writer;
        size_t lines; /* exactly so many line feeds */
    } cases[] = {{report_write_json, 12},
                 {report_write_csv, 8},
                 {report_write_table, 9},
                 {report_write_openmetrics, 8}};
    struct aggregate *agg = make("SourceRegion", 0, hostile, COUNT_OF(hostile));
    struct report report = report_of(agg);
    report.metrics = METRIC_BIT(METRIC_INVOCATIONS);
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        char *text = written(cases[i].writer, &report);
        size_t lines = 0;
        for (const char *p = text; *p != '\0'; p++)
            lines += *p == '\n';
        if (lines != cases[i].lines)
            fail_row(i, "%u lines:\n%s", (unsigned)lines, text);
        if (i == 0 || i == 2) {
            assert_null(strchr(text, '\033'));
            assert_null(strstr(text, "\xe2\x80\xae"));
        }
        free(text);
    }
    aggregate_free(agg);
}

static void empty(void **state)
{
    (void)state;
    struct aggregate *agg = make("ModelId", 0, NULL, 0);
    struct report report = report_of(agg);
    report.metrics = METRIC_BIT(METRIC_INVOCATIONS);
    struct tally nothing = {0};
    report.tally = &nothing;
    expect(report_write_csv, &report, "ModelId,Invocations\n");
    expect(report_write_json, &report,
           "{\"schema\":\"bedrock-metrics/aggregate/1\",\n\"by\":[\"ModelId\"],"
           "\"interval\":\"all\",\n\"rows\":[],\n\"totals\":{\"Invocations\":0},\n"
           "\"objects\":{\"found\":0,\"counted\":0,\"duplicate\":0,\"failed\":0,\"skipped\":{}},\n"
           "\"records\":{\"found\":0,\"counted\":0,\"skipped\":{}},\n"
           "\"bytes\":{\"read\":0,\"inflated\":0}}\n");
    char *text = written(report_write_table, &report);
    assert_non_null(strstr(text, "Total"));
    free(text);
    text = written(report_write_openmetrics, &report);
    assert_true(view_ends(view_of(text), VIEW_LIT("# EOF\n")));
    free(text);
    aggregate_free(agg);
}

static void costs(void **state)
{
    static const struct {
        uint64_t cost;
        const char *text;
    } cases[] = {
        {0, "0"},
        {1, "0.000000000001"},
        {1000000000000, "1"},
        {1500000000000, "1.5"},
        {12300000000, "0.0123"},
        {999999999999, "0.999999999999"},
        {UINT64_MAX, "18446744.073709551615"},
    };
    (void)state;
    struct buf out;
    buf_init(&out, 64);
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        buf_reset(&out);
        buf_add_decimal(&out, cases[i].cost, 12);
        expect_view(i, buf_view(&out), view_of(cases[i].text));
    }
    buf_reset(&out);
    metric_add_value(&out, METRIC_COST, 250000000000);
    metric_add_value(&out, METRIC_INPUT, 25);
    expect_view(99, buf_view(&out), VIEW_LIT("0.2525"));
    buf_clear(&out);
}

/* A full disk is an error, in whichever row it shows. */
static void full_disk(void **state)
{
    (void)state;
    static writer_fn *const writers[] = {report_write_json, report_write_csv, report_write_table,
                                         report_write_openmetrics};
    static struct call many[3000];
    static char names[3000][64];
    for (size_t i = 0; i < COUNT_OF(many); i++) {
        snprintf(names[i], sizeof(names[i]), "vendor.model-%u", (unsigned)i);
        many[i] = (struct call){0, names[i], "r", 1, 1, INVOCATION_OK};
    }
    struct aggregate *agg = make("ModelId", 0, many, COUNT_OF(many));
    struct report report = report_of(agg);
    for (size_t i = 0; i < COUNT_OF(writers); i++) {
        FILE *full = fopen("/dev/full", "w");
        assert_non_null(full);
        setvbuf(full, NULL, _IONBF, 0);
        expect_status(i, writers[i](&report, full), ST_IO);
        fclose(full);
    }
    aggregate_free(agg);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(json),
        cmocka_unit_test(csv),
        cmocka_unit_test(openmetrics),
        cmocka_unit_test(openmetrics_series),
        cmocka_unit_test(openmetrics_names),
        cmocka_unit_test(table),
        cmocka_unit_test(table_fits),
        cmocka_unit_test(hostile_values),
        cmocka_unit_test(empty),
        cmocka_unit_test(costs),
        cmocka_unit_test(full_disk),
    };
    return cmocka_run_group_tests_name("report", tests, NULL, NULL);
}
