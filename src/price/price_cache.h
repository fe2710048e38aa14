/*
 * price_cache.h: price lines already matched, for a worker that prices record after record.
 *
 * One per worker, never shared between threads; any number may stand on one list.
 */
#ifndef PRICE_PRICE_CACHE_H
#define PRICE_PRICE_CACHE_H

#include "price/price.h"

struct price_cache;

/*
 * A cache on `prices`, which must outlive it, for up to `max_lines` different queries.  Later ones
 * are matched anew each time: that costs a microsecond and no memory, so nothing in a log can
 * make the cache grow.  ST_NO_MEMORY.
 */
NODISCARD enum status price_cache_new(const struct prices *prices, uint32_t max_lines,
                                      struct price_cache **out);

void price_cache_free(struct price_cache *cache); /* price_cache_free(NULL) does nothing */

/* As price_match(); the query's texts are copied if they are kept. */
void price_cache_match(struct price_cache *cache, const struct price_query *query,
                       struct price_line *out);

#endif
