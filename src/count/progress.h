/*
 * progress.h: a line on the terminal that says how far a run is: bytes, rate, objects, time left.
 *
 * Any thread may add.  The line is drawn at most ten times a second, and only where standard error
 * is a terminal.
 */
#ifndef COUNT_PROGRESS_H
#define COUNT_PROGRESS_H

#include "base/view.h"

struct progress;

struct progress *progress_new(void); /* NULL: no memory */

/* The same for what has no size: things done, called `what` ("batches"); progress_add_object counts
 * them, the bytes of progress_expect do not matter. */
struct progress *progress_new_items(const char *what);
void progress_free(struct progress *progress); /* clears the line */

/* NULL for `progress` is allowed in all of these and does nothing. */

/* How much there is in all, as it becomes known; final says that it will not grow. */
void progress_expect(struct progress *progress, uint64_t bytes, uint64_t objects, bool final);

/* So much more was read, or one more is done; both may draw the line. */
void progress_add_bytes(struct progress *progress, uint64_t bytes);
void progress_add_object(struct progress *progress);

#endif
