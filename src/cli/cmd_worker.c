#include "cli/cmd_worker.h"

#include <stdlib.h>

#include "base/log.h"
#include "cli/options.h"
#include "cli/receipt_file.h"
#include "config/config.h"
#include "deliver/worker.h"

static const struct command this_command = {
    .name = "worker",
    .synopsis = "[OPTIONS]",
    .summary =
        "Poll SQS queues for S3 events, count the log objects they name, and publish the sums to\n"
        "CloudWatch, until SIGTERM or SIGINT.",
    .details =
        "Settings come from the environment or --env-file: SQS_QUEUE_URL and S3_BUCKET_NAME\n"
        "(required, comma separated), CLOUDWATCH_NAMESPACE, CLOUDWATCH_REGION, METRIC_DIMENSIONS,\n"
        "METRICS, METRIC_RESOLUTION, MAX_SERIES_PER_SET, BATCH_SIZE, FLUSH_INTERVAL, PUBLISHER,\n"
        "ROLE_ARN.\n"
        "\n"
        "With LEDGER=FILE (SQLite, one worker on one host) or LEDGER=dynamodb://TABLE every "
        "object\n"
        "counts exactly once; LEDGER_POLICY, LEDGER_IDENTITY and LEDGER_TTL_DAYS say how.\n"
        "SWEEP_INTERVAL=3600 also counts each hour what no event came for (s3:ListBucket).\n"
        "\n"
        "A message is deleted only after its data were published.  On a signal the worker "
        "finishes\n"
        "within ten seconds; what was not finished comes back through the queue.  A second signal\n"
        "ends it at once.\n"
        "\n"
        "Permissions: sqs:ReceiveMessage, DeleteMessage, ChangeMessageVisibility and\n"
        "GetQueueAttributes on the queues; s3:GetObject on the buckets' log objects;\n"
        "cloudwatch:PutMetricData; kms:Decrypt where the logs are encrypted with a key of yours;\n"
        "bedrock:ListInferenceProfiles with RESOLVE_INFERENCE_PROFILES.\n"
        "\n"
        "Exit status: 0 asked to stop, or drained; 1 --once, and messages have to come back or a\n"
        "queue could not be polled; 2 wrong usage or configuration.\n",
};

struct choice {
    const char *queue, *bucket, *listen, *batch, *flush, *allowed;
    bool once;
    struct receipt_file receipt;
    struct common_options common;
};

static enum status parse_queues(const struct choice *c, const struct aws_config *config,
                                struct sqs_queue *queues, size_t *count, struct error *err)
{
    struct view rest = view_of(c->queue != NULL ? c->queue : config_get("SQS_QUEUE_URL", NULL));
    struct view part;
    struct error detail = {0};
    *count = 0;
    if (rest.len == 0)
        return error_set(err, ST_USAGE, E_U301, "SQS_QUEUE_URL is not set: the queue(s) to poll");
    while (view_split(&rest, ',', &part)) {
        if (*count == SETTINGS_MAX_QUEUES)
            return error_set(err, ST_USAGE, E_U203, "SQS_QUEUE_URL: more than %d queues",
                             SETTINGS_MAX_QUEUES);
        part = view_trim(part);
        enum status st = sqs_queue_parse(part, config, &queues[*count], &detail);
        if (st != ST_OK)
            return error_set(err, ST_USAGE, detail.code, "SQS_QUEUE_URL: \"%.*s\": %s",
                             (int)(part.len < 120 ? part.len : 120), part.ptr, detail.text);
        for (size_t i = 0; i < *count; i++) {
            if (strcmp(queues[i].url, queues[*count].url) == 0)
                return error_set(err, ST_USAGE, E_U103, "SQS_QUEUE_URL: \"%.160s\" is given twice",
                                 queues[i].url);
        }
        (*count)++;
    }
    return ST_OK;
}

/* Flags go the way of the variables they stand for, so that there is one place that checks. */
static void set_variable(const char *name, const char *value)
{
    if (value != NULL)
        (void)setenv(name, value, 1);
}

static int finish(const struct choice *c, const struct worker_totals *t, enum status st,
                  const struct error *err)
{
    if (st == ST_USAGE || st == ST_IO)
        return usage_error("worker", err);
    if (st != ST_OK)
        LOG_FAULT(LOG_ERROR, error_code(err, E_R104), "worker ends", log_cstr("reason", err->text));
    const struct round_summary *r = &t->rounds;
    char receipt[RECEIPT_TEXT_BYTES] = "";
    const struct record_tally *records = &r->tally.records;
    if (t->receipt.digest.objects > 0)
        receipt_format(&t->receipt.digest, receipt);
    LOG_EVENT(
        LOG_INFO, "worker ended", log_u64("rounds", t->round_count),
        log_u64("messages", r->messages), log_u64("deleted", t->deleted), log_u64("back", r->back),
        log_u64("objects", r->tally.objects.counted),
        log_u64("duplicates", r->tally.objects.duplicate), log_u64("records", records->counted),
        log_u64("malformed", records->skipped[RECORD_MALFORMED]),
        log_u64("not_invocation_log", records->skipped[RECORD_NOT_LOG]),
        log_u64("invalid", records->skipped[RECORD_INVALID]),
        log_u64("out_of_range", records->skipped[RECORD_OUT_OF_RANGE]),
        log_u64("tokens", (uint64_t)r->tokens), log_u64("InDoubtPublishes", r->published.in_doubt),
        log_cstr("delivery", t->delivery), log_cstr("receipt", receipt));
    if (st != ST_OK)
        return EXIT_FOUND_FAULTS;
    if (t->signal != 0)
        return 128 + t->signal;
    return c->once && (r->back > 0 || t->delete_failures > 0) ? EXIT_FOUND_FAULTS : EXIT_DONE;
}

static enum status settle(struct choice *c, struct run_settings *s, struct settings_aws *aws,
                          struct sqs_queue *queues, size_t *count, struct error *err)
{
    enum status st = common_options_apply(&c->common, err);
    if (st != ST_OK)
        return st;
    set_variable("S3_BUCKET_NAME", c->bucket);
    set_variable("BATCH_SIZE", c->batch);
    set_variable("FLUSH_INTERVAL", c->flush);
    set_variable("ALLOW_INFERENCE_REGIONS", c->allowed);
    st = settings_load(s, err);
    if (st == ST_OK)
        st = settings_open_prices(s, err);
    if (st == ST_OK)
        st = settings_aws_open(aws, err);
    if (st == ST_OK)
        st = parse_queues(c, aws->config, queues, count, err);
    if (st == ST_OK && c->receipt.path != NULL && config_get("LEDGER", NULL) == NULL)
        st = error_set(err, ST_USAGE, E_U305,
                       "--receipt needs LEDGER: without it objects are not told apart");
    if (st == ST_OK)
        st = receipt_file_open(&c->receipt, false, err);
    return st;
}

int cmd_worker(int argc, char **argv)
{
    static struct run_settings s;
    static struct sqs_queue queues[SETTINGS_MAX_QUEUES];
    struct settings_aws aws = {0};
    struct choice c = {0};
    struct error err = {0};
    struct option_spec specs[COMMON_OPTION_COUNT + 8] = {
        {"allow-inference-regions", "REGION,...",
         "publish what runs in other Regions as\n"
         "DisallowedRegionTokenCount (default ALLOW_INFERENCE_REGIONS)",
         &c.allowed, NULL},
        {"once", NULL, "end when the queues are empty", NULL, &c.once},
        {"queue", "URL,...", "instead of SQS_QUEUE_URL", &c.queue, NULL},
        {"bucket", "NAME,...", "instead of S3_BUCKET_NAME", &c.bucket, NULL},
        {"batch-size", "N", "messages of a round (default 10), instead of\nBATCH_SIZE", &c.batch,
         NULL},
        {"flush-interval", "SECONDS", "longest wait for a full round (default 30)", &c.flush, NULL},
        {"listen", "ADDR:PORT", "serve /healthz and /metrics (OpenMetrics) there", &c.listen, NULL},
        receipt_file_option(&c.receipt),
    };
    enum { SPEC_COUNT = sizeof(specs) / sizeof(specs[0]) };
    int count;
    size_t queue_count = 0;
    common_options_table(&c.common, specs + 8);
    enum status st = options_parse(specs, SPEC_COUNT, argc, argv, &count, &err);
    if (st == ST_END) {
        options_help(&this_command, specs, SPEC_COUNT);
        return EXIT_DONE;
    }
    if (st == ST_OK && count > 0)
        st = error_set(&err, ST_USAGE, E_U106, "\"%.80s\": worker takes no arguments", argv[0]);
    if (st == ST_OK)
        st = settle(&c, &s, &aws, queues, &queue_count, &err);
    int status;
    if (st == ST_OK) {
        struct worker_totals totals;
        struct worker_options options = {.settings = &s,
                                         .aws = &aws,
                                         .queues = queues,
                                         .queue_count = queue_count,
                                         .once = c.once,
                                         .listen = c.listen};
        st = worker_run(&options, &totals, &err);
        status = finish(&c, &totals, st, &err);
        if (st != ST_USAGE && st != ST_IO) {
            struct run_receipt_about about = {
                .command = "worker", .delivery = totals.delivery, .metrics = s.metrics};
            if (!receipt_file_write(&c.receipt, &totals.receipt, &about) && status == EXIT_DONE)
                status = EXIT_FOUND_FAULTS;
        }
    } else {
        status = start_failed("worker", st, &err);
    }
    receipt_file_abandon(&c.receipt);
    settings_clear(&s);
    settings_aws_close(&aws);
    return status;
}
