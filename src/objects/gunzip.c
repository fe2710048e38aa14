/*
 * gunzip.c: RFC 1952 around ISA-L's inflate, which is twice as fast as zlib's and takes most of a
 * run's time.
 *
 *   1f 8b 08 FLAGS  time(4) xfl os   [extra: len(2) bytes] [name 0] [comment 0] [crc16(2)]
 *   deflate data   crc32(4) length(4)      next member, zero bytes, or the end
 *
 * An object may have any number of members: `cat a.gz b.gz` and appending shippers make such.
 */
#include "objects/gunzip.h"

#include <isa-l/crc.h>
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

/*
 * Headers are read here because ISA-L forgets the header's own checksum when a header comes in two
 * pieces; deflate data and trailers are ISA-L's.
 */
enum where {
    IN_HEADER, /* the fixed part */
    IN_EXTRA_LENGTH,
    IN_EXTRA,
    IN_NAME,
    IN_COMMENT,
    IN_HEADER_CHECKSUM,
    IN_MEMBER,
    IN_PADDING, /* zero bytes after the last member */
};

enum {
    FLAG_HEADER_CHECKSUM = 2,
    FLAG_EXTRA = 4,
    FLAG_NAME = 8,
    FLAG_COMMENT = 16,
    RESERVED = 0xe0
};

struct gunzip {
    struct inflate_state inflate;
    enum where where;
    uint64_t members; /* begun so far */
    bool input_ended;
    uint8_t piece[HEADER_BYTES]; /* of a header: its fixed part, a length, a checksum */
    size_t piece_len;
    uint8_t flags;
    size_t extra_left;
    uint32_t header_crc;
    uint8_t *at;    /* unread input */
    uint8_t *end;   /* one past it */
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
    gz->piece_len = 0;
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

/*
 * ST_BAD_ITEM with the place in the compressed bytes, which is what a person can look up with dd
 * or xxd.
 */
static enum status corrupt(const struct gunzip *gz, enum code code, const char *what,
                           struct error *err)
{
    if (err != NULL)
        err->offset = gz->taken;
    return error_set(err, ST_BAD_ITEM, code, "%s at compressed byte %llu", what,
                     (unsigned long long)gz->taken);
}

static void take(struct gunzip *gz, size_t n)
{
    gz->at += n;
    gz->taken += n;
}

/* Zero bytes and nothing else may follow the last member. */
static enum status read_padding(struct gunzip *gz, bool *more_input, struct error *err)
{
    while (gz->at < gz->end) {
        if (*gz->at != 0)
            return corrupt(gz, E_O104, "data after the last gzip member", err);
        take(gz, 1);
    }
    if (gz->input_ended)
        return ST_END;
    *more_input = true;
    return ST_OK;
}

/* Take `wanted` bytes into gz->piece; false: there are not enough yet. */
static bool collect(struct gunzip *gz, size_t wanted)
{
    while (gz->piece_len < wanted && gz->at < gz->end) {
        gz->piece[gz->piece_len++] = *gz->at;
        take(gz, 1);
    }
    if (gz->piece_len < wanted)
        return false;
    if (gz->where != IN_HEADER_CHECKSUM)
        gz->header_crc = crc32_gzip_refl(gz->header_crc, gz->piece, wanted);
    gz->piece_len = 0;
    return true;
}

/* Take n bytes, or as many as there are, of what only the header's checksum needs. */
static void pass(struct gunzip *gz, size_t n)
{
    gz->header_crc = crc32_gzip_refl(gz->header_crc, gz->at, n);
    take(gz, n);
}

/* A text that ends with a zero byte; false: its end has not come yet. */
static bool pass_text(struct gunzip *gz)
{
    size_t n = (size_t)(gz->end - gz->at);
    const uint8_t *zero = n == 0 ? NULL : memchr(gz->at, 0, n);
    pass(gz, zero == NULL ? n : (size_t)(zero - gz->at) + 1);
    return zero != NULL;
}

/* What comes after a part of the header, by its flags: another part, or the member. */
static void next_part(struct gunzip *gz)
{
    static const struct {
        enum where where;
        uint8_t flag;
    } parts[] = {
        {IN_EXTRA_LENGTH, FLAG_EXTRA},
        {IN_NAME, FLAG_NAME},
        {IN_COMMENT, FLAG_COMMENT},
        {IN_HEADER_CHECKSUM, FLAG_HEADER_CHECKSUM},
    };
    for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
        if (parts[i].where > gz->where && (gz->flags & parts[i].flag) != 0) {
            gz->where = parts[i].where;
            return;
        }
    }
    if (gz->members++ == 0)
        isal_inflate_init(&gz->inflate);
    else
        isal_inflate_reset(&gz->inflate);
    gz->inflate.crc_flag = ISAL_GZIP_NO_HDR_VER; /* ISA-L checks the trailer itself */
    gz->where = IN_MEMBER;
}

/* One part of a member's header; false: it continues after the input there is. */
static bool read_part(struct gunzip *gz, enum status *st, struct error *err)
{
    switch (gz->where) {
    case IN_HEADER:
        gz->header_crc = 0;
        if (!collect(gz, HEADER_BYTES))
            return false;
        if (gz->piece[0] != 0x1f || gz->piece[1] != 0x8b)
            *st = corrupt(gz, E_O104, "data after the last gzip member", err);
        else if (gz->piece[2] != 8)
            *st = corrupt(gz, E_O105, "unknown gzip compression method", err);
        else if ((gz->piece[3] & RESERVED) != 0)
            *st = corrupt(gz, E_O105, "reserved gzip flags", err);
        gz->flags = gz->piece[3];
        break;
    case IN_EXTRA_LENGTH:
        if (!collect(gz, 2))
            return false;
        gz->extra_left = (size_t)gz->piece[0] | (size_t)gz->piece[1] << 8;
        gz->where = IN_EXTRA;
        return true;
    case IN_EXTRA: {
        size_t have = (size_t)(gz->end - gz->at);
        size_t n = have < gz->extra_left ? have : gz->extra_left;
        pass(gz, n);
        gz->extra_left -= n;
        if (gz->extra_left > 0)
            return false;
        break;
    }
    case IN_NAME:
    case IN_COMMENT:
        if (!pass_text(gz))
            return false;
        break;
    default:
        if (!collect(gz, 2))
            return false;
        if (((uint32_t)gz->piece[0] | (uint32_t)gz->piece[1] << 8) != (gz->header_crc & 0xffff))
            *st = corrupt(gz, E_O102, "gzip header checksum does not match, header ending", err);
        break;
    }
    if (*st == ST_OK)
        next_part(gz);
    return true;
}

/* Between two members, or in a header: end, padding, or another part. */
static enum status read_header(struct gunzip *gz, bool *more_input, struct error *err)
{
    enum status st = ST_OK;
    bool at_begin = gz->where == IN_HEADER && gz->piece_len == 0;
    if (at_begin && gz->members > 0 && gz->at < gz->end && *gz->at == 0) {
        gz->where = IN_PADDING;
        return read_padding(gz, more_input, err);
    }
    if (at_begin && gz->members > 0 && gz->at == gz->end && gz->input_ended)
        return ST_END;
    bool whole = read_part(gz, &st, err);
    if (gz->where == IN_HEADER && gz->members > 0 && gz->piece_len > 0 &&
        memcmp(gz->piece, "\x1f\x8b", gz->piece_len < 2 ? gz->piece_len : 2) != 0)
        return corrupt(gz, E_O104, "data after the last gzip member", err);
    if (whole)
        return st;
    if (gz->input_ended)
        return corrupt(gz, E_O101, "truncated gzip header", err);
    *more_input = true;
    return ST_OK;
}

/* Inflate as much as fits. */
static enum status read_member(struct gunzip *gz, uint8_t *out, size_t size, size_t *n,
                               bool *more_input, struct error *err)
{
    struct inflate_state *state = &gz->inflate;
    state->next_out = out + *n;
    state->avail_out = (uint32_t)(size - *n);
    state->next_in = gz->at;
    state->avail_in = (uint32_t)(gz->end - gz->at);
    int code = isal_inflate(state);
    gz->taken += (uint64_t)(state->next_in - gz->at); /* it may step back, see KEPT_BYTES */
    gz->at = state->next_in;
    *n = (size_t)(state->next_out - out);
    if (code == ISAL_INCORRECT_CHECKSUM)
        return corrupt(gz, E_O102, "gzip checksum or length does not match, member ending", err);
    if (code == ISAL_INVALID_WRAPPER)
        return corrupt(gz, E_O105, "invalid gzip header", err);
    if (code < 0 || code == ISAL_NEED_DICT)
        return corrupt(gz, E_O103, "invalid deflate data", err);
    if (state->block_state == ISAL_BLOCK_FINISH) {
        gz->where = IN_HEADER;
        return ST_OK;
    }
    if (gz->at == gz->end && state->avail_out > 0) {
        if (gz->input_ended)
            return corrupt(gz, E_O101, "truncated gzip member", err);
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
        case IN_MEMBER: st = read_member(gz, out, size, n, more_input, err); break;
        case IN_PADDING: st = read_padding(gz, more_input, err); break;
        default: st = read_header(gz, more_input, err); break;
        }
    }
    return st;
}
