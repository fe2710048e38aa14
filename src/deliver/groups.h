/*
 * groups.h: delivery at least once: messages in groups whose data fit one request.
 *
 * A request that fails fails exactly the messages whose data were in it.  Only a single message
 * with more data than a request takes is spread over several.  With `hold` the groups of a request
 * that was certainly not taken are kept, and with them all that were not tried, for another
 * groups_publish.
 */
#ifndef DELIVER_GROUPS_H
#define DELIVER_GROUPS_H

#include "deliver/round.h"

struct groups;

/* NULL: no memory. */
struct groups *groups_new(const struct run_settings *settings);
void groups_free(struct groups *g); /* NULL does nothing */

/* The sums of one whole message join the last group, or a new one; *sums is empty then.  Any thread
 * may.  ST_NO_MEMORY: the message is not in, or fails when it is published. */
NODISCARD enum status groups_join(struct groups *g, struct round_message *m,
                                  struct aggregate *sums);

struct groups_publishing {
    struct publish_sink *sink;
    int64_t now_s;
    bool ordered; /* of a FIFO queue: nothing is published after a failure */
    bool hold;
    enum status earlier; /* other than ST_OK: nothing is tried, and everything kept */
    /* Whether it is too late for another request. */
    bool (*is_over)(void *context);
    void *context;
};

/*
 * Publish what joined.  Messages that fail are given their status, logged and counted; those that
 * are kept have `held` set.  ST_OK: nothing failed in a way that all requests would.
 */
enum status groups_publish(struct groups *g, const struct groups_publishing *how,
                           struct round_summary *summary, struct error *err);

/* Whether groups are kept. */
bool groups_hold(const struct groups *g);

/* Return the messages of all that are kept. */
void groups_give_up(struct groups *g, enum status st, const struct error *err,
                    struct round_summary *summary);

#endif
