/* cmd_reconcile.h: the logs against Bedrock's own metrics. */
#ifndef CLI_CMD_RECONCILE_H
#define CLI_CMD_RECONCILE_H

int cmd_reconcile(int argc, char **argv);

#endif
