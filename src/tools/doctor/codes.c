/* codes.c: every code of doctor, whether it is a fault, and what should be.  docs/doctor.md has a
 * row for each; tests/doctor compares. */
#include "tools/doctor/findings.h"

#define FAULT DOCTOR_FAULT
#define WARNING DOCTOR_WARNING

static const struct doctor_code_info codes[DOCTOR_CODES] = {
    /* configuration and credentials */
    [CODE_BUCKET_VARIABLE] = {"BM-D01", FAULT,
                              "S3_BUCKET_NAME names the bucket with the logs, several separated by "
                              "commas"},
    [CODE_QUEUE_VARIABLE] = {"BM-D02", FAULT,
                             "SQS_QUEUE_URL is the URL of the queue that the bucket tells of new "
                             "objects, several separated by commas"},
    [CODE_NO_REGION] = {"BM-D03", FAULT, "a Region is configured"},
    [CODE_VARIABLE] = {"BM-D04", FAULT, "every variable that is set has a value that can be used"},
    [CODE_AWS_SETTINGS] = {"BM-D05", FAULT,
                           "the AWS variables and the shared config files can be used"},
    [CODE_NO_CREDENTIALS] = {"BM-D10", FAULT, "AWS credentials are found and can be fetched"},
    [CODE_EXPIRED] = {"BM-D11", FAULT, "the credentials are still valid"},
    [CODE_REFUSED] = {"BM-D12", FAULT, "AWS accepts the credentials"},
    [CODE_UNREACHABLE] = {"BM-D13", FAULT, "AWS can be reached from here"},
    [CODE_ROLE] = {"BM-D14", FAULT,
                   "the roles of ROLE_ARN can be taken: their trust policy names who reads, and "
                   "who reads may call sts:AssumeRole"},

    /* Bedrock's logging */
    [CODE_LOGGING_OFF] = {"BM-D20", FAULT, "model invocation logging is on in the Region"},
    [CODE_LOGGING_NOT_S3] = {"BM-D21", FAULT, "model invocation logging writes to S3"},
    [CODE_LOGGING_ELSEWHERE] = {"BM-D22", FAULT,
                                "model invocation logging writes to a bucket of S3_BUCKET_NAME"},

    /* bucket and notification */
    [CODE_NO_BUCKET] = {"BM-D30", FAULT, "the bucket exists"},
    [CODE_BUCKET_REGION] = {"BM-D31", FAULT,
                            "the bucket's Region has a queue: S3 tells only queues of its own "
                            "Region"},
    [CODE_NO_OBJECTS] =
        {"BM-D32", WARNING,
         "log objects arrive below AWSLogs/ACCOUNT/BedrockModelInvocationLogs/ some "
         "minutes after a Bedrock call"},
    [CODE_OLD_OBJECTS] = {"BM-D33", WARNING,
                          "log objects of the last 24 hours, if Bedrock is used"},
    [CODE_BUCKET_POLICY] = {"BM-D34", FAULT,
                            "the bucket's policy lets bedrock.amazonaws.com write below the logs' "
                            "folder for this account"},
    [CODE_BUCKET_POLICY_DENIES] = {"BM-D35", FAULT,
                                   "no statement of the bucket's policy keeps Bedrock out"},
    [CODE_BUCKET_POLICY_OPEN] = {"BM-D36", WARNING,
                                 "a condition on aws:SourceAccount, so that only Bedrock of this "
                                 "account writes"},
    [CODE_KEY_POLICY] = {"BM-D37", FAULT,
                         "the policy of the bucket's KMS key lets bedrock.amazonaws.com call "
                         "kms:GenerateDataKey"},
    [CODE_KEY_STATE] = {"BM-D38", FAULT, "the bucket's KMS key exists and is enabled"},
    [CODE_NO_NOTIFICATION] = {"BM-D40", FAULT, "the bucket tells the queue of new objects"},
    [CODE_NOTIFICATION_EVENTS] = {"BM-D41", FAULT,
                                  "the notification to the queue holds s3:ObjectCreated:*"},
    [CODE_NOTIFICATION_PREFIX] = {"BM-D42", FAULT,
                                  "the prefix of the notification's filter lets the logs through"},
    [CODE_NOTIFICATION_SUFFIX] = {"BM-D43", FAULT,
                                  "the suffix of the notification's filter lets .json.gz through"},
    [CODE_NOTIFICATION_INDIRECT] = {"BM-D44", WARNING,
                                    "the topic or EventBridge rule hands the events to the queue; "
                                    "that part is not looked at here"},
    [CODE_NOTIFICATION_SOME_EVENTS] = {"BM-D45", WARNING,
                                       "all of s3:ObjectCreated:*, so that replicas, copies and "
                                       "multipart uploads are told too"},

    /* queue */
    [CODE_NO_QUEUE] = {"BM-D50", FAULT, "the queue exists"},
    [CODE_QUEUE_FIFO] = {"BM-D51", FAULT, "a standard queue: S3 cannot tell FIFO queues"},
    [CODE_QUEUE_KEY] = {"BM-D52", FAULT,
                        "encryption by SQS itself, or a KMS key whose policy lets "
                        "s3.amazonaws.com in: the key alias/aws/sqs cannot"},
    [CODE_POLICY_NONE] = {"BM-D53", FAULT, "the queue's policy lets s3.amazonaws.com send"},
    [CODE_POLICY_BUCKET] = {"BM-D54", FAULT,
                            "the policy's condition on aws:SourceArn names the bucket"},
    [CODE_POLICY_ACCOUNT] = {"BM-D55", FAULT,
                             "the policy's condition on aws:SourceAccount names the bucket's "
                             "account"},
    [CODE_POLICY_DENIES] = {"BM-D56", FAULT, "no statement of the policy keeps S3 out"},
    [CODE_POLICY_OPEN] = {"BM-D57", WARNING,
                          "a condition on aws:SourceArn, so that only this bucket may send"},
    [CODE_SHORT_POLL] = {"BM-D58", WARNING, "long polling, ReceiveMessageWaitTimeSeconds 20"},
    [CODE_RETENTION] = {"BM-D59", WARNING,
                        "messages are kept for at least 4 days, better 14: after that a log object "
                        "is not counted"},
    [CODE_NO_REDRIVE] = {"BM-D60", FAULT,
                         "a redrive policy: without one a message that cannot be counted comes "
                         "back until it is too old, and is lost unseen"},
    [CODE_FEW_RECEIVES] = {"BM-D61", WARNING,
                           "maxReceiveCount 5, with the ledger 20: fewer, and a passing failure "
                           "makes a dead letter"},
    [CODE_NO_DEAD_LETTER_QUEUE] = {"BM-D62", FAULT,
                                   "the dead-letter queue that the redrive policy names exists"},
    [CODE_DEAD_LETTERS] = {"BM-D63", FAULT,
                           "no dead letters: each is a log object that was not counted. Mend the "
                           "cause, then send them round again"},
    [CODE_DEAD_LETTER_RETENTION] = {"BM-D64", WARNING,
                                    "the dead-letter queue keeps messages longer than the queue: "
                                    "their age goes on counting"},
    [CODE_NO_ALARM] = {"BM-D65", WARNING,
                       "an alarm on the dead-letter queue: else nobody learns that objects are not "
                       "counted"},
    [CODE_SILENT_ALARM] = {"BM-D66", WARNING, "the alarm on the dead-letter queue tells somebody"},
    [CODE_CONCURRENCY] = {"BM-D67", WARNING,
                          "the mapping's maximum concurrency is below the function's reserved "
                          "concurrency: a throttled message has used up a receive"},
    [CODE_SWITCHED_OFF] = {"BM-D68", FAULT,
                           "a reserved concurrency above 0: with 0 the function never runs"},

    /* function */
    [CODE_NO_MAPPING] = {"BM-D70", FAULT,
                         "an event source mapping from the queue to the function (or a worker: "
                         "--consumer worker)"},
    [CODE_MAPPING_OFF] = {"BM-D71", FAULT, "the event source mapping is enabled"},
    [CODE_MAPPING_ALL_OR_NOTHING] = {"BM-D72", FAULT,
                                     "the mapping has ReportBatchItemFailures: without it messages "
                                     "that failed are deleted with the rest"},
    [CODE_TWO_MAPPINGS] =
        {"BM-D73", WARNING,
         "one function takes the queue's messages: each message goes to only one"},
    [CODE_NO_FUNCTION] = {"BM-D74", FAULT, "the function of the mapping exists"},
    [CODE_FUNCTION_STATE] = {"BM-D75", FAULT, "the function's state is Active"},
    [CODE_FUNCTION_UPDATE] = {"BM-D76", FAULT, "the function's last update succeeded"},
    [CODE_FUNCTION_BUCKET] = {"BM-D77", FAULT,
                              "the function's S3_BUCKET_NAME holds the bucket: events of others "
                              "are refused"},
    [CODE_FUNCTION_NAMESPACE] = {"BM-D78", WARNING,
                                 "the same CLOUDWATCH_NAMESPACE and CLOUDWATCH_REGION here and in "
                                 "the function; the function's are looked at below"},
    [CODE_FUNCTION_LEDGER] = {"BM-D79", WARNING,
                              "the same LEDGER here and in the function; a namespace has one "
                              "ledger"},
    [CODE_VISIBILITY] =
        {"BM-D80", FAULT,
         "a visibility time-out of at least 6 times the function's time-out and the "
         "mapping's batch window, with "
         "the ledger at least 1300 s: else messages come back while they are being "
         "counted"},
    [CODE_VISIBILITY_SHORT] = {"BM-D81", WARNING,
                               "a visibility time-out of at least 1300 s: only then is a publish "
                               "with an unknown outcome settled before its messages come back"},
    [CODE_BACKLOG] = {"BM-D82", FAULT,
                      "no message waits for more than an hour. Look into the log of the function "
                      "or worker"},
    [CODE_LOG_FOREVER] = {"BM-D83", WARNING,
                          "the function's log group has a retention: else it is kept, and paid "
                          "for, for ever"},
    [CODE_NO_SCHEDULE] = {"BM-D84", WARNING,
                          "a schedule that starts the sweep: else an object whose event was lost "
                          "is never counted"},

    /* metrics and ledger */
    [CODE_NO_METRICS] = {"BM-D90", FAULT,
                         "metrics in the namespace: log objects have arrived, none was counted. "
                         "Look into the log of the function or worker"},
    [CODE_NO_METRICS_YET] = {"BM-D91", WARNING, "metrics in the namespace, once Bedrock is used"},
    [CODE_OLD_METRICS] = {"BM-D92", FAULT,
                          "metrics as new as the log objects. Look into the log of the function or "
                          "worker"},
    [CODE_NO_TABLE] = {"BM-D94", FAULT, "the table that LEDGER names exists"},
    [CODE_TABLE_KEY] = {"BM-D95", FAULT, "the ledger's table has the one key pk, a string"},
    [CODE_TABLE_STATE] = {"BM-D96", FAULT, "the ledger's table is ACTIVE"},
    [CODE_LEDGER_FILE] = {"BM-D97", FAULT, "the ledger's file can be written, or made"},
    [CODE_CANARY_LOST] = {"BM-D98", FAULT,
                          "the canary's metric appears in the time of --wait. Look into the log of "
                          "the function or worker"},
    [CODE_CANARY_REFUSED] = {"BM-D99", FAULT, "--canary may write below the logs' prefix"},
};

const struct doctor_code_info *doctor_code_info(enum doctor_code code)
{
    return &codes[code];
}
