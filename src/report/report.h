/*
 * report.h: the sums of one dimension set for people and programs, to a file.
 *
 * Every writer gives the same bytes for the same sums.  Integers are exact, whatever their size.
 */
#ifndef REPORT_REPORT_H
#define REPORT_REPORT_H

#include <stdio.h>

#include "aggregate/aggregate.h"
#include "base/json_out.h"
#include "count/tally.h"

struct report {
    const struct aggregate *aggregate;
    size_t set;
    const char *interval; /* "1m" ... "all" */
    metric_set metrics;   /* the columns */
    const struct tally *tally;
    const char *prices_as_of; /* date of the price list, NULL: none */
    bool terminal;            /* CSV and OpenMetrics: what could steer it is shown escaped */
    bool csv_safe;            /* CSV: nothing in it is a formula to a spreadsheet */
    /* For the table. */
    size_t width; /* of the terminal in columns; 0: as wide as it takes */
    bool colour;
};

/*
 * Write the rows to `out` in one of the formats.  ST_NO_MEMORY or ST_IO (errno says what); what was
 * written by then is not complete.
 */
NODISCARD enum status report_write_json(const struct report *report, FILE *out);
NODISCARD enum status report_write_csv(const struct report *report, FILE *out);
NODISCARD enum status report_write_table(const struct report *report, FILE *out);
NODISCARD enum status report_write_openmetrics(const struct report *report, FILE *out);

/* ST_USAGE: two dimensions of the set become the same OpenMetrics label; *err names them. */
NODISCARD enum status report_check_labels(const struct dimension_set *set, struct error *err);

/* ---- what was read ---- */

/* The members "objects", "records" and "bytes" of a document. */
void report_add_tally(struct json_out *j, const struct tally *tally);

/* Two lines for people: objects and texts, found = counted + ... */
void report_print_tally(const struct tally *tally, FILE *out);

/* The same to `out`, or as log lines where logs are JSON. */
void report_log_tally(const struct tally *tally, FILE *out);

/* ---- for the writers ---- */

enum { REPORT_GATHERED = 1 << 20, REPORT_PIECE = 64 * 1024 };

/* Whether the rows have a time. */
static inline bool report_has_time(const struct report *report)
{
    return aggregate_interval(report->aggregate) != 0;
}

/*
 * Write what was gathered and empty the buffer, once it is more than `piece` bytes: rows are
 * streamed in pieces of REPORT_PIECE through a buffer of REPORT_GATHERED.
 */
NODISCARD enum status report_flush(struct buf *gathered, size_t piece, FILE *out);

/* The same for text that may go to a terminal: whole lines, escaped there. */
NODISCARD enum status report_flush_lines(const struct report *report, struct buf *gathered,
                                         size_t piece, FILE *out);

/*
 * One field of a CSV line (RFC 4180), quoted where `quote` or where it holds a quote.  `safe`: what
 * a spreadsheet would run as a formula gets an apostrophe in front, which makes it text.
 */
void report_add_csv(struct buf *out, struct view field, bool quote, bool safe);

/* OpenMetrics 1.0: "InputTokenCount" as "input_token_count", "Metadata:team" as "metadata_team". */
void openmetrics_add_name(struct buf *out, struct view name);

/* OpenMetrics 1.0: the inside of a quoted label value, escaped. */
void openmetrics_add_label_value(struct buf *out, struct view value);

/* The labels of a row: {model_id="...",source_region="..."} */
void openmetrics_add_labels(struct buf *out, const struct dimension_set *set,
                            const struct aggregate_row *row);

#endif
