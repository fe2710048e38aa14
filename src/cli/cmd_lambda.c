#include "cli/cmd_lambda.h"

#include <stdio.h>

#include "base/log.h"
#include "cli/options.h"
#include "config/config.h"
#include "deliver/lambda_loop.h"

static const struct command this_command = {
    .name = "lambda",
    .synopsis = "[OPTIONS]",
    .summary =
        "Run as an AWS Lambda function on provided.al2023: take S3 events (through SQS, SNS,\n"
        "EventBridge or directly), count the objects, publish the sums to CloudWatch.",
    .details =
        "This is also what the program does when it is started as `bootstrap`, or with\n"
        "AWS_LAMBDA_RUNTIME_API set and no command.  Settings come from the environment:\n"
        "S3_BUCKET_NAME (required), CLOUDWATCH_NAMESPACE, CLOUDWATCH_REGION, METRIC_DIMENSIONS,\n"
        "METRICS, METRIC_RESOLUTION, METRIC_LATENCY, MAX_SERIES_PER_SET, PUBLISHER, ROLE_ARN,\n"
        "LOG_LEVEL.\n"
        "\n"
        "Permissions: s3:GetObject on the buckets' log objects; cloudwatch:PutMetricData;\n"
        "kms:Decrypt where the logs are encrypted with a key of yours;\n"
        "bedrock:ListInferenceProfiles with RESOLVE_INFERENCE_PROFILES; and what the event source\n"
        "mapping needs on the queue.\n"
        "\n"
        "Exit status: 0 asked to stop; 1 the runtime API failed; 2 wrong configuration.\n",
};

bool cmd_lambda_is_meant(int argc, char **argv)
{
    struct view name = view_of(argc > 0 ? argv[0] : "");
    size_t slash = view_rfind(name, VIEW_LIT("/"));
    if (slash != SIZE_MAX)
        name = view_skip(name, slash + 1);
    if (view_eq(name, VIEW_LIT("bootstrap")))
        return true;
    return argc < 2 && config_get("AWS_LAMBDA_RUNTIME_API", NULL) != NULL;
}

int cmd_lambda(int argc, char **argv)
{
    struct error err = {0};
    struct common_options common = {0};
    struct option_spec specs[COMMON_OPTION_COUNT];
    int count;
    common_options_table(&common, specs);
    enum status st = options_parse(specs, COMMON_OPTION_COUNT, argc, argv, &count, &err);
    if (st == ST_END) {
        options_help(&this_command, specs, COMMON_OPTION_COUNT);
        return EXIT_DONE;
    }
    if (st == ST_OK && common.env_file != NULL)
        st = config_load_env_file(common.env_file, &err) == ST_OK ? ST_OK : ST_USAGE;
    if (st == ST_OK)
        st = lambda_log_setup(&err);
    const char *address = config_get("AWS_LAMBDA_RUNTIME_API", NULL);
    if (st == ST_OK && address == NULL)
        st = error_set(&err, ST_USAGE, E_U304,
                       "AWS_LAMBDA_RUNTIME_API is not set: this runs inside AWS Lambda only");
    if (st != ST_OK)
        return usage_error("lambda", &err);
    struct lambda_options options = {.runtime_api = view_of(address)};
    st = lambda_run(&options, &err);
    if (st == ST_OK)
        return EXIT_DONE;
    LOG_FAULT(LOG_ERROR, error_code(&err, E_R100), "the function ends",
              log_cstr("reason", err.text));
    return st == ST_USAGE ? EXIT_USAGE : EXIT_FOUND_FAULTS;
}
