/* cmd_worker.c: the program as a queue worker, until a signal or with --once until all is done. */

#include "base/log.h"
#include "cli/commands.h"
#include "cli/receipt_file.h"
#include "config/variables.h"
#include "deliver/worker.h"

struct options {
    const char *queue, *bucket, *listen, *allow_host, *batch, *flush, *allowed;
    bool once;
    struct receipt_file receipt;
    struct run_settings settings;
    struct settings_aws aws;
    struct sqs_queue queues[SETTINGS_MAX_QUEUES];
    size_t queue_count;
};

static const struct option rows[] = {
    {"allow-inference-regions", "REGION,...",
     "publish what runs in other Regions as\n"
     "DisallowedRegionTokenCount (default ALLOW_INFERENCE_REGIONS)",
     OPT_TEXT(allowed)},
    {"once", NULL, "end when the queues are empty", OPT_FLAG(once)},
    {"queue", "URL,...", "instead of SQS_QUEUE_URL", OPT_TEXT(queue)},
    {"bucket", "NAME,...", "instead of S3_BUCKET_NAME", OPT_TEXT(bucket)},
    {"batch-size", "N", "messages of a round (default 10), instead of\nBATCH_SIZE",
     OPT_TEXT(batch)},
    {"flush-interval", "SECONDS", "longest wait for a full round (default 30)", OPT_TEXT(flush)},
    {"listen", "ADDR:PORT", "serve /healthz and /metrics (OpenMetrics) there", OPT_TEXT(listen)},
    {"allow-host", "NAME",
     "a host name /metrics may be asked by, besides\naddresses and names without a dot",
     OPT_TEXT(allow_host)},
    RECEIPT_OPTION,
};

static enum status parse_queues(struct options *o, struct error *err)
{
    struct view rest = view_of(o->queue != NULL ? o->queue : variable_get(VAR_SQS_QUEUE_URL));
    struct view part;
    struct error detail = {0};
    struct sqs_queue *queues = o->queues;
    size_t *count = &o->queue_count;
    if (rest.len == 0)
        return error_set(err, ST_USAGE, E_U301, "SQS_QUEUE_URL is not set: the queue(s) to poll");
    while (view_split(&rest, ',', &part)) {
        if (*count == SETTINGS_MAX_QUEUES)
            return error_set(err, ST_USAGE, E_U203, "SQS_QUEUE_URL: more than %d queues",
                             SETTINGS_MAX_QUEUES);
        part = view_trim(part);
        enum status st = sqs_queue_parse(part, o->aws.config, &queues[*count], &detail);
        if (st != ST_OK)
            return error_set(err, ST_USAGE, detail.code, "SQS_QUEUE_URL: \"%.*s\": %s",
                             SHOW_MAX(part, 120), detail.text);
        for (size_t i = 0; i < *count; i++) {
            if (strcmp(queues[i].url, queues[*count].url) == 0)
                return error_set(err, ST_USAGE, E_U103, "SQS_QUEUE_URL: \"%.160s\" is given twice",
                                 queues[i].url);
        }
        (*count)++;
    }
    return ST_OK;
}

static void log_totals(const struct worker_totals *t)
{
    const struct round_summary *r = &t->rounds;
    char receipt[RECEIPT_TEXT_BYTES] = "";
    const struct record_tally *records = &r->tally.records;
    if (t->receipt.digest.objects > 0)
        receipt_format(&t->receipt.digest, receipt);
    LOG_EVENT(
        LOG_INFO, "worker ended", log_u64("rounds", t->round_count),
        log_u64("messages", r->messages), log_u64("deleted", t->deleted),
        log_u64("returned", r->returned), log_u64("objects", r->tally.objects.counted),
        log_u64("duplicates", r->tally.objects.duplicate), log_u64("records", records->counted),
        log_u64("malformed", records->skipped[RECORD_MALFORMED]),
        log_u64("not_invocation_log", records->skipped[RECORD_NOT_LOG]),
        log_u64("invalid", records->skipped[RECORD_INVALID]),
        log_u64("out_of_range", records->skipped[RECORD_OUT_OF_RANGE]),
        log_u64("tokens", (uint64_t)r->tokens), log_u64("InDoubtPublishes", r->published.in_doubt),
        log_cstr("delivery", t->delivery), log_cstr("receipt", receipt));
}

static enum status open_worker(struct invocation *in, struct error *err)
{
    struct options *o = in->options;
    enum status st = variable_set(VAR_S3_BUCKET_NAME, o->bucket, err);
    if (st == ST_OK)
        st = variable_set(VAR_BATCH_SIZE, o->batch, err);
    if (st == ST_OK)
        st = variable_set(VAR_FLUSH_INTERVAL, o->flush, err);
    if (st == ST_OK)
        st = variable_set(VAR_ALLOW_INFERENCE_REGIONS, o->allowed, err);
    if (st == ST_OK)
        st = settings_load(&o->settings, err);
    if (st == ST_OK)
        st = settings_open_prices(&o->settings, err);
    if (st == ST_OK)
        st = settings_aws_open(&o->aws, err);
    if (st == ST_OK)
        st = parse_queues(o, err);
    if (st == ST_OK && o->receipt.path != NULL && !variable_given(VAR_LEDGER))
        st = error_set(err, ST_USAGE, E_U305,
                       "--receipt needs LEDGER: without it objects have no identity");
    if (st == ST_OK)
        st = receipt_file_open(&o->receipt, false, err);
    return st;
}

static enum status run(struct invocation *in, struct error *err)
{
    struct options *o = in->options;
    struct worker_totals totals;
    struct worker_options worker = {.settings = &o->settings,
                                    .aws = &o->aws,
                                    .queues = o->queues,
                                    .queue_count = o->queue_count,
                                    .once = o->once,
                                    .listen = o->listen,
                                    .allowed_host = o->allow_host};
    enum status st = worker_run(&worker, &totals, err);
    /* What keeps it from starting is found in there too: an address, a ledger's file. */
    if (st == ST_USAGE || st == ST_IO)
        return ST_USAGE;
    if (st != ST_OK)
        LOG_FAULT(LOG_ERROR, error_code(err, E_R104), "worker ends", log_cstr("reason", err->text));
    log_totals(&totals);
    if (st != ST_OK)
        in->exit = EXIT_FOUND_FAULTS;
    else if (totals.signal != 0)
        in->exit = 128 + totals.signal;
    else if (o->once && (totals.rounds.returned > 0 || totals.delete_failures > 0))
        in->exit = EXIT_FOUND_FAULTS;
    struct run_receipt_about about = {
        .command = "worker", .delivery = totals.delivery, .metrics = o->settings.metrics};
    if (!receipt_file_write(&o->receipt, &totals.receipt, &about) && in->exit == EXIT_DONE)
        in->exit = EXIT_FOUND_FAULTS;
    return ST_OK;
}

static void close_worker(void *options)
{
    struct options *o = options;
    receipt_file_abandon(&o->receipt);
    settings_clear(&o->settings);
    settings_aws_close(&o->aws);
}

COMMAND(worker) = {
    .group = GROUP_AWS,
    .name = "worker",
    .synopsis = "[OPTIONS]",
    .summary = "Poll queues for S3 events and publish to CloudWatch",
    .details =
        "Counts the log objects that the events name, until SIGTERM or SIGINT.\n"
        "\n"
        "SQS_QUEUE_URL and S3_BUCKET_NAME are required.  With LEDGER=FILE (one worker on one host) "
        "or\n"
        "LEDGER=dynamodb://TABLE every object counts exactly once; SWEEP_INTERVAL=3600 then also\n"
        "counts, every hour, objects whose events were lost.\n"
        "\n"
        "A message is deleted only after its data were published.  On a signal the worker "
        "finishes\n"
        "within ten seconds; what was not finished stays in the queue.  A second signal\n"
        "ends it at once.\n"
        "\n"
        "Permissions: sqs:ReceiveMessage, DeleteMessage, ChangeMessageVisibility and\n"
        "GetQueueAttributes on the queues; s3:GetObject on the buckets' log objects, "
        "s3:ListBucket\n"
        "to tell missing from forbidden ones; cloudwatch:PutMetricData; kms:Decrypt where the "
        "logs\n"
        "are encrypted with a customer managed KMS key; bedrock:ListInferenceProfiles with\n"
        "RESOLVE_INFERENCE_PROFILES; sts:AssumeRole with ROLE_ARN; with LEDGER\n"
        "cloudwatch:GetMetricData, and of a table dynamodb:GetItem, BatchGetItem, PutItem and\n"
        "UpdateItem.\n"
        "\n"
        "Exit status: 0 stopped by a signal, or empty queues (--once); 1 --once, and messages were "
        "returned or a\n"
        "queue could not be polled; 2 wrong usage or configuration.\n",
    .reads = READ_SETS | READ_DESTINATION | READ_PUBLISHING | READ_EVENTS | READ_WORKER,
    COMMAND_OPTIONS(rows),
    .open = open_worker,
    .run = run,
    .close = close_worker,
};
