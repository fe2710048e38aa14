#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/json_out.h"
#include "base/log.h"
#include "cli/cmd_ledger.h"
#include "cli/sweep_enqueue.h"
#include "cli/time_option.h"
#include "cli/upkeep.h"
#include "config/config.h"
#include "config/interval.h"
#include "ledger/sweep.h"
#include "objects/source_s3.h"

enum { GRACE_S = 15 * 60, MAX_TEXT = 16 << 20 };

static const struct command this_command = {
    .name = "sweep",
    .synopsis = "[s3://BUCKET[/PREFIX]] [OPTIONS]",
    .summary =
        "Compare the listing of the bucket(s) with the ledger, and count what was never counted:\n"
        "events that were lost, or never sent.  Unfinished batches are finished first.",
    .details =
        "Without an argument the buckets of S3_BUCKET_NAME are listed.  Objects younger than\n"
        "--grace (default 15m) are left to the queue.  A SQLite ledger belongs to one process at "
        "a\n"
        "time: stop its worker first.  The Lambda function does the same on the event\n"
        "  {\"command\":\"sweep\",\"since\":\"3h\"}\n"
        "\n"
        "--enqueue sends what is missing through the queue instead, and only looks into the "
        "ledger:\n"
        "it works beside a running worker, and the function or the workers do the counting.\n"
        "\n"
        "Permissions beside the worker's: s3:ListBucket; with --enqueue only that,\n"
        "sqs:SendMessage and reading the ledger.\n"
        "\n"
        "Exit status: 0 nothing is missing, or all of it is counted or sent now; 1 something is\n"
        "missing; 2 wrong usage or configuration.\n",
};

struct choice {
    struct upkeep u;
    const char *since, *grace, *queue;
    bool dry_run, enqueue;
    struct sweep_enqueue *sender;
    struct receipt_file receipt;
    struct buf missing; /* names, as text or JSON */
    size_t named;
};

static void name_object(void *ctx, const struct round_object *o)
{
    struct choice *c = ctx;
    if (c->u.json) {
        buf_add_cstr(&c->missing, c->named > 0 ? ",{\"bucket\":" : "{\"bucket\":");
        json_quote(&c->missing, o->bucket);
        buf_add_cstr(&c->missing, ",\"key\":");
        json_quote(&c->missing, o->key);
        if (!c->dry_run) {
            buf_add_cstr(&c->missing, ",\"reason\":");
            json_quote(&c->missing, view_of(o->err.text));
        }
        buf_add_char(&c->missing, '}');
    } else {
        buf_add_cstr(&c->missing, "missing  ");
        json_quote(&c->missing, o->key);
        if (!c->dry_run)
            buf_printf(&c->missing, "  %s", o->err.text);
        buf_add_char(&c->missing, '\n');
    }
    c->named++;
}

static void write_result(struct choice *c, const struct sweep_result *r, struct buf *out)
{
    if (c->u.json) {
        sweep_add_json(out, r);
        out->len--; /* the brace comes behind the names */
        buf_add_cstr(out, ",\"objects\":[");
        buf_add_view(out, buf_view(&c->missing));
        buf_add_cstr(out, "]}\n");
        return;
    }
    buf_add_view(out, buf_view(&c->missing));
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

static enum status settle(struct choice *c, char *const *words, int count, struct sweep_options *o,
                          struct error *err)
{
    struct instant grace;
    o->now.seconds = (int64_t)time(NULL);
    o->grace_s = GRACE_S;
    o->dry_run = c->dry_run;
    o->has_since = c->since != NULL;
    if (c->enqueue && c->receipt.path != NULL)
        return error_set(err, ST_USAGE, E_U108,
                         "--receipt and --enqueue exclude each other: nothing is counted");
    if (c->queue != NULL && !c->enqueue)
        return error_set(err, ST_USAGE, E_U108, "--queue goes with --enqueue only");
    enum status st = time_option("--since", c->since, o->now, &o->since, err);
    if (st != ST_OK)
        return st;
    if (c->grace != NULL && time_parse(view_of(c->grace), o->now, &grace) != ST_OK)
        return error_set(err, ST_USAGE, E_U204, "--grace \"%.80s\" is no span such as 15m",
                         c->grace);
    if (c->grace != NULL)
        o->grace_s = o->now.seconds - grace.seconds;
    if (count > 1)
        return error_set(err, ST_USAGE, E_U106, "\"%.80s\": sweep takes one s3://BUCKET[/PREFIX]",
                         words[1]);
    if (count == 1)
        return source_s3_parse(view_of(words[0]), &o->buckets, &o->prefix, err);
    o->buckets = view_of(config_get("S3_BUCKET_NAME", NULL));
    if (o->buckets.len == 0)
        return error_set(err, ST_USAGE, E_U107,
                         "neither S3_BUCKET_NAME nor s3://BUCKET says what to list");
    return ST_OK;
}

/* Ahead of the sweep, how much there is: for the time left. */
struct ahead {
    const struct sweep_options *options;
    struct progress *progress;
    atomic_bool stop;
    pthread_t thread;
    bool started;
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

static void begin_progress(struct ahead *a, const struct upkeep *u, struct sweep_options *o)
{
    a->options = o;
    a->progress = o->progress = upkeep_progress(u, "objects");
    a->started = a->progress != NULL && pthread_create(&a->thread, NULL, measure_main, a) == 0;
}

static void end_progress(struct ahead *a)
{
    atomic_store(&a->stop, true);
    if (a->started)
        pthread_join(a->thread, NULL);
    progress_free(a->progress);
}

int cmd_sweep(int argc, char **argv)
{
    static struct choice c;
    struct sweep_options o = {.stop = {upkeep_stopped, NULL}, .on_object = name_object, .ctx = &c};
    struct sweep_result r;
    struct error err = {0};
    struct option_spec specs[UPKEEP_OPTION_COUNT + 6] = {
        {"since", "TIME", "only objects that can hold records since then (3h, 14d)", &c.since,
         NULL},
        {"grace", "SPAN", "leave younger objects to the queue (default 15m)", &c.grace, NULL},
        {"dry-run", NULL, "only say what is missing", NULL, &c.dry_run},
        {"enqueue", NULL, "send what is missing through the queue, do not count it\nhere", NULL,
         &c.enqueue},
        {"queue", "URL", "with --enqueue: the queue (default: SQS_QUEUE_URL)", &c.queue, NULL},
        receipt_file_option(&c.receipt),
    };
    enum { SPEC_COUNT = sizeof(specs) / sizeof(specs[0]) };
    int count;
    upkeep_options_table(&c.u, specs + 6);
    enum status st = options_parse(specs, SPEC_COUNT, argc, argv, &count, &err);
    if (st == ST_END) {
        options_help(&this_command, specs, SPEC_COUNT);
        return EXIT_DONE;
    }
    buf_init(&c.missing, MAX_TEXT);
    if (st == ST_OK)
        st = upkeep_apply(&c.u, &err);
    if (st == ST_OK)
        st = settle(&c, argv, count, &o, &err);
    if (st == ST_OK)
        st = receipt_file_open(&c.receipt, true, &err);
    if (st == ST_OK)
        st = upkeep_open(&c.u, c.enqueue ? UPKEEP_LOOK : UPKEEP_COUNT, &err);
    if (st == ST_OK && c.enqueue)
        st = sweep_enqueue_open(&c.sender, c.queue, &c.u.aws, o.stop, &err);
    int status = EXIT_DONE;
    if (st == ST_OK) {
        struct buf out;
        buf_init(&out, 2 * MAX_TEXT);
        upkeep_catch_signals();
        o.round = c.u.round;
        o.session = c.u.session;
        o.pool = sweep_enqueue_pool;
        o.send = sweep_enqueue_send;
        o.send_ctx = c.sender;
        static struct ahead ahead;
        begin_progress(&ahead, &c.u, &o);
        st = sweep_run(&o, &r, &err);
        end_progress(&ahead);
        write_result(&c, &r, &out);
        status = upkeep_print("sweep", &out, sweep_is_off(&r) ? EXIT_FOUND_FAULTS : EXIT_DONE);
        buf_clear(&out);
        if (!c.enqueue && !upkeep_receipt(&c.u, "sweep", &c.receipt))
            status = EXIT_FOUND_FAULTS;
    }
    if (st != ST_OK)
        status = upkeep_failed("sweep", st, &err);
    receipt_file_abandon(&c.receipt);
    sweep_enqueue_close(c.sender);
    upkeep_close(&c.u);
    buf_clear(&c.missing);
    return status;
}
