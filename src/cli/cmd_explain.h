/* cmd_explain.h: the command `explain`: what a code means and what to do, without a network. */
#ifndef CLI_CMD_EXPLAIN_H
#define CLI_CMD_EXPLAIN_H

#include "base/view.h"

/*
 * argv[0] is "explain".  Result on standard output.  Returns the exit status: 0; 2 for wrong usage
 * or a code that there is not.
 */
int cmd_explain(int argc, char **argv);

/* docs/troubleshooting.md as it was at build time; it lives as long as the program. */
struct view explain_builtin_text(void);

#endif
