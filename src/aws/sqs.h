/* sqs.h: queues, JSON protocol 1.0. */
#ifndef AWS_SQS_H
#define AWS_SQS_H

#include "aws/aws_call.h"

enum { SQS_MAX_BATCH = 10, SQS_MAX_BODY = 1024 * 1024, SQS_MAX_URL = 512 };

/* A parsed queue URL; by value, nothing to free. */
struct sqs_queue {
    char url[SQS_MAX_URL + 1];
    char region[33]; /* from the host name; "" for a loopback URL: the configured one */
    char endpoint[SQS_MAX_URL + 1]; /* where to post; "": the service's own for the Region */
    char name[81];
    char account[13]; /* "" when the path has none */
    bool fifo;
};

/*
 * https://sqs.REGION.SUFFIX/ACCOUNT/NAME, the legacy REGION.queue.SUFFIX and queue.amazonaws.com, a
 * VPC endpoint (vpce-*.sqs.REGION.vpce.SUFFIX), or http://LOOPBACK... for emulators, or any host
 * when an SQS endpoint override is configured (config may be NULL): requests then go to the
 * override. ST_USAGE: anything else.
 */
NODISCARD enum status sqs_queue_parse(struct view url, const struct aws_config *config,
                                      struct sqs_queue *out, struct error *err);

struct sqs_message {
    struct view message_id;
    struct view receipt_handle;
    struct view body;
    struct view group_id; /* FIFO; else empty */
    uint64_t receive_count;
};

/* What one receive brought. */
struct sqs_messages {
    struct json_t *doc; /* owns the texts of the messages */
    size_t n;
    struct sqs_message all[SQS_MAX_BATCH];
};

struct sqs_receive {
    unsigned max_messages; /* 1..10 */
    unsigned wait_s;       /* 0..20: long poll */
    int visibility_s;      /* -1: the queue's */
};

/* ST_OK also for no message.  *out must be freed by sqs_messages_free(). A message whose MD5OfBody
 * does not match its body makes the call ST_RETRY. */
NODISCARD enum status sqs_receive(struct aws_client *c, const struct sqs_queue *q,
                                  const struct sqs_receive *options, struct sqs_messages **out,
                                  struct error *err);
void sqs_messages_free(struct sqs_messages *m);

/*
 * The three batch calls take any n and send tens.  each[i] says what became of entry i: ST_OK,
 * ST_RETRY (not done, may be tried again), ST_MISSING (the receipt handle is no longer good),
 * ST_BAD_ITEM.  The result is ST_OK when all are, else the first failure; entries never sent are
 * ST_RETRY.
 */
NODISCARD enum status sqs_delete(struct aws_client *c, const struct sqs_queue *q,
                                 const struct view *receipts, size_t n, enum status *each,
                                 struct error *err);

struct sqs_visibility {
    struct view receipt_handle;
    uint32_t seconds; /* 0..43200 from now */
};
/* Make messages visible after so many seconds from now: 0 gives them back at once. */
NODISCARD enum status sqs_change_visibility(struct aws_client *c, const struct sqs_queue *q,
                                            const struct sqs_visibility *entries, size_t n,
                                            enum status *each, struct error *err);

struct sqs_outgoing {
    struct view body;     /* UTF-8, at most SQS_MAX_BODY; batches are split by size too */
    struct view group_id; /* FIFO only */
    struct view dedup_id; /* FIFO only */
};
/* At least once: a batch whose answer was lost is sent again. */
NODISCARD enum status sqs_send(struct aws_client *c, const struct sqs_queue *q,
                               const struct sqs_outgoing *entries, size_t n, enum status *each,
                               struct error *err);

struct sqs_attributes {
    uint64_t visible, in_flight, delayed; /* approximate numbers */
    uint64_t visibility_timeout_s;
    uint64_t retention_s;
    uint64_t receive_wait_s;
    uint64_t max_receive_count; /* 0: no redrive policy */
    char dead_letter_arn[256];  /* "" none */
    char arn[256];
    bool fifo;
    bool encrypted;
    struct buf policy; /* JSON text as stored; empty: none */
};
/* Free what sqs_attributes() filled in. */
void sqs_attributes_clear(struct sqs_attributes *a);
/* *out is overwritten; cleared with sqs_attributes_clear(). */
NODISCARD enum status sqs_attributes(struct aws_client *c, const struct sqs_queue *q,
                                     struct sqs_attributes *out, struct error *err);

#endif
