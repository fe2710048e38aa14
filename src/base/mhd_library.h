/*
 * mhd_library.h: libmicrohttpd, loaded when a server is started.
 *
 * It brings a TLS library with it, and loading that takes longer than counting a small folder of
 * logs; commands that serve nothing never load it.
 */
#ifndef BASE_MHD_LIBRARY_H
#define BASE_MHD_LIBRARY_H

#include <microhttpd.h>
#include <stdbool.h>

#include "base/status.h"

#define MHD_LIBRARY_FUNCTIONS(f)                                                                   \
    f(add_response_header) f(create_response_from_buffer) f(create_response_from_callback)         \
        f(destroy_response) f(get_connection_values_n) f(lookup_connection_value)                  \
            f(queue_response) f(start_daemon) f(stop_daemon) f(get_connection_info)

#define MHD_LIBRARY_MEMBER(name) __typeof__(&MHD_##name) name;
struct mhd_library {
    MHD_LIBRARY_FUNCTIONS(MHD_LIBRARY_MEMBER)
};
#undef MHD_LIBRARY_MEMBER

/* Filled by mhd_library_load; only to be called through afterwards. */
extern struct mhd_library mhd;

/* Load it, once for the process, from one thread.  ST_MISSING: it is not installed. */
NODISCARD enum status mhd_library_load(struct error *err);

#endif
