/*
 * event_direct.c: which of the things that can invoke the function did, and its payload decoded.
 *
 *   {"Records":[{"eventSource":"aws:sqs",...}]}      a queue (event_sqs.c)
 *   {"Records":[{"EventSource":"aws:sns",...}]}      SNS without a queue; mind the capital E
 *   {"Records":[{"eventSource":"aws:s3",...}]}       S3, or a person's test event (event_body.c)
 *   {"command":"sweep","prefix":"AWSLogs/"}          a schedule
 */
#include "events/event_direct.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/json_read.h"
#include "events/event_private.h"

enum { NUMBER_BYTES = 32 }; /* a 64-bit integer or a %.17g double, with its NUL */

/* An option's value as text; false for values that are not scalars. */
static bool scalar_text(const json_t *value, char number[NUMBER_BYTES], struct view *out)
{
    if (json_is_string(value)) {
        *out = json_view(value);
    } else if (json_is_integer(value)) {
        snprintf(number, NUMBER_BYTES, "%" JSON_INTEGER_FORMAT, json_integer_value(value));
        *out = view_of(number);
    } else if (json_is_real(value)) {
        snprintf(number, NUMBER_BYTES, "%.17g", json_real_value(value));
        *out = view_of(number);
    } else if (json_is_boolean(value)) {
        *out = json_is_true(value) ? VIEW_LIT("true") : VIEW_LIT("false");
    } else {
        return false;
    }
    return true;
}

/* Every member besides "command" is an option. */
static enum status load_command(json_t *document, size_t text_bytes, struct event_direct *out,
                                struct error *err)
{
    size_t members = json_object_size(document);
    out->kind = EVENT_COMMAND;
    out->options = calloc(members, sizeof(*out->options));
    /* A number may be written longer than it stood in the text ("1e9"), hence the extra room. */
    out->texts = event_pool_new(text_bytes + members * NUMBER_BYTES);
    if (out->texts == NULL || out->options == NULL)
        return error_set(err, ST_NO_MEMORY, E_R113, "out of memory");

    const char *name;
    json_t *value;
    json_object_foreach(document, name, value)
    {
        char number[NUMBER_BYTES];
        struct view text;
        if (json_is_null(value))
            continue;
        if (!scalar_text(value, number, &text))
            return error_set(err, ST_BAD_ITEM, E_Q113,
                             "command with an option that is not a scalar");
        bool is_command = strcmp(name, "command") == 0;
        struct event_option *option = &out->options[out->noptions];
        enum status st =
            event_pool_copy(out->texts, text, is_command ? &out->command : &option->value);
        if (st == ST_OK && !is_command) {
            st = event_pool_copy(out->texts, view_of(name), &option->name);
            out->noptions++;
        }
        if (st != ST_OK)
            return error_set(err, ST_NO_MEMORY, E_R113, "out of memory");
    }
    return ST_OK;
}

/* {"Records":[{"EventSource":"aws:sns","Sns":{"Message":"{...}"}}]} */
static enum status load_sns(const json_t *records, struct event_body *body, struct error *err)
{
    enum status st = ST_OK;
    for (size_t i = 0; i < json_array_size(records) && st == ST_OK; i++) {
        const json_t *record = json_array_get(records, i);
        struct view message = json_text(json_object_get(record, "Sns"), "Message");
        if (!view_eq_cstr(json_text(record, "EventSource"), "aws:sns") || message.ptr == NULL)
            return error_set(err, ST_BAD_ITEM, E_Q110, "event record is not from SNS");
        json_t *inner = NULL;
        st = event_json_load(message, EVENT_MAX_BODY_VALUES, &inner, err);
        if (st == ST_OK)
            st = event_body_add(body, inner, err);
        json_decref(inner);
    }
    return st;
}

static enum status load(json_t *document, size_t text_bytes, struct event_direct *out,
                        struct error *err)
{
    if (json_text(document, "command").len > 0)
        return load_command(document, text_bytes, out, err);
    const json_t *records = json_object_get(document, "Records");
    const json_t *first = json_array_get(records, 0);
    if (view_eq_cstr(json_text(first, "eventSource"), "aws:sqs")) {
        out->kind = EVENT_QUEUE;
        return event_sqs_load(records, text_bytes, &out->sqs, err);
    }
    out->kind = EVENT_OBJECTS;
    enum status st = event_body_init(&out->body, text_bytes);
    if (st != ST_OK)
        return error_set(err, st, E_R113, "out of memory");
    if (view_eq_cstr(json_text(first, "EventSource"), "aws:sns"))
        return load_sns(records, &out->body, err);
    return event_body_add(&out->body, document, err); /* a message's body itself */
}

enum status event_direct_parse(struct view payload, struct event_direct *out, struct error *err)
{
    *out = (struct event_direct){0};
    if (payload.len > EVENT_MAX_PAYLOAD_BYTES)
        return error_set(err, ST_TOO_BIG, E_Q112, "payload is larger than 6 MiB");
    json_t *document = NULL;
    enum status st = event_json_load(payload, EVENT_MAX_PAYLOAD_VALUES, &document, err);
    if (st != ST_OK)
        return st;
    st = load(document, payload.len, out, err);
    json_decref(document);
    if (st != ST_OK)
        event_direct_clear(out);
    return st;
}

void event_direct_clear(struct event_direct *direct)
{
    event_sqs_clear(&direct->sqs);
    event_body_clear(&direct->body);
    free(direct->options);
    free(direct->texts);
    *direct = (struct event_direct){0};
}

struct view event_direct_option(const struct event_direct *direct, const char *name)
{
    for (size_t i = 0; i < direct->noptions; i++) {
        if (view_eq_cstr(direct->options[i].name, name))
            return direct->options[i].value;
    }
    return VIEW_EMPTY;
}
