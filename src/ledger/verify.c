#include "ledger/verify.h"

#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "aws/cloudwatch.h"
#include "base/array.h"
#include "publish/payload.h"

enum {
    SERIES_A_CALL = 100,
    AHEAD_S = 3 * 3600, /* data may be two hours ahead of their batch; and some room */
};

struct point {
    uint32_t series;
    int64_t minute_s;
    double expected, in_doubt;
};

struct verify {
    const struct verify_options *o;
    struct verify_result *r;
    json_t *index;  /* series as text -> its number */
    json_t *series; /* array of texts */
    struct point *points;
    size_t count, capacity;
    struct ledger_nonce *batches;
    size_t batch_count, batch_capacity;
    bool no_memory;
};

static void tell(const struct verify *v, const char *what, uint64_t done, uint64_t all)
{
    if (v->o->on_step != NULL)
        v->o->on_step(v->o->ctx, what, done, all);
}

/* ---- what the ledger says ---- */

static bool note_batch(void *ctx, const struct ledger_nonce *id, enum ledger_batch_state state,
                       int64_t prepared_ms)
{
    struct verify *v = ctx;
    (void)state;
    (void)prepared_ms;
    if (!array_room(&v->batches, v->batch_count, &v->batch_capacity, 256, sizeof(*v->batches))) {
        v->no_memory = true;
        return false;
    }
    v->batches[v->batch_count++] = *id;
    return true;
}

static enum status series_number(struct verify *v, const json_t *datum, uint32_t *number)
{
    json_t *dimensions = json_object_get(datum, "Dimensions");
    json_t *series =
        json_pack("{s:O, s:o}", "MetricName", json_object_get(datum, "MetricName"), "Dimensions",
                  dimensions != NULL ? json_incref(dimensions) : json_array());
    char *text = series == NULL ? NULL : json_dumps(series, JSON_COMPACT | JSON_SORT_KEYS);
    json_decref(series);
    if (text == NULL)
        return ST_NO_MEMORY;
    enum status st = ST_OK;
    const json_t *known = json_object_get(v->index, text);
    if (known != NULL) {
        *number = (uint32_t)json_integer_value(known);
    } else {
        *number = (uint32_t)json_array_size(v->series);
        if (json_array_append_new(v->series, json_string(text)) != 0 ||
            json_object_set_new(v->index, text, json_integer((json_int_t)*number)) != 0)
            st = ST_NO_MEMORY;
    }
    free(text);
    return st;
}

static enum status add_point(struct verify *v, const struct point *p)
{
    if (v->count == VERIFY_MAX_POINTS)
        return ST_TOO_BIG;
    if (!array_room(&v->points, v->count, &v->capacity, 4096, sizeof(*v->points)))
        return ST_NO_MEMORY;
    v->points[v->count++] = *p;
    return ST_OK;
}

static enum status add_datum(struct verify *v, struct view text, const struct ledger_part *part)
{
    json_t *datum = json_loadb(text.ptr, text.len, 0, NULL);
    if (datum == NULL)
        return ST_BAD_ITEM;
    enum status st = ST_OK;
    int64_t at = (int64_t)json_number_value(json_object_get(datum, "Timestamp"));
    at -= at % 60;
    if (at >= v->o->since_s && at < v->o->until_s) {
        const json_t *value = json_object_get(json_object_get(datum, "StatisticValues"), "Sum");
        double sum = json_number_value(value != NULL ? value : json_object_get(datum, "Value"));
        struct point p = {.minute_s = at};
        bool acked = part->state == PART_ACKED;
        p.expected = acked ? sum : 0;
        /* Resent ones may be in there once more each. */
        p.in_doubt = sum * ((acked ? 0 : 1) + (double)part->resent);
        st = series_number(v, datum, &p.series);
        if (st == ST_OK)
            st = add_point(v, &p);
    }
    json_decref(datum);
    return st;
}

static enum status add_part(struct verify *v, const struct payload *payload,
                            const struct ledger_part *part)
{
    enum status st = ST_OK;
    if (part->state == PART_PLANNED && part->resent == 0)
        return ST_OK;
    if (part->state == PART_REJECTED)
        return ST_OK;
    if (part->first > payload->count || part->count > payload->count - part->first)
        return ST_BAD_ITEM;
    for (size_t i = 0; i < part->count && st == ST_OK; i++)
        st = add_datum(v, payload->data[part->first + i], part);
    return st;
}

static enum status add_batch(struct verify *v, const struct ledger_nonce *id,
                             struct ledger_record *record)
{
    struct ledger *l = v->o->session->ledger;
    struct buf bytes;
    buf_init(&bytes, LEDGER_PAYLOAD_BYTES_MAX);
    enum status st = ledger_load(l, id, record);
    if (st == ST_MISSING || (st == ST_OK && record->batch.state < BATCH_PREPARED))
        return ST_OK;
    v->r->batches++;
    for (uint16_t i = 0; st == ST_OK && i < record->batch.n_parts; i++) {
        struct payload payload = {0};
        buf_reset(&bytes);
        st = ledger_payload(l, id, record->batch.parts[i].payload, &bytes);
        if (st == ST_OK)
            st = payload_decode(buf_view(&bytes), &payload);
        if (st == ST_OK)
            st = add_part(v, &payload, &record->batch.parts[i]);
        payload_clear(&payload);
    }
    buf_clear(&bytes);
    return st;
}

static enum status add_all(struct verify *v, struct error *err)
{
    struct ledger_record *record = calloc(1, sizeof(*record));
    if (record == NULL)
        return error_set(err, ST_NO_MEMORY, E_R113, "out of memory");
    enum status st = ledger_list_batches(v->o->session->ledger, (v->o->since_s - AHEAD_S) * 1000,
                                         INT64_MAX, note_batch, v);
    if (st == ST_OK && v->no_memory)
        st = ST_NO_MEMORY;
    tell(v, "batches", 0, v->batch_count);
    for (size_t i = 0; i < v->batch_count && st == ST_OK; i++) {
        st = add_batch(v, &v->batches[i], record);
        tell(v, "batches", i + 1, v->batch_count);
        if (st == ST_OK && aws_stop_asked(&v->o->stop))
            st = ST_CANCELLED;
    }
    free(record);
    return st == ST_OK
               ? st
               : error_set(err, st, E_L209, "the ledger cannot be read: %s", status_name(st));
}

static int by_place(const void *a, const void *b)
{
    const struct point *l = a, *r = b;
    if (l->series != r->series)
        return l->series < r->series ? -1 : 1;
    return (l->minute_s > r->minute_s) - (l->minute_s < r->minute_s);
}

static void join_points(struct verify *v)
{
    size_t kept = 0;
    if (v->count > 0)
        qsort(v->points, v->count, sizeof(*v->points), by_place);
    for (size_t i = 0; i < v->count; i++) {
        if (kept > 0 && by_place(&v->points[kept - 1], &v->points[i]) == 0) {
            v->points[kept - 1].expected += v->points[i].expected;
            v->points[kept - 1].in_doubt += v->points[i].in_doubt;
        } else {
            v->points[kept++] = v->points[i];
        }
    }
    v->count = kept;
}

/* ---- what CloudWatch says ---- */

static json_t *query_of(const struct verify *v, size_t series)
{
    char id[24];
    snprintf(id, sizeof(id), "s%zu", series);
    json_t *metric = json_loads(json_string_value(json_array_get(v->series, series)), 0, NULL);
    if (metric == NULL)
        return NULL;
    json_t *name = json_stringn(v->o->name_space.ptr, v->o->name_space.len);
    if (name == NULL || json_object_set_new(metric, "Namespace", name) != 0) {
        json_decref(metric);
        return NULL;
    }
    return json_pack("{s:s, s:{s:o, s:i, s:s}}", "Id", id, "MetricStat", "Metric", metric, "Period",
                     60, "Stat", "Sum");
}

static void compare(struct verify *v, const struct point *p, double found)
{
    /* Whole numbers are exact in a double; costs are not. */
    double slack = 1e-9 * fmax(fabs(p->expected), fabs(found));
    v->r->points++;
    if (fabs(found - p->expected) <= slack)
        return;
    if (p->in_doubt > 0 && found >= p->expected - slack &&
        found <= p->expected + p->in_doubt + slack) {
        v->r->in_doubt++;
        return;
    }
    v->r->missing += found < p->expected;
    v->r->over += found > p->expected;
    struct verify_difference d = {
        .series = view_of(json_string_value(json_array_get(v->series, p->series))),
        .minute_s = p->minute_s,
        .expected = p->expected,
        .in_doubt = p->in_doubt,
        .found = found};
    if (v->o->on_difference != NULL)
        v->o->on_difference(v->o->ctx, &d);
}

static const struct point *first_of(const struct verify *v, uint32_t series)
{
    size_t low = 0, high = v->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (v->points[middle].series < series)
            low = middle + 1;
        else
            high = middle;
    }
    return v->points + low;
}

struct value {
    int64_t at;
    double sum;
};

static int by_time(const void *a, const void *b)
{
    const struct value *l = a, *r = b;
    return (l->at > r->at) - (l->at < r->at);
}

/* Both are sorted by time: what is in one only is compared with nothing. */
static enum status compare_series(struct verify *v, uint32_t series, const json_t *result)
{
    const json_t *times = json_object_get(result, "Timestamps");
    const json_t *values = json_object_get(result, "Values");
    size_t n = json_array_size(times), j = 0;
    const struct point *p = first_of(v, series), *end = v->points + v->count;
    struct value *found = calloc(n + 1, sizeof(*found));
    if (found == NULL)
        return ST_NO_MEMORY;
    for (size_t i = 0; i < n; i++)
        found[i] = (struct value){(int64_t)json_number_value(json_array_get(times, i)),
                                  json_number_value(json_array_get(values, i))};
    qsort(found, n, sizeof(*found), by_time);
    while ((p < end && p->series == series) || j < n) {
        bool has = p < end && p->series == series;
        if (has && (j == n || p->minute_s < found[j].at)) {
            compare(v, p++, 0);
        } else if (!has || found[j].at < p->minute_s) {
            struct point none = {.series = series, .minute_s = found[j].at};
            compare(v, &none, found[j++].sum);
        } else {
            compare(v, p++, found[j++].sum);
        }
    }
    free(found);
    return ST_OK;
}

static enum status compare_some(struct verify *v, size_t first, size_t n, struct error *err)
{
    json_t *queries = json_array(), *results = NULL, *result;
    size_t i;
    enum status st = queries == NULL ? ST_NO_MEMORY : ST_OK;
    for (i = first; i < first + n && st == ST_OK; i++) {
        if (json_array_append_new(queries, query_of(v, i)) != 0)
            st = ST_NO_MEMORY;
    }
    json_t *request = json_pack("{s:O, s:I, s:I}", "MetricDataQueries", queries, "StartTime",
                                (json_int_t)v->o->since_s, "EndTime", (json_int_t)v->o->until_s);
    if (request == NULL)
        st = ST_NO_MEMORY;
    if (st == ST_OK)
        st = cloudwatch_get_data(v->o->client, v->o->region, request, &results, NULL, err);
    json_array_foreach(results, i, result)
    {
        const char *id = json_string_value(json_object_get(result, "Id"));
        const char *code = json_string_value(json_object_get(result, "StatusCode"));
        if (st != ST_OK)
            break;
        if (id == NULL || id[0] != 's' || code == NULL || strcmp(code, "Complete") != 0)
            st = error_set(err, ST_RETRY, E_R124, "GetMetricData: the answer is not complete");
        else
            st = compare_series(v, (uint32_t)strtoul(id + 1, NULL, 10), result);
    }
    json_decref(request);
    json_decref(queries);
    json_decref(results);
    return st;
}

enum status verify_run(const struct verify_options *options, struct verify_result *out,
                       struct error *err)
{
    struct verify v = {.o = options, .r = out, .index = json_object(), .series = json_array()};
    *out = (struct verify_result){0};
    enum status st = v.index == NULL || v.series == NULL ? ST_NO_MEMORY : add_all(&v, err);
    if (st == ST_OK) {
        join_points(&v);
        out->series = json_array_size(v.series);
    }
    tell(&v, "series", 0, out->series);
    for (size_t i = 0; st == ST_OK && i < out->series; i += SERIES_A_CALL) {
        size_t n = (size_t)out->series - i;
        n = n < SERIES_A_CALL ? n : SERIES_A_CALL;
        st = compare_some(&v, i, n, err);
        tell(&v, "series", i + n, out->series);
    }
    if (st == ST_NO_MEMORY)
        (void)error_set(err, st, E_R113, "out of memory");
    json_decref(v.index);
    json_decref(v.series);
    free(v.points);
    free(v.batches);
    return st;
}
