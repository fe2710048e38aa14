/* main.c: which command. */
#include <stdio.h>

#include "base/suggest.h"
#include "cli/cmd_dashboard.h"
#include "cli/cmd_doctor.h"
#include "cli/cmd_enqueue.h"
#include "cli/cmd_explain.h"
#include "cli/cmd_lambda.h"
#include "cli/cmd_ledger.h"
#include "cli/cmd_plan.h"
#include "cli/cmd_prices.h"
#include "cli/cmd_reconcile.h"
#include "cli/cmd_worker.h"
#include "cli/commands.h"
#include "cli/options.h"

static const struct {
    const char *name;
    const char *summary;
    int (*run)(int argc, char **argv);
} commands[] = {
    {"aggregate", "sum up the logs that exist now", cmd_aggregate},
    {"serve", "watch a folder of logs and show its usage on a local page", cmd_serve},
    {"report", "the page as one offline file, or table, json, csv", cmd_report},
    {"worker", "poll queues for S3 events and publish to CloudWatch", cmd_worker},
    {"lambda", "run as an AWS Lambda function", cmd_lambda},
    {"enqueue", "send existing objects through the queue (backfill)", cmd_enqueue},
    {"sweep", "count what the ledger says was never counted", cmd_sweep},
    {"resolve", "finish what is open or in doubt in the ledger", cmd_resolve},
    {"verify", "compare the ledger with CloudWatch", cmd_verify},
    {"reconcile", "compare the logs with Bedrock's own metrics", cmd_reconcile},
    {"quarantine", "objects that could not be counted: list, show, release", cmd_quarantine},
    {"redrive", "move the dead-letter queue back to its queue", cmd_redrive},
    {"doctor", "check the whole pipeline, name each fault and its mend", cmd_doctor},
    {"plan", "series and CloudWatch bill of a choice of dimensions", cmd_plan},
    {"dashboard", "the CloudWatch dashboard of a choice of dimensions", cmd_dashboard},
    {"prices", "list the prices, or explain that of a model", cmd_prices},
    {"explain", "what a code such as BM-O101 means, and what to do", cmd_explain},
};

enum { COMMAND_COUNT = sizeof(commands) / sizeof(commands[0]) };

static void help(FILE *out)
{
    fprintf(out, "Usage: bedrock-metrics [--help|--version] COMMAND [OPTIONS]\n\n"
                 "Usage and cost of Amazon Bedrock from its invocation logs, over all Regions.\n\n"
                 "Commands:\n");
    for (size_t i = 0; i < COMMAND_COUNT; i++)
        fprintf(out, "  %-12s %s\n", commands[i].name, commands[i].summary);
    fprintf(out, "\n\"bedrock-metrics COMMAND --help\" says more about one.\n");
}

static int run_command(int argc, char **argv)
{
    if (cmd_lambda_is_meant(argc, argv))
        return cmd_lambda(1, argv);
    if (argc < 2) {
        help(stderr);
        return EXIT_USAGE;
    }
    if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0) {
        help(stdout);
        return EXIT_DONE;
    }
    if (strcmp(argv[1], "--version") == 0) {
        printf("bedrock-metrics %s\n", BM_VERSION);
        return EXIT_DONE;
    }
    const char *names[COMMAND_COUNT];
    for (size_t i = 0; i < COMMAND_COUNT; i++) {
        names[i] = commands[i].name;
        if (strcmp(argv[1], commands[i].name) == 0)
            return commands[i].run(argc - 1, argv + 1);
    }
    struct suggestion near = suggest_end(view_of(argv[1]), "", names, COMMAND_COUNT);
    struct error err;
    (void)error_set(&err, ST_USAGE, E_U102, "unknown command \"%.80s\"%s", argv[1], near.text);
    return usage_error("", &err);
}

/* What only reached a buffer is not written yet: a full disk shows here. */
int main(int argc, char **argv)
{
    int status = run_command(argc, argv);
    if (status != EXIT_DONE || (fflush(stdout) == 0 && !ferror(stdout)))
        return status;
    return run_failed("",
                      &(struct error){.code = E_R110, .text = "the result could not be written"});
}
