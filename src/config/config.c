/*
 * config.c: files that settings come from: NAME=VALUE lines put into the environment, so that every
 * setting is read in one way wherever it was written, and small files read whole.
 */
#include "config/config.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/suggest.h"

enum { MAX_LINE = 64 * 1024 };

static bool is_name(struct view name)
{
    for (size_t i = 0; i < name.len; i++) {
        char c = name.ptr[i];
        bool letter = (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || c == '_';
        if (!letter && !(i > 0 && c >= '0' && c <= '9'))
            return false;
    }
    return name.len > 0;
}

/*
 * Without its quotes; a single or double quoted value is taken as it is between them.
 *     'two words'  # a comment may follow
 *     ^         ^ the quotes; without a comment after it the last one of the line closes
 */
static struct view unquote(struct view value)
{
    if (value.len < 2 || (value.ptr[0] != '"' && value.ptr[0] != '\''))
        return value;
    struct view inner = view_skip(value, 1);
    size_t close = view_find_char(inner, value.ptr[0]);
    if (close == SIZE_MAX)
        return value;
    struct view after = view_skip(inner, close + 1);
    struct view comment = view_trim(after);
    if (comment.len == 0 || (comment.len < after.len && comment.ptr[0] == '#'))
        return view_first(inner, close);
    return value.ptr[value.len - 1] == value.ptr[0] ? view_first(inner, inner.len - 1) : value;
}

/* NAME=VALUE of one line into the environment. */
static enum status set_line(struct view line, const char *path, size_t number, struct error *err)
{
    static const struct view export = {"export ", 7};
    line = view_trim(line);
    if (line.len == 0 || line.ptr[0] == '#')
        return ST_OK;
    if (view_starts(line, export))
        line = view_trim(view_skip(line, export.len));
    size_t equals = view_find_char(line, '=');
    struct view name = view_trim(view_first(line, equals));
    if (equals == SIZE_MAX || !is_name(name))
        return error_set(err, ST_USAGE, E_U401, "%s, line %zu: expected NAME=VALUE", path, number);
    struct view value = unquote(view_trim(view_skip(line, equals + 1)));
    char *name_text = strndup(name.ptr, name.len);
    char *value_text = strndup(value.len > 0 ? value.ptr : "", value.len);
    int failed = name_text == NULL || value_text == NULL || setenv(name_text, value_text, 0) != 0;
    free(name_text);
    free(value_text);
    return failed ? error_set(err, ST_NO_MEMORY, E_R113, "out of memory") : ST_OK;
}

enum status config_load_env_file(const char *path, struct error *err)
{
    FILE *file = fopen(path, "re");
    if (file == NULL)
        return error_set(err, errno == ENOENT ? ST_MISSING : ST_IO, code_of_errno(errno, E_F109),
                         "%s: %s", path, strerrordesc_np(errno));
    char *line = NULL;
    size_t capacity = 0;
    size_t number = 0;
    ssize_t n;
    enum status st = ST_OK;
    while (st == ST_OK && (n = getline(&line, &capacity, file)) >= 0) {
        number++;
        st = n > MAX_LINE ? error_set(err, ST_USAGE, E_U401, "%s, line %zu: too long", path, number)
                          : set_line(view_make(line, (size_t)n), path, number, err);
    }
    /* Without memory getline ends as at the end of the file, but for this. */
    if (st == ST_OK && !feof(file))
        st = error_set(err, ST_IO, code_of_errno(errno, E_F109), "%s: cannot be read: %s", path,
                       strerrordesc_np(errno));
    free(line);
    fclose(file);
    return st;
}

enum status config_read_file(const char *path, struct buf *out, struct error *err)
{
    buf_init(out, CONFIG_MAX_FILE);
    FILE *file = fopen(path, "re");
    if (file == NULL)
        return error_set(err, ST_IO, code_of_errno(errno, E_F109), "%s", strerrordesc_np(errno));
    char bytes[16 * 1024];
    size_t n;
    while ((n = fread(bytes, 1, sizeof(bytes), file)) > 0)
        buf_add(out, bytes, n);
    enum status st = buf_status(out);
    if (st == ST_TOO_BIG)
        (void)error_set(err, st, E_F109, "larger than 64 MiB");
    else if (st != ST_OK)
        (void)error_set(err, st, E_R113, "out of memory");
    else if (ferror(file))
        st = error_set(err, ST_IO, E_F109, "cannot be read");
    fclose(file);
    return st;
}
