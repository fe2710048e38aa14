/*
 * kill_point.c: the tests' way to end the real program at an exact place.  SIGKILL, because no
 * handler, no destructor and no flush may run: what is left behind must be what a crash leaves.
 */
#include "base/kill_point.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

static pthread_once_t once = PTHREAD_ONCE_INIT;
static char wanted[64];
static atomic_long left;

static void read_variable(void)
{
    const char *text = getenv("BEDROCK_METRICS_KILL_POINT");
    const char *colon = text != NULL ? strrchr(text, ':') : NULL;
    if (colon == NULL || (size_t)(colon - text) >= sizeof(wanted))
        return;
    memcpy(wanted, text, (size_t)(colon - text));
    left = strtol(colon + 1, NULL, 10);
}

void kill_point(const char *name, bool after)
{
    pthread_once(&once, read_variable);
    if (wanted[0] == '\0')
        return;
    const char *prefix = after ? "after-" : "before-";
    size_t n = strlen(prefix);
    if (strncmp(wanted, prefix, n) != 0 || strcmp(wanted + n, name) != 0)
        return;
    if (atomic_fetch_sub(&left, 1) == 1)
        raise(SIGKILL);
}
