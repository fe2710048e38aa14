/*
 * event_direct.h: what an invocation of the Lambda function may hold.
 *
 * Besides a queue's envelope the function can be invoked by S3, SNS or EventBridge without a queue,
 * by a person with the body of a message, or by a schedule with a command.
 */
#ifndef EVENTS_EVENT_DIRECT_H
#define EVENTS_EVENT_DIRECT_H

#include "events/event_body.h"
#include "events/event_sqs.h"

enum event_kind {
    EVENT_QUEUE,   /* `sqs`: messages, to be answered with event_sqs_write_answer */
    EVENT_OBJECTS, /* `body`: objects; the invocation fails or succeeds as a whole */
    EVENT_COMMAND, /* `command` and its options: {"command":"sweep","prefix":"AWSLogs/"} */
};

struct event_option {
    struct view name;
    struct view value; /* numbers and booleans as JSON writes them; null options are left out */
};

struct event_direct {
    enum event_kind kind;
    struct event_sqs sqs;
    struct event_body body;
    struct view command;
    struct event_option *options; /* in no particular order; names are distinct */
    size_t noptions;
    struct event_pool *texts; /* owns the command's texts */
};

/*
 * ST_BAD_ITEM: none of these (a mixture of sources included); the invocation fails and *err says
 * why.  ST_TOO_BIG: beyond 6 MiB or the ceilings of event_json.h.  On failure *out is cleared.
 */
NODISCARD enum status event_direct_parse(struct view payload, struct event_direct *out,
                                         struct error *err);
/* Release; a zeroed or cleared struct may be cleared too. */
void event_direct_clear(struct event_direct *direct);

/* The command's option, or VIEW_EMPTY with ptr NULL. */
struct view event_direct_option(const struct event_direct *direct, const char *name);

#endif
