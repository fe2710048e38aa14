/* walk_metrics.c: what arrived in CloudWatch, and the ledger. */
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "aws/aws_json.h"
#include "aws/cloudwatch_read.h"
#include "aws/dynamodb.h"
#include "config/config.h"
#include "tools/doctor/walk.h"

static const char metrics_step[] = "metrics";

enum { MAX_SERIES = 50, LOOK_BACK_S = 24 * 3600, PERIOD_S = 300, SLACK_S = 3600 };

/* ---- metrics ---- */

/* The metric to look for: Invocations, or where METRICS leaves that out its first. */
static const char *metric_looked_for(char out[64])
{
    struct view rest = view_of(config_get("METRICS", "Invocations")), part;
    (void)snprintf(out, 64, "Invocations");
    bool first = true;
    while (view_split(&rest, ',', &part)) {
        part = view_trim(part);
        if (view_eq_cstr(part, "Invocations"))
            return strcpy(out, "Invocations");
        if (first)
            (void)snprintf(out, 64, "%.*s", (int)part.len, part.ptr);
        first = false;
    }
    return out;
}

struct newest {
    const json_t *series;
    int64_t time_s;
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

/* The newest period with a datum in the first series of the list; 0: none in a day. */
static enum status newest_datum(struct walk *w, const json_t *series, int64_t *time_s,
                                struct error *err)
{
    struct newest newest = {.series = series};
    size_t n = json_array_size(series);
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
    enum status st = cloudwatch_read(&query, NULL, err);
    *time_s = newest.time_s;
    return st;
}

/* Objects that should have been counted by now. */
static bool objects_wait(const struct walk *w)
{
    return w->newest_object_s != 0 && w->now_s - w->newest_object_s > WALK_LATE_OBJECT_S;
}

static struct view list_command(struct walk *w, struct buf *out)
{
    walk_command_start(out, "aws logs tail /aws/lambda/bedrock-metrics-aggregator --since 1h");
    if (w->queue_count > 0)
        walk_command_option(out, "--region", w->queues[0].region);
    return buf_view(out);
}

static void judge_no_series(struct walk *w, struct buf *command)
{
    struct view subject = view_of(w->name_space);
    if (objects_wait(w))
        findings_add(w->f, CODE_NO_METRICS, metrics_step, subject, list_command(w, command),
                     "no metric in the namespace in %s", w->metrics_region);
    else
        findings_add(w->f, CODE_NO_METRICS_YET, metrics_step, subject,
                     VIEW_LIT("make a Bedrock call, wait some minutes, and run doctor again"),
                     "no metric in the namespace in %s yet", w->metrics_region);
}

static void judge_age(struct walk *w, int64_t newest, size_t series, struct buf *command)
{
    struct view subject = view_of(w->name_space);
    char age[32], object[32];
    walk_age(w->now_s - newest, age);
    walk_age(w->now_s - w->newest_object_s, object);
    /* Records are a little older than their object; a period is 5 minutes. */
    bool behind = objects_wait(w) && w->now_s - w->newest_object_s < LOOK_BACK_S - SLACK_S &&
                  newest + SLACK_S < w->newest_object_s;
    if (behind && newest == 0)
        findings_add(w->f, CODE_OLD_METRICS, metrics_step, subject, list_command(w, command),
                     "no datum in the last 24 hours, the newest log object is %s old", object);
    else if (behind)
        findings_add(w->f, CODE_OLD_METRICS, metrics_step, subject, list_command(w, command),
                     "the newest datum is %s old, the newest log object %s", age, object);
    else if (newest == 0)
        findings_ok(w->f, metrics_step, subject, "%zu series in %s, no datum in the last 24 hours",
                    series, w->metrics_region);
    else
        findings_ok(w->f, metrics_step, subject, "%zu series in %s, the newest datum is %s old",
                    series, w->metrics_region, age);
}

static void look_at_metrics(struct walk *w, struct buf *command)
{
    struct view subject = view_of(w->name_space);
    struct error err = {0};
    char name[64];
    json_t *series = NULL;
    int64_t newest = 0;
    enum status st = cloudwatch_list_metrics(w->client, view_of(w->metrics_region), subject,
                                             metric_looked_for(name), &series, &err);
    if (st != ST_OK) {
        walk_call_failed(w, metrics_step, subject, st, "cloudwatch:ListMetrics", &err);
    } else if (json_array_size(series) == 0) {
        judge_no_series(w, command);
    } else {
        st = newest_datum(w, series, &newest, &err);
        if (st != ST_OK)
            walk_call_failed(w, metrics_step, subject, st, "cloudwatch:GetMetricData", &err);
        else
            judge_age(w, newest, json_array_size(series), command);
    }
    json_decref(series);
}

void walk_metrics(struct walk *w)
{
    struct view subject = view_of(w->name_space);
    struct buf command;
    if (walk_wants(w, metrics_step, subject)) {
        const char *cause = findings_first_fault(w->f);
        buf_init(&command, WALK_TEXT);
        if (cause != NULL)
            findings_not_checked(w->f, metrics_step, subject, "%s comes first", cause);
        else
            look_at_metrics(w, &command);
        buf_clear(&command);
    }
    if (walk_wants(w, "publishing", subject))
        findings_not_checked(w->f, "publishing", subject, "%s",
                             w->emf ? "metrics are log lines of the function: no permission "
                                      "to publish is needed"
                                    : "cloudwatch:PutMetricData cannot be tried without "
                                      "writing; --canary does");
}

/* ---- ledger ---- */

static const char ledger_step[] = "ledger";

static bool key_is_ours(const json_t *table)
{
    const json_t *keys = json_object_get(table, "KeySchema");
    const json_t *attributes = json_object_get(table, "AttributeDefinitions");
    if (json_array_size(keys) != 1 ||
        !view_eq_cstr(aws_json_text(json_array_get(keys, 0), "AttributeName"), "pk"))
        return false;
    for (size_t i = 0; i < json_array_size(attributes); i++) {
        const json_t *a = json_array_get(attributes, i);
        if (view_eq_cstr(aws_json_text(a, "AttributeName"), "pk"))
            return view_eq_cstr(aws_json_text(a, "AttributeType"), "S");
    }
    return false;
}

static struct view table_command(struct buf *out, const struct walk *w, struct view table)
{
    walk_command_start(out, "aws dynamodb create-table");
    walk_command_option(out, "--region", w->ledger_region);
    walk_command_option(out, "--table-name", table);
    buf_add_cstr(out, " --billing-mode PAY_PER_REQUEST --attribute-definitions "
                      "AttributeName=pk,AttributeType=S --key-schema "
                      "AttributeName=pk,KeyType=HASH");
    return buf_view(out);
}

static void look_at_table(struct walk *w, struct view table, struct buf *command)
{
    struct error err = {0};
    json_t *answer = NULL;
    json_t *in = json_pack("{s:s%}", "TableName", table.ptr == NULL ? "" : table.ptr, table.len);
    enum status st =
        in == NULL ? ST_NO_MEMORY
                   : dynamodb_call(w->client, w->ledger_region, "DescribeTable", in, &answer, &err);
    const json_t *found = json_object_get(answer, "Table");
    struct view state = aws_json_text(found, "TableStatus");
    if (st == ST_MISSING) {
        findings_add(w->f, CODE_NO_TABLE, ledger_step, table, table_command(command, w, table),
                     "there is no table of this name in %.*s", (int)w->ledger_region.len,
                     w->ledger_region.ptr);
    } else if (st != ST_OK) {
        walk_call_failed(w, ledger_step, table, st, "dynamodb:DescribeTable", &err);
    } else if (!key_is_ours(found)) {
        table_command(command, w, table);
        buf_add_cstr(command, " (under another name, and LEDGER to match)");
        findings_add(
            w->f, CODE_TABLE_KEY, ledger_step, table, buf_view(command),
            "the table's key is \"%.*s\"",
            (int)aws_json_text(json_array_get(json_object_get(found, "KeySchema"), 0),
                               "AttributeName")
                .len,
            aws_json_text(json_array_get(json_object_get(found, "KeySchema"), 0), "AttributeName")
                .ptr);
    } else if (!view_eq_cstr(state, "ACTIVE") && !view_eq_cstr(state, "UPDATING")) {
        walk_command_start(command, "aws dynamodb wait table-exists");
        walk_command_option(command, "--region", w->ledger_region);
        walk_command_option(command, "--table-name", table);
        findings_add(w->f, CODE_TABLE_STATE, ledger_step, table, buf_view(command),
                     "the table's state is %.*s", (int)state.len, state.ptr);
    } else {
        findings_ok(w->f, ledger_step, table, "the table is there, %.*s", (int)state.len,
                    state.ptr);
    }
    json_decref(in);
    json_decref(answer);
}

/* Nothing is opened: opening makes the file and its journal. */
static void look_at_file(struct walk *w, const char *path, struct buf *command)
{
    char *copy = strdup(path);
    const char *folder = copy == NULL ? "." : dirname(copy);
    bool exists = access(path, F_OK) == 0;
    bool usable = (!exists || access(path, R_OK | W_OK) == 0) && access(folder, W_OK | X_OK) == 0;
    walk_command_start(command, exists ? "chmod u+rw" : "mkdir -p");
    walk_add_word(command, view_of(exists ? path : folder));
    if (usable)
        findings_ok(w->f, ledger_step, view_of(path), "%s",
                    exists ? "the file can be written" : "the file can be made");
    else
        findings_add(w->f, CODE_LEDGER_FILE, ledger_step, view_of(path), buf_view(command), "%s",
                     exists ? "the file or its folder cannot be written"
                            : "its folder does not exist or cannot be written");
    free(copy);
}

void walk_ledger(struct walk *w)
{
    const struct view scheme = VIEW_LIT("dynamodb://");
    const char *value = w->ledger;
    struct buf command;
    if (value[0] == '\0')
        return;
    if (!walk_wants(w, ledger_step, view_of(value)))
        return;
    buf_init(&command, WALK_TEXT);
    if (view_starts(view_of(value), scheme))
        look_at_table(w, view_skip(view_of(value), scheme.len), &command);
    else
        look_at_file(w, value, &command);
    buf_clear(&command);
}
