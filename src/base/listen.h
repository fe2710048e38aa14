/* listen.h: the socket a web server of ours listens on, from "ADDRESS:PORT". */
#ifndef BASE_LISTEN_H
#define BASE_LISTEN_H

#include "base/view.h"

enum { LISTEN_NAME_BYTES = 80 };

struct listener {
    int fd;
    uint16_t port;
    char name[LISTEN_NAME_BYTES]; /* "127.0.0.1:8377", "[::1]:8377": with the port that was got */
};

/*
 * Whether the text is an address to listen on: 127.0.0.1:8377, [::1]:8377, localhost:8377, or :8377
 * for 127.0.0.1.  No name is looked up, so that it cannot stand for more than was meant.  ST_USAGE
 * quotes it.
 */
NODISCARD enum status listen_check(const char *text, struct error *err);

/* Open the socket; port 0 is any free one.  out->fd is the caller's.  ST_USAGE; ST_IO: not to be had. */
NODISCARD enum status listen_open(const char *text, struct listener *out, struct error *err);

#endif
