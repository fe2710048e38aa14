/*
 * run_receipt.h: what a run counted, as a document that two machines can compare.
 *
 * The digest (receipt.h) covers the objects the run counted and those of other runs' batches that
 * it finished, so that each object is in the receipt of one run, and receipts add up: merge them,
 * in any order.  (Two workers that finish the same abandoned batch at the same moment both have
 * it.)  Balance and sums are of the objects that this run read.
 */
#ifndef LEDGER_RUN_RECEIPT_H
#define LEDGER_RUN_RECEIPT_H

#include "aggregate/metric.h"
#include "base/buf.h"
#include "base/u128.h"
#include "count/tally.h"
#include "ledger/ledger_id.h"
#include "ledger/receipt.h"

struct run_receipt { /* all zero: nothing counted */
    struct tally tally;
    u128 sums[METRIC_COUNT]; /* of the counted objects, data too old for CloudWatch included */
    struct receipt digest;   /* of the counted and the recovered objects that have a name */
    uint64_t unnamed;        /* counted, in the sums, not in the digest: standard input */
    uint64_t held;           /* prepared, and left open by policy hold: not counted here */
    uint64_t changed;        /* counted before with other content: not counted again */
    uint64_t recovered_batches, recovered_objects;
};

struct run_receipt_about {
    const char *command;
    const char *delivery; /* ledger_session_delivery; NULL: nothing is published */
    enum ledger_identity identity;
    metric_set metrics; /* in addition to the token metrics */
};

/* *into counted all that *from counted, too. */
void run_receipt_merge(struct run_receipt *into, const struct run_receipt *from);

/* As JSON, "bedrock-metrics/receipt/1", with a line feed. */
void run_receipt_add_json(struct buf *out, const struct run_receipt *r,
                          const struct run_receipt_about *about);

#endif
