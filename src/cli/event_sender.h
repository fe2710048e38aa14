/*
 * event_sender.h: objects that exist already, sent as S3 events to a queue.
 *
 * Objects are gathered into messages and messages into calls of SQS.  At least once: a batch whose
 * answer was lost is sent again; in a FIFO queue the same objects within five minutes are one
 * message.
 */
#ifndef CLI_EVENT_SENDER_H
#define CLI_EVENT_SENDER_H

#include "aws/sqs.h"
#include "events/event_body.h"

enum { EVENT_SENDER_MAX_PER_MESSAGE = 100 };

struct event_sender;

struct event_sender_options {
    struct sqs_queue queue;
    struct aws_client *client; /* outlives it; NULL: everything but sending is done */
    size_t per_message;        /* objects, 1..EVENT_SENDER_MAX_PER_MESSAGE */
};

struct event_sender *event_sender_new(
    const struct event_sender_options *options); /* NULL: memory */
void event_sender_free(struct event_sender *s); /* what is pending is not sent; NULL does nothing */

/* Of the object bucket, key, etag, region and size count; key and etag are copied.  As sqs_send. */
NODISCARD enum status event_sender_add(struct event_sender *s, const struct event_object *object,
                                       struct error *err);

/* Send what is pending.  After a failure some of it may be sent. */
NODISCARD enum status event_sender_flush(struct event_sender *s, struct error *err);

/* Objects added and not sent yet: 0 means that every one so far is in the queue. */
size_t event_sender_pending(const struct event_sender *s);

uint64_t event_sender_messages(const struct event_sender *s); /* sent */

#endif
