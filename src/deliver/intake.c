#include <stdlib.h>

#include "base/log.h"
#include "ledger/exact_round.h"
#include "objects/object_key.h"

struct parsed {
    struct event_body own;
    const struct event_body *body;
    size_t first, count; /* of the objects */
};

static enum status fail(struct round_message *m, enum status st, enum code code, struct view object,
                        const char *reason)
{
    return error_set(&m->err, st, code, "%.*s%s%s", SHOW_MAX(object, 160),
                     object.len > 0 ? ": " : "", reason);
}

static enum status parse(struct exact_round *c, struct round_message *m, struct parsed *p)
{
    struct error err = {0};
    p->body = m->parsed;
    if (p->body == NULL) {
        enum status st = event_body_parse(m->body, &p->own, &err);
        if (st != ST_OK)
            return fail(m, st, err.code, VIEW_EMPTY, err.text);
        p->body = &p->own;
    }
    for (size_t i = 0; i < p->body->nobjects; i++) {
        if (!event_bucket_allowed(exact_round_buckets(c), p->body->objects[i].bucket))
            return fail(m, ST_DENIED, E_Q102, p->body->objects[i].bucket,
                        "bucket is not in S3_BUCKET_NAME");
    }
    return ST_OK;
}

/* The objects of a message that are to be read join the list. */
static enum status collect(struct exact_round *c, struct round_message *m, struct parsed *p,
                           struct round_object *objects, size_t *n, struct round_summary *summary)
{
    p->first = *n;
    for (size_t i = 0; i < p->body->nobjects; i++) {
        const struct event_object *e = &p->body->objects[i];
        enum object_skip skip = object_key_skip(e->key);
        if (skip != OBJECT_READ) {
            summary->tally.objects.found++;
            summary->tally.objects.skipped[skip]++;
            continue;
        }
        struct round_object *o = &objects[*n];
        *o = (struct round_object){.bucket = e->bucket,
                                   .key = e->key,
                                   .region = e->region,
                                   .tag = exact_round_has_tags(c) ? ledger_tag_of(e->etag) : 0};
        enum status st = exact_round_id(c, o);
        if (st != ST_OK)
            return fail(m, st, E_R113, VIEW_EMPTY, "out of memory");
        (*n)++;
    }
    p->count = *n - p->first;
    summary->test_events += p->body->test_events;
    summary->other_events += p->body->other_events;
    return ST_OK;
}

static void judge(struct round_message *m, const struct parsed *p,
                  const struct round_object *objects)
{
    for (size_t i = p->first; i < p->first + p->count; i++) {
        const struct round_object *o = &objects[i];
        if (o->status == ST_OK)
            continue;
        if (m->status == ST_OK || m->status == ST_RETRY)
            m->status = fail(m, o->status, o->err.code, o->key, o->err.text);
        if (o->retry_after_ms > m->retry_after_ms)
            m->retry_after_ms = o->retry_after_ms;
    }
}

/* What comes back is named once; behind a failure of a FIFO queue all does. */
static void finish_messages(struct round_message **messages, size_t n,
                            struct round_summary *summary)
{
    bool broken = false;
    for (size_t i = 0; i < n; i++) {
        struct round_message *m = messages[i];
        if (m->ordered && broken && m->status == ST_OK)
            m->status = fail(m, ST_CANCELLED, E_Q103, VIEW_EMPTY, "behind a message that failed");
        broken = broken || (m->ordered && m->status != ST_OK);
        if (m->status == ST_OK)
            continue;
        LOG_FAULT(m->status == ST_CANCELLED ? LOG_INFO : LOG_WARN, error_code(&m->err, E_Q100),
                  "message comes back", log_view("message", m->id), log_cstr("reason", m->err.text),
                  log_cstr("status", status_name(m->status)));
        summary->back++;
    }
}

void intake_exact(struct exact_round *c, struct round_message **messages, size_t n,
                  struct round_summary *summary)
{
    struct parsed *parsed = calloc(n + 1, sizeof(*parsed));
    struct round_object *objects = NULL;
    size_t most = 0, count = 0;
    for (size_t i = 0; i < n; i++) {
        struct round_message *m = messages[i];
        m->status = parsed == NULL ? fail(m, ST_NO_MEMORY, E_R113, VIEW_EMPTY, "out of memory")
                                   : parse(c, m, &parsed[i]);
        m->retry_after_ms = 0;
        if (m->status == ST_OK)
            most += parsed[i].body->nobjects;
    }
    objects = calloc(most + 1, sizeof(*objects));
    for (size_t i = 0; i < n && parsed != NULL; i++) {
        if (messages[i]->status == ST_OK)
            messages[i]->status =
                objects == NULL
                    ? fail(messages[i], ST_NO_MEMORY, E_R113, VIEW_EMPTY, "out of memory")
                    : collect(c, messages[i], &parsed[i], objects, &count, summary);
    }
    if (count > 0)
        exact_round_count(c, objects, count, summary);
    for (size_t i = 0; i < n && parsed != NULL; i++) {
        if (messages[i]->status == ST_OK)
            judge(messages[i], &parsed[i], objects);
        event_body_clear(&parsed[i].own);
    }
    finish_messages(messages, n, summary);
    free(objects);
    free(parsed);
}
