/*
 * command.h: what a command is, and how every one of them is run.
 *
 * A command is one constant struct: its texts, its options as a table, and up to three functions.
 * command_run() parses the words, prints the help, reads the environment files, sets up the log,
 * and turns a status into an exit status, so that none of them does.
 */
#ifndef CLI_COMMAND_H
#define CLI_COMMAND_H

#include "base/buf.h"
#include "cli/options.h"
#include "config/variables.h"
#include "count/progress.h"

/* Exit statuses; a signal's is 128 and its number. */
enum { EXIT_DONE = 0, EXIT_FOUND_FAULTS = 1, EXIT_USAGE = 2 };

/* Parts of the help. */
enum command_group { GROUP_LOGS, GROUP_AWS, GROUP_LEDGER, GROUP_COUNT };

/* Options of every command but those with SETUP_NONE. */
struct common_options {
    bool quiet;
    enum output_form { AS_TEXT, AS_JSON } log_format;
    const char *log_level, *env_file;
};

/* The row of a command whose result is text or JSON: its enum output_form is called `output`. */
#define OUTPUT_OPTION                                                                              \
    {                                                                                              \
        "output", "text|json", "form of the result (default text)", OPT_CHOICE(output)             \
    }

/* One run of a command. */
struct invocation {
    const struct command *command;
    void *options; /* the command's own struct, zeroed and then filled by its table */
    struct common_options common;
    char *const *words; /* arguments that are not options */
    size_t word_count;
    int exit; /* what ends the process when run() returns ST_OK; EXIT_DONE unless changed */
};

struct command {
    const char *family; /* "ledger" of "ledger sweep"; NULL: none */
    const char *name;
    bool is_default; /* what the family's name alone means */
    enum command_group group;
    const char *summary;  /* one line */
    const char *synopsis; /* after the name: "SOURCE... [OPTIONS]" */
    const char *details;  /* paragraphs of the help, after the options */

    const char *word; /* what its arguments are, for messages: "SOURCE"; NULL: it takes none */
    size_t min_words, max_words;
    unsigned reads; /* what it does, for the variables it reads: a set of READ_... */
    const struct option *options;
    size_t option_count, options_size;
    enum command_setup {
        SETUP_COMMON, /* environment files and log, as the common options say */
        SETUP_OWN,    /* the common options are taken, and open() handles them */
        SETUP_NONE,   /* needs neither settings nor log */
    } setup;

    /*
     * Everything that can be found wrong before any work; may be NULL.  A failure is wrong usage
     * (exit 2), out of memory alone is not.
     */
    enum status (*open)(struct invocation *in, struct error *err);
    /* The work.  ST_USAGE is wrong usage; another failure is printed, and exit 1 or a signal's. */
    enum status (*run)(struct invocation *in, struct error *err);
    /* Free what `options` holds, whatever happened before; may be NULL. */
    void (*close)(void *options);
};

/* The members .options, .option_count and .options_size: the rows, and the struct they fill. */
#define COMMAND_OPTIONS(rows)                                                                      \
    .options = (rows), .option_count = sizeof(rows) / sizeof((rows)[0]),                           \
    .options_size = sizeof(struct options)

/* argv[0] is the command; words are moved within argv.  Returns the exit status. */
int command_run(const struct command *command, int argc, char **argv);

/* The help of one command. */
void command_help(const struct command *command, FILE *out);

/* The environment variables that a command with these .reads has, a paragraph each. */
void command_help_variables(unsigned reads, FILE *out);

/* The rows of the common options, for tests of all options. */
const struct option *command_common_options(size_t *count);

/*
 * "bedrock-metrics COMMAND: text (CODE)" and how to get help, on standard error; `command` may be
 * "".  Returns EXIT_USAGE.
 */
int command_usage_error(const char *command, const struct error *err);

/*
 * The same without help, for what failed later; an empty text is out of memory.  With
 * --log-format json it is the log line `failed`.  Returns EXIT_FOUND_FAULTS.
 */
int command_failed(const char *command, const struct error *err);

/* ---- what several commands share ---- */

/* A line of progress on a terminal, else NULL; see progress_new_items. */
struct progress *command_progress(const struct invocation *in, const char *what);

/*
 * Write a result to standard output, and clear it; on a terminal what could steer it is escaped,
 * unless it is to be written as it is.  ST_IO; ST_NO_MEMORY or ST_TOO_BIG of the text itself.
 */
NODISCARD enum status command_print(struct buf *text, struct error *err);
NODISCARD enum status command_print_as_is(struct buf *text, struct error *err);

#endif
