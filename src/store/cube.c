#include "store/cube.h"

#include <stdlib.h>

enum { LEVELS = 3, SLOTS = METRIC_COUNT };

static const int64_t level_seconds[LEVELS] = {CHUNK_SECONDS, 86400, 0};

/*
 * Sums beyond 64 bits are rare, so a row has 64 bits for each and moves to a wide one when one of
 * them overflows.
 */
struct row {
    uint32_t series;
    uint32_t wide;  /* index + 1 into level.wide, 0: none */
    int64_t bucket; /* its begin */
    uint64_t sum[SLOTS];
};

struct wide {
    u128 sum[SLOTS];
};

struct level {
    struct row *rows;
    uint32_t count, capacity;
    uint32_t *slots; /* row + 1, 0 is free; a power of two, at most half full */
    uint32_t slot_count;
    struct wide *wide;
    uint32_t wide_count, wide_capacity;
};

struct cube {
    struct level level[LEVELS];
};

struct cube *cube_new(void)
{
    struct cube *cube = calloc(1, sizeof(*cube));
    for (size_t i = 0; i < LEVELS && cube != NULL; i++) {
        cube->level[i].slot_count = 1024;
        cube->level[i].slots = calloc(1024, sizeof(uint32_t));
        if (cube->level[i].slots == NULL) {
            cube_free(cube);
            return NULL;
        }
    }
    return cube;
}

void cube_free(struct cube *cube)
{
    if (cube == NULL)
        return;
    for (size_t i = 0; i < LEVELS; i++) {
        free(cube->level[i].rows);
        free(cube->level[i].slots);
        free(cube->level[i].wide);
    }
    free(cube);
}

static uint32_t *find_slot(const struct level *l, uint32_t series, int64_t bucket)
{
    uint64_t h =
        ((uint64_t)bucket << 32 ^ (uint64_t)bucket >> 7 ^ series) * UINT64_C(0x9e3779b97f4a7c15);
    uint32_t at = (uint32_t)(h >> 32) & (l->slot_count - 1);
    while (l->slots[at] != 0 && (l->rows[l->slots[at] - 1].series != series ||
                                 l->rows[l->slots[at] - 1].bucket != bucket))
        at = (at + 1) & (l->slot_count - 1);
    return &l->slots[at];
}

static bool make_room(struct level *l)
{
    if (l->count == l->capacity) {
        uint32_t capacity = l->capacity == 0 ? 256 : l->capacity + l->capacity / 2;
        struct row *grown =
            capacity > UINT32_MAX / 4 ? NULL : realloc(l->rows, (size_t)capacity * sizeof(*grown));
        if (grown == NULL)
            return false;
        l->rows = grown;
        l->capacity = capacity;
    }
    if (l->count >= l->slot_count / 2) {
        uint32_t *old = l->slots;
        uint32_t *slots = calloc((size_t)l->slot_count * 2, sizeof(*slots));
        if (slots == NULL)
            return false;
        l->slots = slots;
        l->slot_count *= 2;
        for (uint32_t i = 0; i < l->count; i++)
            *find_slot(l, l->rows[i].series, l->rows[i].bucket) = i + 1;
        free(old);
    }
    return true;
}

static bool widen(struct level *l, struct row *row)
{
    if (l->wide_count == l->wide_capacity) {
        uint32_t capacity = l->wide_capacity == 0 ? 16 : l->wide_capacity * 2;
        struct wide *grown = realloc(l->wide, (size_t)capacity * sizeof(*grown));
        if (grown == NULL)
            return false;
        l->wide = grown;
        l->wide_capacity = capacity;
    }
    for (size_t i = 0; i < SLOTS; i++)
        l->wide[l->wide_count].sum[i] = row->sum[i];
    row->wide = ++l->wide_count;
    return true;
}

/* false: one of the sums does not fit; none is added then. */
static bool add_narrow(uint64_t sum[SLOTS], const u128 more[METRIC_COUNT])
{
    uint64_t result[SLOTS];
    for (size_t i = 0; i < SLOTS; i++) {
        if (more[i] > UINT64_MAX || __builtin_add_overflow(sum[i], (uint64_t)more[i], &result[i]))
            return false;
    }
    memcpy(sum, result, sizeof(result));
    return true;
}

static bool add_to_level(struct level *l, int64_t bucket, const struct chunk_cell *cell)
{
    uint32_t *slot = find_slot(l, cell->series, bucket);
    if (*slot == 0) {
        if (!make_room(l))
            return false;
        slot = find_slot(l, cell->series, bucket);
        l->rows[l->count] = (struct row){.series = cell->series, .bucket = bucket};
        *slot = ++l->count;
    }
    struct row *row = &l->rows[*slot - 1];
    if (row->wide == 0 && add_narrow(row->sum, cell->sum))
        return true;
    if (row->wide == 0 && !widen(l, row))
        return false;
    for (size_t i = 0; i < SLOTS; i++)
        l->wide[row->wide - 1].sum[i] += cell->sum[i];
    return true;
}

static int64_t bucket_of(int64_t seconds, int64_t interval)
{
    if (interval == 0)
        return 0;
    return (seconds / interval - (seconds % interval < 0)) * interval;
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
    rest = chunk;
    while (chunk_next(&rest, series_count, &cell) == ST_OK) {
        for (size_t i = 0; i < LEVELS; i++) {
            if (!add_to_level(&cube->level[i], bucket_of(hour, level_seconds[i]), &cell))
                return ST_NO_MEMORY;
        }
    }
    return ST_OK;
}

/* The coarsest level whose buckets lie whole in the range and in the grouping's buckets. */
static size_t choose_level(int64_t since, int64_t until, int64_t interval)
{
    bool open = since == INT64_MIN && until == INT64_MAX;
    if (interval == 0 && open)
        return 2;
    bool days = (since == INT64_MIN || bucket_of(since, 86400) == since) &&
                (until == INT64_MAX || bucket_of(until, 86400) == until);
    return days && (interval == 0 || interval % 86400 == 0) ? 1 : 0;
}

enum status cube_gather(const struct cube *cube, int64_t since, int64_t until, int64_t interval,
                        struct grouping *into)
{
    const struct level *l = &cube->level[choose_level(since, until, interval)];
    for (uint32_t i = 0; i < l->count; i++) {
        const struct row *row = &l->rows[i];
        if (row->bucket < since || row->bucket >= until)
            continue;
        u128 *sums = grouping_sums(into, row->series, row->bucket);
        if (sums == NULL)
            return grouping_status(into);
        if (row->wide == 0) {
            for (size_t k = 0; k < SLOTS; k++)
                sums[k] += row->sum[k];
        } else {
            for (size_t k = 0; k < SLOTS; k++)
                sums[k] += l->wide[row->wide - 1].sum[k];
        }
    }
    return ST_OK;
}

uint64_t cube_rows(const struct cube *cube)
{
    return cube->level[0].count;
}
