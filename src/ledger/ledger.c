/* ledger.c: what all kinds of ledger share: names of policies, and the statistics of a batch. */
#include "ledger/ledger.h"

static const char *const POLICY_NAMES[] = {[POLICY_RESOLVE] = "resolve",
                                           [POLICY_RESEND] = "resend",
                                           [POLICY_DROP] = "drop",
                                           [POLICY_HOLD] = "hold"};

const char *ledger_policy_name(enum ledger_policy policy)
{
    return POLICY_NAMES[policy];
}

void ledger_statistics_add_part(struct ledger_statistics *t, enum ledger_part_state state,
                                uint64_t tokens, uint64_t resent)
{
    t->attempts_resent += resent;
    t->tokens_resent += resent * tokens;
    switch (state) {
    case PART_PLANNED: t->parts_planned++; break;
    case PART_SENDING:
        t->parts_in_doubt++;
        t->tokens_in_doubt += tokens;
        break;
    case PART_ACKED:
        t->parts_acked++;
        t->tokens_acked += tokens;
        break;
    case PART_DROPPED:
        t->parts_dropped++;
        t->tokens_dropped += tokens;
        break;
    case PART_REJECTED:
        t->parts_rejected++;
        t->tokens_rejected += tokens;
        break;
    }
}

void ledger_statistics_add(struct ledger_statistics *t, const struct ledger_batch *b)
{
    switch ((enum ledger_batch_state)b->state) {
    case BATCH_NONE: return;
    case BATCH_ABORTED: t->batches_aborted++; return;
    case BATCH_PREPARED:
        t->batches_open++;
        if (t->oldest_open_ms == 0 || b->prepared_ms < t->oldest_open_ms)
            t->oldest_open_ms = b->prepared_ms;
        break;
    case BATCH_DONE: t->batches_done++; break;
    }
    for (uint16_t i = 0; i < b->n_parts; i++)
        ledger_statistics_add_part(t, (enum ledger_part_state)b->parts[i].state, b->parts[i].tokens,
                                   b->parts[i].resent);
}

enum status ledger_marker_of(int64_t minute, int64_t n, struct ledger_marker *out)
{
    if (n < 0 || n / LEDGER_MARKER_DIGITS > UINT16_MAX)
        return ST_TOO_BIG;
    *out = (struct ledger_marker){.minute = minute,
                                  .slot = (uint16_t)(n / LEDGER_MARKER_DIGITS),
                                  .digit = (uint8_t)(n % LEDGER_MARKER_DIGITS)};
    return ST_OK;
}
