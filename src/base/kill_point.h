/*
 * kill_point.h: ends the process at a named point, for the tests of what a crash leaves behind.
 *
 * BEDROCK_METRICS_KILL_POINT=NAME:N kills the process (SIGKILL) when it comes to that point for the
 * N-th time.  Compiled in always, so that what is tested is what is shipped; without the variable a
 * point is one comparison.
 */
#ifndef BASE_KILL_POINT_H
#define BASE_KILL_POINT_H

#include <stdbool.h>

/* The point "before-NAME" or "after-NAME".  Any thread. */
void kill_point(const char *name, bool after);

#endif
