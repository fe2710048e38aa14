/* deflate.h: text compressed in one go, for requests, the ledger and the page. */
#ifndef BASE_DEFLATE_H
#define BASE_DEFLATE_H

#include "base/buf.h"

enum deflate_form { DEFLATE_ZLIB, DEFLATE_GZIP };
enum { DEFLATE_DEFAULT = 6, DEFLATE_BEST = 9 };

/*
 * Append `in` to *out, compressed at this level (DEFLATE_*, 1 to 9).  ST_TOO_BIG: `in` has 4 GiB or
 * more, or *out reached its ceiling, and then has failed (buf_status); ST_NO_MEMORY.
 */
NODISCARD enum status deflate_add(struct buf *out, struct view in, enum deflate_form form,
                                  int level);

#endif
