/*
 * round.h: messages in, metrics out: decode, read, count, publish, and what becomes of each
 * message.
 *
 * A message counts whole or not at all: if one of its objects cannot be read it comes back with all
 * of them, and nothing of it is in the sums.  Messages are gathered into groups whose data fit one
 * request, so a request that fails fails exactly the messages whose data were in it.  (Only a
 * single message with more data than a request takes is spread over several.)
 *
 * Without a ledger delivery is at least once: a message that comes back after its request was in
 * doubt may count twice.  With one every object counts exactly once, on its own (counted.h), and
 * all is done in round_publish.
 */
#ifndef DELIVER_ROUND_H
#define DELIVER_ROUND_H

#include "config/settings.h"
#include "events/event_body.h"
#include "ledger/receipt.h"
#include "publish/publish_cloudwatch.h"

struct round_message {
    struct view id;                  /* for log lines */
    struct view body;                /* as event_body_parse takes it */
    const struct event_body *parsed; /* instead of `body` when not NULL */
    bool ordered;                    /* of a FIFO queue: nothing counts behind a failure */

    /* Set by round_add and round_publish.  ST_OK: done.  Anything else: it has to come back. */
    enum status status;
    struct error err;       /* why */
    int64_t retry_after_ms; /* when coming back makes sense; 0: nothing known */
};

struct round_summary {
    uint64_t messages, back;
    uint64_t test_events, other_events;
    struct tally tally; /* of messages that were read; those that fail later stay in it */
    u128 tokens;        /* published; 0 for what failed */
    u128 invocations;
    /* Counted in Regions that are not allowed, with ALLOW_INFERENCE_REGIONS. */
    u128 elsewhere_tokens, elsewhere_invocations;
    struct publish_result published;
    uint64_t partial; /* groups that failed after some of their data were accepted */
    uint64_t series_folded;
    struct batch_dropped dropped;
    int64_t ms_read, ms_publish;
    struct receipt digest; /* of the objects counted by way of the ledger */
};

/* Its part of sums that were published. */
void round_summary_add_elsewhere(struct round_summary *into, const u128 sum[METRIC_COUNT]);

/* a + b, for totals over rounds. */
void round_summary_add(struct round_summary *into, const struct round_summary *from);

struct aws_pool;
struct byte_stream;
struct round_object;
struct ledger_session;

struct round_options {
    struct run_settings *settings; /* outlives the round */
    const struct settings_aws *aws;
    unsigned readers;           /* objects read at a time */
    struct aws_stop stop;       /* no new message is begun once asked */
    struct aws_stop stop_calls; /* calls for objects under way end too */
    struct aws_stop stop_publish;
    int emf_fd;                    /* where PUBLISHER=emf writes */
    struct ledger_session *ledger; /* NULL: at least once */
    /* With a ledger: how to open what is in no bucket (counted.h); may be NULL. */
    enum status (*open)(const struct round_object *object, struct byte_stream **stream,
                        struct error *err);
};

struct round; /* used for one round after another, by one thread */

NODISCARD enum status round_new(struct round **out, const struct round_options *options,
                                struct error *err);
void round_free(struct round *r); /* NULL does nothing */

/* When reading and publishing have to end, on the steady clock; INT64_MAX: never (the start). */
void round_set_deadlines(struct round *r, int64_t read_ms, int64_t publish_ms);

/* After a freeze: kept connections are stale. */
void round_forget_connections(struct round *r);

/* The client requests to CloudWatch go through, for other calls between rounds. */
struct aws_client *round_client(struct round *r);

/* The clients that read this bucket, by ROLE_ARN.  None is taken between rounds. */
struct aws_pool *round_pool(struct round *r, struct view bucket);

/* What counts by way of the ledger, for recovery and commands; NULL without one. */
struct exact_round *round_exact(struct round *r);

/*
 * Read and count messages, several at a time.  They must stay where they are until round_publish
 * has returned.  May be called several times in a round.
 */
void round_add(struct round *r, struct round_message *messages, size_t n);

/*
 * Publish what was added and end the round; the summary is of all of it.  Logs every message that
 * comes back with its reason, and one line of sums.
 */
void round_publish(struct round *r, struct round_summary *summary);

/*
 * For `aggregate --publish`: publish sums that are there already.  The first sets of *agg are those
 * of options->settings, kept with statistics in buckets of its resolution; series beyond the cap
 * are folded in *agg.  ST_OK: all is accepted; else as publish_cloudwatch, and *summary
 * says how far it came.  Logs the line of sums.
 */
NODISCARD enum status round_publish_sums(const struct round_options *options, struct aggregate *agg,
                                         struct round_summary *summary, struct error *err);

#endif
