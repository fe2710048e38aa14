/* uri.h: percent-encoding (RFC 3986) as AWS wants it signed. */
#ifndef AWS_URI_H
#define AWS_URI_H

#include "base/buf.h"

/* Every byte but A-Z a-z 0-9 - _ . ~ becomes %XX with capital digits. */
void uri_add_encoded(struct buf *out, struct view text);

/* The same, `/` left alone: the path of an S3 key. */
void uri_add_encoded_path(struct buf *out, struct view path);

/*
 * Append "name=value" to a query or form, with a `&` before it unless it is the first.  An empty
 * value adds nothing.
 */
void uri_add_parameter(struct buf *query, const char *name, struct view value);

/*
 * Undo percent-encoding.  plus_is_space: `+` means a blank (forms, S3 listings and S3 events).
 * ST_BAD_ITEM for a `%` without two hexadecimal digits after it; what was appended before stays.
 */
NODISCARD enum status uri_decode(struct buf *out, struct view text, bool plus_is_space);

/* The parts of "scheme://host[:port][/path]"; views into the text given. */
struct uri {
    bool https;
    struct view authority; /* host[:port] as written: what the Host header says */
    struct view host;      /* without the brackets of an IPv6 address */
    struct view path;      /* from its `/` on, or empty */
    uint16_t port;         /* 80 or 443 where none is written */
};

/*
 * Strict: http or https (lower or upper case), a host of letters, digits, `-`, `.` or a bracketed
 * IPv6 address, an optional port 1..65535, a path of unreserved characters, `/`, `%XX` and sub-
 * delimiters.  No user information, query or fragment.  ST_USAGE otherwise.
 */
NODISCARD enum status uri_parse(struct view text, struct uri *out);

/* "localhost", 127.0.0.0/8 written in four parts, or ::1. */
bool uri_host_is_loopback(struct view host);

#endif
