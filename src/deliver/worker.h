/*
 * worker.h: polls queues until asked to stop: receive, read, publish, delete.
 *
 * Each queue has a thread with rounds of its own, so a Region in trouble does not hold up the
 * others.  A round takes messages until it is full or FLUSH_INTERVAL old, and nothing is received
 * while it is published: the queue is the only buffer, and memory stays flat.  While a round has
 * messages their visibility is extended.
 */
#ifndef DELIVER_WORKER_H
#define DELIVER_WORKER_H

#include "aws/sqs.h"
#include "deliver/round.h"
#include "ledger/run_receipt.h"

enum {
    /* After being asked to stop: objects under way may end, publishing may begin, and messages
     * may be deleted or returned, until so many milliseconds have passed.  A send takes at most eight seconds. */
    WORKER_STOP_READING_MS = 1000,
    WORKER_STOP_PUBLISHING_MS = 1500,
    WORKER_STOP_ALL_MS = 9500,
};

struct worker_options {
    struct run_settings *settings;
    const struct settings_aws *aws;
    const struct sqs_queue *queues;
    size_t queue_count;
    bool once;                /* end when every queue is empty */
    const char *listen;       /* "ADDR:PORT" for /healthz and /metrics; NULL: none */
    const char *allowed_host; /* a name that /metrics may be asked by; NULL: none */
};

/* What all queues came to. */
struct worker_totals {
    struct round_summary rounds;
    uint64_t round_count, deleted, delete_failures, receive_failures;
    const char *delivery;       /* "exactly-once" with a ledger */
    struct run_receipt receipt; /* of all queues; empty without a ledger */
    int signal;                 /* that asked to stop; 0: none did */
};

/*
 * With LEDGER everything counts exactly once (ledger_session.h), and what an earlier process left
 * unfinished is finished first.  With SWEEP_INTERVAL (seconds, 0: never) it also compares the
 * listing of its buckets with the ledger, at the start and then so often (sweep.h).
 *
 * SIGTERM and SIGINT end it in order, a second one at once.  ST_OK: asked to stop, or (once) all
 * queues are drained.  ST_RETRY: once, and a queue could not be polled to its end.  ST_USAGE:
 * `listen`, or nothing can be made of the configuration; *err says why.
 */
NODISCARD enum status worker_run(const struct worker_options *options, struct worker_totals *totals,
                                 struct error *err);

#endif
