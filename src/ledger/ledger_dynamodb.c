/*
 * Items of the table (all with `pk`; `expires` where they may go some day):
 *
 *   o#<object>      b: owning batch, t: claim time; z, zb, zk, zr: quarantine time, names, reason
 *   b#<batch>       s: state, t: time, m: number of members, p: list of {n: nonce, v: the part}
 *   m#<batch>       d: member ids, written before b#
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
#include "ledger/ledger_dynamodb.h"

#include <inttypes.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>

enum {
    PK_BYTES = 80,
    PART_BYTES = 82,
    LISTS = 16,
    GET_MAX = 100,   /* keys of a BatchGetItem */
    ROUNDS_MAX = 10, /* of one with unprocessed keys */
    TTL_DAYS_MIN = 17,
    DAY_S = 24 * 60 * 60,
    MARKER_DAYS = 20, /* nothing is resolved later: CloudWatch keeps minutes for 15 days */
    STALE_ENTRY_MS = 2 * DAY_S * 1000, /* of a batch on the list that was never prepared */
};

struct ledger_dynamodb {
    struct ledger head;
    char *table;
    ledger_dynamodb_call *call;
    void *ctx;
    int64_t (*now_ms)(void *ctx);
    int64_t ttl_s;
};

static struct ledger_dynamodb *self(struct ledger *l)
{
    return (struct ledger_dynamodb *)l;
}

/* ---- documents ---- */

static void hex(const uint8_t *bytes, size_t n, char *out)
{
    static const char digits[] = "0123456789abcdef";
    for (size_t i = 0; i < n; i++) {
        out[2 * i] = digits[bytes[i] >> 4];
        out[2 * i + 1] = digits[bytes[i] & 15];
    }
    out[2 * n] = '\0';
}

static bool unhex(const char *text, uint8_t *out, size_t n)
{
    if (strlen(text) != 2 * n)
        return false;
    for (size_t i = 0; i < 2 * n; i++) {
        char c = text[i];
        int v = c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
        if (v < 0)
            return false;
        out[i / 2] = (uint8_t)(i % 2 == 0 ? v << 4 : out[i / 2] | v);
    }
    return true;
}

static void pk_of(char kind, const uint8_t *bytes, size_t n, char out[PK_BYTES])
{
    out[0] = kind;
    out[1] = '#';
    hex(bytes, n, out + 2);
}

static void pk_batch(char kind, const struct ledger_nonce *id, char out[PK_BYTES])
{
    pk_of(kind, id->bytes, sizeof id->bytes, out);
}

static void pk_payload(const struct ledger_nonce *id, unsigned index, char out[PK_BYTES])
{
    char batch[PK_BYTES];
    pk_batch('p', id, batch);
    snprintf(out, PK_BYTES, "%.34s#%u", batch, index);
}

static void pk_list(char kind, unsigned number, char out[PK_BYTES])
{
    snprintf(out, PK_BYTES, "%c#%x", kind, number % LISTS);
}

/* Attribute values: {"S": text}, {"N": "12"}, {"B": base64}.  NULL when memory is short, which the
 * setters of jansson take for a failure of their own. */
static json_t *value_s(const char *text)
{
    return json_pack("{s:s}", "S", text);
}

static json_t *value_n(int64_t number)
{
    char text[24];
    snprintf(text, sizeof text, "%" PRId64, number);
    return json_pack("{s:s}", "N", text);
}

static json_t *value_b(const void *bytes, size_t n)
{
    if (n > LEDGER_PAYLOAD_BYTES_MAX)
        return NULL;
    char *text = malloc(4 * ((n + 2) / 3) + 1);
    if (text == NULL)
        return NULL;
    static const uint8_t nothing[1];
    EVP_EncodeBlock((unsigned char *)text, n == 0 ? nothing : bytes, (int)n);
    json_t *value = json_pack("{s:s}", "B", text);
    free(text);
    return value;
}

static bool get_n(const json_t *item, const char *name, int64_t *out)
{
    const char *text = json_string_value(json_object_get(json_object_get(item, name), "N"));
    if (text == NULL || text[0] == '\0')
        return false;
    char *end;
    long long v = strtoll(text, &end, 10);
    *out = v;
    return *end == '\0';
}

/* Decode into out[0..max); false unless it fits.  Base64 has no other alphabet here. */
static bool decode(const char *text, void *out, size_t max, size_t *n)
{
    size_t len = strlen(text);
    if (len % 4 != 0 || len > 4 * (size_t)(LEDGER_PAYLOAD_BYTES_MAX / 3 + 1))
        return false;
    size_t pad = len == 0 ? 0 : (size_t)(text[len - 1] == '=') + (text[len - 2] == '=');
    *n = len / 4 * 3 - pad;
    if (*n > max)
        return false;
    uint8_t *bytes = malloc(len / 4 * 3 + 1);
    bool ok = bytes != NULL && EVP_DecodeBlock(bytes, (const unsigned char *)text, (int)len) >= 0;
    if (ok && *n > 0)
        memcpy(out, bytes, *n);
    free(bytes);
    return ok;
}

static const char *text_b(const json_t *item, const char *name)
{
    return json_string_value(json_object_get(json_object_get(item, name), "B"));
}

static bool get_b(const json_t *item, const char *name, void *out, size_t n)
{
    const char *text = text_b(item, name);
    size_t got;
    return text != NULL && decode(text, out, n, &got) && got == n;
}

static json_t *key_of(const char *pk)
{
    return json_pack("{s:{s:s}}", "pk", "S", pk);
}

/* ---- calls ---- */

static enum status call(struct ledger_dynamodb *l, const char *operation, json_t *in, json_t **out)
{
    json_t *answer = NULL;
    if (in == NULL)
        return ST_NO_MEMORY;
    enum status st = l->call(l->ctx, operation, in, &answer);
    json_decref(in);
    if (out != NULL)
        *out = answer;
    else
        json_decref(answer);
    if (st == ST_MISSING) /* the table: nothing here works, and "absent" means something else */
        st = ST_DENIED;
    return st;
}

/* With the item found where it does not hold. */
static bool add_condition(json_t *in, const char *condition)
{
    return json_object_set_new(in, "ConditionExpression", json_string(condition)) == 0 &&
           json_object_set_new(in, "ReturnValuesOnConditionCheckFailure", json_string("ALL_OLD")) ==
               0;
}

/* {"TableName":..., "Key":..., "UpdateExpression":...}: `condition` and `names` may be NULL. */
static json_t *update_of(struct ledger_dynamodb *l, const char *pk, const char *expression,
                         const char *condition, json_t *names, json_t *values)
{
    json_t *in =
        json_pack("{s:s, s:o, s:s, s:s}", "TableName", l->table, "Key", key_of(pk),
                  "UpdateExpression", expression, "ReturnValuesOnConditionCheckFailure", "ALL_OLD");
    bool bad = in == NULL;
    if (condition != NULL)
        bad |= json_object_set_new(in, "ConditionExpression", json_string(condition)) != 0;
    if (names != NULL)
        bad |= json_object_set_new(in, "ExpressionAttributeNames", names) != 0;
    if (values != NULL)
        bad |= json_object_set_new(in, "ExpressionAttributeValues", values) != 0;
    if (!bad)
        return in;
    json_decref(in);
    return NULL;
}

/* One item, read consistently: *item (the caller's), or NULL with ST_MISSING. */
static enum status get_item(struct ledger_dynamodb *l, const char *pk, json_t **item)
{
    json_t *out = NULL;
    *item = NULL;
    enum status st = call(
        l, "GetItem",
        json_pack("{s:s, s:o, s:b}", "TableName", l->table, "Key", key_of(pk), "ConsistentRead", 1),
        &out);
    if (st == ST_OK) {
        *item = json_incref(json_object_get(out, "Item"));
        if (*item == NULL)
            st = ST_MISSING;
    }
    json_decref(out);
    return st;
}

/* Items of up to GET_MAX keys, by their pk: *items is an object, the caller's.  Takes keys over. */
static enum status get_items(struct ledger_dynamodb *l, json_t *keys, json_t **items)
{
    *items = json_object();
    json_t *request = json_pack("{s:{s:o, s:b}}", l->table, "Keys", keys, "ConsistentRead", 1);
    enum status st = *items == NULL || request == NULL ? ST_NO_MEMORY : ST_OK;
    for (int round = 0; st == ST_OK && request != NULL; round++) {
        json_t *out = NULL, *item;
        size_t i;
        st = round == ROUNDS_MAX
                 ? ST_RETRY
                 : call(l, "BatchGetItem", json_pack("{s:O}", "RequestItems", request), &out);
        json_array_foreach(json_object_get(json_object_get(out, "Responses"), l->table), i, item)
        {
            const char *pk = json_string_value(json_object_get(json_object_get(item, "pk"), "S"));
            if (pk != NULL && json_object_set(*items, pk, item) != 0)
                st = ST_NO_MEMORY;
        }
        json_decref(request);
        json_t *rest = json_object_get(out, "UnprocessedKeys");
        request = json_object_size(rest) > 0 ? json_incref(rest) : NULL;
        json_decref(out);
    }
    json_decref(request);
    if (st != ST_OK) {
        json_decref(*items);
        *items = NULL;
    }
    return st;
}

static int64_t expiry_s(struct ledger_dynamodb *l, int64_t extra_days)
{
    return l->now_ms(l->ctx) / 1000 + l->ttl_s + extra_days * DAY_S;
}

/* ---- parts as bytes: fixed width, big-endian; the first byte is the layout's version ---- */

static uint8_t *put(uint8_t *at, uint64_t v, size_t n)
{
    for (size_t i = 0; i < n; i++)
        at[i] = (uint8_t)(v >> 8 * (n - 1 - i));
    return at + n;
}

static uint64_t take(const uint8_t **at, size_t n)
{
    uint64_t v = 0;
    for (size_t i = 0; i < n; i++)
        v = v << 8 | (*at)[i];
    *at += n;
    return v;
}

static uint8_t *put_marker(uint8_t *at, const struct ledger_marker *m)
{
    at = put(at, (uint64_t)m->minute, 8);
    at = put(at, m->slot, 2);
    return put(at, m->digit, 1);
}

static struct ledger_marker take_marker(const uint8_t **at)
{
    struct ledger_marker m;
    m.minute = (int64_t)take(at, 8);
    m.slot = (uint16_t)take(at, 2);
    m.digit = (uint8_t)take(at, 1);
    return m;
}

static void pack_part(const struct ledger_part *p, uint8_t out[PART_BYTES])
{
    memset(out, 0, PART_BYTES);
    uint8_t *at = put(out, 1, 1);
    at = put(at, p->state, 1);
    at = put(at, p->payload, 2);
    at = put(at, p->first, 4);
    at = put(at, p->count, 4);
    at = put(at, p->tokens, 8);
    at = put(at, p->attempt, 4);
    at = put(at, p->resent, 4);
    memcpy(at, p->nonce.bytes, sizeof p->nonce.bytes);
    at = put_marker(at + sizeof p->nonce.bytes, &p->marker);
    at = put(at, (uint64_t)p->date_ms, 8);
    at = put_marker(at, &p->control);
    put(at, (uint64_t)p->control_ms, 8);
}

static bool unpack_part(const uint8_t in[PART_BYTES], struct ledger_part *p)
{
    const uint8_t *at = in;
    if (take(&at, 1) != 1)
        return false;
    p->state = (uint8_t)take(&at, 1);
    p->payload = (uint16_t)take(&at, 2);
    p->first = (uint32_t)take(&at, 4);
    p->count = (uint32_t)take(&at, 4);
    p->tokens = take(&at, 8);
    p->attempt = (uint32_t)take(&at, 4);
    p->resent = (uint32_t)take(&at, 4);
    memcpy(p->nonce.bytes, at, sizeof p->nonce.bytes);
    at += sizeof p->nonce.bytes;
    p->marker = take_marker(&at);
    p->date_ms = (int64_t)take(&at, 8);
    p->control = take_marker(&at);
    p->control_ms = (int64_t)take(&at, 8);
    return p->state <= PART_REJECTED;
}

/* {"M": {"n": nonce, "v": part}}: the nonce apart, for conditions. */
static json_t *value_part(const struct ledger_part *p)
{
    uint8_t bytes[PART_BYTES];
    pack_part(p, bytes);
    return json_pack("{s:{s:o, s:o}}", "M", "n", value_b(p->nonce.bytes, sizeof p->nonce.bytes),
                     "v", value_b(bytes, sizeof bytes));
}

/* ---- objects ---- */

static enum status claim_one(struct ledger_dynamodb *l, const struct ledger_nonce *batch,
                             int64_t time_ms, const struct protocol_object *o,
                             struct protocol_claim *c)
{
    static const struct ledger_nonce none;
    char pk[PK_BYTES];
    pk_of('o', o->id.bytes, sizeof o->id.bytes, pk);
    bool want_absent = ledger_nonce_eq(&o->owner, &none);
    json_t *values = json_pack("{s:o, s:o, s:o}", ":b", value_b(batch->bytes, sizeof batch->bytes),
                               ":t", value_n(time_ms), ":x", value_n(expiry_s(l, 0)));
    if (!want_absent &&
        json_object_set_new(values, ":o", value_b(o->owner.bytes, sizeof o->owner.bytes)) != 0) {
        json_decref(values);
        values = NULL;
    }
    if (values == NULL)
        return ST_NO_MEMORY;
    json_t *out = NULL;
    enum status st =
        call(l, "UpdateItem",
             update_of(l, pk, "SET b = :b, t = :t, expires = :x",
                       want_absent ? "attribute_not_exists(b)" : "b = :o", NULL, values),
             &out);
    const json_t *old = json_object_get(out, "Item");
    *c = (struct protocol_claim){.result = CLAIM_UNKNOWN};
    if (st == ST_OK) {
        c->result = CLAIM_MINE;
    } else if (st == ST_CONFLICT && json_object_get(old, "b") == NULL) {
        c->result = CLAIM_ABSENT;
        st = ST_OK;
    } else if (st == ST_CONFLICT) {
        bool fine = get_b(old, "b", c->owner.bytes, sizeof c->owner.bytes) &&
                    get_n(old, "t", &c->claimed_ms);
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
            st = claim_one(self(ledger), batch, time_ms, &objects[i], &claims[i]);
    return st;
}

/* ---- batches ---- */

static enum status read_members(const json_t *item, struct ledger_record *out)
{
    const char *text = text_b(item, "d");
    size_t n;
    if (text == NULL || !decode(text, out->members, sizeof out->members, &n) ||
        n != out->batch.n_members * sizeof out->members[0])
        return ST_BAD_ITEM;
    return ST_OK;
}

static enum status read_batch(const json_t *item, const struct ledger_nonce *id,
                              struct ledger_batch *b)
{
    int64_t state, members = 0;
    if (!get_n(item, "s", &state) || state < BATCH_ABORTED || state > BATCH_DONE ||
        !get_n(item, "t", &b->prepared_ms))
        return ST_BAD_ITEM;
    b->id = *id;
    b->state = (uint8_t)state;
    b->n_parts = b->n_members = 0;
    if (state == BATCH_ABORTED)
        return ST_OK;
    const json_t *list = json_object_get(json_object_get(item, "p"), "L");
    if (!get_n(item, "m", &members) || members < 0 || members > PROTOCOL_OBJECTS_MAX ||
        json_array_size(list) > PROTOCOL_PARTS_MAX)
        return ST_BAD_ITEM;
    b->n_members = (uint16_t)members;
    for (size_t i = 0; i < json_array_size(list); i++) {
        uint8_t bytes[PART_BYTES];
        const json_t *part = json_object_get(json_array_get(list, i), "M");
        if (!get_b(part, "v", bytes, sizeof bytes) || !unpack_part(bytes, &b->parts[i]))
            return ST_BAD_ITEM;
        b->n_parts++;
    }
    return ST_OK;
}

static enum status dynamodb_load(struct ledger *ledger, const struct ledger_nonce *batch,
                                 struct ledger_record *out)
{
    struct ledger_dynamodb *l = self(ledger);
    char pk[PK_BYTES];
    json_t *item = NULL, *members = NULL;
    pk_batch('b', batch, pk);
    enum status st = get_item(l, pk, &item);
    if (st == ST_OK)
        st = read_batch(item, batch, &out->batch);
    if (st == ST_OK && out->batch.n_members > 0) {
        pk_batch('m', batch, pk);
        st = get_item(l, pk, &members);
        /* Members are written before the batch and outlive it. */
        st = st == ST_MISSING ? ST_BAD_ITEM : st;
        if (st == ST_OK)
            st = read_members(members, out);
    }
    json_decref(item);
    json_decref(members);
    return st;
}

/* Put an item, where there is none yet if `once`; *out as in call(), may be NULL. */
static enum status put_item(struct ledger_dynamodb *l, json_t *item, bool once, json_t **out)
{
    json_t *in = json_pack("{s:s, s:o}", "TableName", l->table, "Item", item);
    if (in != NULL && once && !add_condition(in, "attribute_not_exists(pk)")) {
        json_decref(in);
        in = NULL;
    }
    return call(l, "PutItem", in, out);
}

static enum status dynamodb_abort(struct ledger *ledger, const struct ledger_nonce *batch,
                                  int64_t time_ms)
{
    struct ledger_dynamodb *l = self(ledger);
    char pk[PK_BYTES];
    pk_batch('b', batch, pk);
    json_t *out = NULL;
    enum status st =
        put_item(l,
                 json_pack("{s:o, s:o, s:o, s:o}", "pk", value_s(pk), "s", value_n(BATCH_ABORTED),
                           "t", value_n(time_ms), "expires", value_n(expiry_s(l, 7))),
                 true, &out);
    int64_t state;
    if (st == ST_CONFLICT && get_n(json_object_get(out, "Item"), "s", &state) &&
        state == BATCH_ABORTED)
        st = ST_OK;
    json_decref(out);
    return st;
}

/* Set or remove the entry of a batch or an object on its list. */
static enum status list_entry(struct ledger_dynamodb *l, char kind, const uint8_t *id, size_t n,
                              bool on, int64_t time_ms)
{
    char pk[PK_BYTES], name[PK_BYTES];
    pk_list(kind, id[0] & 15, pk);
    hex(id, n, name);
    json_t *names = json_pack("{s:s}", "#e", name);
    json_t *values = on ? json_pack("{s:o}", ":t", value_n(time_ms)) : NULL;
    if (names == NULL || (on && values == NULL)) {
        json_decref(names);
        json_decref(values);
        return ST_NO_MEMORY;
    }
    return call(l, "UpdateItem",
                update_of(l, pk, on ? "SET #e = :t" : "REMOVE #e", NULL, names, values), NULL);
}

static enum status open_entry(struct ledger_dynamodb *l, const struct ledger_nonce *batch, bool on,
                              int64_t time_ms)
{
    return list_entry(l, 'q', batch->bytes, sizeof batch->bytes, on, time_ms);
}

static enum status put_bytes(struct ledger_dynamodb *l, const char *pk, const void *bytes, size_t n)
{
    return put_item(l,
                    json_pack("{s:o, s:o, s:o}", "pk", value_s(pk), "d", value_b(bytes, n),
                              "expires", value_n(expiry_s(l, 14))),
                    false, NULL);
}

static enum status dynamodb_prepare(struct ledger *ledger, const struct ledger_record *record,
                                    const struct view *payloads, uint16_t n_payloads)
{
    struct ledger_dynamodb *l = self(ledger);
    const struct ledger_batch *b = &record->batch;
    char pk[PK_BYTES];
    enum status st = ST_OK;
    for (uint16_t i = 0; i < n_payloads; i++)
        if (payloads[i].len > LEDGER_PAYLOAD_BYTES_MAX)
            return ST_TOO_BIG;
    /* The name is ours alone and the bytes are always the same: repeating these is harmless. */
    for (uint16_t i = 0; i < n_payloads && st == ST_OK; i++) {
        pk_payload(&b->id, i, pk);
        st = put_bytes(l, pk, payloads[i].ptr, payloads[i].len);
    }
    if (st == ST_OK && b->n_members > 0) {
        pk_batch('m', &b->id, pk);
        st = put_bytes(l, pk, record->members, b->n_members * sizeof record->members[0]);
    }
    if (st == ST_OK)
        st = open_entry(l, &b->id, true, b->prepared_ms);
    if (st != ST_OK)
        return st;
    json_t *parts = json_array();
    for (uint16_t i = 0; i < b->n_parts; i++)
        if (json_array_append_new(parts, value_part(&b->parts[i])) != 0)
            st = ST_NO_MEMORY;
    if (st != ST_OK) {
        json_decref(parts);
        return st;
    }
    pk_batch('b', &b->id, pk);
    return put_item(l,
                    json_pack("{s:o, s:o, s:o, s:o, s:{s:o}}", "pk", value_s(pk), "s",
                              value_n(BATCH_PREPARED), "t", value_n(b->prepared_ms), "m",
                              value_n(b->n_members), "p", "L", parts),
                    true, NULL);
}

static enum status dynamodb_payload(struct ledger *ledger, const struct ledger_nonce *batch,
                                    uint16_t index, struct buf *out)
{
    struct ledger_dynamodb *l = self(ledger);
    char pk[PK_BYTES];
    json_t *item = NULL;
    pk_payload(batch, index, pk);
    enum status st = get_item(l, pk, &item);
    const char *text = text_b(item, "d");
    if (st == ST_OK && text == NULL)
        st = ST_BAD_ITEM;
    if (st == ST_OK) {
        size_t room = strlen(text) / 4 * 3, n;
        char *at = buf_reserve(out, room + 1);
        if (at == NULL)
            st = buf_status(out);
        else if (decode(text, at, room, &n))
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
    return get_b(part, "n", nonce.bytes, sizeof nonce.bytes) &&
           ledger_nonce_eq(&nonce, &j->part.nonce);
}

static enum status dynamodb_journal(struct ledger *ledger, const struct protocol_effect *j)
{
    struct ledger_dynamodb *l = self(ledger);
    char pk[PK_BYTES], expression[96], condition[96];
    pk_batch('b', &j->batch_id, pk);
    json_t *values = json_pack("{s:o, s:o}", ":v", value_part(&j->part), ":e",
                               value_b(j->expected.bytes, sizeof j->expected.bytes));
    if (values == NULL)
        return ST_NO_MEMORY;
    if (j->split) {
        snprintf(expression, sizeof expression, "SET p[%u] = :v, p[%u] = :x", j->index, j->n_parts);
        snprintf(condition, sizeof condition, "p[%u].n = :e AND size(p) = :n", j->index);
        if (json_object_set_new(values, ":x", value_part(&j->extra)) != 0 ||
            json_object_set_new(values, ":n", value_n(j->n_parts)) != 0) {
            json_decref(values);
            return ST_NO_MEMORY;
        }
    } else {
        snprintf(expression, sizeof expression, "SET p[%u] = :v", j->index);
        snprintf(condition, sizeof condition, "p[%u].n = :e", j->index);
    }
    json_t *out = NULL;
    enum status st =
        call(l, "UpdateItem", update_of(l, pk, expression, condition, NULL, values), &out);
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
    struct ledger_dynamodb *l = self(ledger);
    struct ledger_batch b;
    char pk[PK_BYTES];
    json_t *item = NULL;
    (void)time_ms;
    pk_batch('b', batch, pk);
    enum status st = get_item(l, pk, &item);
    if (st == ST_OK)
        st = read_batch(item, batch, &b);
    json_decref(item);
    if (st == ST_MISSING || (st == ST_OK && b.state == BATCH_ABORTED))
        return ST_CONFLICT;
    for (uint16_t i = 0; st == ST_OK && i < b.n_parts; i++)
        if (!ledger_part_final(&b.parts[i]))
            return ST_CONFLICT;
    if (st != ST_OK)
        return st;
    if (b.state != BATCH_DONE) {
        json_t *values =
            json_pack("{s:o, s:o}", ":d", value_n(BATCH_DONE), ":x", value_n(expiry_s(l, 7)));
        json_t *names = json_pack("{s:s}", "#s", "s");
        if (values == NULL || names == NULL) {
            json_decref(values);
            json_decref(names);
            return ST_NO_MEMORY;
        }
        st = call(
            l, "UpdateItem",
            update_of(l, pk, "SET #s = :d, expires = :x", "attribute_exists(pk)", names, values),
            NULL);
    }
    if (st == ST_OK)
        st = open_entry(l, batch, false, 0);
    return st;
}

/* ---- lists ---- */

/* The sixteen items of a list. */
static enum status get_lists(struct ledger_dynamodb *l, char kind, json_t **items)
{
    json_t *keys = json_array();
    for (unsigned i = 0; i < LISTS; i++) {
        char pk[PK_BYTES];
        pk_list(kind, i, pk);
        json_array_append_new(keys, key_of(pk)); /* one missing is found out below */
    }
    if (json_array_size(keys) != LISTS) {
        json_decref(keys);
        return ST_NO_MEMORY;
    }
    return get_items(l, keys, items);
}

/* What a batch on the list of open ones is by now; takes it off where it does not belong. */
static enum status check_open(struct ledger_dynamodb *l, const struct ledger_nonce *id,
                              int64_t listed_ms, bool *open)
{
    char pk[PK_BYTES];
    json_t *item = NULL;
    int64_t state = BATCH_NONE;
    pk_batch('b', id, pk);
    enum status st = get_item(l, pk, &item);
    *open = st == ST_OK && get_n(item, "s", &state) && state == BATCH_PREPARED;
    json_decref(item);
    bool stale = st == ST_MISSING && listed_ms < l->now_ms(l->ctx) - STALE_ENTRY_MS;
    if ((st == ST_OK && !*open) || stale)
        st = open_entry(l, id, false, 0);
    return st == ST_MISSING ? ST_OK : st;
}

static enum status dynamodb_list_open(struct ledger *ledger, int64_t before_ms,
                                      struct ledger_nonce *out, size_t max, size_t *n)
{
    struct ledger_dynamodb *l = self(ledger);
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
            if (st != ST_OK || *n == max || !unhex(name, id.bytes, sizeof id.bytes) ||
                !get_n(list, name, &listed_ms) || listed_ms >= before_ms)
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
        if (!unhex(pk + 2, id.bytes, sizeof id.bytes) || !get_n(item, "s", &state) ||
            !get_n(item, "t", &time_ms) || state < BATCH_ABORTED || state > BATCH_DONE)
            return ST_BAD_ITEM;
        if (state != BATCH_ABORTED && time_ms >= from_ms && time_ms < until_ms)
            *more = fn(ctx, &id, (enum ledger_batch_state)state, time_ms);
    }
    return ST_OK;
}

static enum status dynamodb_list_batches(struct ledger *ledger, int64_t from_ms, int64_t until_ms,
                                         ledger_batch_fn *fn, void *ctx)
{
    struct ledger_dynamodb *l = self(ledger);
    json_t *start = NULL;
    bool more = true;
    enum status st = ST_OK;
    while (more && st == ST_OK) {
        json_t *page = NULL;
        json_t *in = json_pack("{s:s, s:s, s:{s:s}, s:s, s:{s:{s:s}}}", "TableName", l->table,
                               "ProjectionExpression", "pk, #s, t", "ExpressionAttributeNames",
                               "#s", "s", "FilterExpression", "begins_with(pk, :b)",
                               "ExpressionAttributeValues", ":b", "S", "b#");
        if (in != NULL && start != NULL && json_object_set(in, "ExclusiveStartKey", start) != 0) {
            json_decref(in);
            in = NULL;
        }
        st = call(l, "Scan", in, &page);
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
                                        const struct ledger_id *id, struct ledger_record *scratch)
{
    char pk[PK_BYTES];
    pk_batch('b', batch, pk);
    const json_t *b = json_object_get(items, pk);
    pk_batch('m', batch, pk);
    const json_t *m = json_object_get(items, pk);
    if (b == NULL || m == NULL || read_batch(b, batch, &scratch->batch) != ST_OK ||
        read_members(m, scratch) != ST_OK)
        return LEDGER_CLAIMED;
    for (uint16_t i = 0; i < scratch->batch.n_members; i++)
        if (ledger_id_eq(&scratch->members[i], id))
            return scratch->batch.state == BATCH_DONE ? LEDGER_DONE : LEDGER_PREPARED;
    return LEDGER_CLAIMED;
}

/* Up to GET_MAX / 2 objects: their records, then the batches these name. */
static enum status lookup_some(struct ledger_dynamodb *l, const struct ledger_id *ids, size_t n,
                               enum ledger_progress *out, struct ledger_record *scratch)
{
    json_t *keys = json_array(), *owners = json_object(), *objects = NULL, *batches = NULL;
    char pk[PK_BYTES];
    struct ledger_nonce owner;
    enum status st = ST_OK;
    for (size_t i = 0; i < n; i++) {
        pk_of('o', ids[i].bytes, sizeof ids[i].bytes, pk);
        if (json_array_append_new(keys, key_of(pk)) != 0)
            st = ST_NO_MEMORY;
    }
    if (st == ST_OK)
        st = get_items(l, keys, &objects);
    else
        json_decref(keys);
    keys = json_array();
    for (size_t i = 0; i < n && st == ST_OK; i++) {
        pk_of('o', ids[i].bytes, sizeof ids[i].bytes, pk);
        if (!get_b(json_object_get(objects, pk), "b", owner.bytes, sizeof owner.bytes))
            continue;
        pk_batch('b', &owner, pk);
        if (json_object_get(owners, pk) != NULL)
            continue;
        bool bad = json_object_set_new(owners, pk, json_true()) != 0 ||
                   json_array_append_new(keys, key_of(pk)) != 0;
        pk_batch('m', &owner, pk);
        if (bad || json_array_append_new(keys, key_of(pk)) != 0)
            st = ST_NO_MEMORY;
    }
    if (st == ST_OK && json_array_size(keys) > 0)
        st = get_items(l, keys, &batches);
    else
        json_decref(keys);
    for (size_t i = 0; i < n && st == ST_OK; i++) {
        pk_of('o', ids[i].bytes, sizeof ids[i].bytes, pk);
        const json_t *item = json_object_get(objects, pk);
        out[i] = LEDGER_ABSENT;
        if (get_b(item, "b", owner.bytes, sizeof owner.bytes))
            out[i] = progress_of(batches, &owner, &ids[i], scratch);
        if (out[i] < LEDGER_PREPARED && json_object_get(item, "z") != NULL)
            out[i] = LEDGER_QUARANTINED;
    }
    json_decref(objects);
    json_decref(batches);
    json_decref(owners);
    return st;
}

static enum status dynamodb_lookup(struct ledger *ledger, const struct ledger_id *ids, size_t n,
                                   enum ledger_progress *out)
{
    struct ledger_record *scratch = malloc(sizeof *scratch);
    enum status st = scratch == NULL ? ST_NO_MEMORY : ST_OK;
    for (size_t at = 0; at < n && st == ST_OK; at += GET_MAX / 2) {
        size_t some = n - at < GET_MAX / 2 ? n - at : GET_MAX / 2;
        st = lookup_some(self(ledger), ids + at, some, out + at, scratch);
    }
    free(scratch);
    return st;
}

/* ---- markers ---- */

static enum status dynamodb_marker(struct ledger *ledger, int64_t minute, struct ledger_marker *out)
{
    struct ledger_dynamodb *l = self(ledger);
    char pk[PK_BYTES];
    snprintf(pk, sizeof pk, "k#%" PRId64, minute);
    json_t *values = json_pack("{s:o, s:o}", ":o", value_n(1), ":x",
                               value_n(l->now_ms(l->ctx) / 1000 + (int64_t)MARKER_DAYS * DAY_S));
    json_t *in =
        values == NULL ? NULL : update_of(l, pk, "SET expires = :x ADD n :o", NULL, NULL, values);
    if (in != NULL && json_object_set_new(in, "ReturnValues", json_string("UPDATED_NEW")) != 0) {
        json_decref(in);
        in = NULL;
    }
    json_t *answer = NULL;
    enum status st = call(l, "UpdateItem", in, &answer);
    int64_t n = 0;
    if (st == ST_OK && (!get_n(json_object_get(answer, "Attributes"), "n", &n) || n < 1))
        st = ST_BAD_ITEM;
    json_decref(answer);
    if (st == ST_OK && (n - 1) / LEDGER_MARKER_DIGITS > UINT16_MAX)
        st = ST_TOO_BIG;
    if (st == ST_OK)
        *out = (struct ledger_marker){.minute = minute,
                                      .slot = (uint16_t)((n - 1) / LEDGER_MARKER_DIGITS),
                                      .digit = (uint8_t)((n - 1) % LEDGER_MARKER_DIGITS)};
    return st;
}

/* ---- quarantine ---- */

static enum status dynamodb_quarantine_add(struct ledger *ledger,
                                           const struct ledger_quarantined *e)
{
    struct ledger_dynamodb *l = self(ledger);
    char pk[PK_BYTES];
    pk_of('o', e->id.bytes, sizeof e->id.bytes, pk);
    struct view bucket = view_first(e->bucket, LEDGER_NAME_BYTES_MAX);
    struct view key = view_first(e->key, LEDGER_NAME_BYTES_MAX);
    struct view reason = view_first(e->reason, LEDGER_REASON_BYTES_MAX);
    json_t *values =
        json_pack("{s:o, s:o, s:o, s:o, s:o}", ":t", value_n(e->time_ms), ":b",
                  value_b(bucket.ptr, bucket.len), ":k", value_b(key.ptr, key.len), ":r",
                  value_b(reason.ptr, reason.len), ":x", value_n(expiry_s(l, 0)));
    if (values == NULL)
        return ST_NO_MEMORY;
    enum status st = list_entry(l, 'z', e->id.bytes, sizeof e->id.bytes, true, e->time_ms);
    if (st != ST_OK) {
        json_decref(values);
        return st;
    }
    return call(
        l, "UpdateItem",
        update_of(l, pk, "SET z = :t, zb = :b, zk = :k, zr = :r, expires = :x", NULL, NULL, values),
        NULL);
}

/* Names of one entry, decoded; false when the record is damaged or not quarantined any more. */
static bool read_entry(const json_t *item, struct ledger_quarantined *e, char (*texts)[1100])
{
    static const char *const names[3] = {"zb", "zk", "zr"};
    struct view *views[3] = {&e->bucket, &e->key, &e->reason};
    if (!get_n(item, "z", &e->time_ms))
        return false;
    for (size_t i = 0; i < 3; i++) {
        const char *text = text_b(item, names[i]);
        size_t n;
        if (text == NULL || !decode(text, texts[i], sizeof texts[i], &n))
            return false;
        *views[i] = view_make(texts[i], n);
    }
    return true;
}

static enum status dynamodb_quarantine_list(struct ledger *ledger, ledger_quarantine_fn *fn,
                                            void *ctx)
{
    struct ledger_dynamodb *l = self(ledger);
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
            if (st != ST_OK || !more || !unhex(name, e.id.bytes, sizeof e.id.bytes))
                continue;
            pk_of('o', e.id.bytes, sizeof e.id.bytes, object);
            st = get_item(l, object, &item);
            if (st == ST_OK && read_entry(item, &e, texts))
                more = fn(ctx, &e);
            else if (st == ST_MISSING) /* expired */
                st = list_entry(l, 'z', e.id.bytes, sizeof e.id.bytes, false, 0);
            json_decref(item);
        }
    }
    json_decref(lists);
    return st;
}

static enum status dynamodb_quarantine_release(struct ledger *ledger, const struct ledger_id *id)
{
    struct ledger_dynamodb *l = self(ledger);
    char pk[PK_BYTES];
    pk_of('o', id->bytes, sizeof id->bytes, pk);
    enum status st =
        call(l, "UpdateItem",
             update_of(l, pk, "REMOVE z, zb, zk, zr", "attribute_exists(z)", NULL, NULL), NULL);
    bool was_there = st == ST_OK;
    if (st == ST_OK || st == ST_CONFLICT)
        st = list_entry(l, 'z', id->bytes, sizeof id->bytes, false, 0);
    return st == ST_OK && !was_there ? ST_MISSING : st;
}

/* ---- statistics ---- */

static enum status dynamodb_statistics(struct ledger *ledger, struct ledger_statistics *out)
{
    struct ledger_dynamodb *l = self(ledger);
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
            out->quarantined += unhex(name, id.bytes, sizeof id.bytes);
        }
    }
    json_decref(lists);
    free(open);
    free(record);
    return st;
}

static enum status dynamodb_prune(struct ledger *ledger, int64_t before_ms, uint64_t *removed)
{
    (void)ledger;
    (void)before_ms;
    *removed = 0; /* the service does it by `expires` */
    return ST_OK;
}

static void dynamodb_close(struct ledger *ledger)
{
    struct ledger_dynamodb *l = self(ledger);
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
        return error_set(err, ST_USAGE,
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
