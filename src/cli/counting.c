/* counting.c: how records are counted: readers, price list, profiles and metrics, from options
 * and environment; and things in the logs that this version does not know, each reported once. */
#include "cli/counting.h"

#include <pthread.h>
#include <unistd.h>

#include "aggregate/region_guard.h"
#include "base/log.h"
#include "base/table.h"
#include "cli/option_values.h"
#include "config/config.h"

enum { MAX_NOVELTIES = 256 };
static const uint64_t default_max_object_bytes = UINT64_C(16) << 30;

/* For aggregate_options.on_novelty; any thread. */
static void report_novelty(enum novelty what, struct view text)
{
    static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
    static uint64_t reported[MAX_NOVELTIES];
    static size_t count;
    uint64_t hash = table_hash_bytes(text) * 2 + (uint64_t)what;
    bool fresh = true;
    pthread_mutex_lock(&mutex);
    for (size_t i = 0; i < count && fresh; i++)
        fresh = reported[i] != hash;
    /* Past the ceiling nothing new is said: the point has been made. */
    fresh = fresh && count < MAX_NOVELTIES;
    if (fresh)
        reported[count++] = hash;
    pthread_mutex_unlock(&mutex);
    if (!fresh)
        return;
    if (what == NOVELTY_GEOGRAPHY)
        LOG_FAULT(LOG_WARN, E_T120, "unknown geography, counted as CrossRegion",
                  log_view("geography", view_first(text, 64)));
    else
        LOG_FAULT(LOG_WARN, E_T121, "unknown schemaVersion, counted as 1.0",
                  log_view("schemaVersion", view_first(text, 64)));
}

static enum status read_environment(struct counting *out, struct error *err)
{
    uint64_t chunk = 0;
    enum status st = config_get_u64("MAX_OBJECT_BYTES", default_max_object_bytes, 1, UINT64_MAX / 2,
                                    &out->options.max_object_bytes, err);
    if (st == ST_OK)
        st = config_get_bool("METRIC_LATENCY", false, &out->options.latency, err);
    /* For tests: how much is scanned at a time, and with which instructions. */
    if (st == ST_OK)
        st = config_get_u64("BEDROCK_METRICS_CHUNK", 0, 1, 1 << 30, &chunk, err);
    if (st != ST_OK)
        return st;
    out->options.chunk_bytes = (size_t)chunk;
    const char *kernel = config_get("BEDROCK_METRICS_SIMD", "auto");
    st = scan_select(view_of(kernel));
    if (st != ST_OK)
        return error_set(err, ST_USAGE, st == ST_MISSING ? E_U220 : E_U299,
                         st == ST_MISSING ? "BEDROCK_METRICS_SIMD: \"%.80s\" cannot run here"
                                          : "BEDROCK_METRICS_SIMD: \"%.80s\" is unknown; known "
                                            "are auto, avx2, sse2, neon, scalar",
                         kernel);
    metric_set on = METRIC_SET_BASE | METRIC_SET_COST;
    if (out->options.latency)
        on |= METRIC_BIT(METRIC_LATENCY);
    st = config_get_metrics(on, &out->metrics, err);
    /* Who asks for the metric by name wants it read. */
    if ((out->metrics & METRIC_BIT(METRIC_LATENCY)) != 0)
        out->options.latency = true;
    return st;
}

static enum status read_profiles(const char *path, struct counting *out, struct error *err)
{
    struct buf text;
    struct error detail = {0};
    if (path == NULL)
        path = config_get("INFERENCE_PROFILES_FILE", NULL);
    if (path == NULL)
        return ST_OK;
    enum status st = config_read_file(path, &text, &detail);
    out->profiles = profiles_new();
    if (st == ST_OK)
        st = out->profiles == NULL ? ST_NO_MEMORY
                                   : profiles_add_json(out->profiles, buf_view(&text), &detail);
    buf_clear(&text);
    if (st != ST_OK)
        return error_set(err, ST_USAGE, E_U402, "inference profiles file \"%.80s\": %s", path,
                         detail.text);
    if (profiles_count(out->profiles) == 0)
        LOG_FAULT(LOG_WARN, E_R132, "no application profile in the inference profiles file",
                  log_cstr("file", path));
    return ST_OK;
}

static enum status read_prices(const char *path, struct counting *out, struct error *err)
{
    struct error detail = {0};
    if (path == NULL)
        path = config_get("PRICES_FILE", NULL);
    enum status st = prices_open(path, &out->prices, &detail);
    if (st == ST_NO_MEMORY)
        return error_set(err, st, E_R113, "out of memory");
    if (st != ST_OK)
        return error_set(err, ST_USAGE, E_U403, "price list \"%.80s\": %s",
                         path != NULL ? path : "built in", detail.text);
    struct prices_info info = prices_info(out->prices);
    int64_t day = info.own_as_of_day != PRICE_NO_DAY ? info.own_as_of_day : info.as_of_day;
    rfc3339_format(day * 86400, out->prices_as_of);
    out->prices_as_of[10] = '\0';
    return ST_OK;
}

static enum status read_guard(const char *list, struct counting *out, struct error *err)
{
    struct error detail = {0};
    if (list == NULL)
        return ST_OK;
    enum status st = region_guard_new(list, &out->guard, &detail);
    if (st != ST_OK)
        return error_set(err, st, detail.code, "--allow-inference-regions: %s", detail.text);
    out->metrics |= METRIC_SET_GUARD;
    return ST_OK;
}

enum status counting_resolve(const struct counting_choice *choice, struct counting *out,
                             struct error *err)
{
    long processors = sysconf(_SC_NPROCESSORS_ONLN);
    out->jobs = processors < 1                   ? 1
                : processors > COUNTING_MAX_JOBS ? COUNTING_MAX_JOBS
                                                 : (unsigned)processors;
    if (choice->jobs != 0)
        out->jobs = (unsigned)choice->jobs;
    enum status st = read_environment(out, err);
    if (st == ST_OK)
        st = read_profiles(choice->profiles, out, err);
    if (st == ST_OK)
        st = read_prices(choice->prices, out, err);
    if (st == ST_OK)
        st = read_guard(choice->allowed, out, err);
    out->options.aggregate.guard = out->guard;
    out->options.aggregate.profiles = out->profiles;
    out->options.aggregate.prices = out->prices;
    out->options.aggregate.on_novelty = report_novelty;
    out->options.log_skips = log_level_now() <= LOG_WARN;
    return st;
}

void counting_clear(struct counting *counting)
{
    profiles_free(counting->profiles);
    prices_free(counting->prices);
    region_guard_free(counting->guard);
    *counting = (struct counting){0};
}

enum status counting_resolve_times(const char *since, const char *until,
                                   struct counter_options *counter, struct error *err)
{
    struct sources_range range = {0};
    enum status st = time_option_range(since, until, time_option_now(), &range, err);
    counter->has_since = range.has_since;
    counter->has_until = range.has_until;
    counter->since = range.since;
    counter->until = range.until;
    return st;
}

enum status counting_open(const struct counter_options *counter, char *const *words, size_t count,
                          struct sources *sources, struct error *err)
{
    struct sources_range range = {counter->has_since, counter->has_until, counter->since,
                                  counter->until};
    return sources_open(sources, words, count, &range, err);
}
