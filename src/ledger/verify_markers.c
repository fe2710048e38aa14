/*
 * verify --markers: whether each accepted request is in CloudWatch once, by the one marker it
 * carried, and whether there are markers that this ledger never handed out.
 */
#include "ledger/verify_markers.h"

#include <stdlib.h>

#include "aws/cloudwatch_read.h"
#include "base/array.h"
#include "ledger/marker.h"

enum {
    BEFORE_S = 2 * 86400, /* batches may be sent so long after they were prepared */
    MAX_MARKERS = 4 * 1000 * 1000,
};

/* What the ledger knows of a marker; more than one request never has the same. */
struct known {
    struct ledger_marker marker;
    struct ledger_nonce batch;
    uint16_t part;
    bool accepted, seen;
};

struct audit {
    const struct verify_options *o;
    void (*on_difference)(void *ctx, const struct marker_difference *d);
    struct verify_markers_result *r;
    struct marker_place place;
    struct known *known;
    size_t count, capacity;
    uint64_t slots_done;
};

const char *marker_fault_name(enum marker_fault fault)
{
    static const char *const names[] = {"missing", "repeated", "unknown"};
    return names[fault];
}

static void report_slots(const struct audit *a)
{
    if (a->o->on_step != NULL)
        a->o->on_step(a->o->ctx, "slots", a->slots_done, a->r->slots);
}

/* ---- what the ledger says ---- */

static enum status note_batch(void *ctx, const struct ledger_record *record)
{
    struct audit *a = ctx;
    const struct ledger_batch *b = &record->batch;
    for (uint16_t i = 0; i < b->n_parts; i++) {
        const struct ledger_part *p = &b->parts[i];
        const struct ledger_marker *m = &p->marker;
        bool open = p->state == PART_SENDING || p->state == PART_DROPPED;
        if (m->minute == 0 || m->minute * 60 < a->o->since_s || m->minute * 60 >= a->o->until_s ||
            (p->state != PART_ACKED && !open))
            continue;
        if (a->count >= MAX_MARKERS)
            return ST_TOO_BIG;
        if (!array_room(&a->known, a->count, &a->capacity, 256, sizeof(*a->known)))
            return ST_NO_MEMORY;
        a->known[a->count++] = (struct known){
            .marker = *m, .batch = b->id, .part = i, .accepted = p->state == PART_ACKED};
        a->r->accepted += p->state == PART_ACKED;
        a->r->open += open;
        if (m->slot + 1U > a->r->slots)
            a->r->slots = m->slot + 1U;
    }
    return ST_OK;
}

static int by_place(const void *left, const void *right)
{
    const struct ledger_marker *l = left, *r = right; /* first members */
    if (l->slot != r->slot)
        return l->slot < r->slot ? -1 : 1;
    if (l->minute != r->minute)
        return l->minute < r->minute ? -1 : 1;
    return (l->digit > r->digit) - (l->digit < r->digit);
}

/* ---- what CloudWatch says ---- */

static void differ(const struct audit *a, enum marker_fault fault, const struct ledger_marker *m,
                   unsigned applied, const struct known *k)
{
    struct marker_difference d = {.fault = fault,
                                  .marker = *m,
                                  .applied = applied,
                                  .batch = k != NULL ? &k->batch : NULL,
                                  .part = k != NULL ? k->part : 0};
    a->on_difference(a->o->ctx, &d);
}

/* One digit that is not 0.  handed_out: how many markers of the minute the ledger gave away. */
static void compare(struct audit *a, const struct ledger_marker *m, unsigned applied,
                    uint32_t handed_out)
{
    struct known *k =
        a->count == 0 ? NULL : bsearch(m, a->known, a->count, sizeof(*a->known), by_place);
    uint32_t number = (uint32_t)m->slot * LEDGER_MARKER_DIGITS + m->digit;
    if (k != NULL)
        k->seen = true;
    if (k == NULL && number >= handed_out) {
        a->r->unknown++;
        differ(a, MARKER_UNKNOWN, m, applied, k);
    } else if (applied > 1) {
        a->r->repeated++;
        differ(a, MARKER_REPEATED, m, applied, k);
    } else if (k != NULL) {
        a->r->found += k->accepted;
    } else {
        a->r->others++;
    }
}

/* The sums of a slot by minute. */
static enum status compare_slot(void *ctx, size_t slot, const struct cloudwatch_value *sums,
                                size_t n, struct error *err)
{
    struct audit *a = ctx;
    for (size_t i = 0; i < n; i++) {
        struct ledger_marker m = {.minute = sums[i].time_s / 60, .slot = (uint16_t)slot};
        uint32_t handed_out = 0;
        enum status st = ledger_markers_used(a->o->session->ledger, m.minute, &handed_out);
        if (st != ST_OK)
            return error_set(err, st, E_L209, "the ledger cannot be read: %s", status_name(st));
        for (; m.digit < LEDGER_MARKER_DIGITS; m.digit++) {
            unsigned applied = marker_applied(sums[i].value, m.digit);
            if (applied > 0)
                compare(a, &m, applied, handed_out);
        }
    }
    a->slots_done++;
    report_slots(a);
    return aws_stop_asked(&a->o->stop) ? ST_CANCELLED : ST_OK;
}

static json_t *metric_of(void *ctx, size_t slot)
{
    const struct audit *a = ctx;
    return marker_metric(&a->place, (uint16_t)slot);
}

static void name_missing(struct audit *a)
{
    for (size_t i = 0; i < a->count; i++) {
        const struct known *k = &a->known[i];
        if (!k->accepted || k->seen)
            continue;
        a->r->missing++;
        differ(a, MARKER_MISSING, &k->marker, 0, k);
    }
}

enum status verify_markers_run(const struct verify_options *options,
                               void (*on_difference)(void *ctx, const struct marker_difference *d),
                               struct verify_markers_result *out, struct error *err)
{
    struct audit a = {.o = options,
                      .on_difference = on_difference,
                      .r = out,
                      .place = {.region = options->region,
                                .name_space = options->name_space,
                                .scope = view_of(options->session->marker_scope)}};
    *out = (struct verify_markers_result){.slots = 1};
    enum status st = verify_each_batch(options, BEFORE_S, note_batch, &a, &out->batches, err);
    if (a.count > 0)
        qsort(a.known, a.count, sizeof(*a.known), by_place);
    out->slots += out->slots <= UINT16_MAX; /* one more, where a second ledger would be seen */
    if (st == ST_OK) {
        struct cloudwatch_query query = {.client = options->client,
                                         .region = options->region,
                                         .since_s = options->since_s,
                                         .until_s = options->until_s,
                                         .period_s = 60,
                                         .stat = "Sum",
                                         .series = (size_t)out->slots,
                                         .metric = metric_of,
                                         .values = compare_slot,
                                         .ctx = &a};
        report_slots(&a);
        st = cloudwatch_read(&query, NULL, err);
    }
    if (st == ST_OK)
        name_missing(&a);
    if (st == ST_NO_MEMORY)
        (void)error_set(err, st, E_R113, "out of memory");
    free(a.known);
    return st;
}
