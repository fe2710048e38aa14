/*
 * event_json.c: bounded JSON documents, and the pool their strings are copied
 * into before the document is freed.
 */
#include "events/event_private.h"

#include <stdlib.h>

#include "base/json_read.h"

/*
 * Nesting and number of values, counted before jansson sees the text: it recurses on nesting and
 * allocates for each value.  Text that is no JSON may be miscounted; jansson refuses it anyway.
 */
static enum status check_size(struct view text, size_t max_values, struct error *err)
{
    size_t depth = 0;
    size_t values = 1;
    bool in_string = false;
    for (size_t i = 0; i < text.len; i++) {
        char c = text.ptr[i];
        if (in_string) {
            if (c == '\\')
                i++;
            else if (c == '"')
                in_string = false;
            continue;
        }
        if (c == '"') {
            in_string = true;
        } else if (c == '{' || c == '[') {
            depth++;
            values++;
        } else if (c == '}' || c == ']') {
            depth -= depth > 0;
        } else if (c == ',') {
            values++;
        }
        if (depth > EVENT_MAX_NESTING || values > max_values) {
            enum status st = error_set(err, ST_TOO_BIG, E_Q111,
                                       depth > EVENT_MAX_NESTING ? "JSON is nested too deeply"
                                                                 : "JSON holds too many values");
            if (err != NULL)
                err->offset = i;
            return st;
        }
    }
    return ST_OK;
}

enum status event_json_load(struct view text, size_t max_values, json_t **out, struct error *err)
{
    enum status st = check_size(text, max_values, err);
    if (st != ST_OK)
        return st;
    json_error_t fault;
    json_t *root = json_read(text, JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, &fault);
    if (root == NULL) {
        /* fault.text quotes the input, so only its place is passed on. */
        if (json_error_code(&fault) == json_error_out_of_memory)
            return error_set(err, ST_NO_MEMORY, E_R113, "out of memory");
        st = error_set(err, ST_BAD_ITEM, E_Q111, "not a valid JSON text");
        if (err != NULL)
            err->offset = fault.position > 0 ? (uint64_t)fault.position : 0;
        return st;
    }
    if (!json_is_object(root)) {
        json_decref(root);
        return error_set(err, ST_BAD_ITEM, E_Q111, "the JSON text is not an object");
    }
    *out = root;
    return ST_OK;
}

struct event_pool *event_pool_new(size_t size)
{
    struct event_pool *pool = malloc(sizeof(*pool) + size);
    if (pool != NULL)
        *pool = (struct event_pool){.size = size};
    return pool;
}

char *event_pool_take(struct event_pool *pool, size_t n)
{
    if (n > pool->size - pool->used)
        return NULL;
    char *at = pool->bytes + pool->used;
    pool->used += n;
    return at;
}

enum status event_pool_copy(struct event_pool *pool, struct view text, struct view *out)
{
    char *at = event_pool_take(pool, text.len);
    if (at == NULL)
        return ST_NO_MEMORY;
    if (text.len > 0)
        memcpy(at, text.ptr, text.len);
    *out = view_make(at, text.len);
    return ST_OK;
}
