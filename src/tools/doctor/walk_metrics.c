/* The end of the pipeline: the metrics that arrived in CloudWatch, and their ledger. */
#include <libgen.h>
#include <stdlib.h>
#include <unistd.h>

#include "aws/aws_json.h"
#include "aws/cloudwatch_read.h"
#include "aws/dynamodb.h"
#include "base/json_read.h"
#include "config/variables.h"
#include "tools/doctor/walk.h"

enum {
    MAX_SERIES = 50,
    LOOK_BACK_S = WALK_DAY_S,
    PERIOD_S = 300,
    SLACK_S = 3600,   /* records are a little older than their object; a period is 5 minutes */
    COUNTED_S = 1800, /* an object older than this should have been counted */
};

/* ---- metrics ---- */

struct newest {
    const json_t *series;
    int64_t time_s; /* of the newest value; 0: none */
};

static json_t *metric_of(void *ctx, size_t i)
{
    const struct newest *n = ctx;
    return json_incref(json_array_get(n->series, i));
}

static enum status take_newest(void *ctx, size_t i, const struct cloudwatch_value *values, size_t n,
                               struct error *err)
{
    struct newest *newest = ctx;
    (void)i;
    (void)err;
    if (n > 0 && values[n - 1].time_s > newest->time_s)
        newest->time_s = values[n - 1].time_s;
    return ST_OK;
}

static void fix_by_log(struct walk *w)
{
    if (w->queue_count > 0)
        walk_fix(w, "aws logs tail /aws/lambda/bedrock-metrics-aggregator --since 1h --region %",
                 w->queues[0].region);
}

static void judge_age(struct walk *w, size_t series, int64_t newest_s)
{
    struct walk_age age = walk_age(w->now_s - newest_s);
    struct walk_age object = walk_age(w->now_s - w->newest_object_s);
    int64_t object_age_s = w->now_s - w->newest_object_s;
    if (w->newest_object_s != 0 && object_age_s > COUNTED_S &&
        object_age_s < LOOK_BACK_S - SLACK_S && newest_s + SLACK_S < w->newest_object_s) {
        fix_by_log(w);
        if (newest_s == 0)
            walk_found(w, D92, "no datum in the last 24 hours, the newest log object is %s old",
                       object.text);
        else
            walk_found(w, D92, "the newest datum is %s old, the newest log object %s", age.text,
                       object.text);
    } else if (newest_s == 0) {
        walk_ok(w, "%zu series in %s, no datum in the last 24 hours", series, w->metrics_region);
    } else {
        walk_ok(w, "%zu series in %s, the newest datum is %s old", series, w->metrics_region,
                age.text);
    }
}

/* The metric to look for: Invocations, or where METRICS leaves that out its first; the caller's. */
static char *metric_looked_for(void)
{
    struct view list =
        view_of(variable_given(VAR_METRICS) ? variable_get(VAR_METRICS) : "Invocations");
    if (walk_listed(list, VIEW_LIT("Invocations")))
        return strdup("Invocations");
    return view_dup(view_trim(view_first(list, view_find_char(list, ','))));
}

void walk_metrics(struct walk *w)
{
    const char *cause = findings_first_fault(w->f);
    char *name = metric_looked_for();
    json_t *series = NULL;
    enum status st = ST_NO_MEMORY;
    if (cause != NULL) {
        walk_not_checked(w, "%s comes first", cause);
        goto out;
    }
    if (name != NULL)
        st = cloudwatch_list_metrics(w->client, view_of(w->metrics_region), w->subject, name,
                                     &series, &w->err);
    if (!walk_answered(w, st, "cloudwatch:ListMetrics"))
        goto out;
    size_t n = json_array_size(series);
    if (n == 0) {
        if (w->newest_object_s != 0 && w->now_s - w->newest_object_s > COUNTED_S) {
            fix_by_log(w);
            walk_found(w, D90, "no metric in the namespace in %s", w->metrics_region);
        } else {
            walk_found(w, D91, "no metric in the namespace in %s yet", w->metrics_region);
        }
        goto out;
    }
    struct newest newest = {.series = series};
    struct cloudwatch_query query = {.client = w->client,
                                     .region = view_of(w->metrics_region),
                                     .since_s = w->now_s - LOOK_BACK_S,
                                     .until_s = w->now_s + PERIOD_S,
                                     .period_s = PERIOD_S,
                                     .stat = "Sum",
                                     .series = n < MAX_SERIES ? n : MAX_SERIES,
                                     .metric = metric_of,
                                     .values = take_newest,
                                     .ctx = &newest};
    if (walk_answered(w, cloudwatch_read(&query, NULL, &w->err), "cloudwatch:GetMetricData"))
        judge_age(w, n, newest.time_s);
out:
    json_decref(series);
    free(name);
}

void walk_publishing(struct walk *w)
{
    walk_not_checked(w, "%s",
                     w->emf ? "metrics are log lines of the function: no permission to publish is "
                              "needed"
                            : "cloudwatch:PutMetricData cannot be tried without writing; --canary "
                              "does");
}

/* ---- ledger ---- */

/* One key, "pk", a string. */
static bool key_is_ours(const json_t *table, struct view key)
{
    size_t i;
    json_t *a;
    struct view type = VIEW_EMPTY;
    json_array_foreach(json_object_get(table, "AttributeDefinitions"), i, a)
    {
        if (view_eq_cstr(json_text(a, "AttributeName"), "pk"))
            type = json_text(a, "AttributeType");
    }
    return json_array_size(json_object_get(table, "KeySchema")) == 1 && view_eq_cstr(key, "pk") &&
           view_eq_cstr(type, "S");
}

#define CREATE_TABLE                                                                               \
    "aws dynamodb create-table --region % --table-name % --billing-mode PAY_PER_REQUEST "          \
    "--attribute-definitions AttributeName=pk,AttributeType=S --key-schema "                       \
    "AttributeName=pk,KeyType=HASH"

static void look_at_table(struct walk *w, struct view name)
{
    struct view region = w->ledger_region;
    json_t *answer = NULL;
    json_t *in = json_pack("{s:s%}", "TableName", name.ptr, name.len);
    enum status st = dynamodb_call(w->client, region, "DescribeTable", in, &answer, &w->err);
    const json_t *table = json_object_get(answer, "Table");
    const json_t *schema = json_array_get(json_object_get(table, "KeySchema"), 0);
    struct view state = json_text(table, "TableStatus");
    struct view key = json_text(schema, "AttributeName");
    w->subject = name;
    if (st == ST_MISSING) {
        walk_fix(w, CREATE_TABLE, region, name);
        walk_found(w, D94, "there is no table of this name in %.*s", SHOW(region));
    } else if (!walk_answered(w, st, "dynamodb:DescribeTable")) {
        /* noted */
    } else if (!key_is_ours(table, key)) {
        walk_fix(w, CREATE_TABLE " (under another name, and LEDGER to match)", region, name);
        walk_found(w, D95, "the table's key is \"%.*s\"", SHOW(key));
    } else if (!walk_listed(VIEW_LIT("ACTIVE,UPDATING"), state)) {
        walk_fix(w, "aws dynamodb wait table-exists --region % --table-name %", region, name);
        walk_found(w, D96, "the table's state is %.*s", SHOW(state));
    } else {
        walk_ok(w, "the table is there, %.*s", SHOW(state));
    }
    json_decref(in);
    json_decref(answer);
}

/* Nothing is opened: opening makes the file and its journal. */
static void look_at_file(struct walk *w, const char *path)
{
    char *copy = strdup(path);
    const char *folder = copy == NULL ? "." : dirname(copy);
    bool exists = access(path, F_OK) == 0;
    bool usable = (!exists || access(path, R_OK | W_OK) == 0) && access(folder, W_OK | X_OK) == 0;
    walk_fix(w, exists ? "chmod u+rw %" : "mkdir -p %", view_of(exists ? path : folder));
    if (usable)
        walk_ok(w, "%s", exists ? "the file can be written" : "the file can be created");
    else
        walk_found(w, D97, "%s",
                   exists ? "the file or its folder cannot be written"
                          : "its folder does not exist or cannot be written");
    free(copy);
}

void walk_ledger(struct walk *w)
{
    const struct view scheme = VIEW_LIT("dynamodb://");
    struct view name = view_of(w->ledger);
    if (view_starts(name, scheme))
        look_at_table(w, view_skip(name, scheme.len));
    else
        look_at_file(w, w->ledger);
}
