#include "ledger/verify_markers.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>

#include "aws/cloudwatch.h"
#include "base/array.h"
#include "ledger/marker.h"

enum {
    SLOTS_A_CALL = 4,     /* of 14 days of minutes each: within the points of a call */
    BEFORE_S = 2 * 86400, /* batches may be sent so long after they were prepared */
    FIRST_ROOM = 256,
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
    const struct verify_markers_options *o;
    struct verify_markers_result *r;
    struct ledger_nonce *batches;
    size_t batch_count, batch_capacity;
    struct known *known;
    size_t count, capacity;
    unsigned slots; /* to ask for */
    bool no_memory;
};

const char *marker_fault_name(enum marker_fault fault)
{
    static const char *const names[] = {"missing", "repeated", "unknown"};
    return names[fault];
}

static void tell(const struct audit *a, const char *what, uint64_t done, uint64_t all)
{
    if (a->o->on_step != NULL)
        a->o->on_step(a->o->ctx, what, done, all);
}

/* ---- what the ledger says ---- */

static bool note_batch(void *ctx, const struct ledger_nonce *id, enum ledger_batch_state state,
                       int64_t prepared_ms)
{
    struct audit *a = ctx;
    (void)state;
    (void)prepared_ms;
    a->no_memory = !array_room(&a->batches, a->batch_count, &a->batch_capacity, FIRST_ROOM,
                               sizeof(*a->batches));
    if (!a->no_memory)
        a->batches[a->batch_count++] = *id;
    return !a->no_memory;
}

static enum status note_part(struct audit *a, const struct ledger_nonce *batch, uint16_t number,
                             const struct ledger_part *p)
{
    const struct ledger_marker *m = &p->marker;
    bool open = p->state == PART_SENDING || p->state == PART_DROPPED;
    if (m->minute == 0 || m->minute * 60 < a->o->since_s || m->minute * 60 >= a->o->until_s ||
        (p->state != PART_ACKED && !open))
        return ST_OK;
    if (a->count >= MAX_MARKERS)
        return ST_TOO_BIG;
    if (!array_room(&a->known, a->count, &a->capacity, FIRST_ROOM, sizeof(*a->known)))
        return ST_NO_MEMORY;
    a->known[a->count++] = (struct known){
        .marker = *m, .batch = *batch, .part = number, .accepted = p->state == PART_ACKED};
    a->r->accepted += p->state == PART_ACKED;
    a->r->open += open;
    if (m->slot + 1U > a->slots)
        a->slots = m->slot + 1U;
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

static enum status read_ledger(struct audit *a, struct error *err)
{
    struct ledger *l = a->o->session->ledger;
    struct ledger_record *record = calloc(1, sizeof(*record));
    if (record == NULL)
        return error_set(err, ST_NO_MEMORY, E_R113, "out of memory");
    enum status st =
        ledger_list_batches(l, (a->o->since_s - BEFORE_S) * 1000, INT64_MAX, note_batch, a);
    if (st == ST_OK && a->no_memory)
        st = ST_NO_MEMORY;
    tell(a, "batches", 0, a->batch_count);
    for (size_t i = 0; i < a->batch_count && st == ST_OK; i++) {
        st = ledger_load(l, &a->batches[i], record);
        a->r->batches += st == ST_OK;
        for (uint16_t j = 0; st == ST_OK && j < record->batch.n_parts; j++)
            st = note_part(a, &a->batches[i], j, &record->batch.parts[j]);
        st = st == ST_MISSING ? ST_OK : st; /* pruned meanwhile */
        tell(a, "batches", i + 1, a->batch_count);
        if (st == ST_OK && aws_stop_asked(&a->o->stop))
            st = ST_CANCELLED;
    }
    free(record);
    if (a->count > 0)
        qsort(a->known, a->count, sizeof(*a->known), by_place);
    return st == ST_OK
               ? st
               : error_set(err, st, E_L209, "the ledger cannot be read: %s", status_name(st));
}

/* ---- what CloudWatch says ---- */

static struct known *find(const struct audit *a, const struct ledger_marker *m)
{
    return a->count == 0 ? NULL : bsearch(m, a->known, a->count, sizeof(*a->known), by_place);
}

static void differ(const struct audit *a, enum marker_fault fault, const struct ledger_marker *m,
                   unsigned applied, const struct known *k)
{
    struct marker_difference d = {.fault = fault,
                                  .marker = *m,
                                  .applied = applied,
                                  .batch = k != NULL ? &k->batch : NULL,
                                  .part = k != NULL ? k->part : 0};
    if (a->o->on_difference != NULL)
        a->o->on_difference(a->o->ctx, &d);
}

/* One digit that is not 0.  handed_out: how many markers of the minute the ledger gave away. */
static void compare(struct audit *a, const struct ledger_marker *m, unsigned applied,
                    uint32_t handed_out)
{
    struct known *k = find(a, m);
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

/* The sum of a slot in a minute. */
static enum status compare_sum(struct audit *a, uint16_t slot, int64_t at_s, double value,
                               struct error *err)
{
    struct ledger_marker m = {.minute = at_s / 60, .slot = slot};
    uint32_t handed_out = 0;
    uint64_t sum = value < 0 || value > 9007199254740992.0 ? 0 : (uint64_t)value;
    if (sum == 0)
        return ST_OK;
    enum status st = ledger_markers_used(a->o->session->ledger, m.minute, &handed_out);
    if (st != ST_OK)
        return error_set(err, st, E_L209, "the ledger cannot be read: %s", status_name(st));
    for (; m.digit < LEDGER_MARKER_DIGITS; m.digit++) {
        unsigned applied = (unsigned)(sum >> (2 * m.digit)) & 3U;
        if (applied > 0)
            compare(a, &m, applied, handed_out);
    }
    return ST_OK;
}

static enum status compare_result(struct audit *a, const json_t *result, struct error *err)
{
    const char *id = json_string_value(json_object_get(result, "Id"));
    const char *code = json_string_value(json_object_get(result, "StatusCode"));
    const json_t *values = json_object_get(result, "Values"), *time;
    size_t i;
    if (id == NULL || id[0] != 's' || code == NULL || strcmp(code, "Complete") != 0)
        return error_set(err, ST_RETRY, E_R124, "GetMetricData: the answer is not complete");
    enum status st = ST_OK;
    json_array_foreach(json_object_get(result, "Timestamps"), i, time)
    {
        if (st == ST_OK)
            st = compare_sum(a, (uint16_t)strtoul(id + 1, NULL, 10),
                             (int64_t)json_number_value(time),
                             json_number_value(json_array_get(values, i)), err);
    }
    return st;
}

static enum status compare_slots(struct audit *a, unsigned first, unsigned n, struct error *err)
{
    const struct marker_place place = {.region = a->o->region,
                                       .name_space = a->o->name_space,
                                       .scope = view_of(a->o->session->marker_scope)};
    json_t *queries = json_array(), *results = NULL, *result;
    enum status st = queries == NULL ? ST_NO_MEMORY : ST_OK;
    for (unsigned i = first; i < first + n && st == ST_OK; i++) {
        char id[16];
        snprintf(id, sizeof(id), "s%u", i);
        if (json_array_append_new(queries, marker_query(id, &place, (uint16_t)i)) != 0)
            st = ST_NO_MEMORY;
    }
    json_t *request = json_pack("{s:O, s:I, s:I}", "MetricDataQueries", queries, "StartTime",
                                (json_int_t)a->o->since_s, "EndTime", (json_int_t)a->o->until_s);
    if (request == NULL)
        st = ST_NO_MEMORY;
    if (st == ST_OK)
        st = cloudwatch_get_data(a->o->client, a->o->region, request, &results, NULL, err);
    size_t i;
    json_array_foreach(results, i, result)
    {
        if (st == ST_OK)
            st = compare_result(a, result, err);
    }
    json_decref(request);
    json_decref(queries);
    json_decref(results);
    return st;
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

enum status verify_markers_run(const struct verify_markers_options *options,
                               struct verify_markers_result *out, struct error *err)
{
    struct audit a = {.o = options, .r = out, .slots = 1};
    *out = (struct verify_markers_result){0};
    enum status st = read_ledger(&a, err);
    a.slots += a.slots <= UINT16_MAX; /* one more, where a second ledger would be seen */
    tell(&a, "slots", 0, a.slots);
    for (unsigned i = 0; i < a.slots && st == ST_OK; i += SLOTS_A_CALL) {
        unsigned n = a.slots - i < SLOTS_A_CALL ? a.slots - i : SLOTS_A_CALL;
        st = compare_slots(&a, i, n, err);
        tell(&a, "slots", i + n, a.slots);
        if (st == ST_OK && aws_stop_asked(&options->stop))
            st = ST_CANCELLED;
    }
    out->slots = a.slots;
    if (st == ST_OK)
        name_missing(&a);
    if (st == ST_NO_MEMORY)
        (void)error_set(err, st, E_R113, "out of memory");
    free(a.batches);
    free(a.known);
    return st;
}
