/*
 * test_events.c: what arrives -> object references.
 *
 * Bodies of real shape with every field are files in tests/unit/events/ (run from the root of the
 * project); bad ones are one line each in the tables below.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>
#include <jansson.h>

#include "events/event_body.h"
#include "events/event_direct.h"
#include "events/event_private.h"
#include "events/event_sqs.h"

/* A view in a static table. */
#define TEXT(literal)                                                                              \
    {                                                                                              \
        (literal), sizeof(literal) - 1                                                             \
    }

#define BUCKET "bedrock-logs-123456789012"
#define ETAG "b21b84d653bb07b05b1e6b33684dc11b"
#define VERSION "096fKKXTRTtl3on89fVO.nfljtsv6qko"
#define SEQUENCER "0055AED6DCD90281E5"
#define LONG_KEY                                                                                   \
    "AWSLogs/123456789012/BedrockModelInvocationLogs/us-east-1/2026/11/25/10/"                     \
    "20261125T101530123Z_0a1b2c3d4e5f6071.json.gz"

/* The file's bytes in a block of exactly their size, so that ASan sees any read behind them. */
static struct view read_golden(const char *name)
{
    char path[256];
    snprintf(path, sizeof(path), "tests/unit/events/%s", name);
    FILE *file = fopen(path, "rb");
    if (file == NULL)
        fail_msg("cannot open %s: run from the root of the project", path);
    static char whole[1 << 20];
    size_t n = fread(whole, 1, sizeof(whole), file);
    fclose(file);
    char *bytes = malloc(n);
    assert_non_null(bytes);
    memcpy(bytes, whole, n);
    return view_make(bytes, n);
}

static void free_view(struct view v)
{
    union {
        const char *in;
        void *out;
    } p = {.in = v.ptr};
    free(p.out);
}

static void assert_view(struct view got, struct view wanted)
{
    if (!view_eq(got, wanted))
        fail_msg("got \"%.*s\", wanted \"%.*s\"", (int)got.len, got.len ? got.ptr : "",
                 (int)wanted.len, wanted.len ? wanted.ptr : "");
}

static const struct golden {
    const char *file;
    size_t objects, tests, others;
    struct {
        struct view key;
        const char *etag, *version, *name, *region, *sequencer;
        int64_t size; /* -1: not announced */
    } object[3];
} goldens[] = {
    {"s3_put.json",
     1,
     0,
     0,
     {{TEXT(LONG_KEY), ETAG, VERSION, "ObjectCreated:Put", "us-east-1", SEQUENCER, 1305107}}},
    {"s3_many.json",
     3,
     0,
     1,
     {{TEXT("a.gz"), ETAG, VERSION, "ObjectCreated:Put", "us-east-1", SEQUENCER, 1305107},
      {TEXT("pre fix/caf\xc3\xa9 + 100%/\xe2\x82\xac\n\0end.gz"), ETAG, "",
       "ObjectCreated:CompleteMultipartUpload", "us-east-1", SEQUENCER, 1305107},
      {TEXT("z/z"), "quoted-7", "", "ObjectCreated:Put", "us-east-1", SEQUENCER, 0}}},
    {.file = "s3_other.json", .tests = 0, .others = 2},
    {.file = "s3_test.json", .tests = 1, .others = 0},
    {"sns_s3.json",
     2,
     0,
     0,
     {{TEXT("a b.gz"), ETAG, VERSION, "ObjectCreated:Put", "us-east-1", SEQUENCER, 1305107},
      {TEXT("c.gz"), ETAG, VERSION, "ObjectCreated:Put", "us-east-1", SEQUENCER, 1305107}}},
    {"sns_fifo_s3.json",
     1,
     0,
     0,
     {{TEXT("f.gz"), ETAG, VERSION, "ObjectCreated:Put", "us-east-1", SEQUENCER, 1305107}}},
    {.file = "sns_test.json", .tests = 1, .others = 0},
    {"eventbridge.json",
     1,
     0,
     0,
     {{TEXT("p+q/100%25/2026-11-25T10:15 \xc3\xa9.json.gz"), "b1946ac92492d2347c6235b4d2611184",
       "IYV3p45BT0ac8hjHg1houSdS1a.Mro8e", "Object Created", "eu-central-1", "617f08299329d189",
       5}}},
    {"sns_eventbridge.json",
     1,
     0,
     0,
     {{TEXT("p+q/100%25/2026-11-25T10:15 \xc3\xa9.json.gz"), "b1946ac92492d2347c6235b4d2611184",
       "IYV3p45BT0ac8hjHg1houSdS1a.Mro8e", "Object Created", "eu-central-1", "617f08299329d189",
       5}}},
    {"eventbridge_emulator.json",
     1,
     0,
     0,
     {{TEXT("p+q/100%25/2026-11-25T10:15 \xc3\xa9.json.gz"), "b1946ac92492d2347c6235b4d2611184", "",
       "Object Created", "eu-central-1", "617f08299329d189", 5}}},
    {.file = "eventbridge_deleted.json", .tests = 0, .others = 1},
};

enum { NGOLDENS = sizeof(goldens) / sizeof(goldens[0]) };

static void check_golden(const struct golden *golden, const struct event_body *body)
{
    assert_int_equal(body->nobjects, golden->objects);
    assert_int_equal(body->test_events, golden->tests);
    assert_int_equal(body->other_events, golden->others);
    for (size_t i = 0; i < golden->objects; i++) {
        const struct event_object *got = &body->objects[i];
        assert_view(got->bucket, VIEW_LIT(BUCKET));
        assert_view(got->key, golden->object[i].key);
        assert_view(got->etag, view_of(golden->object[i].etag));
        assert_view(got->version_id, view_of(golden->object[i].version));
        assert_view(got->event_name, view_of(golden->object[i].name));
        assert_view(got->region, view_of(golden->object[i].region));
        assert_view(got->sequencer, view_of(golden->object[i].sequencer));
        assert_int_equal(got->has_size, golden->object[i].size >= 0);
        if (got->has_size)
            assert_int_equal(got->size, golden->object[i].size);
    }
}

static void body_goldens(void **state)
{
    (void)state;
    for (size_t i = 0; i < NGOLDENS; i++) {
        struct view text = read_golden(goldens[i].file);
        struct event_body body;
        struct error err = {.text = ""};
        if (event_body_parse(text, &body, &err) != ST_OK)
            fail_msg("%s: %s", goldens[i].file, err.text);
        free_view(text); /* nothing may point into the text */
        check_golden(&goldens[i], &body);
        event_body_clear(&body);
        event_body_clear(&body);
    }
}

static const char *const all_files[] = {
    "s3_put.json",
    "s3_many.json",
    "s3_other.json",
    "s3_test.json",
    "sns_s3.json",
    "sns_fifo_s3.json",
    "sns_test.json",
    "eventbridge.json",
    "sns_eventbridge.json",
    "eventbridge_emulator.json",
    "eventbridge_deleted.json",
    "lambda_sqs.json",
    "lambda_sqs_fifo.json",
    "lambda_sns.json",
    "command_sweep.json",
};

/* The envelope of a queue by itself, whatever else event_direct_parse() would take it for. */
static enum status parse_queue(struct view text, struct event_sqs *out)
{
    json_t *document = NULL;
    *out = (struct event_sqs){0};
    enum status st = event_json_load(text, EVENT_MAX_PAYLOAD_VALUES, &document, NULL);
    if (st == ST_OK)
        st = event_sqs_load(json_object_get(document, "Records"), text.len, out, NULL);
    json_decref(document);
    return st;
}

/* Every parser on `text`; what they say does not matter here, ASan does. */
static size_t parse_all(struct view text)
{
    struct event_body body;
    struct event_sqs sqs;
    struct event_direct direct;
    size_t understood = 0;
    understood += event_body_parse(text, &body, NULL) == ST_OK;
    understood += parse_queue(text, &sqs) == ST_OK;
    understood += event_direct_parse(text, &direct, NULL) == ST_OK;
    event_body_clear(&body);
    event_sqs_clear(&sqs);
    event_direct_clear(&direct);
    return understood;
}

/* UNIT_BRIEF in the environment makes do with fewer places, for emulators. */
static size_t step_of_places(void)
{
    return getenv("UNIT_BRIEF") != NULL ? 13 : 1;
}

/* No prefix of a body short of its last brace is understood, and none reads out of bounds. */
static void every_truncation(void **state)
{
    (void)state;
    for (size_t f = 0; f < sizeof(all_files) / sizeof(all_files[0]); f++) {
        struct view text = view_trim(read_golden(all_files[f]));
        assert_true(parse_all(text) > 0);
        for (size_t n = 0; n < text.len; n += step_of_places()) {
            char *cut = malloc(n == 0 ? 1 : n);
            assert_non_null(cut);
            memcpy(cut, text.ptr, n);
            assert_int_equal(parse_all(view_make(cut, n)), 0);
            free(cut);
        }
        free_view(text);
    }
}

/* One byte changed at a time: anything may come out, but in bounds and without leaks. */
static void every_changed_byte(void **state)
{
    (void)state;
    static const char changes[] = {'"', '\\', '{', ']', ',', '0', '\0', '%', '\x80'};
    for (size_t f = 0; f < sizeof(all_files) / sizeof(all_files[0]); f++) {
        struct view text = read_golden(all_files[f]);
        char *copy = malloc(text.len);
        assert_non_null(copy);
        memcpy(copy, text.ptr, text.len);
        for (size_t at = 0; at < text.len; at += step_of_places()) {
            copy[at] = changes[at % sizeof(changes)];
            (void)parse_all(view_make(copy, text.len));
            copy[at] = text.ptr[at];
        }
        free(copy);
        free_view(text);
    }
}

#define S3(record) "{\"Records\":[" record "]}"
#define HEAD                                                                                       \
    "\"eventVersion\":\"2.1\",\"eventSource\":\"aws:s3\",\"eventName\":\"ObjectCreated:Put\""
#define REC(s3) "{" HEAD ",\"s3\":" s3 "}"
#define KEYED(key) S3(REC("{\"bucket\":{\"name\":\"abc\"},\"object\":{\"key\":\"" key "\"}}"))
#define BUCKETED(name) S3(REC("{\"bucket\":{\"name\":\"" name "\"},\"object\":{\"key\":\"k\"}}"))
#define WITH(member)                                                                               \
    S3(REC("{\"bucket\":{\"name\":\"abc\"},\"object\":{\"key\":\"k\"," member "}}"))
#define REGION(name)                                                                               \
    S3("{" HEAD ",\"awsRegion\":\"" name                                                           \
       "\",\"s3\":{\"bucket\":{\"name\":\"abc\"},\"object\":{\"key\":\"k\"}}}")

static void bad_bodies(void **state)
{
    (void)state;
    static const struct {
        const char *body;
        const char *text; /* a part of the error's */
        uint64_t offset;
    } cases[] = {
        {"", "not a valid JSON", 0},
        {"   ", "not a valid JSON", 3},
        {"null", "not a valid JSON", 4},
        {"[]", "not an object", 0},
        {"\"x\"", "not a valid JSON", 3},
        {"{} {}", "not a valid JSON", 4},
        {"{}", "not an S3, SNS or EventBridge", 0},
        {"{\"Records\":1}", "not an S3", 0},
        {"{\"Records\":{}}", "not an S3", 0},
        {"{\"Records\":[]}", "without records", 0},
        {"{\"a\":1,\"a\":2}", "not a valid JSON", 10},
        {"{\"a\":\"\xff\"}", "not a valid JSON", 6},
        {"{\"a\":\"\x01\"}", "not a valid JSON", 6},
        {"{\"a\":\"\\ud800\"}", "not a valid JSON", 13},
        {"{\"a\":1e999}", "not a valid JSON", 10},
        {"{\"a\":99999999999999999999}", "not a valid JSON", 25},
        {S3("1"), "not an object", 0},
        {S3("null"), "not an object", 0},
        {S3("{}"), "not from S3", 0},
        {S3("{\"eventSource\":\"aws:sqs\",\"body\":\"{}\"}"), "not from S3", 0},
        {S3("{\"eventSource\":\"aws:s3\"}"), "unknown version", 0},
        {S3("{\"eventSource\":\"aws:s3\",\"eventVersion\":\"3.0\"}"), "unknown version", 0},
        {S3("{\"eventSource\":\"aws:s3\",\"eventVersion\":\"20\"}"), "unknown version", 0},
        {S3("{\"eventSource\":\"aws:s3\",\"eventVersion\":2.1}"), "unknown version", 0},
        {S3("{\"eventSource\":\"aws:s3\",\"eventVersion\":\"2.1\"}"), "without a name", 0},
        {S3("{" HEAD "}"), "no bucket", 0},
        {S3(REC("[]")), "no bucket", 0},
        {S3(REC("{\"object\":{\"key\":\"k\"}}")), "no bucket", 0},
        {S3(REC("{\"bucket\":{\"name\":\"abc\"}}")), "no object key", 0},
        {S3(REC("{\"bucket\":{\"name\":\"abc\"},\"object\":{\"key\":7}}")), "no object key", 0},
        {KEYED(""), "no object key", 0},
        {KEYED("a%"), "bad % escape", 1},
        {KEYED("ab%4"), "bad % escape", 2},
        {KEYED("%zz"), "bad % escape", 0},
        {KEYED("%4g"), "bad % escape", 0},
        {KEYED("%+1"), "bad % escape", 0},
        {KEYED("%%20"), "bad % escape", 0},
        {BUCKETED("ab"), "impossible bucket", 0},
        {BUCKETED("Abc"), "impossible bucket", 0},
        {BUCKETED("a_b"), "impossible bucket", 0},
        {BUCKETED("192.168.5.4"), "impossible bucket", 0},
        {BUCKETED("evil.com/x"), "impossible bucket", 0},
        {BUCKETED("evil.com#"), "impossible bucket", 0},
        {BUCKETED("a..b"), "impossible bucket", 0},
        {BUCKETED("-abc"), "impossible bucket", 0},
        {BUCKETED("abc-"), "impossible bucket", 0},
        {BUCKETED(".abc"), "impossible bucket", 0},
        {BUCKETED("abc."), "impossible bucket", 0},
        {BUCKETED("abc\\u0000"), "impossible bucket", 0},
        {BUCKETED("abc\\r\\nX: y"), "impossible bucket", 0},
        {WITH("\"eTag\":\"a\\r\\nb\""), "impossible entity tag", 0},
        {WITH("\"eTag\":\"a\\\"b\""), "impossible entity tag", 0},
        {WITH("\"versionId\":\"a b\""), "impossible version", 0},
        {WITH("\"sequencer\":\"xyz\""), "impossible sequencer", 0},
        {REGION("us-east-1.evil.com/"), "impossible Region", 0},
        {REGION("localhost"), "impossible Region", 0},
        {REGION("us-east-1#"), "impossible Region", 0},
        {REGION("US-EAST-1"), "impossible Region", 0},
        {"{\"Type\":\"Notification\"}", "not an S3", 0},
        {"{\"Type\":\"SubscriptionConfirmation\",\"Message\":\"x\"}", "not an S3", 0},
        {"{\"Type\":\"Notification\",\"Message\":\"x\"}", "not a valid JSON", 1},
        {"{\"Type\":\"Notification\",\"Message\":\"\"}", "not a valid JSON", 0},
        {"{\"Type\":\"Notification\",\"Message\":\"{\\\"Type\\\":\\\"Notification\\\","
         "\\\"Message\\\":\\\"{}\\\"}\"}",
         "not an S3", 0},
        {"{\"source\":\"aws.s3\",\"detail-type\":\"Object Created\"}", "no bucket", 0},
        {"{\"source\":\"aws.s3\",\"detail-type\":\"Object Created\",\"detail\":{\"bucket\":"
         "{\"name\":\"abc\"},\"object\":{}}}",
         "no object key", 0},
        {"{\"source\":\"aws.ec2\",\"detail-type\":\"Object Created\"}", "not an S3", 0},
        /* A healthy record does not save its neighbour: the whole message comes back. */
        {S3(REC("{\"bucket\":{\"name\":\"abc\"},\"object\":{\"key\":\"k\"}}") ",{}"), "not from S3",
         0},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct event_body body;
        struct error err = {.text = ""};
        enum status st = event_body_parse(view_of(cases[i].body), &body, &err);
        if (st != ST_BAD_ITEM || strstr(err.text, cases[i].text) == NULL)
            fail_msg("%s: %s, \"%s\"", cases[i].body, status_name(st), err.text);
        if (err.offset != cases[i].offset)
            fail_msg("%s: offset %u, wanted %u", cases[i].body, (unsigned)err.offset,
                     (unsigned)cases[i].offset);
        assert_int_equal(body.nobjects, 0);
        assert_null(body.objects);
    }
}

static void good_bodies(void **state)
{
    (void)state;
    static const struct {
        const char *body;
        struct view bucket, key;
    } cases[] = {
        {KEYED("a/b"), TEXT("abc"), TEXT("a/b")},
        {KEYED("a%2Fb%2fc"), TEXT("abc"), TEXT("a/b/c")},
        {KEYED("%00%ff\\u0000"), TEXT("abc"), TEXT("\0\xff\0")},
        {KEYED("+"), TEXT("abc"), TEXT(" ")},
        {KEYED("%2B%2b"), TEXT("abc"), TEXT("++")},
        {KEYED("\\u00e9~"), TEXT("abc"), TEXT("\xc3\xa9~")},
        {BUCKETED("1.2.3"), TEXT("1.2.3"), TEXT("k")},
        {BUCKETED("my.logs-2"), TEXT("my.logs-2"), TEXT("k")},
        {WITH("\"size\":\"x\""), TEXT("abc"), TEXT("k")},
        {WITH("\"size\":-1"), TEXT("abc"), TEXT("k")},
        {REGION("us-gov-west-1"), TEXT("abc"), TEXT("k")},
        {REGION("us-iso-east-1"), TEXT("abc"), TEXT("k")},
        {REGION("eu-isoe-west-1"), TEXT("abc"), TEXT("k")},
        {REGION("mx-central-1"), TEXT("abc"), TEXT("k")},
        {S3("{\"eventVersion\":\"2.9\",\"eventSource\":\"aws:s3\",\"eventName\":"
            "\"s3:ObjectCreated:Copy\",\"s3\":{\"bucket\":{\"name\":\"abc\"},"
            "\"object\":{\"key\":\"k\"}}}"),
         TEXT("abc"), TEXT("k")},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct event_body body;
        struct error err = {.text = ""};
        if (event_body_parse(view_of(cases[i].body), &body, &err) != ST_OK)
            fail_msg("%s: %s", cases[i].body, err.text);
        assert_int_equal(body.nobjects, 1);
        assert_view(body.objects[0].bucket, cases[i].bucket);
        assert_view(body.objects[0].key, cases[i].key);
        assert_false(body.objects[0].has_size);
        event_body_clear(&body);
    }
}

static char *repeat(const char *head, const char *part, size_t n, const char *tail)
{
    size_t len = strlen(part);
    char *text = malloc(strlen(head) + len * n + strlen(tail) + 1);
    assert_non_null(text);
    memcpy(text, head, strlen(head) + 1);
    char *at = text + strlen(head);
    for (size_t i = 0; i < n; i++, at += len)
        memcpy(at, part, len);
    memcpy(at, tail, strlen(tail) + 1);
    return text;
}

static void ceilings(void **state)
{
    (void)state;
    static const struct {
        const char *head, *part;
        size_t times;
        const char *tail;
        enum status wanted;
        size_t objects;
    } cases[] = {
        {"{\"a\":", "[", 100000, "", ST_TOO_BIG, 0},
        {"{\"a\":", "[", 31, "", ST_BAD_ITEM, 0},
        {"", "{\"a\":", 33, "1}", ST_TOO_BIG, 0},
        {"{\"Records\":[{}", ",{}", 140000, "]}", ST_TOO_BIG, 0},
        {"{\"a\":\"", "x", 1024 * 1024, "\"}", ST_TOO_BIG, 0},
        {"{\"a\":\"", "[", 1024 * 1024 - 9, "\"}", ST_BAD_ITEM, 0},
        {"{\"Records\":[" REC("{\"bucket\":{\"name\":\"abc\"},\"object\":{\"key\":\"k\"}}"),
         "," REC("{\"bucket\":{\"name\":\"abc\"},\"object\":{\"key\":\"k\"}}"), 2000, "]}", ST_OK,
         2001},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char *text = repeat(cases[i].head, cases[i].part, cases[i].times, cases[i].tail);
        struct event_body body;
        assert_int_equal(event_body_parse(view_of(text), &body, NULL), cases[i].wanted);
        assert_int_equal(body.nobjects, cases[i].objects);
        event_body_clear(&body);
        free(text);
    }
    for (size_t n = 1023; n <= 1025; n++) {
        char *text = repeat("{\"Records\":["
                            "{" HEAD ",\"s3\":{\"bucket\":{\"name\":\"abc\"},"
                            "\"object\":{\"key\":\"",
                            "%41", n, "\"}}}]}");
        struct event_body body;
        assert_int_equal(event_body_parse(view_of(text), &body, NULL),
                         n <= 1024 ? ST_OK : ST_BAD_ITEM);
        event_body_clear(&body);
        free(text);
    }
}

static void sqs_envelope(void **state)
{
    (void)state;
    struct view text = read_golden("lambda_sqs.json");
    struct event_sqs sqs;
    assert_int_equal(parse_queue(text, &sqs), ST_OK);
    free_view(text);
    assert_int_equal(sqs.nmessages, 3);
    assert_view(sqs.messages[0].message_id, VIEW_LIT("059f36b4-87a3-44ab-83d2-661975830a7d"));
    assert_view(sqs.messages[1].region, VIEW_LIT("us-east-2"));
    assert_int_equal(sqs.messages[0].receive_count, 1);
    assert_int_equal(sqs.messages[1].receive_count, 3);
    assert_false(sqs.messages[0].is_fifo);
    assert_view(sqs.messages[0].receipt_handle, VIEW_LIT("AQEBwJnKyrHigUMZj6rYigCgxlaS3SLy0a059f"));
    assert_view(sqs.messages[2].queue_arn,
                VIEW_LIT("arn:aws:sqs:us-east-2:123456789012:bedrock-logs"));

    static const enum status wanted[] = {ST_OK, ST_OK, ST_BAD_ITEM};
    for (size_t i = 0; i < 3; i++) {
        struct event_body body;
        assert_int_equal(event_body_parse(sqs.messages[i].body, &body, NULL), wanted[i]);
        event_body_clear(&body);
    }
    static const struct {
        bool failed[3];
        const char *answer;
    } answers[] = {
        {{false, false, false}, "{\"batchItemFailures\":[]}"},
        {{false, true, false},
         "{\"batchItemFailures\":[{\"itemIdentifier\":\"2e1424d4-f796-459a-8184-9c92662be6da\"}]}"},
        {{true, false, true},
         "{\"batchItemFailures\":[{\"itemIdentifier\":\"059f36b4-87a3-44ab-83d2-661975830a7d\"},"
         "{\"itemIdentifier\":\"aa1424d4-f796-459a-8184-9c92662be6da\"}]}"},
    };
    for (size_t i = 0; i < sizeof(answers) / sizeof(answers[0]); i++) {
        bool failed[3];
        memcpy(failed, answers[i].failed, sizeof(failed));
        struct buf out;
        buf_init(&out, 4096);
        event_sqs_spread_failures(&sqs, failed);
        event_sqs_write_answer(&sqs, failed, &out);
        assert_int_equal(buf_status(&out), ST_OK);
        assert_view(buf_view(&out), view_of(answers[i].answer));
        buf_clear(&out);
    }
    event_sqs_clear(&sqs);
    event_sqs_clear(&sqs);
}

static void sqs_fifo(void **state)
{
    (void)state;
    struct view text = read_golden("lambda_sqs_fifo.json");
    struct event_sqs sqs;
    assert_int_equal(parse_queue(text, &sqs), ST_OK);
    free_view(text);
    assert_int_equal(sqs.nmessages, 4);
    assert_true(sqs.messages[0].is_fifo);
    assert_view(sqs.messages[1].group_id, VIEW_LIT("g1"));
    bool none[4] = {false};
    event_sqs_spread_failures(&sqs, none);
    assert_false(none[0] || none[1] || none[2] || none[3]);
    bool second[4] = {false, true, false, false};
    event_sqs_spread_failures(&sqs, second);
    assert_true(!second[0] && second[1] && second[2] && second[3]);
    event_sqs_clear(&sqs);
}

static void bad_envelopes(void **state)
{
    (void)state;
    static const char *const cases[] = {
        "{}",
        "[]",
        "{\"Records\":[]}",
        "{\"Records\":[1]}",
        "{\"Records\":[{\"eventSource\":\"aws:s3\"}]}",
        "{\"Records\":[{\"eventSource\":\"aws:sqs\",\"body\":\"{}\"}]}",
        "{\"Records\":[{\"eventSource\":\"aws:sqs\",\"messageId\":\"\"}]}",
        ("{\"Records\":[{\"eventSource\":\"aws:sqs\",\"messageId\":\"a\"},"
         "{\"eventSource\":\"aws:s3\"}]}"),
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct event_sqs sqs;
        assert_int_equal(parse_queue(view_of(cases[i]), &sqs), ST_BAD_ITEM);
        assert_null(sqs.messages);
    }
    /* A message without a body fails alone. */
    struct event_sqs sqs;
    struct event_body body;
    assert_int_equal(parse_queue(VIEW_LIT("{\"Records\":[{\"eventSource\":\"aws:sqs\","
                                          "\"messageId\":\"a\",\"body\":{}}]}"),
                                 &sqs),
                     ST_OK);
    assert_int_equal(event_body_parse(sqs.messages[0].body, &body, NULL), ST_BAD_ITEM);
    event_sqs_clear(&sqs);
}

static void direct_kinds(void **state)
{
    (void)state;
    struct event_direct direct;
    for (size_t i = 0; i < NGOLDENS; i++) {
        struct view text = read_golden(goldens[i].file);
        assert_int_equal(event_direct_parse(text, &direct, NULL), ST_OK);
        free_view(text);
        assert_int_equal(direct.kind, EVENT_OBJECTS);
        check_golden(&goldens[i], &direct.body);
        event_direct_clear(&direct);
    }
    struct view text = read_golden("lambda_sqs.json");
    assert_int_equal(event_direct_parse(text, &direct, NULL), ST_OK);
    free_view(text);
    assert_int_equal(direct.kind, EVENT_QUEUE);
    assert_int_equal(direct.sqs.nmessages, 3);
    event_direct_clear(&direct);

    text = read_golden("lambda_sns.json");
    assert_int_equal(event_direct_parse(text, &direct, NULL), ST_OK);
    free_view(text);
    assert_int_equal(direct.kind, EVENT_OBJECTS);
    assert_int_equal(direct.body.nobjects, 1);
    assert_view(direct.body.objects[0].key, VIEW_LIT("direct sns.gz"));
    event_direct_clear(&direct);

    text = read_golden("command_sweep.json");
    assert_int_equal(event_direct_parse(text, &direct, NULL), ST_OK);
    free_view(text);
    assert_int_equal(direct.kind, EVENT_COMMAND);
    assert_view(direct.command, VIEW_LIT("sweep"));
    assert_int_equal(direct.noptions, 4);
    assert_view(event_direct_option(&direct, "bucket"), VIEW_LIT("bedrock-logs"));
    assert_view(event_direct_option(&direct, "prefix"), VIEW_LIT("AWSLogs/"));
    assert_view(event_direct_option(&direct, "hours"), VIEW_LIT("24"));
    assert_view(event_direct_option(&direct, "dry"), VIEW_LIT("true"));
    assert_null(event_direct_option(&direct, "nothing").ptr);
    event_direct_clear(&direct);
    event_direct_clear(&direct);
}

static void bad_directs(void **state)
{
    (void)state;
    static const char *const cases[] = {
        "{}",
        "{\"command\":\"\"}",
        "{\"command\":1}",
        "{\"command\":\"sweep\",\"x\":[]}",
        "{\"command\":\"sweep\",\"x\":{}}",
        "{\"Records\":[{\"EventSource\":\"aws:sns\"}]}",
        "{\"Records\":[{\"EventSource\":\"aws:sns\",\"Sns\":{\"Message\":\"{}\"}}]}",
        "{\"Records\":[{\"eventSource\":\"aws:dynamodb\"}]}",
        ("{\"Records\":[{\"eventSource\":\"aws:sqs\",\"messageId\":\"a\"},"
         "{\"EventSource\":\"aws:sns\"}]}"),
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct event_direct direct;
        if (event_direct_parse(view_of(cases[i]), &direct, NULL) != ST_BAD_ITEM)
            fail_msg("understood: %s", cases[i]);
    }
    /* Short spellings of long numbers: 1e300 needs more room than it came in. */
    struct event_direct direct;
    assert_int_equal(
        event_direct_parse(VIEW_LIT("{\"command\":\"x\",\"a\":1e300,\"b\":0.1}"), &direct, NULL),
        ST_OK);
    assert_int_equal(direct.noptions, 2);
    event_direct_clear(&direct);
}

static void allowed_buckets(void **state)
{
    (void)state;
    static const struct {
        const char *list, *bucket;
        bool allowed;
    } cases[] = {
        {"a-1", "a-1", true},
        {"a-1,b-2", "b-2", true},
        {" a-1 , b-2 ", "a-1", true},
        {"a-1,b-2", "a-1,b", false},
        {"a-1", "a-11", false},
        {"a-11", "a-1", false},
        {"", "a-1", false},
        {"", "", false},
        {",,", "", false},
        {"*", "a-1", false},
        {"a-1,,b-2,", "b-2", true},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        assert_int_equal(event_bucket_allowed(view_of(cases[i].list), view_of(cases[i].bucket)),
                         cases[i].allowed);
    assert_false(event_bucket_allowed(VIEW_EMPTY, VIEW_LIT("a-1")));
}

static void make_round_trip(void **state)
{
    (void)state;
    char every_byte[256];
    for (size_t i = 0; i < 256; i++)
        every_byte[i] = (char)(unsigned char)i;
    const struct event_object objects[] = {
        {.bucket = VIEW_LIT("abc"),
         .key = view_make(every_byte, 256),
         .region = VIEW_LIT("eu-west-3"),
         .etag = VIEW_LIT("0123abc-7"),
         .version_id = VIEW_LIT("v.1_-"),
         .sequencer = VIEW_LIT("00AF"),
         .size = INT64_MAX,
         .has_size = true},
        {.bucket = VIEW_LIT("x.y-z"), .key = VIEW_LIT("plain/key=1+2.gz")},
    };
    struct buf out;
    struct event_body body;
    buf_init(&out, EVENT_MAX_BODY_BYTES);
    assert_int_equal(event_make_s3(objects, 2, 1795600000, &out, NULL), ST_OK);
    assert_int_equal(event_body_parse(buf_view(&out), &body, NULL), ST_OK);
    assert_int_equal(body.nobjects, 2);
    for (size_t i = 0; i < 2; i++) {
        assert_view(body.objects[i].bucket, objects[i].bucket);
        assert_view(body.objects[i].key, objects[i].key);
        assert_view(body.objects[i].region, objects[i].region);
        assert_view(body.objects[i].etag, objects[i].etag);
        assert_view(body.objects[i].version_id, objects[i].version_id);
        assert_view(body.objects[i].sequencer, objects[i].sequencer);
        assert_int_equal(body.objects[i].has_size, objects[i].has_size);
        assert_int_equal(body.objects[i].size, objects[i].size);
        assert_view(body.objects[i].event_name, VIEW_LIT("ObjectCreated:Put"));
    }
    event_body_clear(&body);

    buf_reset(&out);
    event_make_key(VIEW_LIT("a b/c+d=\xc3\xa9~*-_.%"), &out);
    assert_view(buf_view(&out), VIEW_LIT("a+b/c%2Bd%3D%C3%A9%7E*-_.%25"));

    static const struct event_object refused[] = {
        {.bucket = {"ab", 2}, .key = {"k", 1}},
        {.bucket = {"abc", 3}},
        {.bucket = {"abc", 3}, .key = {"k", 1}, .region = {"a/b", 3}},
        {.bucket = {"abc", 3}, .key = {"k", 1}, .etag = {"\r\n", 2}},
        {.bucket = {"abc", 3}, .key = {"k", 1}, .size = UINT64_MAX, .has_size = true},
    };
    for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++)
        assert_int_equal(event_make_s3(&refused[i], 1, 0, &out, NULL), ST_BAD_ITEM);
    assert_int_equal(event_make_s3(NULL, 0, 0, &out, NULL), ST_BAD_ITEM);
    buf_clear(&out);
    buf_init(&out, 40);
    assert_int_equal(event_make_s3(objects, 2, 0, &out, NULL), ST_TOO_BIG);
    buf_clear(&out);
}

/* ---- memory runs out inside the JSON library at every place in turn ---- */

static size_t allocations_left = SIZE_MAX;

static void *scarce_malloc(size_t n)
{
    if (allocations_left == 0)
        return NULL;
    allocations_left--;
    return malloc(n);
}

static void out_of_memory(void **state)
{
    (void)state;
    json_set_alloc_funcs(scarce_malloc, free);
    for (size_t f = 0; f < sizeof(all_files) / sizeof(all_files[0]); f++) {
        struct view text = read_golden(all_files[f]);
        enum status st = ST_NO_MEMORY;
        for (size_t n = 0; st != ST_OK; n++) {
            struct event_direct direct;
            allocations_left = n;
            st = event_direct_parse(text, &direct, NULL);
            allocations_left = SIZE_MAX;
            assert_true(st == ST_OK || st == ST_NO_MEMORY || st == ST_BAD_ITEM);
            event_direct_clear(&direct);
            assert_true(n < 10000);
        }
        free_view(text);
    }
    json_set_alloc_funcs(malloc, free);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(body_goldens),       cmocka_unit_test(every_truncation),
        cmocka_unit_test(every_changed_byte), cmocka_unit_test(bad_bodies),
        cmocka_unit_test(good_bodies),        cmocka_unit_test(ceilings),
        cmocka_unit_test(sqs_envelope),       cmocka_unit_test(sqs_fifo),
        cmocka_unit_test(bad_envelopes),      cmocka_unit_test(direct_kinds),
        cmocka_unit_test(bad_directs),        cmocka_unit_test(allowed_buckets),
        cmocka_unit_test(make_round_trip),    cmocka_unit_test(out_of_memory),
    };
    return cmocka_run_group_tests_name("events", tests, NULL, NULL);
}
