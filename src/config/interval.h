/* interval.h: lengths of buckets and points in time as people write them. */
#ifndef CONFIG_INTERVAL_H
#define CONFIG_INTERVAL_H

#include "base/rfc3339.h"

/* "1m", "5m", "1h", "1d", or "all" (0). ST_USAGE otherwise. */
NODISCARD enum status interval_parse(struct view text, int64_t *seconds);

/*
 * A date-time of RFC 3339, a date (midnight UTC), or a span before `now`: "90m", "36h", "7d", "2w".
 * ST_USAGE otherwise, also for more than nine digits after the decimal point: times are known to nine, so
 * what such a bound lets through could not be decided.
 */
NODISCARD enum status time_parse(struct view text, struct instant now, struct instant *out);

#endif
