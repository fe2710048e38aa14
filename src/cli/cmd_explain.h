/* cmd_explain.h: the page that `explain` quotes. */
#ifndef CLI_CMD_EXPLAIN_H
#define CLI_CMD_EXPLAIN_H

#include "base/view.h"

/* docs/troubleshooting.md as it was at build time; it lives as long as the program. */
struct view explain_builtin_text(void);

#endif
