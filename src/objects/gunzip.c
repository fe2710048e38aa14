#include "objects/gunzip.h"

#include <isa-l/igzip_lib.h>
#include <stdlib.h>

enum {
    HEADER_BYTES = 10, /* the fixed part of a member's header */
    INPUT_BYTES = 128 * 1024,
    /*
     * At the end of a member ISA-L steps back over whole bytes it had buffered, at most 8, which
     * may have come with the input before: they stay in front of the next.
     */
    KEPT_BYTES = 16,
};

enum where {
    IN_HEADER, /* collecting the fixed part of a member's header */
    IN_MEMBER,
    IN_PADDING, /* zero bytes behind the last member */
};

struct gunzip {
    struct inflate_state inflate;
    enum where where;
    uint64_t members; /* begun so far */
    bool input_ended;
    uint8_t header[HEADER_BYTES];
    size_t header_len;
    uint8_t *at;    /* unread input */
    uint8_t *end;   /* behind it */
    uint64_t taken; /* bytes of input before `at` */
    uint8_t input[KEPT_BYTES + INPUT_BYTES];
};

struct gunzip *gunzip_new(void)
{
    struct gunzip *gz = calloc(1, sizeof(*gz));
    if (gz != NULL)
        gunzip_reset(gz);
    return gz;
}

void gunzip_free(struct gunzip *gz)
{
    free(gz);
}

void gunzip_reset(struct gunzip *gz)
{
    gz->where = IN_HEADER;
    gz->members = 0;
    gz->input_ended = false;
    gz->header_len = 0;
    gz->taken = 0;
    gz->at = gz->end = gz->input + KEPT_BYTES;
}

uint8_t *gunzip_room(struct gunzip *gz, size_t *size)
{
    /* All input was used; keep its last bytes in front. */
    if (gz->end >= gz->input + 2 * KEPT_BYTES)
        memcpy(gz->input, gz->end - KEPT_BYTES, KEPT_BYTES);
    else if (gz->end > gz->input + KEPT_BYTES)
        memmove(gz->input, gz->end - KEPT_BYTES, KEPT_BYTES);
    gz->at = gz->end = gz->input + KEPT_BYTES;
    *size = INPUT_BYTES;
    return gz->at;
}

void gunzip_filled(struct gunzip *gz, size_t n)
{
    gz->end = gz->at + n;
    gz->input_ended = n == 0;
}

struct view gunzip_unread(const struct gunzip *gz)
{
    return view_make(gz->at, (size_t)(gz->end - gz->at));
}

static enum status corrupt(const struct gunzip *gz, const char *what, struct error *err)
{
    if (err != NULL)
        err->offset = gz->taken;
    return error_set(err, ST_BAD_ITEM, "%s at compressed byte %llu", what,
                     (unsigned long long)gz->taken);
}

static void take(struct gunzip *gz, size_t n)
{
    gz->at += n;
    gz->taken += n;
}

/* Give ISA-L the header collected in gz->header, then let it go on in the input. */
static void begin_member(struct gunzip *gz)
{
    if (gz->members++ == 0)
        isal_inflate_init(&gz->inflate);
    else
        isal_inflate_reset(&gz->inflate);
    gz->inflate.crc_flag = ISAL_GZIP;
    gz->inflate.next_in = gz->header;
    gz->inflate.avail_in = HEADER_BYTES;
    gz->where = IN_MEMBER;
}

static enum status check_header(const struct gunzip *gz, struct error *err)
{
    const uint8_t *h = gz->header;
    if (h[0] != 0x1f || h[1] != 0x8b)
        return corrupt(gz, "data behind the last gzip member", err);
    if (h[2] != 8)
        return corrupt(gz, "unknown gzip compression method", err);
    if ((h[3] & 0xe0) != 0)
        return corrupt(gz, "reserved gzip flags", err);
    return ST_OK;
}

/* Zero bytes and nothing else may follow the last member. */
static enum status read_padding(struct gunzip *gz, bool *more_input, struct error *err)
{
    while (gz->at < gz->end) {
        if (*gz->at != 0)
            return corrupt(gz, "data behind the last gzip member", err);
        take(gz, 1);
    }
    if (gz->input_ended)
        return ST_END;
    *more_input = true;
    return ST_OK;
}

static enum status read_header(struct gunzip *gz, bool *more_input, struct error *err)
{
    if (gz->header_len == 0 && gz->members > 0 && gz->at < gz->end && *gz->at == 0) {
        gz->where = IN_PADDING;
        return read_padding(gz, more_input, err);
    }
    while (gz->header_len < HEADER_BYTES && gz->at < gz->end) {
        gz->header[gz->header_len++] = *gz->at;
        take(gz, 1);
    }
    if (gz->header_len < HEADER_BYTES) {
        if (!gz->input_ended) {
            *more_input = true;
            return ST_OK;
        }
        if (gz->header_len == 0 && gz->members > 0)
            return ST_END;
        return corrupt(gz, "truncated gzip header", err);
    }
    enum status st = check_header(gz, err);
    gz->header_len = 0;
    if (st == ST_OK)
        begin_member(gz);
    return st;
}

static enum status inflate_fault(const struct gunzip *gz, int code, struct error *err)
{
    switch (code) {
    case ISAL_INCORRECT_CHECKSUM:
        return corrupt(gz, "gzip checksum or length does not match, member ending", err);
    case ISAL_INVALID_WRAPPER: return corrupt(gz, "invalid gzip header", err);
    default: return corrupt(gz, "invalid deflate data", err);
    }
}

/* One call of ISA-L over the header in gz->header or over the input. */
static int inflate_some(struct gunzip *gz)
{
    struct inflate_state *state = &gz->inflate;
    bool from_header = state->avail_in > 0;
    if (!from_header) {
        state->next_in = gz->at;
        state->avail_in = (uint32_t)(gz->end - gz->at);
    }
    int code = isal_inflate(state);
    if (!from_header) {
        gz->taken += (uint64_t)(state->next_in - gz->at);
        gz->at = state->next_in;
        state->avail_in = 0;
    }
    return code;
}

static enum status read_member(struct gunzip *gz, uint8_t *out, size_t size, size_t *n,
                               bool *more_input, struct error *err)
{
    struct inflate_state *state = &gz->inflate;
    state->next_out = out + *n;
    state->avail_out = (uint32_t)(size - *n);
    int code = inflate_some(gz);
    *n = (size_t)(state->next_out - out);
    if (code < 0 || code == ISAL_NEED_DICT)
        return inflate_fault(gz, code, err);
    if (state->block_state == ISAL_BLOCK_FINISH) {
        gz->where = IN_HEADER;
        return ST_OK;
    }
    if (gz->at == gz->end && state->avail_out > 0) {
        if (gz->input_ended)
            return corrupt(gz, "truncated gzip member", err);
        *more_input = true;
    }
    return ST_OK;
}

enum status gunzip_next(struct gunzip *gz, uint8_t *out, size_t size, size_t *n, bool *more_input,
                        struct error *err)
{
    enum status st = ST_OK;
    *n = 0;
    *more_input = false;
    while (st == ST_OK && *n < size && !*more_input) {
        switch (gz->where) {
        case IN_HEADER: st = read_header(gz, more_input, err); break;
        case IN_MEMBER: st = read_member(gz, out, size, n, more_input, err); break;
        case IN_PADDING: st = read_padding(gz, more_input, err); break;
        }
    }
    return st;
}
