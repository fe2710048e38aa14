/*
 * command.c: how every command is run: words to options, options to settings and log, a status to
 * an exit status.  Also the few things that several commands do alike.
 */
#include "cli/command.h"

#include <stdlib.h>
#include <unistd.h>

#include "base/json_out.h"
#include "base/log.h"
#include "base/stop.h"
#include "config/config.h"
#include "config/variables.h"

enum { MAX_COMPLAINT = 8 * 1024, MAX_TITLE = 40, MAX_SHOWN = 1 << 30 };

static const struct option common_rows[] = {
    {"quiet", NULL, "only errors on standard error", OPTION_FLAG,
     OPTION_MEMBER(struct common_options, quiet, bool), 0, 0, 0},
    {"log-format", "text|json", "form of log lines (default text)", OPTION_CHOICE,
     OPTION_MEMBER(struct common_options, log_format, unsigned), 0, 0, 0},
    {"log-level", "LEVEL", "DEBUG, INFO, WARN or ERROR (default INFO, or LOG_LEVEL)", OPTION_TEXT,
     OPTION_MEMBER(struct common_options, log_level, const char *), 0, 0, 0},
    {"env-file", "FILE",
     "settings as NAME=VALUE lines; the environment wins.\n"
     ".env in the working folder is read too, but may not set\n"
     "files, roles, credentials or addresses",
     OPTION_TEXT, OPTION_MEMBER(struct common_options, env_file, const char *), 0, 0, 0},
};

enum { COMMON_COUNT = sizeof(common_rows) / sizeof(common_rows[0]) };

const struct option *command_common_options(size_t *count)
{
    *count = COMMON_COUNT;
    return common_rows;
}

/* ---- what goes wrong ---- */

/* "ledger sweep" */
static const char *title_of(const struct command *command, char title[MAX_TITLE])
{
    (void)snprintf(title, MAX_TITLE, "%s%s%s", command->family != NULL ? command->family : "",
                   command->family != NULL ? " " : "", command->name);
    return title;
}

/* The text may quote what was given, and a terminal must not act on it. */
static void complain(const char *command, enum code code, const char *text)
{
    struct buf line;
    buf_init(&line, MAX_COMPLAINT);
    buf_printf(&line, "bedrock-metrics%s%s: ", command[0] != '\0' ? " " : "", command);
    json_escape(&line, view_of(text));
    buf_printf(&line, " (%s)\n", code_text(code));
    if (buf_status(&line) == ST_OK)
        (void)fwrite(line.ptr, 1, line.len, stderr);
    else
        fprintf(stderr, "bedrock-metrics: out of memory\n");
    buf_clear(&line);
}

int command_usage_error(const char *command, const struct error *err)
{
    complain(command, error_code(err, E_U100), err->text);
    fprintf(stderr, "Try \"bedrock-metrics%s%s --help\".\n", command[0] != '\0' ? " " : "",
            command);
    return EXIT_USAGE;
}

int command_failed(const char *command, const struct error *err)
{
    static const struct error unknown = {.code = E_R113, .text = "out of memory"};
    if (err->text[0] == '\0')
        err = &unknown;
    if (log_format_now() == LOG_JSON)
        LOG_FAULT(LOG_ERROR, error_code(err, E_R105), "failed", log_cstr("command", command),
                  log_cstr("reason", err->text));
    else
        complain(command, error_code(err, E_R105), err->text);
    return EXIT_FOUND_FAULTS;
}

/* ---- running ---- */

static enum status apply_common(const struct common_options *common, struct error *err)
{
    struct error detail = {0}, unread = {0};
    struct buf ignored;
    enum log_level level = LOG_INFO;
    if (common->env_file != NULL && config_load_env_file(common->env_file, &detail) != ST_OK)
        return error_set(err, ST_USAGE, E_U401, "--env-file %s", detail.text);
    /* A .env that happens to be here may be another program's, or a trap: what is not taken is named. */
    buf_init(&ignored, MAX_COMPLAINT);
    if (config_load_dotenv(common->env_file, &ignored, &unread) == ST_MISSING)
        unread.text[0] = '\0';
    const char *name = common->log_level != NULL ? common->log_level : variable_get(VAR_LOG_LEVEL);
    if (log_level_parse(view_of(name), &level) != ST_OK) {
        buf_clear(&ignored);
        return error_set(err, ST_USAGE, E_U299,
                         "%s: unknown log level \"%.80s\"; known are DEBUG, INFO, WARN, ERROR",
                         common->log_level != NULL ? "--log-level" : "LOG_LEVEL", name);
    }
    log_setup(common->quiet ? LOG_ERROR : level,
              common->log_format == AS_JSON ? LOG_JSON : LOG_TEXT,
              isatty(STDERR_FILENO) && !variable_given(VAR_NO_COLOR));
    if (unread.text[0] != '\0')
        LOG_FAULT(LOG_WARN, E_R140, "not all of .env was read", log_cstr("reason", unread.text));
    if (ignored.len > 0)
        LOG_FAULT(LOG_WARN, E_R141, ".env may not set these, use --env-file",
                  log_view("ignored", buf_view(&ignored)));
    buf_clear(&ignored);
    return ST_OK;
}

static enum status check_words(const struct invocation *in, struct error *err)
{
    const struct command *c = in->command;
    if (in->word_count < c->min_words)
        return error_set(err, ST_USAGE, E_U107, "missing argument %s", c->word);
    if (in->word_count > c->max_words)
        return error_set(err, ST_USAGE, E_U106, "unexpected argument \"%.80s\"",
                         in->words[c->max_words]);
    for (size_t i = 0; i < in->word_count; i++) {
        if (in->words[i][0] == '\0')
            return error_set(err, ST_USAGE, E_U107, "empty argument \"\" for %s", c->word);
    }
    return ST_OK;
}

static enum status parse(struct invocation *in, int argc, char **argv, struct error *err)
{
    const struct command *c = in->command;
    const struct option_table tables[] = {
        {c->options, c->option_count, in->options},
        {common_rows, c->setup == SETUP_NONE ? 0 : COMMON_COUNT, &in->common},
    };
    in->words = argv;
    return options_parse(tables, 2, argc, argv, &in->word_count, err);
}

int command_run(const struct command *c, int argc, char **argv)
{
    char title[MAX_TITLE];
    struct error err = {0};
    struct invocation in = {.command = c, .options = calloc(1, c->options_size + 1)};
    int status = EXIT_DONE;
    title_of(c, title);
    enum status st = in.options == NULL ? ST_NO_MEMORY : parse(&in, argc, argv, &err);
    if (st == ST_END) {
        command_help(c, stdout);
        free(in.options);
        return EXIT_DONE;
    }
    if (st == ST_OK)
        st = check_words(&in, &err);
    if (st == ST_OK && c->setup == SETUP_COMMON)
        st = apply_common(&in.common, &err);
    bool opened = st == ST_OK;
    if (st == ST_OK && c->open != NULL)
        st = c->open(&in, &err);
    bool ready = st == ST_OK;
    if (st == ST_OK)
        st = c->run(&in, &err);
    if (st == ST_OK)
        status = in.exit;
    else if (st == ST_USAGE || (!ready && st != ST_NO_MEMORY))
        status = command_usage_error(title, &err);
    else if (stop_signal() != 0)
        status = 128 + stop_signal();
    else
        status = command_failed(title, &err);
    if (opened && c->close != NULL)
        c->close(in.options);
    free(in.options);
    return status;
}

void command_help(const struct command *c, FILE *out)
{
    char title[MAX_TITLE];
    fprintf(out, "Usage: bedrock-metrics %s %s\n\n%s.\n\nOptions:\n", title_of(c, title),
            c->synopsis, c->summary);
    options_help(c->options, c->option_count, out);
    if (c->setup != SETUP_NONE)
        options_help(common_rows, COMMON_COUNT, out);
    if (c->details != NULL)
        fprintf(out, "\n%s", c->details);
    if (c->reads != 0) {
        fprintf(out, "\nEnvironment (\"bedrock-metrics help variables\" has all):\n");
        command_help_variables(c->reads, out);
    }
}

void command_help_variables(unsigned reads, FILE *out)
{
    for (unsigned i = 0; i < VARIABLE_COUNT; i++) {
        const struct variable *v = variable_at(i);
        if ((v->readers & reads) == 0)
            continue;
        fprintf(out, "  %s", v->name);
        if (v->otherwise != NULL)
            fprintf(out, " (default %s)", v->otherwise);
        fprintf(out, "\n      %s\n", v->help);
    }
}

/* ---- what several commands share ---- */

struct progress *command_progress(const struct invocation *in, const char *what)
{
    return in->common.quiet || !isatty(STDERR_FILENO) ? NULL : progress_new_items(what);
}

enum status command_print(struct buf *text, struct error *err)
{
    if (buf_status(text) == ST_OK && isatty(STDOUT_FILENO)) {
        struct buf shown;
        buf_init(&shown, MAX_SHOWN);
        json_escape_lines(&shown, buf_view(text));
        buf_clear(text);
        *text = shown;
    }
    return command_print_as_is(text, err);
}

enum status command_print_as_is(struct buf *text, struct error *err)
{
    enum status st = buf_status(text);
    if (st == ST_TOO_BIG)
        st = error_set(err, st, E_R110, "the result is too large");
    else if (st != ST_OK)
        st = error_set(err, st, E_R113, "out of memory");
    else if (fwrite(text->ptr, 1, text->len, stdout) != text->len || fflush(stdout) != 0)
        st = error_set(err, ST_IO, E_R110, "the result could not be written");
    buf_clear(text);
    return st;
}
