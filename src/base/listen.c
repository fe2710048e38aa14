/*
 * listen.c: our own listening socket, because a library that opens it does not say which port a
 * port of 0 became.
 */
#include "base/listen.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

enum { BACKLOG = 64 };

union address {
    struct sockaddr any;
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
};

static enum status parse(const char *text, union address *out, struct error *err)
{
    struct view all = view_of(text);
    size_t colon = view_rfind(all, VIEW_LIT(":"));
    uint64_t port = 0;
    char name[INET6_ADDRSTRLEN] = "";
    bool ok = colon != SIZE_MAX && view_parse_u64(view_skip(all, colon + 1), 65535, &port) == ST_OK;
    struct view host = view_first(all, ok ? colon : 0);
    bool is_v6 = host.len > 2 && host.ptr[0] == '[' && host.ptr[host.len - 1] == ']';
    if (is_v6)
        host = view_first(view_skip(host, 1), host.len - 2);
    if (host.len == 0 || view_eq(host, VIEW_LIT("localhost")))
        host = VIEW_LIT("127.0.0.1");
    if (host.len < sizeof(name))
        memcpy(name, host.ptr, host.len);
    memset(out, 0, sizeof(*out));
    if (ok && is_v6 && inet_pton(AF_INET6, name, &out->v6.sin6_addr) == 1) {
        out->v6.sin6_family = AF_INET6;
        out->v6.sin6_port = htons((uint16_t)port);
        return ST_OK;
    }
    if (ok && !is_v6 && inet_pton(AF_INET, name, &out->v4.sin_addr) == 1) {
        out->v4.sin_family = AF_INET;
        out->v4.sin_port = htons((uint16_t)port);
        return ST_OK;
    }
    return error_set(err, ST_USAGE, E_U219,
                     "\"%.80s\" is not ADDRESS:PORT with a numeric address, such as 127.0.0.1:8377",
                     text);
}

enum status listen_check(const char *text, struct error *err)
{
    union address address;
    return parse(text, &address, err);
}

static void describe(const union address *address, struct listener *out)
{
    bool is_v6 = address->any.sa_family == AF_INET6;
    char host[INET6_ADDRSTRLEN];
    out->port = ntohs(is_v6 ? address->v6.sin6_port : address->v4.sin_port);
    (void)inet_ntop(address->any.sa_family,
                    is_v6 ? (const void *)&address->v6.sin6_addr : &address->v4.sin_addr, host,
                    sizeof(host));
    (void)snprintf(out->name, sizeof(out->name), is_v6 ? "[%s]:%u" : "%s:%u", host, out->port);
}

enum status listen_open(const char *text, struct listener *out, struct error *err)
{
    union address address;
    int on = 1;
    out->fd = -1;
    enum status st = parse(text, &address, err);
    if (st != ST_OK)
        return st;
    socklen_t length = address.any.sa_family == AF_INET6 ? sizeof(address.v6) : sizeof(address.v4);
    int fd = socket(address.any.sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) != 0 ||
        bind(fd, &address.any, length) != 0 || listen(fd, BACKLOG) != 0 ||
        getsockname(fd, &address.any, &length) != 0) {
        int fault = errno;
        if (fd >= 0)
            close(fd);
        return error_set(err, ST_IO, code_of_errno(fault, E_U219), "cannot listen on %.80s: %s",
                         text, strerrordesc_np(fault));
    }
    out->fd = fd;
    describe(&address, out);
    return ST_OK;
}
