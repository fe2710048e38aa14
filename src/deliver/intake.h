/*
 * intake.h: queue messages as objects to be read, and what becomes of each: one way for rounds with
 * and without a ledger, so that both name the same outcomes and write the same lines.
 *
 *   intake_open    parse, check the bucket, skip by key
 *   (read)         whoever counts sets status, error and tally of the objects
 *   intake_judge   the message's status from those of its objects
 *   intake_close   the balance, the log
 */
#ifndef DELIVER_INTAKE_H
#define DELIVER_INTAKE_H

#include "deliver/round.h"

struct intake_message {
    struct round_message *message;
    struct event_body own; /* when it was parsed here */
    /* Those that are not skipped by their key.  One that is decided already, such as one of a
     * foreign bucket, has a tally with one object found. */
    struct round_object *objects;
    size_t count;
    struct tally tally;                 /* of the other objects */
    uint64_t test_events, other_events; /* of the message */
};

static inline bool intake_is_decided(const struct round_object *o)
{
    return o->read.tally.objects.found > 0;
}

/* It needs no other look: it was read, or is gone. */
static inline bool intake_is_good(const struct round_object *o)
{
    return intake_is_decided(o) && (o->read.status == ST_OK || o->read.status == ST_MISSING);
}

/* *im is set.  What is wrong with the message or its objects is noted in them. */
void intake_open(struct intake_message *im, struct round_message *m, struct view buckets);

/* Set m->err, and return `st`: "object: reason", cut where it is long. */
enum status intake_fail(struct round_message *m, enum status st, enum code code, struct view object,
                        const char *reason);

/* A message that is ST_OK so far fails as its objects do, a failure that will not pass first. */
void intake_judge(struct intake_message *im);

/*
 * Add the message to the sums, and log what failed.  `whole`: objects of a message that fails fail
 * with it, which is their reason, returned_with_message.  Frees what *im holds.
 */
void intake_close(struct intake_message *im, bool whole, struct round_summary *summary);

/* Free what *im holds, without saying anything. */
void intake_forget(struct intake_message *im);

/* The message, whose status and err are set, is returned to the queue: count and log it. */
void intake_return(const struct round_message *m, struct round_summary *summary);

#endif
