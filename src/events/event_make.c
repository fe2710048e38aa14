/*
 * event_make.c: the notification that S3 would send, written for objects that are there already
 * (enqueue, sweep --enqueue), so that a backfill takes the same path as new objects.
 */
#include "events/event_make.h"

#include "base/json_out.h"
#include "base/rfc3339.h"
#include "events/event_private.h"

static bool is_kept(char c)
{
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '_' || c == '.' || c == '*' || c == '/';
}

void event_make_key(struct view key, struct buf *out)
{
    for (size_t i = 0; i < key.len; i++) {
        char c = key.ptr[i];
        if (is_kept(c))
            buf_add_char(out, c);
        else if (c == ' ')
            buf_add_char(out, '+');
        else
            buf_printf(out, "%%%02X", (unsigned)(unsigned char)c);
    }
}

/* `before` holds the comma and the name; an empty text adds nothing. */
static void add_member(struct buf *out, const char *before, struct view text)
{
    if (text.len == 0)
        return;
    buf_add_cstr(out, before);
    json_quote(out, text);
}

static void add_record(const struct event_object *object, const char *time, struct buf *out)
{
    buf_add_cstr(out, "{\"eventVersion\":\"2.1\",\"eventSource\":\"aws:s3\"");
    add_member(out, ",\"awsRegion\":", object->region);
    buf_printf(out, ",\"eventTime\":\"%s\",\"eventName\":\"ObjectCreated:Put\"", time);
    buf_add_cstr(out,
                 ",\"s3\":{\"s3SchemaVersion\":\"1.0\",\"configurationId\":\"bedrock-metrics\","
                 "\"bucket\":{\"name\":");
    json_quote(out, object->bucket);
    buf_add_cstr(out, ",\"arn\":\"arn:aws:s3:::");
    buf_add_view(out, object->bucket);
    buf_add_cstr(out, "\"},\"object\":{\"key\":\"");
    event_make_key(object->key, out);
    buf_add_char(out, '"');
    if (object->has_size) {
        buf_add_cstr(out, ",\"size\":");
        buf_add_u64(out, object->size);
    }
    add_member(out, ",\"eTag\":", object->etag);
    add_member(out, ",\"versionId\":", object->version_id);
    add_member(out, ",\"sequencer\":", object->sequencer);
    buf_add_cstr(out, "}}}");
}

enum status event_make_s3(const struct event_object *objects, size_t nobjects,
                          int64_t event_seconds, struct buf *out, struct error *err)
{
    char time[RFC3339_BYTES];
    rfc3339_format_ms(event_seconds * 1000, time);
    if (nobjects == 0)
        return error_set(err, ST_BAD_ITEM, E_Q110, "event without objects");
    buf_add_cstr(out, "{\"Records\":[");
    for (size_t i = 0; i < nobjects; i++) {
        const struct event_object *object = &objects[i];
        enum status checked = event_object_check(object, err);
        if (checked != ST_OK)
            return checked;
        if (i > 0)
            buf_add_char(out, ',');
        add_record(object, time, out);
    }
    buf_add_cstr(out, "]}");
    enum status st = buf_status(out);
    return st == ST_OK ? ST_OK : error_set(err, st, E_Q112, "event does not fit");
}
