/*
 * retry.h: how often, how soon, and when not to.
 *
 * The "standard" mode of the AWS SDKs: at most AWS_MAX_ATTEMPTS attempts (3), before attempt i+1 a
 * pause drawn from [0, min(20 s, 2^(i-1) s)] (full jitter), never shorter than a Retry-After, and a
 * budget of retries so that an outage is not multiplied by its callers.
 */
#ifndef AWS_RETRY_H
#define AWS_RETRY_H

#include "aws/aws_clock.h"
#include "base/status.h"
#include "base/view.h"

/*
 * Token bucket shared by all threads of a process: 500 tokens, a retry costs 5, one after a
 * timeout 10; a success gives back what its last retry took, or 1.  Empty: no retries, the call
 * fails at once.
 */
struct retry_budget;
NODISCARD enum status retry_budget_new(struct retry_budget **out);
void retry_budget_free(struct retry_budget *b);
unsigned retry_budget_tokens(struct retry_budget *b);

/* Upper bound of the pause before attempt `attempt` + 1 (attempt counts from 1), in ms. */
uint32_t retry_ceiling_ms(unsigned attempt);

/*
 * Retry-After: seconds or an HTTP date against now_s; x-amz-retry-after: milliseconds.  0 if
 * unusable; never more than 60 s.
 */
uint32_t retry_after_ms(struct view header, int64_t now_s);
uint32_t retry_after_amz_ms(struct view header);

/* "Sun, 06 Nov 1994 08:49:37 GMT" (RFC 9110 IMF-fixdate).  ST_BAD_ITEM for anything else. */
NODISCARD enum status retry_parse_http_date(struct view text, int64_t *seconds);

/* The state of one call over its attempts; by value, nothing to free. */
struct retry {
    struct retry_budget *budget; /* NULL: unlimited */
    const struct aws_clock *clock;
    const struct aws_stop *stop; /* may be NULL */
    int64_t deadline_ms;         /* on clock->steady_ms; INT64_MAX: none */
    unsigned max_attempts;       /* >= 1 */
    unsigned attempt;            /* of the attempt under way, from 1 */
    unsigned last_cost;
    uint64_t random; /* state of the jitter */
};

/* seed: anything; 0 takes one from the system. */
void retry_init(struct retry *r, struct retry_budget *budget, const struct aws_clock *clock,
                const struct aws_stop *stop, unsigned max_attempts, int64_t deadline_ms,
                uint64_t seed);

/*
 * The attempt failed in a way that may pass.  Waits and returns ST_OK when there shall be another;
 * ST_RETRY when attempts, budget or the time until the deadline are used up (no wait);
 * ST_CANCELLED when asked to stop.  *waited_ms (may be NULL) says how long.
 */
NODISCARD enum status retry_wait(struct retry *r, bool was_timeout, uint32_t at_least_ms,
                                 uint32_t *waited_ms);

/* The attempt succeeded: refill the budget. */
void retry_succeeded(struct retry *r);

#endif
