/* cmd_ledger_sweep.c: the listing of the buckets against the ledger. */
#include <pthread.h>
#include <time.h>

#include "base/json_out.h"
#include "base/stop.h"
#include "cli/commands.h"
#include "cli/event_sender.h"
#include "cli/ledger_command.h"
#include "cli/option_values.h"
#include "config/variables.h"
#include "ledger/sweep.h"
#include "objects/source_s3.h"

enum { GRACE_S = 15 * 60, MAX_TEXT = 16 << 20 };

struct options {
    struct ledger_command ledger;
    const char *since, *grace, *queue;
    bool dry_run, enqueue;
    enum output_form output;
    struct sweep_options sweep;
    /* with --enqueue */
    struct aws_client *client;
    struct event_sender *sender;
    struct aws_pool *pools[SETTINGS_MAX_ROLES + 1];
    struct receipt_file receipt;
    struct buf missing; /* names, as text or JSON */
    struct json_out j;  /* of them */
};

static const struct option rows[] = {
    {"since", "TIME", "only objects that can hold records since then (3h, 14d)", OPT_TEXT(since)},
    {"grace", "SPAN", "leave younger objects to the queue (default 15m)", OPT_TEXT(grace)},
    {"dry-run", NULL, "only say what is missing", OPT_FLAG(dry_run)},
    {"enqueue", NULL, "send what is missing through the queue, do not count it\nhere",
     OPT_FLAG(enqueue)},
    {"queue", "URL", "with --enqueue: the queue (default: SQS_QUEUE_URL)", OPT_TEXT(queue)},
    RECEIPT_OPTION,
    LEDGER_OPTION,
    OUTPUT_OPTION,
};

static void name_object(void *ctx, const struct round_object *object)
{
    struct options *o = ctx;
    if (o->output == AS_JSON) {
        json_open_object(&o->j, NULL);
        json_add_string(&o->j, "bucket", object->read.bucket);
        json_add_string(&o->j, "key", object->read.key);
        if (!o->dry_run)
            json_add_cstr(&o->j, "reason", object->read.err.text);
        json_close(&o->j);
    } else {
        buf_add_cstr(&o->missing, "missing  ");
        json_quote(&o->missing, object->read.key);
        if (!o->dry_run)
            buf_printf(&o->missing, "  %s", object->read.err.text);
        buf_add_char(&o->missing, '\n');
    }
}

static void write_result(const struct options *o, const struct sweep_result *r, struct buf *out)
{
    if (o->output == AS_JSON) {
        struct json_out j = {.out = out};
        json_open_object(&j, NULL);
        sweep_add_json(&j, r);
        json_open_array(&j, "objects");
        buf_add_view(out, buf_view(&o->missing));
        json_end(&j);
        return;
    }
    buf_add_view(out, buf_view(&o->missing));
    buf_printf(out,
               "listed       %llu\nskipped      %llu\nyoung        %llu\ncounted      %llu\n"
               "unfinished   %llu\nquarantined  %llu\nmissing      %llu\nsent         %llu\n"
               "counted now  %llu\n"
               "failed       %llu\nchanged      %llu\n",
               (unsigned long long)r->listed, (unsigned long long)r->skipped,
               (unsigned long long)r->young, (unsigned long long)r->done,
               (unsigned long long)r->open, (unsigned long long)r->quarantined,
               (unsigned long long)r->missing, (unsigned long long)r->enqueued,
               (unsigned long long)r->counted, (unsigned long long)r->failed,
               (unsigned long long)r->changed);
}

static enum status open_sweep(struct invocation *in, struct error *err)
{
    struct options *o = in->options;
    struct sweep_options *s = &o->sweep;
    struct instant grace;
    buf_init(&o->missing, MAX_TEXT);
    o->j.out = &o->missing;
    s->now.seconds = (int64_t)time(NULL);
    s->grace_s = GRACE_S;
    s->dry_run = o->dry_run;
    s->has_since = o->since != NULL;
    if (o->enqueue && o->receipt.path != NULL)
        return error_set(err, ST_USAGE, E_U108,
                         "--receipt and --enqueue exclude each other: nothing is counted");
    if (o->queue != NULL && !o->enqueue)
        return error_set(err, ST_USAGE, E_U108, "--queue requires --enqueue");
    enum status st = time_option("--since", o->since, s->now, &s->since, err);
    if (st != ST_OK)
        return st;
    if (o->grace != NULL && time_parse(view_of(o->grace), s->now, &grace) != ST_OK)
        return error_set(err, ST_USAGE, E_U204, "--grace \"%.80s\" is not a span such as 15m",
                         o->grace);
    if (o->grace != NULL)
        s->grace_s = s->now.seconds - grace.seconds;
    s->buckets = view_of(variable_get(VAR_S3_BUCKET_NAME));
    if (in->word_count == 1)
        st = source_s3_parse(view_of(in->words[0]), &s->buckets, &s->prefix, err);
    else if (s->buckets.len == 0)
        st = error_set(err, ST_USAGE, E_U107,
                       "neither S3_BUCKET_NAME nor s3://BUCKET says what to list");
    return st == ST_OK ? receipt_file_open(&o->receipt, true, err) : st;
}

/* Ahead of the sweep, how much there is: for the time left. */
struct ahead {
    const struct sweep_options *options;
    struct progress *progress;
    atomic_bool stop;
};

static void *measure_main(void *context)
{
    struct ahead *a = context;
    struct error err = {0};
    uint64_t keys;
    if (sweep_measure(a->options, &a->stop, &keys, &err) == ST_OK)
        progress_expect(a->progress, 0, keys, true);
    return NULL;
}

/* ---- sending what is missing ---- */

/* The clients that list this bucket, by ROLE_ARN. */
static struct aws_pool *choose_pool(void *ctx, struct view bucket)
{
    struct options *o = ctx;
    return o->pools[settings_aws_role(&o->ledger.aws, bucket)];
}

/* One message an object: one that fails does not take others with it. */
static enum status send_objects(void *ctx, const struct round_object *objects, size_t n,
                                struct error *err)
{
    struct options *o = ctx;
    enum status st = ST_OK;
    for (size_t i = 0; i < n && st == ST_OK; i++) {
        struct event_object object = {.bucket = objects[i].read.bucket, .key = objects[i].read.key};
        st = event_sender_add(o->sender, &object, err);
    }
    return st == ST_OK ? event_sender_flush(o->sender, err) : st;
}

static enum status open_sender(struct options *o, struct error *err)
{
    const struct settings_aws *aws = &o->ledger.aws;
    struct event_sender_options sending = {.per_message = 1};
    struct aws_client_options options = settings_aws_client(aws);
    options.stop = o->sweep.stop;
    enum status st = queue_option(o->queue, aws->config, &sending.queue, err);
    if (st == ST_OK)
        st = ledger_command_client(&o->ledger, &o->client, err);
    if (st != ST_OK)
        return st;
    sending.client = o->client;
    o->sender = event_sender_new(&sending);
    bool ok = o->sender != NULL;
    for (size_t i = 0; i <= aws->role_count && ok; i++) {
        options.creds = settings_aws_creds(aws, i);
        o->pools[i] = aws_pool_new(&options);
        ok = o->pools[i] != NULL;
    }
    return ok ? ST_OK : error_set(err, ST_NO_MEMORY, E_R113, "out of memory");
}

static enum status run(struct invocation *in, struct error *err)
{
    struct options *o = in->options;
    struct sweep_options *s = &o->sweep;
    struct ahead ahead = {.options = s};
    pthread_t thread;
    struct sweep_result r;
    struct buf out;
    s->stop = (struct aws_stop){stop_asked, NULL};
    enum status st = ledger_command_open(&o->ledger, o->enqueue ? LEDGER_LOOK : LEDGER_COUNT, err);
    if (st == ST_OK && o->enqueue)
        st = open_sender(o, err);
    if (st != ST_OK)
        return st;
    stop_catch_signals(STOP_IN_ORDER);
    s->round = o->ledger.round == NULL ? NULL : round_exact(o->ledger.round);
    s->session = o->ledger.session;
    s->pool = choose_pool;
    s->send = send_objects;
    s->send_ctx = o;
    s->on_object = name_object;
    s->ctx = o;
    ahead.progress = s->progress = command_progress(in, "objects");
    bool measured = s->progress != NULL && pthread_create(&thread, NULL, measure_main, &ahead) == 0;
    st = sweep_run(s, &r, err);
    atomic_store(&ahead.stop, true);
    if (measured)
        pthread_join(thread, NULL);
    progress_free(s->progress);
    if (sweep_is_off(&r))
        in->exit = EXIT_FOUND_FAULTS;
    /* Also what was done before a failure. */
    struct error detail = {0};
    buf_init(&out, 2 * MAX_TEXT);
    write_result(o, &r, &out);
    enum status printed = command_print(&out, &detail);
    if (!o->enqueue)
        ledger_command_receipt(in, &o->ledger, &o->receipt);
    if (st == ST_OK && printed != ST_OK)
        *err = detail;
    return st == ST_OK ? printed : st;
}

static void close_sweep(void *options)
{
    struct options *o = options;
    receipt_file_abandon(&o->receipt);
    event_sender_free(o->sender);
    for (size_t i = 0; i <= SETTINGS_MAX_ROLES; i++)
        aws_pool_free(o->pools[i]);
    aws_client_free(o->client);
    ledger_command_close(&o->ledger);
    buf_clear(&o->missing);
}

COMMAND(ledger_sweep) = {
    .group = GROUP_LEDGER,
    .family = "ledger",
    .name = "sweep",
    .synopsis = "[s3://BUCKET[/PREFIX]] [OPTIONS]",
    .summary = "Count what the bucket has and the ledger never counted",
    .details =
        "The listing is compared with the ledger: events may be lost, or never sent.  Unfinished\n"
        "batches are finished first.\n"
        "\n"
        "Without an argument the buckets of S3_BUCKET_NAME are listed.  Objects younger than\n"
        "--grace (default 15m) are left to the queue.  A SQLite ledger belongs to one process at "
        "a\n"
        "time: stop its worker first.  The Lambda function does the same on the event\n"
        "  {\"command\":\"sweep\",\"since\":\"3h\"}\n"
        "\n"
        "--enqueue sends what is missing through the queue instead, and only looks into the "
        "ledger:\n"
        "it works while a worker runs, and the function or the workers do the counting.\n"
        "\n"
        "Permissions in addition to the worker's: s3:ListBucket; with --enqueue only that,\n"
        "sqs:SendMessage and reading the ledger.\n"
        "\n"
        "Exit status: 0 nothing is missing, or all of it is counted or sent now; 1 something is\n"
        "missing; 2 wrong usage or configuration.\n",
    .word = "s3://BUCKET[/PREFIX]",
    .max_words = 1,
    .reads = READ_SETS | READ_DESTINATION | READ_PUBLISHING | READ_LEDGER | READ_BUCKETS |
             READ_QUEUE,
    COMMAND_OPTIONS(rows),
    .open = open_sweep,
    .run = run,
    .close = close_sweep,
};
