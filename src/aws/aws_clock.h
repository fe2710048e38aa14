/* aws_clock.h: the two clocks and the sleep of the AWS layer, so that tests bring their own. */
#ifndef AWS_AWS_CLOCK_H
#define AWS_AWS_CLOCK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct aws_clock {
    /* Milliseconds since 1970-01-01T00:00:00Z.  Used for signatures and expiry. */
    int64_t (*wall_ms)(void *ctx);
    /* Milliseconds since any fixed moment, never stepping back.  Used for deadlines. */
    int64_t (*steady_ms)(void *ctx);
    /* Wait.  May return early. */
    void (*sleep_ms)(void *ctx, uint32_t ms);
    void *ctx;
};

/* The machine's clocks. */
struct aws_clock aws_clock_system(void);

/* Asked while waiting (at least ten times a second): true makes the call end with ST_CANCELLED. */
struct aws_stop {
    bool (*asked)(void *ctx); /* NULL: never */
    void *ctx;
};

static inline bool aws_stop_asked(const struct aws_stop *stop)
{
    return stop != NULL && stop->asked != NULL && stop->asked(stop->ctx);
}

#endif
