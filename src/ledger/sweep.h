/*
 * sweep.h: the listing against the ledger, so that nothing depends on the queue: finds objects that
 * were never counted, and counts them.
 */
#ifndef LEDGER_SWEEP_H
#define LEDGER_SWEEP_H

#include <stdatomic.h>

#include "base/json_out.h"
#include "base/rfc3339.h"
#include "ledger/exact_round.h"

struct sweep_options {
    struct exact_round *round; /* what counts; NULL: pool and send are given */
    struct ledger_session *session;
    struct view buckets; /* comma separated */
    struct view prefix;
    bool has_since;
    struct instant since, now; /* objects that can hold records at or after `since` */
    int64_t grace_s;           /* younger objects are left to the queue */
    bool dry_run;              /* only say what is missing */
    struct aws_stop stop;
    struct progress *progress; /* may be NULL */
    /* Without a round, of the sweep that only sends: the clients that list a bucket, and where
     * what is missing goes (not in a dry run).  A failure ends the sweep. */
    struct aws_pool *(*pool)(void *ctx, struct view bucket);
    enum status (*send)(void *ctx, const struct round_object *objects, size_t n, struct error *err);
    void *send_ctx;
    /* Called with each object that is missing (dry run) or could not be counted.  May be NULL. */
    void (*on_object)(void *ctx, const struct round_object *object);
    void *ctx;
};

struct sweep_result {
    uint64_t listed, skipped, young;
    uint64_t done, open, quarantined; /* as the ledger has it: open is prepared, or just claimed */
    uint64_t missing;                 /* never counted */
    uint64_t enqueued;                /* ... and handed to options->send */
    uint64_t counted, failed;         /* of the missing; with dry_run both 0 */
    uint64_t changed;                 /* of the done: with other content now; not counted again */
    struct round_summary summary;
    struct ledger_recovery recovery;
    bool incomplete; /* ended early: stop, deadline, a listing that failed */
};

/*
 * ST_OK: all was listed, and looked at; whether something is off is in *out.  ST_CANCELLED: asked
 * to stop; else as s3_list_next and the ledger, *err says where.  *out is what was done until then.
 */
NODISCARD enum status sweep_run(const struct sweep_options *options, struct sweep_result *out,
                                struct error *err);

/*
 * How many keys a sweep would list: for its progress, while it runs, in another thread.
 * ST_CANCELLED once *stop; else as s3_list_next.
 */
NODISCARD enum status sweep_measure(const struct sweep_options *options, const atomic_bool *stop,
                                    uint64_t *keys, struct error *err);

/* Something is off: missing and not counted now, or the sweep did not come to its end. */
bool sweep_is_off(const struct sweep_result *r);

/* The members of the document "bedrock-metrics/sweep/1". */
void sweep_add_json(struct json_out *j, const struct sweep_result *r);

#endif
