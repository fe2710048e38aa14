/* cmd_aggregate.c: one run over the objects that exist now. */
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "aggregate/region_guard.h"
#include "base/log.h"
#include "base/suggest.h"
#include "cli/commands.h"
#include "cli/counting.h"
#include "cli/options.h"
#include "cli/out_file.h"
#include "cli/upkeep.h"
#include "config/config.h"
#include "config/interval.h"
#include "config/settings_sources.h"
#include "count/pipeline.h"
#include "count/progress.h"
#include "deliver/settings_publish.h"
#include "ledger/ledger_source.h"
#include "ledger/object_name.h"
#include "report/page.h"
#include "report/report.h"

enum { MAX_TOP = 1000000000 };

static const struct command this_command = {
    .name = "aggregate",
    .synopsis = "SOURCE... [OPTIONS]",
    .summary =
        "Sum up the usage in Bedrock invocation logs: who used which model through which kind of\n"
        "inference profile, where it ran, and how many tokens it took.",
    .details =
        "SOURCE is a log file (gzip or plain), a folder (with all below it), - for standard "
        "input,\n"
        "or s3://BUCKET[/PREFIX], of which --since and --until list little.  Objects that hold no\n"
        "log records (offloaded bodies, permission checks, other services' logs) are skipped by\n"
        "their names.  Each object counts whole or not at all.\n"
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
    const char *by, *interval, *since, *until, *output, *out, *jobs, *profiles, *prices, *top,
        *allowed, *ledger;
    bool dry_run, publish;
    struct common_options common;
};

struct settings {
    struct dimension_keys keys;
    /* That of --by, or those of the page; then the one that the routing guard looks at. */
    struct dimension_set sets[PAGE_SETS + 1];
    size_t set_count;
    int64_t interval_seconds;
    const char *interval;
    struct counting counting;
    struct region_guard *guard; /* NULL: none */
    struct pipeline_options pipeline;
    struct publish_beside *beside; /* NULL: nothing is published, or by way of a ledger */
    struct upkeep ledger;          /* .ledger NULL: none */
    struct receipt_file receipt;
    struct receipt named; /* for it: what the pipeline counted */
    uint64_t unnamed;     /* likewise, but for standard input */
    enum status (*write)(const struct report *report, FILE *out); /* NULL: the page */
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
        {"html", NULL},
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
    struct suggestion near = suggest_end(view_of(name), "", names, COUNT);
    return error_set(err, ST_USAGE, E_U299,
                     "unknown --output \"%.80s\"; known are table, json, csv, openmetrics, html%s",
                     name, near.text);
}

static enum status choose_top(const struct choice *c, struct settings *s, struct error *err)
{
    uint64_t number;
    if (c->top == NULL)
        return ST_OK;
    if (view_parse_u64(view_of(c->top), MAX_TOP, &number) != ST_OK || number == 0)
        return error_set(err, ST_USAGE, E_U208, "--top \"%.80s\" is no number from 1 to %d", c->top,
                         MAX_TOP);
    s->has_top = true;
    s->top = (size_t)number;
    return ST_OK;
}

static enum status choose_rows(const struct choice *c, struct settings *s, struct error *err)
{
    enum status st =
        dimension_set_parse(view_of(c->by != NULL ? c->by : "InferenceProfileType,ModelId"),
                            &s->keys, &s->sets[0], err);
    if (st != ST_OK)
        return st;
    s->set_count = 1;
    if (s->write == report_write_openmetrics)
        st = report_check_labels(&s->sets[0], err);
    if (st != ST_OK)
        return st;
    s->interval = c->interval != NULL ? c->interval : "all";
    if (interval_parse(view_of(s->interval), &s->interval_seconds) != ST_OK)
        return error_set(err, ST_USAGE, E_U299,
                         "unknown --interval \"%.80s\"; known are 1m, 5m, 1h, 1d, all",
                         s->interval);
    if (s->write != NULL)
        return ST_OK;
    /* The page is drawn from sets of its own, by the hour. */
    if (c->by != NULL || c->interval != NULL || c->top != NULL)
        return error_set(err, ST_USAGE, E_U108,
                         "--output html shows all dimensions by the hour: leave out --by, "
                         "--interval and --top");
    page_sets(s->sets);
    s->set_count = PAGE_SETS;
    s->interval_seconds = PAGE_INTERVAL;
    return ST_OK;
}

/* The guard needs the inference Regions, whatever else is asked for. */
static enum status choose_guard(const struct choice *c, struct settings *s, struct error *err)
{
    if (c->allowed == NULL)
        return ST_OK;
    struct error detail = {0};
    enum status st = region_guard_new(c->allowed, &s->guard, &detail);
    if (st != ST_OK)
        return error_set(err, st, detail.code, "--allow-inference-regions: %s", detail.text);
    return dimension_set_parse(VIEW_LIT("InferenceRegion"), &s->keys, &s->sets[s->set_count++],
                               err);
}

static enum status settle(const struct choice *c, struct settings *s, struct error *err)
{
    struct counter_options *counter = &s->pipeline.counter;
    struct counting_choice counting = {c->jobs, c->profiles, c->prices, NULL};
    enum status st = common_options_apply(&c->common, err);
    if (st == ST_OK)
        st = choose_output(c->output != NULL ? c->output : "table", s, err);
    if (st == ST_OK)
        st = choose_rows(c, s, err);
    if (st == ST_OK)
        st = choose_guard(c, s, err);
    if (st == ST_OK)
        st = choose_top(c, s, err);
    if (st == ST_OK)
        st = counting_settle(&counting, &s->counting, err);
    *counter = s->counting.options;
    if (st == ST_OK)
        st = counting_settle_times(c->since, c->until, counter, err);
    counter->aggregate.sets = s->sets;
    counter->aggregate.set_count = s->set_count;
    counter->aggregate.keys = &s->keys;
    counter->aggregate.interval_seconds = s->interval_seconds;
    s->pipeline.jobs = s->counting.jobs;
    /* Publishing without the ledger that is configured would count twice what it has counted. */
    s->ledger.ledger = c->ledger != NULL ? c->ledger
                       : c->publish      ? config_get("LEDGER", NULL)
                                         : NULL;
    if (st == ST_OK && s->ledger.ledger != NULL && c->publish &&
        (counter->has_since || counter->has_until))
        st =
            error_set(err, ST_USAGE, E_U108,
                      "--since and --until do not go with --publish and a ledger: an object counts "
                      "as a whole");
    if (st == ST_OK && c->publish && s->ledger.ledger == NULL)
        st = publish_beside_new(&s->beside, counter, &s->keys, err);
    return st;
}

/* ---- the run ---- */

static enum status write_page(const struct choice *c, const struct settings *s,
                              struct aggregate *aggregate, const struct tally *tally,
                              const char *source, FILE *out)
{
    const struct counter_options *counter = &s->pipeline.counter;
    struct page page = {
        .aggregate = aggregate,
        .tally = tally,
        .version = "report",
        .generated = (int64_t)time(NULL),
        .source = view_of(source),
        .has_range = c->since != NULL && c->until != NULL,
        .since = counter->since.seconds,
        .until = counter->until.seconds,
        .prices_as_of = s->counting.prices_as_of,
    };
    return page_write_html(&page, out);
}

static enum status write_rows(const struct choice *c, const struct settings *s,
                              struct aggregate *aggregate, const struct tally *tally, FILE *out)
{
    bool terminal = c->out == NULL && isatty(STDOUT_FILENO);
    struct report report = {
        .aggregate = aggregate,
        .interval = s->interval,
        .metrics = s->counting.metrics,
        .tally = tally,
        .prices_as_of = s->counting.prices_as_of,
        .width = out_file_terminal_width(c->out != NULL),
        .colour = terminal && config_get("NO_COLOR", NULL) == NULL,
    };
    return s->write(&report, out);
}

static enum status write_result(const struct choice *c, const struct settings *s,
                                struct aggregate *aggregate, const struct tally *tally,
                                const char *source, struct out_file *out, struct error *err)
{
    errno = 0;
    enum status st = s->write != NULL ? write_rows(c, s, aggregate, tally, out->file)
                                      : write_page(c, s, aggregate, tally, source, out->file);
    if (st == ST_OK)
        return out_file_close(out, err);
    if (st == ST_IO)
        (void)error_set(err, st, c->out != NULL ? code_of_errno(errno, E_F109) : E_R110, "%s: %s",
                        c->out != NULL ? c->out : "standard output", strerrordesc_np(errno));
    else
        (void)error_set(err, st, E_R113, "out of memory");
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

/* ---- the routing guard ---- */

/*
 * Name the Regions outside of the list that tokens ran in; *elsewhere says whether there are any.
 * Records that do not say where they ran are named but prove nothing.
 */
static enum status guard(const struct settings *s, const struct aggregate *aggregate,
                         bool *elsewhere)
{
    struct aggregate_row row;
    struct aggregate_rows *rows = aggregate_rows_new(aggregate, s->set_count - 1);
    if (rows == NULL)
        return ST_NO_MEMORY;
    for (size_t i = 0; i < aggregate_rows_count(rows); i++) {
        aggregate_rows_get(rows, i, &row);
        if (region_guard_allows(s->guard, row.value[0]))
            continue;
        bool unknown = view_eq_cstr(row.value[0], "unknown");
        LOG_FAULT(unknown ? LOG_WARN : LOG_ERROR, unknown ? E_R121 : E_R120,
                  unknown ? "inference Region not logged" : "ran in a Region that is not allowed",
                  log_view("region", row.value[0]), log_u128("tokens", row.sum[METRIC_TOTAL]),
                  log_u128("invocations", row.sum[METRIC_INVOCATIONS]));
        *elsewhere = *elsewhere || !unknown;
    }
    aggregate_rows_free(rows);
    return ST_OK;
}

static int finish(const struct choice *c, const struct tally *tally, bool elsewhere)
{
    if (!c->common.quiet)
        report_log_tally(tally, stderr);
    if (!tally_balances(tally)) {
        LOG_FAULT_MESSAGE(LOG_ERROR, E_R111,
                          "the balance does not hold: this is a bug, please report it");
        return EXIT_FOUND_FAULTS;
    }
    return tally->objects.failed > 0 || elsewhere ? EXIT_FOUND_FAULTS : EXIT_DONE;
}

/* Send what was counted to CloudWatch; its report is already written. */
static bool publish(struct settings *s, struct aggregate *counted)
{
    struct round_summary summary;
    struct error err = {0};
    if (publish_beside_send(s->beside, counted, &summary, &err) == ST_OK)
        return true;
    LOG_FAULT(LOG_ERROR, error_code(&err, E_P100), "publishing failed",
              log_cstr("reason", err.text));
    return false;
}

/* The same by way of the ledger: each object that the report is about, exactly once. */
static bool publish_counted(struct settings *s, const struct sources *sources)
{
    struct round_summary summary;
    struct error err = {0};
    if (ledger_sources_count(sources->list, sources->count, s->ledger.round, &summary, &err) ==
        ST_OK)
        return true;
    LOG_FAULT(LOG_ERROR, error_code(&err, E_P100), "publishing failed",
              log_cstr("reason", err.text));
    return false;
}

/* ---- the receipt ---- */

/* A file that was there a moment ago has a name. */
static enum status note_counted_name(void *context, struct view key)
{
    struct settings *s = context;
    struct ledger_id id;
    enum status st = object_name_id(s->receipt.identity, key, &id);
    if (st == ST_OK)
        return receipt_add(&s->named, &id);
    s->unnamed += st == ST_MISSING;
    return st == ST_MISSING ? ST_OK : st;
}

/* Of the report, which by way of a ledger is of what that had not counted. */
static void note_report(struct run_receipt *r, const struct settings *s,
                        const struct aggregate *counted, const struct tally *tally)
{
    r->tally = *tally;
    aggregate_totals(counted, r->sums);
    r->digest = s->named;
    r->unnamed = s->unnamed;
}

/* Of what the ledger counted of it: what the report met before, or left out, was not offered. */
static void note_counted(struct run_receipt *r, struct settings *s, const struct tally *report)
{
    *r = *exact_round_receipt(round_exact(s->ledger.round));
    struct tally *t = &r->tally;
    t->objects.found = report->objects.found - s->unnamed;
    t->objects.duplicate += report->objects.duplicate;
    for (size_t i = 0; i < OBJECT_SKIP_COUNT; i++) {
        if (i != OBJECT_MISSING)
            t->objects.skipped[i] += report->objects.skipped[i];
    }
    t->objects.failed = t->objects.found - t->objects.counted - t->objects.duplicate - r->held -
                        tally_objects_skipped(t);
}

static bool write_receipt(const struct choice *c, struct settings *s,
                          const struct run_receipt *receipt)
{
    struct run_receipt_about about = {
        .command = "aggregate",
        .delivery = c->publish && !c->dry_run ? ledger_session_delivery(s->ledger.session) : NULL,
        .metrics = s->counting.metrics};
    return receipt_file_write(&s->receipt, receipt, &about);
}

static enum status open_outputs(const struct choice *c, struct settings *s, struct out_file *out)
{
    struct error err = {0}, detail = {0};
    bool stdout_taken = !c->dry_run && (c->out == NULL || strcmp(c->out, "-") == 0);
    enum status st = receipt_file_open(&s->receipt, stdout_taken, &err);
    if (st == ST_OK && !c->dry_run) {
        st = out_file_open(out, c->out, &detail);
        (void)error_set(&err, st, detail.code, "--out %.300s", detail.text);
    }
    if (st == ST_OK)
        return st;
    receipt_file_abandon(&s->receipt);
    (void)usage_error("aggregate", &err);
    return ST_USAGE;
}

static int run(const struct choice *c, struct settings *s, const struct sources *sources,
               const char *source)
{
    struct error err = {0};
    struct aggregate *aggregate = NULL, *counted = NULL;
    struct tally tally;
    struct measure measure = {.sources = sources};
    struct out_file out = {0};
    out_file_catch_signals();
    /* What cannot be written is said before hours of reading. */
    if (open_outputs(c, s, &out) != ST_OK)
        return EXIT_USAGE;
    struct run_receipt receipt = {0};
    if (s->receipt.path != NULL)
        s->pipeline.on_counted = note_counted_name;
    s->pipeline.context = s;
    /* To list through the ledger twice, only for a percentage, is too much. */
    if (s->ledger.ledger == NULL)
        begin_progress(c, &measure);
    s->pipeline.progress = measure.progress;
    enum status st =
        pipeline_run(sources->list, sources->count, &s->pipeline, &aggregate, &tally, &err);
    end_progress(&measure);
    if (st == ST_OK)
        note_report(&receipt, s, aggregate, &tally);
    if (st == ST_OK && s->beside != NULL) {
        counted = aggregate;
        st = publish_beside_report(s->beside, counted, &aggregate, &err);
    }
    uint64_t folded = 0;
    bool elsewhere = false;
    if (st == ST_OK && s->guard != NULL)
        st = guard(s, aggregate, &elsewhere);
    if (st == ST_OK && s->has_top)
        st = aggregate_fold(aggregate, s->top, &folded);
    if (st == ST_OK && folded > 0)
        LOG_EVENT(LOG_INFO, "series folded into Other", log_u64("series", folded));
    if (st == ST_OK && !c->dry_run)
        st = write_result(c, s, aggregate, &tally, source, &out, &err);
    aggregate_free(aggregate);
    bool published = true;
    if (st == ST_OK && counted != NULL && !c->dry_run)
        published = publish(s, counted);
    if (st == ST_OK && s->ledger.ledger != NULL && c->publish && !c->dry_run) {
        published = publish_counted(s, sources);
        note_counted(&receipt, s, &tally);
    }
    aggregate_free(counted);
    if (st != ST_OK) {
        out_file_abandon(&out);
        receipt_file_abandon(&s->receipt);
        return run_failed("aggregate", &err);
    }
    int status = finish(c, &tally, elsewhere);
    return write_receipt(c, s, &receipt) && published ? status : EXIT_FOUND_FAULTS;
}

int cmd_aggregate(int argc, char **argv)
{
    struct choice c = {0};
    struct settings s = {0};
    struct error err = {0};
    struct option_spec specs[COMMON_OPTION_COUNT + 15] = {
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
        {"output", "FORMAT",
         "table (default), json, csv, openmetrics, or html: the\n"
         "usage page as one file that needs no network",
         &c.output, NULL},
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
        {"allow-inference-regions", "REGION,...", "name what ran in other Regions, and exit with 1",
         &c.allowed, NULL},
        {"publish", NULL,
         "send the sums of METRIC_DIMENSIONS to CloudWatch too\n"
         "(not twice: they add up there)",
         NULL, &c.publish},
        {"ledger", "FILE|dynamodb://TABLE",
         "leave out what this ledger has counted; with --publish\n"
         "count the rest by way of it, each object exactly once",
         &c.ledger, NULL},
        {"dry-run", NULL, "read and check everything, write no result", NULL, &c.dry_run},
        receipt_file_option(&s.receipt),
    };
    int count;
    common_options_table(&c.common, specs + 15);
    size_t spec_count = sizeof(specs) / sizeof(specs[0]);
    enum status st = options_parse(specs, spec_count, argc, argv, &count, &err);
    if (st == ST_END) {
        options_help(&this_command, specs, spec_count);
        return EXIT_DONE;
    }
    if (st == ST_OK && count == 0)
        st = error_set(&err, ST_USAGE, E_U107, "no SOURCE given");
    for (int i = 0; i < count && st == ST_OK; i++) {
        if (argv[i][0] == '\0')
            st = error_set(&err, ST_USAGE, E_U107, "an empty SOURCE \"\"");
    }
    if (st == ST_OK)
        st = settle(&c, &s, &err);
    struct sources sources = {0};
    if (st == ST_OK)
        st = counting_open(&s.pipeline.counter, argv, (size_t)count, &sources, &err);
    if (st == ST_OK && s.ledger.ledger != NULL)
        st = upkeep_open(&s.ledger, c.publish ? UPKEEP_COUNT : UPKEEP_LOOK, &err);
    if (st == ST_OK && s.ledger.ledger != NULL)
        st = ledger_sources_filter(sources.list, sources.count, s.ledger.session, c.publish);
    int status;
    if (st == ST_OK)
        status = run(&c, &s, &sources, count == 1 ? argv[0] : "");
    else
        status = start_failed("aggregate", st, &err);
    sources_close(&sources);
    upkeep_close(&s.ledger);
    publish_beside_free(s.beside);
    region_guard_free(s.guard);
    counting_clear(&s.counting);
    return status;
}
