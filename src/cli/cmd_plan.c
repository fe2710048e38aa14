#include "cli/cmd_plan.h"

#include <errno.h>
#include <time.h>

#include "cli/counting.h"
#include "cli/options.h"
#include "cli/out_file.h"
#include "config/config.h"
#include "config/dimension_sets.h"
#include "config/interval.h"
#include "config/settings_sources.h"
#include "count/pipeline.h"
#include "report/report.h"
#include "tools/plan_report.h"

enum { MAX_TOP = 1000, MAX_SERIES = 1000000, HOUR_S = 3600 };
enum { MAX_RESULT_BYTES = 256 << 20 };

static const struct command this_command = {
    .name = "plan",
    .synopsis = "SOURCE... [OPTIONS]",
    .summary =
        "Count the series and metrics that the logs would publish for a choice of dimensions, and\n"
        "what CloudWatch would charge for them in a month.",
    .details =
        "SOURCE is a log file (gzip or plain), a folder (with all below it), - for standard "
        "input,\n"
        "or s3://BUCKET[/PREFIX], of which --since and --until list little.  Nothing is "
        "published.\n"
        "\n"
        "A metric is billed for each hour in which it is published.  The month's bill is\n"
        "extrapolated from the time between the first and the last record; list prices are\n"
        "assumed.  MAX_SERIES_PER_SET is applied to every hour.\n"
        "\n"
        "Exit status: 0 done; 1 done, but an object failed (it is named); 2 wrong usage.\n"
        "\n"
        "Examples:\n"
        "  bedrock-metrics plan logs/ --since 7d\n"
        "  bedrock-metrics plan logs/ --dimensions 'InferenceProfileType;ModelId,Principal'\n"
        "  bedrock-metrics plan logs/ --metrics Invocations,TotalTokenCount --output json\n",
};

struct choice {
    const char *dimensions, *metrics, *since, *until, *resolution, *max_series, *price, *output;
    const char *out, *top, *jobs, *profiles, *prices;
    struct common_options common;
};

struct settings {
    struct dimension_sets sets;
    struct counting counting;
    struct pipeline_options pipeline;
    struct plan_options count;
    uint64_t resolution;
    bool own_price;
    uint64_t micro_usd;
    bool json;
};

/* ---- the choice ---- */

static enum status choose_sets(const struct choice *c, struct settings *s, struct error *err)
{
    struct error detail = {0};
    const char *text = c->dimensions;
    if (text == NULL)
        text = config_get("METRIC_DIMENSIONS", DIMENSION_SETS_DEFAULT);
    enum status st = dimension_sets_parse(view_of(text), &s->sets, &detail);
    if (st == ST_OK)
        return st;
    return error_set(err, st, detail.code, "%s: %s",
                     c->dimensions != NULL ? "--dimensions" : "METRIC_DIMENSIONS", detail.text);
}

/* As the function and the worker choose: all, the cost too, because there is always a price list.
 */
static enum status choose_metrics(const struct choice *c, struct settings *s, struct error *err)
{
    struct error detail = {0};
    s->count.metrics = s->counting.metrics;
    if (c->metrics != NULL) {
        enum status st =
            dimension_sets_parse_metrics(view_of(c->metrics), &s->count.metrics, &detail);
        if (st != ST_OK)
            return error_set(err, st, detail.code, "--metrics: %s", detail.text);
    }
    /* A latency asked for by name has to be read. */
    s->counting.options.latency = (s->count.metrics & METRIC_BIT(METRIC_LATENCY)) != 0;
    return ST_OK;
}

static enum status choose_resolution(const struct choice *c, struct settings *s, struct error *err)
{
    struct error detail = {0};
    const char *text = c->resolution;
    if (text == NULL)
        text = config_get("METRIC_RESOLUTION", "60");
    enum status st = dimension_sets_parse_resolution(view_of(text), &s->resolution, &detail);
    if (st == ST_OK)
        return st;
    return error_set(err, st, detail.code, "%s: %s",
                     c->resolution != NULL ? "--resolution" : "METRIC_RESOLUTION", detail.text);
}

static enum status choose_number(const char *option, const char *text, uint64_t high, uint64_t *out,
                                 struct error *err)
{
    if (text == NULL)
        return ST_OK;
    uint64_t number;
    if (view_parse_u64(view_of(text), high, &number) != ST_OK || number == 0)
        return error_set(err, ST_USAGE, E_U208, "--%s \"%.80s\" is no number from 1 to %llu",
                         option, text, (unsigned long long)high);
    *out = number;
    return ST_OK;
}

static enum status choose_numbers(const struct choice *c, struct settings *s, struct error *err)
{
    uint64_t top = 3;
    enum status st =
        config_get_u64("MAX_SERIES_PER_SET", 500, 1, MAX_SERIES, &s->count.max_series, err);
    if (st == ST_OK)
        st = choose_number("max-series", c->max_series, MAX_SERIES, &s->count.max_series, err);
    if (st == ST_OK)
        st = choose_number("top", c->top, MAX_TOP, &top, err);
    s->count.top = (size_t)top;
    if (st != ST_OK || c->price == NULL)
        return st;
    s->own_price = true;
    if (bill_parse_usd(view_of(c->price), &s->micro_usd) == ST_OK)
        return ST_OK;
    return error_set(err, ST_USAGE, E_U208,
                     "--price-per-metric \"%.80s\" is no amount in dollars such as 0.3", c->price);
}

static enum status choose_output(const struct choice *c, struct settings *s, struct error *err)
{
    const char *name = c->output != NULL ? c->output : "text";
    s->json = strcmp(name, "json") == 0;
    if (s->json || strcmp(name, "text") == 0)
        return ST_OK;
    return error_set(err, ST_USAGE, E_U299, "unknown --output \"%.80s\"; known are text, json",
                     name);
}

static enum status settle(const struct choice *c, struct settings *s, struct error *err)
{
    struct counting_choice counting = {c->jobs, c->profiles, c->prices, NULL};
    struct counter_options *counter = &s->counting.options;
    enum status st = common_options_apply(&c->common, err);
    if (st == ST_OK)
        st = choose_sets(c, s, err);
    if (st == ST_OK)
        st = counting_settle(&counting, &s->counting, err);
    if (st == ST_OK)
        st = choose_metrics(c, s, err);
    if (st == ST_OK)
        st = choose_resolution(c, s, err);
    if (st == ST_OK)
        st = choose_numbers(c, s, err);
    if (st == ST_OK)
        st = counting_settle_times(c->since, c->until, counter, err);
    if (st == ST_OK)
        st = choose_output(c, s, err);
    counter->aggregate.sets = s->sets.set;
    counter->aggregate.set_count = s->sets.count;
    counter->aggregate.keys = &s->sets.keys;
    counter->aggregate.interval_seconds = HOUR_S;
    s->pipeline = (struct pipeline_options){.counter = *counter, .jobs = s->counting.jobs};
    return st;
}

/* ---- the run ---- */

static int64_t hour_of(int64_t seconds)
{
    int64_t hour = seconds / HOUR_S;
    return seconds % HOUR_S < 0 ? hour - 1 : hour;
}

/* Requests while there are records: one round a minute, each metric once for every bucket of it. */
static uint64_t count_requests(const struct plan_series *series, uint64_t resolution)
{
    uint64_t requests = 0, buckets = resolution < 60 ? 60 / resolution : 1;
    for (size_t i = 0; i < series->hour_count; i++)
        requests += 60 * ((series->hours[i].data * buckets + BILL_DATA_PER_REQUEST - 1) /
                          BILL_DATA_PER_REQUEST);
    return requests;
}

static void fill_report(const struct settings *s, const struct plan_series *series,
                        const struct tally *tally, struct plan_report *r)
{
    uint64_t kept = 0, whole = 0;
    *r = (struct plan_report){
        .series = series,
        .tally = tally,
        .metrics = s->count.metrics,
        .max_series = s->count.max_series,
        .resolution = (unsigned)s->resolution,
        .requests = count_requests(series, s->resolution),
        .own_price = s->own_price,
    };
    if (tally->has_times)
        r->hours = (uint64_t)(hour_of(tally->last_time) - hour_of(tally->first_time)) + 1;
    if (s->own_price) {
        r->tiers[0] = (struct bill_tier){UINT64_MAX, s->micro_usd};
        r->tier_count = 1;
    } else {
        r->tier_count = bill_list_tiers(r->tiers);
    }
    for (size_t i = 0; i < series->set_count; i++) {
        kept += series->sets[i].kept_metric_hours;
        whole += series->sets[i].metric_hours;
    }
    bill_metrics(r->tiers, r->tier_count, kept, BILL_MONTH_HOURS, &r->observed);
    if (r->hours == 0)
        return;
    bill_metrics(r->tiers, r->tier_count, kept, r->hours, &r->month);
    bill_metrics(r->tiers, r->tier_count, whole, r->hours, &r->month_whole);
}

static enum status write_out(const struct choice *c, const struct settings *s,
                             const struct plan_report *report, struct error *err)
{
    struct buf text;
    struct out_file out;
    buf_init(&text, MAX_RESULT_BYTES);
    if (s->json)
        plan_report_json(report, &text);
    else
        plan_report_text(report, &text);
    enum status st = buf_status(&text);
    if (st == ST_OK)
        st = out_file_open(&out, c->out, err);
    if (st != ST_OK) {
        buf_clear(&text);
        return st;
    }
    errno = 0;
    if (fwrite(text.ptr, 1, text.len, out.file) == text.len) {
        st = out_file_close(&out, err);
    } else {
        st = error_set(err, ST_IO, c->out != NULL ? code_of_errno(errno, E_F109) : E_R110, "%s: %s",
                       c->out != NULL ? c->out : "standard output", strerrordesc_np(errno));
        out_file_abandon(&out);
    }
    buf_clear(&text);
    return st;
}

static int run(const struct choice *c, const struct settings *s, const struct sources *sources)
{
    struct error err = {0};
    struct aggregate *aggregate = NULL;
    struct plan_series series = {0};
    struct plan_report report;
    struct tally tally;
    out_file_catch_signals();
    enum status st =
        pipeline_run(sources->list, sources->count, &s->pipeline, &aggregate, &tally, &err);
    if (st == ST_OK)
        st = plan_series_count(aggregate, &s->count, &series);
    if (st == ST_OK) {
        fill_report(s, &series, &tally, &report);
        st = write_out(c, s, &report, &err);
    }
    plan_series_clear(&series);
    aggregate_free(aggregate);
    if (st != ST_OK)
        return run_failed("plan", &err);
    if (!c->common.quiet)
        report_print_tally(&tally, stderr);
    return tally.objects.failed > 0 ? EXIT_FOUND_FAULTS : EXIT_DONE;
}

int cmd_plan(int argc, char **argv)
{
    struct choice c = {0};
    static struct settings s; /* too large for a stack that may be small */
    struct error err = {0};
    struct option_spec specs[COMMON_OPTION_COUNT + 13] = {
        {"dimensions", "SETS",
         "the sets to publish, separated by ; (default\n"
         "METRIC_DIMENSIONS, else\n" DIMENSION_SETS_DEFAULT ")",
         &c.dimensions, NULL},
        {"metrics", "NAME,...",
         "the metrics to publish (default METRICS, else all,\n"
         "the estimated cost included)",
         &c.metrics, NULL},
        {"since", "TIME", "only records at or after TIME", &c.since, NULL},
        {"until", "TIME", "only records before TIME", &c.until, NULL},
        {"resolution", "SECONDS", "length of a bucket (default METRIC_RESOLUTION, else 60)",
         &c.resolution, NULL},
        {"max-series", "N",
         "largest series kept of a set, the others become\n"
         "Other (default MAX_SERIES_PER_SET, else 500)",
         &c.max_series, NULL},
        {"price-per-metric", "USD", "a metric's price for a month, instead of the list's", &c.price,
         NULL},
        {"top", "N", "values shown of each dimension (default 3)", &c.top, NULL},
        {"output", "FORMAT", "text (default) or json", &c.output, NULL},
        {"out", "FILE", "write the result to FILE, whole or not at all", &c.out, NULL},
        {"jobs", "N", "objects read at a time (default: processors)", &c.jobs, NULL},
        {"profiles", "FILE",
         "what application inference profiles stand for: the\n"
         "output of \"aws bedrock list-inference-profiles\"",
         &c.profiles, NULL},
        {"prices", "FILE", "list prices of models over the built-in ones", &c.prices, NULL},
    };
    int count;
    common_options_table(&c.common, specs + 13);
    size_t spec_count = sizeof(specs) / sizeof(specs[0]);
    enum status st = options_parse(specs, spec_count, argc, argv, &count, &err);
    if (st == ST_END) {
        options_help(&this_command, specs, spec_count);
        return EXIT_DONE;
    }
    if (st == ST_OK && count == 0)
        st = error_set(&err, ST_USAGE, E_U107, "no SOURCE given");
    if (st == ST_OK)
        st = settle(&c, &s, &err);
    struct sources sources = {0};
    if (st == ST_OK)
        st = counting_open(&s.pipeline.counter, argv, (size_t)count, &sources, &err);
    int status;
    if (st == ST_OK)
        status = run(&c, &s, &sources);
    else
        status = start_failed("plan", st, &err);
    sources_close(&sources);
    counting_clear(&s.counting);
    return status;
}
