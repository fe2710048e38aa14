/* Adding up rounds: those of a worker's life, and the parts of one round. */
#include "ledger/round_summary.h"

void round_summary_add(struct round_summary *into, const struct round_summary *from)
{
    into->messages += from->messages;
    into->returned += from->returned;
    into->test_events += from->test_events;
    into->other_events += from->other_events;
    tally_add(&into->tally, &from->tally);
    into->tokens += from->tokens;
    into->invocations += from->invocations;
    into->disallowed_tokens += from->disallowed_tokens;
    into->disallowed_invocations += from->disallowed_invocations;
    publish_result_add(&into->published, &from->published);
    into->partial += from->partial;
    into->series_folded += from->series_folded;
    batch_dropped_add(&into->dropped, &from->dropped);
    into->ms_read += from->ms_read;
    into->ms_publish += from->ms_publish;
    receipt_merge(&into->digest, &from->digest);
}

void round_summary_add_sums(struct round_summary *into, const u128 sums[METRIC_COUNT],
                            const struct batch_dropped *dropped, bool tokens)
{
    if (tokens)
        into->tokens += sums[METRIC_TOTAL] - dropped->old_tokens - dropped->future_tokens;
    into->invocations +=
        sums[METRIC_INVOCATIONS] - dropped->old_invocations - dropped->future_invocations;
    into->disallowed_tokens += sums[METRIC_DISALLOWED_TOKENS];
    into->disallowed_invocations += sums[METRIC_DISALLOWED_INVOCATIONS];
}
