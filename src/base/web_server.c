/*
 * web_server.c: libmicrohttpd with a deadline for every request, and a place for every newcomer.
 *
 * The library's own timeout begins anew with every byte, so a client that sends one every few
 * seconds stays for ever; and its limit for one address counts everybody behind a proxy as one.
 * Hence this list of connections: a thread looks at it every second, and so does each arrival when
 * places are short.  A connection is ended by shutting its socket down; the library then sees the
 * end of the stream, in its own thread, and frees it.
 */
#include "base/web_server.h"

#include <netinet/in.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/http_guard.h"

enum {
    CONNECTIONS = 128,
    SPARE = 16, /* of them, which newcomers find free */
    HEAD_SECONDS = 10,
    ANSWER_SECONDS = 600,
    IDLE_SECONDS = 30,     /* without a byte either way */
    TAKEN_ALIVE_MS = 2000, /* an answer under way may be cut off after it, when places are short */
    REQUEST_BYTES = 32 * 1024,
    ARGUMENTS = 64,
};

struct place {
    int fd; /* -1: free */
    struct in6_addr address;
    int64_t since_ms;
    bool in_answer; /* the request is whole */
    bool ended;     /* shut down; the library will let go of it */
};

struct web_server {
    struct web_server_options options;
    struct MHD_Daemon *daemon;
    struct listener listener;
    pthread_t watcher;
    bool has_watcher;
    struct {
        pthread_mutex_t mutex;
        pthread_cond_t stopping;
        bool stop;
        unsigned used;
        struct place places[CONNECTIONS];
    } locked;
};

/* ---- connections ---- */

static void end(struct place *p)
{
    (void)shutdown(p->fd, SHUT_RDWR);
    p->ended = true;
}

/* How many places the address of one has. */
static unsigned places_of(const struct web_server *s, const struct place *of)
{
    unsigned n = 0;
    for (size_t i = 0; i < CONNECTIONS; i++) {
        const struct place *p = &s->locked.places[i];
        n += p->fd >= 0 && !p->ended && memcmp(&p->address, &of->address, sizeof(p->address)) == 0;
    }
    return n;
}

/* Whether `a` is to go rather than `b`. */
static bool goes_first(const struct web_server *s, const struct place *a, const struct place *b)
{
    if (b == NULL)
        return true;
    if (a->in_answer != b->in_answer)
        return b->in_answer;
    unsigned of_a = places_of(s, a), of_b = places_of(s, b);
    return of_a != of_b ? of_a > of_b : a->since_ms < b->since_ms;
}

/* Called for an arrival, before it has a place. */
static enum MHD_Result on_arrival(void *context, const struct sockaddr *address, socklen_t length)
{
    struct web_server *s = context;
    struct place *first = NULL;
    (void)address;
    (void)length;
    pthread_mutex_lock(&s->locked.mutex);
    int64_t now = clock_steady_ms();
    for (size_t i = 0; i < CONNECTIONS && s->locked.used >= CONNECTIONS - SPARE; i++) {
        struct place *p = &s->locked.places[i];
        bool may_go =
            p->fd >= 0 && !p->ended && (!p->in_answer || now - p->since_ms > TAKEN_ALIVE_MS);
        if (may_go && goes_first(s, p, first))
            first = p;
    }
    if (first != NULL)
        end(first);
    pthread_mutex_unlock(&s->locked.mutex);
    return MHD_YES;
}

static struct in6_addr address_of(int fd)
{
    struct in6_addr out = {0};
    union {
        struct sockaddr any;
        struct sockaddr_in v4;
        struct sockaddr_in6 v6;
    } peer;
    socklen_t length = sizeof(peer);
    memset(&peer, 0, sizeof(peer));
    if (getpeername(fd, &peer.any, &length) != 0)
        return out;
    if (peer.any.sa_family == AF_INET6)
        memcpy(&out, &peer.v6.sin6_addr, sizeof(out));
    else
        memcpy(&out, &peer.v4.sin_addr, sizeof(peer.v4.sin_addr));
    return out;
}

/* The library's thread, when a connection begins and before its socket is closed. */
static void on_connection(void *context, struct MHD_Connection *connection, void **kept,
                          enum MHD_ConnectionNotificationCode what)
{
    struct web_server *s = context;
    struct place *p = *kept;
    pthread_mutex_lock(&s->locked.mutex);
    if (what == MHD_CONNECTION_NOTIFY_CLOSED) {
        if (p != NULL) {
            p->fd = -1;
            s->locked.used--;
        }
    } else {
        const union MHD_ConnectionInfo *info =
            mhd.get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);
        for (size_t i = 0; i < CONNECTIONS && p == NULL; i++)
            p = s->locked.places[i].fd < 0 ? &s->locked.places[i] : NULL;
        if (info != NULL && p != NULL) {
            *p = (struct place){.fd = info->connect_fd,
                                .address = address_of(info->connect_fd),
                                .since_ms = clock_steady_ms()};
            s->locked.used++;
            *kept = p;
        }
    }
    pthread_mutex_unlock(&s->locked.mutex);
}

static void set_state(struct web_server *s, struct MHD_Connection *connection, bool in_answer)
{
    const union MHD_ConnectionInfo *info =
        mhd.get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
    struct place *p = info == NULL ? NULL : info->socket_context;
    if (p == NULL)
        return;
    pthread_mutex_lock(&s->locked.mutex);
    p->in_answer = in_answer;
    p->since_ms = clock_steady_ms();
    pthread_mutex_unlock(&s->locked.mutex);
}

static void on_answered(void *context, struct MHD_Connection *connection, void **request,
                        enum MHD_RequestTerminationCode how)
{
    (void)request;
    (void)how;
    set_state(context, connection, false);
}

static void *watch_deadlines(void *context)
{
    struct web_server *s = context;
    pthread_mutex_lock(&s->locked.mutex);
    while (!s->locked.stop) {
        struct timespec until;
        clock_gettime(CLOCK_REALTIME, &until);
        until.tv_sec++;
        (void)pthread_cond_timedwait(&s->locked.stopping, &s->locked.mutex, &until);
        int64_t now = clock_steady_ms();
        for (size_t i = 0; i < CONNECTIONS; i++) {
            struct place *p = &s->locked.places[i];
            int64_t most = (p->in_answer ? ANSWER_SECONDS : HEAD_SECONDS) * INT64_C(1000);
            if (p->fd >= 0 && !p->ended && now - p->since_ms > most)
                end(p);
        }
    }
    pthread_mutex_unlock(&s->locked.mutex);
    return NULL;
}

/* ---- requests ---- */

/* What is kept of a request until it is whole. */
static char begun, too_long;

/*
 * Called with the request line, before the library takes the arguments apart, which it gives up
 * without an answer when they are too many for its memory.  So they are cut off here, in its own
 * buffer, and on_request learns of it.
 */
static void *on_request_line(void *context, const char *uri, struct MHD_Connection *connection)
{
    size_t arguments = 0;
    char *query = strchr((char *)(uintptr_t)uri, '?'); /* a buffer that can be written */
    (void)context;
    (void)connection;
    for (const char *at = query; at != NULL; at = strchr(at + 1, '&'))
        arguments++;
    if (arguments <= ARGUMENTS)
        return NULL;
    query[1] = '\0';
    return &too_long;
}

static const char *header(struct MHD_Connection *connection, const char *name)
{
    return mhd.lookup_connection_value(connection, MHD_HEADER_KIND, name);
}

/*
 * The guard comes before everything else: a request that a foreign page made through DNS rebinding
 * has that page's host in its Host header.
 */
static enum MHD_Result answer(struct web_server *s, struct MHD_Connection *connection,
                              const char *path, const char *method)
{
    const struct web_server_options *o = &s->options;
    const struct web_route *route = NULL;
    const char *host = header(connection, "Host");
    for (size_t i = 0; i < o->route_count; i++) {
        if (strcmp(path, o->routes[i].path) == 0)
            route = &o->routes[i];
    }
    if ((route == NULL || !route->is_open) &&
        (!http_guard_host(host, o->allowed_host, o->short_names) ||
         !http_guard_origin(header(connection, "Origin"), host)))
        return web_send_text(connection, MHD_HTTP_FORBIDDEN,
                             "This server answers to its own address only.  --allow-host NAME "
                             "allows a name.\n");
    if (strcmp(method, "GET") != 0 && strcmp(method, "HEAD") != 0)
        return web_send_text(connection, MHD_HTTP_METHOD_NOT_ALLOWED, "Only GET and HEAD.\n");
    if (route == NULL)
        return web_send_text(connection, MHD_HTTP_NOT_FOUND, o->not_found);
    if (route->is_data && !http_guard_site(header(connection, "Sec-Fetch-Site")))
        return web_send_text(connection, MHD_HTTP_FORBIDDEN, "Not for other sites.\n");
    return route->answer(o->context, connection);
}

/*
 * Called several times for a request; an answer before it is whole would cut off a body.  What is
 * sent in one is dropped.
 */
static enum MHD_Result on_request(void *context, struct MHD_Connection *connection,
                                  const char *path, const char *method, const char *version,
                                  const char *upload, size_t *upload_length, void **request)
{
    (void)version;
    (void)upload;
    if (*request == &too_long) {
        *request = &begun;
        return web_send_text(connection, MHD_HTTP_URI_TOO_LONG, "Too many arguments.\n");
    }
    if (*request == NULL || *upload_length != 0) {
        *request = &begun;
        *upload_length = 0;
        return MHD_YES;
    }
    set_state(context, connection, true);
    return answer(context, connection, path, method);
}

/* ---- life ---- */

/* The library's own lines are about single clients, and would bypass our log. */
static void ignore_message(void *context, const char *format, va_list values)
{
    (void)context;
    (void)format;
    (void)values;
}

static enum status start_daemon(struct web_server *s, struct error *err)
{
    /* With one thread the library wants no pool. */
    const struct MHD_OptionItem pool[] = {
        {s->options.threads > 1 ? MHD_OPTION_THREAD_POOL_SIZE : MHD_OPTION_END,
         (intptr_t)s->options.threads, NULL},
        {MHD_OPTION_END, 0, NULL},
    };
    s->daemon = mhd.start_daemon(
        MHD_USE_EPOLL_INTERNAL_THREAD | MHD_USE_ERROR_LOG, 0, on_arrival, s, on_request, s,
        MHD_OPTION_EXTERNAL_LOGGER, ignore_message, (void *)NULL, MHD_OPTION_LISTEN_SOCKET,
        s->listener.fd, MHD_OPTION_CONNECTION_LIMIT, (unsigned)CONNECTIONS,
        MHD_OPTION_CONNECTION_TIMEOUT, (unsigned)IDLE_SECONDS, MHD_OPTION_CONNECTION_MEMORY_LIMIT,
        (size_t)REQUEST_BYTES, MHD_OPTION_STRICT_FOR_CLIENT, 1, MHD_OPTION_URI_LOG_CALLBACK,
        on_request_line, (void *)NULL, MHD_OPTION_NOTIFY_CONNECTION, on_connection, s,
        MHD_OPTION_NOTIFY_COMPLETED, on_answered, s, MHD_OPTION_ARRAY, pool, MHD_OPTION_END);
    if (s->daemon != NULL)
        return ST_OK;
    close(s->listener.fd);
    return error_set(err, ST_IO, E_S120, "the web server cannot be started");
}

enum status web_server_start(const struct web_server_options *options, struct web_server **out,
                             struct error *err)
{
    struct web_server *s = calloc(1, sizeof(*s));
    *out = NULL;
    if (s == NULL)
        return error_set(err, ST_NO_MEMORY, E_R113, "out of memory");
    s->options = *options;
    for (size_t i = 0; i < CONNECTIONS; i++)
        s->locked.places[i].fd = -1;
    pthread_mutex_init(&s->locked.mutex, NULL);
    pthread_cond_init(&s->locked.stopping, NULL);
    enum status st = mhd_library_load(err);
    if (st == ST_OK)
        st = listen_open(options->listen, &s->listener, err);
    if (st == ST_OK)
        st = start_daemon(s, err);
    if (st == ST_OK) {
        s->has_watcher = pthread_create(&s->watcher, NULL, watch_deadlines, s) == 0;
        if (!s->has_watcher)
            st = error_set(err, ST_NO_MEMORY, E_R113, "out of memory");
    }
    if (st != ST_OK) {
        web_server_stop(s);
        return st;
    }
    *out = s;
    return ST_OK;
}

const struct listener *web_server_listener(const struct web_server *server)
{
    return &server->listener;
}

void web_server_stop(struct web_server *s)
{
    if (s == NULL)
        return;
    pthread_mutex_lock(&s->locked.mutex);
    s->locked.stop = true;
    pthread_cond_broadcast(&s->locked.stopping);
    pthread_mutex_unlock(&s->locked.mutex);
    if (s->has_watcher)
        pthread_join(s->watcher, NULL);
    if (s->daemon != NULL)
        mhd.stop_daemon(s->daemon);
    pthread_mutex_destroy(&s->locked.mutex);
    pthread_cond_destroy(&s->locked.stopping);
    free(s);
}
