/* cmd_report.c: usage as one offline page, or as table, JSON or CSV, from a store or from logs. */
#include <stdlib.h>
#include <unistd.h>

#include "base/log.h"
#include "base/stop.h"
#include "cli/commands.h"
#include "cli/counting.h"
#include "cli/option_values.h"
#include "cli/result.h"
#include "serve/page_query.h"
#include "store/usage.h"

struct options {
    const char *store, *since, *until;
    unsigned output; /* of `forms` */
    struct result result;
    struct counting_choice counting;
    /* resolved */
    struct time_range range;
    struct instant now;
    struct counting counted;
};

static const enum result_form forms[] = {RESULT_HTML, RESULT_TABLE, RESULT_JSON, RESULT_CSV};

static const struct option rows[] = {
    {"store", "FILE", "take the figures from the store of \"serve\"", OPT_TEXT(store)},
    {"output", "html|table|json|csv", "form of the result (default html)", OPT_CHOICE(output)},
    RESULT_OUT_OPTION,
    CSV_SAFE_OPTION,
    {"since", "TIME", "only records at or after TIME", OPT_TEXT(since)},
    {"until", "TIME", "only records before TIME", OPT_TEXT(until)},
    BY_OPTION,
    INTERVAL_OPTION,
    TOP_OPTION,
    ALLOW_OPTION,
    JOBS_OPTION,
    PROFILES_OPTION,
    PRICES_OPTION,
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
    struct time_range *range = &o->range;
    struct instant now = o->now = time_option_now();
    if (o->store != NULL)
        now = (struct instant){now.seconds / 60 * 60, 0};
    enum status st = time_option_range(o->since, o->until, now, range, err);
    if (st == ST_OK && o->store != NULL)
        st = check_minute("--since", o->since, range->since, err);
    if (st == ST_OK && o->store != NULL)
        st = check_minute("--until", o->until, range->until, err);
    return st;
}

static enum status open_report(struct invocation *in, struct error *err)
{
    struct options *o = in->options;
    struct result *r = &o->result;
    if ((in->word_count == 0) == (o->store == NULL))
        return error_set(err, ST_USAGE, o->store == NULL ? E_U107 : E_U108,
                         o->store == NULL ? "neither --store FILE nor SOURCE given"
                                          : "--store FILE and SOURCE are given, take one");
    enum status st = result_resolve(r, forms[o->output], err);
    if (st == ST_OK)
        st = choose_times(o, err);
    if (st == ST_OK)
        st = counting_resolve(&o->counting, &o->counted, err);
    if (st == ST_OK && r->form == RESULT_HTML && r->out == NULL && isatty(STDOUT_FILENO))
        st = error_set(err, ST_USAGE, E_U109,
                       "a page does not belong on a terminal: give --out FILE");
    counting_by(&o->counted, &r->keys, r->sets, r->set_count, r->interval_seconds);
    o->counted.pipeline.counter.range = o->range;
    if (st == ST_OK && o->store == NULL)
        st = counting_open(&o->counted, in->words, in->word_count, err);
    stop_catch_signals(STOP_AT_ONCE);
    return st == ST_OK ? result_open(r, err) : st;
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
        .sets = o->result.sets,
        .set_count = o->result.set_count,
        .interval_seconds = o->result.interval_seconds,
        .has_since = o->range.has_since,
        .has_until = o->range.has_until,
        .since = o->range.since.seconds,
        .until = o->range.until.seconds,
    };
    enum status st = usage_open(o->store, STORE_READ, VIEW_EMPTY, &usage, err);
    if (st == ST_OK && !o->range.has_since && !o->range.has_until)
        page.first_step = page_query_last_step(usage);
    if (st == ST_OK)
        st = o->result.form == RESULT_HTML ? page_query_ask(usage, &page, &answer, &step, err)
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

static enum status write_result(struct options *o, const struct figures *f, struct error *err)
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
    return result_write(&o->result, &page, o->counted.metrics, err);
}

static enum status run(struct invocation *in, struct error *err)
{
    struct options *o = in->options;
    struct figures f = {0};
    enum status st;
    if (o->store != NULL) {
        st = from_store(o, &f, err);
    } else {
        st = counting_run(&o->counted, &f.aggregate, &f.tally, err);
        f.source = strdup(in->word_count == 1 ? in->words[0] : "");
    }
    if (st == ST_OK && f.source == NULL)
        st = error_set(err, ST_NO_MEMORY, E_R113, "out of memory");
    if (st == ST_OK)
        st = result_fold(&o->result, f.aggregate);
    if (st == ST_OK)
        st = write_result(o, &f, err);
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
    struct options *o = options;
    result_close(&o->result);
    counting_clear(&o->counted);
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
    .reads = READ_COUNTING | READ_SOURCES,
    COMMAND_OPTIONS(rows),
    .open = open_report,
    .run = run,
    .close = close_report,
};
