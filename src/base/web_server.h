/*
 * web_server.h: the one way a web server of ours is set up, on libmicrohttpd.
 *
 * GET and HEAD of a few paths.  It is made for hostile company: a page of another site, and clients
 * that send or read as slowly as they can.
 *
 *   - A request must be whole HEAD_SECONDS after its connection began (or after the answer before
 *     it), whatever trickles in meanwhile; an answer must be read within ANSWER_SECONDS.
 *   - A new connection always finds room.  When few places are left, one is taken from the address
 *     that has most of them: the longest waiting for its request, else the longest in an answer.
 *     So a client that hoards harms itself first, and no address has a fixed limit, because all
 *     that comes through a proxy or from an orchestrator has one address.
 *   - http_guard.h decides who is answered; paths that are open (health) answer everybody.
 */
#ifndef BASE_WEB_SERVER_H
#define BASE_WEB_SERVER_H

#include "base/listen.h"
#include "base/mhd_library.h"

struct web_server;

struct web_route {
    const char *path;
    enum MHD_Result (*answer)(void *context, struct MHD_Connection *connection);
    bool is_open; /* to every Host and Origin: tells nothing */
    bool is_data; /* not for pages of other sites, whatever their intention */
};

struct web_server_options {
    const char *listen; /* as listen_open */
    unsigned threads;
    const struct web_route *routes; /* all of these must outlive the server */
    size_t route_count;
    const char *not_found;    /* text of a 404, that names the paths */
    const char *allowed_host; /* a name it may be asked by; NULL: none */
    bool short_names;         /* and by any name without a dot, as containers have */
    void *context;            /* of the answers, which are called in any of the threads */
};

/* ST_USAGE: no such address.  ST_IO: it cannot be had, ST_MISSING: no library; *err says why. */
NODISCARD enum status web_server_start(const struct web_server_options *options,
                                       struct web_server **out, struct error *err);
void web_server_stop(struct web_server *server); /* NULL does nothing */

/* Where it listens, with the port that was got. */
const struct listener *web_server_listener(const struct web_server *server);

/* ---- for answers ---- */

/* The headers of every answer, which forbid caching, framing and sniffing.  `type` may be NULL. */
void web_add_headers(struct MHD_Response *response, const char *type);

/* Queue and let go; NULL ends the connection. */
enum MHD_Result web_send(struct MHD_Connection *connection, unsigned code,
                         struct MHD_Response *response);

/* A body from malloc, which is freed when it is sent. */
enum MHD_Result web_send_body(struct MHD_Connection *connection, unsigned code, const char *type,
                              char *body, size_t length);

/* A constant text. */
enum MHD_Result web_send_text(struct MHD_Connection *connection, unsigned code, const char *text);

#endif
