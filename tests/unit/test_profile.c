/* test_profile.c: application inference profiles from what the AWS command line prints. */
#include "unit.h"

#include "records/profile.h"

#define APP "arn:aws:bedrock:us-east-1:123456789012:application-inference-profile/"
#define MODEL(region, id) "{\"modelArn\":\"arn:aws:bedrock:" region "::foundation-model/" id "\"}"
#define PROFILE(id, models)                                                                        \
    "{\"inferenceProfileName\":\"name of " id "\",\"inferenceProfileArn\":\"" APP id               \
    "\",\"models\":[" models "],\"inferenceProfileId\":\"" id "\",\"type\":\"APPLICATION\"}"

static void kinds(void **state)
{
    static const struct {
        const char *models;
        enum profile_type type;
        const char *model;
    } cases[] = {
        {MODEL("us-east-1", "amazon.nova"), PROFILE_IN_REGION, "amazon.nova"},
        {MODEL("us-east-1", "m") "," MODEL("us-east-1", "m"), PROFILE_IN_REGION, "m"},
        {MODEL("us-east-1", "m") "," MODEL("us-west-2", "m"), PROFILE_CROSS_REGION, "m"},
        {MODEL("us-east-1", "m") "," MODEL("", "m"), PROFILE_GLOBAL, "m"},
        {MODEL("", "m"), PROFILE_GLOBAL, "m"},
        {"", PROFILE_UNKNOWN, ""},
        {"{}", PROFILE_UNKNOWN, ""},
        {"{\"modelArn\":5},7,null", PROFILE_UNKNOWN, ""},
        {"{\"modelArn\":\"arn:aws:bedrock:us-east-1::foundation-model/\"}", PROFILE_UNKNOWN, ""},
        {"{\"modelArn\":\"arn:aws:bedrock:us-east-1:1:custom-model/a/b\"}", PROFILE_UNKNOWN, ""},
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        char json[2048];
        struct error err = {.text = ""};
        struct profiles *profiles = profiles_new();
        snprintf(json, sizeof(json),
                 "{\"inferenceProfileSummaries\":[{\"inferenceProfileArn\":\"" APP
                 "abc\",\"inferenceProfileName\":\"n\",\"models\":[%s]}]}",
                 cases[i].models);
        expect_status(i, profiles_add_json(profiles, view_of(json), &err), ST_OK);
        const struct profile *profile = profiles_find(profiles, VIEW_LIT("abc"));
        assert_non_null(profile);
        expect_u64(i, "type", profile->type, cases[i].type);
        expect_view(i, profile->model, view_of(cases[i].model));
        expect_view(i, profile->name, VIEW_LIT("n"));
        profiles_free(profiles);
    }
}

static void documents(void **state)
{
    static const struct {
        const char *json;
        enum status status;
        size_t count;
        const char *message;
    } cases[] = {
        {"{\"inferenceProfileSummaries\":[]}", ST_OK, 0, ""},
        {"[]", ST_OK, 0, ""},
        {PROFILE("a", MODEL("r", "m")), ST_OK, 1, ""},
        {"[" PROFILE("a", "") "," PROFILE("b", "") "," PROFILE("a", MODEL("r", "m")) "]", ST_OK, 2,
         ""},
        {"[{\"inferenceProfileId\":\"x\",\"type\":\"APPLICATION\",\"models\":[]}]", ST_OK, 1, ""},
        {"[{\"inferenceProfileId\":\"us.anthropic.c\",\"type\":\"SYSTEM_DEFINED\"}]", ST_OK, 0, ""},
        {"", ST_BAD_ITEM, 0, "not JSON at line 1, column 0"},
        {"{\"a\":1,}", ST_BAD_ITEM, 0, "not JSON at line 1, column 8"},
        {"{\n\"a\":tru}", ST_BAD_ITEM, 0, "not JSON at line 2, column 7"},
        {"{\"a\":1,\"a\":2}", ST_BAD_ITEM, 0, "not JSON at line 1"},
        {"{\"inferenceProfileSummaries\":5}", ST_BAD_ITEM, 0, "no array"},
        {"[5]", ST_BAD_ITEM, 0, "profile 1 is not an object"},
        {"[{\"inferenceProfileId\":\"us.a\"},null]", ST_BAD_ITEM, 0, "profile 2 is not an object"},
        {"[{\"type\":\"APPLICATION\",\"models\":[]}]", ST_BAD_ITEM, 0, "profile 1 has neither"},
        {"[{\"inferenceProfileArn\":\"" APP "\",\"models\":[]}]", ST_BAD_ITEM, 0,
         "profile 1 has no id"},
        {"[{\"inferenceProfileArn\":\"" APP "x\"}]", ST_BAD_ITEM, 0, "has no array \"models\""},
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct error err = {.text = ""};
        struct profiles *profiles = profiles_new();
        expect_status(i, profiles_add_json(profiles, view_of(cases[i].json), &err),
                      cases[i].status);
        expect_u64(i, "count", profiles_count(profiles), cases[i].count);
        if (strstr(err.text, cases[i].message) == NULL)
            fail_row(i, "message \"%s\"", err.text);
        profiles_free(profiles);
    }
    profiles_free(NULL);
    assert_null(profiles_find(NULL, VIEW_LIT("a")));
}

static void many_and_tags(void **state)
{
    (void)state;
    struct profiles *profiles = profiles_new();
    for (unsigned i = 0; i < 500; i++) {
        char json[512];
        snprintf(json, sizeof(json),
                 "{\"inferenceProfileArn\":\"" APP "p%03u\",\"models\":[],\"tags\":[{\"key\":"
                 "\"team\",\"value\":\"t%u\"},{\"key\":\"empty\"},{\"value\":\"x\"},5]}",
                 i * 7 % 500, i);
        assert_int_equal(profiles_add_json(profiles, view_of(json), NULL), ST_OK);
    }
    assert_int_equal(profiles_count(profiles), 500);
    for (unsigned i = 0; i < 500; i++) {
        char id[16], tag[16];
        snprintf(id, sizeof(id), "p%03u", i * 7 % 500);
        snprintf(tag, sizeof(tag), "t%u", i);
        assert_non_null(profiles_find(profiles, view_of(id)));
        expect_view(i, profiles_tag(profiles, view_of(id), VIEW_LIT("team")), view_of(tag));
        expect_view(i, profiles_tag(profiles, view_of(id), VIEW_LIT("empty")), VIEW_EMPTY);
        expect_view(i, profiles_tag(profiles, view_of(id), VIEW_LIT("none")), VIEW_EMPTY);
    }
    assert_null(profiles_find(profiles, VIEW_LIT("p500")));
    assert_null(profiles_find(profiles, VIEW_EMPTY));
    profiles_free(profiles);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(kinds),
        cmocka_unit_test(documents),
        cmocka_unit_test(many_and_tags),
    };
    return cmocka_run_group_tests_name("profile", tests, NULL, NULL);
}
