/* What a message means and how it ends.  Reading and counting are between the two halves. */
#include "deliver/intake.h"

#include <stdlib.h>

#include "base/log.h"

enum status intake_fail(struct round_message *m, enum status st, enum code code, struct view object,
                        const char *reason)
{
    return error_set(&m->err, st, code, "%.*s%s%s", SHOW_MAX(object, 160),
                     object.len > 0 ? ": " : "", reason);
}

/* The same object named before in this message. */
static bool is_repeated(const struct event_body *body, size_t at)
{
    for (size_t i = 0; i < at; i++) {
        if (view_eq(body->objects[i].key, body->objects[at].key) &&
            view_eq(body->objects[i].bucket, body->objects[at].bucket))
            return true;
    }
    return false;
}

void intake_open(struct intake_message *im, struct round_message *m, struct view buckets)
{
    const struct event_body *body = m->parsed;
    struct error err = {0};
    *im = (struct intake_message){.message = m};
    m->err = (struct error){0};
    m->retry_after_ms = 0;
    m->status = ST_OK;
    if (body == NULL) {
        body = &im->own;
        m->status = event_body_parse(m->body, &im->own, &err);
        if (m->status != ST_OK) {
            (void)intake_fail(m, m->status, err.code, VIEW_EMPTY, err.text);
            return;
        }
    }
    im->test_events = body->test_events;
    im->other_events = body->other_events;
    im->objects = calloc(body->nobjects + 1, sizeof(*im->objects));
    if (im->objects == NULL) {
        m->status = intake_fail(m, ST_NO_MEMORY, E_R113, VIEW_EMPTY, "out of memory");
        return;
    }
    for (size_t i = 0; i < body->nobjects; i++) {
        const struct event_object *e = &body->objects[i];
        struct round_object *o = &im->objects[im->count];
        enum object_skip skip = object_key_skip(e->key);
        bool foreign = !event_bucket_allowed(buckets, e->bucket);
        if (!foreign && (skip != OBJECT_READ || is_repeated(body, i))) {
            im->tally.objects.found++;
            *(skip != OBJECT_READ ? &im->tally.objects.skipped[skip]
                                  : &im->tally.objects.duplicate) += 1;
            continue;
        }
        *o =
            (struct round_object){.read = {.bucket = e->bucket, .key = e->key, .message_id = m->id},
                                  .region = e->region,
                                  .tag = ledger_tag_of(e->etag)};
        im->count++;
        if (!foreign)
            continue;
        o->read.status =
            error_set(&o->read.err, ST_DENIED, E_Q102, "bucket is not in S3_BUCKET_NAME");
        o->read.tally.objects.found = o->read.tally.objects.failed = 1;
    }
}

void intake_judge(struct intake_message *im)
{
    struct round_message *m = im->message;
    for (size_t i = 0; i < im->count; i++) {
        const struct round_object *o = &im->objects[i];
        enum status st = o->read.status;
        if (!intake_is_decided(o) || st == ST_OK || st == ST_MISSING)
            continue;
        if (m->status == ST_OK || m->status == ST_RETRY)
            m->status =
                intake_fail(m, st, o->read.err.code, o->read.key,
                            o->read.err.text[0] != '\0' ? o->read.err.text : status_name(st));
        if (o->retry_after_ms > m->retry_after_ms)
            m->retry_after_ms = o->retry_after_ms;
    }
}

void intake_return(const struct round_message *m, struct round_summary *summary)
{
    LOG_FAULT(m->status == ST_CANCELLED ? LOG_INFO : LOG_WARN, error_code(&m->err, E_Q100),
              "message returned to the queue", log_view("messageId", m->id),
              log_cstr("reason", m->err.text), log_cstr("status", status_name(m->status)));
    summary->returned++;
}

void intake_close(struct intake_message *im, bool whole, struct round_summary *summary)
{
    const struct round_message *m = im->message;
    summary->messages++;
    summary->test_events += im->test_events;
    summary->other_events += im->other_events;
    tally_add(&summary->tally, &im->tally);
    for (size_t i = 0; i < im->count; i++) {
        struct object_read *o = &im->objects[i].read;
        bool failed = o->tally.objects.failed > 0;
        bool decided = intake_is_decided(&im->objects[i]);
        if (whole && m->status != ST_OK && (o->status == ST_OK || !decided)) {
            o->status = error_set(&o->err, ST_CANCELLED, E_Q105, "returned_with_message");
            o->tally = (struct tally){.objects = {.found = 1, .failed = 1}};
            failed = true;
        }
        if (failed)
            object_read_log_failed(o, true);
        tally_add(&summary->tally, &o->tally);
    }
    if (m->status != ST_OK)
        intake_return(m, summary);
    intake_forget(im);
}

void intake_forget(struct intake_message *im)
{
    free(im->objects);
    event_body_clear(&im->own);
}
