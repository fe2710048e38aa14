/* From objects to a prepared batch. */
#include "ledger/protocol_private.h"

static const struct ledger_nonce NONCE_NONE;

void core_next_claim(struct protocol_run *run, struct protocol_effect *fx)
{
    if (!run->stop && core_count_objects(run, OBJECT_CLAIM) > 0) {
        core_effect(run, fx, PHASE_CLAIM, EFFECT_CLAIM);
        return;
    }
    if (!run->stop) {
        for (uint16_t i = 0; i < run->n_objects; i++) {
            if (run->objects[i].state != OBJECT_LOOK)
                continue;
            run->looked_at = run->objects[i].owner;
            core_effect(run, fx, PHASE_LOOK, EFFECT_LOAD);
            fx->batch_id = run->looked_at;
            return;
        }
    }
    if (core_count_objects(run, OBJECT_MINE) == 0)
        core_end_run(run, fx);
    else if (run->stop)
        core_release(run, fx);
    else
        core_effect(run, fx, PHASE_READ, EFFECT_READ);
}

/* An object that could not be claimed or looked at this time. */
static void count_try(struct protocol_run *run, struct protocol_object *o)
{
    if (++o->tries > run->config.ledger_tries)
        o->state = OBJECT_RETRY;
}

void core_on_claims(struct protocol_run *run, const struct protocol_event *ev)
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

static bool is_member(const struct protocol_event *ev, const struct ledger_id *id, uint64_t *tag)
{
    for (uint16_t i = 0; i < ev->batch->n_members; i++) {
        if (!ledger_id_eq(&ev->members[i], id))
            continue;
        *tag = ev->tags == NULL ? 0 : ev->tags[i];
        return true;
    }
    return false;
}

bool core_on_look(struct protocol_run *run, const struct protocol_event *ev)
{
    bool abort_it = false;
    enum ledger_batch_state state = BATCH_NONE;
    if (ev->batch != NULL)
        state = (enum ledger_batch_state)ev->batch->state;
    for (uint16_t i = 0; i < run->n_objects; i++) {
        struct protocol_object *o = &run->objects[i];
        uint64_t tag = 0;
        if (o->state != OBJECT_LOOK || !ledger_nonce_eq(&o->owner, &run->looked_at))
            continue;
        if (ev->kind != EVENT_BATCH) {
            count_try(run, o);
        } else if (state == BATCH_NONE) {
            if (core_lease_lapsed(run, o->claimed_ms))
                abort_it = true;
            else
                o->state = OBJECT_BUSY;
        } else if (state == BATCH_ABORTED || !is_member(ev, &o->id, &tag)) {
            o->state = OBJECT_CLAIM;
        } else if (state == BATCH_DONE) {
            o->state = OBJECT_COUNTED_BEFORE;
            o->changed = o->tag != 0 && tag != 0 && o->tag != tag;
        } else {
            o->state = OBJECT_PENDING;
            if (core_lease_lapsed(run, ev->batch->prepared_ms))
                core_note_retry(run, RETRY_SOON_MS);
        }
    }
    return abort_it;
}

void core_on_abort(struct protocol_run *run, const struct protocol_event *ev)
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

void core_on_read(struct protocol_run *run, const struct protocol_event *ev,
                  struct protocol_effect *fx)
{
    for (uint16_t i = 0; i < run->n_objects; i++)
        if (run->objects[i].state == OBJECT_MINE && (ev->kind != EVENT_READ || !ev->kept[i]))
            run->objects[i].state = OBJECT_UNREAD;
    run->batch.n_members = core_count_objects(run, OBJECT_MINE);
    if (run->batch.n_members == 0 || run->stop) {
        core_release(run, fx);
        return;
    }
    run->batch.n_parts = ev->n_parts;
    for (uint16_t i = 0; i < ev->n_parts; i++)
        run->batch.parts[i] = (struct ledger_part){.state = PART_PLANNED,
                                                   .payload = ev->parts[i].payload,
                                                   .first = ev->parts[i].first,
                                                   .count = ev->parts[i].count,
                                                   .tokens = ev->parts[i].tokens};
    run->batch.prepared_ms = core_server_now(run);
    run->tries = 0;
    core_effect(run, fx, PHASE_PREPARE, EFFECT_PREPARE);
}

void core_on_prepare(struct protocol_run *run, const struct protocol_event *ev,
                     struct protocol_effect *fx)
{
    if (ev->kind == EVENT_OK) {
        run->batch.state = BATCH_PREPARED;
        run->tries = 0;
        core_next_part(run, fx);
    } else if (ev->kind == EVENT_CONFLICT) {
        core_reload(run, AFTER_PREPARE,
                    fx); /* a tombstone, or our own write whose answer was lost */
    } else if (core_try_again(run)) {
        core_effect(run, fx, PHASE_PREPARE, EFFECT_PREPARE);
    } else {
        core_give_up(run, fx);
    }
}
