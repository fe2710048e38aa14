/*
 * From claimed objects to payloads: several readers, their sums joined, encoded for the ledger.
 * Each object joins whole or not at all; one whose data do not fit waits for the next run.
 */
#include "ledger/exact_round_private.h"

#include "objects/source_s3.h"
#include "publish/payload.h"

enum {
    PAYLOADS_LIMIT = PROTOCOL_PARTS_MAX - 8,
};

static enum status open_object(struct exact_round *x, const struct round_object *o,
                               struct byte_stream **stream, struct error *err)
{
    if (o->source != NULL)
        return x->options.open(o, stream, err);
    struct s3_get get = {.bucket = o->read.bucket, .key = o->read.key, .region = o->region};
    return s3_stream_open(exact_round_pool(x, o->read.bucket), &get, stream, err);
}

static uint64_t tag_of(const struct exact_round *x, const struct round_object *o,
                       const struct byte_stream *stream)
{
    bool has_tag = o->source == NULL && x->options.session->identity == IDENTITY_KEY;
    return has_tag ? ledger_tag_of(s3_stream_etag(stream)) : 0;
}

uint64_t exact_round_look(struct exact_round *x, const struct round_object *o)
{
    struct byte_stream *stream = NULL;
    struct error err = {0};
    uint64_t tag = 0;
    if (open_object(x, o, &stream, &err) == ST_OK)
        tag = tag_of(x, o, stream);
    byte_stream_close(stream);
    return tag;
}

/* ---- reading ---- */

/* Whether so many data more fit; the bound counts what two objects share twice, so a full one is
 * counted anew. */
static bool has_room(struct exact_round *x, uint64_t data)
{
    if (x->locked.count == 0)
        return true;
    if (aggregate_bound_is_used(x->options.settings->bound, 90))
        return false;
    if (x->locked.data_bound + data <= x->data_limit)
        return true;
    x->locked.data_bound = batch_count_data(x->sums, &x->batch);
    return x->locked.data_bound + data <= x->data_limit;
}

/* The sums of one whole object join those of the run. */
static enum status join(struct exact_round *x, struct round_object *o, struct aggregate *agg)
{
    uint64_t data = batch_count_data(agg, &x->batch);
    enum status st = ST_OK;
    pthread_mutex_lock(&x->locked.mutex);
    if (!has_room(x, data)) {
        x->locked.full = true;
        o->deferred = true;
        st = ST_RETRY;
    } else {
        st = aggregate_move(x->sums, agg);
        object_counter_log_overflow(o->read.key, VIEW_EMPTY, aggregate_take_overflow(x->sums));
        x->locked.broken = x->locked.broken || st != ST_OK; /* half of it may be in */
        x->locked.data_bound += data;
        x->locked.count++;
    }
    pthread_mutex_unlock(&x->locked.mutex);
    return st;
}

static void read_object(void *context, struct reader *reader, void *job)
{
    struct exact_round *x = context;
    struct round_object *o = job;
    struct byte_stream *stream = NULL;
    pthread_mutex_lock(&x->locked.mutex);
    o->deferred = x->locked.full;
    pthread_mutex_unlock(&x->locked.mutex);
    o->read.err = (struct error){0};
    if (o->deferred) {
        o->read.status = ST_RETRY;
    } else if (exact_round_is_late(x)) {
        o->read.status = error_set(&o->read.err, ST_CANCELLED, E_Q101, "no time left");
    } else {
        enum status opened = open_object(x, o, &stream, &o->read.err);
        o->read_tag = opened == ST_OK ? tag_of(x, o, stream) : 0;
        if (reader_count(reader, &o->read, opened, stream) == ST_OK) {
            o->read.status = join(x, o, reader_sums(reader));
        }
        if (reader_sums(reader) != NULL)
            aggregate_reset(reader_sums(reader));
        o->was_read = o->read.status == ST_OK;
    }
}

static enum status read_all(struct exact_round *x)
{
    struct reader_pool_options options = {.counter = exact_round_counter(x),
                                          .readers = x->options.readers,
                                          .run = read_object,
                                          .context = x};
    struct reader_pool *readers = reader_pool_new(&options);
    x->sums = aggregate_new(&options.counter.aggregate);
    bool ok = readers != NULL && x->sums != NULL;
    for (uint16_t i = 0; i < x->run.n_objects && ok; i++) {
        if (x->run.objects[i].state != OBJECT_MINE)
            continue;
        if (x->chosen[i]->note)
            x->chosen[i]->was_read = true;
        else
            reader_pool_add(readers, x->chosen[i]);
    }
    if (ok)
        reader_pool_finish(readers);
    reader_pool_free(readers);
    return ok && !x->locked.broken ? ST_OK : ST_NO_MEMORY;
}

/* ---- payloads ---- */

/* One request as a payload and its part, or as two halves where it is too big for a record. */
static enum status add_payload(struct exact_round *x, const struct batch *batch, size_t first,
                               size_t count, struct ledger_batch_data *out)
{
    const struct run_settings *s = x->options.settings;
    if (out->n_payloads == PAYLOADS_LIMIT)
        return ST_TOO_BIG;
    struct buf *bytes = &x->payloads[out->n_payloads];
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

static enum status add_payloads(struct exact_round *x, const struct batch *batch, size_t first,
                                size_t count, struct ledger_batch_data *out)
{
    size_t end = first + count, step = count;
    while (first < end) {
        size_t n = step < end - first ? step : end - first;
        enum status st = add_payload(x, batch, first, n, out);
        if (st == ST_OK)
            first += n;
        else if (st == ST_TOO_BIG && n > 1 && out->n_payloads < PAYLOADS_LIMIT)
            step = n / 2;
        else
            return st;
    }
    return ST_OK;
}

enum status exact_round_encode(struct exact_round *x, struct aggregate *sums,
                               const struct batch_counter *counters, size_t counter_count,
                               struct ledger_batch_data *out)
{
    struct batch_options options = x->batch;
    struct batch *batch = NULL;
    options.now_s = aws_client_now_s(x->options.publisher);
    options.counters = counters;
    options.counter_count = counter_count;
    options.max_data = BATCH_MAX_DATA - 1;
    options.max_bytes = BATCH_MAX_BYTES - MARKER_BYTES;
    enum status st = aggregate_fold(sums, options.set_count,
                                    (size_t)x->options.settings->max_series, &x->series_folded);
    if (st == ST_OK)
        st = batch_new(&batch, sums, &options, &x->dropped);
    for (size_t i = 0; st == ST_OK && i < batch_request_count(batch); i++) {
        size_t first, count;
        batch_request(batch, i, &first, &count);
        st = add_payloads(x, batch, first, count, out);
    }
    batch_free(batch);
    return st;
}

/* More data than a batch takes: fewer objects next time, and one alone never will do. */
static void defer_all(struct exact_round *x)
{
    bool alone = x->locked.count <= 1;
    x->data_limit = x->data_limit > 1 ? x->data_limit / 2 : 1;
    for (uint16_t i = 0; i < x->run.n_objects; i++) {
        struct round_object *o = x->chosen[i];
        if (!o->was_read)
            continue;
        o->was_read = false;
        o->deferred = !alone;
        o->read.status =
            alone ? error_set(&o->read.err, ST_TOO_BIG, E_L208, "more data than a batch takes")
                  : ST_RETRY;
    }
}

enum status exact_round_host_read(void *ctx, const struct protocol_run *run,
                                  struct ledger_batch_data *out)
{
    struct exact_round *x = ctx;
    int64_t began = exact_round_now_ms(x);
    for (uint16_t i = 0; i < run->n_objects; i++)
        x->chosen[i]->was_read = false;
    aggregate_free(x->sums); /* of an attempt whose claims were lost */
    x->sums = NULL;
    x->dropped = (struct batch_dropped){0};
    x->series_folded = 0;
    x->duplicates_reported = 0;
    x->locked.count = 0;
    x->locked.data_bound = 0;
    x->locked.full = x->locked.broken = false;
    enum status st = read_all(x);
    if (st == ST_OK)
        st = exact_round_encode_run(x, out);
    if (st == ST_TOO_BIG)
        defer_all(x);
    for (uint16_t i = 0; i < run->n_objects; i++) {
        struct round_object *o = x->chosen[i];
        if (run->objects[i].state != OBJECT_MINE)
            continue;
        out->kept[i] = st == ST_OK && o->was_read;
        out->tags[i] = o->read_tag;
        if (st != ST_OK && o->was_read)
            o->read.status = error_set(&o->read.err, st, E_NONE, "%s", status_name(st));
    }
    x->ms_read += exact_round_now_ms(x) - began;
    return st;
}
