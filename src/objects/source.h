/*
 * source.h: where objects come from.  One table of functions, one file per kind.
 *
 * A source names its objects one by one, in no particular order, without keeping a list of them.
 */
#ifndef OBJECTS_SOURCE_H
#define OBJECTS_SOURCE_H

#include "objects/byte_stream.h"

struct source;

struct object_ref {
    const struct source *source; /* opens it */
    struct view key;             /* as the program names it in messages and rules */
    uint64_t size;               /* stored bytes as far as known beforehand, else 0 */
    bool named;                  /* given by the user, not found in a folder or listing */
};

enum object_found {
    OBJECT_FOUND,
    OBJECT_DUPLICATE, /* named before in this run */
    OBJECT_FAILED,    /* known to be unreadable; *err says why */
};

/*
 * Called for each object.  The views are valid during the call.  A status other than ST_OK ends the
 * listing with it.
 */
typedef enum status source_found_fn(void *context, const struct object_ref *ref,
                                    enum object_found found, const struct error *err);

struct source_class {
    enum status (*list)(const struct source *source, source_found_fn *found, void *context);
    enum status (*open)(const struct source *source, const struct object_ref *ref,
                        struct byte_stream **stream, struct error *err);
    void (*free)(struct source *source);
};

/* The first member of every kind of source. */
struct source {
    const struct source_class *class;
};

/* Name every object to `found`.  ST_NO_MEMORY, or a status of `found`, ends it early. */
NODISCARD static inline enum status source_list(const struct source *source, source_found_fn *found,
                                                void *context)
{
    return source->class->list(source, found, context);
}

/*
 * Open an object that was named; any thread may.  ST_MISSING: it is gone.  ST_BAD_ITEM: it is no
 * longer what it was.  Others as said in *err.  Close the stream with byte_stream_close.
 */
NODISCARD static inline enum status object_open(const struct object_ref *ref,
                                                struct byte_stream **stream, struct error *err)
{
    return ref->source->class->open(ref->source, ref, stream, err);
}

/* No stream of it may be open.  NULL does nothing. */
static inline void source_free(struct source *source)
{
    if (source != NULL)
        source->class->free(source);
}

/*
 * Files, folders and "-" (standard input).  In a folder every regular file below it is an object;
 * symbolic links in it are not followed.  A named path may be a link, a pipe or a device.  The same
 * file named twice, by real path, is a duplicate; a path that does not exist has failed.  The array
 * and its texts must live on.  NULL: no memory.
 */
struct source *source_files_new(char *const *paths, size_t count);

#endif
