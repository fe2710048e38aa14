/* sweep_enqueue.h: what a sweep found, sent to the queue instead of being counted here. */
#ifndef CLI_SWEEP_ENQUEUE_H
#define CLI_SWEEP_ENQUEUE_H

#include "ledger/exact_round.h"

struct sweep_enqueue; /* a queue, and clients for it and for the buckets' listings */

/* `queue` NULL: SQS_QUEUE_URL, which has to name one.  ST_USAGE quotes what is wrong.  *aws
 * outlives it. */
NODISCARD enum status sweep_enqueue_open(struct sweep_enqueue **out, const char *queue,
                                         const struct settings_aws *aws, struct aws_stop stop,
                                         struct error *err);
void sweep_enqueue_close(struct sweep_enqueue *q); /* NULL does nothing */

/* The clients that list this bucket, by ROLE_ARN: for sweep_options.pool. */
struct aws_pool *sweep_enqueue_pool(void *ctx, struct view bucket);

/* Send an event for each: for sweep_options.send.  After a failure some may be sent. */
NODISCARD enum status sweep_enqueue_send(void *ctx, const struct round_object *objects, size_t n,
                                         struct error *err);

#endif
