/*
 * region_guard.c: a list of allowed Regions, and the Regions outside it that records ran in.
 *
 * The list is kept as text and searched from its start: it has a handful of entries.
 */
#include "aggregate/region_guard.h"

#include <pthread.h>
#include <stdlib.h>

enum { MAX_SEEN = 32, SEEN_BYTES = 48 };

struct region_guard {
    char *list;
    pthread_mutex_t mutex; /* guards what is below */
    char seen[MAX_SEEN][SEEN_BYTES];
    size_t seen_count;
};

enum status region_guard_new(const char *list, struct region_guard **out, struct error *err)
{
    struct view rest = view_of(list), region;
    *out = NULL;
    if (view_trim(rest).len == 0)
        return error_set(err, ST_USAGE, E_U214, "no Region is given");
    while (view_split(&rest, ',', &region)) {
        if (view_trim(region).len == 0)
            return error_set(err, ST_USAGE, E_U214, "an empty Region in \"%.80s\"", list);
    }
    struct region_guard *guard = calloc(1, sizeof(*guard));
    char *copy = strdup(list);
    if (guard == NULL || copy == NULL) {
        free(guard);
        free(copy);
        return error_set(err, ST_NO_MEMORY, E_R113, "out of memory");
    }
    guard->list = copy;
    pthread_mutex_init(&guard->mutex, NULL);
    *out = guard;
    return ST_OK;
}

void region_guard_free(struct region_guard *guard)
{
    if (guard == NULL)
        return;
    pthread_mutex_destroy(&guard->mutex);
    free(guard->list);
    free(guard);
}

bool region_guard_allows(const struct region_guard *guard, struct view region)
{
    struct view rest = view_of(guard->list), one;
    while (view_split(&rest, ',', &one)) {
        if (view_eq(view_trim(one), region))
            return true;
    }
    return false;
}

void region_guard_see(struct region_guard *guard, struct view region)
{
    size_t i = 0;
    region = view_first(region, SEEN_BYTES - 1);
    pthread_mutex_lock(&guard->mutex);
    while (i < guard->seen_count && !view_eq_cstr(region, guard->seen[i]))
        i++;
    if (i == guard->seen_count && i < MAX_SEEN) {
        memcpy(guard->seen[i], region.ptr, region.len);
        guard->seen[i][region.len] = '\0';
        guard->seen_count++;
    }
    pthread_mutex_unlock(&guard->mutex);
}

void region_guard_take_seen(struct region_guard *guard, struct buf *out)
{
    pthread_mutex_lock(&guard->mutex);
    for (size_t i = 0; i < guard->seen_count; i++) {
        if (i > 0)
            buf_add_char(out, ',');
        buf_add_cstr(out, guard->seen[i]);
    }
    guard->seen_count = 0;
    pthread_mutex_unlock(&guard->mutex);
}
