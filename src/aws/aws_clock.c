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
