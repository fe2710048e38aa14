/*
 * What the program says of itself as metrics.  Counters are data of the same journaled batches as
 * usage, so each is counted once; gauges have a request of their own, which may be lost or come
 * twice, because only their maximum is looked at.
 */
#include "ledger/exact_round_private.h"

#include "aws/cloudwatch.h"
#include "base/json_out.h"
#include "base/log.h"

enum { COUNTERS_MAX = 16, GAUGES_BYTES = 2048 };

static void add(struct batch_counter *list, size_t *n, const char *metric, uint64_t amount)
{
    if (amount > 0)
        list[(*n)++] = (struct batch_counter){.metric = metric, .amount = amount};
}

/* Of the run whose objects have just been read. */
static size_t run_counters(struct exact_round *x, struct batch_counter list[COUNTERS_MAX])
{
    struct record_tally records = {0};
    uint64_t kept = 0, changes = 0, duplicates = 0;
    size_t n = 0;
    for (uint16_t i = 0; i < x->run.n_objects; i++) {
        const struct round_object *o = x->chosen[i];
        duplicates += x->run.objects[i].state == OBJECT_COUNTED_BEFORE && !o->note;
        if (x->run.objects[i].state != OBJECT_MINE || !o->was_read)
            continue;
        changes += o->note;
        kept += !o->note;
        if (!o->note)
            record_tally_add(&records, &o->read.tally.records);
    }
    x->duplicates_reported = x->duplicates_pending + (int64_t)duplicates;
    if (x->duplicates_reported > 0)
        add(list, &n, "DuplicatesSuppressed", (uint64_t)x->duplicates_reported);
    add(list, &n, "ObjectsChanged", changes);
    add(list, &n, "SweepRecovered", x->sweeping ? kept : 0);
    for (unsigned i = 0; i < RECORD_SKIP_COUNT; i++) {
        size_t at = n;
        add(list, &n, "RecordsRejected", records.skipped[i]);
        if (n > at) {
            list[at].dimension = "Reason";
            list[at].value = record_skip_name((enum record_skip)i);
        }
    }
    return n;
}

static size_t doubt_counters(const struct ledger_doubts *d, struct batch_counter list[COUNTERS_MAX])
{
    size_t n = 0;
    add(list, &n, "InDoubtResolvedApplied", d->applied);
    add(list, &n, "InDoubtResolvedAbsent", d->absent);
    add(list, &n, "InDoubtResent", d->resent);
    add(list, &n, "InDoubtResentTokens", d->resent_tokens);
    add(list, &n, "InDoubtDropped", d->dropped);
    add(list, &n, "InDoubtDroppedTokens", d->dropped_tokens);
    return n;
}

enum status exact_round_encode_run(struct exact_round *x, struct ledger_batch_data *out)
{
    struct batch_counter list[COUNTERS_MAX];
    size_t n = run_counters(x, list);
    return exact_round_encode(x, x->sums, list, n, out);
}

enum status exact_round_host_report(void *ctx, const struct ledger_doubts *doubts,
                                    struct ledger_batch_data *out)
{
    struct exact_round *x = ctx;
    struct batch_counter list[COUNTERS_MAX];
    struct counter_options options = exact_round_counter(x);
    size_t n = doubt_counters(doubts, list);
    struct aggregate *nothing = aggregate_new(&options.aggregate);
    uint64_t folded = x->series_folded; /* is of the batch that this is about */
    enum status st = nothing == NULL ? ST_NO_MEMORY : exact_round_encode(x, nothing, list, n, out);
    x->series_folded = folded;
    aggregate_free(nothing);
    return st;
}

/* ---- gauges ---- */

static void add_gauge(struct json_out *j, const char *metric, const char *unit, int64_t at_s,
                      uint64_t value)
{
    json_open_object(j, NULL);
    json_add_cstr(j, "MetricName", metric);
    json_add_i64(j, "Timestamp", at_s);
    json_add_u64(j, "Value", value);
    json_add_cstr(j, "Unit", unit);
    json_close(j);
}

void exact_round_report_open(struct exact_round *x, const struct ledger_recovery *r)
{
    struct payload nothing = {.name_space = x->options.settings->name_space};
    struct buf data;
    struct aws_answer answer;
    struct error err = {0};
    if ((r->open == 0 && !x->open_reported) || exact_round_is_over(x))
        return;
    int64_t now_ms = exact_round_wall_ms(x);
    int64_t age_ms = r->open > 0 && now_ms > r->oldest_ms ? now_ms - r->oldest_ms : 0;
    buf_init(&data, GAUGES_BYTES);
    struct json_out j = {.out = &data};
    add_gauge(&j, "InDoubtOpen", "Count", now_ms / 60000 * 60, r->in_doubt);
    add_gauge(&j, "OldestOpenBatchAge", "Seconds", now_ms / 60000 * 60, (uint64_t)age_ms / 1000);
    enum status st = exact_round_sign(x, &nothing, 0, 0, buf_view(&data), &err);
    aws_answer_init(&answer);
    if (st == ST_OK)
        st = cloudwatch_put_send(x->put, &answer, &err);
    aws_answer_clear(&answer);
    if (st == ST_OK)
        x->open_reported = r->open > 0;
    else
        LOG_FAULT(LOG_WARN, error_code(&err, E_P107), "gauges not published",
                  log_cstr("reason", err.text), log_cstr("status", status_name(st)));
    exact_round_forget_put(x);
    buf_clear(&data);
}
