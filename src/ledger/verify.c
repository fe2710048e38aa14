/*
 * verify: what the ledger says was accepted, added up by series and minute, against the sums that
 * CloudWatch returns.  Also the walk through the ledger's batches, for verify_markers.c too.
 */
#include "ledger/verify.h"

#include <jansson.h>
#include <math.h>
#include <stdlib.h>

#include "aws/cloudwatch_read.h"
#include "base/array.h"
#include "base/json_read.h"
#include "publish/payload.h"

/* A record may be dated up to two hours ahead, CloudWatch's limit, of the batch it is in. */
enum { AHEAD_S = 3 * 3600 };

/* ---- the ledger walk ---- */

struct batch_list {
    struct ledger_nonce *ids;
    size_t count, capacity;
    bool no_memory;
};

static bool note_batch(void *ctx, const struct ledger_nonce *id, enum ledger_batch_state state,
                       int64_t prepared_ms)
{
    struct batch_list *list = ctx;
    (void)state;
    (void)prepared_ms;
    list->no_memory =
        !array_room(&list->ids, list->count, &list->capacity, 256, sizeof(*list->ids));
    if (!list->no_memory)
        list->ids[list->count++] = *id;
    return !list->no_memory;
}

static void report_step(const struct verify_options *o, const char *what, uint64_t done,
                        uint64_t all)
{
    if (o->on_step != NULL)
        o->on_step(o->ctx, what, done, all);
}

/* Listed first and loaded then, because a callback of the listing must not call the ledger. */
enum status verify_each_batch(const struct verify_options *o, int64_t early_s,
                              enum status (*each)(void *ctx, const struct ledger_record *record),
                              void *ctx, uint64_t *read, struct error *err)
{
    struct ledger *l = o->session->ledger;
    struct batch_list list = {0};
    struct ledger_record *record = calloc(1, sizeof(*record));
    enum status st = record == NULL ? ST_NO_MEMORY
                                    : ledger_list_batches(l, (o->since_s - early_s) * 1000,
                                                          INT64_MAX, note_batch, &list);
    if (list.no_memory)
        st = ST_NO_MEMORY;
    report_step(o, "batches", 0, list.count);
    for (size_t i = 0; i < list.count && st == ST_OK; i++) {
        st = ledger_load(l, &list.ids[i], record);
        if (st == ST_OK && record->batch.state >= BATCH_PREPARED) {
            ++*read;
            st = each(ctx, record);
        } else if (st == ST_MISSING) { /* pruned since it was listed */
            st = ST_OK;
        }
        report_step(o, "batches", i + 1, list.count);
        if (st == ST_OK && aws_stop_asked(&o->stop))
            st = ST_CANCELLED;
    }
    free(record);
    free(list.ids);
    return st == ST_OK
               ? st
               : error_set(err, st, E_L209, "the ledger cannot be read: %s", status_name(st));
}

/* ---- what the ledger says ---- */

struct point {
    uint32_t series;
    int64_t minute_s;
    double expected, in_doubt;
};

struct verify {
    const struct verify_options *o;
    void (*on_difference)(void *ctx, const struct verify_difference *d);
    struct verify_result *r;
    json_t *index;  /* series as text -> its number */
    json_t *series; /* array of texts */
    uint64_t series_done;
    struct point *points;
    size_t count, capacity;
};

static enum status series_number(struct verify *v, const json_t *datum, uint32_t *number)
{
    json_t *name = json_object_get(datum, "MetricName");
    json_t *dimensions = json_object_get(datum, "Dimensions");
    if (!json_is_string(name))
        return ST_BAD_ITEM;
    json_t *series = json_pack("{s:O, s:o}", "MetricName", name, "Dimensions",
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

static enum status add_datum(struct verify *v, struct view text, const struct ledger_part *part)
{
    json_error_t fault;
    json_t *datum = json_read(text, 0, &fault);
    if (datum == NULL)
        return json_error_code(&fault) == json_error_out_of_memory ? ST_NO_MEMORY : ST_BAD_ITEM;
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
        if (st == ST_OK && v->count == VERIFY_MAX_POINTS)
            st = ST_TOO_BIG;
        if (st == ST_OK &&
            !array_room(&v->points, v->count, &v->capacity, 4096, sizeof(*v->points)))
            st = ST_NO_MEMORY;
        if (st == ST_OK)
            v->points[v->count++] = p;
    }
    json_decref(datum);
    return st;
}

static enum status add_part(struct verify *v, const struct payload *payload,
                            const struct ledger_part *part)
{
    enum status st = ST_OK;
    if ((part->state == PART_PLANNED && part->resent == 0) || part->state == PART_REJECTED)
        return ST_OK; /* nothing of it can have been applied */
    if (part->first > payload->count || part->count > payload->count - part->first)
        return ST_BAD_ITEM;
    for (size_t i = 0; i < part->count && st == ST_OK; i++)
        st = add_datum(v, payload->data[part->first + i], part);
    return st;
}

static enum status add_batch(void *ctx, const struct ledger_record *record)
{
    struct verify *v = ctx;
    const struct ledger_batch *b = &record->batch;
    struct buf bytes;
    enum status st = ST_OK;
    buf_init(&bytes, LEDGER_PAYLOAD_BYTES_MAX);
    for (uint16_t i = 0; st == ST_OK && i < b->n_parts; i++) {
        struct payload payload = {0};
        buf_reset(&bytes);
        st = ledger_payload(v->o->session->ledger, &b->id, b->parts[i].payload, &bytes);
        if (st == ST_OK)
            st = payload_decode(buf_view(&bytes), &payload);
        if (st == ST_OK)
            st = add_part(v, &payload, &b->parts[i]);
        payload_clear(&payload);
    }
    buf_clear(&bytes);
    return st;
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
    v->on_difference(v->o->ctx, &d);
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

/* Both are sorted by time: what is in one only is compared with nothing. */
static enum status compare_series(void *ctx, size_t series, const struct cloudwatch_value *found,
                                  size_t n, struct error *err)
{
    struct verify *v = ctx;
    const struct point *p = first_of(v, (uint32_t)series), *end = v->points + v->count;
    size_t i = 0;
    (void)err;
    for (;;) {
        bool expected = p < end && p->series == series;
        if (!expected && i == n)
            break;
        if (expected && (i == n || p->minute_s < found[i].time_s)) {
            compare(v, p++, 0);
        } else if (!expected || found[i].time_s < p->minute_s) {
            struct point none = {.series = (uint32_t)series, .minute_s = found[i].time_s};
            compare(v, &none, found[i++].value);
        } else {
            compare(v, p++, found[i++].value);
        }
    }
    report_step(v->o, "series", ++v->series_done, v->r->series);
    return ST_OK;
}

static json_t *metric_of(void *ctx, size_t series)
{
    const struct verify *v = ctx;
    json_t *metric =
        json_read(view_of(json_string_value(json_array_get(v->series, series))), 0, NULL);
    if (json_object_set_new(metric, "Namespace",
                            json_stringn(v->o->name_space.ptr, v->o->name_space.len)) == 0)
        return metric;
    json_decref(metric);
    return NULL;
}

enum status verify_run(const struct verify_options *options,
                       void (*on_difference)(void *ctx, const struct verify_difference *d),
                       struct verify_result *out, struct error *err)
{
    struct verify v = {.o = options,
                       .on_difference = on_difference,
                       .r = out,
                       .index = json_object(),
                       .series = json_array()};
    *out = (struct verify_result){0};
    enum status st = v.index == NULL || v.series == NULL
                         ? ST_NO_MEMORY
                         : verify_each_batch(options, AHEAD_S, add_batch, &v, &out->batches, err);
    if (st == ST_OK) {
        join_points(&v);
        out->series = json_array_size(v.series);
        struct cloudwatch_query query = {.client = options->client,
                                         .region = options->region,
                                         .since_s = options->since_s,
                                         .until_s = options->until_s,
                                         .period_s = 60,
                                         .stat = "Sum",
                                         .series = (size_t)out->series,
                                         .metric = metric_of,
                                         .values = compare_series,
                                         .ctx = &v};
        report_step(options, "series", 0, out->series);
        st = cloudwatch_read(&query, NULL, err);
    }
    if (st == ST_NO_MEMORY)
        (void)error_set(err, st, E_R113, "out of memory");
    json_decref(v.index);
    json_decref(v.series);
    free(v.points);
    return st;
}
