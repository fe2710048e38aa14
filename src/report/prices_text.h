/* prices_text.h: price lists and explanations as text for people and programs. */
#ifndef REPORT_PRICES_TEXT_H
#define REPORT_PRICES_TEXT_H

#include "base/buf.h"
#include "price/price.h"

enum prices_format { PRICES_TABLE, PRICES_JSON, PRICES_CSV };

/* Which rows to list; empty: all. */
struct prices_filter {
    struct view model; /* anywhere in the model id */
    struct view scope; /* the whole scope */
};

/* What was asked; the texts are printable ASCII. */
struct prices_question {
    struct price_query query;
    int64_t day;
    struct price_usage usage;
};

void prices_add_list(struct buf *out, enum prices_format format, const struct prices *prices,
                     const struct prices_filter *filter);
void prices_add_explanation(struct buf *out, enum prices_format format, const struct prices *prices,
                            const struct prices_question *question,
                            const struct price_explanation *x);

/* Dates of the list and their age on the day `today`. */
void prices_add_age(struct buf *out, enum prices_format format, const struct prices *prices,
                    int64_t today);

#endif
