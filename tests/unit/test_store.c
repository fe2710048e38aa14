/* Chunks, the dictionary, questions to a store against sums made the plain way, its transactions.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/http_guard.h"
#include "store/chunk.h"
#include "store/usage.h"

enum { CELLS = 4000, MODELS = 7, REGIONS = 3, BUCKETS = 5 * 60 };

static const int64_t begin_time = 1793577600; /* 2026-11-02T00:00:00Z */

/* ---- chunks ---- */

static void test_chunk_keeps_every_sum(void **state)
{
    (void)state;
    static const u128 values[] = {0,
                                  1,
                                  127,
                                  128,
                                  UINT32_MAX,
                                  ((u128)1 << 56) - 1,
                                  (u128)1 << 56,
                                  UINT64_MAX,
                                  (u128)1 << 64,
                                  ~(u128)0};
    enum { VALUES = sizeof(values) / sizeof(values[0]) };
    struct buf text;
    buf_init(&text, 1 << 20);
    for (uint32_t i = 0; i < VALUES * METRIC_COUNT; i++) {
        struct chunk_cell cell = {.series = i * 97, .minute = i % 60};
        cell.sum[i / VALUES] = values[i % VALUES];
        cell.sum[METRIC_INVOCATIONS] += 1;
        chunk_add(&text, &cell);
    }
    assert_int_equal(buf_status(&text), ST_OK);
    struct view rest = buf_view(&text);
    for (uint32_t i = 0; i < VALUES * METRIC_COUNT; i++) {
        struct chunk_cell cell;
        u128 sum[METRIC_COUNT] = {0};
        assert_int_equal(chunk_next(&rest, UINT32_MAX, &cell), ST_OK);
        assert_int_equal(cell.series, i * 97);
        assert_int_equal(cell.minute, i % 60);
        chunk_add_to(sum, &cell);
        u128 wanted = values[i % VALUES];
        if (i / VALUES == METRIC_INVOCATIONS)
            wanted += 1;
        if (i / VALUES != METRIC_TOTAL)
            assert_true(sum[i / VALUES] == wanted);
    }
    struct chunk_cell cell;
    assert_int_equal(chunk_next(&rest, UINT32_MAX, &cell), ST_END);
    buf_clear(&text);
}

static void test_chunk_refuses_what_is_none(void **state)
{
    (void)state;
    static const struct view bad[] = {
        {"\x05", 1},                             /* no minute */
        {"\x05\x3c\x01\x01", 4},                 /* minute 60 */
        {"\x05\x01", 2},                         /* no mask */
        {"\x05\x01\x80\x80\x80\x80\x08\x01", 8}, /* bit 31, which is no metric */
        {"\x05\x01\x01", 3},                     /* no sum */
        {"\x05\x01\x01\x80", 4},                 /* a sum cut off */
        {"\x0a\x01\x01\x01", 4},                 /* series 10 of 10 */
        {"\x05\x01\x01\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x04",
         22}, /* 129 bits */
    };
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct view rest = bad[i];
        struct chunk_cell cell;
        assert_int_equal(chunk_next(&rest, 10, &cell), ST_BAD_ITEM);
    }
    srand(1);
    for (int turn = 0; turn < 20000; turn++) {
        char bytes[64];
        struct view rest = {bytes, (size_t)rand() % sizeof(bytes)};
        struct chunk_cell cell;
        for (size_t i = 0; i < rest.len; i++)
            bytes[i] = (char)rand();
        while (chunk_next(&rest, 10, &cell) == ST_OK)
            assert_true(cell.series < 10 && cell.minute < CHUNK_MINUTES);
    }
}

/* ---- a store and sums made the plain way ---- */

struct plain {
    u128 tokens[MODELS][REGIONS][BUCKETS]; /* input tokens */
};

struct fixture {
    char folder[64];
    char path[96];
    struct usage *usage;
    struct plain plain;
    unsigned objects;
    const char *same; /* value of the dimensions that are not asked for */
};

static bool there(void *context, struct view key)
{
    (void)context;
    return key.len > 0 && key.ptr[0] != '-'; /* keys that begin so are gone */
}

static struct counted_object *make_object(struct fixture *f, const char *key, size_t cells)
{
    struct aggregate_options options = {.set_count = 1, .interval_seconds = 60};
    options.sets = usage_dimensions(f->usage, &options.keys);
    struct aggregate *aggregate = aggregate_new(&options);
    struct counted_object *o = calloc(1, sizeof(*o));
    assert_non_null(aggregate);
    assert_non_null(o);
    for (size_t i = 0; i < cells; i++) {
        int model = rand() % MODELS, region = rand() % REGIONS, minute = rand() % BUCKETS;
        u128 sum[METRIC_COUNT] = {0};
        char texts[2][32];
        struct view value[DIMENSION_FIXED_COUNT];
        for (size_t k = 0; k < DIMENSION_FIXED_COUNT; k++)
            value[k] = view_of(f->same);
        (void)snprintf(texts[0], sizeof(texts[0]), "model %d", model);
        (void)snprintf(texts[1], sizeof(texts[1]), "region %d", region);
        value[DIMENSION_MODEL_ID] = view_of(texts[0]);
        value[DIMENSION_SOURCE_REGION] = view_of(texts[1]);
        sum[METRIC_INPUT] = (u128)(unsigned)rand() << (rand() % 90);
        sum[METRIC_INVOCATIONS] = 1;
        f->plain.tokens[model][region][minute] += sum[METRIC_INPUT];
        assert_int_equal(aggregate_add_sums(aggregate, 0, begin_time + minute * 60, value, sum),
                         ST_OK);
    }
    aggregate_commit(aggregate);
    assert_int_equal(usage_pack(f->usage, aggregate, o), ST_OK);
    for (size_t i = 0; i < o->chunk_count; i++) {
        for (size_t k = 0; k < i; k++)
            assert_int_not_equal(o->chunks[i].hour, o->chunks[k].hour);
    }
    aggregate_free(aggregate);
    o->key = strdup(key);
    o->key_len = strlen(key);
    o->file = (struct store_object){OBJECT_STATE_COUNTED, 100, 5, 0, 0, 0};
    o->tally.records.found = o->tally.records.counted = cells;
    return o;
}

static void commit(struct fixture *f, struct counted_object *list)
{
    struct error err = {0};
    assert_int_equal(usage_commit(f->usage, list, there, f, &err), ST_OK);
    while (list != NULL) {
        struct counted_object *next = list->next;
        counted_object_free(list);
        list = next;
    }
}

static void open_store(struct fixture *f)
{
    struct error err = {0};
    enum status st = usage_open(f->path, STORE_WRITE, VIEW_EMPTY, &f->usage, &err);
    if (st != ST_OK)
        fail_msg("%s", err.text);
}

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));
    if (f == NULL)
        return -1;
    (void)snprintf(f->folder, sizeof(f->folder), "/tmp/bedrock-store-XXXXXX");
    if (mkdtemp(f->folder) == NULL)
        return -1;
    (void)snprintf(f->path, sizeof(f->path), "%s/store", f->folder);
    srand(2);
    f->same = "same";
    open_store(f);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    static const char *const ends[] = {"", "-lock", "-wal", "-shm"};
    usage_close(f->usage);
    for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++) {
        char name[128];
        (void)snprintf(name, sizeof(name), "%s%s", f->path, ends[i]);
        unlink(name);
    }
    rmdir(f->folder);
    free(f);
    return 0;
}

/* The plain sum of a row's bucket. */
static u128 plain_sum(const struct fixture *f, int model, int region, int64_t since, int64_t until)
{
    u128 sum = 0;
    for (int r = 0; r < REGIONS; r++) {
        for (int64_t b = 0; b < BUCKETS; b++) {
            int64_t time = begin_time + b * 60;
            if ((region < 0 || r == region) && time >= since && time < until)
                sum += f->plain.tokens[model][r][b];
        }
    }
    return sum;
}

static void check_question(const struct fixture *f, int64_t interval, int64_t since, int64_t until,
                           bool by_region)
{
    struct dimension_set set;
    struct dimension_keys keys = {0};
    struct usage_answer answer;
    struct error err = {0};
    const char *by = by_region ? "SourceRegion,ModelId" : "ModelId";
    assert_int_equal(dimension_set_parse(view_of(by), &keys, &set, &err), ST_OK);
    struct usage_query query = {.sets = &set,
                                .set_count = 1,
                                .interval_seconds = interval,
                                .has_since = since != INT64_MIN,
                                .has_until = until != INT64_MAX,
                                .since = since,
                                .until = until};
    assert_int_equal(usage_ask(f->usage, &query, &answer, &err), ST_OK);
    struct aggregate_rows *rows = aggregate_rows_new(answer.aggregate, 0);
    u128 all = 0, found = 0;
    for (int m = 0; m < MODELS; m++)
        all += plain_sum(f, m, -1, since, until);
    for (size_t i = 0; i < aggregate_rows_count(rows); i++) {
        struct aggregate_row row;
        aggregate_rows_get(rows, i, &row);
        int model = row.value[by_region ? 1 : 0].ptr[6] - '0';
        int region = by_region ? row.value[0].ptr[7] - '0' : -1;
        int64_t from = interval == 0 || row.time < since ? since : row.time;
        int64_t to = interval == 0 || row.time + interval > until ? until : row.time + interval;
        assert_true(row.sum[METRIC_INPUT] == plain_sum(f, model, region, from, to));
        found += row.sum[METRIC_INPUT];
    }
    assert_true(found == all);
    aggregate_rows_free(rows);
    aggregate_free(answer.aggregate);
}

static void check_questions(const struct fixture *f)
{
    static const int64_t intervals[] = {60, 300, 3600, 86400, 0};
    for (size_t i = 0; i < sizeof(intervals) / sizeof(intervals[0]); i++) {
        check_question(f, intervals[i], INT64_MIN, INT64_MAX, true);
        for (int turn = 0; turn < 12; turn++) {
            int64_t since = begin_time + rand() % BUCKETS * 60;
            int64_t until = since + 60 + rand() % BUCKETS * 60;
            check_question(f, intervals[i], turn % 4 == 1 ? INT64_MIN : since,
                           turn % 4 == 2 ? INT64_MAX : until, turn % 2 == 0);
        }
    }
}

static void test_questions_equal_plain_sums(void **state)
{
    struct fixture *f = *state;
    for (int i = 0; i < 8; i++) {
        char key[32];
        (void)snprintf(key, sizeof(key), "object %d", i);
        commit(f, make_object(f, key, CELLS / 8));
    }
    check_questions(f);
    usage_close(f->usage);
    open_store(f);
    check_questions(f);
    struct stat st;
    assert_int_equal(stat(f->path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
}

/* The first text of the store has no bytes. */
static void test_empty_texts(void **state)
{
    struct fixture *f = *state;
    f->same = "";
    commit(f, make_object(f, "first", 50));
    check_questions(f);
    usage_close(f->usage);
    open_store(f);
    check_questions(f);
}

static struct tally tally_now(struct fixture *f)
{
    const struct dimension_keys *keys;
    struct usage_answer answer;
    struct error err = {0};
    struct usage_query query = {.sets = usage_dimensions(f->usage, &keys), .set_count = 1};
    assert_int_equal(usage_ask(f->usage, &query, &answer, &err), ST_OK);
    aggregate_free(answer.aggregate);
    return answer.tally;
}

static void test_an_object_counts_once(void **state)
{
    struct fixture *f = *state;
    struct error err = {0};
    struct counted_object *first = make_object(f, "a", 10);
    commit(f, first);
    struct plain kept = f->plain;
    struct counted_object *again = make_object(f, "a", 10);
    struct counted_object *twice = make_object(f, "a", 10);
    again->next = twice;
    uint64_t version = usage_version(f->usage);
    commit(f, again);
    f->plain = kept; /* neither was counted */
    assert_int_equal(usage_version(f->usage), version);
    assert_int_equal(tally_now(f).records.counted, 10);
    check_question(f, 3600, INT64_MIN, INT64_MAX, true);
    struct store_object known;
    assert_int_equal(usage_find(f->usage, VIEW_LIT("a"), &known, &err), ST_OK);
    assert_int_equal(known.state, OBJECT_STATE_COUNTED);
    assert_int_equal(usage_find(f->usage, VIEW_LIT("b"), &known, &err), ST_MISSING);
}

static void test_a_failed_object_may_count_later(void **state)
{
    struct fixture *f = *state;
    struct counted_object *o = make_object(f, "a", 0);
    o->file.state = OBJECT_STATE_FAILED;
    commit(f, o);
    assert_int_equal(tally_now(f).objects.failed, 1);
    commit(f, make_object(f, "a", 20));
    assert_true(tally_balances(&(struct tally){0}));
    struct tally t = tally_now(f);
    assert_true(tally_balances(&t));
    assert_int_equal(t.objects.failed, 0);
    assert_int_equal(t.objects.counted, 1);
    check_questions(f);
    usage_close(f->usage);
    open_store(f);
    struct tally loaded = tally_now(f);
    assert_memory_equal(&loaded.objects, &t.objects, sizeof(t.objects));
    check_questions(f);
}

static void test_a_renamed_file_is_the_same(void **state)
{
    struct fixture *f = *state;
    struct counted_object *o = make_object(f, "-temporary", 10);
    o->file.inode = 7;
    o->file.born_ns = 1;
    commit(f, o);
    struct plain kept = f->plain;
    o = make_object(f, "final", 10); /* another time, the same file */
    o->file.inode = 7;
    o->file.born_ns = 1;
    o->file.mtime_ns = 99;
    commit(f, o);
    o = make_object(f, "-gone", 10); /* seen before it was renamed, counted after */
    o->file.inode = 7;
    o->file.born_ns = 1;
    commit(f, o);
    f->plain = kept;
    assert_int_equal(tally_now(f).objects.found, 1);
    check_questions(f);
    o = make_object(f, "link", 10); /* both names are there */
    o->file.inode = 7;
    o->file.born_ns = 1;
    commit(f, o);
    o = make_object(f, "reused", 10); /* the inode of a file that is gone */
    o->file.inode = 7;
    o->file.born_ns = 2;
    commit(f, o);
    assert_int_equal(tally_now(f).objects.found, 3);
    check_questions(f);
}

static void test_a_store_has_one_writer(void **state)
{
    struct fixture *f = *state;
    struct usage *other = NULL;
    struct error err = {0};
    assert_int_equal(usage_open(f->path, STORE_WRITE, VIEW_EMPTY, &other, &err), ST_CONFLICT);
    assert_int_equal(usage_open(f->path, STORE_READ, VIEW_EMPTY, &other, &err), ST_OK);
    usage_close(other);
    assert_int_equal(usage_claim(f->usage, VIEW_LIT("/a"), VIEW_LIT("2026-01-01"), &err), ST_OK);
    assert_int_equal(usage_claim(f->usage, VIEW_LIT("/b"), VIEW_LIT("2026-01-01"), &err),
                     ST_CONFLICT);
    assert_int_equal(usage_claim(f->usage, VIEW_LIT("/a"), VIEW_LIT("2026-02-01"), &err), ST_OK);
    assert_string_equal(usage_prices(f->usage), "2026-01-01,2026-02-01");
}

static void test_folding_keeps_totals(void **state)
{
    struct fixture *f = *state;
    struct dimension_set set;
    struct dimension_keys keys = {0};
    struct usage_answer answer;
    struct error err = {0};
    u128 sum[METRIC_COUNT], wanted = 0;
    commit(f, make_object(f, "a", 500));
    for (int m = 0; m < MODELS; m++)
        wanted += plain_sum(f, m, -1, INT64_MIN, INT64_MAX);
    assert_int_equal(dimension_set_parse(VIEW_LIT("ModelId"), &keys, &set, &err), ST_OK);
    static const uint32_t keep[DIMENSION_SIZES] = {[DIMENSION_MODELS] = 3};
    struct usage_query query = {.sets = &set, .set_count = 1, .keep = keep};
    assert_int_equal(usage_ask(f->usage, &query, &answer, &err), ST_OK);
    struct aggregate_rows *rows = aggregate_rows_new(answer.aggregate, 0);
    assert_int_equal(aggregate_rows_count(rows), 4);
    assert_int_equal(answer.fold[DIMENSION_MODEL_ID].kept, 3);
    assert_int_equal(answer.fold[DIMENSION_MODEL_ID].folded, MODELS - 3);
    aggregate_totals(answer.aggregate, sum);
    assert_true(sum[METRIC_INPUT] == wanted);
    aggregate_rows_free(rows);
    aggregate_free(answer.aggregate);
    query.keep = NULL;
    query.max_rows = 3;
    assert_int_equal(usage_ask(f->usage, &query, &answer, &err), ST_TOO_BIG);
}

/* ---- dimensions that came later ---- */

static void set_fixed(const struct fixture *f, int64_t count)
{
    struct store *store;
    assert_int_equal(store_open(f->path, STORE_WRITE, &store, NULL), ST_OK);
    assert_int_equal(store_set_number(store, "fixed_dimensions", count, NULL), ST_OK);
    store_close(store);
}

/* A store made before the program knew its last dimension goes on without it. */
static void test_dimensions_are_those_of_the_store(void **state)
{
    struct fixture *f = *state;
    struct dimension_keys keys = {0};
    const struct dimension_keys *kept;
    struct dimension_set set;
    struct usage_answer answer;
    struct error err = {0};
    assert_int_equal(usage_dimensions(f->usage, &kept)->count, DIMENSION_FIXED_COUNT);
    usage_close(f->usage);
    f->usage = NULL;
    set_fixed(f, DIMENSION_FIXED_COUNT + 1);
    assert_int_equal(usage_open(f->path, STORE_READ, VIEW_EMPTY, &f->usage, &err), ST_CONFLICT);
    assert_int_equal(err.code, E_S112);
    set_fixed(f, DIMENSION_FIXED_COUNT - 1);
    assert_int_equal(usage_open(f->path, STORE_READ, VIEW_EMPTY, &f->usage, &err), ST_OK);
    assert_int_equal(usage_dimensions(f->usage, &kept)->count, DIMENSION_FIXED_COUNT - 1);
    const char *last = dimension_info(DIMENSION_FIXED_COUNT - 1)->name;
    assert_int_equal(dimension_set_parse(view_of(last), &keys, &set, &err), ST_OK);
    struct usage_query query = {.sets = &set, .set_count = 1};
    assert_int_equal(usage_ask(f->usage, &query, &answer, &err), ST_USAGE);
    assert_int_equal(err.code, E_U210);
}

/* ---- who may ask ---- */

static void test_hosts_that_cannot_be_rebound(void **state)
{
    (void)state;
    static const char *const good[] = {"localhost",      "localhost:80", "LocalHost", "127.0.0.1",
                                       "127.0.0.1:8377", "[::1]",        "[::1]:1",   "10.0.0.1:1",
                                       "usage.lan",      "USAGE.LAN:1"};
    static const char *const bad[] = {"",
                                      "evil",
                                      "127.0.0.1.evil",
                                      "localhost.",
                                      "localhost:",
                                      "localhost:x",
                                      "localhost:65536",
                                      "[::1",
                                      "[::1]x",
                                      "[::1]:",
                                      "[evil]",
                                      "[127.0.0.1]",
                                      "::1",
                                      "127.1",
                                      "0x7f.0.0.1",
                                      "user@localhost",
                                      "localhost,evil",
                                      "usage.lan.evil"};
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
        assert_true(http_guard_host(good[i], "usage.lan", false));
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        assert_false(http_guard_host(bad[i], "usage.lan", false));
    assert_false(http_guard_host(NULL, NULL, true));
    assert_true(http_guard_origin(NULL, "localhost:1"));
    assert_true(http_guard_origin("http://localhost:1", "localhost:1"));
    assert_false(http_guard_origin("http://localhost", "localhost:1"));
    assert_false(http_guard_origin("null", "null"));
    assert_false(http_guard_origin("http://", ""));
    assert_false(http_guard_origin("file://localhost:1", "localhost:1"));
    assert_true(http_guard_site(NULL) && http_guard_site("none") && http_guard_site("same-origin"));
    assert_false(http_guard_site("cross-site") || http_guard_site("same-site"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_chunk_keeps_every_sum),
        cmocka_unit_test(test_chunk_refuses_what_is_none),
        cmocka_unit_test_setup_teardown(test_questions_equal_plain_sums, setup, teardown),
        cmocka_unit_test_setup_teardown(test_empty_texts, setup, teardown),
        cmocka_unit_test_setup_teardown(test_an_object_counts_once, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_failed_object_may_count_later, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_renamed_file_is_the_same, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_store_has_one_writer, setup, teardown),
        cmocka_unit_test_setup_teardown(test_folding_keeps_totals, setup, teardown),
        cmocka_unit_test_setup_teardown(test_dimensions_are_those_of_the_store, setup, teardown),
        cmocka_unit_test(test_hosts_that_cannot_be_rebound),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
