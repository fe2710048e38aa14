/*
 * watch.h: every regular file below a folder, those that are there and those that come.
 *
 * New files are taken when they were closed or moved in (inotify); a file that somebody has open
 * for writing can be put off (watch_is_settled, watch_again).  The folder is also walked again from
 * time to time, at once when events were lost and often where it cannot be watched (too many
 * folders, network file systems). Symbolic links below the folder are not followed.
 */
#ifndef SERVE_WATCH_H
#define SERVE_WATCH_H

#include <stdatomic.h>

#include "base/view.h"

struct watch;

struct watch_file {
    const char *path;                       /* the folder as it was given, and the rest */
    struct view key;                        /* below the folder */
    int64_t size, mtime_ns, inode, born_ns; /* born_ns 0: not known */
};

/* A status other than ST_OK ends the watching with it. */
typedef enum status watch_found_fn(void *context, const struct watch_file *file, struct error *err);

/* ST_NO_MEMORY.  The folder's text must live on. */
NODISCARD enum status watch_new(const char *folder, watch_found_fn *found, void *context,
                                struct watch **out);
void watch_free(struct watch *watch); /* NULL does nothing */

/* Walk the folder once.  *faults counts what could not be read; it is logged. */
NODISCARD enum status watch_walk(struct watch *watch, uint64_t *faults, struct error *err);

/* Watch until *stop, then ST_CANCELLED. */
NODISCARD enum status watch_run(struct watch *watch, const atomic_bool *stop, struct error *err);

/* Whether nobody has the file open for writing, as far as can be seen.  SIGIO must be ignored. */
bool watch_is_settled(const char *path, int64_t mtime_ns);

/* Look at a file again in a while; any thread may call. */
void watch_again(struct watch *watch, const char *path);

#endif
