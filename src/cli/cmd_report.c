/* cmd_report.c: usage as one offline page, or as table, JSON or CSV, from a store or from logs. */
#include <errno.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "base/log.h"
#include "base/suggest.h"
#include "cli/commands.h"
#include "cli/counting.h"
#include "cli/options.h"
#include "cli/out_file.h"
#include "cli/time_option.h"
#include "config/config.h"
#include "config/interval.h"
#include "count/pipeline.h"
#include "report/page.h"
#include "serve/page_query.h"
#include "store/usage.h"

enum { MAX_TOP = 1000000000 };

static const struct command this_command = {
    .name = "report",
    .synopsis = "--store FILE | SOURCE... [OPTIONS]",
    .summary =
        "Write the usage page as one HTML file that needs no network, or a table, JSON or CSV.",
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
};

enum output { OUTPUT_HTML, OUTPUT_TABLE, OUTPUT_JSON, OUTPUT_CSV };

struct choice {
    const char *store, *output, *out, *by, *interval, *since, *until, *top;
    struct counting_choice counting;
    struct common_options common;
    char *const *sources;
    size_t source_count;
};

struct settings {
    enum output output;
    struct dimension_keys keys;
    struct dimension_set sets[PAGE_SETS];
    size_t set_count;
    const char *interval;
    int64_t interval_seconds;
    bool has_since, has_until;
    struct instant since, until, now;
    uint64_t top; /* 0: all */
    struct counting counting;
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

static enum status choose_output(const char *name, enum output *out, struct error *err)
{
    static const char *const names[] = {"html", "table", "json", "csv"};
    enum { COUNT = sizeof(names) / sizeof(names[0]) };
    for (size_t i = 0; i < COUNT; i++) {
        if (strcmp(name, names[i]) == 0) {
            *out = (enum output)i;
            return ST_OK;
        }
    }
    struct suggestion near = suggest_end(view_of(name), "", names, COUNT);
    return error_set(err, ST_USAGE, E_U299,
                     "unknown --output \"%.80s\"; known are html, table, json, csv%s", name,
                     near.text);
}

/* A store keeps whole minutes. */
static enum status check_minute(const char *option, const char *text, struct instant time,
                                struct error *err)
{
    if (text == NULL || (time.seconds % 60 == 0 && time.nanos == 0))
        return ST_OK;
    return error_set(err, ST_USAGE, E_U204, "%s \"%.80s\" must be a whole minute with --store",
                     option, text);
}

static enum status choose_times(const struct choice *c, struct settings *s, struct error *err)
{
    struct sources_range range = {0};
    struct instant now = s->now = time_option_now();
    if (c->store != NULL)
        now = (struct instant){now.seconds / 60 * 60, 0};
    enum status st = time_option_range(c->since, c->until, now, &range, err);
    if (st == ST_OK && c->store != NULL)
        st = check_minute("--since", c->since, range.since, err);
    if (st == ST_OK && c->store != NULL)
        st = check_minute("--until", c->until, range.until, err);
    s->has_since = range.has_since;
    s->has_until = range.has_until;
    s->since = range.since;
    s->until = range.until;
    return st;
}

/* The page has its own dimensions and intervals. */
static enum status choose_page(const struct choice *c, struct settings *s, struct error *err)
{
    const char *extra = c->by != NULL         ? "by"
                        : c->interval != NULL ? "interval"
                        : c->top != NULL      ? "top"
                                              : NULL;
    if (extra != NULL)
        return error_set(err, ST_USAGE, E_U108,
                         "--%s is for table, json and csv; a page has them all", extra);
    page_sets(s->sets);
    s->set_count = PAGE_SETS;
    s->interval_seconds = PAGE_INTERVAL;
    return ST_OK;
}

static enum status choose_rows(const struct choice *c, struct settings *s, struct error *err)
{
    s->set_count = 1;
    enum status st =
        dimension_set_parse(view_of(c->by != NULL ? c->by : "InferenceProfileType,ModelId"),
                            &s->keys, &s->sets[0], err);
    if (st != ST_OK)
        return st;
    if (interval_parse(view_of(s->interval), &s->interval_seconds) != ST_OK)
        return error_set(err, ST_USAGE, E_U299,
                         "unknown --interval \"%.80s\"; known are 1m, 5m, 1h, 1d, all",
                         s->interval);
    if (c->top != NULL &&
        (view_parse_u64(view_of(c->top), MAX_TOP, &s->top) != ST_OK || s->top == 0))
        return error_set(err, ST_USAGE, E_U208, "--top \"%.80s\" is no number from 1 to %d", c->top,
                         MAX_TOP);
    return ST_OK;
}

static enum status settle(const struct choice *c, struct settings *s, struct error *err)
{
    enum status st = common_options_apply(&c->common, err);
    s->interval = c->interval != NULL ? c->interval : "all";
    if (st == ST_OK)
        st = choose_output(c->output != NULL ? c->output : "html", &s->output, err);
    if (st == ST_OK)
        st = s->output == OUTPUT_HTML ? choose_page(c, s, err) : choose_rows(c, s, err);
    if (st == ST_OK)
        st = choose_times(c, s, err);
    if (st == ST_OK)
        st = counting_settle(&c->counting, &s->counting, err);
    if (st == ST_OK && s->output == OUTPUT_HTML && c->out == NULL && isatty(STDOUT_FILENO))
        return error_set(err, ST_USAGE, E_U109,
                         "a page does not belong on a terminal: give --out FILE");
    return st;
}

/* ---- figures ---- */

static enum status from_store(const struct choice *c, struct settings *s, struct figures *f,
                              struct error *err)
{
    struct usage *usage = NULL;
    struct usage_answer answer = {0};
    struct page_query page = {
        .has_since = s->has_since,
        .has_until = s->has_until,
        .since = s->since.seconds,
        .until = s->until.seconds,
    };
    unsigned step;
    struct usage_query query = {
        .sets = s->sets,
        .set_count = s->set_count,
        .interval_seconds = s->interval_seconds,
        .has_since = s->has_since,
        .has_until = s->has_until,
        .since = s->since.seconds,
        .until = s->until.seconds,
    };
    enum status st = usage_open(c->store, STORE_READ, VIEW_EMPTY, &usage, err);
    if (st == ST_OK && !s->has_since && !s->has_until)
        page.first_step = page_query_last_step(usage);
    if (st == ST_OK)
        st = s->output == OUTPUT_HTML ? page_query_ask(usage, &page, &answer, &step, err)
                                      : usage_ask(usage, &query, &answer, err);
    if (st == ST_OK) {
        f->aggregate = answer.aggregate;
        f->tally = answer.tally;
        f->answer = answer;
        /* The dates of the lists that the costs in the store were made with. */
        (void)snprintf(s->counting.prices_as_of, sizeof(s->counting.prices_as_of), "%.31s",
                       usage_prices(usage));
        f->source = strdup(usage_folder(usage));
        u128 sums[METRIC_COUNT];
        aggregate_totals(f->aggregate, sums);
        if (sums[METRIC_DISALLOWED_TOKENS] > 0 || sums[METRIC_DISALLOWED_INVOCATIONS] > 0)
            s->counting.metrics |= METRIC_SET_GUARD;
    }
    f->usage = usage;
    return st;
}

static enum status from_logs(const struct choice *c, struct settings *s, struct figures *f,
                             struct error *err)
{
    struct pipeline_options options = {.counter = s->counting.options, .jobs = s->counting.jobs};
    struct counter_options *counter = &options.counter;
    counter->aggregate.sets = s->sets;
    counter->aggregate.set_count = s->set_count;
    counter->aggregate.keys = &s->keys;
    counter->aggregate.interval_seconds = s->interval_seconds;
    counter->has_since = s->has_since;
    counter->has_until = s->has_until;
    counter->since = s->since;
    counter->until = s->until;
    struct source *source = source_files_new(c->sources, c->source_count);
    enum status st = source == NULL
                         ? error_set(err, ST_NO_MEMORY, E_R113, "out of memory")
                         : pipeline_run(&source, 1, &options, &f->aggregate, &f->tally, err);
    source_free(source);
    f->source = strdup(c->source_count == 1 ? c->sources[0] : "");
    return st;
}

/* ---- writing ---- */

static enum status write_page(const struct settings *s, const struct figures *f, FILE *out)
{
    struct page page = {
        .aggregate = f->aggregate,
        .tally = &f->tally,
        .version = "report",
        .generated = s->now.seconds,
        .source = view_of(f->source),
        .has_range = s->has_since && f->tally.has_times,
        .since = s->since.seconds,
        .until = s->has_until ? s->until.seconds : s->now.seconds,
        .prices_as_of = s->counting.prices_as_of[0] != '\0' ? s->counting.prices_as_of : NULL,
    };
    if (f->usage != NULL)
        page_query_folds(f->usage, &f->answer, &page);
    if (page.has_range && page.until < page.since)
        page.has_range = false;
    return page_write_html(&page, out);
}

static enum status write_rows(const struct choice *c, const struct settings *s,
                              const struct figures *f, FILE *out)
{
    bool terminal = c->out == NULL && isatty(STDOUT_FILENO);
    struct report report = {
        .aggregate = f->aggregate,
        .interval = s->interval,
        .metrics = s->counting.metrics,
        .tally = &f->tally,
        .prices_as_of = s->counting.prices_as_of[0] != '\0' ? s->counting.prices_as_of : NULL,
        .width = out_file_terminal_width(c->out != NULL),
        .colour = terminal && config_get("NO_COLOR", NULL) == NULL,
    };
    switch (s->output) {
    case OUTPUT_JSON: return report_write_json(&report, out);
    case OUTPUT_CSV: return report_write_csv(&report, out);
    default: return report_write_table(&report, out);
    }
}

static enum status write_all(const struct choice *c, const struct settings *s,
                             const struct figures *f, struct error *err)
{
    struct out_file out;
    enum status st = out_file_open(&out, c->out, err);
    if (st != ST_OK)
        return st;
    errno = 0;
    st = s->output == OUTPUT_HTML ? write_page(s, f, out.file) : write_rows(c, s, f, out.file);
    if (st == ST_OK)
        return out_file_close(&out, err);
    if (st == ST_IO)
        (void)error_set(err, st, c->out != NULL ? code_of_errno(errno, E_F109) : E_R110, "%s: %s",
                        c->out != NULL ? c->out : "standard output", strerrordesc_np(errno));
    else
        (void)error_set(err, st, E_R113, "out of memory");
    out_file_abandon(&out);
    return st;
}

static int run(const struct choice *c, struct settings *s)
{
    struct error err = {0};
    struct figures f = {0};
    uint64_t folded = 0;
    out_file_catch_signals();
    enum status st = c->store != NULL ? from_store(c, s, &f, &err) : from_logs(c, s, &f, &err);
    if (st == ST_OK && f.source == NULL)
        st = error_set(&err, ST_NO_MEMORY, E_R113, "out of memory");
    if (st == ST_OK && s->top != 0)
        st = aggregate_fold(f.aggregate, (size_t)s->top, &folded);
    if (st == ST_OK && folded > 0)
        LOG_EVENT(LOG_INFO, "series folded into Other", log_u64("series", folded));
    if (st == ST_OK)
        st = write_all(c, s, &f, &err);
    if (st == ST_OK && !c->common.quiet)
        report_print_tally(&f.tally, stderr);
    aggregate_free(f.aggregate);
    usage_close(f.usage);
    free(f.source);
    if (st == ST_USAGE)
        return usage_error("report", &err);
    if (st != ST_OK)
        return run_failed("report", &err);
    /* A store's failed objects were named when they failed. */
    return c->store == NULL && f.tally.objects.failed > 0 ? EXIT_FOUND_FAULTS : EXIT_DONE;
}

int cmd_report(int argc, char **argv)
{
    struct choice c = {0};
    struct settings s = {0};
    struct error err = {0};
    struct option_spec specs[COMMON_OPTION_COUNT + 12] = {
        {"store", "FILE", "take the figures from the store of \"serve\"", &c.store, NULL},
        {"output", "FORMAT", "html (default), table, json or csv", &c.output, NULL},
        {"out", "FILE", "write the result to FILE, whole or not at all", &c.out, NULL},
        {"since", "TIME", "only records at or after TIME", &c.since, NULL},
        {"until", "TIME", "only records before TIME", &c.until, NULL},
        {"by", "DIMENSION,...",
         "table, json, csv: sum for each combination of these\n"
         "(default InferenceProfileType,ModelId)",
         &c.by, NULL},
        {"interval", "1m|5m|1h|1d|all",
         "table, json, csv: a row for each span of time (default\nall)", &c.interval, NULL},
        {"top", "N", "table, json, csv: keep the N largest, the others as Other", &c.top, NULL},
        {"allow-inference-regions", "REGION,...",
         "SOURCE: count what ran in other Regions as\n"
         "DisallowedRegionTokenCount and say so on the page",
         &c.counting.allowed, NULL},
        {"jobs", "N", "SOURCE: objects read at a time (default: processors)", &c.counting.jobs,
         NULL},
        {"profiles", "FILE", "SOURCE: what application inference profiles stand for",
         &c.counting.profiles, NULL},
        {"prices", "FILE", "SOURCE: list prices over the built-in ones", &c.counting.prices, NULL},
    };
    int count;
    common_options_table(&c.common, specs + 12);
    size_t spec_count = sizeof(specs) / sizeof(specs[0]);
    enum status st = options_parse(specs, spec_count, argc, argv, &count, &err);
    if (st == ST_END) {
        options_help(&this_command, specs, spec_count);
        return EXIT_DONE;
    }
    c.sources = argv;
    c.source_count = (size_t)count;
    if (st == ST_OK && (count == 0) == (c.store == NULL))
        st = error_set(&err, ST_USAGE, count == 0 ? E_U107 : E_U108,
                       count == 0 ? "neither --store FILE nor SOURCE given"
                                  : "--store FILE and SOURCE are given, take one");
    if (st == ST_OK)
        st = settle(&c, &s, &err);
    int status = st == ST_OK ? run(&c, &s) : start_failed("report", st, &err);
    counting_clear(&s.counting);
    return status;
}
