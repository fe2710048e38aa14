/* prices_text.h: price lists and explanations as text for people and programs. */
#ifndef REPORT_PRICES_TEXT_H
#define REPORT_PRICES_TEXT_H

#include "base/json_out.h"
#include "base/rfc3339.h"
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

/* The rows of the list that the filter lets through. */
void prices_add_list(struct buf *out, enum prices_format format, const struct prices *prices,
                     const struct prices_filter *filter);

/* How the price for `question` was found and what it comes to. */
void prices_add_explanation(struct buf *out, enum prices_format format, const struct prices *prices,
                            const struct prices_question *question,
                            const struct price_explanation *x);

/* Dates of the list and their age on the day `today`. */
void prices_add_age(struct buf *out, enum prices_format format, const struct prices *prices,
                    int64_t today);

/* ---- pieces, for prices_*.c only ---- */

enum { PRICES_MAX_TEXT = 1 << 16 };

/* "2026-07-30", or "" for PRICE_NO_DAY. */
void prices_format_day(int64_t day, char out[RFC3339_BYTES]);

/* Dollars for a million tokens; nothing for PRICE_NONE. */
void prices_add_price(struct buf *out, uint64_t price);

/* The dates of the list, for people. */
void prices_add_dates(struct buf *out, const struct prices *prices);

/* Members of a document: dates as far as there are any, a row with the prices it has. */
void prices_json_day(struct json_out *j, const char *name, int64_t day);
void prices_json_dates(struct json_out *j, const struct prices *prices);
void prices_json_row(struct json_out *j, const char *name, const struct price_row *row);

/* A field of a CSV line and what follows it. */
void prices_csv_field(struct buf *out, struct view field, bool last);

#endif
