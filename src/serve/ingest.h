/*
 * ingest.h: files of a folder into a usage store, each once.
 *
 * Files are offered by one thread, counted by several, and committed by another one, many in a
 * transaction while the disk is the slowest.  A file is remembered by its path below the folder;
 * one that has changed since is reported and not counted again, one that failed is tried again when
 * it has changed.
 */
#ifndef SERVE_INGEST_H
#define SERVE_INGEST_H

#include "count/object_counter.h"
#include "store/usage.h"

/* A file as it was found: a regular one. */
struct ingest_file {
    const char *path; /* to open it, and as messages name it */
    struct view key;  /* its path below the folder */
    int64_t size, mtime_ns, inode, born_ns;
};

struct ingest_options {
    struct usage *usage;
    const char *folder;             /* that keys are below */
    struct counter_options counter; /* its dimensions and interval are chosen here */
    unsigned jobs;
    bool once; /* a fault of the store ends it, instead of waiting for better times */
    /* Whether a file that is to be counted may be read now.  From the offering thread. */
    bool (*is_ready)(void *context, const struct ingest_file *file);
    /* A file was written to while it was read: offer it again later.  From any thread. */
    void (*on_unsettled)(void *context, const char *path);
    void *context;
};

struct ingest;

/* ST_NO_MEMORY. */
NODISCARD enum status ingest_start(const struct ingest_options *options, struct ingest **out);

/*
 * Count the file if that has not been done; waits while there is much to do.  The texts are copied.
 * *taken says whether there was anything to do.  ST_CANCELLED after ingest_cancel; other statuses
 * are faults of the store.
 */
NODISCARD enum status ingest_offer(struct ingest *ingest, const struct ingest_file *file,
                                   bool *taken, struct error *err);

/* Wait until all that was offered is counted and committed. */
NODISCARD enum status ingest_wait(struct ingest *ingest, struct error *err);

/* Count no more; any thread may call.  What was counted but not committed is forgotten. */
void ingest_cancel(struct ingest *ingest);

/* Cancel, wait for the threads, free.  NULL is allowed. */
void ingest_stop(struct ingest *ingest);

#endif
