#include "deliver/worker_http.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mhd_library.h"

enum { MAX_ANSWER = 1 << 20, MAX_CONNECTIONS = 32, IDLE_S = 10 };

struct worker_http {
    struct MHD_Daemon *daemon;
    struct worker_http_source source;
};

static enum MHD_Result send_answer(struct MHD_Connection *connection, unsigned status,
                                   const char *type, const struct buf *body)
{
    /* The library copies; its parameter is not const, though it only reads. */
    union {
        const char *in;
        void *out;
    } cast = {.in = body->len > 0 ? body->ptr : ""};
    struct MHD_Response *response =
        mhd.create_response_from_buffer(body->len, cast.out, MHD_RESPMEM_MUST_COPY);
    if (response == NULL)
        return MHD_NO;
    mhd.add_response_header(response, "Content-Type", type);
    mhd.add_response_header(response, "Cache-Control", "no-store");
    enum MHD_Result result = mhd.queue_response(connection, status, response);
    mhd.destroy_response(response);
    return result;
}

static enum MHD_Result answer(void *context, struct MHD_Connection *connection, const char *url,
                              const char *method, const char *version, const char *upload,
                              size_t *upload_size, void **request)
{
    static int seen;
    struct worker_http *server = context;
    struct buf body;
    (void)version;
    (void)upload;
    if (*request == NULL) { /* the head only: the body, if any, comes with the next calls */
        *request = &seen;
        return MHD_YES;
    }
    if (*upload_size > 0) {
        *upload_size = 0;
        return MHD_YES;
    }
    const char *type = "text/plain; charset=utf-8";
    unsigned status = MHD_HTTP_OK;
    buf_init(&body, MAX_ANSWER);
    if (strcmp(method, "GET") != 0 && strcmp(method, "HEAD") != 0) {
        status = MHD_HTTP_METHOD_NOT_ALLOWED;
        buf_add_cstr(&body, "GET only\n");
    } else if (strcmp(url, "/healthz") == 0) {
        if (!server->source.health(server->source.context, &body))
            status = MHD_HTTP_SERVICE_UNAVAILABLE;
    } else if (strcmp(url, "/metrics") == 0) {
        type = "application/openmetrics-text; version=1.0.0; charset=utf-8";
        server->source.metrics(server->source.context, &body);
    } else {
        status = MHD_HTTP_NOT_FOUND;
        buf_add_cstr(&body, "/healthz or /metrics\n");
    }
    enum MHD_Result result = MHD_NO;
    if (buf_status(&body) == ST_OK)
        result = send_answer(connection, status, type, &body);
    buf_clear(&body);
    return result;
}

/* The library's own messages are about single clients. */
static void ignore_message(void *context, const char *format, va_list arguments)
{
    (void)context;
    (void)format;
    (void)arguments;
}

static enum status resolve(const char *address, struct sockaddr_storage *out, struct error *err)
{
    struct view all = view_of(address);
    size_t colon = view_rfind(all, VIEW_LIT(":"));
    uint64_t port = 0;
    char host[64] = "127.0.0.1";
    bool ok = colon != SIZE_MAX && view_parse_u64(view_skip(all, colon + 1), 65535, &port) == ST_OK;
    struct view name = view_first(all, ok ? colon : 0);
    if (name.len > 2 && name.ptr[0] == '[' && name.ptr[name.len - 1] == ']')
        name = view_make(name.ptr + 1, name.len - 2);
    ok = ok && name.len < sizeof(host);
    if (ok && name.len > 0) {
        memcpy(host, name.ptr, name.len);
        host[name.len] = '\0';
    }
    memset(out, 0, sizeof(*out));
    struct sockaddr_in v4 = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    struct sockaddr_in6 v6 = {.sin6_family = AF_INET6, .sin6_port = htons((uint16_t)port)};
    if (ok && inet_pton(AF_INET, host, &v4.sin_addr) == 1)
        memcpy(out, &v4, sizeof(v4));
    else if (ok && inet_pton(AF_INET6, host, &v6.sin6_addr) == 1)
        memcpy(out, &v6, sizeof(v6));
    else
        return error_set(err, ST_USAGE, E_U219,
                         "\"%.80s\" is not ADDRESS:PORT with a numeric address", address);
    return ST_OK;
}

/* Our own socket, so that a port of 0 can be told. */
static enum status listen_on(const struct sockaddr_storage *where, const char *address, int *out,
                             struct error *err)
{
    union {
        struct sockaddr_storage storage;
        struct sockaddr any;
        struct sockaddr_in v4;
        struct sockaddr_in6 v6;
    } a = {.storage = *where};
    socklen_t length = a.any.sa_family == AF_INET ? sizeof(a.v4) : sizeof(a.v6);
    int yes = 1;
    int fd = socket(a.any.sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes)) != 0 ||
        bind(fd, &a.any, length) != 0 || listen(fd, MAX_CONNECTIONS) != 0 ||
        getsockname(fd, &a.any, &length) != 0) {
        int fault = errno;
        if (fd >= 0)
            close(fd);
        return error_set(err, ST_IO, E_U219, "cannot listen on %.80s: %s", address,
                         strerrordesc_np(fault));
    }
    LOG_EVENT(LOG_INFO, "listening", log_cstr("address", address),
              log_u64("port", ntohs(a.any.sa_family == AF_INET ? a.v4.sin_port : a.v6.sin6_port)));
    *out = fd;
    return ST_OK;
}

enum status worker_http_start(struct worker_http **out, const char *address,
                              const struct worker_http_source *source, struct error *err)
{
    struct sockaddr_storage where;
    *out = NULL;
    enum status st = resolve(address, &where, err);
    if (st != ST_OK)
        return st;
    struct worker_http *server = calloc(1, sizeof(*server));
    if (server == NULL)
        return error_set(err, ST_NO_MEMORY, E_R113, "out of memory");
    server->source = *source;
    int fd = -1;
    st = mhd_library_load(err);
    if (st == ST_OK)
        st = listen_on(&where, address, &fd, err);
    if (st == ST_OK) {
        server->daemon = mhd.start_daemon(
            MHD_USE_INTERNAL_POLLING_THREAD | MHD_USE_ERROR_LOG, 0, NULL, NULL, answer, server,
            MHD_OPTION_EXTERNAL_LOGGER, ignore_message, (void *)NULL, MHD_OPTION_LISTEN_SOCKET, fd,
            MHD_OPTION_CONNECTION_LIMIT, (unsigned)MAX_CONNECTIONS, MHD_OPTION_CONNECTION_TIMEOUT,
            (unsigned)IDLE_S, MHD_OPTION_END);
        if (server->daemon == NULL) {
            close(fd);
            st = error_set(err, ST_IO, E_U219, "cannot serve on %.80s", address);
        }
    }
    if (st != ST_OK) {
        free(server);
        return st;
    }
    *out = server;
    return ST_OK;
}

void worker_http_stop(struct worker_http *server)
{
    if (server == NULL)
        return;
    mhd.stop_daemon(server->daemon);
    free(server);
}
