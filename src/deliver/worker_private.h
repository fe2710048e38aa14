/* worker_private.h: what the files of the worker share.  Of them only. */
#ifndef DELIVER_WORKER_PRIVATE_H
#define DELIVER_WORKER_PRIVATE_H

#include <pthread.h>

#include "deliver/worker.h"

struct worker;

/* One queue and its thread; it is never two rounds ahead of its answers. */
struct queue_worker {
    struct worker *worker;
    struct sqs_queue queue;
    struct view region;
    struct aws_client *receiver;  /* ends with the first signal */
    struct aws_client *finisher;  /* deletes and returns messages: until the very end */
    struct aws_client *heartbeat; /* of the heartbeat's thread */
    struct round *round;
    int receive_visibility_s; /* -1: the queue's */
    uint32_t visibility_s;
    /* of the round under way; arrays of batch_size */
    struct round_message *messages;
    struct view *receipts;
    uint64_t *receive_counts;
    struct sqs_messages **answers;
    struct view *done;             /* receipts to be deleted */
    struct sqs_visibility *failed; /* and those to be returned */
    enum status *each;             /* what the queue says to them */
    size_t count, answer_count, body_bytes;
    unsigned failures; /* of receiving, one after another */
    enum status ended; /* how the thread ended */
    pthread_t thread, heartbeat_thread;
    bool started, heartbeat_started;
    struct {
        pthread_mutex_t mutex;
        pthread_cond_t changed;
        size_t invisible; /* receipts to be kept so */
        bool busy;        /* the heartbeat is reading them */
        bool ended;
        struct worker_totals totals;
        int64_t polled_ms; /* last time the queue answered */
        uint64_t in_flight;
    } locked;
};

struct worker {
    const struct worker_options *options;
    struct queue_worker *queues;
    int64_t began_ms;
    struct ledger_session *ledger;             /* NULL: none */
    _Atomic bool ledger_broken;                /* its file failed: it has to be opened again */
    uint64_t sweep_interval_s;                 /* 0: never */
    int64_t recovered_ms, pruned_ms, swept_ms; /* of the first queue's thread */
};

/* ---- queue_worker.c ---- */

/* *q is zeroed; it is to be cleared in every case. */
NODISCARD enum status queue_worker_init(struct queue_worker *q, struct worker *w,
                                        const struct sqs_queue *queue, struct error *err);
void queue_worker_clear(struct queue_worker *q);

/* The queue's thread (a struct queue_worker): rounds until asked to stop. */
void *queue_worker_main(void *context);

/* ---- worker.c ---- */

/* Before a round of the first queue: sweep, and finish what others left, where it is time. */
void worker_tend_ledger(struct queue_worker *q);

/* All queues stop when the ledger's file has failed. */
bool worker_is_ledger_broken(struct worker *w);

/* ---- worker_metrics.c ---- */

/* For worker_http_source, of a struct worker. */
bool worker_health(void *context, struct buf *out);
void worker_metrics(void *context, struct buf *out);

#endif
