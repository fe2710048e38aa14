#include "cli/novelty.h"

#include <pthread.h>

#include "base/log.h"
#include "base/table.h"

enum { MAX_REPORTED = 256 };

void novelty_report(enum novelty what, struct view text)
{
    static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
    static uint64_t reported[MAX_REPORTED];
    static size_t count;
    uint64_t hash = table_hash_bytes(text) * 2 + (uint64_t)what;
    bool fresh = true;
    pthread_mutex_lock(&mutex);
    for (size_t i = 0; i < count && fresh; i++)
        fresh = reported[i] != hash;
    /* Past the ceiling nothing new is said: the point has been made. */
    fresh = fresh && count < MAX_REPORTED;
    if (fresh)
        reported[count++] = hash;
    pthread_mutex_unlock(&mutex);
    if (!fresh)
        return;
    if (what == NOVELTY_GEOGRAPHY)
        LOG_FAULT(LOG_WARN, E_T120, "unknown geography, counted as CrossRegion",
                  log_view("geography", view_first(text, 64)));
    else
        LOG_FAULT(LOG_WARN, E_T121, "unknown schemaVersion, counted as 1.0",
                  log_view("schemaVersion", view_first(text, 64)));
}
