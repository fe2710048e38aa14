#include "serve/page_query.h"

/*
 * Far more rows than a page may have need not be gathered to be folded afterwards.  Each step keeps
 * fewer values; the last one cannot exceed the limit by much for any store, and has none.
 */
enum { MAX_ROWS = 400000, STEPS = 9 };

static const struct {
    uint32_t principals, accounts, models, operations, regions;
} steps[STEPS] = {
    {0, 0, 0, 0, 0},     {1000, 100, 100, 0, 0}, {300, 50, 60, 0, 0},
    {300, 20, 40, 0, 0}, {100, 20, 25, 5, 0},    {100, 10, 15, 5, 0},
    {50, 10, 10, 5, 16}, {30, 5, 8, 3, 10},      {20, 3, 6, 2, 8},
};

/* Principals are shown by the day. */
static const int64_t intervals[PAGE_SETS] = {PAGE_INTERVAL, 86400};

enum status page_query_ask(struct usage *usage, const struct page_query *query,
                           struct usage_answer *answer, unsigned *step, struct error *err)
{
    struct dimension_set sets[PAGE_SETS];
    enum status st = ST_TOO_BIG;
    page_sets(sets);
    for (unsigned i = query->first_step; i < STEPS && st == ST_TOO_BIG; i++) {
        struct usage_query q = {
            .sets = sets,
            .set_count = PAGE_SETS,
            .interval_seconds = PAGE_INTERVAL,
            .set_intervals = intervals,
            .has_since = query->has_since,
            .has_until = query->has_until,
            .since = query->since,
            .until = query->until,
            .max_rows = i + 1 < STEPS ? MAX_ROWS : 0,
            .keep =
                {
                    [DIMENSION_PRINCIPAL] = steps[i].principals,
                    [DIMENSION_ACCOUNT_ID] = steps[i].accounts,
                    [DIMENSION_MODEL_ID] = steps[i].models,
                    [DIMENSION_OPERATION] = steps[i].operations,
                    [DIMENSION_SOURCE_REGION] = steps[i].regions,
                    [DIMENSION_INFERENCE_REGION] = steps[i].regions,
                },
        };
        *step = i;
        st = usage_ask(usage, &q, answer, err);
    }
    return st;
}

void page_query_folds(const struct usage_answer *answer, struct page *page)
{
    for (size_t kind = 0; kind < DIMENSION_FIXED_COUNT; kind++)
        page->folded_before[kind] = answer->fold[kind].folded;
}
