/*
 * content.c: gzip or plain, decided by the first two bytes (1f 8b), and the ceiling on what they
 * inflate to.
 *
 * The first read of every object goes into gunzip's own buffer, so that gzip, the usual case, is
 * never copied; plain content is handed out from there and then read straight into the caller's
 * buffer.
 */
#include "objects/content.h"

#include <stdlib.h>

#include "objects/gunzip.h"

struct content {
    struct byte_stream *stream;
    struct gunzip *gz;
    enum { NOT_SEEN, GZIP, PLAIN } form;
    bool stream_ended;
    size_t plain_at; /* PLAIN: how much of the first read was given out */
    uint64_t max_bytes;
    uint64_t read, inflated;
};

struct content *content_new(void)
{
    struct content *content = calloc(1, sizeof(*content));
    if (content == NULL)
        return NULL;
    content->gz = gunzip_new();
    if (content->gz == NULL) {
        free(content);
        return NULL;
    }
    return content;
}

void content_free(struct content *content)
{
    if (content == NULL)
        return;
    gunzip_free(content->gz);
    free(content);
}

void content_begin(struct content *content, struct byte_stream *stream, uint64_t max_bytes)
{
    gunzip_reset(content->gz);
    content->stream = stream;
    content->form = NOT_SEEN;
    content->stream_ended = false;
    content->plain_at = 0;
    content->max_bytes = max_bytes;
    content->read = content->inflated = 0;
}

/* The next input for gunzip.  The end of the stream is an input of 0 bytes. */
static enum status fill(struct content *content, struct error *err)
{
    size_t size, n = 0;
    uint8_t *room = gunzip_room(content->gz, &size);
    enum status st = byte_stream_read(content->stream, room, size, &n, err);
    if (st != ST_OK && st != ST_END)
        return st;
    gunzip_filled(content->gz, st == ST_END ? 0 : n);
    content->read += n;
    return ST_OK;
}

/* Two bytes decide; a stream may hand out fewer at first. */
static enum status look_at_form(struct content *content, struct error *err)
{
    size_t size, have = 0;
    uint8_t *room = gunzip_room(content->gz, &size);
    while (have < 2) {
        size_t n = 0;
        enum status st = byte_stream_read(content->stream, room + have, size - have, &n, err);
        if (st == ST_END) {
            content->stream_ended = true;
            break;
        }
        if (st != ST_OK)
            return st;
        have += n;
    }
    content->read = have;
    gunzip_filled(content->gz, have);
    content->form = have >= 2 && room[0] == 0x1f && room[1] == 0x8b ? GZIP : PLAIN;
    return ST_OK;
}

/* Fill `out`, so that the scanner gets large pieces even where members are small. */
static enum status next_gzip(struct content *content, uint8_t *out, size_t size, size_t *n,
                             struct error *err)
{
    for (;;) {
        size_t made;
        bool more_input;
        enum status st = gunzip_next(content->gz, out + *n, size - *n, &made, &more_input, err);
        *n += made;
        if (st != ST_OK || *n == size)
            return st;
        if (more_input) {
            st = fill(content, err);
            if (st != ST_OK)
                return st;
        }
    }
}

static enum status next_plain(struct content *content, uint8_t *out, size_t size, size_t *n,
                              struct error *err)
{
    struct view first = gunzip_unread(content->gz);
    if (content->plain_at < first.len) {
        struct view rest = view_first(view_skip(first, content->plain_at), size);
        memcpy(out, rest.ptr, rest.len);
        content->plain_at += rest.len;
        *n = rest.len;
        return ST_OK;
    }
    if (content->stream_ended)
        return ST_END;
    enum status st = byte_stream_read(content->stream, out, size, n, err);
    content->read += *n;
    return st;
}

enum status content_next(struct content *content, uint8_t *out, size_t size, size_t *n,
                         struct error *err)
{
    enum status st = ST_OK;
    *n = 0;
    if (content->form == NOT_SEEN)
        st = look_at_form(content, err);
    if (st != ST_OK)
        return st;
    st = content->form == GZIP ? next_gzip(content, out, size, n, err)
                               : next_plain(content, out, size, n, err);
    content->inflated += *n;
    if (content->inflated > content->max_bytes)
        return error_set(err, ST_TOO_BIG, E_O106, "more than MAX_OBJECT_BYTES (%llu) inflated",
                         (unsigned long long)content->max_bytes);
    return st;
}

uint64_t content_bytes_read(const struct content *content)
{
    return content->read;
}

uint64_t content_bytes_inflated(const struct content *content)
{
    return content->inflated;
}
