/* cmd_aggregate.c: one run over the objects that exist now. */
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#include "base/log.h"
#include "base/suggest.h"
#include "cli/commands.h"
#include "cli/novelty.h"
#include "cli/options.h"
#include "cli/out_file.h"
#include "cli/read_file.h"
#include "price/price.h"
#include "publish/report.h"
#include "run/balance.h"
#include "run/config.h"
#include "run/interval.h"
#include "run/pipeline.h"
#include "run/progress.h"
#include "run/settings_sources.h"

enum { MAX_TOP = 1000000000, MAX_JOBS = 64 };
static const uint64_t default_max_object_bytes = UINT64_C(16) << 30;

static const struct command this_command = {
    .name = "aggregate",
    .synopsis = "SOURCE... [OPTIONS]",
    .summary =
        "Sum up the usage in Bedrock invocation logs: who used which model through which kind of\n"
        "inference profile, where it ran, and how many tokens it took.",
    .details =
        "SOURCE is a log file (gzip or plain), a folder (with all below it), - for standard input,\n"
        "or s3://BUCKET[/PREFIX], of which --since and --until list little.  Objects that hold no log records (offloaded bodies, permission checks, other\n"
        "services' logs) are skipped by their names.  Each object counts whole or not at all.\n"
        "\n"
        "TIME is a date-time such as 2026-11-01T10:30:00Z, a date, or a span back from now: 90m,\n"
        "36h, 7d, 2w.  All times are UTC.\n"
        "\n"
        "Exit status: 0 done; 1 done, but an object failed (it is named); 2 wrong usage.\n"
        "\n"
        "Examples:\n"
        "  bedrock-metrics aggregate logs/\n"
        "  bedrock-metrics aggregate logs/ --by ModelId,Principal --since 7d\n"
        "  bedrock-metrics aggregate logs/ --by SourceRegion,InferenceRegion --interval 1d\n"
        "  zcat *.gz | bedrock-metrics aggregate - --output json\n",
};

struct choice {
    const char *by, *interval, *since, *until, *output, *out, *jobs, *profiles, *prices, *top;
    bool dry_run;
    struct common_options common;
};

struct settings {
    struct dimension_keys keys;
    struct dimension_set set;
    struct pipeline_options pipeline;
    metric_set metrics;
    enum status (*write)(const struct report *report, FILE *out);
    const char *interval;
    struct profiles *profiles;
    struct prices *prices;
    char prices_as_of[RFC3339_BYTES];
    bool has_top;
    size_t top;
};

static enum status choose_output(const char *name, struct settings *s, struct error *err)
{
    static const struct {
        const char *name;
        enum status (*write)(const struct report *report, FILE *out);
    } outputs[] = {
        {"table", report_write_table},
        {"json", report_write_json},
        {"csv", report_write_csv},
        {"openmetrics", report_write_openmetrics},
    };
    enum { COUNT = sizeof(outputs) / sizeof(outputs[0]) };
    const char *names[COUNT];
    for (size_t i = 0; i < COUNT; i++) {
        names[i] = outputs[i].name;
        if (strcmp(name, outputs[i].name) == 0) {
            s->write = outputs[i].write;
            return ST_OK;
        }
    }
    const char *near = suggest_name(view_of(name), names, COUNT);
    return error_set(err, ST_USAGE,
                     "unknown --output \"%.80s\"%s%s; known are table, json, csv, openmetrics",
                     name, near != NULL ? ", did you mean " : "", near != NULL ? near : "");
}

static enum status choose_times(const struct choice *c, struct counter_options *counter,
                                struct error *err)
{
    struct timespec now_spec;
    clock_gettime(CLOCK_REALTIME, &now_spec);
    struct instant now = {now_spec.tv_sec, (uint32_t)now_spec.tv_nsec};
    static const char form[] =
        "is no date-time (2026-11-01T10:30:00Z), date, or span (90m 36h 7d 2w)";
    counter->has_since = c->since != NULL;
    counter->has_until = c->until != NULL;
    if (c->since != NULL && time_parse(view_of(c->since), now, &counter->since) != ST_OK)
        return error_set(err, ST_USAGE, "--since \"%.80s\" %s", c->since, form);
    if (c->until != NULL && time_parse(view_of(c->until), now, &counter->until) != ST_OK)
        return error_set(err, ST_USAGE, "--until \"%.80s\" %s", c->until, form);
    if (c->since != NULL && c->until != NULL &&
        instant_compare(counter->since, counter->until) >= 0)
        return error_set(err, ST_USAGE, "--since \"%.80s\" is not before --until \"%.80s\"",
                         c->since, c->until);
    return ST_OK;
}

static enum status choose_numbers(const struct choice *c, struct settings *s, struct error *err)
{
    uint64_t number;
    long processors = sysconf(_SC_NPROCESSORS_ONLN);
    s->pipeline.jobs = processors < 1 ? 1 : processors > MAX_JOBS ? MAX_JOBS : (unsigned)processors;
    if (c->jobs != NULL) {
        if (view_parse_u64(view_of(c->jobs), MAX_JOBS, &number) != ST_OK || number == 0)
            return error_set(err, ST_USAGE, "--jobs \"%.80s\" is no number from 1 to %d", c->jobs,
                             MAX_JOBS);
        s->pipeline.jobs = (unsigned)number;
    }
    if (c->top != NULL) {
        if (view_parse_u64(view_of(c->top), MAX_TOP, &number) != ST_OK || number == 0)
            return error_set(err, ST_USAGE, "--top \"%.80s\" is no number from 1 to %d", c->top,
                             MAX_TOP);
        s->has_top = true;
        s->top = (size_t)number;
    }
    return ST_OK;
}

static enum status read_environment(struct settings *s, struct error *err)
{
    struct counter_options *counter = &s->pipeline.counter;
    uint64_t chunk;
    enum status st = config_get_u64("MAX_OBJECT_BYTES", default_max_object_bytes, 1, UINT64_MAX / 2,
                                    &counter->max_object_bytes, err);
    if (st == ST_OK)
        st = config_get_bool("METRIC_LATENCY", false, &counter->latency, err);
    /* For tests: how much is scanned at a time, and with which instructions. */
    if (st == ST_OK)
        st = config_get_u64("BEDROCK_METRICS_CHUNK", 0, 1, 1 << 30, &chunk, err);
    if (st != ST_OK)
        return st;
    counter->chunk_bytes = (size_t)chunk;
    const char *kernel = config_get("BEDROCK_METRICS_SIMD", "auto");
    st = scan_select(view_of(kernel));
    if (st != ST_OK)
        return error_set(err, ST_USAGE,
                         "BEDROCK_METRICS_SIMD: \"%.80s\" %s; known are auto, avx2, sse2, neon, "
                         "scalar",
                         kernel, st == ST_MISSING ? "cannot run here" : "is unknown");
    metric_set on = METRIC_SET_BASE | METRIC_SET_COST;
    if (counter->latency)
        on |= METRIC_BIT(METRIC_LATENCY);
    return config_get_metrics(on, &s->metrics, err);
}

static enum status read_profiles(const struct choice *c, struct settings *s, struct error *err)
{
    const char *path =
        c->profiles != NULL ? c->profiles : config_get("INFERENCE_PROFILES_FILE", NULL);
    if (path == NULL)
        return ST_OK;
    struct buf text;
    struct error detail = {0};
    enum status st = read_file(path, &text, &detail);
    s->profiles = profiles_new();
    if (st == ST_OK)
        st = s->profiles == NULL ? ST_NO_MEMORY
                                 : profiles_add_json(s->profiles, buf_view(&text), &detail);
    buf_clear(&text);
    if (st != ST_OK)
        return error_set(err, ST_USAGE, "inference profiles file \"%.80s\": %s", path, detail.text);
    return ST_OK;
}

static enum status read_prices(const struct choice *c, struct settings *s, struct error *err)
{
    const char *path = c->prices != NULL ? c->prices : config_get("PRICES_FILE", NULL);
    struct error detail = {0};
    enum status st = prices_open(path, &s->prices, &detail);
    if (st == ST_NO_MEMORY)
        return error_set(err, st, "out of memory");
    if (st != ST_OK)
        return error_set(err, ST_USAGE, "price list \"%.80s\": %s",
                         path != NULL ? path : "built in", detail.text);
    struct prices_info info = prices_info(s->prices);
    int64_t day = info.own_as_of_day != PRICE_NO_DAY ? info.own_as_of_day : info.as_of_day;
    rfc3339_format(day * 86400, s->prices_as_of);
    s->prices_as_of[10] = '\0';
    return ST_OK;
}

static enum status settle(const struct choice *c, struct settings *s, struct error *err)
{
    struct counter_options *counter = &s->pipeline.counter;
    enum status st = common_options_apply(&c->common, err);
    if (st == ST_OK)
        st = dimension_set_parse(view_of(c->by != NULL ? c->by : "InferenceProfileType,ModelId"),
                                 &s->keys, &s->set, err);
    if (st != ST_OK)
        return st;
    s->interval = c->interval != NULL ? c->interval : "all";
    if (interval_parse(view_of(s->interval), &counter->aggregate.interval_seconds) != ST_OK)
        return error_set(err, ST_USAGE,
                         "unknown --interval \"%.80s\"; known are 1m, 5m, 1h, 1d, all",
                         s->interval);
    st = choose_times(c, counter, err);
    if (st == ST_OK)
        st = choose_output(c->output != NULL ? c->output : "table", s, err);
    if (st == ST_OK)
        st = choose_numbers(c, s, err);
    if (st == ST_OK)
        st = read_environment(s, err);
    if (st == ST_OK)
        st = read_profiles(c, s, err);
    if (st == ST_OK)
        st = read_prices(c, s, err);
    counter->aggregate.sets = &s->set;
    counter->aggregate.set_count = 1;
    counter->aggregate.keys = &s->keys;
    counter->aggregate.profiles = s->profiles;
    counter->aggregate.prices = s->prices;
    counter->aggregate.on_novelty = novelty_report;
    counter->log_skips = log_level_now() <= LOG_WARN;
    return st;
}

/* ---- the run ---- */

static size_t terminal_width(bool to_file)
{
    struct winsize size;
    if (to_file || !isatty(STDOUT_FILENO))
        return 0;
    if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0)
        return size.ws_col;
    return 80;
}

static enum status write_report(const struct choice *c, const struct settings *s,
                                struct aggregate *aggregate, const struct tally *tally,
                                struct error *err)
{
    struct out_file out;
    enum status st = out_file_open(&out, c->out, err);
    if (st != ST_OK)
        return st;
    bool terminal = c->out == NULL && isatty(STDOUT_FILENO);
    struct report report = {
        .aggregate = aggregate,
        .interval = s->interval,
        .metrics = s->metrics,
        .balance = balance_of(tally),
        .prices_as_of = s->prices_as_of,
        .width = terminal_width(c->out != NULL),
        .colour = terminal && config_get("NO_COLOR", NULL) == NULL,
    };
    errno = 0;
    st = s->write(&report, out.file);
    if (st == ST_OK)
        return out_file_close(&out, err);
    if (st == ST_IO)
        (void)error_set(err, st, "%s: %s", c->out != NULL ? c->out : "standard output",
                        strerrordesc_np(errno));
    else
        (void)error_set(err, st, "out of memory");
    out_file_abandon(&out);
    return st;
}

/* Ahead of the run, how much there is: for the time left. */
struct measure {
    const struct sources *sources;
    struct progress *progress;
    uint64_t bytes, objects;
    pthread_t thread;
    bool started;
    volatile bool stop;
};

static enum status measure_found(void *context, const struct object_ref *ref,
                                 enum object_found found, const struct error *err)
{
    struct measure *m = context;
    (void)err;
    if (__atomic_load_n(&m->stop, __ATOMIC_RELAXED))
        return ST_CANCELLED;
    if (found == OBJECT_FOUND && object_key_skip(ref->key) == OBJECT_READ) {
        m->bytes += ref->size;
        m->objects++;
    }
    return ST_OK;
}

static void *measure_main(void *context)
{
    struct measure *m = context;
    enum status st = ST_OK;
    for (size_t i = 0; i < m->sources->count && st == ST_OK; i++)
        st = source_list(m->sources->list[i], measure_found, m);
    if (st == ST_OK)
        progress_expect(m->progress, m->bytes, m->objects, true);
    return NULL;
}

static void begin_progress(const struct choice *c, struct measure *m)
{
    if (c->common.quiet || !isatty(STDERR_FILENO))
        return;
    m->progress = progress_new();
    m->started = m->progress != NULL && pthread_create(&m->thread, NULL, measure_main, m) == 0;
}

static void end_progress(struct measure *m)
{
    __atomic_store_n(&m->stop, true, __ATOMIC_RELAXED);
    if (m->started)
        pthread_join(m->thread, NULL);
    progress_free(m->progress);
}

static int finish(const struct choice *c, const struct tally *tally)
{
    if (!c->common.quiet)
        balance_print(tally, stderr);
    if (!tally_balances(tally)) {
        LOG_MESSAGE(LOG_ERROR, "the balance does not hold: this is a bug, please report it");
        return EXIT_FOUND_FAULTS;
    }
    return tally->objects.failed > 0 ? EXIT_FOUND_FAULTS : EXIT_DONE;
}

static int run(const struct choice *c, struct settings *s, const struct sources *sources)
{
    struct error err = {0};
    struct aggregate *aggregate = NULL;
    struct tally tally;
    struct measure measure = {.sources = sources};
    out_file_catch_signals();
    begin_progress(c, &measure);
    s->pipeline.progress = measure.progress;
    enum status st = pipeline_run(sources->list, sources->count, &s->pipeline, &aggregate, &tally, &err);
    end_progress(&measure);
    uint64_t folded = 0;
    if (st == ST_OK && s->has_top)
        st = aggregate_fold(aggregate, s->top, &folded);
    if (st == ST_OK && folded > 0)
        LOG_EVENT(LOG_INFO, "series folded into Other", log_u64("series", folded));
    if (st == ST_OK && !c->dry_run)
        st = write_report(c, s, aggregate, &tally, &err);
    aggregate_free(aggregate);
    if (st != ST_OK) {
        fprintf(stderr, "bedrock-metrics aggregate: %s\n",
                err.text[0] != '\0' ? err.text : "out of memory");
        return EXIT_FOUND_FAULTS;
    }
    return finish(c, &tally);
}

int cmd_aggregate(int argc, char **argv)
{
    struct choice c = {0};
    struct settings s = {0};
    struct error err = {0};
    struct option_spec specs[COMMON_OPTION_COUNT + 11] = {
        {"by", "DIMENSION,...",
         "sum for each combination of these (default\n"
         "InferenceProfileType,ModelId): InferenceProfileType,\n"
         "InferenceProfile, ModelId, SourceRegion,\n"
         "InferenceRegion, AccountId, Operation, Principal,\n"
         "Metadata:<key>, Tag:<key>",
         &c.by, NULL},
        {"interval", "1m|5m|1h|1d|all", "a row for each span of time (default all)", &c.interval,
         NULL},
        {"since", "TIME", "only records at or after TIME", &c.since, NULL},
        {"until", "TIME", "only records before TIME", &c.until, NULL},
        {"top", "N", "keep the N largest, sum up the others as Other", &c.top, NULL},
        {"output", "FORMAT", "table (default), json, csv or openmetrics", &c.output, NULL},
        {"out", "FILE", "write the result to FILE, whole or not at all", &c.out, NULL},
        {"jobs", "N", "objects read at a time (default: processors)", &c.jobs, NULL},
        {"profiles", "FILE",
         "what application inference profiles stand for: the\n"
         "output of \"aws bedrock list-inference-profiles\"",
         &c.profiles, NULL},
        {"prices", "FILE",
         "list prices over the built-in ones, row by row\n"
         "(default PRICES_FILE; see \"bedrock-metrics prices\")",
         &c.prices, NULL},
        {"dry-run", NULL, "read and check everything, write no result", NULL, &c.dry_run},
    };
    int count;
    common_options_table(&c.common, specs + 11);
    size_t spec_count = sizeof(specs) / sizeof(specs[0]);
    enum status st = options_parse(specs, spec_count, argc, argv, &count, &err);
    if (st == ST_END) {
        options_help(&this_command, specs, spec_count);
        return EXIT_DONE;
    }
    if (st == ST_OK && count == 0)
        st = error_set(&err, ST_USAGE, "no SOURCE given");
    if (st == ST_OK)
        st = settle(&c, &s, &err);
    struct sources sources = {0};
    if (st == ST_OK) {
        const struct counter_options *counter = &s.pipeline.counter;
        struct sources_range range = {counter->has_since, counter->has_until, counter->since,
                                      counter->until};
        st = sources_open(&sources, argv, (size_t)count, &range, &err);
    }
    int status;
    if (st == ST_OK)
        status = run(&c, &s, &sources);
    else if (st == ST_NO_MEMORY)
        status = EXIT_FOUND_FAULTS;
    else
        status = usage_error("aggregate", err.text);
    sources_close(&sources);
    profiles_free(s.profiles);
    prices_free(s.prices);
    return status;
}
