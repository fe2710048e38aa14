/* test_round.c: settings from the environment, and what becomes of messages that need no network.
 */
#include "unit.h"

#include "base/log.h"
#include "config/settings_sources.h"
#include "deliver/round.h"
#include "objects/source_s3.h"

static const char *const variables[] = {
    "METRIC_DIMENSIONS", "METRIC_RESOLUTION",
    "METRICS",           "METRIC_LATENCY",
    "PUBLISHER",         "CLOUDWATCH_NAMESPACE",
    "CLOUDWATCH_REGION", "MAX_SERIES_PER_SET",
    "S3_BUCKET_NAME",    "BATCH_SIZE",
    "FLUSH_INTERVAL",    "PRICES_FILE",
    "ROLE_ARN",          "INFERENCE_PROFILES_FILE",
};

static int clean(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(variables); i++)
        unsetenv(variables[i]);
    setenv("S3_BUCKET_NAME", "logs-a, logs-b", 1);
    setenv("METRICS", "Invocations,TotalTokenCount", 1);
    setenv("AWS_REGION", "us-east-1", 1);
    setenv("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE", 1);
    setenv("AWS_SECRET_ACCESS_KEY", "secret", 1);
    setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9", 1);
    setenv("AWS_MAX_ATTEMPTS", "1", 1);
    setenv("HOME", "/nonexistent", 1);
    return 0;
}

/* ---- settings ---- */

static void settings_values(void **state)
{
    static const struct {
        const char *name, *value;
        enum status status;
        const char *told; /* in the error */
    } cases[] = {
        {"METRIC_DIMENSIONS", "ModelId", ST_OK, NULL},
        {"METRIC_DIMENSIONS", "ModelId;Principal,AccountId;Metadata:team", ST_OK, NULL},
        {"METRIC_DIMENSIONS", "ModelId;", ST_USAGE, "METRIC_DIMENSIONS"},
        {"METRIC_DIMENSIONS", "ModelId,Operation;Operation,ModelId", ST_USAGE, "twice"},
        {"METRIC_DIMENSIONS", "Model", ST_USAGE, "\"Model\""},
        {"METRIC_DIMENSIONS", "Metadata:caf\xc3\xa9", ST_USAGE, "cannot be published"},
        {"METRIC_RESOLUTION", "1", ST_OK, NULL},
        {"METRIC_RESOLUTION", "30", ST_OK, NULL},
        {"METRIC_RESOLUTION", "3600", ST_OK, NULL},
        {"METRIC_RESOLUTION", "120", ST_OK, NULL},
        {"METRIC_RESOLUTION", "0", ST_USAGE, "\"0\""},
        {"METRIC_RESOLUTION", "2", ST_USAGE, "\"2\""},
        {"METRIC_RESOLUTION", "90", ST_USAGE, "\"90\""},
        {"METRIC_RESOLUTION", "3660", ST_USAGE, "\"3660\""},
        {"METRIC_RESOLUTION", "60s", ST_USAGE, "\"60s\""},
        {"METRICS", "InvocationLatency", ST_OK, NULL},
        {"METRICS", "Tokens", ST_USAGE, "\"Tokens\""},
        {"METRIC_LATENCY", "perhaps", ST_USAGE, "\"perhaps\""},
        {"PUBLISHER", "emf", ST_OK, NULL},
        {"PUBLISHER", "EMF", ST_USAGE, "\"EMF\""},
        {"CLOUDWATCH_NAMESPACE", "My/App-1", ST_OK, NULL},
        {"CLOUDWATCH_NAMESPACE", "AWS/Mine", ST_USAGE, "\"AWS/Mine\""},
        {"CLOUDWATCH_REGION", "eu-central-1", ST_OK, NULL},
        {"CLOUDWATCH_REGION", "evil.example.com/", ST_USAGE, "\"evil.example.com/\""},
        {"MAX_SERIES_PER_SET", "1", ST_OK, NULL},
        {"MAX_SERIES_PER_SET", "0", ST_USAGE, "\"0\""},
        {"S3_BUCKET_NAME", "a.b-c", ST_OK, NULL},
        {"S3_BUCKET_NAME", "", ST_USAGE, "S3_BUCKET_NAME"},
        {"S3_BUCKET_NAME", "good,Bad", ST_USAGE, "\"Bad\""},
        {"S3_BUCKET_NAME", "127.0.0.1", ST_USAGE, "\"127.0.0.1\""},
        {"BATCH_SIZE", "10000", ST_OK, NULL},
        {"BATCH_SIZE", "10001", ST_USAGE, "\"10001\""},
        {"FLUSH_INTERVAL", "0", ST_OK, NULL},
        {"FLUSH_INTERVAL", "901", ST_USAGE, "\"901\""},
        {"PRICES_FILE", "/nonexistent/prices", ST_USAGE, "/nonexistent/prices"},
        {"INFERENCE_PROFILES_FILE", "/nonexistent/p", ST_USAGE, "/nonexistent/p"},
    };
    static struct run_settings s;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct error err = {.text = ""};
        clean(state);
        setenv(cases[i].name, cases[i].value, 1);
        expect_status(i, settings_load(&s, &err), cases[i].status);
        if (cases[i].told != NULL && strstr(err.text, cases[i].told) == NULL)
            fail_row(i, "\"%s\" does not tell of %s", err.text, cases[i].told);
        settings_clear(&s);
    }
}

static void settings_latency_follows_metrics(void **state)
{
    static struct run_settings s;
    struct error err;
    clean(state);
    assert_int_equal(settings_load(&s, &err), ST_OK);
    assert_false(s.latency);
    assert_int_equal(s.set_count, 2);
    settings_clear(&s);
    setenv("METRICS", "InvocationLatency", 1);
    assert_int_equal(settings_load(&s, &err), ST_OK);
    assert_true(settings_counter(&s).latency);
    settings_clear(&s);
}

/* ---- sources ---- */

static void s3_urls(void **state)
{
    static const struct {
        const char *url, *bucket, *prefix;
        enum status status;
    } cases[] = {
        {"s3://logs", "logs", "", ST_OK},
        {"s3://logs/", "logs", "", ST_OK},
        {"s3://logs/a/b c", "logs", "a/b c", ST_OK},
        {"s3://logs//x", "logs", "/x", ST_OK},
        {"s3://", "", "", ST_USAGE},
        {"s3:///key", "", "", ST_USAGE},
        {"s3://UPPER/x", "", "", ST_USAGE},
        {"s3://a/x", "", "", ST_USAGE},
        {"https://logs", "", "", ST_USAGE},
        {"s3:/logs", "", "", ST_USAGE},
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct view bucket, prefix;
        struct error err;
        expect_status(i, source_s3_parse(view_of(cases[i].url), &bucket, &prefix, &err),
                      cases[i].status);
        if (cases[i].status != ST_OK)
            continue;
        expect_view(i, bucket, view_of(cases[i].bucket));
        expect_view(i, prefix, view_of(cases[i].prefix));
    }
}

static void key_hours(void **state)
{
#define LOGS "AWSLogs/123456789012/BedrockModelInvocationLogs/us-east-1/"
    static const struct {
        const char *key;
        int64_t hour; /* -1: none */
    } cases[] = {
        {LOGS "1970/01/01/00/x.json.gz", 0},
        {LOGS "2026/11/01/10/x.json.gz", 1793527200},
        {"a/b/" LOGS "2026/11/01/10/data/x", 1793527200},
        {"AWSLogs/x/" LOGS "2026/11/01/10/x", 1793527200},
        {LOGS "2026/11/01/x", -1},
        {LOGS "2026/13/01/10/x", -1},
        {LOGS "2026/11/01/24/x", -1},
        {LOGS "2026/1/01/10/x", -1},
        {LOGS "2026/11/01/10", -1},
        {"AWSLogs/123456789012/CloudTrail/us-east-1/2026/11/01/10/x", -1},
        {"", -1},
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        int64_t hour = -1;
        bool has = s3_key_hour(view_of(cases[i].key), &hour);
        if (has != (cases[i].hour >= 0) || (has && hour != cases[i].hour))
            fail_row(i, "%d %lld", has, (long long)hour);
    }
}

static void mixed_sources(void **state)
{
    static char file[] = "/nonexistent/a", url[] = "s3://logs/x", bad[] = "s3://Bad";
    struct time_range range = {.has_since = false};
    struct sources s;
    struct error err;
    clean(state);
    assert_int_equal(sources_open(&s, (char *[]){file}, 1, &range, &err), ST_OK);
    assert_int_equal(s.count, 1);
    assert_null(s.pools[0]); /* AWS is not looked at */
    sources_close(&s);
    assert_int_equal(sources_open(&s, (char *[]){url, file}, 2, &range, &err), ST_OK);
    assert_int_equal(s.count, 2);
    sources_close(&s);
    assert_int_equal(sources_open(&s, (char *[]){bad}, 1, &range, &err), ST_USAGE);
    sources_close(&s);
}

/* ---- messages ---- */

#define RECORD(bucket, key, name)                                                                  \
    "{\"eventVersion\":\"2.1\",\"eventSource\":\"aws:s3\",\"awsRegion\":\"us-east-1\","            \
    "\"eventName\":\"" name "\",\"s3\":{\"bucket\":{\"name\":\"" bucket "\"},"                     \
    "\"object\":{\"key\":\"" key "\",\"size\":1}}}"
#define EVENT(record) "{\"Records\":[" record "]}"
#define PUT "ObjectCreated:Put"

static void messages_without_network(void **state)
{
    static const struct {
        const char *body;
        enum status status;
        bool ordered;
    } cases[] = {
        {"{\"Event\":\"s3:TestEvent\",\"Bucket\":\"logs-a\"}", ST_OK, false},
        {EVENT(RECORD("logs-a", "k", "ObjectRemoved:Delete")), ST_OK, false},
        {EVENT(RECORD("logs-a", "x/BedrockModelInvocationLogs/data/y", PUT)), ST_OK, false},
        {EVENT(RECORD("logs-b", "amazon-bedrock-logs-permission-check", PUT)), ST_OK, false},
        {EVENT(RECORD("logs-c", "k", PUT)), ST_DENIED, false},
        {EVENT(RECORD("logs-b", "amazon-bedrock-logs-permission-check", PUT) "," RECORD("logs-c",
                                                                                        "k", PUT)),
         ST_DENIED, false},
        {"", ST_BAD_ITEM, false},
        {"{}", ST_BAD_ITEM, false},
        {"[1,2", ST_BAD_ITEM, false},
        /* Nothing listens there: surely not read. */
        {EVENT(RECORD("logs-a", "k", PUT)), ST_RETRY, false},
    };
    static struct run_settings s;
    struct settings_aws aws;
    struct round *r;
    struct round_summary summary;
    struct error err;
    clean(state);
    log_setup(LOG_OFF, LOG_TEXT, false);
    assert_int_equal(settings_load(&s, &err), ST_OK);
    assert_int_equal(settings_aws_open(&aws, &err), ST_OK);
    struct round_options options = {.settings = &s, .aws = &aws, .readers = 3, .emf_fd = -1};
    assert_int_equal(round_new(&r, &options, &err), ST_OK);
    struct round_message messages[COUNT_OF(cases)], *each[COUNT_OF(cases)];
    for (size_t i = 0; i < COUNT_OF(cases); i++)
        each[i] = &messages[i];
    for (unsigned again = 0; again < 2; again++) {
        uint64_t returned = 0;
        memset(messages, 0, sizeof(messages));
        for (size_t i = 0; i < COUNT_OF(cases); i++) {
            messages[i].body = view_of(cases[i].body);
            returned += cases[i].status != ST_OK;
        }
        round_add(r, each, COUNT_OF(cases));
        round_publish(r, &summary);
        for (size_t i = 0; i < COUNT_OF(cases); i++)
            expect_status(i, messages[i].status, cases[i].status);
        assert_int_equal(summary.messages, COUNT_OF(cases));
        assert_int_equal(summary.returned, returned);
        assert_int_equal(summary.test_events, 1);
        assert_int_equal(summary.other_events, 1);
        assert_int_equal(summary.published.requests, 0);
        assert_true(tally_balances(&summary.tally));
    }
    /* FIFO: behind the first failure nothing is done. */
    memset(messages, 0, sizeof(messages));
    for (size_t i = 0; i < 4; i++) {
        messages[i].ordered = true;
        messages[i].body = view_of(cases[i == 1 ? 7 : 0].body);
    }
    round_add(r, each, 4);
    round_publish(r, &summary);
    assert_int_equal(messages[0].status, ST_OK);
    assert_int_equal(messages[1].status, ST_BAD_ITEM);
    assert_int_equal(messages[2].status, ST_CANCELLED);
    assert_int_equal(messages[3].status, ST_CANCELLED);
    /* The deadline has passed: everything comes back, none of it read. */
    round_set_deadlines(r, 0, 0);
    memset(messages, 0, sizeof(messages));
    messages[0].body = view_of(cases[0].body);
    round_add(r, each, 1);
    round_publish(r, &summary);
    assert_int_equal(messages[0].status, ST_CANCELLED);
    round_free(r);
    settings_aws_close(&aws);
    settings_clear(&s);
}

static void roles(void **state)
{
    struct settings_aws aws;
    struct error err;
    clean(state);
    setenv("ROLE_ARN", "logs-b=arn:aws:iam::123456789012:role/b, arn:aws:iam::123456789012:role/x",
           1);
    assert_int_equal(settings_aws_open(&aws, &err), ST_OK);
    assert_int_equal(aws.role_count, 2);
    assert_int_equal(settings_aws_role(&aws, VIEW_LIT("logs-b")), 0);
    assert_int_equal(settings_aws_role(&aws, VIEW_LIT("logs-z")), 1);
    settings_aws_close(&aws);
    unsetenv("ROLE_ARN");
    assert_int_equal(settings_aws_open(&aws, &err), ST_OK);
    assert_int_equal(settings_aws_role(&aws, VIEW_LIT("logs-b")), 0); /* our own */
    settings_aws_close(&aws);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(settings_values), cmocka_unit_test(settings_latency_follows_metrics),
        cmocka_unit_test(s3_urls),         cmocka_unit_test(key_hours),
        cmocka_unit_test(mixed_sources),   cmocka_unit_test(messages_without_network),
        cmocka_unit_test(roles),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
