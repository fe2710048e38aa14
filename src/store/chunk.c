/*
 * chunk.c: the packing.  A cell is its series, its minute, a mask of metrics, then one number for
 * each bit of the mask; numbers are base 128, lowest group first, as in protocol buffers.
 *
 *   ac 02     series 300: 0x2c + 2 * 128
 *   1e        minute 30
 *   07        mask: Invocations, InputTokenCount and OutputTokenCount (metric.h)
 *   01        1 invocation
 *   e8 07     1000 input tokens
 *   32        50 output tokens
 */
#include "store/chunk.h"

#include <stdlib.h>

/* By bit of the mask; that of the total is after all others. */
#define METRIC_OF_BIT(id, name, unit, title, when, bit, ...) [bit] = METRIC_##id,
static const enum metric metric_of_bit[] = {METRICS(METRIC_OF_BIT)};

enum { BITS = METRIC_COUNT - 1 };

#define METRIC_MASK(id, name, unit, title, when, bit, ...) | UINT32_C(1) << (bit)
_Static_assert((0 METRICS(METRIC_MASK)) == (1U << METRIC_NO_BIT | ((1U << BITS) - 1)),
               "every metric but the total has a bit of its own in the store, without gaps");

void chunk_add_number(struct buf *out, u128 value)
{
    char bytes[19];
    size_t n = 0;
    while (value >= 0x80) {
        bytes[n++] = (char)(unsigned char)((unsigned)(value & 0x7f) | 0x80U);
        value >>= 7;
    }
    bytes[n++] = (char)(unsigned char)value;
    buf_add(out, bytes, n);
}

/* false: the number is cut off or has more than 128 bits. */
static bool take_long(struct view *rest, u128 *value)
{
    u128 sum = 0;
    unsigned shift = 0;
    for (size_t i = 0; i < rest->len && i < 19; i++) {
        unsigned char c = (unsigned char)rest->ptr[i];
        u128 part = c & 0x7f;
        if (i == 18 && part > 3)
            return false;
        sum |= part << shift;
        shift += 7;
        if (c < 0x80) {
            *rest = view_skip(*rest, i + 1);
            *value = sum;
            return true;
        }
    }
    return false;
}

/*
 * Most numbers have few bytes, and the lengths vary from one to the next, so they are not looked at
 * byte by byte: eight bytes at once, cut after the first one without its top bit, and the groups
 * of seven bits pushed together.
 */
static inline bool take_number(struct view *rest, u128 *value)
{
    uint64_t x;
    if (rest->len < sizeof(x))
        return take_long(rest, value);
    memcpy(&x, rest->ptr, sizeof(x));
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
    x = __builtin_bswap64(x);
#endif
    uint64_t ends = ~x & UINT64_C(0x8080808080808080);
    if (ends == 0)
        return take_long(rest, value);
    unsigned bits = (unsigned)__builtin_ctzll(ends); /* of the number, but for one */
    x &= UINT64_C(0x7f7f7f7f7f7f7f7f) & (~UINT64_C(0) >> (63 - bits));
    x = (x & UINT64_C(0x007f007f007f007f)) | (x & UINT64_C(0x7f007f007f007f00)) >> 1;
    x = (x & UINT64_C(0x00003fff00003fff)) | (x & UINT64_C(0x3fff00003fff0000)) >> 2;
    x = (x & UINT64_C(0x000000000fffffff)) | (x & UINT64_C(0x0fffffff00000000)) >> 4;
    rest->ptr += bits / 8 + 1;
    rest->len -= bits / 8 + 1;
    *value = x;
    return true;
}

void chunk_add(struct buf *out, const struct chunk_cell *cell)
{
    unsigned mask = 0;
    for (unsigned i = 0; i < BITS; i++) {
        if (cell->sum[metric_of_bit[i]] != 0)
            mask |= 1U << i;
    }
    chunk_add_number(out, cell->series);
    buf_add_char(out, (char)cell->minute);
    chunk_add_number(out, mask);
    for (unsigned i = 0; i < BITS; i++) {
        if ((mask & 1U << i) != 0)
            chunk_add_number(out, cell->sum[metric_of_bit[i]]);
    }
}

enum status chunk_next(struct view *rest, uint32_t series_count, struct chunk_cell *out)
{
    u128 series, mask;
    if (rest->len == 0)
        return ST_END;
    if (!take_number(rest, &series) || series >= series_count || rest->len == 0 ||
        (unsigned char)rest->ptr[0] >= CHUNK_MINUTES)
        return ST_BAD_ITEM;
    out->series = (uint32_t)series;
    out->minute = (unsigned char)rest->ptr[0];
    out->present = 0;
    *rest = view_skip(*rest, 1);
    if (!take_number(rest, &mask) || mask >= 1U << BITS)
        return ST_BAD_ITEM;
    for (unsigned left = (unsigned)mask; left != 0; left &= left - 1) {
        enum metric metric = metric_of_bit[__builtin_ctz(left)];
        out->present |= METRIC_BIT(metric);
        if (!take_number(rest, &out->sum[metric]))
            return ST_BAD_ITEM;
    }
    return ST_OK;
}

bool chunk_take_number(struct view *rest, u128 *value)
{
    return take_number(rest, value);
}

/* ---- condensing ---- */

/* Where the cells of `cells` begin, with their series above: series << 32 | offset. */
static enum status find_cells(struct view cells, const uint32_t *map, uint32_t series_count,
                              uint64_t **out, size_t *count)
{
    struct view rest = cells;
    struct chunk_cell cell;
    size_t capacity = 0, n = 0;
    enum status st;
    *out = NULL;
    if (cells.len > UINT32_MAX)
        return ST_TOO_BIG;
    for (;;) {
        uint64_t offset = cells.len - rest.len;
        st = chunk_next(&rest, series_count, &cell);
        if (st != ST_OK)
            break;
        if (n == capacity) {
            capacity = capacity == 0 ? cells.len / 12 + 64 : capacity * 2;
            uint64_t *grown = realloc(*out, capacity * sizeof(**out));
            if (grown == NULL)
                return ST_NO_MEMORY;
            *out = grown;
        }
        uint64_t series = map == NULL ? cell.series : map[cell.series];
        (*out)[n++] = series << 32 | offset;
    }
    *count = n;
    return st == ST_END ? ST_OK : st;
}

/* By the upper half, stable: eleven bits at a time, as many as the largest series needs. */
static bool sort_by_series(uint64_t **keys, size_t count, uint32_t series_count)
{
    enum { BITS_A_PASS = 11, BINS = 1 << BITS_A_PASS };
    uint64_t *from = *keys, *to = malloc((count + 1) * sizeof(*to));
    if (to == NULL)
        return false;
    for (unsigned shift = 32; shift < 64 && (uint64_t)series_count << 32 >> shift > 0;
         shift += BITS_A_PASS) {
        size_t begin[BINS + 1] = {0};
        for (size_t i = 0; i < count; i++)
            begin[(from[i] >> shift & (BINS - 1)) + 1]++;
        for (size_t i = 0; i < BINS; i++)
            begin[i + 1] += begin[i];
        for (size_t i = 0; i < count; i++)
            to[begin[from[i] >> shift & (BINS - 1)]++] = from[i];
        uint64_t *other = from;
        from = to;
        to = other;
    }
    *keys = from;
    free(to);
    return true;
}

/* Neighbours of one series are one sum; its minute is 0, because a rollup knows no minutes. */
static void add_runs(struct view cells, const uint64_t *keys, size_t count, struct buf *out)
{
    struct chunk_cell cell, sum = {0};
    for (size_t i = 0; i < count; i++) {
        struct view rest = view_skip(cells, (size_t)(keys[i] & UINT32_MAX));
        if (chunk_next(&rest, UINT32_MAX, &cell) != ST_OK)
            abort(); /* it was read before */
        chunk_add_to(sum.sum, &cell);
        if (i + 1 < count && keys[i] >> 32 == keys[i + 1] >> 32)
            continue;
        sum.series = (uint32_t)(keys[i] >> 32);
        chunk_add(out, &sum);
        sum = (struct chunk_cell){0};
    }
}

enum status chunk_condense(struct view cells, const uint32_t *map, uint32_t series_count,
                           struct buf *out)
{
    uint64_t *keys = NULL;
    size_t count = 0;
    enum status st = find_cells(cells, map, series_count, &keys, &count);
    if (st == ST_OK && !sort_by_series(&keys, count, series_count))
        st = ST_NO_MEMORY;
    if (st == ST_OK) {
        add_runs(cells, keys, count, out);
        st = buf_status(out);
    }
    free(keys);
    return st;
}
