/* options.c: the parser of command lines, and the part of the help that lists options. */
#include "cli/options.h"

#include "base/suggest.h"

enum { MAX_OPTIONS = 64, HELP_COLUMN = 34, HELP_WIDTH = 60 };

static const struct option *find(const struct option_table *tables, size_t table_count,
                                 struct view name, void **values, size_t *number)
{
    *number = 0;
    for (size_t t = 0; t < table_count; t++) {
        *values = tables[t].values;
        for (size_t i = 0; i < tables[t].count; i++, ++*number) {
            if (view_eq_cstr(name, tables[t].rows[i].name))
                return &tables[t].rows[i];
        }
    }
    return NULL;
}

static enum status unknown_option(const struct option_table *tables, size_t table_count,
                                  const char *word, struct view name, struct error *err)
{
    const char *names[MAX_OPTIONS];
    size_t n = 0;
    for (size_t t = 0; t < table_count; t++) {
        for (size_t i = 0; i < tables[t].count && n < MAX_OPTIONS; i++)
            names[n++] = tables[t].rows[i].name;
    }
    struct suggestion near = suggest_end(name, "--", names, n);
    return error_set(err, ST_USAGE, E_U101, "unknown option \"%.80s\"%s", word, near.text);
}

static enum status set_value(const struct option *o, const char *value, void *values,
                             struct error *err)
{
    struct suggestion known;
    void *member = (char *)values + o->offset;
    switch (o->kind) {
    case OPTION_FLAG: *(bool *)member = true; return ST_OK;
    case OPTION_TEXT: *(const char **)member = value; return ST_OK;
    case OPTION_CHOICE:
        if (suggest_choice(o->value_name, value, member, &known))
            return ST_OK;
        return error_set(err, ST_USAGE, E_U299, "unknown --%s \"%.80s\"%s", o->name, value,
                         known.text);
    case OPTION_NUMBER: break;
    }
    uint64_t *number = member;
    if (view_parse_u64(view_of(value), o->high, number) == ST_OK && *number >= o->low)
        return ST_OK;
    return error_set(err, ST_USAGE, E_U208,
                     "--%s must be an integer from %llu to %llu, not \"%.80s\"", o->name,
                     (unsigned long long)o->low, (unsigned long long)o->high, value);
}

enum status options_parse(const struct option_table *tables, size_t table_count, int argc,
                          char **argv, size_t *count, struct error *err)
{
    bool seen[MAX_OPTIONS] = {false};
    bool only_arguments = false;
    *count = 0;
    for (size_t t = 0; t < table_count; t++) {
        for (size_t i = 0; i < tables[t].count; i++) {
            const struct option *o = &tables[t].rows[i];
            if (o->kind == OPTION_NUMBER)
                *(uint64_t *)(void *)((char *)tables[t].values + o->offset) = o->otherwise;
        }
    }
    for (int i = 1; i < argc; i++) {
        char *word = argv[i];
        if (only_arguments || word[0] != '-' || word[1] == '\0') {
            argv[(*count)++] = word;
            continue;
        }
        if (strcmp(word, "--") == 0) {
            only_arguments = true;
            continue;
        }
        if (strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0)
            return ST_END;
        if (word[1] != '-')
            return error_set(err, ST_USAGE, E_U101,
                             "unknown option \"%.80s\"; options have two dashes", word);
        struct view name = view_of(word + 2);
        size_t equals = view_find_char(name, '='), number;
        name = view_first(name, equals);
        void *values;
        const struct option *o = find(tables, table_count, name, &values, &number);
        if (o == NULL || number >= MAX_OPTIONS)
            return unknown_option(tables, table_count, word, name, err);
        if (seen[number])
            return error_set(err, ST_USAGE, E_U103, "option --%s is given twice", o->name);
        seen[number] = true;
        const char *value = equals != SIZE_MAX ? word + 2 + equals + 1 : NULL;
        if (o->kind == OPTION_FLAG && value != NULL)
            return error_set(err, ST_USAGE, E_U104, "option --%s takes no value", o->name);
        if (o->kind != OPTION_FLAG && value == NULL) {
            if (i + 1 == argc)
                return error_set(err, ST_USAGE, E_U105, "option --%s needs a value (%s)", o->name,
                                 o->value_name);
            value = argv[++i];
        }
        enum status st = set_value(o, value, values, err);
        if (st != ST_OK)
            return st;
    }
    return ST_OK;
}

/* A line of a help text: up to its end, or to the last space that leaves it short enough. */
static bool take_line(struct view *rest, struct view *line)
{
    size_t end = view_find_char(view_first(*rest, HELP_WIDTH + 1), '\n');
    size_t space = view_rfind(view_first(*rest, HELP_WIDTH + 1), VIEW_LIT(" "));
    if (rest->len <= HELP_WIDTH || end != SIZE_MAX || space == SIZE_MAX)
        return view_split(rest, '\n', line);
    *line = view_first(*rest, space);
    *rest = view_skip(*rest, space + 1);
    return true;
}

void options_help(const struct option *rows, size_t count, FILE *out)
{
    for (size_t i = 0; i < count; i++) {
        const struct option *o = &rows[i];
        int n = fprintf(out, "  --%s%s%s", o->name, o->value_name != NULL ? " " : "",
                        o->value_name != NULL ? o->value_name : "");
        struct view rest = view_of(o->help), line;
        for (bool first = true; take_line(&rest, &line); first = false) {
            if (first && n > HELP_COLUMN - 2) {
                fputc('\n', out);
                n = 0;
            }
            fprintf(out, "%*s%.*s\n", first ? HELP_COLUMN - n : HELP_COLUMN, "", SHOW(line));
        }
    }
}
