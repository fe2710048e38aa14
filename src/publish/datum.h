/*
 * datum.h: one cell as CloudWatch data, checked against every documented limit.
 *
 * Facts: CloudWatch API reference, PutMetricData, MetricDatum, StatisticSet, Dimension.  One datum
 * that breaks a rule makes CloudWatch refuse the whole request, so what is built here never does.
 */
#ifndef PUBLISH_DATUM_H
#define PUBLISH_DATUM_H

#include "aggregate/aggregate.h"
#include "base/buf.h"

enum {
    DATUM_MAX_VALUE_CHARS = 1024, /* of a dimension's value */
    DATUM_MAX_NAME_CHARS = 255,   /* of a namespace, metric or dimension */
    DATUM_MAX_AGE_S = 14 * 86400,
    DATUM_MAX_AHEAD_S = 2 * 3600,
};

/* CloudWatch stores doubles: whole numbers are exact up to here, larger sums are split. */
#define DATUM_MAX_EXACT (UINT64_C(1) << 53)

/* 1..255 of [0-9A-Za-z.-_/#: ], no `:` first, not below AWS/.  ST_USAGE quotes the value. */
NODISCARD enum status datum_check_namespace(struct view name, struct error *err);

/* The dimension's name: 1..255 printable ASCII characters, no `:` first.  ST_USAGE quotes it. */
NODISCARD enum status datum_check_dimension(struct view name, struct error *err);

/*
 * A dimension's value as quoted JSON, in the printable ASCII that CloudWatch takes, so that different
 * values stay different series.  A backslash is doubled, any other character becomes \uXXXX, or two of
 * them above U+FFFF, as in JSON; a byte that is not UTF-8 becomes \xXX.  What is over 1024 characters
 * then, or looks as if it had been, ends after at most 1007, never inside an escape, with `~` and the
 * first 16 hexadecimal digits of the SHA-256 of the value.  Of blanks only, the first is \u0020;
 * nothing at all is \empty.
 */
void datum_add_dimension_value(struct buf *out, struct view value);

/*
 * The statistic of a metric of a row: the row's own where it is possible for the sum, else the
 * nearest that is.  Where the row has none for METRIC_TOTAL, bounds of it are taken from its four
 * parts: valid, but the count may be too small and the range too wide.
 */
struct statistic datum_statistic(const struct aggregate_row *row, enum metric metric);

/* How many data datum_add makes of this metric; 0: the sum is 0. */
uint64_t datum_count(const struct aggregate_row *row, enum metric metric);

/* One of several statistic sets that add up to a metric's. */
struct datum_piece {
    uint64_t count;
    u128 sum;
    uint64_t minimum, maximum;
};

/* The steps of splitting; zero it, then call datum_next_piece until it says false. */
struct datum_pieces {
    bool begun;
    u128 sum_left;
    uint64_t count_left, counted;
    u128 mean;          /* rounded down */
    uint64_t remainder; /* sum - mean * count */
    uint64_t count;     /* of the whole */
    struct statistic statistic;
};
bool datum_next_piece(struct datum_pieces *pieces, const struct aggregate_row *row,
                      enum metric metric, struct datum_piece *piece);

struct datum_form {
    const struct dimension_set *set;
    unsigned storage_resolution; /* 1 or 60 */
};

/* Append the JSON object of one piece. */
void datum_add(struct buf *out, const struct datum_form *form, const struct aggregate_row *row,
               enum metric metric, const struct datum_piece *piece);

#endif
