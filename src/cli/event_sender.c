/* event_sender.c: objects into messages, messages into calls, for `enqueue` and `ledger sweep`. */
#include "cli/event_sender.h"

#include <stdlib.h>
#include <time.h>

#include "aws/sigv4.h"
#include "events/event_body.h"

enum { GATHERED = 100, MAX_KEY = 1024, MAX_ETAG = 64 };

struct event_sender {
    struct event_sender_options options;
    uint64_t messages;
    /* of the message under way */
    struct event_object objects[EVENT_SENDER_MAX_PER_MESSAGE];
    char keys[EVENT_SENDER_MAX_PER_MESSAGE][MAX_KEY];
    char etags[EVENT_SENDER_MAX_PER_MESSAGE][MAX_ETAG];
    size_t object_count;
    /* of the call under way */
    struct buf bodies[GATHERED];
    char dedup[GATHERED][65];
    size_t message_count, pending;
};

struct event_sender *event_sender_new(const struct event_sender_options *options)
{
    struct event_sender *s = calloc(1, sizeof(*s));
    if (s == NULL)
        return NULL;
    s->options = *options;
    for (size_t i = 0; i < GATHERED; i++)
        buf_init(&s->bodies[i], SQS_MAX_BODY);
    return s;
}

void event_sender_free(struct event_sender *s)
{
    for (size_t i = 0; s != NULL && i < GATHERED; i++)
        buf_clear(&s->bodies[i]);
    free(s);
}

static enum status send_messages(struct event_sender *s, struct error *err)
{
    struct sqs_outgoing entries[GATHERED];
    enum status each[GATHERED];
    const struct sqs_queue *queue = &s->options.queue;
    size_t n = s->message_count;
    for (size_t i = 0; i < n; i++) {
        entries[i] = (struct sqs_outgoing){.body = buf_view(&s->bodies[i])};
        if (queue->fifo) {
            entries[i].group_id = VIEW_LIT("backfill");
            entries[i].dedup_id = view_of(s->dedup[i]);
        }
    }
    enum status st = ST_OK;
    if (n > 0 && s->options.client != NULL)
        st = sqs_send(s->options.client, queue, entries, n, each, err);
    if (st != ST_OK)
        return st;
    s->messages += n;
    s->message_count = s->pending = 0;
    return ST_OK;
}

/* A digest of the names. */
static enum status make_dedup(const struct event_sender *s, char dedup[65])
{
    struct buf names;
    buf_init(&names, (MAX_KEY + 64) * EVENT_SENDER_MAX_PER_MESSAGE);
    for (size_t i = 0; i < s->object_count; i++) {
        buf_add_view(&names, s->objects[i].bucket);
        buf_add_char(&names, '/');
        buf_add_view(&names, s->objects[i].key);
        buf_add_char(&names, '\n');
    }
    enum status st = buf_status(&names);
    if (st == ST_OK)
        st = sigv4_sha256_hex(buf_view(&names), dedup);
    buf_clear(&names);
    return st;
}

static enum status end_message(struct event_sender *s, struct error *err)
{
    if (s->object_count == 0)
        return ST_OK;
    struct buf *body = &s->bodies[s->message_count];
    buf_reset(body);
    enum status st = event_make_s3(s->objects, s->object_count, time(NULL), body, err);
    if (st == ST_OK && s->options.queue.fifo)
        st = make_dedup(s, s->dedup[s->message_count]);
    if (st != ST_OK)
        return st;
    s->message_count++;
    s->object_count = 0;
    return s->message_count == GATHERED ? send_messages(s, err) : ST_OK;
}

static struct view keep(char *out, size_t size, struct view text)
{
    text = view_first(text, size);
    if (text.len > 0)
        memcpy(out, text.ptr, text.len);
    return view_make(out, text.len);
}

enum status event_sender_add(struct event_sender *s, const struct event_object *object,
                             struct error *err)
{
    size_t i = s->object_count++;
    s->objects[i] = *object;
    s->objects[i].key = keep(s->keys[i], MAX_KEY, object->key);
    s->objects[i].etag = keep(s->etags[i], MAX_ETAG, object->etag);
    s->pending++;
    return s->object_count == s->options.per_message ? end_message(s, err) : ST_OK;
}

enum status event_sender_flush(struct event_sender *s, struct error *err)
{
    enum status st = end_message(s, err);
    return st == ST_OK ? send_messages(s, err) : st;
}

size_t event_sender_pending(const struct event_sender *s)
{
    return s->pending;
}

uint64_t event_sender_messages(const struct event_sender *s)
{
    return s->messages;
}
