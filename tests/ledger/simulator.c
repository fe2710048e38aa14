/*
 * ledger-sim: the protocol core (the product's own object code) in a simulated world, one world per
 * seed, and a count of what arrived in it.
 *
 *     ledger-sim --seeds A:B [--variant NAME] [--policy P] [--objects N] [--workers N] [--verbose]
 *
 * The world: a ledger of atomic conditional writes whose answers get lost and which may be applied
 * much later; CloudWatch, which applies a request whole, refuses one more than 15 minutes off its
 * date, and shows markers late; a queue that repeats, reorders and forgets; workers that crash
 * between any two steps, stall until their lease is gone, and have wrong clocks; a sweep.  After
 * `fault_end_ms` nothing new breaks, so that "comes to an end" can be checked too.
 *
 * The oracle knows nothing of the protocol: it counts for every datum how often CloudWatch applied
 * it, and compares with once (or with what the journal says where a policy gives something up).
 * A variant breaks one rule of the protocol; it has to be found out.
 */
#include "ledger/protocol_core.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum {
    OBJECTS_MAX = 1000,
    WORKERS_MAX = 8,
    BATCH_OBJECTS = 12, /* objects of one run */
    DATA_MAX = 2 * BATCH_OBJECTS,
    HELD_MAX = BATCH_OBJECTS,
    RECOVER_MAX = 4,
    MARKS_MAX = 8, /* attempts of one part given up in doubt that are kept apart */
};
#define SECOND INT64_C(1000)
#define MINUTE (60 * SECOND)
#define HOUR (60 * MINUTE)
#define DAY (24 * HOUR)
#define NEVER INT64_MAX
#define EPOCH (INT64_C(29400000) * MINUTE)
#define ACCEPTED_AGE (15 * MINUTE)

enum variant {
    VARIANT_NONE,
    VARIANT_NO_TOMBSTONE,
    VARIANT_NO_FENCE,
    VARIANT_SEND_FIRST,
    VARIANT_BLIND_RETRY,
    VARIANT_DONE_FIRST,
    VARIANT_NO_CONTROL,
    VARIANT_NO_NONCE,
    VARIANT_MARKER_REUSE,
    VARIANT_SHORT_TTL,
};
static const char *const VARIANT_NAMES[] = {
    "none",       "no-tombstone", "no-fence", "send-first",   "blind-retry",
    "done-first", "no-control",   "no-nonce", "marker-reuse", "short-ttl"};
static const char *const POLICY_NAMES[] = {"resolve", "resend", "drop", "hold"};

struct sim_object {
    int64_t born_ms, deleted_ms;
    bool corrupt, poison, quarantined;
    uint32_t value[2]; /* tokens of its two data */
    /* its record in the ledger */
    struct ledger_nonce owner;
    bool owned;
    int64_t claimed_ms, expires_ms;
    /* oracle */
    uint16_t applied[2];
    uint16_t messages; /* that come within a day: the sweep leaves the object to them */
};

struct sim_batch {
    struct ledger_doubts reported;
    struct ledger_batch b;
    int64_t expires_ms; /* of its record; once open, not before it is done */
    struct ledger_id members[BATCH_OBJECTS];
    uint16_t n_data;
    uint16_t data[DATA_MAX]; /* 2 * object + which */
    /* oracle: how often each datum was applied by attempts that policy resend had given up */
    uint16_t n_given_up;
    struct ledger_marker given_up[64];
};

struct marker_entry {
    struct ledger_marker marker;
    int64_t visible_ms;
    uint32_t batch; /* UINT32_MAX: a control */
    uint16_t first, count;
};

struct message {
    bool live;
    bool is_batch;
    bool distant; /* an event that returns after days */
    uint32_t index;
    int64_t visible_ms;
    unsigned receives;
};

enum flight_kind { FLIGHT_SEND, FLIGHT_JOURNAL, FLIGHT_PREPARE, FLIGHT_ABORT, FLIGHT_CLAIM };
struct flight {
    enum flight_kind kind;
    int64_t at_ms;
    uint32_t batch;
    uint32_t object;
    struct ledger_nonce expected;
    struct protocol_effect fx;
};

enum worker_mode { WORKER_DOWN, WORKER_IDLE, WORKER_APPLY, WORKER_ANSWER };
struct worker {
    enum worker_mode mode;
    int64_t wake_ms;
    int64_t clock_ms; /* its error */
    int64_t learned_ms;
    struct protocol_run run;
    struct protocol_effect fx;
    struct protocol_event ev;
    int64_t answer_takes_ms;
    uint32_t held[HELD_MAX]; /* messages */
    uint16_t objects[HELD_MAX];
    uint16_t n_held;
    uint32_t recover[RECOVER_MAX];
    uint16_t n_recover;
    bool recovering;
    /* memory behind event pointers */
    struct protocol_claim claims[HELD_MAX];
    bool kept[HELD_MAX];
    struct ledger_part parts[4];
    struct ledger_batch loaded;
    struct ledger_id members[BATCH_OBJECTS];
    uint16_t n_data;
    uint16_t data[DATA_MAX];
    enum protocol_event_kind sent_first; /* VARIANT_SEND_FIRST: the answer got before journaling */
};

struct rates { /* parts per million of each step */
    uint32_t crash, stall, ledger_lost, send_lost, throttle, read_failed, delete_lost, duplicate,
        event_lost, clock;
};

static struct {
    uint64_t rng;
    int64_t now;
    unsigned n_objects, n_workers;
    enum variant variant;
    enum ledger_policy policy;
    struct protocol_config config;
    struct rates rates;
    int64_t fault_end_ms, end_ms, ttl_ms, sweep_every_ms, next_sweep_ms, visibility_ms;
    int64_t slow_markers_until_ms, marker_delay_ms, marker_last_visible_ms;
    int64_t throttle_from_ms, throttle_until_ms, outage_from_ms, outage_until_ms;
    struct sim_object objects[OBJECTS_MAX];
    struct worker workers[WORKERS_MAX];
    struct sim_batch *batches;
    uint32_t n_batches, cap_batches;
    uint32_t *by_nonce; /* nonce number -> batch + 1 */
    uint32_t cap_nonces;
    uint64_t n_nonces;
    struct message *messages;
    uint32_t n_messages, cap_messages;
    struct flight *flights;
    uint32_t n_flights, cap_flights;
    struct marker_entry *markers;
    uint32_t n_markers, cap_markers;
    int64_t marker_minute;
    unsigned marker_n;
    bool failed, verbose;
    char why[200];
} W;

static struct {
    uint64_t steps, faults, crashes, stalls, lost_answers, requests, applied, in_doubt, batches,
        duplicates, resolved_applied, resolved_absent, resent, dropped, held, rejected, sweeps,
        tokens, tokens_resent_double, tokens_dropped_lost, tokens_held, tokens_rejected;
} total;

/* ---- chance ---- */

static uint64_t rnd(void)
{
    uint64_t z = (W.rng += UINT64_C(0x9e3779b97f4a7c15));
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

static uint64_t below(uint64_t n)
{
    return rnd() % n;
}

static int64_t span(int64_t max_ms)
{
    return (int64_t)below((uint64_t)max_ms + 1);
}

/* A fault of the world, while there are faults. */
static bool fault(uint32_t ppm)
{
    if (ppm == 0 || W.now >= W.fault_end_ms || below(1000000) >= ppm)
        return false;
    total.faults++;
    return true;
}

static void fail(const char *format, ...) __attribute__((format(printf, 1, 2)));
static void fail(const char *format, ...)
{
    if (W.failed)
        return;
    W.failed = true;
    va_list args;
    va_start(args, format);
    vsnprintf(W.why, sizeof W.why, format, args);
    va_end(args);
}

static void *grown(void *old, uint32_t n, uint32_t *cap, size_t size)
{
    if (n < *cap)
        return old;
    uint32_t bigger = *cap == 0 ? 256 : *cap * 2;
    while (bigger <= n)
        bigger *= 2;
    void *p = realloc(old, bigger * size);
    if (p == NULL) {
        fputs("ledger-sim: out of memory\n", stderr);
        exit(2);
    }
    memset((char *)p + *cap * size, 0, (bigger - *cap) * size);
    *cap = bigger;
    return p;
}

/* Nonces are numbered, so that a batch is found by its name at once. */
static struct ledger_nonce fresh_nonce(void)
{
    struct ledger_nonce n = {{0}};
    uint64_t number = ++W.n_nonces;
    memcpy(n.bytes, &number, sizeof number);
    return n;
}

static uint64_t nonce_number(const struct ledger_nonce *n)
{
    uint64_t number;
    memcpy(&number, n->bytes, sizeof number);
    return number;
}

static struct ledger_id object_id(unsigned k)
{
    struct ledger_id id = {{0}};
    memcpy(id.bytes, &k, sizeof k);
    return id;
}

static unsigned object_of(const struct ledger_id *id)
{
    unsigned k;
    memcpy(&k, id->bytes, sizeof k);
    return k;
}

/* ---- the ledger ---- */

static struct sim_batch *batch_find(const struct ledger_nonce *id)
{
    uint64_t n = nonce_number(id);
    if (n >= W.cap_nonces || W.by_nonce[n] == 0)
        return NULL;
    struct sim_batch *s = &W.batches[W.by_nonce[n] - 1];
    return s->b.state != BATCH_PREPARED && W.now > s->expires_ms ? NULL : s;
}

static void batch_publish(const struct ledger_nonce *id, uint32_t index)
{
    uint64_t n = nonce_number(id);
    W.by_nonce = grown(W.by_nonce, (uint32_t)n, &W.cap_nonces, sizeof *W.by_nonce);
    W.by_nonce[n] = index + 1;
}

/* Records expire late, each in its own time: a batch before its objects, or after them. */
static int64_t expiry(void)
{
    return W.now + W.ttl_ms + span(4 * DAY);
}

static uint32_t batch_new(void)
{
    W.batches = grown(W.batches, W.n_batches, &W.cap_batches, sizeof *W.batches);
    struct sim_batch *s = &W.batches[W.n_batches];
    s->b.n_parts = s->b.n_members = 0;
    s->b.state = BATCH_NONE;
    s->n_data = s->n_given_up = 0;
    s->expires_ms = expiry();
    return W.n_batches++;
}

static enum protocol_event_kind ledger_abort(const struct ledger_nonce *id)
{
    const struct sim_batch *s = batch_find(id);
    if (s != NULL)
        return s->b.state == BATCH_ABORTED ? EVENT_OK : EVENT_CONFLICT;
    if (W.variant == VARIANT_NO_TOMBSTONE)
        return EVENT_OK;
    uint32_t i = batch_new();
    W.batches[i].b.id = *id;
    W.batches[i].b.state = BATCH_ABORTED;
    batch_publish(id, i);
    return EVENT_OK;
}

static enum protocol_event_kind ledger_prepare(uint32_t index)
{
    struct sim_batch *s = &W.batches[index];
    if (batch_find(&s->b.id) != NULL)
        return EVENT_CONFLICT;
    s->b.state = W.variant == VARIANT_DONE_FIRST ? BATCH_DONE : BATCH_PREPARED;
    batch_publish(&s->b.id, index);
    return EVENT_OK;
}

static struct protocol_claim ledger_claim(unsigned k, const struct ledger_nonce *expected,
                                          const struct ledger_nonce *batch, int64_t time_ms)
{
    static const struct ledger_nonce none;
    struct sim_object *o = &W.objects[k];
    if (o->owned && W.now > o->expires_ms)
        o->owned = false;
    struct protocol_claim c = {.result = CLAIM_MINE};
    if (o->owned && ledger_nonce_eq(&o->owner, batch))
        return c;
    bool want_absent = ledger_nonce_eq(expected, &none);
    if (!o->owned && !want_absent) {
        c.result = CLAIM_ABSENT;
        return c;
    }
    if (o->owned && (want_absent || !ledger_nonce_eq(&o->owner, expected))) {
        c.result = CLAIM_OTHER;
        c.owner = o->owner;
        c.claimed_ms = o->claimed_ms;
        return c;
    }
    o->owned = true;
    o->owner = *batch;
    o->claimed_ms = time_ms;
    o->expires_ms = expiry();
    return c;
}

static enum protocol_event_kind ledger_journal(const struct protocol_effect *fx)
{
    struct sim_batch *s = batch_find(&fx->batch_id);
    if (s == NULL)
        return EVENT_CONFLICT;
    struct ledger_part *p = &s->b.parts[fx->index];
    if (W.variant != VARIANT_NO_NONCE && !ledger_nonce_eq(&p->nonce, &fx->expected))
        return EVENT_CONFLICT;
    if (fx->split && s->b.n_parts != fx->n_parts)
        return EVENT_CONFLICT;
    if (fx->part.resent > p->resent && s->n_given_up < 64)
        s->given_up[s->n_given_up++] = p->marker;
    *p = fx->part;
    if (fx->split)
        s->b.parts[s->b.n_parts++] = fx->extra;
    return EVENT_OK;
}

/* Reporting counts an object of its own by the same protocol; here it is one write. */
static enum protocol_event_kind ledger_report(const struct ledger_nonce *id)
{
    struct sim_batch *s = batch_find(id);
    if (s == NULL)
        return EVENT_FAILED;
    ledger_batch_doubts(&s->b, &s->reported);
    return EVENT_OK;
}

static enum protocol_event_kind ledger_done(const struct ledger_nonce *id)
{
    struct sim_batch *s = batch_find(id);
    struct ledger_doubts doubts;
    if (s == NULL || s->b.state == BATCH_ABORTED)
        return EVENT_CONFLICT;
    if (ledger_batch_doubts(&s->b, &doubts) && memcmp(&doubts, &s->reported, sizeof doubts) != 0)
        fail("a batch is done, and its doubts are not reported");
    if (s->b.state != BATCH_DONE)
        s->expires_ms = expiry();
    s->b.state = BATCH_DONE;
    return EVENT_OK;
}

/* ---- CloudWatch ---- */

static bool throttled(void)
{
    if (W.now >= W.throttle_from_ms && W.now < W.throttle_until_ms)
        return fault(900000);
    return fault(W.rates.throttle);
}

static void marker_apply(const struct ledger_marker *m, uint32_t batch, uint32_t first,
                         uint32_t count)
{
    int64_t delay =
        W.now < W.slow_markers_until_ms ? W.marker_delay_ms + span(HOUR) : span(2 * MINUTE);
    int64_t visible = W.now + delay;
    if (visible < W.marker_last_visible_ms)
        visible = W.marker_last_visible_ms; /* in the order of application */
    W.marker_last_visible_ms = visible;
    W.markers = grown(W.markers, W.n_markers, &W.cap_markers, sizeof *W.markers);
    W.markers[W.n_markers++] = (struct marker_entry){.marker = *m,
                                                     .visible_ms = visible,
                                                     .batch = batch,
                                                     .first = (uint16_t)first,
                                                     .count = (uint16_t)count};
}

/* A request of part `p` arrives now. */
static enum protocol_event_kind sink_receive(uint32_t batch, const struct ledger_part *p)
{
    if (W.now > p->date_ms + ACCEPTED_AGE || W.now < p->date_ms - ACCEPTED_AGE)
        return EVENT_REFUSED;
    if (throttled())
        return EVENT_REFUSED;
    struct sim_batch *s = &W.batches[batch];
    for (uint32_t i = p->first; i < p->first + p->count; i++) {
        const struct sim_object *o = &W.objects[s->data[i] / 2];
        if (o->poison || o->born_ms < W.now - 14 * DAY)
            return EVENT_INVALID;
    }
    for (uint32_t i = p->first; i < p->first + p->count; i++)
        W.objects[s->data[i] / 2].applied[s->data[i] % 2]++;
    marker_apply(&p->marker, batch, p->first, p->count);
    total.applied++;
    return EVENT_ACCEPTED;
}

static unsigned marker_read(const struct ledger_marker *m, int64_t at_ms)
{
    unsigned n = 0;
    for (uint32_t i = 0; i < W.n_markers; i++)
        n += ledger_marker_eq(&W.markers[i].marker, m) && W.markers[i].visible_ms <= at_ms;
    return n > 3 ? 3 : n; /* what one base 4 digit can say */
}

static struct ledger_marker marker_hand_out(int64_t minute)
{
    static struct {
        int64_t minute;
        unsigned n;
    } recent[64];
    if (W.marker_minute == 0) {
        memset(recent, 0, sizeof recent);
        W.marker_minute = 1;
    }
    /* One counter for each minute; clocks are off, so several minutes are in use at a time. */
    unsigned free_at = 64;
    for (unsigned i = 0; i < 64; i++) {
        if (recent[i].minute == minute) {
            unsigned n = W.variant == VARIANT_MARKER_REUSE ? 0 : ++recent[i].n;
            return (struct ledger_marker){minute, (uint16_t)(n / 26), (uint8_t)(n % 26)};
        }
        if (free_at == 64 || recent[i].minute < recent[free_at].minute)
            free_at = i;
    }
    /* The oldest minute is given away: its numbers go on from the seed's count, never again. */
    recent[free_at].minute = minute;
    recent[free_at].n = W.marker_n += 26 * 50;
    if (W.marker_n > 26 * 60000)
        W.marker_n = 0;
    unsigned n = recent[free_at].n;
    return (struct ledger_marker){minute, (uint16_t)(n / 26), (uint8_t)(n % 26)};
}

/* ---- the queue ---- */

static void wake_idle(int64_t at_ms)
{
    for (unsigned i = 0; i < W.n_workers; i++)
        if (W.workers[i].mode == WORKER_IDLE && W.workers[i].wake_ms > at_ms)
            W.workers[i].wake_ms = at_ms;
}

static void message_add(bool is_batch, uint32_t index, int64_t visible_ms)
{
    uint32_t at = W.n_messages;
    for (uint32_t i = W.n_messages; i > 0 && i + 8 > W.n_messages; i--)
        if (!W.messages[i - 1].live)
            at = i - 1;
    if (at == W.n_messages) {
        W.messages = grown(W.messages, W.n_messages, &W.cap_messages, sizeof *W.messages);
        W.n_messages++;
    }
    bool distant = visible_ms > W.now + DAY;
    W.messages[at] = (struct message){true, is_batch, distant, index, visible_ms, 0};
    if (!is_batch && !distant)
        W.objects[index].messages++;
    wake_idle(visible_ms);
}

static void message_delete(struct message *m)
{
    m->live = false;
    if (!m->is_batch && !m->distant)
        W.objects[m->index].messages--;
}

/* ---- flights: what is still on its way after its sender stopped waiting ---- */

static struct flight *flight_add(enum flight_kind kind, const struct protocol_effect *fx,
                                 uint32_t batch)
{
    W.flights = grown(W.flights, W.n_flights, &W.cap_flights, sizeof *W.flights);
    struct flight *f = &W.flights[W.n_flights++];
    *f = (struct flight){
        .kind = kind, .at_ms = W.now + span(40 * MINUTE), .batch = batch, .fx = *fx};
    return f;
}

static void flight_land(uint32_t i)
{
    struct flight f = W.flights[i];
    W.flights[i] = W.flights[--W.n_flights];
    switch (f.kind) {
    case FLIGHT_SEND: sink_receive(f.batch, &f.fx.part); break;
    case FLIGHT_JOURNAL: ledger_journal(&f.fx); break;
    case FLIGHT_PREPARE: ledger_prepare(f.batch); break;
    case FLIGHT_ABORT: ledger_abort(&f.fx.batch_id); break;
    case FLIGHT_CLAIM: ledger_claim(f.object, &f.expected, &f.fx.batch_id, f.fx.time_ms); break;
    }
}

/* ---- workers ---- */

static int64_t latency(void)
{
    if (fault(W.rates.stall)) {
        total.stalls++;
        return span(below(4) == 0 ? 90 * MINUTE : 25 * MINUTE);
    }
    return 5 + span(150);
}

static void worker_crash(struct worker *w)
{
    total.crashes++;
    w->mode = WORKER_DOWN;
    w->wake_ms = W.now + span(5 * MINUTE);
    w->learned_ms = 0;
    w->sent_first = EVENT_START;
}

static bool ledger_down(void)
{
    return W.now >= W.outage_from_ms && W.now < W.outage_until_ms;
}

enum loss { LOSS_NONE, LOSS_BEFORE, LOSS_AFTER, LOSS_LATE };
static enum loss ledger_loss(void)
{
    if (ledger_down() || fault(W.rates.ledger_lost)) {
        total.lost_answers++;
        return ledger_down() ? LOSS_BEFORE : (enum loss)(LOSS_BEFORE + below(3));
    }
    return LOSS_NONE;
}

static void apply_claims(struct worker *w)
{
    for (unsigned i = 0; i < w->run.n_objects; i++) {
        const struct protocol_object *o = &w->run.objects[i];
        w->claims[i].result = CLAIM_UNKNOWN;
        if (o->state != OBJECT_CLAIM)
            continue;
        unsigned k = object_of(&o->id);
        switch (ledger_loss()) {
        case LOSS_NONE:
            w->claims[i] = ledger_claim(k, &o->owner, &w->fx.batch_id, w->fx.time_ms);
            break;
        case LOSS_AFTER: ledger_claim(k, &o->owner, &w->fx.batch_id, w->fx.time_ms); break;
        case LOSS_LATE: {
            struct flight *f = flight_add(FLIGHT_CLAIM, &w->fx, 0);
            f->object = k;
            f->expected = o->owner;
            break;
        }
        case LOSS_BEFORE: break;
        }
    }
    w->ev.kind = EVENT_CLAIMS;
    w->ev.claims = w->claims;
}

static void apply_load(struct worker *w)
{
    if (ledger_loss() != LOSS_NONE) {
        w->ev.kind = EVENT_FAILED;
        return;
    }
    w->ev.kind = EVENT_BATCH;
    w->ev.batch = NULL;
    const struct sim_batch *s = batch_find(&w->fx.batch_id);
    if (s == NULL)
        return;
    memcpy(&w->loaded, &s->b, offsetof(struct ledger_batch, parts));
    memcpy(w->loaded.parts, s->b.parts, s->b.n_parts * sizeof s->b.parts[0]);
    w->ev.batch = &w->loaded;
    memcpy(w->members, s->members, sizeof w->members);
    w->ev.members = w->members;
}

static uint64_t tokens_of(const uint16_t *data, uint32_t first, uint32_t count)
{
    uint64_t sum = 0;
    for (uint32_t i = first; i < first + count; i++)
        sum += W.objects[data[i] / 2].value[data[i] % 2];
    return sum;
}

static void apply_read(struct worker *w)
{
    w->n_data = 0;
    for (unsigned i = 0; i < w->run.n_objects; i++) {
        unsigned k = object_of(&w->run.objects[i].id);
        const struct sim_object *o = &W.objects[k];
        w->kept[i] = w->run.objects[i].state == OBJECT_MINE && !o->corrupt &&
                     W.now < o->deleted_ms && !fault(W.rates.read_failed);
    }
    for (unsigned which = 0; which < 2; which++)
        for (unsigned i = 0; i < w->run.n_objects; i++) {
            unsigned k = object_of(&w->run.objects[i].id);
            /* What is older than CloudWatch takes never gets into a payload. */
            if (w->kept[i] && W.objects[k].born_ms >= W.now - 14 * DAY)
                w->data[w->n_data++] = (uint16_t)(2 * k + which);
        }
    uint16_t n_parts = (uint16_t)(1 + below(3));
    if (n_parts > w->n_data)
        n_parts = w->n_data;
    uint32_t first = 0;
    for (uint16_t i = 0; i < n_parts; i++) {
        uint32_t end = (uint32_t)(w->n_data * (i + 1u) / n_parts);
        w->parts[i] = (struct ledger_part){
            .first = first, .count = end - first, .tokens = tokens_of(w->data, first, end - first)};
        first = end;
    }
    w->ev.kind = EVENT_READ;
    w->ev.kept = w->kept;
    w->ev.parts = w->parts;
    w->ev.n_parts = n_parts;
}

static void apply_prepare(struct worker *w)
{
    enum loss loss = ledger_loss();
    w->ev.kind = EVENT_FAILED;
    if (loss == LOSS_BEFORE)
        return;
    uint32_t i = batch_new();
    struct sim_batch *s = &W.batches[i];
    memcpy(&s->b, &w->run.batch, offsetof(struct ledger_batch, parts));
    memcpy(s->b.parts, w->run.batch.parts, s->b.n_parts * sizeof s->b.parts[0]);
    s->b.state = BATCH_NONE;
    uint16_t n = 0;
    for (unsigned k = 0; k < w->run.n_objects; k++)
        if (w->run.objects[k].state == OBJECT_MINE)
            s->members[n++] = w->run.objects[k].id;
    if (n != s->b.n_members)
        fail("members of a batch do not match its count");
    s->n_data = w->n_data;
    memcpy(s->data, w->data, sizeof s->data);
    if (loss == LOSS_LATE) {
        flight_add(FLIGHT_PREPARE, &w->fx, i);
        return;
    }
    enum protocol_event_kind kind = ledger_prepare(i);
    if (loss == LOSS_NONE)
        w->ev.kind = kind;
}

/* Hand a request over once.  LOSS_LATE: it arrives when nobody waits any more. */
static enum protocol_event_kind send_once(struct worker *w, const struct protocol_effect *fx)
{
    total.requests++;
    uint32_t batch = (uint32_t)(batch_find(&fx->batch_id) - W.batches);
    if (!fault(W.rates.send_lost)) {
        w->ev.server_ms = W.now;
        return sink_receive(batch, &fx->part);
    }
    switch (below(3)) {
    case 0: break; /* never arrives */
    case 1: sink_receive(batch, &fx->part); break;
    default: flight_add(FLIGHT_SEND, fx, batch); break;
    }
    return EVENT_NO_ANSWER;
}

static void apply_send(struct worker *w)
{
    if (w->sent_first != EVENT_START) {
        w->ev.kind = w->sent_first;
        w->sent_first = EVENT_START;
    } else {
        w->ev.kind = send_once(w, &w->fx);
        for (int i = 0; i < 2 && W.variant == VARIANT_BLIND_RETRY && w->ev.kind == EVENT_NO_ANSWER;
             i++)
            w->ev.kind = send_once(w, &w->fx);
    }
    if (w->ev.kind == EVENT_INVALID) {
        const struct sim_batch *s = batch_find(&w->fx.batch_id);
        w->ev.head_tokens = tokens_of(s->data, w->fx.part.first, w->fx.part.count / 2);
    }
}

static bool apply_journal(struct worker *w)
{
    if (W.variant == VARIANT_SEND_FIRST && w->fx.part.state == PART_SENDING &&
        w->fx.part.control.minute == 0) {
        w->sent_first = send_once(w, &w->fx);
        if (fault(W.rates.crash)) {
            worker_crash(w);
            return false;
        }
    }
    enum loss loss = ledger_loss();
    w->ev.kind = EVENT_FAILED;
    if (loss == LOSS_BEFORE)
        return true;
    if (loss == LOSS_LATE) {
        flight_add(FLIGHT_JOURNAL, &w->fx, 0);
        return true;
    }
    enum protocol_event_kind kind = ledger_journal(&w->fx);
    if (loss == LOSS_NONE)
        w->ev.kind = kind;
    return true;
}

static void apply_read_markers(struct worker *w)
{
    if (fault(W.rates.send_lost)) {
        w->ev.kind = EVENT_FAILED;
        return;
    }
    w->ev.kind = EVENT_MARKERS;
    w->ev.server_ms = W.now;
    w->ev.applied = marker_read(&w->fx.part.marker, W.now);
    /* The two series of one answer are not read at the same moment. */
    w->answer_takes_ms = span(10 * SECOND);
    w->ev.control_applied = marker_read(&w->fx.control, W.now + w->answer_takes_ms);
}

static void apply_send_control(struct worker *w)
{
    w->ev.kind = EVENT_NO_ANSWER;
    if (fault(W.rates.send_lost) || throttled())
        return;
    int64_t date_ms = w->fx.time_ms;
    if (W.now > date_ms + ACCEPTED_AGE || W.now < date_ms - ACCEPTED_AGE)
        w->ev.kind = EVENT_REFUSED;
    else {
        marker_apply(&w->fx.control, UINT32_MAX, 0, 0);
        w->ev.kind = EVENT_ACCEPTED;
    }
    w->ev.server_ms = W.now;
}

/* The effect reaches the service it is meant for.  False when the worker died on it. */
static bool worker_apply(struct worker *w)
{
    enum loss loss;
    memset(&w->ev, 0, sizeof w->ev);
    w->answer_takes_ms = 0;
    switch (w->fx.kind) {
    case EFFECT_CLAIM: apply_claims(w); break;
    case EFFECT_LOAD: apply_load(w); break;
    case EFFECT_ABORT:
        loss = ledger_loss();
        w->ev.kind = EVENT_FAILED;
        if (loss == LOSS_LATE)
            flight_add(FLIGHT_ABORT, &w->fx, 0);
        else if (loss == LOSS_AFTER)
            ledger_abort(&w->fx.batch_id);
        else if (loss == LOSS_NONE)
            w->ev.kind = ledger_abort(&w->fx.batch_id);
        break;
    case EFFECT_READ: apply_read(w); break;
    case EFFECT_PREPARE: apply_prepare(w); break;
    case EFFECT_MARKER:
        loss = ledger_loss();
        w->ev.kind = EVENT_FAILED;
        if (loss != LOSS_BEFORE)
            w->ev.marker = marker_hand_out(w->fx.time_ms / MINUTE);
        if (loss == LOSS_NONE)
            w->ev.kind = EVENT_MARKER;
        break;
    case EFFECT_SIGN:
        w->ev.kind = fault(W.rates.read_failed) ? EVENT_REFUSED : EVENT_SIGNED;
        w->ev.date_ms = w->fx.time_ms;
        break;
    case EFFECT_JOURNAL: return apply_journal(w);
    case EFFECT_SEND: apply_send(w); break;
    case EFFECT_READ_MARKERS: apply_read_markers(w); break;
    case EFFECT_SEND_CONTROL: apply_send_control(w); break;
    case EFFECT_REPORT:
        loss = ledger_loss();
        w->ev.kind = EVENT_FAILED;
        if (loss == LOSS_NONE)
            w->ev.kind = ledger_report(&w->fx.batch_id);
        else if (loss == LOSS_AFTER)
            ledger_report(&w->fx.batch_id);
        break;
    case EFFECT_DONE:
        loss = ledger_loss();
        w->ev.kind = EVENT_FAILED;
        if (loss == LOSS_NONE)
            w->ev.kind = ledger_done(&w->fx.batch_id);
        else if (loss == LOSS_AFTER)
            ledger_done(&w->fx.batch_id);
        break;
    case EFFECT_END: break;
    }
    return true;
}

static void tally_add(const struct protocol_tally *t)
{
    total.in_doubt += t->requests_in_doubt;
    total.resolved_applied += t->resolved_applied;
    total.resolved_absent += t->resolved_absent;
    if (t->violations > 0)
        fail("the core found an attempt applied that it had given up");
}

static void worker_step(struct worker *w)
{
    if (fault(W.rates.clock))
        w->clock_ms += span(2 * HOUR) - HOUR;
    w->ev.now_ms = W.now + w->clock_ms;
    w->ev.fresh = fresh_nonce();
    w->ev.stop = fault(W.rates.crash / 2); /* SIGTERM or deadline */
    protocol_step(&w->run, &w->ev, &w->fx);
    w->mode = WORKER_APPLY;
    w->wake_ms = W.now + latency() + w->fx.delay_ms;
}

static void worker_finish(struct worker *w)
{
    w->learned_ms = w->run.clock_error_ms;
    tally_add(&w->run.tally);
    int64_t back_ms = W.now + (w->run.retry_after_ms > 0 ? w->run.retry_after_ms : MINUTE);
    for (unsigned i = 0; !w->recovering && i < w->n_held; i++) {
        struct message *m = &W.messages[w->held[i]];
        const struct protocol_object *o = &w->run.objects[w->objects[i]];
        struct sim_object *so = &W.objects[m->index];
        bool gone = false;
        switch (o->state) {
        case OBJECT_COUNTED:
        case OBJECT_HELD: gone = true; break;
        case OBJECT_COUNTED_BEFORE:
            total.duplicates++;
            gone = true;
            break;
        case OBJECT_UNREAD:
            if (so->corrupt && m->receives > 3)
                so->quarantined = true;
            gone = so->quarantined || W.now >= so->deleted_ms;
            break;
        case OBJECT_PENDING: {
            const struct sim_batch *s = batch_find(&o->owner);
            bool known = s == NULL || ledger_nonce_eq(&o->owner, &w->run.batch.id);
            for (unsigned j = 0; s != NULL && j < w->n_recover; j++)
                known = known || w->recover[j] == (uint32_t)(s - W.batches);
            if (!known && w->n_recover < RECOVER_MAX)
                w->recover[w->n_recover++] = (uint32_t)(s - W.batches);
            break;
        }
        default: break;
        }
        if (!m->live)
            continue;
        if (gone) {
            if (!fault(W.rates.delete_lost))
                message_delete(m);
        } else if (m->receives > 20) {
            message_delete(m); /* dead-letter queue: the sweep has to find it */
        } else {
            m->visible_ms = back_ms;
        }
    }
    if (w->recovering && w->n_held == 1) {
        struct message *m = &W.messages[w->held[0]];
        if (m->live && m->is_batch) {
            if (w->run.batch.state != BATCH_PREPARED || m->receives > 20)
                message_delete(m);
            else
                m->visible_ms = back_ms;
        }
    }
}

static void worker_recover(struct worker *w, uint32_t batch)
{
    w->recovering = true;
    protocol_run_init(&w->run, &W.config, NULL, 0, w->learned_ms);
    memset(&w->ev, 0, sizeof w->ev);
    w->ev.kind = EVENT_RECOVER;
    w->ev.batch_id = W.batches[batch].b.id;
    worker_step(w);
}

static void worker_receive(struct worker *w)
{
    struct ledger_id ids[HELD_MAX];
    uint16_t n = 0;
    uint32_t start = W.n_messages == 0 ? 0 : (uint32_t)below(W.n_messages);
    unsigned want = 1 + (unsigned)below(BATCH_OBJECTS);
    int64_t next_ms = NEVER;
    w->n_held = w->n_recover = 0;
    w->recovering = false;
    for (uint32_t j = 0; j < W.n_messages && w->n_held < want; j++) {
        uint32_t i = start + j < W.n_messages ? start + j : start + j - W.n_messages;
        struct message *m = &W.messages[i];
        if (!m->live)
            continue;
        if (m->visible_ms > W.now) {
            if (m->visible_ms < next_ms)
                next_ms = m->visible_ms;
            continue;
        }
        if (m->is_batch && w->n_held > 0)
            continue;
        m->visible_ms = W.now + W.visibility_ms;
        m->receives++;
        w->held[w->n_held] = i;
        if (m->is_batch) {
            w->n_held = 1;
            worker_recover(w, m->index);
            return;
        }
        uint16_t at = 0; /* the same object twice in one round is one object */
        while (at < n && object_of(&ids[at]) != m->index)
            at++;
        if (at == n)
            ids[n++] = object_id(m->index);
        w->objects[w->n_held++] = at;
    }
    if (n == 0) {
        w->wake_ms = next_ms;
        return;
    }
    protocol_run_init(&w->run, &W.config, ids, n, w->learned_ms);
    memset(&w->ev, 0, sizeof w->ev);
    w->ev.kind = EVENT_START;
    worker_step(w);
}

static void worker_tick(struct worker *w)
{
    total.steps++;
    if (w->mode != WORKER_DOWN && w->mode != WORKER_IDLE && fault(W.rates.crash)) {
        worker_crash(w);
        return;
    }
    switch (w->mode) {
    case WORKER_DOWN:
        w->clock_ms = span(2 * SECOND) - SECOND;
        if (W.now < W.fault_end_ms && below(10) == 0)
            w->clock_ms = span(2 * HOUR) - HOUR;
        else if (W.now < W.fault_end_ms && below(50) == 0)
            w->clock_ms = span(4 * DAY) - 2 * DAY;
        w->mode = WORKER_IDLE;
        w->wake_ms = W.now;
        return;
    case WORKER_IDLE: worker_receive(w); return;
    case WORKER_APPLY:
        if (w->fx.kind == EFFECT_END) {
            worker_finish(w);
            if (w->n_recover > 0) {
                worker_recover(w, w->recover[--w->n_recover]);
                return;
            }
            w->mode = WORKER_IDLE;
            w->wake_ms = W.now + 1;
        } else if (worker_apply(w)) {
            w->mode = WORKER_ANSWER;
            w->wake_ms = W.now + w->answer_takes_ms + latency();
        }
        return;
    case WORKER_ANSWER: worker_step(w); return;
    }
}

/* ---- sweep ---- */

static bool batch_held(const struct sim_batch *s)
{
    if (W.policy != POLICY_HOLD)
        return false;
    for (unsigned i = 0; i < s->b.n_parts; i++) {
        const struct ledger_part *p = &s->b.parts[i];
        if (!ledger_part_final(p) &&
            (p->state != PART_SENDING || W.now <= p->date_ms + W.config.fence_ms))
            return false;
    }
    return true;
}

/* Compare what there is with what is counted; true when nothing is left to do. */
static bool sweep(void)
{
    bool clean = true;
    total.sweeps++;
    for (unsigned k = 0; k < W.n_objects; k++) {
        struct sim_object *o = &W.objects[k];
        if (W.now < o->born_ms) {
            clean = false;
            continue;
        }
        const struct sim_batch *s = o->owned ? batch_find(&o->owner) : NULL;
        bool member = false;
        for (unsigned i = 0; s != NULL && i < s->b.n_members; i++)
            member = member || object_of(&s->members[i]) == k;
        if (member && s->b.state == BATCH_DONE)
            continue;
        if (member && s->b.state == BATCH_PREPARED && batch_held(s))
            continue;
        if (o->quarantined || (!member && W.now >= o->deleted_ms))
            continue;
        clean = false;
        if (W.now > o->born_ms + 15 * MINUTE && o->messages == 0)
            message_add(false, k, W.now);
    }
    for (uint32_t i = 0; i < W.n_batches; i++) {
        struct sim_batch *s = &W.batches[i];
        if (s->b.state != BATCH_PREPARED || batch_held(s))
            continue;
        clean = false;
        if (W.now > s->b.prepared_ms + W.config.lease_ms)
            message_add(true, i, W.now);
    }
    return clean;
}

/* ---- oracle ---- */

static void judge(void)
{
    static uint32_t owner_of[OBJECTS_MAX]; /* batch + 1 */
    static uint8_t seen[2 * OBJECTS_MAX];
    memset(owner_of, 0, sizeof owner_of);
    memset(seen, 0, sizeof seen);
    for (uint32_t i = 0; i < W.n_batches; i++) {
        struct sim_batch *s = &W.batches[i];
        if (s->b.state != BATCH_PREPARED && s->b.state != BATCH_DONE)
            continue;
        total.batches++;
        for (unsigned j = 0; j < s->b.n_members; j++) {
            unsigned k = object_of(&s->members[j]);
            /* After expiry an object may be claimed once more, with nothing left to send. */
            if (s->n_data > 0 || owner_of[k] == 0)
                owner_of[k] = i + 1;
        }
        for (unsigned j = 0; j < s->b.n_parts; j++) {
            const struct ledger_part *p = &s->b.parts[j];
            uint64_t tokens = tokens_of(s->data, p->first, p->count);
            if (tokens != p->tokens)
                fail("tokens of a part are journaled wrongly");
            if (!ledger_part_final(p) && (s->b.state == BATCH_DONE || W.policy != POLICY_HOLD))
                fail("a batch is done with a part that is not");
            unsigned again = 0; /* applications of attempts that were sent again */
            for (uint32_t m = 0; m < W.n_markers && p->resent > 0; m++)
                for (unsigned g = 0; g < s->n_given_up; g++)
                    again += W.markers[m].batch == i && W.markers[m].first <= p->first &&
                             W.markers[m].first + W.markers[m].count > p->first &&
                             ledger_marker_eq(&W.markers[m].marker, &s->given_up[g]);
            if (again > p->resent)
                fail("more was sent twice than the journal says");
            unsigned applied = 0;
            for (unsigned d = p->first; d < p->first + p->count; d++) {
                unsigned k = s->data[d] / 2u, which = s->data[d] % 2u;
                applied = W.objects[k].applied[which];
                if (seen[s->data[d]]++)
                    fail("object %u is in two batches", k);
                unsigned least = 1, most = 1;
                if (p->state == PART_REJECTED)
                    least = most = 0;
                else if (p->state != PART_ACKED)
                    least = 0;
                if (applied < least + again || applied > most + again)
                    fail("object %u counted %u times, journal says %u..%u", k, applied,
                         least + again, most + again);
            }
            total.resent += p->resent;
            total.tokens_resent_double += again * tokens;
            if (p->state == PART_DROPPED) {
                total.dropped++;
                total.tokens_dropped_lost += applied == 0 ? tokens : 0;
            } else if (p->state == PART_REJECTED) {
                total.rejected++;
                total.tokens_rejected += tokens;
            } else if (p->state == PART_SENDING) {
                total.held++;
                total.tokens_held += tokens;
            }
        }
    }
    for (unsigned k = 0; k < W.n_objects; k++) {
        const struct sim_object *o = &W.objects[k];
        total.tokens += (uint64_t)o->value[0] + o->value[1];
        if (owner_of[k] == 0 && !o->corrupt && o->deleted_ms == NEVER)
            fail("object %u was never counted", k);
        for (unsigned which = 0; which < 2; which++) {
            if (seen[2 * k + which] == 0 && o->applied[which] > 0)
                fail("object %u was counted and no journal says so", k);
            if (seen[2 * k + which] == 0 && owner_of[k] != 0)
                fail("object %u has a batch without its data", k);
            /* The plain rule, without a look at any journal. */
            if (W.policy == POLICY_RESOLVE && !o->corrupt && !o->poison && o->deleted_ms == NEVER &&
                o->applied[which] != 1)
                fail("object %u counted %u times", k, o->applied[which]);
        }
    }
}

/* ---- one world ---- */

static uint32_t pick(uint32_t a, uint32_t b, uint32_t c, uint32_t d)
{
    const uint32_t v[4] = {a, b, c, d};
    return v[below(4)];
}

static void world_new(uint64_t seed)
{
    W.rng = seed * UINT64_C(0xd1342543de82ef95) + 1;
    rnd();
    W.now = EPOCH;
    memset(W.by_nonce, 0,
           W.cap_nonces < W.n_nonces + 1 ? W.cap_nonces * sizeof *W.by_nonce
                                         : (size_t)(W.n_nonces + 1) * sizeof *W.by_nonce);
    W.n_batches = W.n_messages = W.n_flights = W.n_markers = 0;
    W.n_nonces = 0;
    W.marker_minute = 0;
    W.marker_n = 0;
    W.marker_last_visible_ms = 0;
    W.failed = false;
    bool long_life = below(20) == 0;
    W.rates = (struct rates){.crash = pick(0, 500, 3000, 15000),
                             .stall = pick(0, 1000, 4000, 15000),
                             .ledger_lost = pick(0, 2000, 10000, 60000),
                             .send_lost = pick(0, 20000, 80000, 250000),
                             .throttle = pick(0, 10000, 50000, 200000),
                             .read_failed = pick(0, 1000, 10000, 50000),
                             .delete_lost = pick(0, 10000, 50000, 200000),
                             .duplicate = pick(0, 10000, 100000, 300000),
                             .event_lost = pick(0, 10000, 10000, 100000),
                             .clock = pick(0, 0, 200, 2000)};
    if (W.variant == VARIANT_SHORT_TTL)
        long_life = true;
    W.fault_end_ms = EPOCH + 5 * HOUR;
    W.end_ms = EPOCH + (long_life ? 75 : 10) * DAY;
    W.ttl_ms = (W.variant == VARIANT_SHORT_TTL ? 4 : 35) * DAY;
    W.sweep_every_ms = HOUR;
    W.next_sweep_ms = EPOCH + HOUR;
    W.visibility_ms = 5 * MINUTE + span(30 * MINUTE);
    W.slow_markers_until_ms = below(4) == 0 ? EPOCH + span(5 * HOUR) : 0;
    W.marker_delay_ms = span(2 * HOUR);
    W.throttle_from_ms = EPOCH + span(4 * HOUR);
    W.throttle_until_ms = below(3) == 0 ? W.throttle_from_ms + span(30 * MINUTE) : 0;
    W.outage_from_ms = EPOCH + span(4 * HOUR);
    W.outage_until_ms = below(4) == 0 ? W.outage_from_ms + span(20 * MINUTE) : 0;
    W.config = PROTOCOL_DEFAULTS;
    W.config.policy = W.policy;
    W.config.lease_ms = 20 * SECOND + span(10 * MINUTE);
    if (W.variant == VARIANT_NO_FENCE)
        W.config.fence_ms = 0;
    W.config.no_control = W.variant == VARIANT_NO_CONTROL;

    for (unsigned k = 0; k < W.n_objects; k++) {
        struct sim_object *o = &W.objects[k];
        *o = (struct sim_object){.born_ms = EPOCH + span(3 * HOUR), .deleted_ms = NEVER};
        o->value[0] = (uint32_t)below(1000000);
        o->value[1] = (uint32_t)below(1000000);
        uint64_t kind = below(1000);
        o->corrupt = kind < 5;
        o->poison = kind >= 5 && kind < 10;
        if (kind >= 10 && kind < 20)
            o->deleted_ms = o->born_ms + span(2 * HOUR);
        W.now = o->born_ms; /* for fault(): events get lost while there are faults */
        if (!fault(W.rates.event_lost))
            message_add(false, k, o->born_ms + span(2 * MINUTE));
        while (fault(W.rates.duplicate))
            message_add(false, k, o->born_ms + span(2 * HOUR));
        if (long_life && below(4) == 0)
            message_add(false, k, o->born_ms + span(60 * DAY));
    }
    W.now = EPOCH;
    for (unsigned i = 0; i < W.n_workers; i++) {
        W.workers[i].mode = WORKER_DOWN;
        W.workers[i].wake_ms = EPOCH + span(MINUTE);
        W.workers[i].learned_ms = 0;
        W.workers[i].sent_first = EVENT_START;
    }
}

static bool all_quiet(void)
{
    for (unsigned i = 0; i < W.n_workers; i++)
        if (W.workers[i].mode == WORKER_APPLY || W.workers[i].mode == WORKER_ANSWER)
            return false;
    if (W.n_flights > 0)
        return false;
    for (uint32_t i = 0; i < W.n_messages; i++)
        if (W.messages[i].live)
            return false;
    return true;
}

static void world_run(void)
{
    while (!W.failed) {
        struct worker *first = &W.workers[0];
        for (unsigned i = 1; i < W.n_workers; i++)
            if (W.workers[i].wake_ms < first->wake_ms)
                first = &W.workers[i];
        int64_t at = first->wake_ms < W.next_sweep_ms ? first->wake_ms : W.next_sweep_ms;
        uint32_t landing = UINT32_MAX;
        for (uint32_t i = 0; i < W.n_flights; i++)
            if (W.flights[i].at_ms < at) {
                at = W.flights[i].at_ms;
                landing = i;
            }
        if (at > W.now)
            W.now = at;
        if (W.now > W.end_ms) {
            fail("did not come to an end");
            return;
        }
        if (landing != UINT32_MAX) {
            flight_land(landing);
        } else if (W.next_sweep_ms <= first->wake_ms) {
            W.next_sweep_ms += W.sweep_every_ms;
            if (sweep() && W.now > W.fault_end_ms && all_quiet())
                return;
        } else {
            worker_tick(first);
        }
    }
}

/* ---- command line ---- */

static int usage(const char *what, const char *value)
{
    fprintf(stderr, "ledger-sim: %s: %s\n", what, value);
    fputs("usage: ledger-sim --seeds A:B [--variant NAME] [--policy resolve|resend|drop|hold]\n"
          "                  [--objects N] [--workers N] [--verbose]\nvariants:",
          stderr);
    for (size_t i = 1; i < sizeof VARIANT_NAMES / sizeof *VARIANT_NAMES; i++)
        fprintf(stderr, " %s", VARIANT_NAMES[i]);
    fputs("\n", stderr);
    return 2;
}

static int find_name(const char *const *names, size_t n, const char *name)
{
    for (size_t i = 0; i < n; i++)
        if (strcmp(names[i], name) == 0)
            return (int)i;
    return -1;
}

int main(int argc, char **argv)
{
    uint64_t from = 1, to = 100;
    W.n_objects = 200;
    W.n_workers = 3;
    for (int i = 1; i < argc; i++) {
        const char *option = argv[i];
        if (strcmp(option, "--verbose") == 0) {
            W.verbose = true;
            continue;
        }
        if (i + 1 == argc)
            return usage("missing value or unknown option", option);
        const char *value = argv[++i];
        int at;
        char *end;
        if (strcmp(option, "--seeds") == 0) {
            from = strtoull(value, &end, 10);
            if (*end != ':')
                return usage("not A:B", value);
            to = strtoull(end + 1, &end, 10);
            if (*end != '\0' || to < from)
                return usage("not A:B", value);
        } else if (strcmp(option, "--variant") == 0) {
            at = find_name(VARIANT_NAMES, sizeof VARIANT_NAMES / sizeof *VARIANT_NAMES, value);
            if (at < 0)
                return usage("unknown variant", value);
            W.variant = (enum variant)at;
        } else if (strcmp(option, "--policy") == 0) {
            at = find_name(POLICY_NAMES, sizeof POLICY_NAMES / sizeof *POLICY_NAMES, value);
            if (at < 0)
                return usage("unknown policy", value);
            W.policy = (enum ledger_policy)at;
        } else if (strcmp(option, "--objects") == 0) {
            W.n_objects = (unsigned)strtoul(value, &end, 10);
            if (*end != '\0' || W.n_objects == 0 || W.n_objects > OBJECTS_MAX)
                return usage("not 1..1000", value);
        } else if (strcmp(option, "--workers") == 0) {
            W.n_workers = (unsigned)strtoul(value, &end, 10);
            if (*end != '\0' || W.n_workers == 0 || W.n_workers > WORKERS_MAX)
                return usage("not 1..8", value);
        } else {
            return usage("unknown option", option);
        }
    }
    W.by_nonce = grown(NULL, 1 << 16, &W.cap_nonces, sizeof *W.by_nonce);
    uint64_t passed = 0, failed = 0;
    struct timespec begin, end;
    clock_gettime(CLOCK_MONOTONIC, &begin);
    for (uint64_t seed = from; seed <= to; seed++) {
        world_new(seed);
        world_run();
        if (!W.failed)
            judge();
        if (W.failed) {
            failed++;
            if (failed <= 5 || W.verbose)
                printf("seed %" PRIu64 ": %s\n", seed, W.why);
        } else {
            passed++;
        }
        if (seed == UINT64_MAX)
            break;
    }
    clock_gettime(CLOCK_MONOTONIC, &end);
    double seconds =
        (double)(end.tv_sec - begin.tv_sec) + (double)(end.tv_nsec - begin.tv_nsec) / 1e9;
    double n = (double)(passed + failed);
    printf("%u objects, %u workers, policy %s, variant %s; per seed: %.1f batches, %.0f steps, "
           "%.1f faults (%.1f crashes, %.1f stalls, %.1f lost ledger answers)\n",
           W.n_objects, W.n_workers, POLICY_NAMES[W.policy], VARIANT_NAMES[W.variant],
           (double)total.batches / n, (double)total.steps / n, (double)total.faults / n,
           (double)total.crashes / n, (double)total.stalls / n, (double)total.lost_answers / n);
    printf("requests %" PRIu64 ", applied %" PRIu64 ", in doubt %" PRIu64
           " (seen by their sender), resolved applied %" PRIu64 ", resolved absent %" PRIu64
           ", duplicates suppressed %" PRIu64 "\n",
           total.requests, total.applied, total.in_doubt, total.resolved_applied,
           total.resolved_absent, total.duplicates);
    printf("tokens true %" PRIu64 "; journaled deviations: resent parts %" PRIu64
           " (tokens double %" PRIu64 "), dropped parts %" PRIu64 " (tokens lost %" PRIu64
           "), held parts %" PRIu64 " (tokens %" PRIu64 "), rejected data %" PRIu64
           " (tokens %" PRIu64 ")\n",
           total.tokens, total.resent, total.tokens_resent_double, total.dropped,
           total.tokens_dropped_lost, total.held, total.tokens_held, total.rejected,
           total.tokens_rejected);
    printf("%.1f s, %.0f seeds/s\n", seconds, n / (seconds > 0 ? seconds : 1e-9));
    printf("%" PRIu64 " passed, %" PRIu64 " failed\n", passed, failed);
    /* A broken variant is expected to be found out. */
    return (failed == 0) == (W.variant == VARIANT_NONE) ? 0 : 1;
}
