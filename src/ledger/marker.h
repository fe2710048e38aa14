/*
 * marker.h: the marker datum of a request, and what reading it back says.
 *
 * Metric PublishMarker, dimension Slot ("3", of a table "us-east-1/TABLE/3"), at marker.minute,
 * worth 4^digit: the base 4 digits of the slot's sum in that minute say how often each request was
 * applied (protocol_core.h).
 */
#ifndef LEDGER_MARKER_H
#define LEDGER_MARKER_H

#include <jansson.h>

#include "aws/aws_call.h"
#include "base/buf.h"
#include "ledger/protocol_core.h"

/* Whose markers, and where.  `scope` precedes the slot's number: characters of a table's name. */
struct marker_place {
    struct view region, name_space, scope;
};

/* Append the datum as JSON. */
void marker_add_datum(struct buf *out, const struct marker_place *place,
                      const struct ledger_marker *marker);

/* The metric of a slot, for cloudwatch_read().  A new reference, NULL: no memory. */
json_t *marker_metric(const struct marker_place *place, uint16_t slot);

/* How often the request with this digit was applied, 0 to 3, by the slot's sum of the minute.  A
 * sum that can be none of markers counts as 0. */
unsigned marker_applied(double sum, unsigned digit);

struct marker_reading {
    int64_t server_ms; /* Date of the answer; 0: none */
    unsigned applied, control_applied;
};

/* Ask CloudWatch for both markers (control->minute may be 0: there is none).  As cloudwatch_read().
 */
NODISCARD enum status marker_read(struct aws_client *client, const struct marker_place *place,
                                  const struct ledger_marker *marker,
                                  const struct ledger_marker *control, struct marker_reading *out,
                                  struct error *err);

#endif
