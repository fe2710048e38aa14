/*
 * event_sqs.c: the event of an SQS event source mapping, and the partial batch response.
 *
 *   {"Records":[{"messageId":"...","receiptHandle":"...","body":"...","eventSource":"aws:sqs",
 *     "eventSourceARN":"arn:aws:sqs:us-east-1:1:logs","attributes":{"ApproximateReceiveCount":"1"}}]}
 *   {"batchItemFailures":[{"itemIdentifier":"..."}]}
 */
#include "events/event_sqs.h"

#include <stdlib.h>

#include "base/aws_name.h"
#include "base/json_out.h"
#include "base/json_read.h"
#include "events/event_private.h"

/*
 * One message.  Only an id is required: a message without a body fails by itself later, and is
 * named in the answer.
 */
static enum status load_message(struct event_pool *pool, const json_t *record,
                                struct event_message *out, struct error *err)
{
    if (!json_is_object(record) || !view_eq_cstr(json_text(record, "eventSource"), "aws:sqs"))
        return error_set(err, ST_BAD_ITEM, E_Q110, "record is not a queue message");
    const json_t *attributes = json_object_get(record, "attributes");
    const struct {
        struct view from;
        struct view *to;
    } texts[] = {
        {json_text(record, "messageId"), &out->message_id},
        {json_text(record, "receiptHandle"), &out->receipt_handle},
        {json_text(record, "body"), &out->body},
        {json_text(record, "eventSourceARN"), &out->queue_arn},
        {json_text(record, "awsRegion"), &out->region},
        {json_text(attributes, "MessageGroupId"), &out->group_id},
    };
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        if (event_pool_copy(pool, texts[i].from, texts[i].to) != ST_OK)
            return error_set(err, ST_NO_MEMORY, E_R113, "out of memory");
    }
    if (out->message_id.len == 0)
        return error_set(err, ST_BAD_ITEM, E_Q110, "queue message without an id");
    if (!aws_region_valid(out->region))
        out->region = VIEW_EMPTY;
    out->is_fifo = view_ends(out->queue_arn, VIEW_LIT(".fifo"));
    if (view_parse_u64(json_text(attributes, "ApproximateReceiveCount"), UINT64_MAX,
                       &out->receive_count) != ST_OK)
        out->receive_count = 0;
    return ST_OK;
}

enum status event_sqs_load(const json_t *records, size_t max_text_bytes, struct event_sqs *out,
                           struct error *err)
{
    *out = (struct event_sqs){0};
    size_t n = json_array_size(records);
    if (n == 0)
        return error_set(err, ST_BAD_ITEM, E_Q110, "event without records");
    enum status st = ST_OK;
    out->messages = calloc(n, sizeof(*out->messages));
    out->texts = event_pool_new(max_text_bytes);
    if (out->messages == NULL || out->texts == NULL)
        st = error_set(err, ST_NO_MEMORY, E_R113, "out of memory");
    for (size_t i = 0; i < n && st == ST_OK; i++) {
        st = load_message(out->texts, json_array_get(records, i), &out->messages[i], err);
        out->nmessages += st == ST_OK;
    }
    if (st != ST_OK)
        event_sqs_clear(out);
    return st;
}

void event_sqs_clear(struct event_sqs *sqs)
{
    free(sqs->messages);
    free(sqs->texts);
    *sqs = (struct event_sqs){0};
}

void event_sqs_spread_failures(const struct event_sqs *sqs, bool *failed)
{
    bool fifo_failed = false;
    for (size_t i = 0; i < sqs->nmessages; i++) {
        if (!sqs->messages[i].is_fifo)
            continue;
        fifo_failed = fifo_failed || failed[i];
        failed[i] = fifo_failed;
    }
}

void event_sqs_write_answer(const struct event_sqs *sqs, const bool *failed, struct buf *out)
{
    struct json_out j = {.out = out};
    json_open_object(&j, NULL);
    json_open_array(&j, "batchItemFailures");
    for (size_t i = 0; i < sqs->nmessages; i++) {
        if (!failed[i])
            continue;
        json_open_object(&j, NULL);
        json_add_string(&j, "itemIdentifier", sqs->messages[i].message_id);
        json_close(&j);
    }
    json_close(&j);
    json_close(&j);
}
