/* Receipts of runs, and the line of progress of things without a size. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <jansson.h>
#include <time.h>
#include <unistd.h>

#include "count/progress.h"
#include "ledger/run_receipt.h"

static struct run_receipt receipt_of(unsigned first, unsigned n)
{
    struct run_receipt r = {.unnamed = first, .held = 1, .recovered_batches = 2};
    for (unsigned i = first; i < first + n; i++) {
        struct ledger_id id = {{(uint8_t)i}};
        assert_int_equal(receipt_add(&r.digest, &id), ST_OK);
        r.tally.objects.found++;
        r.tally.objects.counted++;
        r.tally.records.found += 3;
        r.tally.records.counted += 2;
        r.tally.records.skipped[RECORD_INVALID]++;
        r.sums[METRIC_INVOCATIONS] += 2;
        r.sums[METRIC_INPUT] += (u128)1 << 70;
    }
    r.tally.objects.found += r.held;
    return r;
}

static json_t *document(const struct run_receipt *r, metric_set metrics)
{
    struct run_receipt_about about = {
        .command = "worker", .delivery = "exactly-once", .metrics = metrics};
    struct buf text;
    buf_init(&text, 1 << 20);
    run_receipt_add_json(&text, r, &about);
    assert_int_equal(buf_status(&text), ST_OK);
    json_t *value = json_loadb(text.ptr, text.len, JSON_DECODE_INT_AS_REAL, NULL);
    assert_non_null(value);
    buf_clear(&text);
    return value;
}

static double number(const json_t *value, const char *outer, const char *inner)
{
    const json_t *member = json_object_get(json_object_get(value, outer), inner);
    assert_true(json_is_number(member));
    return json_number_value(member);
}

static void test_parts_are_the_whole(void **state)
{
    (void)state;
    struct run_receipt whole = receipt_of(1, 6), a = receipt_of(1, 2), b = receipt_of(3, 4);
    struct run_receipt sum = {0};
    run_receipt_merge(&sum, &b);
    run_receipt_merge(&sum, &a);
    assert_memory_equal(&sum.digest, &whole.digest, sizeof whole.digest);
    assert_memory_equal(sum.sums, whole.sums, sizeof whole.sums);
    assert_int_equal(sum.tally.records.skipped[RECORD_INVALID], 6);
    assert_int_equal(sum.unnamed, 4);
    assert_int_equal(sum.held, 2);
    assert_int_equal(sum.recovered_batches, 4);
    run_receipt_merge(&sum, &a);
    assert_memory_not_equal(&sum.digest, &whole.digest, sizeof whole.digest);
}

static void test_document(void **state)
{
    (void)state;
    struct run_receipt r = receipt_of(1, 2);
    json_t *value = document(&r, METRIC_BIT(METRIC_COST));
    assert_string_equal(json_string_value(json_object_get(value, "schema")),
                        "bedrock-metrics/receipt/1");
    assert_true(number(value, "objects", "found") == 3 && number(value, "records", "found") == 6);
    assert_true(number(value, "sums", "InputTokenCount") == 2 * 1180591620717411303424.0);
    assert_true(number(value, "sums", "EstimatedCost") == 0);
    assert_true(number(value, "digest", "objects") == 2);
    assert_null(json_object_get(json_object_get(value, "sums"), "InvocationLatency"));
    json_decref(value);
}

/* What is drawn, with standard error in a pipe. */
static size_t drawn(const char *what, uint64_t expected, char *out, size_t size)
{
    int ends[2], saved = dup(STDERR_FILENO);
    assert_int_equal(pipe(ends), 0);
    assert_true(dup2(ends[1], STDERR_FILENO) >= 0);
    struct progress *p = progress_new_items(what);
    assert_non_null(p);
    if (expected > 0)
        progress_expect(p, 0, expected, true);
    progress_add_object(p); /* too early to be drawn */
    nanosleep(&(struct timespec){.tv_nsec = 250 * 1000 * 1000}, NULL);
    progress_add_object(p);
    progress_free(p);
    dup2(saved, STDERR_FILENO);
    close(saved);
    close(ends[1]);
    ssize_t n = read(ends[0], out, size - 1);
    close(ends[0]);
    assert_true(n > 0);
    out[n] = '\0';
    return (size_t)n;
}

static void test_progress_of_items(void **state)
{
    (void)state;
    char text[512];
    drawn("batches", 8, text, sizeof text);
    assert_non_null(strstr(text, "2/8 batches  "));
    assert_non_null(strstr(text, "/s   25 %  ETA "));
    assert_string_equal(text + strlen(text) - 4, "\r\033[K");
    drawn("objects", 0, text, sizeof text);
    assert_non_null(strstr(text, "2 objects  "));
    assert_null(strstr(text, "ETA"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_parts_are_the_whole),
        cmocka_unit_test(test_document),
        cmocka_unit_test(test_progress_of_items),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
