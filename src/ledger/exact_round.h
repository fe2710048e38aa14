/*
 * counted.h: objects counted exactly once, by way of the ledger: the host that ledger_drive.h asks
 * for, and how the messages of a round become objects and get their outcome.
 *
 * Every object counts on its own, whatever becomes of the others in its message: one that was
 * counted is a duplicate when the message comes back.
 */
#ifndef LEDGER_COUNTED_H
#define LEDGER_COUNTED_H

#include "deliver/round.h"
#include "ledger/ledger_drive.h"
#include "ledger/ledger_session.h"
#include "ledger/run_receipt.h"
#include "objects/byte_stream.h"

struct round_object {
    struct view bucket, key; /* bucket empty: a local file */
    struct view region;      /* of the bucket, or empty */
    const void *source;      /* for exact_round_options.open */
    struct ledger_id id;
    uint64_t tag; /* of its content as event or listing have it (ledger_tag_of), 0: unknown */

    /* Set by exact_round_count. */
    bool settled;
    enum status status; /* ST_OK: counted, a duplicate, gone, or held; else it has to come back */
    enum protocol_object_state outcome;
    int64_t retry_after_ms; /* with a status other than ST_OK: when coming back makes sense */
    struct tally tally;     /* of this object, when it was read */
    struct error err;
    bool read;         /* the reader got through it in the run under way */
    bool deferred;     /* did not fit: in a later run */
    bool note;         /* no object: counts once that an object changed */
    bool changed;      /* was counted before, with other content */
    uint64_t read_tag; /* of the content that was read */
};

struct exact_round_options {
    struct run_settings *settings;
    struct ledger_session *session;
    const struct settings_aws *aws;
    struct aws_pool *const *pools; /* for reading objects: of each role, and our own behind them */
    struct aws_client *publisher;  /* for CloudWatch */
    unsigned readers;
    struct aws_stop stop, stop_publish; /* as round_options */
    /* How to open an object that is not in a bucket; may be NULL. */
    enum status (*open)(const struct round_object *object, struct byte_stream **stream,
                        struct error *err);
};

struct exact_round; /* of one thread */

NODISCARD enum status exact_round_new(struct exact_round **out,
                                      const struct exact_round_options *options, struct error *err);
void exact_round_free(struct exact_round *c); /* NULL does nothing */

/* As round_set_deadlines. */
void exact_round_set_deadlines(struct exact_round *c, int64_t read_ms, int64_t publish_ms);

/* The identity of an object, by LEDGER_IDENTITY. */
NODISCARD enum status exact_round_id(const struct exact_round *c, struct round_object *object);

/* Count n objects, whose ids are set; the same one may be named twice.  *summary is added to. */
void exact_round_count(struct exact_round *c, struct round_object *objects, size_t n,
                       struct round_summary *summary);

/*
 * Of objects counted before whose tag is not the one they were counted under: look whether their
 * content is another one now.  Those are named, and each content is counted once as ObjectsChanged.
 */
void exact_round_check_changed(struct exact_round *c, struct round_object **objects, size_t n,
                               struct round_summary *summary);

/* What is counted from now on was found by a sweep. */
void exact_round_set_sweeping(struct exact_round *c, bool sweeping);

/* Whether contents are compared: not with LEDGER_IDENTITY=path, where replicas may have another
 * ETag each. */
bool exact_round_has_tags(const struct exact_round *c);

/* The same for messages (intake_exact.c): sets status, err and retry_after_ms of each. */
void intake_exact(struct exact_round *c, struct round_message **messages, size_t n,
                  struct round_summary *summary);

/* S3_BUCKET_NAME: events for other buckets are refused. */
struct view exact_round_buckets(const struct exact_round *c);

/*
 * Finish what others, or an earlier process, left unfinished: at the start and now and then.
 * `first`: nothing of this process is under way yet.  ST_USAGE: the ledger's unfinished batches are
 * for another namespace or Region.  Logs what it did.
 */
NODISCARD enum status exact_round_recover(struct exact_round *c, bool first, size_t max,
                                          struct ledger_recovery *out, struct error *err);

/* What was counted since it was made. */
const struct run_receipt *exact_round_receipt(const struct exact_round *c);

#endif
