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

struct counted {
    struct counted_options options;
    struct aws_clock clock;
    struct ledger_driver *driver;
    struct protocol_run run;
    struct run_receipt receipt;
    int64_t read_deadline_ms, publish_deadline_ms;
    int64_t duplicates_untold, duplicates_told; /* DuplicatesSuppressed: to be told; in the batch */
    bool sweeping, open_told;
    uint64_t data_limit;
    struct cloudwatch_put *put; /* signed, not sent */
    /* of the run under way */
    struct ledger_id ids[PROTOCOL_OBJECTS_MAX];
    uint64_t tags[PROTOCOL_OBJECTS_MAX];
    struct counted_object *chosen[PROTOCOL_OBJECTS_MAX];
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

int64_t counted_now_ms(const struct counted *c);
bool counted_is_late(const struct counted *c);
bool counted_is_over(const struct counted *c);

/* ---- counted_read.c ---- */

NODISCARD enum status counted_host_read(void *ctx, const struct protocol_run *run,
                                        struct ledger_batch_data *out);

/* Payloads of sums and counters. */
NODISCARD enum status counted_encode(struct counted *c, struct aggregate *sums,
                                     const struct batch_counter *counters, size_t counter_count,
                                     struct ledger_batch_data *out);

/* The tag of the content that is there now; 0: it cannot be told. */
uint64_t counted_look(struct counted *c, const struct counted_object *o);

/* ---- counted_tell.c ---- */

/* The sums of the run that was read, with what else there is to tell. */
NODISCARD enum status counted_encode_run(struct counted *c, struct ledger_batch_data *out);
NODISCARD enum status counted_host_tell(void *ctx, const struct ledger_doubts *doubts,
                                        struct ledger_batch_data *out);

/* Publish InDoubtOpen and OldestOpenBatchAge, where there is something to say. */
void counted_tell_open(struct counted *c, const struct ledger_recovery *r);

/* ---- counted_send.c ---- */

void counted_forget_put(struct counted *c);
int64_t counted_wall_ms(void *ctx);
struct ledger_host counted_host(struct counted *c);

/* ---- counted_outcome.c ---- */

void counted_back(struct counted_object *o, enum status st, enum code code, int64_t after_ms,
                  const char *why);
bool counted_settle(struct counted *c, struct counted_object *o, enum protocol_object_state state,
                    enum status st);

/* Add a settled object to the sums of the round and to the receipt. */
void counted_note(struct counted *c, struct counted_object *o, struct round_summary *summary);
void counted_add_run(struct counted *c, struct round_summary *s);

#endif
