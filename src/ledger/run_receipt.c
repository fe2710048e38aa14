#include "ledger/run_receipt.h"

#include "base/json_write.h"
#include "report/balance.h"

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

static void add_sums(struct buf *out, const struct run_receipt *r, metric_set metrics)
{
    bool first = true;
    for (unsigned i = 0; i < METRIC_COUNT; i++) {
        if ((metrics & METRIC_BIT(i)) == 0)
            continue;
        buf_printf(out, "%s\"%s\":", first ? "" : ",", metric_name((enum metric)i));
        metric_add_value(out, (enum metric)i, r->sums[i]);
        first = false;
    }
}

void run_receipt_add_json(struct buf *out, const struct run_receipt *r,
                          const struct run_receipt_about *about)
{
    struct report_balance balance = balance_of(&r->tally);
    char digest[RECEIPT_TEXT_BYTES];
    receipt_format(&r->digest, digest);
    buf_printf(out,
               "{\"schema\":\"bedrock-metrics/receipt/1\",\"version\":\"%s\",\"command\":\"%s\","
               "\"delivery\":",
               BM_VERSION, about->command);
    if (about->delivery != NULL)
        json_add_string(out, view_of(about->delivery));
    else
        buf_add_cstr(out, "null");
    buf_printf(out, ",\"identity\":\"%s\",\n", about->identity == IDENTITY_PATH ? "path" : "key");
    report_add_balance(out, &balance);
    buf_printf(out,
               ",\n\"unnamed\":%llu,\"held\":%llu,\"changed\":%llu,"
               "\"recovered\":{\"batches\":%llu,\"objects\":%llu},\n\"sums\":{",
               (unsigned long long)r->unnamed, (unsigned long long)r->held,
               (unsigned long long)r->changed, (unsigned long long)r->recovered_batches,
               (unsigned long long)r->recovered_objects);
    add_sums(out, r, about->metrics | METRIC_SET_BASE);
    buf_printf(out, "},\n\"digest\":{\"objects\":%llu,\"sum\":\"%s\"}}\n",
               (unsigned long long)r->digest.objects, digest);
}
