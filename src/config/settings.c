/*
 * settings.c: from environment variables to what a round needs: settings checked as a whole before
 * anything is read or sent, and the AWS configuration with the roles that read buckets.
 */
#include "config/settings.h"

#include <stdlib.h>

#include "aggregate/region_guard.h"
#include "aws/bedrock.h"
#include "base/log.h"
#include "base/whole_file.h"
#include "config/dimension_sets.h"
#include "config/profile_asker.h"
#include "config/variables.h"
#include "events/event_body.h"
#include "price/price.h"

enum { PROFILES_AGAIN_MS = 3600 * 1000, MAX_PROFILES_FILE = 64 * 1024 * 1024 };

/* MAX_OBJECT_BYTES of worker and function: some ten seconds of one processor. */
#define EVENTS_MAX_OBJECT_BYTES (UINT64_C(2) << 30)

/* ---- single variables ---- */

enum status settings_load_dimensions(struct dimension_keys *keys, struct dimension_set *sets,
                                     size_t *set_count, struct error *err)
{
    struct dimension_sets parsed = {.keys = *keys};
    enum status st = dimension_sets_choose(NULL, &parsed, err);
    if (st != ST_OK)
        return st;
    *keys = parsed.keys;
    memcpy(sets, parsed.set, sizeof(parsed.set));
    *set_count = parsed.count;
    return ST_OK;
}

static enum status load_destination(struct run_settings *s, struct error *err)
{
    struct error detail = {0};
    s->name_space = view_of(variable_get(VAR_CLOUDWATCH_NAMESPACE));
    enum status st = datum_check_namespace(s->name_space, &detail);
    if (st != ST_OK)
        return error_set(err, st, detail.code, "CLOUDWATCH_NAMESPACE: %s", detail.text);
    s->cloudwatch_region = view_of(variable_get(VAR_CLOUDWATCH_REGION));
    if (s->cloudwatch_region.len > 0 && !aws_region_valid(s->cloudwatch_region))
        return error_set(err, ST_USAGE, E_U214, "CLOUDWATCH_REGION: \"%.*s\" is not a Region",
                         SHOW_MAX(s->cloudwatch_region, 80));
    return ST_OK;
}

static enum status load_buckets(struct run_settings *s, struct error *err)
{
    s->buckets = view_of(variable_get(VAR_S3_BUCKET_NAME));
    if (s->buckets.len == 0)
        return error_set(err, ST_USAGE, E_U302,
                         "S3_BUCKET_NAME is not set: the bucket(s) whose events are taken");
    struct view rest = s->buckets, part;
    while (view_split(&rest, ',', &part)) {
        part = view_trim(part);
        if (!aws_bucket_valid(part))
            return error_set(err, ST_USAGE, E_U215, "S3_BUCKET_NAME: \"%.*s\" is not a bucket name",
                             SHOW_MAX(part, 80));
    }
    return ST_OK;
}

/* ---- files and lists that commands name with options, too ---- */

enum status settings_guard(const char *name, const char *list, struct region_guard **out,
                           struct error *err)
{
    struct error detail = {0};
    if (list == NULL)
        return ST_OK;
    enum status st = region_guard_new(list, out, &detail);
    return st == ST_OK ? st : error_set(err, st, detail.code, "%s: %s", name, detail.text);
}

enum status settings_profiles(const char *given, struct profiles **out, struct error *err)
{
    const char *path = given != NULL ? given : variable_get(VAR_INFERENCE_PROFILES_FILE);
    struct error detail = {0};
    struct buf text;
    *out = NULL;
    if (path == NULL)
        return ST_OK;
    *out = profiles_new();
    buf_init(&text, MAX_PROFILES_FILE);
    enum status st = whole_file_read(&text, path, WHOLE_FILE_OR_PIPE, NULL, &detail);
    if (st == ST_OK)
        st = *out == NULL ? ST_NO_MEMORY : profiles_add_json(*out, buf_view(&text), &detail);
    buf_clear(&text);
    if (st == ST_OK)
        return st;
    profiles_free(*out);
    *out = NULL;
    return error_set(err, ST_USAGE, E_U402, "%s: inference profiles file \"%.80s\": %s",
                     given != NULL ? "--profiles" : "INFERENCE_PROFILES_FILE", path, detail.text);
}

enum status settings_prices(const char *given, struct prices **out, struct error *err)
{
    const char *path = given != NULL ? given : variable_get(VAR_PRICES_FILE);
    struct error detail = {0};
    enum status st = prices_open(path, out, &detail);
    if (st == ST_OK || path == NULL)
        return st == ST_OK ? st : error_set(err, st, detail.code, "%s", detail.text);
    return error_set(err, st == ST_NO_MEMORY ? st : ST_USAGE, E_U403,
                     "%s: price list \"%.80s\": %s", given != NULL ? "--prices" : "PRICES_FILE",
                     path, detail.text);
}

enum status settings_open_prices(struct run_settings *s, struct error *err)
{
    if (!s->prices_later)
        return ST_OK;
    enum status st = prices_open(NULL, &s->prices, err);
    s->prices_later = st != ST_OK;
    return st;
}

/* ---- all ---- */

enum status settings_load_publishing(struct run_settings *s, struct error *err)
{
    unsigned publisher = PUBLISHER_CLOUDWATCH;
    *s = (struct run_settings){0};
    enum status st = settings_load_dimensions(&s->keys, s->sets, &s->set_count, err);
    if (st == ST_OK)
        st = dimension_sets_choose_resolution(NULL, &s->resolution_s, err);
    if (st == ST_OK)
        st = dimension_sets_choose_metrics(NULL, &s->metrics, err);
    s->latency = (s->metrics & METRIC_BIT(METRIC_LATENCY)) != 0;
    if (st == ST_OK)
        st = settings_guard("ALLOW_INFERENCE_REGIONS", variable_get(VAR_ALLOW_INFERENCE_REGIONS),
                            &s->guard, err);
    /* Whoever names the Regions wants to know about the others: with METRICS too. */
    if (s->guard != NULL)
        s->metrics |= METRIC_SET_GUARD;
    if (st == ST_OK)
        st = variable_choice(VAR_PUBLISHER, &publisher, err);
    s->publisher = publisher;
    if (st == ST_OK)
        st = load_destination(s, err);
    if (st == ST_OK)
        st = variable_number(VAR_MAX_SERIES_PER_SET, &s->max_series, err);
    if (st == ST_OK)
        st = variable_number(VAR_MAX_OBJECT_BYTES, &s->max_object_bytes, err);
    if (st == ST_OK)
        st = variable_flag(VAR_RESOLVE_INFERENCE_PROFILES, &s->resolve_profiles, err);
    if (st == ST_OK)
        st = settings_profiles(NULL, &s->profiles, err);
    /* A list that is named has to be good, whether or not a cost is published. */
    if (st == ST_OK && variable_given(VAR_PRICES_FILE))
        st = settings_prices(NULL, &s->prices, err);
    s->prices_later = s->prices == NULL && (s->metrics & METRIC_SET_COST) != 0;
    return st;
}

enum status settings_load(struct run_settings *s, struct error *err)
{
    enum status st = settings_load_publishing(s, err);
    if (st == ST_OK)
        st = load_buckets(s, err);
    if (st == ST_OK)
        st = variable_number(VAR_BATCH_SIZE, &s->batch_size, err);
    if (st == ST_OK)
        st = variable_number(VAR_FLUSH_INTERVAL, &s->flush_interval_s, err);
    if (!variable_given(VAR_MAX_OBJECT_BYTES))
        s->max_object_bytes = EVENTS_MAX_OBJECT_BYTES;
    s->bound = calloc(1, sizeof(*s->bound));
    if (st == ST_OK && s->bound == NULL)
        st = error_set(err, ST_NO_MEMORY, E_R113, "out of memory");
    if (s->bound != NULL)
        s->bound->limit = SETTINGS_SUMS_BYTES;
    return st;
}

void settings_clear(struct run_settings *s)
{
    profiles_free(s->profiles);
    prices_free(s->prices);
    profile_asker_free(s->asker);
    s->asker = NULL;
    region_guard_free(s->guard);
    free(s->bound);
    s->bound = NULL;
    s->guard = NULL;
    s->profiles = NULL;
    s->prices = NULL;
}

enum status settings_ask_profiles(struct run_settings *s, const struct aws_client_options *options,
                                  struct error *err)
{
    if (!s->resolve_profiles || s->asker != NULL)
        return ST_OK;
    return profile_asker_new(options, s->keys.tag_count > 0, &s->asker, err);
}

static void list_region(struct profiles *into, struct aws_client *client, struct view region,
                        bool tags)
{
    struct error err = {0};
    json_t *answer = NULL;
    char *text = NULL;
    enum status st = bedrock_list_inference_profiles(client, region, "APPLICATION", &answer, &err);
    if (st == ST_OK && tags)
        profile_asker_add_tags(client, region, answer);
    if (st == ST_OK) {
        text = json_dumps(answer, JSON_COMPACT);
        st = text == NULL ? ST_NO_MEMORY : profiles_add_json(into, view_of(text), &err);
    }
    if (st != ST_OK)
        LOG_FAULT(LOG_WARN, E_R130, "application inference profiles cannot be listed",
                  log_view("region", region), log_cstr("reason", err.text));
    free(text);
    json_decref(answer);
}

void settings_resolve_profiles(struct run_settings *s, struct aws_client *client,
                               const struct view *regions, size_t region_count)
{
    const struct aws_clock *clock = aws_client_clock(client);
    int64_t now = clock->steady_ms(clock->ctx);
    if (!s->resolve_profiles ||
        (s->profiles_listed_ms != 0 && now - s->profiles_listed_ms < PROFILES_AGAIN_MS))
        return;
    struct error err = {0};
    struct profiles *fresh = NULL;
    s->profiles_listed_ms = now == 0 ? 1 : now;
    if (settings_profiles(NULL, &fresh, &err) != ST_OK) {
        LOG_FAULT(LOG_WARN, E_R131, "inference profiles are not read again",
                  log_cstr("reason", err.text));
        return;
    }
    if (fresh == NULL)
        fresh = profiles_new();
    if (fresh == NULL)
        return;
    for (size_t i = 0; i < region_count; i++)
        list_region(fresh, client, regions[i], s->keys.tag_count > 0);
    if (s->asker != NULL && profiles_set_asker(fresh, profile_asker_ask, s->asker) != ST_OK) {
        profiles_free(fresh);
        return;
    }
    if (profiles_count(fresh) == 0 && s->profiles != NULL) {
        profiles_free(fresh);
        return;
    }
    profiles_free(s->profiles);
    s->profiles = fresh;
}

struct counter_options settings_counter(const struct run_settings *s)
{
    return (struct counter_options){
        .aggregate = {.sets = s->sets,
                      .set_count = s->set_count,
                      .keys = &s->keys,
                      .interval_seconds = (int64_t)s->resolution_s,
                      .statistics = true,
                      .profiles = s->profiles,
                      .prices = s->prices,
                      .guard = s->guard,
                      .bound = s->bound},
        .latency = s->latency,
        .max_object_bytes = s->max_object_bytes,
        .log_skips = log_level_now() <= LOG_WARN,
    };
}

struct batch_options settings_batch(const struct run_settings *s, int64_t now_s)
{
    return (struct batch_options){.name_space = s->name_space,
                                  .metrics = s->metrics,
                                  .storage_resolution = s->resolution_s < 60 ? 1 : 60,
                                  .now_s = now_s,
                                  .set_count = s->set_count};
}

/*
 * BUCKET=arn:aws:iam::123456789012:role/reader
 * ^^^^^^ ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^ or without the bucket
 */
static enum status add_role(struct settings_aws *aws, struct view part, struct error *err)
{
    struct error detail = {0};
    struct view arn = part, bucket = VIEW_EMPTY;
    size_t equals = view_find_char(part, '=');
    if (aws->role_count == SETTINGS_MAX_ROLES)
        return error_set(err, ST_USAGE, E_U221, "ROLE_ARN: more than %d roles", SETTINGS_MAX_ROLES);
    /* A role's name may hold `=`, a bucket's may not. */
    if (equals != SIZE_MAX && !view_starts(part, VIEW_LIT("arn:"))) {
        bucket = view_trim(view_first(part, equals));
        arn = view_trim(view_skip(part, equals + 1));
        if (!aws_bucket_valid(bucket))
            return error_set(err, ST_USAGE, E_U215, "ROLE_ARN: \"%.*s\" is not a bucket name",
                             SHOW_MAX(bucket, 80));
    }
    for (size_t i = 0; i < aws->role_count; i++) {
        if (view_eq(aws->roles[i].bucket, bucket))
            return error_set(err, ST_USAGE, E_U221, "ROLE_ARN: two roles for one bucket: \"%.*s\"",
                             SHOW_MAX(part, 80));
    }
    struct cred_role role = {.role_arn = arn};
    struct settings_role *out = &aws->roles[aws->role_count];
    if (cred_chain_new_role(&out->creds, aws->creds, &role, &detail) != ST_OK)
        return error_set(err, ST_USAGE, E_U221, "ROLE_ARN: \"%.*s\": %s", SHOW_MAX(part, 80),
                         detail.text);
    out->bucket = bucket;
    aws->role_count++;
    return ST_OK;
}

struct aws_client_options settings_aws_client(const struct settings_aws *aws)
{
    return (struct aws_client_options){.config = aws->config,
                                       .creds = aws->creds,
                                       .budget = aws->budget,
                                       .clock = aws_clock_system()};
}

size_t settings_aws_role(const struct settings_aws *aws, struct view bucket)
{
    size_t any = aws->role_count;
    for (size_t i = 0; i < aws->role_count; i++) {
        if (view_eq(aws->roles[i].bucket, bucket))
            return i;
        if (aws->roles[i].bucket.len == 0)
            any = i;
    }
    return any;
}

struct cred_chain *settings_aws_creds(const struct settings_aws *aws, size_t role)
{
    return role < aws->role_count ? aws->roles[role].creds : aws->creds;
}

enum status settings_aws_open(struct settings_aws *aws, struct error *err)
{
    static struct aws_env env; /* the config keeps a pointer to it */
    env = aws_env_process();
    *aws = (struct settings_aws){0};
    struct aws_clock clock = aws_clock_system();
    enum status st = aws_config_load(&aws->config, &env, NULL, err);
    if (st == ST_OK)
        st = retry_budget_new(&aws->budget);
    if (st == ST_OK)
        st = cred_chain_new(&aws->creds, aws->config, &clock);
    struct view rest = view_of(variable_get(VAR_ROLE_ARN)), part;
    while (st == ST_OK && view_split(&rest, ',', &part))
        st = add_role(aws, view_trim(part), err);
    if (st != ST_OK)
        settings_aws_close(aws);
    return st;
}

void settings_aws_close(struct settings_aws *aws)
{
    for (size_t i = 0; i < aws->role_count; i++)
        cred_chain_free(aws->roles[i].creds);
    cred_chain_free(aws->creds);
    retry_budget_free(aws->budget);
    aws_config_free(aws->config);
    *aws = (struct settings_aws){0};
}
