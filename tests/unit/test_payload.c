/* test_payload.c: payloads and markers: there and back, any sub-range, damage. */
#include "ledger/marker.h"
#include "publish/payload.h"
#include "unit.h"

static const struct dimension_set SET = {
    .count = 1, .dimension = {{.kind = DIMENSION_MODEL_ID, .name = {"ModelId", 7}}}};

static struct aggregate *make_sums(size_t minutes)
{
    static const struct dimension_keys keys;
    struct aggregate_options options = {
        .sets = &SET, .set_count = 1, .keys = &keys, .interval_seconds = 60, .statistics = true};
    struct aggregate *agg = aggregate_new(&options);
    assert_non_null(agg);
    for (size_t i = 0; i < minutes; i++) {
        u128 sum[METRIC_COUNT] = {[METRIC_INVOCATIONS] = 1, [METRIC_INPUT] = 100 + i};
        struct view model = VIEW_LIT("a\"b\\c \x01 <model>");
        assert_int_equal(aggregate_add_sums(agg, 0, 1000000 * 60 + (int64_t)i * 60, &model, sum),
                         ST_OK);
    }
    aggregate_commit(agg);
    return agg;
}

struct fixture {
    struct aggregate *agg;
    struct batch *batch;
    struct buf bytes;
    struct payload payload;
};

static void open_fixture(struct fixture *f, size_t minutes)
{
    struct batch_dropped dropped = {0};
    struct batch_options options = {.name_space = VIEW_LIT("N"),
                                    .metrics = METRIC_SET_BASE,
                                    .storage_resolution = 60,
                                    .now_s = 1000000 * 60 + 600};
    *f = (struct fixture){.agg = make_sums(minutes)};
    buf_init(&f->bytes, 350 * 1024);
    assert_int_equal(batch_new(&f->batch, f->agg, &options, &dropped), ST_OK);
    size_t n = batch_data_count(f->batch);
    assert_int_equal(
        payload_encode(f->batch, 0, n, VIEW_LIT("N"), VIEW_LIT("eu-west-1"), &f->bytes), ST_OK);
    assert_int_equal(payload_decode(buf_view(&f->bytes), &f->payload), ST_OK);
}

static void close_fixture(struct fixture *f)
{
    payload_clear(&f->payload);
    buf_clear(&f->bytes);
    batch_free(f->batch);
    aggregate_free(f->agg);
}

static void test_there_and_back(void **state)
{
    (void)state;
    struct fixture f;
    open_fixture(&f, 10);
    assert_true(view_eq(f.payload.name_space, VIEW_LIT("N")));
    assert_true(view_eq(f.payload.region, VIEW_LIT("eu-west-1")));
    assert_int_equal(f.payload.count, batch_data_count(f.batch));
    for (size_t i = 0; i < f.payload.count; i++)
        assert_true(view_eq(f.payload.data[i], batch_datum(f.batch, i)));
    /* 100 + ... + 109: each row's tokens once. */
    assert_int_equal(payload_tokens(&f.payload, 0, f.payload.count), 1045);
    uint64_t halves =
        payload_tokens(&f.payload, 0, 7) + payload_tokens(&f.payload, 7, f.payload.count - 7);
    assert_int_equal(halves, 1045);
    assert_int_equal(payload_tokens(&f.payload, f.payload.count, 5), 0);
    close_fixture(&f);
}

static void test_a_range_as_a_request(void **state)
{
    (void)state;
    struct fixture f;
    struct buf out;
    buf_init(&out, 1 << 20);
    open_fixture(&f, 2);
    assert_int_equal(payload_write(&f.payload, 1, 1, VIEW_LIT("{MARKER}"), &out), ST_OK);
    struct view text = buf_view(&out);
    assert_true(view_starts(text, VIEW_LIT("{\"Namespace\":\"N\",\"MetricData\":[{")));
    assert_true(view_ends(text, VIEW_LIT(",{MARKER}]}")));
    assert_true(view_find(text, batch_datum(f.batch, 1)) != SIZE_MAX);
    assert_int_equal(payload_write(&f.payload, 0, f.payload.count + 1, VIEW_LIT("{}"), &out),
                     ST_BAD_ITEM);
    assert_int_equal(payload_write(&f.payload, f.payload.count + 1, 0, VIEW_LIT("{}"), &out),
                     ST_BAD_ITEM);
    buf_clear(&out);
    close_fixture(&f);
}

static void test_damage_is_told(void **state)
{
    (void)state;
    struct fixture f;
    open_fixture(&f, 5);
    for (size_t cut = 0; cut < f.bytes.len; cut++) {
        struct payload p;
        assert_int_equal(payload_decode(view_make(f.bytes.ptr, cut), &p), ST_BAD_ITEM);
        payload_clear(&p);
    }
    /* Some bits do not matter, such as the padding; all others are found by Adler-32. */
    for (size_t i = 0; i < f.bytes.len; i++) {
        struct payload p;
        f.bytes.ptr[i] = (char)(f.bytes.ptr[i] ^ 0x10);
        if (payload_decode(buf_view(&f.bytes), &p) == ST_OK)
            assert_true(view_eq(buf_view(&p.text), buf_view(&f.payload.text)));
        payload_clear(&p);
        f.bytes.ptr[i] = (char)(f.bytes.ptr[i] ^ 0x10);
    }
    buf_add_char(&f.bytes, 'x');
    struct payload p;
    assert_int_equal(payload_decode(buf_view(&f.bytes), &p), ST_BAD_ITEM);
    payload_clear(&p);
    close_fixture(&f);
}

static void test_no_room(void **state)
{
    (void)state;
    struct fixture f;
    struct buf small;
    buf_init(&small, 16);
    open_fixture(&f, 50);
    assert_int_equal(
        payload_encode(f.batch, 0, batch_data_count(f.batch), VIEW_LIT("N"), VIEW_EMPTY, &small),
        ST_TOO_BIG);
    buf_clear(&small);
    close_fixture(&f);
}

static void test_marker(void **state)
{
    (void)state;
    static const struct {
        struct ledger_marker marker;
        const char *text, *scope;
    } cases[] = {
        {{.minute = 2, .slot = 0, .digit = 0},
         "{\"MetricName\":\"PublishMarker\",\"Dimensions\":[{\"Name\":\"Slot\",\"Value\":\"0\"}],"
         "\"Timestamp\":120,\"Value\":1,\"Unit\":\"None\"}",
         NULL},
        {{.minute = 29000000, .slot = 65535, .digit = 25},
         "{\"MetricName\":\"PublishMarker\",\"Dimensions\":[{\"Name\":\"Slot\",\"Value\":"
         "\"65535\"}],\"Timestamp\":1740000000,\"Value\":1125899906842624,\"Unit\":\"None\"}",
         ""},
        /* The stacks of several Regions publish to one namespace. */
        {{.minute = 2, .slot = 7, .digit = 1},
         "{\"MetricName\":\"PublishMarker\",\"Dimensions\":[{\"Name\":\"Slot\",\"Value\":"
         "\"eu-west-1/ledger/7\"}],\"Timestamp\":120,\"Value\":4,\"Unit\":\"None\"}",
         "eu-west-1/ledger/"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct buf out;
        buf_init(&out, 1024);
        struct marker_place place = {.scope = view_of(cases[i].scope)};
        marker_add_datum(&out, &place, &cases[i].marker);
        assert_int_equal(buf_status(&out), ST_OK);
        assert_true(view_eq_cstr(buf_view(&out), cases[i].text));
        buf_clear(&out);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_there_and_back), cmocka_unit_test(test_a_range_as_a_request),
        cmocka_unit_test(test_damage_is_told), cmocka_unit_test(test_no_room),
        cmocka_unit_test(test_marker),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
