/* test_publish_batch.c: data and requests for CloudWatch: limits, splitting, order, exact sums. */
#include "unit.h"

#include <jansson.h>

#include "publish/batch.h"

/* ---- names and values ---- */

static void dimension_values(void **state)
{
    static const struct {
        struct view in;
        const char *out;
    } cases[] = {
        {TEXT("us.anthropic.claude"), "\"us.anthropic.claude\""},
        {TEXT(""), "\"\\\\empty\""},
        {TEXT("   "), "\"\\\\u0020  \""},
        {TEXT("a b"), "\"a b\""},
        {TEXT(" a "), "\" a \""},
        {TEXT("?"), "\"?\""},
        {TEXT("caf\xc3\xa9"), "\"caf\\\\u00E9\""},
        {TEXT("\xe6\x97\xa5\xe6\x9c\xac"), "\"\\\\u65E5\\\\u672C\""},
        {TEXT("\xf0\x9f\x98\x80"), "\"\\\\uD83D\\\\uDE00\""},
        {TEXT("a\nb\x7f\0c"), "\"a\\\\u000Ab\\\\u007F\\\\u0000c\""},
        {TEXT("quote\" back\\"), "\"quote\\\" back\\\\\\\\\""},
        {TEXT("bad \xff\xc3"), "\"bad \\\\xFF\\\\xC3\""},
        {TEXT("~!"), "\"~!\""},
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct buf out;
        buf_init(&out, 4096);
        datum_add_dimension_value(&out, cases[i].in);
        expect_view(i, buf_view(&out), view_of(cases[i].out));
        buf_clear(&out);
    }
}

/* How a value is published, without the quotes of JSON; it is checked to be one CloudWatch takes. */
static json_t *published(struct view value)
{
    struct buf out;
    buf_init(&out, 8192);
    datum_add_dimension_value(&out, value);
    assert_int_equal(buf_status(&out), ST_OK);
    json_t *text = json_loadb(out.ptr, out.len, JSON_DECODE_ANY, NULL);
    assert_true(json_is_string(text));
    size_t length = json_string_length(text);
    assert_in_range(length, 1, 1024);
    assert_true(strspn(json_string_value(text), " ") < length);
    for (size_t i = 0; i < length; i++)
        assert_in_range(json_string_value(text)[i], ' ', '~');
    buf_clear(&out);
    return text;
}

/* `unit` so often, then `end`, and what is published of it: so many characters, with this hash. */
static void long_dimension_values(void **state)
{
    static const struct {
        const char *unit, *end;
        size_t times, length;
        const char *hash; /* printf ... | sha256sum; NULL: nothing is cut */
    } cases[] = {
        {"x", "", 1024, 1024, NULL},
        {"x", "", 1025, 1024, "~c6d8e99053008760"},
        {"\xc3\xa9", "", 170, 1020, NULL},
        {"\xc3\xa9", "xxxx", 170, 1024, NULL},
        {"\xc3\xa9", "", 171, 1002 + 17, "~"},
        {"\\", "", 512, 1024, NULL},
        {"\\", "", 513, 1006 + 17, "~"},
        {"\xf0\x9f\x98\x80", "", 86, 996 + 17, "~"},
        {" ", "", 2000, 1024, "~"},
        /* What looks like a shortened value. */
        {"x", "~0123456789abcdef", 1007, 1024, "~"},
        {"x", "~0123456789abcdeg", 1007, 1024, NULL},
        {"x", "~0123456789abcdef", 995, 1012, NULL},
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct buf in;
        buf_init(&in, 8192);
        for (size_t k = 0; k < cases[i].times; k++)
            buf_add_cstr(&in, cases[i].unit);
        buf_add_cstr(&in, cases[i].end);
        json_t *text = published(buf_view(&in));
        struct view got = view_make(json_string_value(text), json_string_length(text));
        expect_u64(i, "length", got.len, cases[i].length);
        struct view end = view_skip(got, got.len - 17);
        if (cases[i].hash == NULL)
            assert_false(end.ptr[0] == '~' && !view_ends(buf_view(&in), end));
        else
            assert_true(view_starts(end, view_of(cases[i].hash)));
        json_decref(text);
        buf_clear(&in);
    }
}

/* A value that another could be taken for: of few characters, or as another is published. */
static void make_value(struct buf *out, const json_t *before)
{
    static const char *const units[] = {"a",        "u",       "0",
                                        "E",        "9",       " ",
                                        "\\",       "~",       "?",
                                        "\"",       "\n",      "\xc3\xa9",
                                        "\xff",     "\xc3",    "\xe6\x97\xa5",
                                        "\xed\xa0", "\\u65E5", "\xf0\x9f\x98\x80",
                                        "\\x",      "\\empty"};
    static const size_t lengths[] = {0, 0, 0, 80, 165, 500, 990, 1005, 1018};
    buf_reset(out);
    if (rand() % 4 == 0) {
        buf_add_cstr(out, json_string_value(before));
        if (rand() % 2 == 0)
            out->len -= (size_t)rand() % (out->len + 1);
    }
    const char *unit = units[(size_t)rand() % COUNT_OF(units)];
    for (size_t n = lengths[(size_t)rand() % COUNT_OF(lengths)]; n > 0; n--)
        buf_add_cstr(out, unit);
    for (int n = rand() % 6; n > 0; n--)
        buf_add_cstr(out, units[(size_t)rand() % COUNT_OF(units)]);
}

static void different_values_are_different_series(void **state)
{
    json_t *value_of = json_object(), *last = json_string("");
    struct buf value;
    (void)state;
    srand(11);
    buf_init(&value, 1 << 20);
    for (unsigned i = 0; i < 10000; i++) {
        make_value(&value, last);
        json_decref(last);
        last = published(buf_view(&value));
        const char *key = json_string_value(last);
        const json_t *known = json_object_get(value_of, key);
        if (known == NULL)
            json_object_set_new(value_of, key, json_stringn_nocheck(value.ptr, value.len));
        else if (json_string_length(known) != value.len ||
                 memcmp(json_string_value(known), value.ptr, value.len) != 0)
            fail_msg("two values become \"%s\"", key);
    }
    assert_true(json_object_size(value_of) > 4000);
    json_decref(last);
    json_decref(value_of);
    buf_clear(&value);
}

static void names(void **state)
{
    static const struct {
        const char *text;
        enum status name_space, dimension;
    } cases[] = {
        {"Custom/BedrockMetrics", ST_OK, ST_OK},
        {"a", ST_OK, ST_OK},
        {"Metadata:team", ST_OK, ST_OK},
        {"", ST_USAGE, ST_USAGE},
        {" ", ST_USAGE, ST_USAGE},
        {":a", ST_USAGE, ST_USAGE},
        {"AWS/Bedrock", ST_USAGE, ST_OK},
        {"AWSome", ST_OK, ST_OK},
        {"a|b", ST_USAGE, ST_OK},
        {"caf\xc3\xa9", ST_USAGE, ST_USAGE},
        {"a\tb", ST_USAGE, ST_USAGE},
    };
    char longest[257];
    struct error err;
    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        expect_status(i, datum_check_namespace(view_of(cases[i].text), &err), cases[i].name_space);
        expect_status(i, datum_check_dimension(view_of(cases[i].text), &err), cases[i].dimension);
    }
    memset(longest, 'n', 256);
    longest[256] = '\0';
    assert_int_equal(datum_check_namespace(view_of(longest), &err), ST_USAGE);
    assert_int_equal(datum_check_namespace(view_first(view_of(longest), 255), &err), ST_OK);
}

/* ---- splitting ---- */

#define P53 (UINT64_C(1) << 53)

/* Pieces must add up, be exact as doubles, and be possible. */
static void check_pieces(size_t row, const struct aggregate_row *r, enum metric metric,
                         uint64_t wanted)
{
    struct datum_pieces pieces = {0};
    struct datum_piece piece;
    u128 sum = 0;
    uint64_t count = 0, n = 0;
    while (datum_next_piece(&pieces, r, metric, &piece)) {
        n++;
        sum += piece.sum;
        count += piece.count;
        if (piece.sum > P53 || piece.count == 0)
            fail_row(row, "piece %llu is not exact", (unsigned long long)n);
        if (piece.sum < (u128)piece.minimum * piece.count ||
            piece.sum > (u128)piece.maximum * piece.count)
            fail_row(row, "piece %llu is impossible", (unsigned long long)n);
    }
    if (sum != r->sum[metric])
        fail_row(row, "the pieces do not add up");
    expect_u64(row, "pieces", n, wanted);
    expect_u64(row, "datum_count", datum_count(r, metric), wanted);
    if (r->statistic[metric].count > 0 && r->statistic[metric].maximum <= P53)
        expect_u64(row, "records", count, r->statistic[metric].count);
}

static void pieces_of_sums(void **state)
{
    static const struct {
        u128 sum;
        uint64_t count, minimum, maximum, pieces;
    } cases[] = {
        {0, 0, 0, 0, 0},
        {1, 1, 1, 1, 1},
        {100, 7, 1, 90, 1},
        {P53, 1, P53, P53, 1},
        {P53, 3, 1, P53 - 2, 1},
        {(u128)P53 + 1, 2, 1, P53, 2},
        {(u128)P53 * 2, 2, P53, P53, 2},
        {(u128)P53 * 3 - 1, 3, P53 - 1, P53, 3},
        {(u128)P53 * 1000, 1000, P53, P53, 1000},
        {(u128)P53 + 5, 1000000, 1, P53, 2},
        {(u128)P53 * 4, 1, UINT64_C(1) << 55, UINT64_C(1) << 55, 4}, /* one record's total */
        {(u128)P53 * 7 + 3, 2, P53, P53 * 7, 8},
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct aggregate_row row;
        memset(&row, 0, sizeof(row));
        row.sum[METRIC_INPUT] = cases[i].sum;
        row.statistic[METRIC_INPUT] =
            (struct statistic){cases[i].count, cases[i].minimum, cases[i].maximum};
        check_pieces(i, &row, METRIC_INPUT, cases[i].pieces);
    }
    srand(4711);
    for (size_t i = 0; i < 20000; i++) {
        struct aggregate_row row;
        memset(&row, 0, sizeof(row));
        struct statistic *s = &row.statistic[METRIC_OUTPUT];
        uint64_t n = 1 + (uint64_t)rand() % 50;
        s->minimum = UINT64_MAX;
        for (uint64_t k = 0; k < n; k++) {
            uint64_t value = 1 + (((uint64_t)rand() << 31 | (uint64_t)rand()) % P53) /
                                     (UINT64_C(1) << (rand() % 53));
            row.sum[METRIC_OUTPUT] += value;
            s->count++;
            s->minimum = value < s->minimum ? value : s->minimum;
            s->maximum = value > s->maximum ? value : s->maximum;
        }
        check_pieces(i, &row, METRIC_OUTPUT, datum_count(&row, METRIC_OUTPUT));
    }
}

/* Whatever the records were, the total's statistic must be possible. */
static void bounds_of_total(void **state)
{
    (void)state;
    srand(815);
    for (size_t i = 0; i < 20000; i++) {
        struct aggregate_row row;
        memset(&row, 0, sizeof(row));
        uint64_t n = 1 + (uint64_t)rand() % 9;
        uint64_t least = UINT64_MAX, most = 0, counted = 0;
        for (uint64_t k = 0; k < n; k++) {
            uint64_t total = 0;
            for (unsigned m = METRIC_INPUT; m <= METRIC_CACHE_WRITE; m++) {
                uint64_t value = rand() % 3 == 0 ? 0 : (uint64_t)rand() % 1000;
                struct statistic *s = &row.statistic[m];
                row.sum[m] += value;
                total += value;
                if (value == 0)
                    continue;
                s->minimum = s->count == 0 || value < s->minimum ? value : s->minimum;
                s->maximum = value > s->maximum ? value : s->maximum;
                s->count++;
            }
            row.sum[METRIC_TOTAL] += total;
            counted += total > 0;
            least = total > 0 && total < least ? total : least;
            most = total > most ? total : most;
        }
        if (counted == 0)
            continue;
        struct statistic s = datum_statistic(&row, METRIC_TOTAL);
        if (s.count > counted || s.minimum > least || s.maximum < most ||
            row.sum[METRIC_TOTAL] < (u128)s.count * s.minimum ||
            row.sum[METRIC_TOTAL] > (u128)s.count * s.maximum)
            fail_row(i, "count %llu minimum %llu maximum %llu", (unsigned long long)s.count,
                     (unsigned long long)s.minimum, (unsigned long long)s.maximum);
    }
}

/* ---- requests ---- */

static const int64_t now = 1764100000;

struct fixture {
    struct dimension_keys keys;
    struct dimension_set sets[2];
    struct aggregate *agg;
};

static void fixture_init(struct fixture *f)
{
    struct error err;
    memset(f, 0, sizeof(*f));
    assert_int_equal(dimension_set_parse(VIEW_LIT("SourceRegion"), &f->keys, &f->sets[0], &err),
                     ST_OK);
    assert_int_equal(
        dimension_set_parse(VIEW_LIT("ModelId,Operation"), &f->keys, &f->sets[1], &err), ST_OK);
    struct aggregate_options options = {.sets = f->sets,
                                        .set_count = 2,
                                        .keys = &f->keys,
                                        .interval_seconds = 60,
                                        .statistics = true};
    f->agg = aggregate_new(&options);
    assert_non_null(f->agg);
}

static void count(struct fixture *f, int64_t time, const char *model, uint64_t input,
                  uint64_t output)
{
    struct record record = {.time = {time, 0},
                            .tokens = {[NUMBER_INPUT] = input, [NUMBER_OUTPUT] = output},
                            .model_id = view_of(model),
                            .region = VIEW_LIT("us-east-1"),
                            .operation = VIEW_LIT("Converse"),
                            .schema_version = VIEW_LIT("1.0")};
    assert_int_equal(aggregate_add(f->agg, &record), ST_OK);
    aggregate_commit(f->agg);
}

static struct batch *build(struct fixture *f, const struct batch_options *given,
                           struct batch_dropped *dropped)
{
    struct batch *batch = NULL;
    struct batch_options options = *given;
    memset(dropped, 0, sizeof(*dropped));
    options.name_space = VIEW_LIT("Custom/Test");
    options.metrics = options.metrics != 0 ? options.metrics : METRIC_SET_BASE;
    options.storage_resolution = 60;
    options.now_s = now;
    assert_int_equal(batch_new(&batch, f->agg, &options, dropped), ST_OK);
    return batch;
}

/* The sum of a metric over all requests, which must be JSON within their limits. */
static json_int_t sum_of(const struct batch *batch, const char *metric, size_t dimensions,
                         size_t max_data, size_t max_bytes)
{
    struct buf body;
    json_int_t sum = 0;
    size_t expected_first = 0;
    buf_init(&body, 4 << 20);
    for (size_t i = 0; i < batch_request_count(batch); i++) {
        size_t first, n, k;
        json_t *datum;
        batch_request(batch, i, &first, &n);
        assert_int_equal(first, expected_first);
        expected_first += n;
        assert_true(n > 0 && n <= max_data);
        assert_int_equal(batch_write(batch, first, n, &body), ST_OK);
        assert_true(body.len <= max_bytes);
        json_t *json = json_loadb(body.ptr, body.len, JSON_REJECT_DUPLICATES, NULL);
        assert_non_null(json);
        assert_string_equal(json_string_value(json_object_get(json, "Namespace")), "Custom/Test");
        json_array_foreach(json_object_get(json, "MetricData"), k, datum)
        {
            if (strcmp(json_string_value(json_object_get(datum, "MetricName")), metric) == 0 &&
                json_array_size(json_object_get(datum, "Dimensions")) == dimensions)
                sum += json_integer_value(
                    json_object_get(json_object_get(datum, "StatisticValues"), "Sum"));
        }
        assert_int_equal(json_array_size(json_object_get(json, "MetricData")), n);
        json_decref(json);
    }
    assert_int_equal(expected_first, batch_data_count(batch));
    buf_clear(&body);
    return sum;
}

static void requests_and_limits(void **state)
{
    static const struct {
        size_t max_data, max_bytes;
    } limits[] = {{0, 0}, {1000, 0}, {7, 0}, {1, 0}, {0, 2000}, {3, 900}, {0, 100000}};
    struct fixture f;
    struct batch_dropped dropped;
    char model[64];
    (void)state;
    fixture_init(&f);
    for (unsigned i = 0; i < 300; i++) {
        snprintf(model, sizeof(model), "vendor.model-%03u", i % 150);
        count(&f, now - 60 * (i % 4), model, i, 2);
    }
    uint64_t data;
    data = batch_count_data(f.agg, &(struct batch_options){.metrics = METRIC_SET_BASE});
    for (size_t i = 0; i < COUNT_OF(limits); i++) {
        struct batch_options options = {.max_data = limits[i].max_data,
                                        .max_bytes = limits[i].max_bytes};
        struct batch *batch = build(&f, &options, &dropped);
        size_t max_data = limits[i].max_data != 0 ? limits[i].max_data : 1000;
        size_t max_bytes = limits[i].max_bytes != 0 ? limits[i].max_bytes : 1000000;
        expect_u64(i, "data", batch_data_count(batch), data);
        expect_u64(i, "input", (uint64_t)sum_of(batch, "InputTokenCount", 1, max_data, max_bytes),
                   299 * 300 / 2);
        expect_u64(i, "by model",
                   (uint64_t)sum_of(batch, "OutputTokenCount", 2, max_data, max_bytes), 600);
        expect_u64(i, "total", (uint64_t)sum_of(batch, "TotalTokenCount", 2, max_data, max_bytes),
                   299 * 300 / 2 + 600);
        expect_u64(i, "dropped", dropped.old_rows + dropped.future_rows, 0);
        batch_free(batch);
    }
    /* A datum that fits no request is a fault, not an endless loop. */
    struct batch *batch = NULL;
    struct batch_options options = {.name_space = VIEW_LIT("n"),
                                    .metrics = METRIC_SET_BASE,
                                    .storage_resolution = 1,
                                    .now_s = now,
                                    .max_bytes = 100};
    assert_int_equal(batch_new(&batch, f.agg, &options, &dropped), ST_TOO_BIG);
    assert_null(batch);
    aggregate_free(f.agg);
}

static void same_sums_same_bytes(void **state)
{
    struct fixture one, two;
    struct batch_dropped dropped;
    struct batch_options options = {0};
    struct buf a, b;
    (void)state;
    fixture_init(&one);
    fixture_init(&two);
    for (unsigned i = 0; i < 50; i++) {
        char model[64];
        snprintf(model, sizeof(model), "vendor.m%u", i % 9);
        count(&one, now - i, model, i, 1);
        snprintf(model, sizeof(model), "vendor.m%u", (49 - i) % 9);
        count(&two, now - (49 - i), model, 49 - i, 1);
    }
    struct batch *first = build(&one, &options, &dropped),
                 *second = build(&two, &options, &dropped);
    buf_init(&a, 1 << 20);
    buf_init(&b, 1 << 20);
    assert_int_equal(batch_write(first, 0, batch_data_count(first), &a), ST_OK);
    assert_int_equal(batch_write(second, 0, batch_data_count(second), &b), ST_OK);
    assert_true(view_eq(buf_view(&a), buf_view(&b)));
    buf_clear(&a);
    buf_clear(&b);
    batch_free(first);
    batch_free(second);
    aggregate_free(one.agg);
    aggregate_free(two.agg);
}

static void limits_of_time(void **state)
{
    static const struct {
        int64_t offset;
        bool old, future;
    } cases[] = {
        {0, false, false},          {-13 * 86400, false, false}, {-14 * 86400 + 600, false, false},
        {-14 * 86400, true, false}, {-15 * 86400, true, false},  {3600, false, false},
        {7200 - 120, false, false}, {7200 + 60, false, true},    {86400, false, true},
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct fixture f;
        struct batch_dropped dropped;
        struct batch_options options = {0};
        fixture_init(&f);
        count(&f, now + cases[i].offset, "vendor.m", 5, 3);
        struct batch *batch = build(&f, &options, &dropped);
        expect_u64(i, "old", dropped.old_rows, cases[i].old ? 2 : 0);
        expect_u64(i, "future", dropped.future_rows, cases[i].future ? 2 : 0);
        expect_u64(i, "tokens", (uint64_t)(dropped.old_tokens + dropped.future_tokens),
                   cases[i].old || cases[i].future ? 8 : 0);
        expect_u64(i, "requests", batch_request_count(batch),
                   cases[i].old || cases[i].future ? 0 : 1);
        batch_free(batch);
        aggregate_free(f.agg);
    }
}

static void kept_series(void **state)
{
    struct fixture whole, part;
    struct batch_dropped dropped;
    uint64_t folded = 0;
    char model[64];
    (void)state;
    fixture_init(&whole);
    fixture_init(&part);
    for (unsigned i = 0; i < 20; i++) {
        snprintf(model, sizeof(model), "vendor.m%02u", i);
        count(&whole, now - 60 * (i % 3), model, 1000 + i, 0);
        if (i % 2 == 0)
            count(&part, now - 60 * (i % 3), model, 1000 + i, 0);
    }
    struct aggregate_options series = {.sets = whole.sets, .set_count = 2, .keys = &whole.keys};
    struct aggregate *all = aggregate_new(&series);
    assert_int_equal(aggregate_merge(all, whole.agg, 0), ST_OK);
    assert_int_equal(aggregate_fold(all, 0, 4, &folded), ST_OK);
    assert_int_equal(folded, 16);
    /* Twice is as good as once, and the first part leaves nothing for the next. */
    assert_int_equal(aggregate_fold_as(whole.agg, all), ST_OK);
    assert_int_equal(aggregate_fold_as(part.agg, all), ST_OK);
    assert_int_equal(aggregate_fold_as(part.agg, all), ST_OK);
    aggregate_free(all);
    struct batch_options options = {0};
    struct batch *batch = build(&part, &options, &dropped);
    /* Of the kept m16..m19 the part has m16 and m18; the rest is Other, at three times. */
    unsigned others = 0, named = 0;
    for (size_t i = 0; i < batch_data_count(batch); i++) {
        struct view datum = batch_datum(batch, i);
        if (view_find(datum, VIEW_LIT("InputTokenCount")) == SIZE_MAX ||
            view_find(datum, VIEW_LIT("ModelId")) == SIZE_MAX)
            continue;
        others += view_find(datum, VIEW_LIT("\"Value\":\"Other\"},{\"Name\":\"Operation\","
                                            "\"Value\":\"Other\"")) != SIZE_MAX;
        named += view_find(datum, VIEW_LIT("vendor.m1")) != SIZE_MAX;
    }
    assert_int_equal(others, 3);
    assert_int_equal(named, 2);
    assert_int_equal(sum_of(batch, "InputTokenCount", 2, 1000, 1000000), 10 * 1000 + 90);
    batch_free(batch);
    aggregate_free(whole.agg);
    aggregate_free(part.agg);
}

static void chosen_metrics_and_doubt(void **state)
{
    struct fixture f;
    struct batch_dropped dropped;
    (void)state;
    fixture_init(&f);
    struct batch_options options = {.metrics = METRIC_BIT(METRIC_INVOCATIONS), .in_doubt = 3};
    struct batch *batch = build(&f, &options, &dropped);
    assert_int_equal(batch_data_count(batch), 0); /* never alone */
    batch_free(batch);
    count(&f, now, "vendor.m", 5, 0);
    batch = build(&f, &options, &dropped);
    assert_int_equal(batch_data_count(batch), 3);
    assert_true(view_find(batch_datum(batch, 2), VIEW_LIT("InDoubtPublishes")) != SIZE_MAX);
    batch_free(batch);
    aggregate_free(f.agg);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(dimension_values),
        cmocka_unit_test(long_dimension_values),
        cmocka_unit_test(different_values_are_different_series),
        cmocka_unit_test(names),
        cmocka_unit_test(pieces_of_sums),
        cmocka_unit_test(bounds_of_total),
        cmocka_unit_test(requests_and_limits),
        cmocka_unit_test(same_sums_same_bytes),
        cmocka_unit_test(limits_of_time),
        cmocka_unit_test(kept_series),
        cmocka_unit_test(chosen_metrics_and_doubt),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
