/*
 * ledger_dynamodb.c: what counting needs of the table: objects, batches, parts, markers.
 *
 * Items of the table (all with `pk`; `expires` where they may go some day):
 *
 *   o#<object>      b: owning batch, t: claim time; z, zb, zk, zr: quarantine time, names, reason
 *   b#<batch>       s: state, t: time, m: number of members, p: list of {n: nonce, v: the part}
 *   m#<batch>       d: member ids, e: tags of their contents, written before b#
 *   p#<batch>#<i>   d: payload, written before b#
 *   k#<minute>      n: markers handed out
 *   q#<0-f>         <batch>: time it was put on the list of open batches (16 items share the load)
 *   z#<0-f>         <object>: on the list of quarantined objects
 *
 * Everything that changes together sits in one item: all parts of a batch in b#, so that a split is
 * one conditional write and no transaction is needed.  Members and payloads never change and are
 * apart, so that journaling writes less than 1 KB.  Counting uses GetItem, BatchGetItem, PutItem
 * and UpdateItem only: no index, no Delete, and so no permission for them.  Scan is for `verify`
 * alone.
 *
 * A batch is put on the list before it is prepared and taken off after it is done; a crash in
 * between leaves an entry too many, which list_open removes.
 */
#include "ledger/ledger_dynamodb_private.h"

#include <stdio.h>
#include <stdlib.h>

enum {
    TTL_DAYS_MIN = 17,
    MARKER_DAYS = 20, /* nothing is resolved later: CloudWatch keeps minutes for 15 days */
};

/* ---- objects ---- */

/*
 * One conditional UpdateItem, of an object nobody owned:
 *
 *   {"TableName": "ledger", "Key": {"pk": {"S": "o#9f86d081..."}},
 *    "UpdateExpression": "SET b = :b, t = :t, expires = :x",
 *    "ConditionExpression": "attribute_not_exists(b)",
 *    "ReturnValuesOnConditionCheckFailure": "ALL_OLD", ...}
 *
 * The item that made the condition fail comes with the error, so that losing a claim costs no
 * further read.  It is also how our own write is recognised when only its answer was lost.
 */
static enum status claim_one(struct ledger_dynamodb *l, const struct ledger_nonce *batch,
                             int64_t time_ms, const struct protocol_object *o,
                             struct protocol_claim *c)
{
    static const struct ledger_nonce none;
    char pk[PK_BYTES];
    item_pk_object(&o->id, pk);
    bool want_absent = ledger_nonce_eq(&o->owner, &none);
    json_t *values =
        json_pack("{s:o, s:o, s:o}", ":b", item_value_b(batch->bytes, sizeof batch->bytes), ":t",
                  item_value_n(time_ms), ":x", item_value_n(table_expiry_s(l, 0)));
    if (!want_absent)
        item_add(&values, ":o", item_value_b(o->owner.bytes, sizeof o->owner.bytes));
    json_t *out = NULL;
    enum status st =
        table_update(l, pk, "SET b = :b, t = :t, expires = :x",
                     want_absent ? "attribute_not_exists(b)" : "b = :o", NULL, values, &out);
    const json_t *old = json_object_get(out, "Item");
    *c = (struct protocol_claim){.result = CLAIM_UNKNOWN};
    if (st == ST_OK) {
        c->result = CLAIM_MINE;
    } else if (st == ST_CONFLICT && json_object_get(old, "b") == NULL) {
        c->result = CLAIM_ABSENT;
        st = ST_OK;
    } else if (st == ST_CONFLICT) {
        bool fine = item_get_b(old, "b", c->owner.bytes, sizeof c->owner.bytes) &&
                    item_get_n(old, "t", &c->claimed_ms);
        /* Our own earlier write, if its answer was lost. */
        c->result = ledger_nonce_eq(&c->owner, batch) ? CLAIM_MINE : CLAIM_OTHER;
        st = fine ? ST_OK : ST_BAD_ITEM;
    } else if (st == ST_RETRY || st == ST_IN_DOUBT) {
        st = ST_OK; /* this one is unknown, the others may have their answers */
    }
    json_decref(out);
    return st;
}

static enum status dynamodb_claim(struct ledger *ledger, const struct ledger_nonce *batch,
                                  int64_t time_ms, const struct protocol_object *objects,
                                  uint16_t n, struct protocol_claim *claims)
{
    enum status st = ST_OK;
    for (uint16_t i = 0; i < n && st == ST_OK; i++)
        if (objects[i].state == OBJECT_CLAIM)
            st = claim_one(table_of(ledger), batch, time_ms, &objects[i], &claims[i]);
    return st;
}

/* ---- batches ---- */

/*
 * Members are 32 bytes each, tags 8 bytes each, big-endian.  Batches written before there were
 * tags have no `e`: all their tags are 0, unknown.
 */
enum status dynamodb_read_members(const json_t *item, struct ledger_record *out)
{
    const char *text = item_text_b(item, "d");
    size_t n;
    if (text == NULL || !item_decode(text, out->members, sizeof out->members, &n) ||
        n != out->batch.n_members * sizeof out->members[0])
        return ST_BAD_ITEM;
    uint8_t tags[PROTOCOL_OBJECTS_MAX * TAG_BYTES];
    bool has = item_get_b(item, "e", tags, out->batch.n_members * TAG_BYTES);
    for (uint16_t i = 0; i < out->batch.n_members; i++) {
        out->tags[i] = 0;
        for (size_t j = 0; has && j < TAG_BYTES; j++)
            out->tags[i] = out->tags[i] << 8 | tags[i * TAG_BYTES + j];
    }
    return ST_OK;
}

enum status dynamodb_read_batch(const json_t *item, const struct ledger_nonce *id,
                                struct ledger_batch *b)
{
    int64_t state, members = 0;
    if (!item_get_n(item, "s", &state) || state < BATCH_ABORTED || state > BATCH_DONE ||
        !item_get_n(item, "t", &b->prepared_ms))
        return ST_BAD_ITEM;
    b->id = *id;
    b->state = (uint8_t)state;
    b->n_parts = b->n_members = 0;
    if (state == BATCH_ABORTED)
        return ST_OK;
    const json_t *list = json_object_get(json_object_get(item, "p"), "L");
    if (!item_get_n(item, "m", &members) || members < 0 || members > PROTOCOL_OBJECTS_MAX ||
        json_array_size(list) > PROTOCOL_PARTS_MAX)
        return ST_BAD_ITEM;
    b->n_members = (uint16_t)members;
    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *part = json_object_get(json_array_get(list, i), "M");
        if (!item_get_part(part, &b->parts[i]))
            return ST_BAD_ITEM;
        b->n_parts++;
    }
    return ST_OK;
}

/*
 * Two consistent reads.  They need no transaction: the batch item is written after its members,
 * and members never change.
 */
enum status dynamodb_load(struct ledger *ledger, const struct ledger_nonce *batch,
                          struct ledger_record *out)
{
    struct ledger_dynamodb *l = table_of(ledger);
    char pk[PK_BYTES];
    json_t *item = NULL, *members = NULL;
    item_pk_batch('b', batch, pk);
    enum status st = table_get(l, pk, &item);
    if (st == ST_OK)
        st = dynamodb_read_batch(item, batch, &out->batch);
    if (st == ST_OK && out->batch.n_members > 0) {
        item_pk_batch('m', batch, pk);
        st = table_get(l, pk, &members);
        /* Members are written before the batch and outlive it. */
        st = st == ST_MISSING ? ST_BAD_ITEM : st;
        if (st == ST_OK)
            st = dynamodb_read_members(members, out);
    }
    json_decref(item);
    json_decref(members);
    return st;
}

/* Put an item, where there is none yet if `once`; *out as in table_call(), may be NULL. */
static enum status put_item(struct ledger_dynamodb *l, json_t *item, bool once, json_t **out)
{
    json_t *in = json_pack("{s:s, s:o}", "TableName", l->table, "Item", item);
    if (once) {
        item_add(&in, "ConditionExpression", json_string("attribute_not_exists(pk)"));
        item_add(&in, "ReturnValuesOnConditionCheckFailure", json_string("ALL_OLD"));
    }
    return table_call(l, "PutItem", in, out);
}

/*
 * The tombstone is kept a week longer than the claims that name it, so that an old claim never
 * meets "absent" where it once met ABORTED.
 */
static enum status dynamodb_abort(struct ledger *ledger, const struct ledger_nonce *batch,
                                  int64_t time_ms)
{
    struct ledger_dynamodb *l = table_of(ledger);
    char pk[PK_BYTES];
    item_pk_batch('b', batch, pk);
    json_t *out = NULL;
    enum status st = put_item(l,
                              json_pack("{s:o, s:o, s:o, s:o}", "pk", item_value_s(pk), "s",
                                        item_value_n(BATCH_ABORTED), "t", item_value_n(time_ms),
                                        "expires", item_value_n(table_expiry_s(l, 7))),
                              true, &out);
    int64_t state;
    if (st == ST_CONFLICT && item_get_n(json_object_get(out, "Item"), "s", &state) &&
        state == BATCH_ABORTED)
        st = ST_OK;
    json_decref(out);
    return st;
}

static enum status put_members(struct ledger_dynamodb *l, const struct ledger_record *record)
{
    const struct ledger_batch *b = &record->batch;
    uint8_t tags[PROTOCOL_OBJECTS_MAX * TAG_BYTES];
    char pk[PK_BYTES];
    item_pk_batch('m', &b->id, pk);
    for (size_t i = 0; i < (size_t)b->n_members * TAG_BYTES; i++)
        tags[i] = (uint8_t)(record->tags[i / TAG_BYTES] >> 8 * (TAG_BYTES - 1 - i % TAG_BYTES));
    return put_item(
        l,
        json_pack("{s:o, s:o, s:o, s:o}", "pk", item_value_s(pk), "d",
                  item_value_b(record->members, b->n_members * sizeof record->members[0]), "e",
                  item_value_b(tags, (size_t)b->n_members * TAG_BYTES), "expires",
                  item_value_n(table_expiry_s(l, 14))),
        false, NULL);
}

/*
 * In this order: payloads, members, the entry on the list of open batches, and last the batch
 * item, which is the commit.  A crash before that leaves items that nothing refers to and that
 * expire.
 */
static enum status dynamodb_prepare(struct ledger *ledger, const struct ledger_record *record,
                                    const struct view *payloads, uint16_t n_payloads)
{
    struct ledger_dynamodb *l = table_of(ledger);
    const struct ledger_batch *b = &record->batch;
    char pk[PK_BYTES];
    enum status st = ST_OK;
    for (uint16_t i = 0; i < n_payloads; i++)
        if (payloads[i].len > LEDGER_PAYLOAD_BYTES_MAX)
            return ST_TOO_BIG;
    /* The name is ours alone and the bytes are always the same: repeating these is harmless. */
    for (uint16_t i = 0; i < n_payloads && st == ST_OK; i++) {
        item_pk_payload(&b->id, i, pk);
        st = put_item(l,
                      json_pack("{s:o, s:o, s:o}", "pk", item_value_s(pk), "d",
                                item_value_b(payloads[i].ptr, payloads[i].len), "expires",
                                item_value_n(table_expiry_s(l, 14))),
                      false, NULL);
    }
    if (st == ST_OK && b->n_members > 0)
        st = put_members(l, record);
    if (st == ST_OK)
        st = dynamodb_open_entry(l, &b->id, true, b->prepared_ms);
    if (st != ST_OK)
        return st;
    json_t *parts = json_array();
    for (uint16_t i = 0; i < b->n_parts; i++)
        (void)json_array_append_new(parts, item_value_part(&b->parts[i]));
    if (json_array_size(parts) != b->n_parts) {
        json_decref(parts);
        return ST_NO_MEMORY;
    }
    item_pk_batch('b', &b->id, pk);
    return put_item(l,
                    json_pack("{s:o, s:o, s:o, s:o, s:{s:o}}", "pk", item_value_s(pk), "s",
                              item_value_n(BATCH_PREPARED), "t", item_value_n(b->prepared_ms), "m",
                              item_value_n(b->n_members), "p", "L", parts),
                    true, NULL);
}

/* A payload was written whole, before the batch that refers to it. */
static enum status dynamodb_payload(struct ledger *ledger, const struct ledger_nonce *batch,
                                    uint16_t index, struct buf *out)
{
    struct ledger_dynamodb *l = table_of(ledger);
    char pk[PK_BYTES];
    json_t *item = NULL;
    item_pk_payload(batch, index, pk);
    enum status st = table_get(l, pk, &item);
    const char *text = item_text_b(item, "d");
    if (st == ST_OK && text == NULL)
        st = ST_BAD_ITEM;
    if (st == ST_OK) {
        size_t room = strlen(text) / 4 * 3, n;
        char *at = buf_reserve(out, room + 1);
        if (at == NULL)
            st = buf_status(out);
        else if (item_decode(text, at, room, &n))
            out->len += n;
        else
            st = ST_BAD_ITEM;
    }
    json_decref(item);
    return st;
}

/* The item found when a journal entry did not fit: whether it is there already, being our own. */
static bool journaled_before(const json_t *out, const struct protocol_effect *j)
{
    const json_t *list = json_object_get(json_object_get(json_object_get(out, "Item"), "p"), "L");
    struct ledger_nonce nonce;
    const json_t *part = json_object_get(json_array_get(list, j->index), "M");
    return item_get_b(part, "n", nonce.bytes, sizeof nonce.bytes) &&
           ledger_nonce_eq(&nonce, &j->part.nonce);
}

/*
 * One conditional UpdateItem of the batch item.  For part 3, when there are 5 and it is not split:
 *
 *   "UpdateExpression": "SET p[3] = :v", "ConditionExpression": "p[3].n = :e"
 *
 * and when it is split, with the second half as p[5]:
 *
 *   "SET p[3] = :v, p[5] = :x"           "p[3].n = :e AND size(p) = :n"
 *
 * The nonce in the condition makes a late or repeated write do nothing, and makes of two workers
 * that journal the same part exactly one succeed.
 */
static enum status dynamodb_journal(struct ledger *ledger, const struct protocol_effect *j)
{
    struct ledger_dynamodb *l = table_of(ledger);
    char pk[PK_BYTES], expression[96], condition[96];
    item_pk_batch('b', &j->batch_id, pk);
    json_t *values = json_pack("{s:o, s:o}", ":v", item_value_part(&j->part), ":e",
                               item_value_b(j->expected.bytes, sizeof j->expected.bytes));
    snprintf(expression, sizeof expression, "SET p[%u] = :v", j->index);
    snprintf(condition, sizeof condition, "p[%u].n = :e", j->index);
    if (j->split) {
        snprintf(expression, sizeof expression, "SET p[%u] = :v, p[%u] = :x", j->index, j->n_parts);
        snprintf(condition, sizeof condition, "p[%u].n = :e AND size(p) = :n", j->index);
        item_add(&values, ":x", item_value_part(&j->extra));
        item_add(&values, ":n", item_value_n(j->n_parts));
    }
    json_t *out = NULL;
    enum status st = table_update(l, pk, expression, condition, NULL, values, &out);
    if (st == ST_CONFLICT && journaled_before(out, j))
        st = ST_OK;
    json_decref(out);
    return st;
}

/* One condition cannot look into all parts.  Final states never change, so reading them first is as
 * good. */
static enum status dynamodb_done(struct ledger *ledger, const struct ledger_nonce *batch,
                                 int64_t time_ms)
{
    struct ledger_dynamodb *l = table_of(ledger);
    struct ledger_batch b;
    char pk[PK_BYTES];
    json_t *item = NULL;
    (void)time_ms;
    item_pk_batch('b', batch, pk);
    enum status st = table_get(l, pk, &item);
    if (st == ST_OK)
        st = dynamodb_read_batch(item, batch, &b);
    json_decref(item);
    if (st == ST_MISSING || (st == ST_OK && b.state == BATCH_ABORTED))
        return ST_CONFLICT;
    for (uint16_t i = 0; st == ST_OK && i < b.n_parts; i++)
        if (!ledger_part_final(&b.parts[i]))
            return ST_CONFLICT;
    if (st != ST_OK)
        return st;
    if (b.state != BATCH_DONE)
        st = table_update(l, pk, "SET #s = :d, expires = :x", "attribute_exists(pk)",
                          json_pack("{s:s}", "#s", "s"),
                          json_pack("{s:o, s:o}", ":d", item_value_n(BATCH_DONE), ":x",
                                    item_value_n(table_expiry_s(l, 7))),
                          NULL);
    if (st == ST_OK)
        st = dynamodb_open_entry(l, batch, false, 0);
    return st;
}

/* ---- markers ---- */

/*
 * ADD is atomic, so no two requests get the same number of a minute.  A call whose answer is lost
 * uses a number up and nobody has it, which costs nothing: there are 65,536 slots of 26 digits.
 */
static enum status dynamodb_marker(struct ledger *ledger, int64_t minute, struct ledger_marker *out)
{
    struct ledger_dynamodb *l = table_of(ledger);
    int64_t expires_s = l->now_ms(l->ctx) / 1000 + (int64_t)MARKER_DAYS * DAY_S, n = 0;
    char pk[PK_BYTES];
    json_t *answer = NULL;
    item_pk_markers(minute, pk);
    enum status st = table_update(
        l, pk, "SET expires = :x ADD n :o", NULL, NULL,
        json_pack("{s:o, s:o}", ":o", item_value_n(1), ":x", item_value_n(expires_s)), &answer);
    if (st == ST_OK && (!item_get_n(json_object_get(answer, "Attributes"), "n", &n) || n < 1))
        st = ST_BAD_ITEM;
    json_decref(answer);
    return st == ST_OK ? ledger_marker_of(minute, n - 1, out) : st;
}

/* ---- life ---- */

static enum status dynamodb_prune(struct ledger *ledger, int64_t before_ms, uint64_t *removed)
{
    (void)ledger;
    (void)before_ms;
    *removed = 0; /* the service does it by `expires` */
    return ST_OK;
}

static void dynamodb_close(struct ledger *ledger)
{
    struct ledger_dynamodb *l = table_of(ledger);
    free(l->table);
    free(l);
}

static const struct ledger_ops DYNAMODB_OPS = {
    .kind = "dynamodb",
    .claim = dynamodb_claim,
    .load = dynamodb_load,
    .abort = dynamodb_abort,
    .prepare = dynamodb_prepare,
    .payload = dynamodb_payload,
    .journal = dynamodb_journal,
    .done = dynamodb_done,
    .list_open = dynamodb_list_open,
    .list_batches = dynamodb_list_batches,
    .lookup = dynamodb_lookup,
    .marker = dynamodb_marker,
    .markers_used = dynamodb_markers_used,
    .quarantine_add = dynamodb_quarantine_add,
    .quarantine_list = dynamodb_quarantine_list,
    .quarantine_release = dynamodb_quarantine_release,
    .statistics = dynamodb_statistics,
    .prune = dynamodb_prune,
    .close = dynamodb_close,
};

enum status ledger_dynamodb_open(const struct ledger_dynamodb_options *options, struct ledger **out,
                                 struct error *err)
{
    *out = NULL;
    unsigned days = options->ttl_days == 0 ? LEDGER_TTL_DAYS_DEFAULT : options->ttl_days;
    if (days < TTL_DAYS_MIN)
        return error_set(err, ST_USAGE, E_U222,
                         "Records must be kept for at least %d days: CloudWatch takes data of the"
                         " last 14.",
                         TTL_DAYS_MIN);
    struct ledger_dynamodb *l = calloc(1, sizeof *l);
    if (l != NULL)
        l->table = strdup(options->table);
    if (l == NULL || l->table == NULL) {
        free(l);
        return ST_NO_MEMORY;
    }
    l->head.ops = &DYNAMODB_OPS;
    l->call = options->call;
    l->ctx = options->ctx;
    l->now_ms = options->now_ms;
    l->ttl_s = (int64_t)days * DAY_S;
    *out = &l->head;
    return ST_OK;
}
