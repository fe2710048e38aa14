/*
 * ledger_id.h: the identity of an object, computable from an event, a listing and the name that a
 * source shows alike.
 */
#ifndef LEDGER_LEDGER_ID_H
#define LEDGER_LEDGER_ID_H

#include "base/status.h"
#include "base/view.h"
#include "ledger/protocol_core.h"

enum ledger_identity {
    IDENTITY_KEY,  /* bucket and key */
    IDENTITY_PATH, /* what follows in the key from its last folder `AWSLogs` on, so that replicas of
                      one log in several buckets are one object; bucket and key where there is none
                    */
};

/*
 * SHA-256(bucket 0x00 key), or SHA-256(0x00 path) with IDENTITY_PATH: no bucket name is empty, so
 * the two never meet.  eTag, version and event sequence are left out on purpose: a re-sent event, a
 * copy in place or a restore is the same object.  A local file has the empty bucket and its
 * absolute path.  ST_NO_MEMORY when the library has none.
 */
NODISCARD enum status ledger_id_of(enum ledger_identity identity, struct view bucket,
                                   struct view key, struct ledger_id *out);

/*
 * The identity under which it is reported, once for ever, what became of a batch's requests in doubt:
 * a fixed half and the batch's name, so that no object's identity is ever the same.
 */
void ledger_id_of_doubts(const struct ledger_nonce *batch, struct ledger_id *out);

/* The identity under which it counts once that an object has this content now (ledger_tag_of).
 * ST_NO_MEMORY. */
NODISCARD enum status ledger_id_of_change(const struct ledger_id *object, uint64_t tag,
                                          struct ledger_id *out);

/* One of these two, which mean no object. */
bool ledger_id_is_note(const struct ledger_id *id);

/* What an object's content is known by: 64 bits of SHA-256 of its ETag, never 0.  0 for an empty
 * one, and when the library has no memory. */
uint64_t ledger_tag_of(struct view etag);

/* What LEDGER_IDENTITY says, "key" where it is not set.  ST_USAGE quotes it. */
NODISCARD enum status ledger_identity_load(enum ledger_identity *out, struct error *err);

/*
 * The name of an object as a source shows it: "s3://bucket/key" into its parts; a local file becomes
 * an empty bucket and its absolute path.  *path is what the views point into then, freed by the
 * caller in every case.  ST_MISSING: it has no name that lasts (standard input, or a file that is
 * gone).
 */
NODISCARD enum status ledger_name_split(struct view shown, struct view *bucket, struct view *key,
                                        char **path);

/* The identity of what is shown so.  As above. */
NODISCARD enum status ledger_id_of_name(enum ledger_identity identity, struct view shown,
                                        struct ledger_id *id);

/* 64 digits and a NUL; and back, ST_BAD_ITEM for anything else. */
void ledger_id_format(const struct ledger_id *id, char out[65]);
NODISCARD enum status ledger_id_parse(struct view text, struct ledger_id *out);

#endif
