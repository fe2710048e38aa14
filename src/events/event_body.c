/*
 * event_body.c: notifications of S3, bare, in an SNS envelope, or as an EventBridge event, to
 * references.
 *
 *   {"Records":[{"eventSource":"aws:s3","eventName":"ObjectCreated:Put","awsRegion":"us-east-1",
 *     "s3":{"bucket":{"name":"logs"},"object":{"key":"AWSLogs/a+b.gz","size":123,"eTag":"..."}}}]}
 *   {"Type":"Notification","Message":"{\"Records\":[...]}"}
 *   {"source":"aws.s3","detail-type":"Object Created","region":"us-east-1",
 *     "detail":{"bucket":{"name":"logs"},"object":{"key":"AWSLogs/a b.gz","etag":"..."}}}
 *
 * A body is hostile input: anyone who may send to the queue writes it.  What becomes part of a URL
 * or header later is checked against its grammar here, once.
 */
#include "events/event_body.h"

#include <stdlib.h>

#include "base/array.h"
#include "base/aws_name.h"
#include "events/event_private.h"

struct event_body_store {
    struct event_pool pool;
    size_t room; /* of body->objects */
};

/* ---- grammars ---- */

bool event_bucket_allowed(struct view allow_list, struct view bucket)
{
    struct view rest = allow_list;
    struct view name;
    while (view_split(&rest, ',', &name)) {
        name = view_trim(name);
        if (name.len > 0 && view_eq(name, bucket))
            return true;
    }
    return false;
}

/* An entity tag goes into If-Match, a version id into a query: visible ASCII without `"` and `\`.
 */
static bool is_token(struct view v, size_t max)
{
    if (v.len > max)
        return false;
    for (size_t i = 0; i < v.len; i++) {
        char c = v.ptr[i];
        if (c <= ' ' || c > '~' || c == '"' || c == '\\')
            return false;
    }
    return true;
}

/* Hex digits only; empty is fine. */
static bool is_hex(struct view v, size_t max)
{
    if (v.len > max)
        return false;
    for (size_t i = 0; i < v.len; i++) {
        if (hex_digit(v.ptr[i]) < 0)
            return false;
    }
    return true;
}

/* ---- keys ---- */

/*
 *     AWSLogs/2026/11/my+file%C3%A9.gz
 *                       ^    ^^^        a blank; one byte
 *
 * A `%` without two hex digits is not something S3 sends: guessing would read a wrong object.
 */
static enum status decode_key(struct view text, char *out, size_t *out_len, struct error *err)
{
    size_t n = 0;
    for (size_t i = 0; i < text.len; i++) {
        char c = text.ptr[i];
        if (c == '+') {
            c = ' ';
        } else if (c == '%') {
            int high = i + 2 < text.len ? hex_digit(text.ptr[i + 1]) : -1;
            int low = i + 2 < text.len ? hex_digit(text.ptr[i + 2]) : -1;
            if (high < 0 || low < 0) {
                enum status st =
                    error_set(err, ST_BAD_ITEM, E_Q110, "object key with a bad %% escape");
                if (err != NULL)
                    err->offset = i;
                return st;
            }
            c = (char)(unsigned char)(high * 16 + low);
            i += 2;
        }
        out[n++] = c;
    }
    *out_len = n;
    return ST_OK;
}

/* The key, decoded where it was encoded, into the body's pool. */
static enum status take_key(struct event_body *body, struct view text, bool encoded,
                            struct view *key, struct error *err)
{
    if (!encoded) {
        if (event_pool_copy(&body->store->pool, text, key) != ST_OK)
            return error_set(err, ST_NO_MEMORY, E_R113, "out of memory");
        return ST_OK;
    }
    char *at = event_pool_take(&body->store->pool, text.len);
    size_t n = 0;
    if (at == NULL)
        return error_set(err, ST_NO_MEMORY, E_R113, "out of memory");
    enum status st = decode_key(text, at, &n, err);
    *key = view_make(at, n);
    return st;
}

/* ---- one object ---- */

enum status event_object_check(const struct event_object *object, struct error *err)
{
    if (object->bucket.len == 0)
        return error_set(err, ST_BAD_ITEM, E_Q110, "event names no bucket");
    if (!aws_bucket_valid(object->bucket))
        return error_set(err, ST_BAD_ITEM, E_Q110, "event with an impossible bucket name");
    if (object->key.len == 0)
        return error_set(err, ST_BAD_ITEM, E_Q110, "event names no object key");
    if (object->key.len > EVENT_MAX_KEY_BYTES)
        return error_set(err, ST_BAD_ITEM, E_Q110, "object key is longer than 1024 bytes");
    if (object->region.len > 0 && !aws_region_valid(object->region))
        return error_set(err, ST_BAD_ITEM, E_Q110, "event with an impossible Region");
    if (!is_token(object->etag, 128))
        return error_set(err, ST_BAD_ITEM, E_Q110, "event with an impossible entity tag");
    if (!is_token(object->version_id, 1024))
        return error_set(err, ST_BAD_ITEM, E_Q110, "event with an impossible version id");
    if (!is_hex(object->sequencer, 64))
        return error_set(err, ST_BAD_ITEM, E_Q110, "event with an impossible sequencer");
    if (object->has_size && object->size > INT64_MAX)
        return error_set(err, ST_BAD_ITEM, E_Q110, "event with an impossible size");
    return ST_OK;
}

/* The texts of `object` belong to the document and are copied here. */
static enum status add_object(struct event_body *body, struct event_object object,
                              const json_t *size, bool key_is_encoded, struct error *err)
{
    /* Quotes belong to the header's form of a tag; some senders leave them on. */
    struct view etag = object.etag;
    if (etag.len >= 2 && etag.ptr[0] == '"' && etag.ptr[etag.len - 1] == '"')
        object.etag = view_make(etag.ptr + 1, etag.len - 2);
    if (view_eq_cstr(object.version_id, "null"))
        object.version_id = VIEW_EMPTY;
    if (json_is_integer(size) && json_integer_value(size) >= 0) {
        object.size = (uint64_t)json_integer_value(size);
        object.has_size = true;
    }
    enum status st = take_key(body, object.key, key_is_encoded, &object.key, err);
    if (st == ST_OK)
        st = event_object_check(&object, err);
    if (st != ST_OK)
        return st;

    struct view *const texts[] = {&object.bucket,     &object.etag,   &object.version_id,
                                  &object.event_name, &object.region, &object.sequencer};
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]) && st == ST_OK; i++)
        st = event_pool_copy(&body->store->pool, *texts[i], texts[i]);
    if (st == ST_OK &&
        !array_room(&body->objects, body->nobjects, &body->store->room, 8, sizeof(object)))
        st = ST_NO_MEMORY;
    if (st != ST_OK)
        return error_set(err, st, E_R113, "out of memory");
    body->objects[body->nobjects++] = object;
    return ST_OK;
}

/* ---- the forms ---- */

/* "2", "2.1", "2.6": AWS promises compatible minor versions (same page: "Event message structure").
 */
static bool is_version_2(struct view version)
{
    return view_eq_cstr(version, "2") || view_starts(version, VIEW_LIT("2."));
}

/* One element of "Records".  Events other than ObjectCreated are counted and otherwise ignored. */
static enum status add_record(struct event_body *body, const json_t *record, struct error *err)
{
    if (!json_is_object(record))
        return error_set(err, ST_BAD_ITEM, E_Q110, "event record is not an object");
    if (!view_eq_cstr(event_json_text(record, "eventSource"), "aws:s3"))
        return error_set(err, ST_BAD_ITEM, E_Q110, "event record is not from S3");
    if (!is_version_2(event_json_text(record, "eventVersion")))
        return error_set(err, ST_BAD_ITEM, E_Q110, "S3 event of an unknown version");
    struct view name = event_json_text(record, "eventName");
    if (name.len == 0)
        return error_set(err, ST_BAD_ITEM, E_Q110, "S3 event without a name");
    /* Bodies carry no "s3:"; configurations do, and hand-written events copy them. */
    if (view_starts(name, VIEW_LIT("s3:")))
        name = view_skip(name, 3);
    if (!view_starts(name, VIEW_LIT("ObjectCreated:"))) {
        body->other_events++;
        return ST_OK;
    }
    const json_t *s3 = json_object_get(record, "s3");
    const json_t *object = json_object_get(s3, "object");
    struct event_object found = {
        .bucket = event_json_text(json_object_get(s3, "bucket"), "name"),
        .key = event_json_text(object, "key"),
        .etag = event_json_text(object, "eTag"),
        .version_id = event_json_text(object, "versionId"),
        .event_name = name,
        .region = event_json_text(record, "awsRegion"),
        .sequencer = event_json_text(object, "sequencer"),
    };
    return add_object(body, found, json_object_get(object, "size"), true, err);
}

static enum status add_records(struct event_body *body, const json_t *records, struct error *err)
{
    size_t n = json_array_size(records);
    if (n == 0)
        return error_set(err, ST_BAD_ITEM, E_Q110, "event without records");
    for (size_t i = 0; i < n; i++) {
        enum status st = add_record(body, json_array_get(records, i), err);
        if (st != ST_OK)
            return st;
    }
    return ST_OK;
}

/* The same facts under other names, and a key that is not encoded. */
static enum status add_eventbridge(struct event_body *body, const json_t *event, struct error *err)
{
    struct view type = event_json_text(event, "detail-type");
    if (!view_eq_cstr(type, "Object Created")) {
        body->other_events++;
        return ST_OK;
    }
    const json_t *detail = json_object_get(event, "detail");
    const json_t *object = json_object_get(detail, "object");
    struct event_object found = {
        .bucket = event_json_text(json_object_get(detail, "bucket"), "name"),
        .key = event_json_text(object, "key"),
        .etag = event_json_text(object, "etag"),
        .version_id = event_json_text(object, "version-id"),
        .event_name = type,
        .region = event_json_text(event, "region"),
        .sequencer = event_json_text(object, "sequencer"),
    };
    if (found.etag.len == 0)
        found.etag = event_json_text(object, "eTag"); /* an emulator's spelling */
    return add_object(body, found, json_object_get(object, "size"), false, err);
}

static bool is_eventbridge(const json_t *document)
{
    return view_eq_cstr(event_json_text(document, "source"), "aws.s3") &&
           event_json_text(document, "detail-type").len > 0;
}

static bool is_sns_envelope(const json_t *document)
{
    return view_eq_cstr(event_json_text(document, "Type"), "Notification") &&
           event_json_text(document, "Message").ptr != NULL;
}

/* Any form but an SNS envelope. */
static enum status add_bare(struct event_body *body, const json_t *document, struct error *err)
{
    const json_t *records = json_object_get(document, "Records");
    if (json_is_array(records))
        return add_records(body, records, err);
    if (view_eq_cstr(event_json_text(document, "Event"), "s3:TestEvent")) {
        body->test_events++;
        return ST_OK;
    }
    if (is_eventbridge(document))
        return add_eventbridge(body, document, err);
    return error_set(err, ST_BAD_ITEM, E_Q110, "not an S3, SNS or EventBridge event");
}

enum status event_body_add(struct event_body *body, json_t *document, struct error *err)
{
    if (!is_sns_envelope(document))
        return add_bare(body, document, err);
    /* One envelope only: SNS does not put envelopes into envelopes. */
    json_t *inner = NULL;
    enum status st =
        event_json_load(event_json_text(document, "Message"), EVENT_MAX_BODY_VALUES, &inner, err);
    if (st == ST_OK)
        st = add_bare(body, inner, err);
    json_decref(inner);
    return st;
}

/* ---- whole bodies ---- */

enum status event_body_init(struct event_body *body, size_t max_text_bytes)
{
    *body = (struct event_body){0};
    body->store = calloc(1, sizeof(*body->store));
    if (body->store == NULL)
        return ST_NO_MEMORY;
    enum status st = event_pool_init(&body->store->pool, max_text_bytes);
    if (st != ST_OK)
        event_body_clear(body);
    return st;
}

enum status event_body_parse(struct view body, struct event_body *out, struct error *err)
{
    *out = (struct event_body){0};
    if (body.len > EVENT_MAX_BODY_BYTES)
        return error_set(err, ST_TOO_BIG, E_Q112, "message body is larger than 1 MiB");
    json_t *document = NULL;
    enum status st = event_json_load(body, EVENT_MAX_BODY_VALUES, &document, err);
    if (st != ST_OK)
        return st;
    st = event_body_init(out, body.len);
    if (st == ST_OK)
        st = event_body_add(out, document, err);
    json_decref(document);
    if (st != ST_OK)
        event_body_clear(out);
    return st;
}

void event_body_clear(struct event_body *body)
{
    free(body->objects);
    if (body->store != NULL)
        event_pool_clear(&body->store->pool);
    free(body->store);
    *body = (struct event_body){0};
}
