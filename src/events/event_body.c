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
#include "base/json_read.h"
#include "events/event_private.h"

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
 * The key into the body's pool, decoded where it is encoded:
 *
 *     AWSLogs/2026/11/my+file%C3%A9.gz
 *                       ^    ^^^        a blank; one byte
 *
 * A `%` without two hex digits is not something S3 sends: guessing would read a wrong object.
 */
static enum status take_key(struct event_body *body, bool encoded, struct view *key,
                            struct error *err)
{
    struct view text = *key;
    char *out = event_pool_take(body->texts, text.len);
    size_t n = 0;
    if (out == NULL)
        return error_set(err, ST_NO_MEMORY, E_R113, "out of memory");
    for (size_t i = 0; i < text.len; i++) {
        char c = text.ptr[i];
        if (encoded && c == '+') {
            c = ' ';
        } else if (encoded && c == '%') {
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
    *key = view_make(out, n);
    return ST_OK;
}

/* ---- one object ---- */

enum status event_object_check(const struct event_object *object, struct error *err)
{
    const char *fault =
        object->bucket.len == 0                 ? "event names no bucket"
        : !aws_bucket_valid(object->bucket)     ? "event with an impossible bucket name"
        : object->key.len == 0                  ? "event names no object key"
        : object->key.len > EVENT_MAX_KEY_BYTES ? "object key is longer than 1024 bytes"
        : object->region.len > 0 && !aws_region_valid(object->region)
            ? "event with an impossible Region"
        : !is_token(object->etag, 128)                 ? "event with an impossible entity tag"
        : !is_token(object->version_id, 1024)          ? "event with an impossible version id"
        : !is_hex(object->sequencer, 64)               ? "event with an impossible sequencer"
        : object->has_size && object->size > INT64_MAX ? "event with an impossible size"
                                                       : NULL;
    return fault == NULL ? ST_OK : error_set(err, ST_BAD_ITEM, E_Q110, "%s", fault);
}

/* ---- the forms ---- */

/* Where a form of event has the same facts. */
struct form {
    const char *root, *etag, *version_id, *region;
    bool key_is_encoded;
};

/* One created object, called `name` in its event.  The texts of the document are copied. */
static enum status add_object(struct event_body *body, const json_t *event, const struct form *form,
                              struct view name, struct error *err)
{
    const json_t *root = json_object_get(event, form->root);
    const json_t *found = json_object_get(root, "object");
    const json_t *size = json_object_get(found, "size");
    struct event_object object = {
        .bucket = json_text(json_object_get(root, "bucket"), "name"),
        .key = json_text(found, "key"),
        .etag = json_text(found, form->etag),
        .version_id = json_text(found, form->version_id),
        .event_name = name,
        .region = json_text(event, form->region),
        .sequencer = json_text(found, "sequencer"),
    };
    if (object.etag.len == 0)
        object.etag = json_text(found, "eTag"); /* an emulator's spelling */
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
    enum status st = take_key(body, form->key_is_encoded, &object.key, err);
    if (st == ST_OK)
        st = event_object_check(&object, err);
    if (st != ST_OK)
        return st;

    struct view *const texts[] = {&object.bucket,     &object.etag,   &object.version_id,
                                  &object.event_name, &object.region, &object.sequencer};
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]) && st == ST_OK; i++)
        st = event_pool_copy(body->texts, *texts[i], texts[i]);
    if (st != ST_OK || !array_room(&body->objects, body->nobjects, &body->room, 8, sizeof(object)))
        return error_set(err, ST_NO_MEMORY, E_R113, "out of memory");
    body->objects[body->nobjects++] = object;
    return ST_OK;
}

/* One element of "Records".  Events other than ObjectCreated are counted and otherwise ignored. */
static enum status add_record(struct event_body *body, const json_t *record, struct error *err)
{
    static const struct form s3 = {"s3", "eTag", "versionId", "awsRegion", true};
    struct view version = json_text(record, "eventVersion");
    struct view name = json_text(record, "eventName");
    if (!json_is_object(record))
        return error_set(err, ST_BAD_ITEM, E_Q110, "event record is not an object");
    if (!view_eq_cstr(json_text(record, "eventSource"), "aws:s3"))
        return error_set(err, ST_BAD_ITEM, E_Q110, "event record is not from S3");
    /* "2", "2.1", "2.6": AWS promises compatible minor versions ("Event message structure"). */
    if (!view_eq_cstr(version, "2") && !view_starts(version, VIEW_LIT("2.")))
        return error_set(err, ST_BAD_ITEM, E_Q110, "S3 event of an unknown version");
    if (name.len == 0)
        return error_set(err, ST_BAD_ITEM, E_Q110, "S3 event without a name");
    /* Bodies carry no "s3:"; configurations do, and hand-written events copy them. */
    if (view_starts(name, VIEW_LIT("s3:")))
        name = view_skip(name, 3);
    if (view_starts(name, VIEW_LIT("ObjectCreated:")))
        return add_object(body, record, &s3, name, err);
    body->other_events++;
    return ST_OK;
}

/* Any form but an SNS envelope. */
static enum status add_bare(struct event_body *body, const json_t *document, struct error *err)
{
    static const struct form eventbridge = {"detail", "etag", "version-id", "region", false};
    const json_t *records = json_object_get(document, "Records");
    struct view type = json_text(document, "detail-type");
    enum status st = ST_OK;
    if (json_is_array(records)) {
        if (json_array_size(records) == 0)
            return error_set(err, ST_BAD_ITEM, E_Q110, "event without records");
        for (size_t i = 0; i < json_array_size(records) && st == ST_OK; i++)
            st = add_record(body, json_array_get(records, i), err);
    } else if (view_eq_cstr(json_text(document, "Event"), "s3:TestEvent")) {
        body->test_events++;
    } else if (!view_eq_cstr(json_text(document, "source"), "aws.s3") || type.len == 0) {
        st = error_set(err, ST_BAD_ITEM, E_Q110, "not an S3, SNS or EventBridge event");
    } else if (view_eq_cstr(type, "Object Created")) {
        st = add_object(body, document, &eventbridge, type, err);
    } else {
        body->other_events++;
    }
    return st;
}

enum status event_body_add(struct event_body *body, json_t *document, struct error *err)
{
    struct view message = json_text(document, "Message");
    if (!view_eq_cstr(json_text(document, "Type"), "Notification") || message.ptr == NULL)
        return add_bare(body, document, err);
    /* One envelope only: SNS does not put envelopes into envelopes. */
    json_t *inner = NULL;
    enum status st = event_json_load(message, EVENT_MAX_BODY_VALUES, &inner, err);
    if (st == ST_OK)
        st = add_bare(body, inner, err);
    json_decref(inner);
    return st;
}

/* ---- whole bodies ---- */

enum status event_body_init(struct event_body *body, size_t max_text_bytes)
{
    *body = (struct event_body){.texts = event_pool_new(max_text_bytes)};
    return body->texts == NULL ? ST_NO_MEMORY : ST_OK;
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
    free(body->texts);
    *body = (struct event_body){0};
}
