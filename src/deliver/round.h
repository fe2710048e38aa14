/*
 * round.h: messages in, metrics out: decode, read, count, publish, and what becomes of each
 * message.
 *
 * Without a ledger delivery is at least once.  A message counts whole or not at all: if one of its
 * objects cannot be read, it is returned to the queue with all of them, and nothing of it is in the
 * sums (groups.h).  A message whose request was in doubt may count twice.
 *
 * With a ledger every object counts exactly once, on its own (exact_round.h), and all is done in
 * round_publish.
 *
 * With `hold` a fault that may pass (throttling, 5xx, network, a request that was refused) keeps
 * the message in the round: what was read of it stays in the sums, only what failed is tried again.
 * After a request that failed or is in doubt no data are sent before CloudWatch has answered one
 * without data (cloudwatch_probe), so that an outage costs at most one doubtful request.
 */
#ifndef DELIVER_ROUND_H
#define DELIVER_ROUND_H

#include "events/event_body.h"
#include "ledger/exact_round.h"

struct round_message {
    struct view id;                  /* for log lines */
    struct view body;                /* as event_body_parse takes it */
    const struct event_body *parsed; /* instead of `body` when not NULL */
    bool ordered;                    /* of a FIFO queue: nothing counts after a failure */

    /* Set by round_add and round_publish.  ST_OK: done.  Anything else: to be returned, or, where
     * `held` is set, tried again by the next round_publish: it has to stay where it is. */
    enum status status;
    bool held;
    struct error err;       /* why */
    int64_t retry_after_ms; /* when another attempt makes sense; 0: nothing known */
};

struct round_options {
    struct run_settings *settings; /* outlives the round */
    const struct settings_aws *aws;
    unsigned readers;           /* objects read at a time */
    struct aws_stop stop;       /* no new message is begun once asked */
    struct aws_stop stop_calls; /* calls for objects under way end too */
    struct aws_stop stop_publish;
    int emf_fd; /* where PUBLISHER=emf writes */
    bool hold;
    struct ledger_session *ledger; /* NULL: at least once */
    /* With a ledger, as in exact_round_options; may be NULL. */
    enum status (*open)(const struct round_object *object, struct byte_stream **stream,
                        struct error *err);
    const struct counter_options *counter;
    struct exact_report *report;
};

struct round; /* used for one round after another, by one thread */

/* ST_USAGE: settings that do not go together; others as the AWS clients and the ledger say. */
NODISCARD enum status round_new(struct round **out, const struct round_options *options,
                                struct error *err);
void round_free(struct round *r); /* NULL does nothing */

/* When reading and publishing have to end, on the steady clock; INT64_MAX: never (the start). */
void round_set_deadlines(struct round *r, int64_t read_ms, int64_t publish_ms);

/* After a freeze: kept connections are stale. */
void round_forget_connections(struct round *r);

/* The client requests to CloudWatch go through, for other calls between rounds. */
struct aws_client *round_client(struct round *r);

/* What counts through the ledger, for recovery and commands; NULL without one. */
struct exact_round *round_exact(struct round *r);

/*
 * Read and count messages, several at a time.  They must stay where they are until round_publish
 * has returned and they are not held.  May be called several times in a round.
 */
void round_add(struct round *r, struct round_message *const *messages, size_t n);

/*
 * Try again what was held before, publish what was added, and end the round but for what is held;
 * the summary is of what ended.  Logs every object that failed and every message that is returned
 * with its reason, and one line of sums.
 */
void round_publish(struct round *r, struct round_summary *summary);

/* What keeps a round that holds from ending. */
struct round_state {
    size_t unread;          /* messages with objects that could not be read */
    bool unsent;            /* sums that could not be published */
    bool halted;            /* nothing is sent before a probe has succeeded */
    int64_t retry_after_ms; /* when another attempt makes sense; 0: nothing known */
    struct error why;
};
struct round_state round_state(const struct round *r);

/* Return all that is held, as round_publish would: ST_CANCELLED where the process was asked to stop,
 * else ST_RETRY. */
void round_give_up(struct round *r, bool stopped, struct round_summary *summary);

#endif
