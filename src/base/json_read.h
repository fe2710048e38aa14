/* json_read.h: documents by jansson, with its memory watched, and their strings as views. */
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

/* A string as a view into its document; VIEW_EMPTY with ptr NULL for NULL and other types. */
static inline struct view json_view(const json_t *value)
{
    return view_make(json_string_value(value), json_string_length(value));
}

/* The string member `name` of an object. */
static inline struct view json_text(const json_t *object, const char *name)
{
    return json_view(json_object_get(object, name));
}

#endif
