/*
 * rollup.c: chunks summed by hour, day and all time.  Running it is a trade between the time that
 * questions take (a long tail of chunks) and the time that rewriting rollups takes; the numbers
 * below set it.
 */
#include "store/rollup.h"

#include <stdlib.h>

#include "base/array.h"
#include "base/tuples.h"
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
    uint32_t lean_count;
    size_t lean_capacity;
    struct tuples others; /* values of the other dimensions */
    uint32_t *lowest;     /* by tuple: its lowest series */
    size_t lowest_capacity;
};

/* ---- series without the principal ---- */

/*
 * Hourly rollups leave the principal out.  Series that differ in nothing else share the lowest of
 * their numbers, which is a series of its own right, so a rollup is read like a chunk.
 */
static bool learn_series(struct rollup *r, uint32_t count)
{
    size_t width = dictionary_width(r->dictionary);
    if (count <= r->lean_count)
        return true;
    uint32_t *all = dictionary_copy_series(r->dictionary, count);
    bool ok = all != NULL;
    while (ok && r->lean_count < count) {
        uint32_t *row = &all[r->lean_count * width];
        row[DIMENSION_PRINCIPAL] = 0;
        uint32_t known = r->others.count;
        ok = array_room(&r->lean, r->lean_count, &r->lean_capacity, 1024, sizeof(*r->lean)) &&
             array_room(&r->lowest, known, &r->lowest_capacity, 1024, sizeof(*r->lowest));
        uint32_t tuple = ok ? tuples_id(&r->others, row) : TUPLES_NONE;
        if (tuple == TUPLES_NONE) {
            ok = false;
            break;
        }
        if (tuple == known)
            r->lowest[tuple] = r->lean_count;
        r->lean[r->lean_count++] = r->lowest[tuple];
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

/* Sorted by time, because a day is then a run of neighbours; new hours mostly come at the end. */
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
    if (!array_room(&tail->hours, tail->count, &tail->capacity, 64, sizeof(*tail->hours)))
        return NULL;
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
/*
 * Hours are summed first, the day from its hours, and all time from the days: so the tail is read
 * only once.
 */
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

/*
 * "rolled_up" moves in the same transaction as the rollups, which makes a run harmless to repeat
 * and to kill.  What is counted of the tail in memory follows only when the transaction has ended.
 */
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
    r->others.width = dictionary_width(dictionary);
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
    free(r->lowest);
    tuples_clear(&r->others);
    free(r);
}
