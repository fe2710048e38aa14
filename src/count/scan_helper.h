/*
 * scan_helper.h: a thread that scans what another one inflates, so that the two overlap.
 *
 * A ring of chunks with one writer and one reader.  Who must wait looks a while before it sleeps,
 * because a chunk takes less time than being woken.
 */
#ifndef COUNT_SCAN_HELPER_H
#define COUNT_SCAN_HELPER_H

#include <pthread.h>

#include "base/view.h"

struct object_counter;

enum { SCAN_HELPER_RING = 4 }; /* chunks inflated ahead of the helper */

struct scan_helper {
    uint8_t *ring[SCAN_HELPER_RING];
    size_t length[SCAN_HELPER_RING];
    _Atomic size_t submitted, scanned; /* counts of chunks */
    _Atomic bool ended, idle;
    _Atomic unsigned sleepers; /* how many of the two wait for `changed` */
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    struct object_counter *counter; /* for which it scans */
};

/* Make and destroy; the ring itself comes with the first use. */
void scan_helper_init(struct scan_helper *h);
void scan_helper_clear(struct scan_helper *h);

/* Before any of those below: the next object is `counter`'s.  false: no memory for the ring. */
bool scan_helper_begin(struct scan_helper *h, struct object_counter *counter);

/* The helping thread's part: scan what is submitted, in order, until scan_helper_finish. */
void scan_helper_run(struct scan_helper *h);

/* The inflating thread's part.  A buffer to inflate into, of the counter's chunk_bytes; waits for a
 * free one. */
uint8_t *scan_helper_buffer(struct scan_helper *h);

/* n bytes of the last buffer are to be scanned. */
void scan_helper_submit(struct scan_helper *h, size_t n);

/* Wait until all is scanned; the helper is free then. */
void scan_helper_finish(struct scan_helper *h);

#endif
