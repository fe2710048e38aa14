/*
 * event_private.h: what the event decoders share with nobody outside src/events/.  Bounded JSON
 * documents, a pool for their strings, and the forms an event may be nested in.
 *
 * jansson builds a document tree, which is why everything is checked for size before it is given to
 * it: bytes, nesting and number of values.
 */
#ifndef EVENTS_EVENT_PRIVATE_H
#define EVENTS_EVENT_PRIVATE_H

#include <jansson.h>

#include "events/event_body.h"
#include "events/event_sqs.h"

enum {
    EVENT_MAX_NESTING = 32, /* S3's deepest event has 6 levels */

    /*
     * jansson takes up to about 250 bytes for a value of 3 bytes ("{},").  A body of 64 KiB, S3's
     * largest, holds a few thousand values, 1 MiB of our own smallest ones (event_make.h) about
     * 54,000; an envelope of 10,000 messages about 170,000.
     */
    EVENT_MAX_BODY_VALUES = 64 * 1024,
    EVENT_MAX_PAYLOAD_VALUES = 256 * 1024,
};

/*
 * Parse one JSON text that is an object.  Refused: duplicate members, invalid UTF-8, anything
 * after the object.  *out is the caller's (json_decref) on ST_OK only.  ST_BAD_ITEM: not such a
 * text, err->offset says where; ST_TOO_BIG: a ceiling above; ST_NO_MEMORY.  The text itself never
 * gets into *err.
 */
NODISCARD enum status event_json_load(struct view text, size_t max_values, json_t **out,
                                      struct error *err);

/*
 * Room for strings whose total is known before: decoded JSON strings are never longer than the text
 * they came from.  Never moves, so views into it stay valid.
 */
struct event_pool {
    size_t used, size;
    char bytes[];
};

/* Given back with free().  NULL: no memory. */
struct event_pool *event_pool_new(size_t size);

/* Room for n bytes; NULL when the pool is used up, which is a mistake of ours, not of the input. */
char *event_pool_take(struct event_pool *pool, size_t n);

/* Copy `text`; ST_NO_MEMORY when the pool is used up. */
NODISCARD enum status event_pool_copy(struct event_pool *pool, struct view text, struct view *out);

/* ---- bodies (event_body.c) ---- */

/* An empty body whose objects' texts are at most max_text_bytes in all.  Fails only with
 * ST_NO_MEMORY. */
NODISCARD enum status event_body_init(struct event_body *body, size_t max_text_bytes);

/*
 * Add what the document (an object) says: any of the forms of event_body.h.  Its texts are copied.
 * A failure may leave part of it added: clear the body.
 */
NODISCARD enum status event_body_add(struct event_body *body, json_t *document, struct error *err);

/* The grammars of event_body.h for one object; ST_BAD_ITEM names the first fault. */
NODISCARD enum status event_object_check(const struct event_object *object, struct error *err);

/* ---- queue envelopes (event_sqs.c) ---- */

/*
 * `records` is the envelope's array; max_text_bytes bounds its texts.  ST_BAD_ITEM: it is none, or
 * a message has no id (then no answer could name it: fail the invocation, and all of them are
 * retried); ST_NO_MEMORY.  On failure *out is cleared.
 */
NODISCARD enum status event_sqs_load(const json_t *records, size_t max_text_bytes,
                                     struct event_sqs *out, struct error *err);

#endif
