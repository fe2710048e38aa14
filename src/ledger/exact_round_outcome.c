/*
 * What became of the objects of one run of the protocol, for messages, sums and the log: counted,
 * counted before, to be quarantined, or to be tried again, and when.
 */
#include "ledger/exact_round_private.h"

#include "base/log.h"

enum { RETRY_MS = 30 * 1000 };

static void quarantine(struct exact_round *x, struct round_object *o)
{
    struct ledger_quarantined entry = {.id = o->id,
                                       .bucket = o->read.bucket,
                                       .key = o->read.key,
                                       .reason = o->read.status == ST_TOO_BIG ? VIEW_LIT("too big")
                                                                              : VIEW_LIT("corrupt"),
                                       .time_ms = exact_round_wall_ms(x)};
    LOG_FAULT(LOG_ERROR, E_O140, "object goes into quarantine", log_view("bucket", o->read.bucket),
              log_view("object", o->read.key), log_cstr("reason", o->read.err.text),
              log_cstr("status", status_name(o->read.status)));
    enum status st = ledger_quarantine_add(x->options.session->ledger, &entry);
    if (st != ST_OK)
        LOG_FAULT(LOG_WARN, E_L107, "quarantine cannot be written", log_view("object", o->read.key),
                  log_cstr("status", status_name(st)));
}

void exact_round_return(struct round_object *o, enum status st, enum code code, int64_t after_ms,
                        const char *why)
{
    o->retry_after_ms = after_ms;
    o->read.status = error_set(&o->read.err, st, code, "%s", why);
}

/* An object this run could not read.  false: it is for a later run of this round. */
static bool decide_unread(struct exact_round *x, struct round_object *o)
{
    enum status st = o->read.status;
    if (o->deferred) {
        exact_round_return(o, ST_CANCELLED, E_Q101, 0, "no time left"); /* if there is none */
        return false;
    }
    if (st == ST_MISSING)
        o->read.status = ST_OK;
    else if (st == ST_OK) /* it was read, but could not be prepared */
        exact_round_return(o, ST_RETRY, E_NONE, RETRY_MS, "the batch was not prepared");
    else if (o->read.err.text[0] == '\0')
        (void)error_set(&o->read.err, st, E_NONE, "%s", status_name(st));
    if (st == ST_BAD_ITEM || st == ST_TOO_BIG)
        quarantine(x, o);
    return true;
}

bool exact_round_decide(struct exact_round *x, struct round_object *o,
                        enum protocol_object_state state, enum status st)
{
    int64_t after = x->run.retry_after_ms > 0 ? x->run.retry_after_ms : RETRY_MS;
    o->outcome = state;
    switch (state) {
    case OBJECT_COUNTED:
    case OBJECT_HELD:
    case OBJECT_COUNTED_BEFORE: o->read.status = ST_OK; return true;
    case OBJECT_UNREAD: return decide_unread(x, o);
    case OBJECT_PENDING:
        exact_round_return(o, ST_RETRY, E_NONE, after, "its batch is not finished");
        break;
    case OBJECT_BUSY:
        exact_round_return(o, ST_RETRY, E_NONE, after, "another worker has it");
        break;
    default:
        if (st != ST_OK)
            exact_round_return(o, st == ST_DENIED ? ST_DENIED : ST_RETRY, E_L209, after,
                               "the ledger failed");
        else if (exact_round_is_over(x))
            exact_round_return(o, ST_CANCELLED, E_Q101, 0, "no time left");
        else
            exact_round_return(o, ST_RETRY, E_NONE, after, "the ledger was not reached");
    }
    return true;
}

void exact_round_note(struct exact_round *x, struct round_object *o, struct round_summary *summary)
{
    struct run_receipt *r = &x->receipt;
    bool counted = o->outcome == OBJECT_COUNTED || o->outcome == OBJECT_HELD;
    bool missing = o->outcome == OBJECT_UNREAD && o->read.status == ST_OK;
    struct tally one = {.objects = {.found = 1}};
    if (x->options.report != NULL && o->prepared)
        tally_add(&x->options.report->tally, &o->read.tally);
    if (counted) {
        one = o->read.tally;
    } else if (o->outcome == OBJECT_COUNTED_BEFORE) {
        one.objects.duplicate = 1;
        x->duplicates_pending++;
    } else if (missing) {
        one.objects.skipped[OBJECT_MISSING] = 1;
    } else {
        one.objects.failed = 1;
    }
    o->read.tally = one;
    if (x->options.report != NULL && !o->prepared)
        tally_add(&x->options.report->tally, &one);
    if (o->outcome == OBJECT_HELD) {
        r->tally.objects.found++;
        r->held++;
        return;
    }
    tally_add(&r->tally, &one);
    if (o->outcome != OBJECT_COUNTED)
        return;
    if (receipt_add(&r->digest, &o->id) != ST_OK || receipt_add(&summary->digest, &o->id) != ST_OK)
        LOG_FAULT_MESSAGE(LOG_WARN, E_L108, "receipt is not complete: out of memory");
}

static void log_in_doubt(struct exact_round *x)
{
    const struct protocol_tally *t = &x->run.tally;
    if (t->requests_in_doubt > 0)
        LOG_FAULT(LOG_WARN, E_L105, "requests in doubt",
                  log_cstr("policy", ledger_policy_name(x->options.session->config.policy)),
                  log_u64("requests", t->requests_in_doubt), log_u64("resent", t->resent),
                  log_u64("resent_tokens", t->resent_tokens), log_u64("dropped", t->dropped),
                  log_u64("dropped_tokens", t->dropped_tokens), log_u64("held", t->held),
                  log_u64("held_tokens", t->held_tokens));
    if (t->rejected > 0)
        LOG_FAULT(LOG_ERROR, E_P110, "data refused by CloudWatch, left out",
                  log_u64("requests", t->rejected), log_u64("tokens", t->rejected_tokens));
    if (t->violations > 0)
        LOG_FAULT(LOG_ERROR, E_L106, "a request was applied more than once",
                  log_u64("requests", t->violations));
}

/* The sums that were read, now that their batch is in the ledger. */
static void add_sums(struct exact_round *x, struct round_summary *s)
{
    const struct protocol_run *run = &x->run;
    struct exact_report *report = x->options.report;
    u128 sums[METRIC_COUNT];
    bool counted = false;
    for (uint16_t i = 0; i < run->n_objects; i++) {
        counted = counted || run->objects[i].state == OBJECT_COUNTED;
        x->chosen[i]->prepared = x->chosen[i]->prepared || x->chosen[i]->was_read;
    }
    s->series_folded += x->series_folded;
    batch_dropped_add(&s->dropped, &x->dropped);
    x->duplicates_pending -= x->duplicates_reported;
    aggregate_totals(x->sums, sums);
    for (size_t i = 0; i < METRIC_COUNT && counted; i++)
        x->receipt.sums[i] += sums[i];
    if (counted)
        round_summary_add_sums(s, sums, &x->dropped, false);
    if (report != NULL && report->fault == ST_OK)
        report->fault = report->add(report->context, x->sums);
}

void exact_round_add_run(struct exact_round *x, struct round_summary *s)
{
    const struct protocol_run *run = &x->run;
    s->published.requests += run->tally.requests_accepted;
    s->published.in_doubt += run->tally.requests_in_doubt;
    s->published.data_rejected += run->tally.rejected;
    s->published.failed += run->tally.requests_refused;
    for (uint16_t i = 0; i < run->batch.n_parts; i++) {
        if (run->batch.state < BATCH_PREPARED || run->batch.parts[i].state != PART_ACKED)
            continue;
        s->published.data += run->batch.parts[i].count;
        s->tokens += run->batch.parts[i].tokens;
    }
    if (run->batch.state >= BATCH_PREPARED && x->sums != NULL)
        add_sums(x, s);
    aggregate_free(x->sums);
    x->sums = NULL;
    log_in_doubt(x);
}
