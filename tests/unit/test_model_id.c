/* test_model_id.c: the classification table of docs/models.md. */
#include "unit.h"

#include "records/model_id.h"

#define ARN "arn:aws:bedrock:us-east-1:123456789012:"
#define IN PROFILE_IN_REGION
#define CROSS PROFILE_CROSS_REGION
#define GLOBAL PROFILE_GLOBAL
#define UNKNOWN PROFILE_UNKNOWN

static const struct {
    const char *id;
    enum profile_type type;
    const char *model, *profile, *geography;
    enum { NONE = 0, EVIDENCE = 1, APPLICATION = 2, NOVEL = 4 } flags;
} cases[] = {
    /* bare model ids */
    {"anthropic.claude-sonnet-4-6", IN, "anthropic.claude-sonnet-4-6", "", "", NONE},
    {"anthropic.claude-3-haiku-20240307-v1:0", IN, "anthropic.claude-3-haiku-20240307-v1:0", "", "",
     NONE},
    {"deepseek.v3.2", IN, "deepseek.v3.2", "", "", NONE},
    {"openai.gpt-5.4", IN, "openai.gpt-5.4", "", "", NONE},
    {"moonshotai.kimi-k2.5", IN, "moonshotai.kimi-k2.5", "", "", NONE},
    {"deepseek.amazon.x", IN, "deepseek.amazon.x", "", "", NONE}, /* a vendor is no geography */
    {"newvendor.model-1", IN, "newvendor.model-1", "", "", NONE},
    {"newvendor.model.2", IN, "newvendor.model.2", "", "", NONE},
    {".anthropic.claude", IN, ".anthropic.claude", "", "", NONE},
    /* profiles by their bare id */
    {"us.anthropic.claude-sonnet-4-6", CROSS, "anthropic.claude-sonnet-4-6",
     "us.anthropic.claude-sonnet-4-6", "us", NONE},
    {"us-gov.anthropic.claude-3", CROSS, "anthropic.claude-3", "us-gov.anthropic.claude-3",
     "us-gov", NONE},
    {"eu.deepseek.v3.2", CROSS, "deepseek.v3.2", "eu.deepseek.v3.2", "eu", NONE},
    {"apac.amazon.nova-lite-v1:0", CROSS, "amazon.nova-lite-v1:0", "apac.amazon.nova-lite-v1:0",
     "apac", NONE},
    {"jp.a", CROSS, "a", "jp.a", "jp", NONE},
    {"au.a.b", CROSS, "a.b", "au.a.b", "au", NONE},
    {"ca.a.b", CROSS, "a.b", "ca.a.b", "ca", NONE},
    {"in.a.b", CROSS, "a.b", "in.a.b", "in", NONE},
    {"sa.a.b", CROSS, "a.b", "sa.a.b", "sa", NONE},
    {"global.anthropic.claude-opus-4", GLOBAL, "anthropic.claude-opus-4",
     "global.anthropic.claude-opus-4", "global", NONE},
    {"kr.anthropic.claude-x", CROSS, "anthropic.claude-x", "kr.anthropic.claude-x", "kr", NOVEL},
    {"Global.anthropic.claude", CROSS, "anthropic.claude", "Global.anthropic.claude", "Global",
     NOVEL},
    {"kr.newvendor.model-x", IN, "kr.newvendor.model-x", "", "", NONE},
    /* the same profiles by their ARN */
    {ARN "inference-profile/us.anthropic.claude-sonnet-4-6", CROSS, "anthropic.claude-sonnet-4-6",
     "us.anthropic.claude-sonnet-4-6", "us", NONE},
    {"arn:aws-us-gov:bedrock:us-gov-west-1:1:inference-profile/us-gov.anthropic.c", CROSS,
     "anthropic.c", "us-gov.anthropic.c", "us-gov", NONE},
    {"arn:aws-iso-b:bedrock::1:inference-profile/global.anthropic.c", GLOBAL, "anthropic.c",
     "global.anthropic.c", "global", NONE},
    {"arn:aws:bedrock:::inference-profile/eu.meta.llama:1", CROSS, "meta.llama:1",
     "eu.meta.llama:1", "eu", NONE},
    {ARN "inference-profile/newgeo.newvendor.model-v1:0", CROSS, "newvendor.model-v1:0",
     "newgeo.newvendor.model-v1:0", "newgeo", NOVEL},
    {ARN "inference-profile/newgeo.model", UNKNOWN, "newgeo.model", "newgeo.model", "", EVIDENCE},
    {ARN "inference-profile/deepseek.v3.2", UNKNOWN, "deepseek.v3.2", "deepseek.v3.2", "",
     EVIDENCE},
    {ARN "inference-profile/opaqueid", UNKNOWN, "opaqueid", "opaqueid", "", EVIDENCE},
    /* ARNs of models */
    {"arn:aws:bedrock:us-east-1::foundation-model/anthropic.claude-3", IN, "anthropic.claude-3", "",
     "", NONE},
    {"arn:aws:bedrock:::foundation-model/anthropic.claude-3", IN, "anthropic.claude-3", "", "",
     NONE},
    {"arn:aws-cn:bedrock:cn-north-1::foundation-model/us.anthropic.x", IN, "us.anthropic.x", "", "",
     NONE},
    {ARN "provisioned-model/abc123", IN, "provisioned-model/abc123", "", "", NONE},
    {ARN "provisioned-model-v2/abc123", IN, "provisioned-model-v2/abc123", "", "", NONE},
    {ARN "custom-model/amazon.nova:0/abc", IN, "custom-model/amazon.nova:0/abc", "", "", NONE},
    {ARN "custom-model-deployment/abc", IN, "custom-model-deployment/abc", "", "", NONE},
    {ARN "imported-model/abc", IN, "imported-model/abc", "", "", NONE},
    {"arn:aws:sagemaker:us-east-1:1:endpoint/my-endpoint", IN, "endpoint/my-endpoint", "", "",
     NONE},
    /* ARNs that name no model */
    {ARN "application-inference-profile/abc123", UNKNOWN, "application-inference-profile/abc123",
     "abc123", "", EVIDENCE | APPLICATION},
    {ARN "prompt/ABC:3", UNKNOWN, "prompt/ABC:3", "", "", EVIDENCE},
    {ARN "default-prompt-router/anthropic.claude:1", UNKNOWN,
     "default-prompt-router/anthropic.claude:1", "", "", EVIDENCE},
    {ARN "prompt-router/r1", UNKNOWN, "prompt-router/r1", "", "", EVIDENCE},
    {ARN "flow/XYZ", UNKNOWN, "flow/XYZ", "", "", EVIDENCE},
    {ARN "inference-profile/", UNKNOWN, "inference-profile/", "", "", EVIDENCE},
    {ARN "foundation-model/", UNKNOWN, "foundation-model/", "", "", EVIDENCE},
    /* no ARNs after all */
    {"abcdefghijkl", UNKNOWN, "abcdefghijkl", "", "", EVIDENCE},
    {"my:odd/id", UNKNOWN, "my:odd/id", "", "", EVIDENCE},
    {"arn:", UNKNOWN, "arn:", "", "", EVIDENCE},
    {"arn:aws:bedrock:us-east-1", UNKNOWN, "arn:aws:bedrock:us-east-1", "", "", EVIDENCE},
    {"arn:aws:bedrock:us-east-1:1:", UNKNOWN, "arn:aws:bedrock:us-east-1:1:", "", "", EVIDENCE},
    {"arn:gcp:bedrock:us-east-1:1:inference-profile/us.anthropic.c", UNKNOWN,
     "arn:gcp:bedrock:us-east-1:1:inference-profile/us.anthropic.c", "", "", EVIDENCE},
    {"arn:awsX:bedrock:r:1:inference-profile/us.anthropic.c", UNKNOWN,
     "arn:awsX:bedrock:r:1:inference-profile/us.anthropic.c", "", "", EVIDENCE},
    {"us.", UNKNOWN, "", "", "", EVIDENCE},
};

static void classification(void **state)
{
    (void)state;
    struct guarded page = guarded_new(256);
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct model_class got;
        size_t n = strlen(cases[i].id);
        model_id_classify(view_make(guarded_copy(&page, cases[i].id, n), n), &got);
        if (strcmp(cases[i].id, "us.") == 0) {
            assert_true(got.model.len > 0); /* never empty, whatever it is called */
            continue;
        }
        expect_view(i, profile_type_name(got.type), profile_type_name(cases[i].type));
        expect_view(i, got.model, view_of(cases[i].model));
        expect_view(i, got.profile, view_of(cases[i].profile));
        expect_view(i, got.geography, view_of(cases[i].geography));
        unsigned flags = (got.needs_evidence ? EVIDENCE : 0U) |
                         (got.application ? APPLICATION : 0U) |
                         (got.unknown_geography ? NOVEL : 0U);
        expect_u64(i, "flags", flags, cases[i].flags);
    }
    guarded_free(&page);
}

static void any_bytes(void **state)
{
    (void)state;
    struct guarded page = guarded_new(256);
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        size_t len = strlen(cases[i].id);
        for (size_t n = 1; n <= len; n++) {
            uint8_t *at = guarded_copy(&page, cases[i].id, n);
            for (size_t k = 0; k < n; k += 3) {
                struct model_class got;
                uint8_t was = at[k];
                at[k] = k % 2 == 0 ? 0 : '.';
                model_id_classify(view_make(at, n), &got);
                assert_true(got.model.len > 0 && got.model.len <= n);
                assert_true(got.profile.len <= n && got.geography.len <= n);
                at[k] = was;
            }
        }
    }
    guarded_free(&page);
}

static void vendors(void **state)
{
    (void)state;
    static const char *const known[] = {
        "ai21", "amazon",    "anthropic",  "cohere",   "deepseek",   "google", "luma",
        "meta", "minimax",   "mistral",    "moonshot", "moonshotai", "nvidia", "openai",
        "qwen", "stability", "twelvelabs", "writer",   "xai",        "zai"};
    static const char *const others[] = {"", "us", "Amazon", "amazo", "amazonx", "global"};
    for (size_t i = 0; i < COUNT_OF(known); i++)
        expect_u64(i, "vendor", model_id_is_vendor(view_of(known[i])), true);
    for (size_t i = 0; i < COUNT_OF(others); i++)
        expect_u64(i, "vendor", model_id_is_vendor(view_of(others[i])), false);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(classification),
        cmocka_unit_test(any_bytes),
        cmocka_unit_test(vendors),
    };
    return cmocka_run_group_tests_name("model_id", tests, NULL, NULL);
}
