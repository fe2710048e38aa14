/*
 * reconcile.c: what the logs say per Region, model and hour, and what AWS/Bedrock says; the result
 * is one list of numbers with both sides (reconcile_report.c prints it).
 */
#include "tools/reconcile.h"

#include <jansson.h>
#include <math.h>
#include <stdlib.h>

#include "aggregate/interner.h"
#include "aws/aws_json.h"
#include "aws/cloudwatch_read.h"
#include "base/array.h"
#include "base/json_read.h"
#include "base/tuples.h"
#include "records/model_id.h"

static const char native_namespace[] = "AWS/Bedrock";

const struct reconcile_metric reconcile_metrics[RECONCILE_METRICS] = {
    {METRIC_INVOCATIONS, "Invocations"},
    {METRIC_INPUT, "InputTokenCount"},
    {METRIC_OUTPUT, "OutputTokenCount"},
    {METRIC_CACHE_READ, "CacheReadInputTokens"},
    {METRIC_CACHE_WRITE, "CacheWriteInputTokens"},
    {METRIC_CLIENT_ERRORS, "InvocationClientErrors"},
    {METRIC_SERVER_ERRORS, "InvocationServerErrors"},
    {METRIC_THROTTLES, "InvocationThrottles"},
};

/* What is compared, while it is. */
struct compare {
    const struct reconcile_options *o;
    struct reconcile *r;
    struct tuples regions; /* {name} */
    struct tuples called;  /* {region, name}: what the logs say was called there */
};

/* Places of the dimensions of reconcile_set() in a row. */
enum { AT_REGION, AT_ACCOUNT, AT_PROFILE, AT_MODEL };

enum status reconcile_set(struct dimension_keys *keys, struct dimension_set *set, struct error *err)
{
    return dimension_set_parse(VIEW_LIT("SourceRegion,AccountId,InferenceProfile,ModelId"), keys,
                               set, err);
}

static enum status name_number(struct reconcile *r, struct view name, uint32_t *number)
{
    *number = interner_id(r->names, name);
    return *number == INTERNER_NONE ? ST_NO_MEMORY : ST_OK;
}

static enum status add_point(struct reconcile *r, const struct reconcile_point *p)
{
    if (!array_room(&r->points, r->count, &r->capacity, 1024, sizeof(*r->points)))
        return ST_NO_MEMORY;
    r->points[r->count++] = *p;
    return ST_OK;
}

static enum status add_region(struct compare *c, struct view name, uint32_t *number,
                              struct error *err)
{
    enum status st = name_number(c->r, name, number);
    if (st == ST_OK && tuples_id(&c->regions, number) == TUPLES_NONE)
        st = ST_NO_MEMORY;
    if (st == ST_OK && c->regions.count > RECONCILE_MAX_REGIONS)
        st = error_set(err, ST_USAGE, E_U203, "more than %d Regions", RECONCILE_MAX_REGIONS);
    return st;
}

/* ---- the logs ---- */

static enum status add_row(struct compare *c, const struct aggregate_row *row, struct error *err)
{
    struct reconcile_point p = {.hour_s = row->time};
    uint32_t called[2];
    /* CloudWatch has the profile that was called, else the model. */
    bool none = view_eq(row->value[AT_PROFILE], VIEW_LIT("none"));
    enum status st = add_region(c, row->value[AT_REGION], &p.region, err);
    if (st == ST_OK)
        st = name_number(c->r, row->value[none ? AT_MODEL : AT_PROFILE], &called[1]);
    if (st != ST_OK)
        return st;
    called[0] = p.region;
    if (tuples_id(&c->called, called) == TUPLES_NONE)
        return ST_NO_MEMORY;
    p.model = c->o->by_model ? called[1] : c->r->all_models;
    for (; p.metric < RECONCILE_METRICS && st == ST_OK; p.metric++) {
        p.logs = p.logs_most = row->sum[reconcile_metrics[p.metric].metric];
        if (reconcile_metrics[p.metric].metric == METRIC_INVOCATIONS)
            p.logs_most += row->sum[METRIC_CLIENT_ERRORS] + row->sum[METRIC_SERVER_ERRORS];
        if (p.logs_most > 0)
            st = add_point(c->r, &p);
    }
    return st;
}

static enum status add_logs(struct compare *c, const struct aggregate *logs, struct error *err)
{
    struct aggregate_rows *rows = aggregate_rows_new(logs, 0);
    enum status st = rows == NULL ? ST_NO_MEMORY : ST_OK;
    size_t n = rows == NULL ? 0 : aggregate_rows_count(rows);
    for (size_t i = 0; i < n && st == ST_OK; i++) {
        struct aggregate_row row;
        aggregate_rows_get(rows, i, &row);
        struct view account = row.value[AT_ACCOUNT];
        u128 records = row.sum[METRIC_INVOCATIONS] + row.sum[METRIC_CLIENT_ERRORS] +
                       row.sum[METRIC_SERVER_ERRORS] + row.sum[METRIC_THROTTLES];
        if (!view_eq(account, c->o->account) && !view_eq(account, VIEW_LIT("unknown")))
            c->r->other_accounts += records;
        else if (!aws_region_valid(row.value[AT_REGION])) /* it becomes part of a host's name */
            c->r->other_regions += records;
        else
            st = add_row(c, &row, err);
    }
    aggregate_rows_free(rows);
    return st;
}

/* ---- CloudWatch ---- */

/* What is asked of one Region. */
struct question {
    struct compare *c;
    uint32_t region;
    struct tuples series; /* {number of its ModelId, metric} */
    uint32_t *models;     /* what we call the model of each */
    size_t capacity;
};

static enum status add_series(struct question *q, uint32_t model_id, uint32_t metric,
                              uint32_t model)
{
    const uint32_t row[2] = {model_id, metric};
    uint32_t count = q->series.count;
    if (!array_room(&q->models, count, &q->capacity, 64, sizeof(*q->models)) ||
        tuples_id(&q->series, row) == TUPLES_NONE)
        return ST_NO_MEMORY;
    if (q->series.count > count)
        q->models[count] = q->c->o->by_model ? model : q->c->r->all_models;
    return ST_OK;
}

/* A metric of the list, if ModelId is its only dimension and it is one of ours. */
static enum status add_listed(struct question *q, const json_t *item)
{
    const json_t *dimensions = json_object_get(item, "Dimensions");
    const json_t *first = json_array_get(dimensions, 0);
    struct view name = json_text(item, "MetricName"), id = json_text(first, "Value");
    uint32_t metric = 0, model_id, model;
    struct model_class class;
    if (json_array_size(dimensions) != 1 || id.len == 0 ||
        !view_eq_cstr(json_text(first, "Name"), "ModelId"))
        return ST_OK;
    while (metric < RECONCILE_METRICS && !view_eq_cstr(name, reconcile_metrics[metric].native))
        metric++;
    if (metric == RECONCILE_METRICS)
        return ST_OK;
    model_id_classify(id, &class);
    enum status st = name_number(q->c->r, id, &model_id);
    if (st == ST_OK)
        st = name_number(q->c->r, class.profile.len > 0 ? class.profile : class.model, &model);
    return st == ST_OK ? add_series(q, model_id, metric, model) : st;
}

/* ListMetrics knows what had data in the last two weeks; the logs know more. */
static enum status find_series(struct question *q, struct error *err)
{
    const struct tuples *called = &q->c->called;
    json_t *list = NULL, *item;
    size_t i;
    enum status st = cloudwatch_list_metrics(q->c->o->client, reconcile_name(q->c->r, q->region),
                                             view_of(native_namespace), NULL, &list, err);
    json_array_foreach(list, i, item)
    {
        if (st == ST_OK)
            st = add_listed(q, item);
    }
    json_decref(list);
    for (uint32_t n = 0; n < called->count; n++) {
        const uint32_t *row = tuples_row(called, n);
        for (uint32_t m = 0; row[0] == q->region && m < RECONCILE_METRICS && st == ST_OK; m++)
            st = add_series(q, row[1], m, row[1]);
    }
    return st;
}

static json_t *metric_of(void *ctx, size_t i)
{
    const struct question *q = ctx;
    const uint32_t *series = tuples_row(&q->series, (uint32_t)i);
    return cloudwatch_metric(view_of(native_namespace), reconcile_metrics[series[1]].native,
                             cloudwatch_dimension("ModelId", reconcile_name(q->c->r, series[0])));
}

static enum status add_values(void *ctx, size_t i, const struct cloudwatch_value *values, size_t n,
                              struct error *err)
{
    struct question *q = ctx;
    const struct reconcile_options *o = q->c->o;
    struct reconcile_point p = {.region = q->region,
                                .model = q->models[i],
                                .metric = tuples_row(&q->series, (uint32_t)i)[1]};
    enum status st = ST_OK;
    (void)err;
    for (size_t k = 0; k < n && st == ST_OK; k++) {
        p.hour_s = values[k].time_s;
        p.native = values[k].value;
        if (p.hour_s >= o->since_s && p.hour_s < o->until_s && p.native > 0)
            st = add_point(q->c->r, &p);
    }
    return st;
}

static enum status ask_region(struct compare *c, uint32_t region, struct error *err)
{
    struct question q = {.c = c, .region = region, .series = {.width = 2}};
    struct view name = reconcile_name(c->r, region);
    enum status st = find_series(&q, err);
    struct cloudwatch_query query = {.client = c->o->client,
                                     .region = name,
                                     .since_s = c->o->since_s,
                                     .until_s = c->o->until_s,
                                     .period_s = RECONCILE_HOUR_S,
                                     .stat = "Sum",
                                     .series = q.series.count,
                                     .metric = metric_of,
                                     .values = add_values,
                                     .ctx = &q};
    if (st == ST_OK)
        st = cloudwatch_read(&query, NULL, err);
    tuples_clear(&q.series);
    free(q.models);
    if (st == ST_OK || st == ST_NO_MEMORY)
        return st;
    struct error cause = *err;
    return error_set(err, st, cause.code, "%.*s: %.240s", SHOW_MAX(name, 64), cause.text);
}

/* ---- both ---- */

static int by_place(const void *a, const void *b, void *context)
{
    const struct reconcile *r = context;
    const struct reconcile_point *l = a, *m = b;
    if (l->region != m->region)
        return view_compare(reconcile_name(r, l->region), reconcile_name(r, m->region));
    if (l->model != m->model)
        return view_compare(reconcile_name(r, l->model), reconcile_name(r, m->model));
    if (l->hour_s != m->hour_s)
        return l->hour_s < m->hour_s ? -1 : 1;
    return (l->metric > m->metric) - (l->metric < m->metric);
}

static void add_to(struct reconcile_point *sum, const struct reconcile_point *p)
{
    sum->logs += p->logs;
    sum->logs_most += p->logs_most;
    sum->native += p->native;
}

static void join_points(struct reconcile *r)
{
    size_t kept = 0;
    if (r->count > 0)
        qsort_r(r->points, r->count, sizeof(*r->points), by_place, r);
    for (size_t i = 0; i < r->count; i++) {
        if (kept > 0 && by_place(&r->points[kept - 1], &r->points[i], r) == 0)
            add_to(&r->points[kept - 1], &r->points[i]);
        else
            r->points[kept++] = r->points[i];
    }
    r->count = kept;
}

enum status reconcile_run(const struct reconcile_options *options, const struct aggregate *logs,
                          struct reconcile *r, struct error *err)
{
    struct compare c = {.o = options, .r = r, .regions = {.width = 1}, .called = {.width = 2}};
    uint32_t number;
    *r = (struct reconcile){.tolerance = options->tolerance, .names = interner_new()};
    enum status st =
        r->names == NULL ? ST_NO_MEMORY : name_number(r, VIEW_LIT("all models"), &r->all_models);
    for (size_t i = 0; i < options->region_count && st == ST_OK; i++)
        st = add_region(&c, options->regions[i], &number, err);
    if (st == ST_OK)
        st = add_logs(&c, logs, err);
    for (uint32_t i = 0; i < c.regions.count && st == ST_OK; i++)
        st = ask_region(&c, tuples_row(&c.regions, i)[0], err);
    if (st == ST_OK)
        join_points(r);
    tuples_clear(&c.regions);
    tuples_clear(&c.called);
    return st == ST_NO_MEMORY ? error_set(err, st, E_R113, "out of memory") : st;
}

void reconcile_clear(struct reconcile *r)
{
    interner_free(r->names);
    free(r->points);
    *r = (struct reconcile){0};
}

struct view reconcile_name(const struct reconcile *r, uint32_t number)
{
    return interner_text(r->names, number);
}

bool reconcile_agrees(const struct reconcile *r, const struct reconcile_point *p)
{
    double least = (double)p->logs, most = (double)p->logs_most;
    double slack = r->tolerance * fmax(most, p->native);
    return p->native >= least - slack && p->native <= most + slack;
}

struct reconcile_total reconcile_total(const struct reconcile *r, uint32_t region, uint32_t metric)
{
    struct reconcile_total t = {
        .sum = {.region = region, .model = r->all_models, .metric = metric}};
    for (size_t i = 0; i < r->count; i++) {
        const struct reconcile_point *p = &r->points[i];
        if (p->region != region || p->metric != metric)
            continue;
        t.numbers++;
        t.apart += !reconcile_agrees(r, p);
        add_to(&t.sum, p);
    }
    return t;
}
