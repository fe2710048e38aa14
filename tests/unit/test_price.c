/*
 * test_price.c: price lists, matching and cost.
 *
 * Tables of ids that have cost other tools money: prefixes, versions, aliases, ARNs, thresholds,
 * price changes.  tests/prices/check_prices.py compares the whole list with a second calculation.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>
#include <pthread.h>

#include "base/rfc3339.h"
#include "price/price.h"
#include "records/model_id.h"

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))
#define USD(dollars) ((u128)(dollars)*1000000000000)

static struct prices *builtin;

static int open_builtin(void **state)
{
    struct error err = {.text = ""};

    (void)state;
    if (prices_open(NULL, &builtin, &err) == ST_OK)
        return 0;
    fprintf(stderr, "%s\n", err.text);
    return -1;
}

static int free_builtin(void **state)
{
    (void)state;
    prices_free(builtin);
    return 0;
}

static int64_t day_of(const char *date)
{
    struct instant midnight;

    assert_int_equal(rfc3339_parse_date(view_of(date), &midnight), ST_OK);
    return midnight.seconds / 86400;
}

static void ask(const struct prices *prices, const char *model, const char *geography,
                const char *region, const char *date, struct price_usage usage,
                struct price_explanation *x)
{
    struct price_query query = {view_of(model), view_of(geography), view_of(region)};
    struct price_line line;
    struct price_cost cost;

    price_explain(prices, &query, day_of(date), &usage, x);
    price_match(prices, &query, &line);
    price_line_cost(&line, day_of(date), &usage, &cost);
    assert_true(cost.usd_e12 == x->cost.usd_e12);
    assert_true(cost.unpriced_tokens == x->cost.unpriced_tokens);
    assert_true(cost.approximate_tokens == x->cost.approximate_tokens);
}

static void assert_text(struct view got, const char *expected, const char *of)
{
    if (!view_eq_cstr(got, expected))
        fail_msg("%s: got \"%.*s\", expected \"%s\"", of, (int)got.len, got.ptr, expected);
}

/* ---- ids ---- */

static void every_spelling_finds_its_model(void **state)
{
    static const struct {
        const char *id;
        const char *model; /* "": none */
        const char *geography;
        enum price_model_rule rule;
    } table[] = {
        {"anthropic.claude-opus-4-8", "anthropic.claude-opus-4-8", "", PRICE_MODEL_EXACT},
        {"us.anthropic.claude-opus-4-8", "anthropic.claude-opus-4-8", "us", PRICE_MODEL_EXACT},
        {"anthropic.claude-opus-4-8-v1:0", "anthropic.claude-opus-4-8", "", PRICE_MODEL_VERSION},
        {"anthropic.claude-opus-4-6", "anthropic.claude-opus-4-6-v1", "", PRICE_MODEL_VERSION},
        {"anthropic.claude-opus-4", "", "", PRICE_MODEL_UNKNOWN},
        {"anthropic.claude-opus-4-9", "", "", PRICE_MODEL_UNKNOWN},
        {"anthropic.claude-opus-4-88", "", "", PRICE_MODEL_UNKNOWN},
        {"anthropic.claude-opus-4-20250514-v1:0", "anthropic.claude-opus-4-20250514-v1:0", "",
         PRICE_MODEL_EXACT},
        {"anthropic.claude-v2", "anthropic.claude-v2", "", PRICE_MODEL_EXACT},
        {"anthropic.claude-v2:1", "anthropic.claude-v2:1", "", PRICE_MODEL_EXACT},
        {"anthropic.claude-v3", "", "", PRICE_MODEL_AMBIGUOUS},
        {"anthropic.claude", "", "", PRICE_MODEL_AMBIGUOUS},
        {"amazon.titan-embed-text", "", "", PRICE_MODEL_AMBIGUOUS},
        {"anthropic.claude-3-5-sonnet-20241022-v1:0", "anthropic.claude-3-5-sonnet-20241022-v2:0",
         "", PRICE_MODEL_VERSION},
        {"Anthropic.claude-opus-4-8", "", "", PRICE_MODEL_UNKNOWN},
        {"", "", "", PRICE_MODEL_UNKNOWN},
        {".", "", "", PRICE_MODEL_UNKNOWN},
        {"-v1:0", "", "", PRICE_MODEL_UNKNOWN},
        /* context length is no model */
        {"amazon.nova-pro-v1:0:300k", "amazon.nova-pro-v1:0", "", PRICE_MODEL_EXACT},
        {"eu.amazon.nova-pro-v1:0:300k", "amazon.nova-pro-v1:0", "eu", PRICE_MODEL_EXACT},
        {"amazon.titan-embed-image-v1:mm", "amazon.titan-embed-image-v1", "", PRICE_MODEL_EXACT},
        {"amazon.nova-pro-v1:0:k", "", "", PRICE_MODEL_UNKNOWN},
        {"amazon.nova-pro-v1:0:300k:300k", "", "", PRICE_MODEL_UNKNOWN},
        /* dots that are no geography */
        {"deepseek.v3.2", "deepseek.v3.2", "", PRICE_MODEL_EXACT},
        {"us.deepseek.v3.2", "deepseek.v3.2", "us", PRICE_MODEL_EXACT},
        {"openai.gpt-5.4", "openai.gpt-5.4", "", PRICE_MODEL_EXACT},
        {"amazon.anthropic.claude-opus-5", "", "", PRICE_MODEL_UNKNOWN},
        {"us.us.anthropic.claude-opus-5", "", "us", PRICE_MODEL_UNKNOWN},
        {"us.anthropic", "", "", PRICE_MODEL_UNKNOWN},
        /* ARNs */
        {"arn:aws:bedrock:us-east-1::foundation-model/anthropic.claude-opus-5",
         "anthropic.claude-opus-5", "", PRICE_MODEL_EXACT},
        {"arn:aws:bedrock:::foundation-model/amazon.nova-pro-v1:0:300k", "amazon.nova-pro-v1:0", "",
         PRICE_MODEL_EXACT},
        {"arn:aws:bedrock:eu-west-1:1:inference-profile/eu.anthropic.claude-opus-5",
         "anthropic.claude-opus-5", "eu", PRICE_MODEL_EXACT},
        {"arn:aws-us-gov:bedrock:us-gov-west-1:1:inference-profile/us-gov.amazon.nova-pro-v1:0",
         "amazon.nova-pro-v1:0", "us-gov", PRICE_MODEL_EXACT},
        {"inference-profile/global.anthropic.claude-opus-5", "anthropic.claude-opus-5", "global",
         PRICE_MODEL_EXACT},
        {"arn:aws:bedrock:us-east-1:1:application-inference-profile/abc", "", "",
         PRICE_MODEL_OPAQUE},
        {"application-inference-profile/abc", "", "", PRICE_MODEL_OPAQUE},
        {"arn:aws:bedrock:us-east-1:1:provisioned-model/abc", "", "", PRICE_MODEL_OPAQUE},
        {"arn:aws:bedrock:us-east-1:1:custom-model/anthropic.claude-v2/abc", "", "",
         PRICE_MODEL_OPAQUE},
        {"custom-model-deployment/abc", "", "", PRICE_MODEL_OPAQUE},
        {"arn:aws:bedrock:us-east-1:1:imported-model/abc", "", "", PRICE_MODEL_OPAQUE},
        {"arn:aws:bedrock:us-east-1:1:default-prompt-router/anthropic.claude:1", "", "",
         PRICE_MODEL_OPAQUE},
        {"arn:aws:bedrock:us-east-1:1:prompt/ABC:1", "", "", PRICE_MODEL_OPAQUE},
        {"arn:aws:sagemaker:us-east-1:1:endpoint/x", "", "", PRICE_MODEL_OPAQUE},
        {"arn:aws:bedrock:us-east-1:1:anthropic.claude-opus-5", "", "", PRICE_MODEL_OPAQUE},
        {"arn:aws:bedrock", "", "", PRICE_MODEL_OPAQUE},
        /* aliases */
        {"amazon.titan-embed-g1-text-02", "amazon.titan-embed-text-v1", "", PRICE_MODEL_ALIAS},
        {"anthropic.claude-haiku-4-5", "anthropic.claude-haiku-4-5-20251001-v1:0", "",
         PRICE_MODEL_ALIAS},
        {"us.anthropic.claude-haiku-4-5", "anthropic.claude-haiku-4-5-20251001-v1:0", "us",
         PRICE_MODEL_ALIAS},
        {"anthropic.claude-v1", "anthropic.claude-v2", "", PRICE_MODEL_ALIAS},
        {"deepseek.v3.1", "deepseek.v3-v1:0", "", PRICE_MODEL_ALIAS},
        {"moonshotai.kimi-k2-thinking", "moonshot.kimi-k2-thinking", "", PRICE_MODEL_ALIAS},
        {"openai.gpt-5.4-2026-03-05", "openai.gpt-5.4", "", PRICE_MODEL_ALIAS},
        {"openai.gpt-5.5-2026-04-23", "openai.gpt-5.5", "", PRICE_MODEL_ALIAS},
        {"openai.gpt-oss-120b", "openai.gpt-oss-120b-1:0", "", PRICE_MODEL_ALIAS},
        {"openai.gpt-oss-20b", "openai.gpt-oss-20b-1:0", "", PRICE_MODEL_ALIAS},
        {"qwen.qwen3-235b-a22b-2507", "qwen.qwen3-235b-a22b-2507-v1:0", "", PRICE_MODEL_ALIAS},
        {"qwen.qwen3-32b", "qwen.qwen3-32b-v1:0", "", PRICE_MODEL_ALIAS},
        {"qwen.qwen3-coder-30b-a3b-instruct", "qwen.qwen3-coder-30b-a3b-v1:0", "",
         PRICE_MODEL_ALIAS},
        {"qwen.qwen3-coder-480b-a35b-instruct", "qwen.qwen3-coder-480b-a35b-v1:0", "",
         PRICE_MODEL_ALIAS},
        {"qwen.qwen3-next-80b-a3b-instruct", "qwen.qwen3-next-80b-a3b", "", PRICE_MODEL_ALIAS},
        {"qwen.qwen3-vl-235b-a22b-instruct", "qwen.qwen3-vl-235b-a22b", "", PRICE_MODEL_ALIAS},
        {"writer.palmyra-vision-7b-v1:0", "writer.palmyra-vision-7b", "", PRICE_MODEL_ALIAS},
    };
    struct price_explanation x;

    (void)state;
    for (size_t i = 0; i < COUNT_OF(table); i++) {
        ask(builtin, table[i].id, "", "us-east-1", "2026-11-01", (struct price_usage){0}, &x);
        assert_text(x.model, table[i].model, table[i].id);
        assert_text(x.geography, table[i].geography, table[i].id);
        if (x.model_rule != table[i].rule)
            fail_msg("%s: rule %d, expected %d", table[i].id, x.model_rule, table[i].rule);
        assert_true((x.row != NULL) == (table[i].model[0] != '\0'));
    }
}

/* A record's classification, priced, costs what its id costs. */
static void a_classified_id_costs_the_same(void **state)
{
    static const char *const before[] = {
        "",
        "us.",
        "global.",
        "kr.",
        "stability.",
        "arn:aws:bedrock:eu-west-1::foundation-model/",
        "arn:aws:bedrock:::foundation-model/",
        "arn:aws:bedrock:eu-west-1:1:inference-profile/eu.",
        "arn:aws:bedrock:eu-west-1:1:inference-profile/global.",
        "arn:aws-us-gov:bedrock:us-gov-west-1:1:inference-profile/us-gov.",
        "arn:aws:bedrock:eu-west-1:1:application-inference-profile/",
        "arn:aws:bedrock:eu-west-1:1:provisioned-model/",
    };
    static const char *const regions[] = {"eu-west-2", "us-gov-west-1"};

    (void)state;
    for (size_t i = 0; i < prices_info(builtin).rows * COUNT_OF(before) * COUNT_OF(regions); i++) {
        struct view model = prices_row(builtin, i / COUNT_OF(before) / COUNT_OF(regions))->model;
        struct view region = view_of(regions[i % COUNT_OF(regions)]);
        char id[512];
        struct model_class class;
        struct price_line by_id;
        struct price_line by_class;
        snprintf(id, sizeof(id), "%s%.*s", before[i / COUNT_OF(regions) % COUNT_OF(before)],
                 (int)model.len, model.ptr);
        model_id_classify(view_of(id), &class);
        price_match(builtin, &(struct price_query){view_of(id), VIEW_EMPTY, region}, &by_id);
        price_match(builtin, &(struct price_query){class.model, class.geography, region},
                    &by_class);
        if (by_id.rows != by_class.rows || by_id.approximate != by_class.approximate)
            fail_msg("%s", id);
    }
}

/* ---- scopes ---- */

static void the_first_scope_with_a_row_prices(void **state)
{
    static const struct {
        const char *id;
        const char *geography; /* as a classification gives it */
        const char *region;
        const char *scope;
        uint64_t input; /* 1e-6 dollars per million */
        bool approximate;
    } table[] = {
        {"anthropic.claude-opus-4-8", "", "us-east-1", "default", 5500000, false},
        {"anthropic.claude-opus-4-8", "", "", "default", 5500000, false},
        {"anthropic.claude-opus-4-8", "us", "us-east-1", "default", 5500000, false},
        {"anthropic.claude-opus-4-8", "sa", "sa-east-1", "default", 5500000, false},
        {"kr.anthropic.claude-opus-4-8", "", "ap-northeast-2", "default", 5500000, false},
        {"anthropic.claude-opus-4-8", "global", "us-east-1", "global", 5000000, false},
        {"global.anthropic.claude-opus-4-8", "", "eu-west-2", "global", 5000000, false},
        {"anthropic.claude-opus-4-8", "", "us-gov-west-1", "us-gov", 6000000, false},
        {"anthropic.claude-opus-4-8", "us-gov", "us-gov-east-1", "us-gov", 6000000, false},
        /* Nova 2 Lite has regional and global prices per Region. */
        {"amazon.nova-2-lite-v1:0", "", "us-east-1", "default", 330000, false},
        {"amazon.nova-2-lite-v1:0", "eu", "eu-west-1", "region:eu-west-1", 374000, false},
        {"amazon.nova-2-lite-v1:0", "eu", "eu-central-1", "region:eu-central-1", 429000, false},
        {"amazon.nova-2-lite-v1:0", "global", "eu-south-1", "global:eu-south-1", 481000, false},
        {"amazon.nova-2-lite-v1:0", "global", "us-east-1", "global", 300000, false},
        /* no global price known: the regional one, and said so */
        {"zai.glm-4.6", "global", "us-east-1", "default", 600000, true},
        {"meta.llama3-8b-instruct-v1:0", "global", "eu-west-2", "region:eu-west-2", 390000, true},
        {"meta.llama3-8b-instruct-v1:0", "", "eu-west-2", "region:eu-west-2", 390000, false},
    };
    struct price_explanation x;

    (void)state;
    for (size_t i = 0; i < COUNT_OF(table); i++) {
        ask(builtin, table[i].id, table[i].geography, table[i].region, "2026-11-01",
            (struct price_usage){.input = 7}, &x);
        assert_non_null(x.row);
        assert_text(x.row->scope, table[i].scope, table[i].id);
        assert_int_equal(x.row->input, table[i].input);
        assert_int_equal((int)x.cost.approximate_tokens, table[i].approximate ? 7 : 0);
    }
}

static void day_and_length_choose_the_row(void **state)
{
    static const struct {
        const char *id;
        const char *day;
        struct price_usage usage;
        uint64_t input;
        enum price_day_rule rule;
    } table[] = {
        {"openai.gpt-5.6-sol", "2020-01-01", {.input = 1}, 5500000, PRICE_DAY_EARLIEST},
        {"openai.gpt-5.6-sol", "2020-01-01", {.input = 272001}, 11000000, PRICE_DAY_EARLIEST},
        {"openai.gpt-5.6-sol", "2026-07-13", {.input = 1}, 5500000, PRICE_DAY_FROM},
        {"openai.gpt-5.6-sol", "2026-09-08", {.input = 1}, 5500000, PRICE_DAY_FROM},
        {"openai.gpt-5.6-sol", "2026-09-09", {.input = 0}, 4400000, PRICE_DAY_FROM},
        {"openai.gpt-5.6-sol", "2026-09-09", {.input = 272000}, 4400000, PRICE_DAY_FROM},
        {"openai.gpt-5.6-sol", "2026-09-09", {.input = 272001}, 8800000, PRICE_DAY_FROM},
        /* gross: cached tokens are in the input count already */
        {"openai.gpt-5.6-sol", "2026-09-09", {272000, 200000, 50000, 0}, 4400000, PRICE_DAY_FROM},
        /* the first price had no threshold */
        {"openai.gpt-5.6-luna", "2026-07-29", {.input = 999999}, 1100000, PRICE_DAY_FROM},
        {"openai.gpt-5.6-luna", "2026-07-30", {.input = 999999}, 440000, PRICE_DAY_FROM},
        /* disjoint: the prompt is the sum; output does not count */
        {"openai.gpt-5.5", "2026-11-01", {272000, 1, 0, 0}, 11000000, PRICE_DAY_ANY},
        {"anthropic.claude-haiku-5-5", "2026-11-01", {1, 99999, 0, 900000}, 110000, PRICE_DAY_ANY},
        {"anthropic.claude-haiku-5-5", "2026-11-01", {1, 99999, 1, 0}, 550000, PRICE_DAY_ANY},
        {"anthropic.claude-haiku-5-5",
         "2026-11-01",
         {UINT64_MAX, UINT64_MAX, UINT64_MAX, 0},
         550000,
         PRICE_DAY_ANY},
    };
    struct price_explanation x;

    (void)state;
    for (size_t i = 0; i < COUNT_OF(table); i++) {
        ask(builtin, table[i].id, "", "us-east-1", table[i].day, table[i].usage, &x);
        if (x.row->input != table[i].input)
            fail_msg("%s, row %zu: input %llu", table[i].id, i, (unsigned long long)x.row->input);
        assert_int_equal(x.day_rule, table[i].rule);
    }
}

/* ---- amounts ---- */

static void amounts_are_exact(void **state)
{
    struct price_explanation x;

    (void)state;
    /* Four disjoint counts: 5, 0.5, 6.25 and 25 dollars per million. */
    ask(builtin, "anthropic.claude-opus-4-8", "global", "eu-west-1", "2026-11-01",
        (struct price_usage){1, 1, 1, 1}, &x);
    assert_true(x.cost.usd_e12 == 5000000 + 500000 + 6250000 + 25000000);
    /* 0.0264 per million, one token. */
    ask(builtin, "openai.gpt-5.6-luna", "", "us-gov-west-1", "2026-11-01",
        (struct price_usage){.input = 1, .cache_read = 1}, &x);
    assert_true(x.cost.usd_e12 == 26400);
    /* Gross input: 100 less 30 and 50; never below zero. */
    ask(builtin, "openai.gpt-6-sol", "global", "us-east-1", "2026-11-01",
        (struct price_usage){100, 30, 50, 0}, &x);
    assert_true(x.parts[PRICE_PART_INPUT].tokens == 20);
    ask(builtin, "openai.gpt-6-sol", "global", "us-east-1", "2026-11-01",
        (struct price_usage){100, 90, 50, 0}, &x);
    assert_true(x.parts[PRICE_PART_INPUT].tokens == 0);
    ask(builtin, "openai.gpt-6-sol", "global", "us-east-1", "2026-11-01",
        (struct price_usage){1, UINT64_MAX, UINT64_MAX, 0}, &x);
    assert_true(x.parts[PRICE_PART_INPUT].tokens == 0);
    /* No price for output tokens: counted, not zero dollars. */
    ask(builtin, "cohere.embed-v4:0", "", "us-east-1", "2026-11-01",
        (struct price_usage){.input = 10, .output = 3}, &x);
    assert_true(x.cost.unpriced_tokens == 3);
    assert_true(x.cost.usd_e12 > 0 && x.cost.usd_e12 == (u128)10 * x.row->input);
    /* No cache price: the input price, said so. */
    ask(builtin, "ai21.jamba-1-5-mini-v1:0", "", "us-east-1", "2026-11-01",
        (struct price_usage){.input = 1, .cache_read = 2, .cache_write = 3, .output = 4}, &x);
    assert_true(x.cost.usd_e12 == 6 * 200000 + 4 * 400000);
    assert_true(x.cost.approximate_tokens == 5);
    /* Nobody's model: all four counts, no dollars. */
    ask(builtin, "acme.x", "", "us-east-1", "2026-11-01",
        (struct price_usage){UINT64_MAX, UINT64_MAX, UINT64_MAX, UINT64_MAX}, &x);
    assert_true(x.cost.unpriced_tokens == (u128)UINT64_MAX * 4);
    assert_true(x.cost.usd_e12 == 0 && x.cost.approximate_tokens == 0);
}

static void a_price_known_to_be_zero_is_a_price(void **state)
{
    struct price_explanation x;

    (void)state;
    ask(builtin, "twelvelabs.pegasus-1-2-v1:0", "", "us-east-1", "2026-11-01",
        (struct price_usage){.input = 5}, &x);
    assert_true(x.row->input == 0 && x.cost.usd_e12 == 0 && x.cost.unpriced_tokens == 0);
}

#define HEAD "{\"schema\":1,\"currency\":\"USD\",\"unit\":\"per_1M_tokens\""
#define ROW "{\"model\":\"a.m\",\"scope\":\"default\",\"input\":1"
#define LIST(rows) HEAD ",\"prices\":[" rows "]}"

static struct prices *list_of(const char *base, const char *own)
{
    struct error err = {.text = ""};
    struct prices *prices = NULL;

    if (prices_new(view_of(base), own == NULL ? VIEW_EMPTY : view_of(own), &prices, &err) != ST_OK)
        fail_msg("%s: %s", own == NULL ? base : own, err.text);
    return prices;
}

static void the_dearest_request_does_not_overflow(void **state)
{
    struct prices *prices = list_of(
        LIST("{\"model\":\"a.m\",\"scope\":\"default\",\"input\":1e6,\"output\":1000000}"), NULL);
    struct price_explanation x;

    (void)state;
    ask(prices, "a.m", "", "", "2026-11-01",
        (struct price_usage){UINT64_MAX, UINT64_MAX, UINT64_MAX, UINT64_MAX}, &x);
    assert_true(x.cost.usd_e12 == USD(1) * UINT64_MAX * 4);
    assert_true(x.cost.usd_e12 / USD(1) == (u128)UINT64_MAX * 4);
    prices_free(prices);
}

static void decimals_are_read_exactly(void **state)
{
    static const struct {
        const char *text;
        uint64_t price; /* PRICE_NONE: refused */
    } table[] = {
        {"0", 0},
        {"0.0", 0},
        {"-0.0", 0},
        {"1", 1000000},
        {"0.1", 100000},
        {"0.000001", 1},
        {"1e-6", 1},
        {"1E+1", 10000000},
        {"0.3", 300000},
        {"3.4375", 3437500},
        {"2.9999990", 2999999},
        {"999999.999999", 999999999999},
        {"654321.123457", 654321123457},
        {"1000000", 1000000000000},
        {"1000000.0", 1000000000000},
        {"1000000.000001", PRICE_NONE},
        {"1000001", PRICE_NONE},
        {"0.0000001", PRICE_NONE},
        {"0.1234567", PRICE_NONE},
        {"999999.9999995", PRICE_NONE},
        {"-1", PRICE_NONE},
        {"-0.000001", PRICE_NONE},
        {"1e300", PRICE_NONE},
        {"\"1\"", PRICE_NONE},
        {"null", PRICE_NONE},
        {"true", PRICE_NONE},
        {"[1]", PRICE_NONE},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(table); i++) {
        char json[256];
        struct prices *prices = NULL;
        struct error err = {.text = ""};
        snprintf(json, sizeof(json), LIST("{\"model\":\"a.m\",\"scope\":\"default\",\"input\":%s}"),
                 table[i].text);
        enum status st = prices_new(view_of(json), VIEW_EMPTY, &prices, &err);
        if (st != (table[i].price == PRICE_NONE ? ST_USAGE : ST_OK))
            fail_msg("%s: %s %s", table[i].text, status_name(st), err.text);
        if (st == ST_OK)
            assert_int_equal(prices_row(prices, 0)->input, table[i].price);
        else
            assert_ptr_equal(strstr(err.text, "prices[0].input: "), err.text);
        prices_free(prices);
    }
}

/* Every number of six decimals up to a few dollars, and a sample of large ones. */
static void all_small_decimals_are_read_exactly(void **state)
{
    char json[64 * 1024];

    (void)state;
    for (uint64_t first = 1; first < 3000000; first += 5003) {
        int n = snprintf(json, sizeof(json), HEAD ",\"prices\":[");
        for (uint64_t k = first; k < first + 400; k++) {
            uint64_t big = k * 333331; /* up to 1e12 */
            n += snprintf(json + n, sizeof(json) - (size_t)n,
                          "%s{\"model\":\"a.%03d\",\"scope\":\"default\",\"input\":%d.%06d,"
                          "\"output\":%d.%06d}",
                          k == first ? "" : ",", (int)(k - first), (int)(k / 1000000),
                          (int)(k % 1000000), (int)(big / 1000000), (int)(big % 1000000));
        }
        snprintf(json + n, sizeof(json) - (size_t)n, "]}");
        struct prices *prices = list_of(json, NULL);
        for (uint64_t k = first; k < first + 400; k++) {
            assert_int_equal(prices_row(prices, k - first)->input, k);
            assert_int_equal(prices_row(prices, k - first)->output, k * 333331);
        }
        prices_free(prices);
    }
}

/* ---- lists ---- */

static void faults_are_named_with_their_place(void **state)
{
    static const struct {
        const char *json;
        const char *begins;
    } table[] = {
        {"", "line "},
        {"{", "line 1, column 1: "},
        {"[]", "must be a JSON object"},
        {"{}", "schema: "},
        {"{\"schema\":2}", "schema: "},
        {"{\"schema\":\"1\"}", "schema: "},
        {"{\"schema\":1}", "currency: must be \"USD\""},
        {"{\"schema\":1,\"currency\":\"EUR\"}", "currency: "},
        {"{\"schema\":1,\"currency\":\"USD\",\"unit\":\"per_1K_tokens\"}", "unit: "},
        {HEAD ",\"Prices\":[]}", "Prices: is not a member"},
        {HEAD ",\"prices\":{}}", "prices: must be an array"},
        {HEAD ",\"as_of\":\"2026-13-01\"}", "as_of: "},
        {HEAD ",\"schema\":1}", "line 1, column "},
        {LIST("1"), "prices[0]: must be an object"},
        {LIST("{}"), "prices[0].model: is missing"},
        {LIST("{\"model\":7}"), "prices[0].model: "},
        {LIST("{\"model\":\"\"}"), "prices[0].model: "},
        {LIST("{\"model\":\"a b\"}"), "prices[0].model: "},
        {LIST("{\"model\":\"\\u00e9\"}"), "prices[0].model: "},
        {LIST("{\"model\":\"a.m\"}"), "prices[0].scope: is missing"},
        {LIST("{\"model\":\"a.m\",\"scope\":\"default\"}"), "prices[0].input: is missing"},
        {LIST("{\"model\":\"us.a.m\",\"scope\":\"default\",\"input\":1}"),
         "prices[0].model: has a"},
        {LIST("{\"model\":\"a.m\",\"scope\":\"region:\",\"input\":1}"), "prices[0].scope: "},
        {LIST("{\"model\":\"a.m\",\"scope\":\"region:EU\",\"input\":1}"), "prices[0].scope: "},
        {LIST("{\"model\":\"a.m\",\"scope\":\"defualt\",\"input\":1}"), "prices[0].scope: "},
        {LIST(ROW "},\n" ROW ",\"from\":\"1.1.2026\"}"), "prices[1].from: "},
        {LIST(ROW "},\n" ROW ",\"over\":-1}"), "prices[1].over: "},
        {LIST(ROW "},\n" ROW ",\"over\":1.5}"), "prices[1].over: "},
        {LIST(ROW ",\"cache_wirte_5m\":1}"), "prices[0].cache_wirte_5m: is not a member"},
        {LIST(ROW ",\"\\u001b[2J\":1}"), "prices[0].?: is not a member"},
        {LIST(ROW ",\"output\":\"free\"}"), "prices[0].output: must be dollars"},
        {LIST(ROW ",\"audio_input\":-1}"), "prices[0].audio_input: "},
        {LIST(ROW "}," ROW ",\"output\":3}"), "prices[1]: has the model, scope"},
        {LIST(ROW ",\"over\":0}," ROW "}"), "prices[1]: has the model, scope"},
        {LIST(ROW ",\"over\":5}"), "prices[0].over: needs a row without"},
        {LIST(ROW "}," ROW ",\"over\":5,\"from\":\"2026-01-01\"}"), "prices[1].over: needs"},
        {HEAD ",\"aliases\":[3]}", "aliases[0]: must be"},
        {HEAD ",\"aliases\":[{\"id\":\"x\"}]}", "aliases[0].model: is missing"},
        {HEAD ",\"aliases\":[{\"id\":\"x\",\"model\":\"a.m\"}]}", "aliases[0].model: names no"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(table); i++) {
        struct prices *prices = NULL;
        struct error err = {.text = ""};
        enum status st = prices_new(view_of(table[i].json), VIEW_EMPTY, &prices, &err);
        if (st != ST_USAGE || strncmp(err.text, table[i].begins, strlen(table[i].begins)) != 0)
            fail_msg("%s: %s: %s", table[i].json, status_name(st), err.text);
        assert_null(prices);
        /* The same as a user's file over a good list, and with nobody to tell. */
        st = prices_new(VIEW_LIT(LIST("")), view_of(table[i].json), &prices, NULL);
        assert_int_equal(st, ST_USAGE);
    }
}

static void own_rows_replace_row_by_row(void **state)
{
    static const char base[] = LIST(
        "{\"model\":\"a.m\",\"scope\":\"default\",\"input\":1,\"output\":2,\"cache_read\":0.5},"
        "{\"model\":\"a.m\",\"scope\":\"default\",\"over\":100,\"input\":3,\"output\":4},"
        "{\"model\":\"a.m\",\"scope\":\"region:r-1\",\"input\":5,\"output\":6}");
    static const char own[] =
        HEAD ",\"as_of\":\"2026-11-01\",\"prices\":["
             "{\"model\":\"a.m\",\"scope\":\"eu\",\"input\":8},"
             "{\"model\":\"b.n\",\"scope\":\"region:r-1\",\"input\":9},"
             "{\"model\":\"a.m\",\"scope\":\"default\",\"input\":7}],"
             "\"aliases\":[{\"id\":\"application-inference-profile/abc\",\"model\":\"a.m\"},"
             "{\"id\":\"arn:aws:bedrock:r-1:1:provisioned-model/p\",\"model\":\"b.n\"}]}";
    static const struct {
        const char *id;
        const char *region;
        uint64_t prompt;
        uint64_t dollars; /* PRICE_NONE: no price */
    } table[] = {
        {"a.m", "r-2", 1, 7},
        {"a.m", "r-2", 101, 3}, /* the other row stays */
        {"a.m", "r-1", 1, 5},
        {"eu.a.m", "r-1", 1, 5}, /* a Region's row goes before a geography's */
        {"eu.a.m", "r-2", 1, 8},
        {"b.n", "r-1", 1, 9},
        {"b.n", "r-2", 1, PRICE_NONE},
        {"arn:aws:bedrock:r-9:1:application-inference-profile/abc", "r-2", 1, 7},
        {"application-inference-profile/abc", "r-2", 1, 7},
        {"arn:aws:bedrock:r-1:1:provisioned-model/p", "r-1", 1, 9},
        {"arn:aws:bedrock:r-1:2:provisioned-model/p", "r-1", 1, PRICE_NONE},
    };
    struct prices *prices = list_of(base, own);
    struct prices_info info = prices_info(prices);
    struct price_explanation x;

    (void)state;
    assert_int_equal(info.rows, 5);
    assert_int_equal(info.own_rows, 3);
    assert_int_equal(info.models, 2);
    assert_int_equal(info.own_as_of_day, day_of("2026-11-01"));
    assert_true(info.as_of_day == PRICE_NO_DAY);
    for (size_t i = 0; i < COUNT_OF(table); i++) {
        ask(prices, table[i].id, "", table[i].region, "2026-11-01",
            (struct price_usage){.input = table[i].prompt}, &x);
        uint64_t expected = table[i].dollars;
        if (expected == PRICE_NONE ? x.row != NULL : x.row->input != expected * 1000000)
            fail_msg("%s in %s", table[i].id, table[i].region);
    }
    /* Replaced whole: what the user's row leaves out is not known. */
    ask(prices, "a.m", "", "r-2", "2026-11-01", (struct price_usage){.output = 3}, &x);
    assert_true(x.row->own && x.cost.unpriced_tokens == 3);
    prices_free(prices);
}

static void the_builtin_list_is_whole(void **state)
{
    struct prices_info info = prices_info(builtin);
    struct price_line line;

    (void)state;
    assert_true(info.as_of_day >= day_of("2026-10-08"));
    assert_true(info.regions_as_of_day >= day_of("2026-08-20"));
    assert_true(info.rows >= 778 && info.models >= 134 && info.own_rows == 0);
    assert_true(info.own_as_of_day == PRICE_NO_DAY);
    for (size_t i = 0; i < info.rows; i++) {
        /* Every model has a default row, so it has a price in any Region. */
        const struct price_query query = {.model = prices_row(builtin, i)->model};
        price_match(builtin, &query, &line);
        assert_true(line.n_rows > 0);
        assert_true(view_eq(line.rows->model, query.model));
    }
}

static void files_are_read(void **state)
{
    static const struct {
        const char *path;
        enum status st;
    } table[] = {
        {"build/no such file.json", ST_MISSING},
        {"/", ST_IO},
        {"/dev/null", ST_USAGE},
        {"/dev/zero", ST_IO}, /* neither a file nor a pipe */
    };
    struct prices *prices = NULL;
    struct error err = {.text = ""};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(table); i++) {
        assert_int_equal(prices_open(table[i].path, &prices, &err), table[i].st);
        assert_true(err.text[0] != '\0');
        assert_null(prices);
    }
    prices_free(NULL);
}

/* The list is shared without a lock; the thread sanitizer watches. */
static void *price_everything(void *sum)
{
    const struct price_usage usage = {100000, 200000, 3, 4};
    u128 total = 0;

    for (size_t i = 0; i < prices_info(builtin).rows; i++) {
        const struct price_query query = {.model = prices_row(builtin, i)->model,
                                          .region = VIEW_LIT("eu-west-2")};
        struct price_line line;
        struct price_cost cost;
        price_match(builtin, &query, &line);
        price_line_cost(&line, 20600, &usage, &cost);
        total += cost.usd_e12;
    }
    *(u128 *)sum = total;
    return NULL;
}

static void threads_share_a_list(void **state)
{
    pthread_t threads[4];
    u128 sums[COUNT_OF(threads)] = {0};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(threads); i++)
        assert_int_equal(pthread_create(&threads[i], NULL, price_everything, &sums[i]), 0);
    for (size_t i = 0; i < COUNT_OF(threads); i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    assert_true(sums[0] > 0);
    for (size_t i = 1; i < COUNT_OF(threads); i++)
        assert_true(sums[i] == sums[0]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_spelling_finds_its_model),
        cmocka_unit_test(a_classified_id_costs_the_same),
        cmocka_unit_test(the_first_scope_with_a_row_prices),
        cmocka_unit_test(day_and_length_choose_the_row),
        cmocka_unit_test(amounts_are_exact),
        cmocka_unit_test(a_price_known_to_be_zero_is_a_price),
        cmocka_unit_test(the_dearest_request_does_not_overflow),
        cmocka_unit_test(decimals_are_read_exactly),
        cmocka_unit_test(all_small_decimals_are_read_exactly),
        cmocka_unit_test(faults_are_named_with_their_place),
        cmocka_unit_test(own_rows_replace_row_by_row),
        cmocka_unit_test(the_builtin_list_is_whole),
        cmocka_unit_test(files_are_read),
        cmocka_unit_test(threads_share_a_list),
    };

    return cmocka_run_group_tests(tests, open_builtin, free_builtin);
}
