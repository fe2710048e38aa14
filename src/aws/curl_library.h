/*
 * curl_library.h: libcurl, loaded when the first request is made.
 *
 * A dynamic libcurl brings some thirty libraries with it, and loading them takes longer than
 * counting a small folder of logs.  So commands that stay on the machine never load it.  Built with
 * BM_STATIC_CURL (the Lambda package) the library is part of the program and nothing is loaded.
 */
#ifndef AWS_CURL_LIBRARY_H
#define AWS_CURL_LIBRARY_H

/* The type checks are macros around the functions' names, which would get in the way here. */
#define CURL_DISABLE_TYPECHECK
#include <curl/curl.h>

#include <stdbool.h>

#include "base/status.h"

#define CURL_LIBRARY_FUNCTIONS(f)                                                                  \
    f(easy_cleanup) f(easy_getinfo) f(easy_init) f(easy_pause) f(easy_reset) f(easy_setopt)        \
        f(easy_strerror) f(global_init) f(multi_add_handle) f(multi_cleanup) f(multi_info_read)    \
            f(multi_init) f(multi_perform) f(multi_poll) f(multi_remove_handle) f(multi_setopt)    \
                f(slist_append) f(slist_free_all)

#define CURL_LIBRARY_MEMBER(name) __typeof__(&curl_##name) name;
struct curl_library {
    CURL_LIBRARY_FUNCTIONS(CURL_LIBRARY_MEMBER)
};
#undef CURL_LIBRARY_MEMBER

/* Filled by curl_library_load; only to be called through afterwards. */
extern struct curl_library curl_library;

/*
 * Load libcurl and initialise it, once for the process; any thread may call.  ST_MISSING: it is not
 * installed, *err says what is missing.  ST_NO_MEMORY: it could not be initialised.
 */
NODISCARD enum status curl_library_load(struct error *err);

#endif
