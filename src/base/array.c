/*
 * array.c: doubling with checked arithmetic, in one place, so that no growing array has an
 * overflow of its own.  The element type is the caller's: the pointer is moved with memcpy,
 * because a `T **` may not be read as a `void **`.
 */
#include "base/array.h"

#include <stdlib.h>
#include <string.h>

bool array_resize(void *array, size_t count, size_t size)
{
    size_t bytes;
    void *old;
    memcpy(&old, array, sizeof(old));
    void *grown =
        __builtin_mul_overflow(count, size, &bytes) ? NULL : realloc(old, bytes + (bytes == 0));
    if (grown != NULL)
        memcpy(array, &grown, sizeof(grown));
    return grown != NULL;
}

bool array_room(void *array, size_t count, size_t *capacity, size_t first, size_t size)
{
    size_t wanted = first;
    if (count < *capacity)
        return true;
    if ((*capacity > 0 && __builtin_mul_overflow(*capacity, (size_t)2, &wanted)) ||
        !array_resize(array, wanted, size))
        return false;
    *capacity = wanted;
    return true;
}
