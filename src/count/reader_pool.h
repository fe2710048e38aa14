/*
 * reader_pool.h: several readers, each with a counter of its own, work off a list of jobs.
 *
 * Everything that reads log objects does it here: runs over sources, messages of a queue, objects
 * of the ledger, files that are watched.  Readers share nothing but the list, which is bounded:
 * when it is full, the thread that adds does its job itself.  A reader without a job scans for one
 * that is busy with a large object, so that inflating and scanning overlap.  With one reader all
 * runs in the calling thread, in the order of adding.
 */
#ifndef COUNT_READER_POOL_H
#define COUNT_READER_POOL_H

#include "count/object_counter.h"

struct progress;
struct reader; /* runs one job at a time; its counter is used by nobody else meanwhile */
struct reader_pool;

enum { READER_POOL_MAX = 64 };

struct reader_pool_options {
    struct counter_options counter;
    unsigned readers;          /* 1 and more, the thread that adds included */
    struct progress *progress; /* gets the bytes; may be NULL */
    /* Do a job, mostly by reader_count.  It is called for every job that was added, by any of the
     * threads. */
    void (*run)(void *context, struct reader *reader, void *job);
    void *context;
};

/* NULL: no memory. */
struct reader_pool *reader_pool_new(const struct reader_pool_options *options);

/* Nothing may be under way.  NULL does nothing. */
void reader_pool_free(struct reader_pool *pool);

/* One thread adds.  Where no other thread can be had, that one does all the work. */
void reader_pool_add(struct reader_pool *pool, void *job);

/* Help until every job is done, and let the threads go.  More can be added afterwards. */
void reader_pool_finish(struct reader_pool *pool);

/* After the last job: the sums of all readers as one aggregate, the caller's then.  The
 * pool can only be freed afterwards.  ST_NO_MEMORY: *out is NULL. */
NODISCARD enum status reader_pool_take_sums(struct reader_pool *pool, struct aggregate **out);

/* What is read, and what came of it. */
struct object_read {
    struct view bucket, key; /* as log lines name it; bucket empty: the key says it all */
    struct view message_id;  /* of the queue message that names it; empty: none */
    enum status status;
    struct error err;   /* with a status other than ST_OK: why */
    struct tally tally; /* one object found, and what it counts as */
};

/*
 * Count an object from its stream, which is closed: `opened` says whether it could be opened at
 * all, o->err why not.  Sets the rest of *o.  ST_OK: its sums joined those of the reader; else they
 * are as before.  ST_MISSING is named in the log here.
 */
NODISCARD enum status reader_count(struct reader *reader, struct object_read *o, enum status opened,
                                   struct byte_stream *stream);

/* The sums of what the reader counted since they were reset; NULL as long as it counted nothing. */
struct aggregate *reader_sums(struct reader *reader);

/* Say that the object failed, and why: at ERROR, and less loud where it is tried again by
 * itself. */
void object_read_log_failed(const struct object_read *o, bool tried_again);

#endif
