/*
 * array.c: doubling with checked arithmetic, in one place, so that no growing array has an
 * overflow of its own.  The element type is the caller's: the pointer is moved with memcpy,
 * because a `T **` may not be read as a `void **`.
 */
#include "base/array.h"

#include <stdlib.h>
#include <string.h>

bool array_room(void *array, size_t count, size_t *capacity, size_t first, size_t size)
{
    size_t wanted = first, bytes;
    void *old;
    if (count < *capacity)
        return true;
    if ((*capacity > 0 && __builtin_mul_overflow(*capacity, (size_t)2, &wanted)) ||
        __builtin_mul_overflow(wanted, size, &bytes))
        return false;
    memcpy(&old, array, sizeof(old));
    void *grown = realloc(old, bytes);
    if (grown == NULL)
        return false;
    memcpy(array, &grown, sizeof(grown));
    *capacity = wanted;
    return true;
}
