/* worker_http.c: libmicrohttpd around two callbacks of the worker: its health and its metrics. */
#include "deliver/worker_http.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/listen.h"
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
    const char *text = body->len > 0 ? body->ptr : "";
    struct MHD_Response *response = mhd.create_response_from_buffer(
        body->len, (void *)(uintptr_t)text, MHD_RESPMEM_MUST_COPY); /* is only read */
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
    struct worker_http *server = context;
    struct buf body;
    (void)version;
    (void)upload;
    if (!mhd_request_is_whole(upload_size, request))
        return MHD_YES;
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

enum status worker_http_start(struct worker_http **out, const char *address,
                              const struct worker_http_source *source, struct error *err)
{
    struct listener listener = {.fd = -1};
    *out = NULL;
    enum status st = listen_check(address, err);
    if (st != ST_OK)
        return st;
    struct worker_http *server = calloc(1, sizeof(*server));
    if (server == NULL)
        return error_set(err, ST_NO_MEMORY, E_R113, "out of memory");
    server->source = *source;
    st = mhd_library_load(err);
    if (st == ST_OK)
        st = listen_open(address, &listener, err);
    if (st == ST_OK) {
        server->daemon = mhd.start_daemon(
            MHD_USE_INTERNAL_POLLING_THREAD | MHD_USE_ERROR_LOG, 0, NULL, NULL, answer, server,
            MHD_OPTION_EXTERNAL_LOGGER, mhd_ignore_message, (void *)NULL, MHD_OPTION_LISTEN_SOCKET,
            listener.fd, MHD_OPTION_CONNECTION_LIMIT, (unsigned)MAX_CONNECTIONS,
            MHD_OPTION_CONNECTION_TIMEOUT, (unsigned)IDLE_S, MHD_OPTION_END);
        if (server->daemon == NULL) {
            close(listener.fd);
            st = error_set(err, ST_IO, E_U219, "cannot serve on %.80s", address);
        }
    }
    if (st != ST_OK) {
        free(server);
        return st;
    }
    LOG_EVENT(LOG_INFO, "listening", log_cstr("address", address), log_u64("port", listener.port));
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
