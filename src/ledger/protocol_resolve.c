/*
 * protocol_resolve.c: what is not known: requests in doubt, and ledger writes whose answer is
 * missing.
 *
 * A request in doubt carried a marker datum.  The sum of the marker metric in that minute says
 * whether it was applied.  Metrics are readable with a delay, so "not there" proves nothing by
 * itself: a control marker, sent past the fence, must be readable first.
 */
#include "ledger/protocol_private.h"

static void emit_read_markers(struct protocol_run *run, struct protocol_effect *fx)
{
    core_effect(run, fx, PHASE_READ_MARKERS, EFFECT_READ_MARKERS);
    fx->index = run->part;
    fx->part = *core_current(run);
    fx->control = core_current(run)->control;
}

/*
 * Under policy resolve the marker is read.  The other policies wait for the fence, so that the
 * worker that sent the request can still journal its answer, and then hold, resend or drop.
 */
bool core_in_doubt(struct protocol_run *run, struct protocol_effect *fx)
{
    struct ledger_part *p = core_current(run);
    if (run->config.policy == POLICY_RESOLVE) {
        emit_read_markers(run, fx);
        return true;
    }
    int64_t left_ms = p->date_ms + run->config.fence_ms - core_server_now(run);
    if (left_ms > 0 && left_ms < DATE_AHEAD_MAX_MS) {
        /* Its sender may still be at work; only what is surely orphaned is given up. */
        core_skip_part(run, left_ms + RETRY_SOON_MS);
        return false;
    }
    if (run->config.policy == POLICY_HOLD) {
        core_hold_part(run);
        return false;
    }
    run->result = run->config.policy == POLICY_RESEND ? RESULT_RESEND : RESULT_DROP;
    run->sent = p->marker;
    run->tries = 0;
    /* The nonce of the write has to be new, and the last event's may be used: read first. */
    core_reload(run, AFTER_RESULT, fx);
    return true;
}

/*
 * What the sums say, in this order:
 *
 *  1. The marker was applied: the part is ACKED.  (Twice: one of our assumptions failed.)
 *  2. The fence is not past by the server's clock: the request could still arrive.  Retry then.
 *  3. The control is readable, and a read that began after that still has no marker: absent.
 *  4. No control yet, or one that is not readable past its own fence: send one.
 *  5. Otherwise the control is on its way: retry in a minute.
 *
 * The server's clock is taken from the answer that carried the sums, because our own may be wrong.
 */
void core_on_markers(struct protocol_run *run, const struct protocol_event *ev,
                     struct protocol_effect *fx)
{
    const struct ledger_part *p = core_current(run);
    if (ev->kind != EVENT_MARKERS) {
        core_skip_part(run, RETRY_READ_MS);
        core_next_part(run, fx);
        return;
    }
    if (ev->applied > 0) {
        run->tally.violations += ev->applied > 1;
        core_start_result(run, RESULT_APPLIED, ev, fx);
        return;
    }
    int64_t fence_ms = p->date_ms + run->config.fence_ms;
    if (ev->server_ms <= fence_ms) {
        /* Without a server's date there is no fence: ask again. */
        core_skip_part(run, ev->server_ms == 0 ? RETRY_READ_MS : fence_ms - ev->server_ms + 1);
        core_next_part(run, fx);
    } else if (run->config.no_control || (run->confirming && ev->control_applied > 0)) {
        core_start_result(run, RESULT_ABSENT, ev, fx);
    } else if (p->control.minute != 0 && ev->control_applied > 0) {
        /* Both were read in one answer, the control perhaps last.  Only a read that begins after
         * the control was seen says that the marker is absent. */
        run->confirming = true;
        emit_read_markers(run, fx);
    } else if (!run->stop &&
               (p->control.minute == 0 || ev->server_ms > p->control_ms + run->config.fence_ms)) {
        core_effect(run, fx, PHASE_CONTROL_MARKER, EFFECT_MARKER);
    } else {
        core_skip_part(run, RETRY_READ_MS);
        core_next_part(run, fx);
    }
}

void core_on_control_marker(struct protocol_run *run, const struct protocol_event *ev,
                            struct protocol_effect *fx)
{
    if (ev->kind != EVENT_MARKER) {
        core_skip_part(run, RETRY_READ_MS);
        core_next_part(run, fx);
        return;
    }
    run->next = *core_current(run);
    run->next.nonce = ev->fresh;
    run->next.control = ev->marker;
    run->next.control_ms = core_server_now(run);
    run->next_split = false;
    core_emit_journal(run, PHASE_CONTROL_JOURNAL, fx);
}

void core_emit_send_control(struct protocol_run *run, struct protocol_effect *fx)
{
    core_effect(run, fx, PHASE_CONTROL_SEND, EFFECT_SEND_CONTROL);
    fx->control = core_current(run)->control;
}

/* ---- the record of this run's batch was read again ---- */

void core_reload(struct protocol_run *run, enum after_load after, struct protocol_effect *fx)
{
    run->after_load = (uint8_t)after;
    core_effect(run, fx, PHASE_RELOAD, EFFECT_LOAD);
}

/*
 * Whether the write without an answer was applied: its nonce is in the record, or it is not.  Not
 * ours means that another worker took the batch over; what it journaled holds.
 */
static void on_reload_part(struct protocol_run *run, const struct protocol_event *ev,
                           struct protocol_effect *fx)
{
    const struct ledger_part *p = core_current(run);
    bool ours = ledger_nonce_eq(&p->nonce, &run->next.nonce);
    switch ((enum after_load)run->after_load) {
    case AFTER_SENDING:
        if (ours)
            core_emit_send(run, fx); /* journaled by the write whose answer was lost; not sent */
        else
            core_next_part(run, fx);
        return;
    case AFTER_CONTROL:
        if (ours)
            core_emit_send_control(run, fx);
        else
            core_next_part(run, fx);
        return;
    default: break;
    }
    if (ours) {
        core_tally_result(run, run->next.tokens);
        core_next_part(run, fx);
    } else if (p->state == PART_SENDING && ledger_marker_eq(&p->marker, &run->sent)) {
        core_journal_result(run, ev, fx);
    } else {
        /* Somebody else concluded.  That an applied attempt was planned again cannot happen while
         * the assumptions hold; say so if it does. */
        bool applied = run->result == RESULT_ACCEPTED || run->result == RESULT_APPLIED;
        if (applied && p->state != PART_ACKED && run->config.policy == POLICY_RESOLVE)
            run->tally.violations++;
        core_next_part(run, fx);
    }
}

/*
 * A batch that is absent or ABORTED was never prepared: its objects are claimed again by whoever
 * retries them.  One that is being recovered is left alone while its worker's lease runs.
 */
void core_on_reload(struct protocol_run *run, const struct protocol_event *ev,
                    struct protocol_effect *fx)
{
    if (ev->kind != EVENT_BATCH) {
        if (core_try_again(run))
            core_reload(run, (enum after_load)run->after_load, fx);
        else
            core_give_up(run, fx);
        return;
    }
    if (ev->batch == NULL || ev->batch->state == BATCH_ABORTED) {
        run->batch.state = ev->batch == NULL ? BATCH_NONE : BATCH_ABORTED;
        core_end_run(run, fx);
        return;
    }
    run->batch = *ev->batch;
    if (run->after_load == AFTER_PREPARE) {
        run->tries = 0;
        core_next_part(run, fx);
    } else if (run->after_load == AFTER_RECOVER) {
        run->tries = 0;
        if (run->batch.state == BATCH_PREPARED && core_lease_lapsed(run, run->batch.prepared_ms))
            core_next_part(run, fx);
        else
            core_end_run(run, fx);
    } else if (core_try_again(run)) {
        on_reload_part(run, ev, fx);
    } else {
        core_give_up(run, fx);
    }
}
