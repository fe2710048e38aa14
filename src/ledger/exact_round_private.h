/* exact_round_private.h: what the files exact_round*.c share.  Of them only. */
#ifndef LEDGER_EXACT_ROUND_PRIVATE_H
#define LEDGER_EXACT_ROUND_PRIVATE_H

#include <pthread.h>

#include "ledger/exact_round.h"
#include "publish/payload.h"

enum {
    /* Of one batch: 32 requests of 999 data and a marker.  Halving refused requests needs room. */
    DATA_LIMIT = 32 * (BATCH_MAX_DATA - 1),
    MARKER_BYTES = 1024,
};

struct exact_round {
    struct exact_round_options options;
    struct aws_clock clock;
    struct ledger_driver *driver;
    struct protocol_run run;
    struct run_receipt receipt;
    int64_t read_deadline_ms, publish_deadline_ms;
    /* DuplicatesSuppressed: not yet published; in the batch under way. */
    int64_t duplicates_pending, duplicates_reported;
    bool sweeping, open_reported;
    bool halted; /* the last request failed, with options.probe */
    uint64_t data_limit;
    struct cloudwatch_put *put; /* signed, not sent */
    /* of the run under way */
    struct ledger_id ids[PROTOCOL_OBJECTS_MAX];
    uint64_t tags[PROTOCOL_OBJECTS_MAX];
    struct round_object *chosen[PROTOCOL_OBJECTS_MAX];
    struct buf payloads[LEDGER_PAYLOADS_MAX];
    struct batch_options batch; /* how the sums become data */
    struct batch_dropped dropped;
    uint64_t series_folded;
    int64_t ms_read;
    struct aggregate *sums; /* of the objects that were read; until the run is over */
    struct {
        pthread_mutex_t mutex; /* `sums` too, while they are read */
        uint64_t data_bound;
        size_t count; /* objects in the sums */
        bool full, broken;
    } locked;
};

/* ---- exact_round.c ---- */

/* The steady clock, and whether a deadline has passed or a stop was asked for. */
int64_t exact_round_now_ms(const struct exact_round *x);
bool exact_round_is_late(const struct exact_round *x); /* too late to read */
bool exact_round_is_over(const struct exact_round *x); /* too late to publish */

/* The options a reader of this round counts with. */
struct counter_options exact_round_counter(const struct exact_round *x);

/* ---- exact_round_read.c ---- */

/* ledger_host.read: read and sum the objects of the run; see ledger_drive.h. */
NODISCARD enum status exact_round_host_read(void *ctx, const struct protocol_run *run,
                                            struct ledger_batch_data *out);

/* Payloads of sums and counters. */
NODISCARD enum status exact_round_encode(struct exact_round *x, struct aggregate *sums,
                                         const struct batch_counter *counters, size_t counter_count,
                                         struct ledger_batch_data *out);

/* The tag of the content that is there now; 0: it is not known. */
uint64_t exact_round_look(struct exact_round *x, const struct round_object *o);

/* ---- exact_round_report.c ---- */

/* The sums of the run that was read, with what else there is to report. */
NODISCARD enum status exact_round_encode_run(struct exact_round *x, struct ledger_batch_data *out);
NODISCARD enum status exact_round_host_report(void *ctx, const struct ledger_doubts *doubts,
                                              struct ledger_batch_data *out);

/* Publish InDoubtOpen and OldestOpenBatchAge, where there is something to say. */
void exact_round_report_open(struct exact_round *x, const struct ledger_recovery *r);

/* ---- exact_round_send.c ---- */

/* Make and sign the request x->put: data [first, + count) of the payload, and one more, `extra`. */
NODISCARD enum status exact_round_sign(struct exact_round *x, const struct payload *payload,
                                       size_t first, size_t count, struct view extra,
                                       struct error *err);
void exact_round_forget_put(struct exact_round *x);
int64_t exact_round_wall_ms(void *ctx);
struct ledger_host exact_round_host(struct exact_round *x);

/* ---- exact_round_outcome.c ---- */

/* The object is not counted now; after so long another attempt makes sense. */
void exact_round_return(struct round_object *o, enum status st, enum code code, int64_t after_ms,
                        const char *why);

/* What the run, which ended with `st`, means for the object.  false: it is for a later run of this
 * round. */
bool exact_round_decide(struct exact_round *x, struct round_object *o,
                        enum protocol_object_state state, enum status st);

/* Add a decided object to the receipt, to the digest of the round and to the report. */
void exact_round_note(struct exact_round *x, struct round_object *o, struct round_summary *summary);

/* Add what the run published. */
void exact_round_add_run(struct exact_round *x, struct round_summary *s);

#endif
