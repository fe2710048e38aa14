/*
 * whole_file.h: a file read whole into memory: of a stated size at most, and never waited for
 * without limit, whatever its name leads to.
 */
#ifndef BASE_WHOLE_FILE_H
#define BASE_WHOLE_FILE_H

#include <sys/stat.h>

#include "base/buf.h"

enum whole_file_kind {
    WHOLE_FILE_REGULAR, /* a regular file, links followed, or /dev/null */
    WHOLE_FILE_OR_PIPE, /* also a pipe, such as a shell's <(command): a person named it */
};

/*
 * Append the content to *out, which may not pass its ceiling.  *about (may be NULL) is what fstat
 * says of the open file.  With `out` NULL nothing is read: whether it could be.
 *
 * ST_MISSING: there is no such file.  ST_TOO_BIG.  ST_IO: it cannot be opened or read, it is another
 * kind of file, or nobody writes into the pipe.  *err does not name the path.  Nothing is wiped.
 */
NODISCARD enum status whole_file_read(struct buf *out, const char *path, enum whole_file_kind kind,
                                      struct stat *about, struct error *err);

#endif
