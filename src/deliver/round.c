/*
 * A round, of either kind: its clients and deadlines, and the way of its messages from being added
 * to being published.
 */
#include "deliver/round.h"

#include <pthread.h>
#include <stdlib.h>

#include "deliver/groups.h"
#include "deliver/intake.h"
#include "deliver/round_log.h"
#include "objects/source_s3.h"

/* The messages of one round_add, with a ledger. */
struct added {
    struct added *next;
    size_t count;
    struct intake_message messages[];
};

struct round {
    struct round_options options;
    struct run_settings *settings;
    struct aws_clock clock;
    struct aws_pool *pools[SETTINGS_MAX_ROLES + 1]; /* of each role, and our own */
    size_t pool_count;
    struct aws_client *publisher;
    int64_t read_deadline_ms, publish_deadline_ms;
    pthread_mutex_t mutex; /* guards the summary while messages are read */
    struct round_summary summary;
    bool ordered;      /* messages of a FIFO queue: one reader, groups in their order */
    bool order_broken; /* one of them failed in this round */
    /* With a ledger: messages are read when the round is published. */
    struct exact_round *exact; /* NULL: no ledger */
    struct added *first, *last;
    /* Without one, of the round under way: made with its first message. */
    struct reader_pool *readers;
    struct groups *groups;
    struct publish_sink sink;
};

static int64_t now_ms(const struct round *r)
{
    return r->clock.steady_ms(r->clock.ctx);
}

/* ---- life ---- */

enum status round_new(struct round **out, const struct round_options *options, struct error *err)
{
    *out = NULL;
    struct round *r = calloc(1, sizeof(*r));
    if (r == NULL)
        return error_set(err, ST_NO_MEMORY, E_R113, "out of memory");
    r->options = *options;
    r->settings = options->settings;
    r->clock = aws_clock_system();
    r->read_deadline_ms = r->publish_deadline_ms = INT64_MAX;
    pthread_mutex_init(&r->mutex, NULL);
    struct aws_client_options client = settings_aws_client(options->aws);
    client.stop = options->stop_calls;
    enum status st = ST_OK;
    for (size_t i = 0; i <= options->aws->role_count && st == ST_OK; i++) {
        client.creds = settings_aws_creds(options->aws, i);
        r->pools[i] = aws_pool_new(&client);
        r->pool_count++;
        if (r->pools[i] == NULL)
            st = error_set(err, ST_NO_MEMORY, E_R113, "out of memory");
    }
    if (st == ST_OK)
        st = settings_ask_profiles(r->settings, &client, err);
    client.stop = options->stop_publish;
    if (st == ST_OK)
        st = aws_client_new(&r->publisher, &client, err);
    bool cloudwatch = r->settings->publisher == PUBLISHER_CLOUDWATCH;
    r->sink = (struct publish_sink){.client = cloudwatch ? r->publisher : NULL,
                                    .region = r->settings->cloudwatch_region,
                                    .fd = options->emf_fd};
    if (st == ST_OK && options->ledger != NULL) {
        struct exact_round_options exact = {.settings = options->settings,
                                            .session = options->ledger,
                                            .aws = options->aws,
                                            .pools = r->pools,
                                            .publisher = r->publisher,
                                            .readers = options->readers,
                                            .open = options->open,
                                            .counter = options->counter,
                                            .report = options->report,
                                            .stop = options->stop,
                                            .stop_publish = options->stop_publish};
        st = cloudwatch ? exact_round_new(&r->exact, &exact, err)
                        : error_set(err, ST_USAGE, E_U222, "LEDGER needs PUBLISHER=cloudwatch");
    }
    if (st != ST_OK) {
        round_free(r);
        return st;
    }
    *out = r;
    return ST_OK;
}

void round_free(struct round *r)
{
    if (r == NULL)
        return;
    reader_pool_free(r->readers);
    groups_free(r->groups);
    exact_round_free(r->exact);
    for (size_t i = 0; i < r->pool_count; i++)
        aws_pool_free(r->pools[i]);
    while (r->first != NULL) {
        struct added *next = r->first->next;
        free(r->first);
        r->first = next;
    }
    aws_client_free(r->publisher);
    pthread_mutex_destroy(&r->mutex);
    free(r);
}

void round_set_deadlines(struct round *r, int64_t read_ms, int64_t publish_ms)
{
    r->read_deadline_ms = read_ms;
    r->publish_deadline_ms = publish_ms;
    for (size_t i = 0; i < r->pool_count; i++)
        aws_pool_set_deadline(r->pools[i], read_ms);
    aws_client_set_deadline(r->publisher, publish_ms);
    if (r->exact != NULL)
        exact_round_set_deadlines(r->exact, read_ms, publish_ms);
    if (r->options.ledger != NULL && r->options.ledger->pool != NULL)
        aws_pool_set_deadline(r->options.ledger->pool, publish_ms);
}

void round_forget_connections(struct round *r)
{
    for (size_t i = 0; i < r->pool_count; i++)
        aws_pool_forget_connections(r->pools[i]);
    http_forget_connections(aws_client_http(r->publisher));
    if (r->options.ledger != NULL && r->options.ledger->pool != NULL)
        aws_pool_forget_connections(r->options.ledger->pool);
}

struct exact_round *round_exact(struct round *r)
{
    return r->exact;
}

struct aws_client *round_client(struct round *r)
{
    return r->publisher;
}

/* ---- adding ---- */

static bool is_late(const struct round *r)
{
    return aws_stop_asked(&r->options.stop) || now_ms(r) >= r->read_deadline_ms;
}

/* Objects after the first that fails are not read: they are returned with their message. */
static void read_objects(struct round *r, struct reader *reader, struct intake_message *im)
{
    bool failed = false;
    for (size_t i = 0; i < im->count && !failed; i++)
        failed = intake_is_decided(&im->objects[i]); /* of a foreign bucket */
    for (size_t i = 0; i < im->count && !failed; i++) {
        struct round_object *o = &im->objects[i];
        struct s3_get get = {.bucket = o->read.bucket, .key = o->read.key, .region = o->region};
        struct byte_stream *stream = NULL;
        size_t role = settings_aws_role(r->options.aws, get.bucket);
        enum status opened = is_late(r)
                                 ? error_set(&o->read.err, ST_CANCELLED, E_Q101, "no time left")
                                 : s3_stream_open(r->pools[role], &get, &stream, &o->read.err);
        enum status st = reader_count(reader, &o->read, opened, stream);
        failed = st != ST_OK && st != ST_MISSING;
    }
}

static void open_message(struct round *r, struct intake_message *im, struct round_message *m)
{
    intake_open(im, m, r->settings->buckets);
    if (m->status == ST_OK && im->count == 0 && is_late(r))
        m->status = intake_fail(m, ST_CANCELLED, E_Q101, VIEW_EMPTY, "no time left");
}

static void read_message(void *context, struct reader *reader, void *job)
{
    struct round *r = context;
    struct round_message *m = job;
    struct intake_message im;
    open_message(r, &im, m);
    /* A FIFO queue has one reader, so `order_broken` needs no lock. */
    if (m->status == ST_OK && m->ordered && r->order_broken)
        m->status = intake_fail(m, ST_CANCELLED, E_Q103, VIEW_EMPTY, "after a message that failed");
    if (m->status == ST_OK)
        read_objects(r, reader, &im);
    intake_judge(&im);
    struct aggregate *sums = reader_sums(reader);
    if (m->status == ST_OK && sums != NULL && groups_join(r->groups, m, sums) != ST_OK)
        m->status = intake_fail(m, ST_NO_MEMORY, E_R113, VIEW_EMPTY, "out of memory");
    if (sums != NULL)
        aggregate_reset(sums);
    if (m->ordered && m->status != ST_OK)
        r->order_broken = true;
    pthread_mutex_lock(&r->mutex);
    intake_close(&im, true, &r->summary);
    pthread_mutex_unlock(&r->mutex);
}

/* The round ends without these. */
static void return_all(struct round *r, struct round_message *messages, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        struct round_message *m = &messages[i];
        m->retry_after_ms = 0;
        m->status = intake_fail(m, ST_NO_MEMORY, E_R113, VIEW_EMPTY, "out of memory");
        r->summary.messages++;
        intake_return(m, &r->summary);
    }
}

/* With a ledger: they are read when the round is published. */
static void keep(struct round *r, struct round_message *messages, size_t n)
{
    struct added *added = calloc(1, sizeof(*added) + n * sizeof(added->messages[0]));
    if (added == NULL) {
        return_all(r, messages, n);
        return;
    }
    added->count = n;
    for (size_t i = 0; i < n; i++)
        added->messages[i].message = &messages[i];
    if (r->last != NULL)
        r->last->next = added;
    else
        r->first = added;
    r->last = added;
}

void round_add(struct round *r, struct round_message *messages, size_t n)
{
    if (r->exact != NULL) {
        keep(r, messages, n);
        return;
    }
    for (size_t i = 0; i < n; i++)
        r->ordered = r->ordered || messages[i].ordered;
    struct reader_pool_options readers = {.counter = settings_counter(r->settings),
                                          .readers = r->ordered ? 1 : r->options.readers,
                                          .run = read_message,
                                          .context = r};
    int64_t began = now_ms(r);
    if (r->readers == NULL)
        r->readers = reader_pool_new(&readers);
    if (r->groups == NULL)
        r->groups = groups_new(r->settings);
    if (r->readers == NULL || r->groups == NULL) {
        return_all(r, messages, n);
        return;
    }
    for (size_t i = 0; i < n; i++)
        reader_pool_add(r->readers, &messages[i]);
    reader_pool_finish(r->readers);
    r->summary.ms_read += now_ms(r) - began;
}

/* ---- publishing ---- */

static bool is_over(void *context)
{
    const struct round *r = context;
    return now_ms(r) >= r->publish_deadline_ms || aws_stop_asked(&r->options.stop_publish);
}

static void publish_exact(struct round *r)
{
    struct round_object **objects = NULL;
    size_t count = 0, most = 0;
    for (struct added *a = r->first; a != NULL; a = a->next) {
        for (size_t i = 0; i < a->count; i++) {
            open_message(r, &a->messages[i], a->messages[i].message);
            most += a->messages[i].count;
        }
    }
    objects = calloc(most + 1, sizeof(struct round_object *));
    for (struct added *a = r->first; a != NULL; a = a->next) {
        for (size_t i = 0; i < a->count; i++) {
            struct intake_message *im = &a->messages[i];
            struct round_message *m = im->message;
            if (objects == NULL && m->status == ST_OK)
                m->status = intake_fail(m, ST_NO_MEMORY, E_R113, VIEW_EMPTY, "out of memory");
            for (size_t k = 0; k < im->count && objects != NULL; k++) {
                if (!intake_is_decided(&im->objects[k]))
                    objects[count++] = &im->objects[k];
            }
        }
    }
    if (count > 0)
        exact_round_count(r->exact, objects, count, &r->summary);
    free(objects);
    while (r->first != NULL) {
        struct added *a = r->first;
        for (size_t i = 0; i < a->count; i++) {
            struct round_message *m = a->messages[i].message;
            intake_judge(&a->messages[i]);
            if (m->ordered && r->order_broken && m->status == ST_OK)
                m->status =
                    intake_fail(m, ST_CANCELLED, E_Q103, VIEW_EMPTY, "after a message that failed");
            r->order_broken = r->order_broken || (m->ordered && m->status != ST_OK);
            intake_close(&a->messages[i], false, &r->summary);
        }
        r->first = a->next;
        free(a);
    }
    r->last = NULL;
}

void round_publish(struct round *r, struct round_summary *summary)
{
    int64_t began = now_ms(r);
    if (r->exact != NULL) {
        publish_exact(r);
        began += r->summary.ms_read;
    } else if (r->groups != NULL) {
        struct groups_publishing how = {.sink = &r->sink,
                                        .now_s = aws_client_now_s(r->publisher),
                                        .ordered = r->ordered,
                                        .is_over = is_over,
                                        .context = r};
        groups_publish(r->groups, &how, &r->summary);
    }
    groups_free(r->groups);
    reader_pool_free(r->readers);
    r->groups = NULL;
    r->readers = NULL;
    r->ordered = r->order_broken = false;
    r->summary.ms_publish = now_ms(r) - began;
    round_log(&r->summary, r->settings, r->options.ledger);
    *summary = r->summary;
    r->summary = (struct round_summary){0};
}
