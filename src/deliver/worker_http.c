/* worker_http.c: /healthz and /metrics of the worker, for whoever watches it. */
#include "base/log.h"
#include "base/web_server.h"
#include "deliver/worker_private.h"

enum { MAX_ANSWER = 1 << 20 };

static enum MHD_Result send_buf(struct MHD_Connection *connection, unsigned code, const char *type,
                                struct buf *body)
{
    if (buf_status(body) == ST_OK)
        return web_send_body(connection, code, type, body->ptr, body->len);
    buf_clear(body);
    return MHD_NO;
}

static enum MHD_Result answer_health(void *worker, struct MHD_Connection *connection)
{
    struct buf body;
    buf_init(&body, MAX_ANSWER);
    bool healthy = worker_health(worker, &body);
    return send_buf(connection, healthy ? MHD_HTTP_OK : MHD_HTTP_SERVICE_UNAVAILABLE,
                    "text/plain; charset=utf-8", &body);
}

static enum MHD_Result answer_metrics(void *worker, struct MHD_Connection *connection)
{
    struct buf body;
    buf_init(&body, MAX_ANSWER);
    worker_metrics(worker, &body);
    return send_buf(connection, MHD_HTTP_OK,
                    "application/openmetrics-text; version=1.0.0; charset=utf-8", &body);
}

static const struct web_route routes[] = {
    {"/healthz", answer_health, true, false},
    {"/metrics", answer_metrics, false, true},
};

enum status worker_http_start(struct worker *w, struct web_server **out, struct error *err)
{
    const struct web_server_options options = {
        .listen = w->options->listen,
        .threads = 1,
        .routes = routes,
        .route_count = sizeof(routes) / sizeof(routes[0]),
        .not_found = "Not found.  There are /healthz and /metrics.\n",
        .allowed_host = w->options->allowed_host,
        .short_names = true,
        .context = w,
    };
    enum status st = web_server_start(&options, out, err);
    if (st == ST_OK)
        LOG_EVENT(LOG_INFO, "listening", log_cstr("address", w->options->listen),
                  log_u64("port", web_server_listener(*out)->port));
    return st;
}
