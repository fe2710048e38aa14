/*
 * usage.h: a usage store in use: the file and its dictionary in memory, kept together.
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
 * Where the store of a folder is kept unless another place is given (state_path.c):
 * $XDG_STATE_HOME/bedrock-metrics/NAME-HASH.sqlite (~/.local/state without it) for the folder's
 * real path.  The folders above it are made, private.  *out is the caller's.  ST_USAGE: there is no
 * home folder.
 */
NODISCARD enum status state_path_of_folder(const char *real_folder, char **out, struct error *err);

/*
 * Open the store at `path`; statuses as store_open.  A store that is written belongs to this
 * process as long as it is open: ST_CONFLICT when another one has it.  One that is read is seen as
 * it was when it was opened.
 *
 * `keys`: the dimensions a new store keeps in addition to the fixed ones, "Metadata:team,Tag:cost-center".
 * A store with something in it has its own: empty: those; others: ST_CONFLICT.
 */
NODISCARD enum status usage_open(const char *path, enum store_mode mode, struct view keys,
                                 struct usage **out, struct error *err);
void usage_close(struct usage *usage); /* usage_close(NULL) does nothing */

/*
 * The store was filled from this folder, with this price list: keep it, or compare.  ST_CONFLICT:
 * it was filled from another folder, which *err names.
 */
NODISCARD enum status usage_claim(struct usage *usage, struct view folder, struct view prices_as_of,
                                  struct error *err);

/* The folder (ends with a NUL) and the dates of price lists, comma separated; empty if none. */
const char *usage_folder(const struct usage *usage);
const char *usage_prices(const struct usage *usage);

/* All its dimensions in their order, as objects are counted for it; valid as long as it. */
const struct dimension_set *usage_dimensions(const struct usage *usage,
                                             const struct dimension_keys **keys);

/* A small number that the store keeps for the caller under a name; 0: none yet, or no answer. */
uint64_t usage_number(struct usage *usage, const char *name);
void usage_keep_number(struct usage *usage, const char *name, uint64_t number);

/* What the store knows of an object; an object was seen again unchanged: store_find, store_touch. */
NODISCARD enum status usage_find(struct usage *usage, struct view key, struct store_object *out,
                                 struct error *err);
NODISCARD enum status usage_touch(struct usage *usage, struct view key,
                                  const struct store_object *file, struct error *err);

/* Pack the sums of one object, counted by usage_dimensions and by the minute.  ST_NO_MEMORY. */
NODISCARD enum status usage_pack(struct usage *usage, const struct aggregate *aggregate,
                                 struct counted_object *object);

/* Add packed objects to the store, all or none: store_commit. */
NODISCARD enum status usage_commit(struct usage *usage, struct counted_object *list,
                                   store_exists_fn *exists, void *context, struct error *err);

/* Take what was committed into the rollups: when there is much of it, when it costs nobody anything
 * because nothing is coming in, or whatever there is.  Answers are the same before and after. */
enum usage_rollup { ROLLUP_WHEN_BUSY, ROLLUP_WHEN_IDLE, ROLLUP_NOW };
NODISCARD enum status usage_roll_up(struct usage *usage, enum usage_rollup when, struct error *err);

/* Another number after every commit that changed something. */
uint64_t usage_version(const struct usage *usage);

struct usage_query {
    const struct dimension_set *sets; /* of dimensions the store keeps */
    size_t set_count;
    int64_t interval_seconds; /* a multiple of 60, or 0 */
    /* By set: a multiple of it, so that fewer rows are gathered; NULL: the same. */
    const int64_t *set_intervals;
    bool has_since, has_until; /* [since, until), whole minutes */
    int64_t since, until;
    uint32_t max_rows; /* for each set; 0: any number */
    /* By enum dimension_size: how many values to keep, those with most tokens; the others become
     * "Other".  0, or NULL: all. */
    const uint32_t *keep;
};

struct usage_fold {
    uint32_t kept, folded; /* 0, 0: not asked for */
};

struct usage_answer {
    struct aggregate *aggregate;                /* the sums; aggregate_free */
    struct tally tally;                         /* the balance of the store, whatever was asked */
    uint64_t version;                           /* of the store */
    struct usage_fold fold[DIMENSIONS_PER_SET]; /* by position in usage_dimensions */
};

/* ST_TOO_BIG: more than max_rows.  ST_USAGE: a dimension is not kept.  After a failure there is
 * nothing to free. */
NODISCARD enum status usage_ask(struct usage *usage, const struct usage_query *query,
                                struct usage_answer *out, struct error *err);

#endif
