/* The bucket, the logging that writes to it, and the log objects in it. */
#include <stdio.h>
#include <stdlib.h>

#include "aws/aws_json.h"
#include "aws/bedrock.h"
#include "aws/s3.h"
#include "base/json_read.h"
#include "objects/object_key.h"
#include "tools/doctor/walk.h"

/* ---- bucket ---- */

void walk_bucket(struct walk *w)
{
    struct walk_bucket *b = w->bucket;
    struct buf region;
    buf_init(&region, 64);
    enum status st = s3_head_bucket(w->client, b->name, &region, &w->err);
    if (st == ST_MISSING) {
        b->missing = true;
        walk_fix(w, "aws s3 mb --region % s3://% (or correct S3_BUCKET_NAME)",
                 w->queue_count > 0 ? w->queues[0].region : w->region, b->name);
        walk_found(w, D30, "there is no bucket of this name");
    } else if (walk_answered(w, st, "s3:ListBucket")) {
        (void)snprintf(b->region, sizeof(b->region), "%.*s", SHOW(buf_view(&region)));
        b->queue = NULL;
        for (size_t i = w->queue_count; i-- > 0;)
            b->queue = view_eq_cstr(w->queues[i].region, b->region) ? &w->queues[i] : b->queue;
        if (b->queue != NULL || w->queue_count == 0) {
            walk_ok(w, "in %s", b->region);
        } else {
            walk_fix(w,
                     "aws sqs create-queue --region % --queue-name "
                     "bedrock-metrics-aggregator-events (better: the whole stack in that Region, "
                     "then put its QueueUrl into SQS_QUEUE_URL)",
                     view_of(b->region));
            walk_found(w, D31, "the bucket is in %s, %s in %.*s", b->region,
                       w->queue_count > 1 ? "no queue is, the first is" : "the queue is",
                       SHOW(w->queues[0].region));
        }
    } else {
        /* 403 may also be a bucket of somebody else: HEAD does not say, so others may go on. */
        b->unreachable = st == ST_RETRY;
    }
    buf_clear(&region);
}

/* ---- logging ---- */

static void add_region(struct walk *w, struct view name)
{
    if (name.len > 0 && walk_region_find(w, name) == NULL && w->region_count < WALK_MAX)
        w->regions[w->region_count++].name = name;
}

/* Bedrock writes only into its own Region, so the buckets say where to look; where a bucket does
 * not, its queue does. */
void walk_find_regions(struct walk *w)
{
    for (size_t i = 0; i < w->bucket_count; i++) {
        const struct walk_bucket *b = &w->buckets[i];
        add_region(w, b->region[0] != '\0' ? view_of(b->region)
                      : b->queue != NULL   ? b->queue->region
                                           : VIEW_EMPTY);
    }
    for (size_t i = 0; i < w->queue_count && w->region_count == 0; i++)
        add_region(w, w->queues[i].region);
}

/*
 * The command that makes Bedrock write to the bucket.  It replaces the whole configuration, so what
 * is there (CloudWatch Logs, which bodies are delivered) is repeated.
 */
static void fix_logging(struct walk *w, const json_t *config)
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
    walk_fix(w,
             "aws bedrock put-model-invocation-logging-configuration --region % --logging-config %",
             w->at->name, walk_json(w, wanted));
}

static void judge_logging(struct walk *w, const json_t *config)
{
    const json_t *s3 = json_object_get(config, "s3Config");
    struct view bucket = json_text(s3, "bucketName"), prefix = json_text(s3, "keyPrefix");
    bool ours = w->bucket_count == 0, some_missing = false;
    for (size_t i = 0; i < w->bucket_count; i++) {
        ours = ours || view_eq(w->buckets[i].name, bucket);
        some_missing = some_missing || w->buckets[i].missing;
    }
    fix_logging(w, config);
    if (json_object_size(config) == 0) {
        walk_found(w, D20, "no logging configuration in this Region");
    } else if (bucket.len == 0) {
        walk_found(w, D21, "logging goes to %s only",
                   json_object_get(config, "cloudWatchConfig") != NULL ? "CloudWatch Logs"
                                                                       : "no place");
    } else if (!ours && some_missing) {
        /* A misspelt name is named once: as that of a bucket which does not exist. */
        walk_not_checked(w, "logs go to s3://%.*s; %s comes first", SHOW(bucket),
                         doctor_code_info(D30)->name);
    } else if (!ours) {
        walk_found(w, D22, "logs go to s3://%.*s (if that is right, put it into S3_BUCKET_NAME)",
                   SHOW(bucket));
    } else {
        while (prefix.len > 0 && prefix.ptr[prefix.len - 1] == '/')
            prefix.len--;
        struct walk_region *r = w->at;
        r->logging_known = true;
        (void)snprintf(r->bucket, sizeof(r->bucket), "%.*s", SHOW(bucket));
        (void)snprintf(r->key_prefix, sizeof(r->key_prefix), "%.*s", SHOW(prefix));
        walk_ok(w, "on, to s3://%s/%s", r->bucket, r->key_prefix);
    }
}

void walk_logging(struct walk *w)
{
    json_t *answer = NULL;
    enum status st = bedrock_get_logging(w->client, w->at->name, &answer, &w->err);
    if (walk_answered(w, st, "bedrock:GetModelInvocationLoggingConfiguration"))
        judge_logging(w, json_object_get(answer, "loggingConfig"));
    json_decref(answer);
}

/* ---- objects ---- */

enum level {
    LEVEL_ACCOUNT,
    LEVEL_REGION,
    LEVEL_YEAR,
    LEVEL_MONTH,
    LEVEL_DAY,
    LEVEL_HOUR,
    LEVEL_OBJECT
};

enum {
    MAX_LISTED = 5000, /* entries of a folder: five requests */
    MAX_ACCOUNTS = 8,
    MAX_REGIONS = 40,
    LATE_S = WALK_DAY_S,
};

/*
 * When the newest record object below *prefix was written, if later than *newest.  The folders are
 *
 *     AWSLogs/ACCOUNT/BedrockModelInvocationLogs/REGION/2026/11/01/10/...json.gz
 *
 * Of accounts and Regions all are looked into, because replicas of other accounts' logs may be next
 * to ours; of years, months, days and hours the last only.  *prefix is as it was afterwards.
 */
static enum status newest_below(struct walk *w, enum level level, struct buf *prefix,
                                int64_t *newest)
{
    struct s3_list_options options = {.bucket = w->bucket->name,
                                      .prefix = buf_view(prefix),
                                      .delimiter = VIEW_LIT("/"),
                                      .region = view_of(w->bucket->region)};
    size_t length = prefix->len, seen = 0, folders = 0;
    size_t max = level == LEVEL_ACCOUNT ? MAX_ACCOUNTS : MAX_REGIONS;
    struct s3_list *list = NULL;
    struct s3_entry entry;
    struct buf names; /* of the folders to look into, each with its slash and a NUL */
    buf_init(&names, WALK_TEXT);
    enum status st = s3_list_open(&list, w->client, &options, &w->err);
    while (st == ST_OK && seen++ < MAX_LISTED && folders < max &&
           (st = s3_list_next(list, &entry, &w->err)) == ST_OK) {
        struct view name = view_skip(entry.key, length);
        if (level == LEVEL_OBJECT) {
            if (!entry.is_prefix && object_key_skip(entry.key) == OBJECT_READ &&
                entry.modified_s > *newest)
                *newest = entry.modified_s;
            continue;
        }
        if (!entry.is_prefix || name.len < 2)
            continue;
        if (level >= LEVEL_YEAR) {
            if (!view_is_digits(view_first(name, name.len - 1)) ||
                (names.len > 0 && view_compare(name, view_of(names.ptr)) <= 0))
                continue;
            buf_reset(&names);
        } else {
            folders++;
        }
        buf_add_view(&names, name);
        buf_add_char(&names, '\0');
    }
    s3_list_close(list);
    if (st == ST_OK || st == ST_END)
        st = buf_status(&names);
    for (size_t at = 0; at < names.len && st == ST_OK; at += strlen(names.ptr + at) + 1) {
        buf_add_cstr(prefix, names.ptr + at);
        if (level == LEVEL_ACCOUNT)
            buf_add_cstr(prefix, "BedrockModelInvocationLogs/");
        st = buf_status(prefix);
        if (st == ST_OK)
            st = newest_below(w, level + 1, prefix, newest);
        prefix->len = length;
    }
    buf_clear(&names);
    return st;
}

void walk_objects(struct walk *w)
{
    const struct walk_region *writer = walk_writer(w, w->bucket);
    int64_t newest = 0;
    struct buf root;
    buf_init(&root, 4096);
    if (writer != NULL && writer->key_prefix[0] != '\0')
        buf_printf(&root, "%s/", writer->key_prefix);
    buf_add_cstr(&root, "AWSLogs/");
    enum status st = newest_below(w, LEVEL_ACCOUNT, &root, &newest);
    if (walk_answered(w, st, "s3:ListBucket")) {
        int64_t age_s = w->now_s - newest;
        if (newest > w->newest_object_s)
            w->newest_object_s = newest;
        if (newest == 0)
            walk_found(w, D32, "no log object below s3://%.*s/%.*s", SHOW(w->bucket->name),
                       SHOW(buf_view(&root)));
        else if (age_s > LATE_S)
            walk_found(w, D33, "the newest log object is %s old", walk_age(age_s).text);
        else
            walk_ok(w, "the newest log object is %s old", walk_age(age_s).text);
    }
    buf_clear(&root);
}
