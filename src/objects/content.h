/*
 * content.h: what an object holds: its bytes, inflated where they are gzip.
 *
 * Gzip or plain is decided by the first two bytes, never by a name or header: the same log is found
 * as .json.gz without compression (a proxy or browser took it off) and the other way round.
 */
#ifndef OBJECTS_CONTENT_H
#define OBJECTS_CONTENT_H

#include "objects/byte_stream.h"

struct content; /* one per worker; used for one object after another */

/* A reader for one thread at a time; NULL: no memory. */
struct content *content_new(void);

/* Does not close the stream.  NULL does nothing. */
void content_free(struct content *content);

/* Begin with a stream, which stays the caller's; more than max_bytes inflated is a fault. */
void content_begin(struct content *content, struct byte_stream *stream, uint64_t max_bytes);

/*
 * The next bytes, up to `size` (at most 1 GiB); *n says how many, also with ST_END.
 * ST_END: complete and verified.  ST_BAD_ITEM: corrupt.  ST_TOO_BIG: the ceiling.  Others are the
 * stream's.  Only content_begin and content_free may follow a fault.
 */
NODISCARD enum status content_next(struct content *content, uint8_t *out, size_t size, size_t *n,
                                   struct error *err);

/* Bytes read from the stream and bytes given out so far. */
uint64_t content_bytes_read(const struct content *content);
uint64_t content_bytes_inflated(const struct content *content);

#endif
