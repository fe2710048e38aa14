#include "store/rollup.h"

#include <stdlib.h>

#include "store/chunk.h"

enum {
    RUN_BYTES = 64 << 20, /* of chunks taken at once */
    CELLS_CEILING = 1000000000,
    BUSY_CHUNKS = 4096, /* a tail up to this, or to these bytes, takes a moment to read */
    BUSY_BYTES = 16 << 20,
    BUSY_PART = 2, /* of all chunks that may be tail while many come */
    IDLE_CHUNKS = 64,
    IDLE_BYTES = 64 << 10,
    TIME_PART = 5, /* of the time that runs may take when idle */
};

struct rollup {
    struct store *store;
    const struct dictionary *dictionary;
    int64_t last;        /* chunk in the rollups */
    uint64_t all_chunks; /* of the store */
    uint64_t tail_chunks, tail_bytes;
    int64_t ended_ms, took_ms;
    /* By series: the lowest one that differs in the principal only; made as series appear. */
    uint32_t *lean;
    uint32_t lean_count, lean_capacity;
    uint32_t *slots; /* series + 1, 0 is free; a power of two, at most half full */
    uint32_t slot_count, slots_used;
};

/* ---- series without the principal ---- */

static uint64_t hash_lean(const uint32_t *values, size_t width)
{
    uint64_t h = 0;
    for (size_t i = 0; i < width; i++) {
        if (i != DIMENSION_PRINCIPAL)
            h = (h ^ values[i]) * UINT64_C(0x9e3779b97f4a7c15) + (h >> 29);
    }
    return h >> 32;
}

static bool same_lean(const uint32_t *a, const uint32_t *b, size_t width)
{
    for (size_t i = 0; i < width; i++) {
        if (i != DIMENSION_PRINCIPAL && a[i] != b[i])
            return false;
    }
    return true;
}

static uint32_t *find_slot(const struct rollup *r, const uint32_t *all, uint32_t series)
{
    size_t width = dictionary_width(r->dictionary);
    const uint32_t *values = &all[(size_t)series * width];
    uint32_t at = (uint32_t)hash_lean(values, width) & (r->slot_count - 1);
    while (r->slots[at] != 0 && !same_lean(&all[(size_t)(r->slots[at] - 1) * width], values, width))
        at = (at + 1) & (r->slot_count - 1);
    return &r->slots[at];
}

static bool grow_slots(struct rollup *r, const uint32_t *all)
{
    uint32_t count = r->slot_count == 0 ? 1024 : r->slot_count * 2, used = r->slot_count;
    uint32_t *old = r->slots, *slots = calloc(count, sizeof(*slots));
    if (slots == NULL)
        return false;
    r->slots = slots;
    r->slot_count = count;
    for (uint32_t i = 0; i < used; i++) {
        if (old[i] != 0)
            *find_slot(r, all, old[i] - 1) = old[i];
    }
    free(old);
    return true;
}

static bool learn_series(struct rollup *r, uint32_t count)
{
    if (count <= r->lean_count)
        return true;
    uint32_t *all = dictionary_copy_series(r->dictionary, count);
    bool ok = all != NULL;
    if (ok && count > r->lean_capacity) {
        uint32_t capacity = count + count / 2;
        uint32_t *grown = realloc(r->lean, (size_t)capacity * sizeof(*grown));
        ok = grown != NULL;
        r->lean = ok ? grown : r->lean;
        r->lean_capacity = ok ? capacity : r->lean_capacity;
    }
    while (ok && r->lean_count < count) {
        if (r->slots_used >= r->slot_count / 2 && !grow_slots(r, all)) {
            ok = false;
            break;
        }
        uint32_t *slot = find_slot(r, all, r->lean_count);
        if (*slot == 0) {
            *slot = r->lean_count + 1;
            r->slots_used++;
        }
        r->lean[r->lean_count++] = *slot - 1;
    }
    free(all);
    return ok;
}

/* ---- the tail by hours ---- */

struct hour {
    int64_t begin;
    struct buf cells;
};

struct tail {
    struct hour *hours; /* sorted */
    size_t count, capacity;
    uint64_t chunks, bytes;
};

static void tail_clear(struct tail *tail)
{
    for (size_t i = 0; i < tail->count; i++)
        buf_clear(&tail->hours[i].cells);
    free(tail->hours);
}

static struct hour *hour_at(struct tail *tail, int64_t begin)
{
    size_t low = 0, high = tail->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (tail->hours[middle].begin < begin)
            low = middle + 1;
        else
            high = middle;
    }
    if (low < tail->count && tail->hours[low].begin == begin)
        return &tail->hours[low];
    if (tail->count == tail->capacity) {
        size_t capacity = tail->capacity == 0 ? 64 : tail->capacity * 2;
        struct hour *grown = realloc(tail->hours, capacity * sizeof(*grown));
        if (grown == NULL)
            return NULL;
        tail->hours = grown;
        tail->capacity = capacity;
    }
    memmove(&tail->hours[low + 1], &tail->hours[low], (tail->count - low) * sizeof(*tail->hours));
    tail->count++;
    tail->hours[low].begin = begin;
    buf_init(&tail->hours[low].cells, CELLS_CEILING);
    return &tail->hours[low];
}

static enum status add_chunk(void *context, int64_t hour, struct view cells)
{
    struct tail *tail = context;
    struct hour *into = hour_at(tail, hour);
    if (into == NULL)
        return ST_NO_MEMORY;
    tail->chunks++;
    tail->bytes += cells.len;
    buf_add_view(&into->cells, cells);
    return buf_status(&into->cells);
}

/* ---- levels ---- */

/* The rollup of a bucket with `cells` added. */
static enum status add_to_level(struct rollup *r, enum rollup_level level, int64_t bucket,
                                struct view cells, const uint32_t *map, struct error *err)
{
    struct buf both, condensed;
    buf_init(&both, CELLS_CEILING);
    buf_init(&condensed, CELLS_CEILING);
    enum status st = store_rollup(r->store, (int)level, bucket, &both, err);
    buf_add_view(&both, cells);
    if (st == ST_OK)
        st = buf_status(&both);
    if (st == ST_OK)
        st = chunk_condense(buf_view(&both), map, r->lean_count, &condensed);
    if (st == ST_OK)
        st = store_put_rollup(r->store, (int)level, bucket, buf_view(&condensed), err);
    buf_clear(&both);
    buf_clear(&condensed);
    return st;
}

static int64_t day_of(int64_t seconds)
{
    int64_t day = seconds / ROLLUP_DAY_SECONDS - (seconds % ROLLUP_DAY_SECONDS < 0);
    return day * ROLLUP_DAY_SECONDS;
}

/* The hours of one day, from `at` on; *next is the first of another day.  `all` gains its cells. */
static enum status add_day(struct rollup *r, const struct tail *tail, size_t at, size_t *next,
                           struct buf *all, struct error *err)
{
    int64_t day = day_of(tail->hours[at].begin);
    enum status st = ST_OK;
    struct buf cells;
    buf_init(&cells, CELLS_CEILING);
    for (; at < tail->count && day_of(tail->hours[at].begin) == day && st == ST_OK; at++) {
        struct view hour = buf_view(&tail->hours[at].cells);
        size_t begin = cells.len;
        st = chunk_condense(hour, NULL, r->lean_count, &cells);
        if (st == ST_OK)
            st = add_to_level(r, ROLLUP_HOUR, tail->hours[at].begin,
                              view_skip(buf_view(&cells), begin), r->lean, err);
    }
    size_t begin = all->len;
    if (st == ST_OK)
        st = chunk_condense(buf_view(&cells), NULL, r->lean_count, all);
    if (st == ST_OK)
        st = add_to_level(r, ROLLUP_DAY, day, view_skip(buf_view(all), begin), NULL, err);
    buf_clear(&cells);
    *next = at;
    return st;
}

static enum status add_tail(struct rollup *r, const struct tail *tail, struct error *err)
{
    enum status st = ST_OK;
    struct buf all;
    buf_init(&all, CELLS_CEILING);
    for (size_t at = 0; at < tail->count && st == ST_OK;)
        st = add_day(r, tail, at, &at, &all, err);
    if (st == ST_OK)
        st = add_to_level(r, ROLLUP_ALL, 0, buf_view(&all), NULL, err);
    buf_clear(&all);
    return st;
}

/* ---- running ---- */

enum status rollup_last(struct store *store, int64_t *out, struct error *err)
{
    enum status st = store_get_number(store, "rolled_up", out, err);
    if (st == ST_MISSING)
        *out = 0;
    return st == ST_MISSING ? ST_OK : st;
}

enum status rollup_run(struct rollup *r, bool *more, struct error *err)
{
    struct tail tail = {0};
    uint32_t texts, series;
    int64_t last = r->last;
    *more = false;
    dictionary_counts(r->dictionary, &texts, &series);
    if (!learn_series(r, series))
        return error_set(err, ST_NO_MEMORY, E_R113, "out of memory");
    enum status st = store_begin_writing(r->store, err);
    if (st != ST_OK)
        return st;
    st = store_chunks_after(r->store, r->last, RUN_BYTES, add_chunk, &tail, &last, err);
    if (st == ST_OK && last != r->last) {
        st = add_tail(r, &tail, err);
        if (st == ST_OK)
            st = store_set_number(r->store, "rolled_up", last, err);
    }
    st = store_end_writing(r->store, st, err);
    if (st == ST_OK) {
        r->last = last;
        r->tail_chunks -= tail.chunks;
        r->tail_bytes -= tail.bytes;
        *more = r->tail_chunks > 0;
    }
    tail_clear(&tail);
    switch (st) {
    case ST_NO_MEMORY: return error_set(err, st, E_R113, "out of memory");
    case ST_BAD_ITEM: return error_set(err, st, E_S113, "the store is damaged");
    case ST_TOO_BIG:
        return error_set(err, st, E_S116, "the sums of one hour or day exceed a gigabyte");
    default: return st;
    }
}

bool rollup_is_due(const struct rollup *r, bool idle, int64_t now_ms)
{
    if (r->tail_chunks > BUSY_CHUNKS || r->tail_bytes > BUSY_BYTES)
        return r->tail_chunks > r->all_chunks / BUSY_PART;
    return idle && (r->tail_chunks > IDLE_CHUNKS || r->tail_bytes > IDLE_BYTES) &&
           now_ms - r->ended_ms >= r->took_ms * (TIME_PART - 1);
}

void rollup_took(struct rollup *r, int64_t begin_ms, int64_t end_ms)
{
    r->ended_ms = end_ms;
    r->took_ms = end_ms - begin_ms;
}

void rollup_see(struct rollup *r, uint64_t chunks, uint64_t bytes)
{
    r->all_chunks += chunks;
    r->tail_chunks += chunks;
    r->tail_bytes += bytes;
}

enum status rollup_new(struct store *store, const struct dictionary *dictionary,
                       struct rollup **out, struct error *err)
{
    int64_t last_chunk;
    struct rollup *r = calloc(1, sizeof(*r));
    *out = NULL;
    if (r == NULL)
        return error_set(err, ST_NO_MEMORY, E_R113, "out of memory");
    r->store = store;
    r->dictionary = dictionary;
    enum status st = rollup_last(store, &r->last, err);
    if (st == ST_OK)
        st =
            store_measure_chunks(store, r->last, &r->tail_chunks, &r->tail_bytes, &last_chunk, err);
    if (st != ST_OK) {
        rollup_free(r);
        return st;
    }
    r->all_chunks = (uint64_t)last_chunk; /* they are numbered from 1 without gaps */
    *out = r;
    return ST_OK;
}

void rollup_free(struct rollup *r)
{
    if (r == NULL)
        return;
    free(r->lean);
    free(r->slots);
    free(r);
}
