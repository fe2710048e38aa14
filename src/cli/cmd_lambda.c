/*
 * cmd_lambda.c: the program as a Lambda function.  Settings and log are those of Lambda, so the
 * common options are taken but for --env-file of no effect, and no .env is read.
 */
#include "base/log.h"
#include "cli/commands.h"
#include "config/config.h"
#include "config/variables.h"
#include "deliver/lambda_loop.h"

struct options {
    struct error fault; /* of settings; no text: none */
};

/* Where Lambda listens, what is wrong is reported there too (see run). */
static enum status open_lambda(struct invocation *in, struct error *err)
{
    struct error *fault = &((struct options *)in->options)->fault;
    enum status st = ST_OK;
    if (in->common.env_file != NULL && config_load_env_file(in->common.env_file, fault) != ST_OK)
        st = ST_USAGE;
    if (lambda_log_setup(st == ST_OK ? fault : NULL) != ST_OK)
        st = ST_USAGE;
    if (variable_given(VAR_AWS_LAMBDA_RUNTIME_API))
        return ST_OK;
    if (st != ST_OK)
        *err = *fault;
    else
        st = error_set(err, ST_USAGE, E_U304,
                       "AWS_LAMBDA_RUNTIME_API is not set: this runs inside AWS Lambda only");
    return st;
}

static enum status run(struct invocation *in, struct error *err)
{
    const struct options *o = in->options;
    struct lambda_options options = {.runtime_api =
                                         view_of(variable_get(VAR_AWS_LAMBDA_RUNTIME_API)),
                                     .fault = o->fault.text[0] != '\0' ? &o->fault : NULL};
    enum status st = lambda_run(&options, err);
    if (st != ST_OK) {
        LOG_FAULT(LOG_ERROR, error_code(err, E_R100), "the function ends",
                  log_cstr("reason", err->text));
        in->exit = st == ST_USAGE ? EXIT_USAGE : EXIT_FOUND_FAULTS;
    }
    return ST_OK;
}

COMMAND(lambda) = {
    .group = GROUP_AWS,
    .name = "lambda",
    .synopsis = "[OPTIONS]",
    .summary = "Run as an AWS Lambda function on provided.al2023",
    .details =
        "Takes S3 events (through SQS, SNS, EventBridge or directly), counts the objects, and\n"
        "publishes the sums to CloudWatch.  This is also what the program does when it is started\n"
        "as `bootstrap`, or with AWS_LAMBDA_RUNTIME_API set and no command.  S3_BUCKET_NAME is\n"
        "required.\n"
        "\n"
        "Permissions: s3:GetObject on the buckets' log objects, s3:ListBucket to tell missing "
        "from\n"
        "forbidden ones; cloudwatch:PutMetricData; kms:Decrypt where the logs are encrypted with "
        "a\n"
        "customer managed KMS key; bedrock:ListInferenceProfiles with RESOLVE_INFERENCE_PROFILES;\n"
        "sts:AssumeRole with ROLE_ARN; with LEDGER cloudwatch:GetMetricData and dynamodb:GetItem,\n"
        "BatchGetItem, PutItem and UpdateItem; and what the event source mapping needs on the\n"
        "queue.\n"
        "\n"
        "Exit status: 0 shut down by Lambda; 1 the runtime API failed; 2 wrong configuration.\n",
    .reads = READ_SETS | READ_DESTINATION | READ_PUBLISHING | READ_EVENTS | READ_FUNCTION,
    .setup = SETUP_OWN,
    .options_size = sizeof(struct options),
    .open = open_lambda,
    .run = run,
};
