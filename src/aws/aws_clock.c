/*
 * aws_clock.c: the real clocks as an aws_clock.  The layer never asks the machine for the time
 * directly, so a test of retries and expiry needs no second of waiting.
 */
#include "aws/aws_clock.h"

#include "base/clock.h"

static int64_t system_wall(void *ctx)
{
    (void)ctx;
    return clock_wall_ms();
}

static int64_t system_steady(void *ctx)
{
    (void)ctx;
    return clock_steady_ms();
}

static void system_sleep(void *ctx, uint32_t ms)
{
    (void)ctx;
    struct timespec t = {.tv_sec = (time_t)(ms / 1000), .tv_nsec = (long)(ms % 1000) * 1000000};
    nanosleep(&t, NULL);
}

struct aws_clock aws_clock_system(void)
{
    return (struct aws_clock){system_wall, system_steady, system_sleep, NULL};
}
