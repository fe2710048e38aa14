/*
 * event_body.h: the body of one queue message as references to objects.
 *
 * Understood, in this order of trying (AWS: S3 user guide "Event message structure", SNS
 * "HTTP/HTTPS notification JSON format", "EventBridge event message structure"):
 *  - an S3 notification `{"Records":[{"eventSource":"aws:s3","eventVersion":"2.x",...}]}` with any
 *    number of records; its keys are form-encoded (blank as `+`, other bytes as %XX);
 *  - S3's `{"Event":"s3:TestEvent"}`, sent whenever a notification is configured;
 *  - one of these or an EventBridge event as the `Message` text of an SNS envelope;
 *  - an EventBridge event of source aws.s3, whose key is not encoded.
 *
 * Nothing here knows AWS calls, reads a clock or logs: functions of a view.
 */
#ifndef EVENTS_EVENT_BODY_H
#define EVENTS_EVENT_BODY_H

#include "base/buf.h"
#include "base/status.h"
#include "base/view.h"

enum {
    EVENT_MAX_BODY_BYTES = 1024 * 1024, /* SQS's largest message */
    EVENT_MAX_KEY_BYTES = 1024,         /* S3's longest key */
};

/*
 * One created object.  Absent texts are VIEW_EMPTY.  A key may hold any byte, control characters
 * and NUL included: escape it wherever it is written (log.h does).  bucket, etag, version_id,
 * region and sequencer were checked against their grammars, so they are safe in a URL or header.
 */
struct event_object {
    struct view bucket;
    struct view key;        /* decoded, 1..1024 bytes */
    struct view etag;       /* without quotes */
    struct view version_id; /* empty for "null": asking for it would need another permission */
    struct view event_name; /* "ObjectCreated:Put"; "Object Created" from EventBridge */
    struct view region;     /* where the bucket is */
    struct view sequencer;  /* hex; only comparable for one key */
    uint64_t size;          /* as announced; meaningful when has_size */
    bool has_size;
};

struct event_pool;

struct event_body {
    struct event_object *objects;
    size_t nobjects, room;
    size_t test_events;       /* s3:TestEvent: a success with nothing to do */
    size_t other_events;      /* understood, but not ObjectCreated: nothing to do, counted */
    struct event_pool *texts; /* owns every text above */
};

/*
 * Decode `body`.  All or nothing: a message one record of which is not understood fails whole, so
 * that it is returned to the queue and nothing is lost.  ST_BAD_ITEM: not understood, *err says why without quoting
 * the body; ST_TOO_BIG: beyond EVENT_MAX_BODY_BYTES or the ceilings of event_json.h; ST_NO_MEMORY.
 * On failure *out is cleared.  On ST_OK clear it with event_body_clear.
 */
NODISCARD enum status event_body_parse(struct view body, struct event_body *out, struct error *err);

/* Release; a zeroed or cleared struct may be cleared too. */
void event_body_clear(struct event_body *body);

/*
 * Is `bucket` one of the comma-separated names (blanks around them are ignored)?  An empty list
 * allows none.
 */
bool event_bucket_allowed(struct view allow_list, struct view bucket);

/* ---- and written, for objects that exist already (event_make.c) ---- */

/*
 * Append an S3 event body with one ObjectCreated:Put record an object to *out.  Of each object
 * bucket and key are required; region, etag, version_id, sequencer and size are written where they
 * are given; event_name is not used.  event_seconds is the events' time (UTC).  What
 * event_body_parse would refuse is refused here (ST_BAD_ITEM, *out may hold a part); ST_TOO_BIG and
 * ST_NO_MEMORY as buf_status says.  event_body_parse gives the same objects back.
 */
NODISCARD enum status event_make_s3(const struct event_object *objects, size_t nobjects,
                                    int64_t event_seconds, struct buf *out, struct error *err);

/* A key as S3 writes it into events: `/` and [A-Za-z0-9-_.*] kept, blank as `+`, the rest %XX. */
void event_make_key(struct view key, struct buf *out);

#endif
