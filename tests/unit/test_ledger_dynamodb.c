/*
 * The DynamoDB kind without a server: answers are canned.  Damaged ones must be refused, and every
 * allocation of the JSON library is made to fail in turn: no crash, no leak, no false success.
 * What it does with a real server is checked by tests/ledger/test_dynamodb.py.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>

#include "ledger/ledger_dynamodb_private.h"

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

/* Base64 of 16 zero bytes, of 32, and of a planned part. */
#define Z16 "AAAAAAAAAAAAAAAAAAAAAA=="
#define Z32 "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="
#define PART                                                                                       \
    "AQAAAAAAAAAAAAAEAAAAAAAAAAUAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"             \
    "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=="
#define HEX16 "00000000000000000000000000000000"
#define HEX32 HEX16 HEX16
#define OWNED "\"b\":{\"B\":\"" Z16 "\"},\"t\":{\"N\":\"5\"}"
#define BATCH                                                                                      \
    "\"s\":{\"N\":\"2\"},\"t\":{\"N\":\"5\"},\"m\":{\"N\":\"1\"},\"p\":{\"L\":[{\"M\":{\"n\":{"    \
    "\"B\":\"" Z16 "\"},\"v\":{\"B\":\"" PART "\"}}}]}"
#define ENTRY                                                                                      \
    "\"z\":{\"N\":\"7\"},\"zb\":{\"B\":\"YWI=\"},\"zk\":{\"B\":\"YWJj\"},\"zr\":{\"B\":\"\"}"

/* base64 that is none: OpenSSL's decoder skips blanks and leaves what it did not write. */
static void test_strict_base64(void **state)
{
    static const char *const bad[] = {
        " AAAAAAAAAAAAAAAAAAAAAA==",
        "    AAAAAAAAAAAAAAAAAAAAAA==",
        "\tAAA",
        "    ",
        "AAAAAAAAAAAAAAAAAAAAAA==    ",
        "AAAAAAAA\nAAAAAAAAAAAAAA=",
        "AAAA====",
        "A===",
        "=AAA",
        "AA=A",
        "AAA",
        "AA-_",
        "AAAA=",
        "AAA\x80",
    };
    static const char *const good[] = {"", "YQ==", "YWI=", "YWJj"};
    (void)state;
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        uint8_t out[64];
        size_t n = 0;
        if (item_decode(bad[i], out, sizeof(out), &n))
            fail_msg("\"%s\" was decoded, to %zu bytes", bad[i], n);
    }
    for (size_t i = 0; i < COUNT_OF(good); i++) {
        uint8_t out[4] = {0};
        size_t n;
        assert_true(item_decode(good[i], out, sizeof(out), &n));
        assert_int_equal(n, i);
        assert_memory_equal(out, "abc", n);
    }
}

static struct {
    const char *get, *batch_get, *update, *conflict; /* JSON texts */
    const char *other_get;                           /* for m# and o# */
    const char *scan, *scan_next;                    /* first and second page */
    long allocations, fail_at;
    bool counting;
} canned;

static void *failing_malloc(size_t n)
{
    if (canned.counting && ++canned.allocations == canned.fail_at)
        return NULL;
    return malloc(n);
}

static int64_t now(void *ctx)
{
    (void)ctx;
    return INT64_C(1764000000000);
}

static enum status answer(void *ctx, const char *operation, const json_t *in, json_t **out)
{
    (void)ctx;
    bool counting = canned.counting;
    canned.counting = false;
    const char *text = canned.update;
    enum status st = ST_OK;
    const char *pk =
        json_string_value(json_object_get(json_object_get(json_object_get(in, "Key"), "pk"), "S"));
    if (strcmp(operation, "GetItem") == 0)
        text =
            pk != NULL && pk[0] != 'b' && canned.other_get != NULL ? canned.other_get : canned.get;
    else if (strcmp(operation, "BatchGetItem") == 0)
        text = canned.batch_get;
    else if (strcmp(operation, "Scan") == 0)
        text = json_object_get(in, "ExclusiveStartKey") == NULL ? canned.scan : canned.scan_next;
    else if (canned.conflict != NULL && json_object_get(in, "ConditionExpression") != NULL) {
        text = canned.conflict;
        st = ST_CONFLICT;
    }
    *out = json_loads(text == NULL ? "{}" : text, 0, NULL);
    assert_non_null(*out);
    canned.counting = counting;
    return st;
}

static struct ledger *ledger;
static struct ledger_record record;

static int setup(void **state)
{
    (void)state;
    memset(&canned, 0, sizeof canned);
    json_set_alloc_funcs(failing_malloc, free);
    const struct ledger_dynamodb_options options = {.table = "t", .call = answer, .now_ms = now};
    return ledger_dynamodb_open(&options, &ledger, NULL) == ST_OK ? 0 : -1;
}

static int teardown(void **state)
{
    (void)state;
    ledger_close(ledger);
    return 0;
}

static void test_well_formed(void **state)
{
    (void)state;
    static const struct ledger_nonce id;
    canned.get = "{\"Item\":{" BATCH "}}";
    canned.other_get = "{\"Item\":{\"d\":{\"B\":\"" Z32 "\"}}}";
    assert_int_equal(ledger_load(ledger, &id, &record), ST_OK);
    assert_int_equal(record.batch.state, BATCH_PREPARED);
    assert_int_equal(record.batch.n_members, 1);
    assert_int_equal(record.batch.n_parts, 1);
    assert_int_equal(record.batch.parts[0].count, 4);
    assert_int_equal(record.batch.parts[0].tokens, 5);
    canned.get = "{}";
    assert_int_equal(ledger_load(ledger, &id, &record), ST_MISSING);
}

static void test_damaged_batches(void **state)
{
    (void)state;
    static const struct ledger_nonce id;
    static const char *const items[] = {
        "{\"Item\":{}}",
        "{\"Item\":{\"s\":{\"N\":\"2\"}}}",
        "{\"Item\":{\"s\":{\"S\":\"2\"},\"t\":{\"N\":\"5\"}}}",
        "{\"Item\":{\"s\":{\"N\":\"9\"},\"t\":{\"N\":\"5\"}}}",
        "{\"Item\":{\"s\":{\"N\":\"-1\"},\"t\":{\"N\":\"5\"}}}",
        "{\"Item\":{\"s\":{\"N\":\"2\"},\"t\":{\"N\":\"x\"}}}",
        "{\"Item\":{\"s\":{\"N\":\"2\"},\"t\":{\"N\":\"\"}}}",
        "{\"Item\":{\"s\":{\"N\":\"2\"},\"t\":{\"N\":\"5\"}}}",
        "{\"Item\":{\"s\":{\"N\":\"2\"},\"t\":{\"N\":\"5\"},\"m\":{\"N\":\"257\"}}}",
        "{\"Item\":{\"s\":{\"N\":\"2\"},\"t\":{\"N\":\"5\"},\"m\":{\"N\":\"-1\"}}}",
        "{\"Item\":{\"s\":{\"N\":\"2\"},\"t\":{\"N\":\"5\"},\"m\":{\"N\":\"1\"},\"p\":{\"L\":[1]}}"
        "}",
        "{\"Item\":{\"s\":{\"N\":\"2\"},\"t\":{\"N\":\"5\"},\"m\":{\"N\":\"1\"},\"p\":{\"L\":[{"
        "\"M\":{\"v\":{\"B\":\"AAAA\"}}}]}}}",
        "{\"Item\":{\"s\":{\"N\":\"2\"},\"t\":{\"N\":\"5\"},\"m\":{\"N\":\"1\"},\"p\":{\"L\":[{"
        "\"M\":{\"v\":{\"B\":\"Ag"
        "=\"}}}]}}}",
        "{\"Item\":{\"s\":{\"N\":\"2\"},\"t\":{\"N\":\"5\"},\"m\":{\"N\":\"1\"},\"p\":{\"L\":[{"
        "\"M\":{\"v\":{\"B\":\"====\"}}}]}}}",
    };
    canned.other_get = "{\"Item\":{\"d\":{\"B\":\"" Z32 "\"}}}";
    for (size_t i = 0; i < COUNT_OF(items); i++) {
        canned.get = items[i];
        assert_int_equal(ledger_load(ledger, &id, &record), ST_BAD_ITEM);
    }
    static const char *const members[] = {
        "{}", "{\"Item\":{}}", "{\"Item\":{\"d\":{\"B\":\"AAAA\"}}}",
        "{\"Item\":{\"d\":{\"B\":\"" Z16 "\"}}}", "{\"Item\":{\"d\":{\"B\":\"!!!!\"}}}"};
    canned.get = "{\"Item\":{" BATCH "}}";
    for (size_t i = 0; i < COUNT_OF(members); i++) {
        canned.other_get = members[i];
        assert_int_equal(ledger_load(ledger, &id, &record), ST_BAD_ITEM);
    }
}

static void test_damaged_answers(void **state)
{
    (void)state;
    struct ledger_nonce batch = {{1}};
    struct protocol_object o = {.state = OBJECT_CLAIM};
    struct protocol_claim c;
    canned.conflict = "{\"Item\":{\"b\":{\"B\":\"AAAA\"},\"t\":{\"N\":\"5\"}}}";
    assert_int_equal(ledger_claim(ledger, &batch, 1, &o, 1, &c), ST_BAD_ITEM);
    canned.conflict = "{\"Item\":{\"b\":{\"B\":\"" Z16 "\"}}}";
    assert_int_equal(ledger_claim(ledger, &batch, 1, &o, 1, &c), ST_BAD_ITEM);
    canned.conflict = "{\"Item\":{" OWNED "}}";
    assert_int_equal(ledger_claim(ledger, &batch, 1, &o, 1, &c), ST_OK);
    assert_int_equal(c.result, CLAIM_OTHER);
    canned.conflict = "{\"Item\":{\"z\":{\"N\":\"1\"}}}"; /* quarantined, never claimed */
    assert_int_equal(ledger_claim(ledger, &batch, 1, &o, 1, &c), ST_OK);
    assert_int_equal(c.result, CLAIM_ABSENT);

    struct ledger_marker m;
    static const char *const counts[] = {"{}", "{\"Attributes\":{\"n\":{\"N\":\"0\"}}}",
                                         "{\"Attributes\":{\"n\":{\"N\":\"1.5\"}}}"};
    for (size_t i = 0; i < COUNT_OF(counts); i++) {
        canned.update = counts[i];
        assert_int_equal(ledger_marker_next(ledger, 1, &m), ST_BAD_ITEM);
    }
    canned.update = "{\"Attributes\":{\"n\":{\"N\":\"1703937\"}}}";
    assert_int_equal(ledger_marker_next(ledger, 1, &m), ST_TOO_BIG);
    canned.update = "{\"Attributes\":{\"n\":{\"N\":\"1703936\"}}}";
    assert_int_equal(ledger_marker_next(ledger, 1, &m), ST_OK);
    assert_int_equal(m.slot, 65535);
    assert_int_equal(m.digit, 25);

    struct buf body;
    buf_init(&body, 100);
    canned.other_get = "{\"Item\":{\"d\":{\"B\":\"AAA\"}}}";
    assert_int_equal(ledger_payload(ledger, &batch, 0, &body), ST_BAD_ITEM);
    canned.other_get = "{\"Item\":{}}";
    assert_int_equal(ledger_payload(ledger, &batch, 0, &body), ST_BAD_ITEM);
    canned.other_get = "{\"Item\":{\"d\":{\"B\":\"YWI=\"}}}";
    assert_int_equal(ledger_payload(ledger, &batch, 0, &body), ST_OK);
    assert_true(view_eq_cstr(buf_view(&body), "ab"));
    buf_clear(&body);
}

static void test_unprocessed_keys_come_to_an_end(void **state)
{
    (void)state;
    struct ledger_id id = {{0}};
    enum ledger_progress p;
    canned.batch_get = "{\"UnprocessedKeys\":{\"t\":{\"Keys\":[{\"pk\":{\"S\":\"o#\"}}]}}}";
    assert_int_equal(ledger_lookup(ledger, &id, 1, &p), ST_RETRY);
}

static bool take_entry(void *ctx, const struct ledger_quarantined *e)
{
    *(unsigned *)ctx += (unsigned)e->key.len;
    return true;
}

static bool take_batch(void *ctx, const struct ledger_nonce *id, enum ledger_batch_state state,
                       int64_t prepared_ms)
{
    (void)id;
    (void)state;
    *(unsigned *)ctx += (unsigned)prepared_ms;
    return prepared_ms != 100;
}

static void test_scan_goes_through_all_pages(void **state)
{
    (void)state;
    unsigned sum = 0;
    canned.scan = "{\"Items\":[{\"pk\":{\"S\":\"b#" HEX16 "\"},\"s\":{\"N\":\"3\"},\"t\":{\"N\":"
                  "\"1\"}}],\"LastEvaluatedKey\":{\"pk\":{\"S\":\"x\"}}}";
    canned.scan_next = "{\"Items\":[{\"pk\":{\"S\":\"b#" HEX16 "\"},\"s\":{\"N\":\"2\"},\"t\":{"
                       "\"N\":\"2\"}}]}";
    assert_int_equal(ledger_list_batches(ledger, 0, 10, take_batch, &sum), ST_OK);
    assert_int_equal(sum, 3);
    canned.scan_next = "{\"Items\":[{\"pk\":{\"S\":\"b#00\"},\"s\":{\"N\":\"2\"}}]}";
    assert_int_equal(ledger_list_batches(ledger, 0, 10, take_batch, &sum), ST_BAD_ITEM);
}

/* Every call once, with whatever the cans hold. */
static enum status use(unsigned which)
{
    struct ledger_nonce batch = {{1}}, open[4];
    struct protocol_object o = {.state = OBJECT_CLAIM, .owner = {{2}}};
    struct protocol_claim c;
    struct protocol_effect j = {.split = which == 5, .n_parts = 1};
    struct view payload = VIEW_LIT("payload");
    struct ledger_id id = {{0}};
    struct ledger_quarantined e = {.key = VIEW_LIT("key"), .reason = VIEW_LIT("corrupt")};
    struct ledger_statistics t;
    struct ledger_marker m;
    enum ledger_progress p;
    struct buf body;
    size_t n;
    unsigned sum = 0;
    enum status st;
    switch (which) {
    case 0: return ledger_claim(ledger, &batch, 1, &o, 1, &c);
    case 1: return ledger_load(ledger, &batch, &record);
    case 2: return ledger_abort(ledger, &batch, 1);
    case 3:
        record.batch.n_members = record.batch.n_parts = 1;
        return ledger_prepare(ledger, &record, &payload, 1);
    case 4:
    case 5: return ledger_journal(ledger, &j);
    case 6: return ledger_done(ledger, &batch, 1);
    case 7: return ledger_list_open(ledger, INT64_MAX, open, 4, &n);
    case 8: return ledger_lookup(ledger, &id, 1, &p);
    case 9: return ledger_marker_next(ledger, 1, &m);
    case 10: return ledger_quarantine_add(ledger, &e);
    case 11:
        st = ledger_quarantine_list(ledger, take_entry, &sum);
        assert_true(st != ST_OK || sum == 3);
        return st;
    case 12: return ledger_quarantine_release(ledger, &id);
    case 13: return ledger_statistics_read(ledger, &t);
    case 14: return ledger_list_batches(ledger, 0, 10, take_batch, &sum);
    default:
        buf_init(&body, 100);
        st = ledger_payload(ledger, &batch, 0, &body);
        buf_clear(&body);
        return st;
    }
}

static void test_each_allocation_fails(void **state)
{
    (void)state;
    unsigned points = 0;
    for (unsigned which = 0; which <= 15; which++) {
        canned.get = "{\"Item\":{" BATCH "}}";
        if (which == 6)
            canned.get = "{\"Item\":{\"s\":{\"N\":\"2\"},\"t\":{\"N\":\"5\"},\"m\":{\"N\":\"0\"}}}";
        canned.other_get =
            which == 11 ? "{\"Item\":{" ENTRY "}}" : "{\"Item\":{\"d\":{\"B\":\"" Z32 "\"}}}";
        canned.batch_get = which == 11 || which == 13
                               ? "{\"Responses\":{\"t\":[{\"pk\":{\"S\":\"z#0\"},\"" HEX32
                                 "\":{\"N\":\"5\"}}]}}"
                               : "{\"Responses\":{\"t\":[{\"pk\":{\"S\":\"q#0\"},\"" HEX16
                                 "\":{\"N\":\"5\"}},{\"pk\":{\"S\":\"o#" HEX32 "\"}," OWNED
                                 "},{\"pk\":{\"S\":\"b#" HEX16 "\"}," BATCH
                                 "},{\"pk\":{\"S\":\"m#" HEX16 "\"},\"d\":{\"B\":\"" Z32 "\"}}]}}";
        canned.update = "{\"Attributes\":{\"n\":{\"N\":\"3\"}}}";
        canned.scan = "{\"LastEvaluatedKey\":{\"pk\":{\"S\":\"x\"}}}";
        canned.fail_at = 0;
        canned.counting = true;
        canned.allocations = 0;
        enum status st = use(which);
        assert_int_equal(st, ST_OK);
        long all = canned.allocations;
        for (long at = 1; at <= all; at++) {
            canned.fail_at = at;
            canned.allocations = 0;
            st = use(which);
            if (st != ST_NO_MEMORY)
                fail_msg("call %u, allocation %ld of %ld: status %d", which, at, all, (int)st);
            points++;
        }
        canned.counting = false;
    }
    print_message("%u allocations\n", points);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_strict_base64),
        cmocka_unit_test_setup_teardown(test_well_formed, setup, teardown),
        cmocka_unit_test_setup_teardown(test_damaged_batches, setup, teardown),
        cmocka_unit_test_setup_teardown(test_damaged_answers, setup, teardown),
        cmocka_unit_test_setup_teardown(test_unprocessed_keys_come_to_an_end, setup, teardown),
        cmocka_unit_test_setup_teardown(test_scan_goes_through_all_pages, setup, teardown),
        cmocka_unit_test_setup_teardown(test_each_allocation_fails, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
