/*
 * dynamodb.c: one item, one query, one batch of keys.  The documents are the caller's: the ledger
 * builds them (ledger_dynamodb_item.c), and this file only sends, pages and repeats.
 *
 * Facts: DynamoDB developer guide, "Error handling with DynamoDB" and BatchGetItem: at most 100
 * keys and 16 MB an answer; what does not fit is handed back as UnprocessedKeys and has to be
 * asked for again, with back-off.
 */
#include "aws/dynamodb.h"

#include "aws/aws_json.h"
#include "aws/aws_private.h"

enum {
    MAX_ANSWER = 20 * 1024 * 1024, /* BatchGetItem: 16 MB */
    BATCH_KEYS = 100,
    MAX_ROUNDS = 10, /* of a batch some of whose keys are unprocessed */
};

/*
 * A failed condition is an answer too: it holds the item as it is now, which tells our own earlier
 * attempt from another worker.
 */
enum status dynamodb_call(struct aws_client *c, struct view region, const char *op,
                          const json_t *in, json_t **out, struct error *err)
{
    struct aws_answer answer;
    aws_answer_init(&answer);
    struct aws_json_call call = {.service = &AWS_DYNAMODB,
                                 .region = region,
                                 .target_prefix = "DynamoDB_20120810",
                                 .operation = op,
                                 .max_body_bytes = MAX_ANSWER};
    enum status st = aws_json_call(c, &call, in, out, &answer, err);
    if (st == ST_CONFLICT && strcmp(answer.code, "ConditionalCheckFailedException") == 0) {
        json_t *doc = aws_json_parse(buf_view(&answer.http.body));
        json_t *item = json_object_get(doc, "Item");
        *out = item != NULL ? json_pack("{s:O}", "Item", item) : json_object();
        json_decref(doc);
        if (*out == NULL)
            st = ST_NO_MEMORY;
    }
    aws_answer_clear(&answer);
    return st;
}

enum status dynamodb_query_all(struct aws_client *c, struct view region, const json_t *in,
                               size_t max_items, json_t **items, struct error *err)
{
    json_t *request = json_deep_copy(in);
    json_t *all = json_array();
    enum status st = request == NULL || all == NULL ? ST_NO_MEMORY : ST_OK;
    *items = NULL;
    while (!st) {
        json_t *page = NULL;
        st = dynamodb_call(c, region, "Query", request, &page, err);
        if (st) {
            json_decref(page);
            break;
        }
        if (json_array_extend(all, json_object_get(page, "Items")) != 0)
            st = error_set(err, ST_RETRY, E_A305, "Query: unusable answer");
        else if (json_array_size(all) > max_items)
            st = error_set(err, ST_TOO_BIG, E_A305, "Query: more than %zu items", max_items);
        json_t *last = json_object_get(page, "LastEvaluatedKey");
        bool more = json_is_object(last);
        if (!st && more && json_object_set(request, "ExclusiveStartKey", last) != 0)
            st = ST_NO_MEMORY;
        json_decref(page);
        if (!more)
            break;
    }
    json_decref(request);
    if (st)
        json_decref(all);
    else
        *items = all;
    return st;
}

/* One request and its unprocessed rest; `keys` is taken over. */
static enum status get_some(struct aws_client *c, struct view region, const char *table,
                            json_t *keys, const char *projection, bool consistent, json_t *items,
                            struct error *err)
{
    struct retry retry;
    retry_init(&retry, NULL, aws_client_clock(c), aws_client_stop(c), MAX_ROUNDS,
               aws_client_deadline(c), 0);
    json_t *spec = json_pack("{s:o, s:b}", "Keys", keys, "ConsistentRead", consistent);
    json_t *request = spec == NULL ? NULL : json_pack("{s:{s:o}}", "RequestItems", table, spec);
    if (request == NULL)
        return ST_NO_MEMORY;
    enum status st = ST_OK;
    if (projection != NULL &&
        json_object_set_new(spec, "ProjectionExpression", json_string(projection)) != 0)
        st = ST_NO_MEMORY;
    while (!st) {
        json_t *page = NULL;
        st = dynamodb_call(c, region, "BatchGetItem", request, &page, err);
        json_t *found = json_object_get(json_object_get(page, "Responses"), table);
        json_t *rest = json_object_get(page, "UnprocessedKeys");
        bool more = !st && json_object_size(rest) > 0;
        if (!st && found != NULL && json_array_extend(items, found) != 0)
            st = error_set(err, ST_RETRY, E_A305, "BatchGetItem: unusable answer");
        if (!st && more && json_object_set(request, "RequestItems", rest) != 0)
            st = ST_NO_MEMORY;
        json_decref(page);
        if (!more)
            break;
        if (!st && retry_wait(&retry, false, 0, NULL) != ST_OK)
            st = error_set(err, ST_RETRY, E_A305, "BatchGetItem: keys stay unprocessed");
    }
    json_decref(request);
    return st;
}

enum status dynamodb_batch_get(struct aws_client *c, struct view region, const char *table,
                               const json_t *keys, const char *projection, bool consistent,
                               json_t **items, struct error *err)
{
    json_t *all = json_array();
    enum status st = all == NULL ? ST_NO_MEMORY : ST_OK;
    *items = NULL;
    for (size_t i = 0; i < json_array_size(keys) && !st;) {
        json_t *some = json_array();
        for (; i < json_array_size(keys) && json_array_size(some) < BATCH_KEYS; i++)
            if (json_array_append(some, json_array_get(keys, i)) != 0)
                st = ST_NO_MEMORY;
        if (st || some == NULL) {
            json_decref(some);
            st = ST_NO_MEMORY;
            break;
        }
        st = get_some(c, region, table, some, projection, consistent, all, err);
    }
    if (st)
        json_decref(all);
    else
        *items = all;
    return st;
}
