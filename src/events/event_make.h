/* event_make.h: S3's notification for objects that exist already, so that a fleet counts them. */
#ifndef EVENTS_EVENT_MAKE_H
#define EVENTS_EVENT_MAKE_H

#include "base/buf.h"
#include "events/event_body.h"

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
