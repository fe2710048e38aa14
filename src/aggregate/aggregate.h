/*
 * aggregate.h: exact sums per time bucket and dimension values.
 *
 * Records are added to a pending part and join the sums only with aggregate_commit, so an object
 * counts as a whole or not at all.  One aggregate belongs to one worker; they are merged at the
 * end.
 */
#ifndef AGGREGATE_AGGREGATE_H
#define AGGREGATE_AGGREGATE_H

#include <stdatomic.h>

#include "aggregate/dimension.h"
#include "aggregate/metric.h"
#include "base/u128.h"
#include "records/profile.h"
#include "records/record.h"

struct prices;
struct region_guard;

enum novelty { NOVELTY_GEOGRAPHY, NOVELTY_SCHEMA_VERSION };

/*
 * Memory that several aggregates share, so that no content of any object takes more.  Once they hold
 * `limit` bytes of sums and texts, what has a new text or would be a new row counts as "Other" in all
 * dimensions; the totals are the same.  Times that nothing is published of any more are then one.
 * From twice the limit on nothing new is taken.
 */
struct aggregate_bound {
    size_t limit;
    atomic_size_t used;
};

/* Whether so many percent of it are used; never without one. */
bool aggregate_bound_is_used(const struct aggregate_bound *bound, unsigned percent);

struct aggregate_options {
    const struct dimension_set *sets; /* each set has its own cells; copied */
    size_t set_count;
    const struct dimension_keys *keys; /* copied; the texts must live on */
    int64_t interval_seconds;          /* length of a bucket; 0: all time is one */
    bool statistics;                   /* keep count, minimum and maximum with the sum */
    const struct profiles *profiles;   /* application profiles; may be NULL */
    const struct prices *prices;       /* for METRIC_COST; NULL: no cost */
    struct region_guard *guard;        /* for METRIC_DISALLOWED_*; NULL: no list */
    struct aggregate_bound *bound;     /* outlives it; NULL: none */
    /* Something this version does not know was met; called from the worker's thread.  May be NULL.
     */
    void (*on_novelty)(enum novelty what, struct view text);
};

struct aggregate;

struct aggregate *aggregate_new(const struct aggregate_options *options); /* NULL: no memory */
void aggregate_free(struct aggregate *agg);                               /* NULL does nothing */

/* Count a record, pending.  ST_NO_MEMORY, ST_TOO_BIG (twice the bound): roll back. */
NODISCARD enum status aggregate_add(struct aggregate *agg, const struct record *record);

/*
 * Add sums of one bucket and series that are known already (a store's), pending; they count as one
 * record.  `value` has a text for each dimension of the set; sum[METRIC_TOTAL] is not read.
 * ST_NO_MEMORY: roll back.  For aggregates without a bound.
 */
NODISCARD enum status aggregate_add_sums(struct aggregate *agg, size_t set, int64_t time,
                                         const struct view *value, const u128 sum[METRIC_COUNT]);

/* What is pending joins the sums, or is forgotten. */
void aggregate_commit(struct aggregate *agg);
void aggregate_rollback(struct aggregate *agg);

/*
 * Add the sums of `from` (nothing pending) to `into`, whose sets are those of `from` from
 * `first_set` on.  Buckets of `into` may be longer, and it may be without statistics.  ST_NO_MEMORY,
 * ST_TOO_BIG as aggregate_add: part of them has joined.
 */
NODISCARD enum status aggregate_merge(struct aggregate *into, const struct aggregate *from,
                                      size_t first_set);

/*
 * The same of two aggregates of the same options, after which `from` is empty.  Where `into` is empty
 * they change places, which takes no memory.
 */
NODISCARD enum status aggregate_move(struct aggregate *into, struct aggregate *from);

/* How many records the bound has made "Other" since this was last asked. */
uint64_t aggregate_take_overflow(struct aggregate *agg);

/*
 * Keep the `limit` largest series of each of the first `sets` sets (0: of all) by TotalTokenCount,
 * then Invocations, then bytewise; all dimensions of the others become "Other".  A series is a
 * combination of dimension values without time.  *folded (may be NULL) counts the series folded.
 */
NODISCARD enum status aggregate_fold(struct aggregate *agg, size_t sets, size_t limit,
                                     uint64_t *folded);

/*
 * For sums that are folded in parts: as `known` was, which has the sums of all parts with an interval
 * of 0.  What it does not have becomes "Other" here, too.  ST_NO_MEMORY.
 */
NODISCARD enum status aggregate_fold_as(struct aggregate *agg, const struct aggregate *known);

/*
 * Forget all sums, keep the memory for the next ones.  The texts are kept, too, while they are few:
 * so an aggregate that lives long stays small whatever it meets.
 */
void aggregate_reset(struct aggregate *agg);

struct statistic {
    uint64_t count; /* records that added more than 0 */
    uint64_t minimum, maximum;
};

struct aggregate_row {
    int64_t time; /* begin of the bucket, seconds since the epoch */
    struct view value[DIMENSIONS_PER_SET];
    u128 sum[METRIC_COUNT];
    struct statistic statistic[METRIC_COUNT]; /* with options.statistics */
};

/* Rows of a set, sorted by time, then dimensions bytewise. */
struct aggregate_rows;
struct aggregate_rows *aggregate_rows_new(const struct aggregate *agg,
                                          size_t set); /* NULL: no memory */
void aggregate_rows_free(struct aggregate_rows *rows);
size_t aggregate_rows_count(const struct aggregate_rows *rows);
void aggregate_rows_get(const struct aggregate_rows *rows, size_t index, struct aggregate_row *out);

/*
 * The same rows one after another in no order, without memory or sorting: *cursor is 0 at first.
 * false: there are no more.
 */
bool aggregate_next_row(const struct aggregate *agg, size_t set, uint32_t *cursor,
                        struct aggregate_row *out);

/* The sums over all rows of a set (the same for every set). */
void aggregate_totals(const struct aggregate *agg, u128 sum[METRIC_COUNT]);

/* What the options said. */
const struct dimension_set *aggregate_set(const struct aggregate *agg, size_t set);
size_t aggregate_set_count(const struct aggregate *agg);
int64_t aggregate_interval(const struct aggregate *agg);

#endif
