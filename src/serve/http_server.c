/*
 * http_server.c: libmicrohttpd around answers.h: routing, headers, limits.
 *
 * The server is reachable by every page the user's browser shows, so it is defensive: GET and HEAD
 * only, the guard before anything else, a ceiling on connections (also for one address), and
 * headers that forbid framing and sniffing.
 */
#include "serve/http_server.h"

#include <stdlib.h>
#include <unistd.h>

#include "base/json_out.h"
#include "base/listen.h"
#include "base/log.h"
#include "base/mhd_library.h"
#include "serve/http_guard.h"

enum {
    THREADS = 4,
    CONNECTIONS = 128,
    CONNECTIONS_FOR_ONE = 64,
    IDLE_SECONDS = 30,
    REQUEST_BYTES = 32 * 1024,
};

struct http_server {
    struct http_server_options options;
    struct MHD_Daemon *daemon;
    struct MHD_Response *page; /* "/" never changes */
    struct listener listener;
};

/* ---- answers ---- */

static void add_headers(struct MHD_Response *response, const char *type)
{
    static const struct {
        const char *name, *value;
    } headers[] = {
        {"X-Content-Type-Options", "nosniff"},
        {"Referrer-Policy", "no-referrer"},
        {"Cross-Origin-Resource-Policy", "same-origin"},
        {"Cross-Origin-Opener-Policy", "same-origin"},
        {"X-Frame-Options", "DENY"},
        {"Content-Security-Policy", "frame-ancestors 'none'"},
        {"Cache-Control", "no-store"},
    };
    for (size_t i = 0; i < sizeof(headers) / sizeof(headers[0]); i++)
        (void)mhd.add_response_header(response, headers[i].name, headers[i].value);
    if (type != NULL)
        (void)mhd.add_response_header(response, "Content-Type", type);
}

/* Queue and let go. */
static enum MHD_Result send_response(struct MHD_Connection *connection, unsigned code,
                                     struct MHD_Response *response)
{
    if (response == NULL)
        return MHD_NO;
    enum MHD_Result result = mhd.queue_response(connection, code, response);
    mhd.destroy_response(response);
    return result;
}

static enum MHD_Result send_body(struct MHD_Connection *connection, unsigned code, const char *type,
                                 char *body, size_t length)
{
    struct MHD_Response *response =
        mhd.create_response_from_buffer(length, body, MHD_RESPMEM_MUST_FREE);
    if (response == NULL)
        free(body);
    else
        add_headers(response, type);
    return send_response(connection, code, response);
}

static enum MHD_Result send_text(struct MHD_Connection *connection, unsigned code, const char *text,
                                 const char *allow)
{
    struct MHD_Response *response = mhd.create_response_from_buffer(
        strlen(text), (void *)(uintptr_t)text, MHD_RESPMEM_PERSISTENT); /* is only read */
    if (response == NULL)
        return MHD_NO;
    add_headers(response, "text/plain; charset=utf-8");
    if (allow != NULL)
        (void)mhd.add_response_header(response, "Allow", allow);
    return send_response(connection, code, response);
}

/* {"error":"..."} */
static enum MHD_Result send_error(struct MHD_Connection *connection, enum status st,
                                  const struct error *err)
{
    struct buf text;
    struct json_out j = {.out = &text};
    unsigned code = st == ST_USAGE     ? MHD_HTTP_BAD_REQUEST
                    : st == ST_TOO_BIG ? MHD_HTTP_UNPROCESSABLE_CONTENT
                                       : MHD_HTTP_SERVICE_UNAVAILABLE;
    buf_init(&text, 4096);
    json_open_object(&j, NULL);
    json_add_cstr(&j, "error", err->text);
    json_end(&j);
    if (buf_status(&text) != ST_OK) {
        buf_clear(&text);
        return MHD_NO;
    }
    return send_body(connection, code, "application/json", text.ptr, text.len);
}

/* ---- arguments ---- */

struct argument {
    const char *name;
    const char **value;
};

struct arguments {
    const struct argument *known;
    size_t count;
    struct error err;
    bool wrong;
};

/* Unknown and repeated arguments are errors: a misspelt "since" must not answer with everything. */
static enum MHD_Result take_argument(void *context, enum MHD_ValueKind kind, const char *name,
                                     size_t name_length, const char *value, size_t value_length)
{
    struct arguments *a = context;
    (void)kind;
    if (strlen(name) != name_length || (value != NULL && strlen(value) != value_length)) {
        a->wrong = true;
        (void)error_set(&a->err, ST_USAGE, E_U299, "an argument holds a NUL");
        return MHD_NO;
    }
    for (size_t i = 0; i < a->count; i++) {
        if (strcmp(a->known[i].name, name) != 0)
            continue;
        a->wrong = *a->known[i].value != NULL;
        if (a->wrong)
            (void)error_set(&a->err, ST_USAGE, E_U103, "%s is given twice", a->known[i].name);
        *a->known[i].value = value == NULL ? "" : value;
        return a->wrong ? MHD_NO : MHD_YES;
    }
    a->wrong = true;
    (void)error_set(&a->err, ST_USAGE, E_U101, "unknown argument \"%.60s\"", name);
    return MHD_NO;
}

static enum status take_arguments(struct MHD_Connection *connection, const struct argument *known,
                                  size_t count, struct error *err)
{
    struct arguments a = {.known = known, .count = count};
    (void)mhd.get_connection_values_n(connection, MHD_GET_ARGUMENT_KIND, take_argument, &a);
    if (!a.wrong)
        return ST_OK;
    *err = a.err;
    return ST_USAGE;
}

/* ---- what can be asked ---- */

static enum MHD_Result answer_root(struct http_server *s, struct MHD_Connection *connection)
{
    return mhd.queue_response(connection, MHD_HTTP_OK, s->page);
}

static enum MHD_Result answer_health(struct http_server *s, struct MHD_Connection *connection)
{
    (void)s;
    return send_text(connection, MHD_HTTP_OK, "ok\n", NULL);
}

static enum MHD_Result answer_usage(struct http_server *s, struct MHD_Connection *connection)
{
    struct usage_arguments ask = {0};
    const struct argument known[] = {{"by", &ask.by},
                                     {"interval", &ask.interval},
                                     {"since", &ask.since},
                                     {"until", &ask.until},
                                     {"top", &ask.top}};
    struct error err = {0};
    char *body = NULL;
    size_t length = 0;
    enum status st = take_arguments(connection, known, sizeof(known) / sizeof(known[0]), &err);
    if (st == ST_OK)
        st = answers_usage(s->options.answers, &ask, &body, &length, &err);
    if (st != ST_OK)
        return send_error(connection, st, &err);
    return send_body(connection, MHD_HTTP_OK, "application/json", body, length);
}

static enum MHD_Result answer_metrics(struct http_server *s, struct MHD_Connection *connection)
{
    const char *accept = mhd.lookup_connection_value(connection, MHD_HEADER_KIND, "Accept");
    bool openmetrics = accept != NULL && strstr(accept, "application/openmetrics-text") != NULL;
    struct error err = {0};
    char *body = NULL;
    size_t length = 0;
    enum status st = answers_metrics(s->options.answers, openmetrics, &body, &length, &err);
    if (st != ST_OK)
        return send_error(connection, st, &err);
    return send_body(connection, MHD_HTTP_OK,
                     openmetrics ? "application/openmetrics-text; version=1.0.0; charset=utf-8"
                                 : "text/plain; version=0.0.4; charset=utf-8",
                     body, length);
}

static ssize_t read_document(void *context, uint64_t at, char *out, size_t max)
{
    const struct page_document *document = context;
    if (at >= document->length)
        return MHD_CONTENT_READER_END_OF_STREAM;
    size_t n = document->length - (size_t)at < max ? document->length - (size_t)at : max;
    memcpy(out, document->json + at, n);
    return (ssize_t)n;
}

static void release_document(void *context)
{
    answers_page_release(context);
}

/*
 * The document is large and shared by all who ask: it is sent from where it is, and released when
 * the last byte is out.  An asker that has this version already gets 204 and no body.
 */
static enum MHD_Result answer_page(struct http_server *s, struct MHD_Connection *connection)
{
    const char *after = NULL;
    const struct argument known[] = {{"after", &after}};
    struct page_document *document = NULL;
    struct error err = {0};
    enum status st = take_arguments(connection, known, 1, &err);
    if (st == ST_OK)
        st = answers_page(s->options.answers, &document, &err);
    if (st != ST_OK)
        return send_error(connection, st, &err);
    struct MHD_Response *response;
    if (after != NULL && strcmp(after, document->version) == 0) {
        answers_page_release(document);
        response = mhd.create_response_from_buffer(0, NULL, MHD_RESPMEM_PERSISTENT);
        if (response != NULL)
            add_headers(response, NULL);
        return send_response(connection, MHD_HTTP_NO_CONTENT, response);
    }
    response = mhd.create_response_from_callback(document->length, 64 * 1024, read_document,
                                                 document, release_document);
    if (response == NULL)
        answers_page_release(document);
    else
        add_headers(response, "application/json");
    return send_response(connection, MHD_HTTP_OK, response);
}

static const struct {
    const char *path;
    enum MHD_Result (*answer)(struct http_server *s, struct MHD_Connection *connection);
    bool is_data; /* not for other sites, whatever their intention */
} routes[] = {
    {"/", answer_root, false},          {"/api/page", answer_page, true},
    {"/api/usage", answer_usage, true}, {"/metrics", answer_metrics, true},
    {"/healthz", answer_health, false},
};

enum { ROUTES = sizeof(routes) / sizeof(routes[0]) };

static const char *header(struct MHD_Connection *connection, const char *name)
{
    return mhd.lookup_connection_value(connection, MHD_HEADER_KIND, name);
}

/*
 * The guard comes before everything else: a request that a foreign page made through DNS rebinding
 * has that page's host in its Host header.
 */
static enum MHD_Result on_request(void *context, struct MHD_Connection *connection,
                                  const char *path, const char *method, const char *version,
                                  const char *upload, size_t *upload_length, void **request)
{
    struct http_server *s = context;
    (void)version;
    (void)upload;
    if (!mhd_request_is_whole(upload_length, request))
        return MHD_YES;
    const char *host = header(connection, "Host");
    if (!http_guard_host(host, s->options.allowed_host) ||
        !http_guard_origin(header(connection, "Origin"), host))
        return send_text(connection, MHD_HTTP_FORBIDDEN,
                         "This server answers to its own address only.\n", NULL);
    if (strcmp(method, "GET") != 0 && strcmp(method, "HEAD") != 0)
        return send_text(connection, MHD_HTTP_METHOD_NOT_ALLOWED, "Only GET and HEAD.\n",
                         "GET, HEAD");
    for (size_t i = 0; i < ROUTES; i++) {
        if (strcmp(path, routes[i].path) != 0)
            continue;
        if (routes[i].is_data && !http_guard_site(header(connection, "Sec-Fetch-Site")))
            return send_text(connection, MHD_HTTP_FORBIDDEN, "Not for other sites.\n", NULL);
        return routes[i].answer(s, connection);
    }
    return send_text(connection, MHD_HTTP_NOT_FOUND,
                     "Not found.  There are /, /api/page, /api/usage, /metrics and /healthz.\n",
                     NULL);
}

static struct MHD_Response *make_page_response(void)
{
    struct view page = page_builtin_text();
    struct MHD_Response *response = mhd.create_response_from_buffer(
        page.len, (void *)(uintptr_t)page.ptr, MHD_RESPMEM_PERSISTENT); /* is only read */
    if (response != NULL)
        add_headers(response, "text/html; charset=utf-8");
    return response;
}

enum status http_server_start(const struct http_server_options *options, struct http_server **out,
                              struct error *err)
{
    struct http_server *s = calloc(1, sizeof(*s));
    *out = NULL;
    if (s == NULL)
        return error_set(err, ST_NO_MEMORY, E_R113, "out of memory");
    s->options = *options;
    s->listener.fd = -1;
    enum status st = mhd_library_load(err);
    if (st == ST_OK)
        st = listen_open(options->listen, &s->listener, err);
    if (st == ST_OK) {
        s->page = make_page_response();
        s->daemon = mhd.start_daemon(
            MHD_USE_EPOLL_INTERNAL_THREAD | MHD_USE_ERROR_LOG, 0, NULL, NULL, on_request, s,
            MHD_OPTION_EXTERNAL_LOGGER, mhd_ignore_message, NULL, MHD_OPTION_LISTEN_SOCKET,
            s->listener.fd, MHD_OPTION_THREAD_POOL_SIZE, (unsigned)THREADS,
            MHD_OPTION_CONNECTION_LIMIT, (unsigned)CONNECTIONS, MHD_OPTION_PER_IP_CONNECTION_LIMIT,
            (unsigned)CONNECTIONS_FOR_ONE, MHD_OPTION_CONNECTION_TIMEOUT, (unsigned)IDLE_SECONDS,
            MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)REQUEST_BYTES, MHD_OPTION_STRICT_FOR_CLIENT,
            1, MHD_OPTION_END);
        if (s->daemon == NULL || s->page == NULL)
            st = error_set(err, ST_IO, E_S120, "the web server cannot be started");
    }
    if (st != ST_OK) {
        if (s->daemon == NULL && s->listener.fd >= 0)
            close(s->listener.fd);
        http_server_stop(s);
        return st;
    }
    *out = s;
    return ST_OK;
}

const char *http_server_address(const struct http_server *server)
{
    return server->listener.name;
}

void http_server_stop(struct http_server *s)
{
    if (s == NULL)
        return;
    if (s->daemon != NULL)
        mhd.stop_daemon(s->daemon);
    if (s->page != NULL)
        mhd.destroy_response(s->page);
    free(s);
}
