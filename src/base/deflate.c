/* deflate.c: zlib's compressor behind one call, so that nobody else sets up a stream. */
#define ZLIB_CONST /* next_in is read only */

#include "base/deflate.h"

#include <zlib.h>

enum status deflate_add(struct buf *out, struct view in, enum deflate_form form, int level)
{
    z_stream z = {.next_in = (const Bytef *)in.ptr, .avail_in = (uInt)in.len};
    if (in.len > UINT32_MAX)
        return ST_TOO_BIG;
    /* 16 more than the largest window asks for a gzip wrapper. */
    int window = MAX_WBITS + (form == DEFLATE_GZIP ? 16 : 0);
    if (deflateInit2(&z, level, Z_DEFLATED, window, 8, Z_DEFAULT_STRATEGY) != Z_OK)
        return ST_NO_MEMORY;
    int done = Z_OK;
    while (done == Z_OK) {
        unsigned char piece[16384];
        z.next_out = piece;
        z.avail_out = sizeof(piece);
        done = deflate(&z, Z_FINISH);
        buf_add(out, piece, sizeof(piece) - z.avail_out);
    }
    deflateEnd(&z);
    return done == Z_STREAM_END ? buf_status(out) : ST_NO_MEMORY;
}
