/*
 * fuzz_events.c: any bytes as the body of a queue message, as a queue's envelope and as what a
 * function is invoked with.  What is handed on was checked against the grammars that URLs and
 * headers rely on, and a refusal leaves nothing behind.
 */
#include <jansson.h>
#include <stdlib.h>

#include "base/aws_name.h"
#include "events/event_direct.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool holds)
{
    if (!holds)
        abort();
}

static void check_body(const struct event_body *body)
{
    for (size_t i = 0; i < body->nobjects; i++) {
        const struct event_object *o = &body->objects[i];
        check(aws_bucket_valid(o->bucket));
        check(o->key.len > 0 && o->key.len <= EVENT_MAX_KEY_BYTES);
        check(o->region.len == 0 || aws_region_valid(o->region));
        check(view_find_char(o->etag, '"') == SIZE_MAX &&
              view_find_char(o->etag, '\n') == SIZE_MAX);
        check(!event_bucket_allowed(VIEW_EMPTY, o->bucket));
        check(event_bucket_allowed(o->bucket, o->bucket));
    }
}

/* Of `marks` messages any may fail; the answer names just those, and is JSON. */
static void check_queue(const struct event_sqs *sqs, uint64_t marks)
{
    bool *failed = calloc(sqs->nmessages + 1, sizeof(*failed));
    size_t named = 0;
    struct buf out;
    check(failed != NULL);
    for (size_t i = 0; i < sqs->nmessages; i++) {
        check(sqs->messages[i].message_id.len > 0);
        failed[i] = (marks >> (i % 64) & 1) != 0;
    }
    event_sqs_spread_failures(sqs, failed);
    for (size_t i = 0; i < sqs->nmessages; i++) {
        check(failed[i] || (marks >> (i % 64) & 1) == 0);
        named += failed[i];
    }
    buf_init(&out, 64 << 20);
    event_sqs_write_answer(sqs, failed, &out);
    check(buf_status(&out) == ST_OK);
    json_t *answer = json_loadb(out.ptr, out.len, JSON_ALLOW_NUL, NULL);
    check(answer != NULL && json_array_size(json_object_get(answer, "batchItemFailures")) == named);
    json_decref(answer);
    buf_clear(&out);
    free(failed);
}

static void check_direct(const struct event_direct *direct, uint64_t marks)
{
    switch (direct->kind) {
    case EVENT_QUEUE: check_queue(&direct->sqs, marks); break;
    case EVENT_OBJECTS: check_body(&direct->body); break;
    case EVENT_COMMAND:
        check(direct->command.len > 0);
        for (size_t i = 0; i < direct->noptions; i++)
            check(direct->options[i].name.ptr != NULL);
        break;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint64_t marks = 0;
    memcpy(&marks, data, size < sizeof(marks) ? size : sizeof(marks));
    char *copy = malloc(size + 1); /* its own block, so that a read behind the end is seen */
    check(copy != NULL);
    if (size > 0)
        memcpy(copy, data, size);
    struct view text = view_make(copy, size);
    struct error err = {.text = ""};
    struct event_body body;
    struct event_direct direct;
    enum status st = event_body_parse(text, &body, &err);
    if (st == ST_OK)
        check_body(&body);
    else
        check(body.nobjects == 0 && err.text[0] != '\0');
    event_body_clear(&body);
    st = event_direct_parse(text, &direct, &err);
    if (st == ST_OK)
        check_direct(&direct, marks);
    event_direct_clear(&direct);
    free(copy);
    return 0;
}
