/*
 * protocol_claim.c: from objects to a prepared batch: claim, look at other owners, read, prepare.
 *
 * Nothing in here is sent.  Until the batch record is written, a claim is only a hint that
 * somebody is at work on an object, and any worker may take it over after its lease.
 */
#include "ledger/protocol_private.h"

static const struct ledger_nonce NONCE_NONE;

/*
 * Claims come first, then the owners found on the way, one batch at a time, because what is read
 * of one owner usually decides several objects.  An object that becomes free is claimed again.
 */
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

/*
 * The rules for an object that another batch owns:
 *
 *   owner's batch     object in it?   what follows
 *   absent            -               lease running: BUSY; lapsed: write a tombstone, then claim
 *   ABORTED           -               claim it from that owner
 *   PREPARED, DONE    no              claim it: its owner could not read it
 *   PREPARED          yes             PENDING: it will be counted by whoever finishes that batch
 *   DONE              yes             COUNTED_BEFORE: a duplicate delivery, or a changed object
 *
 * The tombstone comes before the claim, because the owner may be alive and slow: with the
 * tombstone in place its prepare fails, and without it both batches could hold the object.
 */
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

/*
 * The batch takes only what was read whole; objects that were not are handed back as UNREAD.
 * Parts are counted out here and never change their data later: a retry sends the same bytes.
 */
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

/*
 * The write that makes the promise: from here on the batch will be sent, by this worker or by any
 * other one.  A missing answer is repeated, because the record is write-once and ours has our id;
 * a conflict is either our own write whose answer was lost or somebody's tombstone.
 */
void core_on_prepare(struct protocol_run *run, const struct protocol_event *ev,
                     struct protocol_effect *fx)
{
    if (ev->kind == EVENT_OK) {
        run->batch.state = BATCH_PREPARED;
        run->tries = 0;
        core_next_part(run, fx);
    } else if (ev->kind == EVENT_CONFLICT) {
        core_reload(run, AFTER_PREPARE, fx);
    } else if (core_try_again(run)) {
        core_effect(run, fx, PHASE_PREPARE, EFFECT_PREPARE);
    } else {
        core_give_up(run, fx);
    }
}
