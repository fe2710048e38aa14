/* Identities, names and the receipt. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "config/variables.h"
#include "ledger/ledger.h"
#include "ledger/ledger_id.h"
#include "ledger/receipt.h"

static void test_identity(void **state)
{
    (void)state;
    static const struct {
        const char *bucket_a, *key_a, *bucket_b, *key_b;
        bool same_by_key, same_by_path;
    } rows[] = {
        {"b", "k", "b", "k", true, true},
        {"b", "k", "c", "k", false, false},
        {"a", "bc", "ab", "c", false, false},
        {"one", "AWSLogs/1/x.gz", "two", "AWSLogs/1/x.gz", false, true},
        {"one", "prefix/AWSLogs/1/x.gz", "two", "AWSLogs/1/x.gz", false, true},
        {"one", "AWSLogs/p/AWSLogs/1/x.gz", "two", "AWSLogs/1/x.gz", false, true},
        {"one", "xAWSLogs/1/x.gz", "two", "AWSLogs/1/x.gz", false, false},
        {"one", "AWSLogsx/1", "two", "AWSLogsx/1", false, false},
        {"one", "AWSLogs/1/x.gz", "one", "AWSLogs/2/x.gz", false, false},
        {"", "/home/AWSLogs/1/x.gz", "two", "AWSLogs/1/x.gz", false, true},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        for (int path = 0; path < 2; path++) {
            enum ledger_identity how = path ? IDENTITY_PATH : IDENTITY_KEY;
            struct ledger_id a, b;
            assert_int_equal(
                ledger_id_of(how, view_of(rows[i].bucket_a), view_of(rows[i].key_a), &a), ST_OK);
            assert_int_equal(
                ledger_id_of(how, view_of(rows[i].bucket_b), view_of(rows[i].key_b), &b), ST_OK);
            assert_int_equal(ledger_id_eq(&a, &b),
                             path ? rows[i].same_by_path : rows[i].same_by_key);
        }
    }
}

static void test_identity_of_notes(void **state)
{
    (void)state;
    struct ledger_nonce batch = {{1, 2, 3}};
    struct ledger_id object, doubts, change, other, again;
    assert_int_equal(ledger_id_of(IDENTITY_KEY, VIEW_LIT("b"), VIEW_LIT("k"), &object), ST_OK);
    ledger_id_of_doubts(&batch, &doubts);
    assert_int_equal(ledger_id_of_change(&object, 7, &change), ST_OK);
    assert_int_equal(ledger_id_of_change(&object, 8, &other), ST_OK);
    assert_int_equal(ledger_id_of_change(&object, 7, &again), ST_OK);
    assert_true(ledger_id_is_note(&doubts) && ledger_id_is_note(&change));
    assert_false(ledger_id_is_note(&object) || ledger_id_eq(&change, &other));
    assert_true(ledger_id_eq(&change, &again));
}

/* printf x | sha256sum, the first 64 bits. */
static void test_tag_of_content(void **state)
{
    (void)state;
    assert_true(ledger_tag_of(VIEW_LIT("x")) == 0x2d711642b726b044);
    assert_true(ledger_tag_of(VIEW_LIT("\"x\"")) == 0x2d711642b726b044);
    assert_true(ledger_tag_of(VIEW_LIT("")) == 0 && ledger_tag_of(VIEW_LIT("\"\"")) == 0);
    assert_true(ledger_tag_of(VIEW_LIT("\"")) != 0);
}

/* printf 'b\0k' | sha256sum */
static void test_identity_is_sha256(void **state)
{
    (void)state;
    struct ledger_id id, back;
    char text[65];
    assert_int_equal(ledger_id_of(IDENTITY_KEY, VIEW_LIT("b"), VIEW_LIT("k"), &id), ST_OK);
    ledger_id_format(&id, text);
    assert_string_equal(text, "265def662ae3808168044d68d81cc945eebb382c7a3622ea0c50f92672565192");
    assert_int_equal(ledger_id_parse(view_of(text), &back), ST_OK);
    assert_true(ledger_id_eq(&id, &back));
    assert_int_equal(ledger_id_parse(view_first(view_of(text), 63), &back), ST_BAD_ITEM);
    text[5] = 'g';
    assert_int_equal(ledger_id_parse(view_of(text), &back), ST_BAD_ITEM);
}

/* The words of a variable are in the order of its enum. */
static void test_variables_of_the_ledger(void **state)
{
    (void)state;
    unsigned found;
    for (int i = POLICY_RESOLVE; i <= POLICY_HOLD; i++) {
        setenv("LEDGER_POLICY", ledger_policy_name((enum ledger_policy)i), 1);
        assert_int_equal(variable_choice(VAR_LEDGER_POLICY, &found, NULL), ST_OK);
        assert_int_equal(found, i);
    }
    setenv("LEDGER_POLICY", "Resolve", 1);
    assert_int_equal(variable_choice(VAR_LEDGER_POLICY, &found, NULL), ST_USAGE);
    unsetenv("LEDGER_POLICY");
    setenv("LEDGER_IDENTITY", "path", 1);
    assert_int_equal(variable_choice(VAR_LEDGER_IDENTITY, &found, NULL), ST_OK);
    assert_int_equal(found, IDENTITY_PATH);
    setenv("LEDGER_IDENTITY", "paths", 1);
    assert_int_equal(variable_choice(VAR_LEDGER_IDENTITY, &found, NULL), ST_USAGE);
    unsetenv("LEDGER_IDENTITY");
    assert_int_equal(variable_choice(VAR_LEDGER_IDENTITY, &found, NULL), ST_OK);
    assert_int_equal(found, IDENTITY_KEY);
    uint64_t days;
    assert_int_equal(variable_number(VAR_LEDGER_TTL_DAYS, &days, NULL), ST_OK);
    assert_int_equal(days, LEDGER_TTL_DAYS_DEFAULT);
}

static struct ledger_id number(unsigned n)
{
    struct ledger_id id;
    char key[2] = {(char)('A' + n / 26), (char)('a' + n % 26)};
    assert_int_equal(ledger_id_of(IDENTITY_KEY, VIEW_LIT("b"), view_make(key, 2), &id), ST_OK);
    return id;
}

static void test_receipt_ignores_order_and_parts(void **state)
{
    (void)state;
    struct receipt forth = {0}, back = {0}, halves[2] = {{0}, {0}};
    for (unsigned i = 0; i < 500; i++) {
        struct ledger_id a = number(i), b = number(499 - i);
        assert_int_equal(receipt_add(&forth, &a), ST_OK);
        assert_int_equal(receipt_add(&back, &b), ST_OK);
        assert_int_equal(receipt_add(&halves[i % 2], &a), ST_OK);
    }
    receipt_merge(&halves[0], &halves[1]);
    char a[RECEIPT_TEXT_BYTES], b[RECEIPT_TEXT_BYTES], c[RECEIPT_TEXT_BYTES];
    receipt_format(&forth, a);
    receipt_format(&back, b);
    receipt_format(&halves[0], c);
    assert_string_equal(a, b);
    assert_string_equal(a, c);
    assert_int_equal(halves[0].objects, 500);
}

static void test_receipt_sees_repetition_and_absence(void **state)
{
    (void)state;
    struct receipt once = {0}, twice = {0}, none = {0}, three = {0};
    struct ledger_id id = number(1);
    assert_int_equal(receipt_add(&once, &id), ST_OK);
    for (int i = 0; i < 2; i++)
        assert_int_equal(receipt_add(&twice, &id), ST_OK);
    for (int i = 0; i < 3; i++)
        assert_int_equal(receipt_add(&three, &id), ST_OK);
    char text[4][RECEIPT_TEXT_BYTES];
    receipt_format(&none, text[0]);
    receipt_format(&once, text[1]);
    receipt_format(&twice, text[2]);
    receipt_format(&three, text[3]);
    for (int i = 0; i < 4; i++)
        for (int j = 0; j < i; j++)
            assert_string_not_equal(text[i], text[j]); /* XOR would take once for three */
    assert_string_equal(
        text[0], "sha256sum:0000000000000000000000000000000000000000000000000000000000000000");
}

/* printf 'bedrock-metrics/receipt/1\0' and the 32 bytes of the identity | sha256sum */
static void test_receipt_of_one(void **state)
{
    (void)state;
    struct ledger_id id;
    struct receipt r = {0};
    char text[RECEIPT_TEXT_BYTES];
    assert_int_equal(ledger_id_of(IDENTITY_KEY, VIEW_LIT("b"), VIEW_LIT("k"), &id), ST_OK);
    assert_int_equal(receipt_add(&r, &id), ST_OK);
    receipt_format(&r, text);
    assert_string_equal(
        text, "sha256sum:c8eec36d4be6dea66e48bc9188ca80b88567a237e14bc2aa69129ed71c433b85");
}

static void test_receipt_carries(void **state)
{
    (void)state;
    struct receipt a = {1, {UINT64_MAX, UINT64_MAX, UINT64_MAX, UINT64_MAX}}, b = {1, {1, 0, 0, 0}};
    receipt_merge(&a, &b); /* modulo 2^256 */
    assert_int_equal(a.objects, 2);
    for (int i = 0; i < 4; i++)
        assert_int_equal(a.sum[i], 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_variables_of_the_ledger),
        cmocka_unit_test(test_identity),
        cmocka_unit_test(test_identity_is_sha256),
        cmocka_unit_test(test_identity_of_notes),
        cmocka_unit_test(test_tag_of_content),
        cmocka_unit_test(test_receipt_ignores_order_and_parts),
        cmocka_unit_test(test_receipt_sees_repetition_and_absence),
        cmocka_unit_test(test_receipt_of_one),
        cmocka_unit_test(test_receipt_carries),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
