/* byte_stream.h: the raw bytes of one object, wherever they come from. */
#ifndef OBJECTS_BYTE_STREAM_H
#define OBJECTS_BYTE_STREAM_H

#include "base/view.h"

struct byte_stream;

struct byte_stream_class {
    /*
     * Up to `size` bytes into `out`, *n (> 0) says how many.  ST_END at the end.  Another status is
     * a fault described in *err, after which only close follows.
     */
    enum status (*read)(struct byte_stream *stream, void *out, size_t size, size_t *n,
                        struct error *err);
    void (*close)(struct byte_stream *stream); /* frees it */
};

/* The first member of every kind of stream. */
struct byte_stream {
    const struct byte_stream_class *class;
};

/* As byte_stream_class.read. */
NODISCARD static inline enum status byte_stream_read(struct byte_stream *stream, void *out,
                                                     size_t size, size_t *n, struct error *err)
{
    return stream->class->read(stream, out, size, n, err);
}

/* Close and free; NULL does nothing. */
static inline void byte_stream_close(struct byte_stream *stream)
{
    if (stream != NULL)
        stream->class->close(stream);
}

#endif
