/*
 * object_counter.h: one object from its stream to pending sums: inflate, scan, check, count.
 *
 * What the command line, the worker and Lambda have in common.  A counter belongs to one thread.
 */
#ifndef COUNT_OBJECT_COUNTER_H
#define COUNT_OBJECT_COUNTER_H

#include <stdatomic.h>

#include "aggregate/aggregate.h"
#include "count/tally.h"
#include "objects/byte_stream.h"

struct counter_options {
    struct aggregate_options aggregate;
    bool latency;            /* read the latency from bodies */
    struct time_range range; /* records outside are out_of_range */
    uint64_t max_object_bytes;
    size_t chunk_bytes; /* inflated bytes scanned at a time; 0: the usual */
    bool log_skips;     /* a WARN line for a skipped text (the first ten of an object) */
    /* Once true, objects under way end with ST_CANCELLED.  May be NULL. */
    const atomic_bool *cancelled;
};

struct scan_helper;
struct object_counter;

struct object_counter *object_counter_new(
    const struct counter_options *options);               /* NULL: no memory */
void object_counter_free(struct object_counter *counter); /* NULL does nothing */

/*
 * Count the object `key` from its stream (which stays the caller's).  ST_OK: its sums are pending
 * in the counter's aggregate and *tally (zeroed by the callee) holds its records and bytes. Another
 * status: nothing is pending, *err says why.
 */
NODISCARD enum status object_counter_run(struct object_counter *counter, struct view key,
                                         struct byte_stream *stream, struct tally *tally,
                                         struct error *err);

/*
 * Say, unless it is 0, how many records of an object, or of the message where that is not empty, the
 * bound has made "Other" (aggregate_take_overflow).
 */
void object_counter_log_overflow(struct view object, struct view message, uint64_t overflow);

/* The sums.  The caller commits or rolls back. */
struct aggregate *object_counter_aggregate(struct object_counter *counter);

/* The same, now the caller's; the counter can only be freed afterwards. */
struct aggregate *object_counter_take_aggregate(struct object_counter *counter);

/*
 * For overlapping: `progress` is called before every chunk with the bytes read since the last call;
 * it may return a helper (scan_helper.h) that scans from then on, or NULL.  After the last chunk
 * `counter` is NULL, and no helper is wanted.
 */
typedef struct scan_helper *counter_progress_fn(void *context, struct object_counter *counter,
                                                uint64_t bytes_read);
void object_counter_on_progress(struct object_counter *counter, counter_progress_fn *progress,
                                void *context);

/* Scan n bytes of the current object: what a helper does with a submitted buffer, in order. */
void object_counter_scan(struct object_counter *counter, const uint8_t *bytes, size_t n);

/* The size of the buffers that object_counter_scan() is given at most. */
size_t object_counter_chunk_bytes(const struct object_counter *counter);

#endif
