#include "tools/reconcile.h"

#include <jansson.h>
#include <math.h>
#include <stdlib.h>

#include "aggregate/interner.h"
#include "aws/aws_config.h"
#include "aws/cloudwatch_read.h"
#include "base/array.h"
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

/* A model or profile that the logs say was called in a Region. */
struct called {
    uint32_t region, name;
};

struct reconcile {
    const struct reconcile_options *o;
    double tolerance;
    struct interner *names;
    uint32_t all_models;
    uint32_t regions[RECONCILE_MAX_REGIONS];
    size_t region_count;
    struct called *called; /* each once, by add_logs() */
    size_t called_count, called_capacity;
    struct reconcile_point *points;
    size_t count, capacity;
    u128 other_accounts, other_regions;
};

/* Where the dimensions of reconcile_set() stand in a row. */
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

static enum status add_region(struct reconcile *r, struct view name, uint32_t *number,
                              struct error *err)
{
    enum status st = name_number(r, name, number);
    for (size_t i = 0; i < r->region_count && st == ST_OK; i++) {
        if (r->regions[i] == *number)
            return ST_OK;
    }
    if (st == ST_OK && r->region_count == RECONCILE_MAX_REGIONS)
        return error_set(err, ST_USAGE, E_U203, "more than %d Regions", RECONCILE_MAX_REGIONS);
    if (st == ST_OK)
        r->regions[r->region_count++] = *number;
    return st;
}

/* ---- the logs ---- */

/* What CloudWatch calls it: the profile that was called, else the model. */
static enum status note_called(struct reconcile *r, const struct aggregate_row *row,
                               uint32_t region, uint32_t *name)
{
    bool none = view_eq(row->value[AT_PROFILE], VIEW_LIT("none"));
    enum status st = name_number(r, row->value[none ? AT_MODEL : AT_PROFILE], name);
    if (st == ST_OK &&
        !array_room(&r->called, r->called_count, &r->called_capacity, 256, sizeof(*r->called)))
        st = ST_NO_MEMORY;
    if (st == ST_OK)
        r->called[r->called_count++] = (struct called){region, *name};
    return st;
}

static int by_region_and_name(const void *a, const void *b)
{
    const struct called *l = a, *m = b;
    if (l->region != m->region)
        return l->region < m->region ? -1 : 1;
    return (l->name > m->name) - (l->name < m->name);
}

static void join_called(struct reconcile *r)
{
    size_t kept = 0;
    if (r->called_count > 0)
        qsort(r->called, r->called_count, sizeof(*r->called), by_region_and_name);
    for (size_t i = 0; i < r->called_count; i++) {
        if (kept == 0 || by_region_and_name(&r->called[kept - 1], &r->called[i]) != 0)
            r->called[kept++] = r->called[i];
    }
    r->called_count = kept;
}

static enum status add_row(struct reconcile *r, const struct aggregate_row *row, struct error *err)
{
    struct reconcile_point p = {.hour_s = row->time};
    enum status st = add_region(r, row->value[AT_REGION], &p.region, err);
    if (st == ST_OK)
        st = note_called(r, row, p.region, &p.model);
    if (!r->o->by_model)
        p.model = r->all_models;
    for (uint32_t i = 0; i < RECONCILE_METRICS && st == ST_OK; i++) {
        p.metric = i;
        p.logs = p.logs_most = row->sum[reconcile_metrics[i].metric];
        if (reconcile_metrics[i].metric == METRIC_INVOCATIONS)
            p.logs_most += row->sum[METRIC_CLIENT_ERRORS] + row->sum[METRIC_SERVER_ERRORS];
        if (p.logs_most > 0)
            st = add_point(r, &p);
    }
    return st;
}

static enum status add_logs(struct reconcile *r, const struct aggregate *logs, struct error *err)
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
        if (!view_eq(account, r->o->account) && !view_eq(account, VIEW_LIT("unknown")))
            r->other_accounts += records;
        else if (!aws_region_valid(row.value[AT_REGION])) /* it becomes part of a host's name */
            r->other_regions += records;
        else
            st = add_row(r, &row, err);
    }
    aggregate_rows_free(rows);
    join_called(r);
    return st;
}

/* ---- CloudWatch ---- */

/* A series of a Region: its metric and ModelId, and what we call that model. */
struct series {
    uint32_t metric, model_id, model;
};

struct series_list {
    struct series *list;
    size_t count, capacity;
};

static enum status add_series(struct series_list *l, const struct series *s)
{
    if (!array_room(&l->list, l->count, &l->capacity, 64, sizeof(*l->list)))
        return ST_NO_MEMORY;
    l->list[l->count++] = *s;
    return ST_OK;
}

/* A metric of the list, if ModelId is its only dimension and it is one of ours. */
static enum status add_listed(struct reconcile *r, const json_t *item, struct series_list *l)
{
    const json_t *dimensions = json_object_get(item, "Dimensions");
    const json_t *first = json_array_get(dimensions, 0);
    const char *metric = json_string_value(json_object_get(item, "MetricName"));
    const char *name = json_string_value(json_object_get(first, "Name"));
    struct view id = view_of(json_string_value(json_object_get(first, "Value")));
    struct series s = {.model = r->all_models};
    if (json_array_size(dimensions) != 1 || metric == NULL || name == NULL || id.len == 0 ||
        strcmp(name, "ModelId") != 0)
        return ST_OK;
    while (s.metric < RECONCILE_METRICS && strcmp(reconcile_metrics[s.metric].native, metric) != 0)
        s.metric++;
    if (s.metric == RECONCILE_METRICS)
        return ST_OK;
    enum status st = name_number(r, id, &s.model_id);
    if (st == ST_OK && r->o->by_model) {
        struct model_class c;
        model_id_classify(id, &c);
        st = name_number(r, c.profile.len > 0 ? c.profile : c.model, &s.model);
    }
    return st == ST_OK ? add_series(l, &s) : st;
}

/* ListMetrics knows what had data in the last two weeks; the logs know more. */
static enum status add_called(struct reconcile *r, uint32_t region, struct series_list *l)
{
    enum status st = ST_OK;
    for (size_t i = 0; i < r->called_count; i++) {
        struct series s = {.model_id = r->called[i].name};
        s.model = r->o->by_model ? s.model_id : r->all_models;
        if (r->called[i].region != region)
            continue;
        for (; s.metric < RECONCILE_METRICS && st == ST_OK; s.metric++)
            st = add_series(l, &s);
    }
    return st;
}

static int by_series(const void *a, const void *b)
{
    const struct series *l = a, *m = b;
    if (l->model_id != m->model_id)
        return l->model_id < m->model_id ? -1 : 1;
    return (l->metric > m->metric) - (l->metric < m->metric);
}

static void join_series(struct series_list *l)
{
    size_t kept = 0;
    if (l->count > 0)
        qsort(l->list, l->count, sizeof(*l->list), by_series);
    for (size_t i = 0; i < l->count; i++) {
        if (kept == 0 || by_series(&l->list[kept - 1], &l->list[i]) != 0)
            l->list[kept++] = l->list[i];
    }
    l->count = kept;
}

static enum status find_series(struct reconcile *r, uint32_t region, struct series_list *l,
                               struct error *err)
{
    json_t *list = NULL;
    const json_t *item;
    size_t i;
    enum status st = cloudwatch_list_metrics(r->o->client, interner_text(r->names, region),
                                             view_of(native_namespace), NULL, &list, err);
    json_array_foreach(list, i, item)
    {
        if (st == ST_OK)
            st = add_listed(r, item, l);
    }
    if (st == ST_OK)
        st = add_called(r, region, l);
    join_series(l);
    json_decref(list);
    return st;
}

/* What is asked of one Region. */
struct question {
    struct reconcile *r;
    uint32_t region;
    struct series_list series;
};

static json_t *metric_of(void *ctx, size_t i)
{
    const struct question *q = ctx;
    const struct series *s = &q->series.list[i];
    return cloudwatch_metric(
        view_of(native_namespace), reconcile_metrics[s->metric].native,
        cloudwatch_dimension("ModelId", interner_text(q->r->names, s->model_id)));
}

static enum status add_values(void *ctx, size_t i, const struct cloudwatch_value *values, size_t n,
                              struct error *err)
{
    struct question *q = ctx;
    const struct series *s = &q->series.list[i];
    enum status st = ST_OK;
    (void)err;
    for (size_t k = 0; k < n && st == ST_OK; k++) {
        struct reconcile_point p = {.region = q->region,
                                    .model = s->model,
                                    .metric = s->metric,
                                    .hour_s = values[k].time_s,
                                    .native = values[k].value};
        if (p.hour_s >= q->r->o->since_s && p.hour_s < q->r->o->until_s && p.native > 0)
            st = add_point(q->r, &p);
    }
    return st;
}

static enum status ask_region(struct reconcile *r, uint32_t region, struct error *err)
{
    struct question q = {.r = r, .region = region};
    struct view name = interner_text(r->names, region);
    enum status st = find_series(r, region, &q.series, err);
    struct cloudwatch_query query = {.client = r->o->client,
                                     .region = name,
                                     .since_s = r->o->since_s,
                                     .until_s = r->o->until_s,
                                     .period_s = RECONCILE_HOUR_S,
                                     .stat = "Sum",
                                     .series = q.series.count,
                                     .metric = metric_of,
                                     .values = add_values,
                                     .ctx = &q};
    if (st == ST_OK)
        st = cloudwatch_read(&query, NULL, err);
    free(q.series.list);
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
        return view_compare(interner_text(r->names, l->region), interner_text(r->names, m->region));
    if (l->model != m->model)
        return view_compare(interner_text(r->names, l->model), interner_text(r->names, m->model));
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
                          struct reconcile **out, struct error *err)
{
    struct reconcile *r = calloc(1, sizeof(*r));
    *out = r;
    if (r == NULL)
        return error_set(err, ST_NO_MEMORY, E_R113, "out of memory");
    r->o = options;
    r->tolerance = options->tolerance;
    r->names = interner_new();
    enum status st =
        r->names == NULL ? ST_NO_MEMORY : name_number(r, VIEW_LIT("all models"), &r->all_models);
    uint32_t number;
    for (size_t i = 0; i < options->region_count && st == ST_OK; i++)
        st = add_region(r, options->regions[i], &number, err);
    if (st == ST_OK)
        st = add_logs(r, logs, err);
    for (size_t i = 0; i < r->region_count && st == ST_OK; i++)
        st = ask_region(r, r->regions[i], err);
    if (st == ST_OK)
        join_points(r);
    r->o = NULL;
    return st == ST_NO_MEMORY ? error_set(err, st, E_R113, "out of memory") : st;
}

void reconcile_free(struct reconcile *r)
{
    if (r == NULL)
        return;
    interner_free(r->names);
    free(r->called);
    free(r->points);
    free(r);
}

size_t reconcile_count(const struct reconcile *r)
{
    return r->count;
}

const struct reconcile_point *reconcile_at(const struct reconcile *r, size_t index)
{
    return &r->points[index];
}

struct view reconcile_text(const struct reconcile *r, uint32_t number)
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

u128 reconcile_other_regions(const struct reconcile *r)
{
    return r->other_regions;
}

u128 reconcile_other_accounts(const struct reconcile *r)
{
    return r->other_accounts;
}
