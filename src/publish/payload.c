/*
 * payload.c: the format in which requests wait in the ledger.  It is read by later versions and by
 * other machines, so it is versioned in its first line and holds the final JSON of each datum:
 * whoever finishes the batch sends the same bytes.
 *
 *   bedrock-metrics/payload/1 TAB namespace TAB Region LF
 *   tokens TAB {"MetricName":"Invocations",...} LF          one line a datum
 */
#define ZLIB_CONST /* next_in is read only */

#include "publish/payload.h"

#include <stdlib.h>
#include <zlib.h>

#include "base/deflate.h"
#include "base/json_out.h"

enum {
    MAX_TEXT = 4 * BATCH_MAX_BYTES,
    PIECE = 64 * 1024,
};

#define HEAD "bedrock-metrics/payload/1"

static enum status inflate_text(struct view in, struct buf *out)
{
    z_stream z = {.next_in = (const Bytef *)in.ptr, .avail_in = (uInt)in.len};
    if (in.len > MAX_TEXT)
        return ST_BAD_ITEM;
    int done = inflateInit(&z);
    if (done != Z_OK)
        return ST_NO_MEMORY;
    while (done == Z_OK) {
        char *room = buf_reserve(out, PIECE);
        if (room == NULL)
            break;
        z.next_out = (Bytef *)room;
        z.avail_out = PIECE;
        done = inflate(&z, Z_NO_FLUSH);
        out->len += PIECE - z.avail_out;
    }
    bool whole = done == Z_STREAM_END && z.avail_in == 0;
    inflateEnd(&z);
    if (buf_status(out) != ST_OK)
        return buf_status(out);
    return whole ? ST_OK : done == Z_MEM_ERROR ? ST_NO_MEMORY : ST_BAD_ITEM;
}

/* ---- encoding ---- */

enum status payload_encode(const struct batch *batch, size_t first, size_t count,
                           struct view name_space, struct view region, struct buf *out)
{
    struct buf text;
    buf_init(&text, MAX_TEXT);
    buf_printf(&text, HEAD "\t%.*s\t%.*s\n", SHOW(name_space), SHOW(region));
    for (size_t i = first; i < first + count; i++) {
        buf_add_u64(&text, batch_tokens(batch, i, 1));
        buf_add_char(&text, '\t');
        buf_add_view(&text, batch_datum(batch, i)); /* compact JSON holds no raw line break */
        buf_add_char(&text, '\n');
    }
    enum status st = buf_status(&text);
    buf_reset(out);
    if (st == ST_OK)
        st = deflate_add(out, buf_view(&text), DEFLATE_ZLIB, DEFLATE_DEFAULT);
    buf_clear(&text);
    return st;
}

/* ---- decoding ---- */

static enum status read_head(struct view line, struct payload *p)
{
    struct view name;
    if (!view_split(&line, '\t', &name) || !view_eq(name, VIEW_LIT(HEAD)) ||
        !view_split(&line, '\t', &p->name_space) || !view_split(&line, '\t', &p->region) ||
        line.ptr != NULL)
        return ST_BAD_ITEM;
    return ST_OK;
}

static enum status read_lines(struct payload *p)
{
    struct view rest = buf_view(&p->text), line;
    size_t lines = 0;
    for (size_t i = 0; i < rest.len; i++)
        lines += rest.ptr[i] == '\n';
    if (lines == 0 || rest.ptr[rest.len - 1] != '\n')
        return ST_BAD_ITEM;
    p->data = calloc(lines, sizeof(*p->data));
    p->tokens = calloc(lines, sizeof(*p->tokens));
    if (p->data == NULL || p->tokens == NULL)
        return ST_NO_MEMORY;
    (void)view_split(&rest, '\n', &line);
    enum status st = read_head(line, p);
    while (st == ST_OK && p->count < lines - 1) {
        struct view number;
        (void)view_split(&rest, '\n', &line);
        if (!view_split(&line, '\t', &number) || line.len == 0)
            return ST_BAD_ITEM;
        st = view_parse_u64(number, UINT64_MAX, &p->tokens[p->count]);
        p->data[p->count++] = line;
    }
    return st;
}

enum status payload_decode(struct view bytes, struct payload *out)
{
    *out = (struct payload){0};
    buf_init(&out->text, MAX_TEXT + PIECE);
    enum status st = inflate_text(bytes, &out->text);
    return st == ST_OK ? read_lines(out) : st;
}

void payload_clear(struct payload *p)
{
    free(p->data);
    free(p->tokens);
    buf_clear(&p->text);
    *p = (struct payload){0};
}

uint64_t payload_tokens(const struct payload *p, size_t first, size_t count)
{
    uint64_t sum = 0;
    for (size_t i = first; i < p->count && i - first < count; i++)
        sum += p->tokens[i];
    return sum;
}

enum status payload_write(const struct payload *p, size_t first, size_t count, struct view marker,
                          struct buf *out)
{
    if (first > p->count || count > p->count - first)
        return ST_BAD_ITEM;
    struct json_out j = {.out = out};
    buf_reset(out);
    json_open_object(&j, NULL);
    json_add_string(&j, "Namespace", p->name_space);
    json_open_array(&j, "MetricData");
    for (size_t i = first; i < first + count; i++)
        buf_add_view(json_add_value(&j, NULL), p->data[i]);
    buf_add_view(json_add_value(&j, NULL), marker);
    json_close(&j);
    json_close(&j);
    return buf_status(out);
}
