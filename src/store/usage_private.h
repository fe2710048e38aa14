/* usage_private.h: what usage.c and usage_ask.c share. */
#ifndef STORE_USAGE_PRIVATE_H
#define STORE_USAGE_PRIVATE_H

#include <pthread.h>

#include "store/rollup.h"
#include "store/usage.h"

/* A connection for one question at a time. */
struct reader {
    struct reader *next;
    struct store *store;
};

struct usage {
    int lock_fd; /* -1: read only */
    char *path;
    struct buf folder, prices;
    struct buf dimension_names; /* what `dimensions` and `keys` point into */
    struct dimension_set dimensions;
    struct dimension_keys keys;
    struct dictionary *dictionary;
    pthread_mutex_t store_mutex; /* guards the two below */
    struct store *store;         /* read only: within one transaction from its opening on */
    struct rollup *rollup;
    pthread_mutex_t readers_mutex; /* guards the two below */
    struct reader *readers;
    unsigned reader_count;
    _Atomic uint64_t version;
};

#endif
