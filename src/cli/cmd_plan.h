/* cmd_plan.h: the command `plan`: series and CloudWatch bill of a choice, before paying it. */
#ifndef CLI_CMD_PLAN_H
#define CLI_CMD_PLAN_H

/*
 * argv[0] is "plan".  Result on standard output or into --out.  Returns the exit status: 0; 1 when
 * an object failed or the result cannot be written; 2 for wrong usage.
 */
int cmd_plan(int argc, char **argv);

#endif
