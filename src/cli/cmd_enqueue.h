/* cmd_enqueue.h: existing objects through the queue, so that a fleet counts them. */
#ifndef CLI_CMD_ENQUEUE_H
#define CLI_CMD_ENQUEUE_H

/* argv[0] is "enqueue".  Returns the exit status. */
int cmd_enqueue(int argc, char **argv);

#endif
