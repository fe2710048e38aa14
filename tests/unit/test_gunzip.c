/*
 * test_gunzip.c: gzip members of every kind, whole, in pieces, cut short and damaged; and content,
 * which tells gzip from plain.  Members are made here with zlib.
 */
#include "unit.h"

#include <zlib.h>

#include "base/deflate.h"
#include "objects/content.h"
#include "objects/gunzip.h"

enum { ROOM = 1 << 20 };

struct bytes {
    uint8_t data[ROOM];
    size_t len;
};

static void add(struct bytes *b, const void *bytes, size_t n)
{
    assert_true(b->len + n <= ROOM);
    memcpy(b->data + b->len, bytes, n);
    b->len += n;
}

static void add_byte(struct bytes *b, unsigned byte)
{
    uint8_t one = (uint8_t)byte;
    add(b, &one, 1);
}

static void add_u32(struct bytes *b, uint32_t value)
{
    for (int shift = 0; shift < 32; shift += 8)
        add_byte(b, value >> shift & 0xff);
}

enum { HCRC = 2, EXTRA = 4, NAME = 8, COMMENT = 16 };

struct member {
    const char *text;
    size_t times; /* the text is repeated */
    int level;
    unsigned flags;
    size_t extra, name, comment; /* bytes of these parts */
    uint32_t crc_error, length_error, header_crc_error;
};

static void add_header(struct bytes *out, const struct member *m)
{
    size_t begin = out->len;
    static const uint8_t head[] = {0x1f, 0x8b, 8};
    add(out, head, 3);
    add_byte(out, m->flags);
    add(out, "\1\2\3\4\0\3", 6);
    if ((m->flags & EXTRA) != 0) {
        add_byte(out, m->extra & 0xff);
        add_byte(out, (unsigned)(m->extra >> 8));
        for (size_t i = 0; i < m->extra; i++)
            add_byte(out, i & 0xff);
    }
    for (unsigned flag = NAME; flag <= COMMENT; flag <<= 1) {
        size_t n = flag == NAME ? m->name : m->comment;
        for (size_t i = 0; i < n && (m->flags & flag) != 0; i++)
            add_byte(out, (unsigned)('a' + i % 26));
        if ((m->flags & flag) != 0)
            add_byte(out, 0);
    }
    if ((m->flags & HCRC) != 0) {
        uLong crc = crc32(0, out->data + begin, (uInt)(out->len - begin));
        crc ^= m->header_crc_error;
        add_byte(out, crc & 0xff);
        add_byte(out, crc >> 8 & 0xff);
    }
}

/* A member appended to `out` and its content to `plain`. */
static void add_member(struct bytes *out, struct bytes *plain, const struct member *m)
{
    size_t begin = plain->len;
    for (size_t i = 0; i < m->times; i++)
        add(plain, m->text, strlen(m->text));
    z_stream z = {0};
    add_header(out, m);
    assert_int_equal(deflateInit2(&z, m->level, Z_DEFLATED, -15, 9, Z_DEFAULT_STRATEGY), Z_OK);
    z.next_in = plain->data + begin;
    z.avail_in = (uInt)(plain->len - begin);
    z.next_out = out->data + out->len;
    z.avail_out = (uInt)(ROOM - out->len);
    assert_int_equal(deflate(&z, Z_FINISH), Z_STREAM_END);
    out->len = ROOM - z.avail_out;
    deflateEnd(&z);
    uLong crc = crc32(0, plain->data + begin, (uInt)(plain->len - begin));
    add_u32(out, (uint32_t)crc ^ m->crc_error);
    add_u32(out, (uint32_t)(plain->len - begin) ^ m->length_error);
}

/* ---- a stream that hands out its bytes in pieces, and may fail ---- */

struct memory_stream {
    struct byte_stream base;
    const uint8_t *at, *end;
    size_t step;
    const uint8_t *fail_at; /* NULL: never */
};

static enum status memory_read(struct byte_stream *stream, void *out, size_t size, size_t *n,
                               struct error *err)
{
    struct memory_stream *m = (struct memory_stream *)stream;
    if (m->fail_at != NULL && m->at >= m->fail_at)
        return error_set(err, ST_RETRY, E_A304, "connection lost");
    if (m->at == m->end)
        return ST_END;
    size_t left = (size_t)(m->end - m->at);
    *n = left < m->step ? left : m->step;
    if (*n > size)
        *n = size;
    memcpy(out, m->at, *n);
    m->at += *n;
    return ST_OK;
}

static void memory_close(struct byte_stream *stream)
{
    (void)stream;
}

static const struct byte_stream_class memory_class = {memory_read, memory_close};

static struct memory_stream stream_of(const void *bytes, size_t n, size_t step)
{
    const uint8_t *p = bytes;
    return (struct memory_stream){{&memory_class}, p, p + n, step, NULL};
}

/* All content, given out at most `room` bytes at a time. */
static enum status read_all(struct content *content, struct memory_stream *stream, size_t room,
                            uint64_t max, struct bytes *got, struct error *err)
{
    enum status st = ST_OK;
    got->len = 0;
    content_begin(content, &stream->base, max);
    while (st == ST_OK) {
        size_t n;
        assert_true(got->len + room <= ROOM);
        st = content_next(content, got->data + got->len, room, &n, err);
        assert_true(n <= room);
        got->len += n;
    }
    if (st == ST_END)
        expect_u64(0, "inflated", content_bytes_inflated(content), got->len);
    return st;
}

static struct bytes packed, plain, got;

static void reset(void)
{
    packed.len = plain.len = got.len = 0;
}

static const struct member good[] = {
    {"", 0, 6, 0, 0, 0, 0, 0, 0, 0},
    {"a", 1, 6, 0, 0, 0, 0, 0, 0, 0},
    {"hello, hello, hello\n", 3, 9, NAME, 0, 12, 0, 0, 0, 0},
    {"stored as it is", 4, 0, COMMENT, 0, 0, 9, 0, 0, 0},
    {"fixed codes", 2, 1, EXTRA, 11, 0, 0, 0, 0, 0},
    {"all parts", 5, 6, HCRC | EXTRA | NAME | COMMENT, 300, 20, 30, 0, 0, 0},
    {"checksum alone", 5, 6, HCRC, 0, 0, 0, 0, 0, 0},
    {"no extra bytes, no name", 1, 6, HCRC | EXTRA | NAME, 0, 0, 0, 0, 0, 0},
    {"{\"schemaType\":\"ModelInvocationLog\"}\n", 700, 6, 0, 0, 0, 0, 0, 0, 0},
};

static void members_alone_and_together(void **state)
{
    (void)state;
    static const size_t steps[] = {1, 2, 3, 7, 64, 1000, ROOM};
    static const size_t rooms[] = {1, 5, 100, 4096, 70000};
    struct content *content = content_new();
    for (size_t i = 0; i <= COUNT_OF(good); i++) {
        for (size_t s = 0; s < COUNT_OF(steps); s++) {
            for (size_t r = 0; r < COUNT_OF(rooms); r++) {
                struct error err = {.text = ""};
                reset();
                for (size_t k = 0; k < COUNT_OF(good); k++) {
                    if (k == i || i == COUNT_OF(good))
                        add_member(&packed, &plain, &good[k]);
                }
                struct memory_stream stream = stream_of(packed.data, packed.len, steps[s]);
                enum status st = read_all(content, &stream, rooms[r], ROOM, &got, &err);
                if (st != ST_END)
                    fail_row(i, "step %u, room %u: %s, %s", (unsigned)steps[s], (unsigned)rooms[r],
                             status_name(st), err.text);
                expect_u64(i, "read", content_bytes_read(content), packed.len);
                expect_view(i, view_make(got.data, got.len), view_make(plain.data, plain.len));
            }
        }
    }
    content_free(content);
    content_free(NULL);
}

/* Cut at every byte: an error that names the place, or whole members only. */
static void truncation_at_every_byte(void **state)
{
    (void)state;
    struct content *content = content_new();
    reset();
    size_t border[COUNT_OF(good) + 1] = {0};
    for (size_t k = 0; k < COUNT_OF(good); k++) {
        add_member(&packed, &plain, &good[k]);
        border[k + 1] = packed.len;
    }
    for (size_t cut = 2; cut < packed.len; cut++) {
        for (size_t step = 1; step <= packed.len; step += packed.len - 1) {
            struct error err = {.text = ""};
            struct memory_stream stream = stream_of(packed.data, cut, step);
            enum status st = read_all(content, &stream, 4096, ROOM, &got, &err);
            bool whole = false;
            for (size_t k = 0; k < COUNT_OF(border); k++)
                whole = whole || cut == border[k];
            expect_status(cut, st, whole ? ST_END : ST_BAD_ITEM);
            if (whole)
                continue;
            if (strstr(err.text, "truncated") == NULL || err.offset > cut)
                fail_row(cut, "\"%s\", offset %u", err.text, (unsigned)err.offset);
        }
    }
    content_free(content);
}

static void padding_and_garbage(void **state)
{
    (void)state;
    static const struct {
        struct view behind;
        enum status status;
        size_t offset; /* behind the member, at most */
    } cases[] = {
        {TEXT(""), ST_END, 0},
        {TEXT("\0"), ST_END, 0},
        {TEXT("\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"), ST_END, 0},
        {TEXT("x"), ST_BAD_ITEM, 1},
        {TEXT("xxxxxxxxxxxxxxxxxxxx"), ST_BAD_ITEM, 10},
        {TEXT("\0\0x"), ST_BAD_ITEM, 2},
        {TEXT("\0\x1f\x8b"), ST_BAD_ITEM, 1},
        {TEXT("\x1f\x8b"), ST_BAD_ITEM, 2},
        {TEXT("\x1f\x8b\x08\0\0\0\0\0\0\x03"), ST_BAD_ITEM, 10},
        {TEXT("\x1f\x8b\x07\0\0\0\0\0\0\x03"), ST_BAD_ITEM, 10},
        {TEXT("\n{}"), ST_BAD_ITEM, 3},
    };
    (void)state;
    struct content *content = content_new();
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        for (size_t step = 1; step < 200; step++) {
            struct error err = {.text = ""};
            reset();
            add_member(&packed, &plain, &good[2]);
            size_t len = packed.len;
            add(&packed, cases[i].behind.ptr, cases[i].behind.len);
            struct memory_stream stream = stream_of(packed.data, packed.len, step);
            expect_status(i, read_all(content, &stream, 64, ROOM, &got, &err), cases[i].status);
            /* Where it is noticed depends on how the bytes come; never before the garbage. */
            if (cases[i].status != ST_END &&
                (err.offset < len || err.offset > len + cases[i].offset))
                fail_row(i, "offset %u of %u", (unsigned)err.offset, (unsigned)len);
        }
    }
    content_free(content);
}

static void damaged_members(void **state)
{
    (void)state;
    static const struct {
        struct member member;
        const char *message;
    } cases[] = {
        {{"abc", 1, 6, 0, 0, 0, 0, 1, 0, 0}, "checksum or length"},
        {{"abc", 1, 6, 0, 0, 0, 0, 0x80000000, 0, 0}, "checksum or length"},
        {{"abc", 1, 6, 0, 0, 0, 0, 0, 1, 0}, "checksum or length"},
        {{"abc", 1, 6, 0, 0, 0, 0, 0, 0x80000000, 0}, "checksum or length"},
        {{"", 0, 6, 0, 0, 0, 0, 1, 0, 0}, "checksum or length"},
        {{"abc", 1, 6, HCRC, 0, 0, 0, 0, 0, 1}, "header checksum"},
        {{"abc", 1, 6, HCRC | NAME | EXTRA, 9, 9, 0, 0, 0, 0x8000}, "header checksum"},
        {{"abc", 1, 6, 0x20, 0, 0, 0, 0, 0, 0}, "reserved"},
        {{"abc", 1, 6, 0x80, 0, 0, 0, 0, 0, 0}, "reserved"},
    };
    struct content *content = content_new();
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        for (int second = 0; second < 2; second++) {
            for (size_t step = 1; step < 100; step += 9) {
                struct error err = {.text = ""};
                reset();
                if (second == 1)
                    add_member(&packed, &plain, &good[2]);
                add_member(&packed, &plain, &cases[i].member);
                struct memory_stream stream = stream_of(packed.data, packed.len, step);
                expect_status(i, read_all(content, &stream, 64, ROOM, &got, &err), ST_BAD_ITEM);
                if (strstr(err.text, cases[i].message) == NULL || err.offset > packed.len)
                    fail_row(i, "\"%s\"", err.text);
            }
        }
    }
    content_free(content);
}

/* Whether zlib, asked the same question, says it is all good. */
static bool zlib_accepts(const struct bytes *in)
{
    static struct bytes out;
    z_stream z = {0};
    size_t at = 0;
    bool good_so_far = true;
    while (good_so_far && at < in->len) {
        if (at > 0 && in->data[at] == 0) {
            while (at < in->len && in->data[at] == 0)
                at++;
            return at == in->len;
        }
        z = (z_stream){0};
        assert_int_equal(inflateInit2(&z, 15 + 16), Z_OK);
        uint8_t copy[4096];
        assert_true(in->len - at <= sizeof(copy));
        memcpy(copy, in->data + at, in->len - at);
        z.next_in = copy;
        z.avail_in = (uInt)(in->len - at);
        z.next_out = out.data;
        z.avail_out = ROOM;
        good_so_far = inflate(&z, Z_FINISH) == Z_STREAM_END;
        at = in->len - z.avail_in;
        inflateEnd(&z);
    }
    return good_so_far;
}

/* Every bit of a short member turned over: no crash, and the verdict is zlib's. */
static void every_flipped_bit(void **state)
{
    (void)state;
    struct content *content = content_new();
    static const size_t which[] = {1, 2, 4, 5, 6};
    for (size_t w = 0; w < COUNT_OF(which); w++) {
        reset();
        add_member(&packed, &plain, &good[which[w]]);
        add_member(&packed, &plain, &good[2]);
        for (size_t bit = 16; bit < packed.len * 8; bit++) {
            struct error err = {.text = ""};
            packed.data[bit / 8] ^= (uint8_t)(1 << bit % 8);
            struct memory_stream stream = stream_of(packed.data, packed.len, 100);
            enum status st = read_all(content, &stream, 4096, ROOM / 2, &got, &err);
            if ((st == ST_END) != zlib_accepts(&packed))
                fail_row(which[w], "bit %u: %s \"%s\"", (unsigned)bit, status_name(st), err.text);
            assert_true(st == ST_END || (err.text[0] != '\0' && err.offset <= packed.len));
            packed.data[bit / 8] ^= (uint8_t)(1 << bit % 8);
        }
    }
    content_free(content);
}

static void plain_content(void **state)
{
    static const struct view cases[] = {
        TEXT(""),
        TEXT("x"),
        TEXT("\x1f"),
        TEXT("\x1f\x8c"),
        TEXT("\x8b\x1f"),
        TEXT("{}\n{}\n"),
        TEXT("\x1f"
             "x\x8b"),
        TEXT("\0\0\0"),
        TEXT("PK\3\4"),
        TEXT("0123456789"),
    };
    (void)state;
    struct content *content = content_new();
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        for (size_t step = 1; step < 12; step++) {
            for (size_t room = 1; room < 12; room++) {
                struct error err = {.text = ""};
                struct memory_stream stream = stream_of(cases[i].ptr, cases[i].len, step);
                expect_status(i, read_all(content, &stream, room, ROOM, &got, &err), ST_END);
                expect_view(i, view_make(got.data, got.len), cases[i]);
                expect_u64(i, "read", content_bytes_read(content), cases[i].len);
            }
        }
    }
    content_free(content);
}

static void ceiling(void **state)
{
    (void)state;
    struct content *content = content_new();
    reset();
    add_member(&packed, &plain, &good[2]);
    add_member(&packed, &plain, &good[8]);
    for (int is_plain = 0; is_plain < 2; is_plain++) {
        const struct bytes *in = is_plain == 1 ? &plain : &packed;
        for (size_t room = 100; room < 40000; room += 9000) {
            for (int more = -1; more <= 1; more++) {
                struct error err = {.text = ""};
                struct memory_stream stream = stream_of(in->data, in->len, ROOM);
                uint64_t max = plain.len + (uint64_t)(int64_t)more;
                enum status st = read_all(content, &stream, room, max, &got, &err);
                expect_status(room, st, more < 0 ? ST_TOO_BIG : ST_END);
                if (more < 0 && strstr(err.text, "MAX_OBJECT_BYTES") == NULL)
                    fail_msg("\"%s\"", err.text);
            }
        }
    }
    content_free(content);
}

/* A stream's own fault comes through as it is, wherever it happens; then the next object is fine.
 */
static void lost_streams(void **state)
{
    (void)state;
    struct content *content = content_new();
    reset();
    add_member(&packed, &plain, &good[5]);
    add_member(&packed, &plain, &good[2]);
    for (int is_plain = 0; is_plain < 2; is_plain++) {
        const struct bytes *in = is_plain == 1 ? &plain : &packed;
        for (size_t at = 0; at < in->len; at++) {
            struct error err = {.text = ""};
            struct memory_stream stream = stream_of(in->data, in->len, 1);
            stream.fail_at = in->data + at;
            expect_status(at, read_all(content, &stream, 64, ROOM, &got, &err), ST_RETRY);
            assert_string_equal(err.text, "connection lost");
        }
        struct memory_stream stream = stream_of(in->data, in->len, 1);
        expect_status(0, read_all(content, &stream, 64, ROOM, &got, NULL), ST_END);
        expect_view(0, view_make(got.data, got.len), view_make(plain.data, plain.len));
    }
    content_free(content);
}

/* ---- our own compressor ---- */

static void what_we_pack_is_read_back(void **state)
{
    (void)state;
    reset();
    struct content *content = content_new();
    uint32_t seed = 1;
    while (plain.len < 300000) {
        seed = seed * 1664525 + 1013904223;
        add_byte(&plain, seed >> 29); /* packs to less, not to nothing */
    }
    for (size_t n = 0; n <= plain.len; n = n * 7 + 1) {
        struct buf out;
        struct error err = {.text = ""};
        buf_init(&out, ROOM);
        buf_add_cstr(&out, "before");
        assert_int_equal(deflate_add(&out, view_make(plain.data, n), DEFLATE_GZIP, DEFLATE_BEST),
                         ST_OK);
        struct memory_stream stream = stream_of(out.ptr + 6, out.len - 6, 1000);
        assert_int_equal(read_all(content, &stream, 70000, ROOM, &got, &err), ST_END);
        expect_view(n, view_make(got.data, got.len), view_make(plain.data, n));
        buf_clear(&out);
    }
    content_free(content);
    struct buf small;
    buf_init(&small, 1000);
    assert_int_equal(
        deflate_add(&small, view_make(plain.data, plain.len), DEFLATE_ZLIB, DEFLATE_DEFAULT),
        ST_TOO_BIG);
    buf_clear(&small);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(members_alone_and_together),
        cmocka_unit_test(truncation_at_every_byte),
        cmocka_unit_test(padding_and_garbage),
        cmocka_unit_test(damaged_members),
        cmocka_unit_test(every_flipped_bit),
        cmocka_unit_test(plain_content),
        cmocka_unit_test(ceiling),
        cmocka_unit_test(lost_streams),
        cmocka_unit_test(what_we_pack_is_read_back),
    };
    return cmocka_run_group_tests_name("gunzip", tests, NULL, NULL);
}
