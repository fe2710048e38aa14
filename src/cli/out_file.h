/*
 * out_file.h: where a result goes: standard output, or a file that appears whole or not at all.
 */
#ifndef CLI_OUT_FILE_H
#define CLI_OUT_FILE_H

#include <stdbool.h>
#include <stdio.h>

#include "base/buf.h"

struct out_file {
    FILE *file;
    const char *path; /* NULL: standard output */
    char *real;       /* owned: what `path` is, links followed, where it exists */
    char *temporary;  /* renamed to `path` at the end; NULL: written in place */
};

/*
 * Open.  `path` NULL or "-" is standard output.  A regular or new file is written next to its place
 * first; a device or pipe in place.  An interrupt removes the temporary file.
 */
NODISCARD enum status out_file_open(struct out_file *out, const char *path, struct error *err);

/* Whether that path, which may be NULL, means standard output. */
static inline bool out_file_is_stdout(const char *path)
{
    return path == NULL || strcmp(path, "-") == 0;
}

/* Flush, close and put into place.  Any failed write shows here. */
NODISCARD enum status out_file_close(struct out_file *out, struct error *err);

/* Close and forget what was written. */
void out_file_abandon(struct out_file *out);

/* The whole result at once, by open and close; escaped where it goes to a terminal. */
NODISCARD enum status out_file_write(const char *path, const struct buf *text, struct error *err);

/* The row of a command's table: its text is called `out`. */
#define OUT_OPTION                                                                                 \
    {                                                                                              \
        "out", "FILE", "write the result to FILE, whole or not at all", OPT_TEXT(out)              \
    }

/*
 * Columns of the terminal that standard output is; 0: it is none, or the result goes to a file.
 */
size_t out_file_terminal_width(bool to_file);

#endif
