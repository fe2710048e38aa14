/*
 * ledger_drive.c: carries out the effects of the protocol core, one by one, until its run ends.
 *
 * The only place where the protocol meets I/O.  It decides nothing: an effect becomes one call of
 * the ledger or the host, its answer becomes one event.
 */
#include "ledger/ledger_drive.h"

#include <stdlib.h>

#include "ledger/ledger_id.h"

enum { OPEN_LIST_MAX = 256, PAYLOAD_CEILING = LEDGER_PAYLOAD_BYTES_MAX };

struct ledger_driver {
    struct ledger *ledger;
    struct protocol_config config;
    struct ledger_host host;
    int64_t clock_error_ms; /* learned from answers, for the next run */
    enum status fatal;      /* why the current run is being wound up */

    struct protocol_run recovery;
    struct ledger_record record;
    struct protocol_claim claims[PROTOCOL_OBJECTS_MAX];
    bool kept[PROTOCOL_OBJECTS_MAX];
    uint64_t tags[PROTOCOL_OBJECTS_MAX];
    struct ledger_part parts[PROTOCOL_PARTS_MAX];
    struct view payloads[LEDGER_PAYLOADS_MAX];
    struct ledger_batch_data data;
    struct buf payload; /* one payload read back from the ledger */
    struct ledger_nonce payload_batch;
    uint16_t payload_index;
    bool have_payload, own_data;
    struct ledger_nonce open[OPEN_LIST_MAX];
    struct ledger_recovered recovered;
    struct ledger_driver *reporter;     /* another one, that reports doubts on the way */
    const struct ledger_doubts *doubts; /* this is a reporter, and reports these */
    struct protocol_run report_run;
};

static const char *const EFFECT_NAMES[] = {
    [EFFECT_CLAIM] = "claim",
    [EFFECT_LOAD] = "load",
    [EFFECT_ABORT] = "abort",
    [EFFECT_READ] = "read",
    [EFFECT_PREPARE] = "prepare",
    [EFFECT_MARKER] = "marker",
    [EFFECT_SIGN] = "sign",
    [EFFECT_JOURNAL] = "journal",
    [EFFECT_SEND] = "send",
    [EFFECT_READ_MARKERS] = "read-markers",
    [EFFECT_SEND_CONTROL] = "send-control",
    [EFFECT_REPORT] = "report",
    [EFFECT_DONE] = "done",
    [EFFECT_END] = "end",
};

struct ledger_driver *ledger_driver_new(struct ledger *ledger, const struct protocol_config *config,
                                        const struct ledger_host *host)
{
    struct ledger_driver *d = calloc(1, sizeof *d);
    if (d == NULL)
        return NULL;
    d->ledger = ledger;
    d->config = *config;
    d->host = *host;
    buf_init(&d->payload, PAYLOAD_CEILING);
    return d;
}

void ledger_driver_free(struct ledger_driver *d)
{
    if (d == NULL)
        return;
    ledger_driver_free(d->reporter);
    buf_clear(&d->payload);
    free(d);
}

/* A ledger's answer as an event.  A failure that a retry cannot fix winds the run up: every later
 * call is answered with "failed", on which the core sends nothing and soon ends. */
static enum protocol_event_kind event_of(struct ledger_driver *d, enum status st,
                                         enum protocol_event_kind when_ok)
{
    switch (st) {
    case ST_OK: return when_ok;
    case ST_CONFLICT: return EVENT_CONFLICT;
    case ST_RETRY:
    case ST_IN_DOUBT: break;
    default:
        if (d->fatal == ST_OK)
            d->fatal = st;
    }
    return EVENT_FAILED;
}

static void wait_for(struct ledger_driver *d, int64_t delay_ms, const struct ledger_nonce *fresh)
{
    if (delay_ms <= 0)
        return;
    uint32_t bits;
    memcpy(&bits, fresh->bytes, sizeof bits);
    /* Half fixed, half chance, so that workers throttled together do not retry together. */
    d->host.wait_ms(d->host.ctx, delay_ms / 2 + (int64_t)(bits % (uint64_t)(delay_ms / 2 + 1)));
}

static void do_claim(struct ledger_driver *d, const struct protocol_run *run,
                     const struct protocol_effect *fx, struct protocol_event *ev)
{
    for (uint16_t i = 0; i < run->n_objects; i++)
        d->claims[i].result = CLAIM_UNKNOWN;
    ev->kind = event_of(d,
                        ledger_claim(d->ledger, &fx->batch_id, fx->time_ms, run->objects,
                                     run->n_objects, d->claims),
                        EVENT_CLAIMS);
    ev->claims = d->claims;
}

static void do_load(struct ledger_driver *d, const struct protocol_effect *fx,
                    struct protocol_event *ev)
{
    enum status st = ledger_load(d->ledger, &fx->batch_id, &d->record);
    if (st == ST_MISSING) {
        ev->kind = EVENT_BATCH;
        return;
    }
    ev->kind = event_of(d, st, EVENT_BATCH);
    ev->batch = &d->record.batch;
    ev->members = d->record.members;
    ev->tags = d->record.tags;
}

static void do_read(struct ledger_driver *d, const struct protocol_run *run,
                    struct protocol_event *ev)
{
    memset(d->kept, 0, sizeof d->kept);
    memset(d->parts, 0, sizeof d->parts);
    memset(d->tags, 0, sizeof d->tags);
    d->data = (struct ledger_batch_data){
        .kept = d->kept, .tags = d->tags, .parts = d->parts, .payloads = d->payloads};
    enum status st = ST_OK;
    if (d->doubts == NULL)
        st = d->host.read(d->host.ctx, run, &d->data);
    else if ((st = d->host.report(d->host.ctx, d->doubts, &d->data)) == ST_OK)
        d->kept[0] = true;
    if (st != ST_OK)
        memset(d->kept, 0, sizeof d->kept);
    d->own_data = true;
    ev->kind = EVENT_READ;
    ev->kept = d->kept;
    ev->parts = d->parts;
    ev->n_parts = d->data.n_parts;
}

static void do_prepare(struct ledger_driver *d, const struct protocol_run *run,
                       struct protocol_event *ev)
{
    d->record.batch = run->batch;
    uint16_t n = 0;
    for (uint16_t i = 0; i < run->n_objects; i++)
        if (run->objects[i].state == OBJECT_MINE) {
            d->record.tags[n] = d->tags[i];
            d->record.members[n++] = run->objects[i].id;
        }
    ev->kind = event_of(d, ledger_prepare(d->ledger, &d->record, d->payloads, d->data.n_payloads),
                        EVENT_OK);
}

/* The bytes of a part's payload, of this run or from the ledger. */
static enum status find_payload(struct ledger_driver *d, const struct protocol_effect *fx,
                                struct view *out)
{
    if (d->own_data) {
        if (fx->part.payload >= d->data.n_payloads)
            return ST_MISSING;
        *out = d->payloads[fx->part.payload];
        return ST_OK;
    }
    if (!d->have_payload || d->payload_index != fx->part.payload ||
        !ledger_nonce_eq(&d->payload_batch, &fx->batch_id)) {
        buf_reset(&d->payload);
        d->have_payload = false;
        enum status st = ledger_payload(d->ledger, &fx->batch_id, fx->part.payload, &d->payload);
        if (st != ST_OK)
            return st;
        d->have_payload = true;
        d->payload_batch = fx->batch_id;
        d->payload_index = fx->part.payload;
    }
    *out = buf_view(&d->payload);
    return ST_OK;
}

static void do_sign(struct ledger_driver *d, const struct protocol_effect *fx,
                    struct protocol_event *ev)
{
    struct view payload;
    enum status st = find_payload(d, fx, &payload);
    ev->kind = EVENT_REFUSED;
    if (st == ST_OK)
        d->host.sign(d->host.ctx, &fx->part, payload, ev);
    else
        (void)event_of(d, st == ST_MISSING ? ST_BAD_ITEM : st, EVENT_OK);
}

static void do_read_markers(struct ledger_driver *d, const struct protocol_effect *fx,
                            struct protocol_event *ev)
{
    if (d->host.read_markers(d->host.ctx, &fx->part.marker, &fx->control, ev) == ST_OK)
        ev->kind = EVENT_MARKERS;
    else
        *ev = (struct protocol_event){.kind = EVENT_FAILED};
}

static void tally_add(struct protocol_tally *sum, const struct protocol_tally *t)
{
    sum->requests_accepted += t->requests_accepted;
    sum->requests_refused += t->requests_refused;
    sum->requests_in_doubt += t->requests_in_doubt;
    sum->resolved_applied += t->resolved_applied;
    sum->resolved_absent += t->resolved_absent;
    sum->resent += t->resent;
    sum->dropped += t->dropped;
    sum->held += t->held;
    sum->rejected += t->rejected;
    sum->resent_tokens += t->resent_tokens;
    sum->dropped_tokens += t->dropped_tokens;
    sum->held_tokens += t->held_tokens;
    sum->rejected_tokens += t->rejected_tokens;
    sum->violations += t->violations;
}

/*
 * Count what became of the batch's requests in doubt as if it were an object of its own.  It is
 * enough that this is prepared: then it is in the ledger, and will be sent.  A reporter does not
 * report in its turn: if its own batch has doubts, it stays open, and whoever recovers it reports.
 */
static void do_report(struct ledger_driver *d, struct protocol_run *run, struct protocol_event *ev)
{
    struct ledger_doubts doubts;
    struct ledger_id id;
    ev->kind = EVENT_FAILED;
    if (d->host.report == NULL)
        ev->kind = EVENT_OK;
    if (d->host.report == NULL || d->doubts != NULL)
        return;
    if (d->reporter == NULL)
        d->reporter = ledger_driver_new(d->ledger, &d->config, &d->host);
    if (d->reporter == NULL)
        return;
    (void)ledger_batch_doubts(&run->batch, &doubts);
    ledger_id_of_doubts(&run->batch.id, &id);
    d->reporter->doubts = &doubts;
    d->reporter->clock_error_ms = run->clock_error_ms;
    enum status st = ledger_drive_count(d->reporter, &id, NULL, 1, &d->report_run);
    d->reporter->doubts = NULL;
    tally_add(&run->tally, &d->report_run.tally);
    enum protocol_object_state state = (enum protocol_object_state)d->report_run.objects[0].state;
    bool durable = state == OBJECT_COUNTED || state == OBJECT_COUNTED_BEFORE ||
                   state == OBJECT_PENDING || state == OBJECT_HELD;
    ev->kind = event_of(d, st, durable ? EVENT_OK : EVENT_FAILED);
}

static void carry_out(struct ledger_driver *d, struct protocol_run *run,
                      const struct protocol_effect *fx, struct protocol_event *ev)
{
    switch (fx->kind) {
    case EFFECT_CLAIM: do_claim(d, run, fx, ev); break;
    case EFFECT_LOAD: do_load(d, fx, ev); break;
    case EFFECT_ABORT:
        ev->kind = event_of(d, ledger_abort(d->ledger, &fx->batch_id, fx->time_ms), EVENT_OK);
        break;
    case EFFECT_READ: do_read(d, run, ev); break;
    case EFFECT_PREPARE: do_prepare(d, run, ev); break;
    case EFFECT_MARKER:
        ev->kind = event_of(d, ledger_marker_next(d->ledger, fx->time_ms / 60000, &ev->marker),
                            EVENT_MARKER);
        break;
    case EFFECT_JOURNAL: ev->kind = event_of(d, ledger_journal(d->ledger, fx), EVENT_OK); break;
    case EFFECT_SIGN: do_sign(d, fx, ev); break;
    case EFFECT_SEND:
        ev->kind = EVENT_NO_ANSWER;
        d->host.send(d->host.ctx, &fx->part, ev);
        break;
    case EFFECT_READ_MARKERS: do_read_markers(d, fx, ev); break;
    case EFFECT_SEND_CONTROL:
        ev->kind = EVENT_NO_ANSWER;
        d->host.send_control(d->host.ctx, &fx->control, ev);
        break;
    case EFFECT_REPORT: do_report(d, run, ev); break;
    case EFFECT_DONE:
        ev->kind = event_of(d, ledger_done(d->ledger, &fx->batch_id, fx->time_ms), EVENT_OK);
        break;
    case EFFECT_END: break;
    }
}

/* Step until the end.  *ev holds the first event's kind and data. */
static enum status drive(struct ledger_driver *d, struct protocol_run *run,
                         struct protocol_event *ev)
{
    struct protocol_effect fx;
    d->fatal = ST_OK;
    d->own_data = d->have_payload = false;
    for (;;) {
        enum status st = d->host.random(d->host.ctx, ev->fresh.bytes, sizeof ev->fresh.bytes);
        if (st != ST_OK)
            return st; /* without names nothing can be written; what is prepared stays */
        ev->now_ms = d->host.now_ms(d->host.ctx);
        ev->stop = d->fatal != ST_OK || d->host.stop(d->host.ctx);
        protocol_step(run, ev, &fx);
        if (fx.kind == EFFECT_END)
            break;
        wait_for(d, fx.delay_ms, &ev->fresh);
        *ev = (struct protocol_event){0};
        if (d->host.point != NULL)
            d->host.point(d->host.ctx, EFFECT_NAMES[fx.kind], false);
        carry_out(d, run, &fx, ev);
        if (d->host.point != NULL)
            d->host.point(d->host.ctx, EFFECT_NAMES[fx.kind], true);
    }
    if (d->host.release != NULL)
        d->host.release(d->host.ctx);
    d->clock_error_ms = run->clock_error_ms;
    return d->fatal;
}

/* The members of the batch that a recovery has just finished; its record was loaded for it. */
static enum status note_recovered(struct ledger_driver *d)
{
    struct receipt objects = d->recovered.objects;
    for (uint16_t i = 0; i < d->record.batch.n_members; i++) {
        if (ledger_id_is_note(&d->record.members[i]))
            continue;
        enum status st = receipt_add(&objects, &d->record.members[i]);
        if (st != ST_OK)
            return st;
    }
    d->recovered.objects = objects;
    d->recovered.batches++;
    return ST_OK;
}

static enum status recover_one(struct ledger_driver *d, const struct ledger_nonce *batch)
{
    protocol_run_init(&d->recovery, &d->config, NULL, 0, d->clock_error_ms);
    struct protocol_event ev = {.kind = EVENT_RECOVER, .batch_id = *batch};
    enum status st = drive(d, &d->recovery, &ev);
    return st == ST_OK && d->recovery.finished ? note_recovered(d) : st;
}

struct ledger_recovered ledger_driver_take_recovered(struct ledger_driver *d)
{
    struct ledger_recovered taken = d->recovered;
    d->recovered = (struct ledger_recovered){0};
    return taken;
}

/* When others' batches can be finished, as recovering them said.  The run itself only saw that
 * their lease has lapsed and says "soon": in doubt, their messages would be received every second,
 * and be in the dead-letter queue before the fence is past. */
static void wait_for_others(struct protocol_run *run, int64_t after_ms)
{
    for (uint16_t i = 0; i < run->n_objects; i++) {
        const struct protocol_object *o = &run->objects[i];
        if (o->state == OBJECT_BUSY || o->state == OBJECT_RETRY ||
            (o->state == OBJECT_PENDING && ledger_nonce_eq(&o->owner, &run->batch.id)))
            return;
    }
    if (after_ms > 0)
        run->retry_after_ms = after_ms;
}

/* Finish the batches that hold up objects of this run. */
static enum status help_others(struct ledger_driver *d, struct protocol_run *run)
{
    int64_t after_ms = 0;
    for (uint16_t i = 0; i < run->n_objects; i++) {
        struct ledger_nonce owner = run->objects[i].owner;
        if (run->objects[i].state != OBJECT_PENDING || ledger_nonce_eq(&owner, &run->batch.id))
            continue;
        bool seen = false;
        for (uint16_t j = 0; j < i && !seen; j++)
            seen = ledger_nonce_eq(&run->objects[j].owner, &owner) &&
                   run->objects[j].state == OBJECT_PENDING;
        if (seen)
            continue;
        enum status st = recover_one(d, &owner);
        if (st != ST_OK)
            return st;
        tally_add(&run->tally, &d->recovery.tally);
        int64_t this_ms = d->recovery.retry_after_ms;
        if (this_ms > 0 && (after_ms == 0 || this_ms < after_ms))
            after_ms = this_ms;
        if (d->recovery.batch.state != BATCH_DONE)
            continue;
        for (uint16_t j = i; j < run->n_objects; j++)
            if (run->objects[j].state == OBJECT_PENDING &&
                ledger_nonce_eq(&run->objects[j].owner, &owner))
                run->objects[j].state = OBJECT_COUNTED_BEFORE;
    }
    wait_for_others(run, after_ms);
    return ST_OK;
}

enum status ledger_drive_count(struct ledger_driver *d, const struct ledger_id *ids,
                               const uint64_t *tags, uint16_t n, struct protocol_run *run)
{
    protocol_run_init(run, &d->config, ids, n, d->clock_error_ms);
    for (uint16_t i = 0; i < n && tags != NULL; i++)
        run->objects[i].tag = tags[i];
    struct protocol_event ev = {.kind = EVENT_START};
    enum status st = drive(d, run, &ev);
    if (st == ST_OK && !d->host.stop(d->host.ctx))
        st = help_others(d, run);
    return st;
}

/* A batch that could not be finished.  What a worker is just about to send is not in doubt. */
static void note_open(struct ledger_driver *d, struct ledger_recovery *out)
{
    const struct ledger_batch *b = &d->recovery.batch;
    if (b->state != BATCH_PREPARED)
        return;
    if (out->open++ == 0 || b->prepared_ms < out->oldest_ms)
        out->oldest_ms = b->prepared_ms;
    int64_t now_ms = d->host.now_ms(d->host.ctx) + d->clock_error_ms;
    for (uint16_t i = 0; i < b->n_parts && now_ms - b->prepared_ms >= d->config.lease_ms; i++)
        out->in_doubt += b->parts[i].state == PART_SENDING;
}

enum status ledger_drive_recover(struct ledger_driver *d, size_t max, struct ledger_recovery *out)
{
    *out = (struct ledger_recovery){0};
    /* All of them: whether a lease has lapsed is the core's to say. */
    enum status st = ledger_list_open(d->ledger, INT64_MAX, d->open,
                                      max < OPEN_LIST_MAX ? max : OPEN_LIST_MAX, &out->found);
    for (size_t i = 0; i < out->found && st == ST_OK && !d->host.stop(d->host.ctx); i++) {
        st = recover_one(d, &d->open[i]);
        tally_add(&out->tally, &d->recovery.tally);
        out->done += d->recovery.batch.state == BATCH_DONE;
        note_open(d, out);
        int64_t after_ms = d->recovery.retry_after_ms;
        if (d->recovery.batch.state == BATCH_PREPARED && after_ms > 0 &&
            (out->retry_after_ms == 0 || after_ms < out->retry_after_ms))
            out->retry_after_ms = after_ms;
    }
    return st;
}
