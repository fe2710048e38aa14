/* walk_watch.c: who would notice: the alarm on dead letters, and the schedule of the sweep. */
#include "aws/aws_json.h"
#include "aws/cloudwatch_read.h"
#include "aws/control_plane.h"
#include "tools/doctor/walk.h"

static const char alarms_step[] = "alarms";
static const char schedule_step[] = "schedule";

/* ---- alarms ---- */

static bool metric_is(const json_t *metric, struct view queue)
{
    size_t i;
    json_t *dimension;
    if (!view_eq_cstr(aws_json_text(metric, "Namespace"), "AWS/SQS") ||
        !view_eq_cstr(aws_json_text(metric, "MetricName"), "ApproximateNumberOfMessagesVisible"))
        return false;
    json_array_foreach(json_object_get(metric, "Dimensions"), i, dimension)
    {
        if (view_eq_cstr(aws_json_text(dimension, "Name"), "QueueName") &&
            view_eq(aws_json_text(dimension, "Value"), queue))
            return true;
    }
    return false;
}

/* On the one metric, or on an expression that holds it. */
static bool watches(const json_t *alarm, struct view queue)
{
    size_t i;
    json_t *entry;
    if (metric_is(alarm, queue))
        return true;
    json_array_foreach(json_object_get(alarm, "Metrics"), i, entry)
    {
        const json_t *stat = json_object_get(entry, "MetricStat");
        if (metric_is(json_object_get(stat, "Metric"), queue))
            return true;
    }
    return false;
}

static bool has_action(const json_t *alarm)
{
    return json_array_size(json_object_get(alarm, "AlarmActions")) > 0;
}

static struct view alarm_command(struct buf *out, const struct walk_queue *q, struct view name,
                                 struct view queue)
{
    walk_command_start(out, "aws cloudwatch put-metric-alarm");
    walk_command_option(out, "--region", q->region);
    walk_command_option(out, "--alarm-name", name);
    buf_add_cstr(out, " --namespace AWS/SQS --metric-name ApproximateNumberOfMessagesVisible "
                      "--dimensions Name=QueueName,Value=");
    buf_add_view(out, queue);
    buf_add_cstr(out, " --statistic Maximum --period 300 --evaluation-periods 1 --threshold 1 "
                      "--comparison-operator GreaterThanOrEqualToThreshold --treat-missing-data "
                      "notBreaching --alarm-actions TOPIC_ARN (your SNS topic; or deploy with "
                      "AlarmTopicArn=TOPIC_ARN)");
    return buf_view(out);
}

static void judge_alarms(struct walk *w, const struct walk_queue *q, const json_t *alarms,
                         struct view queue, struct buf *command)
{
    const json_t *found = NULL;
    for (size_t i = 0; i < json_array_size(alarms); i++) {
        const json_t *alarm = json_array_get(alarms, i);
        bool on = !json_is_false(json_object_get(alarm, "ActionsEnabled"));
        if (!watches(alarm, queue))
            continue;
        found = found == NULL || has_action(alarm) ? alarm : found;
        if (on && has_action(alarm)) {
            struct view name = aws_json_text(alarm, "AlarmName");
            findings_ok(w->f, alarms_step, queue, "%.*s tells of dead letters", (int)name.len,
                        name.ptr);
            return;
        }
    }
    struct view name = aws_json_text(found, "AlarmName");
    if (found == NULL) {
        buf_reset(command);
        struct buf own;
        buf_init(&own, 512);
        buf_printf(&own, "%.*s-waiting", (int)queue.len, queue.ptr);
        findings_add(w->f, CODE_NO_ALARM, alarms_step, queue,
                     alarm_command(command, q, buf_view(&own), queue),
                     "no alarm watches the dead-letter queue");
        buf_clear(&own);
    } else if (!has_action(found)) {
        findings_add(w->f, CODE_SILENT_ALARM, alarms_step, queue,
                     alarm_command(command, q, name, queue), "alarm %.*s tells nobody",
                     (int)name.len, name.ptr);
    } else {
        walk_command_start(command, "aws cloudwatch enable-alarm-actions");
        walk_command_option(command, "--region", q->region);
        walk_command_option(command, "--alarm-names", name);
        findings_add(w->f, CODE_SILENT_ALARM, alarms_step, queue, buf_view(command),
                     "the actions of alarm %.*s are disabled", (int)name.len, name.ptr);
    }
}

void walk_alarms(struct walk *w, struct walk_queue *q)
{
    struct view arn = view_of(q->attributes.dead_letter_arn);
    struct error err = {0};
    struct buf command;
    json_t *alarms = NULL;
    if (!walk_wants(w, alarms_step, view_of(q->queue.name)))
        return;
    if (!q->there || arn.len == 0) {
        findings_not_checked(w->f, alarms_step, view_of(q->queue.name),
                             "the dead-letter queue is not known");
        return;
    }
    size_t colon = view_rfind(arn, VIEW_LIT(":"));
    struct view queue = colon == SIZE_MAX ? arn : view_skip(arn, colon + 1);
    buf_init(&command, WALK_TEXT);
    enum status st = cloudwatch_describe_alarms(w->client, q->region, &alarms, &err);
    if (st == ST_OK)
        judge_alarms(w, q, alarms, queue, &command);
    else
        walk_call_failed(w, alarms_step, queue, st, "cloudwatch:DescribeAlarms", &err);
    json_decref(alarms);
    buf_clear(&command);
}

/* ---- the sweep's schedule ---- */

static struct view schedule_command(struct buf *out, const struct walk_queue *q)
{
    static const char rule[] = "bedrock-metrics-sweep";
    struct view function = view_of(q->function_arn);
    walk_command_start(out, "aws events put-rule");
    walk_command_option(out, "--region", q->region);
    walk_command_option(out, "--name", view_of(rule));
    walk_command_option(out, "--schedule-expression", VIEW_LIT("cron(17 * * * ? *)"));
    buf_add_cstr(out, " && aws lambda add-permission");
    walk_command_option(out, "--region", q->region);
    walk_command_option(out, "--function-name", function);
    walk_command_option(out, "--statement-id", view_of(rule));
    buf_add_cstr(out, " --action lambda:InvokeFunction --principal events.amazonaws.com "
                      "&& aws events put-targets");
    walk_command_option(out, "--region", q->region);
    walk_command_option(out, "--rule", view_of(rule));
    struct buf targets;
    buf_init(&targets, 1024);
    buf_printf(&targets,
               "[{\"Id\":\"function\",\"Arn\":\"%s\",\"Input\":\"{\\\"command\\\":"
               "\\\"sweep\\\",\\\"since\\\":\\\"3h\\\"}\"}]",
               q->function_arn);
    walk_command_option(out, "--targets", buf_view(&targets));
    buf_clear(&targets);
    return buf_view(out);
}

/* With a ledger only: without one there is nothing to sweep by. */
void walk_schedule(struct walk *w, struct walk_queue *q)
{
    struct view subject = view_of(q->queue.name);
    struct error err = {0};
    struct buf command;
    json_t *answer = NULL;
    if (w->ledger[0] == '\0' || q->function_arn[0] == '\0')
        return;
    if (!walk_wants(w, schedule_step, subject))
        return;
    buf_init(&command, WALK_TEXT);
    json_t *in = json_pack("{s:s}", "TargetArn", q->function_arn);
    enum status st = in == NULL ? ST_NO_MEMORY
                                : control_plane_call(w->client, CONTROL_EVENTS, q->region,
                                                     "ListRuleNamesByTarget", in, &answer, &err);
    const json_t *names = json_object_get(answer, "RuleNames");
    if (st != ST_OK)
        walk_call_failed(w, schedule_step, subject, st, "events:ListRuleNamesByTarget", &err);
    else if (json_array_size(names) == 0)
        findings_add(w->f, CODE_NO_SCHEDULE, schedule_step, subject, schedule_command(&command, q),
                     "no rule of EventBridge starts the function");
    else
        findings_ok(w->f, schedule_step, subject, "%zu rules start the function",
                    json_array_size(names));
    json_decref(in);
    json_decref(answer);
    buf_clear(&command);
}
