/* cmd_reconcile.c: the sums of the logs against Bedrock's own metrics, per Region and hour. */
#include <time.h>

#include "aws/aws_config.h"
#include "aws/sts.h"
#include "base/log.h"
#include "base/stop.h"
#include "cli/commands.h"
#include "cli/counting.h"
#include "cli/option_values.h"
#include "report/report.h"
#include "tools/reconcile.h"

enum { MAX_RESULT_BYTES = 256 << 20, FINAL_AFTER_S = 15 * 60 };

struct options {
    const char *since, *until, *regions, *account;
    uint64_t tolerance;
    bool by_model;
    enum output_form output;
    struct counting_choice counting; /* only the jobs */
    /* resolved */
    struct dimension_keys keys;
    struct dimension_set set;
    struct counting counted;
    struct view region_list[RECONCILE_MAX_REGIONS];
    struct reconcile_options reconcile;
    struct settings_aws aws;
    struct sts_identity identity;
};

static const struct option rows[] = {
    {"since", "TIME", "from the hour of TIME on (default 24 hours back)", OPT_TEXT(since)},
    {"until", "TIME",
     "up to the hour of TIME (default: the last hour that ended\nat least 15 minutes ago)",
     OPT_TEXT(until)},
    {"regions", "REGION,...", "additional Regions to query", OPT_TEXT(regions)},
    {"account", "ID", "whose records are compared (default: the account of the\ncredentials)",
     OPT_TEXT(account)},
    {"tolerance", "PERCENT", "difference that still counts as equal (default 1)",
     OPT_NUMBER(tolerance, 0, 99, 1)},
    {"by-model", NULL, "compare per model and profile", OPT_FLAG(by_model)},
    OUTPUT_OPTION,
    JOBS_OPTION,
};

/* ---- the choice ---- */

static enum status choose_times(struct options *o, struct error *err)
{
    struct instant now = {.seconds = (int64_t)time(NULL)}, since, until;
    until.seconds = now.seconds - FINAL_AFTER_S;
    enum status st = time_option("--until", o->until, now, &until, err);
    if (st != ST_OK)
        return st;
    until.seconds -= until.seconds % RECONCILE_HOUR_S;
    since.seconds = until.seconds - 24 * RECONCILE_HOUR_S;
    st = time_option("--since", o->since, now, &since, err);
    if (st != ST_OK)
        return st;
    since.seconds -= since.seconds % RECONCILE_HOUR_S;
    if (since.seconds >= until.seconds)
        return error_set(err, ST_USAGE, E_U205, "--since is not a whole hour before --until");
    if (until.seconds - since.seconds > (int64_t)RECONCILE_MAX_HOURS * RECONCILE_HOUR_S)
        return error_set(err, ST_USAGE, E_U206, "--since: CloudWatch keeps hours for %d days only",
                         RECONCILE_MAX_HOURS / 24);
    o->counted.pipeline.counter.range =
        (struct time_range){true, true, {.seconds = since.seconds}, {.seconds = until.seconds}};
    o->reconcile.since_s = since.seconds;
    o->reconcile.until_s = until.seconds;
    return ST_OK;
}

static enum status choose_regions(struct options *o, struct error *err)
{
    struct view rest = view_of(o->regions), region;
    o->reconcile.regions = o->region_list;
    while (o->regions != NULL && view_split(&rest, ',', &region)) {
        region = view_trim(region);
        if (!aws_region_valid(region))
            return error_set(err, ST_USAGE, E_U214, "--regions \"%.80s\": \"%.*s\" is not a Region",
                             o->regions, SHOW_MAX(region, 64));
        if (o->reconcile.region_count == RECONCILE_MAX_REGIONS)
            return error_set(err, ST_USAGE, E_U203, "--regions: more than %d",
                             RECONCILE_MAX_REGIONS);
        o->region_list[o->reconcile.region_count++] = region;
    }
    return ST_OK;
}

static enum status open_reconcile(struct invocation *in, struct error *err)
{
    struct options *o = in->options;
    enum status st = counting_resolve(&o->counting, &o->counted, err);
    struct counter_options *counter = &o->counted.pipeline.counter;
    counter->log_skips = false; /* most are out of the range */
    if (st == ST_OK)
        st = choose_times(o, err);
    if (st == ST_OK)
        st = choose_regions(o, err);
    if (st == ST_OK && o->account != NULL &&
        (strlen(o->account) != 12 || strspn(o->account, "0123456789") != 12))
        st = error_set(err, ST_USAGE, E_U217, "--account \"%.80s\" is not an account number",
                       o->account);
    o->reconcile.tolerance = (double)o->tolerance / 100;
    o->reconcile.by_model = o->by_model;
    o->reconcile.account = view_of(o->account);
    if (st == ST_OK)
        st = reconcile_set(&o->keys, &o->set, err);
    counting_by(&o->counted, &o->keys, &o->set, 1, RECONCILE_HOUR_S);
    counter->aggregate.prices = NULL;
    counter->aggregate.profiles = NULL; /* Bedrock knows a profile by its id */
    if (st == ST_OK)
        st = settings_aws_open(&o->aws, err);
    if (st == ST_OK)
        st = counting_open(&o->counted, in->words, in->word_count, err);
    return st;
}

/* ---- the run ---- */

static enum status print(struct invocation *in, const struct reconcile *result, struct error *err)
{
    const struct options *o = in->options;
    struct buf out;
    buf_init(&out, MAX_RESULT_BYTES);
    uint64_t apart = (o->output == AS_JSON ? reconcile_add_json
                                           : reconcile_add_text)(result, &o->reconcile, &out);
    if (result->count == 0)
        LOG_FAULT_MESSAGE(LOG_WARN, E_R122,
                          "neither the logs nor AWS/Bedrock have data in this time range");
    if (result->other_accounts > 0)
        LOG_EVENT(LOG_INFO, "records of other accounts left out",
                  log_cstr("account", o->identity.account),
                  log_u128("records", result->other_accounts));
    if (result->other_regions > 0)
        LOG_FAULT(LOG_WARN, E_R123, "records of impossible Regions left out",
                  log_u128("records", result->other_regions));
    if (apart > 0)
        in->exit = EXIT_FOUND_FAULTS;
    return command_print(&out, err);
}

static enum status compare(struct options *o, const struct aggregate *logs,
                           struct reconcile *result, struct error *err)
{
    struct aws_client *client = NULL;
    struct aws_client_options options = settings_aws_client(&o->aws);
    options.stop.asked = stop_asked;
    enum status st = aws_client_new(&client, &options, err);
    if (st == ST_OK && o->reconcile.account.len == 0) {
        st = sts_get_caller_identity(client, VIEW_EMPTY, &o->identity, err);
        o->reconcile.account = view_of(o->identity.account);
    }
    o->reconcile.client = client;
    if (st == ST_OK)
        st = reconcile_run(&o->reconcile, logs, result, err);
    aws_client_free(client);
    return st;
}

static enum status run(struct invocation *in, struct error *err)
{
    struct options *o = in->options;
    struct aggregate *logs = NULL;
    struct reconcile result = {0};
    struct tally tally;
    stop_catch_signals(STOP_IN_ORDER);
    enum status st = counting_run(&o->counted, &logs, &tally, err);
    if (st == ST_OK)
        st = compare(o, logs, &result, err);
    if (st == ST_OK)
        st = print(in, &result, err);
    reconcile_clear(&result);
    aggregate_free(logs);
    if (st != ST_OK)
        return st;
    if (!in->common.quiet)
        report_log_tally(&tally, stderr);
    if (tally.objects.failed > 0)
        in->exit = EXIT_FOUND_FAULTS;
    return ST_OK;
}

static void close_reconcile(void *options)
{
    struct options *o = options;
    settings_aws_close(&o->aws);
    counting_clear(&o->counted);
}

COMMAND(reconcile) = {
    .group = GROUP_LOGS,
    .name = "reconcile",
    .synopsis = "SOURCE... [OPTIONS]",
    .summary = "Compare the logs with Bedrock's own metrics",
    .details =
        "SOURCE is as for \"aggregate\".  Bedrock's own metrics (namespace AWS/Bedrock) are read "
        "in\n"
        "every Region that the logs or --regions name, for the account of the credentials; "
        "records\n"
        "of other accounts are left out.  Fewer in the logs: deliveries are missing.  More: an\n"
        "object was copied.  A call that crosses the full hour may be counted in different hours\n"
        "on the two sides.  Invocations agree if CloudWatch's value lies between the successful\n"
        "calls and all calls that were not throttled: AWS has documented both.  GetMetricData\n"
        "costs $0.01 for 1000 series.\n"
        "\n"
        "Permissions: cloudwatch:ListMetrics, cloudwatch:GetMetricData, and what SOURCE needs.\n"
        "\n"
        "Exit status: 0 they agree; 1 they do not, or something failed (it is named); 2 wrong\n"
        "usage or configuration.\n"
        "\n"
        "Examples:\n"
        "  bedrock-metrics reconcile s3://my-bedrock-logs/AWSLogs/ --since 2d\n"
        "  bedrock-metrics reconcile logs/ --since 2026-11-02 --until 2026-11-03 --by-model\n",
    .word = "SOURCE",
    .min_words = 1,
    .max_words = SIZE_MAX,
    .reads = READ_COUNTING | READ_SOURCES,
    COMMAND_OPTIONS(rows),
    .open = open_reconcile,
    .run = run,
    .close = close_reconcile,
};
