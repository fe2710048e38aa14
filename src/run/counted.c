#include "run/counted.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/random.h>

#include "aws/cloudwatch.h"
#include "base/log.h"
#include "objects/source_s3.h"
#include "publish/payload.h"
#include "run/kill_point.h"
#include "run/marker.h"

enum {
    /* Of one batch: 32 requests of 999 data and a marker.  Halving refused requests needs room. */
    DATA_LIMIT = 32 * (BATCH_MAX_DATA - 1),
    PAYLOADS_LIMIT = PROTOCOL_PARTS_MAX - 8,
    MARKER_BYTES = 1024,
    /* As in round.c: a reader starts afresh so that memory stays flat. */
    RENEW_AFTER = 64,
    RETRY_MS = 30 * 1000,
    MAX_BODY = 2 * BATCH_MAX_BYTES,
    RECOVER_LIST = 256,
};

struct reader {
    struct counted *counted;
    struct object_counter *counter;
    unsigned used;
    pthread_t thread;
};

struct counted {
    struct counted_options options;
    struct aws_clock clock;
    struct ledger_driver *driver;
    struct protocol_run run;
    struct receipt receipt;
    int64_t read_deadline_ms, publish_deadline_ms;
    uint64_t in_doubt_untold; /* not yet published as InDoubtPublishes */
    uint64_t data_limit;
    struct cloudwatch_put *put; /* signed, not sent */
    /* of the run under way */
    struct ledger_id ids[PROTOCOL_OBJECTS_MAX];
    struct counted_object *chosen[PROTOCOL_OBJECTS_MAX];
    struct buf payloads[LEDGER_PAYLOADS_MAX];
    struct batch_dropped dropped;
    uint64_t series_folded;
    uint64_t in_doubt_told;
    u128 invocations;
    int64_t ms_read;
    struct reader readers[ROUND_MAX_READERS];
    struct {
        pthread_mutex_t mutex;
        uint16_t next;
        struct aggregate *sums;
        uint64_t data_bound;
        size_t count; /* objects in the sums */
        bool full, broken;
    } locked;
};

static int64_t now_ms(const struct counted *c)
{
    return c->clock.steady_ms(c->clock.ctx);
}

static bool is_late(const struct counted *c)
{
    return aws_stop_asked(&c->options.stop) || now_ms(c) >= c->read_deadline_ms;
}

static bool is_over(const struct counted *c)
{
    return aws_stop_asked(&c->options.stop_publish) || now_ms(c) >= c->publish_deadline_ms;
}

/* ---- the host: reading ---- */

static enum status open_object(struct counted *c, const struct counted_object *o,
                               struct byte_stream **stream, struct error *err)
{
    if (o->source != NULL)
        return c->options.open(o, stream, err);
    struct s3_get get = {.bucket = o->bucket, .key = o->key, .region = o->region};
    size_t role = settings_aws_role(c->options.aws, o->bucket);
    return s3_stream_open(c->options.pools[role], &get, stream, err);
}

static enum status renew(struct reader *reader)
{
    if (reader->counter != NULL && ++reader->used < RENEW_AFTER)
        return ST_OK;
    object_counter_free(reader->counter);
    struct counter_options options = settings_counter(reader->counted->options.settings);
    reader->counter = object_counter_new(&options);
    reader->used = 0;
    return reader->counter == NULL ? ST_NO_MEMORY : ST_OK;
}

/* Whether so many data more fit; the bound counts what two objects share twice, so a full one is
 * counted anew. */
static bool has_room(struct counted *c, uint64_t data)
{
    if (c->locked.count == 0 || c->locked.data_bound + data <= c->data_limit)
        return true;
    if (batch_count_data(c->locked.sums, c->options.settings->metrics, &c->locked.data_bound) !=
        ST_OK)
        return false;
    return c->locked.data_bound + data <= c->data_limit;
}

/* The sums of one whole object join those of the run. */
static enum status join(struct counted *c, struct counted_object *o, const struct aggregate *agg)
{
    uint64_t data;
    enum status st = batch_count_data(agg, c->options.settings->metrics, &data);
    if (st != ST_OK)
        return st;
    pthread_mutex_lock(&c->locked.mutex);
    if (!has_room(c, data)) {
        c->locked.full = true;
        o->deferred = true;
        st = ST_RETRY;
    } else {
        st = aggregate_merge(c->locked.sums, agg);
        c->locked.broken = c->locked.broken || st != ST_OK; /* half of it may be in */
        c->locked.data_bound += data;
        c->locked.count++;
    }
    pthread_mutex_unlock(&c->locked.mutex);
    return st;
}

static enum status read_object(struct reader *reader, struct counted_object *o)
{
    struct counted *c = reader->counted;
    struct byte_stream *stream = NULL;
    if (is_late(c))
        return error_set(&o->err, ST_CANCELLED, "no time left");
    pthread_mutex_lock(&c->locked.mutex);
    o->deferred = c->locked.full;
    pthread_mutex_unlock(&c->locked.mutex);
    if (o->deferred)
        return ST_RETRY;
    enum status st = renew(reader);
    if (st != ST_OK)
        return error_set(&o->err, st, "out of memory");
    struct aggregate *agg = object_counter_aggregate(reader->counter);
    st = open_object(c, o, &stream, &o->err);
    if (st == ST_OK)
        st = object_counter_run(reader->counter, o->key, stream, &o->tally, &o->err);
    byte_stream_close(stream);
    if (st == ST_OK) {
        aggregate_commit(agg);
        st = join(c, o, agg);
    } else {
        aggregate_rollback(agg);
    }
    aggregate_reset(agg);
    return st;
}

static void *reader_main(void *context)
{
    struct reader *reader = context;
    struct counted *c = reader->counted;
    for (;;) {
        pthread_mutex_lock(&c->locked.mutex);
        while (c->locked.next < c->run.n_objects &&
               c->run.objects[c->locked.next].state != OBJECT_MINE)
            c->locked.next++;
        uint16_t at = c->locked.next;
        c->locked.next = (uint16_t)(at + (at < c->run.n_objects));
        pthread_mutex_unlock(&c->locked.mutex);
        if (at == c->run.n_objects)
            return NULL;
        struct counted_object *o = c->chosen[at];
        o->err.text[0] = '\0';
        o->tally = (struct tally){0};
        o->deferred = false;
        o->status = read_object(reader, o);
        o->read = o->status == ST_OK;
    }
}

static void read_all(struct counted *c, size_t n)
{
    size_t wanted = c->options.readers < n ? c->options.readers : n;
    size_t started = 1; /* this thread */
    for (size_t i = 0; i < ROUND_MAX_READERS; i++)
        c->readers[i].counted = c;
    while (started < wanted && started < ROUND_MAX_READERS &&
           pthread_create(&c->readers[started].thread, NULL, reader_main, &c->readers[started]) ==
               0)
        started++;
    (void)reader_main(&c->readers[0]);
    for (size_t i = 1; i < started; i++)
        pthread_join(c->readers[i].thread, NULL);
    for (size_t i = 0; i < started; i++) {
        object_counter_free(c->readers[i].counter);
        c->readers[i].counter = NULL;
    }
}

/* One request as a payload and its part, or as two halves where it is too big for a record. */
static enum status add_payload(struct counted *c, const struct batch *batch, size_t first,
                               size_t count, struct ledger_batch_data *out)
{
    const struct run_settings *s = c->options.settings;
    if (out->n_payloads == PAYLOADS_LIMIT)
        return ST_TOO_BIG;
    struct buf *bytes = &c->payloads[out->n_payloads];
    enum status st =
        payload_encode(batch, first, count, s->name_space, s->cloudwatch_region, bytes);
    if (st != ST_OK)
        return st;
    out->parts[out->n_parts] = (struct ledger_part){.payload = out->n_payloads,
                                                    .count = (uint32_t)count,
                                                    .tokens = batch_tokens(batch, first, count)};
    out->payloads[out->n_payloads] = buf_view(bytes);
    out->n_payloads++;
    out->n_parts++;
    return ST_OK;
}

static enum status add_payloads(struct counted *c, const struct batch *batch, size_t first,
                                size_t count, struct ledger_batch_data *out)
{
    size_t end = first + count, step = count;
    while (first < end) {
        size_t n = step < end - first ? step : end - first;
        enum status st = add_payload(c, batch, first, n, out);
        if (st == ST_OK)
            first += n;
        else if (st == ST_TOO_BIG && n > 1 && out->n_payloads < PAYLOADS_LIMIT)
            step = n / 2;
        else
            return st;
    }
    return ST_OK;
}

static enum status encode(struct counted *c, struct ledger_batch_data *out)
{
    const struct run_settings *s = c->options.settings;
    struct batch_options options = {.name_space = s->name_space,
                                    .metrics = s->metrics,
                                    .storage_resolution = s->resolution_s < 60 ? 1 : 60,
                                    .now_s = aws_client_now_s(c->options.publisher),
                                    .in_doubt = c->in_doubt_untold,
                                    .max_data = BATCH_MAX_DATA - 1,
                                    .max_bytes = BATCH_MAX_BYTES - MARKER_BYTES};
    struct batch *batch = NULL;
    enum status st = aggregate_fold(c->locked.sums, (size_t)s->max_series, &c->series_folded);
    if (st == ST_OK)
        st = batch_new(&batch, c->locked.sums, &options, &c->dropped);
    for (size_t i = 0; st == ST_OK && i < batch_request_count(batch); i++) {
        size_t first, count;
        batch_request(batch, i, &first, &count);
        st = add_payloads(c, batch, first, count, out);
    }
    if (st == ST_OK && batch_data_count(batch) > 0)
        c->in_doubt_told = c->in_doubt_untold;
    batch_free(batch);
    return st;
}

/* More data than a batch takes: fewer objects next time, and one alone never will do. */
static void defer_all(struct counted *c)
{
    bool alone = c->locked.count <= 1;
    c->data_limit = c->data_limit > 1 ? c->data_limit / 2 : 1;
    for (uint16_t i = 0; i < c->run.n_objects; i++) {
        struct counted_object *o = c->chosen[i];
        if (!o->read)
            continue;
        o->read = false;
        o->deferred = !alone;
        o->status =
            alone ? error_set(&o->err, ST_TOO_BIG, "more data than a batch takes") : ST_RETRY;
    }
}

static enum status host_read(void *ctx, const struct protocol_run *run,
                             struct ledger_batch_data *out)
{
    struct counted *c = ctx;
    int64_t began = now_ms(c);
    struct counter_options options = settings_counter(c->options.settings);
    c->dropped = (struct batch_dropped){0};
    c->series_folded = c->in_doubt_told = 0;
    c->invocations = 0;
    c->locked.next = 0;
    c->locked.count = 0;
    c->locked.data_bound = 0;
    c->locked.full = c->locked.broken = false;
    c->locked.sums = aggregate_new(&options.aggregate);
    enum status st = c->locked.sums == NULL ? ST_NO_MEMORY : ST_OK;
    if (st == ST_OK) {
        read_all(c, run->n_objects);
        st = c->locked.broken ? ST_NO_MEMORY : encode(c, out);
        if (st == ST_TOO_BIG)
            defer_all(c);
        u128 sums[METRIC_COUNT];
        aggregate_totals(c->locked.sums, sums);
        c->invocations = sums[METRIC_INVOCATIONS];
    }
    for (uint16_t i = 0; i < run->n_objects; i++) {
        struct counted_object *o = c->chosen[i];
        if (run->objects[i].state != OBJECT_MINE)
            continue;
        out->kept[i] = st == ST_OK && o->read;
        if (st != ST_OK && o->read)
            o->status = error_set(&o->err, st, "%s", status_name(st));
    }
    aggregate_free(c->locked.sums);
    c->locked.sums = NULL;
    c->ms_read += now_ms(c) - began;
    return st;
}

/* ---- the host: sending ---- */

static void forget_put(struct counted *c)
{
    cloudwatch_put_free(c->put);
    c->put = NULL;
}

static struct marker_place marker_place_of(const struct counted *c)
{
    return (struct marker_place){.region = c->options.settings->cloudwatch_region,
                                 .name_space = c->options.settings->name_space,
                                 .scope = view_of(c->options.session->marker_scope)};
}

static void host_sign(void *ctx, const struct ledger_part *part, struct view bytes,
                      int64_t *date_ms, struct ledger_answer *answer)
{
    struct counted *c = ctx;
    const struct run_settings *s = c->options.settings;
    struct payload payload;
    struct buf marker, body;
    struct error err = {0};
    buf_init(&marker, MARKER_BYTES);
    buf_init(&body, MAX_BODY);
    forget_put(c);
    answer->kind = EVENT_REFUSED;
    enum status st = payload_decode(bytes, &payload);
    if (st == ST_OK && (!view_eq(payload.name_space, s->name_space) ||
                        !view_eq(payload.region, s->cloudwatch_region)))
        st = error_set(&err, ST_DENIED, "the batch is for namespace %.*s",
                       (int)payload.name_space.len, payload.name_space.ptr);
    struct marker_place place = marker_place_of(c);
    marker_add_datum(&marker, &place, &part->marker);
    if (st == ST_OK)
        st = payload_write(&payload, part->first, part->count, buf_view(&marker), &body);
    if (st == ST_OK)
        st = cloudwatch_put_new(&c->put, c->options.publisher, s->cloudwatch_region,
                                buf_view(&body), &err);
    if (st == ST_OK)
        st = cloudwatch_put_sign(c->put, &err);
    if (st == ST_OK) {
        *date_ms = cloudwatch_put_date_s(c->put) * 1000;
        answer->kind = EVENT_SIGNED;
    } else {
        LOG_EVENT(LOG_WARN, "request cannot be signed", log_cstr("reason", err.text),
                  log_cstr("status", status_name(st)));
        if (st == ST_TOO_BIG)
            answer->kind = EVENT_INVALID;
        answer->head_tokens = payload_tokens(&payload, part->first, part->count / 2);
        forget_put(c);
    }
    payload_clear(&payload);
    buf_clear(&marker);
    buf_clear(&body);
}

/* Send what is signed.  The rule of cloudwatch.h: whatever is not proven is in doubt. */
static enum status send_signed(struct counted *c, struct ledger_answer *answer)
{
    struct aws_answer a;
    struct error err = {0};
    aws_answer_init(&a);
    enum status st = c->put == NULL ? ST_CANCELLED : cloudwatch_put_send(c->put, &a, &err);
    answer->server_ms = a.server_date_s * 1000;
    forget_put(c);
    aws_answer_clear(&a);
    switch (st) {
    case ST_OK: answer->kind = EVENT_ACCEPTED; return st;
    case ST_BAD_ITEM:
    case ST_TOO_BIG: answer->kind = EVENT_INVALID; break;
    case ST_IN_DOUBT: answer->kind = EVENT_NO_ANSWER; break;
    default: answer->kind = EVENT_REFUSED;
    }
    if (st == ST_IN_DOUBT)
        LOG_EVENT(LOG_WARN, "publish in doubt", log_cstr("reason", err.text),
                  log_cstr("status", status_name(st)));
    else
        LOG_EVENT(LOG_WARN, "publish refused", log_cstr("reason", err.text),
                  log_cstr("status", status_name(st)));
    return st;
}

static void host_send(void *ctx, const struct ledger_part *part, struct ledger_answer *answer)
{
    struct counted *c = ctx;
    (void)part;
    (void)send_signed(c, answer);
}

static void host_release(void *ctx)
{
    forget_put(ctx);
}

static void host_send_control(void *ctx, const struct ledger_marker *marker,
                              struct ledger_answer *answer)
{
    struct counted *c = ctx;
    const struct run_settings *s = c->options.settings;
    struct payload nothing = {.name_space = s->name_space};
    struct buf datum, body;
    struct error err = {0};
    buf_init(&datum, MARKER_BYTES);
    buf_init(&body, 2 * MARKER_BYTES);
    forget_put(c);
    answer->kind = EVENT_REFUSED;
    struct marker_place place = marker_place_of(c);
    marker_add_datum(&datum, &place, marker);
    enum status st = payload_write(&nothing, 0, 0, buf_view(&datum), &body);
    if (st == ST_OK)
        st = cloudwatch_put_new(&c->put, c->options.publisher, s->cloudwatch_region,
                                buf_view(&body), &err);
    if (st == ST_OK)
        st = cloudwatch_put_sign(c->put, &err);
    if (st == ST_OK)
        (void)send_signed(c, answer);
    else
        LOG_EVENT(LOG_WARN, "control marker cannot be signed", log_cstr("reason", err.text),
                  log_cstr("status", status_name(st)));
    forget_put(c);
    buf_clear(&datum);
    buf_clear(&body);
}

static enum status host_read_markers(void *ctx, const struct ledger_marker *marker,
                                     const struct ledger_marker *control,
                                     struct ledger_answer *answer)
{
    struct counted *c = ctx;
    struct marker_reading reading;
    struct error err = {0};
    struct marker_place place = marker_place_of(c);
    enum status st = marker_read(c->options.publisher, &place, marker, control, &reading, &err);
    if (st != ST_OK)
        LOG_EVENT(LOG_WARN, "markers cannot be read", log_cstr("reason", err.text),
                  log_cstr("status", status_name(st)));
    answer->server_ms = reading.server_ms;
    answer->applied = reading.applied;
    answer->control_applied = reading.control_applied;
    return st;
}

/* ---- the host: the rest ---- */

static int64_t host_now_ms(void *ctx)
{
    struct counted *c = ctx;
    int64_t wall = c->clock.wall_ms(c->clock.ctx);
    return wall + (aws_client_now_s(c->options.publisher) - wall / 1000) * 1000;
}

static enum status host_random(void *ctx, void *out, size_t n)
{
    (void)ctx;
    uint8_t *at = out;
    while (n > 0) {
        ssize_t got = getrandom(at, n, 0);
        if (got < 0 && errno != EINTR)
            return ST_IO;
        if (got > 0) {
            at += got;
            n -= (size_t)got;
        }
    }
    return ST_OK;
}

static void host_wait_ms(void *ctx, int64_t ms)
{
    struct counted *c = ctx;
    int64_t end = now_ms(c) + ms;
    while (now_ms(c) < end && !is_over(c))
        c->clock.sleep_ms(c->clock.ctx, 20);
}

static bool host_stop(void *ctx)
{
    return is_over(ctx);
}

static void host_point(void *ctx, const char *effect, bool after)
{
    (void)ctx;
    kill_point(effect, after);
}

static struct ledger_host make_host(struct counted *c)
{
    return (struct ledger_host){.ctx = c,
                                .now_ms = host_now_ms,
                                .random = host_random,
                                .wait_ms = host_wait_ms,
                                .stop = host_stop,
                                .read = host_read,
                                .sign = host_sign,
                                .send = host_send,
                                .release = host_release,
                                .send_control = host_send_control,
                                .read_markers = host_read_markers,
                                .point = host_point};
}

/* ---- life ---- */

enum status counted_new(struct counted **out, const struct counted_options *options,
                        struct error *err)
{
    *out = NULL;
    struct counted *c = calloc(1, sizeof(*c));
    if (c == NULL)
        return error_set(err, ST_NO_MEMORY, "out of memory");
    c->options = *options;
    c->clock = aws_clock_system();
    c->read_deadline_ms = c->publish_deadline_ms = INT64_MAX;
    c->data_limit = DATA_LIMIT;
    pthread_mutex_init(&c->locked.mutex, NULL);
    for (size_t i = 0; i < LEDGER_PAYLOADS_MAX; i++)
        buf_init(&c->payloads[i], LEDGER_PAYLOAD_BYTES_MAX);
    struct ledger_host host = make_host(c);
    c->driver = ledger_driver_new(options->session->ledger, &options->session->config, &host);
    if (c->driver == NULL) {
        counted_free(c);
        return error_set(err, ST_NO_MEMORY, "out of memory");
    }
    *out = c;
    return ST_OK;
}

void counted_free(struct counted *c)
{
    if (c == NULL)
        return;
    ledger_driver_free(c->driver);
    forget_put(c);
    for (size_t i = 0; i < LEDGER_PAYLOADS_MAX; i++)
        buf_clear(&c->payloads[i]);
    pthread_mutex_destroy(&c->locked.mutex);
    free(c);
}

void counted_set_deadlines(struct counted *c, int64_t read_ms, int64_t publish_ms)
{
    c->read_deadline_ms = read_ms;
    c->publish_deadline_ms = publish_ms;
}

enum status counted_id(const struct counted *c, struct counted_object *o)
{
    return ledger_id_of(c->options.session->identity, o->bucket, o->key, &o->id);
}

struct view counted_buckets(const struct counted *c)
{
    return c->options.settings->buckets;
}

const struct receipt *counted_receipt(const struct counted *c)
{
    return &c->receipt;
}

/* ---- outcomes ---- */

static void quarantine(struct counted *c, struct counted_object *o)
{
    struct ledger_quarantined entry = {.id = o->id,
                                       .bucket = o->bucket,
                                       .key = o->key,
                                       .reason = o->status == ST_TOO_BIG ? VIEW_LIT("too big")
                                                                         : VIEW_LIT("corrupt"),
                                       .time_ms = host_now_ms(c)};
    LOG_EVENT(LOG_ERROR, "object goes into quarantine", log_view("bucket", o->bucket),
              log_view("object", o->key), log_cstr("reason", o->err.text),
              log_cstr("status", status_name(o->status)));
    enum status st = ledger_quarantine_add(c->options.session->ledger, &entry);
    if (st != ST_OK)
        LOG_EVENT(LOG_WARN, "quarantine cannot be written", log_view("object", o->key),
                  log_cstr("status", status_name(st)));
}

static void back(struct counted_object *o, enum status st, int64_t after_ms, const char *why)
{
    o->retry_after_ms = after_ms;
    o->status = error_set(&o->err, st, "%s", why);
}

/* An object this run could not read.  false: it is for a later run of this round. */
static bool settle_unread(struct counted *c, struct counted_object *o,
                          struct round_summary *summary)
{
    if (o->deferred)
        return false;
    if (o->status == ST_MISSING) {
        LOG_EVENT(LOG_WARN, "object missing", log_view("bucket", o->bucket),
                  log_view("object", o->key));
        summary->tally.objects.skipped[OBJECT_MISSING]++;
        o->status = ST_OK;
        return true;
    }
    if (o->status == ST_OK) /* it was read, but could not be prepared */
        back(o, ST_RETRY, RETRY_MS, "the batch was not prepared");
    else if (o->err.text[0] == '\0')
        (void)error_set(&o->err, o->status, "%s", status_name(o->status));
    if (o->status == ST_BAD_ITEM || o->status == ST_TOO_BIG)
        quarantine(c, o);
    summary->tally.objects.failed++;
    return true;
}

static bool settle(struct counted *c, struct counted_object *o, enum protocol_object_state state,
                   enum status st, struct round_summary *summary)
{
    struct tally *t = &summary->tally;
    int64_t after = c->run.retry_after_ms > 0 ? c->run.retry_after_ms : RETRY_MS;
    o->outcome = state;
    switch (state) {
    case OBJECT_COUNTED:
    case OBJECT_HELD:
        o->status = ST_OK;
        o->tally.objects.counted = 1;
        tally_add(t, &o->tally);
        if (state == OBJECT_COUNTED && receipt_add(&c->receipt, &o->id) != ST_OK)
            LOG_MESSAGE(LOG_WARN, "receipt is not complete: out of memory");
        return true;
    case OBJECT_COUNTED_BEFORE:
        o->status = ST_OK;
        t->objects.duplicate++;
        return true;
    case OBJECT_UNREAD: return settle_unread(c, o, summary);
    case OBJECT_PENDING: back(o, ST_RETRY, after, "its batch is not finished"); break;
    case OBJECT_BUSY: back(o, ST_RETRY, after, "another worker has it"); break;
    default:
        if (st != ST_OK)
            back(o, st == ST_DENIED ? ST_DENIED : ST_RETRY, after, "the ledger failed");
        else if (is_over(c))
            back(o, ST_CANCELLED, 0, "no time left");
        else
            back(o, ST_RETRY, after, "the ledger was not reached");
    }
    t->objects.failed++;
    return true;
}

static void log_in_doubt(struct counted *c)
{
    const struct protocol_tally *t = &c->run.tally;
    if (t->requests_in_doubt > 0)
        LOG_EVENT(LOG_WARN, "requests in doubt",
                  log_cstr("policy", ledger_policy_name(c->options.session->config.policy)),
                  log_u64("requests", t->requests_in_doubt), log_u64("resent", t->resent),
                  log_u64("resent_tokens", t->resent_tokens), log_u64("dropped", t->dropped),
                  log_u64("dropped_tokens", t->dropped_tokens), log_u64("held", t->held),
                  log_u64("held_tokens", t->held_tokens));
    if (t->rejected > 0)
        LOG_EVENT(LOG_ERROR, "data refused by CloudWatch, left out",
                  log_u64("requests", t->rejected), log_u64("tokens", t->rejected_tokens));
    if (t->violations > 0)
        LOG_EVENT(LOG_ERROR, "a request was applied more than once",
                  log_u64("requests", t->violations));
}

static void add_run(struct counted *c, struct round_summary *s)
{
    const struct protocol_run *run = &c->run;
    uint64_t counted = 0;
    for (uint16_t i = 0; i < run->n_objects; i++)
        counted += run->objects[i].state == OBJECT_COUNTED;
    s->published.requests += run->tally.requests_accepted;
    s->published.in_doubt += run->tally.requests_in_doubt;
    s->published.data_rejected += run->tally.rejected;
    s->published.failed += run->tally.requests_refused;
    for (uint16_t i = 0; i < run->batch.n_parts; i++) {
        if (run->batch.state < BATCH_PREPARED || run->batch.parts[i].state != PART_ACKED)
            continue;
        s->published.data += run->batch.parts[i].count;
        s->tokens += run->batch.parts[i].tokens;
    }
    if (run->batch.state >= BATCH_PREPARED) {
        struct round_summary more = {.dropped = c->dropped, .series_folded = c->series_folded};
        round_summary_add(s, &more);
        if (c->dropped.any && (!s->dropped.any || c->dropped.first_time < s->dropped.first_time))
            s->dropped.first_time = c->dropped.first_time;
        if (c->dropped.any && (!s->dropped.any || c->dropped.last_time > s->dropped.last_time))
            s->dropped.last_time = c->dropped.last_time;
        s->dropped.any = s->dropped.any || c->dropped.any;
        c->in_doubt_untold -= c->in_doubt_told;
    }
    if (counted > 0)
        s->invocations +=
            c->invocations - c->dropped.old_invocations - c->dropped.future_invocations;
    c->in_doubt_untold += run->tally.requests_in_doubt;
    log_in_doubt(c);
}

/* ---- counting ---- */

static int by_id(const void *a, const void *b)
{
    struct counted_object *const *l = a, *const *r = b;
    return memcmp((*l)->id.bytes, (*r)->id.bytes, sizeof((*l)->id.bytes));
}

static uint16_t choose(struct counted *c, struct counted_object **sorted, size_t n)
{
    uint16_t chosen = 0;
    for (size_t i = 0; i < n && chosen < PROTOCOL_OBJECTS_MAX; i++) {
        if (sorted[i]->settled || (i > 0 && ledger_id_eq(&sorted[i]->id, &sorted[i - 1]->id)))
            continue;
        c->ids[chosen] = sorted[i]->id;
        c->chosen[chosen++] = sorted[i];
    }
    return chosen;
}

/* Objects named again have the outcome of the first. */
static void settle_repeated(struct counted_object **sorted, size_t n, struct round_summary *summary)
{
    for (size_t i = 1; i < n; i++) {
        if (!ledger_id_eq(&sorted[i]->id, &sorted[i - 1]->id))
            continue;
        sorted[i]->status = sorted[i - 1]->status;
        sorted[i]->retry_after_ms = sorted[i - 1]->retry_after_ms;
        sorted[i]->err = sorted[i - 1]->err;
        sorted[i]->outcome = OBJECT_COUNTED_BEFORE;
        sorted[i]->settled = true;
        summary->tally.objects.duplicate++;
    }
}

void counted_objects(struct counted *c, struct counted_object *objects, size_t n,
                     struct round_summary *summary)
{
    struct counted_object **sorted = calloc(n + 1, sizeof(struct counted_object *));
    uint16_t chosen = 0;
    summary->tally.objects.found += n;
    c->ms_read = 0;
    c->data_limit = DATA_LIMIT;
    for (size_t i = 0; i < n; i++) {
        objects[i].settled = objects[i].read = false;
        back(&objects[i], sorted == NULL ? ST_NO_MEMORY : ST_CANCELLED, 0,
             sorted == NULL ? "out of memory" : "no time left");
        if (sorted != NULL)
            sorted[i] = &objects[i];
    }
    if (sorted == NULL) {
        summary->tally.objects.failed += n;
        return;
    }
    qsort(sorted, n, sizeof(struct counted_object *), by_id);
    while (!is_late(c) && (chosen = choose(c, sorted, n)) > 0) {
        for (uint16_t i = 0; i < chosen; i++)
            c->chosen[i]->read = c->chosen[i]->deferred = false;
        enum status st = ledger_drive_count(c->driver, c->ids, chosen, &c->run);
        if (st != ST_OK)
            LOG_EVENT(LOG_ERROR, "the ledger cannot be worked with, nothing is published",
                      log_cstr("status", status_name(st)));
        for (uint16_t i = 0; i < chosen; i++)
            c->chosen[i]->settled = settle(
                c, c->chosen[i], (enum protocol_object_state)c->run.objects[i].state, st, summary);
        add_run(c, summary);
    }
    for (size_t i = 0; i < n; i++) {
        bool first = i == 0 || !ledger_id_eq(&sorted[i]->id, &sorted[i - 1]->id);
        if (!sorted[i]->settled && first)
            summary->tally.objects.failed++;
    }
    settle_repeated(sorted, n, summary);
    summary->ms_read += c->ms_read;
    free(sorted);
}

/* ---- recovery ---- */

/* What is unfinished must be for our sink: in another, its markers would seem absent. */
static enum status check_sink(struct counted *c, struct error *err)
{
    struct ledger *l = c->options.session->ledger;
    const struct run_settings *s = c->options.settings;
    struct ledger_nonce open[RECOVER_LIST];
    struct buf bytes;
    size_t n = 0;
    enum status st = ledger_list_open(l, INT64_MAX, open, RECOVER_LIST, &n);
    buf_init(&bytes, LEDGER_PAYLOAD_BYTES_MAX);
    for (size_t i = 0; i < n && st == ST_OK; i++) {
        struct payload payload = {0};
        buf_reset(&bytes);
        st = ledger_payload(l, &open[i], 0, &bytes);
        if (st == ST_MISSING) { /* a batch without data */
            st = ST_OK;
            continue;
        }
        if (st == ST_OK)
            st = payload_decode(buf_view(&bytes), &payload);
        if (st == ST_OK && (!view_eq(payload.name_space, s->name_space) ||
                            !view_eq(payload.region, s->cloudwatch_region)))
            st = error_set(err, ST_USAGE,
                           "LEDGER: unfinished batches are for namespace \"%.*s\" in \"%.*s\": "
                           "finish them with those settings (resolve) before changing them",
                           (int)payload.name_space.len, payload.name_space.ptr,
                           (int)payload.region.len, payload.region.ptr);
        payload_clear(&payload);
    }
    buf_clear(&bytes);
    return st;
}

enum status counted_recover(struct counted *c, bool first, size_t max, struct ledger_recovery *out,
                            struct error *err)
{
    struct ledger_session *s = c->options.session;
    *out = (struct ledger_recovery){0};
    if (first) {
        enum status st = check_sink(c, err);
        if (st != ST_OK)
            return err->text[0] != '\0' ? st : error_set(err, st, "the ledger cannot be read");
    }
    struct ledger_driver *driver = c->driver;
    if (first && s->sole) {
        /* Whoever held these leases had this file open, and does not any more. */
        struct protocol_config config = s->config;
        struct ledger_host host = make_host(c);
        config.lease_ms = 0;
        driver = ledger_driver_new(s->ledger, &config, &host);
        if (driver == NULL)
            return error_set(err, ST_NO_MEMORY, "out of memory");
    }
    enum status st = ledger_drive_recover(driver, max, out);
    if (driver != c->driver)
        ledger_driver_free(driver);
    const struct protocol_tally *t = &out->tally;
    if (out->found > 0)
        LOG_EVENT(LOG_INFO, "unfinished batches", log_u64("found", out->found),
                  log_u64("finished", out->done), log_u64("requests", t->requests_accepted),
                  log_u64("resolved_applied", t->resolved_applied),
                  log_u64("resolved_absent", t->resolved_absent), log_u64("held", t->held),
                  log_u64("resent", t->resent), log_u64("resent_tokens", t->resent_tokens),
                  log_u64("dropped", t->dropped), log_u64("dropped_tokens", t->dropped_tokens));
    if (t->violations > 0)
        LOG_EVENT(LOG_ERROR, "a request was applied more than once",
                  log_u64("requests", t->violations));
    return st == ST_OK ? st : error_set(err, st, "the ledger failed: %s", status_name(st));
}
