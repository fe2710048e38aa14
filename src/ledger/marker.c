/*
 * Markers: written into each request, read back when a request's outcome is not known.  The only
 * place that knows how a marker looks as a metric.
 */
#include "ledger/marker.h"

#include <stdio.h>

#include "aws/cloudwatch_read.h"
#include "base/json_out.h"

/* Above this a double does not hold every integer; 26 digits stay below (ledger_marker.digit). */
static const double MAX_EXACT = 9007199254740992.0; /* 2^53 */

void marker_add_datum(struct buf *out, const struct marker_place *place,
                      const struct ledger_marker *m)
{
    struct json_out j = {.out = out};
    json_open_object(&j, NULL);
    json_add_cstr(&j, "MetricName", "PublishMarker");
    json_open_array(&j, "Dimensions");
    json_open_object(&j, NULL);
    json_add_cstr(&j, "Name", "Slot");
    buf_printf(json_add_value(&j, "Value"), "\"%.*s%u\"", SHOW(place->scope), (unsigned)m->slot);
    json_close(&j);
    json_close(&j);
    json_add_i64(&j, "Timestamp", m->minute * 60);
    json_add_u64(&j, "Value", UINT64_C(1) << (2 * m->digit));
    json_add_cstr(&j, "Unit", "None");
    json_close(&j);
}

json_t *marker_metric(const struct marker_place *place, uint16_t slot)
{
    char text[352];
    int n = snprintf(text, sizeof(text), "%.*s%u", SHOW(place->scope), (unsigned)slot);
    return cloudwatch_metric(place->name_space, "PublishMarker",
                             cloudwatch_dimension("Slot", view_make(text, (size_t)n)));
}

unsigned marker_applied(double sum, unsigned digit)
{
    return sum < 0 || sum > MAX_EXACT ? 0 : (unsigned)((uint64_t)sum >> (2 * digit)) & 3U;
}

struct both {
    const struct marker_place *place;
    const struct ledger_marker *marker[2];
    unsigned applied[2];
};

static json_t *metric_of(void *ctx, size_t i)
{
    const struct both *both = ctx;
    return marker_metric(both->place, both->marker[i]->slot);
}

static enum status take_values(void *ctx, size_t i, const struct cloudwatch_value *values, size_t n,
                               struct error *err)
{
    struct both *both = ctx;
    (void)err;
    for (size_t k = 0; k < n; k++) {
        if (values[k].time_s == both->marker[i]->minute * 60)
            both->applied[i] = marker_applied(values[k].value, both->marker[i]->digit);
    }
    return ST_OK;
}

enum status marker_read(struct aws_client *client, const struct marker_place *place,
                        const struct ledger_marker *marker, const struct ledger_marker *control,
                        struct marker_reading *out, struct error *err)
{
    struct both both = {.place = place, .marker = {marker, control}};
    struct cloudwatch_query query = {.client = client,
                                     .region = place->region,
                                     .since_s = marker->minute * 60,
                                     .until_s = marker->minute * 60 + 60,
                                     .period_s = 60,
                                     .stat = "Sum",
                                     .series = 1,
                                     .metric = metric_of,
                                     .values = take_values,
                                     .ctx = &both};
    int64_t date_s;
    if (control->minute != 0) {
        query.series = 2;
        if (control->minute < marker->minute)
            query.since_s = control->minute * 60;
        else
            query.until_s = control->minute * 60 + 60;
    }
    enum status st = cloudwatch_read(&query, &date_s, err);
    *out = (struct marker_reading){
        .server_ms = date_s * 1000, .applied = both.applied[0], .control_applied = both.applied[1]};
    return st;
}
