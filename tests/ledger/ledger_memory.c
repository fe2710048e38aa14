/*
 * ledger_memory.c: a ledger that is gone with the process: the model that the real ones are held
 * against, and what tests of its callers use.  Searches its lists from end to end.
 */
#include "ledger_contract.h"

#include <pthread.h>
#include <stdlib.h>

struct object_row {
    struct ledger_id id;
    struct ledger_nonce owner;
    int64_t claimed_ms;
};

struct batch_row {
    struct ledger_record record;
    int64_t time_ms;
    uint16_t n_payloads;
    struct buf payloads[LEDGER_PAYLOADS_MAX];
};

struct marker_row {
    int64_t minute;
    uint32_t n;
};

struct quarantine_row {
    struct ledger_id id;
    int64_t time_ms;
    size_t lens[3];
    char texts[3][LEDGER_NAME_BYTES_MAX]; /* bucket, key, reason */
};

/* Rows of one kind; `size` bytes each. */
struct table {
    void *rows;
    size_t n, cap;
};

struct ledger_memory {
    struct ledger head;
    pthread_mutex_t mutex;
    struct { /* guarded by the mutex */
        struct table objects, markers, quarantine;
        struct batch_row **batches;
        size_t n_batches, cap_batches;
    } locked;
};

static struct ledger_memory *self(struct ledger *l)
{
    return (struct ledger_memory *)l;
}

static struct ledger_memory *lock(struct ledger *ledger)
{
    struct ledger_memory *l = self(ledger);
    pthread_mutex_lock(&l->mutex);
    return l;
}

static enum status unlock(struct ledger_memory *l, enum status st)
{
    pthread_mutex_unlock(&l->mutex);
    return st;
}

/* A new zeroed row, or NULL. */
static void *table_add(struct table *t, size_t size)
{
    if (t->n == t->cap) {
        size_t cap = t->cap == 0 ? 64 : t->cap * 2;
        void *rows = reallocarray(t->rows, cap, size);
        if (rows == NULL)
            return NULL;
        t->rows = rows;
        t->cap = cap;
    }
    void *row = (char *)t->rows + t->n++ * size;
    memset(row, 0, size);
    return row;
}

static struct object_row *find_object(struct ledger_memory *l, const struct ledger_id *id)
{
    struct object_row *rows = l->locked.objects.rows;
    for (size_t i = 0; i < l->locked.objects.n; i++)
        if (ledger_id_eq(&rows[i].id, id))
            return &rows[i];
    return NULL;
}

static struct batch_row *find_batch(struct ledger_memory *l, const struct ledger_nonce *id)
{
    for (size_t i = 0; i < l->locked.n_batches; i++)
        if (ledger_nonce_eq(&l->locked.batches[i]->record.batch.id, id))
            return l->locked.batches[i];
    return NULL;
}

static void free_batch(struct batch_row *row)
{
    for (uint16_t i = 0; row != NULL && i < row->n_payloads; i++)
        buf_clear(&row->payloads[i]);
    free(row);
}

static enum status add_batch(struct ledger_memory *l, struct batch_row *row)
{
    if (l->locked.n_batches == l->locked.cap_batches) {
        size_t cap = l->locked.cap_batches == 0 ? 64 : l->locked.cap_batches * 2;
        struct batch_row **rows = reallocarray(l->locked.batches, cap, sizeof *rows);
        if (rows == NULL)
            return ST_NO_MEMORY;
        l->locked.batches = rows;
        l->locked.cap_batches = cap;
    }
    l->locked.batches[l->locked.n_batches++] = row;
    return ST_OK;
}

static struct protocol_claim claim_one(struct ledger_memory *l, const struct ledger_nonce *batch,
                                       int64_t time_ms, const struct protocol_object *o)
{
    static const struct ledger_nonce none;
    bool want_absent = ledger_nonce_eq(&o->owner, &none);
    struct object_row *row = find_object(l, &o->id);
    struct protocol_claim c = {.result = CLAIM_MINE};
    if (row == NULL && !want_absent) {
        c.result = CLAIM_ABSENT;
    } else if (row == NULL) {
        row = table_add(&l->locked.objects, sizeof *row);
        if (row == NULL) {
            c.result = CLAIM_UNKNOWN;
            return c;
        }
        *row = (struct object_row){o->id, *batch, time_ms};
    } else if (!want_absent && ledger_nonce_eq(&row->owner, &o->owner)) {
        row->owner = *batch;
        row->claimed_ms = time_ms;
    } else if (!ledger_nonce_eq(&row->owner, batch)) {
        c = (struct protocol_claim){CLAIM_OTHER, row->owner, row->claimed_ms};
    }
    return c;
}

static enum status memory_claim(struct ledger *ledger, const struct ledger_nonce *batch,
                                int64_t time_ms, const struct protocol_object *objects, uint16_t n,
                                struct protocol_claim *claims)
{
    struct ledger_memory *l = lock(ledger);
    for (uint16_t i = 0; i < n; i++)
        if (objects[i].state == OBJECT_CLAIM)
            claims[i] = claim_one(l, batch, time_ms, &objects[i]);
    return unlock(l, ST_OK);
}

static enum status memory_load(struct ledger *ledger, const struct ledger_nonce *batch,
                               struct ledger_record *out)
{
    struct ledger_memory *l = lock(ledger);
    const struct batch_row *row = find_batch(l, batch);
    if (row != NULL)
        *out = row->record;
    return unlock(l, row == NULL ? ST_MISSING : ST_OK);
}

static enum status memory_abort(struct ledger *ledger, const struct ledger_nonce *batch,
                                int64_t time_ms)
{
    struct ledger_memory *l = lock(ledger);
    struct batch_row *row = find_batch(l, batch);
    if (row != NULL)
        return unlock(l, row->record.batch.state == BATCH_ABORTED ? ST_OK : ST_CONFLICT);
    row = calloc(1, sizeof *row);
    enum status st = row == NULL ? ST_NO_MEMORY : add_batch(l, row);
    if (st == ST_OK) {
        row->record.batch.id = *batch;
        row->record.batch.state = BATCH_ABORTED;
        row->record.batch.prepared_ms = row->time_ms = time_ms;
    } else {
        free(row);
    }
    return unlock(l, st);
}

static enum status memory_prepare(struct ledger *ledger, const struct ledger_record *record,
                                  const struct view *payloads, uint16_t n_payloads)
{
    struct ledger_memory *l = lock(ledger);
    if (find_batch(l, &record->batch.id) != NULL)
        return unlock(l, ST_CONFLICT);
    struct batch_row *row = calloc(1, sizeof *row);
    if (row == NULL)
        return unlock(l, ST_NO_MEMORY);
    row->record = *record;
    row->record.batch.state = BATCH_PREPARED;
    row->time_ms = record->batch.prepared_ms;
    enum status st = ST_OK;
    for (uint16_t i = 0; i < n_payloads && st == ST_OK; i++) {
        buf_init(&row->payloads[i], LEDGER_PAYLOAD_BYTES_MAX);
        row->n_payloads = (uint16_t)(i + 1);
        buf_add_view(&row->payloads[i], payloads[i]);
        st = buf_status(&row->payloads[i]);
    }
    if (st == ST_OK)
        st = add_batch(l, row);
    if (st != ST_OK)
        free_batch(row);
    return unlock(l, st);
}

static enum status memory_payload(struct ledger *ledger, const struct ledger_nonce *batch,
                                  uint16_t index, struct buf *out)
{
    struct ledger_memory *l = lock(ledger);
    const struct batch_row *row = find_batch(l, batch);
    if (row == NULL || index >= row->n_payloads)
        return unlock(l, ST_MISSING);
    buf_add_view(out, buf_view(&row->payloads[index]));
    return unlock(l, buf_status(out));
}

static enum status memory_journal(struct ledger *ledger, const struct protocol_effect *j)
{
    struct ledger_memory *l = lock(ledger);
    struct batch_row *row = find_batch(l, &j->batch_id);
    if (row == NULL || j->index >= row->record.batch.n_parts ||
        !ledger_nonce_eq(&row->record.batch.parts[j->index].nonce, &j->expected) ||
        (j->split && row->record.batch.n_parts != j->n_parts))
        return unlock(l, ST_CONFLICT);
    row->record.batch.parts[j->index] = j->part;
    if (j->split)
        row->record.batch.parts[row->record.batch.n_parts++] = j->extra;
    return unlock(l, ST_OK);
}

static enum status memory_done(struct ledger *ledger, const struct ledger_nonce *batch,
                               int64_t time_ms)
{
    struct ledger_memory *l = lock(ledger);
    struct batch_row *row = find_batch(l, batch);
    if (row == NULL || row->record.batch.state == BATCH_ABORTED)
        return unlock(l, ST_CONFLICT);
    for (uint16_t i = 0; i < row->record.batch.n_parts; i++)
        if (!ledger_part_final(&row->record.batch.parts[i]))
            return unlock(l, ST_CONFLICT);
    row->record.batch.state = BATCH_DONE;
    row->time_ms = time_ms;
    return unlock(l, ST_OK);
}

static enum status memory_list_open(struct ledger *ledger, int64_t before_ms,
                                    struct ledger_nonce *out, size_t max, size_t *n)
{
    struct ledger_memory *l = lock(ledger);
    *n = 0;
    for (size_t i = 0; i < l->locked.n_batches && *n < max; i++) {
        const struct ledger_batch *b = &l->locked.batches[i]->record.batch;
        if (b->state == BATCH_PREPARED && b->prepared_ms < before_ms)
            out[(*n)++] = b->id;
    }
    return unlock(l, ST_OK);
}

static enum status memory_list_batches(struct ledger *ledger, int64_t from_ms, int64_t until_ms,
                                       ledger_batch_fn *fn, void *ctx)
{
    struct ledger_memory *l = lock(ledger);
    for (size_t i = 0; i < l->locked.n_batches; i++) {
        const struct ledger_batch *b = &l->locked.batches[i]->record.batch;
        if (b->state >= BATCH_PREPARED && b->prepared_ms >= from_ms && b->prepared_ms < until_ms &&
            !fn(ctx, &b->id, (enum ledger_batch_state)b->state, b->prepared_ms))
            break;
    }
    return unlock(l, ST_OK);
}

static struct quarantine_row *find_quarantined(struct ledger_memory *l, const struct ledger_id *id)
{
    struct quarantine_row *rows = l->locked.quarantine.rows;
    for (size_t i = 0; i < l->locked.quarantine.n; i++)
        if (ledger_id_eq(&rows[i].id, id))
            return &rows[i];
    return NULL;
}

static enum ledger_progress lookup_one(struct ledger_memory *l, const struct ledger_id *id,
                                       uint64_t *tag)
{
    enum ledger_progress at = LEDGER_ABSENT;
    const struct object_row *o = find_object(l, id);
    if (o != NULL) {
        at = LEDGER_CLAIMED;
        const struct batch_row *row = find_batch(l, &o->owner);
        for (uint16_t i = 0; row != NULL && i < row->record.batch.n_members; i++)
            if (ledger_id_eq(&row->record.members[i], id)) {
                *tag = row->record.tags[i];
                return row->record.batch.state == BATCH_DONE ? LEDGER_DONE : LEDGER_PREPARED;
            }
    }
    return find_quarantined(l, id) == NULL ? at : LEDGER_QUARANTINED;
}

static enum status memory_lookup(struct ledger *ledger, const struct ledger_id *ids, size_t n,
                                 enum ledger_progress *out, uint64_t *tags)
{
    struct ledger_memory *l = lock(ledger);
    for (size_t i = 0; i < n; i++) {
        uint64_t tag = 0;
        out[i] = lookup_one(l, &ids[i], &tag);
        if (tags != NULL)
            tags[i] = tag;
    }
    return unlock(l, ST_OK);
}

static enum status memory_marker(struct ledger *ledger, int64_t minute, struct ledger_marker *out)
{
    struct ledger_memory *l = lock(ledger);
    struct marker_row *row = NULL, *rows = l->locked.markers.rows;
    for (size_t i = 0; i < l->locked.markers.n && row == NULL; i++)
        if (rows[i].minute == minute)
            row = &rows[i];
    if (row == NULL) {
        row = table_add(&l->locked.markers, sizeof *row);
        if (row == NULL)
            return unlock(l, ST_NO_MEMORY);
        row->minute = minute;
    }
    uint32_t n = row->n++;
    if (n / LEDGER_MARKER_DIGITS > UINT16_MAX)
        return unlock(l, ST_TOO_BIG);
    *out = (struct ledger_marker){.minute = minute,
                                  .slot = (uint16_t)(n / LEDGER_MARKER_DIGITS),
                                  .digit = (uint8_t)(n % LEDGER_MARKER_DIGITS)};
    return unlock(l, ST_OK);
}

static enum status memory_markers_used(struct ledger *ledger, int64_t minute, uint32_t *n)
{
    struct ledger_memory *l = lock(ledger);
    const struct marker_row *rows = l->locked.markers.rows;
    *n = 0;
    for (size_t i = 0; i < l->locked.markers.n; i++)
        if (rows[i].minute == minute)
            *n = rows[i].n;
    return unlock(l, ST_OK);
}

static enum status memory_quarantine_add(struct ledger *ledger,
                                         const struct ledger_quarantined *entry)
{
    struct ledger_memory *l = lock(ledger);
    struct quarantine_row *row = find_quarantined(l, &entry->id);
    if (row == NULL)
        row = table_add(&l->locked.quarantine, sizeof *row);
    if (row == NULL)
        return unlock(l, ST_NO_MEMORY);
    const struct view texts[3] = {entry->bucket, entry->key, entry->reason};
    row->id = entry->id;
    row->time_ms = entry->time_ms;
    for (size_t i = 0; i < 3; i++) {
        struct view v =
            view_first(texts[i], i == 2 ? LEDGER_REASON_BYTES_MAX : LEDGER_NAME_BYTES_MAX);
        row->lens[i] = v.len;
        if (v.len > 0)
            memcpy(row->texts[i], v.ptr, v.len);
    }
    return unlock(l, ST_OK);
}

static enum status memory_quarantine_list(struct ledger *ledger, ledger_quarantine_fn *fn,
                                          void *ctx)
{
    struct ledger_memory *l = lock(ledger);
    struct quarantine_row *rows = l->locked.quarantine.rows;
    for (size_t i = 0; i < l->locked.quarantine.n; i++) {
        uint64_t tag;
        if (lookup_one(l, &rows[i].id, &tag) != LEDGER_QUARANTINED)
            continue;
        struct ledger_quarantined entry = {.id = rows[i].id,
                                           .bucket = view_make(rows[i].texts[0], rows[i].lens[0]),
                                           .key = view_make(rows[i].texts[1], rows[i].lens[1]),
                                           .reason = view_make(rows[i].texts[2], rows[i].lens[2]),
                                           .time_ms = rows[i].time_ms};
        if (!fn(ctx, &entry))
            break;
    }
    return unlock(l, ST_OK);
}

static enum status memory_quarantine_release(struct ledger *ledger, const struct ledger_id *id)
{
    struct ledger_memory *l = lock(ledger);
    struct quarantine_row *row = find_quarantined(l, id);
    if (row == NULL)
        return unlock(l, ST_MISSING);
    struct quarantine_row *rows = l->locked.quarantine.rows;
    size_t at = (size_t)(row - rows);
    memmove(row, row + 1, (--l->locked.quarantine.n - at) * sizeof *row);
    return unlock(l, ST_OK);
}

static enum status memory_statistics(struct ledger *ledger, struct ledger_statistics *out)
{
    struct ledger_memory *l = lock(ledger);
    memset(out, 0, sizeof *out);
    out->objects = l->locked.objects.n;
    for (size_t i = 0; i < l->locked.quarantine.n; i++) {
        const struct quarantine_row *rows = l->locked.quarantine.rows;
        uint64_t tag;
        out->quarantined += lookup_one(l, &rows[i].id, &tag) == LEDGER_QUARANTINED;
    }
    for (size_t i = 0; i < l->locked.n_batches; i++) {
        const struct ledger_batch *b = &l->locked.batches[i]->record.batch;
        ledger_statistics_add(out, b);
    }
    return unlock(l, ST_OK);
}

static enum status memory_prune(struct ledger *ledger, int64_t before_ms, uint64_t *removed)
{
    struct ledger_memory *l = lock(ledger);
    struct object_row *rows = l->locked.objects.rows;
    size_t kept = 0;
    for (size_t i = 0; i < l->locked.objects.n; i++) {
        const struct batch_row *b = find_batch(l, &rows[i].owner);
        bool old = rows[i].claimed_ms < before_ms;
        if (!old ||
            (b != NULL && (b->record.batch.state == BATCH_PREPARED || b->time_ms >= before_ms)))
            rows[kept++] = rows[i];
    }
    *removed = l->locked.objects.n - kept;
    l->locked.objects.n = kept;
    return unlock(l, ST_OK);
}

static void memory_close(struct ledger *ledger)
{
    struct ledger_memory *l = self(ledger);
    for (size_t i = 0; i < l->locked.n_batches; i++)
        free_batch(l->locked.batches[i]);
    free(l->locked.batches);
    free(l->locked.objects.rows);
    free(l->locked.markers.rows);
    free(l->locked.quarantine.rows);
    pthread_mutex_destroy(&l->mutex);
    free(l);
}

static const struct ledger_ops MEMORY_OPS = {
    .kind = "memory",
    .claim = memory_claim,
    .load = memory_load,
    .abort = memory_abort,
    .prepare = memory_prepare,
    .payload = memory_payload,
    .journal = memory_journal,
    .done = memory_done,
    .list_open = memory_list_open,
    .list_batches = memory_list_batches,
    .lookup = memory_lookup,
    .marker = memory_marker,
    .markers_used = memory_markers_used,
    .quarantine_add = memory_quarantine_add,
    .quarantine_list = memory_quarantine_list,
    .quarantine_release = memory_quarantine_release,
    .statistics = memory_statistics,
    .prune = memory_prune,
    .close = memory_close,
};

struct ledger *ledger_memory_new(void)
{
    struct ledger_memory *l = calloc(1, sizeof *l);
    if (l == NULL)
        return NULL;
    l->head.ops = &MEMORY_OPS;
    if (pthread_mutex_init(&l->mutex, NULL) != 0) {
        free(l);
        return NULL;
    }
    return &l->head;
}
