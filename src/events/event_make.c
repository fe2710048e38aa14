/*
 * event_make.c: the notification that S3 would send, written for objects that are there already
 * (enqueue, sweep --enqueue), so that a backfill takes the same path as new objects.
 */
#include "events/event_body.h"

#include "base/json_out.h"
#include "base/rfc3339.h"
#include "events/event_private.h"

void event_make_key(struct view key, struct buf *out)
{
    for (size_t i = 0; i < key.len; i++) {
        char c = key.ptr[i];
        if (view_is_word(view_make(&c, 1), "-_.*/"))
            buf_add_char(out, c);
        else if (c == ' ')
            buf_add_char(out, '+');
        else
            buf_printf(out, "%%%02X", (unsigned)(unsigned char)c);
    }
}

/* A text that is not known is left out. */
static void add_known(struct json_out *j, const char *name, struct view text)
{
    if (text.len > 0)
        json_add_string(j, name, text);
}

static void add_record(struct json_out *j, const struct event_object *object, const char *time)
{
    json_open_object(j, NULL);
    json_add_cstr(j, "eventVersion", "2.1");
    json_add_cstr(j, "eventSource", "aws:s3");
    add_known(j, "awsRegion", object->region);
    json_add_cstr(j, "eventTime", time);
    json_add_cstr(j, "eventName", "ObjectCreated:Put");
    json_open_object(j, "s3");
    json_add_cstr(j, "s3SchemaVersion", "1.0");
    json_add_cstr(j, "configurationId", "bedrock-metrics");
    json_open_object(j, "bucket");
    json_add_string(j, "name", object->bucket);
    /* A bucket's name and an encoded key need no escapes. */
    buf_printf(json_add_value(j, "arn"), "\"arn:aws:s3:::%.*s\"", SHOW(object->bucket));
    json_close(j);
    json_open_object(j, "object");
    struct buf *out = json_add_value(j, "key");
    buf_add_char(out, '"');
    event_make_key(object->key, out);
    buf_add_char(out, '"');
    if (object->has_size)
        json_add_u64(j, "size", object->size);
    add_known(j, "eTag", object->etag);
    add_known(j, "versionId", object->version_id);
    add_known(j, "sequencer", object->sequencer);
    json_close(j);
    json_close(j);
    json_close(j);
}

enum status event_make_s3(const struct event_object *objects, size_t nobjects,
                          int64_t event_seconds, struct buf *out, struct error *err)
{
    char time[RFC3339_BYTES];
    rfc3339_format_ms(event_seconds * 1000, time);
    if (nobjects == 0)
        return error_set(err, ST_BAD_ITEM, E_Q110, "event without objects");
    struct json_out j = {.out = out};
    json_open_object(&j, NULL);
    json_open_array(&j, "Records");
    for (size_t i = 0; i < nobjects; i++) {
        const struct event_object *object = &objects[i];
        enum status checked = event_object_check(object, err);
        if (checked != ST_OK)
            return checked;
        add_record(&j, object, time);
    }
    json_close(&j);
    json_close(&j);
    enum status st = buf_status(out);
    return st == ST_OK ? ST_OK : error_set(err, st, E_Q112, "event does not fit");
}
