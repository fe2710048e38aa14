/*
 * ledger_source.h: for `aggregate --ledger`: only those objects of some sources that the ledger has
 * not counted, and counting them through it afterwards.
 *
 * What the ledger has counted, or holds in an unfinished batch, is named as a duplicate and not
 * read.  Standard input has no identity and is always read.
 */
#ifndef LEDGER_LEDGER_SOURCE_H
#define LEDGER_LEDGER_SOURCE_H

#include "deliver/round.h"
#include "ledger/ledger_session.h"
#include "objects/source.h"

/*
 * Put a filter in front of each source, which it owns from then on (also after a failure); the
 * session outlives them.  `remember`: keep the names of what was let through, for
 * ledger_sources_count.
 */
NODISCARD enum status ledger_sources_filter(struct source **list, size_t count,
                                            struct ledger_session *session, bool remember);

/* Opens a local file; for round_options.open. */
struct round_object;
NODISCARD enum status ledger_source_open(const struct round_object *object,
                                         struct byte_stream **stream, struct error *err);

/*
 * Count what was let through and can be named, each exactly once, with a round of the ledger whose
 * options have .open = ledger_source_open.  ST_RETRY: some could not be counted, *err says how
 * many; the same command again counts them.  Logs the sums and a receipt.
 */
NODISCARD enum status ledger_sources_count(struct source *const *list, size_t count,
                                           struct round *round, struct round_summary *summary,
                                           struct error *err);

#endif
