/* test_record.c: which records are valid, how they ended, who made the call. */
#include "unit.h"

#include "records/record.h"

static void outcomes(void **state)
{
    static const struct {
        struct view code;
        enum invocation_outcome outcome;
    } cases[] = {
        {TEXT(""), INVOCATION_OK},
        {TEXT("ThrottlingException"), INVOCATION_THROTTLED},
        {TEXT("ServiceQuotaExceededException"), INVOCATION_THROTTLED},
        {TEXT("ModelNotReadyException"), INVOCATION_THROTTLED},
        {TEXT("InternalServerException"), INVOCATION_SERVER_ERROR},
        {TEXT("ServiceUnavailableException"), INVOCATION_SERVER_ERROR},
        {TEXT("ModelErrorException"), INVOCATION_SERVER_ERROR},
        {TEXT("ModelTimeoutException"), INVOCATION_SERVER_ERROR},
        {TEXT("ModelStreamErrorException"), INVOCATION_SERVER_ERROR},
        {TEXT("ValidationException"), INVOCATION_CLIENT_ERROR},
        {TEXT("AccessDeniedException"), INVOCATION_CLIENT_ERROR},
        {TEXT("throttlingexception"), INVOCATION_CLIENT_ERROR},
        {TEXT("ThrottlingException "), INVOCATION_CLIENT_ERROR},
        {TEXT("ThrottlingException\0"), INVOCATION_CLIENT_ERROR},
        {TEXT(" "), INVOCATION_CLIENT_ERROR},
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++)
        expect_u64(i, "outcome", record_outcome(cases[i].code), cases[i].outcome);
}

static void principals(void **state)
{
    static const struct {
        const char *arn, *principal;
    } cases[] = {
        {"arn:aws:sts::123456789012:assumed-role/App/session-1", "role/App"},
        {"arn:aws:sts::1:assumed-role/AWSReservedSSO_Dev_0a/jane@example.com",
         "role/AWSReservedSSO_Dev_0a"},
        {"arn:aws:sts::1:assumed-role/App", "role/App"},
        {"arn:aws:sts::1:assumed-role/path/App/session", "role/App"},
        {"arn:aws-us-gov:sts::1:assumed-role/Gov/s", "role/Gov"},
        {"arn:aws:iam::1:role/service/path/Deep", "role/Deep"},
        {"arn:aws:iam::1:role/Flat", "role/Flat"},
        {"arn:aws:iam::1:user/bob", "user/bob"},
        {"arn:aws:iam::1:user/dir/bob", "user/bob"},
        {"arn:aws:iam::1:root", "root"},
        {"arn:aws:sts::1:federated-user/fed", "federated-user/fed"},
        {"arn:aws:iam::1:group/admins", "group/admins"},
        {"arn:aws:iam::1:a:b/c", "a:b/c"},
        {"arn:aws:iam::1:role/", "role/"},
        {"arn:aws:iam::1:user/dir/", "user/dir/"},
        {"arn:aws:iam::1:assumed-role/App/", "role/App"},
        {"", "unknown"},
        {"bob", "unknown"},
        {"arn:aws:iam::1", "unknown"},
        {"arn:aws:iam::1:", "unknown"},
        {"Arn:aws:iam::1:root", "unknown"},
        {"AROAEXAMPLEID:session", "unknown"},
    };
    (void)state;
    char out[SCAN_MAX_VALUE];
    struct guarded page = guarded_new(256);
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        size_t n = strlen(cases[i].arn);
        struct view arn = view_make(guarded_copy(&page, cases[i].arn, n), n);
        expect_view(i, record_principal(arn, out, sizeof(out)), view_of(cases[i].principal));
    }
    guarded_free(&page);
}

/* Of any length: never more than there is room for, never half a character. */
static void long_principals(void **state)
{
    (void)state;
    static const char *const kinds[] = {"role/",           "user/",  "assumed-role/",
                                        "federated-user/", "other/", ""};
    static char arn[8000];
    char out[SCAN_MAX_VALUE];
    for (size_t i = 0; i < COUNT_OF(kinds); i++) {
        for (size_t extra = 0; extra < 12; extra++) {
            size_t n = (size_t)snprintf(arn, sizeof(arn), "arn:aws:iam::1:%s", kinds[i]);
            for (; n + 3 < SCAN_MAX_VALUE + extra; n += 3)
                memcpy(arn + n, "\xe2\x82\xac", 3);
            struct view got = record_principal(view_make(arn, n), out, sizeof(out));
            assert_true(got.len > 4000 && got.len <= sizeof(out));
            assert_int_equal((unsigned char)got.ptr[got.len - 1], 0xac);
        }
    }
}

static struct scan_value text_value(const char *text)
{
    return (struct scan_value){text, (uint32_t)strlen(text), VALUE_GOOD};
}

static struct scan_record good_record(void)
{
    struct scan_record raw = {0};
    raw.text[FIELD_TIMESTAMP] = text_value("2026-11-01T10:31:07Z");
    raw.text[FIELD_REGION] = text_value("us-east-1");
    raw.text[FIELD_MODEL_ID] = text_value("amazon.nova");
    return raw;
}

static void validity(void **state)
{
    enum { AS_IS, TIMESTAMP, REGION, MODEL, NUMBER, OTHER };
    static const struct {
        int what;
        enum value_kind kind;
        const char *text;
        enum status status;
    } cases[] = {
        {AS_IS, VALUE_ABSENT, "", ST_OK},
        {TIMESTAMP, VALUE_ABSENT, "", ST_BAD_ITEM},
        {TIMESTAMP, VALUE_BAD, "", ST_BAD_ITEM},
        {TIMESTAMP, VALUE_GOOD, "", ST_BAD_ITEM},
        {TIMESTAMP, VALUE_GOOD, "2026-11-01", ST_BAD_ITEM},
        {TIMESTAMP, VALUE_GOOD, "2026-11-01T24:00:00Z", ST_BAD_ITEM},
        {TIMESTAMP, VALUE_GOOD, "2026-11-01T10:60:00Z", ST_BAD_ITEM},
        {TIMESTAMP, VALUE_GOOD, "2026-11-01T1::31:07Z", ST_BAD_ITEM},
        {TIMESTAMP, VALUE_GOOD, "2026-11-01T10:31:/7Z", ST_BAD_ITEM},
        {TIMESTAMP, VALUE_GOOD, "2026-11-01T10:31:60Z", ST_OK},
        {TIMESTAMP, VALUE_GOOD, "2026-11-01t10:31:07z", ST_OK},
        {TIMESTAMP, VALUE_GOOD, "2026-11-01T10:31:07.123+01:00", ST_OK},
        {REGION, VALUE_ABSENT, "", ST_BAD_ITEM},
        {REGION, VALUE_GOOD, "", ST_BAD_ITEM},
        {REGION, VALUE_BAD, "", ST_BAD_ITEM},
        {MODEL, VALUE_ABSENT, "", ST_BAD_ITEM},
        {MODEL, VALUE_GOOD, "", ST_BAD_ITEM},
        {MODEL, VALUE_BAD, "", ST_BAD_ITEM},
        {NUMBER, VALUE_ABSENT, "", ST_OK},
        {NUMBER, VALUE_BAD, "", ST_BAD_ITEM},
        {OTHER, VALUE_BAD, "", ST_OK},
    };
    (void)state;
    struct record_dates dates = {0};
    for (size_t i = 0; i < 2 * COUNT_OF(cases); i++) { /* twice: the date is known then */
        size_t row = i % COUNT_OF(cases);
        struct scan_record raw = good_record();
        struct scan_value value = {cases[row].text, (uint32_t)strlen(cases[row].text),
                                   cases[row].kind};
        switch (cases[row].what) {
        case TIMESTAMP: raw.text[FIELD_TIMESTAMP] = value; break;
        case REGION: raw.text[FIELD_REGION] = value; break;
        case MODEL: raw.text[FIELD_MODEL_ID] = value; break;
        case NUMBER: raw.number[NUMBER_CACHE_WRITE].kind = cases[row].kind; break;
        case OTHER:
            for (size_t f = FIELD_IDENTITY_ARN; f < FIELD_COUNT; f++)
                raw.text[f] = value;
            raw.text[FIELD_ACCOUNT_ID] = raw.text[FIELD_OPERATION] = value;
            raw.text[FIELD_INFERENCE_REGION] = raw.text[FIELD_SCHEMA_VERSION] = value;
            raw.latency.kind = VALUE_BAD;
            break;
        default: break;
        }
        struct record record;
        expect_status(row, record_check(&raw, &dates, &record), cases[row].status);
    }
}

/* The quick way to read a usual timestamp gives what the whole rules give. */
static void times_quick_and_slow(void **state)
{
    (void)state;
    static const char *const days[] = {"2026-11-01T", "1969-12-31T", "0000-01-01T", "9999-12-31T"};
    struct record_dates dates = {0};
    for (size_t d = 0; d < COUNT_OF(days); d++) {
        for (unsigned second = 0; second < 86400 + 3600; second += 7) {
            char text[32];
            snprintf(text, sizeof(text), "%s%02u:%02u:%02uZ", days[d], second / 3600,
                     second / 60 % 60, second % 61);
            struct scan_record raw = good_record();
            struct record record = {0};
            struct instant wanted = {0, 0};
            raw.text[FIELD_TIMESTAMP] = text_value(text);
            enum status slow = rfc3339_parse(view_of(text), &wanted);
            expect_status(second, record_check(&raw, &dates, &record), slow);
            if (slow == ST_OK && instant_compare(record.time, wanted) != 0)
                fail_msg("%s", text);
        }
    }
}

static void an_error_code_of_another_type(void **state)
{
    (void)state;
    struct scan_record raw = good_record();
    struct record_dates dates = {0};
    struct record record;
    raw.text[FIELD_ERROR_CODE].kind = VALUE_BAD;
    assert_int_equal(record_check(&raw, &dates, &record), ST_OK);
    assert_int_equal(record.outcome, INVOCATION_CLIENT_ERROR);
    raw.text[FIELD_ERROR_CODE] = text_value("");
    assert_int_equal(record_check(&raw, &dates, &record), ST_OK);
    assert_int_equal(record.outcome, INVOCATION_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(outcomes),
        cmocka_unit_test(principals),
        cmocka_unit_test(long_principals),
        cmocka_unit_test(validity),
        cmocka_unit_test(times_quick_and_slow),
        cmocka_unit_test(an_error_code_of_another_type),
    };
    return cmocka_run_group_tests_name("record", tests, NULL, NULL);
}
