/*
 * dictionary.h: the dimension values of a store, and the series they form, as small numbers.
 *
 * A series is one value for each dimension of the store: the fixed ones in the order of enum
 * dimension_kind, then those of the keys it keeps.  Numbers are
 * given in the order of first sight, without gaps, and never change.  Any thread may call; calls
 * lock.
 */
#ifndef STORE_DICTIONARY_H
#define STORE_DICTIONARY_H

#include "aggregate/dimension.h"

struct dictionary;

#define DICTIONARY_NONE UINT32_MAX
enum { DICTIONARY_MAX_WIDTH = DIMENSIONS_PER_SET };

/* `width`: values of a series, up to DICTIONARY_MAX_WIDTH.  NULL: no memory. */
struct dictionary *dictionary_new(size_t width);
size_t dictionary_width(const struct dictionary *d);
void dictionary_free(struct dictionary *d); /* dictionary_free(NULL) does nothing */

/* The number of a series, given if new; DICTIONARY_NONE: no memory. */
uint32_t dictionary_series(struct dictionary *d, const struct view *value);

/* The number of the text "Other", given if new; DICTIONARY_NONE: no memory. */
uint32_t dictionary_other(struct dictionary *d);

/*
 * The same, by parts, for loading a store in the order of numbers.  ST_BAD_ITEM: the text or series
 * is there already, or a number in `text` is not.  ST_NO_MEMORY.
 */
NODISCARD enum status dictionary_load_text(struct dictionary *d, struct view text);
NODISCARD enum status dictionary_load_series(struct dictionary *d, const uint32_t *text);

/* How many texts and series there are. */
void dictionary_counts(const struct dictionary *d, uint32_t *texts, uint32_t *series);

/* Numbers below the counts only.  A text stays valid until dictionary_free. */
struct view dictionary_text(const struct dictionary *d, uint32_t text);
void dictionary_values(const struct dictionary *d, uint32_t series, uint32_t *text);

/*
 * The values of the first `count` series at once, width numbers each, as the
 * caller's copy (free); NULL: no memory.
 */
uint32_t *dictionary_copy_series(const struct dictionary *d, uint32_t count);

#endif
