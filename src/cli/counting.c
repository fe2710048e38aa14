#include "cli/counting.h"

#include <unistd.h>

#include "aggregate/region_guard.h"
#include "base/log.h"
#include "cli/novelty.h"
#include "cli/read_file.h"
#include "cli/time_option.h"
#include "config/config.h"

enum { MAX_JOBS = 64 };
static const uint64_t default_max_object_bytes = UINT64_C(16) << 30;

static enum status choose_jobs(const char *text, struct counting *out, struct error *err)
{
    uint64_t number;
    long processors = sysconf(_SC_NPROCESSORS_ONLN);
    out->jobs = processors < 1 ? 1 : processors > MAX_JOBS ? MAX_JOBS : (unsigned)processors;
    if (text == NULL)
        return ST_OK;
    if (view_parse_u64(view_of(text), MAX_JOBS, &number) != ST_OK || number == 0)
        return error_set(err, ST_USAGE, E_U208, "--jobs \"%.80s\" is no number from 1 to %d", text,
                         MAX_JOBS);
    out->jobs = (unsigned)number;
    return ST_OK;
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
    enum status st = read_file(path, &text, &detail);
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

enum status counting_settle(const struct counting_choice *choice, struct counting *out,
                            struct error *err)
{
    enum status st = choose_jobs(choice->jobs, out, err);
    if (st == ST_OK)
        st = read_environment(out, err);
    if (st == ST_OK)
        st = read_profiles(choice->profiles, out, err);
    if (st == ST_OK)
        st = read_prices(choice->prices, out, err);
    if (st == ST_OK)
        st = read_guard(choice->allowed, out, err);
    out->options.aggregate.guard = out->guard;
    out->options.aggregate.profiles = out->profiles;
    out->options.aggregate.prices = out->prices;
    out->options.aggregate.on_novelty = novelty_report;
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

enum status counting_settle_times(const char *since, const char *until,
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
