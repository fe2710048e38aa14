/* walk_bucket.c: Bedrock's logging, the bucket it writes to, what lies there, whom it tells. */
#include <stdio.h>
#include <stdlib.h>

#include "aws/aws_json.h"
#include "aws/bedrock.h"
#include "aws/s3.h"
#include "objects/object_key.h"
#include "tools/doctor/notification.h"
#include "tools/doctor/walk.h"

/* ---- logging ---- */

static struct walk_bucket *bucket_find(struct walk *w, struct view name)
{
    for (size_t i = 0; i < w->bucket_count; i++) {
        if (view_eq(w->buckets[i].name, name))
            return &w->buckets[i];
    }
    return NULL;
}

/* A name that is misspelt is named once: as that of a bucket which is not there. */
static const char *missing_bucket(const struct walk *w)
{
    for (size_t i = 0; i < w->bucket_count; i++) {
        if (w->buckets[i].missing)
            return doctor_code_info(CODE_NO_BUCKET)->name;
    }
    return NULL;
}

static void add_region(struct walk *w, struct view name)
{
    if (name.len > 0 && walk_region_find(w, name) == NULL && w->region_count < WALK_MAX)
        w->regions[w->region_count++].name = name;
}

/* Bedrock writes only into its own Region, so the buckets say where to look; where a bucket does
 * not, its queue does. */
static void find_regions(struct walk *w)
{
    for (size_t i = 0; i < w->bucket_count; i++) {
        const struct walk_bucket *b = &w->buckets[i];
        if (b->region[0] != '\0')
            add_region(w, view_of(b->region));
        else if (b->queue != NULL)
            add_region(w, b->queue->region);
    }
    for (size_t i = 0; i < w->queue_count && w->region_count == 0; i++)
        add_region(w, w->queues[i].region);
}

/*
 * The command that makes Bedrock write to the bucket.  It replaces the whole configuration, so what
 * is there (CloudWatch Logs, which bodies are delivered) is repeated.
 */
static void logging_command(const struct walk *w, struct view region, const json_t *config,
                            struct buf *out)
{
    json_t *wanted =
        json_is_object(config)
            ? json_deep_copy(config)
            : json_pack("{s:b, s:b, s:b}", "textDataDeliveryEnabled", 0, "imageDataDeliveryEnabled",
                        0, "embeddingDataDeliveryEnabled", 0);
    struct view bucket = w->bucket_count > 0 ? w->buckets[0].name : VIEW_LIT("BUCKET");
    json_object_set_new(
        wanted, "s3Config",
        json_pack("{s:s%, s:s}", "bucketName", bucket.ptr, bucket.len, "keyPrefix", ""));
    char *text = wanted == NULL ? NULL : json_dumps(wanted, JSON_COMPACT);
    walk_command_start(out, "aws bedrock put-model-invocation-logging-configuration");
    walk_command_option(out, "--region", region);
    walk_command_option(out, "--logging-config", view_of(text));
    free(text);
    json_decref(wanted);
}

static void judge_logging(struct walk *w, struct walk_region *r, const json_t *answer,
                          struct buf *command)
{
    static const char step[] = "logging";
    const json_t *config = json_object_get(answer, "loggingConfig");
    const json_t *s3 = json_object_get(config, "s3Config");
    struct view bucket = aws_json_text(s3, "bucketName");
    struct view prefix = aws_json_text(s3, "keyPrefix");
    logging_command(w, r->name, config, command);
    if (!json_is_object(config) || json_object_size(config) == 0) {
        findings_add(w->f, CODE_LOGGING_OFF, step, r->name, buf_view(command),
                     "no logging configuration in this Region");
        return;
    }
    if (bucket.len == 0) {
        findings_add(
            w->f, CODE_LOGGING_NOT_S3, step, r->name, buf_view(command), "logging goes to %s only",
            json_object_get(config, "cloudWatchConfig") != NULL ? "CloudWatch Logs" : "no place");
        return;
    }
    const char *missing = missing_bucket(w);
    if (missing != NULL && bucket_find(w, bucket) == NULL) {
        findings_not_checked(w->f, step, r->name, "logs go to s3://%.*s; %s comes first",
                             (int)bucket.len, bucket.ptr, missing);
        return;
    }
    if (w->bucket_count > 0 && bucket_find(w, bucket) == NULL) {
        findings_add(w->f, CODE_LOGGING_ELSEWHERE, step, r->name, buf_view(command),
                     "logs go to s3://%.*s (if that is right, put it into S3_BUCKET_NAME)",
                     (int)bucket.len, bucket.ptr);
        return;
    }
    while (prefix.len > 0 && prefix.ptr[prefix.len - 1] == '/')
        prefix.len--;
    r->logging_known = true;
    (void)snprintf(r->bucket, sizeof(r->bucket), "%.*s", (int)bucket.len, bucket.ptr);
    (void)snprintf(r->key_prefix, sizeof(r->key_prefix), "%.*s", (int)prefix.len,
                   prefix.ptr == NULL ? "" : prefix.ptr);
    findings_ok(w->f, step, r->name, "on, to s3://%s/%s", r->bucket, r->key_prefix);
}

void walk_logging(struct walk *w)
{
    struct buf command;
    buf_init(&command, WALK_TEXT);
    find_regions(w);
    for (size_t i = 0; i < w->region_count; i++) {
        struct walk_region *r = &w->regions[i];
        struct error err = {0};
        json_t *answer = NULL;
        if (!walk_wants(w, "logging", r->name))
            continue;
        enum status st = bedrock_get_logging(w->client, r->name, &answer, &err);
        if (st != ST_OK)
            walk_call_failed(w, "logging", r->name, st,
                             "bedrock:GetModelInvocationLoggingConfiguration", &err);
        else
            judge_logging(w, r, answer, &command);
        json_decref(answer);
    }
    if (w->region_count == 0)
        findings_not_checked(w->f, "logging", VIEW_EMPTY,
                             "neither bucket nor queue, so no Region to look in");
    buf_clear(&command);
}

/* ---- bucket ---- */

static struct walk_queue *queue_of_region(struct walk *w, struct view region)
{
    for (size_t i = 0; i < w->queue_count; i++) {
        if (view_eq(w->queues[i].region, region))
            return &w->queues[i];
    }
    return NULL;
}

void walk_bucket_there(struct walk *w, struct walk_bucket *b)
{
    static const char step[] = "bucket";
    struct error err = {0};
    struct buf region, command;
    buf_init(&region, 64);
    buf_init(&command, WALK_TEXT);
    /* Until the Region is known the only queue is taken to be that of the only bucket. */
    b->queue = w->queue_count == 1 ? &w->queues[0] : NULL;
    if (!walk_wants(w, step, b->name)) {
        b->there = true;
        return;
    }
    enum status st = s3_head_bucket(w->client, b->name, &region, &err);
    if (st == ST_MISSING) {
        b->missing = true;
        walk_command_start(&command, "aws s3 mb");
        walk_command_option(&command, "--region",
                            w->queue_count > 0 ? w->queues[0].region : w->region);
        buf_add_cstr(&command, " s3://");
        buf_add_view(&command, b->name);
        buf_add_cstr(&command, " (or correct S3_BUCKET_NAME)");
        findings_add(w->f, CODE_NO_BUCKET, step, b->name, buf_view(&command), "%s",
                     "there is no bucket of this name");
    } else if (st != ST_OK) {
        /* 403 may also be a bucket of somebody else: HEAD does not say. */
        b->there = st != ST_RETRY;
        walk_call_failed(w, step, b->name, st, "s3:ListBucket", &err);
    } else {
        b->there = true;
        (void)snprintf(b->region, sizeof(b->region), "%.*s", (int)region.len, region.ptr);
        struct walk_queue *queue = queue_of_region(w, buf_view(&region));
        b->queue = queue;
        if (queue == NULL && w->queue_count > 0) {
            walk_command_start(&command, "aws sqs create-queue");
            walk_command_option(&command, "--region", buf_view(&region));
            buf_add_cstr(&command, " --queue-name bedrock-metrics-aggregator-events (better: the "
                                   "whole stack in that Region, then put its QueueUrl into "
                                   "SQS_QUEUE_URL)");
            findings_add(w->f, CODE_BUCKET_REGION, step, b->name, buf_view(&command),
                         "the bucket is in %s, the queue%s in %.*s", b->region,
                         w->queue_count > 1 ? "s are elsewhere, the first" : " is",
                         (int)w->queues[0].region.len, w->queues[0].region.ptr);
        } else {
            findings_ok(w->f, step, b->name, "in %s", b->region);
        }
    }
    buf_clear(&region);
    buf_clear(&command);
}

/* ---- objects ---- */

enum { MAX_LISTED = 5000, MAX_ACCOUNTS = 8, MAX_FOLDERS = 40 };

static bool all_digits(struct view v)
{
    for (size_t i = 0; i < v.len; i++) {
        if (v.ptr[i] < '0' || v.ptr[i] > '9')
            return false;
    }
    return v.len > 0;
}

/* The folders directly below `prefix`, NUL-separated names without slash. */
static enum status folders(struct walk *w, const struct walk_bucket *b, struct view prefix,
                           size_t max, struct buf *names, size_t *count, struct error *err)
{
    struct s3_list *list = NULL;
    struct s3_entry entry;
    struct s3_list_options options = {.bucket = b->name,
                                      .prefix = prefix,
                                      .delimiter = VIEW_LIT("/"),
                                      .region = view_of(b->region)};
    size_t seen = 0;
    *count = 0;
    enum status st = s3_list_open(&list, w->client, &options, err);
    while (st == ST_OK && *count < max && seen++ < MAX_LISTED &&
           (st = s3_list_next(list, &entry, err)) == ST_OK) {
        if (!entry.is_prefix || entry.key.len <= prefix.len + 1)
            continue;
        struct view name = view_skip(entry.key, prefix.len);
        buf_add_view(names, view_first(name, name.len - 1));
        buf_add_char(names, '\0');
        (*count)++;
    }
    s3_list_close(list);
    if (st == ST_END)
        st = ST_OK;
    return st == ST_OK ? buf_status(names) : st;
}

/* Step into the last of the folders named by a number; ST_MISSING: there is none. */
static enum status into_last_number(struct walk *w, const struct walk_bucket *b, struct buf *prefix,
                                    struct error *err)
{
    struct buf names;
    size_t count = 0;
    buf_init(&names, WALK_TEXT);
    enum status st = folders(w, b, buf_view(prefix), 1000, &names, &count, err);
    struct view last = VIEW_EMPTY;
    const char *at = names.ptr;
    for (size_t i = 0; st == ST_OK && i < count; i++, at += strlen(at) + 1) {
        struct view name = view_of(at);
        if (all_digits(name) && (last.len == 0 || view_compare(name, last) > 0))
            last = name;
    }
    if (st == ST_OK && last.len == 0)
        st = ST_MISSING;
    if (st == ST_OK) {
        buf_add_view(prefix, last);
        buf_add_char(prefix, '/');
        st = buf_status(prefix);
    }
    buf_clear(&names);
    return st;
}

/* The newest record object of an hour's folder, by its time of writing. */
static enum status newest_of_hour(struct walk *w, const struct walk_bucket *b, struct view prefix,
                                  int64_t *newest, struct error *err)
{
    struct s3_list *list = NULL;
    struct s3_entry entry;
    struct s3_list_options options = {.bucket = b->name,
                                      .prefix = prefix,
                                      .delimiter = VIEW_LIT("/"),
                                      .region = view_of(b->region)};
    size_t seen = 0;
    enum status st = s3_list_open(&list, w->client, &options, err);
    while (st == ST_OK && seen++ < MAX_LISTED && (st = s3_list_next(list, &entry, err)) == ST_OK) {
        if (!entry.is_prefix && object_key_skip(entry.key) == OBJECT_READ &&
            entry.modified_s > *newest)
            *newest = entry.modified_s;
    }
    s3_list_close(list);
    return st == ST_END ? ST_OK : st;
}

/* `prefix` ends in ".../BedrockModelInvocationLogs/REGION/": year, month, day, hour, objects. */
static enum status newest_of_region(struct walk *w, const struct walk_bucket *b, struct buf *prefix,
                                    int64_t *newest, struct error *err)
{
    enum status st = ST_OK;
    for (unsigned level = 0; level < 4 && st == ST_OK; level++)
        st = into_last_number(w, b, prefix, err);
    if (st == ST_OK)
        st = newest_of_hour(w, b, buf_view(prefix), newest, err);
    return st == ST_MISSING ? ST_OK : st;
}

static enum status newest_of_account(struct walk *w, const struct walk_bucket *b,
                                     struct view prefix, int64_t *newest, struct error *err)
{
    struct buf names, below;
    size_t count = 0;
    buf_init(&names, WALK_TEXT);
    buf_init(&below, 4096);
    enum status st = folders(w, b, prefix, MAX_FOLDERS, &names, &count, err);
    const char *at = names.ptr;
    for (size_t i = 0; st == ST_OK && i < count; i++, at += strlen(at) + 1) {
        buf_reset(&below);
        buf_add_view(&below, prefix);
        buf_add_cstr(&below, at);
        buf_add_char(&below, '/');
        st = newest_of_region(w, b, &below, newest, err);
    }
    buf_clear(&names);
    buf_clear(&below);
    return st;
}

/* Replicas of other accounts' logs may lie beside our own, so every account is looked into. */
static enum status newest_object(struct walk *w, const struct walk_bucket *b, struct view root,
                                 int64_t *newest, struct error *err)
{
    struct buf names, below;
    size_t count = 0;
    buf_init(&names, WALK_TEXT);
    buf_init(&below, 4096);
    enum status st = folders(w, b, root, MAX_ACCOUNTS, &names, &count, err);
    const char *at = names.ptr;
    for (size_t i = 0; st == ST_OK && i < count; i++, at += strlen(at) + 1) {
        buf_reset(&below);
        buf_add_view(&below, root);
        buf_add_cstr(&below, at);
        buf_add_cstr(&below, "/BedrockModelInvocationLogs/");
        st = newest_of_account(w, b, buf_view(&below), newest, err);
    }
    buf_clear(&names);
    buf_clear(&below);
    return st;
}

/* The configuration that writes to this bucket; NULL: none is known. */
static const struct walk_region *writer_of(const struct walk *w, const struct walk_bucket *b)
{
    for (size_t i = 0; i < w->region_count; i++) {
        if (w->regions[i].logging_known && view_eq_cstr(b->name, w->regions[i].bucket))
            return &w->regions[i];
    }
    return NULL;
}

/* A step rests on the bucket; the answer is false when it cannot be made. */
static bool rests_on_bucket(struct walk *w, const char *step, const struct walk_bucket *b)
{
    if (!walk_wants(w, step, b->name))
        return false;
    if (!b->there)
        findings_not_checked(w->f, step, b->name, "%s",
                             b->missing ? "the bucket does not exist"
                                        : "the bucket could not be looked at");
    return b->there;
}

static void judge_objects(struct walk *w, const struct walk_bucket *b, struct view root,
                          int64_t newest)
{
    static const char step[] = "objects";
    const struct view mend =
        VIEW_LIT("make a Bedrock call, wait some minutes, and run doctor again");
    char age[32];
    if (newest > w->newest_object_s)
        w->newest_object_s = newest;
    walk_age(w->now_s - newest, age);
    if (newest == 0)
        findings_add(w->f, CODE_NO_OBJECTS, step, b->name, mend,
                     "no log object below s3://%.*s/%.*s", (int)b->name.len, b->name.ptr,
                     (int)root.len, root.ptr);
    else if (w->now_s - newest > WALK_OLD_OBJECT_S)
        findings_add(w->f, CODE_OLD_OBJECTS, step, b->name, mend, "the newest log object is %s old",
                     age);
    else
        findings_ok(w->f, step, b->name, "the newest log object is %s old", age);
}

void walk_objects(struct walk *w, struct walk_bucket *b)
{
    static const char step[] = "objects";
    struct error err = {0};
    struct buf root;
    int64_t newest = 0;
    if (!rests_on_bucket(w, step, b)) {
        w->objects_known = false;
        return;
    }
    const struct walk_region *writer = writer_of(w, b);
    buf_init(&root, 4096);
    if (writer != NULL && writer->key_prefix[0] != '\0')
        buf_printf(&root, "%s/", writer->key_prefix);
    buf_add_cstr(&root, "AWSLogs/");
    enum status st = newest_object(w, b, buf_view(&root), &newest, &err);
    if (st == ST_OK) {
        judge_objects(w, b, buf_view(&root), newest);
    } else {
        w->objects_known = false;
        walk_call_failed(w, step, b->name, st, "s3:ListBucket", &err);
    }
    buf_clear(&root);
}

/* ---- notification ---- */

enum fit { FIT_EVENTS, FIT_PREFIX, FIT_SUFFIX, FIT_SOME, FIT_WHOLE };

/* How far an entry that goes to the queue lets log objects through. */
static enum fit entry_fit(const struct notification_entry *e, struct view folder, bool folder_known)
{
    if (e->created == 0 || e->created == CREATED_SOME)
        return FIT_EVENTS;
    if (folder_known ? !view_starts(folder, e->prefix)
                     : e->prefix.len > 0 && view_find(e->prefix, VIEW_LIT("AWSLogs")) == SIZE_MAX &&
                           !view_starts(VIEW_LIT("AWSLogs/"), e->prefix))
        return FIT_PREFIX;
    if (!view_ends(VIEW_LIT(".json.gz"), e->suffix))
        return FIT_SUFFIX;
    return (e->created & CREATED_ALL) != 0 ? FIT_WHOLE : FIT_SOME;
}

/* Adds an entry.  Where there are others the AWS CLI alone would erase them: the script keeps them.
 */
static void notification_command(const struct walk_bucket *b, const struct walk_region *writer,
                                 bool others, struct buf *out)
{
    const char *prefix = writer == NULL ? "" : writer->key_prefix;
    if (others) {
        walk_command_start(out, "deploy/attach-bucket.sh");
        walk_command_option(out, "--bucket", b->name);
        walk_command_option(out, "--queue-arn", view_of(b->queue->arn));
        if (prefix[0] != '\0')
            walk_command_option(out, "--key-prefix", view_of(prefix));
        return;
    }
    struct buf filter;
    buf_init(&filter, 4096);
    buf_printf(&filter, "%s%sAWSLogs/", prefix, prefix[0] != '\0' ? "/" : "");
    json_t *wanted = json_pack(
        "{s:[{s:s, s:s, s:[s], s:{s:{s:[{s:s, s:s%}, {s:s, s:s}]}}}]}", "QueueConfigurations", "Id",
        "bedrock-metrics", "QueueArn", b->queue->arn, "Events", "s3:ObjectCreated:*", "Filter",
        "Key", "FilterRules", "Name", "prefix", "Value", filter.ptr == NULL ? "" : filter.ptr,
        filter.len, "Name", "suffix", "Value", ".json.gz");
    char *text = wanted == NULL ? NULL : json_dumps(wanted, JSON_COMPACT);
    walk_command_start(out, "aws s3api put-bucket-notification-configuration");
    walk_command_option(out, "--bucket", b->name);
    walk_command_option(out, "--notification-configuration", view_of(text));
    free(text);
    json_decref(wanted);
    buf_clear(&filter);
}

static void no_entry(struct walk *w, const struct walk_bucket *b, const struct notification *n,
                     struct view command)
{
    static const char step[] = "notification";
    const struct notification_entry *other = NULL;
    for (size_t i = 0; i < n->count; i++) {
        const struct notification_entry *e = &n->entries[i];
        if (e->kind == NOTIFY_TOPIC && e->created != 0) {
            findings_add(w->f, CODE_NOTIFICATION_INDIRECT, step, b->name,
                         VIEW_LIT("aws sns list-subscriptions-by-topic --topic-arn ARN"),
                         "the bucket tells the topic %.*s, not the queue", (int)e->target.len,
                         e->target.ptr);
            return;
        }
        other = other == NULL ? e : other;
    }
    if (n->event_bridge)
        findings_add(w->f, CODE_NOTIFICATION_INDIRECT, step, b->name,
                     VIEW_LIT("aws events list-rule-names-by-target --target-arn QUEUE_ARN"),
                     "the bucket tells EventBridge, not the queue");
    else if (other != NULL)
        findings_add(w->f, CODE_NO_NOTIFICATION, step, b->name, command,
                     "the bucket tells %.*s, and not %s", (int)other->target.len, other->target.ptr,
                     b->queue->arn);
    else
        findings_add(w->f, CODE_NO_NOTIFICATION, step, b->name, command,
                     "the bucket tells nobody of new objects");
}

static void judge_notification(struct walk *w, const struct walk_bucket *b,
                               const struct notification *n)
{
    static const char step[] = "notification";
    const struct walk_region *writer = writer_of(w, b);
    const struct notification_entry *best = NULL;
    enum fit fit = FIT_EVENTS;
    struct buf folder, command;
    buf_init(&folder, 4096);
    buf_init(&command, WALK_TEXT);
    walk_log_folder(w, writer, &folder);
    if (writer != NULL) {
        buf_add_view(&folder, writer->name);
        buf_add_char(&folder, '/');
    }
    for (size_t i = 0; i < n->count; i++) {
        const struct notification_entry *e = &n->entries[i];
        if (e->kind != NOTIFY_QUEUE || !view_eq_cstr(e->target, b->queue->arn))
            continue;
        enum fit this = entry_fit(e, buf_view(&folder), writer != NULL);
        if (best == NULL || this > fit) {
            best = e;
            fit = this;
        }
    }
    notification_command(b, writer, n->count > 0 || n->event_bridge, &command);
    struct view mend = buf_view(&command);
    if (best == NULL)
        no_entry(w, b, n, mend);
    else if (fit == FIT_EVENTS)
        findings_add(w->f, CODE_NOTIFICATION_EVENTS, step, b->name, mend,
                     "the entry for the queue holds %.*s", (int)best->events.len, best->events.ptr);
    else if (fit == FIT_PREFIX)
        findings_add(w->f, CODE_NOTIFICATION_PREFIX, step, b->name, mend,
                     "the filter asks for the prefix \"%.*s\", the logs are below \"%.*s\"",
                     (int)best->prefix.len, best->prefix.ptr, (int)folder.len, folder.ptr);
    else if (fit == FIT_SUFFIX)
        findings_add(w->f, CODE_NOTIFICATION_SUFFIX, step, b->name, mend,
                     "the filter asks for the suffix \"%.*s\"", (int)best->suffix.len,
                     best->suffix.ptr);
    else if (fit == FIT_SOME)
        findings_add(w->f, CODE_NOTIFICATION_SOME_EVENTS, step, b->name, mend,
                     "the entry for the queue holds %.*s", (int)best->events.len, best->events.ptr);
    else
        findings_ok(w->f, step, b->name, "tells %s", b->queue->arn);
    buf_clear(&folder);
    buf_clear(&command);
}

void walk_notification(struct walk *w, struct walk_bucket *b)
{
    static const char step[] = "notification";
    struct error err = {0};
    struct buf xml;
    struct notification *n = NULL;
    if (!rests_on_bucket(w, step, b))
        return;
    if (b->queue == NULL || b->queue->missing) {
        findings_not_checked(w->f, step, b->name, "%s",
                             b->queue == NULL ? "no queue in the bucket's Region"
                                              : "the queue does not exist");
        return;
    }
    buf_init(&xml, 1024 * 1024);
    enum status st = s3_get_setting(w->client, b->name, "notification", &xml, &err);
    if (st == ST_OK) {
        n = calloc(1, sizeof(*n));
        st = n == NULL ? ST_NO_MEMORY : notification_parse(buf_view(&xml), n, &err);
    }
    if (st == ST_OK)
        judge_notification(w, b, n);
    else
        walk_call_failed(w, step, b->name, st, "s3:GetBucketNotification", &err);
    if (n != NULL)
        notification_clear(n);
    free(n);
    buf_clear(&xml);
}
