/*
 * commands.h: all commands, in the order of the help.
 *
 * A new one is a row here and a file with COMMAND(its name) = {...}.  Whatever is forgotten, a row
 * or a definition, ends the build.
 */
#ifndef CLI_COMMANDS_H
#define CLI_COMMANDS_H

#include <assert.h>

#include "cli/command.h"

#define COMMANDS(X)                                                                                \
    X(aggregate)                                                                                   \
    X(serve)                                                                                       \
    X(report)                                                                                      \
    X(plan)                                                                                        \
    X(prices_list)                                                                                 \
    X(prices_explain)                                                                              \
    X(prices_age)                                                                                  \
    X(reconcile)                                                                                   \
    X(explain)                                                                                     \
    X(worker)                                                                                      \
    X(lambda)                                                                                      \
    X(enqueue)                                                                                     \
    X(doctor)                                                                                      \
    X(dashboard)                                                                                   \
    X(ledger_status)                                                                               \
    X(ledger_sweep)                                                                                \
    X(ledger_resolve)                                                                              \
    X(ledger_verify)                                                                               \
    X(ledger_quarantine)                                                                           \
    X(ledger_redrive)

#define COMMANDS_NUMBER(name) COMMAND_##name,
enum { COMMANDS(COMMANDS_NUMBER) COMMAND_COUNT };

/* cmd_aggregate and all the others. */
#define COMMANDS_DECLARE(name) extern const struct command cmd_##name;
COMMANDS(COMMANDS_DECLARE)

/* The definition of a command begins with this: COMMAND(aggregate) = {...}; */
#define COMMAND(name)                                                                              \
    static_assert(COMMAND_##name < COMMAND_COUNT, "is in COMMANDS");                               \
    const struct command cmd_##name

extern const struct command *const commands[COMMAND_COUNT];

/* The whole program: argv is that of main().  Returns the exit status. */
int commands_main(int argc, char **argv);

/*
 * Whether a program started with these words is a Lambda function: under the name `bootstrap`, or
 * without a command where AWS_LAMBDA_RUNTIME_API is set.
 */
bool commands_is_lambda(int argc, char **argv);

#endif
