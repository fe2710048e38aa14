/* price_list.h: the inside of a price list, for the files of this folder. */
#ifndef PRICE_PRICE_LIST_H
#define PRICE_PRICE_LIST_H

#include <jansson.h>

#include "price/price.h"

struct price_model {
    struct view id;
    struct view stem;   /* id without its version: price_cut_version(id) */
    uint32_t first_row; /* rows of one model are neighbours */
    uint32_t n_rows;
};

struct price_alias {
    struct view id;
    uint32_t model; /* index into models */
    bool own;
    struct view target; /* only while loading */
    uint32_t at;        /* index in its file, only while loading */
};

/* Texts are views into the two JSON documents, which live as long as the list. */
struct prices {
    json_t *documents[2]; /* base, own; [1] may be NULL */
    struct price_row *rows;
    struct price_model *models;  /* by id */
    uint32_t *by_stem;           /* indices into models, by stem, then id */
    struct price_alias *aliases; /* by id */
    uint32_t n_rows;
    uint32_t n_models;
    uint32_t n_aliases;
    struct prices_info info;
};

/* `id` without a trailing `-v<n>`, `:<n>` or `-v<n>:<n>`. */
struct view price_cut_version(struct view id);

/* Index into models, or UINT32_MAX. */
uint32_t price_find_model(const struct prices *prices, struct view id);
uint32_t price_find_alias(const struct prices *prices, struct view id);

/* How many models have this stem; *model is one of them when there are any. */
uint32_t price_find_stem(const struct prices *prices, struct view stem, uint32_t *model);

/*
 * Steps 1 to 5 of the matching rule, for price_match() and price_explain() alike: fills *x up to
 * and with its line.
 */
void price_resolve(const struct prices *prices, const struct price_query *query,
                   struct price_explanation *x);

#endif
