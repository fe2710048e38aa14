/* round_summary.h: what a round came to: messages, objects read, sums published. */
#ifndef LEDGER_ROUND_SUMMARY_H
#define LEDGER_ROUND_SUMMARY_H

#include "count/tally.h"
#include "ledger/receipt.h"
#include "publish/publish.h"

struct round_summary { /* all zero: nothing happened */
    uint64_t messages, returned;
    uint64_t test_events, other_events;
    struct tally tally; /* of messages that were read; those that fail later stay in it */
    u128 tokens;        /* published; 0 for what failed */
    u128 invocations;
    /* Counted in Regions that are not allowed, with ALLOW_INFERENCE_REGIONS. */
    u128 disallowed_tokens, disallowed_invocations;
    struct publish_result published;
    uint64_t partial; /* groups that failed after some of their data were accepted */
    uint64_t series_folded;
    struct batch_dropped dropped;
    int64_t ms_read, ms_publish;
    struct receipt digest; /* of the objects counted through the ledger */
};

/* *into had all that *from had, too. */
void round_summary_add(struct round_summary *into, const struct round_summary *from);

/* These sums were counted, and all but *dropped of them published.  Tokens that are counted request
 * by request are left out (`tokens` false). */
void round_summary_add_sums(struct round_summary *into, const u128 sums[METRIC_COUNT],
                            const struct batch_dropped *dropped, bool tokens);

#endif
