/*
 * report.h: the sums of one dimension set for people and programs, to a file.
 *
 * Every writer gives the same bytes for the same sums.  Integers are exact, whatever their size.
 */
#ifndef REPORT_REPORT_H
#define REPORT_REPORT_H

#include <stdio.h>

#include "aggregate/aggregate.h"
#include "base/buf.h"

struct tally_entry {
    const char *reason;
    uint64_t count;
};

enum { REPORT_MAX_REASONS = 8 };

/* What was read, as the documents show it. */
struct report_balance {
    uint64_t objects_found, objects_counted, objects_duplicate, objects_failed;
    struct tally_entry objects_skipped[REPORT_MAX_REASONS];
    size_t objects_skipped_count;
    uint64_t records_found, records_counted;
    struct tally_entry records_skipped[REPORT_MAX_REASONS];
    size_t records_skipped_count;
    uint64_t bytes_read, bytes_inflated;
    bool has_times; /* of counted records */
    int64_t first_time, last_time;
};

struct report {
    const struct aggregate *aggregate;
    size_t set;
    const char *interval; /* "1m" ... "all" */
    metric_set metrics;   /* the columns */
    struct report_balance balance;
    const char *prices_as_of; /* date of the price list, NULL: none */
    /* For the table. */
    size_t width; /* of the terminal in columns; 0: as wide as it takes */
    bool colour;
};

/* ST_NO_MEMORY or ST_IO (errno says what); what was written by then is not complete. */
NODISCARD enum status report_write_json(const struct report *report, FILE *out);
NODISCARD enum status report_write_csv(const struct report *report, FILE *out);
NODISCARD enum status report_write_table(const struct report *report, FILE *out);
NODISCARD enum status report_write_openmetrics(const struct report *report, FILE *out);

/* ST_USAGE: two dimensions of the set become the same OpenMetrics label; *err names them. */
NODISCARD enum status report_check_labels(const struct dimension_set *set, struct error *err);

/* The members "objects", "records" and "bytes" as JSON has them. */
void report_add_balance(struct buf *out, const struct report_balance *balance);

/* Whether the rows have a time. */
static inline bool report_has_time(const struct report *report)
{
    return aggregate_interval(report->aggregate) != 0;
}

/* Write what was gathered and empty the buffer. */
NODISCARD enum status report_flush(struct buf *gathered, FILE *out);

#endif
