/* counted_private.h: what the files counted*.c share.  Of them only. */
#ifndef LEDGER_COUNTED_PRIVATE_H
#define LEDGER_COUNTED_PRIVATE_H

#include <pthread.h>

#include "count/reader_pool.h"
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
    int64_t duplicates_pending,
        duplicates_reported; /* DuplicatesSuppressed: to be told; in the batch */
    bool sweeping, open_reported;
    uint64_t data_limit;
    struct cloudwatch_put *put; /* signed, not sent */
    /* of the run under way */
    struct ledger_id ids[PROTOCOL_OBJECTS_MAX];
    uint64_t tags[PROTOCOL_OBJECTS_MAX];
    struct round_object *chosen[PROTOCOL_OBJECTS_MAX];
    struct buf payloads[LEDGER_PAYLOADS_MAX];
    struct batch_dropped dropped;
    uint64_t series_folded;
    u128 sums[METRIC_COUNT];
    struct round_summary elsewhere; /* only that part */
    int64_t ms_read;
    struct {
        pthread_mutex_t mutex;
        struct aggregate *sums;
        uint64_t data_bound;
        size_t count; /* objects in the sums */
        bool full, broken;
    } locked;
};

/* ---- counted.c ---- */

int64_t exact_round_now_ms(const struct exact_round *c);
bool exact_round_is_late(const struct exact_round *c);
bool exact_round_is_over(const struct exact_round *c);

/* ---- counted_read.c ---- */

NODISCARD enum status exact_round_host_read(void *ctx, const struct protocol_run *run,
                                            struct ledger_batch_data *out);

/* Payloads of sums and counters. */
NODISCARD enum status exact_round_encode(struct exact_round *c, struct aggregate *sums,
                                         const struct batch_counter *counters, size_t counter_count,
                                         struct ledger_batch_data *out);

/* The tag of the content that is there now; 0: it cannot be told. */
uint64_t exact_round_look(struct exact_round *c, const struct round_object *o);

/* ---- counted_tell.c ---- */

/* The sums of the run that was read, with what else there is to tell. */
NODISCARD enum status exact_round_encode_run(struct exact_round *c, struct ledger_batch_data *out);
NODISCARD enum status exact_round_host_report(void *ctx, const struct ledger_doubts *doubts,
                                              struct ledger_batch_data *out);

/* Publish InDoubtOpen and OldestOpenBatchAge, where there is something to say. */
void exact_round_report_open(struct exact_round *c, const struct ledger_recovery *r);

/* ---- counted_send.c ---- */

void exact_round_forget_put(struct exact_round *c);
int64_t exact_round_wall_ms(void *ctx);
struct ledger_host exact_round_host(struct exact_round *c);

/* ---- counted_outcome.c ---- */

void exact_round_return(struct round_object *o, enum status st, enum code code, int64_t after_ms,
                        const char *why);
bool exact_round_decide(struct exact_round *c, struct round_object *o,
                        enum protocol_object_state state, enum status st);

/* Add a settled object to the sums of the round and to the receipt. */
void exact_round_note(struct exact_round *c, struct round_object *o, struct round_summary *summary);
void exact_round_add_run(struct exact_round *c, struct round_summary *s);

#endif
