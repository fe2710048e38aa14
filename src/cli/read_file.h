/* read_file.h: a small configuration file, whole. */
#ifndef CLI_READ_FILE_H
#define CLI_READ_FILE_H

#include "base/buf.h"

enum { READ_FILE_MAX = 64 << 20 };

/* *out (always initialised; the caller clears it) holds the file's bytes.  ST_IO or ST_TOO_BIG. */
NODISCARD enum status read_file(const char *path, struct buf *out, struct error *err);

#endif
