/* commands.h: the subcommands; main.c has the table. */
#ifndef CLI_COMMANDS_H
#define CLI_COMMANDS_H

/* Each takes its own words (argv[0] is the command) and returns the exit status. */
int cmd_aggregate(int argc, char **argv);
int cmd_serve(int argc, char **argv);
int cmd_report(int argc, char **argv);

#endif
