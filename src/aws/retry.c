/*
 * retry.c: pauses with full jitter, and a budget of retries for the whole process.
 *
 * Why a budget: when a service is down, three attempts each would triple the load on it.  The
 * bucket empties after a hundred failed retries; from then on calls fail at the first attempt
 * until successes have filled it again.  ("Exponential Backoff And Jitter", AWS Architecture Blog;
 * retry quota of the SDKs' standard mode.)
 */
#include "aws/retry.h"

#include <pthread.h>
#include <stdlib.h>
#include <sys/random.h>

#include "base/rfc3339.h"

/* The figures of the AWS SDKs' standard mode (botocore, retries/standard.py and quota.py). */
enum {
    BUDGET = 500,
    COST = 5,
    COST_TIMEOUT = 10,
    REFILL = 1,
    BASE_MS = 1000,
    CAP_MS = 20000,
    SLICE_MS = 100,             /* how often a wait looks at aws_stop */
    MAX_RETRY_AFTER_MS = 60000, /* a server must not be able to park us for hours */
};

struct retry_budget {
    struct {
        pthread_mutex_t mutex;
        unsigned tokens;
    } locked;
};

enum status retry_budget_new(struct retry_budget **out)
{
    *out = NULL;
    struct retry_budget *b = calloc(1, sizeof(*b));
    if (b == NULL)
        return ST_NO_MEMORY;
    pthread_mutex_init(&b->locked.mutex, NULL);
    b->locked.tokens = BUDGET;
    *out = b;
    return ST_OK;
}

void retry_budget_free(struct retry_budget *b)
{
    if (b == NULL)
        return;
    pthread_mutex_destroy(&b->locked.mutex);
    free(b);
}

unsigned retry_budget_tokens(struct retry_budget *b)
{
    pthread_mutex_lock(&b->locked.mutex);
    unsigned tokens = b->locked.tokens;
    pthread_mutex_unlock(&b->locked.mutex);
    return tokens;
}

static bool budget_take(struct retry_budget *b, unsigned cost)
{
    if (b == NULL)
        return true;
    pthread_mutex_lock(&b->locked.mutex);
    bool ok = b->locked.tokens >= cost;
    if (ok)
        b->locked.tokens -= cost;
    pthread_mutex_unlock(&b->locked.mutex);
    return ok;
}

uint32_t retry_ceiling_ms(unsigned attempt)
{
    if (attempt == 0)
        return 0;
    if (attempt - 1 >= 5) /* 2^5 s is beyond the cap */
        return CAP_MS;
    uint32_t ms = (uint32_t)BASE_MS << (attempt - 1);
    return ms > CAP_MS ? CAP_MS : ms;
}

enum status retry_parse_http_date(struct view text, int64_t *seconds)
{
    /* Sun, 06 Nov 1994 08:49:37 GMT
     *      ^5 ^8  ^12  ^17         ^25 */
    static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
    if (text.len != 29 || !view_eq_cstr(view_make(text.ptr + 25, 4), " GMT") ||
        text.ptr[3] != ',' || text.ptr[19] != ':' || text.ptr[22] != ':')
        return ST_BAD_ITEM;
    unsigned month = 0;
    for (unsigned m = 0; m < 12; m++)
        if (memcmp(months + (size_t)m * 3, text.ptr + 8, 3) == 0)
            month = m + 1;
    uint64_t day = 0;
    uint64_t year = 0;
    uint64_t h = 0;
    uint64_t m = 0;
    uint64_t s = 0;
    if (month == 0 || view_parse_u64(view_make(text.ptr + 5, 2), 31, &day) || day == 0 ||
        view_parse_u64(view_make(text.ptr + 12, 4), 9999, &year) ||
        view_parse_u64(view_make(text.ptr + 17, 2), 23, &h) ||
        view_parse_u64(view_make(text.ptr + 20, 2), 59, &m) ||
        view_parse_u64(view_make(text.ptr + 23, 2), 60, &s))
        return ST_BAD_ITEM;
    *seconds = rfc3339_days((int64_t)year, month, (unsigned)day) * 86400 +
               (int64_t)(h * 3600 + m * 60 + s);
    return ST_OK;
}

uint32_t retry_after_ms(struct view header, int64_t now_s)
{
    uint64_t seconds = 0;
    int64_t date = 0;
    header = view_trim(header);
    if (header.len == 0)
        return 0;
    if (view_parse_u64(header, MAX_RETRY_AFTER_MS / 1000, &seconds) == ST_OK)
        return (uint32_t)seconds * 1000;
    if (view_parse_u64(header, UINT64_MAX, &seconds) == ST_OK)
        return MAX_RETRY_AFTER_MS;
    if (retry_parse_http_date(header, &date) != ST_OK || date <= now_s)
        return 0;
    return date - now_s > MAX_RETRY_AFTER_MS / 1000 ? MAX_RETRY_AFTER_MS
                                                    : (uint32_t)(date - now_s) * 1000;
}

uint32_t retry_after_amz_ms(struct view header)
{
    uint64_t ms = 0;
    header = view_trim(header);
    if (header.len == 0 || view_parse_u64(header, UINT64_MAX, &ms) != ST_OK)
        return 0;
    return ms > MAX_RETRY_AFTER_MS ? MAX_RETRY_AFTER_MS : (uint32_t)ms;
}

void retry_init(struct retry *r, struct retry_budget *budget, const struct aws_clock *clock,
                const struct aws_stop *stop, unsigned max_attempts, int64_t deadline_ms,
                uint64_t seed)
{
    *r = (struct retry){.budget = budget,
                        .clock = clock,
                        .stop = stop,
                        .deadline_ms = deadline_ms,
                        .max_attempts = max_attempts == 0 ? 1 : max_attempts,
                        .attempt = 1,
                        .random = seed};
    if (seed == 0 && getrandom(&r->random, sizeof(r->random), GRND_NONBLOCK) < 0)
        r->random = (uint64_t)clock->steady_ms(clock->ctx) * 0x9E3779B97F4A7C15u + 1;
}

/* splitmix64: jitter needs no better, and a seed makes tests repeat. */
static uint64_t next_random(struct retry *r)
{
    uint64_t z = (r->random += 0x9E3779B97F4A7C15u);
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
    return z ^ (z >> 31);
}

enum status retry_wait(struct retry *r, bool was_timeout, uint32_t at_least_ms, uint32_t *waited_ms)
{
    if (waited_ms != NULL)
        *waited_ms = 0;
    if (aws_stop_asked(r->stop))
        return ST_CANCELLED;
    if (r->attempt >= r->max_attempts)
        return ST_RETRY;
    uint32_t pause = (uint32_t)(next_random(r) % ((uint64_t)retry_ceiling_ms(r->attempt) + 1));
    if (pause < at_least_ms)
        pause = at_least_ms;
    int64_t now = r->clock->steady_ms(r->clock->ctx);
    if (r->deadline_ms != INT64_MAX && now + pause >= r->deadline_ms)
        return ST_RETRY;
    unsigned cost = was_timeout ? COST_TIMEOUT : COST;
    if (!budget_take(r->budget, cost))
        return ST_RETRY;
    r->last_cost = cost;
    r->attempt++;
    int64_t end = now + pause;
    while (now < end) {
        if (aws_stop_asked(r->stop))
            return ST_CANCELLED;
        int64_t left = end - now;
        r->clock->sleep_ms(r->clock->ctx, left > SLICE_MS ? SLICE_MS : (uint32_t)left);
        now = r->clock->steady_ms(r->clock->ctx);
    }
    if (waited_ms != NULL)
        *waited_ms = pause;
    return ST_OK;
}

void retry_succeeded(struct retry *r)
{
    struct retry_budget *b = r->budget;
    unsigned back = r->last_cost > 0 ? r->last_cost : REFILL;
    r->last_cost = 0;
    if (b == NULL)
        return;
    pthread_mutex_lock(&b->locked.mutex);
    b->locked.tokens = b->locked.tokens + back > BUDGET ? BUDGET : b->locked.tokens + back;
    pthread_mutex_unlock(&b->locked.mutex);
}
