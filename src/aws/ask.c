#include "aws/ask.h"

#include "aws/aws_json.h"

enum { MAX_ANSWER = 4 * 1024 * 1024 };

static const struct aws_service kms = {"KMS", "kms", "kms", "KMS", "kms", false};
static const struct aws_service logs = {"CloudWatch Logs", "logs", "logs", "CLOUDWATCH_LOGS",
                                        "cloudwatch_logs", false};
static const struct aws_service events = {"EventBridge", "events",      "events",
                                          "EVENTBRIDGE", "eventbridge", false};

static const struct {
    const struct aws_service *service;
    const char *target_prefix;
} services[] = {
    [ASK_KMS] = {&kms, "TrentService"},
    [ASK_LOGS] = {&logs, "Logs_20140328"},
    [ASK_EVENTS] = {&events, "AWSEvents"},
};

enum status ask(struct aws_client *c, enum ask_service service, struct view region,
                const char *operation, const json_t *in, json_t **out, struct error *err)
{
    struct aws_answer answer;
    aws_answer_init(&answer);
    struct aws_json_call call = {.service = services[service].service,
                                 .region = region,
                                 .target_prefix = services[service].target_prefix,
                                 .json_1_1 = true,
                                 .operation = operation,
                                 .max_body_bytes = MAX_ANSWER};
    enum status st = aws_json_call(c, &call, in, out, &answer, err);
    if (st == ST_BAD_ITEM && strcmp(answer.code, "NotFoundException") == 0)
        st = ST_MISSING;
    aws_answer_clear(&answer);
    return st;
}
