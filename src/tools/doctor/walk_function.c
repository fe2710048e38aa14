/* walk_function.c: what takes the messages: the event source mapping and its function. */
#include <stdio.h>
#include <stdlib.h>

#include "aws/aws_json.h"
#include "aws/control_plane.h"
#include "base/json_out.h"
#include "tools/doctor/walk_function.h"

static const char mapping_step[] = "mapping";
static const char function_step[] = "function";

/* The last part of a function's ARN without its qualifier, for messages and commands. */
static struct view function_name(struct view arn)
{
    size_t at = view_find(arn, VIEW_LIT(":function:"));
    struct view name = at == SIZE_MAX ? arn : view_skip(arn, at + 10);
    return view_first(name, view_find_char(name, ':'));
}

static struct view mapping_command(struct buf *out, const struct walk_queue *q,
                                   const json_t *mapping, const char *change)
{
    walk_command_start(out, "aws lambda update-event-source-mapping");
    walk_command_option(out, "--region", q->region);
    walk_command_option(out, "--uuid", aws_json_text(mapping, "UUID"));
    buf_add_char(out, ' ');
    buf_add_cstr(out, change);
    return buf_view(out);
}

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

static bool is_on(const json_t *mapping)
{
    struct view state = aws_json_text(mapping, "State");
    return view_eq_cstr(state, "Enabled") || view_eq_cstr(state, "Enabling") ||
           view_eq_cstr(state, "Updating") || view_eq_cstr(state, "Creating");
}

/* true: the mapping is as it should be. */
static bool judge_mapping(struct walk *w, const struct walk_queue *q, const json_t *mapping,
                          size_t count, struct buf *command)
{
    struct view subject = view_of(q->queue.name);
    struct view name = function_name(aws_json_text(mapping, "FunctionArn"));
    struct view state = aws_json_text(mapping, "State");
    if (!is_on(mapping)) {
        findings_add(w->f, CODE_MAPPING_OFF, mapping_step, subject,
                     mapping_command(command, q, mapping, "--enabled"),
                     "the mapping to %.*s is %.*s", (int)name.len, name.ptr, (int)state.len,
                     state.ptr == NULL ? "" : state.ptr);
        return false;
    }
    if (!reports_items(mapping)) {
        findings_add(w->f, CODE_MAPPING_ALL_OR_NOTHING, mapping_step, subject,
                     mapping_command(command, q, mapping,
                                     "--function-response-types ReportBatchItemFailures"),
                     "the mapping to %.*s has no ReportBatchItemFailures", (int)name.len, name.ptr);
        return false;
    }
    if (count > 1) {
        findings_add(w->f, CODE_TWO_MAPPINGS, mapping_step, subject,
                     mapping_command(command, q, mapping,
                                     "--no-enabled (of the function that is not to have them)"),
                     "%zu functions take messages from the queue", count);
        return true;
    }
    findings_ok(w->f, mapping_step, subject, "to %.*s, %lld messages at most, results by item",
                (int)name.len, name.ptr,
                (long long)json_integer_value(json_object_get(mapping, "BatchSize")));
    return true;
}

/* The enabled mapping if there is one, else any; borrowed. */
static const json_t *choose(const json_t *mappings, size_t *on)
{
    const json_t *chosen = NULL;
    *on = 0;
    for (size_t i = 0; i < json_array_size(mappings); i++) {
        const json_t *m = json_array_get(mappings, i);
        if (is_on(m)) {
            chosen = *on == 0 ? m : chosen;
            (*on)++;
        } else if (chosen == NULL) {
            chosen = m;
        }
    }
    return chosen;
}

/* ---- the function ---- */

static bool list_holds(struct view list, struct view name)
{
    struct view part;
    while (list.ptr != NULL && view_split(&list, ',', &part)) {
        if (view_eq(view_trim(part), name))
            return true;
    }
    return false;
}

/*
 * Set the variable.  The CLI replaces all of them, so the command reads the others first; they are
 * not written out here, because among them may be secrets.
 */
static struct view bucket_command(struct buf *out, const struct walk_queue *q, struct view name,
                                  struct view list)
{
    struct buf filter;
    buf_init(&filter, 8192);
    buf_add_cstr(&filter, ".Variables.S3_BUCKET_NAME=");
    json_quote(&filter, list);
    walk_command_start(out, "aws lambda update-function-configuration");
    walk_command_option(out, "--region", q->region);
    walk_command_option(out, "--function-name", name);
    buf_add_cstr(out, " --environment \"$(aws lambda get-function-configuration");
    walk_command_option(out, "--region", q->region);
    walk_command_option(out, "--function-name", name);
    buf_add_cstr(out, " --query Environment --output json | jq -c");
    walk_add_word(out, buf_view(&filter));
    buf_add_cstr(out, ")\"");
    buf_clear(&filter);
    return buf_view(out);
}

/* The buckets whose events come through this queue have to be in the function's list. */
static bool judge_buckets(struct walk *w, const struct walk_queue *q, struct view name,
                          const json_t *variables, struct buf *command)
{
    struct view list = aws_json_text(variables, "S3_BUCKET_NAME");
    for (size_t i = 0; i < w->bucket_count; i++) {
        const struct walk_bucket *b = &w->buckets[i];
        if (b->queue != q || b->missing || list_holds(list, b->name))
            continue;
        struct buf value;
        buf_init(&value, 8192);
        buf_add_view(&value, list);
        if (list.len > 0)
            buf_add_char(&value, ',');
        buf_add_view(&value, b->name);
        findings_add(w->f, CODE_FUNCTION_BUCKET, function_step, name,
                     bucket_command(command, q, name, buf_view(&value)),
                     "S3_BUCKET_NAME of the function is \"%.*s\", without %.*s", (int)list.len,
                     list.ptr == NULL ? "" : list.ptr, (int)b->name.len, b->name.ptr);
        buf_clear(&value);
        return false;
    }
    return true;
}

/* What the function says of its namespace and Region goes before what is set here. */
static bool judge_namespace(struct walk *w, const struct walk_queue *q, struct view name,
                            const json_t *variables)
{
    struct view space = aws_json_text(variables, "CLOUDWATCH_NAMESPACE");
    struct view region = aws_json_text(variables, "CLOUDWATCH_REGION");
    bool emf = view_eq_cstr(aws_json_text(variables, "PUBLISHER"), "emf");
    if (space.len == 0)
        space = VIEW_LIT("Custom/BedrockMetrics");
    if (region.len == 0 || emf)
        region = q->region;
    bool same = view_eq_cstr(space, w->name_space) && view_eq_cstr(region, w->metrics_region);
    if (!same)
        findings_add(w->f, CODE_FUNCTION_NAMESPACE, function_step, name,
                     VIEW_LIT("export CLOUDWATCH_NAMESPACE and CLOUDWATCH_REGION as the function "
                              "has them"),
                     "the function publishes to %.*s in %.*s, here %s in %s is set", (int)space.len,
                     space.ptr, (int)region.len, region.ptr, w->name_space, w->metrics_region);
    if (!same && space.len < sizeof(w->name_space) && aws_region_valid(region)) {
        (void)snprintf(w->name_space, sizeof(w->name_space), "%.*s", (int)space.len, space.ptr);
        (void)snprintf(w->metrics_region, sizeof(w->metrics_region), "%.*s", (int)region.len,
                       region.ptr);
    }
    w->emf = w->emf || emf;
    return same;
}

static struct view log_command(struct buf *out, const struct walk_queue *q, struct view name)
{
    walk_command_start(out, "aws lambda get-function-configuration");
    walk_command_option(out, "--region", q->region);
    walk_command_option(out, "--function-name", name);
    buf_add_cstr(out, " (mend the reason it gives, then deploy the stack again)");
    return buf_view(out);
}

static void judge_function(struct walk *w, struct walk_queue *q, struct view name,
                           const json_t *config, struct buf *command)
{
    struct view state = aws_json_text(config, "State");
    struct view update = aws_json_text(config, "LastUpdateStatus");
    const json_t *timeout = json_object_get(config, "Timeout");
    const json_t *variables = json_object_get(json_object_get(config, "Environment"), "Variables");
    struct view ledger = aws_json_text(variables, "LEDGER");
    if (view_eq_cstr(ledger, "none"))
        ledger = VIEW_EMPTY;
    if (w->ledger[0] == '\0' && ledger.len > 0 && ledger.len < sizeof(w->ledger))
        (void)snprintf(w->ledger, sizeof(w->ledger), "%.*s", (int)ledger.len, ledger.ptr);
    /* A function looks for its table in its own Region. */
    if (ledger.len > 0 && view_eq_cstr(ledger, w->ledger))
        w->ledger_region = q->region;
    if (json_integer_value(timeout) > 0)
        q->function_timeout_s = (uint64_t)json_integer_value(timeout);
    /* Inactive: idle for long; it wakes up with the next message. */
    if (state.len > 0 && !view_eq_cstr(state, "Active") && !view_eq_cstr(state, "Inactive")) {
        struct view why = aws_json_text(config, "StateReason");
        findings_add(w->f, CODE_FUNCTION_STATE, function_step, name, log_command(command, q, name),
                     "state %.*s: %.*s", (int)state.len, state.ptr, (int)why.len,
                     why.ptr == NULL ? "" : why.ptr);
        return;
    }
    if (view_eq_cstr(update, "Failed")) {
        struct view why = aws_json_text(config, "LastUpdateStatusReason");
        findings_add(w->f, CODE_FUNCTION_UPDATE, function_step, name, log_command(command, q, name),
                     "the last update failed: %.*s", (int)why.len, why.ptr == NULL ? "" : why.ptr);
        return;
    }
    if (!judge_buckets(w, q, name, variables, command) || !judge_namespace(w, q, name, variables))
        return;
    if (w->ledger[0] != '\0' && !view_eq_cstr(ledger, w->ledger)) {
        findings_add(w->f, CODE_FUNCTION_LEDGER, function_step, name,
                     VIEW_LIT("export LEDGER as the function has it, or deploy with Ledger=true"),
                     "LEDGER is %s%.*s in the function, here %s", ledger.len == 0 ? "not set" : "",
                     (int)ledger.len, ledger.ptr == NULL ? "" : ledger.ptr, w->ledger);
        return;
    }
    findings_ok(w->f, function_step, name, "active, time-out %llu s",
                (unsigned long long)q->function_timeout_s);
}

static void look_at_function(struct walk *w, struct walk_queue *q, const json_t *mapping,
                             struct buf *command)
{
    struct view arn = aws_json_text(mapping, "FunctionArn");
    struct error err = {0};
    struct view name = function_name(arn);
    json_t *config = NULL;
    if (!walk_wants(w, function_step, name))
        return;
    (void)snprintf(q->function_arn, sizeof(q->function_arn), "%.*s", (int)arn.len,
                   arn.ptr == NULL ? "" : arn.ptr);
    enum status st = lambda_get_function(w->client, q->region, arn, &config, &err);
    if (st == ST_OK) {
        judge_function(w, q, name, config, command);
        walk_concurrency(w, q, name, mapping);
        walk_log_group(w, q, name, config);
    } else if (st == ST_MISSING)
        findings_add(w->f, CODE_NO_FUNCTION, function_step, name,
                     VIEW_LIT("sam deploy (or another of the four ways of docs/deployment.md)"),
                     "there is no function %.*s", (int)arn.len, arn.ptr);
    else
        walk_call_failed(w, function_step, name, st, "lambda:GetFunctionConfiguration", &err);
    json_decref(config);
}

void walk_function(struct walk *w, struct walk_queue *q)
{
    struct view subject = view_of(q->queue.name);
    struct error err = {0};
    struct buf command;
    json_t *mappings = NULL;
    if (w->options->consumer == CONSUMER_WORKER) {
        findings_not_checked(w->f, mapping_step, subject, "a worker takes the messages");
        return;
    }
    if (!walk_wants(w, mapping_step, subject))
        return;
    if (!q->there) {
        findings_not_checked(w->f, mapping_step, subject, "the queue could not be looked at");
        findings_not_checked(w->f, function_step, subject, "the queue could not be looked at");
        return;
    }
    buf_init(&command, WALK_TEXT);
    enum status st = lambda_list_mappings(w->client, q->region, view_of(q->arn), &mappings, &err);
    if (st != ST_OK) {
        walk_call_failed(w, mapping_step, subject, st, "lambda:ListEventSourceMappings", &err);
        findings_not_checked(w->f, function_step, subject, "its mapping is not known");
    } else if (json_array_size(mappings) == 0) {
        walk_command_start(&command, "aws lambda create-event-source-mapping");
        walk_command_option(&command, "--region", q->region);
        walk_command_option(&command, "--event-source-arn", view_of(q->arn));
        buf_add_cstr(&command, " --function-name bedrock-metrics-aggregator --batch-size 10 "
                               "--function-response-types ReportBatchItemFailures");
        findings_add(w->f, CODE_NO_MAPPING, mapping_step, subject, buf_view(&command),
                     "no function takes messages from the queue");
        findings_not_checked(w->f, function_step, subject, "no mapping names it");
    } else {
        size_t on;
        const json_t *mapping = choose(mappings, &on);
        (void)judge_mapping(w, q, mapping, on, &command);
        json_int_t window =
            json_integer_value(json_object_get(mapping, "MaximumBatchingWindowInSeconds"));
        q->batch_window_s = window > 0 && window <= 300 ? (uint64_t)window : 0;
        look_at_function(w, q, mapping, &command);
    }
    json_decref(mappings);
    buf_clear(&command);
}
