#include "ledger/marker.h"

#include <stdio.h>

#include "aws/cloudwatch.h"

void marker_add_datum(struct buf *out, const struct marker_place *place,
                      const struct ledger_marker *m)
{
    buf_printf(out,
               "{\"MetricName\":\"PublishMarker\",\"Dimensions\":[{\"Name\":\"Slot\",\"Value\":"
               "\"%.*s%u\"}],\"Timestamp\":%lld,\"Value\":%llu,\"Unit\":\"None\"}",
               (int)place->scope.len, place->scope.ptr == NULL ? "" : place->scope.ptr,
               (unsigned)m->slot, (long long)m->minute * 60, 1ULL << (2 * m->digit));
}

json_t *marker_query(const char *id, const struct marker_place *place, uint16_t number)
{
    char slot[352];
    struct view name_space = place->name_space;
    snprintf(slot, sizeof(slot), "%.*s%u", (int)place->scope.len,
             place->scope.ptr == NULL ? "" : place->scope.ptr, (unsigned)number);
    return json_pack("{s:s, s:{s:{s:s%, s:s, s:[{s:s, s:s}]}, s:i, s:s}}", "Id", id, "MetricStat",
                     "Metric", "Namespace", name_space.ptr, name_space.len, "MetricName",
                     "PublishMarker", "Dimensions", "Name", "Slot", "Value", slot, "Period", 60,
                     "Stat", "Sum");
}

/* Digit `m->digit` of the sum in its minute. */
static enum status read_digit(const json_t *results, const char *id, const struct ledger_marker *m,
                              unsigned *applied)
{
    size_t i, j;
    json_t *result, *time;
    *applied = 0;
    json_array_foreach(results, i, result)
    {
        const char *name = json_string_value(json_object_get(result, "Id"));
        const char *code = json_string_value(json_object_get(result, "StatusCode"));
        if (name == NULL || strcmp(name, id) != 0)
            continue;
        if (code == NULL || strcmp(code, "Complete") != 0)
            return ST_RETRY;
        const json_t *values = json_object_get(result, "Values");
        json_array_foreach(json_object_get(result, "Timestamps"), j, time)
        {
            double value = json_number_value(json_array_get(values, j));
            if ((int64_t)json_number_value(time) != m->minute * 60 || value < 0 ||
                value > 9007199254740992.0)
                continue;
            *applied = (unsigned)((uint64_t)value >> (2 * m->digit)) & 3U;
        }
        return ST_OK;
    }
    return ST_RETRY;
}

enum status marker_read(struct aws_client *client, const struct marker_place *place,
                        const struct ledger_marker *marker, const struct ledger_marker *control,
                        struct marker_reading *out, struct error *err)
{
    bool both = control->minute != 0;
    int64_t first = both && control->minute < marker->minute ? control->minute : marker->minute;
    int64_t last = both && control->minute > marker->minute ? control->minute : marker->minute;
    json_t *queries = json_array(), *results = NULL;
    int64_t date_s = 0;
    *out = (struct marker_reading){0};
    bool ok = queries != NULL &&
              json_array_append_new(queries, marker_query("m", place, marker->slot)) == 0;
    if (ok && both)
        ok = json_array_append_new(queries, marker_query("c", place, control->slot)) == 0;
    json_t *request = json_pack("{s:O, s:I, s:I}", "MetricDataQueries", queries, "StartTime",
                                (json_int_t)(first * 60), "EndTime", (json_int_t)(last * 60 + 60));
    enum status st = ok && request != NULL ? ST_OK : ST_NO_MEMORY;
    if (st == ST_OK)
        st = cloudwatch_get_data(client, place->region, request, &results, &date_s, err);
    out->server_ms = date_s * 1000;
    if (st == ST_OK)
        st = read_digit(results, "m", marker, &out->applied);
    if (st == ST_OK && both)
        st = read_digit(results, "c", control, &out->control_applied);
    if (st == ST_RETRY && results != NULL)
        (void)error_set(err, st, E_R124, "GetMetricData: the answer is not complete");
    json_decref(request);
    json_decref(queries);
    json_decref(results);
    return st;
}
