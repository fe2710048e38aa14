/* What became of the objects of one run of the protocol, for messages, sums and the log. */
#include "ledger/exact_round_private.h"

#include "base/log.h"

enum { RETRY_MS = 30 * 1000 };

static void quarantine(struct exact_round *c, struct round_object *o)
{
    struct ledger_quarantined entry = {.id = o->id,
                                       .bucket = o->bucket,
                                       .key = o->key,
                                       .reason = o->status == ST_TOO_BIG ? VIEW_LIT("too big")
                                                                         : VIEW_LIT("corrupt"),
                                       .time_ms = exact_round_wall_ms(c)};
    LOG_FAULT(LOG_ERROR, E_O140, "object goes into quarantine", log_view("bucket", o->bucket),
              log_view("object", o->key), log_cstr("reason", o->err.text),
              log_cstr("status", status_name(o->status)));
    enum status st = ledger_quarantine_add(c->options.session->ledger, &entry);
    if (st != ST_OK)
        LOG_FAULT(LOG_WARN, E_L107, "quarantine cannot be written", log_view("object", o->key),
                  log_cstr("status", status_name(st)));
}

void exact_round_return(struct round_object *o, enum status st, enum code code, int64_t after_ms,
                        const char *why)
{
    o->retry_after_ms = after_ms;
    o->status = error_set(&o->err, st, code, "%s", why);
}

/* An object this run could not read.  false: it is for a later run of this round. */
static bool settle_unread(struct exact_round *c, struct round_object *o)
{
    if (o->deferred)
        return false;
    if (o->status == ST_MISSING) {
        o->status = ST_OK;
        return true;
    }
    if (o->status == ST_OK) /* it was read, but could not be prepared */
        exact_round_return(o, ST_RETRY, E_NONE, RETRY_MS, "the batch was not prepared");
    else if (o->err.text[0] == '\0')
        (void)error_set(&o->err, o->status, E_NONE, "%s", status_name(o->status));
    if (o->status == ST_BAD_ITEM || o->status == ST_TOO_BIG)
        quarantine(c, o);
    return true;
}

bool exact_round_decide(struct exact_round *c, struct round_object *o,
                        enum protocol_object_state state, enum status st)
{
    int64_t after = c->run.retry_after_ms > 0 ? c->run.retry_after_ms : RETRY_MS;
    o->outcome = state;
    switch (state) {
    case OBJECT_COUNTED:
    case OBJECT_HELD:
    case OBJECT_COUNTED_BEFORE: o->status = ST_OK; return true;
    case OBJECT_UNREAD: return settle_unread(c, o);
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
        else if (exact_round_is_over(c))
            exact_round_return(o, ST_CANCELLED, E_Q101, 0, "no time left");
        else
            exact_round_return(o, ST_RETRY, E_NONE, after, "the ledger was not reached");
    }
    return true;
}

void exact_round_note(struct exact_round *c, struct round_object *o, struct round_summary *summary)
{
    struct run_receipt *r = &c->receipt;
    struct tally one = {0};
    if (o->outcome == OBJECT_COUNTED || o->outcome == OBJECT_HELD) {
        one = o->tally;
        one.objects.counted = 1;
    } else if (o->outcome == OBJECT_COUNTED_BEFORE) {
        one.objects.duplicate = 1;
        c->duplicates_pending++;
    } else if (o->outcome == OBJECT_UNREAD && o->status == ST_OK) {
        one.objects.skipped[OBJECT_MISSING] = 1;
    } else {
        one.objects.failed = 1;
    }
    tally_add(&summary->tally, &one);
    if (o->outcome == OBJECT_HELD) {
        r->held++;
        return;
    }
    tally_add(&r->tally, &one);
    if (o->outcome != OBJECT_COUNTED)
        return;
    if (receipt_add(&r->digest, &o->id) != ST_OK || receipt_add(&summary->digest, &o->id) != ST_OK)
        LOG_FAULT_MESSAGE(LOG_WARN, E_L108, "receipt is not complete: out of memory");
}

static void log_in_doubt(struct exact_round *c)
{
    const struct protocol_tally *t = &c->run.tally;
    if (t->requests_in_doubt > 0)
        LOG_FAULT(LOG_WARN, E_L105, "requests in doubt",
                  log_cstr("policy", ledger_policy_name(c->options.session->config.policy)),
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

void exact_round_add_run(struct exact_round *c, struct round_summary *s)
{
    const struct protocol_run *run = &c->run;
    uint64_t counted = 0;
    for (uint16_t i = 0; i < run->n_objects; i++)
        counted += run->objects[i].state == OBJECT_COUNTED;
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
    if (run->batch.state >= BATCH_PREPARED) {
        struct round_summary more = {.dropped = c->dropped, .series_folded = c->series_folded};
        round_summary_add(s, &more);
        if (c->dropped.any && (!s->dropped.any || c->dropped.first_time < s->dropped.first_time))
            s->dropped.first_time = c->dropped.first_time;
        if (c->dropped.any && (!s->dropped.any || c->dropped.last_time > s->dropped.last_time))
            s->dropped.last_time = c->dropped.last_time;
        s->dropped.any = s->dropped.any || c->dropped.any;
        c->duplicates_pending -= c->duplicates_reported;
    }
    for (size_t i = 0; i < METRIC_COUNT && counted > 0; i++)
        c->receipt.sums[i] += c->sums[i];
    if (counted > 0)
        round_summary_add(s, &c->elsewhere);
    if (counted > 0)
        s->invocations += c->sums[METRIC_INVOCATIONS] - c->dropped.old_invocations -
                          c->dropped.future_invocations;
    log_in_doubt(c);
}
