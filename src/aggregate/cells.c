/*
 * cells.c: sums by time and dimension values as parallel arrays, and what one object adds to them
 * set apart until it is known whether the object counts.  This is where every record ends up, so
 * the layout follows what one record touches.
 */
#include "aggregate/cells.h"

#include <stdlib.h>

#include "base/array.h"
#include "base/table.h"

/*
 * What is pending for a cell that has nothing committed yet is in the cell itself; it has no
 * copy, and is cleared if it is rolled back.  Most cells of an object with many are of this kind.
 */
#define IN_PLACE UINT32_MAX
#define PLACE_OF_CELL UINT32_C(0x80000000)

/* Parallel arrays by cell number; a cell's part of ids is `dimensions` long, of sums
 * METRIC_COUNT. */
struct cells {
    size_t dimensions;
    bool statistics;
    uint32_t count, capacity;
    int64_t *times;
    uint32_t *ids;
    uint32_t *pending_of; /* place + 1, 0: none, IN_PLACE */
    uint64_t *records;    /* committed */
    u128 *sums;
    struct statistic *stats;
    struct table table; /* cells by key */
    /* Cells that the current object adds to in place. */
    uint32_t fresh_count, fresh_capacity;
    uint32_t *fresh;
    /* What it has added to others so far. */
    uint32_t pending_count, pending_capacity;
    uint32_t *pending_cell;
    uint64_t *pending_records;
    u128 *pending_sums;
    struct statistic *pending_stats;
    /* The last key looked up: records come in runs. */
    struct cell_key last_key;
    uint32_t last_cell;
};

/* What cells_reset keeps room for. */
enum { CELLS_KEPT = 4096 };

struct cells *cells_new(size_t dimensions, bool statistics)
{
    struct cells *cells = calloc(1, sizeof(*cells));
    if (cells == NULL)
        return NULL;
    cells->dimensions = dimensions;
    cells->statistics = statistics;
    cells->last_cell = UINT32_MAX;
    return cells;
}

static void clear(struct cells *cells)
{
    free(cells->times);
    free(cells->ids);
    free(cells->pending_of);
    free(cells->records);
    free(cells->sums);
    free(cells->stats);
    table_clear(&cells->table);
    free(cells->fresh);
    free(cells->pending_cell);
    free(cells->pending_records);
    free(cells->pending_sums);
    free(cells->pending_stats);
}

void cells_free(struct cells *cells)
{
    if (cells == NULL)
        return;
    clear(cells);
    free(cells);
}

void cells_reset(struct cells *cells)
{
    if (cells->capacity > CELLS_KEPT || cells->pending_capacity > CELLS_KEPT) {
        clear(cells);
        *cells = (struct cells){.dimensions = cells->dimensions, .statistics = cells->statistics};
    }
    cells->count = 0;
    cells->pending_count = 0;
    cells->fresh_count = 0;
    cells->last_cell = UINT32_MAX;
    table_reset(&cells->table);
}

static bool resize_cells(struct cells *c, uint32_t capacity)
{
    if (capacity >= UINT32_MAX / 4 || !array_resize(&c->times, capacity, sizeof(*c->times)) ||
        !array_resize(&c->ids, (size_t)capacity * c->dimensions, sizeof(*c->ids)) ||
        !array_resize(&c->pending_of, capacity, sizeof(*c->pending_of)) ||
        !array_resize(&c->records, capacity, sizeof(*c->records)) ||
        !array_resize(&c->sums, (size_t)capacity * METRIC_COUNT, sizeof(*c->sums)) ||
        (c->statistics &&
         !array_resize(&c->stats, (size_t)capacity * METRIC_COUNT, sizeof(*c->stats))))
        return false;
    c->capacity = capacity;
    return true;
}

static bool grow_cells(struct cells *c)
{
    return resize_cells(c, c->capacity < 32 ? 32 : c->capacity + c->capacity / 2);
}

static inline bool same_ids(const uint32_t *a, const uint32_t *b, size_t count)
{
    uint32_t difference = 0;
    for (size_t i = 0; i < count; i++)
        difference |= a[i] ^ b[i];
    return difference == 0;
}

static inline uint32_t hash_of(const struct cells *c, int64_t time, const uint32_t *ids)
{
    uint64_t hash = table_mix(0, (uint64_t)time);
    for (size_t i = 0; i < c->dimensions; i++)
        hash = table_mix(hash, ids[i]);
    return (uint32_t)(hash >> 32);
}

static inline uint32_t look_up(const struct cells *c, const struct cell_key *key, uint32_t hash)
{
    struct table_look look = table_look(hash);
    while (table_next(&c->table, &look)) {
        if (c->times[look.number] == key->time &&
            same_ids(&c->ids[look.number * c->dimensions], key->id, c->dimensions))
            return look.number;
    }
    return UINT32_MAX;
}

uint32_t cells_look(const struct cells *c, const struct cell_key *key)
{
    return look_up(c, key, hash_of(c, key->time, key->id));
}

/*
 * The last key is tried first: the records of an object are mostly of one model in one minute.  A
 * new cell begins with records 0, and is not part of the sums before a record is committed to it.
 */
uint32_t cells_find(struct cells *c, const struct cell_key *key)
{
    size_t id_bytes = c->dimensions * sizeof(key->id[0]);
    if (c->last_cell != UINT32_MAX && c->last_key.time == key->time &&
        same_ids(c->last_key.id, key->id, c->dimensions))
        return c->last_cell;
    uint32_t hash = hash_of(c, key->time, key->id);
    uint32_t cell = look_up(c, key, hash);
    if (cell == UINT32_MAX) {
        if ((c->count == c->capacity && !grow_cells(c)) ||
            table_add(&c->table, hash, c->count) != ST_OK)
            return UINT32_MAX;
        cell = c->count++;
        c->times[cell] = key->time;
        c->pending_of[cell] = 0;
        c->records[cell] = 0;
        memcpy(&c->ids[cell * c->dimensions], key->id, id_bytes);
        memset(&c->sums[cell * METRIC_COUNT], 0, METRIC_COUNT * sizeof(*c->sums));
        if (c->statistics)
            memset(&c->stats[cell * METRIC_COUNT], 0, METRIC_COUNT * sizeof(*c->stats));
    }
    c->last_key.time = key->time;
    memcpy(c->last_key.id, key->id, id_bytes);
    c->last_cell = cell;
    return cell;
}

static bool grow_pending(struct cells *c)
{
    uint32_t capacity = c->pending_capacity == 0 ? 16 : c->pending_capacity * 2;
    if (!array_resize(&c->pending_cell, capacity, sizeof(*c->pending_cell)) ||
        !array_resize(&c->pending_records, capacity, sizeof(*c->pending_records)) ||
        !array_resize(&c->pending_sums, (size_t)capacity * METRIC_COUNT,
                      sizeof(*c->pending_sums)) ||
        (c->statistics && !array_resize(&c->pending_stats, (size_t)capacity * METRIC_COUNT,
                                        sizeof(*c->pending_stats))))
        return false;
    c->pending_capacity = capacity;
    return true;
}

static void statistic_join(struct statistic *into, const struct statistic *from)
{
    if (from->count == 0)
        return;
    if (into->count == 0 || from->minimum < into->minimum)
        into->minimum = from->minimum;
    if (from->maximum > into->maximum)
        into->maximum = from->maximum;
    into->count += from->count;
}

/* The place of a cell in the pending part, made if it has none; UINT32_MAX: no memory. */
static uint32_t pending_place(struct cells *c, uint32_t cell)
{
    if (c->pending_of[cell] == IN_PLACE)
        return PLACE_OF_CELL | cell;
    if (c->pending_of[cell] != 0)
        return c->pending_of[cell] - 1;
    if (c->records[cell] == 0) {
        if (c->fresh_count == c->fresh_capacity) {
            uint32_t capacity = c->fresh_capacity == 0 ? 64 : c->fresh_capacity * 2;
            if (!array_resize(&c->fresh, capacity, sizeof(*c->fresh)))
                return UINT32_MAX;
            c->fresh_capacity = capacity;
        }
        c->fresh[c->fresh_count++] = cell;
        c->pending_of[cell] = IN_PLACE;
        return PLACE_OF_CELL | cell;
    }
    if (c->pending_count == c->pending_capacity && !grow_pending(c))
        return UINT32_MAX;
    uint32_t place = c->pending_count++;
    c->pending_of[cell] = place + 1;
    c->pending_cell[place] = cell;
    c->pending_records[place] = 0;
    memset(&c->pending_sums[place * METRIC_COUNT], 0, METRIC_COUNT * sizeof(*c->pending_sums));
    if (c->statistics)
        memset(&c->pending_stats[place * METRIC_COUNT], 0,
               METRIC_COUNT * sizeof(*c->pending_stats));
    return place;
}

u128 *cells_add_record(struct cells *c, uint32_t cell)
{
    uint32_t place = pending_place(c, cell);
    if (place == UINT32_MAX)
        return NULL;
    bool in_place = (place & PLACE_OF_CELL) != 0;
    size_t at = place & ~PLACE_OF_CELL;
    (in_place ? c->records : c->pending_records)[at]++;
    return (in_place ? c->sums : c->pending_sums) + at * METRIC_COUNT;
}

void cells_add_statistics(struct cells *c, uint32_t cell, const u128 amount[METRIC_COUNT])
{
    uint32_t place = c->pending_of[cell];
    struct statistic *stats = place == IN_PLACE ? &c->stats[cell * METRIC_COUNT]
                                                : &c->pending_stats[(place - 1) * METRIC_COUNT];
    for (size_t m = 0; m < METRIC_COUNT; m++) {
        uint64_t sample = amount[m] > UINT64_MAX ? UINT64_MAX : (uint64_t)amount[m];
        if (sample > 0)
            statistic_join(&stats[m], &(struct statistic){1, sample, sample});
    }
}

/*
 * What was added in place is in the sums already: committing only forgets the list, rolling back
 * clears the cells, which had nothing else.
 */
static void end_in_place(struct cells *c, bool count)
{
    for (uint32_t i = 0; i < c->fresh_count; i++) {
        uint32_t cell = c->fresh[i];
        c->pending_of[cell] = 0;
        if (count)
            continue;
        c->records[cell] = 0;
        memset(&c->sums[cell * METRIC_COUNT], 0, METRIC_COUNT * sizeof(*c->sums));
        if (c->statistics)
            memset(&c->stats[cell * METRIC_COUNT], 0, METRIC_COUNT * sizeof(*c->stats));
    }
    c->fresh_count = 0;
}

static void end_pending(struct cells *c, bool count)
{
    end_in_place(c, count);
    for (uint32_t place = 0; place < c->pending_count; place++) {
        uint32_t cell = c->pending_cell[place];
        c->pending_of[cell] = 0;
        if (!count)
            continue;
        c->records[cell] += c->pending_records[place];
        for (size_t i = 0; i < METRIC_COUNT; i++)
            c->sums[cell * METRIC_COUNT + i] += c->pending_sums[place * METRIC_COUNT + i];
        for (size_t i = 0; i < METRIC_COUNT && c->statistics; i++)
            statistic_join(&c->stats[cell * METRIC_COUNT + i],
                           &c->pending_stats[place * METRIC_COUNT + i]);
    }
    c->pending_count = 0;
}

void cells_commit(struct cells *c)
{
    end_pending(c, true);
}

void cells_rollback(struct cells *c)
{
    end_pending(c, false);
}

uint32_t cells_count(const struct cells *c)
{
    return c->count;
}

uint64_t cells_records(const struct cells *c, uint32_t cell)
{
    return c->records[cell];
}

bool cells_is_counted(const struct cells *c, uint32_t cell)
{
    return c->records[cell] > 0 && c->pending_of[cell] != IN_PLACE;
}

int64_t cells_time(const struct cells *c, uint32_t cell)
{
    return c->times[cell];
}

const uint32_t *cells_ids(const struct cells *c, uint32_t cell)
{
    return &c->ids[cell * c->dimensions];
}

const u128 *cells_sums(const struct cells *c, uint32_t cell)
{
    return &c->sums[cell * METRIC_COUNT];
}

const struct statistic *cells_statistics(const struct cells *c, uint32_t cell)
{
    return c->statistics ? &c->stats[cell * METRIC_COUNT] : NULL;
}

size_t cells_bytes_each(const struct cells *c)
{
    size_t sums = METRIC_COUNT * (sizeof(*c->sums) + (c->statistics ? sizeof(*c->stats) : 0));
    size_t numbers = c->dimensions * sizeof(*c->ids) + sizeof(*c->times) + sizeof(*c->records) +
                     sizeof(*c->pending_of) + sizeof(*c->fresh);
    return sums + numbers +
           4 * sizeof(struct table_slot); /* half full at most, a quarter at least */
}

static void move_cell(struct cells *c, uint32_t to, uint32_t from)
{
    c->times[to] = c->times[from];
    c->pending_of[to] = 0;
    c->records[to] = c->records[from];
    memcpy(&c->ids[to * c->dimensions], &c->ids[from * c->dimensions],
           c->dimensions * sizeof(*c->ids));
    memcpy(&c->sums[to * METRIC_COUNT], &c->sums[from * METRIC_COUNT],
           METRIC_COUNT * sizeof(*c->sums));
    if (c->statistics)
        memcpy(&c->stats[to * METRIC_COUNT], &c->stats[from * METRIC_COUNT],
               METRIC_COUNT * sizeof(*c->stats));
}

enum status cells_retain(struct cells *c, const bool *keep)
{
    uint32_t count = 0;
    enum status st = ST_OK;
    for (uint32_t cell = 0; cell < c->count; cell++) {
        if (!keep[cell])
            continue;
        if (cell != count)
            move_cell(c, count, cell);
        count++;
    }
    table_clear(&c->table);
    c->last_cell = UINT32_MAX;
    for (uint32_t cell = 0; cell < count && st == ST_OK; cell++)
        st = table_add(&c->table, hash_of(c, c->times[cell], &c->ids[cell * c->dimensions]), cell);
    c->count = st == ST_OK ? count : 0;
    if (st != ST_OK)
        table_reset(&c->table);
    if (count > 0) {
        c->capacity = count; /* whether or not the arrays can be made smaller */
        (void)resize_cells(c, count);
    }
    return st;
}

void cells_join(struct cells *into, uint32_t into_cell, const struct cells *from,
                uint32_t from_cell)
{
    into->records[into_cell] += from->records[from_cell];
    for (size_t i = 0; i < METRIC_COUNT; i++)
        into->sums[into_cell * METRIC_COUNT + i] += from->sums[from_cell * METRIC_COUNT + i];
    for (size_t i = 0; i < METRIC_COUNT && into->statistics; i++)
        statistic_join(&into->stats[into_cell * METRIC_COUNT + i],
                       &from->stats[from_cell * METRIC_COUNT + i]);
}
