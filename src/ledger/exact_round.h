/*
 * exact_round.h: objects counted exactly once, through the ledger: the host that ledger_drive.h
 * asks for.
 *
 * Every object counts on its own, whatever becomes of others in the same queue message: one that
 * was counted is a duplicate when its message is delivered again.
 */
#ifndef LEDGER_EXACT_ROUND_H
#define LEDGER_EXACT_ROUND_H

#include "config/settings.h"
#include "count/reader_pool.h"
#include "ledger/ledger_drive.h"
#include "ledger/ledger_session.h"
#include "ledger/round_summary.h"
#include "ledger/run_receipt.h"

/* An object of a round, with or without a ledger, and what became of it. */
struct round_object {
    /* bucket (empty: a local file), key, message_id: of whoever makes it.  Afterwards status and
     * tally say what it counts as: ST_OK is done, also a duplicate, gone, or held by the ledger. */
    struct object_read read;
    struct view region; /* of the bucket, or empty */

    /* With a ledger. */
    const void *source;     /* for exact_round_options.open; NULL: in a bucket */
    uint64_t tag;           /* of its content as event or listing have it, 0: unknown */
    struct ledger_id id;    /* set by exact_round_count */
    int64_t retry_after_ms; /* with a status other than ST_OK: when another attempt makes sense */
    bool changed;           /* was counted before, with other content */

    /* Of exact_round*.c only. */
    enum protocol_object_state outcome;
    uint64_t read_tag; /* of the content that was read */
    bool final;        /* its outcome is decided */
    bool was_read;     /* in the run under way, and is in its sums */
    bool deferred;     /* did not fit: in a later run */
    bool prepared;     /* its sums are in a batch that is published by us or by others */
    bool note;         /* no object: counts once that an object changed */
};

/* For a report on the very objects that are counted, so that each is read once. */
struct exact_report {
    /* Gets the sums of objects whose batch is prepared, before the batch is sent.  Another
     * status than ST_OK is remembered in `fault`. */
    enum status (*add)(void *context, const struct aggregate *sums);
    void *context;
    enum status fault;
    struct tally tally; /* of all objects: counted are those whose sums `add` got */
};

struct exact_round_options {
    struct run_settings *settings;
    struct ledger_session *session;
    const struct settings_aws *aws;
    struct aws_pool *const *pools; /* for reading objects: of each role, and our own after them */
    struct aws_client *publisher;  /* for CloudWatch */
    unsigned readers;
    struct aws_stop stop, stop_publish; /* as round_options */
    /* How to open an object that is not in a bucket; may be NULL. */
    enum status (*open)(const struct round_object *object, struct byte_stream **stream,
                        struct error *err);
    /* NULL: as the settings say.  Its first sets are those of the settings, which are published. */
    const struct counter_options *counter;
    struct exact_report *report; /* may be NULL */
    /* After a request that was refused or is in doubt no data are sent before CloudWatch has
     * answered one without data. */
    bool probe;
};

struct exact_round; /* of one thread */

/* Copies *options; what they point to must outlive the round. */
NODISCARD enum status exact_round_new(struct exact_round **out,
                                      const struct exact_round_options *options, struct error *err);
void exact_round_free(struct exact_round *x); /* NULL does nothing */

/* As round_set_deadlines. */
void exact_round_set_deadlines(struct exact_round *x, int64_t read_ms, int64_t publish_ms);

/* Count n objects, which are put in another order; the same one may be named twice.  *summary is
 * added to, but for the tally. */
void exact_round_count(struct exact_round *x, struct round_object **objects, size_t n,
                       struct round_summary *summary);

/*
 * Of objects counted before whose tag is not the one they were counted under: look whether their
 * content is another one now.  Those are named, and each content is counted once as ObjectsChanged.
 */
void exact_round_check_changed(struct exact_round *x, struct round_object **objects, size_t n,
                               struct round_summary *summary);

/* What is counted from now on was found by a sweep. */
void exact_round_set_sweeping(struct exact_round *x, bool sweeping);

/* The clients that read this bucket, by ROLE_ARN. */
struct aws_pool *exact_round_pool(const struct exact_round *x, struct view bucket);

/*
 * Finish what others, or an earlier process, left unfinished: at the start and now and then.
 * `first`: nothing of this process is under way yet.  ST_USAGE: the ledger's unfinished batches are
 * for another namespace or Region.  Logs what it did.
 */
NODISCARD enum status exact_round_recover(struct exact_round *x, bool first, size_t max,
                                          struct ledger_recovery *out, struct error *err);

/* With `probe`: the last request failed, and no probe has succeeded since. */
bool exact_round_halted(const struct exact_round *x);

/* What was counted since it was made. */
const struct run_receipt *exact_round_receipt(const struct exact_round *x);

#endif
