#include "cli/read_file.h"

#include <errno.h>
#include <stdio.h>

enum status read_file(const char *path, struct buf *out, struct error *err)
{
    buf_init(out, READ_FILE_MAX);
    FILE *file = fopen(path, "re");
    if (file == NULL)
        return error_set(err, ST_IO, code_of_errno(errno, E_F109), "%s", strerrordesc_np(errno));
    char bytes[16 * 1024];
    size_t n;
    while ((n = fread(bytes, 1, sizeof(bytes), file)) > 0)
        buf_add(out, bytes, n);
    enum status st = buf_status(out);
    if (st != ST_OK)
        (void)error_set(err, st, E_R113, st == ST_TOO_BIG ? "larger than 64 MiB" : "out of memory");
    else if (ferror(file))
        st = error_set(err, ST_IO, E_F109, "cannot be read");
    fclose(file);
    return st;
}
