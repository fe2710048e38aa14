/*
 * protocol_core.c: the state machine of a run, and what begins and ends it.
 *
 * Every handler ends by writing one effect; `core_next_claim` and `core_next_part` are the two
 * places that decide what comes next.  Whatever a ledger call answered that is not a plain "it
 * holds", the record is read again and decides: nothing is concluded from a missing answer.
 */
#include "ledger/protocol_private.h"

#include <string.h>

const struct protocol_config PROTOCOL_DEFAULTS = {
    .policy = POLICY_RESOLVE,
    .lease_ms = 5 * 60 * 1000,
    .fence_ms = PROTOCOL_FENCE_MS,
    .ledger_tries = 4,
    .send_tries = 5,
};

void protocol_run_init(struct protocol_run *run, const struct protocol_config *config,
                       const struct ledger_id *ids, uint16_t n, int64_t clock_error_ms)
{
    memset(run, 0, sizeof *run);
    run->config = *config;
    run->clock_error_ms = clock_error_ms;
    run->n_objects = n;
    for (uint16_t i = 0; i < n; i++)
        run->objects[i].id = ids[i];
}

int64_t core_server_now(const struct protocol_run *run)
{
    return run->now_ms + run->clock_error_ms;
}

void core_note_retry(struct protocol_run *run, int64_t after_ms)
{
    if (after_ms < RETRY_SOON_MS)
        after_ms = RETRY_SOON_MS;
    if (run->retry_after_ms == 0 || after_ms < run->retry_after_ms)
        run->retry_after_ms = after_ms;
}

bool core_lease_lapsed(struct protocol_run *run, int64_t since_ms)
{
    int64_t left_ms = since_ms + run->config.lease_ms - core_server_now(run);
    /* A claim dated far ahead comes from a wrong clock, and must not block until then.  Taking a
     * lease for lapsed is always safe: it costs its owner some work, never a count. */
    if (left_ms <= 0 || left_ms > 2 * run->config.lease_ms)
        return true;
    core_note_retry(run, left_ms);
    return false;
}

static void set_objects(struct protocol_run *run, enum protocol_object_state from,
                        enum protocol_object_state to)
{
    for (uint16_t i = 0; i < run->n_objects; i++)
        if (run->objects[i].state == from)
            run->objects[i].state = (uint8_t)to;
}

uint16_t core_count_objects(const struct protocol_run *run, enum protocol_object_state state)
{
    uint16_t n = 0;
    for (uint16_t i = 0; i < run->n_objects; i++)
        n = (uint16_t)(n + (run->objects[i].state == state));
    return n;
}

void core_effect(struct protocol_run *run, struct protocol_effect *fx, enum phase phase,
                 enum protocol_effect_kind kind)
{
    run->phase = (uint8_t)phase;
    fx->kind = kind;
    fx->batch_id = run->batch.id;
    fx->time_ms = core_server_now(run);
}

/*
 * What the run's objects are when it ends.  Members of a prepared batch stay PENDING, so that
 * their messages are kept until somebody finishes the batch; if all that is left is held for a
 * person, the messages may be deleted, because nothing a worker can do would finish it.
 */
void core_end_run(struct protocol_run *run, struct protocol_effect *fx)
{
    enum protocol_object_state mine = OBJECT_RETRY;
    if (run->batch.state == BATCH_DONE)
        mine = OBJECT_COUNTED;
    else if (run->batch.state == BATCH_PREPARED)
        mine = run->tally.held > 0 && !run->waiting ? OBJECT_HELD : OBJECT_PENDING;
    for (uint16_t i = 0; i < run->n_objects; i++)
        if (run->objects[i].state == OBJECT_MINE)
            run->objects[i].owner = run->batch.id;
    set_objects(run, OBJECT_MINE, mine);
    set_objects(run, OBJECT_CLAIM, OBJECT_RETRY);
    set_objects(run, OBJECT_LOOK, OBJECT_RETRY);
    if (mine == OBJECT_RETRY && core_count_objects(run, OBJECT_RETRY) > 0)
        core_note_retry(run, RETRY_SOON_MS);
    core_effect(run, fx, PHASE_END, EFFECT_END);
}

void core_release(struct protocol_run *run, struct protocol_effect *fx)
{
    core_effect(run, fx, PHASE_RELEASE, EFFECT_ABORT);
}

bool core_try_again(struct protocol_run *run)
{
    return ++run->tries <= run->config.ledger_tries;
}

void core_give_up(struct protocol_run *run, struct protocol_effect *fx)
{
    run->waiting = true;
    core_note_retry(run, RETRY_SOON_MS);
    core_end_run(run, fx);
}

/*
 * The journal of the parts is the only source: a run that takes over a batch reports the same
 * amounts as the run that met the doubt.
 */
bool ledger_batch_doubts(const struct ledger_batch *b, struct ledger_doubts *out)
{
    *out = (struct ledger_doubts){0};
    for (uint16_t i = 0; i < b->n_parts; i++) {
        const struct ledger_part *p = &b->parts[i];
        out->applied += p->resolved_applied;
        out->absent += p->resolved_absent;
        out->resent += p->resent;
        out->resent_tokens += p->resent * p->tokens;
        if (p->state == PART_DROPPED) {
            out->dropped++;
            out->dropped_tokens += p->tokens;
        }
    }
    return out->applied > 0 || out->absent > 0 || out->resent > 0 || out->dropped > 0;
}

void core_all_final(struct protocol_run *run, struct protocol_effect *fx)
{
    struct ledger_doubts doubts;
    if (!run->reported && ledger_batch_doubts(&run->batch, &doubts))
        core_effect(run, fx, PHASE_REPORT, EFFECT_REPORT);
    else
        core_effect(run, fx, PHASE_DONE, EFFECT_DONE);
}

/* Whether the report is sent is another run's business; here it only has to be durable. */
static void on_report(struct protocol_run *run, const struct protocol_event *ev,
                      struct protocol_effect *fx)
{
    if (ev->kind == EVENT_OK) {
        run->reported = true;
        run->tries = 0;
        core_all_final(run, fx);
    } else {
        core_give_up(run, fx); /* the batch stays on the list of open ones */
    }
}

static void on_done(struct protocol_run *run, const struct protocol_event *ev,
                    struct protocol_effect *fx)
{
    if (ev->kind == EVENT_OK) {
        run->batch.state = BATCH_DONE;
        run->finished = true;
        core_end_run(run, fx);
    } else if (core_try_again(run)) {
        core_effect(run, fx, PHASE_DONE, EFFECT_DONE);
    } else {
        core_give_up(run, fx);
    }
}

static void on_begin(struct protocol_run *run, const struct protocol_event *ev,
                     struct protocol_effect *fx)
{
    if (ev->kind == EVENT_RECOVER) {
        run->recovering = true;
        run->batch.id = ev->batch_id;
        core_reload(run, AFTER_RECOVER, fx);
    } else {
        run->batch.id = ev->fresh;
        core_next_claim(run, fx);
    }
}

/*
 * The clock error is learned from every answer with a Date, so that a worker with a wrong clock is
 * right after its first answer.  `stop` is sticky: once set, nothing new begins in this run.
 */
void protocol_step(struct protocol_run *run, const struct protocol_event *ev,
                   struct protocol_effect *fx)
{
    memset(fx, 0, sizeof *fx);
    run->now_ms = ev->now_ms;
    if (ev->server_ms != 0)
        run->clock_error_ms = ev->server_ms - ev->now_ms;
    run->stop = run->stop || ev->stop;

    switch ((enum phase)run->phase) {
    case PHASE_BEGIN: on_begin(run, ev, fx); return;
    case PHASE_CLAIM:
        core_on_claims(run, ev);
        core_next_claim(run, fx);
        return;
    case PHASE_LOOK:
        if (core_on_look(run, ev)) {
            core_effect(run, fx, PHASE_ABORT, EFFECT_ABORT);
            fx->batch_id = run->looked_at;
        } else {
            core_next_claim(run, fx);
        }
        return;
    case PHASE_ABORT:
        core_on_abort(run, ev);
        core_next_claim(run, fx);
        return;
    case PHASE_READ: core_on_read(run, ev, fx); return;
    case PHASE_PREPARE: core_on_prepare(run, ev, fx); return;
    case PHASE_RELOAD: core_on_reload(run, ev, fx); return;
    case PHASE_MARKER: core_on_marker(run, ev, fx); return;
    case PHASE_SIGN: core_on_signed(run, ev, fx); return;
    case PHASE_SENDING: core_on_sending(run, ev, fx); return;
    case PHASE_SEND: core_on_send(run, ev, fx); return;
    case PHASE_RESULT: core_on_result(run, ev, fx); return;
    case PHASE_READ_MARKERS: core_on_markers(run, ev, fx); return;
    case PHASE_CONTROL_MARKER: core_on_control_marker(run, ev, fx); return;
    case PHASE_CONTROL_JOURNAL:
        if (ev->kind == EVENT_OK) {
            *core_current(run) = run->next;
            core_emit_send_control(run, fx);
        } else {
            core_reload(run, AFTER_CONTROL, fx);
        }
        return;
    case PHASE_CONTROL_SEND:
        core_skip_part(run, RETRY_READ_MS);
        core_next_part(run, fx);
        return;
    case PHASE_REPORT: on_report(run, ev, fx); return;
    case PHASE_DONE: on_done(run, ev, fx); return;
    case PHASE_RELEASE:
    case PHASE_END: core_end_run(run, fx); return;
    }
}
