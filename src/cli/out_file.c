/* out_file.c: results that appear whole or not at all: written next to their place, then renamed. */
#include "cli/out_file.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/json_out.h"
#include "base/stop.h"

enum { MAX_SHOWN = 1 << 30 };

static enum status open_temporary(struct out_file *out, mode_t mode, struct error *err)
{
    size_t n = strlen(out->path) + 8;
    char *name = malloc(n);
    if (name == NULL)
        return error_set(err, ST_NO_MEMORY, E_R113, "out of memory");
    (void)snprintf(name, n, "%s.XXXXXX", out->path);
    int fd = mkstemp(name);
    if (fd < 0) {
        free(name);
        return error_set(err, ST_IO, code_of_errno(errno, E_F109), "%s: %s", out->path,
                         strerrordesc_np(errno));
    }
    /* mkstemp makes it private; a result keeps those of the file it replaces, or has a new one's.
     */
    mode_t mask = umask(0);
    (void)umask(mask);
    (void)fchmod(fd, mode != 0 ? mode : 0666 & ~mask);
    out->temporary = name;
    stop_remove_at_exit(name);
    out->file = fdopen(fd, "w");
    if (out->file == NULL) {
        close(fd);
        out_file_abandon(out);
        return error_set(err, ST_NO_MEMORY, E_R113, "out of memory");
    }
    return ST_OK;
}

enum status out_file_open(struct out_file *out, const char *path, struct error *err)
{
    struct stat st;
    *out = (struct out_file){0};
    if (out_file_is_stdout(path)) {
        out->file = stdout;
        return ST_OK;
    }
    out->path = path;
    if (stat(path, &st) == 0 && !S_ISREG(st.st_mode)) {
        out->file = fopen(path, "we");
        if (out->file == NULL)
            return error_set(err, ST_IO, code_of_errno(errno, E_F109), "%s: %s", path,
                             strerrordesc_np(errno));
        return ST_OK;
    }
    /* A link stays one: what it points to is replaced. */
    out->real = realpath(path, NULL);
    if (out->real != NULL)
        out->path = out->real;
    return open_temporary(out, out->real != NULL ? st.st_mode & 0777 : 0, err);
}

enum status out_file_close(struct out_file *out, struct error *err)
{
    const char *name = out->path != NULL ? out->path : "standard output";
    bool failed = fflush(out->file) != 0 || ferror(out->file) != 0;
    int code = errno;
    if (out->path == NULL)
        return failed ? error_set(err, ST_IO, code_of_errno(code, E_F109), "%s: %s", name,
                                  strerrordesc_np(code))
                      : ST_OK;
    failed = fclose(out->file) != 0 || failed;
    out->file = NULL;
    if (!failed && out->temporary != NULL && rename(out->temporary, out->path) != 0) {
        code = errno;
        failed = true;
    }
    if (failed) {
        (void)error_set(err, ST_IO, code_of_errno(code, E_F109), "%s: %s", name,
                        strerrordesc_np(code));
        out_file_abandon(out); /* after the message: it may free the name */
        return ST_IO;
    }
    stop_keep_at_exit(out->temporary);
    free(out->temporary);
    free(out->real);
    out->temporary = out->real = NULL;
    return ST_OK;
}

void out_file_abandon(struct out_file *out)
{
    if (out->file != NULL && out->path != NULL)
        fclose(out->file);
    out->file = NULL;
    if (out->temporary != NULL) {
        unlink(out->temporary);
        stop_keep_at_exit(out->temporary);
        free(out->temporary);
        out->temporary = NULL;
    }
    free(out->real);
    out->real = NULL;
}

enum status out_file_write(const char *path, const struct buf *text, struct error *err)
{
    struct out_file out = {0};
    struct buf shown;
    buf_init(&shown, MAX_SHOWN);
    enum status st = buf_status(text);
    if (st == ST_TOO_BIG)
        (void)error_set(err, st, E_R110, "the result is too large");
    else if (st != ST_OK)
        (void)error_set(err, st, E_R113, "out of memory");
    else
        st = out_file_open(&out, path, err);
    if (st == ST_OK && isatty(fileno(out.file))) {
        json_escape_lines(&shown, buf_view(text));
        text = &shown;
        st = buf_status(text);
        if (st != ST_OK) {
            (void)error_set(err, st, E_R113, "out of memory");
            out_file_abandon(&out);
        }
    }
    if (st == ST_OK) {
        (void)fwrite(text->ptr, 1, text->len, out.file); /* a failure shows when it is closed */
        st = out_file_close(&out, err);
    }
    buf_clear(&shown);
    return st;
}

size_t out_file_terminal_width(bool to_file)
{
    struct winsize size;
    if (to_file || !isatty(STDOUT_FILENO))
        return 0;
    if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0)
        return size.ws_col;
    return 80;
}
