/*
 * Reading from CloudWatch.  Apart from cloudwatch.c because the two have nothing in common but the
 * protocol: here every call may be repeated, and answers come in pages.
 */
#include "aws/cloudwatch_read.h"

#include <stdio.h>
#include <stdlib.h>

#include "aws/aws_json.h"
#include "base/json_read.h"

enum {
    MAX_PAGES = 200,
    MAX_ANSWER = 4 * 1024 * 1024, /* 100,800 values take about 2.5 MiB */
    SERIES_A_CALL = 500,          /* GetMetricData's limit */
    /* Four full pages of GetMetricData: held in memory, some 80 bytes a value, until all are here. */
    VALUES_A_CALL = 4 * 100800,
    TOTAL_MS = 30000, /* a page */
};

/* ---- pages ---- */

/* One page; *page is the caller's. */
static enum status get_page(struct aws_client *c, struct view region, const char *operation,
                            json_t *request, json_t **page, int64_t *server_date_s,
                            struct error *err)
{
    struct aws_answer answer;
    aws_answer_init(&answer);
    struct aws_json_call call = {.service = &AWS_CLOUDWATCH,
                                 .region = region,
                                 .target_prefix = "GraniteServiceVersion20100801",
                                 .operation = operation,
                                 .total_timeout_ms = TOTAL_MS,
                                 .max_body_bytes = MAX_ANSWER};
    enum status st = aws_json_call(c, &call, request, page, &answer, err);
    if (server_date_s != NULL && answer.server_date_s != 0)
        *server_date_s = answer.server_date_s;
    aws_answer_clear(&answer);
    return st;
}

/* An item of a page is appended, or, where one with its Id is there from an earlier page, continues
 * that one.  Only results of GetMetricData have an Id. */
static enum status join(json_t *all, json_t *item)
{
    struct view id = json_text(item, "Id");
    for (size_t i = 0; id.len > 0 && i < json_array_size(all); i++) {
        json_t *known = json_array_get(all, i);
        if (!view_eq(json_text(known, "Id"), id))
            continue;
        if (json_array_extend(json_object_get(known, "Timestamps"),
                              json_object_get(item, "Timestamps")) != 0 ||
            json_array_extend(json_object_get(known, "Values"), json_object_get(item, "Values")) !=
                0 ||
            json_object_set(known, "StatusCode", json_object_get(item, "StatusCode")) != 0)
            return ST_RETRY; /* a member is missing: not an answer we know */
        return ST_OK;
    }
    return json_array_append(all, item) == 0 ? ST_OK : ST_NO_MEMORY;
}

/* The elements of `member` of all pages.  `request` is taken over; NULL: no memory. */
static enum status all_pages(struct aws_client *c, struct view region, const char *operation,
                             const char *member, json_t *request, json_t **out,
                             int64_t *server_date_s, struct error *err)
{
    json_t *all = json_array();
    enum status st = request == NULL || all == NULL ? ST_NO_MEMORY : ST_OK;
    bool more = true;
    *out = NULL;
    for (unsigned n = 0; !st && more; n++) {
        json_t *page = NULL, *item;
        size_t i;
        if (n == MAX_PAGES) {
            st = error_set(err, ST_TOO_BIG, E_A305, "%s: more than %d pages", operation, MAX_PAGES);
            break;
        }
        st = get_page(c, region, operation, request, &page, server_date_s, err);
        json_array_foreach(json_object_get(page, member), i, item)
        {
            if (!st)
                st = join(all, item);
            if (st == ST_RETRY && err->code == E_NONE)
                (void)error_set(err, st, E_A305, "%s: unusable answer", operation);
        }
        json_t *token = json_object_get(page, "NextToken");
        more = json_string_length(token) > 0;
        if (!st && more && json_object_set(request, "NextToken", token) != 0)
            st = ST_NO_MEMORY;
        json_decref(page);
    }
    json_decref(request);
    if (st)
        json_decref(all);
    else
        *out = all;
    return st;
}

/* ---- values ---- */

static int by_time(const void *left, const void *right)
{
    const struct cloudwatch_value *l = left, *r = right;
    return (l->time_s > r->time_s) - (l->time_s < r->time_s);
}

static enum status hand_over(const struct cloudwatch_query *q, size_t series, const json_t *result,
                             struct error *err)
{
    const json_t *times = json_object_get(result, "Timestamps");
    const json_t *values = json_object_get(result, "Values");
    size_t n = json_array_size(times);
    if (json_array_size(values) != n)
        return error_set(err, ST_RETRY, E_A305, "GetMetricData: times and values differ in number");
    struct cloudwatch_value *sorted = calloc(n + 1, sizeof(*sorted));
    if (sorted == NULL)
        return ST_NO_MEMORY;
    for (size_t i = 0; i < n; i++)
        sorted[i] = (struct cloudwatch_value){(int64_t)json_number_value(json_array_get(times, i)),
                                              json_number_value(json_array_get(values, i))};
    qsort(sorted, n, sizeof(*sorted), by_time);
    enum status st = q->values(q->ctx, series, sorted, n, err);
    free(sorted);
    return st;
}

/* {"Id":"s7",...}: the number of the series; SIZE_MAX for anything else, or not complete. */
static size_t series_of(const json_t *result)
{
    struct view id = json_text(result, "Id");
    uint64_t number;
    if (!view_starts(id, VIEW_LIT("s")) ||
        view_parse_u64(view_skip(id, 1), SIZE_MAX - 1, &number) != ST_OK ||
        !view_eq_cstr(json_text(result, "StatusCode"), "Complete"))
        return SIZE_MAX;
    return (size_t)number;
}

static json_t *request_of(const struct cloudwatch_query *q, size_t first, size_t n)
{
    json_t *queries = json_array();
    for (size_t i = first; i < first + n; i++) {
        char id[24];
        snprintf(id, sizeof(id), "s%zu", i);
        json_t *query =
            json_pack("{s:s, s:{s:o, s:I, s:s}}", "Id", id, "MetricStat", "Metric",
                      q->metric(q->ctx, i), "Period", (json_int_t)q->period_s, "Stat", q->stat);
        if (json_array_append_new(queries, query) != 0) {
            json_decref(queries);
            return NULL;
        }
    }
    return json_pack("{s:o, s:I, s:I}", "MetricDataQueries", queries, "StartTime",
                     (json_int_t)q->since_s, "EndTime", (json_int_t)q->until_s);
}

enum status cloudwatch_read(const struct cloudwatch_query *q, int64_t *server_date_s,
                            struct error *err)
{
    size_t periods = (size_t)((q->until_s - q->since_s) / q->period_s) + 1;
    size_t a_call = periods < VALUES_A_CALL ? VALUES_A_CALL / periods : 1;
    enum status st = ST_OK;
    if (a_call > SERIES_A_CALL)
        a_call = SERIES_A_CALL;
    if (server_date_s != NULL)
        *server_date_s = 0;
    for (size_t first = 0; first < q->series && !st; first += a_call) {
        size_t n = q->series - first < a_call ? q->series - first : a_call;
        json_t *results = NULL, *result;
        size_t i;
        st = all_pages(q->client, q->region, "GetMetricData", "MetricDataResults",
                       request_of(q, first, n), &results, server_date_s, err);
        /* Ids are distinct after join(), so as many as were asked for are all of them. */
        if (!st && json_array_size(results) != n)
            st = error_set(err, ST_RETRY, E_R124, "GetMetricData: the answer is not complete");
        json_array_foreach(results, i, result)
        {
            size_t series = series_of(result);
            if (!st && (series < first || series >= first + n))
                st = error_set(err, ST_RETRY, E_R124, "GetMetricData: the answer is not complete");
            if (!st)
                st = hand_over(q, series, result, err);
        }
        json_decref(results);
    }
    return st;
}

json_t *cloudwatch_metric(struct view name_space, const char *name, json_t *dimensions)
{
    return json_pack("{s:s%, s:s, s:o}", "Namespace", name_space.ptr, name_space.len, "MetricName",
                     name, "Dimensions", dimensions);
}

json_t *cloudwatch_dimension(const char *name, struct view value)
{
    return json_pack("[{s:s, s:s%}]", "Name", name, "Value", value.len > 0 ? value.ptr : "",
                     value.len);
}

/* ---- lists ---- */

enum status cloudwatch_list_metrics(struct aws_client *c, struct view region,
                                    struct view name_space, const char *name, json_t **metrics,
                                    struct error *err)
{
    json_t *request =
        json_pack("{s:s%, s:s*}", "Namespace", name_space.ptr, name_space.len, "MetricName", name);
    return all_pages(c, region, "ListMetrics", "Metrics", request, metrics, NULL, err);
}

enum status cloudwatch_describe_alarms(struct aws_client *c, struct view region, json_t **alarms,
                                       struct error *err)
{
    json_t *request = json_pack("{s:[s], s:i}", "AlarmTypes", "MetricAlarm", "MaxRecords", 100);
    return all_pages(c, region, "DescribeAlarms", "MetricAlarms", request, alarms, NULL, err);
}
