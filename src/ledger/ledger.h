/*
 * ledger.h: which object was counted, by which batch, how far its requests got.
 *
 * One table of functions, one file per kind: ledger_sqlite*.c (worker and command line on one
 * host), ledger_dynamodb*.c (Lambda and fleets), tests/ledger/ledger_memory.c.  The order in which
 * they are used is protocol_core.h; ledger_drive.h joins the two.  What a ledger must hold:
 *
 *   - claim, abort, prepare, journal are atomic, conditional, and durable before they answer ST_OK;
 *   - prepare and abort of one batch name: the first wins for ever;
 *   - a write whose answer was lost (ST_RETRY, ST_IN_DOUBT) may or may not be applied, also later;
 *     doing it again is always allowed, and an own earlier write is recognised, never refused;
 *   - an object's record outlives the time in which its data can still be published (14 days): the
 *     default of LEDGER_TTL_DAYS is 35, batches that are not done never expire.
 *
 * What every call may answer: ST_OK; ST_CONFLICT: the condition did not hold; ST_RETRY: throttled,
 * timed out, busy; ST_IO, ST_DENIED, ST_BAD_ITEM (record damaged): this ledger cannot be worked
 * with, do not publish; ST_NO_MEMORY.  A ledger may be called from several threads.
 */
#ifndef LEDGER_LEDGER_H
#define LEDGER_LEDGER_H

#include "base/buf.h"
#include "ledger/protocol_core.h"

enum {
    LEDGER_PAYLOADS_MAX = PROTOCOL_PARTS_MAX,
    LEDGER_PAYLOAD_BYTES_MAX = 350 * 1024, /* DynamoDB takes 400 KB an item */
    LEDGER_MARKER_DIGITS = 26,
    LEDGER_NAME_BYTES_MAX = 1024, /* S3 keys; longer local paths are cut in quarantine lists */
    LEDGER_REASON_BYTES_MAX = 128,
    LEDGER_TTL_DAYS_DEFAULT = 35, /* as that of the variable LEDGER_TTL_DAYS */
};

/* A batch as it is in the ledger. */
struct ledger_record {
    struct ledger_batch batch;
    struct ledger_id members[PROTOCOL_OBJECTS_MAX]; /* batch.n_members of them */
    uint64_t tags[PROTOCOL_OBJECTS_MAX];            /* of their content (ledger_id.h); 0: unknown */
};

/* How far an object is, for the sweep. */
enum ledger_progress {
    LEDGER_ABSENT,      /* nobody claimed it, or the record expired */
    LEDGER_CLAIMED,     /* claimed, but in no prepared batch (yet) */
    LEDGER_PREPARED,    /* in a prepared batch: list_open leads to it */
    LEDGER_DONE,        /* counted */
    LEDGER_QUARANTINED, /* given up with a reason, until released */
};

struct ledger_quarantined {
    struct ledger_id id;
    struct view bucket, key; /* names only; empty bucket: a local file */
    struct view reason;      /* a constant of ours, such as "corrupt" */
    int64_t time_ms;
};

/* Return false to end the listing. */
typedef bool ledger_quarantine_fn(void *ctx, const struct ledger_quarantined *entry);

/* Return false to end the listing. */
typedef bool ledger_batch_fn(void *ctx, const struct ledger_nonce *id,
                             enum ledger_batch_state state, int64_t prepared_ms);

/* Everything a ledger knows in numbers.  Tokens are those journaled with the parts. */
struct ledger_statistics {
    bool open_only; /* the kind can only count what is open, and quarantine (DynamoDB) */
    uint64_t objects, quarantined;
    uint64_t batches_open, batches_done, batches_aborted;
    uint64_t parts_planned, parts_in_doubt, parts_acked, parts_dropped, parts_rejected;
    uint64_t attempts_resent;
    uint64_t tokens_in_doubt, tokens_acked, tokens_dropped, tokens_rejected, tokens_resent;
    int64_t oldest_open_ms; /* 0: none */
};

/* As LEDGER_POLICY has it; a static text. */
const char *ledger_policy_name(enum ledger_policy policy);

/* Count a batch, or one part, into *t: for the kinds. */
void ledger_statistics_add(struct ledger_statistics *t, const struct ledger_batch *b);
void ledger_statistics_add_part(struct ledger_statistics *t, enum ledger_part_state state,
                                uint64_t tokens, uint64_t resent);

/* Marker number n (from 0) of a minute.  ST_TOO_BIG: more than there are slots, or not a number. */
NODISCARD enum status ledger_marker_of(int64_t minute, int64_t n, struct ledger_marker *out);

struct ledger;

/*
 * What a kind of ledger can do.  Callers use the macros below; the contract of each is here.  In
 * addition to what is named each may answer what the head of this file lists.
 */
struct ledger_ops {
    const char *kind;

    /*
     * For every objects[i] of state OBJECT_CLAIM: make `batch` its owner if its owner is
     * objects[i].owner (none: if it has no record); claims[i] says what came of it.  Entries of
     * other objects are not touched.  ST_OK with CLAIM_UNKNOWN entries when single answers are
     * missing.
     */
    NODISCARD enum status (*claim)(struct ledger *l, const struct ledger_nonce *batch,
                                   int64_t time_ms, const struct protocol_object *objects,
                                   uint16_t n, struct protocol_claim *claims);

    /* Read a batch consistently.  ST_MISSING: there is no record. */
    NODISCARD enum status (*load)(struct ledger *l, const struct ledger_nonce *batch,
                                  struct ledger_record *out);

    /* The tombstone: ST_OK: nobody can prepare this batch any more.  ST_CONFLICT: it was
     * prepared. */
    NODISCARD enum status (*abort)(struct ledger *l, const struct ledger_nonce *batch,
                                   int64_t time_ms);

    /*
     * Write the payloads, then the batch as BATCH_PREPARED (whatever record->batch.state says),
     * once.  ST_CONFLICT: it has a record, a tombstone or our own earlier write.  Payloads are
     * bytes to the ledger; each part's `payload` is an index into them.
     */
    NODISCARD enum status (*prepare)(struct ledger *l, const struct ledger_record *record,
                                     const struct view *payloads, uint16_t n_payloads);

    /* Append payload `index` to *out.  ST_MISSING: there is none. */
    NODISCARD enum status (*payload)(struct ledger *l, const struct ledger_nonce *batch,
                                     uint16_t index, struct buf *out);

    /* Carry out an EFFECT_JOURNAL.  ST_CONFLICT: the part's nonce (or the number of parts) moved
     * on. */
    NODISCARD enum status (*journal)(struct ledger *l, const struct protocol_effect *journal);

    /* BATCH_PREPARED -> BATCH_DONE, or it is done already; a part that is not final:
     * ST_CONFLICT. */
    NODISCARD enum status (*done)(struct ledger *l, const struct ledger_nonce *batch,
                                  int64_t time_ms);

    /* Up to max batches in BATCH_PREPARED since before the given time, oldest first where cheap. */
    NODISCARD enum status (*list_open)(struct ledger *l, int64_t prepared_before_ms,
                                       struct ledger_nonce *out, size_t max, size_t *n);

    /*
     * All prepared or done batches with from_ms <= prepared_ms < until_ms, in no order: for
     * `verify`, which then loads them and their payloads.  The callback must not call the ledger.
     * DynamoDB reads the whole table for it (permission dynamodb:Scan, one read unit for each
     * 4 KB).
     */
    NODISCARD enum status (*list_batches)(struct ledger *l, int64_t from_ms, int64_t until_ms,
                                          ledger_batch_fn *fn, void *ctx);

    /* out[i] says how far the object ids[i] is.  tags[i] (may be NULL) is the tag under which it
     * was prepared or counted; 0: unknown. */
    NODISCARD enum status (*lookup)(struct ledger *l, const struct ledger_id *ids, size_t n,
                                    enum ledger_progress *out, uint64_t *tags);

    /* Hand out a marker of this minute, never the same twice; numbers may be skipped.
     * ST_TOO_BIG: more in one minute than there are slots. */
    NODISCARD enum status (*marker)(struct ledger *l, int64_t minute, struct ledger_marker *out);

    /* How many numbers of this minute were handed out: slot * LEDGER_MARKER_DIGITS + digit is
     * below. */
    NODISCARD enum status (*markers_used)(struct ledger *l, int64_t minute, uint32_t *n);

    /* Texts are copied and cut to their limits.  An entry that is there already is replaced. */
    NODISCARD enum status (*quarantine_add)(struct ledger *l,
                                            const struct ledger_quarantined *entry);

    /* Views of an entry are valid during its call; the callback must not call the ledger. */
    NODISCARD enum status (*quarantine_list)(struct ledger *l, ledger_quarantine_fn *fn, void *ctx);

    /* ST_MISSING: it was not in quarantine.  The next sweep or event counts the object. */
    NODISCARD enum status (*quarantine_release)(struct ledger *l, const struct ledger_id *id);

    NODISCARD enum status (*statistics)(struct ledger *l, struct ledger_statistics *out);

    /*
     * Forget objects claimed, and batches done or aborted, before this time; *removed counts the
     * objects.  The caller computes it from LEDGER_TTL_DAYS; before_ms must be more than 16 days
     * ago.  Does nothing where the service expires records itself.
     */
    NODISCARD enum status (*prune)(struct ledger *l, int64_t before_ms, uint64_t *removed);

    void (*close)(struct ledger *l);
};

/* The head of every kind's own struct. */
struct ledger {
    const struct ledger_ops *ops;
};

#define ledger_claim(l, ...) ((l)->ops->claim((l), __VA_ARGS__))
#define ledger_load(l, ...) ((l)->ops->load((l), __VA_ARGS__))
#define ledger_abort(l, ...) ((l)->ops->abort((l), __VA_ARGS__))
#define ledger_prepare(l, ...) ((l)->ops->prepare((l), __VA_ARGS__))
#define ledger_payload(l, ...) ((l)->ops->payload((l), __VA_ARGS__))
#define ledger_journal(l, ...) ((l)->ops->journal((l), __VA_ARGS__))
#define ledger_done(l, ...) ((l)->ops->done((l), __VA_ARGS__))
#define ledger_list_open(l, ...) ((l)->ops->list_open((l), __VA_ARGS__))
#define ledger_list_batches(l, ...) ((l)->ops->list_batches((l), __VA_ARGS__))
#define ledger_lookup(l, ids, n, out) ((l)->ops->lookup((l), (ids), (n), (out), NULL))
#define ledger_lookup_tags(l, ...) ((l)->ops->lookup((l), __VA_ARGS__))
#define ledger_marker_next(l, ...) ((l)->ops->marker((l), __VA_ARGS__))
#define ledger_markers_used(l, ...) ((l)->ops->markers_used((l), __VA_ARGS__))
#define ledger_quarantine_add(l, ...) ((l)->ops->quarantine_add((l), __VA_ARGS__))
#define ledger_quarantine_list(l, ...) ((l)->ops->quarantine_list((l), __VA_ARGS__))
#define ledger_quarantine_release(l, ...) ((l)->ops->quarantine_release((l), __VA_ARGS__))
#define ledger_statistics_read(l, ...) ((l)->ops->statistics((l), __VA_ARGS__))
#define ledger_prune(l, ...) ((l)->ops->prune((l), __VA_ARGS__))

/* NULL does nothing. */
static inline void ledger_close(struct ledger *l)
{
    if (l != NULL)
        l->ops->close(l);
}

struct ledger_sqlite_options {
    const char *path;
    bool read_only;  /* for looking while a worker has it: every writing call is ST_DENIED */
    bool must_exist; /* ST_MISSING instead of a new one */
    const char *vfs; /* tests only; NULL: the system's */
};

/*
 * Open or create.  The file is 0600, a missing last folder is made 0700; a file or folder that
 * belongs to somebody else or can be written by others is ST_DENIED, one in use by another writing
 * process ST_CONFLICT, one that is not a ledger of this version or damaged ST_BAD_ITEM, all with a
 * sentence in *err.  After a failed read, write or sync of the disk the ledger closes its file and
 * answers ST_IO from then on: what a failed sync left behind is unknown, only opening it again
 * shows.  On a full disk nothing of a call is left, and it is ST_RETRY; until there is room nothing
 * new is claimed or prepared.
 */
NODISCARD enum status ledger_sqlite_open(const struct ledger_sqlite_options *options,
                                         struct ledger **out, struct error *err);

#endif
