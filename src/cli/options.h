/*
 * options.h: the words of a command line, parsed by a table into a struct of the command's own.
 *
 * Options and arguments may be mixed; "--name VALUE" and "--name=VALUE" are the same; "--" ends the
 * options.  A repeated option, an unknown one and a missing value are errors that quote the word.
 *
 *     struct options { const char *out; bool all; uint64_t top; };
 *     static const struct option rows[] = {
 *         {"out", "FILE", "write the result to FILE", OPT_TEXT(out)},
 *         {"all", NULL, "of any age", OPT_FLAG(all)},
 *         {"top", "N", "keep the N largest", OPT_NUMBER(top, 1, 100, 0)},
 *     };
 *
 * The struct is always called `options`.  The last column checks its member's type; a row that lacks
 * a column does not compile.
 */
#ifndef CLI_OPTIONS_H
#define CLI_OPTIONS_H

#include <stddef.h>
#include <stdio.h>

#include "base/view.h"

/* None is 0, which a pointer of a column that was left out could be mistaken for. */
enum option_kind { OPTION_FLAG = 1, OPTION_TEXT, OPTION_NUMBER, OPTION_CHOICE };

struct option {
    const char *name;       /* "output" for --output */
    const char *value_name; /* "FILE" for the help; of a choice all its words; NULL for a flag */
    const char *help;       /* lines separated by \n */
    enum option_kind kind;
    size_t offset;      /* of the member */
    uint64_t low, high; /* of a number, both included */
    uint64_t otherwise; /* the number when the option is not given */
};

#define OPTION_MEMBER(type, member, wanted)                                                        \
    _Generic(((type *)0)->member, wanted : offsetof(type, member))

/* bool: true when given */
#define OPT_FLAG(member) OPTION_FLAG, OPTION_MEMBER(struct options, member, bool), 0, 0, 0

/* const char *: the word of the command line, or NULL */
#define OPT_TEXT(member) OPTION_TEXT, OPTION_MEMBER(struct options, member, const char *), 0, 0, 0

/* uint64_t, within low..high, or `otherwise` */
#define OPT_NUMBER(member, low, high, otherwise)                                                   \
    OPTION_NUMBER, OPTION_MEMBER(struct options, member, uint64_t), (low), (high), (otherwise)

/* An enum: the position of the word among those of value_name ("text|json"); not given: 0. */
#define OPT_CHOICE(member) OPTION_CHOICE, OPTION_MEMBER(struct options, member, unsigned), 0, 0, 0

/* Rows, and the zeroed struct that their offsets are of. */
struct option_table {
    const struct option *rows;
    size_t count;
    void *values;
};

/*
 * Parse argv[1..argc) into the structs of the tables, whose names all differ.  Texts are those of
 * argv.  Arguments are moved to the front of argv, *count says how many.  ST_END: --help was asked
 * for.  ST_USAGE: *err quotes what is wrong.
 */
NODISCARD enum status options_parse(const struct option_table *tables, size_t table_count, int argc,
                                    char **argv, size_t *count, struct error *err);

/* The lines of the help about these rows. */
void options_help(const struct option *rows, size_t count, FILE *out);

#endif
