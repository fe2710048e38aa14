#include "cli/cmd_reconcile.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "aws/aws_config.h"
#include "aws/sts.h"
#include "base/log.h"
#include "cli/counting.h"
#include "cli/options.h"
#include "cli/time_option.h"
#include "cli/upkeep.h"
#include "config/interval.h"
#include "config/settings_sources.h"
#include "count/pipeline.h"
#include "report/report.h"
#include "tools/reconcile_report.h"

enum { MAX_RESULT_BYTES = 256 << 20, FINAL_AFTER_S = 15 * 60 };

static const struct command this_command = {
    .name = "reconcile",
    .synopsis = "SOURCE... [OPTIONS]",
    .summary = "Compare the sums of the logs with Bedrock's own metrics, per Region and hour.",
    .details =
        "SOURCE is as for \"aggregate\".  Bedrock's own metrics (namespace AWS/Bedrock) are read "
        "in\n"
        "every Region that the logs or --regions name, for the account of the credentials; "
        "records\n"
        "of other accounts are left out.  Less in the logs: deliveries are missing.  More in the\n"
        "logs: an object is there twice.  A call that runs over the hour may stand in the next "
        "one\n"
        "on one of the sides.  Invocations agree from the successful ones to all that were not\n"
        "throttled, as Bedrock has counted both.  GetMetricData costs $0.01 for 1000 series.\n"
        "\n"
        "Permissions: cloudwatch:ListMetrics, cloudwatch:GetMetricData, and what SOURCE needs.\n"
        "\n"
        "Exit status: 0 they agree; 1 they do not, or something failed (it is named); 2 wrong\n"
        "usage or configuration.\n"
        "\n"
        "Examples:\n"
        "  bedrock-metrics reconcile s3://my-bedrock-logs/AWSLogs/ --since 2d\n"
        "  bedrock-metrics reconcile logs/ --since 2026-11-02 --until 2026-11-03 --by-model\n",
};

struct choice {
    const char *since, *until, *regions, *account, *tolerance, *output, *jobs;
    bool by_model;
    struct common_options common;
};

struct settings {
    struct dimension_keys keys;
    struct dimension_set set;
    struct counting counting;
    struct pipeline_options pipeline;
    struct view regions[RECONCILE_MAX_REGIONS];
    struct reconcile_options reconcile;
    struct settings_aws aws;
    struct sts_identity identity;
    bool json;
};

/* ---- the choice ---- */

static enum status choose_times(const struct choice *c, struct settings *s, struct error *err)
{
    struct instant now = {.seconds = (int64_t)time(NULL)}, since, until;
    until.seconds = now.seconds - FINAL_AFTER_S;
    enum status st = time_option("--until", c->until, now, &until, err);
    if (st != ST_OK)
        return st;
    until.seconds -= until.seconds % RECONCILE_HOUR_S;
    since.seconds = until.seconds - 24 * RECONCILE_HOUR_S;
    st = time_option("--since", c->since, now, &since, err);
    if (st != ST_OK)
        return st;
    since.seconds -= since.seconds % RECONCILE_HOUR_S;
    if (since.seconds >= until.seconds)
        return error_set(err, ST_USAGE, E_U205, "--since is not a whole hour before --until");
    if (until.seconds - since.seconds > (int64_t)RECONCILE_MAX_HOURS * RECONCILE_HOUR_S)
        return error_set(err, ST_USAGE, E_U206, "--since: CloudWatch keeps hours for %d days only",
                         RECONCILE_MAX_HOURS / 24);
    struct counter_options *counter = &s->pipeline.counter;
    counter->has_since = counter->has_until = true;
    counter->since = (struct instant){.seconds = since.seconds};
    counter->until = (struct instant){.seconds = until.seconds};
    s->reconcile.since_s = since.seconds;
    s->reconcile.until_s = until.seconds;
    return ST_OK;
}

static enum status choose_regions(const struct choice *c, struct settings *s, struct error *err)
{
    struct view rest = view_of(c->regions), region;
    s->reconcile.regions = s->regions;
    while (c->regions != NULL && view_split(&rest, ',', &region)) {
        region = view_trim(region);
        if (!aws_region_valid(region))
            return error_set(err, ST_USAGE, E_U214, "--regions \"%.80s\": \"%.*s\" is no Region",
                             c->regions, (int)(region.len < 64 ? region.len : 64), region.ptr);
        if (s->reconcile.region_count == RECONCILE_MAX_REGIONS)
            return error_set(err, ST_USAGE, E_U203, "--regions: more than %d",
                             RECONCILE_MAX_REGIONS);
        s->regions[s->reconcile.region_count++] = region;
    }
    return ST_OK;
}

static bool is_account(const char *text)
{
    return strlen(text) == 12 && strspn(text, "0123456789") == 12;
}

static enum status choose_rest(const struct choice *c, struct settings *s, struct error *err)
{
    uint64_t percent = 1;
    const char *output = c->output != NULL ? c->output : "text";
    s->json = strcmp(output, "json") == 0;
    if (!s->json && strcmp(output, "text") != 0)
        return error_set(err, ST_USAGE, E_U299, "unknown --output \"%.80s\"; known are text, json",
                         output);
    if (c->tolerance != NULL && view_parse_u64(view_of(c->tolerance), 99, &percent) != ST_OK)
        return error_set(err, ST_USAGE, E_U208,
                         "--tolerance \"%.80s\" is no whole percentage from 0 to 99", c->tolerance);
    if (c->account != NULL && !is_account(c->account))
        return error_set(err, ST_USAGE, E_U217, "--account \"%.80s\" is no account number",
                         c->account);
    s->reconcile.tolerance = (double)percent / 100;
    s->reconcile.by_model = c->by_model;
    s->reconcile.account = view_of(c->account);
    return ST_OK;
}

static enum status settle(const struct choice *c, struct settings *s, struct error *err)
{
    struct counting_choice counting = {.jobs = c->jobs};
    enum status st = common_options_apply(&c->common, err);
    if (st == ST_OK)
        st = counting_settle(&counting, &s->counting, err);
    s->pipeline.counter = s->counting.options;
    s->pipeline.counter.log_skips = false; /* most are out of the range */
    s->pipeline.jobs = s->counting.jobs;
    if (st == ST_OK)
        st = choose_times(c, s, err);
    if (st == ST_OK)
        st = choose_regions(c, s, err);
    if (st == ST_OK)
        st = choose_rest(c, s, err);
    if (st == ST_OK)
        st = reconcile_set(&s->keys, &s->set, err);
    struct aggregate_options *aggregate = &s->pipeline.counter.aggregate;
    aggregate->sets = &s->set;
    aggregate->set_count = 1;
    aggregate->keys = &s->keys;
    aggregate->interval_seconds = RECONCILE_HOUR_S;
    aggregate->prices = NULL;
    aggregate->profiles = NULL; /* Bedrock knows a profile by its id */
    if (st == ST_OK)
        st = settings_aws_open(&s->aws, err);
    return st;
}

/* ---- the run ---- */

static int print(const struct settings *s, const struct reconcile *result)
{
    struct reconcile_report report = {.result = result, .options = &s->reconcile};
    struct buf out;
    buf_init(&out, MAX_RESULT_BYTES);
    for (size_t i = 0; i < reconcile_count(result); i++)
        report.apart += !reconcile_agrees(result, reconcile_at(result, i));
    if (s->json)
        reconcile_report_json(&report, &out);
    else
        reconcile_report_text(&report, &out);
    if (reconcile_count(result) == 0)
        LOG_FAULT_MESSAGE(LOG_WARN, E_R122,
                          "neither the logs nor AWS/Bedrock have anything in this time");
    if (reconcile_other_accounts(result) > 0)
        LOG_EVENT(LOG_INFO, "records of other accounts left out",
                  log_cstr("account", s->identity.account),
                  log_u128("records", reconcile_other_accounts(result)));
    if (reconcile_other_regions(result) > 0)
        LOG_FAULT(LOG_WARN, E_R123, "records of impossible Regions left out",
                  log_u128("records", reconcile_other_regions(result)));
    int status = upkeep_print("reconcile", &out, report.apart > 0 ? EXIT_FOUND_FAULTS : EXIT_DONE);
    buf_clear(&out);
    return status;
}

static enum status compare(struct settings *s, const struct aggregate *logs,
                           struct reconcile **result, struct error *err)
{
    struct aws_client *client = NULL;
    struct aws_client_options options = {.config = s->aws.config,
                                         .creds = s->aws.creds,
                                         .budget = s->aws.budget,
                                         .clock = aws_clock_system(),
                                         .stop = {upkeep_stopped, NULL}};
    enum status st = aws_client_new(&client, &options, err);
    if (st == ST_OK && s->reconcile.account.len == 0) {
        st = sts_get_caller_identity(client, VIEW_EMPTY, &s->identity, err);
        s->reconcile.account = view_of(s->identity.account);
    }
    s->reconcile.client = client;
    if (st == ST_OK)
        st = reconcile_run(&s->reconcile, logs, result, err);
    aws_client_free(client);
    return st;
}

static int run(const struct choice *c, struct settings *s, const struct sources *sources)
{
    struct error err = {0};
    struct aggregate *logs = NULL;
    struct reconcile *result = NULL;
    struct tally tally;
    int status = EXIT_DONE;
    upkeep_catch_signals();
    enum status st = pipeline_run(sources->list, sources->count, &s->pipeline, &logs, &tally, &err);
    bool counted = st == ST_OK;
    if (st == ST_OK)
        st = compare(s, logs, &result, &err);
    if (st == ST_OK)
        status = print(s, result);
    reconcile_free(result);
    aggregate_free(logs);
    if (st != ST_OK)
        return upkeep_failed("reconcile", st, &err);
    if (counted && !c->common.quiet)
        report_log_tally(&tally, stderr);
    return tally.objects.failed > 0 ? EXIT_FOUND_FAULTS : status;
}

int cmd_reconcile(int argc, char **argv)
{
    struct choice c = {0};
    static struct settings s; /* too large for a stack that may be small */
    struct error err = {0};
    struct option_spec specs[COMMON_OPTION_COUNT + 8] = {
        {"since", "TIME", "from the hour of TIME on (default 24 hours back)", &c.since, NULL},
        {"until", "TIME",
         "until the hour of TIME (default the last one that is over\nfor 15 minutes)", &c.until,
         NULL},
        {"regions", "REGION,...", "Regions to ask besides those of the logs", &c.regions, NULL},
        {"account", "ID", "whose records are compared (default: the account of the\ncredentials)",
         &c.account, NULL},
        {"tolerance", "PERCENT", "how far apart still agrees (default 1)", &c.tolerance, NULL},
        {"by-model", NULL, "compare each model and profile by itself", NULL, &c.by_model},
        {"output", "text|json", "form of the result (default text)", &c.output, NULL},
        {"jobs", "N", "objects read at a time (default: processors)", &c.jobs, NULL},
    };
    int count;
    common_options_table(&c.common, specs + 8);
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
    int status = st == ST_OK ? run(&c, &s, &sources) : upkeep_failed("reconcile", st, &err);
    sources_close(&sources);
    settings_aws_close(&s.aws);
    counting_clear(&s.counting);
    return status;
}
