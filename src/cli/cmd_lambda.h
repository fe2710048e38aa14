/* cmd_lambda.h: the program as a Lambda function. */
#ifndef CLI_CMD_LAMBDA_H
#define CLI_CMD_LAMBDA_H

#include <stdbool.h>

/* argv[0] is "lambda".  Returns the exit status. */
int cmd_lambda(int argc, char **argv);

/*
 * Whether a program started with these words is a Lambda function: under the name `bootstrap`, or
 * without a command where AWS_LAMBDA_RUNTIME_API is set.
 */
bool cmd_lambda_is_meant(int argc, char **argv);

#endif
