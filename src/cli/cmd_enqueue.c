#include "cli/cmd_enqueue.h"

#include <errno.h>
#include <jansson.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "aws/sigv4.h"
#include "aws/sqs.h"
#include "base/json_read.h"
#include "base/json_out.h"
#include "base/log.h"
#include "cli/options.h"
#include "cli/out_file.h"
#include "cli/read_file.h"
#include "cli/time_option.h"
#include "config/config.h"
#include "config/interval.h"
#include "config/settings.h"
#include "count/progress.h"
#include "events/event_make.h"
#include "objects/object_key.h"
#include "objects/source_s3.h"

enum {
    MAX_PER_MESSAGE = 100,
    GATHERED = 100, /* messages handed to SQS at a time */
    MAX_BODY = SQS_MAX_BODY,
    SAVE_AFTER_S = 2,
    TELL_AFTER_S = 10,
    MAX_KEY = 1024,
    HOUR_S = 3600,
};

static const struct command this_command = {
    .name = "enqueue",
    .synopsis = "s3://BUCKET[/PREFIX] [OPTIONS]",
    .summary =
        "Send the log objects that exist already as S3 events to the queue, so that the Lambda\n"
        "function or the workers count them: a backfill.",
    .details =
        "Objects that hold no log records are left out by their names.  CloudWatch takes nothing\n"
        "older than two weeks: such objects are counted and left out, unless --all is given;\n"
        "\"bedrock-metrics aggregate s3://...\" reports on any age.\n"
        "\n"
        "With --state FILE an interrupted run goes on where it stopped when it is started again.\n"
        "A message whose answer was lost is sent again, and an object that was counted before\n"
        "counts again: only a ledger (LEDGER) at the receiving end prevents that.\n"
        "\n"
        "Permissions: s3:ListBucket on the bucket, sqs:SendMessage on the queue.\n"
        "\n"
        "Exit status: 0 done; 1 something could not be listed or sent (it is named); 2 wrong "
        "usage;\n"
        "130, 143 interrupted.\n",
};

struct choice {
    const char *queue, *since, *until, *state, *start_after, *per_message;
    bool all, dry_run;
    struct common_options common;
};

struct totals {
    uint64_t found, sent, messages, old;
    uint64_t skipped[OBJECT_SKIP_COUNT];
    int64_t oldest_s;
};

/* One run.  Keys are gathered into messages, messages into calls. */
struct enqueue {
    const struct choice *c;
    struct view url, bucket, prefix;
    struct sqs_queue queue;
    struct settings_aws aws;
    struct aws_pool *pool;
    struct aws_client *client;
    struct progress *progress;
    struct buf region; /* of the bucket */
    size_t per_message;
    struct instant since, until;
    struct s3_walk *walk;
    struct totals totals;
    /* of the message under way */
    struct event_object objects[MAX_PER_MESSAGE];
    char keys[MAX_PER_MESSAGE][MAX_KEY];
    char etags[MAX_PER_MESSAGE][64];
    size_t object_count;
    /* of the call under way */
    struct buf bodies[GATHERED];
    char dedup[GATHERED][65];
    size_t message_count, gathered_objects;
    struct buf last_key;  /* listed last */
    struct buf last_seen; /* up to here all are in whole messages */
    struct buf last_sent; /* up to here all are sent */
    int64_t saved_s, told_s;
};

static volatile sig_atomic_t signal_number;

static void on_signal(int number)
{
    if (signal_number != 0)
        _exit(128 + number);
    signal_number = number;
}

static bool stop_asked(void *context)
{
    (void)context;
    return signal_number != 0;
}

/* ---- state ---- */

static enum status save_state(struct enqueue *e, bool complete, struct error *err)
{
    struct out_file out;
    struct buf text;
    if (e->c->state == NULL || e->c->dry_run)
        return ST_OK;
    buf_init(&text, 64 * 1024);
    buf_add_cstr(&text, "{\"schema\":\"bedrock-metrics/enqueue/1\",\"source\":");
    json_quote(&text, e->url);
    buf_add_cstr(&text, ",\"queue\":");
    json_quote(&text, view_of(e->queue.url));
    buf_add_cstr(&text, ",\"last_key\":");
    json_quote(&text, buf_view(&e->last_sent));
    buf_printf(&text, ",\"complete\":%s}\n", complete ? "true" : "false");
    enum status st = buf_status(&text);
    if (st == ST_OK)
        st = out_file_open(&out, e->c->state, err);
    if (st == ST_OK) {
        (void)fwrite(text.ptr, 1, text.len, out.file);
        st = out_file_close(&out, err);
    }
    buf_clear(&text);
    return st;
}

static bool same_text(const json_t *state, const char *name, struct view wanted)
{
    const json_t *m = json_object_get(state, name);
    return json_is_string(m) &&
           view_eq(view_make(json_string_value(m), json_string_length(m)), wanted);
}

/* last_sent from the file, if there is one. */
static enum status load_state(struct enqueue *e, struct error *err)
{
    struct buf text;
    if (e->c->state == NULL || access(e->c->state, F_OK) != 0)
        return ST_OK;
    enum status st = read_file(e->c->state, &text, err);
    json_t *state = st == ST_OK ? json_read(buf_view(&text), 0, NULL) : NULL;
    const json_t *last = json_object_get(state, "last_key");
    if (st == ST_OK && !same_text(state, "schema", VIEW_LIT("bedrock-metrics/enqueue/1")))
        st = error_set(err, ST_USAGE, E_U404, "--state %.80s is no state of enqueue", e->c->state);
    else if (st == ST_OK && (!same_text(state, "source", e->url) ||
                             !same_text(state, "queue", view_of(e->queue.url))))
        st = error_set(err, ST_USAGE, E_U404, "--state %.80s is of another bucket, prefix or queue",
                       e->c->state);
    else if (st == ST_OK && json_is_string(last))
        buf_add(&e->last_sent, json_string_value(last), json_string_length(last));
    json_decref(state);
    buf_clear(&text);
    return st == ST_OK ? buf_status(&e->last_sent) : st;
}

/* ---- sending ---- */

static enum status flush(struct enqueue *e, struct error *err)
{
    struct sqs_outgoing entries[GATHERED];
    enum status each[GATHERED];
    size_t n = e->message_count;
    for (size_t i = 0; i < n; i++) {
        entries[i] = (struct sqs_outgoing){.body = buf_view(&e->bodies[i])};
        if (e->queue.fifo) {
            entries[i].group_id = VIEW_LIT("backfill");
            entries[i].dedup_id = view_of(e->dedup[i]);
        }
    }
    enum status st = ST_OK;
    if (n > 0 && !e->c->dry_run)
        st = sqs_send(e->client, &e->queue, entries, n, each, err);
    if (st != ST_OK)
        return st;
    e->totals.messages += n;
    e->totals.sent += e->gathered_objects;
    e->message_count = e->gathered_objects = 0;
    buf_reset(&e->last_sent);
    buf_add_view(&e->last_sent, buf_view(&e->last_seen));
    time_t now = time(NULL);
    if (now - e->told_s >= TELL_AFTER_S && e->progress == NULL) {
        e->told_s = now;
        LOG_EVENT(LOG_INFO, "enqueued", log_u64("objects", e->totals.sent),
                  log_view("last_key", buf_view(&e->last_sent)));
    }
    if (now - e->saved_s < SAVE_AFTER_S)
        return buf_status(&e->last_sent);
    e->saved_s = now;
    return save_state(e, false, err);
}

/* The objects gathered become a message. */
static enum status end_message(struct enqueue *e, struct error *err)
{
    if (e->object_count == 0)
        return ST_OK;
    struct buf *body = &e->bodies[e->message_count];
    buf_reset(body);
    enum status st = event_make_s3(e->objects, e->object_count, time(NULL), body, err);
    if (st == ST_OK && e->queue.fifo) {
        /* The same object again within five minutes is then one message. */
        struct buf name;
        buf_init(&name, (MAX_KEY + 64) * MAX_PER_MESSAGE);
        for (size_t i = 0; i < e->object_count; i++) {
            buf_add_view(&name, e->objects[i].bucket);
            buf_add_char(&name, '/');
            buf_add_view(&name, e->objects[i].key);
            buf_add_char(&name, '\n');
        }
        st = buf_status(&name);
        if (st == ST_OK)
            st = sigv4_sha256_hex(buf_view(&name), e->dedup[e->message_count]);
        buf_clear(&name);
    }
    if (st != ST_OK)
        return st;
    e->message_count++;
    e->gathered_objects += e->object_count;
    buf_reset(&e->last_seen);
    buf_add_view(&e->last_seen, e->objects[e->object_count - 1].key);
    e->object_count = 0;
    return e->message_count == GATHERED ? flush(e, err) : ST_OK;
}

static struct view keep(char *out, size_t size, struct view text)
{
    size_t n = text.len < size ? text.len : size;
    if (n > 0)
        memcpy(out, text.ptr, n);
    return view_make(out, n);
}

static enum status add_object(struct enqueue *e, const struct s3_entry *entry, struct error *err)
{
    size_t i = e->object_count;
    struct view etag = entry->etag;
    if (etag.len >= 2 && etag.ptr[0] == '"')
        etag = view_make(etag.ptr + 1, etag.len - 2);
    e->objects[i] = (struct event_object){.bucket = e->bucket,
                                          .key = keep(e->keys[i], MAX_KEY, entry->key),
                                          .etag = keep(e->etags[i], sizeof(e->etags[i]), etag),
                                          .region = buf_view(&e->region),
                                          .size = entry->size,
                                          .has_size = true};
    e->object_count++;
    return e->object_count == e->per_message ? end_message(e, err) : ST_OK;
}

/* ---- listing ---- */

/* No record in it can be newer than this: by its hour folder, or when it was written. */
static int64_t newest_s(const struct s3_entry *entry)
{
    int64_t hour;
    return s3_key_hour(entry->key, &hour) ? hour + HOUR_S : entry->modified_s;
}

static enum status see(struct enqueue *e, const struct s3_entry *entry, struct error *err)
{
    enum object_skip skip = object_key_skip(entry->key);
    int64_t newest = newest_s(entry);
    enum status st = ST_OK;
    e->totals.found++;
    progress_add_object(e->progress);
    if (skip != OBJECT_READ) {
        e->totals.skipped[skip]++;
    } else if (!e->c->all && newest != 0 && time(NULL) - newest > DATUM_MAX_AGE_S) {
        e->totals.old++;
        if (e->totals.oldest_s == 0 || newest < e->totals.oldest_s)
            e->totals.oldest_s = newest;
    } else {
        st = add_object(e, entry, err);
    }
    buf_reset(&e->last_key);
    buf_add_view(&e->last_key, entry->key);
    return st == ST_OK ? buf_status(&e->last_key) : st;
}

static enum status run(struct enqueue *e, struct error *err)
{
    struct s3_entry entry;
    struct s3_walk_options options = {.bucket = e->bucket,
                                      .prefix = e->prefix,
                                      .start_after = buf_view(&e->last_sent),
                                      .has_since = e->c->since != NULL,
                                      .has_until = e->c->until != NULL,
                                      .since = e->since,
                                      .until = e->until};
    struct buf start;
    buf_init(&start, 4096);
    buf_add_view(&start, buf_view(&e->last_sent)); /* which changes meanwhile */
    options.start_after = buf_view(&start);
    enum status st = s3_head_bucket(e->client, e->bucket, VIEW_EMPTY, &e->region, err);
    if (st == ST_OK)
        st = s3_walk_open(&e->walk, e->client, &options, err);
    while (st == ST_OK && signal_number == 0) {
        st = s3_walk_next(e->walk, &entry, err);
        if (st == ST_OK)
            st = see(e, &entry, err);
    }
    if (st == ST_END) {
        st = end_message(e, err);
        if (st == ST_OK && e->last_key.len > 0) {
            buf_reset(&e->last_seen);
            buf_add_view(&e->last_seen, buf_view(&e->last_key));
        }
        if (st == ST_OK)
            st = flush(e, err);
        if (st == ST_OK)
            st = save_state(e, true, err);
    } else {
        /* What is gathered is not sent: the state stands before it. */
        struct error ignored = {0};
        (void)!save_state(e, false, &ignored);
        if (signal_number != 0)
            st = ST_CANCELLED;
    }
    buf_clear(&start);
    return st;
}

/* ---- settings ---- */

static enum status choose_times(struct enqueue *e, struct error *err)
{
    struct sources_range range = {0};
    struct instant now = {time(NULL), 0};
    enum status st = time_option_range(e->c->since, e->c->until, now, &range, err);
    e->since = range.since;
    e->until = range.until;
    return st;
}

static enum status choose_queue(struct enqueue *e, struct error *err)
{
    struct error detail = {0};
    const char *url = e->c->queue != NULL ? e->c->queue : config_get("SQS_QUEUE_URL", NULL);
    if (url == NULL)
        return error_set(err, ST_USAGE, E_U301, "no queue: give --queue or set SQS_QUEUE_URL");
    if (strchr(url, ',') != NULL)
        return error_set(err, ST_USAGE, E_U301,
                         "SQS_QUEUE_URL names several queues: say with --queue which is meant");
    if (sqs_queue_parse(view_of(url), e->aws.config, &e->queue, &detail) != ST_OK)
        return error_set(err, ST_USAGE, detail.code, "queue \"%.120s\": %s", url, detail.text);
    return ST_OK;
}

static enum status settle(struct enqueue *e, const char *url, struct error *err)
{
    uint64_t number = 1;
    const struct choice *c = e->c;
    e->url = view_of(url);
    enum status st = common_options_apply(&c->common, err);
    if (st == ST_OK)
        st = source_s3_parse(e->url, &e->bucket, &e->prefix, err);
    if (st == ST_OK)
        st = choose_times(e, err);
    if (st == ST_OK && c->per_message != NULL &&
        (view_parse_u64(view_of(c->per_message), MAX_PER_MESSAGE, &number) != ST_OK || number == 0))
        st = error_set(err, ST_USAGE, E_U208, "--per-message \"%.80s\" is no number from 1 to %d",
                       c->per_message, MAX_PER_MESSAGE);
    e->per_message = (size_t)number;
    if (st == ST_OK && c->state != NULL && c->start_after != NULL)
        st = error_set(err, ST_USAGE, E_U108, "--state and --start-after exclude each other");
    if (st == ST_OK)
        st = settings_aws_open(&e->aws, err);
    if (st == ST_OK)
        st = choose_queue(e, err);
    if (st == ST_OK)
        st = load_state(e, err);
    if (st == ST_OK && c->start_after != NULL)
        buf_add_cstr(&e->last_sent, c->start_after);
    buf_add_view(&e->last_seen, buf_view(&e->last_sent));
    if (st == ST_OK && config_get("S3_BUCKET_NAME", NULL) != NULL &&
        !event_bucket_allowed(view_of(config_get("S3_BUCKET_NAME", NULL)), e->bucket))
        LOG_FAULT(LOG_WARN, E_Q130,
                  "the bucket is not in S3_BUCKET_NAME: receivers refuse its events",
                  log_view("bucket", e->bucket));
    return st;
}

static enum status open_clients(struct enqueue *e, struct error *err)
{
    struct aws_client_options options = {.config = e->aws.config,
                                         .creds = e->aws.creds,
                                         .budget = e->aws.budget,
                                         .clock = aws_clock_system(),
                                         .stop = {stop_asked, NULL}};
    struct sigaction action = {.sa_handler = on_signal};
    sigemptyset(&action.sa_mask);
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
    signal(SIGPIPE, SIG_IGN);
    if (!e->c->common.quiet && isatty(STDERR_FILENO))
        e->progress = progress_new();
    e->told_s = e->saved_s = time(NULL);
    return aws_client_new(&e->client, &options, err);
}

static void print_totals(const struct enqueue *e)
{
    const struct totals *t = &e->totals;
    uint64_t skipped = 0;
    for (size_t i = 0; i < OBJECT_SKIP_COUNT; i++)
        skipped += t->skipped[i];
    printf("objects: %llu found = %llu %s in %llu messages + %llu skipped + %llu too old\n",
           (unsigned long long)t->found, (unsigned long long)t->sent,
           e->c->dry_run ? "to send" : "sent", (unsigned long long)t->messages,
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

static int finish(struct enqueue *e, enum status st, const struct error *err)
{
    print_totals(e);
    if (st == ST_CANCELLED) {
        LOG_FAULT(LOG_WARN, E_Q132, "interrupted", log_view("last_key", buf_view(&e->last_sent)));
        return 128 + (signal_number != 0 ? signal_number : SIGTERM);
    }
    if (st != ST_OK) {
        LOG_FAULT(LOG_ERROR, E_Q131, "enqueue ends early", log_cstr("reason", err->text),
                  log_view("last_key", buf_view(&e->last_sent)));
        return EXIT_FOUND_FAULTS;
    }
    return EXIT_DONE;
}

static struct enqueue *enqueue_new(const struct choice *c)
{
    struct enqueue *e = calloc(1, sizeof(*e));
    if (e == NULL)
        return NULL;
    e->c = c;
    buf_init(&e->region, 64);
    buf_init(&e->last_key, 4096);
    buf_init(&e->last_seen, 4096);
    buf_init(&e->last_sent, 4096);
    for (size_t i = 0; i < GATHERED; i++)
        buf_init(&e->bodies[i], MAX_BODY);
    return e;
}

static void enqueue_free(struct enqueue *e)
{
    if (e == NULL)
        return;
    s3_walk_close(e->walk);
    aws_client_free(e->client);
    progress_free(e->progress);
    settings_aws_close(&e->aws);
    for (size_t i = 0; i < GATHERED; i++)
        buf_clear(&e->bodies[i]);
    buf_clear(&e->region);
    buf_clear(&e->last_key);
    buf_clear(&e->last_seen);
    buf_clear(&e->last_sent);
    free(e);
}

int cmd_enqueue(int argc, char **argv)
{
    struct choice c = {0};
    struct error err = {0};
    struct option_spec specs[COMMON_OPTION_COUNT + 8] = {
        {"queue", "URL", "the queue (default: SQS_QUEUE_URL)", &c.queue, NULL},
        {"since", "TIME", "only objects that can hold records at or after TIME", &c.since, NULL},
        {"until", "TIME", "only objects that can hold records before TIME", &c.until, NULL},
        {"state", "FILE", "remember the last key sent there, and go on behind it", &c.state, NULL},
        {"start-after", "KEY", "only keys behind this one, in S3's order", &c.start_after, NULL},
        {"per-message", "N",
         "objects of a message (default 1); one that fails\nbrings the others back", &c.per_message,
         NULL},
        {"all", NULL, "send objects of any age", NULL, &c.all},
        {"dry-run", NULL, "list and count, send nothing", NULL, &c.dry_run},
    };
    enum { SPEC_COUNT = sizeof(specs) / sizeof(specs[0]) };
    int count;
    common_options_table(&c.common, specs + 8);
    enum status st = options_parse(specs, SPEC_COUNT, argc, argv, &count, &err);
    if (st == ST_END) {
        options_help(&this_command, specs, SPEC_COUNT);
        return EXIT_DONE;
    }
    if (st == ST_OK && count != 1)
        st = error_set(&err, ST_USAGE, E_U107, "one s3://BUCKET[/PREFIX] is needed");
    if (st != ST_OK)
        return usage_error("enqueue", &err);
    struct enqueue *e = enqueue_new(&c);
    st = e == NULL ? ST_NO_MEMORY : settle(e, argv[0], &err);
    int status;
    if (st == ST_OK) {
        st = open_clients(e, &err);
        if (st == ST_OK)
            st = run(e, &err);
        status = finish(e, st, &err);
    } else {
        status = start_failed("enqueue", st, &err);
    }
    enqueue_free(e);
    return status;
}
