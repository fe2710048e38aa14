/*
 * sim_catalogue.c: who calls what, from where, to where, and what that is to be counted as.
 *
 * Profiles, sources and destinations follow a snapshot of ListInferenceProfiles (2026-08); us-gov,
 * kr and sa are not in it.  The expected type, profile and model stand beside every entry as they
 * are; nothing here derives one from another.
 */
#include "sim.h"

#include <string.h>

const struct region regions[] = {
    {"us-east-1", -5, 100, false},    {"us-east-2", -5, 25, false},
    {"us-west-1", -8, 5, false},      {"us-west-2", -8, 60, false},
    {"ca-central-1", -5, 12, false},  {"ca-west-1", -7, 4, false},
    {"mx-central-1", -6, 3, false},   {"sa-east-1", -3, 8, false},
    {"eu-central-1", 1, 50, false},   {"eu-central-2", 1, 5, false},
    {"eu-north-1", 1, 10, false},     {"eu-south-1", 1, 4, false},
    {"eu-south-2", 1, 4, false},      {"eu-west-1", 0, 40, false},
    {"eu-west-2", 0, 12, false},      {"eu-west-3", 1, 12, false},
    {"il-central-1", 2, 3, false},    {"af-south-1", 2, 3, false},
    {"ap-east-2", 8, 3, false},       {"ap-northeast-1", 9, 40, false},
    {"ap-northeast-2", 9, 12, false}, {"ap-northeast-3", 9, 4, false},
    {"ap-south-1", 5, 20, false},     {"ap-south-2", 5, 4, false},
    {"ap-southeast-1", 8, 15, false}, {"ap-southeast-2", 10, 20, false},
    {"ap-southeast-3", 7, 3, false},  {"ap-southeast-4", 10, 4, false},
    {"ap-southeast-5", 8, 3, false},  {"ap-southeast-6", 12, 3, false},
    {"ap-southeast-7", 7, 3, false},  {"us-gov-west-1", -8, 8, true},
    {"us-gov-east-1", -5, 4, true},
};
const size_t region_count = sizeof(regions) / sizeof(regions[0]);

const struct region *region_find(const char *name, size_t len)
{
    for (size_t i = 0; i < region_count; i++)
        if (strlen(regions[i].name) == len && !memcmp(regions[i].name, name, len))
            return &regions[i];
    return NULL;
}

/* ---- routes: sources (comma separated) to destinations ---- */

#define US3 "us-east-1,us-east-2,us-west-2"
#define US4 "us-east-1,us-east-2,us-west-1,us-west-2"
#define EU6 "eu-central-1,eu-north-1,eu-south-1,eu-south-2,eu-west-1,eu-west-3"
#define AP6 "ap-northeast-1,ap-northeast-2,ap-northeast-3,ap-south-1,ap-southeast-1,ap-southeast-2"
#define AP8                                                                                        \
    "ap-northeast-1,ap-northeast-2,ap-northeast-3,ap-south-1,ap-south-2,ap-southeast-1,"           \
    "ap-southeast-2,ap-southeast-4"
#define WORLD                                                                                      \
    "af-south-1,ap-east-2,ap-northeast-1,ap-northeast-2,ap-northeast-3,ap-south-1,ap-south-2,"     \
    "ap-southeast-1,ap-southeast-2,ap-southeast-3,ap-southeast-4,ap-southeast-5,ap-southeast-6,"   \
    "ap-southeast-7,ca-central-1,ca-west-1,eu-central-1,eu-central-2,eu-north-1,eu-south-1,"       \
    "eu-south-2,eu-west-1,eu-west-2,eu-west-3,il-central-1,mx-central-1,sa-east-1,us-east-1,"      \
    "us-east-2,us-west-1,us-west-2"

static const struct {
    const char *name, *sources, *destinations;
} routes[] = {
    {"us-wide", US3, US3},
    {"us-wide", "us-west-1", US4},
    {"us-wide", "ca-central-1", "ca-central-1," US3},
    {"us-wide", "ca-west-1", "ca-west-1," US3},
    {"us-base", US3, US3},
    {"us-west", US3, US3},
    {"us-west", "us-west-1", US4},
    {"eu-wide", EU6, EU6},
    {"eu-wide", "eu-central-2",
     "eu-central-1,eu-central-2,eu-north-1,eu-south-1,eu-south-2,"
     "eu-west-1,eu-west-3"},
    {"eu-wide", "eu-west-2",
     "eu-central-1,eu-north-1,eu-south-1,eu-south-2,eu-west-1,eu-west-2,"
     "eu-west-3"},
    {"eu-nova", "eu-central-1,eu-north-1,eu-west-1,eu-west-3",
     "eu-central-1,eu-north-1,eu-west-1,eu-west-3"},
    {"eu-nova", "eu-south-1", "eu-central-1,eu-north-1,eu-south-1,eu-west-1,eu-west-3"},
    {"eu-nova", "eu-south-2", "eu-central-1,eu-north-1,eu-south-2,eu-west-1,eu-west-3"},
    {"eu-nova", "il-central-1",
     "eu-central-1,eu-north-1,eu-south-1,eu-west-1,eu-west-3,"
     "il-central-1"},
    {"apac-nova", "ap-northeast-1,ap-northeast-2,ap-south-1,ap-southeast-1,ap-southeast-2", AP6},
    {"apac-nova", "ap-southeast-4", AP8},
    {"apac-nova", "ap-southeast-3", AP8 ",ap-southeast-3"},
    {"apac-nova", "ap-southeast-5", AP8 ",ap-southeast-3,ap-southeast-5"},
    {"apac-nova", "ap-southeast-7", AP8 ",ap-southeast-3,ap-southeast-7"},
    {"apac-nova", "ap-east-2", AP8 ",ap-southeast-3,ap-east-2"},
    {"apac-s4", AP8, AP8},
    {"jp", "ap-northeast-1,ap-northeast-3", "ap-northeast-1,ap-northeast-3"},
    {"au", "ap-southeast-2,ap-southeast-4", "ap-southeast-2,ap-southeast-4"},
    {"au", "ap-southeast-6", "ap-southeast-2,ap-southeast-4,ap-southeast-6"},
    {"ca", "ca-central-1,ca-west-1", "ca-central-1,ca-west-1"},
    {"in", "ap-south-1,ap-south-2", "ap-south-1,ap-south-2"},
    {"sa", "sa-east-1", "sa-east-1,mx-central-1"},
    {"kr", "ap-northeast-2", "ap-northeast-2"},
    {"us-gov", "us-gov-west-1,us-gov-east-1", "us-gov-west-1,us-gov-east-1"},
    {"global", WORLD, WORLD},
    /* Pseudo routes: in the Region, destinations are not logged. */
    {"commercial", WORLD, ""},
    {"commercial-us", US4, ""},
    {"gov", "us-gov-west-1,us-gov-east-1", ""},
};

static bool list_has(const char *list, const char *name)
{
    size_t len = strlen(name);

    for (const char *at = strstr(list, name); at; at = strstr(at + len, name))
        if ((at == list || at[-1] == ',') && (at[len] == ',' || at[len] == '\0'))
            return true;
    return false;
}

const char *route_destinations(const char *route, const char *source)
{
    for (size_t i = 0; i < sizeof(routes) / sizeof(routes[0]); i++)
        if (!strcmp(routes[i].name, route) && list_has(routes[i].sources, source))
            return routes[i].destinations;
    return NULL;
}

/* ---- what can be called ---- */

#define SYSTEM(type, geo, model, route, family, weight, odd)                                       \
    {                                                                                              \
        type, geo "." model, model, route, family, SPELL_PROFILE, weight, odd                      \
    }
#define CROSS(geo, model, route, family, weight)                                                   \
    SYSTEM("CrossRegion", geo, model, route, family, weight, false)
#define GLOBAL(model, family, weight)                                                              \
    SYSTEM("GlobalCrossRegion", "global", model, "global", family, weight, false)
#define BASE(model, route, family, weight)                                                         \
    {                                                                                              \
        "InRegion", "none", model, route, family, SPELL_MODEL, weight, false                       \
    }
#define RESOURCE(type, profile, model, route, family, weight, odd)                                 \
    {                                                                                              \
        type, profile, model, route, family, SPELL_ARN, weight, odd                                \
    }

const struct offer offers[] = {
    CROSS("us", "anthropic.claude-sonnet-4-5-20250929-v1:0", "us-wide", FAM_CLAUDE, 40),
    CROSS("us", "anthropic.claude-haiku-4-5-20251001-v1:0", "us-wide", FAM_CLAUDE, 25),
    CROSS("us", "anthropic.claude-opus-4-8", "us-wide", FAM_CLAUDE, 20),
    CROSS("us", "anthropic.claude-sonnet-4-20250514-v1:0", "us-west", FAM_CLAUDE, 10),
    CROSS("us", "amazon.nova-lite-v1:0", "us-west", FAM_NOVA, 12),
    CROSS("us", "amazon.nova-premier-v1:0", "us-base", FAM_NOVA, 4),
    CROSS("us", "meta.llama3-3-70b-instruct-v1:0", "us-base", FAM_LLAMA, 8),
    CROSS("us", "meta.llama4-maverick-17b-instruct-v1:0", "us-west", FAM_LLAMA, 4),
    CROSS("us", "deepseek.r1-v1:0", "us-base", FAM_OTHER, 5),
    CROSS("us", "openai.gpt-5.6-sol", "us-wide", FAM_OTHER, 5),
    CROSS("us", "xai.grok-4.6", "us-wide", FAM_OTHER, 3),
    CROSS("us", "writer.palmyra-x5-v1:0", "us-west", FAM_OTHER, 2),
    CROSS("us", "mistral.pixtral-large-2502-v1:0", "us-base", FAM_OTHER, 3),
    CROSS("us", "cohere.embed-v4:0", "us-west", FAM_EMBED, 10),
    CROSS("us", "stability.stable-image-inpaint-v1:0", "us-base", FAM_IMAGE, 2),
    CROSS("eu", "anthropic.claude-sonnet-4-5-20250929-v1:0", "eu-wide", FAM_CLAUDE, 40),
    CROSS("eu", "anthropic.claude-opus-4-7", "eu-wide", FAM_CLAUDE, 15),
    CROSS("eu", "anthropic.claude-haiku-4-5-20251001-v1:0", "eu-wide", FAM_CLAUDE, 20),
    CROSS("eu", "amazon.nova-pro-v1:0", "eu-nova", FAM_NOVA, 12),
    CROSS("eu", "cohere.embed-v4:0", "eu-wide", FAM_EMBED, 10),
    CROSS("apac", "anthropic.claude-sonnet-4-20250514-v1:0", "apac-s4", FAM_CLAUDE, 25),
    CROSS("apac", "amazon.nova-micro-v1:0", "apac-nova", FAM_NOVA, 15),
    CROSS("apac", "amazon.nova-lite-v1:0", "apac-nova", FAM_NOVA, 10),
    CROSS("jp", "anthropic.claude-sonnet-4-5-20250929-v1:0", "jp", FAM_CLAUDE, 35),
    CROSS("jp", "anthropic.claude-haiku-4-5-20251001-v1:0", "jp", FAM_CLAUDE, 20),
    CROSS("au", "anthropic.claude-sonnet-4-6", "au", FAM_CLAUDE, 35),
    CROSS("au", "anthropic.claude-haiku-4-5-20251001-v1:0", "au", FAM_CLAUDE, 15),
    CROSS("ca", "amazon.nova-lite-v1:0", "ca", FAM_NOVA, 25),
    CROSS("in", "openai.gpt-5.6-luna", "in", FAM_OTHER, 20),
    CROSS("in", "openai.gpt-5.6-terra", "in", FAM_OTHER, 10),
    CROSS("us-gov", "anthropic.claude-sonnet-4-5-20250929-v1:0", "us-gov", FAM_CLAUDE, 40),
    CROSS("us-gov", "anthropic.claude-3-haiku-20240307-v1:0", "us-gov", FAM_CLAUDE, 15),
    SYSTEM("CrossRegion", "sa", "amazon.nova-lite-v1:0", "sa", FAM_NOVA, 10, true),
    /* A geography nobody knows yet: the second label is a vendor, the first is none. */
    SYSTEM("CrossRegion", "kr", "anthropic.claude-sonnet-5", "kr", FAM_CLAUDE, 10, true),
    GLOBAL("anthropic.claude-sonnet-4-5-20250929-v1:0", FAM_CLAUDE, 25),
    GLOBAL("anthropic.claude-opus-4-6-v1", FAM_CLAUDE, 15),
    GLOBAL("anthropic.claude-opus-4-7", FAM_CLAUDE, 20),
    GLOBAL("anthropic.claude-haiku-4-5-20251001-v1:0", FAM_CLAUDE, 15),
    GLOBAL("amazon.nova-2-lite-v1:0", FAM_NOVA, 10),
    GLOBAL("openai.gpt-5.6-terra", FAM_OTHER, 4),
    GLOBAL("cohere.embed-v4:0", FAM_EMBED, 5),
    /* In the Region.  Vendor first, with more dots behind it: not a geography. */
    BASE("anthropic.claude-3-haiku-20240307-v1:0", "commercial", FAM_CLAUDE, 12),
    BASE("anthropic.claude-v2:1", "commercial-us", FAM_CLAUDE_OLD, 3),
    BASE("amazon.nova-lite-v1:0", "commercial-us", FAM_NOVA, 8),
    BASE("amazon.titan-text-express-v1", "commercial", FAM_TITAN, 5),
    BASE("meta.llama3-70b-instruct-v1:0", "commercial", FAM_LLAMA, 6),
    BASE("mistral.mistral-large-2402-v1:0", "commercial", FAM_OTHER, 4),
    BASE("ai21.jamba-instruct-v1:0", "commercial-us", FAM_OTHER, 2),
    BASE("deepseek.v3.2", "commercial", FAM_OTHER, 4),
    BASE("openai.gpt-5.4", "commercial", FAM_OTHER, 3),
    BASE("zai.glm-4.7", "commercial", FAM_OTHER, 2),
    BASE("qwen.qwen3-coder-480b-a35b-v1:0", "commercial", FAM_OTHER, 3),
    BASE("amazon.titan-embed-text-v2:0", "commercial", FAM_EMBED, 30),
    BASE("cohere.embed-multilingual-v3", "commercial", FAM_EMBED, 8),
    BASE("amazon.titan-image-generator-v2:0", "commercial-us", FAM_IMAGE, 3),
    BASE("amazon.titan-text-express-v1", "gov", FAM_TITAN, 8),
    BASE("amazon.titan-embed-text-v2:0", "gov", FAM_EMBED, 10),
    /* Application profiles: made from a global, a geographic, and a single-Region source. */
    RESOURCE(NULL, "%", "application-inference-profile/%", "global", FAM_CLAUDE, 12, false),
    RESOURCE(NULL, "%", "application-inference-profile/%", "us-wide", FAM_CLAUDE, 12, false),
    RESOURCE(NULL, "%", "application-inference-profile/%", "eu-wide", FAM_CLAUDE, 12, false),
    RESOURCE(NULL, "%", "application-inference-profile/%", "apac-s4", FAM_CLAUDE, 6, false),
    RESOURCE(NULL, "%", "application-inference-profile/%", "commercial", FAM_CLAUDE, 5, false),
    RESOURCE(NULL, "none", "prompt/PRMPT%:2", "commercial", FAM_CLAUDE, 1, false),
    RESOURCE(NULL, "none", "default-prompt-router/anthropic.claude:1", "us-wide", FAM_CLAUDE, 2,
             false),
    RESOURCE("InRegion", "none", "provisioned-model/%", "commercial", FAM_CLAUDE, 3, false),
    RESOURCE("InRegion", "none", "custom-model/amazon.titan-text-express-v1:0:8k/%",
             "commercial-us", FAM_TITAN, 2, false),
    RESOURCE("InRegion", "none", "imported-model/%", "commercial-us", FAM_LLAMA, 2, false),
    {"InRegion", "none", "endpoint/marketplace-%", "commercial-us", FAM_OTHER, SPELL_ENDPOINT, 1,
     false},
};
const size_t offer_count = sizeof(offers) / sizeof(offers[0]);

/* ---- who calls ---- */

const struct app apps[] = {
    {"arn:$P:sts::$A:assumed-role/order-assistant-task/$S",
     "role/order-assistant-task",
     "hex",
     APP_CHAT,
     "orders",
     34,
     {1, 0, 7, 4}},
    {"arn:$P:sts::$A:assumed-role/AWSReservedSSO_Developers_1a2b3c4d5e6f7a8b/$S",
     "role/AWSReservedSSO_Developers_1a2b3c4d5e6f7a8b",
     "mail",
     APP_AGENT,
     NULL,
     17,
     {1, 9, 0, 1}},
    {"arn:$P:sts::$A:assumed-role/support-bot/$S",
     "role/support-bot",
     "instance",
     APP_CHAT,
     "support",
     20,
     {4, 3, 2, 1}},
    {"arn:$P:iam::$A:user/ci-review", "user/ci-review", "", APP_AGENT, "platform", 8, {2, 1, 3, 0}},
    {"arn:$P:sts::$A:assumed-role/lambda-summarize/lambda-summarize",
     "role/lambda-summarize",
     "",
     APP_CHAT,
     NULL,
     15,
     {8, 0, 2, 0}},
    {"arn:$P:sts::$A:assumed-role/search-indexer/$S",
     "role/search-indexer",
     "hex",
     APP_EMBED,
     NULL,
     14,
     {1, 0, 0, 0}},
    {"arn:$P:iam::$A:role/service-role/AmazonBedrockExecutionRoleForAgents_K7QX",
     "role/AmazonBedrockExecutionRoleForAgents_K7QX",
     "",
     APP_AGENT,
     NULL,
     6,
     {3, 2, 0, 0}},
    {"arn:$P:sts::$A:federated-user/carol",
     "federated-user/carol",
     "",
     APP_CHAT,
     NULL,
     3,
     {0, 0, 1, 2}},
    {"arn:$P:iam::$A:root", "root", "", APP_CHAT, NULL, 2, {0, 1, 1, 0}},
    {"arn:$P:iam::$A:user/j.doe@example.com",
     "user/j.doe@example.com",
     "",
     APP_CHAT,
     "research",
     4,
     {1, 1, 1, 1}},
};
const size_t app_count = sizeof(apps) / sizeof(apps[0]);

const char *const op_names[4] = {"InvokeModel", "InvokeModelWithResponseStream", "Converse",
                                 "ConverseStream"};

const struct error_class error_classes[] = {
    {"ThrottlingException", OUT_THROTTLE, 40, false},
    {"ServiceQuotaExceededException", OUT_THROTTLE, 4, false},
    {"ModelNotReadyException", OUT_THROTTLE, 4, false},
    {"ValidationException", OUT_CLIENT, 25, false},
    {"AccessDeniedException", OUT_CLIENT, 10, false},
    {"ResourceNotFoundException", OUT_CLIENT, 4, false},
    {"ConflictException", OUT_CLIENT, 1, false},
    {"InternalServerException", OUT_SERVER, 4, false},
    {"ServiceUnavailableException", OUT_SERVER, 6, false},
    {"ModelErrorException", OUT_SERVER, 3, true},
    {"ModelTimeoutException", OUT_SERVER, 4, true},
    {"ModelStreamErrorException", OUT_SERVER, 4, true},
};
const size_t error_class_count = sizeof(error_classes) / sizeof(error_classes[0]);
