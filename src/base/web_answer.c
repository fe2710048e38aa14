/* web_answer.c: headers and bodies of answers, the same from every web server of ours. */
#include <stdlib.h>
#include <string.h>

#include "base/web_server.h"

void web_add_headers(struct MHD_Response *response, const char *type)
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

enum MHD_Result web_send(struct MHD_Connection *connection, unsigned code,
                         struct MHD_Response *response)
{
    if (response == NULL)
        return MHD_NO;
    enum MHD_Result result = mhd.queue_response(connection, code, response);
    mhd.destroy_response(response);
    return result;
}

enum MHD_Result web_send_body(struct MHD_Connection *connection, unsigned code, const char *type,
                              char *body, size_t length)
{
    struct MHD_Response *response =
        mhd.create_response_from_buffer(length, body, MHD_RESPMEM_MUST_FREE);
    if (response == NULL)
        free(body);
    else
        web_add_headers(response, type);
    return web_send(connection, code, response);
}

enum MHD_Result web_send_text(struct MHD_Connection *connection, unsigned code, const char *text)
{
    struct MHD_Response *response = mhd.create_response_from_buffer(
        strlen(text), (void *)(uintptr_t)text, MHD_RESPMEM_PERSISTENT); /* is only read */
    if (response == NULL)
        return MHD_NO;
    web_add_headers(response, "text/plain; charset=utf-8");
    if (code == MHD_HTTP_METHOD_NOT_ALLOWED)
        (void)mhd.add_response_header(response, "Allow", "GET, HEAD");
    return web_send(connection, code, response);
}
