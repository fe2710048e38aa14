/* openmetrics.h: names and label values as OpenMetrics 1.0 wants them. */
#ifndef REPORT_OPENMETRICS_H
#define REPORT_OPENMETRICS_H

#include "base/buf.h"

/* "InputTokenCount" as "input_token_count", "Metadata:team" as "metadata_team". */
void openmetrics_add_name(struct buf *out, struct view name);

/* The inside of a quoted label value, escaped. */
void openmetrics_add_label_value(struct buf *out, struct view value);

#endif
