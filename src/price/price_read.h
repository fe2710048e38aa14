/*
 * price_read.h: one JSON document with prices, checked member by member.
 *
 * Every failure is ST_USAGE with the path to the fault at the start of err->text.  Texts that are
 * given out are views into the document.
 */
#ifndef PRICE_PRICE_READ_H
#define PRICE_PRICE_READ_H

#include "price/price_list.h"

/* Where in a document a member is, for messages: array[i].member. */
struct price_place {
    const char *array;
    size_t i;
};

/* ST_USAGE, with "array[i].member: what" as the text of *err; member NULL: the element itself. */
enum status price_fault(struct error *err, const struct price_place *at, const char *member,
                        const char *what);

struct price_loaded_row {
    struct price_row row;
    uint32_t at; /* index in its file */
};

/*
 * Parse a text and check everything outside its rows and aliases.  *out is set as soon as there
 * is a document, also when it is refused.  Besides ST_USAGE: ST_TOO_BIG, ST_NO_MEMORY.
 */
NODISCARD enum status price_load_document(struct view text, json_t **out, struct error *err);

/* A date of the document, PRICE_NO_DAY when it has none of this name. */
NODISCARD enum status price_read_date(json_t *document, const char *member, int64_t *out,
                                      struct error *err);

/* out->at is set by the caller; out->row.own is left alone. */
NODISCARD enum status price_read_row(json_t *object, struct price_loaded_row *out,
                                     struct error *err);

/* Sets id and target; out->at is set by the caller. */
NODISCARD enum status price_read_alias(json_t *object, struct price_alias *out, struct error *err);

#endif
