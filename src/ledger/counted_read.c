/* From claimed objects to payloads: several readers, their sums joined, encoded for the ledger. */
#include "ledger/counted_private.h"

#include "objects/source_s3.h"
#include "publish/payload.h"

enum {
    PAYLOADS_LIMIT = PROTOCOL_PARTS_MAX - 8,
};

static enum status open_object(struct counted *c, const struct counted_object *o,
                               struct byte_stream **stream, struct error *err)
{
    if (o->source != NULL)
        return c->options.open(o, stream, err);
    struct s3_get get = {.bucket = o->bucket, .key = o->key, .region = o->region};
    size_t role = settings_aws_role(c->options.aws, o->bucket);
    return s3_stream_open(c->options.pools[role], &get, stream, err);
}

static uint64_t tag_of(const struct counted *c, const struct counted_object *o,
                       const struct byte_stream *stream)
{
    return o->source == NULL && counted_has_tags(c) ? ledger_tag_of(s3_stream_etag(stream)) : 0;
}

uint64_t counted_look(struct counted *c, const struct counted_object *o)
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
static bool has_room(struct counted *c, uint64_t data)
{
    if (c->locked.count == 0 || c->locked.data_bound + data <= c->data_limit)
        return true;
    c->locked.data_bound = batch_count_data(c->locked.sums, c->options.settings->metrics);
    return c->locked.data_bound + data <= c->data_limit;
}

/* The sums of one whole object join those of the run. */
static enum status join(struct counted *c, struct counted_object *o, const struct aggregate *agg)
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

static enum status read_object(struct reader *reader, struct counted_object *o)
{
    struct counted *c = reader->counted;
    struct byte_stream *stream = NULL;
    if (counted_is_late(c))
        return error_set(&o->err, ST_CANCELLED, E_Q101, "no time left");
    pthread_mutex_lock(&c->locked.mutex);
    o->deferred = c->locked.full;
    pthread_mutex_unlock(&c->locked.mutex);
    if (o->deferred)
        return ST_RETRY;
    struct counter_options options = settings_counter(c->options.settings);
    if (reader->counter == NULL)
        reader->counter = object_counter_new(&options);
    if (reader->counter == NULL)
        return error_set(&o->err, ST_NO_MEMORY, E_R113, "out of memory");
    struct aggregate *agg = object_counter_aggregate(reader->counter);
    enum status st = open_object(c, o, &stream, &o->err);
    o->read_tag = st == ST_OK ? tag_of(c, o, stream) : 0;
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
        o->err = (struct error){0};
        o->tally = (struct tally){0};
        o->deferred = false;
        o->status = o->note ? ST_OK : read_object(reader, o);
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

/* ---- payloads ---- */

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

enum status counted_encode(struct counted *c, struct aggregate *sums,
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
        o->status = alone ? error_set(&o->err, ST_TOO_BIG, E_L208, "more data than a batch takes")
                          : ST_RETRY;
    }
}

enum status counted_host_read(void *ctx, const struct protocol_run *run,
                              struct ledger_batch_data *out)
{
    struct counted *c = ctx;
    int64_t began = counted_now_ms(c);
    struct counter_options options = settings_counter(c->options.settings);
    c->dropped = (struct batch_dropped){0};
    c->series_folded = 0;
    c->duplicates_told = 0;
    memset(c->sums, 0, sizeof(c->sums));
    c->elsewhere = (struct round_summary){0};
    c->locked.next = 0;
    c->locked.count = 0;
    c->locked.data_bound = 0;
    c->locked.full = c->locked.broken = false;
    c->locked.sums = aggregate_new(&options.aggregate);
    enum status st = c->locked.sums == NULL ? ST_NO_MEMORY : ST_OK;
    if (st == ST_OK) {
        read_all(c, run->n_objects);
        st = c->locked.broken ? ST_NO_MEMORY : counted_encode_run(c, out);
        if (st == ST_TOO_BIG)
            defer_all(c);
        aggregate_totals(c->locked.sums, c->sums);
        round_summary_add_elsewhere(&c->elsewhere, c->sums);
    }
    for (uint16_t i = 0; i < run->n_objects; i++) {
        struct counted_object *o = c->chosen[i];
        if (run->objects[i].state != OBJECT_MINE)
            continue;
        out->kept[i] = st == ST_OK && o->read;
        out->tags[i] = o->read_tag;
        if (st != ST_OK && o->read)
            o->status = error_set(&o->err, st, E_NONE, "%s", status_name(st));
    }
    aggregate_free(c->locked.sums);
    c->locked.sums = NULL;
    c->ms_read += counted_now_ms(c) - began;
    return st;
}
