/* The document of a receipt; its numbers are gathered by whoever counts. */
#include "ledger/run_receipt.h"

#include "base/json_out.h"
#include "report/report.h"

void run_receipt_merge(struct run_receipt *into, const struct run_receipt *from)
{
    tally_add(&into->tally, &from->tally);
    for (size_t i = 0; i < METRIC_COUNT; i++)
        into->sums[i] += from->sums[i];
    receipt_merge(&into->digest, &from->digest);
    into->unnamed += from->unnamed;
    into->held += from->held;
    into->changed += from->changed;
    into->recovered_batches += from->recovered_batches;
    into->recovered_objects += from->recovered_objects;
}

void run_receipt_add_json(struct buf *out, const struct run_receipt *r,
                          const struct run_receipt_about *about)
{
    struct json_out j = {.out = out};
    metric_set metrics = about->metrics | METRIC_SET_BASE;
    char digest[RECEIPT_TEXT_BYTES];
    receipt_format(&r->digest, digest);
    json_begin(&j, "bedrock-metrics/receipt/1");
    json_add_cstr(&j, "version", BM_VERSION);
    json_add_cstr(&j, "command", about->command);
    json_add_cstr(&j, "delivery", about->delivery);
    json_add_cstr(&j, "identity", about->identity == IDENTITY_PATH ? "path" : "key");
    j.gap = "\n";
    report_add_tally(&j, &r->tally);
    j.gap = "\n";
    JSON_ADD_NUMBERS(&j, {"unnamed", r->unnamed}, {"held", r->held}, {"changed", r->changed});
    json_open_object(&j, "recovered");
    JSON_ADD_NUMBERS(&j, {"batches", r->recovered_batches}, {"objects", r->recovered_objects});
    json_close(&j);
    j.gap = "\n";
    json_open_object(&j, "sums");
    for (unsigned i = 0; i < METRIC_COUNT; i++) {
        enum metric metric = (enum metric)i;
        if ((metrics & METRIC_BIT(metric)) != 0)
            metric_add_value(json_add_value(&j, metric_name(metric)), metric, r->sums[metric]);
    }
    json_close(&j);
    j.gap = "\n";
    json_open_object(&j, "digest");
    json_add_u64(&j, "objects", r->digest.objects);
    json_add_cstr(&j, "sum", digest);
    json_end(&j);
}
