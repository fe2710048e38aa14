/* --canary: the one step that writes: one marked log object, and the wait for its metric. */
#include <openssl/rand.h>
#include <stdio.h>

#include "aggregate/dimension.h"
#include "aws/cloudwatch_read.h"
#include "aws/s3.h"
#include "base/deflate.h"
#include "base/rfc3339.h"
#include "config/dimension_sets.h"
#include "config/variables.h"
#include "tools/doctor/walk.h"

static const char model[] = "bedrock-metrics.canary";

enum { POLL_MS = 5000, MAX_RECORD = 4096 };

struct canary {
    struct walk *w;
    const struct walk_queue *q;
    json_t *dimensions; /* of the series it is counted in */
    char id[17];        /* random */
    double sum;         /* of the series, as last read */
};

/* ---- the series ---- */

/* What the record's dimensions will be; NULL: not known beforehand. */
static const char *dimension_value(const struct canary *c, const struct dimension *d)
{
    switch (d->kind) {
    case DIMENSION_PROFILE_TYPE: return "InRegion";
    case DIMENSION_MODEL_ID: return model;
    case DIMENSION_SOURCE_REGION:
    case DIMENSION_INFERENCE_REGION:
        return c->q->queue.region[0] != '\0' ? c->q->queue.region : NULL;
    case DIMENSION_ACCOUNT_ID: return c->w->account;
    case DIMENSION_OPERATION: return "InvokeModel";
    case DIMENSION_PRINCIPAL: return "unknown";
    case DIMENSION_PROFILE:
    case DIMENSION_METADATA:
    case DIMENSION_TAG: return "none";
    }
    return NULL;
}

/* The dimensions of the canary in the first set that tells models apart; NULL: there is none. */
static json_t *dimensions_of(const struct canary *c)
{
    struct view rest = view_of(variable_get(VAR_METRIC_DIMENSIONS));
    struct view part;
    while (view_split(&rest, ';', &part)) {
        struct dimension_keys keys = {0};
        struct dimension_set set;
        bool has_model = false, known = true;
        if (dimension_set_parse(part, &keys, &set, NULL) != ST_OK)
            continue;
        json_t *all = json_array();
        for (size_t i = 0; i < set.count; i++) {
            const char *value = dimension_value(c, &set.dimension[i]);
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

static json_t *metric_of(void *ctx, size_t i)
{
    const struct canary *c = ctx;
    (void)i;
    return cloudwatch_metric(view_of(c->w->name_space), "Invocations", json_incref(c->dimensions));
}

static enum status add_values(void *ctx, size_t i, const struct cloudwatch_value *values, size_t n,
                              struct error *err)
{
    struct canary *c = ctx;
    (void)i;
    (void)err;
    for (size_t k = 0; k < n; k++)
        c->sum += values[k].value;
    return ST_OK;
}

/* c->sum: Invocations in the hour of the canary and the next. */
static enum status read_sum(struct canary *c)
{
    struct walk *w = c->w;
    struct cloudwatch_query query = {.client = w->client,
                                     .region = view_of(w->metrics_region),
                                     .since_s = w->now_s - w->now_s % 3600,
                                     .until_s = w->now_s - w->now_s % 3600 + 2 * 3600,
                                     .period_s = 60,
                                     .stat = "Sum",
                                     .series = 1,
                                     .metric = metric_of,
                                     .values = add_values,
                                     .ctx = c};
    c->sum = 0;
    return cloudwatch_read(&query, NULL, &w->err);
}

/* ---- the object ---- */

/* A record as Bedrock writes it, without bodies, as one gzip member. */
static enum status make_object(const struct canary *c, struct buf *out)
{
    char time[RFC3339_BYTES];
    struct buf text;
    rfc3339_format(c->w->now_s, time);
    buf_init(&text, MAX_RECORD);
    buf_printf(&text,
               "{\"schemaType\":\"ModelInvocationLog\",\"schemaVersion\":\"1.0\",\"timestamp\":"
               "\"%s\",\"accountId\":\"%s\",\"region\":\"%.*s\",\"requestId\":\"canary-%s\","
               "\"operation\":\"InvokeModel\",\"modelId\":\"%s\",\"input\":{\"inputContentType\":"
               "\"application/json\",\"inputTokenCount\":1},\"output\":{\"outputContentType\":"
               "\"application/json\",\"outputTokenCount\":1}}\n",
               time, c->w->account, SHOW(c->q->region), c->id, model);
    enum status st = buf_status(&text);
    if (st == ST_OK)
        st = deflate_add(out, buf_view(&text), DEFLATE_GZIP, DEFLATE_DEFAULT);
    buf_clear(&text);
    return st;
}

/* .../us-east-1/2026/11/01/10/20261101T103100000Z_ID.json.gz, as Bedrock names its objects */
static enum status make_key(const struct canary *c, struct buf *out)
{
    char time[RFC3339_BYTES];
    rfc3339_format(c->w->now_s, time); /* 2026-11-01T10:31:00Z */
    walk_log_folder(c->w, walk_region_find(c->w, c->q->region), out);
    buf_printf(out, "%.*s/%.4s/%.2s/%.2s/%.2s/%.4s%.2s%.2sT%.2s%.2s%.2s000Z_%s.json.gz",
               SHOW(c->q->region), time, time + 5, time + 8, time + 11, time, time + 5, time + 8,
               time + 11, time + 14, time + 17, c->id);
    return buf_status(out);
}

/* ---- the step ---- */

/* Until the sum exceeds `before`; ST_MISSING: the time is up. */
static enum status wait_for(struct canary *c, double before, int64_t *waited_s)
{
    struct aws_clock clock = aws_clock_system();
    int64_t start = clock.steady_ms(clock.ctx);
    int64_t wait_ms = (int64_t)c->w->options->wait_s * 1000;
    for (;;) {
        enum status st = read_sum(c);
        int64_t waited_ms = clock.steady_ms(clock.ctx) - start;
        *waited_s = waited_ms / 1000;
        if (st != ST_OK && st != ST_RETRY)
            return st;
        if (st == ST_OK && c->sum > before)
            return ST_OK;
        if (waited_ms >= wait_ms)
            return ST_MISSING;
        int64_t left = wait_ms - waited_ms;
        clock.sleep_ms(clock.ctx, (uint32_t)(left < POLL_MS ? left : POLL_MS));
    }
}

static void release(struct canary *c)
{
    struct walk *w = c->w;
    struct buf key, object;
    unsigned char random[8] = {0};
    int64_t waited_s = 0;
    buf_init(&key, 4096);
    buf_init(&object, 2 * MAX_RECORD);
    (void)RAND_bytes(random, sizeof(random)); /* all zero would do, too */
    hex_format(random, sizeof(random), c->id);
    enum status st = make_key(c, &key);
    if (st == ST_OK)
        st = make_object(c, &object);
    if (st == ST_OK)
        st = read_sum(c);
    double before = c->sum;
    if (!walk_answered(w, st, "cloudwatch:GetMetricData"))
        goto out;
    st =
        s3_put_object(w->client, w->bucket->name, buf_view(&key), buf_view(&object), true, &w->err);
    if (st != ST_OK) {
        walk_found(w, D99, "%s", w->err.text);
        goto out;
    }
    st = wait_for(c, before, &waited_s);
    if (st == ST_MISSING)
        walk_found(w, D98, "no metric after %lld s of s3://%.*s/%.*s", (long long)waited_s,
                   SHOW(w->bucket->name), SHOW(buf_view(&key)));
    else if (walk_answered(w, st, "cloudwatch:GetMetricData"))
        walk_ok(w, "counted within %lld s: s3://%.*s/%.*s", (long long)waited_s,
                SHOW(w->bucket->name), SHOW(buf_view(&key)));
out:
    buf_clear(&key);
    buf_clear(&object);
}

void walk_canary(struct walk *w)
{
    struct canary c = {.w = w, .q = w->bucket->queue};
    const char *cause = findings_first_fault(w->f);
    if (cause != NULL || w->bucket->unreachable || c.q == NULL) {
        walk_not_checked(w, "%s comes first; nothing was written",
                         cause != NULL ? cause : "the bucket");
        return;
    }
    c.dimensions = dimensions_of(&c);
    if (c.dimensions == NULL)
        walk_not_checked(w, "METRIC_DIMENSIONS has no set with ModelId; nothing was written");
    else
        release(&c);
    json_decref(c.dimensions);
}
