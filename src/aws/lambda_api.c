/*
 * lambda_api.c: the loop of a custom runtime: next, respond or fail, next.
 *
 *   GET  /2018-06-01/runtime/invocation/next               waits for an event, for hours if need be
 *   POST /2018-06-01/runtime/invocation/ID/response        202
 *   POST /2018-06-01/runtime/invocation/ID/error           202
 *   POST /2018-06-01/runtime/init/error                    before the first next
 *
 * Not through aws_call(): nothing is signed, the server is in the same sandbox, and the wait for
 * the next event must have no timeout.
 */
#include "aws/lambda_api.h"

#include <stdlib.h>

#include "aws/aws_private.h"
#include "aws/uri.h"
#include "base/json_out.h"

enum {
    ATTEMPTS = 3,
    POST_MS = 5000, /* the server is on this machine */
    MAX_REPLY = 64 * 1024,
};

struct lambda_api {
    struct http *http;
    struct buf base; /* "http://host:port/2018-06-01/runtime/" */
};

enum status lambda_api_new(struct lambda_api **out, struct http *http, struct view address,
                           struct error *err)
{
    *out = NULL;
    struct lambda_api *api = calloc(1, sizeof(*api));
    if (api == NULL)
        return ST_NO_MEMORY;
    api->http = http;
    buf_init(&api->base, 1024);
    buf_add_cstr(&api->base, "http://");
    buf_add_view(&api->base, address);
    struct uri u;
    /* The whole must be host and port: a path, a user or a missing port is refused. */
    bool ok = buf_status(&api->base) == ST_OK && uri_parse(buf_view(&api->base), &u) == ST_OK &&
              u.path.len == 0 && view_rfind(address, VIEW_LIT(":")) != SIZE_MAX &&
              u.authority.len > u.host.len && address.ptr[address.len - 1] != ']';
    if (!ok) {
        lambda_api_free(api);
        return error_set(err, ST_USAGE, E_U304, "AWS_LAMBDA_RUNTIME_API is not host:port: \"%.*s\"",
                         SHOW_MAX(address, 128));
    }
    buf_add_cstr(&api->base, "/2018-06-01/runtime/");
    *out = api;
    return buf_status(&api->base);
}

void lambda_api_free(struct lambda_api *api)
{
    if (api == NULL)
        return;
    buf_clear(&api->base);
    free(api);
}

void lambda_invocation_init(struct lambda_invocation *inv)
{
    memset(inv, 0, sizeof(*inv));
    http_response_init(&inv->answer);
}

void lambda_invocation_clear(struct lambda_invocation *inv)
{
    http_response_clear(&inv->answer);
    inv->event = inv->function_arn = inv->trace_id = VIEW_EMPTY;
    inv->request_id[0] = '\0';
}

/* The id becomes part of a path. */
static bool id_valid(struct view id)
{
    return id.len < 128 && view_is_word(id, "-_");
}

enum status lambda_api_next(struct lambda_api *api, struct lambda_invocation *inv,
                            struct error *err)
{
    struct buf url;
    struct error inner = {0};
    uint64_t deadline = 0;
    buf_init(&url, 1024);
    buf_add_view(&url, buf_view(&api->base));
    buf_add_cstr(&url, "invocation/next");
    const char *text = buf_cstr(&url);
    if (text == NULL)
        return ST_NO_MEMORY;
    struct http_request req = {.method = "GET",
                               .url = text,
                               .idle_timeout_ms = UINT32_MAX,
                               .max_body_bytes = LAMBDA_MAX_EVENT,
                               .direct = true};
    enum status st = http_send(api->http, &req, &inv->answer, &inner);
    buf_clear(&url);
    if (st)
        return error_set(err, st, inner.code, "next invocation: %s", inner.text);
    if (inv->answer.status != 200)
        return error_set(err, ST_RETRY, E_A307, "next invocation: answered %d", inv->answer.status);
    struct view id = http_response_header(&inv->answer, "Lambda-Runtime-Aws-Request-Id");
    if (!id_valid(id) || !view_copy(id, inv->request_id, sizeof(inv->request_id)))
        return error_set(err, ST_BAD_ITEM, E_A307, "next invocation: no usable request id");
    inv->event = buf_view(&inv->answer.body);
    inv->function_arn = http_response_header(&inv->answer, "Lambda-Runtime-Invoked-Function-Arn");
    inv->trace_id = http_response_header(&inv->answer, "Lambda-Runtime-Trace-Id");
    inv->deadline_ms = 0;
    if (view_parse_u64(http_response_header(&inv->answer, "Lambda-Runtime-Deadline-Ms"), INT64_MAX,
                       &deadline) == ST_OK)
        inv->deadline_ms = (int64_t)deadline;
    return ST_OK;
}

/*
 * POST to the runtime, up to three times.  Repeating is harmless: the first answer taken for an id
 * counts, later ones are refused with 400 or 403.
 */
static enum status post(struct lambda_api *api, const char *what, struct view path,
                        const char *error_type, struct view body, struct error *err)
{
    struct buf url;
    struct http_response answer;
    struct error inner = {0};
    struct http_header headers[] = {
        http_header_of("Content-Type", VIEW_LIT("application/json")),
        http_header_of("Lambda-Runtime-Function-Error-Type", view_of(error_type))};
    buf_init(&url, 1024);
    http_response_init(&answer);
    buf_add_view(&url, buf_view(&api->base));
    buf_add_view(&url, path);
    const char *text = buf_cstr(&url);
    enum status st = text == NULL ? ST_NO_MEMORY : ST_RETRY;
    struct http_request req = {.method = "POST",
                               .url = text,
                               .headers = headers,
                               .n_headers = error_type != NULL ? 2 : 1,
                               .body = body,
                               .total_timeout_ms = POST_MS,
                               .max_body_bytes = MAX_REPLY,
                               .direct = true};
    for (unsigned i = 0; i < ATTEMPTS && st == ST_RETRY; i++) {
        st = http_send(api->http, &req, &answer, &inner);
        if (st)
            error_set(err, st, inner.code, "%s: %s", what, inner.text);
    }
    if (!st && answer.status != 202 && answer.status != 200) {
        st = answer.status == 413                           ? ST_TOO_BIG
             : answer.status == 400 || answer.status == 403 ? ST_CONFLICT
                                                            : ST_RETRY;
        error_set(err, st, E_A305, "%s: answered %d", what, answer.status);
    }
    http_response_clear(&answer);
    buf_clear(&url);
    return st;
}

/* POST about one invocation. */
static enum status post_for(struct lambda_api *api, const char *what, const char *request_id,
                            const char *last, const char *error_type, struct view body,
                            struct error *err)
{
    struct buf path;
    buf_init(&path, 512);
    buf_add_cstr(&path, "invocation/");
    buf_add_cstr(&path, request_id);
    buf_add_cstr(&path, last);
    enum status st = id_valid(view_of(request_id)) ? buf_status(&path) : ST_BAD_ITEM;
    if (!st)
        st = post(api, what, buf_view(&path), error_type, body, err);
    buf_clear(&path);
    return st;
}

enum status lambda_api_respond(struct lambda_api *api, const char *request_id, struct view json,
                               struct error *err)
{
    if (json.len > LAMBDA_MAX_ANSWER)
        return error_set(err, ST_TOO_BIG, E_A307, "response: larger than 6 MiB");
    return post_for(api, "response", request_id, "/response", NULL, json, err);
}

/* In the shape that Lambda shows in its console and hands to the caller.  No id: before the first. */
static enum status fail(struct lambda_api *api, const char *request_id, const char *type,
                        struct view message, struct error *err)
{
    struct buf body;
    struct json_out j = {.out = &body};
    buf_init(&body, MAX_REPLY);
    json_open_object(&j, NULL);
    json_add_string(&j, "errorMessage", view_first(message, 4096));
    json_add_cstr(&j, "errorType", type);
    json_open_array(&j, "stackTrace");
    json_close(&j);
    json_close(&j);
    enum status st = buf_status(&body);
    if (!st && request_id == NULL)
        st = post(api, "init error report", VIEW_LIT("init/error"), type, buf_view(&body), err);
    else if (!st)
        st = post_for(api, "error report", request_id, "/error", type, buf_view(&body), err);
    buf_clear(&body);
    return st;
}

enum status lambda_api_fail(struct lambda_api *api, const char *request_id, const char *type,
                            struct view message, struct error *err)
{
    return fail(api, request_id, type, message, err);
}

enum status lambda_api_fail_init(struct lambda_api *api, const char *type, struct view message,
                                 struct error *err)
{
    return fail(api, NULL, type, message, err);
}
