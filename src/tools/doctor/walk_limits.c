/* walk_limits.c: how many copies of the function may run, and how long its log is kept. */
#include <stdio.h>

#include "aws/aws_json.h"
#include "aws/control_plane.h"
#include "tools/doctor/walk_function.h"

static const char concurrency_step[] = "concurrency";
static const char log_step[] = "log-group";

/* Fewest copies that a mapping's maximum concurrency may be. */
enum { LEAST_CONCURRENCY = 2, SHIPPED_CONCURRENCY = 10 };

static struct view reserve(struct buf *out, const struct walk_queue *q, struct view name,
                           const char *copies)
{
    walk_command_start(out, "aws lambda put-function-concurrency");
    walk_command_option(out, "--region", q->region);
    walk_command_option(out, "--function-name", name);
    walk_command_option(out, "--reserved-concurrent-executions", view_of(copies));
    return buf_view(out);
}

static void judge_concurrency(struct walk *w, const struct walk_queue *q, struct view name,
                              const json_t *answer, const json_t *mapping, struct buf *command)
{
    const json_t *reserved = json_object_get(answer, "ReservedConcurrentExecutions");
    const json_t *most =
        json_object_get(json_object_get(mapping, "ScalingConfig"), "MaximumConcurrency");
    long long copies = (long long)json_integer_value(reserved);
    long long taken = (long long)json_integer_value(most);
    if (!json_is_integer(reserved)) {
        findings_ok(w->f, concurrency_step, name, "none reserved");
        return;
    }
    if (copies <= 0) {
        findings_add(w->f, CODE_SWITCHED_OFF, concurrency_step, name,
                     reserve(command, q, name, "10"), "the reserved concurrency is 0");
        return;
    }
    if (json_is_integer(most) && taken <= copies) {
        findings_ok(w->f, concurrency_step, name, "%lld reserved, at most %lld for the queue",
                    copies, taken);
        return;
    }
    struct view mend;
    if (copies > LEAST_CONCURRENCY) {
        walk_command_start(command, "aws lambda update-event-source-mapping");
        walk_command_option(command, "--region", q->region);
        walk_command_option(command, "--uuid", aws_json_text(mapping, "UUID"));
        buf_printf(command, " --scaling-config MaximumConcurrency=%lld",
                   copies > SHIPPED_CONCURRENCY ? SHIPPED_CONCURRENCY : copies - 1);
        mend = buf_view(command);
    } else {
        mend = reserve(command, q, name, "10");
        buf_add_cstr(command, " (then run doctor again)");
        mend = buf_view(command);
    }
    if (json_is_integer(most))
        findings_add(w->f, CODE_CONCURRENCY, concurrency_step, name, mend,
                     "%lld reserved, and the mapping may start %lld", copies, taken);
    else
        findings_add(w->f, CODE_CONCURRENCY, concurrency_step, name, mend,
                     "%lld reserved, and the mapping has no maximum", copies);
}

void walk_concurrency(struct walk *w, const struct walk_queue *q, struct view name,
                      const json_t *mapping)
{
    struct error err = {0};
    struct buf command;
    json_t *answer = NULL;
    if (!walk_wants(w, concurrency_step, name))
        return;
    buf_init(&command, WALK_TEXT);
    enum status st = lambda_get_concurrency(w->client, q->region, name, &answer, &err);
    if (st == ST_OK)
        judge_concurrency(w, q, name, answer, mapping, &command);
    else
        walk_call_failed(w, concurrency_step, name, st, "lambda:GetFunctionConcurrency", &err);
    json_decref(answer);
    buf_clear(&command);
}

/* ---- the log ---- */

static const json_t *group_of(const json_t *answer, struct view name)
{
    size_t i;
    json_t *group;
    json_array_foreach(json_object_get(answer, "logGroups"), i, group)
    {
        if (view_eq(aws_json_text(group, "logGroupName"), name))
            return group;
    }
    return NULL;
}

static void judge_log_group(struct walk *w, const struct walk_queue *q, struct view name,
                            const json_t *group, struct buf *command)
{
    const json_t *days = json_object_get(group, "retentionInDays");
    if (group == NULL) {
        findings_ok(w->f, log_step, name, "not there yet: the function has not run");
    } else if (json_is_integer(days)) {
        findings_ok(w->f, log_step, name, "kept for %lld days",
                    (long long)json_integer_value(days));
    } else {
        walk_command_start(command, "aws logs put-retention-policy");
        walk_command_option(command, "--region", q->region);
        walk_command_option(command, "--log-group-name", name);
        walk_command_option(command, "--retention-in-days", VIEW_LIT("30"));
        findings_add(w->f, CODE_LOG_FOREVER, log_step, name, buf_view(command),
                     "the log group has no retention");
    }
}

void walk_log_group(struct walk *w, const struct walk_queue *q, struct view name,
                    const json_t *config)
{
    struct error err = {0};
    struct buf text, command;
    json_t *answer = NULL;
    if (!walk_wants(w, log_step, name))
        return;
    buf_init(&text, 1024);
    buf_init(&command, WALK_TEXT);
    struct view group = aws_json_text(json_object_get(config, "LoggingConfig"), "LogGroup");
    if (group.len == 0) {
        buf_printf(&text, "/aws/lambda/%.*s", (int)name.len, name.ptr);
        group = buf_view(&text);
    }
    json_t *in = json_pack("{s:s%}", "logGroupNamePrefix", group.ptr, group.len);
    enum status st = in == NULL ? ST_NO_MEMORY
                                : control_plane_call(w->client, CONTROL_LOGS, q->region,
                                                     "DescribeLogGroups", in, &answer, &err);
    if (st == ST_OK)
        judge_log_group(w, q, group, group_of(answer, group), &command);
    else
        walk_call_failed(w, log_step, name, st, "logs:DescribeLogGroups", &err);
    json_decref(in);
    json_decref(answer);
    buf_clear(&text);
    buf_clear(&command);
}
