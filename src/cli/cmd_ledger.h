/* cmd_ledger.h: the commands that look after a ledger; each takes its own words. */
#ifndef CLI_CMD_LEDGER_H
#define CLI_CMD_LEDGER_H

int cmd_sweep(int argc, char **argv);
int cmd_resolve(int argc, char **argv);
int cmd_quarantine(int argc, char **argv);
int cmd_verify(int argc, char **argv);
int cmd_redrive(int argc, char **argv);

#endif
