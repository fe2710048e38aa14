/* From claimed objects to payloads: several readers, their sums joined, encoded for the ledger. */
#include "ledger/exact_round_private.h"

#include "objects/source_s3.h"
#include "publish/payload.h"

enum {
    PAYLOADS_LIMIT = PROTOCOL_PARTS_MAX - 8,
};

static enum status open_object(struct exact_round *c, const struct round_object *o,
                               struct byte_stream **stream, struct error *err)
{
    if (o->source != NULL)
        return c->options.open(o, stream, err);
    struct s3_get get = {.bucket = o->bucket, .key = o->key, .region = o->region};
    size_t role = settings_aws_role(c->options.aws, o->bucket);
    return s3_stream_open(c->options.pools[role], &get, stream, err);
}

static uint64_t tag_of(const struct exact_round *c, const struct round_object *o,
                       const struct byte_stream *stream)
{
    return o->source == NULL && exact_round_has_tags(c) ? ledger_tag_of(s3_stream_etag(stream)) : 0;
}

uint64_t exact_round_look(struct exact_round *c, const struct round_object *o)
{
    struct byte_stream *stream = NULL;
    struct error err = {0};
    uint64_t tag = 0;
    if (open_object(c, o, &stream, &err) == ST_OK)
        tag = tag_of(c, o, stream);
    byte_stream_close(stream);
    return tag;
}

/* Whether so many data more fit; the bound counts what two objects share twice, so a full one is
 * counted anew. */
static bool has_room(struct exact_round *c, uint64_t data)
{
    if (c->locked.count == 0 || c->locked.data_bound + data <= c->data_limit)
        return true;
    c->locked.data_bound = batch_count_data(c->locked.sums, c->options.settings->metrics);
    return c->locked.data_bound + data <= c->data_limit;
}

/* The sums of one whole object join those of the run. */
static enum status join(struct exact_round *c, struct round_object *o, const struct aggregate *agg)
{
    uint64_t data = batch_count_data(agg, c->options.settings->metrics);
    enum status st = ST_OK;
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

static enum status read_object(struct exact_round *c, struct reader *reader, struct round_object *o)
{
    struct object_read read = {.bucket = o->bucket, .key = o->key};
    struct byte_stream *stream = NULL;
    if (exact_round_is_late(c))
        return error_set(&o->err, ST_CANCELLED, E_Q101, "no time left");
    pthread_mutex_lock(&c->locked.mutex);
    o->deferred = c->locked.full;
    pthread_mutex_unlock(&c->locked.mutex);
    if (o->deferred)
        return ST_RETRY;
    enum status opened = open_object(c, o, &stream, &read.err);
    o->read_tag = opened == ST_OK ? tag_of(c, o, stream) : 0;
    enum status st = reader_count(reader, &read, opened, stream);
    o->tally = read.tally;
    o->tally.objects = (struct tally){0}.objects; /* outcome.c knows what becomes of it */
    o->err = read.err;
    if (st == ST_OK) {
        st = join(c, o, reader_sums(reader));
        aggregate_reset(reader_sums(reader));
    }
    return st;
}

static void run_object(void *context, struct reader *reader, void *job)
{
    struct round_object *o = job;
    o->err = (struct error){0};
    o->tally = (struct tally){0};
    o->deferred = false;
    o->status = o->note ? ST_OK : read_object(context, reader, o);
    o->read = o->status == ST_OK;
}

static enum status read_all(struct exact_round *c)
{
    struct reader_pool_options options = {.counter = settings_counter(c->options.settings),
                                          .readers = c->options.readers,
                                          .run = run_object,
                                          .context = c};
    struct reader_pool *readers = reader_pool_new(&options);
    if (readers == NULL)
        return ST_NO_MEMORY;
    for (uint16_t i = 0; i < c->run.n_objects; i++) {
        if (c->run.objects[i].state == OBJECT_MINE)
            reader_pool_add(readers, c->chosen[i]);
    }
    reader_pool_finish(readers);
    reader_pool_free(readers);
    return ST_OK;
}

/* ---- payloads ---- */

/* One request as a payload and its part, or as two halves where it is too big for a record. */
static enum status add_payload(struct exact_round *c, const struct batch *batch, size_t first,
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

static enum status add_payloads(struct exact_round *c, const struct batch *batch, size_t first,
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

enum status exact_round_encode(struct exact_round *c, struct aggregate *sums,
                               const struct batch_counter *counters, size_t counter_count,
                               struct ledger_batch_data *out)
{
    const struct run_settings *s = c->options.settings;
    struct batch_options options = {.name_space = s->name_space,
                                    .metrics = s->metrics,
                                    .storage_resolution = s->resolution_s < 60 ? 1 : 60,
                                    .now_s = aws_client_now_s(c->options.publisher),
                                    .counters = counters,
                                    .counter_count = counter_count,
                                    .max_data = BATCH_MAX_DATA - 1,
                                    .max_bytes = BATCH_MAX_BYTES - MARKER_BYTES};
    struct batch *batch = NULL;
    enum status st = aggregate_fold(sums, (size_t)s->max_series, &c->series_folded);
    if (st == ST_OK)
        st = batch_new(&batch, sums, &options, &c->dropped);
    for (size_t i = 0; st == ST_OK && i < batch_request_count(batch); i++) {
        size_t first, count;
        batch_request(batch, i, &first, &count);
        st = add_payloads(c, batch, first, count, out);
    }
    batch_free(batch);
    return st;
}

/* More data than a batch takes: fewer objects next time, and one alone never will do. */
static void defer_all(struct exact_round *c)
{
    bool alone = c->locked.count <= 1;
    c->data_limit = c->data_limit > 1 ? c->data_limit / 2 : 1;
    for (uint16_t i = 0; i < c->run.n_objects; i++) {
        struct round_object *o = c->chosen[i];
        if (!o->read)
            continue;
        o->read = false;
        o->deferred = !alone;
        o->status = alone ? error_set(&o->err, ST_TOO_BIG, E_L208, "more data than a batch takes")
                          : ST_RETRY;
    }
}

enum status exact_round_host_read(void *ctx, const struct protocol_run *run,
                                  struct ledger_batch_data *out)
{
    struct exact_round *c = ctx;
    int64_t began = exact_round_now_ms(c);
    struct counter_options options = settings_counter(c->options.settings);
    c->dropped = (struct batch_dropped){0};
    c->series_folded = 0;
    c->duplicates_reported = 0;
    memset(c->sums, 0, sizeof(c->sums));
    c->elsewhere = (struct round_summary){0};
    c->locked.count = 0;
    c->locked.data_bound = 0;
    c->locked.full = c->locked.broken = false;
    c->locked.sums = aggregate_new(&options.aggregate);
    enum status st = c->locked.sums == NULL ? ST_NO_MEMORY : ST_OK;
    if (st == ST_OK)
        st = read_all(c);
    if (st == ST_OK) {
        st = c->locked.broken ? ST_NO_MEMORY : exact_round_encode_run(c, out);
        if (st == ST_TOO_BIG)
            defer_all(c);
        aggregate_totals(c->locked.sums, c->sums);
        round_summary_add_elsewhere(&c->elsewhere, c->sums);
    }
    for (uint16_t i = 0; i < run->n_objects; i++) {
        struct round_object *o = c->chosen[i];
        if (run->objects[i].state != OBJECT_MINE)
            continue;
        out->kept[i] = st == ST_OK && o->read;
        out->tags[i] = o->read_tag;
        if (st != ST_OK && o->read)
            o->status = error_set(&o->err, st, E_NONE, "%s", status_name(st));
    }
    aggregate_free(c->locked.sums);
    c->locked.sums = NULL;
    c->ms_read += exact_round_now_ms(c) - began;
    return st;
}
