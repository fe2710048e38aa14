/* json_read.h: documents by jansson, with its memory watched. */
#ifndef BASE_JSON_READ_H
#define BASE_JSON_READ_H

#include <jansson.h>

#include "base/view.h"

/*
 * As json_loadb.  When memory was short NULL, with json_error_out_of_memory: jansson itself leaves
 * bytes out of a string it has no room for and goes on, so that a key or name would be another.
 * `fault` may be NULL.
 */
json_t *json_read(struct view text, size_t flags, json_error_t *fault);

#endif
