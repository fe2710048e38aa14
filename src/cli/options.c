#include "cli/options.h"

#include <stdio.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/json_out.h"
#include "base/log.h"
#include "base/suggest.h"
#include "config/config.h"

enum { MAX_OPTIONS = 64, HELP_COLUMN = 34, MAX_COMPLAINT = 8 * 1024 };

static const struct option_spec *find_option(const struct option_spec *specs, size_t count,
                                             struct view name)
{
    for (size_t i = 0; i < count; i++) {
        if (view_eq_cstr(name, specs[i].name))
            return &specs[i];
    }
    return NULL;
}

static enum status unknown_option(const struct option_spec *specs, size_t count, const char *word,
                                  struct view name, struct error *err)
{
    const char *names[MAX_OPTIONS];
    size_t n = 0;
    for (; n < count && n < MAX_OPTIONS; n++)
        names[n] = specs[n].name;
    struct suggestion near = suggest_end(name, "--", names, n);
    return error_set(err, ST_USAGE, E_U101, "unknown option \"%.80s\"%s", word, near.text);
}

enum status options_parse(const struct option_spec *specs, size_t spec_count, int argc, char **argv,
                          int *count, struct error *err)
{
    bool seen[MAX_OPTIONS] = {false};
    bool only_arguments = false;
    *count = 0;
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
        size_t equals = view_find_char(name, '=');
        name = view_first(name, equals);
        const struct option_spec *spec = find_option(specs, spec_count, name);
        if (spec == NULL)
            return unknown_option(specs, spec_count, word, name, err);
        if (seen[spec - specs])
            return error_set(err, ST_USAGE, E_U103, "option --%s is given twice", spec->name);
        seen[spec - specs] = true;
        if (spec->flag != NULL)
            *spec->flag = true;
        if (spec->value_name == NULL) {
            if (equals != SIZE_MAX)
                return error_set(err, ST_USAGE, E_U104, "option --%s takes no value", spec->name);
            continue;
        }
        if (equals != SIZE_MAX)
            *spec->value = word + 2 + equals + 1;
        else if (i + 1 < argc)
            *spec->value = argv[++i];
        else
            return error_set(err, ST_USAGE, E_U105, "option --%s needs a value (%s)", spec->name,
                             spec->value_name);
    }
    return ST_OK;
}

void options_help(const struct command *command, const struct option_spec *specs, size_t spec_count)
{
    printf("Usage: bedrock-metrics %s %s\n\n%s\n\nOptions:\n", command->name, command->synopsis,
           command->summary);
    for (size_t i = 0; i < spec_count; i++) {
        int n = printf("  --%s%s%s", specs[i].name, specs[i].value_name != NULL ? " " : "",
                       specs[i].value_name != NULL ? specs[i].value_name : "");
        struct view rest = view_of(specs[i].help), line;
        bool first = true;
        while (view_split(&rest, '\n', &line)) {
            if (first && n > HELP_COLUMN - 2) {
                putchar('\n');
                n = 0;
            }
            printf("%*s%.*s\n", first ? HELP_COLUMN - n : HELP_COLUMN, "", (int)line.len, line.ptr);
            first = false;
        }
    }
    if (command->details != NULL)
        printf("\n%s", command->details);
}

/* The text may quote what was given, and a terminal must not act on it. */
static void add_escaped(struct buf *out, struct view text)
{
    struct buf quoted;
    buf_init(&quoted, MAX_COMPLAINT);
    json_quote(&quoted, text);
    for (size_t i = 1; i + 1 < quoted.len; i++) {
        bool marks_quote = quoted.ptr[i] == '\\' && quoted.ptr[i + 1] == '"';
        if (!marks_quote || i + 2 == quoted.len)
            buf_add_char(out, quoted.ptr[i]);
    }
    buf_clear(&quoted);
}

static void complain(const char *command, enum code code, const char *text)
{
    struct buf line;
    buf_init(&line, MAX_COMPLAINT);
    buf_printf(&line, "bedrock-metrics%s%s: ", command[0] != '\0' ? " " : "", command);
    add_escaped(&line, view_of(text));
    buf_printf(&line, " (%s)\n", code_text(code));
    if (buf_status(&line) == ST_OK)
        (void)fwrite(line.ptr, 1, line.len, stderr);
    else
        fprintf(stderr, "bedrock-metrics: out of memory\n");
    buf_clear(&line);
}

int usage_error(const char *command, const struct error *err)
{
    complain(command, error_code(err, E_U100), err->text);
    fprintf(stderr, "Try \"bedrock-metrics%s%s --help\".\n", command[0] != '\0' ? " " : "",
            command);
    return EXIT_USAGE;
}

int run_failed(const char *command, const struct error *err)
{
    if (err->text[0] != '\0')
        complain(command, error_code(err, E_U100), err->text);
    else
        complain(command, E_R113, "out of memory");
    return EXIT_FOUND_FAULTS;
}

int start_failed(const char *command, enum status st, const struct error *err)
{
    return st == ST_NO_MEMORY ? run_failed(command, err) : usage_error(command, err);
}

void common_options_table(struct common_options *common, struct option_spec *specs)
{
    specs[0] =
        (struct option_spec){"quiet", NULL, "only errors on standard error", NULL, &common->quiet};
    specs[1] = (struct option_spec){"log-format", "text|json", "form of log lines (default text)",
                                    &common->log_format, NULL};
    specs[2] = (struct option_spec){"log-level", "LEVEL",
                                    "DEBUG, INFO, WARN or ERROR (default INFO, or LOG_LEVEL)",
                                    &common->log_level, NULL};
    specs[3] = (struct option_spec){"env-file", "FILE",
                                    "settings as NAME=VALUE lines; the environment wins.\n"
                                    ".env in the working folder is read too",
                                    &common->env_file, NULL};
}

enum status common_options_apply(const struct common_options *common, struct error *err)
{
    enum status st = ST_OK;
    if (common->env_file != NULL)
        st = config_load_env_file(common->env_file, err);
    if (st != ST_OK) {
        struct error detail = *err;
        return error_set(err, ST_USAGE, E_U401, "--env-file %s", detail.text);
    }
    /* A .env that happens to lie here may be another program's: what is not understood is named. */
    struct error foreign = {0};
    st = config_load_env_file(".env", &foreign);
    bool told = st != ST_OK && st != ST_MISSING;
    enum log_level level = LOG_INFO;
    const char *name =
        common->log_level != NULL ? common->log_level : config_get("LOG_LEVEL", "INFO");
    if (log_level_parse(view_of(name), &level) != ST_OK)
        return error_set(err, ST_USAGE, E_U299,
                         "%s: unknown log level \"%.80s\"; known are DEBUG, INFO, WARN, ERROR",
                         common->log_level != NULL ? "--log-level" : "LOG_LEVEL", name);
    enum log_format format = LOG_TEXT;
    const char *form = common->log_format != NULL ? common->log_format : "text";
    if (strcmp(form, "json") == 0)
        format = LOG_JSON;
    else if (strcmp(form, "text") != 0)
        return error_set(err, ST_USAGE, E_U299,
                         "unknown log format \"%.80s\"; known are text, json", form);
    if (common->quiet)
        level = LOG_ERROR;
    log_setup(level, format, isatty(STDERR_FILENO) && config_get("NO_COLOR", NULL) == NULL);
    if (told)
        LOG_FAULT(LOG_WARN, E_R140, "not all of .env was read", log_cstr("reason", foreign.text));
    return ST_OK;
}
