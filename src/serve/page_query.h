/* page_query.h: the figures of the page from a store, folded as far as a page can hold them. */
#ifndef SERVE_PAGE_QUERY_H
#define SERVE_PAGE_QUERY_H

#include "report/page.h"
#include "store/usage.h"

struct page_query {
    bool has_since, has_until; /* whole minutes */
    int64_t since, until;
    unsigned first_step; /* 0; or what *step was the last time, to save trying in vain */
};

/*
 * As usage_ask; *answer has an aggregate of page_sets() and the store's keys, whose names are the
 * usage's.
 */
NODISCARD enum status page_query_ask(struct usage *usage, const struct page_query *query,
                                     struct usage_answer *answer, unsigned *step,
                                     struct error *err);

/* The step of the last page of the whole store, for first_step; kept in the store. */
unsigned page_query_last_step(struct usage *usage);
void page_query_keep_step(struct usage *usage, unsigned step);

/* What was folded on the way, for the page. */
void page_query_folds(const struct usage *usage, const struct usage_answer *answer,
                      struct page *page);

#endif
