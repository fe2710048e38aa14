/* cmd_dashboard.c: the body of a CloudWatch dashboard for what is published. */
#include <stdlib.h>

#include "aws/aws_config.h"
#include "base/log.h"
#include "base/stop.h"
#include "cli/commands.h"
#include "cli/out_file.h"
#include "config/dimension_sets.h"
#include "config/variables.h"
#include "publish/datum.h"
#include "tools/dashboard.h"

enum { MAX_TARGETS = 32 };

struct targets {
    struct dashboard_target list[MAX_TARGETS];
    size_t count;
};

struct options {
    const char *name_space, *dimensions, *metrics, *region, *queue, *dlq, *function, *ledger, *out;
    bool cloudformation;
    struct dimension_sets sets;
    struct targets queues, letters, functions, tables;
    struct dashboard_options dashboard;
};

static const struct option rows[] = {
    {"namespace", "NAMESPACE", "where the metrics are (default CLOUDWATCH_NAMESPACE)",
     OPT_TEXT(name_space)},
    {"dimensions", "SETS",
     "the sets that are published, separated by ;\n"
     "(default METRIC_DIMENSIONS)",
     OPT_TEXT(dimensions)},
    {"metrics", "NAME,...",
     "the metrics that are published (default METRICS,\n"
     "else all, the estimated cost included)",
     OPT_TEXT(metrics)},
    {"region", "REGION",
     "where the metrics are (default CLOUDWATCH_REGION,\n"
     "else AWS_REGION)",
     OPT_TEXT(region)},
    {"queue", "NAME,...", "add widgets for these queues (depth, age of the oldest\nmessage)",
     OPT_TEXT(queue)},
    {"dlq", "NAME,...", "add widgets for these dead-letter queues", OPT_TEXT(dlq)},
    {"function", "NAME,...", "add widgets for these functions (runs, errors, duration)",
     OPT_TEXT(function)},
    {"ledger", "LEDGER", "dynamodb://TABLE (default LEDGER)", OPT_TEXT(ledger)},
    {"cloudformation", NULL,
     "a body with placeholders for Fn::Sub in template.yaml:\n"
     "namespace, Region, queues and function",
     OPT_FLAG(cloudformation)},
    OUT_OPTION,
};

static enum status choose_targets(const char *option, const char *value, struct targets *out,
                                  struct error *err)
{
    struct view rest = view_of(value), part;
    struct error detail = {0};
    while (value != NULL && view_split(&rest, ',', &part)) {
        if (out->count == MAX_TARGETS)
            return error_set(err, ST_USAGE, E_U203, "--%s: more than %d names", option,
                             MAX_TARGETS);
        enum status st = dashboard_target_parse(view_trim(part), &out->list[out->count++], &detail);
        if (st != ST_OK)
            return error_set(err, st, detail.code, "--%s: %s", option, detail.text);
    }
    return ST_OK;
}

/* dynamodb://TABLE has metrics of its own; a file has none. */
static enum status choose_ledger(const char *value, struct targets *out, struct error *err)
{
    static const char scheme[] = "dynamodb://";
    if (value == NULL || strcmp(value, "none") == 0)
        return ST_OK;
    if (strncmp(value, scheme, sizeof(scheme) - 1) == 0)
        return choose_targets("ledger", value + sizeof(scheme) - 1, out, err);
    LOG_EVENT(LOG_INFO, "a ledger that is a file has no metrics: no widget for it",
              log_cstr("ledger", value));
    return ST_OK;
}

/* What template.yaml calls its own: Fn::Sub puts names in their place. */
static enum status choose_template(struct options *o, struct error *err)
{
    struct dashboard_options *d = &o->dashboard;
    const char *const excluded[] = {o->name_space, o->region,   o->queue,
                                    o->dlq,        o->function, o->ledger};
    for (size_t i = 0; i < sizeof(excluded) / sizeof(excluded[0]); i++) {
        if (excluded[i] != NULL)
            return error_set(err, ST_USAGE, E_U203,
                             "\"%.80s\" and --cloudformation: the template names its own",
                             excluded[i]);
    }
    for (size_t s = 0; s < o->sets.count; s++) {
        const struct dimension_set *set = &o->sets.set[s];
        for (size_t i = 0; i < set->count; i++) {
            struct view name = set->dimension[i].name;
            if (view_find(name, VIEW_LIT("${")) < name.len)
                return error_set(err, ST_USAGE, E_U224, "\"%.*s\" cannot be used in a template",
                                 SHOW_MAX(name, 80));
        }
    }
    d->for_template = true;
    d->name_space = VIEW_LIT("${CloudWatchNamespace}");
    d->region = VIEW_LIT("${AWS::Region}");
    o->queues.list[o->queues.count++].name = VIEW_LIT("${EventQueue.QueueName}");
    o->letters.list[o->letters.count++].name = VIEW_LIT("${DeadLetterQueue.QueueName}");
    o->functions.list[o->functions.count++].name = VIEW_LIT("${AggregatorLambdaFunction}");
    return ST_OK;
}

static enum status choose_place(struct options *o, struct error *err)
{
    struct dashboard_options *d = &o->dashboard;
    const char *name_space = o->name_space;
    if (name_space == NULL)
        name_space = variable_get(VAR_CLOUDWATCH_NAMESPACE);
    const char *const regions[] = {o->region, variable_get(VAR_CLOUDWATCH_REGION),
                                   getenv("AWS_REGION"), getenv("AWS_DEFAULT_REGION")};
    const char *region = NULL;
    for (size_t i = 0; i < 4 && region == NULL; i++)
        region = regions[i];
    enum status st = datum_check_namespace(view_of(name_space), err);
    if (st != ST_OK)
        return st;
    if (region == NULL)
        return error_set(err, ST_USAGE, E_U303,
                         "no Region: give --region, or set CLOUDWATCH_REGION or AWS_REGION");
    if (!aws_region_valid(view_of(region)))
        return error_set(err, ST_USAGE, E_U214, "\"%.80s\" is not a Region", region);
    d->name_space = view_of(name_space);
    d->region = view_of(region);
    st = choose_targets("queue", o->queue, &o->queues, err);
    if (st == ST_OK)
        st = choose_targets("dlq", o->dlq, &o->letters, err);
    if (st == ST_OK)
        st = choose_targets("function", o->function, &o->functions, err);
    if (st == ST_OK)
        st = choose_ledger(o->ledger != NULL ? o->ledger : variable_get(VAR_LEDGER), &o->tables,
                           err);
    return st;
}

static enum status open_dashboard(struct invocation *in, struct error *err)
{
    struct options *o = in->options;
    struct dashboard_options *d = &o->dashboard;
    uint64_t resolution = 0;
    enum status st = dimension_sets_choose(o->dimensions, &o->sets, err);
    if (st == ST_OK)
        st = dimension_sets_choose_resolution(NULL, &resolution, err);
    d->resolution = (unsigned)resolution;
    if (st == ST_OK)
        st = dimension_sets_choose_metrics(o->metrics, &d->metrics, err);
    if (st == ST_OK)
        st = (o->cloudformation ? choose_template : choose_place)(o, err);
    d->sets = o->sets.set;
    d->set_count = o->sets.count;
    d->queues = (struct dashboard_targets){o->queues.list, o->queues.count};
    d->dead_letters = (struct dashboard_targets){o->letters.list, o->letters.count};
    d->functions = (struct dashboard_targets){o->functions.list, o->functions.count};
    d->tables = (struct dashboard_targets){o->tables.list, o->tables.count};
    return st;
}

static enum status run(struct invocation *in, struct error *err)
{
    const struct options *o = in->options;
    struct buf body;
    for (size_t i = 0; i < o->sets.count; i++) {
        if (!dashboard_can_search(o->dashboard.name_space, &o->sets.set[i]))
            LOG_FAULT(LOG_WARN, E_P130,
                      "no widgets for a set: a SEARCH expression cannot hold its names, or gets "
                      "longer than 1024 characters",
                      log_u64("set", i + 1), log_view("first", o->sets.set[i].dimension[0].name));
    }
    buf_init(&body, DASHBOARD_MAX_BYTES);
    enum status st = dashboard_write(&o->dashboard, &body);
    if (st == ST_TOO_BIG)
        (void)error_set(err, st, E_P131, "the body is larger than CloudWatch takes (%d bytes)",
                        DASHBOARD_MAX_BYTES);
    stop_catch_signals(STOP_AT_ONCE);
    if (st == ST_OK)
        st = out_file_write(o->out, &body, err);
    buf_clear(&body);
    return st;
}

COMMAND(dashboard) = {
    .group = GROUP_AWS,
    .name = "dashboard",
    .synopsis = "[OPTIONS]",
    .summary = "Print the body of a CloudWatch dashboard for what is published",
    .details =
        "It shows usage, cache share, estimated cost, failures, and the pipeline's health.\n"
        "\n"
        "Widgets are made only for dimension sets that are published, because CloudWatch finds a\n"
        "metric only by all of its dimensions.  NAME may be a name, an ARN, or a queue's URL;\n"
        "several are separated by commas, and one in another Region needs its ARN or URL.\n"
        "\n"
        "Exit status: 0 done; 1 the body cannot be written; 2 wrong usage.\n"
        "\n"
        "Examples:\n"
        "  bedrock-metrics dashboard --region eu-west-1 --queue bedrock-events --out body.json\n"
        "  aws cloudwatch put-dashboard --dashboard-name bedrock --dashboard-body "
        "file://body.json\n",
    .reads = READ_SETS | READ_DESTINATION | READ_LEDGER,
    COMMAND_OPTIONS(rows),
    .open = open_dashboard,
    .run = run,
};
