/* page_table.h: series with rows by time, small enough for a page.  Private to page*.c. */
#ifndef REPORT_PAGE_TABLE_H
#define REPORT_PAGE_TABLE_H

#include "base/tuples.h"
#include "report/page.h"

/* Of one set. */
enum { PAGE_SET_DIMENSIONS = 6 + PAGE_KEYS };

/* A value of a dimension, in all tables. */
struct page_value {
    struct view text;
    u128 tokens, invocations;
    uint32_t number; /* in the dictionary as written; UINT32_MAX: not used */
};

struct page_values {
    struct page_value *value;
    uint32_t count;
    size_t capacity;
    struct table table; /* values by the address of their text */
};

struct page_row {
    uint32_t series;
    int64_t bucket; /* number: time / interval */
    u128 sum[METRIC_COUNT];
};

struct page_table {
    const struct dimension_set *set;
    int64_t interval;
    struct tuples series;  /* set->count values each */
    struct page_row *rows; /* by series, then time */
    size_t row_count;
    uint32_t kept[PAGE_DIMENSIONS], folded[PAGE_DIMENSIONS]; /* by page_dimension */
};

/*
 * The rows of a set of the aggregate, with values folded and days for hours so far as max_rows
 * demands.  `values` (by page_dimension, zeroed before the first table) gains what occurs.
 */
NODISCARD enum status page_table_build(const struct aggregate *aggregate, size_t set,
                                       size_t max_rows, struct page_values *values,
                                       struct page_table *out);
/* page_add_json with other limits. */
NODISCARD enum status page_add_json_within(struct buf *out, const struct page *page,
                                           size_t cube_rows, size_t principal_rows);

/* Release what page_table_build and its values hold; zeroed ones may be cleared too. */
void page_table_clear(struct page_table *table);
void page_values_clear(struct page_values *values);

#endif
