#include "cli/cmd_dashboard.h"

#include <errno.h>

#include "aws/aws_config.h"
#include "base/log.h"
#include "cli/options.h"
#include "cli/out_file.h"
#include "config/config.h"
#include "config/dimension_sets.h"
#include "publish/datum.h"
#include "tools/dashboard.h"

enum { MAX_TARGETS = 32 };

static const struct command this_command = {
    .name = "dashboard",
    .synopsis = "[OPTIONS]",
    .summary =
        "Print the body of a CloudWatch dashboard that fits the dimensions and metrics that are\n"
        "published: usage, cache share, estimated cost, failures, and the pipeline's health.",
    .details =
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
};

struct choice {
    const char *name_space, *dimensions, *metrics, *region, *queue, *dlq, *function, *ledger, *out;
    bool cloudformation;
    struct common_options common;
};

struct targets {
    struct dashboard_target list[MAX_TARGETS];
    size_t count;
};

struct plan {
    struct dimension_sets sets;
    struct targets queues, letters, functions, tables;
    struct dashboard_options dashboard;
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

static enum status choose_published(const struct choice *c, struct plan *p, struct error *err)
{
    struct error detail = {0};
    const char *dimensions = c->dimensions;
    if (dimensions == NULL)
        dimensions = config_get("METRIC_DIMENSIONS", DIMENSION_SETS_DEFAULT);
    enum status st = dimension_sets_parse(view_of(dimensions), &p->sets, &detail);
    if (st != ST_OK)
        return error_set(err, st, detail.code, "%s: %s",
                         c->dimensions != NULL ? "--dimensions" : "METRIC_DIMENSIONS", detail.text);
    bool latency;
    uint64_t resolution;
    st = config_get_bool("METRIC_LATENCY", false, &latency, err);
    if (st != ST_OK)
        return st;
    st = dimension_sets_parse_resolution(view_of(config_get("METRIC_RESOLUTION", "60")),
                                         &resolution, &detail);
    if (st != ST_OK)
        return error_set(err, st, detail.code, "METRIC_RESOLUTION: %s", detail.text);
    p->dashboard.resolution = (unsigned)resolution;
    metric_set on = METRIC_SET_BASE | METRIC_SET_COST;
    if (latency)
        on |= METRIC_BIT(METRIC_LATENCY);
    if (c->metrics == NULL)
        return config_get_metrics(on, &p->dashboard.metrics, err);
    st = dimension_sets_parse_metrics(view_of(c->metrics), &p->dashboard.metrics, &detail);
    return st == ST_OK ? st : error_set(err, st, detail.code, "--metrics: %s", detail.text);
}

static const char *region_of(const struct choice *c)
{
    static const char *const variables[] = {"CLOUDWATCH_REGION", "AWS_REGION",
                                            "AWS_DEFAULT_REGION"};
    const char *region = c->region;
    for (size_t i = 0; i < 3 && region == NULL; i++)
        region = config_get(variables[i], NULL);
    return region;
}

/* What template.yaml calls its own: Fn::Sub puts names in their place. */
static enum status settle_template(const struct choice *c, struct plan *p, struct error *err)
{
    struct dashboard_options *d = &p->dashboard;
    const char *const excluded[] = {c->name_space, c->region,   c->queue,
                                    c->dlq,        c->function, c->ledger};
    for (size_t i = 0; i < sizeof(excluded) / sizeof(excluded[0]); i++) {
        if (excluded[i] != NULL)
            return error_set(err, ST_USAGE, E_U203,
                             "\"%.80s\" and --cloudformation: the template names its own",
                             excluded[i]);
    }
    for (size_t s = 0; s < p->sets.count; s++) {
        const struct dimension_set *set = &p->sets.set[s];
        for (size_t i = 0; i < set->count; i++) {
            struct view name = set->dimension[i].name;
            if (view_find(name, VIEW_LIT("${")) < name.len)
                return error_set(err, ST_USAGE, E_U224, "\"%.*s\" cannot stand in a template",
                                 (int)(name.len < 80 ? name.len : 80), name.ptr);
        }
    }
    d->for_template = true;
    d->name_space = VIEW_LIT("${CloudWatchNamespace}");
    d->region = VIEW_LIT("${AWS::Region}");
    p->queues.list[p->queues.count++].name = VIEW_LIT("${EventQueue.QueueName}");
    p->letters.list[p->letters.count++].name = VIEW_LIT("${DeadLetterQueue.QueueName}");
    p->functions.list[p->functions.count++].name = VIEW_LIT("${AggregatorLambdaFunction}");
    return ST_OK;
}

static enum status settle_place(const struct choice *c, struct plan *p, struct error *err)
{
    struct dashboard_options *d = &p->dashboard;
    const char *name_space = c->name_space;
    if (name_space == NULL)
        name_space = config_get("CLOUDWATCH_NAMESPACE", "Custom/BedrockMetrics");
    const char *region = region_of(c);
    enum status st = datum_check_namespace(view_of(name_space), err);
    if (st != ST_OK)
        return st;
    if (region == NULL)
        return error_set(err, ST_USAGE, E_U303,
                         "no Region: give --region, or set CLOUDWATCH_REGION or AWS_REGION");
    if (!aws_region_valid(view_of(region)))
        return error_set(err, ST_USAGE, E_U214, "\"%.80s\" is no Region", region);
    d->name_space = view_of(name_space);
    d->region = view_of(region);
    st = choose_targets("queue", c->queue, &p->queues, err);
    if (st == ST_OK)
        st = choose_targets("dlq", c->dlq, &p->letters, err);
    if (st == ST_OK)
        st = choose_targets("function", c->function, &p->functions, err);
    if (st == ST_OK)
        st = choose_ledger(c->ledger != NULL ? c->ledger : config_get("LEDGER", NULL), &p->tables,
                           err);
    return st;
}

static enum status settle(const struct choice *c, struct plan *p, struct error *err)
{
    struct dashboard_options *d = &p->dashboard;
    enum status st = common_options_apply(&c->common, err);
    if (st == ST_OK)
        st = choose_published(c, p, err);
    if (st == ST_OK)
        st = (c->cloudformation ? settle_template : settle_place)(c, p, err);
    d->sets = p->sets.set;
    d->set_count = p->sets.count;
    d->queues = (struct dashboard_targets){p->queues.list, p->queues.count};
    d->dead_letters = (struct dashboard_targets){p->letters.list, p->letters.count};
    d->functions = (struct dashboard_targets){p->functions.list, p->functions.count};
    d->tables = (struct dashboard_targets){p->tables.list, p->tables.count};
    return st;
}

static enum status write_out(const struct choice *c, const struct buf *body, struct error *err)
{
    struct out_file out;
    out_file_catch_signals();
    enum status st = out_file_open(&out, c->out, err);
    if (st != ST_OK)
        return st;
    errno = 0;
    if (fwrite(body->ptr, 1, body->len, out.file) == body->len)
        return out_file_close(&out, err);
    st = error_set(err, ST_IO, c->out != NULL ? code_of_errno(errno, E_F109) : E_R110, "%s: %s",
                   c->out != NULL ? c->out : "standard output", strerrordesc_np(errno));
    out_file_abandon(&out);
    return st;
}

static int run(const struct choice *c, const struct plan *p)
{
    struct error err = {0};
    struct buf body;
    for (size_t i = 0; i < p->sets.count; i++) {
        if (!dashboard_can_search(p->dashboard.name_space, &p->sets.set[i]))
            LOG_FAULT(LOG_WARN, E_P130,
                      "no widgets for a set: a SEARCH expression cannot hold its names, or gets "
                      "longer than 1024 characters",
                      log_u64("set", i + 1), log_view("first", p->sets.set[i].dimension[0].name));
    }
    buf_init(&body, DASHBOARD_MAX_BYTES);
    enum status st = dashboard_write(&p->dashboard, &body);
    if (st == ST_TOO_BIG)
        (void)error_set(&err, st, E_P131, "the body is larger than CloudWatch takes (%d bytes)",
                        DASHBOARD_MAX_BYTES);
    else if (st == ST_OK)
        st = write_out(c, &body, &err);
    buf_clear(&body);
    if (st == ST_OK)
        return EXIT_DONE;
    return run_failed("dashboard", &err);
}

int cmd_dashboard(int argc, char **argv)
{
    struct choice c = {0};
    static struct plan p; /* too large for a stack that may be small */
    struct error err = {0};
    struct option_spec specs[COMMON_OPTION_COUNT + 10] = {
        {"namespace", "NAMESPACE",
         "where the metrics are (default CLOUDWATCH_NAMESPACE,\n"
         "else Custom/BedrockMetrics)",
         &c.name_space, NULL},
        {"dimensions", "SETS",
         "the sets that are published, separated by ;\n"
         "(default METRIC_DIMENSIONS, else\n" DIMENSION_SETS_DEFAULT ")",
         &c.dimensions, NULL},
        {"metrics", "NAME,...",
         "the metrics that are published (default METRICS,\n"
         "else all, the estimated cost included)",
         &c.metrics, NULL},
        {"region", "REGION",
         "where the metrics are (default CLOUDWATCH_REGION,\n"
         "else AWS_REGION)",
         &c.region, NULL},
        {"queue", "NAME,...", "the queue: what waits, and for how long", &c.queue, NULL},
        {"dlq", "NAME,...", "the dead-letter queue", &c.dlq, NULL},
        {"function", "NAME,...", "the Lambda function: runs, errors, duration", &c.function, NULL},
        {"ledger", "LEDGER", "dynamodb://TABLE (default LEDGER)", &c.ledger, NULL},
        {"cloudformation", NULL,
         "the body for Fn::Sub in template.yaml, which puts in\n"
         "namespace, Region, queues and function",
         NULL, &c.cloudformation},
        {"out", "FILE", "write the body to FILE, whole or not at all", &c.out, NULL},
    };
    int count;
    common_options_table(&c.common, specs + 10);
    size_t spec_count = sizeof(specs) / sizeof(specs[0]);
    enum status st = options_parse(specs, spec_count, argc, argv, &count, &err);
    if (st == ST_END) {
        options_help(&this_command, specs, spec_count);
        return EXIT_DONE;
    }
    if (st == ST_OK && count > 0)
        st = error_set(&err, ST_USAGE, E_U106, "\"%.80s\" is not expected here", argv[0]);
    if (st == ST_OK)
        st = settle(&c, &p, &err);
    return st == ST_OK ? run(&c, &p) : start_failed("dashboard", st, &err);
}
