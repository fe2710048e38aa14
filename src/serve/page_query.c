/*
 * page_query.c: the usage page asks for everything, and must stay small.  The store is asked in
 * steps, each folding more values into Other, until the answer fits.
 */
#include "serve/page_query.h"

/*
 * Far more rows than a page may have need not be gathered to be folded afterwards.  Each step keeps
 * fewer values; the last one cannot exceed the limit by much for any store, and has none.
 */
enum { MAX_ROWS = 120000, STEPS = 11 };

/* By enum dimension_size: principals, accounts, models, operations, Regions; 0: all. */
static const uint32_t steps[STEPS][DIMENSION_SIZES] = {
    {0, 0, 0, 0, 0},     {1000, 100, 100, 0, 0}, {300, 50, 60, 0, 0}, {300, 20, 40, 0, 0},
    {100, 20, 25, 5, 0}, {100, 10, 15, 5, 0},    {50, 10, 10, 5, 16}, {30, 5, 8, 3, 10},
    {20, 3, 6, 2, 8},    {15, 3, 5, 2, 6},       {10, 2, 4, 1, 4},
};

/* Principals are shown by the day. */
static const int64_t intervals[PAGE_SETS] = {PAGE_INTERVAL, 86400};

/* The sets of a page as far as the store keeps them, with its keys at the end of each. */
static void choose_sets(const struct usage *usage, struct dimension_set sets[PAGE_SETS])
{
    const struct dimension_keys *keys;
    const struct dimension_set *all = usage_dimensions(usage, &keys);
    page_sets(sets);
    for (size_t s = 0; s < PAGE_SETS; s++) {
        struct dimension_set *set = &sets[s];
        size_t n = 0, extra = 0;
        for (size_t i = 0; i < set->count; i++) {
            if (dimension_set_find(all, set->dimension[i].name) != SIZE_MAX)
                set->dimension[n++] = set->dimension[i];
        }
        for (size_t i = 0; i < all->count; i++) {
            if (all->dimension[i].kind >= DIMENSION_FIXED_COUNT && extra++ < PAGE_KEYS)
                set->dimension[n++] = all->dimension[i];
        }
        set->count = n;
    }
}

static enum status ask_step(struct usage *usage, const struct page_query *query, unsigned step,
                            struct usage_answer *answer, struct error *err)
{
    struct dimension_set sets[PAGE_SETS];
    choose_sets(usage, sets);
    struct usage_query q = {
        .sets = sets,
        .set_count = PAGE_SETS,
        .interval_seconds = PAGE_INTERVAL,
        .set_intervals = intervals,
        .has_since = query->has_since,
        .has_until = query->has_until,
        .since = query->since,
        .until = query->until,
        .max_rows = step + 1 < STEPS ? MAX_ROWS : 0,
        .keep = steps[step],
    };
    return usage_ask(usage, &q, answer, err);
}

/* The first step from `low` on that fits, when there are many to choose from: by halves. */
static enum status search(struct usage *usage, const struct page_query *query, unsigned low,
                          struct usage_answer *answer, unsigned *step, struct error *err)
{
    unsigned high = STEPS - 1;
    bool has_answer = false;
    while (low < high || !has_answer) {
        unsigned middle = (low + high) / 2;
        struct usage_answer found;
        enum status st = ask_step(usage, query, middle, &found, err);
        if (st == ST_TOO_BIG) {
            low = middle + 1;
            continue;
        }
        if (has_answer)
            aggregate_free(answer->aggregate);
        has_answer = st == ST_OK;
        if (st != ST_OK)
            return st;
        *answer = found;
        *step = high = middle;
    }
    return ST_OK;
}

enum status page_query_ask(struct usage *usage, const struct page_query *query,
                           struct usage_answer *answer, unsigned *step, struct error *err)
{
    *step = query->first_step < STEPS ? query->first_step : STEPS - 1;
    enum status st = ask_step(usage, query, *step, answer, err);
    if (st != ST_TOO_BIG)
        return st;
    /* A store that grew needs one more step; one seen for the first time, any. */
    if (query->first_step == 0)
        return search(usage, query, 1, answer, step, err);
    while (st == ST_TOO_BIG)
        st = ask_step(usage, query, ++*step, answer, err);
    return st;
}

static const char step_name[] = "page_step";

unsigned page_query_last_step(struct usage *usage)
{
    uint64_t step = usage_number(usage, step_name);
    return step < STEPS ? (unsigned)step : 0;
}

void page_query_keep_step(struct usage *usage, unsigned step)
{
    usage_keep_number(usage, step_name, step);
}

void page_query_folds(const struct usage *usage, const struct usage_answer *answer,
                      struct page *page)
{
    const struct dimension_keys *keys;
    const struct dimension_set *all = usage_dimensions(usage, &keys);
    for (size_t i = 0; i < all->count; i++)
        page->folded_before[page_dimension(&all->dimension[i])] = answer->fold[i].folded;
}
