/*
 * gather.c: an answer from as few rows as have it: days in the middle, hours at their edges,
 * minutes at the edges of those, and the newest chunks, which no rollup has yet.
 *
 *   since                                                  until
 *    |minutes|hours|   day   |   day   |   day   |hours|minutes|   + chunks after the last rollup
 */
#include "store/gather.h"

#include "store/chunk.h"
#include "store/rollup.h"

struct span {
    const struct gather *gather;
    int64_t since, until; /* cells outside are left out */
    int64_t rolled_up;
};

static enum status add_cells(void *context, int64_t begin, struct view cells)
{
    const struct span *s = context;
    const struct gather *g = s->gather;
    struct chunk_cell cell;
    enum status st;
    while ((st = chunk_next(&cells, g->series_count, &cell)) == ST_OK) {
        int64_t time = begin + (int64_t)cell.minute * 60;
        if (time < s->since || time >= s->until)
            continue;
        u128 *sums = grouping_sums(g->into, cell.series, time);
        if (sums == NULL)
            return grouping_status(g->into);
        chunk_add_to(sums, &cell);
    }
    return st == ST_END ? ST_OK : st;
}

static int64_t floor_to(int64_t time, int64_t step)
{
    if (time == INT64_MIN || time == INT64_MAX)
        return time;
    return (time / step - (time % step < 0)) * step;
}

static int64_t ceil_to(int64_t time, int64_t step)
{
    int64_t down = floor_to(time, step);
    return down == time ? time : down + step;
}

static enum status add_chunks(const struct span *s, int64_t since, int64_t until, struct error *err)
{
    struct span part = {s->gather, since, until, s->rolled_up};
    if (since >= until)
        return ST_OK;
    return store_chunks_of_hours(s->gather->store, floor_to(since, CHUNK_SECONDS), until,
                                 s->rolled_up, add_cells, &part, err);
}

/* A level and what it is good for. */
static const struct {
    enum rollup_level level;
    int64_t seconds;
    bool has_principal;
} levels[] = {{ROLLUP_DAY, ROLLUP_DAY_SECONDS, true}, {ROLLUP_HOUR, CHUNK_SECONDS, false}};

enum { LEVELS = sizeof(levels) / sizeof(levels[0]) };

/* [since, until) by hours, what is left on both sides by minutes. */
/*
 * The largest level that fits inside, and its edges by the next one, down to chunks.  A level is
 * used only when the interval is a multiple of it, and hours only when nobody asks for principals.
 */
static enum status add_hours(const struct span *s, size_t level, int64_t since, int64_t until,
                             struct error *err)
{
    const struct gather *g = s->gather;
    while (level < LEVELS && (g->interval % levels[level].seconds != 0 ||
                              (g->has_principal && !levels[level].has_principal)))
        level++;
    if (level == LEVELS || since >= until)
        return add_chunks(s, since, until, err);
    int64_t from = ceil_to(since, levels[level].seconds);
    int64_t to = floor_to(until, levels[level].seconds);
    if (from >= to)
        return level + 1 == LEVELS ? add_chunks(s, since, until, err)
                                   : add_hours(s, level + 1, since, until, err);
    struct span whole = {g, INT64_MIN, INT64_MAX, s->rolled_up};
    enum status st = add_hours(s, level + 1, since, from, err);
    if (st == ST_OK)
        st = store_rollups(g->store, (int)levels[level].level, from, to, add_cells, &whole, err);
    if (st == ST_OK)
        st = add_hours(s, level + 1, to, until, err);
    return st;
}

/*
 * The chunks above `rolled_up` are read in every case.  They and the rollups are of one moment,
 * because the caller has begun a transaction.
 */
enum status gather_sums(const struct gather *g, struct error *err)
{
    struct span s = {g, g->since, g->until, 0};
    int64_t last;
    enum status st = rollup_last(g->store, &s.rolled_up, err);
    if (st != ST_OK)
        return st;
    if (g->interval == 0 && g->since == INT64_MIN && g->until == INT64_MAX)
        st = store_rollups(g->store, ROLLUP_ALL, 0, 1, add_cells, &s, err);
    else
        st = add_hours(&s, 0, g->since, g->until, err);
    if (st == ST_OK)
        st = store_chunks_after(g->store, s.rolled_up, UINT64_MAX, add_cells, &s, &last, err);
    return st;
}

/* ---- tokens ---- */

struct tokens {
    uint32_t series_count;
    u128 *sum;
};

static enum status add_tokens(void *context, int64_t begin, struct view cells)
{
    const struct tokens *t = context;
    struct chunk_cell cell;
    enum status st;
    (void)begin;
    while ((st = chunk_next(&cells, t->series_count, &cell)) == ST_OK) {
        for (unsigned m = METRIC_INPUT; m <= METRIC_CACHE_WRITE; m++) {
            if ((cell.present & METRIC_BIT(m)) != 0)
                t->sum[cell.series] += cell.sum[m];
        }
    }
    return st == ST_END ? ST_OK : st;
}

enum status gather_tokens(struct store *store, uint32_t series_count, u128 *tokens,
                          struct error *err)
{
    struct tokens t = {series_count, tokens};
    int64_t rolled_up, last;
    enum status st = rollup_last(store, &rolled_up, err);
    if (st == ST_OK)
        st = store_rollups(store, ROLLUP_ALL, 0, 1, add_tokens, &t, err);
    if (st == ST_OK)
        st = store_chunks_after(store, rolled_up, UINT64_MAX, add_tokens, &t, &last, err);
    return st;
}
