/*
 * scan_helper.c: the ring between a thread that inflates and one that scans.  All is decided by two
 * counters that one thread each writes; the mutex is only for sleeping.
 */
#include "count/scan_helper.h"

#include <stdlib.h>

#include "count/object_counter.h"

enum { SPINS = 2000 }; /* up to 100 microseconds, about what a chunk takes */

/* Tell the processor that this is a waiting loop. */
static inline void pause_briefly(void)
{
#if defined(__x86_64__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("yield");
#endif
}

void scan_helper_init(struct scan_helper *h)
{
    pthread_mutex_init(&h->mutex, NULL);
    pthread_cond_init(&h->changed, NULL);
}

void scan_helper_clear(struct scan_helper *h)
{
    for (size_t i = 0; i < SCAN_HELPER_RING; i++)
        free(h->ring[i]);
    pthread_mutex_destroy(&h->mutex);
    pthread_cond_destroy(&h->changed);
}

bool scan_helper_begin(struct scan_helper *h, struct object_counter *counter)
{
    for (size_t i = 0; i < SCAN_HELPER_RING; i++) {
        if (h->ring[i] == NULL)
            h->ring[i] = malloc(object_counter_chunk_bytes(counter));
        if (h->ring[i] == NULL)
            return false;
    }
    h->counter = counter;
    h->submitted = h->scanned = 0;
    h->ended = h->idle = false;
    return true;
}

static bool has_room(const struct scan_helper *h)
{
    return h->submitted - h->scanned < SCAN_HELPER_RING;
}

static bool has_chunk(const struct scan_helper *h)
{
    return h->scanned != h->submitted || h->ended;
}

static bool is_idle(const struct scan_helper *h)
{
    return h->idle;
}

/*
 * Spin first, then sleep.  `sleepers` is raised with the mutex held and before the condition is
 * looked at again; announce() looks at it after the counter has changed.  So either the waiter
 * sees the change or the announcer sees the sleeper, and no wake-up is lost (all atomics are
 * sequentially consistent).
 */
static void wait_until(struct scan_helper *h, bool (*condition)(const struct scan_helper *h))
{
    for (unsigned i = 0; i < SPINS; i++) {
        if (condition(h))
            return;
        pause_briefly();
    }
    pthread_mutex_lock(&h->mutex);
    h->sleepers++;
    while (!condition(h))
        pthread_cond_wait(&h->changed, &h->mutex);
    h->sleepers--;
    pthread_mutex_unlock(&h->mutex);
}

/* Something the other one may wait for has happened. */
static void announce(struct scan_helper *h)
{
    if (h->sleepers == 0)
        return;
    pthread_mutex_lock(&h->mutex);
    pthread_cond_broadcast(&h->changed);
    pthread_mutex_unlock(&h->mutex);
}

void scan_helper_run(struct scan_helper *h)
{
    for (;;) {
        wait_until(h, has_chunk);
        size_t at = h->scanned;
        if (at == h->submitted)
            break;
        object_counter_scan(h->counter, h->ring[at % SCAN_HELPER_RING],
                            h->length[at % SCAN_HELPER_RING]);
        h->scanned++;
        announce(h);
    }
    h->idle = true;
    announce(h);
}

uint8_t *scan_helper_buffer(struct scan_helper *h)
{
    wait_until(h, has_room);
    return h->ring[h->submitted % SCAN_HELPER_RING];
}

void scan_helper_submit(struct scan_helper *h, size_t n)
{
    h->length[h->submitted % SCAN_HELPER_RING] = n;
    h->submitted++;
    announce(h);
}

void scan_helper_finish(struct scan_helper *h)
{
    h->ended = true;
    announce(h);
    wait_until(h, is_idle);
}
