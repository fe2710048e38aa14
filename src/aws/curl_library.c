/*
 * curl_library.c: the functions of libcurl by name, looked up once.  A file of its own so that
 * http_curl.c is the same in both builds.
 */
#include "aws/curl_library.h"

#include <dlfcn.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>

#ifdef BM_STATIC_CURL

#define CURL_LIBRARY_ENTRY(name) .name = curl_##name,
struct curl_library curl_library = {CURL_LIBRARY_FUNCTIONS(CURL_LIBRARY_ENTRY)};

static enum status load(struct error *err)
{
    (void)err;
    return ST_OK;
}

#else

struct curl_library curl_library;

static bool look_up(void *handle, const char *name, void *member, size_t size)
{
    void *address = dlsym(handle, name);
    /* A function pointer may not be cast from an object pointer in ISO C; POSIX has them alike. */
    memcpy(member, &address, size);
    return address != NULL;
}

static enum status load(struct error *err)
{
    void *handle = dlopen("libcurl.so.4", RTLD_NOW | RTLD_LOCAL);
    if (handle == NULL)
        return error_set(err, ST_MISSING, E_R112,
                         "libcurl.so.4 cannot be loaded: install libcurl4");
    bool all = true;
#define CURL_LIBRARY_LOOK_UP(name)                                                                 \
    all = look_up(handle, "curl_" #name, &curl_library.name, sizeof(curl_library.name)) && all;
    CURL_LIBRARY_FUNCTIONS(CURL_LIBRARY_LOOK_UP)
    return all ? ST_OK : error_set(err, ST_MISSING, E_R112, "libcurl.so.4 is too old");
}

#endif

enum status curl_library_load(struct error *err)
{
    static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
    static bool loaded;
    enum status st = ST_OK;
    pthread_mutex_lock(&mutex);
    if (!loaded) {
        st = load(err);
        /* A peer that closes while it is written to is a failed request, not the process's end. */
        (void)signal(SIGPIPE, SIG_IGN);
        if (st == ST_OK && curl_library.global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
            st = error_set(err, ST_NO_MEMORY, E_R112, "libcurl cannot be initialised");
        loaded = st == ST_OK;
    }
    pthread_mutex_unlock(&mutex);
    return st;
}
