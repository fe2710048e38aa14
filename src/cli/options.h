/*
 * options.h: the words of a command line, by a table.
 *
 * Options and arguments may be mixed; "--name VALUE" and "--name=VALUE" are the same; "--" ends the
 * options.  A repeated option, an unknown one and a missing value are errors that quote the word.
 */
#ifndef CLI_OPTIONS_H
#define CLI_OPTIONS_H

#include "base/view.h"

struct option_spec {
    const char *name;       /* "output" for --output */
    const char *value_name; /* "FILE" for the help; NULL: takes no value */
    const char *help;       /* lines separated by \n */
    const char **value;     /* where the value goes; with no value_name NULL */
    bool *flag;             /* set to true when given; may be NULL with a value */
};

/* A command, as main's table and its help need it. */
struct command {
    const char *name;
    const char *summary;  /* one line */
    const char *synopsis; /* behind the name: "SOURCE... [OPTIONS]" */
    const char *details;  /* paragraphs of the help, behind the options; may be NULL */
    int (*run)(int argc, char **argv);
};

/*
 * Parse argv[1..argc).  Arguments are moved to the front of argv, *count says how many.  ST_END:
 * --help was asked for.  ST_USAGE: *err says what is wrong.
 */
NODISCARD enum status options_parse(const struct option_spec *specs, size_t spec_count, int argc,
                                    char **argv, int *count, struct error *err);

/* Help of a command on standard output. */
void options_help(const struct command *command, const struct option_spec *specs,
                  size_t spec_count);

/* Exit statuses. */
enum { EXIT_DONE = 0, EXIT_FOUND_FAULTS = 1, EXIT_USAGE = 2 };

/* "bedrock-metrics COMMAND: text (CODE)" and how to get help, on standard error; EXIT_USAGE. */
int usage_error(const char *command, const struct error *err);

/* The same without help, for what failed later; an empty *err is out of memory.  Returns
 * EXIT_FOUND_FAULTS. */
int run_failed(const char *command, const struct error *err);

/* What came before any work: without memory as run_failed(), else as usage_error(). */
int start_failed(const char *command, enum status st, const struct error *err);

/* Options every command has. */
struct common_options {
    bool quiet;
    const char *log_format, *log_level, *env_file;
};

enum { COMMON_OPTION_COUNT = 4 };

/* Fill the first COMMON_OPTION_COUNT entries of a table. */
void common_options_table(struct common_options *common, struct option_spec *specs);

/* Load the environment files and set up logging.  ST_USAGE: *err says why. */
NODISCARD enum status common_options_apply(const struct common_options *common, struct error *err);

#endif
