/*
 * dynamodb.c: one call.  The documents are the caller's: the ledger builds them
 * (ledger_dynamodb_item.c) and asks again for UnprocessedKeys.  A file of its own for the one fault
 * that is an answer too.
 *
 * Facts: DynamoDB developer guide, "Error handling with DynamoDB".
 */
#include "aws/dynamodb.h"

#include "aws/aws_json.h"
#include "aws/aws_private.h"

enum { MAX_ANSWER = 20 * 1024 * 1024 }; /* BatchGetItem: 16 MB */

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
