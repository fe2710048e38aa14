/*
 * ledger_dynamodb_private.h: what the files of the DynamoDB ledger share.  Of them only.
 *
 * `item_` is about documents, `table_` makes calls, `dynamodb_` is the table of functions and what
 * it is made of.
 */
#ifndef LEDGER_LEDGER_DYNAMODB_PRIVATE_H
#define LEDGER_LEDGER_DYNAMODB_PRIVATE_H

#include "ledger/ledger_dynamodb.h"

enum {
    PK_BYTES = 80,
    PART_BYTES = 86,
    PART_BYTES_1 = 82, /* of the layout's first version */
    TAG_BYTES = 8,
    LISTS = 16,
    GET_MAX = 100,   /* keys of a BatchGetItem */
    ROUNDS_MAX = 10, /* of one with unprocessed keys */
    DAY_S = 24 * 60 * 60,
};

struct ledger_dynamodb {
    struct ledger head;
    char *table;
    ledger_dynamodb_call *call;
    void *ctx;
    int64_t (*now_ms)(void *ctx);
    int64_t ttl_s;
};

/* ---- ledger_dynamodb.c ---- */

/* The member ids and tags of an item m#: out->batch.n_members of them, as b# said; ST_BAD_ITEM when
 * it does not have just as many. */
NODISCARD enum status dynamodb_read_members(const json_t *item, struct ledger_record *out);

/* State, time and parts of an item b#; ST_BAD_ITEM when anything is missing or out of range. */
NODISCARD enum status dynamodb_read_batch(const json_t *item, const struct ledger_nonce *id,
                                          struct ledger_batch *b);

/* ledger_load() of this ledger. */
NODISCARD enum status dynamodb_load(struct ledger *ledger, const struct ledger_nonce *batch,
                                    struct ledger_record *out);

/* ---- ledger_dynamodb_item.c ---- */

/* Keys: the kinds are those of the comment in ledger_dynamodb.c. */
void item_pk_object(const struct ledger_id *id, char out[PK_BYTES]);                     /* o# */
void item_pk_batch(char kind, const struct ledger_nonce *id, char out[PK_BYTES]);        /* b# m# */
void item_pk_payload(const struct ledger_nonce *id, unsigned index, char out[PK_BYTES]); /* p# */
void item_pk_list(char kind, unsigned number, char out[PK_BYTES]);                       /* q# z# */
void item_pk_markers(int64_t minute, char out[PK_BYTES]);                                /* k# */

/* Attribute values: {"S": text}, {"N": "12"}, {"B": base64}.  NULL when memory is short, which the
 * setters of jansson take for a failure of their own. */
json_t *item_value_s(const char *text);
json_t *item_value_n(int64_t number);
json_t *item_value_b(const void *bytes, size_t n);
bool item_get_n(const json_t *item, const char *name, int64_t *out);

/* Decode into out[0..max); false unless it fits.  Base64 has no other alphabet here. */
bool item_decode(const char *text, void *out, size_t max, size_t *n);

/* The base64 of an attribute {"B":...}, NULL without one; and its bytes if they are n. */
const char *item_text_b(const json_t *item, const char *name);
bool item_get_b(const json_t *item, const char *name, void *out, size_t n);

/* {"pk": {"S": pk}} */
json_t *item_key(const char *pk);

/* Add a member, taken over, to *object.  When memory is short *object becomes NULL, which
 * table_call() answers with ST_NO_MEMORY: so documents are checked once, where they are sent. */
void item_add(json_t **object, const char *name, json_t *value);

/* A ledger of this kind by its head. */
static inline struct ledger_dynamodb *table_of(struct ledger *l)
{
    return (struct ledger_dynamodb *)l;
}

/* Make one call.  Takes `in` over (NULL: ST_NO_MEMORY); *out is the caller's, and is not kept with a
 * NULL.  A missing table is ST_DENIED: ST_MISSING is for items. */
NODISCARD enum status table_call(struct ledger_dynamodb *l, const char *operation, json_t *in,
                                 json_t **out);

/*
 * UpdateItem.  `condition` may be NULL; `names` and `values` are taken over, and given where the
 * expression or the condition has a `#` or a `:`.  *out (may be NULL) is {"Item": the item found}
 * with ST_CONFLICT; without a condition {"Attributes": what was updated}.
 */
NODISCARD enum status table_update(struct ledger_dynamodb *l, const char *pk,
                                   const char *expression, const char *condition, json_t *names,
                                   json_t *values, json_t **out);

/* One item, read consistently: *item (the caller's), or NULL with ST_MISSING. */
NODISCARD enum status table_get(struct ledger_dynamodb *l, const char *pk, json_t **item);

/* Items of up to GET_MAX keys, by their pk: *items is an object, the caller's.  Takes keys over. */
NODISCARD enum status table_get_many(struct ledger_dynamodb *l, json_t *keys, json_t **items);

/* Value of `expires`, in seconds since the epoch: the lifetime of records and so many days more. */
int64_t table_expiry_s(struct ledger_dynamodb *l, int64_t extra_days);

/* The part in an "M" of the list `p`; false when it is damaged. */
bool item_get_part(const json_t *m, struct ledger_part *p);

/* {"M": {"n": nonce, "v": part}}: the nonce apart, for conditions. */
json_t *item_value_part(const struct ledger_part *p);

/* ---- ledger_dynamodb_upkeep.c ---- */

/* Set or remove the entry of a batch on the list of open ones. */
NODISCARD enum status dynamodb_open_entry(struct ledger_dynamodb *l,
                                          const struct ledger_nonce *batch, bool on,
                                          int64_t time_ms);

/* The functions of struct ledger_ops that are not in ledger_dynamodb.c; see ledger.h. */
NODISCARD enum status dynamodb_list_open(struct ledger *ledger, int64_t before_ms,
                                         struct ledger_nonce *out, size_t max, size_t *n);
NODISCARD enum status dynamodb_list_batches(struct ledger *ledger, int64_t from_ms,
                                            int64_t until_ms, ledger_batch_fn *fn, void *ctx);
NODISCARD enum status dynamodb_lookup(struct ledger *ledger, const struct ledger_id *ids, size_t n,
                                      enum ledger_progress *out, uint64_t *tags);
NODISCARD enum status dynamodb_markers_used(struct ledger *ledger, int64_t minute, uint32_t *n);
NODISCARD enum status dynamodb_quarantine_add(struct ledger *ledger,
                                              const struct ledger_quarantined *e);
NODISCARD enum status dynamodb_quarantine_list(struct ledger *ledger, ledger_quarantine_fn *fn,
                                               void *ctx);
NODISCARD enum status dynamodb_quarantine_release(struct ledger *ledger,
                                                  const struct ledger_id *id);
NODISCARD enum status dynamodb_statistics(struct ledger *ledger, struct ledger_statistics *out);

#endif
