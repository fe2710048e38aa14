/*
 * aws_ini.c: a parser of the shared files, kept as one list of entries in the order they were
 * read.
 *
 * The format is ini with three peculiarities: sections may be indented as a whole, a key with an
 * empty value opens a block of deeper lines, and # or ; begins a comment only after a blank.
 *
 *   [profile audit]            section, its kind and name
 *   role_arn = arn:aws:...     key and value
 *   s3 =                       opens a block:
 *     max_queue_size = 100     an entry of block "s3"
 *
 * Files are small (a few hundred entries), so a lookup walks the list from its end: the last value
 * wins.
 */
#include "aws/aws_ini.h"

#include <stdlib.h>

#include "base/array.h"
#include "base/log.h"
#include "base/whole_file.h"

/* Where an entry is: a profile ([default], [profile x], [x]) or a [services x] section. */
enum section { SECTION_NONE, SECTION_PROFILE, SECTION_SERVICES, SECTION_OTHER };

/* Offsets into `text`, which moves while it grows. */
struct span {
    size_t at;
    size_t len;
};

struct entry {
    enum section kind;
    struct span name;  /* of the section */
    struct span block; /* of the nested block, empty at top level */
    struct span key;
    struct span value;
};

struct aws_ini {
    struct buf text;
    struct entry *entries;
    size_t n;
    size_t cap;
};

enum status aws_ini_new(struct aws_ini **out)
{
    *out = calloc(1, sizeof(**out));
    if (*out == NULL)
        return ST_NO_MEMORY;
    buf_init(&(*out)->text, (size_t)4 * AWS_INI_MAX_BYTES);
    return ST_OK;
}

void aws_ini_free(struct aws_ini *ini)
{
    if (ini == NULL)
        return;
    buf_wipe(&ini->text);
    free(ini->entries);
    free(ini);
}

static struct view span_view(const struct aws_ini *ini, struct span s)
{
    return s.len == 0 ? VIEW_EMPTY : view_make(ini->text.ptr + s.at, s.len);
}

/* Append a text to the store.  A failure is noticed by add_entry(), which every caller reaches. */
static struct span keep(struct aws_ini *ini, struct view v)
{
    struct span s = {ini->text.len, v.len};
    buf_add_view(&ini->text, v);
    return s;
}

static enum status add_entry(struct aws_ini *ini, const struct entry *e)
{
    if (ini->n == AWS_INI_MAX_ENTRIES)
        return ST_TOO_BIG;
    if (!array_room(&ini->entries, ini->n, &ini->cap, 32, sizeof(*ini->entries)))
        return ST_NO_MEMORY;
    ini->entries[ini->n++] = *e;
    return buf_status(&ini->text);
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

/* Text in " or ' loses its quotes: section names may be quoted to hold blanks. */
static struct view unquote(struct view v)
{
    if (v.len >= 2 && (v.ptr[0] == '"' || v.ptr[0] == '\'') && v.ptr[v.len - 1] == v.ptr[0])
        return view_make(v.ptr + 1, v.len - 2);
    return v;
}

/*
 * [profile audit]  # comment
 *  ^-----------^
 */
static enum status parse_section(struct view line, enum aws_ini_kind file, enum section *kind,
                                 struct view *name)
{
    size_t end = view_find_char(line, ']');
    if (end == SIZE_MAX)
        return ST_USAGE;
    struct view after = view_trim(view_skip(line, end + 1));
    if (after.len > 0 && after.ptr[0] != '#' && after.ptr[0] != ';')
        return ST_USAGE;
    struct view inner = view_trim(view_make(line.ptr + 1, end - 1));
    size_t blank = 0;
    while (blank < inner.len && !is_blank(inner.ptr[blank]))
        blank++;
    struct view word = view_first(inner, blank);
    struct view rest = unquote(view_trim(view_skip(inner, blank)));
    *name = unquote(inner);
    *kind = SECTION_PROFILE;
    if (rest.len > 0 && view_eq_cstr(word, "services")) {
        *kind = SECTION_SERVICES;
        *name = rest;
    } else if (rest.len > 0 && view_eq_cstr(word, "profile")) {
        *name = rest;
    } else if (file == AWS_INI_CONFIG && !view_eq_cstr(inner, "default")) {
        *kind = SECTION_OTHER; /* in the config file only [default] stands without "profile" */
    }
    return name->len == 0 ? ST_USAGE : ST_OK;
}

/* " # text" and " ; text" after a value are comments; a # inside a word is not. */
static struct view strip_comment(struct view v)
{
    for (size_t i = 1; i < v.len; i++)
        if ((v.ptr[i] == '#' || v.ptr[i] == ';') && is_blank(v.ptr[i - 1]))
            return view_trim(view_first(v, i));
    return view_trim(v);
}

/* Where the reader is between two lines. */
struct position {
    enum section kind;
    struct span name;
    struct span block; /* the last key, when its value is empty */
    bool in_block;
    bool has_key;      /* a key was seen in this section */
    size_t key_indent; /* blanks before it; deeper lines belong to it */
};

/*
 * One line.  ST_USAGE: it is neither a section, nor a key and a value, nor something that may be
 * skipped.
 */
static enum status parse_line(struct aws_ini *ini, enum aws_ini_kind file, struct position *pos,
                              struct view line)
{
    size_t indent = 0;
    while (indent < line.len && is_blank(line.ptr[indent]))
        indent++;
    /* Whole sections may be indented: only what is deeper than its key is nested. */
    bool nested = pos->has_key && indent > pos->key_indent;
    struct view text = view_trim(line);
    if (text.len == 0 || text.ptr[0] == '#' || text.ptr[0] == ';')
        return ST_OK;
    if (!nested && text.ptr[0] == '[') {
        struct view name;
        enum status st = parse_section(text, file, &pos->kind, &name);
        if (st)
            return st;
        pos->name = keep(ini, name);
        pos->in_block = false;
        pos->has_key = false;
        struct entry mark = {.kind = pos->kind, .name = pos->name};
        return add_entry(ini, &mark); /* so that an empty profile exists */
    }
    if (pos->kind == SECTION_NONE)
        return ST_USAGE;
    size_t equals = view_find_char(text, '=');
    if (equals == SIZE_MAX || equals == 0)
        return nested ? ST_OK : ST_USAGE; /* a nested line without `=` continues a value */
    struct view key = view_trim(view_first(text, equals));
    struct view value = strip_comment(view_skip(text, equals + 1));
    if (!nested) {
        pos->has_key = true;
        pos->key_indent = indent;
        pos->in_block = value.len == 0;
        pos->block = pos->in_block ? keep(ini, key) : (struct span){0, 0};
    } else if (!pos->in_block) {
        return ST_OK; /* continuation of a value we do not use */
    }
    struct entry e = {.kind = pos->kind,
                      .name = pos->name,
                      .block = nested ? pos->block : (struct span){0, 0},
                      .key = keep(ini, key),
                      .value = keep(ini, value)};
    return add_entry(ini, &e);
}

enum status aws_ini_add(struct aws_ini *ini, enum aws_ini_kind kind, struct view text,
                        struct error *err)
{
    struct position pos = {0};
    struct view line;
    struct view rest = text;
    uint64_t number = 0;
    if (text.len > AWS_INI_MAX_BYTES)
        return error_set(err, ST_TOO_BIG, E_A105, "file larger than %d bytes", AWS_INI_MAX_BYTES);
    if (view_starts(rest, VIEW_LIT("\xef\xbb\xbf")))
        rest = view_skip(rest, 3);
    while (rest.len > 0 && view_split(&rest, '\n', &line)) {
        number++;
        enum status st = parse_line(ini, kind, &pos, line);
        if (st == ST_USAGE) { /* the line itself is not shown: it may hold a secret */
            error_set(err, st, E_A105, "line %llu is neither a section nor key = value",
                      (unsigned long long)number);
            if (err != NULL)
                err->offset = number;
        }
        if (st)
            return st;
    }
    return ST_OK;
}

enum status aws_ini_add_file(struct aws_ini *ini, enum aws_ini_kind kind, const char *path,
                             struct error *err)
{
    struct error inner = {0};
    struct stat info;
    struct buf content;
    buf_init(&content, AWS_INI_MAX_BYTES);
    enum status st = whole_file_read(&content, path, WHOLE_FILE_REGULAR, &info, &inner);
    if (st == ST_MISSING) {
        buf_clear(&content);
        return ST_OK;
    }
    if (!st && kind == AWS_INI_CREDENTIALS && S_ISREG(info.st_mode) && (info.st_mode & 077) != 0)
        LOG_FAULT(LOG_WARN, E_A103, "credentials file can be read by others; chmod 600 it",
                  log_cstr("file", path));
    if (!st)
        st = aws_ini_add(ini, kind, buf_view(&content), &inner);
    if (inner.text[0] != '\0') {
        error_set(err, st, inner.code, "%s: %s", path, inner.text);
        if (err != NULL)
            err->offset = inner.offset;
    }
    buf_wipe(&content);
    return st;
}

/* The last value that was read for this key; VIEW_EMPTY when there is none. */
static struct view find(const struct aws_ini *ini, enum section kind, struct view name,
                        struct view block, struct view key)
{
    for (size_t i = ini->n; i > 0; i--) { /* the last one wins */
        const struct entry *e = &ini->entries[i - 1];
        if (e->kind == kind && e->key.len > 0 && view_eq(span_view(ini, e->name), name) &&
            view_eq(span_view(ini, e->block), block) && view_eq_nocase(span_view(ini, e->key), key))
            return span_view(ini, e->value);
    }
    return VIEW_EMPTY;
}

bool aws_ini_has_profile(const struct aws_ini *ini, struct view profile)
{
    for (size_t i = 0; i < ini->n; i++)
        if (ini->entries[i].kind == SECTION_PROFILE &&
            view_eq(span_view(ini, ini->entries[i].name), profile))
            return true;
    return false;
}

struct view aws_ini_get(const struct aws_ini *ini, struct view profile, const char *key)
{
    return find(ini, SECTION_PROFILE, profile, VIEW_EMPTY, view_of(key));
}

struct view aws_ini_get_service(const struct aws_ini *ini, struct view section, const char *service,
                                const char *key)
{
    return find(ini, SECTION_SERVICES, section, view_of(service), view_of(key));
}
