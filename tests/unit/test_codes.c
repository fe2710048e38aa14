/*
 * test_codes.c: an error's code is given where it is made, so no path, key, bucket or value that
 * looks like another message changes it.
 */
#include "unit.h"

#include <jansson.h>

#include "aggregate/dimension.h"
#include "aws/aws_config.h"
#include "aws/aws_private.h"
#include "aws/sqs.h"
#include "cli/option_values.h"
#include "cli/options.h"
#include "cli/out_file.h"
#include "config/config.h"
#include "config/settings.h"
#include "config/variables.h"
#include "events/event_body.h"
#include "hostile_phrases.h"
#include "ledger/ledger_id.h"
#include "objects/source.h"
#include "objects/source_s3.h"
#include "price/price.h"
#include "publish/datum.h"
#include "records/profile.h"

/* Below a file that is not a folder nothing exists, whoever runs the test. */
static const char *path_of(const char *phrase)
{
    static char path[512];
    snprintf(path, sizeof(path), "/dev/null/%s/x", phrase);
    return path;
}

/* A JSON document around a phrase; phrases hold no quote that is not escaped. */
static struct view json_of(const char *before, const char *phrase, const char *after)
{
    static char text[2048];
    json_t *string = json_string(phrase);
    char *quoted = json_dumps(string, JSON_ENCODE_ANY);
    snprintf(text, sizeof(text), "%s%s%s", before, quoted, after);
    free(quoted);
    json_decref(string);
    return view_of(text);
}

/* ---- files ---- */

static enum status found(void *context, const struct object_ref *ref, enum object_found what,
                         const struct error *err)
{
    (void)ref;
    assert_int_equal(what, OBJECT_FAILED);
    *(struct error *)context = *err;
    return ST_MISSING;
}

static enum status list_object(const char *phrase, struct error *err)
{
    char path[512];
    snprintf(path, sizeof(path), "%s", path_of(phrase));
    char *paths[] = {path};
    struct source *source = source_files_new(paths, 1);
    enum status st = source_list(source, found, err);
    source_free(source);
    return st;
}

static enum status open_result(const char *phrase, struct error *err)
{
    struct out_file out;
    enum status st = out_file_open(&out, path_of(phrase), err);
    out_file_abandon(&out);
    return st;
}

static enum status open_env_file(const char *phrase, struct error *err)
{
    return config_load_env_file(path_of(phrase), err);
}

static enum status open_prices(const char *phrase, struct error *err)
{
    struct prices *prices = NULL;
    enum status st = prices_open(path_of(phrase), &prices, err);
    prices_free(prices);
    return st;
}

/* ---- addresses ---- */

static enum status parse_queue(const char *phrase, struct error *err)
{
    struct sqs_queue queue;
    return sqs_queue_parse(view_of(phrase), NULL, &queue, err);
}

static enum status parse_queue_name(const char *phrase, struct error *err)
{
    struct sqs_queue queue;
    char url[512];
    snprintf(url, sizeof(url), "https://sqs.example.com/123456789012/%s", phrase);
    return sqs_queue_parse(view_of(url), NULL, &queue, err);
}

static enum status parse_folder(const char *phrase, struct error *err)
{
    struct view bucket, prefix;
    return source_s3_parse(view_of(phrase), &bucket, &prefix, err);
}

static enum status parse_bucket(const char *phrase, struct error *err)
{
    struct view bucket, prefix;
    char url[512];
    snprintf(url, sizeof(url), "s3://%s", phrase);
    return source_s3_parse(view_of(url), &bucket, &prefix, err);
}

static enum status check_endpoint(const char *phrase, struct error *err)
{
    return aws_endpoint_check(view_of(phrase), "AWS_ENDPOINT_URL", err);
}

static enum status load_profile(const char *phrase, struct error *err)
{
    struct aws_env env = aws_env_process();
    struct aws_config *config = NULL;
    enum status st = aws_config_load(&config, &env, phrase, err);
    aws_config_free(config);
    return st;
}

/* ---- settings and options ---- */

static enum status read_bool(const char *phrase, struct error *err)
{
    bool out;
    setenv("METRIC_LATENCY", phrase, 1);
    enum status st = variable_flag(VAR_METRIC_LATENCY, &out, err);
    unsetenv("METRIC_LATENCY");
    return st;
}

static enum status read_number(const char *phrase, struct error *err)
{
    uint64_t out;
    setenv("BATCH_SIZE", phrase, 1);
    enum status st = variable_number(VAR_BATCH_SIZE, &out, err);
    unsetenv("BATCH_SIZE");
    return st;
}

static enum status read_identity(const char *phrase, struct error *err)
{
    enum ledger_identity out;
    setenv("LEDGER_IDENTITY", phrase, 1);
    enum status st = ledger_identity_load(&out, err);
    unsetenv("LEDGER_IDENTITY");
    return st;
}

static enum status read_setting(const char *name, const char *phrase, struct error *err)
{
    struct run_settings *s = calloc(1, sizeof(*s));
    setenv(name, phrase, 1);
    enum status st = settings_load_publishing(s, err);
    unsetenv(name);
    settings_clear(s);
    free(s);
    return st;
}

static enum status read_publisher(const char *phrase, struct error *err)
{
    return read_setting("PUBLISHER", phrase, err);
}

static enum status read_dimensions(const char *phrase, struct error *err)
{
    return read_setting("METRIC_DIMENSIONS", phrase, err);
}

static enum status read_metrics(const char *phrase, struct error *err)
{
    return read_setting("METRICS", phrase, err);
}

static enum status read_resolution(const char *phrase, struct error *err)
{
    return read_setting("METRIC_RESOLUTION", phrase, err);
}

static enum status read_region(const char *phrase, struct error *err)
{
    return read_setting("CLOUDWATCH_REGION", phrase, err);
}

static enum status read_profiles_file(const char *phrase, struct error *err)
{
    return read_setting("INFERENCE_PROFILES_FILE", path_of(phrase), err);
}

static enum status read_prices_file(const char *phrase, struct error *err)
{
    return read_setting("PRICES_FILE", path_of(phrase), err);
}

static enum status check_namespace(const char *phrase, struct error *err)
{
    char name[512];
    snprintf(name, sizeof(name), ":%s", phrase);
    return datum_check_namespace(view_of(name), err);
}

static enum status parse_time(const char *phrase, struct error *err)
{
    struct instant at;
    return time_option("--since", phrase, time_option_now(), &at, err);
}

static enum status parse_option(const char *phrase, struct error *err)
{
    struct options {
        bool all;
    } values = {false};
    static const struct option rows[] = {
        {"all", NULL, "of any age", OPT_FLAG(all)},
    };
    const struct option_table table = {rows, 1, &values};
    char name[512], command[] = "aggregate";
    size_t count;
    snprintf(name, sizeof(name), "--%s", phrase);
    char *argv[] = {command, name, NULL};
    return options_parse(&table, 1, 2, argv, &count, err);
}

/* ---- documents ---- */

static enum status parse_event(struct view body, struct error *err)
{
    struct event_body out = {0};
    enum status st = event_body_parse(body, &out, err);
    event_body_clear(&out);
    return st;
}

static enum status parse_text(const char *phrase, struct error *err)
{
    return parse_event(view_of(phrase), err);
}

static enum status parse_event_bucket(const char *phrase, struct error *err)
{
    return parse_event(json_of("{\"Records\":[{\"eventSource\":\"aws:s3\",\"eventName\":"
                               "\"ObjectCreated:Put\",\"eventVersion\":\"2.1\",\"s3\":{\"bucket\":"
                               "{\"name\":",
                               phrase, "},\"object\":{\"key\":\"a\",\"size\":\"x\"}}}]}"),
                       err);
}

static enum status parse_event_key(const char *phrase, struct error *err)
{
    char key[512];
    snprintf(key, sizeof(key), "%s%%zz", phrase); /* no escape */
    return parse_event(json_of("{\"Records\":[{\"eventSource\":\"aws:s3\",\"eventName\":"
                               "\"ObjectCreated:Put\",\"eventVersion\":\"2.1\",\"s3\":{\"bucket\":"
                               "{\"name\":\"b-1\"},\"object\":{\"key\":",
                               key, "}}}]}"),
                       err);
}

static enum status parse_prices(const char *phrase, struct error *err)
{
    struct prices *prices = NULL;
    enum status st = prices_new(json_of("{", phrase, ":1}"), VIEW_EMPTY, &prices, err);
    prices_free(prices);
    return st;
}

static enum status parse_profiles(const char *phrase, struct error *err)
{
    struct profiles *profiles = profiles_new();
    struct view text =
        json_of("{\"inferenceProfileSummaries\":[{\"inferenceProfileName\":", phrase, "}]}");
    enum status st = profiles_add_json(profiles, text, err);
    profiles_free(profiles);
    return st;
}

/* What AWS says in its message is for people. */
static enum status read_answer(const char *phrase, struct error *err)
{
    struct aws_answer answer;
    aws_answer_init(&answer);
    answer.http.status = 404;
    snprintf(answer.code, sizeof(answer.code), "NoSuchKey");
    snprintf(answer.message, sizeof(answer.message), "%s", phrase);
    enum status st =
        error_set(err, ST_MISSING, aws_answer_code(&answer), "GetObject: %s", answer.message);
    aws_answer_clear(&answer);
    return st;
}

static const struct family {
    const char *what;
    enum status (*act)(const char *phrase, struct error *err);
    enum code code;
    bool may_pass; /* some phrases are good values */
} families[] = {
    {"object", list_object, E_F101, false},
    {"--out", open_result, E_F101, false},
    {"--env-file", open_env_file, E_F101, false},
    {"--prices", open_prices, E_F101, false},
    {"queue", parse_queue, E_U216, false},
    {"queue's name", parse_queue_name, E_U216, false},
    {"SOURCE", parse_folder, E_U215, false},
    {"bucket", parse_bucket, E_U215, true},
    {"endpoint", check_endpoint, E_A111, false},
    {"AWS profile", load_profile, E_A105, false},
    {"METRIC_LATENCY", read_bool, E_U207, false},
    {"BATCH_SIZE", read_number, E_U208, false},
    {"LEDGER_IDENTITY", read_identity, E_U299, false},
    {"PUBLISHER", read_publisher, E_U299, false},
    {"METRIC_DIMENSIONS", read_dimensions, E_U201, false},
    {"METRICS", read_metrics, E_U202, false},
    {"METRIC_RESOLUTION", read_resolution, E_U209, false},
    {"CLOUDWATCH_REGION", read_region, E_U214, false},
    {"INFERENCE_PROFILES_FILE", read_profiles_file, E_U402, false},
    {"PRICES_FILE", read_prices_file, E_U403, false},
    {"CLOUDWATCH_NAMESPACE", check_namespace, E_U213, false},
    {"--since", parse_time, E_U204, false},
    {"option", parse_option, E_U101, false},
    {"message", parse_text, E_Q111, false},
    {"bucket of an event", parse_event_bucket, E_Q110, true},
    {"key of an event", parse_event_key, E_Q110, false},
    {"price list", parse_prices, E_U403, false},
    {"profiles", parse_profiles, E_U402, false},
    {"answer", read_answer, E_A204, false},
};

static void phrases_choose_nothing(void **state)
{
    (void)state;
    setenv("AWS_EC2_METADATA_DISABLED", "true", 1);
    setenv("AWS_CONFIG_FILE", "/dev/null", 1);
    setenv("AWS_SHARED_CREDENTIALS_FILE", "/dev/null", 1);
    for (size_t f = 0; f < COUNT_OF(families); f++) {
        const struct family *family = &families[f];
        for (size_t i = 0; i < COUNT_OF(hostile_phrases); i++) {
            struct error err = {0};
            enum status st = family->act(hostile_phrases[i], &err);
            if (st == ST_OK && family->may_pass)
                continue;
            if (st == ST_OK || err.code != family->code)
                fail_row(i, "%s \"%s\": %s %s \"%s\", wanted %s", family->what, hostile_phrases[i],
                         status_name(st), err.code == E_NONE ? "no code" : code_text(err.code),
                         err.text, code_text(family->code));
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(phrases_choose_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
