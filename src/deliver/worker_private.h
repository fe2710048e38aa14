/* worker_private.h: what the files of the worker share.  Of them only. */
#ifndef DELIVER_WORKER_PRIVATE_H
#define DELIVER_WORKER_PRIVATE_H

#include <pthread.h>

#include "deliver/worker.h"

struct web_server;
struct worker;

/* An answer of the queue, whose bytes its messages are; messages NULL: free. */
struct answer {
    struct sqs_messages *messages;
    size_t left; /* of its messages, here */
};

/* A message that is here; answer NULL: none. */
struct slot {
    struct round_message message;
    struct view receipt;
    uint64_t receive_count;
    struct answer *answer;
    int64_t since_ms;
    bool extended; /* guarded by the mutex: the heartbeat keeps it invisible */
};

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
    struct slot *slots;
    struct answer *answers;
    struct view *done;             /* receipts to be deleted */
    struct sqs_visibility *failed; /* and those to be returned */
    enum status *each;             /* what the queue says to them */
    size_t count, body_bytes;      /* of all slots */
    /* Of a round that holds messages. */
    uint64_t max_hold_s;
    bool held, outage; /* outage: nothing is received meanwhile */
    int64_t hold_ms;   /* between two attempts */
    int64_t again_ms;  /* when the next one is, on the steady clock */
    unsigned failures; /* of receiving, one after another */
    enum status ended; /* how the thread ended */
    pthread_t thread, heartbeat_thread;
    bool started, heartbeat_started;
    struct {
        pthread_mutex_t mutex;
        pthread_cond_t changed;
        bool busy; /* the heartbeat is reading receipts */
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

/* Whether it is healthy, with a text for people; its counters as OpenMetrics text. */
bool worker_health(struct worker *w, struct buf *out);
void worker_metrics(struct worker *w, struct buf *out);

/* ---- worker_http.c ---- */

/* Serve both at options->listen.  Statuses as web_server_start. */
NODISCARD enum status worker_http_start(struct worker *w, struct web_server **out,
                                        struct error *err);

#endif
