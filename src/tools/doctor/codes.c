/*
 * Every code of doctor: whether it is a fault, what should be, and the fix where it is always the
 * same.  One table, so that docs/doctor.md can be compared with it (tests/doctor), row by row.
 */
#include "tools/doctor/findings.h"

#define FIX(number, verdict, needed, fix)                                                          \
    [D##number] = {"BM-D" #number, DOCTOR_##verdict, needed, fix}
#define ROW(number, verdict, needed) FIX(number, verdict, needed, NULL)
#define LATER "make a Bedrock call, wait some minutes, and run doctor again"
#define LOGS_TAIL "aws logs tail /aws/lambda/bedrock-metrics-aggregator --since 1h"

static const struct doctor_code_info codes[DOCTOR_CODES_END] = {
    /* configuration and credentials */
    FIX(01, FAULT, "S3_BUCKET_NAME names the bucket with the logs, several separated by commas",
        "export S3_BUCKET_NAME=BUCKET (the bucket of \"aws bedrock "
        "get-model-invocation-logging-configuration\")"),
    FIX(02, FAULT,
        "SQS_QUEUE_URL is the URL of the queue that the bucket notifies of new objects, several "
        "separated by commas",
        "export SQS_QUEUE_URL=URL (the stack's output QueueUrl)"),
    FIX(03, FAULT, "a Region is configured",
        "export AWS_REGION=us-east-1 (the Region of the logs)"),
    FIX(04, FAULT, "every variable that is set has a value that can be used",
        "set the variable to a value that can be used, or leave it unset"),
    FIX(05, FAULT, "the AWS variables and the shared config files can be used",
        "fix the variable or file named above; \"aws configure list\" shows what is in use"),
    FIX(10, FAULT, "AWS credentials are found and can be fetched",
        "aws configure (or set AWS_PROFILE, or run where a role is given)"),
    FIX(11, FAULT, "the credentials are still valid",
        "aws sts get-caller-identity (after fetching new credentials, such as \"aws sso login\" or "
        "a new session token)"),
    FIX(12, FAULT, "AWS accepts the credentials",
        "aws sts get-caller-identity (with another key: \"aws configure\")"),
    FIX(13, FAULT, "AWS can be reached from here",
        "aws sts get-caller-identity (check network, proxy and AWS_ENDPOINT_URL)"),
    ROW(14, FAULT,
        "the roles of ROLE_ARN can be assumed: their trust policy names the reader, and the reader "
        "may call sts:AssumeRole"),

    /* Bedrock's logging */
    ROW(20, FAULT, "model invocation logging is on in the Region"),
    ROW(21, FAULT, "model invocation logging writes to S3"),
    ROW(22, FAULT, "model invocation logging writes to a bucket of S3_BUCKET_NAME"),

    /* bucket and notification */
    ROW(30, FAULT, "the bucket exists"),
    ROW(31, FAULT, "the bucket's Region has a queue: S3 notifies only queues of its own Region"),
    FIX(32, WARNING,
        "log objects arrive below AWSLogs/ACCOUNT/BedrockModelInvocationLogs/ some minutes after a "
        "Bedrock call",
        LATER),
    FIX(33, WARNING, "log objects of the last 24 hours, if Bedrock is used", LATER),
    ROW(34, FAULT,
        "the bucket's policy lets bedrock.amazonaws.com write below the logs' folder for this "
        "account"),
    ROW(35, FAULT, "no statement of the bucket's policy keeps Bedrock out"),
    ROW(36, WARNING,
        "a condition on aws:SourceAccount, so that only Bedrock of this account writes"),
    ROW(37, FAULT,
        "the policy of the bucket's KMS key lets bedrock.amazonaws.com call kms:GenerateDataKey"),
    ROW(38, FAULT, "the bucket's KMS key exists and is enabled"),
    ROW(40, FAULT, "the bucket notifies the queue of new objects"),
    ROW(41, FAULT, "the notification to the queue has s3:ObjectCreated:*"),
    ROW(42, FAULT, "the prefix of the notification's filter lets the logs through"),
    ROW(43, FAULT, "the suffix of the notification's filter lets .json.gz through"),
    ROW(44, WARNING,
        "the topic or EventBridge rule passes the events on to the queue; that part is not looked "
        "at here"),
    ROW(45, WARNING,
        "all of s3:ObjectCreated:*, so that replicas, copies and multipart uploads are notified "
        "too"),

    /* queue */
    ROW(50, FAULT, "the queue exists"),
    FIX(51, FAULT, "a standard queue: S3 cannot notify FIFO queues",
        "aws sqs create-queue --queue-name bedrock-metrics-aggregator-events (then put its URL "
        "into SQS_QUEUE_URL)"),
    ROW(52, FAULT,
        "encryption by SQS itself, or a KMS key whose policy lets s3.amazonaws.com in: the key "
        "alias/aws/sqs cannot"),
    ROW(53, FAULT, "the queue's policy lets s3.amazonaws.com send"),
    ROW(54, FAULT, "the policy's condition on aws:SourceArn names the bucket"),
    ROW(55, FAULT, "the policy's condition on aws:SourceAccount names the bucket's account"),
    ROW(56, FAULT, "no statement of the policy keeps S3 out"),
    ROW(57, WARNING, "a condition on aws:SourceArn, so that only this bucket may send"),
    ROW(58, WARNING, "long polling, ReceiveMessageWaitTimeSeconds 20"),
    ROW(59, WARNING,
        "messages are kept for at least 4 days, better 14: after that a log object is not counted"),
    ROW(60, FAULT,
        "a redrive policy: without one a message that cannot be counted is retried until it is too "
        "old, and is lost unseen"),
    ROW(61, WARNING,
        "maxReceiveCount 5, with the ledger 20: fewer, and a passing failure makes a dead letter"),
    ROW(62, FAULT, "the dead-letter queue that the redrive policy names exists"),
    ROW(63, FAULT,
        "no dead letters: each is a log object that was not counted. Fix the cause, then redrive "
        "them"),
    ROW(64, WARNING,
        "the dead-letter queue keeps messages longer than the queue: their age goes on counting"),
    ROW(65, WARNING,
        "an alarm on the dead-letter queue: otherwise nobody learns that objects are not counted"),
    ROW(66, WARNING, "the alarm on the dead-letter queue has an action"),
    ROW(67, WARNING,
        "the mapping's maximum concurrency is below the function's reserved concurrency: a "
        "throttled message has used up a receive"),
    ROW(68, FAULT, "a reserved concurrency above 0: with 0 the function never runs"),

    /* function */
    ROW(70, FAULT,
        "an event source mapping from the queue to the function (or a worker: --consumer worker)"),
    ROW(71, FAULT, "the event source mapping is enabled"),
    ROW(72, FAULT,
        "the mapping has ReportBatchItemFailures: without it messages that failed are deleted with "
        "the rest"),
    ROW(73, WARNING, "one function takes the queue's messages: each message goes to only one"),
    FIX(74, FAULT, "the function of the mapping exists",
        "sam deploy (or another of the four ways of docs/deployment.md)"),
    ROW(75, FAULT, "the function's state is Active"),
    ROW(76, FAULT, "the function's last update succeeded"),
    ROW(77, FAULT, "the function's S3_BUCKET_NAME lists the bucket: events of others are refused"),
    FIX(78, WARNING,
        "the same CLOUDWATCH_NAMESPACE and CLOUDWATCH_REGION here and in the function; the "
        "function's are looked at below",
        "export CLOUDWATCH_NAMESPACE and CLOUDWATCH_REGION as the function has them"),
    FIX(79, WARNING, "the same LEDGER here and in the function; a namespace has one ledger",
        "export LEDGER as the function has it, or deploy with Ledger=true"),
    ROW(80, FAULT,
        "a visibility timeout of at least 6 times the function's timeout and the mapping's batch "
        "window, with the ledger at least 1300 s: otherwise messages are received again while they "
        "are being counted"),
    ROW(81, WARNING,
        "a visibility timeout of at least 1300 s: only then is a publish with an unknown outcome "
        "resolved before its messages are retried"),
    FIX(82, FAULT,
        "no message waits for more than an hour. Look into the log of the function or worker",
        LOGS_TAIL),
    ROW(83, WARNING,
        "the function's log group has a retention: otherwise it is kept, and paid for, for ever"),
    ROW(84, WARNING,
        "a schedule that starts the sweep: otherwise an object whose event was lost is never "
        "counted"),

    /* metrics and ledger */
    FIX(90, FAULT,
        "metrics in the namespace: log objects have arrived, none was counted. Look into the log "
        "of the function or worker",
        LOGS_TAIL),
    FIX(91, WARNING, "metrics in the namespace, once Bedrock is used", LATER),
    FIX(92, FAULT, "metrics as new as the log objects. Look into the log of the function or worker",
        LOGS_TAIL),
    ROW(94, FAULT, "the table that LEDGER names exists"),
    ROW(95, FAULT, "the ledger's table has the one key pk, a string"),
    ROW(96, FAULT, "the ledger's table is ACTIVE"),
    ROW(97, FAULT, "the ledger's file can be written, or created"),
    FIX(98, FAULT,
        "the canary's metric appears in the time of --wait. Look into the log of the function or "
        "worker",
        "aws logs tail /aws/lambda/bedrock-metrics-aggregator --since 15m"),
    FIX(99, FAULT, "--canary may write below the logs' prefix",
        "grant s3:PutObject below the logs' prefix to the identity that runs doctor"),
};

const struct doctor_code_info *doctor_code_info(enum doctor_code code)
{
    return &codes[code];
}
