/* cmd_report.c: usage as one offline page, or as table, JSON or CSV, from a store or from logs. */
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/log.h"
#include "base/stop.h"
#include "cli/commands.h"
#include "cli/counting.h"
#include "cli/option_values.h"
#include "cli/out_file.h"
#include "config/config.h"
#include "count/pipeline.h"
#include "report/page.h"
#include "serve/page_query.h"
#include "store/usage.h"

enum { MAX_TOP = 1000000000 };

struct options {
    enum { HTML, TABLE, JSON, CSV } output;
    const char *store, *out, *by, *interval, *since, *until;
    uint64_t top; /* 0: all */
    struct counting_choice counting;
    /* resolved */
    struct dimension_keys keys;
    struct dimension_set sets[PAGE_SETS];
    size_t set_count;
    int64_t interval_seconds;
    struct sources_range range;
    struct instant now;
    struct counting counted;
};

static const struct option rows[] = {
    {"store", "FILE", "take the figures from the store of \"serve\"",
     OPT_TEXT(struct options, store)},
    {"output", "html|table|json|csv", "form of the result (default html)",
     OPT_CHOICE(struct options, output)},
    OUT_OPTION(struct options),
    {"since", "TIME", "only records at or after TIME", OPT_TEXT(struct options, since)},
    {"until", "TIME", "only records before TIME", OPT_TEXT(struct options, until)},
    {"by", "DIMENSION,...",
     "table, json, csv: sum for each combination of these\n"
     "(default InferenceProfileType,ModelId)",
     OPT_TEXT(struct options, by)},
    {"interval", "1m|5m|1h|1d|all", "table, json, csv: a row for each span of time (default\nall)",
     OPT_TEXT(struct options, interval)},
    {"top", "N", "table, json, csv: keep the N largest, the others as Other",
     OPT_NUMBER(struct options, top, 1, MAX_TOP, 0)},
    ALLOW_OPTION(struct options),
    JOBS_OPTION(struct options),
    PROFILES_OPTION(struct options),
    PRICES_OPTION(struct options),
};

/* What is to be written, from wherever. */
struct figures {
    struct usage *usage; /* the store, which the names of dimensions are in; NULL: none */
    struct aggregate *aggregate;
    struct tally tally;
    struct usage_answer answer; /* of a store: what was folded */
    char *source;               /* for people */
};

/* ---- choices ---- */

/* A store keeps whole minutes. */
static enum status check_minute(const char *option, const char *text, struct instant time,
                                struct error *err)
{
    if (text == NULL || (time.seconds % 60 == 0 && time.nanos == 0))
        return ST_OK;
    return error_set(err, ST_USAGE, E_U204, "%s \"%.80s\" must be a whole minute with --store",
                     option, text);
}

static enum status choose_times(struct options *o, struct error *err)
{
    struct sources_range range = {0};
    struct instant now = o->now = time_option_now();
    if (o->store != NULL)
        now = (struct instant){now.seconds / 60 * 60, 0};
    enum status st = time_option_range(o->since, o->until, now, &range, err);
    if (st == ST_OK && o->store != NULL)
        st = check_minute("--since", o->since, range.since, err);
    if (st == ST_OK && o->store != NULL)
        st = check_minute("--until", o->until, range.until, err);
    o->range = range;
    return st;
}

/* The page has its own dimensions and intervals. */
static enum status choose_page(struct options *o, struct error *err)
{
    const char *extra = o->by != NULL         ? "by"
                        : o->interval != NULL ? "interval"
                        : o->top != 0         ? "top"
                                              : NULL;
    if (extra != NULL)
        return error_set(err, ST_USAGE, E_U108,
                         "--%s is for table, json and csv; a page has them all", extra);
    page_sets(o->sets);
    o->set_count = PAGE_SETS;
    o->interval_seconds = PAGE_INTERVAL;
    return ST_OK;
}

static enum status choose_rows(struct options *o, struct error *err)
{
    o->set_count = 1;
    if (o->interval == NULL)
        o->interval = "all";
    enum status st =
        dimension_set_parse(view_of(o->by != NULL ? o->by : "InferenceProfileType,ModelId"),
                            &o->keys, &o->sets[0], err);
    if (st != ST_OK)
        return st;
    if (interval_parse(view_of(o->interval), &o->interval_seconds) != ST_OK)
        return error_set(err, ST_USAGE, E_U299,
                         "unknown --interval \"%.80s\"; known are 1m, 5m, 1h, 1d, all",
                         o->interval);
    return ST_OK;
}

static enum status open_report(struct invocation *in, struct error *err)
{
    struct options *o = in->options;
    if ((in->word_count == 0) == (o->store == NULL))
        return error_set(err, ST_USAGE, o->store == NULL ? E_U107 : E_U108,
                         o->store == NULL ? "neither --store FILE nor SOURCE given"
                                          : "--store FILE and SOURCE are given, take one");
    enum status st = o->output == HTML ? choose_page(o, err) : choose_rows(o, err);
    if (st == ST_OK)
        st = choose_times(o, err);
    if (st == ST_OK)
        st = counting_resolve(&o->counting, &o->counted, err);
    if (st == ST_OK && o->output == HTML && o->out == NULL && isatty(STDOUT_FILENO))
        st = error_set(err, ST_USAGE, E_U109,
                       "a page does not belong on a terminal: give --out FILE");
    return st;
}

/* ---- figures ---- */

static enum status from_store(struct options *o, struct figures *f, struct error *err)
{
    struct usage *usage = NULL;
    struct usage_answer answer = {0};
    struct page_query page = {
        .has_since = o->range.has_since,
        .has_until = o->range.has_until,
        .since = o->range.since.seconds,
        .until = o->range.until.seconds,
    };
    unsigned step;
    struct usage_query query = {
        .sets = o->sets,
        .set_count = o->set_count,
        .interval_seconds = o->interval_seconds,
        .has_since = o->range.has_since,
        .has_until = o->range.has_until,
        .since = o->range.since.seconds,
        .until = o->range.until.seconds,
    };
    enum status st = usage_open(o->store, STORE_READ, VIEW_EMPTY, &usage, err);
    if (st == ST_OK && !o->range.has_since && !o->range.has_until)
        page.first_step = page_query_last_step(usage);
    if (st == ST_OK)
        st = o->output == HTML ? page_query_ask(usage, &page, &answer, &step, err)
                               : usage_ask(usage, &query, &answer, err);
    if (st == ST_OK) {
        f->aggregate = answer.aggregate;
        f->tally = answer.tally;
        f->answer = answer;
        /* The dates of the lists that the costs in the store were made with. */
        (void)snprintf(o->counted.prices_as_of, sizeof(o->counted.prices_as_of), "%.31s",
                       usage_prices(usage));
        f->source = strdup(usage_folder(usage));
        u128 sums[METRIC_COUNT];
        aggregate_totals(f->aggregate, sums);
        if (sums[METRIC_DISALLOWED_TOKENS] > 0 || sums[METRIC_DISALLOWED_INVOCATIONS] > 0)
            o->counted.metrics |= METRIC_SET_GUARD;
    }
    f->usage = usage;
    return st;
}

static enum status from_logs(const struct invocation *in, struct figures *f, struct error *err)
{
    const struct options *o = in->options;
    struct pipeline_options options = {.counter = o->counted.options, .jobs = o->counted.jobs};
    struct counter_options *counter = &options.counter;
    counter->aggregate.sets = o->sets;
    counter->aggregate.set_count = o->set_count;
    counter->aggregate.keys = &o->keys;
    counter->aggregate.interval_seconds = o->interval_seconds;
    counter->has_since = o->range.has_since;
    counter->has_until = o->range.has_until;
    counter->since = o->range.since;
    counter->until = o->range.until;
    struct source *source = source_files_new(in->words, in->word_count);
    enum status st = source == NULL
                         ? error_set(err, ST_NO_MEMORY, E_R113, "out of memory")
                         : pipeline_run(&source, 1, &options, &f->aggregate, &f->tally, err);
    source_free(source);
    f->source = strdup(in->word_count == 1 ? in->words[0] : "");
    return st;
}

/* ---- writing ---- */

static enum status write_page(const struct options *o, const struct figures *f, FILE *out)
{
    struct page page = {
        .aggregate = f->aggregate,
        .tally = &f->tally,
        .version = "report",
        .generated = o->now.seconds,
        .source = view_of(f->source),
        .has_range = o->range.has_since && f->tally.has_times,
        .since = o->range.since.seconds,
        .until = o->range.has_until ? o->range.until.seconds : o->now.seconds,
        .prices_as_of = o->counted.prices_as_of[0] != '\0' ? o->counted.prices_as_of : NULL,
    };
    if (f->usage != NULL)
        page_query_folds(f->usage, &f->answer, &page);
    if (page.has_range && page.until < page.since)
        page.has_range = false;
    return page_write_html(&page, out);
}

static enum status write_rows(const struct options *o, const struct figures *f, FILE *out)
{
    bool terminal = o->out == NULL && isatty(STDOUT_FILENO);
    struct report report = {
        .aggregate = f->aggregate,
        .interval = o->interval,
        .metrics = o->counted.metrics,
        .tally = &f->tally,
        .prices_as_of = o->counted.prices_as_of[0] != '\0' ? o->counted.prices_as_of : NULL,
        .width = out_file_terminal_width(o->out != NULL),
        .colour = terminal && config_get("NO_COLOR", NULL) == NULL,
    };
    switch (o->output) {
    case JSON: return report_write_json(&report, out);
    case CSV: return report_write_csv(&report, out);
    default: return report_write_table(&report, out);
    }
}

static enum status write_all(const struct options *o, const struct figures *f, struct error *err)
{
    struct out_file out;
    enum status st = out_file_open(&out, o->out, err);
    if (st != ST_OK)
        return st;
    errno = 0;
    st = o->output == HTML ? write_page(o, f, out.file) : write_rows(o, f, out.file);
    if (st == ST_OK)
        return out_file_close(&out, err);
    if (st == ST_IO)
        (void)error_set(err, st, o->out != NULL ? code_of_errno(errno, E_F109) : E_R110, "%s: %s",
                        o->out != NULL ? o->out : "standard output", strerrordesc_np(errno));
    else
        (void)error_set(err, st, E_R113, "out of memory");
    out_file_abandon(&out);
    return st;
}

static enum status run(struct invocation *in, struct error *err)
{
    struct options *o = in->options;
    struct figures f = {0};
    uint64_t folded = 0;
    stop_catch_signals(STOP_AT_ONCE);
    enum status st = o->store != NULL ? from_store(o, &f, err) : from_logs(in, &f, err);
    if (st == ST_OK && f.source == NULL)
        st = error_set(err, ST_NO_MEMORY, E_R113, "out of memory");
    if (st == ST_OK && o->top != 0)
        st = aggregate_fold(f.aggregate, (size_t)o->top, &folded);
    if (st == ST_OK && folded > 0)
        LOG_EVENT(LOG_INFO, "series folded into Other", log_u64("series", folded));
    if (st == ST_OK)
        st = write_all(o, &f, err);
    if (st == ST_OK && !in->common.quiet)
        report_print_tally(&f.tally, stderr);
    /* A store's failed objects were named when they failed. */
    if (o->store == NULL && f.tally.objects.failed > 0)
        in->exit = EXIT_FOUND_FAULTS;
    aggregate_free(f.aggregate);
    usage_close(f.usage);
    free(f.source);
    return st;
}

static void close_report(void *options)
{
    counting_clear(&((struct options *)options)->counted);
}

COMMAND(report) = {
    .group = GROUP_LOGS,
    .name = "report",
    .synopsis = "--store FILE | SOURCE... [OPTIONS]",
    .summary = "Write the usage page as one offline file, or a table, JSON, CSV",
    .details =
        "The figures come from the store that \"serve\" keeps (it says where), or from logs as\n"
        "\"aggregate\" reads them.  TIME is a date-time such as 2026-11-01T10:30:00Z, a date, or "
        "a\n"
        "span back from now: 90m, 36h, 7d, 2w.  A store keeps whole minutes.\n"
        "\n"
        "Exit status: 0 done; 1 done, but an object failed (it is named), or the store cannot be\n"
        "read; 2 wrong usage.\n"
        "\n"
        "Examples:\n"
        "  bedrock-metrics report logs/ --out usage.html\n"
        "  bedrock-metrics report --store usage.sqlite --since 30d --out usage.html\n"
        "  bedrock-metrics report --store usage.sqlite --output csv --by Principal --interval 1d\n",
    .word = "SOURCE",
    .max_words = SIZE_MAX,
    COMMAND_OPTIONS(struct options, rows),
    .open = open_report,
    .run = run,
    .close = close_report,
};
