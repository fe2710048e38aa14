/*
 * page.h: the usage page: its data set (bedrock-metrics/page/1, web/README.md) and one offline
 * file.
 */
#ifndef REPORT_PAGE_H
#define REPORT_PAGE_H

#include "report/report.h"

enum {
    PAGE_SETS = 2,
    /* Of all that can be chosen: the fixed ones, then Metadata and Tag by key. */
    PAGE_DIMENSIONS = DIMENSION_FIXED_COUNT + 2 * DIMENSION_METADATA_KEYS,
    PAGE_KEYS = 8,          /* Metadata and Tag together in the sets of a page, at most */
    PAGE_INTERVAL = 3600,   /* of the aggregate; the page may get longer ones */
    PAGE_CUBE_ROWS = 90000, /* above this values are folded into Other */
    PAGE_PRINCIPAL_ROWS = 20000,
    PAGE_FILE_BYTES = 2 << 20, /* of a report file; more is folded to stay below */
};

/*
 * The dimension sets that the page is drawn from, for an aggregate or a question to a store.  Up to
 * PAGE_KEYS of Metadata and Tag may be added to each: they become filters and breakdowns.
 */
void page_sets(struct dimension_set sets[PAGE_SETS]);

/* The number of a dimension, below PAGE_DIMENSIONS. */
size_t page_dimension(const struct dimension *dimension);

struct page {
    const struct aggregate *aggregate; /* of the sets above, by PAGE_INTERVAL */
    const struct tally *tally;
    const char *version; /* see web/README.md */
    int64_t generated;   /* seconds since the epoch */
    struct view source;  /* what was read, for people; may be empty */
    bool has_range;      /* what was asked for, where it may be more than there is */
    int64_t since, until;
    const char *prices_as_of; /* date; NULL: no price list */
    /* By page_dimension: how many values the aggregate already has as "Other". */
    uint32_t folded_before[PAGE_DIMENSIONS];
    const char *note; /* a sentence to show above the charts; NULL: none */
};

/* The data set.  `out` should hold some 64 MB.  ST_NO_MEMORY, ST_TOO_BIG. */
NODISCARD enum status page_add_json(struct buf *out, const struct page *page);

/* The page with its data inside.  ST_NO_MEMORY or ST_IO. */
NODISCARD enum status page_write_html(const struct page *page, FILE *out);

/* The page as it is built into the program; lives as long as it. */
struct view page_builtin_text(void);

#endif
