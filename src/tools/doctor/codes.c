/*
 * Every code of doctor: whether it is a fault, what should be, and the fix where it is always the
 * same.  One table, so that docs/doctor.md can be compared with it (tests/doctor), row by row.
 */
#include "tools/doctor/findings.h"

#define FAULT DOCTOR_FAULT
#define WARNING DOCTOR_WARNING
#define LATER "make a Bedrock call, wait some minutes, and run doctor again"
#define LOGS_TAIL "aws logs tail /aws/lambda/bedrock-metrics-aggregator --since 1h"

static const struct doctor_code_info codes[DOCTOR_CODES] = {
    /* configuration and credentials */
    [CODE_BUCKET_VARIABLE] = {"BM-D01", FAULT,
                              "S3_BUCKET_NAME names the bucket with the logs, several separated by "
                              "commas",
                              "export S3_BUCKET_NAME=BUCKET (the bucket of \"aws bedrock "
                              "get-model-invocation-logging-configuration\")"},
    [CODE_QUEUE_VARIABLE] =
        {"BM-D02", FAULT,
         "SQS_QUEUE_URL is the URL of the queue that the bucket notifies of new "
         "objects, several separated by commas",
         "export SQS_QUEUE_URL=URL (the stack's output QueueUrl)"},
    [CODE_NO_REGION] = {"BM-D03", FAULT, "a Region is configured",
                        "export AWS_REGION=us-east-1 (the Region of the logs)"},
    [CODE_VARIABLE] = {"BM-D04", FAULT, "every variable that is set has a value that can be used",
                       "set the variable to a value that can be used, or leave it unset"},
    [CODE_AWS_SETTINGS] = {"BM-D05", FAULT,
                           "the AWS variables and the shared config files can be used",
                           "fix the variable or file named above; \"aws configure list\" shows "
                           "what is in use"},
    [CODE_NO_CREDENTIALS] = {"BM-D10", FAULT, "AWS credentials are found and can be fetched",
                             "aws configure (or set AWS_PROFILE, or run where a role is given)"},
    [CODE_EXPIRED] = {"BM-D11", FAULT, "the credentials are still valid",
                      "aws sts get-caller-identity (after fetching new credentials, such as \"aws "
                      "sso login\" or a new session token)"},
    [CODE_REFUSED] = {"BM-D12", FAULT, "AWS accepts the credentials",
                      "aws sts get-caller-identity (with another key: \"aws configure\")"},
    [CODE_UNREACHABLE] = {"BM-D13", FAULT, "AWS can be reached from here",
                          "aws sts get-caller-identity (check network, proxy and "
                          "AWS_ENDPOINT_URL)"},
    [CODE_ROLE] = {"BM-D14", FAULT,
                   "the roles of ROLE_ARN can be assumed: their trust policy names the reader, and "
                   "the reader may call sts:AssumeRole",
                   NULL},

    /* Bedrock's logging */
    [CODE_LOGGING_OFF] = {"BM-D20", FAULT, "model invocation logging is on in the Region", NULL},
    [CODE_LOGGING_NOT_S3] = {"BM-D21", FAULT, "model invocation logging writes to S3", NULL},
    [CODE_LOGGING_OTHER_BUCKET] = {"BM-D22", FAULT,
                                   "model invocation logging writes to a bucket of S3_BUCKET_NAME",
                                   NULL},

    /* bucket and notification */
    [CODE_NO_BUCKET] = {"BM-D30", FAULT, "the bucket exists", NULL},
    [CODE_BUCKET_REGION] = {"BM-D31", FAULT,
                            "the bucket's Region has a queue: S3 notifies only queues of its own "
                            "Region",
                            NULL},
    [CODE_NO_OBJECTS] =
        {"BM-D32", WARNING,
         "log objects arrive below AWSLogs/ACCOUNT/BedrockModelInvocationLogs/ some "
         "minutes after a Bedrock call",
         LATER},
    [CODE_OLD_OBJECTS] = {"BM-D33", WARNING, "log objects of the last 24 hours, if Bedrock is used",
                          LATER},
    [CODE_BUCKET_POLICY] = {"BM-D34", FAULT,
                            "the bucket's policy lets bedrock.amazonaws.com write below the logs' "
                            "folder for this account",
                            NULL},
    [CODE_BUCKET_POLICY_DENIES] = {"BM-D35", FAULT,
                                   "no statement of the bucket's policy keeps Bedrock out", NULL},
    [CODE_BUCKET_POLICY_OPEN] = {"BM-D36", WARNING,
                                 "a condition on aws:SourceAccount, so that only Bedrock of this "
                                 "account writes",
                                 NULL},
    [CODE_KEY_POLICY] = {"BM-D37", FAULT,
                         "the policy of the bucket's KMS key lets bedrock.amazonaws.com call "
                         "kms:GenerateDataKey",
                         NULL},
    [CODE_KEY_STATE] = {"BM-D38", FAULT, "the bucket's KMS key exists and is enabled", NULL},
    [CODE_NO_NOTIFICATION] = {"BM-D40", FAULT, "the bucket notifies the queue of new objects",
                              NULL},
    [CODE_NOTIFICATION_EVENTS] = {"BM-D41", FAULT,
                                  "the notification to the queue has s3:ObjectCreated:*", NULL},
    [CODE_NOTIFICATION_PREFIX] = {"BM-D42", FAULT,
                                  "the prefix of the notification's filter lets the logs through",
                                  NULL},
    [CODE_NOTIFICATION_SUFFIX] = {"BM-D43", FAULT,
                                  "the suffix of the notification's filter lets .json.gz through",
                                  NULL},
    [CODE_NOTIFICATION_INDIRECT] = {"BM-D44", WARNING,
                                    "the topic or EventBridge rule passes the events on to the "
                                    "queue; that part is not looked at here",
                                    NULL},
    [CODE_NOTIFICATION_SOME_EVENTS] = {"BM-D45", WARNING,
                                       "all of s3:ObjectCreated:*, so that replicas, copies and "
                                       "multipart uploads are notified too",
                                       NULL},

    /* queue */
    [CODE_NO_QUEUE] = {"BM-D50", FAULT, "the queue exists", NULL},
    [CODE_QUEUE_FIFO] =
        {"BM-D51", FAULT, "a standard queue: S3 cannot notify FIFO queues",
         "aws sqs create-queue --queue-name bedrock-metrics-aggregator-events (then "
         "put its URL into SQS_QUEUE_URL)"},
    [CODE_QUEUE_KEY] = {"BM-D52", FAULT,
                        "encryption by SQS itself, or a KMS key whose policy lets "
                        "s3.amazonaws.com in: the key alias/aws/sqs cannot",
                        NULL},
    [CODE_POLICY_NONE] = {"BM-D53", FAULT, "the queue's policy lets s3.amazonaws.com send", NULL},
    [CODE_POLICY_BUCKET] = {"BM-D54", FAULT,
                            "the policy's condition on aws:SourceArn names the bucket", NULL},
    [CODE_POLICY_ACCOUNT] = {"BM-D55", FAULT,
                             "the policy's condition on aws:SourceAccount names the bucket's "
                             "account",
                             NULL},
    [CODE_POLICY_DENIES] = {"BM-D56", FAULT, "no statement of the policy keeps S3 out", NULL},
    [CODE_POLICY_OPEN] = {"BM-D57", WARNING,
                          "a condition on aws:SourceArn, so that only this bucket may send", NULL},
    [CODE_SHORT_POLL] = {"BM-D58", WARNING, "long polling, ReceiveMessageWaitTimeSeconds 20", NULL},
    [CODE_RETENTION] = {"BM-D59", WARNING,
                        "messages are kept for at least 4 days, better 14: after that a log object "
                        "is not counted",
                        NULL},
    [CODE_NO_REDRIVE] =
        {"BM-D60", FAULT,
         "a redrive policy: without one a message that cannot be counted is retried "
         "until it is too old, and is lost unseen",
         NULL},
    [CODE_FEW_RECEIVES] = {"BM-D61", WARNING,
                           "maxReceiveCount 5, with the ledger 20: fewer, and a passing failure "
                           "makes a dead letter",
                           NULL},
    [CODE_NO_DEAD_LETTER_QUEUE] = {"BM-D62", FAULT,
                                   "the dead-letter queue that the redrive policy names exists",
                                   NULL},
    [CODE_DEAD_LETTERS] = {"BM-D63", FAULT,
                           "no dead letters: each is a log object that was not counted. Fix the "
                           "cause, then redrive them",
                           NULL},
    [CODE_DEAD_LETTER_RETENTION] = {"BM-D64", WARNING,
                                    "the dead-letter queue keeps messages longer than the queue: "
                                    "their age goes on counting",
                                    NULL},
    [CODE_NO_ALARM] = {"BM-D65", WARNING,
                       "an alarm on the dead-letter queue: otherwise nobody learns that objects "
                       "are not counted",
                       NULL},
    [CODE_SILENT_ALARM] = {"BM-D66", WARNING, "the alarm on the dead-letter queue has an action",
                           NULL},
    [CODE_CONCURRENCY] = {"BM-D67", WARNING,
                          "the mapping's maximum concurrency is below the function's reserved "
                          "concurrency: a throttled message has used up a receive",
                          NULL},
    [CODE_SWITCHED_OFF] = {"BM-D68", FAULT,
                           "a reserved concurrency above 0: with 0 the function never runs", NULL},

    /* function */
    [CODE_NO_MAPPING] = {"BM-D70", FAULT,
                         "an event source mapping from the queue to the function (or a worker: "
                         "--consumer worker)",
                         NULL},
    [CODE_MAPPING_OFF] = {"BM-D71", FAULT, "the event source mapping is enabled", NULL},
    [CODE_MAPPING_ALL_OR_NOTHING] = {"BM-D72", FAULT,
                                     "the mapping has ReportBatchItemFailures: without it messages "
                                     "that failed are deleted with the rest",
                                     NULL},
    [CODE_TWO_MAPPINGS] = {"BM-D73", WARNING,
                           "one function takes the queue's messages: each message goes to only one",
                           NULL},
    [CODE_NO_FUNCTION] = {"BM-D74", FAULT, "the function of the mapping exists",
                          "sam deploy (or another of the four ways of docs/deployment.md)"},
    [CODE_FUNCTION_STATE] = {"BM-D75", FAULT, "the function's state is Active", NULL},
    [CODE_FUNCTION_UPDATE] = {"BM-D76", FAULT, "the function's last update succeeded", NULL},
    [CODE_FUNCTION_BUCKET] = {"BM-D77", FAULT,
                              "the function's S3_BUCKET_NAME lists the bucket: events of others "
                              "are refused",
                              NULL},
    [CODE_FUNCTION_NAMESPACE] =
        {"BM-D78", WARNING,
         "the same CLOUDWATCH_NAMESPACE and CLOUDWATCH_REGION here and in "
         "the function; the function's are looked at below",
         "export CLOUDWATCH_NAMESPACE and CLOUDWATCH_REGION as the function "
         "has them"},
    [CODE_FUNCTION_LEDGER] = {"BM-D79", WARNING,
                              "the same LEDGER here and in the function; a namespace has one "
                              "ledger",
                              "export LEDGER as the function has it, or deploy with Ledger=true"},
    [CODE_VISIBILITY] =
        {"BM-D80", FAULT,
         "a visibility timeout of at least 6 times the function's timeout and the mapping's batch "
         "window, with the ledger at least 1300 s: otherwise messages are received again while "
         "they are being counted",
         NULL},
    [CODE_VISIBILITY_SHORT] = {"BM-D81", WARNING,
                               "a visibility timeout of at least 1300 s: only then is a publish "
                               "with an unknown outcome resolved before its messages are retried",
                               NULL},
    [CODE_BACKLOG] = {"BM-D82", FAULT,
                      "no message waits for more than an hour. Look into the log of the function "
                      "or worker",
                      LOGS_TAIL},
    [CODE_LOG_FOREVER] = {"BM-D83", WARNING,
                          "the function's log group has a retention: otherwise it is kept, and "
                          "paid for, for ever",
                          NULL},
    [CODE_NO_SCHEDULE] = {"BM-D84", WARNING,
                          "a schedule that starts the sweep: otherwise an object whose event was "
                          "lost is never counted",
                          NULL},

    /* metrics and ledger */
    [CODE_NO_METRICS] = {"BM-D90", FAULT,
                         "metrics in the namespace: log objects have arrived, none was counted. "
                         "Look into the log of the function or worker",
                         LOGS_TAIL},
    [CODE_NO_METRICS_YET] = {"BM-D91", WARNING, "metrics in the namespace, once Bedrock is used",
                             LATER},
    [CODE_OLD_METRICS] = {"BM-D92", FAULT,
                          "metrics as new as the log objects. Look into the log of the function or "
                          "worker",
                          LOGS_TAIL},
    [CODE_NO_TABLE] = {"BM-D94", FAULT, "the table that LEDGER names exists", NULL},
    [CODE_TABLE_KEY] = {"BM-D95", FAULT, "the ledger's table has the one key pk, a string", NULL},
    [CODE_TABLE_STATE] = {"BM-D96", FAULT, "the ledger's table is ACTIVE", NULL},
    [CODE_LEDGER_FILE] = {"BM-D97", FAULT, "the ledger's file can be written, or created", NULL},
    [CODE_CANARY_LOST] = {"BM-D98", FAULT,
                          "the canary's metric appears in the time of --wait. Look into the log of "
                          "the function or worker",
                          "aws logs tail /aws/lambda/bedrock-metrics-aggregator --since 15m"},
    [CODE_CANARY_REFUSED] = {"BM-D99", FAULT, "--canary may write below the logs' prefix",
                             "grant s3:PutObject below the logs' prefix to the identity that runs "
                             "doctor"},
};

const struct doctor_code_info *doctor_code_info(enum doctor_code code)
{
    return &codes[code];
}
