/*
 * ledger_source.h: for `aggregate --ledger`: only those objects of some sources that the ledger has
 * not counted, and with --publish counting them through it in the same pass.
 *
 * What the ledger has counted, or holds in an unfinished batch, is named as a duplicate and not
 * read.  Standard input has no identity and is always let through.
 */
#ifndef LEDGER_LEDGER_SOURCE_H
#define LEDGER_LEDGER_SOURCE_H

#include "ledger/exact_round.h"
#include "objects/source.h"

struct ledger_filter;

/*
 * Put a filter in front of each source, which it owns from then on (also after a failure); the
 * session and the round outlive them.  With a round, whose options have .open = ledger_source_open,
 * nothing that has a name is let through: it is counted by the round while the sources are listed.
 * *out is to be freed in every case, after the sources.
 */
NODISCARD enum status ledger_filter_new(struct ledger_filter **out, struct source **list,
                                        size_t count, struct ledger_session *session,
                                        struct exact_round *round);
void ledger_filter_free(struct ledger_filter *f); /* NULL does nothing */

/* Opens a local file; for exact_round_options.open. */
NODISCARD enum status ledger_source_open(const struct round_object *object,
                                         struct byte_stream **stream, struct error *err);

/*
 * After the listing, with a round: count what is left.  ST_RETRY: some objects could not be
 * counted, *err says how many; the same command again counts them.  Logs the sums and a receipt.
 */
NODISCARD enum status ledger_filter_finish(struct ledger_filter *f, struct error *err);

#endif
