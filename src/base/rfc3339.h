/* rfc3339.h: date-times of RFC 3339 to and from counts since 1970-01-01T00:00:00Z, without libc's
 * time zones. */
#ifndef BASE_RFC3339_H
#define BASE_RFC3339_H

#include "base/view.h"

enum { RFC3339_BYTES = 32 }; /* longest text written here, with its NUL */

struct instant {
    int64_t seconds; /* since the epoch, UTC */
    uint32_t nanos;  /* 0..999999999; digits of the fraction beyond nine are dropped */
};

/* [since, until), open where it has none. */
struct time_range {
    bool has_since, has_until;
    struct instant since, until;
};

/*
 * A whole date-time: "T"/"t", "Z"/"z" or a numeric offset, any fraction.  Second 60 (a leap second)
 * stays in its minute as its last instant.  ST_BAD_ITEM for anything else, also for a UTC year
 * outside 0000..9999.
 */
NODISCARD enum status rfc3339_parse(struct view text, struct instant *out);

/* "2026-11-01": midnight UTC. */
NODISCARD enum status rfc3339_parse_date(struct view text, struct instant *out);

/* "2026-11-01T10:31:00Z" / "2026-11-01T10:31:00.123Z", NUL-terminated. Years 0000..9999. */
void rfc3339_format(int64_t seconds, char out[RFC3339_BYTES]);
void rfc3339_format_ms(int64_t milliseconds, char out[RFC3339_BYTES]);

/* Days since the epoch of a date of the proleptic Gregorian calendar, and back. */
int64_t rfc3339_days(int64_t year, unsigned month, unsigned day);
void rfc3339_date(int64_t days, int64_t *year, unsigned *month, unsigned *day);

static inline int instant_compare(struct instant a, struct instant b)
{
    if (a.seconds != b.seconds)
        return a.seconds < b.seconds ? -1 : 1;
    return (a.nanos > b.nanos) - (a.nanos < b.nanos);
}

#endif
