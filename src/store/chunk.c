#include "store/chunk.h"

/* By bit of the mask.  Append only: stores of earlier versions are read with it. */
static const enum metric metric_of_bit[] = {
    METRIC_INVOCATIONS, METRIC_INPUT,         METRIC_OUTPUT,        METRIC_CACHE_READ,
    METRIC_CACHE_WRITE, METRIC_CLIENT_ERRORS, METRIC_SERVER_ERRORS, METRIC_THROTTLES,
    METRIC_LATENCY,     METRIC_COST,          METRIC_UNPRICED,      METRIC_APPROXIMATE,
};

enum { BITS = sizeof(metric_of_bit) / sizeof(metric_of_bit[0]) };

static void add_number(struct buf *out, u128 value)
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

/* false: the number is cut off or above `most`. */
static inline bool take_number(struct view *rest, u128 most, u128 *value)
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
            return sum <= most;
        }
    }
    return false;
}

void chunk_add(struct buf *out, const struct chunk_cell *cell)
{
    unsigned mask = 0;
    for (unsigned i = 0; i < BITS; i++) {
        if (cell->sum[metric_of_bit[i]] != 0)
            mask |= 1U << i;
    }
    add_number(out, cell->series);
    buf_add_char(out, (char)cell->minute);
    add_number(out, mask);
    for (unsigned i = 0; i < BITS; i++) {
        if ((mask & 1U << i) != 0)
            add_number(out, cell->sum[metric_of_bit[i]]);
    }
}

enum status chunk_next(struct view *rest, uint32_t series_count, struct chunk_cell *out)
{
    u128 series, mask;
    if (rest->len == 0)
        return ST_END;
    if (series_count == 0 || !take_number(rest, series_count - 1, &series) || rest->len == 0 ||
        (unsigned char)rest->ptr[0] >= CHUNK_MINUTES)
        return ST_BAD_ITEM;
    out->series = (uint32_t)series;
    out->minute = (unsigned char)rest->ptr[0];
    *rest = view_skip(*rest, 1);
    if (!take_number(rest, (1U << BITS) - 1, &mask))
        return ST_BAD_ITEM;
    memset(out->sum, 0, sizeof(out->sum));
    for (unsigned i = 0; i < BITS; i++) {
        if (((unsigned)mask & 1U << i) != 0 &&
            !take_number(rest, ~(u128)0, &out->sum[metric_of_bit[i]]))
            return ST_BAD_ITEM;
    }
    return ST_OK;
}
