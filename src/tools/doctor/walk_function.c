/*
 * The function that takes the messages: its event source mapping, its configuration, how many
 * copies of it may run, how long its log is kept, and the schedule that starts its sweep.
 */
#include <stdio.h>

#include "aws/aws_json.h"
#include "aws/control_plane.h"
#include "base/json_out.h"
#include "base/json_read.h"
#include "tools/doctor/walk.h"

/* ---- mapping ---- */

static bool is_on(const json_t *mapping)
{
    return walk_listed(VIEW_LIT("Enabled,Enabling,Updating,Creating"), json_text(mapping, "State"));
}

/* "FunctionResponseTypes":["ReportBatchItemFailures"]: without it the function's answer is not
 * heeded, and what it returned to the queue is deleted with the rest. */
static bool reports_items(const json_t *mapping)
{
    size_t i;
    json_t *type;
    json_array_foreach(json_object_get(mapping, "FunctionResponseTypes"), i, type)
    {
        if (json_is_string(type) && strcmp(json_string_value(type), "ReportBatchItemFailures") == 0)
            return true;
    }
    return false;
}

static void judge_mapping(struct walk *w, size_t enabled)
{
    const json_t *mapping = w->queue->mapping;
    struct view region = w->queue->region, uuid = json_text(mapping, "UUID");
    struct view name = w->queue->function_name;
    if (!is_on(mapping)) {
        walk_fix(w, "aws lambda update-event-source-mapping --region % --uuid % --enabled", region,
                 uuid);
        walk_found(w, D71, "the mapping to %.*s is %.*s", SHOW(name),
                   SHOW(json_text(mapping, "State")));
    } else if (!reports_items(mapping)) {
        walk_fix(w,
                 "aws lambda update-event-source-mapping --region % --uuid % "
                 "--function-response-types ReportBatchItemFailures",
                 region, uuid);
        walk_found(w, D72, "the mapping to %.*s has no ReportBatchItemFailures", SHOW(name));
    } else if (enabled > 1) {
        walk_fix(w,
                 "aws lambda update-event-source-mapping --region % --uuid % --no-enabled (of the "
                 "function that is not to have them)",
                 region, uuid);
        walk_found(w, D73, "%zu functions take messages from the queue", enabled);
    } else {
        walk_ok(w, "to %.*s, %lld messages at most, results by item", SHOW(name),
                (long long)json_integer_value(json_object_get(mapping, "BatchSize")));
    }
}

void walk_mapping(struct walk *w)
{
    struct walk_queue *q = w->queue;
    json_t *mappings = NULL;
    size_t enabled = 0;
    enum status st =
        lambda_list_mappings(w->client, q->region, view_of(q->arn), &mappings, &w->err);
    if (!walk_answered(w, st, "lambda:ListEventSourceMappings"))
        return;
    /* The first that is enabled, else the first. */
    for (size_t i = 0; i < json_array_size(mappings); i++) {
        json_t *mapping = json_array_get(mappings, i);
        if (q->mapping == NULL || (is_on(mapping) && enabled == 0)) {
            json_decref(q->mapping);
            q->mapping = json_incref(mapping);
        }
        enabled += is_on(mapping);
    }
    json_decref(mappings);
    if (q->mapping == NULL) {
        walk_fix(w,
                 "aws lambda create-event-source-mapping --region % --event-source-arn % "
                 "--function-name bedrock-metrics-aggregator --batch-size 10 "
                 "--function-response-types ReportBatchItemFailures",
                 q->region, view_of(q->arn));
        walk_found(w, D70, "no function takes messages from the queue");
        return;
    }
    /* arn:aws:lambda:REGION:ACCOUNT:function:NAME[:QUALIFIER] */
    const struct view function = VIEW_LIT(":function:");
    struct view arn = json_text(q->mapping, "FunctionArn");
    size_t at = view_find(arn, function);
    q->function_name = at == SIZE_MAX ? arn : view_skip(arn, at + function.len);
    q->function_name = view_first(q->function_name, view_find_char(q->function_name, ':'));
    json_int_t window =
        json_integer_value(json_object_get(q->mapping, "MaximumBatchingWindowInSeconds"));
    q->batch_window_s = window > 0 && window <= 300 ? (uint64_t)window : 0;
    judge_mapping(w, enabled);
}

/* ---- function ---- */

/*
 * The buckets whose events come through this queue have to be in the function's list; true: they
 * are.  The CLI replaces all variables, so the command reads the others first; they are not written
 * out here, because among them may be secrets.
 */
static bool judge_buckets(struct walk *w, struct view list)
{
    const struct walk_queue *q = w->queue;
    for (size_t i = 0; i < w->bucket_count; i++) {
        const struct walk_bucket *b = &w->buckets[i];
        if (b->queue != q || b->missing || walk_listed(list, b->name))
            continue;
        struct buf value;
        buf_init(&value, 8192);
        buf_printf(&value, "%.*s%s%.*s", SHOW(list), list.len > 0 ? "," : "", SHOW(b->name));
        buf_reset(&w->scratch);
        buf_add_cstr(&w->scratch, ".Variables.S3_BUCKET_NAME=");
        json_quote(&w->scratch, buf_view(&value));
        buf_clear(&value);
        walk_fix(w,
                 "aws lambda update-function-configuration --region % --function-name % "
                 "--environment \"$(aws lambda get-function-configuration --region % "
                 "--function-name % --query Environment --output json | jq -c %)\"",
                 q->region, w->subject, q->region, w->subject, buf_view(&w->scratch));
        walk_found(w, D77,
                   "S3_BUCKET_NAME of the function is \"%.*s\", without "
                   "%.*s",
                   SHOW(list), SHOW(b->name));
        return false;
    }
    return true;
}

/* What the function has as its namespace and Region takes precedence over what is set here. */
static bool judge_namespace(struct walk *w, const json_t *variables)
{
    struct view space = json_text(variables, "CLOUDWATCH_NAMESPACE");
    struct view region = json_text(variables, "CLOUDWATCH_REGION");
    bool emf = view_eq_cstr(json_text(variables, "PUBLISHER"), "emf");
    if (space.len == 0)
        space = VIEW_LIT("Custom/BedrockMetrics");
    if (region.len == 0 || emf)
        region = w->queue->region;
    w->emf = w->emf || emf;
    if (view_eq_cstr(space, w->name_space) && view_eq_cstr(region, w->metrics_region))
        return true;
    walk_found(w, D78, "the function publishes to %.*s in %.*s, here %s in %s is set", SHOW(space),
               SHOW(region), w->name_space, w->metrics_region);
    if (space.len < sizeof(w->name_space) && aws_region_valid(region)) {
        (void)snprintf(w->name_space, sizeof(w->name_space), "%.*s", SHOW(space));
        (void)snprintf(w->metrics_region, sizeof(w->metrics_region), "%.*s", SHOW(region));
    }
    return false;
}

static void judge_function(struct walk *w)
{
    struct walk_queue *q = w->queue;
    const json_t *config = q->function;
    const json_t *variables = json_object_get(json_object_get(config, "Environment"), "Variables");
    struct view state = json_text(config, "State");
    struct view ledger = json_text(variables, "LEDGER");
    json_int_t timeout = json_integer_value(json_object_get(config, "Timeout"));
    if (view_eq_cstr(ledger, "none"))
        ledger = VIEW_EMPTY;
    if (w->ledger[0] == '\0' && ledger.len < sizeof(w->ledger))
        (void)snprintf(w->ledger, sizeof(w->ledger), "%.*s", SHOW(ledger));
    /* A function looks for its table in its own Region. */
    if (ledger.len > 0 && view_eq_cstr(ledger, w->ledger))
        w->ledger_region = q->region;
    if (timeout > 0)
        q->function_timeout_s = (uint64_t)timeout;
    walk_fix(
        w,
        "aws lambda get-function-configuration --region % --function-name % (fix the reason it "
        "gives, then deploy the stack again)",
        q->region, w->subject);
    /* Inactive: idle for long; it wakes up with the next message. */
    if (state.len > 0 && !walk_listed(VIEW_LIT("Active,Inactive"), state)) {
        walk_found(w, D75, "state %.*s: %.*s", SHOW(state), SHOW(json_text(config, "StateReason")));
        return;
    }
    if (view_eq_cstr(json_text(config, "LastUpdateStatus"), "Failed")) {
        walk_found(w, D76, "the last update failed: %.*s",
                   SHOW(json_text(config, "LastUpdateStatusReason")));
        return;
    }
    buf_reset(&w->fix);
    if (!judge_buckets(w, json_text(variables, "S3_BUCKET_NAME")) || !judge_namespace(w, variables))
        return;
    if (w->ledger[0] != '\0' && !view_eq_cstr(ledger, w->ledger))
        walk_found(w, D79, "LEDGER is %s%.*s in the function, here %s",
                   ledger.len == 0 ? "not set" : "", SHOW(ledger), w->ledger);
    else
        walk_ok(w, "active, timeout %llu s", (unsigned long long)q->function_timeout_s);
}

void walk_function(struct walk *w)
{
    struct walk_queue *q = w->queue;
    struct view arn = json_text(q->mapping, "FunctionArn");
    w->subject = q->function_name;
    enum status st = lambda_get_function(w->client, q->region, arn, &q->function, &w->err);
    if (st == ST_MISSING)
        walk_found(w, D74, "there is no function %.*s", SHOW(arn));
    else if (walk_answered(w, st, "lambda:GetFunctionConfiguration"))
        judge_function(w);
}

/* ---- limits ---- */

/*
 * Reserved concurrency against the mapping's maximum.  More pollers than copies means throttled
 * messages, each of which has used up a receive (Lambda developer guide, "Configuring maximum
 * concurrency for Amazon SQS event sources"; the maximum can be 2 to 1000).
 */
static void judge_concurrency(struct walk *w, const json_t *reserved, const json_t *most)
{
    enum { LEAST = 2, SHIPPED = 10 };
    const struct walk_queue *q = w->queue;
    long long copies = (long long)json_integer_value(reserved);
    long long taken = (long long)json_integer_value(most);
    if (!json_is_integer(reserved)) {
        walk_ok(w, "none reserved");
        return;
    }
    if (copies > 0 && json_is_integer(most) && taken <= copies) {
        walk_ok(w, "%lld reserved, at most %lld for the queue", copies, taken);
        return;
    }
    if (copies > LEAST) {
        char maximum[24];
        (void)snprintf(maximum, sizeof(maximum), "%lld", copies > SHIPPED ? SHIPPED : copies - 1);
        walk_fix(w,
                 "aws lambda update-event-source-mapping --region % --uuid % --scaling-config "
                 "MaximumConcurrency=%",
                 q->region, json_text(q->mapping, "UUID"), view_of(maximum));
    } else {
        walk_fix(w,
                 "aws lambda put-function-concurrency --region % --function-name % "
                 "--reserved-concurrent-executions 10 (then run doctor again)",
                 q->region, w->subject);
    }
    if (copies <= 0)
        walk_found(w, D68, "the reserved concurrency is 0");
    else if (json_is_integer(most))
        walk_found(w, D67, "%lld reserved, and the mapping may start %lld", copies, taken);
    else
        walk_found(w, D67, "%lld reserved, and the mapping has no maximum", copies);
}

void walk_concurrency(struct walk *w)
{
    const struct walk_queue *q = w->queue;
    json_t *answer = NULL;
    w->subject = q->function_name;
    enum status st =
        lambda_get_concurrency(w->client, q->region, q->function_name, &answer, &w->err);
    if (walk_answered(w, st, "lambda:GetFunctionConcurrency"))
        judge_concurrency(
            w, json_object_get(answer, "ReservedConcurrentExecutions"),
            json_object_get(json_object_get(q->mapping, "ScalingConfig"), "MaximumConcurrency"));
    json_decref(answer);
}

void walk_log_group(struct walk *w)
{
    const struct walk_queue *q = w->queue;
    char own[300];
    json_t *answer = NULL, *group;
    const json_t *days = NULL;
    bool there = false;
    size_t i;
    w->subject = json_text(json_object_get(q->function, "LoggingConfig"), "LogGroup");
    if (w->subject.len == 0) { /* Lambda's default */
        (void)snprintf(own, sizeof(own), "/aws/lambda/%.*s", SHOW(q->function_name));
        w->subject = view_of(own);
    }
    json_t *in = json_pack("{s:s%}", "logGroupNamePrefix", w->subject.ptr, w->subject.len);
    enum status st = control_plane_call(w->client, CONTROL_LOGS, q->region, "DescribeLogGroups", in,
                                        &answer, &w->err);
    json_array_foreach(json_object_get(answer, "logGroups"), i, group)
    {
        if (!there && view_eq(json_text(group, "logGroupName"), w->subject)) {
            there = true;
            days = json_object_get(group, "retentionInDays");
        }
    }
    if (!walk_answered(w, st, "logs:DescribeLogGroups")) {
        /* noted */
    } else if (!there) {
        walk_ok(w, "not there yet: the function has not run");
    } else if (json_is_integer(days)) {
        walk_ok(w, "kept for %lld days", (long long)json_integer_value(days));
    } else {
        walk_fix(w,
                 "aws logs put-retention-policy --region % --log-group-name % --retention-in-days "
                 "30",
                 q->region, w->subject);
        walk_found(w, D83, "the log group has no retention");
    }
    json_decref(in);
    json_decref(answer);
    w->subject = VIEW_EMPTY;
}

/* ---- the sweep's schedule ---- */

void walk_schedule(struct walk *w)
{
    const struct walk_queue *q = w->queue;
    struct view function = json_text(q->mapping, "FunctionArn"), region = q->region;
    json_t *answer = NULL;
    json_t *in = json_pack("{s:s%}", "TargetArn", function.ptr, function.len);
    enum status st = control_plane_call(w->client, CONTROL_EVENTS, region, "ListRuleNamesByTarget",
                                        in, &answer, &w->err);
    size_t rules = json_array_size(json_object_get(answer, "RuleNames"));
    if (!walk_answered(w, st, "events:ListRuleNamesByTarget")) {
        /* noted */
    } else if (rules > 0) {
        walk_ok(w, "%zu rules start the function", rules);
    } else {
        json_t *targets =
            json_pack("[{s:s, s:s%, s:s}]", "Id", "function", "Arn", function.ptr, function.len,
                      "Input", "{\"command\":\"sweep\",\"since\":\"3h\"}");
        walk_fix(w,
                 "aws events put-rule --region % --name bedrock-metrics-sweep "
                 "--schedule-expression 'cron(17 * * * ? *)' && aws lambda add-permission --region "
                 "% --function-name % --statement-id bedrock-metrics-sweep --action "
                 "lambda:InvokeFunction --principal events.amazonaws.com && aws events put-targets "
                 "--region % --rule bedrock-metrics-sweep --targets %",
                 region, region, function, region, walk_json(w, targets));
        walk_found(w, D84, "no rule of EventBridge starts the function");
    }
    json_decref(in);
    json_decref(answer);
}
