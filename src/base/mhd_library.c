/* mhd_library.c: the functions of libmicrohttpd by name, looked up when a server starts. */
#include "base/mhd_library.h"

#include <dlfcn.h>
#include <string.h>

struct mhd_library mhd;

static bool look_up(void *handle, const char *name, void *member, size_t size)
{
    void *address = dlsym(handle, name);
    /* A function pointer may not be cast from an object pointer in ISO C; POSIX has them alike. */
    memcpy(member, &address, size);
    return address != NULL;
}

enum status mhd_library_load(struct error *err)
{
    void *handle = dlopen("libmicrohttpd.so.12", RTLD_NOW | RTLD_LOCAL);
    if (handle == NULL)
        return error_set(err, ST_MISSING, E_S121,
                         "libmicrohttpd.so.12 cannot be loaded: install libmicrohttpd12");
    bool all = true;
#define MHD_LIBRARY_LOOK_UP(name)                                                                  \
    all = look_up(handle, "MHD_" #name, &mhd.name, sizeof(mhd.name)) && all;
    MHD_LIBRARY_FUNCTIONS(MHD_LIBRARY_LOOK_UP)
    return all ? ST_OK : error_set(err, ST_MISSING, E_S121, "libmicrohttpd.so.12 is too old");
}
