/* verify: what it makes of a ledger's payload, of a damaged one, and of memory that runs out. */
#include <jansson.h>
#include <stdlib.h>
#include <zlib.h>

#include "ledger/verify.h"
#include "unit.h"

/* A ledger of one batch with one accepted part. */
static struct {
    struct ledger head;
    uint8_t payload[1024];
    size_t payload_len;
} fake;

static enum status list_batches(struct ledger *l, int64_t from_ms, int64_t until_ms,
                                ledger_batch_fn *fn, void *ctx)
{
    static const struct ledger_nonce id = {.bytes = {1}};
    (void)l;
    (void)until_ms;
    (void)fn(ctx, &id, BATCH_PREPARED, from_ms);
    return ST_OK;
}

static enum status load(struct ledger *l, const struct ledger_nonce *id, struct ledger_record *out)
{
    (void)l;
    out->batch = (struct ledger_batch){.id = *id,
                                       .state = BATCH_PREPARED,
                                       .n_parts = 1,
                                       .parts = {{.state = PART_ACKED, .count = 1}}};
    return ST_OK;
}

static enum status payload(struct ledger *l, const struct ledger_nonce *id, uint16_t index,
                           struct buf *out)
{
    (void)l;
    (void)id;
    (void)index;
    buf_add(out, fake.payload, fake.payload_len);
    return buf_status(out);
}

static const struct ledger_ops ops = {
    .kind = "fake", .list_batches = list_batches, .load = load, .payload = payload};

/* The n-th of jansson's allocations from now on fails, and all after it. */
static long allocations_left = -1;

static void *allocate(size_t n)
{
    if (allocations_left == 0)
        return NULL;
    if (allocations_left > 0)
        allocations_left--;
    return malloc(n);
}

static bool always(void *ctx)
{
    (void)ctx;
    return true;
}

static void no_difference(void *ctx, const struct verify_difference *d)
{
    (void)ctx;
    (void)d;
}

/* Stopped after the ledger's batch, so that nobody is asked: ST_CANCELLED is a ledger well read. */
static enum status read_ledger(const char *datum, long allocations, uint64_t *batches)
{
    char text[512];
    uLongf room = sizeof(fake.payload);
    int n = snprintf(text, sizeof(text), "bedrock-metrics/payload/1\tN\teu-west-1\n7\t%s\n", datum);
    assert_int_equal(compress(fake.payload, &room, (const Bytef *)text, (uLong)n), Z_OK);
    fake.payload_len = room;
    fake.head.ops = &ops;
    struct ledger_session session = {.ledger = &fake.head};
    struct verify_options options = {.session = &session,
                                     .name_space = VIEW_LIT("N"),
                                     .since_s = 60 * 60,
                                     .until_s = 2 * 60 * 60,
                                     .stop = {always, NULL}};
    struct verify_result result;
    struct error err = {0};
    allocations_left = allocations;
    enum status st = verify_run(&options, no_difference, &result, &err);
    allocations_left = -1;
    *batches = result.batches;
    if (st == ST_NO_MEMORY)
        assert_string_equal(err.text, "out of memory");
    return st;
}

static const char datum[] =
    "{\"MetricName\":\"InputTokens\",\"Dimensions\":[{\"Name\":\"ModelId\",\"Value\":\"m\"}],"
    "\"Timestamp\":3600,\"Value\":5}";

static void test_payloads(void **state)
{
    (void)state;
    uint64_t batches;
    assert_int_equal(read_ledger(datum, -1, &batches), ST_CANCELLED);
    assert_int_equal(batches, 1);
    assert_int_equal(read_ledger("{\"MetricName\":", -1, &batches), ST_BAD_ITEM);
    assert_int_equal(read_ledger("{\"Timestamp\":3600}", -1, &batches), ST_BAD_ITEM);
}

/* Memory that is short is never taken for a damaged ledger, nor for another series. */
static void test_out_of_memory(void **state)
{
    (void)state;
    uint64_t batches;
    long n = 0;
    enum status st;
    while ((st = read_ledger(datum, n, &batches)) == ST_NO_MEMORY)
        n++;
    assert_int_equal(st, ST_CANCELLED);
    assert_true(n > 20);
}

int main(void)
{
    json_set_alloc_funcs(allocate, free); /* before the program reads its first document */
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_payloads),
        cmocka_unit_test(test_out_of_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
