/*
 * ledger_dynamodb_item.c: the service's documents: keys, attribute values, calls, and parts as
 * bytes.
 *
 * DynamoDB wraps each value in an object that names its type: {"S": "text"}, {"N": "12"} (a number
 * as text), {"B": "aGVsbG8="} (base64), {"M": {...}}, {"L": [...]}.
 */
#include "ledger/ledger_dynamodb_private.h"

#include <inttypes.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>

static void make_pk(char kind, const uint8_t *bytes, size_t n, char out[PK_BYTES])
{
    out[0] = kind;
    out[1] = '#';
    hex_format(bytes, n, out + 2);
}

void item_pk_object(const struct ledger_id *id, char out[PK_BYTES])
{
    make_pk('o', id->bytes, sizeof id->bytes, out);
}

void item_pk_batch(char kind, const struct ledger_nonce *id, char out[PK_BYTES])
{
    make_pk(kind, id->bytes, sizeof id->bytes, out);
}

void item_pk_payload(const struct ledger_nonce *id, unsigned index, char out[PK_BYTES])
{
    char batch[PK_BYTES];
    item_pk_batch('p', id, batch);
    snprintf(out, PK_BYTES, "%.34s#%u", batch, index);
}

void item_pk_list(char kind, unsigned number, char out[PK_BYTES])
{
    snprintf(out, PK_BYTES, "%c#%x", kind, number % LISTS);
}

void item_pk_markers(int64_t minute, char out[PK_BYTES])
{
    snprintf(out, PK_BYTES, "k#%" PRId64, minute);
}

json_t *item_value_s(const char *text)
{
    return json_pack("{s:s}", "S", text);
}

json_t *item_value_n(int64_t number)
{
    char text[24];
    snprintf(text, sizeof text, "%" PRId64, number);
    return json_pack("{s:s}", "N", text);
}

/* EVP_EncodeBlock() wants a pointer also for no bytes. */
json_t *item_value_b(const void *bytes, size_t n)
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

bool item_get_n(const json_t *item, const char *name, int64_t *out)
{
    const char *text = json_string_value(json_object_get(json_object_get(item, name), "N"));
    if (text == NULL || text[0] == '\0')
        return false;
    char *end;
    long long v = strtoll(text, &end, 10);
    *out = v;
    return *end == '\0';
}

/*
 * EVP_DecodeBlock() counts padding as bytes, so the length is found from the text: "aGVsbG8=" is 8
 * characters, 6 bytes less one for the '=', 5.  It also writes those bytes, hence the copy.  And it
 * skips blanks at either end, which leaves bytes unwritten: only the alphabet is let through to it.
 */
bool item_decode(const char *text, void *out, size_t max, size_t *n)
{
    static const char alphabet[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    size_t len = strlen(text), good = strspn(text, alphabet), pad = len - good;
    if (len % 4 != 0 || len > 4 * (size_t)(LEDGER_PAYLOAD_BYTES_MAX / 3 + 1) || pad > 2 ||
        strspn(text + good, "=") != pad)
        return false;
    *n = len / 4 * 3 - pad;
    if (*n > max)
        return false;
    uint8_t *bytes = malloc(len / 4 * 3 + 1);
    bool ok = bytes != NULL &&
              EVP_DecodeBlock(bytes, (const unsigned char *)text, (int)len) == (int)(len / 4 * 3);
    if (ok && *n > 0)
        memcpy(out, bytes, *n);
    free(bytes);
    return ok;
}

const char *item_text_b(const json_t *item, const char *name)
{
    return json_string_value(json_object_get(json_object_get(item, name), "B"));
}

bool item_get_b(const json_t *item, const char *name, void *out, size_t n)
{
    const char *text = item_text_b(item, name);
    size_t got;
    return text != NULL && item_decode(text, out, n, &got) && got == n;
}

json_t *item_key(const char *pk)
{
    return json_pack("{s:{s:s}}", "pk", "S", pk);
}

void item_add(json_t **object, const char *name, json_t *value)
{
    if (json_object_set_new(*object, name, value) == 0)
        return;
    json_decref(*object);
    *object = NULL;
}

/* ---- calls ---- */

enum status table_call(struct ledger_dynamodb *l, const char *operation, json_t *in, json_t **out)
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

enum status table_update(struct ledger_dynamodb *l, const char *pk, const char *expression,
                         const char *condition, json_t *names, json_t *values, json_t **out)
{
    json_t *in = json_pack("{s:s, s:o, s:s}", "TableName", l->table, "Key", item_key(pk),
                           "UpdateExpression", expression);
    if (condition != NULL) {
        item_add(&in, "ConditionExpression", json_string(condition));
        item_add(&in, "ReturnValuesOnConditionCheckFailure", json_string("ALL_OLD"));
    } else if (out != NULL) {
        item_add(&in, "ReturnValues", json_string("UPDATED_NEW"));
    }
    if (names != NULL || strchr(expression, '#') != NULL)
        item_add(&in, "ExpressionAttributeNames", names);
    if (values != NULL || strchr(expression, ':') != NULL)
        item_add(&in, "ExpressionAttributeValues", values);
    return table_call(l, "UpdateItem", in, out);
}

enum status table_get(struct ledger_dynamodb *l, const char *pk, json_t **item)
{
    json_t *out = NULL;
    *item = NULL;
    enum status st = table_call(l, "GetItem",
                                json_pack("{s:s, s:o, s:b}", "TableName", l->table, "Key",
                                          item_key(pk), "ConsistentRead", 1),
                                &out);
    if (st == ST_OK) {
        *item = json_incref(json_object_get(out, "Item"));
        if (*item == NULL)
            st = ST_MISSING;
    }
    json_decref(out);
    return st;
}

/*
 * An answer may hold only some of the items (16 MB, or throttling), and names the others in
 * UnprocessedKeys in the form of a request, which is then the next request.
 */
enum status table_get_many(struct ledger_dynamodb *l, json_t *keys, json_t **items)
{
    *items = json_object();
    json_t *request = json_pack("{s:{s:o, s:b}}", l->table, "Keys", keys, "ConsistentRead", 1);
    enum status st = *items == NULL || request == NULL ? ST_NO_MEMORY : ST_OK;
    for (int round = 0; st == ST_OK && request != NULL; round++) {
        json_t *out = NULL, *item;
        size_t i;
        st = round == ROUNDS_MAX
                 ? ST_RETRY
                 : table_call(l, "BatchGetItem", json_pack("{s:O}", "RequestItems", request), &out);
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

int64_t table_expiry_s(struct ledger_dynamodb *l, int64_t extra_days)
{
    return l->now_ms(l->ctx) / 1000 + l->ttl_s + extra_days * DAY_S;
}

/*
 * ---- parts as bytes: fixed width, big-endian; the first byte is the layout's version ----
 *
 *     0  1  version, 2          28 16  nonce                63 11  control
 *     1  1  state               44 11  marker:              74  8  control_ms
 *     2  2  payload                     8 minute            82  2  resolved_applied
 *     4  4  first                       2 slot              84  2  resolved_absent
 *     8  4  count                       1 digit
 *    12  8  tokens              55  8  date_ms
 *    20  4  attempt
 *    24  4  resent              Version 1 ends at 82.
 */

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
    uint8_t *at = put(out, 2, 1);
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
    at = put(at, (uint64_t)p->control_ms, 8);
    at = put(at, p->resolved_applied, 2);
    put(at, p->resolved_absent, 2);
}

/* A part that an earlier version wrote knows nothing of resolved attempts: both counts are 0. */
bool item_get_part(const json_t *m, struct ledger_part *p)
{
    uint8_t bytes[PART_BYTES];
    const uint8_t *at = bytes;
    const char *text = item_text_b(m, "v");
    size_t n;
    if (text == NULL || !item_decode(text, bytes, sizeof bytes, &n) || n == 0)
        return false;
    uint64_t version = take(&at, 1);
    if (n != (version == 1 ? PART_BYTES_1 : PART_BYTES) || version < 1 || version > 2)
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
    p->resolved_applied = version == 1 ? 0 : (uint16_t)take(&at, 2);
    p->resolved_absent = version == 1 ? 0 : (uint16_t)take(&at, 2);
    return p->state <= PART_REJECTED;
}

json_t *item_value_part(const struct ledger_part *p)
{
    uint8_t bytes[PART_BYTES];
    pack_part(p, bytes);
    return json_pack("{s:{s:o, s:o}}", "M", "n",
                     item_value_b(p->nonce.bytes, sizeof p->nonce.bytes), "v",
                     item_value_b(bytes, sizeof bytes));
}
