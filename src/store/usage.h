/*
 * usage.h: a usage store in use: the file, its dictionary and its sums in memory, kept together.
 *
 * Any thread may ask; one thread at a time commits.  A question sees each object whole or not at
 * all.
 */
#ifndef STORE_USAGE_H
#define STORE_USAGE_H

#include "aggregate/aggregate.h"
#include "store/store.h"

struct usage;

/*
 * Open and load the store at `path`; statuses as store_open.  A store that is written belongs to
 * this process as long as it is open: ST_CONFLICT when another one has it.
 */
NODISCARD enum status usage_open(const char *path, enum store_mode mode, struct usage **out,
                                 struct error *err);
void usage_close(struct usage *usage); /* usage_close(NULL) does nothing */

/*
 * The store was filled from this folder, with this price list: keep it, or compare.  ST_CONFLICT:
 * it was filled from another folder, which *err names.
 */
NODISCARD enum status usage_claim(struct usage *usage, struct view folder, struct view prices_as_of,
                                  struct error *err);

/* The folder (a NUL behind it) and the dates of price lists, comma separated; empty if none. */
const char *usage_folder(const struct usage *usage);
const char *usage_prices(const struct usage *usage);

/* As store_find and store_touch. */
NODISCARD enum status usage_find(struct usage *usage, struct view key, struct store_object *out,
                                 struct error *err);
NODISCARD enum status usage_touch(struct usage *usage, struct view key, int64_t size,
                                  int64_t mtime_ns, struct error *err);

/*
 * Pack the sums of one object, counted by all fixed dimensions in their order and by the minute.
 * ST_NO_MEMORY.
 */
NODISCARD enum status usage_pack(struct usage *usage, const struct aggregate *aggregate,
                                 struct counted_object *object);

/* As store_commit, and the sums join those in memory. */
NODISCARD enum status usage_commit(struct usage *usage, struct counted_object *list,
                                   store_exists_fn *exists, void *context, struct error *err);

/* Another number after every commit that changed something. */
uint64_t usage_version(const struct usage *usage);

struct usage_query {
    const struct dimension_set *sets; /* fixed dimensions only */
    size_t set_count;
    int64_t interval_seconds; /* a multiple of 60, or 0 */
    /* By set: a multiple of it, so that fewer rows are gathered; NULL: the same. */
    const int64_t *set_intervals;
    bool has_since, has_until; /* [since, until), whole minutes */
    int64_t since, until;
    uint32_t max_rows; /* for each set; 0: any number */
    /* By dimension kind: the values to keep, those with most tokens; the others become "Other".
     * 0: all. */
    uint32_t keep[DIMENSION_FIXED_COUNT];
};

struct usage_fold {
    uint32_t kept, folded; /* 0, 0: not asked for */
};

struct usage_answer {
    struct aggregate *aggregate; /* the sums; aggregate_free */
    struct tally tally;          /* the balance of the store, whatever was asked */
    uint64_t version;            /* of the store */
    struct usage_fold fold[DIMENSION_FIXED_COUNT];
};

/* ST_TOO_BIG: more than max_rows.  After a failure there is nothing to free. */
NODISCARD enum status usage_ask(struct usage *usage, const struct usage_query *query,
                                struct usage_answer *out, struct error *err);

/* A set of all fixed dimensions, in their order, as objects are counted for a store. */
void usage_all_dimensions(struct dimension_set *set);

#endif
