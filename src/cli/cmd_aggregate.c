/* cmd_aggregate.c: one run over the objects that exist now. */
#include <pthread.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "aggregate/region_guard.h"
#include "base/log.h"
#include "base/stop.h"
#include "cli/commands.h"
#include "cli/counting.h"
#include "cli/ledger_command.h"
#include "cli/result.h"
#include "config/variables.h"
#include "deliver/publish_report.h"
#include "ledger/ledger_id.h"
#include "ledger/ledger_source.h"

enum { RECOVER_MAX = 2048 };

struct options {
    const char *since, *until, *allowed;
    enum result_form output;
    bool dry_run, publish;
    struct result result;
    struct counting_choice counting;
    struct ledger_command ledger; /* .name NULL: none */
    struct receipt_file receipt;
    /* resolved */
    struct counting counted;
    struct region_guard *guard;        /* NULL: none */
    struct publish_report *publishing; /* NULL: nothing is published */
    struct ledger_filter *filter;      /* NULL: no ledger */
    struct exact_report report;        /* of what the ledger counted */
    struct receipt named;              /* for the receipt: what the pipeline counted */
    uint64_t unnamed;                  /* likewise, but for standard input */
};

static const struct option rows[] = {
    BY_OPTION,
    INTERVAL_OPTION,
    {"since", "TIME", "only records at or after TIME", OPT_TEXT(since)},
    {"until", "TIME", "only records before TIME", OPT_TEXT(until)},
    TOP_OPTION,
    {"output", "table|json|csv|openmetrics|html",
     "form of the result (default table); html is the usage\n"
     "page as one file that needs no network",
     OPT_CHOICE(output)},
    RESULT_OUT_OPTION,
    CSV_SAFE_OPTION,
    JOBS_OPTION,
    PROFILES_OPTION,
    PRICES_OPTION,
    {"allow-inference-regions", "REGION,...",
     "report calls that ran outside these Regions, and exit\nwith 1", OPT_TEXT(allowed)},
    {"publish", NULL,
     "send the sums of METRIC_DIMENSIONS to CloudWatch too\n"
     "(not idempotent: publishing twice doubles the sums)",
     OPT_FLAG(publish)},
    {"ledger", "FILE|dynamodb://TABLE",
     "skip objects that this ledger has already counted; with\n"
     "--publish count the rest exactly once",
     OPT_TEXT(ledger.name)},
    {"dry-run", NULL, "read and check everything, write no result", OPT_FLAG(dry_run)},
    RECEIPT_OPTION,
};

/* ---- the choice ---- */

/* The guard needs the inference Regions, whatever else is asked for. */
static enum status choose_guard(struct options *o, struct error *err)
{
    if (o->allowed == NULL)
        return ST_OK;
    struct error detail = {0};
    enum status st = region_guard_new(o->allowed, &o->guard, &detail);
    if (st != ST_OK)
        return error_set(err, st, detail.code, "--allow-inference-regions: %s", detail.text);
    struct result *r = &o->result;
    return dimension_set_parse(VIEW_LIT("InferenceRegion"), &r->keys, &r->sets[r->set_count++],
                               err);
}

/* The ledger, if there is one, and what is published: then the counter is that of both. */
static enum status open_publishing(struct options *o, struct error *err)
{
    struct ledger_command *l = &o->ledger;
    enum status st = ST_OK;
    l->readers = o->counted.pipeline.jobs;
    l->counter = &o->counted.pipeline.counter;
    l->report = &o->report;
    if (l->name != NULL)
        st = ledger_command_open(l, o->publish ? LEDGER_COUNT : LEDGER_LOOK, err);
    else
        st = ledger_command_open(l, LEDGER_NONE, err);
    if (st == ST_OK && o->publish)
        st = publish_report_new(&o->publishing, &l->settings, &o->counted.pipeline.counter,
                                &o->result.keys, err);
    o->report.add = publish_report_add;
    o->report.context = o->publishing;
    if (st == ST_OK && l->name != NULL &&
        ledger_filter_new(&o->filter, o->counted.sources.list, o->counted.sources.count, l->session,
                          o->publish && !o->dry_run ? round_exact(l->round) : NULL) != ST_OK)
        st = error_set(err, ST_NO_MEMORY, E_R113, "out of memory");
    return st;
}

static enum status open_aggregate(struct invocation *in, struct error *err)
{
    struct options *o = in->options;
    struct counter_options *counter = &o->counted.pipeline.counter;
    enum status st = result_resolve(&o->result, o->output, err);
    if (st == ST_OK)
        st = choose_guard(o, err);
    if (st == ST_OK)
        st = counting_resolve(&o->counting, &o->counted, err);
    if (st == ST_OK)
        st = counting_resolve_times(o->since, o->until, &o->counted, err);
    counting_by(&o->counted, &o->result.keys, o->result.sets, o->result.set_count,
                o->result.interval_seconds);
    /* Publishing without the ledger that is configured would count twice what it has counted. */
    if (o->ledger.name == NULL && o->publish)
        o->ledger.name = variable_get(VAR_LEDGER);
    if (st == ST_OK && o->ledger.name != NULL && o->publish &&
        (counter->range.has_since || counter->range.has_until))
        st = error_set(
            err, ST_USAGE, E_U108,
            "--since and --until cannot be combined with --publish and a ledger: an object counts "
            "as a whole");
    if (st == ST_OK)
        st = counting_open(&o->counted, in->words, in->word_count, err);
    if (st == ST_OK && (o->publish || o->ledger.name != NULL))
        st = open_publishing(o, err);
    stop_catch_signals(STOP_AT_ONCE);
    bool stdout_taken = !o->dry_run && out_file_is_stdout(o->result.out);
    if (st == ST_OK)
        st = receipt_file_open(&o->receipt, stdout_taken, err);
    if (st == ST_OK && !o->dry_run)
        st = result_open(&o->result, err);
    return st;
}

/* ---- the run ---- */

static enum status write_result(const struct invocation *in, const struct aggregate *aggregate,
                                const struct tally *tally, struct error *err)
{
    struct options *o = in->options;
    const struct counter_options *counter = &o->counted.pipeline.counter;
    struct page page = {
        .aggregate = aggregate,
        .tally = tally,
        .version = "report",
        .generated = (int64_t)time(NULL),
        .source = view_of(in->word_count == 1 ? in->words[0] : ""),
        .has_range = o->since != NULL && o->until != NULL,
        .since = counter->range.since.seconds,
        .until = counter->range.until.seconds,
        .prices_as_of = o->counted.prices_as_of,
    };
    return result_write(&o->result, &page, o->counted.metrics, err);
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

static void begin_progress(const struct invocation *in, struct measure *m)
{
    if (in->common.quiet || !isatty(STDERR_FILENO))
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
 * Name the Regions outside of the list that tokens ran in; *any says whether there are any.
 * Records that do not say where they ran are named but prove nothing.
 */
static enum status guard(const struct options *o, const struct aggregate *aggregate, bool *any)
{
    struct aggregate_row row;
    struct aggregate_rows *regions = aggregate_rows_new(aggregate, o->result.set_count - 1);
    if (regions == NULL)
        return ST_NO_MEMORY;
    for (size_t i = 0; i < aggregate_rows_count(regions); i++) {
        aggregate_rows_get(regions, i, &row);
        if (region_guard_allows(o->guard, row.value[0]))
            continue;
        bool unknown = view_eq_cstr(row.value[0], "unknown");
        LOG_FAULT(unknown ? LOG_WARN : LOG_ERROR, unknown ? E_R121 : E_R120,
                  unknown ? "inference Region not logged" : "ran in a Region that is not allowed",
                  log_view("region", row.value[0]), log_u128("tokens", row.sum[METRIC_TOTAL]),
                  log_u128("invocations", row.sum[METRIC_INVOCATIONS]));
        *any = *any || !unknown;
    }
    aggregate_rows_free(regions);
    return ST_OK;
}

/* Send what was counted to CloudWatch, or what is left of it to the ledger. */
static bool publish(struct options *o, struct aggregate *counted)
{
    struct round_summary summary;
    struct error err = {0};
    enum status st = o->filter != NULL ? ledger_filter_finish(o->filter, &err)
                                       : publish_report_send(o->publishing, &o->ledger.aws, counted,
                                                             &summary, &err);
    if (st != ST_OK)
        LOG_FAULT(LOG_ERROR, error_code(&err, E_P100), "publishing failed",
                  log_cstr("reason", err.text));
    return st == ST_OK;
}

/* ---- the receipt ---- */

/* A file that was there a moment ago has a name. */
static enum status note_counted_name(void *context, struct view key)
{
    struct options *o = context;
    struct ledger_id id;
    enum status st = ledger_id_of_name(o->receipt.identity, key, &id);
    if (st == ST_OK)
        return receipt_add(&o->named, &id);
    o->unnamed += st == ST_MISSING;
    return st == ST_MISSING ? ST_OK : st;
}

/* Of the report.  With a ledger it is of what that counted, which the pipeline did not see;
 * `tally` is the pipeline's. */
static void fill_receipt(struct run_receipt *r, const struct options *o,
                         const struct aggregate *counted, const struct tally *tally)
{
    if (o->filter == NULL || !o->publish || o->dry_run) {
        r->tally = *tally;
        aggregate_totals(counted, r->sums);
        r->digest = o->named;
        r->unnamed = o->unnamed;
        return;
    }
    /* Standard input, which the ledger cannot know, is in the report only. */
    *r = *exact_round_receipt(round_exact(o->ledger.round));
    struct tally others = {.objects = tally->objects};
    others.objects.found -= others.objects.counted;
    others.objects.counted = 0;
    tally_add(&r->tally, &others);
}

static void write_receipt(struct invocation *in, const struct run_receipt *receipt)
{
    struct options *o = in->options;
    struct run_receipt_about about = {
        .command = "aggregate",
        .delivery = o->publish && !o->dry_run ? ledger_session_delivery(o->ledger.session) : NULL,
        .metrics = o->counted.metrics};
    if (!receipt_file_write(&o->receipt, receipt, &about))
        in->exit = EXIT_FOUND_FAULTS;
}

static void report_balance(struct invocation *in, const struct tally *tally)
{
    if (!in->common.quiet)
        report_log_tally(tally, stderr);
    if (!tally_balances(tally))
        LOG_FAULT_MESSAGE(LOG_ERROR, E_R111,
                          "the balance does not hold: this is a bug, please report it");
    if (!tally_balances(tally) || tally->objects.failed > 0)
        in->exit = EXIT_FOUND_FAULTS;
}

static enum status run(struct invocation *in, struct error *err)
{
    struct options *o = in->options;
    struct aggregate *aggregate = NULL, *counted = NULL;
    struct tally tally;
    struct measure measure = {.sources = &o->counted.sources};
    struct run_receipt receipt = {0};
    bool by_ledger = o->filter != NULL && o->publish && !o->dry_run;
    bool published = true;
    enum status st = ST_OK;
    if (o->receipt.path != NULL)
        o->counted.pipeline.on_counted = note_counted_name;
    o->counted.pipeline.context = o;
    /* To list through the ledger twice, only for a percentage, is too much. */
    if (o->filter == NULL)
        begin_progress(in, &measure);
    o->counted.pipeline.progress = measure.progress;
    if (by_ledger) {
        struct ledger_recovery recovery;
        st = exact_round_recover(round_exact(o->ledger.round), true, RECOVER_MAX, &recovery, err);
    }
    if (st == ST_OK)
        st = counting_run(&o->counted, &aggregate, &tally, err);
    end_progress(&measure);
    if (st == ST_OK && by_ledger)
        published = publish(o, NULL);
    if (st == ST_OK)
        fill_receipt(&receipt, o, aggregate, &tally);
    if (st == ST_OK && o->publishing != NULL) {
        counted = aggregate;
        tally_add(&tally, &o->report.tally);
        if (o->report.fault != ST_OK || publish_report_add(o->publishing, counted) != ST_OK)
            st = error_set(err, ST_NO_MEMORY, E_R113, "out of memory");
        aggregate = publish_report_take(o->publishing);
    }
    bool disallowed = false;
    if (st == ST_OK && o->guard != NULL)
        st = guard(o, aggregate, &disallowed);
    if (st == ST_OK)
        st = result_fold(&o->result, aggregate);
    if (st == ST_OK && !o->dry_run)
        st = write_result(in, aggregate, &tally, err);
    aggregate_free(aggregate);
    if (st == ST_OK && counted != NULL && !by_ledger && !o->dry_run)
        published = publish(o, counted);
    aggregate_free(counted);
    if (st != ST_OK)
        return st;
    if (disallowed || !published)
        in->exit = EXIT_FOUND_FAULTS;
    report_balance(in, &tally);
    write_receipt(in, &receipt);
    return ST_OK;
}

static void close_aggregate(void *options)
{
    struct options *o = options;
    result_close(&o->result);
    receipt_file_abandon(&o->receipt);
    ledger_filter_free(o->filter);
    ledger_command_close(&o->ledger);
    publish_report_free(o->publishing);
    region_guard_free(o->guard);
    counting_clear(&o->counted);
}

COMMAND(aggregate) = {
    .group = GROUP_LOGS,
    .name = "aggregate",
    .synopsis = "SOURCE... [OPTIONS]",
    .summary = "Sum up the logs that exist now",
    .details =
        "Who used which model through which kind of inference profile, where it ran, how many\n"
        "tokens it took, and what it cost by list prices.\n"
        "\n"
        "SOURCE is a log file (gzip or plain), a folder (with all below it), - for standard "
        "input,\n"
        "or s3://BUCKET[/PREFIX] (--since and --until limit which hourly folders are listed).\n"
        "Objects that hold no log records (offloaded bodies, permission checks, other services'\n"
        "logs) are skipped by key.  An object is counted completely or not at all.\n"
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
    .word = "SOURCE",
    .min_words = 1,
    .max_words = SIZE_MAX,
    .reads = READ_COUNTING | READ_SOURCES | READ_SETS | READ_DESTINATION | READ_PUBLISHING |
             READ_LEDGER,
    COMMAND_OPTIONS(rows),
    .open = open_aggregate,
    .run = run,
    .close = close_aggregate,
};
