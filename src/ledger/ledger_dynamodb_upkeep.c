/*
 * ledger_dynamodb_upkeep.c: what counting does without: lists, lookup, quarantine, statistics.
 *
 * DynamoDB offers no query without an index, so the two lists (open batches, quarantined objects)
 * are items themselves, with one attribute for each entry.  Sixteen items share the writes: one
 * item takes 1,000 writes a second (1 KB each), and is at most 400 KB.
 */
#include "ledger/ledger_dynamodb_private.h"

#include <stdlib.h>

enum {
    STALE_ENTRY_MS = 2 * DAY_S * 1000, /* of a batch on the list that was never prepared */
};

/* ---- lists ---- */

/* Set or remove the entry of a batch or an object on its list. */
static enum status list_entry(struct ledger_dynamodb *l, char kind, const uint8_t *id, size_t n,
                              bool on, int64_t time_ms)
{
    char pk[PK_BYTES], name[PK_BYTES];
    item_pk_list(kind, id[0] & 15, pk);
    hex_format(id, n, name);
    return table_update(l, pk, on ? "SET #e = :t" : "REMOVE #e", NULL,
                        json_pack("{s:s}", "#e", name),
                        on ? json_pack("{s:o}", ":t", item_value_n(time_ms)) : NULL, NULL);
}

static enum status quarantine_entry(struct ledger_dynamodb *l, const struct ledger_id *id, bool on,
                                    int64_t time_ms)
{
    return list_entry(l, 'z', id->bytes, sizeof id->bytes, on, time_ms);
}

enum status dynamodb_open_entry(struct ledger_dynamodb *l, const struct ledger_nonce *batch,
                                bool on, int64_t time_ms)
{
    return list_entry(l, 'q', batch->bytes, sizeof batch->bytes, on, time_ms);
}

/* The sixteen items of a list. */
static enum status get_lists(struct ledger_dynamodb *l, char kind, json_t **items)
{
    json_t *keys = json_array();
    for (unsigned i = 0; i < LISTS; i++) {
        char pk[PK_BYTES];
        item_pk_list(kind, i, pk);
        json_array_append_new(keys, item_key(pk)); /* one missing is found out below */
    }
    if (json_array_size(keys) != LISTS) {
        json_decref(keys);
        return ST_NO_MEMORY;
    }
    return table_get_many(l, keys, items);
}

/* What a batch on the list of open ones is by now; takes it off where it does not belong. */
static enum status check_open(struct ledger_dynamodb *l, const struct ledger_nonce *id,
                              int64_t listed_ms, bool *open)
{
    char pk[PK_BYTES];
    json_t *item = NULL;
    int64_t state = BATCH_NONE;
    item_pk_batch('b', id, pk);
    enum status st = table_get(l, pk, &item);
    *open = st == ST_OK && item_get_n(item, "s", &state) && state == BATCH_PREPARED;
    json_decref(item);
    bool stale = st == ST_MISSING && listed_ms < l->now_ms(l->ctx) - STALE_ENTRY_MS;
    if ((st == ST_OK && !*open) || stale)
        st = dynamodb_open_entry(l, id, false, 0);
    return st == ST_MISSING ? ST_OK : st;
}

/*
 * Each entry is checked against its batch, because the list may be ahead (listed, not yet
 * prepared) or late (done, not yet taken off).  An entry without a batch is removed only after
 * two days: before that its worker may still prepare it.
 */
enum status dynamodb_list_open(struct ledger *ledger, int64_t before_ms, struct ledger_nonce *out,
                               size_t max, size_t *n)
{
    struct ledger_dynamodb *l = table_of(ledger);
    json_t *lists = NULL, *list, *value;
    const char *pk, *name;
    *n = 0;
    enum status st = get_lists(l, 'q', &lists);
    json_object_foreach(lists, pk, list)
    {
        json_object_foreach(list, name, value)
        {
            struct ledger_nonce id;
            int64_t listed_ms;
            bool open = false;
            if (st != ST_OK || *n == max || !hex_parse(view_of(name), id.bytes, sizeof id.bytes) ||
                !item_get_n(list, name, &listed_ms) || listed_ms >= before_ms)
                continue;
            st = check_open(l, &id, listed_ms, &open);
            if (st == ST_OK && open)
                out[(*n)++] = id;
        }
    }
    json_decref(lists);
    return st;
}

/* The batches of one page of a scan; *more becomes false when the callback has had enough. */
static enum status scan_page(const json_t *page, int64_t from_ms, int64_t until_ms,
                             ledger_batch_fn *fn, void *ctx, bool *more)
{
    size_t i;
    const json_t *item;
    const json_t *items = json_object_get(page, "Items");
    for (i = 0; i < json_array_size(items) && *more; i++) {
        struct ledger_nonce id;
        int64_t state, time_ms;
        item = json_array_get(items, i);
        const char *pk = json_string_value(json_object_get(json_object_get(item, "pk"), "S"));
        if (pk == NULL || strncmp(pk, "b#", 2) != 0)
            continue;
        if (!hex_parse(view_of(pk + 2), id.bytes, sizeof id.bytes) ||
            !item_get_n(item, "s", &state) || !item_get_n(item, "t", &time_ms) ||
            state < BATCH_ABORTED || state > BATCH_DONE)
            return ST_BAD_ITEM;
        if (state != BATCH_ABORTED && time_ms >= from_ms && time_ms < until_ms)
            *more = fn(ctx, &id, (enum ledger_batch_state)state, time_ms);
    }
    return ST_OK;
}

/*
 * A scan reads and pays for the whole table, which is why only `ledger verify` does it and workers
 * have no permission for it.  A page without matches still has a LastEvaluatedKey.
 */
enum status dynamodb_list_batches(struct ledger *ledger, int64_t from_ms, int64_t until_ms,
                                  ledger_batch_fn *fn, void *ctx)
{
    struct ledger_dynamodb *l = table_of(ledger);
    json_t *start = NULL;
    bool more = true;
    enum status st = ST_OK;
    while (more && st == ST_OK) {
        json_t *page = NULL;
        json_t *in = json_pack("{s:s, s:s, s:{s:s}, s:s, s:{s:{s:s}}}", "TableName", l->table,
                               "ProjectionExpression", "pk, #s, t", "ExpressionAttributeNames",
                               "#s", "s", "FilterExpression", "begins_with(pk, :b)",
                               "ExpressionAttributeValues", ":b", "S", "b#");
        if (start != NULL)
            item_add(&in, "ExclusiveStartKey", json_incref(start));
        st = table_call(l, "Scan", in, &page);
        if (st == ST_OK)
            st = scan_page(page, from_ms, until_ms, fn, ctx, &more);
        json_decref(start);
        start = json_incref(json_object_get(page, "LastEvaluatedKey"));
        json_decref(page);
        more = more && start != NULL;
    }
    json_decref(start);
    return st;
}

/* ---- lookup ---- */

/* Whether `batch` has `id` as a member, and its state; items holds its b# and m#. */
static enum ledger_progress progress_of(const json_t *items, const struct ledger_nonce *batch,
                                        const struct ledger_id *id, struct ledger_record *scratch,
                                        uint64_t *tag)
{
    char pk[PK_BYTES];
    item_pk_batch('b', batch, pk);
    const json_t *b = json_object_get(items, pk);
    item_pk_batch('m', batch, pk);
    const json_t *m = json_object_get(items, pk);
    if (b == NULL || m == NULL || dynamodb_read_batch(b, batch, &scratch->batch) != ST_OK ||
        dynamodb_read_members(m, scratch) != ST_OK)
        return LEDGER_CLAIMED;
    for (uint16_t i = 0; i < scratch->batch.n_members; i++)
        if (ledger_id_eq(&scratch->members[i], id)) {
            *tag = scratch->tags[i];
            return scratch->batch.state == BATCH_DONE ? LEDGER_DONE : LEDGER_PREPARED;
        }
    return LEDGER_CLAIMED;
}

/* Up to GET_MAX / 2 objects: their records, then the batches these name. */
static enum status lookup_some(struct ledger_dynamodb *l, const struct ledger_id *ids, size_t n,
                               enum ledger_progress *out, uint64_t *tags,
                               struct ledger_record *scratch)
{
    json_t *keys = json_array(), *owners = json_object(), *objects = NULL, *batches = NULL;
    char pk[PK_BYTES];
    struct ledger_nonce owner;
    enum status st = ST_OK;
    for (size_t i = 0; i < n; i++) {
        item_pk_object(&ids[i], pk);
        if (json_array_append_new(keys, item_key(pk)) != 0)
            st = ST_NO_MEMORY;
    }
    if (st == ST_OK)
        st = table_get_many(l, keys, &objects);
    else
        json_decref(keys);
    keys = json_array();
    if (st == ST_OK && (keys == NULL || owners == NULL))
        st = ST_NO_MEMORY;
    for (size_t i = 0; i < n && st == ST_OK; i++) {
        item_pk_object(&ids[i], pk);
        if (!item_get_b(json_object_get(objects, pk), "b", owner.bytes, sizeof owner.bytes))
            continue;
        item_pk_batch('b', &owner, pk);
        if (json_object_get(owners, pk) != NULL)
            continue;
        bool bad = json_object_set_new(owners, pk, json_true()) != 0 ||
                   json_array_append_new(keys, item_key(pk)) != 0;
        item_pk_batch('m', &owner, pk);
        if (bad || json_array_append_new(keys, item_key(pk)) != 0)
            st = ST_NO_MEMORY;
    }
    if (st == ST_OK && json_array_size(keys) > 0)
        st = table_get_many(l, keys, &batches);
    else
        json_decref(keys);
    for (size_t i = 0; i < n && st == ST_OK; i++) {
        item_pk_object(&ids[i], pk);
        const json_t *item = json_object_get(objects, pk);
        uint64_t tag = 0;
        out[i] = LEDGER_ABSENT;
        if (item_get_b(item, "b", owner.bytes, sizeof owner.bytes))
            out[i] = progress_of(batches, &owner, &ids[i], scratch, &tag);
        if (tags != NULL)
            tags[i] = tag;
        if (out[i] < LEDGER_PREPARED && json_object_get(item, "z") != NULL)
            out[i] = LEDGER_QUARANTINED;
    }
    json_decref(objects);
    json_decref(batches);
    json_decref(owners);
    return st;
}

enum status dynamodb_lookup(struct ledger *ledger, const struct ledger_id *ids, size_t n,
                            enum ledger_progress *out, uint64_t *tags)
{
    struct ledger_record *scratch = malloc(sizeof *scratch);
    enum status st = scratch == NULL ? ST_NO_MEMORY : ST_OK;
    for (size_t at = 0; at < n && st == ST_OK; at += GET_MAX / 2) {
        size_t some = n - at < GET_MAX / 2 ? n - at : GET_MAX / 2;
        st = lookup_some(table_of(ledger), ids + at, some, out + at,
                         tags == NULL ? NULL : tags + at, scratch);
    }
    free(scratch);
    return st;
}

enum status dynamodb_markers_used(struct ledger *ledger, int64_t minute, uint32_t *n)
{
    char pk[PK_BYTES];
    json_t *item = NULL;
    int64_t used = 0;
    item_pk_markers(minute, pk);
    enum status st = table_get(table_of(ledger), pk, &item);
    if (st == ST_OK && (!item_get_n(item, "n", &used) || used < 0 || used > UINT32_MAX))
        st = ST_BAD_ITEM;
    json_decref(item);
    *n = (uint32_t)used;
    return st == ST_MISSING ? ST_OK : st;
}

/* ---- quarantine ---- */

/*
 * First on the list, then in the object's record: a crash in between leaves an entry that the
 * listing skips, never a quarantined object that the listing does not show.
 */
enum status dynamodb_quarantine_add(struct ledger *ledger, const struct ledger_quarantined *e)
{
    struct ledger_dynamodb *l = table_of(ledger);
    char pk[PK_BYTES];
    item_pk_object(&e->id, pk);
    struct view bucket = view_first(e->bucket, LEDGER_NAME_BYTES_MAX);
    struct view key = view_first(e->key, LEDGER_NAME_BYTES_MAX);
    struct view reason = view_first(e->reason, LEDGER_REASON_BYTES_MAX);
    enum status st = quarantine_entry(l, &e->id, true, e->time_ms);
    if (st != ST_OK)
        return st;
    return table_update(
        l, pk, "SET z = :t, zb = :b, zk = :k, zr = :r, expires = :x", NULL, NULL,
        json_pack("{s:o, s:o, s:o, s:o, s:o}", ":t", item_value_n(e->time_ms), ":b",
                  item_value_b(bucket.ptr, bucket.len), ":k", item_value_b(key.ptr, key.len), ":r",
                  item_value_b(reason.ptr, reason.len), ":x", item_value_n(table_expiry_s(l, 0))),
        NULL);
}

/* An object that was counted after all, from a repaired or replaced one, is in quarantine no more. */
static enum status is_waiting(struct ledger *ledger, const struct ledger_id *id, bool *out)
{
    enum ledger_progress progress = LEDGER_ABSENT;
    enum status st = dynamodb_lookup(ledger, id, 1, &progress, NULL);
    *out = progress == LEDGER_QUARANTINED;
    return st;
}

/* Names of one entry, decoded; false when the record is damaged or not quarantined any more. */
static bool read_entry(const json_t *item, struct ledger_quarantined *e, char (*texts)[1100])
{
    static const char *const names[3] = {"zb", "zk", "zr"};
    struct view *views[3] = {&e->bucket, &e->key, &e->reason};
    if (!item_get_n(item, "z", &e->time_ms))
        return false;
    for (size_t i = 0; i < 3; i++) {
        const char *text = item_text_b(item, names[i]);
        size_t n;
        if (text == NULL || !item_decode(text, texts[i], sizeof texts[i], &n))
            return false;
        *views[i] = view_make(texts[i], n);
    }
    return true;
}

enum status dynamodb_quarantine_list(struct ledger *ledger, ledger_quarantine_fn *fn, void *ctx)
{
    struct ledger_dynamodb *l = table_of(ledger);
    json_t *lists = NULL, *list, *value;
    const char *pk, *name;
    bool more = true;
    enum status st = get_lists(l, 'z', &lists);
    json_object_foreach(lists, pk, list)
    {
        json_object_foreach(list, name, value)
        {
            struct ledger_quarantined e;
            char texts[3][1100], object[PK_BYTES];
            json_t *item = NULL;
            if (st != ST_OK || !more || !hex_parse(view_of(name), e.id.bytes, sizeof e.id.bytes))
                continue;
            item_pk_object(&e.id, object);
            bool waiting = true;
            st = table_get(l, object, &item);
            if (st == ST_OK && json_object_get(item, "b") != NULL)
                st = is_waiting(ledger, &e.id, &waiting);
            if (st == ST_OK && waiting && read_entry(item, &e, texts))
                more = fn(ctx, &e);
            else if (st == ST_MISSING) /* expired */
                st = quarantine_entry(l, &e.id, false, 0);
            json_decref(item);
        }
    }
    json_decref(lists);
    return st;
}

/* The reverse order, for the same reason. */
enum status dynamodb_quarantine_release(struct ledger *ledger, const struct ledger_id *id)
{
    struct ledger_dynamodb *l = table_of(ledger);
    char pk[PK_BYTES];
    item_pk_object(id, pk);
    enum status st =
        table_update(l, pk, "REMOVE z, zb, zk, zr", "attribute_exists(z)", NULL, NULL, NULL);
    bool was_there = st == ST_OK;
    if (st == ST_OK || st == ST_CONFLICT)
        st = quarantine_entry(l, id, false, 0);
    return st == ST_OK && !was_there ? ST_MISSING : st;
}

/* ---- statistics ---- */

/*
 * Of open batches and the quarantine only (`open_only`): counting what is done would need a scan.
 */
enum status dynamodb_statistics(struct ledger *ledger, struct ledger_statistics *out)
{
    struct ledger_dynamodb *l = table_of(ledger);
    enum { MOST = 4096 };
    struct ledger_nonce *open = calloc(MOST, sizeof *open);
    struct ledger_record *record = malloc(sizeof *record);
    json_t *lists = NULL, *list, *value;
    const char *pk, *name;
    size_t n = 0;
    memset(out, 0, sizeof *out);
    out->open_only = true;
    enum status st = open == NULL || record == NULL ? ST_NO_MEMORY : ST_OK;
    if (st == ST_OK)
        st = dynamodb_list_open(ledger, INT64_MAX, open, MOST, &n);
    for (size_t i = 0; i < n && st == ST_OK; i++) {
        st = dynamodb_load(ledger, &open[i], record);
        if (st == ST_OK && record->batch.state == BATCH_PREPARED)
            ledger_statistics_add(out, &record->batch);
        st = st == ST_MISSING ? ST_OK : st;
    }
    if (st == ST_OK)
        st = get_lists(l, 'z', &lists);
    json_object_foreach(lists, pk, list)
    {
        json_object_foreach(list, name, value)
        {
            struct ledger_id id;
            bool waiting = false;
            if (st == ST_OK && hex_parse(view_of(name), id.bytes, sizeof id.bytes))
                st = is_waiting(ledger, &id, &waiting);
            out->quarantined += waiting;
        }
    }
    json_decref(lists);
    free(open);
    free(record);
    return st;
}
