#include "aws/aws_clock.h"

#include <time.h>

static int64_t clock_ms(clockid_t id)
{
    struct timespec t;
    if (clock_gettime(id, &t) != 0)
        return 0;
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static int64_t system_wall(void *ctx)
{
    (void)ctx;
    return clock_ms(CLOCK_REALTIME);
}

static int64_t system_steady(void *ctx)
{
    (void)ctx;
    return clock_ms(CLOCK_MONOTONIC);
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
