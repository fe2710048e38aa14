/*
 * gunzip.h: the members of a gzip stream (RFC 1952) as plain bytes, in constant memory.
 *
 * Any number of members; CRC and length of each are checked; zero bytes after the last member are
 * ignored (some writers pad), anything else there is a fault.  The reader owns its input buffer, so
 * the caller reads into it directly.
 */
#ifndef OBJECTS_GUNZIP_H
#define OBJECTS_GUNZIP_H

#include "base/view.h"

struct gunzip; /* one per worker, never shared between threads at a time */

struct gunzip *gunzip_new(void);     /* NULL: no memory */
void gunzip_free(struct gunzip *gz); /* NULL does nothing */

/* Begin a new stream. */
void gunzip_reset(struct gunzip *gz);

/*
 * Where input goes: room for *size (> 0) bytes.  Only to be called when gunzip_next asked for more
 * or after gunzip_reset; then gunzip_filled says how many bytes were put there, 0 at the end of
 * the input.
 */
uint8_t *gunzip_room(struct gunzip *gz, size_t *size);
void gunzip_filled(struct gunzip *gz, size_t n);

/* What was filled in and not taken yet, for a look at the first bytes. */
struct view gunzip_unread(const struct gunzip *gz);

/*
 * Inflate into out[0..size), size at most 1 GiB; *n says how much was made.
 * ST_OK: `out` is full, or *more_input is set and input must be filled in.
 * ST_END: the input has ended and all of it was good; *n bytes may still have been made.
 * ST_BAD_ITEM: truncated or corrupt, *err says how; only gunzip_reset and gunzip_free may follow.
 */
NODISCARD enum status gunzip_next(struct gunzip *gz, uint8_t *out, size_t size, size_t *n,
                                  bool *more_input, struct error *err);

#endif
