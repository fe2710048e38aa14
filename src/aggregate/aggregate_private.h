/* aggregate_private.h: the inside of an aggregate, for the files that make it up. */
#ifndef AGGREGATE_AGGREGATE_PRIVATE_H
#define AGGREGATE_AGGREGATE_PRIVATE_H

#include "aggregate/aggregate.h"
#include "aggregate/cells.h"
#include "aggregate/interner.h"
#include "price/price.h"
#include "records/classify.h"

/* What one modelId, as logged, stands for; by the interned number of its text. */
struct model_info {
    bool known;
    bool needs_evidence;
    enum profile_type type;
    uint32_t model, profile; /* interned, or OVER */
    struct view name;        /* of `model`, for its price */
    struct view application; /* id of a resolved application profile, for its tags */
    struct view geography;   /* for its price */
};

/* In place of an interned number: a new text that the bound does not let in. */
#define OVER (INTERNER_NONE - 1)

/* The price of a model in a Region, kept because matching costs more than counting. */
struct price_memo {
    uint32_t model_id, region; /* interned */
    bool used;
    bool plain; /* one row with all four prices: no rule to apply for a record */
    struct price_line line;
};

enum { PRICE_MEMO_SIZE = 256 };

/* Texts seen lately and their numbers: members take few values, so most are found here. */
struct memo {
    struct view text; /* as interned */
    uint32_t id;
    bool used;
};

enum { MEMO_SIZE = 256 };

struct aggregate {
    struct dimension_set *sets;
    size_t set_count;
    struct dimension_keys keys;
    int64_t interval;
    bool statistics;
    const struct profiles *profiles;
    const struct prices *prices;
    struct region_guard *guard;
    void (*on_novelty)(enum novelty what, struct view text);

    struct aggregate_bound *bound;
    size_t charged;    /* of it, by this one */
    uint64_t overflow; /* what it has made "Other" */

    struct interner *texts;
    struct cells **cells; /* one for each set */
    struct model_info *models;
    uint32_t model_capacity;
    uint32_t none, unknown, other, type_names[PROFILE_TYPE_COUNT];
    struct price_memo *price_memo;    /* PRICE_MEMO_SIZE of them; NULL without prices */
    struct memo memo[MEMO_SIZE];      /* by a hash of length and ends */
    int64_t bucket_begin, bucket_end; /* the last bucket */
};

/* Charge the bound with what is held now. */
void aggregate_charge(struct aggregate *agg);

#endif
