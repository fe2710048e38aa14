/*
 * event_sqs.h: what Lambda hands over from a queue, and the answer it wants.
 *
 * AWS: Lambda developer guide, "Using Lambda with Amazon SQS" and "Handling errors for an SQS event
 * source": with ReportBatchItemFailures the answer is a partial batch response: it names the messages
 * that are to be retried; an empty list means all are done.
 */
#ifndef EVENTS_EVENT_SQS_H
#define EVENTS_EVENT_SQS_H

#include "base/buf.h"
#include "base/status.h"
#include "base/view.h"

enum { EVENT_MAX_PAYLOAD_BYTES = 6 * 1024 * 1024 }; /* Lambda's largest invocation payload */

struct event_pool;

struct event_message {
    struct view message_id; /* never empty */
    struct view receipt_handle;
    struct view body; /* for event_body_parse; empty when missing, so that this message fails */
    struct view queue_arn;
    struct view region;     /* of the queue; empty or valid */
    struct view group_id;   /* FIFO queues */
    uint64_t receive_count; /* ApproximateReceiveCount; 0 when unknown */
    bool is_fifo;
};

struct event_sqs {
    struct event_message *messages;
    size_t nmessages;
    struct event_pool *texts; /* owns every text above */
};

/* Release; a zeroed or cleared struct may be cleared too. */
void event_sqs_clear(struct event_sqs *sqs);

/*
 * failed[i] says that message i was not finished; there are nmessages of them.  For a FIFO queue
 * every message after the first failed one is marked too: done ones among them are delivered again,
 * which is the price of order.
 */
void event_sqs_spread_failures(const struct event_sqs *sqs, bool *failed);

/* Append {"batchItemFailures":[{"itemIdentifier":"..."},...]} to *out; check buf_status. */
void event_sqs_write_answer(const struct event_sqs *sqs, const bool *failed, struct buf *out);

#endif
