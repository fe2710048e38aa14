/*
 * config.c: files that settings come from: NAME=VALUE lines put into the environment, so that every
 * setting is read in one way wherever it was written.
 */
#include "config/config.h"

#include <stdlib.h>
#include <unistd.h>

#include "aws/sqs.h"
#include "base/whole_file.h"
#include "config/variables.h"

enum {
    MAX_DOTENV = 64 * 1024,
    MAX_ENV_FILE = 1024 * 1024,
    MAX_NAMED = 900, /* bytes of ignored names, which fit one line of the log */
};

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

/* Every one is a queue of SQS or on loopback: a .env may not choose who gets our requests. */
static bool are_queues_of_aws(struct view urls)
{
    struct sqs_queue queue;
    struct view url;
    while (urls.len > 0 && view_split(&urls, ',', &url)) {
        if (sqs_queue_parse(view_trim(url), NULL, &queue, NULL) != ST_OK)
            return false;
    }
    return true;
}

static bool may_be_in_dotenv(struct view name, struct view value)
{
    static const char *const of_aws[] = {"AWS_REGION", "AWS_DEFAULT_REGION", "AWS_PROFILE"};
    for (size_t i = 0; i < sizeof(of_aws) / sizeof(of_aws[0]); i++) {
        if (view_eq_cstr(name, of_aws[i]))
            return true;
    }
    for (unsigned i = 0; i < VARIABLE_COUNT; i++) {
        const struct variable *v = variable_at(i);
        if (view_eq_cstr(name, v->name))
            return v->dotenv && (i != VAR_SQS_QUEUE_URL || are_queues_of_aws(value));
    }
    return false;
}

/* What reads the lines of a file. */
struct reader {
    const char *path;
    size_t number;       /* of the line */
    struct buf *ignored; /* names that .env may not set; NULL: all may be set */
    size_t unnamed;      /* ... that are too many to be named */
};

/* NAME=VALUE of one line into the environment. */
static enum status set_line(struct reader *r, struct view line, struct error *err)
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
        return error_set(err, ST_USAGE, E_U401, "%s, line %zu: expected NAME=VALUE", r->path,
                         r->number);
    struct view value = unquote(view_trim(view_skip(line, equals + 1)));
    if (view_find_char(value, '\0') != SIZE_MAX)
        return error_set(err, ST_USAGE, E_U401, "%s, line %zu: a NUL byte", r->path, r->number);
    if (r->ignored != NULL && !may_be_in_dotenv(name, value)) {
        bool room = r->ignored->len + name.len < MAX_NAMED;
        if (room && r->ignored->len > 0)
            buf_add_cstr(r->ignored, ", ");
        buf_add_view(r->ignored, room ? name : VIEW_EMPTY);
        r->unnamed += !room;
        return ST_OK;
    }
    char *name_text = strndup(name.ptr, name.len);
    char *value_text = strndup(value.len > 0 ? value.ptr : "", value.len);
    int failed = name_text == NULL || value_text == NULL || setenv(name_text, value_text, 0) != 0;
    free(name_text);
    free(value_text);
    return failed ? error_set(err, ST_NO_MEMORY, E_R113, "out of memory") : ST_OK;
}

/* Up to the first line that is none; of a .env all others. */
static enum status set_lines(struct reader *r, struct view text, struct error *err)
{
    enum status st = ST_OK;
    struct view line;
    while (view_split(&text, '\n', &line)) {
        r->number++;
        enum status of_line = set_line(r, line, st == ST_OK ? err : NULL);
        st = st == ST_OK ? of_line : st;
        if (of_line == ST_NO_MEMORY || (of_line != ST_OK && r->ignored == NULL))
            return of_line;
    }
    return st;
}

enum status config_load_env_file(const char *path, struct error *err)
{
    struct reader r = {.path = path};
    struct error detail = {0};
    struct buf text;
    buf_init(&text, MAX_ENV_FILE);
    enum status st = whole_file_read(&text, path, WHOLE_FILE_OR_PIPE, NULL, &detail);
    if (st != ST_OK)
        (void)error_set(err, st, detail.code, "%s: %s", path, detail.text);
    else
        st = set_lines(&r, buf_view(&text), err);
    buf_wipe(&text);
    return st;
}

enum status config_load_dotenv(const char *named, struct buf *ignored, struct error *err)
{
    struct reader r = {.path = ".env", .ignored = ignored};
    struct error detail = {0};
    struct stat about = {0}, other;
    struct buf text;
    if (named != NULL && stat(r.path, &about) == 0 && stat(named, &other) == 0 &&
        about.st_dev == other.st_dev && about.st_ino == other.st_ino)
        return ST_MISSING;
    buf_init(&text, MAX_DOTENV);
    enum status st = whole_file_read(&text, r.path, WHOLE_FILE_REGULAR, &about, &detail);
    if (st == ST_OK && about.st_uid != geteuid() && about.st_uid != 0)
        st = error_set(&detail, ST_IO, E_F110, "belongs to user %u", (unsigned)about.st_uid);
    if (st != ST_OK)
        (void)error_set(err, st, detail.code, "%s: %s", r.path, detail.text);
    else
        st = set_lines(&r, buf_view(&text), err);
    if (r.unnamed > 0)
        buf_printf(ignored, "%s%zu more", ignored->len > 0 ? " and " : "", r.unnamed);
    buf_wipe(&text);
    return st;
}
