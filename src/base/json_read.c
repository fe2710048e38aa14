/*
 * json_read.c: jansson with an allocator that remembers whether it failed in this thread.  jansson
 * drops bytes from a string when memory is short and goes on, so without this a damaged name could
 * pass as the real one.
 */
#include "base/json_read.h"

#include <pthread.h>

static json_malloc_t allocate; /* jansson's, as it was */
static _Thread_local bool was_short;

static void *watched(size_t n)
{
    void *block = allocate(n);
    if (block == NULL)
        was_short = true;
    return block;
}

static void watch(void)
{
    json_free_t release;
    json_get_alloc_funcs(&allocate, &release);
    json_set_alloc_funcs(watched, release);
}

json_t *json_read(struct view text, size_t flags, json_error_t *fault)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    json_error_t own;
    if (fault == NULL)
        fault = &own;
    pthread_once(&once, watch);
    was_short = false;
    /* jansson takes no NULL. */
    json_t *root = json_loadb(text.len == 0 ? "" : text.ptr, text.len, flags, fault);
    if (!was_short)
        return root;
    json_decref(root);
    /* Where json_error_code looks. */
    fault->text[JSON_ERROR_TEXT_LENGTH - 1] = (char)json_error_out_of_memory;
    return NULL;
}
