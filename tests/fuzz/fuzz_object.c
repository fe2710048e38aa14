/*
 * fuzz_object.c: any bytes as a stored object, through inflating and scanning; what is accepted as
 * gzip, and what it holds, must be what zlib says.
 */
#include <stdio.h>
#include <stdlib.h>
#include <zlib.h>

#include "objects/content.h"
#include "records/scan.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { MAX_BYTES = 1 << 20 };

struct piecewise {
    struct byte_stream base;
    const uint8_t *data;
    size_t size, step;
};

static enum status read_piece(struct byte_stream *stream, void *out, size_t size, size_t *n,
                              struct error *err)
{
    struct piecewise *p = (struct piecewise *)stream;
    (void)err;
    if (p->size == 0)
        return ST_END;
    *n = p->size < p->step ? p->size : p->step;
    *n = *n < size ? *n : size;
    memcpy(out, p->data, *n);
    p->data += *n;
    p->size -= *n;
    return ST_OK;
}

static const struct byte_stream_class piecewise_class = {read_piece, NULL};

static void on_text(void *context, enum scan_outcome outcome, uint64_t offset,
                    const struct scan_record *record)
{
    (void)outcome, (void)offset, (void)record;
    ++*(uint64_t *)context;
}

/* Zlib's verdict on a gzip stream with zero bytes behind it: ST_END, ST_BAD_ITEM or ST_TOO_BIG. */
static enum status by_zlib(const uint8_t *data, size_t size, uint8_t *out, size_t *made)
{
    size_t at = 0;
    *made = 0;
    while (at < size) {
        z_stream z = {0};
        uint8_t *copy;
        if (at > 0 && data[at] == 0) {
            while (at < size && data[at] == 0)
                at++;
            return at == size ? ST_END : ST_BAD_ITEM;
        }
        copy = malloc(size - at);
        if (copy == NULL || inflateInit2(&z, 15 + 16) != Z_OK)
            abort();
        memcpy(copy, data + at, size - at);
        z.next_in = copy;
        z.avail_in = (uInt)(size - at);
        z.next_out = out + *made;
        z.avail_out = (uInt)(MAX_BYTES + 1 - *made);
        int code = inflate(&z, Z_FINISH);
        at = size - z.avail_in;
        *made = MAX_BYTES + 1 - z.avail_out;
        inflateEnd(&z);
        free(copy);
        if (*made > MAX_BYTES)
            return ST_TOO_BIG;
        if (code != Z_STREAM_END)
            return ST_BAD_ITEM;
    }
    return ST_END;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct content *content;
    static struct scanner *scanner;
    static uint64_t texts;
    static uint8_t wanted[MAX_BYTES + 1], got[2 * MAX_BYTES];
    static const struct scan_options options = {NULL, 0, true};
    struct error err = {.text = ""};
    enum status st = ST_OK;
    size_t total = 0;
    if (content == NULL && (content = content_new()) == NULL)
        abort();
    if (scanner == NULL && (scanner = scanner_new(&options, on_text, &texts)) == NULL)
        abort();
    bool is_gzip = size >= 2 && data[0] == 0x1f && data[1] == 0x8b;
    struct piecewise stream = {{&piecewise_class}, data, size, 1 + size / 7};
    size_t room = 1 + size % 977, made = size;
    uint8_t *out = malloc(room);
    if (out == NULL)
        abort();
    enum status due = ST_END;
    if (is_gzip)
        due = by_zlib(data, size, wanted, &made);
    content_begin(content, &stream.base, MAX_BYTES);
    scanner_reset(scanner);
    while (st == ST_OK) {
        size_t n;
        st = content_next(content, out, room, &n, &err);
        memcpy(got + total, out, n);
        total += n;
        scanner_feed(scanner, out, n);
    }
    if (st == ST_END)
        scanner_finish(scanner);
    free(out);
    /* A stream that is too big as well as broken may be either. */
    if ((st == ST_END) != (due == ST_END) || (st != ST_END && err.text[0] == '\0') ||
        (st == ST_END && (total != made || memcmp(got, is_gzip ? wanted : data, made) != 0))) {
        fprintf(stderr, "%s \"%s\", zlib: %s\n", status_name(st), err.text, status_name(due));
        abort();
    }
    return 0;
}
