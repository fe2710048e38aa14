/*
 * protocol_send.c: the requests of a prepared batch: which is next, sending it, journaling its
 * result.
 *
 * One attempt is five steps: get a marker, sign, journal SENDING with marker and date, send,
 * journal the result.  A crash between any two leaves a record from which the next worker knows
 * what may have been sent and until when it can still be applied.
 */
#include "ledger/protocol_private.h"

static const struct ledger_marker MARKER_NONE;

struct ledger_part *core_current(struct protocol_run *run)
{
    return &run->batch.parts[run->part];
}

void core_skip_part(struct protocol_run *run, int64_t retry_after_ms)
{
    run->skipped |= (uint64_t)1 << run->part;
    run->waiting = true;
    run->confirming = false;
    core_note_retry(run, retry_after_ms);
}

void core_hold_part(struct protocol_run *run)
{
    run->skipped |= (uint64_t)1 << run->part;
    run->tally.held++;
    run->tally.held_tokens += core_current(run)->tokens;
}

/* 200 ms after the first refusal in a row, doubled with each further one, 25.6 s at most. */
static int64_t backoff_ms(const struct protocol_run *run)
{
    unsigned n = run->refused_in_row;
    if (n == 0)
        return 0;
    return (int64_t)BACKOFF_FIRST_MS << (n > BACKOFF_DOUBLINGS_MAX ? BACKOFF_DOUBLINGS_MAX : n - 1);
}

void core_emit_journal(struct protocol_run *run, enum phase phase, struct protocol_effect *fx)
{
    core_effect(run, fx, phase, EFFECT_JOURNAL);
    fx->index = run->part;
    fx->expected = core_current(run)->nonce;
    fx->part = run->next;
    fx->split = run->next_split;
    fx->extra = run->next_extra;
    fx->n_parts = run->batch.n_parts;
}

/*
 * The next state of the part.  A request refused for its data is split in two, the first half in
 * its place and the second half as a new part, until the datum that CloudWatch does not accept is
 * alone and becomes REJECTED: so one bad value costs itself and not the 999 around it.  A part
 * that goes back to PLANNED loses its marker, because a marker belongs to one attempt.
 */
void core_journal_result(struct protocol_run *run, const struct protocol_event *ev,
                         struct protocol_effect *fx)
{
    struct ledger_part *next = &run->next;
    *next = *core_current(run);
    next->nonce = ev->fresh;
    run->next_split = false;
    switch ((enum result)run->result) {
    case RESULT_ACCEPTED:
    case RESULT_APPLIED:
        next->state = PART_ACKED;
        next->resolved_applied = run->result == RESULT_APPLIED;
        break;
    case RESULT_DROP: next->state = PART_DROPPED; break;
    case RESULT_INVALID:
        if (next->count < 2 || run->batch.n_parts >= PROTOCOL_PARTS_MAX) {
            next->state = PART_REJECTED;
            break;
        }
        run->next_split = true;
        run->next_extra = (struct ledger_part){.state = PART_PLANNED,
                                               .payload = next->payload,
                                               .first = next->first + next->count / 2,
                                               .count = next->count - next->count / 2,
                                               .tokens = next->tokens - run->head_tokens,
                                               .resent = next->resent};
        next->count /= 2;
        next->tokens = run->head_tokens;
        next->state = PART_PLANNED;
        next->attempt++;
        break;
    case RESULT_RESEND:
    case RESULT_REFUSED:
    case RESULT_ABSENT:
        next->resent += run->result == RESULT_RESEND;
        if (run->result == RESULT_ABSENT && next->resolved_absent < UINT16_MAX)
            next->resolved_absent++;
        next->state = PART_PLANNED;
        next->attempt++;
        break;
    }
    if (next->state == PART_PLANNED) {
        next->marker = MARKER_NONE;
        next->control = MARKER_NONE;
        next->control_ms = 0;
        next->date_ms = 0;
    }
    core_emit_journal(run, PHASE_RESULT, fx);
}

void core_start_result(struct protocol_run *run, enum result result,
                       const struct protocol_event *ev, struct protocol_effect *fx)
{
    run->result = (uint8_t)result;
    run->sent = core_current(run)->marker;
    run->confirming = false;
    run->tries = 0;
    core_journal_result(run, ev, fx);
}

/*
 * Parts that cannot be decided in this run are skipped and the rest goes on.  In doubt comes
 * before sending only by position: the order of the parts has no meaning to CloudWatch.
 */
void core_next_part(struct protocol_run *run, struct protocol_effect *fx)
{
    bool all_final = true;
    for (uint16_t i = 0; i < run->batch.n_parts; i++) {
        struct ledger_part *p = &run->batch.parts[i];
        if (ledger_part_final(p))
            continue;
        all_final = false;
        run->part = i;
        if (run->skipped >> i & 1)
            continue;
        if (p->state == PART_SENDING) {
            if (core_in_doubt(run, fx))
                return;
        } else if (run->stop || run->refused_in_row > run->config.send_tries) {
            core_skip_part(run, backoff_ms(run));
        } else {
            core_effect(run, fx, PHASE_MARKER, EFFECT_MARKER);
            fx->delay_ms = backoff_ms(run);
            return;
        }
    }
    if (all_final)
        core_all_final(run, fx);
    else
        core_end_run(run, fx);
}

void core_on_marker(struct protocol_run *run, const struct protocol_event *ev,
                    struct protocol_effect *fx)
{
    if (ev->kind != EVENT_MARKER) {
        if (core_try_again(run))
            core_effect(run, fx, PHASE_MARKER, EFFECT_MARKER);
        else
            core_give_up(run, fx);
        return;
    }
    run->next = *core_current(run);
    run->next.state = PART_SENDING;
    run->next.marker = ev->marker;
    run->next_split = false;
    core_effect(run, fx, PHASE_SIGN, EFFECT_SIGN);
    fx->index = run->part;
    fx->part = run->next;
}

/*
 * The signature is what the fence rests on: CloudWatch refuses a request more than 15 minutes past
 * its X-Amz-Date, so after date + fence this request cannot be applied any more.
 */
void core_on_signed(struct protocol_run *run, const struct protocol_event *ev,
                    struct protocol_effect *fx)
{
    if (ev->kind == EVENT_SIGNED) {
        run->next.nonce = ev->fresh;
        run->next.date_ms = ev->date_ms;
        core_emit_journal(run, PHASE_SENDING, fx);
    } else if (ev->kind == EVENT_INVALID) {
        run->head_tokens = ev->head_tokens;
        core_start_result(run, RESULT_INVALID, ev, fx);
    } else {
        /* Nothing is journaled, nothing was sent; the part is as it was. */
        run->refused_in_row++;
        core_next_part(run, fx);
    }
}

void core_emit_send(struct protocol_run *run, struct protocol_effect *fx)
{
    run->tries = 0;
    core_effect(run, fx, PHASE_SEND, EFFECT_SEND);
    fx->index = run->part;
    fx->part = *core_current(run);
}

/*
 * SENDING must be durable before the first byte leaves.  Without an answer the record is read
 * again: it may be ours (send), or another worker's.
 */
void core_on_sending(struct protocol_run *run, const struct protocol_event *ev,
                     struct protocol_effect *fx)
{
    if (ev->kind == EVENT_OK) {
        *core_current(run) = run->next;
        core_emit_send(run, fx);
    } else {
        core_reload(run, AFTER_SENDING, fx);
    }
}

/*
 * The answer to the request.  Only one that rules out that the request was applied counts as
 * refused; anything else, such as a timeout or a reset connection, is in doubt, and the policy
 * decides what happens then.
 */
void core_on_send(struct protocol_run *run, const struct protocol_event *ev,
                  struct protocol_effect *fx)
{
    switch (ev->kind) {
    case EVENT_ACCEPTED:
        run->tally.requests_accepted++;
        run->refused_in_row = 0;
        core_start_result(run, RESULT_ACCEPTED, ev, fx);
        return;
    case EVENT_REFUSED:
        run->tally.requests_refused++;
        run->refused_in_row++;
        core_start_result(run, RESULT_REFUSED, ev, fx);
        return;
    case EVENT_INVALID:
        run->tally.requests_refused++;
        run->head_tokens = ev->head_tokens;
        core_start_result(run, RESULT_INVALID, ev, fx);
        return;
    default: break;
    }
    run->tally.requests_in_doubt++;
    switch (run->config.policy) {
    case POLICY_RESEND: core_start_result(run, RESULT_RESEND, ev, fx); return;
    case POLICY_DROP: core_start_result(run, RESULT_DROP, ev, fx); return;
    case POLICY_HOLD: core_hold_part(run); break;
    case POLICY_RESOLVE:
        core_skip_part(run,
                       core_current(run)->date_ms + run->config.fence_ms - core_server_now(run));
        break;
    }
    core_next_part(run, fx);
}

void core_tally_result(struct protocol_run *run, uint64_t tokens)
{
    struct protocol_tally *t = &run->tally;
    switch ((enum result)run->result) {
    case RESULT_APPLIED: t->resolved_applied++; break;
    case RESULT_ABSENT: t->resolved_absent++; break;
    case RESULT_RESEND:
        t->resent++;
        t->resent_tokens += tokens;
        break;
    case RESULT_DROP:
        t->dropped++;
        t->dropped_tokens += tokens;
        break;
    case RESULT_INVALID:
        if (run->next.state == PART_REJECTED) {
            t->rejected++;
            t->rejected_tokens += tokens;
        }
        break;
    default: break;
    }
}

/* Whoever else journaled this part meanwhile has decided; what we know is compared on reload. */
void core_on_result(struct protocol_run *run, const struct protocol_event *ev,
                    struct protocol_effect *fx)
{
    if (ev->kind != EVENT_OK) {
        core_reload(run, AFTER_RESULT, fx);
        return;
    }
    core_tally_result(run, run->next.tokens);
    *core_current(run) = run->next;
    if (run->next_split)
        run->batch.parts[run->batch.n_parts++] = run->next_extra;
    run->tries = 0;
    core_next_part(run, fx);
}
