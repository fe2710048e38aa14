/* event_body_store.h: building an event_body from documents already parsed.  Internal to
 * src/events/. */
#ifndef EVENTS_EVENT_BODY_STORE_H
#define EVENTS_EVENT_BODY_STORE_H

#include "events/event_body.h"
#include "events/event_json.h"

/* An empty body whose objects' texts are at most max_text_bytes in all.  Fails only with
 * ST_NO_MEMORY. */
NODISCARD enum status event_body_init(struct event_body *body, size_t max_text_bytes);

/*
 * Add what the document (an object) says: any of the forms of event_body.h.  Its texts are copied.
 * A failure may leave part of it added: clear the body.
 */
NODISCARD enum status event_body_add(struct event_body *body, json_t *document, struct error *err);

/* The grammars of event_body.h for one object; ST_BAD_ITEM with the first fault. */
NODISCARD enum status event_object_check(const struct event_object *object, struct error *err);

#endif
