/* walk_canary.c: one marked log object, and the wait for its metric. */
#include <openssl/rand.h>
#include <stdio.h>
#include <stdlib.h>
#include <zlib.h>

#include "aggregate/dimension.h"
#include "aws/aws_json.h"
#include "aws/cloudwatch_read.h"
#include "aws/s3.h"
#include "base/rfc3339.h"
#include "config/config.h"
#include "tools/doctor/walk.h"

static const char step[] = "canary";
static const char model[] = "bedrock-metrics.canary";

enum { POLL_MS = 5000, MAX_RECORD = 4096 };

/* What the record's dimensions will be; NULL: not known beforehand. */
static const char *dimension_value(const struct walk *w, const struct walk_queue *q,
                                   const struct dimension *d)
{
    switch (d->kind) {
    case DIMENSION_PROFILE_TYPE: return "InRegion";
    case DIMENSION_PROFILE: return "none";
    case DIMENSION_MODEL_ID: return model;
    case DIMENSION_SOURCE_REGION:
    case DIMENSION_INFERENCE_REGION: return q->queue.region[0] != '\0' ? q->queue.region : NULL;
    case DIMENSION_ACCOUNT_ID: return w->account;
    case DIMENSION_OPERATION: return "InvokeModel";
    case DIMENSION_PRINCIPAL: return "unknown";
    case DIMENSION_METADATA:
    case DIMENSION_TAG: return "none";
    }
    return NULL;
}

/* The dimensions of the canary in the first set that tells models apart; NULL: there is none. */
static json_t *dimensions_of(const struct walk *w, const struct walk_queue *q)
{
    struct view rest = view_of(
        config_get("METRIC_DIMENSIONS", "InferenceProfileType;InferenceProfileType,ModelId"));
    struct view part;
    while (view_split(&rest, ';', &part)) {
        struct dimension_keys keys = {0};
        struct dimension_set set;
        bool has_model = false, known = true;
        if (dimension_set_parse(part, &keys, &set, NULL) != ST_OK)
            continue;
        json_t *all = json_array();
        for (size_t i = 0; i < set.count; i++) {
            const char *value = dimension_value(w, q, &set.dimension[i]);
            has_model = has_model || set.dimension[i].kind == DIMENSION_MODEL_ID;
            known = known && value != NULL;
            json_array_append_new(all, json_pack("{s:s%, s:s}", "Name", set.dimension[i].name.ptr,
                                                 set.dimension[i].name.len, "Value",
                                                 value == NULL ? "" : value));
        }
        if (has_model && known)
            return all;
        json_decref(all);
    }
    return NULL;
}

struct sum {
    const struct walk *w;
    json_t *dimensions;
    double sum;
};

static json_t *metric_of(void *ctx, size_t i)
{
    const struct sum *s = ctx;
    (void)i;
    return cloudwatch_metric(view_of(s->w->name_space), "Invocations", json_incref(s->dimensions));
}

static enum status take_sum(void *ctx, size_t i, const struct cloudwatch_value *values, size_t n,
                            struct error *err)
{
    struct sum *s = ctx;
    (void)i;
    (void)err;
    for (size_t k = 0; k < n; k++)
        s->sum += values[k].value;
    return ST_OK;
}

/* The sum of Invocations of the canary so far, in the hour of `minute` and the next. */
static enum status count_now(struct walk *w, json_t *dimensions, int64_t minute, double *sum,
                             struct error *err)
{
    struct sum s = {.w = w, .dimensions = dimensions};
    struct cloudwatch_query query = {.client = w->client,
                                     .region = view_of(w->metrics_region),
                                     .since_s = minute - minute % 3600,
                                     .until_s = minute - minute % 3600 + 2 * 3600,
                                     .period_s = 60,
                                     .stat = "Sum",
                                     .series = 1,
                                     .metric = metric_of,
                                     .values = take_sum,
                                     .ctx = &s};
    enum status st = cloudwatch_read(&query, NULL, err);
    *sum = s.sum;
    return st;
}

/* A record as Bedrock writes it, without bodies, as one gzip member. */
static enum status make_object(const struct walk *w, const struct walk_queue *q, const char *id,
                               struct buf *out)
{
    char time[RFC3339_BYTES];
    struct buf text;
    rfc3339_format(w->now_s, time);
    buf_init(&text, MAX_RECORD);
    buf_printf(&text,
               "{\"schemaType\":\"ModelInvocationLog\",\"schemaVersion\":\"1.0\",\"timestamp\":"
               "\"%s\",\"accountId\":\"%s\",\"region\":\"%.*s\",\"requestId\":\"canary-%s\","
               "\"operation\":\"InvokeModel\",\"modelId\":\"%s\",\"input\":{\"inputContentType\":"
               "\"application/json\",\"inputTokenCount\":1},\"output\":{\"outputContentType\":"
               "\"application/json\",\"outputTokenCount\":1}}\n",
               time, w->account, (int)q->region.len, q->region.ptr, id, model);
    enum status st = buf_status(&text);
    char *room = st == ST_OK ? buf_reserve(out, MAX_RECORD) : NULL;
    z_stream z = {0};
    if (room == NULL ||
        deflateInit2(&z, 6, Z_DEFLATED, MAX_WBITS + 16, 8, Z_DEFAULT_STRATEGY) != Z_OK) {
        buf_clear(&text);
        return st != ST_OK ? st : ST_NO_MEMORY;
    }
    z.next_in = (Bytef *)text.ptr;
    z.avail_in = (uInt)text.len;
    z.next_out = (Bytef *)room;
    z.avail_out = MAX_RECORD;
    st = deflate(&z, Z_FINISH) == Z_STREAM_END ? ST_OK : ST_TOO_BIG;
    out->len += MAX_RECORD - z.avail_out;
    deflateEnd(&z);
    buf_clear(&text);
    return st;
}

static enum status make_key(struct walk *w, const struct walk_queue *q, const char *id,
                            struct buf *out)
{
    char time[RFC3339_BYTES];
    rfc3339_format(w->now_s, time); /* 2026-11-01T10:31:00Z */
    walk_log_folder(w, walk_region_find(w, q->region), out);
    buf_printf(out, "%.*s/%.4s/%.2s/%.2s/%.2s/%.4s%.2s%.2sT%.2s%.2s%.2s000Z_%s.json.gz",
               (int)q->region.len, q->region.ptr, time, time + 5, time + 8, time + 11, time,
               time + 5, time + 8, time + 11, time + 14, time + 17, id);
    return buf_status(out);
}

/* Until the sum exceeds `before`; ST_MISSING: the time is up. */
static enum status wait_for(struct walk *w, json_t *dimensions, double before, int64_t *waited_s,
                            struct error *err)
{
    struct aws_clock clock = aws_clock_system();
    int64_t start = clock.steady_ms(clock.ctx);
    int64_t wait_ms = (int64_t)w->options->wait_s * 1000;
    for (;;) {
        double sum;
        enum status st = count_now(w, dimensions, w->now_s, &sum, err);
        *waited_s = (clock.steady_ms(clock.ctx) - start) / 1000;
        if (st != ST_OK && st != ST_RETRY)
            return st;
        if (st == ST_OK && sum > before)
            return ST_OK;
        int64_t left = wait_ms - (clock.steady_ms(clock.ctx) - start);
        if (left <= 0)
            return ST_MISSING;
        clock.sleep_ms(clock.ctx, (uint32_t)(left < POLL_MS ? left : POLL_MS));
    }
}

static void release(struct walk *w, const struct walk_bucket *b, json_t *dimensions)
{
    struct error err = {0};
    struct buf key, object;
    unsigned char random[8] = {0};
    char id[17] = "";
    double before = 0;
    int64_t waited_s = 0;
    buf_init(&key, 4096);
    buf_init(&object, 2 * MAX_RECORD);
    if (RAND_bytes(random, sizeof(random)) == 1) {
        for (size_t i = 0; i < sizeof(random); i++)
            (void)snprintf(id + 2 * i, 3, "%02x", random[i]);
    }
    enum status st = make_key(w, b->queue, id, &key);
    if (st == ST_OK)
        st = make_object(w, b->queue, id, &object);
    if (st == ST_OK)
        st = count_now(w, dimensions, w->now_s, &before, &err);
    if (st != ST_OK) {
        walk_call_failed(w, step, b->name, st, "cloudwatch:GetMetricData", &err);
        goto out;
    }
    st = s3_put_object(w->client, b->name, buf_view(&key), buf_view(&object), true, &err);
    if (st != ST_OK) {
        findings_add(w->f, CODE_CANARY_REFUSED, step, b->name,
                     VIEW_LIT("grant s3:PutObject below the logs' prefix to who runs doctor"), "%s",
                     err.text);
        goto out;
    }
    st = wait_for(w, dimensions, before, &waited_s, &err);
    if (st == ST_OK)
        findings_ok(w->f, step, b->name, "counted within %lld s: s3://%.*s/%.*s",
                    (long long)waited_s, (int)b->name.len, b->name.ptr, (int)key.len, key.ptr);
    else if (st == ST_MISSING)
        findings_add(w->f, CODE_CANARY_LOST, step, b->name,
                     VIEW_LIT("aws logs tail /aws/lambda/bedrock-metrics-aggregator --since 15m"),
                     "no metric after %lld s of s3://%.*s/%.*s", (long long)waited_s,
                     (int)b->name.len, b->name.ptr, (int)key.len, key.ptr);
    else
        walk_call_failed(w, step, b->name, st, "cloudwatch:GetMetricData", &err);
out:
    buf_clear(&key);
    buf_clear(&object);
}

void walk_canary(struct walk *w)
{
    const char *cause = findings_first_fault(w->f);
    if (!w->options->canary)
        return;
    for (size_t i = 0; i < w->bucket_count; i++) {
        const struct walk_bucket *b = &w->buckets[i];
        if (!walk_wants(w, step, b->name))
            continue;
        if (cause != NULL || !b->there || b->queue == NULL) {
            findings_not_checked(w->f, step, b->name, "%s comes first; nothing was written",
                                 cause != NULL ? cause : "the bucket");
            continue;
        }
        json_t *dimensions = dimensions_of(w, b->queue);
        if (dimensions == NULL)
            findings_not_checked(w->f, step, b->name,
                                 "METRIC_DIMENSIONS has no set with ModelId; nothing was written");
        else
            release(w, b, dimensions);
        json_decref(dimensions);
    }
}
