/* array.h: arrays that grow. */
#ifndef BASE_ARRAY_H
#define BASE_ARRAY_H

#include <stdbool.h>
#include <stddef.h>

/*
 * Make room for one more element than `count`.  `array` is the address of the pointer to elements
 * of `size` bytes, which the caller frees; *capacity is how many there is room for: at first
 * `first`, then twice as many each time.  false: no memory, array and capacity are as they were.
 */
bool array_room(void *array, size_t count, size_t *capacity, size_t first, size_t size);

/* Room for `count` elements; false: no memory, or more than there is; the array is as it was. */
bool array_resize(void *array, size_t count, size_t size);

#endif
