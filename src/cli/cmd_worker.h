/* cmd_worker.h: the program as a queue worker. */
#ifndef CLI_CMD_WORKER_H
#define CLI_CMD_WORKER_H

/* argv[0] is "worker".  Returns the exit status. */
int cmd_worker(int argc, char **argv);

#endif
