#include "store/cube.h"

#include <stdlib.h>

/*
 * Sums beyond 64 bits are rare, so a series has 64 bits for each and moves to a wide one when one
 * of them overflows.
 */
struct total {
    uint32_t wide; /* index + 1 into cube.wide, 0: none */
    uint64_t sum[METRIC_COUNT];
};

struct wide {
    u128 sum[METRIC_COUNT];
};

struct hour {
    int64_t begin;
    struct buf cells;
};

struct cube {
    struct total *totals; /* by series */
    uint32_t count, capacity;
    struct wide *wide;
    uint32_t wide_count, wide_capacity;
    struct hour *hours; /* sorted */
    size_t hour_count, hour_capacity;
};

struct cube *cube_new(void)
{
    return calloc(1, sizeof(struct cube));
}

void cube_free(struct cube *cube)
{
    if (cube == NULL)
        return;
    for (size_t i = 0; i < cube->hour_count; i++)
        buf_clear(&cube->hours[i].cells);
    free(cube->hours);
    free(cube->totals);
    free(cube->wide);
    free(cube);
}

/* ---- totals ---- */

static bool make_room(struct cube *cube, uint32_t count)
{
    if (count > cube->capacity) {
        uint32_t capacity = count < 64 ? 64 : count + count / 2;
        struct total *grown = realloc(cube->totals, (size_t)capacity * sizeof(*grown));
        if (grown == NULL)
            return false;
        cube->totals = grown;
        cube->capacity = capacity;
    }
    if (count > cube->count) {
        memset(&cube->totals[cube->count], 0,
               (size_t)(count - cube->count) * sizeof(*cube->totals));
        cube->count = count;
    }
    return true;
}

static bool widen(struct cube *cube, struct total *total)
{
    if (cube->wide_count == cube->wide_capacity) {
        uint32_t capacity = cube->wide_capacity == 0 ? 16 : cube->wide_capacity * 2;
        struct wide *grown = realloc(cube->wide, (size_t)capacity * sizeof(*grown));
        if (grown == NULL)
            return false;
        cube->wide = grown;
        cube->wide_capacity = capacity;
    }
    for (size_t i = 0; i < METRIC_COUNT; i++)
        cube->wide[cube->wide_count].sum[i] = total->sum[i];
    total->wide = ++cube->wide_count;
    return true;
}

/* false: a sum does not fit; none is added then. */
static bool add_narrow(struct total *total, const struct chunk_cell *cell)
{
    for (metric_set left = cell->present; left != 0; left &= left - 1) {
        unsigned m = (unsigned)__builtin_ctz(left);
        if (cell->sum[m] > UINT64_MAX - total->sum[m])
            return false;
    }
    for (metric_set left = cell->present; left != 0; left &= left - 1) {
        unsigned m = (unsigned)__builtin_ctz(left);
        total->sum[m] += (uint64_t)cell->sum[m];
    }
    return true;
}

static bool add_total(struct cube *cube, const struct chunk_cell *cell)
{
    struct total *total = &cube->totals[cell->series];
    if (total->wide == 0 && add_narrow(total, cell))
        return true;
    if (total->wide == 0 && !widen(cube, total))
        return false;
    chunk_add_to(cube->wide[total->wide - 1].sum, cell);
    return true;
}

uint32_t cube_series(const struct cube *cube)
{
    return cube->count;
}

u128 cube_total(const struct cube *cube, uint32_t series, enum metric metric)
{
    const struct total *total = &cube->totals[series];
    return total->wide == 0 ? total->sum[metric] : cube->wide[total->wide - 1].sum[metric];
}

/* ---- hours ---- */

/* The first hour that does not begin before `begin`. */
static size_t find_hour(const struct cube *cube, int64_t begin)
{
    size_t low = 0, high = cube->hour_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (cube->hours[middle].begin < begin)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static struct hour *hour_at(struct cube *cube, int64_t begin)
{
    size_t at = find_hour(cube, begin);
    if (at < cube->hour_count && cube->hours[at].begin == begin)
        return &cube->hours[at];
    if (cube->hour_count == cube->hour_capacity) {
        size_t capacity = cube->hour_capacity == 0 ? 64 : cube->hour_capacity * 2;
        struct hour *grown = realloc(cube->hours, capacity * sizeof(*grown));
        if (grown == NULL)
            return NULL;
        cube->hours = grown;
        cube->hour_capacity = capacity;
    }
    memmove(&cube->hours[at + 1], &cube->hours[at], (cube->hour_count - at) * sizeof(*cube->hours));
    cube->hour_count++;
    cube->hours[at].begin = begin;
    buf_init(&cube->hours[at].cells, SIZE_MAX / 2);
    return &cube->hours[at];
}

enum status cube_add(struct cube *cube, int64_t hour, struct view chunk, uint32_t series_count)
{
    struct view rest = chunk;
    struct chunk_cell cell;
    enum status st;
    do {
        st = chunk_next(&rest, series_count, &cell);
    } while (st == ST_OK);
    if (st != ST_END)
        return st;
    struct hour *into = hour_at(cube, hour);
    if (into == NULL || !make_room(cube, series_count))
        return ST_NO_MEMORY;
    buf_add_view(&into->cells, chunk);
    if (buf_status(&into->cells) != ST_OK)
        return ST_NO_MEMORY;
    rest = chunk;
    while (chunk_next(&rest, series_count, &cell) == ST_OK) {
        if (!add_total(cube, &cell))
            return ST_NO_MEMORY;
    }
    return ST_OK;
}

/* ---- questions ---- */

static enum status gather_totals(const struct cube *cube, struct grouping *into)
{
    for (uint32_t s = 0; s < cube->count; s++) {
        const struct total *total = &cube->totals[s];
        const u128 *wide = total->wide == 0 ? NULL : cube->wide[total->wide - 1].sum;
        bool any = wide != NULL;
        for (size_t m = 0; m < METRIC_COUNT; m++)
            any = any || total->sum[m] != 0;
        u128 *sums = any ? grouping_sums(into, s, 0) : NULL;
        if (any && sums == NULL)
            return grouping_status(into);
        for (size_t m = 0; any && m < METRIC_COUNT; m++)
            sums[m] += wide == NULL ? total->sum[m] : wide[m];
    }
    return ST_OK;
}

enum status cube_gather(const struct cube *cube, int64_t since, int64_t until, int64_t interval,
                        struct grouping *const *into, size_t count)
{
    enum status st = ST_OK;
    if (interval == 0 && since == INT64_MIN && until == INT64_MAX) {
        for (size_t i = 0; i < count && st == ST_OK; i++)
            st = gather_totals(cube, into[i]);
        return st;
    }
    int64_t first = since < INT64_MIN + CHUNK_SECONDS ? INT64_MIN : since - CHUNK_SECONDS + 1;
    for (size_t h = find_hour(cube, first); h < cube->hour_count; h++) {
        int64_t begin = cube->hours[h].begin;
        struct view rest = buf_view(&cube->hours[h].cells);
        struct chunk_cell cell;
        if (begin >= until)
            break;
        while (chunk_next(&rest, cube->count, &cell) == ST_OK) {
            int64_t time = begin + (int64_t)cell.minute * 60;
            if (time < since || time >= until)
                continue;
            for (size_t i = 0; i < count; i++) {
                u128 *sums = grouping_sums(into[i], cell.series, time);
                if (sums == NULL)
                    return grouping_status(into[i]);
                chunk_add_to(sums, &cell);
            }
        }
    }
    return ST_OK;
}
