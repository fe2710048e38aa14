/* Configuration, retry arithmetic and the credentials chain, all with invented clocks and
 * variables. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "aws/aws_call.h"
#include "aws/aws_config.h"
#include "aws/aws_private.h"
#include "aws/cred.h"
#include "aws/lambda_api.h"
#include "aws/retry.h"
#include "aws/s3.h"
#include "aws/sqs.h"
#include "aws/sts.h"
#include "aws/uri.h"
#include "base/log.h"

/* ---- invented environment ---- */

struct vars {
    const char *pairs[2][24]; /* names, values */
    size_t n;
};

static const char *vars_get(void *ctx, const char *name)
{
    const struct vars *v = ctx;
    for (size_t i = 0; i < v->n; i++)
        if (strcmp(v->pairs[0][i], name) == 0)
            return v->pairs[1][i];
    return NULL;
}

static void vars_set(struct vars *v, const char *name, const char *value)
{
    v->pairs[0][v->n] = name;
    v->pairs[1][v->n++] = value;
}

static struct aws_env vars_env(struct vars *v)
{
    return (struct aws_env){vars_get, v};
}

static struct aws_config *load(const struct aws_env *env)
{
    struct aws_config *c = NULL;
    struct error err = {0};
    if (aws_config_load(&c, env, NULL, &err) != ST_OK)
        fail_msg("%s", err.text);
    return c;
}

static void expect_endpoint(struct vars *v, const struct aws_service *s, const char *region,
                            const char *want)
{
    struct aws_env env = vars_env(v);
    struct aws_config *c = load(&env);
    struct buf out;
    struct error err = {0};
    buf_init(&out, 1000);
    enum status st = aws_config_endpoint(c, s, view_of(region), &out, NULL, &err);
    if (want == NULL ? st != ST_USAGE : st != ST_OK || !view_eq_cstr(buf_view(&out), want))
        fail_msg("%s %s: %s %.*s %s", s->name, region, status_name(st), (int)out.len, out.ptr,
                 err.text);
    buf_clear(&out);
    aws_config_free(c);
}

static void test_endpoints(void **state)
{
    (void)state;
    struct vars none = {0};
    expect_endpoint(&none, &AWS_SQS, "eu-west-1", "https://sqs.eu-west-1.amazonaws.com");
    expect_endpoint(&none, &AWS_CLOUDWATCH, "cn-north-1",
                    "https://monitoring.cn-north-1.amazonaws.com.cn");
    expect_endpoint(&none, &AWS_S3, "us-gov-west-1", "https://s3.us-gov-west-1.amazonaws.com");
    expect_endpoint(&none, &AWS_S3, "us-iso-east-1", "https://s3.us-iso-east-1.c2s.ic.gov");
    expect_endpoint(&none, &AWS_S3, "us-isob-east-1", "https://s3.us-isob-east-1.sc2s.sgov.gov");
    expect_endpoint(&none, &AWS_STS, "eusc-de-east-1", "https://sts.eusc-de-east-1.amazonaws.eu");
    static const char *const bad[] = {
        "us-east-1.evil.com", "us-east-1/",   "us-east-1#",  "",
        "US-EAST-1",          "us_east_1",    "-us-east-1",  "us-east-1-",
        "us--east-1",         "us-east-1\n",  "@evil",       "useast1",
        "evil.com?x-y-z",     "us-east-1:80", "a-b-\xc3\xa9"};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        expect_endpoint(&none, &AWS_SQS, bad[i], NULL);

    struct vars fips = {0};
    vars_set(&fips, "AWS_USE_FIPS_ENDPOINT", "true");
    vars_set(&fips, "AWS_USE_DUALSTACK_ENDPOINT", "TRUE");
    expect_endpoint(&fips, &AWS_S3, "us-east-1",
                    "https://s3-fips.dualstack.us-east-1.amazonaws.com");
    expect_endpoint(&fips, &AWS_SQS, "us-east-1", "https://sqs-fips.us-east-1.api.aws");
    expect_endpoint(&fips, &AWS_SQS, "us-iso-east-1", NULL);

    struct vars own = {0};
    vars_set(&own, "AWS_ENDPOINT_URL", "http://127.0.0.1:5055/");
    vars_set(&own, "AWS_ENDPOINT_URL_S3", "https://s3.example.com/base");
    expect_endpoint(&own, &AWS_S3, "us-east-1", "https://s3.example.com/base");
    expect_endpoint(&own, &AWS_SQS, "us-east-1", "http://127.0.0.1:5055");
    vars_set(&own, "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", "true");
    expect_endpoint(&own, &AWS_SQS, "us-east-1", "https://sqs.us-east-1.amazonaws.com");
}

static void test_config_refusals(void **state)
{
    (void)state;
    static const char *const bad[][2] = {
        {"AWS_REGION", "us-east-1.evil.com"},
        {"AWS_REGION", "nowhere"},
        {"AWS_ENDPOINT_URL", "http://example.com"},
        {"AWS_ENDPOINT_URL_SQS", "http://169.254.169.254"},
        {"AWS_ENDPOINT_URL", "http://127.0.0.1.evil.com"},
        {"AWS_ENDPOINT_URL", "gopher://127.0.0.1"},
        {"AWS_ENDPOINT_URL", "https://a@b"},
        {"AWS_MAX_ATTEMPTS", "0"},
        {"AWS_MAX_ATTEMPTS", "many"},
        {"AWS_MAX_ATTEMPTS", "-1"},
        {"AWS_RETRY_MODE", "never"},
        {"AWS_USE_FIPS_ENDPOINT", "yes"},
        {"AWS_CA_BUNDLE", "/nonexistent/ca.pem"},
        {"AWS_PROFILE", "nobody"},
    };
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct vars v = {0};
        vars_set(&v, bad[i][0], bad[i][1]);
        struct aws_env env = vars_env(&v);
        struct aws_config *c = NULL;
        struct error err = {0};
        enum status st = aws_config_load(&c, &env, NULL, &err);
        if (st != ST_USAGE || c != NULL)
            fail_msg("%s=%s: %s", bad[i][0], bad[i][1], status_name(st));
        if (strstr(err.text, bad[i][1]) == NULL)
            fail_msg("%s is not quoted: %s", bad[i][1], err.text);
    }
}

static void test_buckets(void **state)
{
    (void)state;
    static const char *const good[] = {"abc", "my-logs", "my.logs", "a1b", "0ab", "x.y-z.0"};
    static const char *const bad[] = {"",
                                      "ab",
                                      "-abc",
                                      "abc-",
                                      "a..b",
                                      "a.-b",
                                      "a-.b",
                                      "ABC",
                                      "a_b",
                                      "1.2.3.4",
                                      "a/b",
                                      "evil.com#",
                                      "a b c",
                                      "a@b.com",
                                      "a%2fb",
                                      "a\r\nb",
                                      ".abc",
                                      "abc.",
                                      "a:80",
                                      "a\\b",
                                      "b?x",
                                      ("\xc3\xa9"
                                       "abc")};
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
        assert_true(aws_bucket_valid(view_of(good[i])));
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        if (aws_bucket_valid(view_of(bad[i])))
            fail_msg("%s is no bucket", bad[i]);
    char full[65];
    memset(full, 'a', 64);
    full[64] = '\0';
    assert_false(aws_bucket_valid(view_of(full)));
    assert_true(aws_bucket_valid(view_make(full, 63)));
}

/* Whatever goes in as bucket, Region and key: the host that comes out is one of AWS's, or nothing.
 */
static void test_hosts(void **state)
{
    (void)state;
    struct vars v = {0};
    vars_set(&v, "AWS_REGION", "us-east-1");
    struct aws_env env = vars_env(&v);
    struct aws_config *config = load(&env);
    struct aws_client *client = NULL;
    struct aws_client_options options = {.config = config, .clock = aws_clock_system()};
    assert_int_equal(aws_client_new(&client, &options, NULL), ST_OK);
    static const char pieces[] = "abz019.-_/\\#?@:%&+ \r\n\t\"'<>[]ABZ\x7f\xff";
    uint64_t random = 1;
    unsigned made = 0;
    for (unsigned i = 0; i < 200000; i++) {
        char text[3][40];
        size_t len[3];
        for (unsigned k = 0; k < 3; k++) {
            random = random * 6364136223846793005u + 1442695040888963407u;
            len[k] = 1 + (random >> 33) % 12;
            /* Mostly from the harmless end, so that enough pass the grammar. */
            for (size_t p = 0; p < len[k]; p++) {
                random = random * 6364136223846793005u + 1442695040888963407u;
                size_t range = (random >> 60) == 0 || k == 2 ? sizeof(pieces) - 1 : 8;
                text[k][p] = pieces[(random >> 33) % range];
            }
        }
        struct view region = view_make(text[1], len[1]);
        if (i % 2 == 0)
            region = VIEW_LIT("eu-central-1");
        struct buf url;
        buf_init(&url, 20000);
        enum status st = s3_address(client, view_make(text[0], len[0]), region,
                                    view_make(text[2], len[2]), &url, &url, NULL);
        if (st == ST_OK) {
            struct uri u;
            made++;
            assert_int_equal(uri_parse(buf_view(&url), &u), ST_OK);
            assert_true(u.https);
            assert_int_equal(u.port, 443);
            assert_true(view_eq(u.host, u.authority));
            assert_true(view_ends(u.host, VIEW_LIT(".amazonaws.com")) ||
                        view_ends(u.host, VIEW_LIT(".amazonaws.com.cn")));
        }
        buf_clear(&url);
    }
    assert_true(made > 1000);
    struct buf url;
    buf_init(&url, 1000);
    assert_int_equal(s3_address(client, VIEW_LIT("my.logs"), VIEW_LIT("us-east-1"),
                                VIEW_LIT("a b/\xc3\xa9"), &url, &url, NULL),
                     ST_OK);
    assert_true(
        view_eq_cstr(buf_view(&url), "https://s3.us-east-1.amazonaws.com/my.logs/a%20b/%C3%A9"));
    buf_reset(&url);
    assert_int_equal(s3_address(client, VIEW_LIT("logs"), VIEW_LIT("cn-north-1"), VIEW_LIT("/../x"),
                                &url, &url, NULL),
                     ST_OK);
    assert_true(view_eq_cstr(buf_view(&url), "https://logs.s3.cn-north-1.amazonaws.com.cn//../x"));
    buf_clear(&url);
    aws_client_free(client);
    aws_config_free(config);
}

static void test_queue_urls(void **state)
{
    (void)state;
    static const struct {
        const char *url;
        const char *region; /* NULL: refused */
        const char *endpoint;
        const char *account;
        const char *name;
    } cases[] = {
        {"https://sqs.eu-west-1.amazonaws.com/123456789012/q-1", "eu-west-1", "", "123456789012",
         "q-1"},
        {"https://sqs.cn-north-1.amazonaws.com.cn/123456789012/q", "cn-north-1", "", "123456789012",
         "q"},
        {"https://sqs-fips.us-east-1.amazonaws.com/123456789012/q", "us-east-1", "", "123456789012",
         "q"},
        {"https://sqs.us-east-1.api.aws/123456789012/q", "us-east-1", "", "123456789012", "q"},
        {"https://eu-west-1.queue.amazonaws.com/123456789012/q", "eu-west-1", "", "123456789012",
         "q"},
        {"https://queue.amazonaws.com/123456789012/q", "us-east-1", "", "123456789012", "q"},
        {"https://vpce-0a1-b2c.sqs.eu-west-1.vpce.amazonaws.com/123456789012/q.fifo", "eu-west-1",
         "https://vpce-0a1-b2c.sqs.eu-west-1.vpce.amazonaws.com", "123456789012", "q.fifo"},
        {"http://127.0.0.1:9324/000000000000/q", "", "http://127.0.0.1:9324", "000000000000", "q"},
        {"http://localhost:9324/queue/q", "", "http://localhost:9324", "", "q"},
        {"http://sqs.eu-west-1.amazonaws.com/123456789012/q", NULL, "", "", ""},
        {"https://sqs.eu-west-1.evil.com/123456789012/q", NULL, "", "", ""},
        {"https://sqs.eu-west-1.amazonaws.com.evil.com/123456789012/q", NULL, "", "", ""},
        {"https://sqs.eu-west-1.amazonaws.com.cn/123456789012/q", NULL, "", "", ""},
        {"https://evil.com/sqs.eu-west-1.amazonaws.com/q", NULL, "", "", ""},
        {"https://sqs.eu-west-1.amazonaws.com/123456789012/", NULL, "", "", ""},
        {"https://sqs.eu-west-1.amazonaws.com", NULL, "", "", ""},
        {"https://sqs.eu-west-1.amazonaws.com/123456789012/q?x=1", NULL, "", "", ""},
        {"https://sqs.eu-west-1.amazonaws.com/1/q%20", NULL, "", "", ""},
        {"arn:aws:sqs:eu-west-1:123456789012:q", NULL, "", "", ""},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct sqs_queue q;
        struct error err = {0};
        enum status st = sqs_queue_parse(view_of(cases[i].url), NULL, &q, &err);
        if (cases[i].region == NULL) {
            if (st != ST_USAGE)
                fail_msg("%s was accepted", cases[i].url);
            continue;
        }
        if (st != ST_OK)
            fail_msg("%s: %s", cases[i].url, err.text);
        assert_string_equal(q.region, cases[i].region);
        assert_string_equal(q.endpoint, cases[i].endpoint);
        assert_string_equal(q.account, cases[i].account);
        assert_string_equal(q.name, cases[i].name);
        assert_int_equal(q.fifo, view_ends(view_of(cases[i].name), VIEW_LIT(".fifo")));
    }
    /* With an override every host is only a name: requests go to the override. */
    struct vars v = {0};
    vars_set(&v, "AWS_ENDPOINT_URL", "http://127.0.0.1:5055");
    struct aws_env env = vars_env(&v);
    struct aws_config *c = load(&env);
    struct sqs_queue q;
    assert_int_equal(
        sqs_queue_parse(VIEW_LIT("http://sqs.eu-west-2.fauxqs:4566/000000000000/q"), c, &q, NULL),
        ST_OK);
    assert_string_equal(q.region, "eu-west-2");
    assert_string_equal(q.endpoint, "");
    aws_config_free(c);
}

static void test_names(void **state)
{
    (void)state;
    assert_true(sts_role_arn_valid(VIEW_LIT("arn:aws:iam::123456789012:role/path/name")));
    assert_true(sts_role_arn_valid(VIEW_LIT("arn:aws-us-gov:iam::123456789012:role/n")));
    static const char *const bad[] = {"",
                                      "arn:aws:iam::123456789012:user/n",
                                      "arn:aws:iam::12345678901:role/n",
                                      "arn:aws:iam:us-east-1:123456789012:role/n",
                                      "arn:aws:s3::123456789012:role/n",
                                      "arn:aws:iam::123456789012:role/",
                                      "arn:aws:iam::123456789012:role/a b"};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        assert_false(sts_role_arn_valid(view_of(bad[i])));
    static const char *const urls[] = {"http://169.254.170.2/x",  "http://169.254.170.23/v1/c",
                                       "http://[fd00:ec2::23]/c", "https://example.com/c?d=e",
                                       "http://localhost:80/c",   "http://127.0.0.1:1/c"};
    for (size_t i = 0; i < sizeof(urls) / sizeof(urls[0]); i++)
        assert_true(cred_container_url_allowed(view_of(urls[i])));
    static const char *const bad_urls[] = {"http://169.254.169.254/x",
                                           "http://example.com/c",
                                           "http://169.254.170.2.evil.com/",
                                           "http://169.254.170.2@e/",
                                           "http://169.254.170.2#@e/",
                                           "file:///etc/passwd",
                                           ""};
    for (size_t i = 0; i < sizeof(bad_urls) / sizeof(bad_urls[0]); i++)
        assert_false(cred_container_url_allowed(view_of(bad_urls[i])));
    assert_true(cred_imds_url_allowed(VIEW_LIT("http://169.254.169.254")));
    assert_true(cred_imds_url_allowed(VIEW_LIT("http://[fd00:ec2::254]")));
    assert_false(cred_imds_url_allowed(VIEW_LIT("https://example.com")));
    assert_false(cred_imds_url_allowed(VIEW_LIT("http://169.254.170.2")));
    static const char *const addresses[] = {"127.0.0.1:9001", "localhost:80", "[::1]:9001"};
    static const char *const bad_addresses[] = {
        "127.0.0.1", "",           "host:0",       "host:99999", "host:1/path", "u@host:1",
        "host:1?x",  "http://h:1", "host:1\r\nX:", "h o s t:1",  "[::1]",       "host:"};
    for (size_t i = 0; i < sizeof(addresses) / sizeof(addresses[0]); i++) {
        struct lambda_api *api = NULL;
        assert_int_equal(lambda_api_new(&api, NULL, view_of(addresses[i]), NULL), ST_OK);
        lambda_api_free(api);
    }
    for (size_t i = 0; i < sizeof(bad_addresses) / sizeof(bad_addresses[0]); i++) {
        struct lambda_api *api = NULL;
        if (lambda_api_new(&api, NULL, view_of(bad_addresses[i]), NULL) != ST_USAGE)
            fail_msg("%s was accepted", bad_addresses[i]);
    }
}

/* ---- invented clock ---- */

struct fake_time {
    int64_t wall_ms;
    int64_t steady_ms;
    int64_t slept_ms;
};

static int64_t fake_wall(void *ctx)
{
    return ((struct fake_time *)ctx)->wall_ms;
}

static int64_t fake_steady(void *ctx)
{
    return ((struct fake_time *)ctx)->steady_ms;
}

static void fake_sleep(void *ctx, uint32_t ms)
{
    struct fake_time *t = ctx;
    t->wall_ms += ms;
    t->steady_ms += ms;
    t->slept_ms += ms;
}

static struct aws_clock fake_clock(struct fake_time *t)
{
    return (struct aws_clock){fake_wall, fake_steady, fake_sleep, t};
}

static void test_retry_times(void **state)
{
    (void)state;
    static const uint32_t want[] = {0, 1000, 2000, 4000, 8000, 16000, 20000, 20000};
    for (unsigned i = 0; i < 8; i++)
        assert_int_equal(retry_ceiling_ms(i), want[i]);
    assert_int_equal(retry_ceiling_ms(4000000000u), 20000);
    assert_int_equal(retry_after_ms(VIEW_LIT(" 3 "), 0), 3000);
    assert_int_equal(retry_after_ms(VIEW_LIT("100000"), 0), 60000);
    assert_int_equal(retry_after_ms(VIEW_LIT("-1"), 0), 0);
    assert_int_equal(retry_after_ms(VIEW_LIT("soon"), 0), 0);
    assert_int_equal(retry_after_ms(VIEW_LIT("Sun, 06 Nov 1994 08:49:37 GMT"), 784111775), 2000);
    assert_int_equal(retry_after_ms(VIEW_LIT("Sun, 06 Nov 1994 08:49:37 GMT"), 784111777), 0);
    assert_int_equal(retry_after_amz_ms(VIEW_LIT("1500")), 1500);
    int64_t s = 0;
    assert_int_equal(retry_parse_http_date(VIEW_LIT("Sun, 06 Nov 1994 08:49:37 GMT"), &s), ST_OK);
    assert_true(s == 784111777);
    static const char *const bad[] = {"",
                                      "Sunday, 06-Nov-94 08:49:37 GMT",
                                      "Sun, 06 Xxx 1994 08:49:37 GMT",
                                      "Sun, 00 Nov 1994 08:49:37 GMT",
                                      "Sun, 06 Nov 1994 25:49:37 GMT",
                                      "Sun, 06 Nov 1994 08:49:37 UTC"};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        assert_int_equal(retry_parse_http_date(view_of(bad[i]), &s), ST_BAD_ITEM);
}

static void test_retry_loop(void **state)
{
    (void)state;
    struct fake_time t = {.steady_ms = 5};
    struct aws_clock clock = fake_clock(&t);
    struct retry_budget *budget = NULL;
    struct retry r;
    uint32_t waited = 0;
    bool varied = false;
    uint32_t first = 0;
    assert_int_equal(retry_budget_new(&budget), ST_OK);
    for (uint64_t seed = 1; seed < 50; seed++) {
        retry_init(&r, NULL, &clock, NULL, 4, INT64_MAX, seed);
        for (unsigned i = 1; i < 4; i++) {
            int64_t before = t.slept_ms;
            assert_int_equal(retry_wait(&r, false, 0, &waited), ST_OK);
            assert_true(waited <= retry_ceiling_ms(i));
            assert_true(t.slept_ms - before == waited);
            if (i == 1 && seed == 1)
                first = waited;
            varied = varied || (i == 1 && waited != first);
        }
        assert_int_equal(retry_wait(&r, false, 0, NULL), ST_RETRY); /* the fourth was the last */
    }
    assert_true(varied);
    /* Retry-After is the least; a deadline nearer than the pause ends it without waiting. */
    retry_init(&r, budget, &clock, NULL, 10, t.steady_ms + 30000, 7);
    assert_int_equal(retry_wait(&r, false, 25000, &waited), ST_OK);
    assert_true(waited >= 25000 && waited < 26000);
    int64_t slept = t.slept_ms;
    assert_int_equal(retry_wait(&r, false, 25000, &waited), ST_RETRY);
    assert_true(t.slept_ms == slept);
    /* The budget: 5 a retry, 10 after a time-out, given back by a success. */
    assert_int_equal(retry_budget_tokens(budget), 495);
    retry_succeeded(&r);
    assert_int_equal(retry_budget_tokens(budget), 500);
    unsigned allowed = 0;
    retry_init(&r, budget, &clock, NULL, 1000, INT64_MAX, 7);
    while (retry_wait(&r, true, 0, NULL) == ST_OK)
        allowed++;
    assert_int_equal(allowed, 50);
    assert_int_equal(retry_budget_tokens(budget), 0);
    retry_init(&r, budget, &clock, NULL, 3, INT64_MAX, 7);
    retry_succeeded(&r);
    assert_int_equal(retry_budget_tokens(budget), 1);
    retry_budget_free(budget);
}

static bool always(void *ctx)
{
    (void)ctx;
    return true;
}

static void test_retry_stop(void **state)
{
    (void)state;
    struct fake_time t = {0};
    struct aws_clock clock = fake_clock(&t);
    struct aws_stop stop = {always, NULL};
    struct retry r;
    retry_init(&r, NULL, &clock, &stop, 3, INT64_MAX, 1);
    assert_int_equal(retry_wait(&r, false, 0, NULL), ST_CANCELLED);
    assert_true(t.slept_ms == 0);
}

/* ---- the chain ---- */

struct fake_provider {
    struct cred_provider base;
    enum status answer;
    int64_t expires_s;
    unsigned calls;
};

static enum status fake_fetch(struct cred_provider *self, const struct cred_context *ctx,
                              struct credentials *out, struct error *err)
{
    struct fake_provider *p = (struct fake_provider *)self;
    char id[32];
    (void)ctx;
    p->calls++;
    if (p->answer != ST_OK)
        return error_set(err, p->answer, E_A101, "as asked");
    snprintf(id, sizeof(id), "KEY%u", p->calls);
    return credentials_set(out, view_of(id), VIEW_LIT("secret"), VIEW_EMPTY, p->expires_s);
}

static void test_chain(void **state)
{
    (void)state;
    struct fake_time t = {.wall_ms = 1000000000};
    struct aws_clock clock = fake_clock(&t);
    struct fake_provider absent = {{"absent", fake_fetch}, ST_MISSING, 0, 0};
    struct fake_provider here = {{"here", fake_fetch}, ST_OK, 1000000 + 3600, 0};
    struct cred_provider *both[] = {&absent.base, &here.base};
    struct cred_chain *chain = NULL;
    struct credentials c;
    assert_int_equal(cred_chain_new_from(&chain, NULL, &clock, both, 2), ST_OK);
    assert_int_equal(cred_chain_get(chain, NULL, NULL, &c, NULL), ST_OK);
    assert_string_equal(c.access_key_id, "KEY1");
    assert_string_equal(c.source, "here");
    fake_sleep(&t, (3600 - 301) * 1000); /* not yet due */
    assert_int_equal(cred_chain_get(chain, NULL, NULL, &c, NULL), ST_OK);
    assert_int_equal(here.calls, 1);
    assert_int_equal(absent.calls, 1);
    fake_sleep(&t, 2000); /* five minutes before expiry: renewed, by the one that was chosen */
    here.expires_s += 3600;
    assert_int_equal(cred_chain_get(chain, NULL, NULL, &c, NULL), ST_OK);
    assert_string_equal(c.access_key_id, "KEY2");
    assert_int_equal(absent.calls, 1);
    /* Due, but the provider fails: the old ones go on, the next try is a minute later. */
    fake_sleep(&t, 3700 * 1000);
    here.answer = ST_RETRY;
    for (int i = 0; i < 5; i++) {
        assert_int_equal(cred_chain_get(chain, NULL, NULL, &c, NULL), ST_OK);
        assert_string_equal(c.access_key_id, "KEY2");
    }
    assert_int_equal(here.calls, 3);
    fake_sleep(&t, 61000);
    assert_int_equal(cred_chain_get(chain, NULL, NULL, &c, NULL), ST_OK);
    assert_int_equal(here.calls, 4);
    /* Expired: now it is a failure. */
    fake_sleep(&t, 600 * 1000);
    assert_int_equal(cred_chain_get(chain, NULL, NULL, &c, NULL), ST_RETRY);
    here.answer = ST_OK;
    here.expires_s = 0;
    assert_int_equal(cred_chain_get(chain, NULL, NULL, &c, NULL), ST_OK);
    assert_string_equal(c.access_key_id, "KEY6");
    /* The service says expired: fetched anew; another id is none of its business. */
    cred_chain_reject(chain, "KEY1");
    assert_int_equal(cred_chain_get(chain, NULL, NULL, &c, NULL), ST_OK);
    assert_string_equal(c.access_key_id, "KEY6");
    cred_chain_reject(chain, "KEY6");
    assert_int_equal(cred_chain_get(chain, NULL, NULL, &c, NULL), ST_OK);
    assert_string_equal(c.access_key_id, "KEY7");
    cred_chain_free(chain);
}

static void test_chain_stops(void **state)
{
    (void)state;
    /* A provider that is configured but fails must not be passed over for another identity. */
    struct fake_provider broken = {{"broken", fake_fetch}, ST_USAGE, 0, 0};
    struct fake_provider other = {{"other", fake_fetch}, ST_OK, 0, 0};
    struct cred_provider *both[] = {&broken.base, &other.base};
    struct cred_chain *chain = NULL;
    struct credentials c;
    assert_int_equal(cred_chain_new_from(&chain, NULL, NULL, both, 2), ST_OK);
    assert_int_equal(cred_chain_get(chain, NULL, NULL, &c, NULL), ST_USAGE);
    assert_int_equal(other.calls, 0);
    cred_chain_free(chain);
    broken.answer = other.answer = ST_MISSING;
    assert_int_equal(cred_chain_new_from(&chain, NULL, NULL, both, 2), ST_OK);
    assert_int_equal(cred_chain_get(chain, NULL, NULL, &c, NULL), ST_DENIED);
    cred_chain_free(chain);
}

/* Many threads at once: the provider is asked once, nobody sees half a credential (run under TSan).
 */
struct asker {
    struct cred_chain *chain;
    unsigned failures;
};

static enum status slow_fetch(struct cred_provider *self, const struct cred_context *ctx,
                              struct credentials *out, struct error *err)
{
    usleep(20000);
    return fake_fetch(self, ctx, out, err);
}

static void *ask(void *arg)
{
    struct asker *a = arg;
    struct credentials c;
    for (int i = 0; i < 200; i++) {
        if (cred_chain_get(a->chain, NULL, NULL, &c, NULL) != ST_OK ||
            strncmp(c.access_key_id, "KEY", 3) != 0)
            a->failures++;
        if (i == 100)
            cred_chain_reject(a->chain, "KEY1");
    }
    return NULL;
}

static void test_chain_threads(void **state)
{
    (void)state;
    struct fake_provider here = {{"here", slow_fetch}, ST_OK, 0, 0};
    struct cred_provider *one[] = {&here.base};
    struct asker askers[8];
    pthread_t threads[8];
    struct cred_chain *chain = NULL;
    assert_int_equal(cred_chain_new_from(&chain, NULL, NULL, one, 1), ST_OK);
    for (size_t i = 0; i < 8; i++) {
        askers[i] = (struct asker){chain, 0};
        assert_int_equal(pthread_create(&threads[i], NULL, ask, &askers[i]), 0);
    }
    for (size_t i = 0; i < 8; i++) {
        pthread_join(threads[i], NULL);
        assert_int_equal(askers[i].failures, 0);
    }
    assert_int_equal(here.calls, 2); /* the first time, and once after the rejection */
    cred_chain_free(chain);
}

static void test_cred_json(void **state)
{
    (void)state;
    struct credentials c;
    struct error err;
    assert_int_equal(cred_parse_json(VIEW_LIT("{\"Version\":1,\"AccessKeyId\":\"A\","
                                              "\"SecretAccessKey\":\"S\",\"SessionToken\":\"T\","
                                              "\"Expiration\":\"2026-11-01T10:31:00Z\"}"),
                                     "x", &c, &err),
                     ST_OK);
    assert_string_equal(c.session_token, "T");
    assert_true(c.expires_s == 1793529060);
    static const char *const bad[] = {
        "",
        "[]",
        "{}",
        "{\"AccessKeyId\":\"A\"}",
        "{\"Version\":2,\"AccessKeyId\":\"A\",\"SecretAccessKey\":\"S\"}",
        "{\"AccessKeyId\":\"A\\n\",\"SecretAccessKey\":\"S\"}",
        "{\"AccessKeyId\":\"A\",\"SecretAccessKey\":\"S\",\"Expiration\":\"tomorrow\"}",
        "{\"AccessKeyId\":\"A\",\"SecretAccessKey\":\"S",
        "{\"AccessKeyId\":1}"};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        if (cred_parse_json(view_of(bad[i]), "x", &c, &err) != ST_BAD_ITEM)
            fail_msg("%s", bad[i]);
}

int main(void)
{
    log_setup(LOG_OFF, LOG_TEXT, false);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_endpoints),     cmocka_unit_test(test_config_refusals),
        cmocka_unit_test(test_buckets),       cmocka_unit_test(test_hosts),
        cmocka_unit_test(test_queue_urls),    cmocka_unit_test(test_names),
        cmocka_unit_test(test_retry_times),   cmocka_unit_test(test_retry_loop),
        cmocka_unit_test(test_retry_stop),    cmocka_unit_test(test_chain),
        cmocka_unit_test(test_chain_stops),   cmocka_unit_test(test_cred_json),
        cmocka_unit_test(test_chain_threads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
