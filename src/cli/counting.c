/* counting.c: how records are counted: readers, price list, profiles and metrics, from options
 * and environment; and things in the logs that this version does not know, each reported once. */
#include "cli/counting.h"

#include <pthread.h>
#include <unistd.h>

#include "aggregate/region_guard.h"
#include "base/log.h"
#include "base/table.h"
#include "cli/option_values.h"
#include "config/variables.h"
#include "price/price.h"

enum { MAX_NOVELTIES = 256 };

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
    uint64_t chunk;
    enum status st =
        variable_number(VAR_MAX_OBJECT_BYTES, &out->pipeline.counter.max_object_bytes, err);
    /* For tests: how much is scanned at a time, and with which instructions. */
    if (st == ST_OK)
        st = variable_number(VAR_BEDROCK_METRICS_CHUNK, &chunk, err);
    if (st != ST_OK)
        return st;
    out->pipeline.counter.chunk_bytes = (size_t)chunk;
    const char *kernel = variable_get(VAR_BEDROCK_METRICS_SIMD);
    st = scan_select(view_of(kernel));
    if (st != ST_OK)
        return error_set(err, ST_USAGE, st == ST_MISSING ? E_U220 : E_U299,
                         st == ST_MISSING ? "BEDROCK_METRICS_SIMD: \"%.80s\" cannot run here"
                                          : "BEDROCK_METRICS_SIMD: \"%.80s\" is unknown; known "
                                            "are auto, avx2, sse2, neon, scalar",
                         kernel);
    st = dimension_sets_choose_metrics(NULL, &out->metrics, err);
    out->pipeline.counter.latency = (out->metrics & METRIC_BIT(METRIC_LATENCY)) != 0;
    return st;
}

static enum status read_lists(const struct counting_choice *choice, struct counting *out,
                              struct error *err)
{
    enum status st = settings_profiles(choice->profiles, &out->profiles, err);
    if (out->profiles != NULL && profiles_count(out->profiles) == 0)
        LOG_FAULT(LOG_WARN, E_R132, "no application profile in the inference profiles file",
                  log_cstr("file", choice->profiles != NULL
                                       ? choice->profiles
                                       : variable_get(VAR_INFERENCE_PROFILES_FILE)));
    if (st == ST_OK)
        st = settings_prices(choice->prices, &out->prices, err);
    if (st != ST_OK)
        return st;
    struct prices_info info = prices_info(out->prices);
    int64_t day = info.own_as_of_day != PRICE_NO_DAY ? info.own_as_of_day : info.as_of_day;
    rfc3339_format(day * 86400, out->prices_as_of);
    out->prices_as_of[10] = '\0';
    st = settings_guard("--allow-inference-regions", choice->allowed, &out->guard, err);
    if (out->guard != NULL)
        out->metrics |= METRIC_SET_GUARD;
    return st;
}

enum status counting_resolve(const struct counting_choice *choice, struct counting *out,
                             struct error *err)
{
    long processors = sysconf(_SC_NPROCESSORS_ONLN);
    out->pipeline.jobs = processors < 1                   ? 1
                         : processors > COUNTING_MAX_JOBS ? COUNTING_MAX_JOBS
                                                          : (unsigned)processors;
    if (choice->jobs != 0)
        out->pipeline.jobs = (unsigned)choice->jobs;
    enum status st = read_environment(out, err);
    if (st == ST_OK)
        st = read_lists(choice, out, err);
    struct aggregate_options *aggregate = &out->pipeline.counter.aggregate;
    aggregate->guard = out->guard;
    aggregate->profiles = out->profiles;
    aggregate->prices = out->prices;
    aggregate->on_novelty = report_novelty;
    out->pipeline.counter.log_skips = log_level_now() <= LOG_WARN;
    return st;
}

void counting_clear(struct counting *counting)
{
    sources_close(&counting->sources);
    profiles_free(counting->profiles);
    prices_free(counting->prices);
    region_guard_free(counting->guard);
    *counting = (struct counting){0};
}

void counting_by(struct counting *c, const struct dimension_keys *keys,
                 const struct dimension_set *sets, size_t set_count, int64_t interval_seconds)
{
    struct aggregate_options *aggregate = &c->pipeline.counter.aggregate;
    aggregate->keys = keys;
    aggregate->sets = sets;
    aggregate->set_count = set_count;
    aggregate->interval_seconds = interval_seconds;
}

enum status counting_resolve_times(const char *since, const char *until, struct counting *c,
                                   struct error *err)
{
    return time_option_range(since, until, time_option_now(), &c->pipeline.counter.range, err);
}

enum status counting_open(struct counting *c, char *const *words, size_t count, struct error *err)
{
    return sources_open(&c->sources, words, count, &c->pipeline.counter.range, err);
}

enum status counting_run(const struct counting *c, struct aggregate **out, struct tally *tally,
                         struct error *err)
{
    return pipeline_run(c->sources.list, c->sources.count, &c->pipeline, out, tally, err);
}
