/* cmd_plan.c: series, metrics and CloudWatch bill of a choice of dimensions, before paying it. */
#include <time.h>

#include "base/stop.h"
#include "cli/commands.h"
#include "cli/counting.h"
#include "cli/out_file.h"
#include "config/dimension_sets.h"
#include "config/variables.h"
#include "report/report.h"
#include "tools/plan.h"

enum { MAX_TOP = 1000, MAX_SERIES = 1000000, HOUR_S = 3600 };
enum { MAX_RESULT_BYTES = 256 << 20 };

struct options {
    const char *dimensions, *metrics, *since, *until, *resolution, *price, *out;
    uint64_t max_series, top;
    enum output_form output;
    struct counting_choice counting;
    /* resolved */
    struct dimension_sets sets;
    struct counting counted;
    struct plan_options plan;
    uint64_t resolution_s;
    uint64_t micro_usd; /* of `price` */
};

static const struct option rows[] = {
    {"dimensions", "SETS",
     "the sets to publish, separated by ; (default\n"
     "METRIC_DIMENSIONS)",
     OPT_TEXT(dimensions)},
    {"metrics", "NAME,...",
     "the metrics to publish (default METRICS, else all,\n"
     "the estimated cost included)",
     OPT_TEXT(metrics)},
    {"since", "TIME", "only records at or after TIME", OPT_TEXT(since)},
    {"until", "TIME", "only records before TIME", OPT_TEXT(until)},
    {"resolution", "SECONDS", "length of a bucket (default METRIC_RESOLUTION)",
     OPT_TEXT(resolution)},
    {"max-series", "N",
     "keep the N largest series of each set; fold the others\n"
     "into Other (default MAX_SERIES_PER_SET)",
     OPT_NUMBER(max_series, 1, MAX_SERIES, 0)},
    {"price-per-metric", "USD", "monthly price per metric, instead of the list price",
     OPT_TEXT(price)},
    {"top", "N", "values shown of each dimension (default 3)", OPT_NUMBER(top, 1, MAX_TOP, 3)},
    OUTPUT_OPTION,
    OUT_OPTION,
    JOBS_OPTION,
    PROFILES_OPTION,
    PRICES_OPTION,
};

/* ---- the choice ---- */

static enum status choose_numbers(struct options *o, struct error *err)
{
    enum status st = variable_number(VAR_MAX_SERIES_PER_SET, &o->plan.max_series, err);
    if (o->max_series != 0)
        o->plan.max_series = o->max_series;
    o->plan.top = (size_t)o->top;
    if (st != ST_OK || o->price == NULL ||
        bill_parse_usd(view_of(o->price), &o->micro_usd) == ST_OK)
        return st;
    return error_set(err, ST_USAGE, E_U208,
                     "--price-per-metric \"%.80s\" is not an amount in dollars such as 0.3",
                     o->price);
}

static enum status open_plan(struct invocation *in, struct error *err)
{
    struct options *o = in->options;
    enum status st = dimension_sets_choose(o->dimensions, &o->sets, err);
    if (st == ST_OK)
        st = counting_resolve(&o->counting, &o->counted, err);
    if (st == ST_OK)
        st = dimension_sets_choose_metrics(o->metrics, &o->plan.metrics, err);
    /* A latency asked for by name has to be read. */
    o->counted.pipeline.counter.latency = (o->plan.metrics & METRIC_BIT(METRIC_LATENCY)) != 0;
    if (st == ST_OK)
        st = dimension_sets_choose_resolution(o->resolution, &o->resolution_s, err);
    if (st == ST_OK)
        st = choose_numbers(o, err);
    if (st == ST_OK)
        st = counting_resolve_times(o->since, o->until, &o->counted, err);
    counting_by(&o->counted, &o->sets.keys, o->sets.set, o->sets.count, HOUR_S);
    if (st == ST_OK)
        st = counting_open(&o->counted, in->words, in->word_count, err);
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

static void fill_report(const struct options *o, const struct plan_series *series,
                        const struct tally *tally, struct plan_report *r)
{
    uint64_t kept = 0, whole = 0;
    *r = (struct plan_report){
        .series = series,
        .tally = tally,
        .metrics = o->plan.metrics,
        .max_series = o->plan.max_series,
        .resolution = (unsigned)o->resolution_s,
        .requests = count_requests(series, o->resolution_s),
        .own_price = o->price != NULL,
    };
    if (tally->has_times)
        r->hours = (uint64_t)(hour_of(tally->last_time) - hour_of(tally->first_time)) + 1;
    if (o->price != NULL) {
        r->tiers[0] = (struct bill_tier){UINT64_MAX, o->micro_usd};
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

static enum status run(struct invocation *in, struct error *err)
{
    struct options *o = in->options;
    struct aggregate *aggregate = NULL;
    struct plan_series series = {0};
    struct plan_report report;
    struct tally tally;
    struct buf text;
    buf_init(&text, MAX_RESULT_BYTES);
    stop_catch_signals(STOP_AT_ONCE);
    enum status st = counting_run(&o->counted, &aggregate, &tally, err);
    if (st == ST_OK)
        st = plan_series_count(aggregate, &o->plan, &series);
    if (st == ST_OK) {
        fill_report(o, &series, &tally, &report);
        (o->output == AS_JSON ? plan_add_json : plan_add_text)(&report, &text);
        st = out_file_write(o->out, &text, err);
    }
    buf_clear(&text);
    plan_series_clear(&series);
    aggregate_free(aggregate);
    if (st != ST_OK)
        return st;
    if (!in->common.quiet)
        report_print_tally(&tally, stderr);
    if (tally.objects.failed > 0)
        in->exit = EXIT_FOUND_FAULTS;
    return ST_OK;
}

static void close_plan(void *options)
{
    counting_clear(&((struct options *)options)->counted);
}

COMMAND(plan) = {
    .group = GROUP_LOGS,
    .name = "plan",
    .synopsis = "SOURCE... [OPTIONS]",
    .summary = "Series and CloudWatch bill of a choice of dimensions",
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
    .word = "SOURCE",
    .min_words = 1,
    .max_words = SIZE_MAX,
    .reads = READ_COUNTING | READ_SOURCES | READ_SETS,
    COMMAND_OPTIONS(rows),
    .open = open_plan,
    .run = run,
    .close = close_plan,
};
