/* test_aggregate.c: dimensions, interned texts, cells, and the sums of records. */
#include "unit.h"

#include <malloc.h>
#include <time.h>

#include "aggregate/aggregate.h"
#include "aggregate/cells.h"
#include "aggregate/interner.h"
#include "base/buf.h"
#include "base/json_out.h"

/* ---- dimension sets ---- */

static void dimension_sets(void **state)
{
    static const struct {
        const char *text;
        enum status status;
        size_t count;
        const char *message; /* or the names, each followed by | */
    } cases[] = {
        {"InferenceProfileType,ModelId", ST_OK, 2, "InferenceProfileType|ModelId|"},
        {" ModelId ,\tPrincipal", ST_OK, 2, "ModelId|Principal|"},
        {"InferenceProfile,SourceRegion,InferenceRegion,AccountId,Operation", ST_OK, 5,
         "InferenceProfile|SourceRegion|InferenceRegion|AccountId|Operation|"},
        {"Metadata:team,Metadata:cost center,Tag:x", ST_OK, 3,
         "Metadata:team|Metadata:cost center|Tag:x|"},
        {"Metadata:Metadata:x", ST_OK, 1, "Metadata:Metadata:x|"},
        {"", ST_USAGE, 0, "an empty dimension name"},
        {",", ST_USAGE, 0, "an empty dimension name"},
        {"ModelId,", ST_USAGE, 0, "an empty dimension name in \"ModelId,\""},
        {"ModelId,,Principal", ST_USAGE, 0, "an empty dimension name"},
        {"ModelID", ST_USAGE, 0, "unknown dimension \"ModelID\"; known are"},
        {"modelid", ST_USAGE, 0, "; did you mean ModelId?"},
        {"Zebra", ST_USAGE, 0, "unknown dimension \"Zebra\"; known are InferenceProfileType, "},
        {"Metadata:", ST_USAGE, 0, "unknown dimension \"Metadata:\""},
        {"Metadata", ST_USAGE, 0, "unknown dimension \"Metadata\""},
        {"metadata:x", ST_USAGE, 0, "unknown dimension \"metadata:x\""},
        {"Tag:", ST_USAGE, 0, "unknown dimension \"Tag:\""},
        {"ModelId,ModelId", ST_USAGE, 0, "dimension \"ModelId\" is named twice"},
        {"Metadata:a,Metadata:a", ST_USAGE, 0, "dimension \"Metadata:a\" is named twice"},
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct dimension_keys keys = {.metadata_count = 0};
        struct dimension_set set;
        struct error err = {.text = ""};
        char names[256] = "";
        expect_status(i, dimension_set_parse(view_of(cases[i].text), &keys, &set, &err),
                      cases[i].status);
        if (cases[i].status != ST_OK) {
            if (strstr(err.text, cases[i].message) == NULL)
                fail_row(i, "\"%s\"", err.text);
            continue;
        }
        expect_u64(i, "count", set.count, cases[i].count);
        for (size_t k = 0, n = 0; k < set.count; k++)
            n += (size_t)snprintf(names + n, sizeof(names) - n, "%.*s|",
                                  (int)set.dimension[k].name.len, set.dimension[k].name.ptr);
        expect_view(i, view_of(names), view_of(cases[i].message));
    }
}

static void dimension_limits(void **state)
{
    (void)state;
    static char text[2048], longer[2048];
    struct dimension_keys keys = {.metadata_count = 0};
    struct dimension_set set;
    struct error err;
    size_t n = 0;
    for (unsigned i = 0; i < DIMENSION_METADATA_KEYS; i++)
        n += (size_t)snprintf(text + n, sizeof(text) - n, "%sMetadata:k%u", i > 0 ? "," : "", i);
    assert_int_equal(dimension_set_parse(view_of(text), &keys, &set, &err), ST_OK);
    assert_int_equal(keys.metadata_count, DIMENSION_METADATA_KEYS);
    /* A second set with known keys adds none; one more is one too many. */
    assert_int_equal(dimension_set_parse(VIEW_LIT("Metadata:k3"), &keys, &set, &err), ST_OK);
    assert_int_equal(set.dimension[0].key, 3);
    assert_int_equal(dimension_set_parse(VIEW_LIT("Metadata:x"), &keys, &set, &err), ST_USAGE);
    assert_non_null(strstr(err.text, "more than 16 different keys"));
    n = 0;
    for (unsigned i = 0; i < DIMENSIONS_PER_SET + 1; i++)
        n += (size_t)snprintf(longer + n, sizeof(longer) - n, "%s%s:k%u", i > 0 ? "," : "",
                              i % 2 == 0 ? "Metadata" : "Tag", i / 2);
    assert_int_equal(dimension_set_parse(view_of(longer), &keys, &set, &err), ST_USAGE);
    assert_non_null(strstr(err.text, "more than 30 dimensions"));
}

/* ---- interner ---- */

static void interning(void **state)
{
    (void)state;
    enum { MANY = 50000 };
    struct interner *in = interner_new();
    char text[64];
    for (int round = 0; round < 2; round++) {
        for (uint32_t i = 0; i < MANY; i++) {
            int n = snprintf(text, sizeof(text), "text number %u", (unsigned)i);
            if (i % 3 == 0)
                text[4] = '\0';
            if (interner_id(in, view_make(text, (size_t)n)) != i)
                fail_row(i, "another number");
        }
    }
    assert_int_equal(interner_count(in), MANY);
    expect_view(0, interner_text(in, 1), VIEW_LIT("text number 1"));
    expect_view(0, interner_text(in, 0), VIEW_LIT("text\0number 0"));
    assert_int_equal(interner_id(in, VIEW_EMPTY), MANY);
    assert_int_equal(interner_id(in, VIEW_LIT("")), MANY);
    static char huge[100000];
    memset(huge, 'x', sizeof(huge));
    assert_int_equal(interner_id(in, view_make(huge, sizeof(huge))), MANY + 1);
    assert_int_equal(interner_id(in, view_make(huge, sizeof(huge) - 1)), MANY + 2);
    assert_int_equal(interner_id(in, view_make(huge, sizeof(huge))), MANY + 1);
    assert_int_equal(interner_text(in, MANY + 1).len, sizeof(huge));
    interner_free(in);
    interner_free(NULL);
    in = interner_new(); /* nothing at all as the first text */
    assert_int_equal(interner_id(in, VIEW_EMPTY), 0);
    assert_int_equal(interner_id(in, VIEW_LIT("a")), 1);
    assert_int_equal(interner_id(in, VIEW_LIT("")), 0);
    expect_view(0, interner_text(in, 0), VIEW_EMPTY);
    interner_free(in);
}

/* ---- cells ---- */

static void cells_commit_and_rollback(void **state)
{
    (void)state;
    for (int statistics = 0; statistics < 2; statistics++) {
        struct cells *cells = cells_new(2, statistics == 1);
        struct cell_key key = {.time = 60};
        uint64_t wanted[100] = {0};
        uint64_t seed = 1;
        for (int round = 0; round < 200; round++) {
            uint64_t pending[100] = {0};
            for (int i = 0; i < 20; i++) {
                seed = seed * UINT64_C(6364136223846793005) + 1;
                uint32_t which = (uint32_t)(seed >> 40) % 100;
                key.id[0] = which / 10;
                key.id[1] = which % 10;
                uint32_t cell = cells_find(cells, &key);
                u128 amount[METRIC_COUNT] = {[1] = which};
                u128 *sums = cells_add_record(cells, cell);
                sums[1] += which;
                if (statistics == 1)
                    cells_add_statistics(cells, cell, amount);
                pending[which] += which;
                assert_int_equal(cells_ids(cells, cell)[0], which / 10);
            }
            if (round % 3 == 0) {
                cells_rollback(cells);
                continue;
            }
            cells_commit(cells);
            for (size_t i = 0; i < 100; i++)
                wanted[i] += pending[i];
        }
        for (uint32_t i = 0; i < 100; i++) {
            key.id[0] = i / 10;
            key.id[1] = i % 10;
            uint32_t cell = cells_find(cells, &key);
            assert_int_equal(cells_sums(cells, cell)[1], wanted[i]);
            assert_int_equal(cells_sums(cells, cell)[0], 0);
            assert_int_equal(cells_time(cells, cell), 60);
            const struct statistic *statistic = cells_statistics(cells, cell);
            assert_int_equal(statistic != NULL, statistics);
            if (statistic != NULL && i > 0 && wanted[i] > 0) {
                assert_int_equal(statistic[1].count, wanted[i] / i);
                assert_int_equal(statistic[1].minimum, i);
                assert_int_equal(statistic[1].maximum, i);
            }
        }
        assert_int_equal(cells_count(cells), 100);
        cells_reset(cells);
        assert_int_equal(cells_count(cells), 0);
        cells_free(cells);
    }
    cells_free(NULL);
}

/* ---- aggregate ---- */

struct call {
    int64_t time;
    const char *model, *region, *inference_region, *arn, *operation, *account, *team;
    uint64_t input, output;
    enum invocation_outcome outcome;
};

static const struct call calls[] = {
    {60, "us.anthropic.c", "us-east-1", "us-west-2", "arn:aws:sts::1:assumed-role/App/a",
     "Converse", "111", "search", 10, 1, INVOCATION_OK},
    {61, "arn:aws:bedrock:us-east-1:1:inference-profile/us.anthropic.c", "us-east-1", "us-east-1",
     "arn:aws:sts::1:assumed-role/App/b", "Converse", "111", "search", 20, 2, INVOCATION_OK},
    {119, "anthropic.c", "us-east-1", NULL, "arn:aws:iam::1:user/bob", "InvokeModel", "111", NULL,
     5, 0, INVOCATION_OK},
    {120, "global.anthropic.c", "eu-west-1", NULL, NULL, NULL, NULL, NULL, 7, 3, INVOCATION_OK},
    {120, "abcdef123456", "eu-west-1", "eu-north-1", NULL, NULL, NULL, NULL, 1, 1, INVOCATION_OK},
    {120, "abcdef123456", "eu-west-1", "eu-west-1", NULL, NULL, NULL, NULL, 2, 2, INVOCATION_OK},
    {-1, "anthropic.c", "us-east-1", NULL, NULL, NULL, NULL, NULL, 0, 0, INVOCATION_THROTTLED},
    {180, "anthropic.c", "us-east-1", NULL, NULL, NULL, NULL, NULL, 9, 0, INVOCATION_SERVER_ERROR},
    {180, "anthropic.c", "us-east-1", NULL, NULL, NULL, NULL, NULL, 0, 0, INVOCATION_CLIENT_ERROR},
};

static struct record record_of(const struct call *call, struct scan_value *metadata)
{
    *metadata = (struct scan_value){0};
    if (call->team != NULL)
        *metadata = (struct scan_value){call->team, (uint32_t)strlen(call->team), VALUE_GOOD};
    return (struct record){
        .time = {call->time, 0},
        .outcome = call->outcome,
        .tokens = {[NUMBER_INPUT] = call->input, [NUMBER_OUTPUT] = call->output},
        .model_id = view_of(call->model),
        .region = view_of(call->region),
        .inference_region = view_of(call->inference_region),
        .account_id = view_of(call->account),
        .operation = view_of(call->operation),
        .identity_arn = view_of(call->arn),
        .schema_version = VIEW_LIT("1.0"),
        .metadata = metadata,
    };
}

static void add_call(struct aggregate *agg, const struct call *call)
{
    struct scan_value metadata;
    struct record record = record_of(call, &metadata);
    assert_int_equal(aggregate_add(agg, &record), ST_OK);
}

static struct aggregate *new_bounded(const char *by, const char *second, int64_t interval,
                                     struct aggregate_bound *bound)
{
    struct dimension_keys keys = {.metadata_count = 0};
    struct dimension_set sets[2];
    assert_int_equal(dimension_set_parse(view_of(by), &keys, &sets[0], NULL), ST_OK);
    if (second != NULL)
        assert_int_equal(dimension_set_parse(view_of(second), &keys, &sets[1], NULL), ST_OK);
    struct aggregate_options options = {
        .sets = sets,
        .set_count = second != NULL ? 2 : 1,
        .keys = &keys,
        .interval_seconds = interval,
        .statistics = true,
        .bound = bound,
    };
    struct aggregate *agg = aggregate_new(&options);
    assert_non_null(agg);
    return agg;
}

static struct aggregate *new_aggregate(const char *by, const char *second, int64_t interval)
{
    return new_bounded(by, second, interval, NULL);
}

/* "time|values|...: invocations input output total client server throttles" a row. */
static void expect_rows(const struct aggregate *agg, size_t set, const char *wanted)
{
    struct buf out;
    struct aggregate_rows *rows = aggregate_rows_new(agg, set);
    assert_non_null(rows);
    buf_init(&out, 1 << 16);
    for (size_t i = 0; i < aggregate_rows_count(rows); i++) {
        static const enum metric shown[] = {
            METRIC_INVOCATIONS,   METRIC_INPUT,         METRIC_OUTPUT,   METRIC_TOTAL,
            METRIC_CLIENT_ERRORS, METRIC_SERVER_ERRORS, METRIC_THROTTLES};
        struct aggregate_row row;
        aggregate_rows_get(rows, i, &row);
        buf_printf(&out, "%d|", (int)row.time);
        for (size_t d = 0; d < aggregate_set(agg, set)->count; d++) {
            buf_add_view(&out, row.value[d]);
            buf_add_char(&out, '|');
        }
        for (size_t m = 0; m < COUNT_OF(shown); m++) {
            buf_add_char(&out, ' ');
            buf_add_u128(&out, row.sum[shown[m]]);
        }
        buf_add_char(&out, '\n');
    }
    assert_int_equal(buf_status(&out), ST_OK);
    expect_view(set, buf_view(&out), view_of(wanted));
    buf_clear(&out);
    aggregate_rows_free(rows);
}

static void rows_of_all_dimensions(void **state)
{
    (void)state;
    struct aggregate *agg =
        new_aggregate("InferenceProfileType,InferenceProfile,ModelId,SourceRegion,InferenceRegion,"
                      "AccountId,Operation,Principal,Metadata:team",
                      "InferenceProfileType", 60);
    for (size_t i = 0; i < COUNT_OF(calls); i++)
        add_call(agg, &calls[i]);
    expect_rows(agg, 0, "");
    aggregate_commit(agg);
    expect_rows(
        agg, 0,
        "-60|InRegion|none|anthropic.c|us-east-1|us-east-1|unknown|unknown|unknown|none|"
        " 0 0 0 0 0 0 1\n"
        "60|CrossRegion|us.anthropic.c|anthropic.c|us-east-1|us-east-1|111|Converse|role/"
        "App|search|"
        " 1 20 2 22 0 0 0\n"
        "60|CrossRegion|us.anthropic.c|anthropic.c|us-east-1|us-west-2|111|Converse|role/"
        "App|search|"
        " 1 10 1 11 0 0 0\n"
        "60|InRegion|none|anthropic.c|us-east-1|us-east-1|111|InvokeModel|user/bob|none|"
        " 1 5 0 5 0 0 0\n"
        "120|CrossRegion|none|abcdef123456|eu-west-1|eu-north-1|unknown|unknown|unknown|none|"
        " 1 1 1 2 0 0 0\n"
        "120|GlobalCrossRegion|global.anthropic.c|anthropic.c|eu-west-1|unknown|unknown|unknown|"
        "unknown|none| 1 7 3 10 0 0 0\n"
        "120|Unknown|none|abcdef123456|eu-west-1|eu-west-1|unknown|unknown|unknown|none|"
        " 1 2 2 4 0 0 0\n"
        "180|InRegion|none|anthropic.c|us-east-1|us-east-1|unknown|unknown|unknown|none|"
        " 0 9 0 9 1 1 0\n");
    expect_rows(agg, 1,
                "-60|InRegion| 0 0 0 0 0 0 1\n"
                "60|CrossRegion| 2 30 3 33 0 0 0\n"
                "60|InRegion| 1 5 0 5 0 0 0\n"
                "120|CrossRegion| 1 1 1 2 0 0 0\n"
                "120|GlobalCrossRegion| 1 7 3 10 0 0 0\n"
                "120|Unknown| 1 2 2 4 0 0 0\n"
                "180|InRegion| 0 9 0 9 1 1 0\n");
    u128 totals[METRIC_COUNT];
    aggregate_totals(agg, totals);
    assert_int_equal(totals[METRIC_TOTAL], 63);
    assert_int_equal(totals[METRIC_INVOCATIONS], 6);
    assert_int_equal(aggregate_set_count(agg), 2);
    assert_int_equal(aggregate_interval(agg), 60);
    aggregate_reset(agg);
    expect_rows(agg, 0, "");
    aggregate_free(agg);
    aggregate_free(NULL);
}

static void rollback_leaves_no_trace(void **state)
{
    (void)state;
    struct aggregate *agg = new_aggregate("ModelId", NULL, 0);
    for (size_t i = 0; i < COUNT_OF(calls); i++)
        add_call(agg, &calls[i]);
    aggregate_rollback(agg);
    expect_rows(agg, 0, "");
    add_call(agg, &calls[3]);
    aggregate_commit(agg);
    for (size_t i = 0; i < COUNT_OF(calls); i++)
        add_call(agg, &calls[i]);
    aggregate_rollback(agg);
    aggregate_rollback(agg);
    aggregate_commit(agg);
    expect_rows(agg, 0, "0|anthropic.c| 1 7 3 10 0 0 0\n");
    aggregate_free(agg);
}

/* However the calls are dealt out to aggregates, the merged rows are the same. */
static void merging(void **state)
{
    (void)state;
    const char *wanted = "0|CrossRegion|abcdef123456| 1 1 1 2 0 0 0\n"
                         "0|CrossRegion|anthropic.c| 2 30 3 33 0 0 0\n"
                         "0|GlobalCrossRegion|anthropic.c| 1 7 3 10 0 0 0\n"
                         "0|InRegion|anthropic.c| 1 14 0 14 1 1 1\n"
                         "0|Unknown|abcdef123456| 1 2 2 4 0 0 0\n";
    for (unsigned deal = 0; deal < 1U << COUNT_OF(calls); deal++) {
        struct aggregate *part[2];
        for (int p = 0; p < 2; p++)
            part[p] = new_aggregate("InferenceProfileType,ModelId", NULL, 0);
        for (size_t i = 0; i < COUNT_OF(calls); i++)
            add_call(part[deal >> i & 1], &calls[i]);
        for (int p = 0; p < 2; p++)
            aggregate_commit(part[p]);
        add_call(part[1], &calls[0]); /* pending: not merged */
        assert_int_equal(aggregate_merge(part[0], part[1], 0), ST_OK);
        expect_rows(part[0], 0, wanted);
        for (int p = 0; p < 2; p++)
            aggregate_free(part[p]);
    }
}

/* A reader's aggregate sees new texts with every object: what it remembers of them is bounded, and
 * merging takes over those of the sums only. */
static void long_life(void **state)
{
    static char team[2000];
    struct aggregate *agg = new_aggregate("Metadata:team,ModelId", NULL, 0);
    struct aggregate *sum = new_aggregate("Metadata:team,ModelId", NULL, 0);
    struct call call = calls[0];
    size_t before = mallinfo2().uordblks;
    (void)state;
    memset(team, 'x', sizeof(team) - 1);
    call.team = team;
    for (unsigned i = 0; i < 50000; i++) {
        team[snprintf(team, 16, "%u", i)] = 'x';
        add_call(agg, &call);
        if (i % 100 != 0) {
            aggregate_rollback(agg);
        } else {
            aggregate_commit(agg);
            aggregate_reset(agg);
        }
    }
    assert_true(mallinfo2().uordblks < before + (16 << 20)); /* of 100 MB of texts */
    call.team = "one";
    add_call(agg, &call);
    aggregate_commit(agg);
    expect_rows(agg, 0, "0|one|anthropic.c| 1 10 1 11 0 0 0\n");
    before = mallinfo2().uordblks;
    assert_int_equal(aggregate_merge(sum, agg, 0), ST_OK);
    assert_true(mallinfo2().uordblks < before + (1 << 16));
    expect_rows(sum, 0, "0|one|anthropic.c| 1 10 1 11 0 0 0\n");
    aggregate_free(agg);
    aggregate_free(sum);
}

static void folding(void **state)
{
    static const struct {
        size_t limit;
        uint64_t folded;
        const char *wanted;
    } cases[] = {
        {9, 0,
         "0|a.d| 0 0 0 0 0 0 1\n0|b.b| 2 5 0 5 0 0 0\n0|c.a| 1 50 0 50 0 0 0\n"
         "0|d.c| 1 5 0 5 0 0 0\n0|e.b| 1 5 0 5 0 0 0\n"},
        {4, 1,
         "0|Other| 0 0 0 0 0 0 1\n0|b.b| 2 5 0 5 0 0 0\n0|c.a| 1 50 0 50 0 0 0\n"
         "0|d.c| 1 5 0 5 0 0 0\n0|e.b| 1 5 0 5 0 0 0\n"},
        {3, 2,
         "0|Other| 1 5 0 5 0 0 1\n0|b.b| 2 5 0 5 0 0 0\n0|c.a| 1 50 0 50 0 0 0\n"
         "0|d.c| 1 5 0 5 0 0 0\n"},
        {2, 3, "0|Other| 2 10 0 10 0 0 1\n0|b.b| 2 5 0 5 0 0 0\n0|c.a| 1 50 0 50 0 0 0\n"},
        {1, 4, "0|Other| 4 15 0 15 0 0 1\n0|c.a| 1 50 0 50 0 0 0\n"},
        {0, 5, "0|Other| 5 65 0 65 0 0 1\n"},
    };
    static const struct call some[] = {
        {0, "c.a", "r", NULL, NULL, NULL, NULL, NULL, 50, 0, INVOCATION_OK},
        {0, "b.b", "r", NULL, NULL, NULL, NULL, NULL, 2, 0, INVOCATION_OK},
        {0, "b.b", "r", NULL, NULL, NULL, NULL, NULL, 3, 0, INVOCATION_OK},
        {0, "e.b", "r", NULL, NULL, NULL, NULL, NULL, 5, 0, INVOCATION_OK},
        {0, "d.c", "r", NULL, NULL, NULL, NULL, NULL, 5, 0, INVOCATION_OK},
        {0, "a.d", "r", NULL, NULL, NULL, NULL, NULL, 0, 0, INVOCATION_THROTTLED},
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct aggregate *agg = new_aggregate("ModelId", NULL, 0);
        for (size_t k = 0; k < COUNT_OF(some); k++)
            add_call(agg, &some[k]);
        aggregate_commit(agg);
        uint64_t folded = 0;
        assert_int_equal(aggregate_fold(agg, 0, cases[i].limit, &folded), ST_OK);
        expect_u64(i, "folded", folded, cases[i].folded);
        expect_rows(agg, 0, cases[i].wanted);
        u128 totals[METRIC_COUNT];
        aggregate_totals(agg, totals);
        expect_u64(i, "total", (uint64_t)totals[METRIC_TOTAL], 65);
        assert_int_equal(aggregate_fold(agg, 0, cases[i].limit, NULL), ST_OK);
        aggregate_free(agg);
    }
}

/* A series is one in every bucket or in none. */
static void folding_over_time(void **state)
{
    (void)state;
    struct aggregate *agg = new_aggregate("SourceRegion,ModelId", NULL, 60);
    static const struct call some[] = {
        {0, "a.a", "r", NULL, NULL, NULL, NULL, NULL, 3, 0, INVOCATION_OK},
        {60, "a.a", "r", NULL, NULL, NULL, NULL, NULL, 3, 0, INVOCATION_OK},
        {0, "b.b", "r", NULL, NULL, NULL, NULL, NULL, 5, 0, INVOCATION_OK},
        {60, "c.c", "r", NULL, NULL, NULL, NULL, NULL, 4, 0, INVOCATION_OK},
    };
    for (size_t k = 0; k < COUNT_OF(some); k++)
        add_call(agg, &some[k]);
    aggregate_commit(agg);
    assert_int_equal(aggregate_fold(agg, 0, 1, NULL), ST_OK);
    expect_rows(agg, 0,
                "0|Other|Other| 1 5 0 5 0 0 0\n0|r|a.a| 1 3 0 3 0 0 0\n"
                "60|Other|Other| 1 4 0 4 0 0 0\n60|r|a.a| 1 3 0 3 0 0 0\n");
    aggregate_free(agg);
}

/* The totals of a set, and how many of its rows are "Other". */
static u128 total_of(const struct aggregate *agg, size_t set, size_t *rows, size_t *others)
{
    struct aggregate_row row;
    uint32_t cursor = 0;
    u128 total = 0;
    *rows = *others = 0;
    while (aggregate_next_row(agg, set, &cursor, &row)) {
        total += row.sum[METRIC_TOTAL];
        ++*rows;
        *others += view_eq_cstr(row.value[0], "Other");
    }
    return total;
}

/* Folding against the rule in its plainest form, over random series in random buckets. */
static void folding_is_by_the_rule(void **state)
{
    enum { SERIES = 40, BUCKETS = 5 };
    (void)state;
    srandom(7);
    for (size_t round = 0; round < 300; round++) {
        struct aggregate *agg = new_aggregate("ModelId", NULL, 60);
        uint64_t sums[SERIES] = {0}, calls_of[SERIES] = {0}, kept = 0;
        size_t limit = (size_t)random() % (SERIES + 2), seen = 0;
        for (size_t i = 0; i < 120; i++) {
            size_t series = (size_t)random() % SERIES;
            char model[16];
            snprintf(model, sizeof(model), "m.%02zu", series);
            struct call call = {.time = random() % BUCKETS * 60,
                                .model = model,
                                .region = "r",
                                .input = (uint64_t)random() % 3};
            add_call(agg, &call);
            sums[series] += call.input;
            calls_of[series]++;
        }
        aggregate_commit(agg);
        for (size_t i = 0; i < SERIES; i++) {
            size_t larger = 0;
            seen += calls_of[i] > 0;
            for (size_t k = 0; k < SERIES; k++)
                larger += sums[k] > sums[i] ||
                          (sums[k] == sums[i] &&
                           (calls_of[k] > calls_of[i] || (calls_of[k] == calls_of[i] && k < i)));
            kept += calls_of[i] > 0 && larger < limit ? sums[i] : 0;
        }
        uint64_t folded = 0, named = 0;
        assert_int_equal(aggregate_fold(agg, 0, limit, &folded), ST_OK);
        expect_u64(round, "folded", folded, seen > limit ? seen - limit : 0);
        struct aggregate_row row;
        uint32_t cursor = 0;
        while (aggregate_next_row(agg, 0, &cursor, &row))
            named += view_eq_cstr(row.value[0], "Other") ? 0 : (uint64_t)row.sum[METRIC_TOTAL];
        expect_u64(round, "kept", named, kept);
        aggregate_free(agg);
    }
}

/* Whatever comes, the bound is kept and every token is in the totals of every set. */
static void bound_is_kept(void **state)
{
    struct aggregate_bound bound = {.limit = 256 * 1024};
    struct aggregate *agg = new_bounded("Metadata:team,ModelId", "Principal", 60, &bound);
    struct aggregate *sum = new_bounded("Metadata:team,ModelId", "Principal", 60, &bound);
    uint64_t total = 0, now = (uint64_t)time(NULL);
    size_t rows, others;
    (void)state;
    srandom(11);
    for (size_t object = 0; object < 12; object++) {
        for (size_t i = 0; i < 2000; i++) {
            char team[64], model[64], arn[64];
            bool wild = object % 3 != 0;
            snprintf(team, sizeof(team), "t%ld", wild ? random() : random() % 4);
            snprintf(model, sizeof(model), "m.%ld", wild && object % 2 ? random() : 1);
            snprintf(arn, sizeof(arn), "arn:aws:iam::1:user/%ld", wild ? random() % 3000 : 1);
            struct call call = {.time = (int64_t)now - (wild ? random() % 4000000 : 60),
                                .model = model,
                                .region = "r",
                                .arn = arn,
                                .team = team,
                                .input = (uint64_t)random() % 9};
            struct scan_value metadata;
            struct record record = record_of(&call, &metadata);
            enum status st = aggregate_add(agg, &record);
            if (st == ST_TOO_BIG) {
                aggregate_rollback(agg);
                total = (uint64_t)total_of(agg, 0, &rows, &others) +
                        (uint64_t)total_of(sum, 0, &rows, &others);
                break;
            }
            assert_int_equal(st, ST_OK);
            total += call.input;
        }
        assert_true(atomic_load(&bound.used) <= 2 * bound.limit + 4096);
        aggregate_commit(agg);
        assert_int_equal((uint64_t)total_of(agg, 1, &rows, &others) +
                             (uint64_t)total_of(sum, 1, &rows, &others),
                         total);
        if (object % 3 == 2)
            assert_true(aggregate_take_overflow(agg) > 0);
        if (object % 4 == 3 && aggregate_move(sum, agg) != ST_OK)
            break; /* part of it has joined */
    }
    aggregate_free(sum);
    aggregate_reset(agg);
    assert_true(atomic_load(&bound.used) < 16 * 1024);
    aggregate_free(agg);
    assert_int_equal(atomic_load(&bound.used), 0);
}

/* What was known before the bound was reached keeps its name; what is new is "Other", in its bucket
 * or, where nothing is published of that time any more, in one. */
static void bound_makes_other(void **state)
{
    struct aggregate_bound bound = {.limit = 1 << 20};
    int64_t now = (int64_t)time(NULL) / 60 * 60;
    size_t rows, others;
    (void)state;
    struct aggregate *agg = new_bounded("ModelId", NULL, 60, &bound);
    add_call(agg, &(struct call){.time = now, .model = "a.a", .region = "r", .input = 1});
    bound.limit = atomic_load(&bound.used); /* there is room for a few buckets more */
    add_call(agg, &(struct call){.time = now, .model = "a.a", .region = "r", .input = 2});
    assert_int_equal(aggregate_take_overflow(agg), 0);
    add_call(agg, &(struct call){.time = now, .model = "b.b", .region = "r", .input = 4});
    for (int64_t i = 0; i < 1000; i++)
        add_call(agg, &(struct call){.time = i * 60, .model = "a.a", .region = "r", .input = 8});
    assert_int_equal(aggregate_take_overflow(agg), 1001);
    assert_int_equal(aggregate_take_overflow(agg), 0);
    aggregate_commit(agg);
    assert_int_equal(total_of(agg, 0, &rows, &others), 8007);
    assert_int_equal(rows, 3);
    assert_int_equal(others, 2);
    aggregate_free(agg);
}

static void statistics_and_wide_sums(void **state)
{
    (void)state;
    struct aggregate *agg = new_aggregate("ModelId", NULL, 0);
    struct call call = {0, "a.b", "r", NULL, NULL, NULL, NULL, NULL, 0, 7, INVOCATION_OK};
    for (int i = 0; i < 4; i++) {
        call.input = i == 3 ? 0 : UINT64_C(9007199254740992) - (uint64_t)i;
        add_call(agg, &call);
        aggregate_commit(agg);
    }
    struct aggregate_rows *rows = aggregate_rows_new(agg, 0);
    struct aggregate_row row;
    aggregate_rows_get(rows, 0, &row);
    assert_int_equal(row.statistic[METRIC_INPUT].count, 3);
    assert_int_equal(row.statistic[METRIC_INPUT].minimum, 9007199254740990);
    assert_int_equal(row.statistic[METRIC_INPUT].maximum, 9007199254740992);
    assert_int_equal(row.statistic[METRIC_OUTPUT].count, 4);
    assert_int_equal(row.statistic[METRIC_CACHE_READ].count, 0);
    aggregate_rows_free(rows);
    /* Doubling by merging with itself's copy takes the sum past 64 bits. */
    for (int doubling = 0; doubling < 20; doubling++) {
        struct aggregate *copy = new_aggregate("ModelId", NULL, 0);
        assert_int_equal(aggregate_merge(copy, agg, 0), ST_OK);
        assert_int_equal(aggregate_merge(agg, copy, 0), ST_OK);
        aggregate_free(copy);
    }
    u128 totals[METRIC_COUNT], wanted = (u128)(UINT64_C(9007199254740992) * 3 - 3) << 20;
    aggregate_totals(agg, totals);
    assert_true(totals[METRIC_INPUT] == wanted);
    assert_true(totals[METRIC_INPUT] >> 64 != 0);
    assert_true(totals[METRIC_TOTAL] == wanted + ((u128)28 << 20));
    aggregate_free(agg);
}

static void buckets(void **state)
{
    static const struct {
        int64_t interval, time, begin;
    } cases[] = {
        {60, 0, 0},
        {60, 59, 0},
        {60, 60, 60},
        {60, -1, -60},
        {60, -60, -60},
        {60, -61, -120},
        {300, 299, 0},
        {3600, 7199, 3600},
        {86400, 1793529067, 1793491200},
        {0, 1793529067, 0},
        {0, -5, 0},
        {86400, -62167219200, -62167219200},
        {1, 253402300799, 253402300799},
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct aggregate *agg = new_aggregate("ModelId", NULL, cases[i].interval);
        struct call call = {cases[i].time, "a.b", "r", NULL, NULL,         NULL,
                            NULL,          NULL,  1,   0,    INVOCATION_OK};
        add_call(agg, &call);
        aggregate_commit(agg);
        struct aggregate_rows *rows = aggregate_rows_new(agg, 0);
        struct aggregate_row row;
        aggregate_rows_get(rows, 0, &row);
        expect_u64(i, "begin", (uint64_t)row.time, (uint64_t)cases[i].begin);
        aggregate_rows_free(rows);
        aggregate_free(agg);
    }
}

/* Names that are not text of ours: any bytes stay apart and are sorted bytewise. */
static void bytewise_order(void **state)
{
    (void)state;
    struct aggregate *agg = new_aggregate("SourceRegion", NULL, 0);
    static const char *const regions[] = {"b", "a", "\xc3\xa9", "B", "ab", "a ", "Z", "\x7f"};
    for (size_t i = 0; i < COUNT_OF(regions); i++) {
        struct call call = {0,    "m.m", regions[i], NULL, NULL,         NULL,
                            NULL, NULL,  1,          0,    INVOCATION_OK};
        add_call(agg, &call);
    }
    aggregate_commit(agg);
    expect_rows(agg, 0,
                "0|B| 1 1 0 1 0 0 0\n0|Z| 1 1 0 1 0 0 0\n0|a| 1 1 0 1 0 0 0\n"
                "0|a | 1 1 0 1 0 0 0\n0|ab| 1 1 0 1 0 0 0\n0|b| 1 1 0 1 0 0 0\n"
                "0|\x7f| 1 1 0 1 0 0 0\n0|\xc3\xa9| 1 1 0 1 0 0 0\n");
    aggregate_free(agg);
}

/* ---- metrics ---- */

static void metrics(void **state)
{
    (void)state;
    for (unsigned m = 0; m < METRIC_COUNT; m++) {
        assert_int_equal(metric_find(view_of(metric_name((enum metric)m))), m);
        assert_true(strlen(metric_unit((enum metric)m)) > 0);
    }
    assert_string_equal(metric_unit(METRIC_LATENCY), "Milliseconds");
    assert_string_equal(metric_unit(METRIC_COST), "None");
    assert_string_equal(metric_unit(METRIC_INPUT), "Count");
    assert_int_equal(metric_find(VIEW_LIT("invocations")), METRIC_COUNT);
    assert_int_equal(metric_find(VIEW_EMPTY), METRIC_COUNT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(dimension_sets),
        cmocka_unit_test(dimension_limits),
        cmocka_unit_test(interning),
        cmocka_unit_test(cells_commit_and_rollback),
        cmocka_unit_test(rows_of_all_dimensions),
        cmocka_unit_test(rollback_leaves_no_trace),
        cmocka_unit_test(merging),
        cmocka_unit_test(long_life),
        cmocka_unit_test(folding),
        cmocka_unit_test(folding_over_time),
        cmocka_unit_test(folding_is_by_the_rule),
        cmocka_unit_test(bound_is_kept),
        cmocka_unit_test(bound_makes_other),
        cmocka_unit_test(statistics_and_wide_sums),
        cmocka_unit_test(buckets),
        cmocka_unit_test(bytewise_order),
        cmocka_unit_test(metrics),
    };
    return cmocka_run_group_tests_name("aggregate", tests, NULL, NULL);
}
