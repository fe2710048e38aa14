/*
 * batch.h: the sums of a round as PutMetricData requests: at most 1000 data and 1 MB each.
 *
 * The order is that of the rows (set by set, by time, then dimensions bytewise), so the same sums
 * give the same bytes.  All data of one row are in one request where they fit.
 */
#ifndef PUBLISH_BATCH_H
#define PUBLISH_BATCH_H

#include "publish/datum.h"

enum {
    BATCH_MAX_DATA = 1000,
    /* "1 MB" is read as a million, before gzip: safe whichever way the service counts. */
    BATCH_MAX_BYTES = 1000 * 1000,
};

/* What the limits of time kept back.  Amounts are those of the first set: each record once. */
struct batch_dropped {
    uint64_t old_rows, future_rows; /* of all sets */
    u128 old_tokens, future_tokens;
    u128 old_invocations, future_invocations;
    bool any;
    int64_t first_time, last_time; /* of dropped rows */
};

/* *into was kept back, too. */
void batch_dropped_add(struct batch_dropped *into, const struct batch_dropped *from);

/* A number the program counts of itself, at the minute of now_s. */
struct batch_counter {
    const char *metric;            /* unit Count */
    const char *dimension, *value; /* NULL: none */
    uint64_t amount;
};

struct batch_options {
    struct view name_space;
    metric_set metrics;
    unsigned storage_resolution; /* 1 or 60 */
    int64_t now_s;               /* for the limits of time; seconds since the epoch */
    uint64_t in_doubt; /* earlier requests without an answer: a datum InDoubtPublishes; 0: none */
    const struct batch_counter *counters; /* also where there are no other data */
    size_t counter_count;
    size_t set_count;           /* only the first ones; 0: all sets */
    size_t max_data, max_bytes; /* 0: the documented limits; smaller for tests */
};

/*
 * Hands over each row of the sets that may be published.  *dropped is added to.  Ends early with what `row` returns unless that is ST_OK.
 */
typedef enum status batch_row_fn(void *context, const struct dimension_set *set,
                                 const struct aggregate_row *row);
NODISCARD enum status batch_each_row(const struct aggregate *agg,
                                     const struct batch_options *options, batch_row_fn *fn,
                                     void *context, struct batch_dropped *dropped);

/* How many data the sums of the first options->set_count sets make (rows outside the limits of time included). */
uint64_t batch_count_data(const struct aggregate *agg, const struct batch_options *options);

struct batch;

/* ST_NO_MEMORY; ST_TOO_BIG: one datum larger than a request (dimension names; checked before). */
NODISCARD enum status batch_new(struct batch **out, const struct aggregate *agg,
                                const struct batch_options *options, struct batch_dropped *dropped);
void batch_free(struct batch *batch); /* NULL does nothing */

/* The requests, each a range of data. */
size_t batch_request_count(const struct batch *batch);
void batch_request(const struct batch *batch, size_t request, size_t *first, size_t *count);

/* The data of all requests, in the order in which they are sent. */
size_t batch_data_count(const struct batch *batch);
struct view batch_datum(const struct batch *batch, size_t datum); /* JSON */

/* TotalTokenCount of the rows of the first set whose first datum is in [first, first + count): over
 * all data each row once. */
uint64_t batch_tokens(const struct batch *batch, size_t first, size_t count);

/* The body with data [first, first + count) replaces the content of *out. */
NODISCARD enum status batch_write(const struct batch *batch, size_t first, size_t count,
                                  struct buf *out);

#endif
