/* cmd_dashboard.h: the command `dashboard`: a CloudWatch dashboard body for what is published. */
#ifndef CLI_CMD_DASHBOARD_H
#define CLI_CMD_DASHBOARD_H

/*
 * argv[0] is "dashboard".  Body on standard output or into --out.  Returns the exit status: 0; 1
 * when it cannot be written or is larger than CloudWatch takes; 2 for wrong usage.
 */
int cmd_dashboard(int argc, char **argv);

#endif
