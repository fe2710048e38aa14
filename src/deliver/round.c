#include "deliver/round.h"

#include <pthread.h>
#include <stdlib.h>

#include "aggregate/region_guard.h"
#include "base/array.h"
#include "base/log.h"
#include "base/rfc3339.h"
#include "count/reader_pool.h"
#include "ledger/exact_round.h"
#include "objects/object_key.h"
#include "objects/source_s3.h"
#include "publish/publish_emf.h"

/* Messages whose data go out together. */
struct group {
    struct aggregate *sums;
    uint64_t data_bound; /* at most so many data */
    bool broken;         /* memory ran out while a message joined: all of it comes back */
    struct round_message **members;
    size_t count, capacity;
};

struct round {
    struct round_options options;
    struct run_settings *settings;
    struct aws_clock clock;
    struct aws_pool *pools[SETTINGS_MAX_ROLES + 1]; /* of each role, and our own */
    size_t pool_count;
    struct aws_client *publisher;
    struct reader_pool *readers; /* of the round under way; NULL before its first message */
    int64_t read_deadline_ms, publish_deadline_ms;
    uint64_t in_doubt_pending; /* not yet published as InDoubtPublishes */
    struct round_summary summary;
    struct exact_round *counted;     /* NULL: no ledger */
    struct round_message **gathered; /* for it */
    size_t gathered_count, gathered_capacity;
    bool ordered;      /* messages of a FIFO queue: one reader, groups in their order */
    bool order_broken; /* one of them failed in this round */
    struct {
        pthread_mutex_t mutex;
        struct round_summary read; /* by the readers */
        struct group *groups;
        size_t count, capacity;
    } locked;
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
    pthread_mutex_init(&r->locked.mutex, NULL);
    struct aws_client_options client = {.config = options->aws->config,
                                        .creds = options->aws->creds,
                                        .budget = options->aws->budget,
                                        .clock = r->clock,
                                        .stop = options->stop_calls};
    enum status st = ST_OK;
    for (size_t i = 0; i <= options->aws->role_count && st == ST_OK; i++) {
        if (i < options->aws->role_count)
            client.creds = options->aws->roles[i].creds;
        else
            client.creds = options->aws->creds;
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
    if (st == ST_OK && options->ledger != NULL) {
        struct exact_round_options counted = {.settings = options->settings,
                                              .session = options->ledger,
                                              .aws = options->aws,
                                              .pools = r->pools,
                                              .publisher = r->publisher,
                                              .readers = options->readers,
                                              .open = options->open,
                                              .stop = options->stop,
                                              .stop_publish = options->stop_publish};
        st = r->settings->publisher == PUBLISHER_CLOUDWATCH
                 ? exact_round_new(&r->counted, &counted, err)
                 : error_set(err, ST_USAGE, E_U222, "LEDGER needs PUBLISHER=cloudwatch");
    }
    if (st != ST_OK) {
        round_free(r);
        return st;
    }
    *out = r;
    return ST_OK;
}

static void clear_groups(struct round *r)
{
    for (size_t i = 0; i < r->locked.count; i++) {
        aggregate_free(r->locked.groups[i].sums);
        free(r->locked.groups[i].members);
    }
    r->locked.count = 0;
}

void round_free(struct round *r)
{
    if (r == NULL)
        return;
    clear_groups(r);
    free(r->locked.groups);
    reader_pool_free(r->readers);
    exact_round_free(r->counted);
    free(r->gathered);
    for (size_t i = 0; i < r->pool_count; i++)
        aws_pool_free(r->pools[i]);
    aws_client_free(r->publisher);
    pthread_mutex_destroy(&r->locked.mutex);
    free(r);
}

void round_set_deadlines(struct round *r, int64_t read_ms, int64_t publish_ms)
{
    r->read_deadline_ms = read_ms;
    r->publish_deadline_ms = publish_ms;
    for (size_t i = 0; i < r->pool_count; i++)
        aws_pool_set_deadline(r->pools[i], read_ms);
    aws_client_set_deadline(r->publisher, publish_ms);
    if (r->counted != NULL)
        exact_round_set_deadlines(r->counted, read_ms, publish_ms);
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
    return r->counted;
}

struct aws_pool *round_pool(struct round *r, struct view bucket)
{
    return r->pools[settings_aws_role(r->options.aws, bucket)];
}

struct aws_client *round_client(struct round *r)
{
    return r->publisher;
}

/* ---- groups ---- */

static bool group_has_room(struct group *g)
{
    return array_room(&g->members, g->count, &g->capacity, 16, sizeof(struct round_message *));
}

static struct group *new_group(struct round *r)
{
    if (!array_room(&r->locked.groups, r->locked.count, &r->locked.capacity, 8,
                    sizeof(*r->locked.groups)))
        return NULL;
    struct counter_options options = settings_counter(r->settings);
    struct group *g = &r->locked.groups[r->locked.count];
    *g = (struct group){.sums = aggregate_new(&options.aggregate)};
    if (g->sums == NULL)
        return NULL;
    r->locked.count++;
    return g;
}

/*
 * The last group if so many more data fit into its request, else a new one.  The bound counts data
 * that two messages share twice, so before a group is closed it is counted anew.
 */
static struct group *group_for(struct round *r, uint64_t data)
{
    struct group *g = r->locked.count > 0 ? &r->locked.groups[r->locked.count - 1] : NULL;
    if (g == NULL || g->broken)
        return new_group(r);
    if (g->data_bound + data > BATCH_MAX_DATA)
        g->data_bound = batch_count_data(g->sums, r->settings->metrics);
    return g->data_bound + data > BATCH_MAX_DATA ? new_group(r) : g;
}

/* The sums of one whole message, in `agg`, join a group. */
static enum status join_group(struct round *r, struct round_message *m, const struct aggregate *agg)
{
    uint64_t data = batch_count_data(agg, r->settings->metrics);
    enum status st = ST_OK;
    if (data == 0)
        return st;
    pthread_mutex_lock(&r->locked.mutex);
    struct group *g = group_for(r, data);
    if (g == NULL || !group_has_room(g))
        st = ST_NO_MEMORY;
    if (st == ST_OK) {
        st = aggregate_merge(g->sums, agg);
        g->broken = st != ST_OK; /* half of the message may be in */
    }
    if (st == ST_OK) {
        g->members[g->count++] = m;
        g->data_bound += data;
    }
    pthread_mutex_unlock(&r->locked.mutex);
    return st;
}

/* ---- reading one message ---- */

static enum status fail(struct round_message *m, enum status st, enum code code, struct view object,
                        const char *reason)
{
    return error_set(&m->err, st, code, "%.*s%s%s", SHOW_MAX(object, 160),
                     object.len > 0 ? ": " : "", reason);
}

static bool is_late(const struct round *r)
{
    return aws_stop_asked(&r->options.stop) || now_ms(r) >= r->read_deadline_ms;
}

/* The same object named before in this message. */
static bool is_repeated(const struct event_body *body, size_t at)
{
    for (size_t i = 0; i < at; i++) {
        if (view_eq(body->objects[i].key, body->objects[at].key) &&
            view_eq(body->objects[i].bucket, body->objects[at].bucket))
            return true;
    }
    return false;
}

static enum status read_object(struct round *r, struct reader *reader, struct round_message *m,
                               const struct event_object *object, struct tally *tally)
{
    struct object_read o = {.bucket = object->bucket, .key = object->key, .message_id = m->id};
    struct byte_stream *stream = NULL;
    if (!event_bucket_allowed(r->settings->buckets, object->bucket))
        return fail(m, ST_DENIED, E_Q102, object->bucket, "bucket is not in S3_BUCKET_NAME");
    enum object_skip skip = object_key_skip(object->key);
    if (skip != OBJECT_READ) {
        tally->objects.found++;
        tally->objects.skipped[skip]++;
        return ST_OK;
    }
    if (is_late(r))
        return fail(m, ST_CANCELLED, E_Q101, object->key, "no time left");
    struct s3_get get = {.bucket = object->bucket, .key = object->key, .region = object->region};
    struct aws_pool *pool = r->pools[settings_aws_role(r->options.aws, object->bucket)];
    enum status opened = s3_stream_open(pool, &get, &stream, &o.err);
    enum status st = reader_count(reader, &o, opened, stream);
    if (st != ST_OK && st != ST_MISSING)
        return fail(m, st, o.err.code, object->key,
                    o.err.text[0] != '\0' ? o.err.text : status_name(st));
    tally_add(tally, &o.tally);
    return ST_OK;
}

static enum status read_objects(struct round *r, struct reader *reader, struct round_message *m,
                                const struct event_body *body, struct tally *tally)
{
    enum status st = ST_OK;
    for (size_t i = 0; i < body->nobjects && st == ST_OK; i++) {
        if (is_repeated(body, i)) {
            tally->objects.found++;
            tally->objects.duplicate++;
        } else {
            st = read_object(r, reader, m, &body->objects[i], tally);
        }
    }
    struct aggregate *sums = reader_sums(reader);
    if (st == ST_OK && sums != NULL) {
        st = join_group(r, m, sums);
        if (st != ST_OK)
            (void)fail(m, st, E_R113, VIEW_EMPTY, "out of memory");
    }
    if (sums != NULL)
        aggregate_reset(sums);
    if (st != ST_OK)
        *tally = (struct tally){.objects = {.found = body->nobjects, .failed = body->nobjects}};
    return st;
}

static enum status read_message(struct round *r, struct reader *reader, struct round_message *m)
{
    struct event_body own = {0};
    const struct event_body *body = m->parsed;
    struct round_summary part = {0};
    struct error err = {0};
    if (is_late(r))
        return fail(m, ST_CANCELLED, E_Q101, VIEW_EMPTY, "no time left");
    if (body == NULL) {
        enum status st = event_body_parse(m->body, &own, &err);
        if (st != ST_OK)
            return fail(m, st, err.code, VIEW_EMPTY, err.text);
        body = &own;
    }
    enum status st = read_objects(r, reader, m, body, &part.tally);
    if (st == ST_OK) {
        part.test_events = body->test_events;
        part.other_events = body->other_events;
    }
    pthread_mutex_lock(&r->locked.mutex);
    round_summary_add(&r->locked.read, &part);
    pthread_mutex_unlock(&r->locked.mutex);
    event_body_clear(&own);
    return st;
}

static void run_message(void *context, struct reader *reader, void *job)
{
    struct round *r = context;
    struct round_message *m = job;
    /* A FIFO queue has one reader, so `order_broken` needs no lock. */
    if (m->ordered && r->order_broken)
        m->status = fail(m, ST_CANCELLED, E_Q103, VIEW_EMPTY, "behind a message that failed");
    else
        m->status = read_message(r, reader, m);
    if (m->ordered && m->status != ST_OK)
        r->order_broken = true;
}

/* ---- reading many ---- */

static bool gather(struct round *r, struct round_message *messages, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (!array_room(&r->gathered, r->gathered_count, &r->gathered_capacity, 32,
                        sizeof(struct round_message *)))
            return false;
        r->gathered[r->gathered_count++] = &messages[i];
    }
    return true;
}

/* With a ledger all is done at the end of the round; what does not fit in memory comes back. */
static void add_counted(struct round *r, struct round_message *messages, size_t n)
{
    bool ok = gather(r, messages, n);
    r->summary.messages += n;
    for (size_t i = 0; i < n; i++) {
        messages[i].err = (struct error){0};
        messages[i].retry_after_ms = 0;
        messages[i].status =
            ok ? ST_OK : fail(&messages[i], ST_NO_MEMORY, E_R113, VIEW_EMPTY, "out of memory");
        r->summary.back += !ok;
    }
}

void round_add(struct round *r, struct round_message *messages, size_t n)
{
    if (r->counted != NULL) {
        add_counted(r, messages, n);
        return;
    }
    int64_t began = now_ms(r);
    for (size_t i = 0; i < n; i++) {
        messages[i].err = (struct error){0};
        r->ordered = r->ordered || messages[i].ordered;
    }
    struct reader_pool_options readers = {.counter = settings_counter(r->settings),
                                          .readers = r->ordered ? 1 : r->options.readers,
                                          .run = run_message,
                                          .context = r};
    if (r->readers == NULL)
        r->readers = reader_pool_new(&readers);
    for (size_t i = 0; i < n; i++) {
        if (r->readers != NULL)
            reader_pool_add(r->readers, &messages[i]);
        else
            messages[i].status =
                fail(&messages[i], ST_NO_MEMORY, E_R113, VIEW_EMPTY, "out of memory");
    }
    if (r->readers != NULL)
        reader_pool_finish(r->readers);
    r->summary.messages += n;
    round_summary_add(&r->summary, &r->locked.read);
    r->locked.read = (struct round_summary){0};
    for (size_t i = 0; i < n; i++) {
        if (messages[i].status == ST_OK)
            continue;
        LOG_FAULT(messages[i].status == ST_CANCELLED ? LOG_INFO : LOG_WARN,
                  error_code(&messages[i].err, E_Q100), "message comes back",
                  log_view("message", messages[i].id), log_cstr("reason", messages[i].err.text),
                  log_cstr("status", status_name(messages[i].status)));
        r->summary.back++;
    }
    r->summary.ms_read += now_ms(r) - began;
}

/* ---- publishing ---- */

static void fail_group(struct round *r, struct group *g, enum status st, const struct error *err)
{
    for (size_t i = 0; i < g->count; i++) {
        struct round_message *m = g->members[i];
        m->status = st;
        (void)fail(m, st, err->code, VIEW_EMPTY,
                   err->text[0] != '\0' ? err->text : status_name(st));
        LOG_FAULT(LOG_WARN, error_code(&m->err, E_Q100), "message comes back",
                  log_view("message", m->id), log_cstr("reason", m->err.text),
                  log_cstr("status", status_name(st)));
        r->summary.back++;
    }
}

static void log_in_doubt(struct round *r, const struct group *g, const struct error *err)
{
    u128 sums[METRIC_COUNT];
    aggregate_totals(g->sums, sums);
    LOG_FAULT(LOG_ERROR, E_P101,
              "publish in doubt: it may be counted twice when its messages come back",
              log_cstr("metric", "InDoubtPublishes"), log_u64("messages", g->count),
              log_u64("tokens", (uint64_t)sums[METRIC_TOTAL]), log_cstr("reason", err->text));
    r->in_doubt_pending++;
}

static enum status send_group(struct round *r, struct group *g, struct batch_options *options,
                              bool *partial, struct error *err)
{
    struct round_summary *s = &r->summary;
    if (r->settings->publisher == PUBLISHER_EMF)
        return publish_emf(r->options.emf_fd, g->sums, options, &s->dropped, &s->published, partial,
                           err);
    struct batch *batch = NULL;
    options->in_doubt = r->in_doubt_pending;
    enum status st = batch_new(&batch, g->sums, options, &s->dropped);
    if (st == ST_OK)
        st = publish_cloudwatch(r->publisher, r->settings->cloudwatch_region, batch, &s->published,
                                partial, err);
    if (st == ST_OK && batch_data_count(batch) > 0)
        r->in_doubt_pending = 0;
    batch_free(batch);
    return st;
}

static void publish_group(struct round *r, struct group *g, struct batch_options *options,
                          enum status *earlier)
{
    struct error err = {0};
    bool partial = false;
    options->now_s = aws_client_now_s(r->publisher);
    /* What is denied, or too late, is so for the others too: they are not tried. */
    enum status st = g->broken ? ST_NO_MEMORY : *earlier;
    if (st == ST_OK &&
        (now_ms(r) >= r->publish_deadline_ms || aws_stop_asked(&r->options.stop_publish)))
        st = ST_CANCELLED;
    if (st != ST_OK) {
        r->summary.published.failed++;
        (void)error_set(&err, st, E_Q104, "not published: %s",
                        st == ST_DENIED      ? "denied before"
                        : st == ST_NO_MEMORY ? "out of memory"
                        : r->ordered         ? "behind a message that failed"
                                             : "no time left");
    } else {
        st = send_group(r, g, options, &partial, &err);
    }
    if (st == ST_OK) {
        u128 sums[METRIC_COUNT];
        aggregate_totals(g->sums, sums);
        r->summary.tokens += sums[METRIC_TOTAL];
        r->summary.invocations += sums[METRIC_INVOCATIONS];
        round_summary_add_elsewhere(&r->summary, sums);
        return;
    }
    if (st == ST_IN_DOUBT)
        log_in_doubt(r, g, &err);
    if (partial) {
        r->summary.partial++;
        LOG_FAULT(LOG_ERROR, E_P103,
                  "publish failed half way: what was accepted counts twice when its messages come "
                  "back",
                  log_u64("messages", g->count), log_cstr("reason", err.text));
    }
    /* Groups of a FIFO queue are in its order, and nothing goes out behind a failure. */
    if (st == ST_DENIED || st == ST_CANCELLED)
        *earlier = st;
    else if (r->ordered)
        *earlier = ST_CANCELLED;
    fail_group(r, g, st, &err);
}

/*
 * The cap on series is the round's, not a group's: which series keep their names is decided by the
 * sums of all groups.
 */
static enum status choose_kept(struct round *r, struct batch_kept **kept)
{
    struct counter_options options = settings_counter(r->settings);
    size_t limit = (size_t)r->settings->max_series;
    *kept = NULL;
    if (r->locked.count == 0)
        return ST_OK;
    if (r->locked.count == 1)
        return aggregate_fold(r->locked.groups[0].sums, limit, &r->summary.series_folded);
    struct aggregate *all = aggregate_new(&options.aggregate);
    enum status st = all == NULL ? ST_NO_MEMORY : ST_OK;
    for (size_t i = 0; i < r->locked.count && st == ST_OK; i++)
        st = aggregate_merge(all, r->locked.groups[i].sums);
    if (st == ST_OK)
        st = aggregate_fold(all, limit, &r->summary.series_folded);
    if (st == ST_OK && r->summary.series_folded > 0) {
        *kept = batch_kept_new(all);
        st = *kept == NULL ? ST_NO_MEMORY : ST_OK;
    }
    aggregate_free(all);
    return st;
}

static void log_dropped(const struct batch_dropped *d)
{
    char first[RFC3339_BYTES], last[RFC3339_BYTES];
    if (!d->any)
        return;
    rfc3339_format(d->first_time, first);
    rfc3339_format(d->last_time, last);
    if (d->old_rows > 0)
        LOG_FAULT(LOG_WARN, E_P120,
                  "older than the two weeks CloudWatch takes, not sent; `aggregate` reports it",
                  log_u64("cells", d->old_rows), log_u64("tokens", (uint64_t)d->old_tokens),
                  log_u64("invocations", (uint64_t)d->old_invocations), log_cstr("first", first),
                  log_cstr("last", last));
    if (d->future_rows > 0)
        LOG_FAULT(LOG_WARN, E_P121, "more than two hours ahead, not sent",
                  log_u64("cells", d->future_rows), log_u64("tokens", (uint64_t)d->future_tokens),
                  log_u64("invocations", (uint64_t)d->future_invocations), log_cstr("first", first),
                  log_cstr("last", last));
}

static void log_elsewhere(const struct round_summary *s, struct region_guard *guard)
{
    struct buf regions;
    buf_init(&regions, 4096);
    region_guard_take_seen(guard, &regions);
    if (s->elsewhere_tokens > 0 || s->elsewhere_invocations > 0)
        LOG_FAULT(LOG_WARN, E_R125, "ran in Regions that are not allowed",
                  log_view("regions", buf_view(&regions)),
                  log_u64("tokens", (uint64_t)s->elsewhere_tokens),
                  log_u64("invocations", (uint64_t)s->elsewhere_invocations));
    buf_clear(&regions);
}

static void log_round(const struct round_summary *s, const struct round_options *options)
{
    const struct tally *t = &s->tally;
    const char *delivery = ledger_session_delivery(options->ledger);
    if (options->settings->guard != NULL)
        log_elsewhere(s, options->settings->guard);
    if (s->series_folded > 0)
        LOG_FAULT(LOG_WARN, E_P122, "series beyond MAX_SERIES_PER_SET folded into Other",
                  log_u64("series", s->series_folded));
    log_dropped(&s->dropped);
    char digest[RECEIPT_TEXT_BYTES] = "";
    if (s->digest.objects > 0)
        receipt_format(&s->digest, digest);
    LOG_EVENT(LOG_INFO, "round", log_u64("messages", s->messages), log_u64("back", s->back),
              log_u64("objects", t->objects.counted), log_u64("duplicates", t->objects.duplicate),
              log_u64("objects_skipped", tally_objects_skipped(t)),
              log_u64("objects_failed", t->objects.failed), log_u64("records", t->records.counted),
              log_u64("records_skipped", tally_records_skipped(t)),
              log_u64("malformed", t->records.skipped[RECORD_MALFORMED]),
              log_u64("not_invocation_log", t->records.skipped[RECORD_NOT_LOG]),
              log_u64("invalid", t->records.skipped[RECORD_INVALID]),
              log_u64("out_of_range", t->records.skipped[RECORD_OUT_OF_RANGE]),
              log_u64("bytes", t->bytes_read), log_u64("tokens", (uint64_t)s->tokens),
              log_u64("invocations", (uint64_t)s->invocations),
              log_u64("datums", s->published.data), log_u64("requests", s->published.requests),
              log_u64("InDoubtPublishes", s->published.in_doubt),
              log_u64("ms_read", (uint64_t)s->ms_read),
              log_u64("ms_publish", (uint64_t)s->ms_publish), log_cstr("delivery", delivery),
              log_cstr("receipt", digest));
}

static void publish_counted(struct round *r)
{
    int64_t began = now_ms(r);
    intake_exact(r->counted, r->gathered, r->gathered_count, &r->summary);
    r->gathered_count = 0;
    r->summary.ms_publish = now_ms(r) - began - r->summary.ms_read;
}

void round_publish(struct round *r, struct round_summary *summary)
{
    if (r->counted != NULL) {
        publish_counted(r);
        log_round(&r->summary, &r->options);
        *summary = r->summary;
        r->summary = (struct round_summary){0};
        return;
    }
    struct error err = {0};
    struct batch_kept *kept = NULL;
    int64_t began = now_ms(r);
    enum status earlier = ST_OK;
    enum status st = choose_kept(r, &kept);
    struct batch_options options = {.name_space = r->settings->name_space,
                                    .metrics = r->settings->metrics,
                                    .storage_resolution = r->settings->resolution_s < 60 ? 1 : 60,
                                    .kept = kept};
    for (size_t i = 0; i < r->locked.count; i++) {
        struct group *g = &r->locked.groups[i];
        if (g->count == 0)
            continue;
        if (st == ST_OK)
            publish_group(r, g, &options, &earlier);
        else
            fail_group(r, g, st, &err);
    }
    batch_kept_free(kept);
    clear_groups(r);
    reader_pool_free(r->readers);
    r->readers = NULL;
    r->ordered = r->order_broken = false;
    r->summary.ms_publish = now_ms(r) - began;
    log_round(&r->summary, &r->options);
    *summary = r->summary;
    r->summary = (struct round_summary){0};
}

enum status round_publish_sums(const struct round_options *options, struct aggregate *agg,
                               struct round_summary *summary, struct error *err)
{
    struct round *r = NULL;
    bool partial = false;
    *summary = (struct round_summary){0};
    enum status st = round_new(&r, options, err);
    if (st != ST_OK)
        return st;
    int64_t began = now_ms(r);
    struct group g = {.sums = agg};
    struct batch_options batch = {.name_space = r->settings->name_space,
                                  .metrics = r->settings->metrics,
                                  .storage_resolution = r->settings->resolution_s < 60 ? 1 : 60,
                                  .now_s = aws_client_now_s(r->publisher),
                                  .set_count = r->settings->set_count};
    st = aggregate_fold(agg, (size_t)r->settings->max_series, &r->summary.series_folded);
    if (st == ST_OK)
        st = send_group(r, &g, &batch, &partial, err);
    if (st == ST_OK) {
        u128 sums[METRIC_COUNT];
        aggregate_totals(agg, sums);
        r->summary.tokens =
            sums[METRIC_TOTAL] - r->summary.dropped.old_tokens - r->summary.dropped.future_tokens;
        r->summary.invocations = sums[METRIC_INVOCATIONS] - r->summary.dropped.old_invocations -
                                 r->summary.dropped.future_invocations;
        round_summary_add_elsewhere(&r->summary, sums);
    } else if (st == ST_IN_DOUBT) {
        LOG_FAULT(LOG_ERROR, E_P101, "publish in doubt: publishing again may count twice",
                  log_cstr("metric", "InDoubtPublishes"), log_cstr("reason", err->text));
    }
    r->summary.partial = partial && st != ST_OK;
    r->summary.ms_publish = now_ms(r) - began;
    log_round(&r->summary, &r->options);
    *summary = r->summary;
    round_free(r);
    return st;
}

void round_summary_add_elsewhere(struct round_summary *into, const u128 sum[METRIC_COUNT])
{
    into->elsewhere_tokens += sum[METRIC_DISALLOWED_TOKENS];
    into->elsewhere_invocations += sum[METRIC_DISALLOWED_INVOCATIONS];
}

void round_summary_add(struct round_summary *into, const struct round_summary *from)
{
    into->messages += from->messages;
    into->back += from->back;
    into->test_events += from->test_events;
    into->other_events += from->other_events;
    tally_add(&into->tally, &from->tally);
    into->tokens += from->tokens;
    into->invocations += from->invocations;
    into->elsewhere_tokens += from->elsewhere_tokens;
    into->elsewhere_invocations += from->elsewhere_invocations;
    into->published.requests += from->published.requests;
    into->published.data += from->published.data;
    into->published.in_doubt += from->published.in_doubt;
    into->published.data_rejected += from->published.data_rejected;
    into->published.failed += from->published.failed;
    into->partial += from->partial;
    into->series_folded += from->series_folded;
    into->dropped.old_rows += from->dropped.old_rows;
    into->dropped.future_rows += from->dropped.future_rows;
    into->dropped.old_tokens += from->dropped.old_tokens;
    into->dropped.future_tokens += from->dropped.future_tokens;
    into->dropped.old_invocations += from->dropped.old_invocations;
    into->dropped.future_invocations += from->dropped.future_invocations;
    into->ms_read += from->ms_read;
    into->ms_publish += from->ms_publish;
    receipt_merge(&into->digest, &from->digest);
}
