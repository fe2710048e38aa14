/* The queue and its dead-letter queue: their attributes, the alarm, and how long messages wait. */
#include <stdio.h>

#include "aws/aws_json.h"
#include "aws/cloudwatch_read.h"
#include "base/json_read.h"
#include "tools/doctor/walk.h"

enum {
    MIN_RETENTION_S = 4 * WALK_DAY_S, /* an outage over a long weekend */
    /* Outlives a request with an unknown outcome: 15 minutes of its signature, five of margin
     * (PROTOCOL_FENCE_MS), and a round. */
    RESOLVED_S = 1300,
    BACKLOG_S = 3600,
    AGE_PERIOD_S = 300, /* SQS publishes its metrics every five minutes at the latest */
};

/* w->fix: the command that sets one attribute, "NAME=VALUE" or JSON. */
static void fix_attribute(struct walk *w, const char *url, const char *attribute)
{
    walk_fix(w, "aws sqs set-queue-attributes --region % --queue-url % --attributes %",
             w->queue->region, view_of(url), view_of(attribute));
}

/* ---- there, and read well ---- */

/* KmsMasterKeyId, which sqs_attributes() does not read. */
static void judge_key(struct walk *w)
{
    struct aws_json_call call = {.service = &AWS_SQS,
                                 .region = w->queue->region,
                                 .endpoint = view_of(w->queue->queue.endpoint),
                                 .target_prefix = "AmazonSQS",
                                 .operation = "GetQueueAttributes",
                                 .total_timeout_ms = 10000,
                                 .max_body_bytes = 256 * 1024};
    json_t *answer = NULL;
    json_t *in = json_pack("{s:s, s:[s]}", "QueueUrl", w->queue->queue.url, "AttributeNames",
                           "KmsMasterKeyId");
    enum status st = aws_json_call(w->client, &call, in, &answer, NULL, &w->err);
    struct view key = json_text(json_object_get(answer, "Attributes"), "KmsMasterKeyId");
    if (st == ST_OK && view_ends(key, VIEW_LIT("alias/aws/sqs"))) {
        fix_attribute(w, w->queue->queue.url, "KmsMasterKeyId=,SqsManagedSseEnabled=true");
        walk_found(w, D52, "encrypted with the key alias/aws/sqs");
    } else if (st == ST_OK && key.len > 0) {
        walk_not_checked(w,
                         "encrypted with %.*s: whether its policy lets s3.amazonaws.com use "
                         "kms:GenerateDataKey and kms:Decrypt is not looked at",
                         SHOW(key));
    }
    json_decref(in);
    json_decref(answer);
}

static void judge_queue(struct walk *w)
{
    const struct walk_queue *q = w->queue;
    const struct sqs_attributes *a = &q->attributes;
    size_t before = w->f->number[DOCTOR_FAULT] + w->f->number[DOCTOR_WARNING];
    if (a->fifo || q->queue.fifo)
        walk_found(w, D51, "a FIFO queue");
    if (a->encrypted)
        judge_key(w);
    if (a->receive_wait_s == 0) {
        fix_attribute(w, q->queue.url, "ReceiveMessageWaitTimeSeconds=20");
        walk_found(w, D58, "ReceiveMessageWaitTimeSeconds is 0");
    }
    if (a->retention_s < MIN_RETENTION_S) {
        fix_attribute(w, q->queue.url, "MessageRetentionPeriod=1209600");
        walk_found(w, D59, "messages are kept for %llu s", (unsigned long long)a->retention_s);
    }
    if (before == w->f->number[DOCTOR_FAULT] + w->f->number[DOCTOR_WARNING])
        walk_ok(w, "in %.*s, messages are kept for %llu days", SHOW(q->region),
                (unsigned long long)(a->retention_s / WALK_DAY_S));
}

void walk_queue(struct walk *w)
{
    struct walk_queue *q = w->queue;
    bool used = w->bucket_count == 0;
    for (size_t i = 0; i < w->bucket_count; i++)
        used = used || w->buckets[i].queue == q || w->buckets[i].region[0] == '\0';
    if (!used) { /* no bucket can notify it: not ours to judge */
        walk_not_checked(w, "no bucket in its Region, %.*s", SHOW(q->region));
        return;
    }
    enum status st = sqs_attributes(w->client, &q->queue, &q->attributes, &w->err);
    if (st == ST_MISSING) {
        q->missing = true;
        walk_fix(w,
                 "aws sqs create-queue --region % --queue-name % (better: deploy the stack, or "
                 "correct SQS_QUEUE_URL)",
                 q->region, q->name);
        walk_found(w, D50, "there is no queue %s", q->queue.url);
    } else if (walk_answered(w, st, "sqs:GetQueueAttributes")) {
        q->known = true;
        judge_queue(w);
    }
}

/* ---- dead letters ---- */

/* After the last colon of its ARN. */
static struct view dead_letter_name(const struct walk_queue *q)
{
    struct view arn = view_of(q->attributes.dead_letter_arn);
    size_t colon = view_rfind(arn, VIEW_LIT(":"));
    return colon == SIZE_MAX ? arn : view_skip(arn, colon + 1);
}

static void fix_redrive(struct walk *w, const char *arn, unsigned receives)
{
    char attribute[512];
    (void)snprintf(attribute, sizeof(attribute),
                   "{\"RedrivePolicy\":\"{\\\"deadLetterTargetArn\\\":\\\"%s\\\","
                   "\\\"maxReceiveCount\\\":%u}\"}",
                   arn, receives);
    fix_attribute(w, w->queue->queue.url, attribute);
}

static void judge_dead_letters(struct walk *w, const struct sqs_queue *dead,
                               const struct sqs_attributes *a)
{
    const struct sqs_attributes *own = &w->queue->attributes;
    uint64_t waiting = a->visible + a->in_flight + a->delayed;
    if (a->retention_s < own->retention_s) {
        fix_attribute(w, dead->url, "MessageRetentionPeriod=1209600");
        walk_found(w, D64, "dead letters are kept for %llu s, messages for %llu s",
                   (unsigned long long)a->retention_s, (unsigned long long)own->retention_s);
    }
    if (waiting == 0) {
        walk_ok(w, "none; after %llu receives", (unsigned long long)own->max_receive_count);
        return;
    }
    walk_fix(w, "aws sqs start-message-move-task --region % --source-arn %", w->queue->region,
             view_of(own->dead_letter_arn));
    walk_found(w, D63, "%llu dead letters", (unsigned long long)waiting);
}

void walk_dead_letters(struct walk *w)
{
    const struct walk_queue *q = w->queue;
    const struct sqs_attributes *own = &q->attributes;
    /* With a ledger a message waits for the batch it is in, and each wait is a receive. Without one,
     * two below the shipped value is a choice; one or two receives lose objects to any hiccup. */
    bool ledger = w->ledger[0] != '\0';
    unsigned wanted = ledger ? 20 : 5, least = ledger ? 20 : 3;
    struct sqs_queue dead;
    struct sqs_attributes a = {0};
    struct buf url;
    if (own->dead_letter_arn[0] == '\0') {
        fix_redrive(w, "DEAD_LETTER_QUEUE_ARN", 5);
        walk_found(w, D60, "the queue has no redrive policy");
        return;
    }
    if (own->max_receive_count < least) {
        fix_redrive(w, own->dead_letter_arn, wanted);
        walk_found(w, D61, "maxReceiveCount is %llu%s", (unsigned long long)own->max_receive_count,
                   ledger ? ", with the ledger" : "");
    }
    /* It is in the queue's account and Region (SQS: dead-letter queues), so only the name differs. */
    struct view own_url = view_of(q->queue.url);
    size_t slash = view_rfind(own_url, VIEW_LIT("/"));
    buf_init(&url, SQS_MAX_URL);
    buf_add_view(&url, view_first(own_url, slash == SIZE_MAX ? 0 : slash + 1));
    buf_add_view(&url, dead_letter_name(q));
    enum status st = buf_status(&url);
    if (st == ST_OK)
        st = sqs_queue_parse(buf_view(&url), w->config, &dead, &w->err);
    buf_clear(&url);
    if (st == ST_OK)
        st = sqs_attributes(w->client, &dead, &a, &w->err);
    if (st == ST_MISSING) {
        walk_fix(w,
                 "aws sqs create-queue --region % --queue-name % --attributes "
                 "MessageRetentionPeriod=1209600",
                 q->region, dead_letter_name(q));
        walk_found(w, D62, "there is no queue %s", own->dead_letter_arn);
    } else {
        w->subject = dead_letter_name(q);
        if (walk_answered(w, st, "sqs:GetQueueAttributes"))
            judge_dead_letters(w, &dead, &a);
    }
    sqs_attributes_clear(&a);
}

/* ---- the alarm on dead letters ---- */

static bool is_metric_of(const json_t *metric, struct view queue)
{
    size_t i;
    json_t *dimension;
    if (!view_eq_cstr(json_text(metric, "Namespace"), "AWS/SQS") ||
        !view_eq_cstr(json_text(metric, "MetricName"), "ApproximateNumberOfMessagesVisible"))
        return false;
    json_array_foreach(json_object_get(metric, "Dimensions"), i, dimension)
    {
        if (view_eq_cstr(json_text(dimension, "Name"), "QueueName") &&
            view_eq(json_text(dimension, "Value"), queue))
            return true;
    }
    return false;
}

/* An alarm is on one metric, or on an expression over several. */
static bool watches(const json_t *alarm, struct view queue)
{
    size_t i;
    json_t *entry;
    bool found = is_metric_of(alarm, queue);
    json_array_foreach(json_object_get(alarm, "Metrics"), i, entry)
    {
        const json_t *stat = json_object_get(entry, "MetricStat");
        found = found || is_metric_of(json_object_get(stat, "Metric"), queue);
    }
    return found;
}

static bool has_action(const json_t *alarm)
{
    return json_array_size(json_object_get(alarm, "AlarmActions")) > 0;
}

static void judge_alarms(struct walk *w, const json_t *alarms)
{
    const json_t *best = NULL; /* of those on the queue: one with an action, else any */
    struct view queue = w->subject;
    char own[96];
    for (size_t i = 0; i < json_array_size(alarms); i++) {
        const json_t *alarm = json_array_get(alarms, i);
        if (!watches(alarm, queue))
            continue;
        best = best == NULL || has_action(alarm) ? alarm : best;
        if (has_action(alarm) && !json_is_false(json_object_get(alarm, "ActionsEnabled"))) {
            walk_ok(w, "%.*s watches for dead letters", SHOW(json_text(alarm, "AlarmName")));
            return;
        }
    }
    struct view name = json_text(best, "AlarmName");
    if (best != NULL && has_action(best)) {
        walk_fix(w, "aws cloudwatch enable-alarm-actions --region % --alarm-names %",
                 w->queue->region, name);
        walk_found(w, D66, "the actions of alarm %.*s are disabled", SHOW(name));
        return;
    }
    (void)snprintf(own, sizeof(own), "%.*s-waiting", SHOW(queue));
    walk_fix(w,
             "aws cloudwatch put-metric-alarm --region % --alarm-name % --namespace AWS/SQS "
             "--metric-name ApproximateNumberOfMessagesVisible --dimensions "
             "Name=QueueName,Value=% --statistic Maximum --period 300 --evaluation-periods 1 "
             "--threshold 1 --comparison-operator GreaterThanOrEqualToThreshold "
             "--treat-missing-data notBreaching --alarm-actions TOPIC_ARN (your SNS topic; or "
             "deploy with AlarmTopicArn=TOPIC_ARN)",
             w->queue->region, best != NULL ? name : view_of(own), queue);
    if (best != NULL)
        walk_found(w, D66, "alarm %.*s has no action", SHOW(name));
    else
        walk_found(w, D65, "no alarm watches the dead-letter queue");
}

void walk_alarms(struct walk *w)
{
    json_t *alarms = NULL;
    w->subject = dead_letter_name(w->queue);
    enum status st = cloudwatch_describe_alarms(w->client, w->queue->region, &alarms, &w->err);
    if (walk_answered(w, st, "cloudwatch:DescribeAlarms"))
        judge_alarms(w, alarms);
    json_decref(alarms);
}

/* ---- times ---- */

void walk_visibility(struct walk *w)
{
    const struct walk_queue *q = w->queue;
    uint64_t have = q->attributes.visibility_timeout_s;
    /* Six times: Lambda developer guide, "Using Lambda with Amazon SQS", configuring a queue. */
    uint64_t needed = 6 * q->function_timeout_s + q->batch_window_s;
    char attribute[64];
    if (w->ledger[0] != '\0' && needed < RESOLVED_S)
        needed = RESOLVED_S;
    (void)snprintf(attribute, sizeof(attribute), "VisibilityTimeout=%llu",
                   (unsigned long long)(needed > RESOLVED_S ? needed : RESOLVED_S));
    fix_attribute(w, q->queue.url, attribute);
    if (have < needed)
        walk_found(w, D80,
                   "%llu s; %llu s are needed (the function's timeout is %llu s, the mapping's "
                   "batch window %llu s)",
                   (unsigned long long)have, (unsigned long long)needed,
                   (unsigned long long)q->function_timeout_s,
                   (unsigned long long)q->batch_window_s);
    else if (have < RESOLVED_S)
        walk_found(w, D81, "%llu s", (unsigned long long)have);
    else
        walk_ok(w, "%llu s", (unsigned long long)have);
}

/* The age of the oldest message: the newest value of CloudWatch, < 0 without one. */
struct oldest {
    struct view queue;
    double age_s;
};

static json_t *age_metric(void *ctx, size_t i)
{
    const struct oldest *o = ctx;
    (void)i;
    return cloudwatch_metric(VIEW_LIT("AWS/SQS"), "ApproximateAgeOfOldestMessage",
                             cloudwatch_dimension("QueueName", o->queue));
}

static enum status take_age(void *ctx, size_t i, const struct cloudwatch_value *values, size_t n,
                            struct error *err)
{
    struct oldest *o = ctx;
    (void)i;
    (void)err;
    if (n > 0)
        o->age_s = values[n - 1].value;
    return ST_OK;
}

void walk_backlog(struct walk *w)
{
    const struct sqs_attributes *a = &w->queue->attributes;
    const char *cause = findings_first_fault(w->f);
    struct oldest oldest = {.queue = w->queue->name, .age_s = -1};
    struct cloudwatch_query query = {.client = w->client,
                                     .region = w->queue->region,
                                     .since_s = w->now_s - 6 * AGE_PERIOD_S,
                                     .until_s = w->now_s,
                                     .period_s = AGE_PERIOD_S,
                                     .stat = "Maximum",
                                     .series = 1,
                                     .metric = age_metric,
                                     .values = take_age,
                                     .ctx = &oldest};
    if (a->visible + a->in_flight + a->delayed == 0) {
        walk_ok(w, "no message waits");
        return;
    }
    if (cause != NULL) {
        walk_not_checked(w, "%llu messages wait; %s comes first",
                         (unsigned long long)(a->visible + a->delayed), cause);
        return;
    }
    if (!walk_answered(w, cloudwatch_read(&query, NULL, &w->err), "cloudwatch:GetMetricData"))
        return;
    if (oldest.age_s < 0)
        walk_ok(w, "%llu messages wait, %llu are being counted", (unsigned long long)a->visible,
                (unsigned long long)a->in_flight);
    else if (oldest.age_s > BACKLOG_S)
        walk_found(w, D82, "%llu messages wait, the oldest for %s", (unsigned long long)a->visible,
                   walk_age((int64_t)oldest.age_s).text);
    else
        walk_ok(w, "%llu messages wait, the oldest for %s", (unsigned long long)a->visible,
                walk_age((int64_t)oldest.age_s).text);
}
