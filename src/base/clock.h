/*
 * clock.h: the machine's two clocks in milliseconds.  Computations take a time as an argument; these
 * are for their callers.  Both may be asked in a signal handler.
 */
#ifndef BASE_CLOCK_H
#define BASE_CLOCK_H

#include <stdint.h>
#include <time.h>

/* One clock; 0 where the machine has none, which no Linux lacks. */
static inline int64_t clock_ms(clockid_t id)
{
    struct timespec t = {0};
    (void)clock_gettime(id, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* Since any fixed moment, never stepping back: for deadlines and durations. */
static inline int64_t clock_steady_ms(void)
{
    return clock_ms(CLOCK_MONOTONIC);
}

/* Since 1970-01-01T00:00:00Z, set by people and NTP: for what is signed, shown or stored. */
static inline int64_t clock_wall_ms(void)
{
    return clock_ms(CLOCK_REALTIME);
}

#endif
