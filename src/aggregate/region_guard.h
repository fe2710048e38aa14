/*
 * region_guard.h: the Regions that may serve calls, and which others did.
 *
 * A record is disallowed when its inference Region is known and not on the list.  One that does not
 * say where it ran ("unknown") proves nothing and is not.  Any thread may call; calls lock.
 */
#ifndef AGGREGATE_REGION_GUARD_H
#define AGGREGATE_REGION_GUARD_H

#include "base/buf.h"

struct region_guard;

/* A list "us-east-1,us-west-2", copied.  ST_USAGE: an empty Region, or no list.  ST_NO_MEMORY. */
NODISCARD enum status region_guard_new(const char *list, struct region_guard **out,
                                       struct error *err);
void region_guard_free(struct region_guard *guard); /* NULL does nothing */

/* Whether the Region is on the list, letter for letter. */
bool region_guard_allows(const struct region_guard *guard, struct view region);

/* Remember a Region that is not allowed; a few dozen of them. */
void region_guard_see(struct region_guard *guard, struct view region);

/* Append those seen since the last call, comma separated, and forget them. */
void region_guard_take_seen(struct region_guard *guard, struct buf *out);

#endif
