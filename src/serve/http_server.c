/*
 * http_server.c: answers.h over HTTP.  The server is reachable by every page the user's browser
 * shows, and what it tells is the usage of a company: see base/web_server.h for its defences.
 */
#include "serve/http_server.h"

#include <stdlib.h>

#include "base/json_out.h"
#include "base/web_server.h"

enum { THREADS = 4 };

struct http_server {
    struct http_server_options options;
    struct web_server *web;
    struct MHD_Response *page; /* "/" never changes */
};

/* ---- answers ---- */

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
    return web_send_body(connection, code, "application/json", text.ptr, text.len);
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

static enum MHD_Result answer_root(void *context, struct MHD_Connection *connection)
{
    struct http_server *s = context;
    return mhd.queue_response(connection, MHD_HTTP_OK, s->page);
}

static enum MHD_Result answer_health(void *context, struct MHD_Connection *connection)
{
    (void)context;
    return web_send_text(connection, MHD_HTTP_OK, "ok\n");
}

static enum MHD_Result answer_usage(void *context, struct MHD_Connection *connection)
{
    struct http_server *s = context;
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
    return web_send_body(connection, MHD_HTTP_OK, "application/json", body, length);
}

static enum MHD_Result answer_metrics(void *context, struct MHD_Connection *connection)
{
    struct http_server *s = context;
    const char *accept = mhd.lookup_connection_value(connection, MHD_HEADER_KIND, "Accept");
    bool openmetrics = accept != NULL && strstr(accept, "application/openmetrics-text") != NULL;
    struct error err = {0};
    char *body = NULL;
    size_t length = 0;
    enum status st = answers_metrics(s->options.answers, openmetrics, &body, &length, &err);
    if (st != ST_OK)
        return send_error(connection, st, &err);
    return web_send_body(connection, MHD_HTTP_OK,
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
static enum MHD_Result answer_page(void *context, struct MHD_Connection *connection)
{
    struct http_server *s = context;
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
            web_add_headers(response, NULL);
        return web_send(connection, MHD_HTTP_NO_CONTENT, response);
    }
    response = mhd.create_response_from_callback(document->length, 64 * 1024, read_document,
                                                 document, release_document);
    if (response == NULL)
        answers_page_release(document);
    else
        web_add_headers(response, "application/json");
    return web_send(connection, MHD_HTTP_OK, response);
}

static const struct web_route routes[] = {
    {"/", answer_root, false, false},          {"/api/page", answer_page, false, true},
    {"/api/usage", answer_usage, false, true}, {"/metrics", answer_metrics, false, true},
    {"/healthz", answer_health, true, false},
};

static struct MHD_Response *make_page_response(void)
{
    struct view page = page_builtin_text();
    struct MHD_Response *response = mhd.create_response_from_buffer(
        page.len, (void *)(uintptr_t)page.ptr, MHD_RESPMEM_PERSISTENT); /* is only read */
    if (response != NULL)
        web_add_headers(response, "text/html; charset=utf-8");
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
    const struct web_server_options web = {
        .listen = options->listen,
        .threads = THREADS,
        .routes = routes,
        .route_count = sizeof(routes) / sizeof(routes[0]),
        .not_found = "Not found.  There are /, /api/page, /api/usage, /metrics and /healthz.\n",
        .allowed_host = options->allowed_host,
        .context = s,
    };
    enum status st = mhd_library_load(err);
    if (st == ST_OK && (s->page = make_page_response()) == NULL)
        st = error_set(err, ST_NO_MEMORY, E_R113, "out of memory");
    if (st == ST_OK)
        st = web_server_start(&web, &s->web, err);
    if (st != ST_OK) {
        http_server_stop(s);
        return st;
    }
    *out = s;
    return ST_OK;
}

const char *http_server_address(const struct http_server *server)
{
    return web_server_listener(server->web)->name;
}

void http_server_stop(struct http_server *s)
{
    if (s == NULL)
        return;
    web_server_stop(s->web);
    if (s->page != NULL)
        mhd.destroy_response(s->page);
    free(s);
}
