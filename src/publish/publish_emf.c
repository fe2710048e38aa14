/*
 * publish_emf.c: one line of the embedded metric format for each cell.
 *
 *   {"_aws":{"Timestamp":1793000000000,"CloudWatchMetrics":[{"Namespace":"Custom/BedrockMetrics",
 *     "Dimensions":[["InferenceProfileType"]],"Metrics":[{"Name":"Invocations","Unit":"Count",...}]}]},
 *    "InferenceProfileType":"InRegion","Invocations":12}
 */
#include "publish/publish.h"

#include <errno.h>
#include <unistd.h>

#include "base/json_out.h"
#include "publish/datum.h"

/* A log event may be 256 KiB; 30 dimensions of 1024 characters are far below. */
enum { MAX_LINE = 256 * 1024 };

struct emf {
    int fd;
    const struct batch_options *options;
    struct publish_result *result;
    struct buf line;
    bool any;
    struct error *err;
};

/* The directive, what CloudWatch is to read from the line, then the dimensions and metrics. */
static void add_line(struct emf *e, const struct dimension_set *set,
                     const struct aggregate_row *row, const u128 values[METRIC_COUNT])
{
    struct json_out j = {.out = &e->line};
    buf_reset(&e->line);
    json_open_object(&j, NULL);
    json_open_object(&j, "_aws");
    json_add_i64(&j, "Timestamp", row->time * 1000);
    json_open_array(&j, "CloudWatchMetrics");
    json_open_object(&j, NULL);
    json_add_string(&j, "Namespace", e->options->name_space);
    json_open_array(&j, "Dimensions");
    json_open_array(&j, NULL);
    for (size_t i = 0; i < set->count; i++)
        json_add_string(&j, NULL, set->dimension[i].name);
    json_close(&j);
    json_close(&j);
    json_open_array(&j, "Metrics");
    for (unsigned m = 0; m < METRIC_COUNT; m++) {
        if (values[m] == 0)
            continue;
        json_open_object(&j, NULL);
        json_add_cstr(&j, "Name", metric_name((enum metric)m));
        json_add_cstr(&j, "Unit", metric_unit((enum metric)m));
        json_add_u64(&j, "StorageResolution", e->options->storage_resolution);
        json_close(&j);
    }
    json_close(&j);
    json_close(&j);
    json_close(&j);
    json_close(&j);
    for (size_t i = 0; i < set->count; i++) {
        json_add_name(&j, set->dimension[i].name);
        datum_add_dimension_value(json_add_value(&j, NULL), row->value[i]);
    }
    for (unsigned m = 0; m < METRIC_COUNT; m++) {
        if (values[m] != 0)
            metric_add_value(json_add_value(&j, metric_name((enum metric)m)), (enum metric)m,
                             values[m]);
    }
    json_end(&j);
}

static enum status write_line(struct emf *e)
{
    enum status st = buf_status(&e->line);
    size_t at = 0;
    while (st == ST_OK && at < e->line.len) {
        ssize_t n = write(e->fd, e->line.ptr + at, e->line.len - at);
        if (n > 0)
            at += (size_t)n;
        else if (n == 0 || errno != EINTR)
            st = error_set(e->err, ST_IO, E_R110, "standard output: %s", strerrordesc_np(errno));
    }
    e->any = e->any || at > 0;
    return st;
}

static enum status add_row(void *context, const struct dimension_set *set,
                           const struct aggregate_row *row)
{
    struct emf *e = context;
    u128 left[METRIC_COUNT];
    memcpy(left, row->sum, sizeof(left));
    for (;;) {
        u128 values[METRIC_COUNT] = {0};
        bool any = false;
        for (unsigned m = 0; m < METRIC_COUNT; m++) {
            if ((e->options->metrics & METRIC_BIT(m)) == 0)
                continue;
            bool whole = m == METRIC_COST || left[m] <= DATUM_MAX_EXACT;
            values[m] = whole ? left[m] : (u128)DATUM_MAX_EXACT;
            left[m] -= values[m];
            any = any || values[m] > 0;
            e->result->data += values[m] > 0;
        }
        if (!any)
            return ST_OK;
        add_line(e, set, row, values);
        enum status st = write_line(e);
        if (st != ST_OK)
            return st;
        e->result->requests++;
    }
}

enum status publish_emf(int fd, const struct aggregate *agg, const struct batch_options *options,
                        struct batch_dropped *dropped, struct publish_result *result, bool *partial,
                        struct error *err)
{
    struct emf e = {.fd = fd, .options = options, .result = result, .err = err};
    buf_init(&e.line, MAX_LINE);
    enum status st = batch_each_row(agg, options, add_row, &e, dropped);
    if (st != ST_OK)
        result->failed++;
    *partial = e.any;
    buf_clear(&e.line);
    return st;
}
