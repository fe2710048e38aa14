/*
 * cmd_enqueue.c: a backfill: the listing of a bucket, sent as S3 events through the queue.
 */
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "base/json_out.h"
#include "base/json_read.h"
#include "base/log.h"
#include "base/stop.h"
#include "base/whole_file.h"
#include "cli/commands.h"
#include "cli/event_sender.h"
#include "cli/option_values.h"
#include "cli/out_file.h"
#include "config/interval.h"
#include "config/settings.h"
#include "config/variables.h"
#include "count/progress.h"
#include "objects/object_key.h"
#include "objects/source_s3.h"

enum {
    SAVE_AFTER_S = 2,
    REPORT_AFTER_S = 10,
    HOUR_S = 3600,
    MAX_STATE_FILE = 1024 * 1024,
};

struct totals {
    uint64_t found, sent, old;
    uint64_t skipped[OBJECT_SKIP_COUNT];
    int64_t oldest_s;
};

/* The options and one run. */
struct options {
    const char *queue_url, *since_text, *until_text, *state, *start_after;
    uint64_t per_message;
    bool all, dry_run;
    struct view url, bucket, prefix;
    struct event_sender_options sending;
    struct settings_aws aws;
    struct aws_client *queue_client, *reader; /* the latter with the bucket's role */
    struct progress *progress;
    struct buf region; /* of the bucket */
    struct time_range range;
    struct s3_walk *walk;
    struct totals totals;
    struct event_sender *sender;
    struct buf last_key;  /* listed last */
    struct buf last_sent; /* up to here all are sent */
    int64_t saved_s, reported_s;
};

static const struct option rows[] = {
    {"queue", "URL", "the queue (default: SQS_QUEUE_URL)", OPT_TEXT(queue_url)},
    {"since", "TIME", "only objects that can hold records at or after TIME", OPT_TEXT(since_text)},
    {"until", "TIME", "only objects that can hold records before TIME", OPT_TEXT(until_text)},
    {"state", "FILE", "remember the last key sent there, and continue after it", OPT_TEXT(state)},
    {"start-after", "KEY", "only keys after this one, in S3's order", OPT_TEXT(start_after)},
    {"per-message", "N",
     "objects of a message (default 1); one that fails\nmakes SQS deliver the others again too",
     OPT_NUMBER(per_message, 1, EVENT_SENDER_MAX_PER_MESSAGE, 1)},
    {"all", NULL, "send objects of any age", OPT_FLAG(all)},
    {"dry-run", NULL, "list and count, send nothing", OPT_FLAG(dry_run)},
};

/* ---- state ---- */

static enum status save_state(struct options *o, bool complete, struct error *err)
{
    struct buf text;
    struct json_out j = {.out = &text};
    if (o->state == NULL || o->dry_run)
        return ST_OK;
    buf_init(&text, 64 * 1024);
    json_begin(&j, "bedrock-metrics/enqueue/1");
    json_add_string(&j, "source", o->url);
    json_add_cstr(&j, "queue", o->sending.queue.url);
    json_add_string(&j, "last_key", buf_view(&o->last_sent));
    json_add_bool(&j, "complete", complete);
    json_end(&j);
    enum status st = out_file_write(o->state, &text, err);
    buf_clear(&text);
    return st;
}

/* last_sent from the file, if there is one. */
static enum status load_state(struct options *o, struct error *err)
{
    struct buf text;
    if (o->state == NULL || access(o->state, F_OK) != 0)
        return ST_OK;
    struct error detail = {0};
    buf_init(&text, MAX_STATE_FILE);
    enum status st = whole_file_read(&text, o->state, WHOLE_FILE_REGULAR, NULL, &detail);
    if (st != ST_OK)
        st = error_set(err, ST_USAGE, detail.code, "--state %.80s %s", o->state, detail.text);

    json_t *state = st == ST_OK ? json_read(buf_view(&text), 0, NULL) : NULL;
    const json_t *last = json_object_get(state, "last_key");
    if (st == ST_OK && !view_eq_cstr(json_text(state, "schema"), "bedrock-metrics/enqueue/1"))
        st = error_set(err, ST_USAGE, E_U404, "--state %.80s is not a state file of enqueue",
                       o->state);
    else if (st == ST_OK && (!view_eq(json_text(state, "source"), o->url) ||
                             !view_eq_cstr(json_text(state, "queue"), o->sending.queue.url)))
        st = error_set(err, ST_USAGE, E_U404, "--state %.80s is of another bucket, prefix or queue",
                       o->state);
    else if (st == ST_OK && json_is_string(last))
        buf_add_view(&o->last_sent, json_view(last));
    json_decref(state);
    buf_clear(&text);
    return st == ST_OK ? buf_status(&o->last_sent) : st;
}

/* ---- sending ---- */

/* All up to last_key are sent. */
static enum status note_sent(struct options *o, struct error *err)
{
    time_t now = time(NULL);
    buf_reset(&o->last_sent);
    buf_add_view(&o->last_sent, buf_view(&o->last_key));
    if (now - o->reported_s >= REPORT_AFTER_S && o->progress == NULL) {
        o->reported_s = now;
        LOG_EVENT(LOG_INFO, "enqueued", log_u64("objects", o->totals.sent),
                  log_view("last_key", buf_view(&o->last_sent)));
    }
    if (now - o->saved_s < SAVE_AFTER_S)
        return buf_status(&o->last_sent);
    o->saved_s = now;
    return save_state(o, false, err);
}

static enum status add_object(struct options *o, const struct s3_entry *entry, struct error *err)
{
    struct view etag = entry->etag;
    if (etag.len >= 2 && etag.ptr[0] == '"')
        etag = view_make(etag.ptr + 1, etag.len - 2);
    struct event_object object = {.bucket = o->bucket,
                                  .key = entry->key,
                                  .etag = etag,
                                  .region = buf_view(&o->region),
                                  .size = entry->size,
                                  .has_size = true};
    o->totals.sent++;
    return event_sender_add(o->sender, &object, err);
}

/* ---- listing ---- */

static enum status see(struct options *o, const struct s3_entry *entry, struct error *err)
{
    enum object_skip skip = object_key_skip(entry->key);
    /* No record in it can be newer than this: by its hour folder, or when it was written. */
    int64_t hour;
    int64_t newest = s3_key_hour(entry->key, &hour) ? hour + HOUR_S : entry->modified_s;
    enum status st = ST_OK;
    bool send = false;
    o->totals.found++;
    progress_add_object(o->progress);
    if (skip != OBJECT_READ) {
        o->totals.skipped[skip]++;
    } else if (!o->all && newest != 0 && time(NULL) - newest > DATUM_MAX_AGE_S) {
        o->totals.old++;
        if (o->totals.oldest_s == 0 || newest < o->totals.oldest_s)
            o->totals.oldest_s = newest;
    } else {
        send = true;
        st = add_object(o, entry, err);
    }
    buf_reset(&o->last_key);
    buf_add_view(&o->last_key, entry->key);
    if (st == ST_OK && send && event_sender_pending(o->sender) == 0)
        st = note_sent(o, err);
    return st == ST_OK ? buf_status(&o->last_key) : st;
}

static enum status send_all(struct options *o, struct error *err)
{
    struct s3_entry entry;
    struct s3_walk_options options = {.bucket = o->bucket,
                                      .prefix = o->prefix,
                                      .start_after = buf_view(&o->last_sent),
                                      .range = o->range};
    struct buf start;
    buf_init(&start, 4096);
    buf_add_view(&start, buf_view(&o->last_sent)); /* which changes meanwhile */
    options.start_after = buf_view(&start);
    enum status st = s3_head_bucket(o->reader, o->bucket, &o->region, err);
    if (st == ST_OK)
        st = s3_walk_open(&o->walk, o->reader, &options, err);
    while (st == ST_OK && !stop_asked(NULL)) {
        st = s3_walk_next(o->walk, &entry, err);
        if (st == ST_OK)
            st = see(o, &entry, err);
    }
    if (st == ST_END) {
        st = event_sender_flush(o->sender, err);
        if (st == ST_OK && o->last_key.len > 0)
            st = note_sent(o, err);
        if (st == ST_OK)
            st = save_state(o, true, err);
    } else {
        /* What is gathered is not sent: the state is from before it. */
        struct error ignored = {0};
        (void)!save_state(o, false, &ignored);
        if (stop_asked(NULL))
            st = ST_CANCELLED;
    }
    buf_clear(&start);
    return st;
}

/* ---- settings ---- */

static enum status open_enqueue(struct invocation *in, struct error *err)
{
    struct options *o = in->options;
    struct instant now = {time(NULL), 0};
    buf_init(&o->region, 64);
    buf_init(&o->last_key, 4096);
    buf_init(&o->last_sent, 4096);
    o->url = view_of(in->words[0]);
    enum status st = source_s3_parse(o->url, &o->bucket, &o->prefix, err);
    if (st == ST_OK)
        st = time_option_range(o->since_text, o->until_text, now, &o->range, err);
    if (st == ST_OK && o->state != NULL && o->start_after != NULL)
        st = error_set(err, ST_USAGE, E_U108, "--state and --start-after exclude each other");
    if (st == ST_OK)
        st = settings_aws_open(&o->aws, err);
    if (st == ST_OK)
        st = queue_option(o->queue_url, o->aws.config, &o->sending.queue, err);
    if (st == ST_OK)
        st = load_state(o, err);
    if (st == ST_OK && o->start_after != NULL)
        buf_add_cstr(&o->last_sent, o->start_after);
    if (st == ST_OK && variable_given(VAR_S3_BUCKET_NAME) &&
        !event_bucket_allowed(view_of(variable_get(VAR_S3_BUCKET_NAME)), o->bucket))
        LOG_FAULT(LOG_WARN, E_Q130,
                  "the bucket is not in S3_BUCKET_NAME: receivers refuse its events",
                  log_view("bucket", o->bucket));
    return st;
}

static void print_totals(const struct options *o)
{
    const struct totals *t = &o->totals;
    uint64_t skipped = 0;
    uint64_t pending = o->sender != NULL ? event_sender_pending(o->sender) : 0;
    for (size_t i = 0; i < OBJECT_SKIP_COUNT; i++)
        skipped += t->skipped[i];
    printf("objects: %llu found = %llu %s in %llu messages + %llu skipped + %llu too old\n",
           (unsigned long long)t->found, (unsigned long long)(t->sent - pending),
           o->dry_run ? "to send" : "sent",
           (unsigned long long)(o->sender != NULL ? event_sender_messages(o->sender) : 0),
           (unsigned long long)skipped, (unsigned long long)t->old);
    if (t->old > 0) {
        char oldest[RFC3339_BYTES];
        rfc3339_format(t->oldest_s, oldest);
        LOG_FAULT(
            LOG_WARN, E_P120,
            "older than the two weeks CloudWatch takes, not sent; `bedrock-metrics aggregate` "
            "reports on them (--output table, csv, json, openmetrics)",
            log_u64("objects", t->old), log_cstr("oldest", oldest));
    }
}

static enum status run(struct invocation *in, struct error *err)
{
    struct options *o = in->options;
    struct aws_client_options options = settings_aws_client(&o->aws);
    options.stop.asked = stop_asked;
    stop_catch_signals(STOP_IN_ORDER);
    if (!in->common.quiet && isatty(STDERR_FILENO))
        o->progress = progress_new();
    o->reported_s = o->saved_s = time(NULL);
    enum status st = aws_client_new(&o->queue_client, &options, err);
    o->sending.client = o->dry_run ? NULL : o->queue_client;
    options.creds = settings_aws_creds(&o->aws, settings_aws_role(&o->aws, o->bucket));
    if (st == ST_OK)
        st = aws_client_new(&o->reader, &options, err);
    o->sending.per_message = (size_t)o->per_message;
    if (st == ST_OK) {
        o->sender = event_sender_new(&o->sending);
        st = o->sender == NULL ? error_set(err, ST_NO_MEMORY, E_R113, "out of memory")
                               : send_all(o, err);
    }
    print_totals(o);
    if (st == ST_CANCELLED) {
        LOG_FAULT(LOG_WARN, E_Q132, "interrupted", log_view("last_key", buf_view(&o->last_sent)));
        return st;
    }
    if (st != ST_OK) {
        LOG_FAULT(LOG_ERROR, E_Q131, "enqueue ends early", log_cstr("reason", err->text),
                  log_view("last_key", buf_view(&o->last_sent)));
        in->exit = EXIT_FOUND_FAULTS;
    }
    return ST_OK;
}

static void close_enqueue(void *options)
{
    struct options *o = options;
    s3_walk_close(o->walk);
    aws_client_free(o->queue_client);
    aws_client_free(o->reader);
    progress_free(o->progress);
    settings_aws_close(&o->aws);
    event_sender_free(o->sender);
    buf_clear(&o->region);
    buf_clear(&o->last_key);
    buf_clear(&o->last_sent);
}

COMMAND(enqueue) = {
    .group = GROUP_AWS,
    .name = "enqueue",
    .synopsis = "s3://BUCKET[/PREFIX] [OPTIONS]",
    .summary = "Send existing objects through the queue (backfill)",
    .details =
        "Sends an S3 event for each object to the queue, so that the Lambda function or the\n"
        "workers count them.\n"
        "\n"
        "Objects that hold no log records are skipped by key.  CloudWatch rejects data older than\n"
        "two weeks: such objects are counted and skipped, unless --all is given;\n"
        "\"bedrock-metrics aggregate s3://...\" reports on any age.\n"
        "\n"
        "With --state FILE an interrupted run resumes where it stopped when it is started again.\n"
        "A message whose answer was lost is sent again, and an object that was counted before\n"
        "counts again: only a ledger (LEDGER) on the consumer prevents that.\n"
        "\n"
        "Permissions: s3:ListBucket on the bucket, sqs:SendMessage on the queue.\n"
        "\n"
        "Exit status: 0 done; 1 something could not be listed or sent (it is named); 2 wrong "
        "usage;\n"
        "130, 143 interrupted.\n",
    .word = "s3://BUCKET[/PREFIX]",
    .min_words = 1,
    .max_words = 1,
    .reads = READ_QUEUE | READ_BUCKETS,
    COMMAND_OPTIONS(rows),
    .open = open_enqueue,
    .run = run,
    .close = close_enqueue,
};
