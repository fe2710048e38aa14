/*
 * Every handler ends by writing one effect; `next_claim` and `next_part` are the two places that
 * decide what comes next.  Whatever a ledger call answered that is not a plain "it holds", the
 * record is read again and decides: nothing is concluded from a missing answer.
 */
#include "ledger/protocol_core.h"

#include <string.h>

enum phase {
    PHASE_BEGIN,
    PHASE_CLAIM,
    PHASE_LOOK,
    PHASE_ABORT,
    PHASE_READ,
    PHASE_PREPARE,
    PHASE_RELOAD,
    PHASE_MARKER,
    PHASE_SIGN,
    PHASE_SENDING,
    PHASE_SEND,
    PHASE_RESULT,
    PHASE_READ_MARKERS,
    PHASE_CONTROL_MARKER,
    PHASE_CONTROL_JOURNAL,
    PHASE_CONTROL_SEND,
    PHASE_DONE,
    PHASE_RELEASE,
    PHASE_END,
};

enum after_load { AFTER_RECOVER, AFTER_PREPARE, AFTER_SENDING, AFTER_RESULT, AFTER_CONTROL };

/* What is known of an attempt, waiting to be journaled. */
enum result {
    RESULT_ACCEPTED, /* answered 200 */
    RESULT_APPLIED,  /* its marker was read */
    RESULT_REFUSED,
    RESULT_INVALID,
    RESULT_ABSENT, /* past the fence and its marker is proven absent */
    RESULT_RESEND, /* in doubt, policy */
    RESULT_DROP,   /* in doubt, policy */
};

enum {
    RETRY_SOON_MS = 1000,
    RETRY_READ_MS = 60 * 1000, /* markers are usually readable within a minute or two */
    /* A date further ahead than any live sender's: a wrong clock's.  Resolving waits for it all the
     * same, because until then the request could be applied; the other policies take the risk, and
     * count it, so that a part can be freed by hand. */
    DATE_AHEAD_MAX_MS = 2 * 60 * 60 * 1000,
    BACKOFF_FIRST_MS = 200,
    BACKOFF_DOUBLINGS_MAX = 7,
};

const struct protocol_config PROTOCOL_DEFAULTS = {
    .policy = POLICY_RESOLVE,
    .lease_ms = 5 * 60 * 1000,
    .fence_ms = PROTOCOL_FENCE_MS,
    .ledger_tries = 4,
    .send_tries = 5,
};

static const struct ledger_nonce NONCE_NONE;
static const struct ledger_marker MARKER_NONE;

static void next_part(struct protocol_run *run, struct protocol_effect *fx);

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

static int64_t server_now(const struct protocol_run *run)
{
    return run->now_ms + run->clock_error_ms;
}

static void note_retry(struct protocol_run *run, int64_t after_ms)
{
    if (after_ms < RETRY_SOON_MS)
        after_ms = RETRY_SOON_MS;
    if (run->retry_after_ms == 0 || after_ms < run->retry_after_ms)
        run->retry_after_ms = after_ms;
}

static bool lease_lapsed(struct protocol_run *run, int64_t since_ms)
{
    int64_t left_ms = since_ms + run->config.lease_ms - server_now(run);
    /* A claim dated far ahead comes from a wrong clock, and must not block until then.  Taking a
     * lease for lapsed is always safe: it costs its owner some work, never a count. */
    if (left_ms <= 0 || left_ms > 2 * run->config.lease_ms)
        return true;
    note_retry(run, left_ms);
    return false;
}

static void set_objects(struct protocol_run *run, enum protocol_object_state from,
                        enum protocol_object_state to)
{
    for (uint16_t i = 0; i < run->n_objects; i++)
        if (run->objects[i].state == from)
            run->objects[i].state = (uint8_t)to;
}

static uint16_t count_objects(const struct protocol_run *run, enum protocol_object_state state)
{
    uint16_t n = 0;
    for (uint16_t i = 0; i < run->n_objects; i++)
        n = (uint16_t)(n + (run->objects[i].state == state));
    return n;
}

static void effect_simple(struct protocol_run *run, struct protocol_effect *fx, enum phase phase,
                          enum protocol_effect_kind kind)
{
    run->phase = (uint8_t)phase;
    fx->kind = kind;
    fx->batch_id = run->batch.id;
    fx->time_ms = server_now(run);
}

static void end_run(struct protocol_run *run, struct protocol_effect *fx)
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
    if (mine == OBJECT_RETRY && count_objects(run, OBJECT_RETRY) > 0)
        note_retry(run, RETRY_SOON_MS);
    effect_simple(run, fx, PHASE_END, EFFECT_END);
}

/* Nothing will be prepared: let the claims go now instead of after their lease. */
static void release(struct protocol_run *run, struct protocol_effect *fx)
{
    effect_simple(run, fx, PHASE_RELEASE, EFFECT_ABORT);
}

/* One more ledger call without success; false when it is enough for now. */
static bool try_again(struct protocol_run *run)
{
    return ++run->tries <= run->config.ledger_tries;
}

static void give_up(struct protocol_run *run, struct protocol_effect *fx)
{
    run->waiting = true;
    note_retry(run, RETRY_SOON_MS);
    end_run(run, fx);
}

/* ---- claim ---- */

static void next_claim(struct protocol_run *run, struct protocol_effect *fx)
{
    if (!run->stop && count_objects(run, OBJECT_CLAIM) > 0) {
        effect_simple(run, fx, PHASE_CLAIM, EFFECT_CLAIM);
        return;
    }
    if (!run->stop) {
        for (uint16_t i = 0; i < run->n_objects; i++) {
            if (run->objects[i].state != OBJECT_LOOK)
                continue;
            run->looked_at = run->objects[i].owner;
            effect_simple(run, fx, PHASE_LOOK, EFFECT_LOAD);
            fx->batch_id = run->looked_at;
            return;
        }
    }
    if (count_objects(run, OBJECT_MINE) == 0)
        end_run(run, fx);
    else if (run->stop)
        release(run, fx);
    else
        effect_simple(run, fx, PHASE_READ, EFFECT_READ);
}

/* An object that could not be claimed or looked at this time. */
static void count_try(struct protocol_run *run, struct protocol_object *o)
{
    if (++o->tries > run->config.ledger_tries)
        o->state = OBJECT_RETRY;
}

static void on_claims(struct protocol_run *run, const struct protocol_event *ev)
{
    for (uint16_t i = 0; i < run->n_objects; i++) {
        struct protocol_object *o = &run->objects[i];
        if (o->state != OBJECT_CLAIM)
            continue;
        const struct protocol_claim unknown = {.result = CLAIM_UNKNOWN};
        const struct protocol_claim *c = ev->kind == EVENT_CLAIMS ? &ev->claims[i] : &unknown;
        switch (c->result) {
        case CLAIM_MINE: o->state = OBJECT_MINE; break;
        case CLAIM_OTHER:
            o->owner = c->owner;
            o->claimed_ms = c->claimed_ms;
            o->state = ledger_nonce_eq(&c->owner, &run->batch.id) ? OBJECT_MINE : OBJECT_LOOK;
            break;
        case CLAIM_ABSENT:
            o->owner = NONCE_NONE;
            count_try(run, o);
            break;
        default: count_try(run, o);
        }
    }
}

static bool is_member(const struct protocol_event *ev, const struct ledger_id *id)
{
    for (uint16_t i = 0; i < ev->batch->n_members; i++)
        if (ledger_id_eq(&ev->members[i], id))
            return true;
    return false;
}

/* The batch of an owner was read.  True when it has to be aborted before its objects are free. */
static bool on_look(struct protocol_run *run, const struct protocol_event *ev)
{
    bool abort_it = false;
    enum ledger_batch_state state = BATCH_NONE;
    if (ev->batch != NULL)
        state = (enum ledger_batch_state)ev->batch->state;
    for (uint16_t i = 0; i < run->n_objects; i++) {
        struct protocol_object *o = &run->objects[i];
        if (o->state != OBJECT_LOOK || !ledger_nonce_eq(&o->owner, &run->looked_at))
            continue;
        if (ev->kind != EVENT_BATCH) {
            count_try(run, o);
        } else if (state == BATCH_NONE) {
            if (lease_lapsed(run, o->claimed_ms))
                abort_it = true;
            else
                o->state = OBJECT_BUSY;
        } else if (state == BATCH_ABORTED || !is_member(ev, &o->id)) {
            o->state = OBJECT_CLAIM;
        } else if (state == BATCH_DONE) {
            o->state = OBJECT_COUNTED_BEFORE;
        } else {
            o->state = OBJECT_PENDING;
            if (lease_lapsed(run, ev->batch->prepared_ms))
                note_retry(run, RETRY_SOON_MS);
        }
    }
    return abort_it;
}

/* The tombstone of an owner was written, or not: then its record is read again. */
static void on_abort(struct protocol_run *run, const struct protocol_event *ev)
{
    for (uint16_t i = 0; i < run->n_objects; i++) {
        struct protocol_object *o = &run->objects[i];
        if (o->state != OBJECT_LOOK || !ledger_nonce_eq(&o->owner, &run->looked_at))
            continue;
        if (ev->kind == EVENT_OK)
            o->state = OBJECT_CLAIM;
        else
            count_try(run, o);
    }
}

/* ---- read and prepare ---- */

static void on_read(struct protocol_run *run, const struct protocol_event *ev,
                    struct protocol_effect *fx)
{
    for (uint16_t i = 0; i < run->n_objects; i++)
        if (run->objects[i].state == OBJECT_MINE && (ev->kind != EVENT_READ || !ev->kept[i]))
            run->objects[i].state = OBJECT_UNREAD;
    run->batch.n_members = count_objects(run, OBJECT_MINE);
    if (run->batch.n_members == 0 || run->stop) {
        release(run, fx);
        return;
    }
    run->batch.n_parts = ev->n_parts;
    for (uint16_t i = 0; i < ev->n_parts; i++)
        run->batch.parts[i] = (struct ledger_part){.state = PART_PLANNED,
                                                   .payload = ev->parts[i].payload,
                                                   .first = ev->parts[i].first,
                                                   .count = ev->parts[i].count,
                                                   .tokens = ev->parts[i].tokens};
    run->batch.prepared_ms = server_now(run);
    run->tries = 0;
    effect_simple(run, fx, PHASE_PREPARE, EFFECT_PREPARE);
}

static void reload(struct protocol_run *run, enum after_load after, struct protocol_effect *fx)
{
    run->after_load = (uint8_t)after;
    effect_simple(run, fx, PHASE_RELOAD, EFFECT_LOAD);
}

static void on_prepare(struct protocol_run *run, const struct protocol_event *ev,
                       struct protocol_effect *fx)
{
    if (ev->kind == EVENT_OK) {
        run->batch.state = BATCH_PREPARED;
        run->tries = 0;
        next_part(run, fx);
    } else if (ev->kind == EVENT_CONFLICT) {
        reload(run, AFTER_PREPARE, fx); /* a tombstone, or our own write whose answer was lost */
    } else if (try_again(run)) {
        effect_simple(run, fx, PHASE_PREPARE, EFFECT_PREPARE);
    } else {
        give_up(run, fx);
    }
}

/* ---- parts ---- */

static struct ledger_part *current(struct protocol_run *run)
{
    return &run->batch.parts[run->part];
}

static void skip_part(struct protocol_run *run, int64_t retry_after_ms)
{
    run->skipped |= (uint64_t)1 << run->part;
    run->waiting = true;
    run->confirming = false;
    note_retry(run, retry_after_ms);
}

static void hold_part(struct protocol_run *run)
{
    run->skipped |= (uint64_t)1 << run->part;
    run->tally.held++;
    run->tally.held_tokens += current(run)->tokens;
}

static int64_t backoff_ms(const struct protocol_run *run)
{
    unsigned n = run->refused_in_row;
    if (n == 0)
        return 0;
    return (int64_t)BACKOFF_FIRST_MS << (n > BACKOFF_DOUBLINGS_MAX ? BACKOFF_DOUBLINGS_MAX : n - 1);
}

static void emit_journal(struct protocol_run *run, enum phase phase, struct protocol_effect *fx)
{
    effect_simple(run, fx, phase, EFFECT_JOURNAL);
    fx->index = run->part;
    fx->expected = current(run)->nonce;
    fx->part = run->next;
    fx->split = run->next_split;
    fx->extra = run->next_extra;
    fx->n_parts = run->batch.n_parts;
}

/* Journal what is known of the attempt that is current in the record as it was last read. */
static void journal_result(struct protocol_run *run, const struct protocol_event *ev,
                           struct protocol_effect *fx)
{
    struct ledger_part *next = &run->next;
    *next = *current(run);
    next->nonce = ev->fresh;
    run->next_split = false;
    switch ((enum result)run->result) {
    case RESULT_ACCEPTED:
    case RESULT_APPLIED: next->state = PART_ACKED; break;
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
    emit_journal(run, PHASE_RESULT, fx);
}

static void start_result(struct protocol_run *run, enum result result,
                         const struct protocol_event *ev, struct protocol_effect *fx)
{
    run->result = (uint8_t)result;
    run->sent = current(run)->marker;
    run->confirming = false;
    run->tries = 0;
    journal_result(run, ev, fx);
}

static void emit_read_markers(struct protocol_run *run, struct protocol_effect *fx)
{
    effect_simple(run, fx, PHASE_READ_MARKERS, EFFECT_READ_MARKERS);
    fx->index = run->part;
    fx->part = *current(run);
    fx->control = current(run)->control;
}

/* A part journaled as SENDING that nobody here waits for.  False: look at the next part. */
static bool in_doubt(struct protocol_run *run, struct protocol_effect *fx)
{
    struct ledger_part *p = current(run);
    if (run->config.policy == POLICY_RESOLVE) {
        emit_read_markers(run, fx);
        return true;
    }
    int64_t left_ms = p->date_ms + run->config.fence_ms - server_now(run);
    if (left_ms > 0 && left_ms < DATE_AHEAD_MAX_MS) {
        /* Its sender may still be at work; only what is surely orphaned is given up. */
        skip_part(run, left_ms + RETRY_SOON_MS);
        return false;
    }
    if (run->config.policy == POLICY_HOLD) {
        hold_part(run);
        return false;
    }
    run->result = run->config.policy == POLICY_RESEND ? RESULT_RESEND : RESULT_DROP;
    run->sent = p->marker;
    run->tries = 0;
    /* The nonce of the write has to be new, and the last event's may be used: read first. */
    reload(run, AFTER_RESULT, fx);
    return true;
}

static void next_part(struct protocol_run *run, struct protocol_effect *fx)
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
            if (in_doubt(run, fx))
                return;
        } else if (run->stop || run->refused_in_row > run->config.send_tries) {
            skip_part(run, backoff_ms(run));
        } else {
            effect_simple(run, fx, PHASE_MARKER, EFFECT_MARKER);
            fx->delay_ms = backoff_ms(run);
            return;
        }
    }
    if (all_final)
        effect_simple(run, fx, PHASE_DONE, EFFECT_DONE);
    else
        end_run(run, fx);
}

static void on_marker(struct protocol_run *run, const struct protocol_event *ev,
                      struct protocol_effect *fx)
{
    if (ev->kind != EVENT_MARKER) {
        if (try_again(run))
            effect_simple(run, fx, PHASE_MARKER, EFFECT_MARKER);
        else
            give_up(run, fx);
        return;
    }
    run->next = *current(run);
    run->next.state = PART_SENDING;
    run->next.marker = ev->marker;
    run->next_split = false;
    effect_simple(run, fx, PHASE_SIGN, EFFECT_SIGN);
    fx->index = run->part;
    fx->part = run->next;
}

static void on_signed(struct protocol_run *run, const struct protocol_event *ev,
                      struct protocol_effect *fx)
{
    if (ev->kind == EVENT_SIGNED) {
        run->next.nonce = ev->fresh;
        run->next.date_ms = ev->date_ms;
        emit_journal(run, PHASE_SENDING, fx);
    } else if (ev->kind == EVENT_INVALID) {
        run->head_tokens = ev->head_tokens;
        start_result(run, RESULT_INVALID, ev, fx);
    } else {
        /* Nothing is journaled, nothing was sent; the part is as it was. */
        run->refused_in_row++;
        next_part(run, fx);
    }
}

static void emit_send(struct protocol_run *run, struct protocol_effect *fx)
{
    run->tries = 0;
    effect_simple(run, fx, PHASE_SEND, EFFECT_SEND);
    fx->index = run->part;
    fx->part = *current(run);
}

static void on_sending(struct protocol_run *run, const struct protocol_event *ev,
                       struct protocol_effect *fx)
{
    if (ev->kind == EVENT_OK) {
        *current(run) = run->next;
        emit_send(run, fx);
    } else {
        reload(run, AFTER_SENDING, fx);
    }
}

static void on_send(struct protocol_run *run, const struct protocol_event *ev,
                    struct protocol_effect *fx)
{
    switch (ev->kind) {
    case EVENT_ACCEPTED:
        run->tally.requests_accepted++;
        run->refused_in_row = 0;
        start_result(run, RESULT_ACCEPTED, ev, fx);
        return;
    case EVENT_REFUSED:
        run->tally.requests_refused++;
        run->refused_in_row++;
        start_result(run, RESULT_REFUSED, ev, fx);
        return;
    case EVENT_INVALID:
        run->tally.requests_refused++;
        run->head_tokens = ev->head_tokens;
        start_result(run, RESULT_INVALID, ev, fx);
        return;
    default: break;
    }
    run->tally.requests_in_doubt++;
    switch (run->config.policy) {
    case POLICY_RESEND: start_result(run, RESULT_RESEND, ev, fx); return;
    case POLICY_DROP: start_result(run, RESULT_DROP, ev, fx); return;
    case POLICY_HOLD: hold_part(run); break;
    case POLICY_RESOLVE:
        skip_part(run, current(run)->date_ms + run->config.fence_ms - server_now(run));
        break;
    }
    next_part(run, fx);
}

static void tally_result(struct protocol_run *run, uint64_t tokens)
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

static void on_result(struct protocol_run *run, const struct protocol_event *ev,
                      struct protocol_effect *fx)
{
    if (ev->kind != EVENT_OK) {
        reload(run, AFTER_RESULT, fx);
        return;
    }
    tally_result(run, run->next.tokens);
    *current(run) = run->next;
    if (run->next_split)
        run->batch.parts[run->batch.n_parts++] = run->next_extra;
    run->tries = 0;
    next_part(run, fx);
}

/* ---- resolve ---- */

static void on_markers(struct protocol_run *run, const struct protocol_event *ev,
                       struct protocol_effect *fx)
{
    const struct ledger_part *p = current(run);
    if (ev->kind != EVENT_MARKERS) {
        skip_part(run, RETRY_READ_MS);
        next_part(run, fx);
        return;
    }
    if (ev->applied > 0) {
        run->tally.violations += ev->applied > 1;
        start_result(run, RESULT_APPLIED, ev, fx);
        return;
    }
    int64_t fence_ms = p->date_ms + run->config.fence_ms;
    if (ev->server_ms <= fence_ms) {
        /* Without a server's date there is no fence: ask again. */
        skip_part(run, ev->server_ms == 0 ? RETRY_READ_MS : fence_ms - ev->server_ms + 1);
        next_part(run, fx);
    } else if (run->config.no_control || (run->confirming && ev->control_applied > 0)) {
        start_result(run, RESULT_ABSENT, ev, fx);
    } else if (p->control.minute != 0 && ev->control_applied > 0) {
        /* Both were read in one answer, the control perhaps last.  Only a read that begins after
         * the control was seen says that the marker is absent. */
        run->confirming = true;
        emit_read_markers(run, fx);
    } else if (!run->stop &&
               (p->control.minute == 0 || ev->server_ms > p->control_ms + run->config.fence_ms)) {
        effect_simple(run, fx, PHASE_CONTROL_MARKER, EFFECT_MARKER);
    } else {
        skip_part(run, RETRY_READ_MS);
        next_part(run, fx);
    }
}

static void on_control_marker(struct protocol_run *run, const struct protocol_event *ev,
                              struct protocol_effect *fx)
{
    if (ev->kind != EVENT_MARKER) {
        skip_part(run, RETRY_READ_MS);
        next_part(run, fx);
        return;
    }
    run->next = *current(run);
    run->next.nonce = ev->fresh;
    run->next.control = ev->marker;
    run->next.control_ms = server_now(run);
    run->next_split = false;
    emit_journal(run, PHASE_CONTROL_JOURNAL, fx);
}

static void emit_send_control(struct protocol_run *run, struct protocol_effect *fx)
{
    effect_simple(run, fx, PHASE_CONTROL_SEND, EFFECT_SEND_CONTROL);
    fx->control = current(run)->control;
}

/* ---- the record of this run's batch was read again ---- */

static void on_reload_part(struct protocol_run *run, const struct protocol_event *ev,
                           struct protocol_effect *fx)
{
    const struct ledger_part *p = current(run);
    bool ours = ledger_nonce_eq(&p->nonce, &run->next.nonce);
    switch ((enum after_load)run->after_load) {
    case AFTER_SENDING:
        if (ours)
            emit_send(run, fx); /* journaled by the write whose answer was lost; not sent yet */
        else
            next_part(run, fx);
        return;
    case AFTER_CONTROL:
        if (ours)
            emit_send_control(run, fx);
        else
            next_part(run, fx);
        return;
    default: break;
    }
    if (ours) {
        tally_result(run, run->next.tokens);
        next_part(run, fx);
    } else if (p->state == PART_SENDING && ledger_marker_eq(&p->marker, &run->sent)) {
        journal_result(run, ev, fx);
    } else {
        /* Somebody else concluded.  That an applied attempt was planned again cannot happen while
         * the assumptions hold; say so if it does. */
        bool applied = run->result == RESULT_ACCEPTED || run->result == RESULT_APPLIED;
        if (applied && p->state != PART_ACKED && run->config.policy == POLICY_RESOLVE)
            run->tally.violations++;
        next_part(run, fx);
    }
}

static void on_reload(struct protocol_run *run, const struct protocol_event *ev,
                      struct protocol_effect *fx)
{
    if (ev->kind != EVENT_BATCH) {
        if (try_again(run))
            reload(run, (enum after_load)run->after_load, fx);
        else
            give_up(run, fx);
        return;
    }
    if (ev->batch == NULL || ev->batch->state == BATCH_ABORTED) {
        run->batch.state = ev->batch == NULL ? BATCH_NONE : BATCH_ABORTED;
        end_run(run, fx);
        return;
    }
    run->batch = *ev->batch;
    if (run->after_load == AFTER_PREPARE) {
        run->tries = 0;
        next_part(run, fx);
    } else if (run->after_load == AFTER_RECOVER) {
        run->tries = 0;
        if (run->batch.state == BATCH_PREPARED && lease_lapsed(run, run->batch.prepared_ms))
            next_part(run, fx);
        else
            end_run(run, fx);
    } else if (try_again(run)) {
        on_reload_part(run, ev, fx);
    } else {
        give_up(run, fx);
    }
}

static void on_done(struct protocol_run *run, const struct protocol_event *ev,
                    struct protocol_effect *fx)
{
    if (ev->kind == EVENT_OK) {
        run->batch.state = BATCH_DONE;
        end_run(run, fx);
    } else if (try_again(run)) {
        effect_simple(run, fx, PHASE_DONE, EFFECT_DONE);
    } else {
        give_up(run, fx);
    }
}

static void on_begin(struct protocol_run *run, const struct protocol_event *ev,
                     struct protocol_effect *fx)
{
    if (ev->kind == EVENT_RECOVER) {
        run->recovering = true;
        run->batch.id = ev->batch_id;
        reload(run, AFTER_RECOVER, fx);
    } else {
        run->batch.id = ev->fresh;
        next_claim(run, fx);
    }
}

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
        on_claims(run, ev);
        next_claim(run, fx);
        return;
    case PHASE_LOOK:
        if (on_look(run, ev)) {
            effect_simple(run, fx, PHASE_ABORT, EFFECT_ABORT);
            fx->batch_id = run->looked_at;
        } else {
            next_claim(run, fx);
        }
        return;
    case PHASE_ABORT:
        on_abort(run, ev);
        next_claim(run, fx);
        return;
    case PHASE_READ: on_read(run, ev, fx); return;
    case PHASE_PREPARE: on_prepare(run, ev, fx); return;
    case PHASE_RELOAD: on_reload(run, ev, fx); return;
    case PHASE_MARKER: on_marker(run, ev, fx); return;
    case PHASE_SIGN: on_signed(run, ev, fx); return;
    case PHASE_SENDING: on_sending(run, ev, fx); return;
    case PHASE_SEND: on_send(run, ev, fx); return;
    case PHASE_RESULT: on_result(run, ev, fx); return;
    case PHASE_READ_MARKERS: on_markers(run, ev, fx); return;
    case PHASE_CONTROL_MARKER: on_control_marker(run, ev, fx); return;
    case PHASE_CONTROL_JOURNAL:
        if (ev->kind == EVENT_OK) {
            *current(run) = run->next;
            emit_send_control(run, fx);
        } else {
            reload(run, AFTER_CONTROL, fx);
        }
        return;
    case PHASE_CONTROL_SEND:
        skip_part(run, RETRY_READ_MS);
        next_part(run, fx);
        return;
    case PHASE_DONE: on_done(run, ev, fx); return;
    case PHASE_RELEASE:
    case PHASE_END: end_run(run, fx); return;
    }
}
