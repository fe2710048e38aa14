/* walk_queue.c: the queue, who may send to it, where its dead letters go, how long they wait. */
#include <stdio.h>
#include <stdlib.h>

#include "aws/aws_json.h"
#include "aws/cloudwatch_read.h"
#include "tools/doctor/resource_policy.h"
#include "tools/doctor/walk.h"

enum { DAY_S = 86400, RETENTION_S = 4 * DAY_S, RECEIVES = 5, RECEIVES_LEDGER = 20 };

static struct view queue_name(const struct walk_queue *q)
{
    return view_of(q->queue.name);
}

/* "aws sqs set-queue-attributes --queue-url URL --attributes NAME=VALUE" */
static struct view attribute_command(struct buf *out, const char *url, struct view region,
                                     const char *attribute)
{
    walk_command_start(out, "aws sqs set-queue-attributes");
    walk_command_option(out, "--region", region);
    walk_command_option(out, "--queue-url", view_of(url));
    walk_command_option(out, "--attributes", view_of(attribute));
    return buf_view(out);
}

/* ---- there and polled well ---- */

/* KmsMasterKeyId, which sqs_attributes() does not hand over; empty: none. */
static enum status queue_key(struct walk *w, const struct walk_queue *q, struct buf *key,
                             struct error *err)
{
    struct aws_json_call call = {.service = &AWS_SQS,
                                 .region = q->region,
                                 .endpoint = view_of(q->queue.endpoint),
                                 .target_prefix = "AmazonSQS",
                                 .operation = "GetQueueAttributes",
                                 .total_timeout_ms = 10000,
                                 .max_body_bytes = 256 * 1024};
    json_t *answer = NULL;
    json_t *in =
        json_pack("{s:s, s:[s]}", "QueueUrl", q->queue.url, "AttributeNames", "KmsMasterKeyId");
    enum status st =
        in == NULL ? ST_NO_MEMORY : aws_json_call(w->client, &call, in, &answer, NULL, err);
    if (st == ST_OK) {
        buf_add_view(key, aws_json_text(json_object_get(answer, "Attributes"), "KmsMasterKeyId"));
        st = buf_status(key);
    }
    json_decref(in);
    json_decref(answer);
    return st;
}

static void judge_key(struct walk *w, const struct walk_queue *q, struct buf *command)
{
    static const char step[] = "queue";
    struct error err = {0};
    struct buf key;
    buf_init(&key, 4096);
    if (queue_key(w, q, &key, &err) == ST_OK && key.len > 0) {
        if (view_ends(buf_view(&key), VIEW_LIT("alias/aws/sqs")))
            findings_add(w->f, CODE_QUEUE_KEY, step, queue_name(q),
                         attribute_command(command, q->queue.url, q->region,
                                           "KmsMasterKeyId=,SqsManagedSseEnabled=true"),
                         "encrypted with the key alias/aws/sqs");
        else
            findings_not_checked(w->f, step, queue_name(q),
                                 "encrypted with %.*s: whether its policy lets s3.amazonaws.com "
                                 "use kms:GenerateDataKey and kms:Decrypt is not looked at",
                                 (int)key.len, key.ptr);
    }
    buf_clear(&key);
}

static void judge_queue(struct walk *w, const struct walk_queue *q, struct buf *command)
{
    static const char step[] = "queue";
    const struct sqs_attributes *a = &q->attributes;
    size_t before = w->f->number[DOCTOR_FAULT] + w->f->number[DOCTOR_WARNING];
    if (a->fifo || q->queue.fifo)
        findings_add(w->f, CODE_QUEUE_FIFO, step, queue_name(q),
                     VIEW_LIT("aws sqs create-queue --queue-name bedrock-metrics-aggregator-events "
                              "(then put its URL into SQS_QUEUE_URL)"),
                     "a FIFO queue");
    if (a->encrypted)
        judge_key(w, q, command);
    if (a->receive_wait_s == 0)
        findings_add(
            w->f, CODE_SHORT_POLL, step, queue_name(q),
            attribute_command(command, q->queue.url, q->region, "ReceiveMessageWaitTimeSeconds=20"),
            "ReceiveMessageWaitTimeSeconds is 0");
    if (a->retention_s < RETENTION_S)
        findings_add(
            w->f, CODE_RETENTION, step, queue_name(q),
            attribute_command(command, q->queue.url, q->region, "MessageRetentionPeriod=1209600"),
            "messages are kept for %llu s", (unsigned long long)a->retention_s);
    if (before == w->f->number[DOCTOR_FAULT] + w->f->number[DOCTOR_WARNING])
        findings_ok(w->f, step, queue_name(q), "in %.*s, messages are kept for %llu days",
                    (int)q->region.len, q->region.ptr,
                    (unsigned long long)(a->retention_s / DAY_S));
}

/* A queue that no bucket can tell is not ours to judge. */
static bool is_used(const struct walk *w, const struct walk_queue *q)
{
    for (size_t i = 0; i < w->bucket_count; i++) {
        if (w->buckets[i].queue == q || w->buckets[i].region[0] == '\0')
            return true;
    }
    return w->bucket_count == 0;
}

void walk_queue_there(struct walk *w, struct walk_queue *q)
{
    static const char step[] = "queue";
    struct error err = {0};
    struct buf command;
    if (!walk_wants(w, step, queue_name(q)))
        return;
    if (!is_used(w, q)) {
        findings_not_checked(w->f, step, queue_name(q), "no bucket in its Region, %.*s",
                             (int)q->region.len, q->region.ptr);
        return;
    }
    buf_init(&command, WALK_TEXT);
    enum status st = sqs_attributes(w->client, &q->queue, &q->attributes, &err);
    if (st == ST_OK) {
        q->there = true;
        judge_queue(w, q, &command);
    } else if (st == ST_MISSING) {
        q->missing = true;
        walk_command_start(&command, "aws sqs create-queue");
        walk_command_option(&command, "--region", q->region);
        walk_command_option(&command, "--queue-name", queue_name(q));
        buf_add_cstr(&command, " (better: deploy the stack, or correct SQS_QUEUE_URL)");
        findings_add(w->f, CODE_NO_QUEUE, step, queue_name(q), buf_view(&command),
                     "there is no queue %s", q->queue.url);
    } else {
        walk_call_failed(w, step, queue_name(q), st, "sqs:GetQueueAttributes", &err);
    }
    buf_clear(&command);
}

static bool rests_on_queue(struct walk *w, const char *step, const struct walk_queue *q)
{
    if (!walk_wants(w, step, queue_name(q)))
        return false;
    if (!q->there)
        findings_not_checked(w->f, step, queue_name(q), "the queue could not be looked at");
    return q->there;
}

/* ---- policy ---- */

static void policy_command(const struct walk_queue *q, const struct policy_question *question,
                           struct buf *out)
{
    struct buf policy;
    buf_init(&policy, WALK_TEXT);
    walk_command_start(out, "");
    if (resource_policy_mended(buf_view(&q->attributes.policy), question, &policy) == ST_OK) {
        json_t *in = json_pack("{s:s%}", "Policy", policy.ptr, policy.len);
        char *text = in == NULL ? NULL : json_dumps(in, JSON_COMPACT);
        attribute_command(out, q->queue.url, q->region, text == NULL ? "" : text);
        free(text);
        json_decref(in);
    }
    buf_clear(&policy);
}

static void judge_policy(struct walk *w, const struct walk_queue *q,
                         const struct policy_question *question, const struct policy_result *r)
{
    static const char step[] = "queue-policy";
    const char *unsure = r->unsure ? " (conditions that are not understood here are left out)" : "";
    struct buf command;
    buf_init(&command, WALK_TEXT);
    policy_command(q, question, &command);
    struct view mend = buf_view(&command);
    switch (r->answer) {
    case POLICY_ALLOWS:
        findings_ok(w->f, step, queue_name(q), "lets S3 send for %.*s%s",
                    (int)question->source_arn.len, question->source_arn.ptr, unsure);
        break;
    case POLICY_ALLOWS_ALL:
        findings_add(w->f, CODE_POLICY_OPEN, step, queue_name(q), mend,
                     "statement \"%s\" lets S3 send for any bucket of anybody", r->statement);
        break;
    case POLICY_OTHER_SOURCE:
        findings_add(w->f, CODE_POLICY_BUCKET, step, queue_name(q), mend,
                     "statement \"%s\" asks for %s, the bucket is %.*s", r->statement, r->value,
                     (int)question->source_arn.len, question->source_arn.ptr);
        break;
    case POLICY_OTHER_ACCOUNT:
        findings_add(w->f, CODE_POLICY_ACCOUNT, step, queue_name(q), mend,
                     "statement \"%s\" asks for account %s, the bucket is in %.*s", r->statement,
                     r->value, (int)question->account.len, question->account.ptr);
        break;
    case POLICY_DENIES:
        findings_add(w->f, CODE_POLICY_DENIES, step, queue_name(q), mend,
                     "statement \"%s\" denies s3.amazonaws.com to send", r->statement);
        break;
    case POLICY_EMPTY:
        findings_add(w->f, CODE_POLICY_NONE, step, queue_name(q), mend, "%s",
                     q->attributes.policy.len == 0 ? "the queue has no policy"
                                                   : "no statement lets s3.amazonaws.com send to "
                                                     "this queue");
        break;
    }
    buf_clear(&command);
}

void walk_queue_policy(struct walk *w, struct walk_bucket *b)
{
    static const char step[] = "queue-policy";
    struct policy_result result;
    char bucket_arn[128];
    if (b->queue == NULL) {
        findings_not_checked(w->f, step, b->name, "no queue in the bucket's Region");
        return;
    }
    if (b->missing) {
        findings_not_checked(w->f, step, b->name, "the bucket does not exist");
        return;
    }
    if (!rests_on_queue(w, step, b->queue))
        return;
    (void)snprintf(bucket_arn, sizeof(bucket_arn), "arn:%s:s3:::%.*s",
                   aws_region_partition(b->queue->region), (int)b->name.len, b->name.ptr);
    struct policy_question question = {.service = VIEW_LIT("s3.amazonaws.com"),
                                       .action = VIEW_LIT("sqs:SendMessage"),
                                       .resource = view_of(b->queue->arn),
                                       .source_arn = view_of(bucket_arn),
                                       .account = view_of(w->account),
                                       .sid = "BucketSendsEvents"};
    if (resource_policy_check(buf_view(&b->queue->attributes.policy), &question, &result) == ST_OK)
        judge_policy(w, b->queue, &question, &result);
    else
        findings_not_checked(w->f, step, queue_name(b->queue), "out of memory");
}

/* ---- dead letters ---- */

/* The dead-letter queue is in the queue's account and Region, so only the name differs. */
static enum status dead_letter_queue(struct walk *w, const struct walk_queue *q,
                                     struct sqs_queue *out, struct error *err)
{
    struct view arn = view_of(q->attributes.dead_letter_arn);
    struct view url = view_of(q->queue.url);
    struct buf text;
    size_t colon = view_rfind(arn, VIEW_LIT(":"));
    size_t slash = view_rfind(url, VIEW_LIT("/"));
    buf_init(&text, SQS_MAX_URL);
    buf_add_view(&text, view_first(url, slash == SIZE_MAX ? 0 : slash + 1));
    buf_add_view(&text, colon == SIZE_MAX ? arn : view_skip(arn, colon + 1));
    enum status st = buf_status(&text);
    if (st == ST_OK)
        st = sqs_queue_parse(buf_view(&text), w->config, out, err);
    buf_clear(&text);
    return st;
}

static void judge_receives(struct walk *w, const struct walk_queue *q, struct buf *command)
{
    const struct sqs_attributes *a = &q->attributes;
    bool ledger = w->ledger[0] != '\0';
    uint64_t wanted = ledger ? RECEIVES_LEDGER : RECEIVES;
    /* Two below the shipped value is a choice; one or two receives lose objects to any hiccup. */
    if (ledger ? a->max_receive_count >= wanted : a->max_receive_count >= 3)
        return;
    char attribute[512];
    (void)snprintf(attribute, sizeof(attribute),
                   "{\"RedrivePolicy\":\"{\\\"deadLetterTargetArn\\\":\\\"%s\\\","
                   "\\\"maxReceiveCount\\\":%llu}\"}",
                   a->dead_letter_arn, (unsigned long long)wanted);
    findings_add(w->f, CODE_FEW_RECEIVES, "dead-letters", queue_name(q),
                 attribute_command(command, q->queue.url, q->region, attribute),
                 "maxReceiveCount is %llu%s", (unsigned long long)a->max_receive_count,
                 ledger ? ", with the ledger" : "");
}

static void judge_dead_letters(struct walk *w, const struct walk_queue *q,
                               const struct sqs_queue *dead, const struct sqs_attributes *a,
                               struct buf *command)
{
    static const char step[] = "dead-letters";
    struct view name = view_of(dead->name);
    uint64_t waiting = a->visible + a->in_flight + a->delayed;
    if (a->retention_s < q->attributes.retention_s)
        findings_add(
            w->f, CODE_DEAD_LETTER_RETENTION, step, name,
            attribute_command(command, dead->url, q->region, "MessageRetentionPeriod=1209600"),
            "dead letters are kept for %llu s, messages for %llu s",
            (unsigned long long)a->retention_s, (unsigned long long)q->attributes.retention_s);
    if (waiting == 0) {
        findings_ok(w->f, step, name, "none; after %llu receives",
                    (unsigned long long)q->attributes.max_receive_count);
        return;
    }
    walk_command_start(command, "aws sqs start-message-move-task");
    walk_command_option(command, "--region", q->region);
    walk_command_option(command, "--source-arn", view_of(q->attributes.dead_letter_arn));
    findings_add(w->f, CODE_DEAD_LETTERS, step, name, buf_view(command), "%llu dead letters",
                 (unsigned long long)waiting);
}

void walk_dead_letters(struct walk *w, struct walk_queue *q)
{
    static const char step[] = "dead-letters";
    struct error err = {0};
    struct sqs_queue dead;
    struct sqs_attributes a = {0};
    struct buf command;
    if (!rests_on_queue(w, step, q))
        return;
    buf_init(&command, WALK_TEXT);
    if (q->attributes.dead_letter_arn[0] == '\0') {
        findings_add(w->f, CODE_NO_REDRIVE, step, queue_name(q),
                     attribute_command(&command, q->queue.url, q->region,
                                       "{\"RedrivePolicy\":\"{\\\"deadLetterTargetArn\\\":"
                                       "\\\"DEAD_LETTER_QUEUE_ARN\\\",\\\"maxReceiveCount\\\":5}"
                                       "\"}"),
                     "the queue has no redrive policy");
        buf_clear(&command);
        return;
    }
    judge_receives(w, q, &command);
    enum status st = dead_letter_queue(w, q, &dead, &err);
    if (st == ST_OK)
        st = sqs_attributes(w->client, &dead, &a, &err);
    if (st == ST_OK) {
        judge_dead_letters(w, q, &dead, &a, &command);
    } else if (st == ST_MISSING) {
        walk_command_start(&command, "aws sqs create-queue");
        walk_command_option(&command, "--region", q->region);
        walk_command_option(&command, "--queue-name", view_of(dead.name));
        walk_command_option(&command, "--attributes", VIEW_LIT("MessageRetentionPeriod=1209600"));
        findings_add(w->f, CODE_NO_DEAD_LETTER_QUEUE, step, queue_name(q), buf_view(&command),
                     "there is no queue %s", q->attributes.dead_letter_arn);
    } else {
        walk_call_failed(w, step, view_of(dead.name), st, "sqs:GetQueueAttributes", &err);
    }
    sqs_attributes_clear(&a);
    buf_clear(&command);
}

/* ---- times ---- */

void walk_visibility(struct walk *w, struct walk_queue *q)
{
    static const char step[] = "visibility";
    struct buf command;
    if (!rests_on_queue(w, step, q))
        return;
    uint64_t have = q->attributes.visibility_timeout_s;
    uint64_t needed = 6 * q->function_timeout_s + q->batch_window_s;
    char attribute[64];
    if (w->ledger[0] != '\0' && needed < WALK_MENDED_S)
        needed = WALK_MENDED_S;
    (void)snprintf(attribute, sizeof(attribute), "VisibilityTimeout=%llu",
                   (unsigned long long)(needed > WALK_MENDED_S ? needed : WALK_MENDED_S));
    buf_init(&command, WALK_TEXT);
    struct view mend = attribute_command(&command, q->queue.url, q->region, attribute);
    if (have < needed)
        findings_add(w->f, CODE_VISIBILITY, step, queue_name(q), mend,
                     "%llu s; %llu s are needed (the function's time-out is %llu s, the mapping's "
                     "batch window %llu s)",
                     (unsigned long long)have, (unsigned long long)needed,
                     (unsigned long long)q->function_timeout_s,
                     (unsigned long long)q->batch_window_s);
    else if (have < WALK_MENDED_S)
        findings_add(w->f, CODE_VISIBILITY_SHORT, step, queue_name(q), mend, "%llu s",
                     (unsigned long long)have);
    else
        findings_ok(w->f, step, queue_name(q), "%llu s", (unsigned long long)have);
    buf_clear(&command);
}

static json_t *age_metric(void *ctx, size_t i)
{
    const struct walk_queue *q = ctx;
    (void)i;
    return cloudwatch_metric(VIEW_LIT("AWS/SQS"), "ApproximateAgeOfOldestMessage",
                             cloudwatch_dimension("QueueName", queue_name(q)));
}

static enum status take_age(void *ctx, size_t i, const struct cloudwatch_value *values, size_t n,
                            struct error *err)
{
    struct walk_queue *q = ctx;
    (void)i;
    (void)err;
    q->oldest_s = n == 0 ? -1 : values[n - 1].value;
    return ST_OK;
}

/* Seconds the oldest message waits, by CloudWatch; ST_MISSING: no datum. */
static enum status oldest_age(struct walk *w, struct walk_queue *q, double *age, struct error *err)
{
    struct cloudwatch_query query = {.client = w->client,
                                     .region = q->region,
                                     .since_s = w->now_s - 1800,
                                     .until_s = w->now_s,
                                     .period_s = 300,
                                     .stat = "Maximum",
                                     .series = 1,
                                     .metric = age_metric,
                                     .values = take_age,
                                     .ctx = q};
    enum status st = cloudwatch_read(&query, NULL, err);
    *age = q->oldest_s;
    return st == ST_OK && q->oldest_s < 0 ? ST_MISSING : st;
}

void walk_backlog(struct walk *w, struct walk_queue *q)
{
    static const char step[] = "backlog";
    struct error err = {0};
    double age = 0;
    char text[32];
    if (!rests_on_queue(w, step, q))
        return;
    const struct sqs_attributes *a = &q->attributes;
    if (a->visible + a->in_flight + a->delayed == 0) {
        findings_ok(w->f, step, queue_name(q), "no message waits");
        return;
    }
    const char *cause = findings_first_fault(w->f);
    if (cause != NULL) {
        findings_not_checked(w->f, step, queue_name(q), "%llu messages wait; %s comes first",
                             (unsigned long long)(a->visible + a->delayed), cause);
        return;
    }
    enum status st = oldest_age(w, q, &age, &err);
    if (st == ST_MISSING) {
        findings_ok(w->f, step, queue_name(q), "%llu messages wait, %llu are being counted",
                    (unsigned long long)a->visible, (unsigned long long)a->in_flight);
        return;
    }
    if (st != ST_OK) {
        walk_call_failed(w, step, queue_name(q), st, "cloudwatch:GetMetricData", &err);
        return;
    }
    walk_age((int64_t)age, text);
    if (age > WALK_BACKLOG_S)
        findings_add(w->f, CODE_BACKLOG, step, queue_name(q),
                     VIEW_LIT("aws logs tail /aws/lambda/bedrock-metrics-aggregator --since 1h"),
                     "%llu messages wait, the oldest for %s", (unsigned long long)a->visible, text);
    else
        findings_ok(w->f, step, queue_name(q), "%llu messages wait, the oldest for %s",
                    (unsigned long long)a->visible, text);
}
