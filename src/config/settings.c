#include "config/settings.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "aggregate/region_guard.h"
#include "aws/bedrock.h"
#include "base/log.h"
#include "config/config.h"
#include "config/dimension_sets.h"
#include "config/profile_asker.h"
#include "events/event_body.h"
#include "price/price.h"

enum { PROFILES_AGAIN_MS = 3600 * 1000 };

/* ---- single variables ---- */

enum status settings_load_dimensions(struct dimension_keys *keys, struct dimension_set *sets,
                                     size_t *set_count, struct error *err)
{
    struct dimension_sets parsed = {.keys = *keys};
    struct error detail = {0};
    const char *text = config_get("METRIC_DIMENSIONS", DIMENSION_SETS_DEFAULT);
    enum status st = dimension_sets_parse(view_of(text), &parsed, &detail);
    if (st != ST_OK)
        return error_set(err, st, detail.code, "METRIC_DIMENSIONS: %s", detail.text);
    *keys = parsed.keys;
    memcpy(sets, parsed.set, sizeof(parsed.set));
    *set_count = parsed.count;
    return ST_OK;
}

static enum status load_resolution(struct run_settings *s, struct error *err)
{
    struct error detail = {0};
    const char *text = config_get("METRIC_RESOLUTION", "60");
    enum status st = dimension_sets_parse_resolution(view_of(text), &s->resolution_s, &detail);
    return st == ST_OK ? st : error_set(err, st, detail.code, "METRIC_RESOLUTION: %s", detail.text);
}

static enum status load_metrics(struct run_settings *s, struct error *err)
{
    enum status st = config_get_bool("METRIC_LATENCY", false, &s->latency, err);
    if (st != ST_OK)
        return st;
    metric_set on = METRIC_SET_BASE | METRIC_SET_COST;
    if (s->latency)
        on |= METRIC_BIT(METRIC_LATENCY);
    st = config_get_metrics(on, &s->metrics, err);
    if (st == ST_OK && s->metrics == 0)
        st = error_set(err, ST_USAGE, E_U307, "METRICS: \"%.80s\" names no metric",
                       config_get("METRICS", ""));
    /* A latency asked for by name has to be read. */
    s->latency = (s->metrics & METRIC_BIT(METRIC_LATENCY)) != 0;
    return st;
}

static enum status load_publisher(struct run_settings *s, struct error *err)
{
    const char *value = config_get("PUBLISHER", "cloudwatch");
    if (strcmp(value, "emf") == 0)
        s->publisher = PUBLISHER_EMF;
    else if (strcmp(value, "cloudwatch") != 0)
        return error_set(err, ST_USAGE, E_U299,
                         "PUBLISHER: \"%.80s\" is unknown; known are cloudwatch, emf", value);
    s->name_space = view_of(config_get("CLOUDWATCH_NAMESPACE", "Custom/BedrockMetrics"));
    struct error detail = {0};
    enum status st = datum_check_namespace(s->name_space, &detail);
    if (st != ST_OK)
        return error_set(err, st, detail.code, "CLOUDWATCH_NAMESPACE: %s", detail.text);
    s->cloudwatch_region = view_of(config_get("CLOUDWATCH_REGION", NULL));
    if (s->cloudwatch_region.len > 0 && !aws_region_valid(s->cloudwatch_region))
        return error_set(err, ST_USAGE, E_U214, "CLOUDWATCH_REGION: \"%.*s\" is no Region",
                         SHOW_MAX(s->cloudwatch_region, 80));
    return ST_OK;
}

static enum status load_buckets(struct run_settings *s, struct error *err)
{
    s->buckets = view_of(config_get("S3_BUCKET_NAME", NULL));
    if (s->buckets.len == 0)
        return error_set(err, ST_USAGE, E_U302,
                         "S3_BUCKET_NAME is not set: the bucket(s) whose events are taken");
    struct view rest = s->buckets, part;
    while (view_split(&rest, ',', &part)) {
        part = view_trim(part);
        if (!aws_bucket_valid(part))
            return error_set(err, ST_USAGE, E_U215, "S3_BUCKET_NAME: \"%.*s\" is no bucket name",
                             SHOW_MAX(part, 80));
    }
    return ST_OK;
}

/* Whoever names the Regions wants to be told: with METRICS too. */
static enum status load_guard(struct run_settings *s, struct error *err)
{
    const char *list = config_get("ALLOW_INFERENCE_REGIONS", NULL);
    struct error detail = {0};
    if (list == NULL)
        return ST_OK;
    enum status st = region_guard_new(list, &s->guard, &detail);
    if (st != ST_OK)
        return error_set(err, st, detail.code, "ALLOW_INFERENCE_REGIONS: %s", detail.text);
    s->metrics |= METRIC_SET_GUARD;
    return ST_OK;
}

/* ---- files ---- */

/* The profiles of INFERENCE_PROFILES_FILE, or none; the caller's. */
static enum status profiles_from_file(struct profiles **out, struct error *err)
{
    const char *path = config_get("INFERENCE_PROFILES_FILE", NULL);
    struct error detail = {0};
    *out = NULL;
    if (path == NULL)
        return ST_OK;
    struct buf text;
    struct profiles *profiles = profiles_new();
    enum status st = config_read_file(path, &text, &detail);
    if (st == ST_OK && profiles == NULL)
        st = ST_NO_MEMORY;
    if (st == ST_OK)
        st = profiles_add_json(profiles, buf_view(&text), &detail);
    buf_clear(&text);
    if (st != ST_OK) {
        profiles_free(profiles);
        return error_set(err, ST_USAGE, E_U402, "INFERENCE_PROFILES_FILE: \"%.80s\": %s", path,
                         detail.text);
    }
    *out = profiles;
    return ST_OK;
}

static enum status load_files(struct run_settings *s, struct error *err)
{
    struct error detail = {0};
    enum status st = profiles_from_file(&s->profiles, err);
    const char *path = config_get("PRICES_FILE", NULL);
    if (st != ST_OK)
        return st;
    /* A list that is named has to be good, whether or not a cost is published. */
    if (path != NULL && prices_open(path, &s->prices, &detail) != ST_OK)
        return error_set(err, ST_USAGE, E_U403, "PRICES_FILE: \"%.80s\": %s", path, detail.text);
    s->prices_later = path == NULL && (s->metrics & METRIC_SET_COST) != 0;
    return ST_OK;
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
    *s = (struct run_settings){0};
    enum status st = settings_load_dimensions(&s->keys, s->sets, &s->set_count, err);
    if (st == ST_OK)
        st = load_resolution(s, err);
    if (st == ST_OK)
        st = load_metrics(s, err);
    if (st == ST_OK)
        st = load_guard(s, err);
    if (st == ST_OK)
        st = load_publisher(s, err);
    if (st == ST_OK)
        st = config_get_u64("MAX_SERIES_PER_SET", 500, 1, 1000000, &s->max_series, err);
    if (st == ST_OK)
        st = config_get_u64("MAX_OBJECT_BYTES", UINT64_C(16) << 30, 1, UINT64_MAX / 2,
                            &s->max_object_bytes, err);
    if (st == ST_OK)
        st = config_get_bool("RESOLVE_INFERENCE_PROFILES", false, &s->resolve_profiles, err);
    if (st == ST_OK)
        st = load_files(s, err);
    return st;
}

enum status settings_load(struct run_settings *s, struct error *err)
{
    enum status st = settings_load_publishing(s, err);
    if (st == ST_OK)
        st = load_buckets(s, err);
    if (st == ST_OK)
        st = config_get_u64("BATCH_SIZE", 10, 1, 10000, &s->batch_size, err);
    if (st == ST_OK)
        st = config_get_u64("FLUSH_INTERVAL", 30, 0, 900, &s->flush_interval_s, err);
    return st;
}

void settings_clear(struct run_settings *s)
{
    profiles_free(s->profiles);
    prices_free(s->prices);
    profile_asker_free(s->asker);
    s->asker = NULL;
    region_guard_free(s->guard);
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
    if (profiles_from_file(&fresh, &err) != ST_OK) {
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
                      .guard = s->guard},
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
            return error_set(err, ST_USAGE, E_U215, "ROLE_ARN: \"%.*s\" is no bucket name",
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

static enum status load_roles(struct settings_aws *aws, struct error *err)
{
    struct view rest = view_of(config_get("ROLE_ARN", NULL)), part;
    enum status st = ST_OK;
    while (st == ST_OK && view_split(&rest, ',', &part))
        st = add_role(aws, view_trim(part), err);
    return st;
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
    if (st == ST_OK)
        st = load_roles(aws, err);
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
