/*
 * batch.c: rows into requests.  They are walked in order; data that would make a request too large
 * open the next one, and those too old or too far ahead are counted and left out.
 */
#include "publish/batch.h"

#include <stdlib.h>

#include "base/array.h"
#include "base/json_out.h"

enum {
    /* Our clock, theirs, and the time until the request is read need not agree to the second. */
    MARGIN_OLD_S = 120,
    MARGIN_AHEAD_S = 5,
};

/* ---- rows ---- */

static void note_time(struct batch_dropped *d, int64_t time)
{
    if (!d->any || time < d->first_time)
        d->first_time = time;
    if (!d->any || time > d->last_time)
        d->last_time = time;
    d->any = true;
}

void batch_dropped_add(struct batch_dropped *into, const struct batch_dropped *from)
{
    into->old_rows += from->old_rows;
    into->future_rows += from->future_rows;
    into->old_tokens += from->old_tokens;
    into->future_tokens += from->future_tokens;
    into->old_invocations += from->old_invocations;
    into->future_invocations += from->future_invocations;
    if (from->any) {
        note_time(into, from->first_time);
        note_time(into, from->last_time);
    }
}

/* Whether the limits of time let it be sent; what they keep back is counted. */
static bool is_in_time(const struct aggregate_row *row, size_t set, int64_t now_s,
                       struct batch_dropped *d)
{
    int64_t age = now_s - row->time;
    bool old = age > DATUM_MAX_AGE_S - MARGIN_OLD_S;
    bool future = -age > DATUM_MAX_AHEAD_S - MARGIN_AHEAD_S;
    if (!old && !future)
        return true;
    note_time(d, row->time);
    *(old ? &d->old_rows : &d->future_rows) += 1;
    if (set == 0) {
        *(old ? &d->old_tokens : &d->future_tokens) += row->sum[METRIC_TOTAL];
        *(old ? &d->old_invocations : &d->future_invocations) += row->sum[METRIC_INVOCATIONS];
    }
    return false;
}

enum status batch_each_row(const struct aggregate *agg, const struct batch_options *options,
                           batch_row_fn *fn, void *context, struct batch_dropped *dropped)
{
    enum status st = ST_OK;
    size_t count = options->set_count > 0 ? options->set_count : aggregate_set_count(agg);
    for (size_t s = 0; s < count && st == ST_OK; s++) {
        struct aggregate_rows *rows = aggregate_rows_new(agg, s);
        if (rows == NULL)
            return ST_NO_MEMORY;
        for (size_t i = 0; i < aggregate_rows_count(rows) && st == ST_OK; i++) {
            struct aggregate_row row = {0};
            aggregate_rows_get(rows, i, &row);
            if (is_in_time(&row, s, options->now_s, dropped))
                st = fn(context, aggregate_set(agg, s), &row);
        }
        aggregate_rows_free(rows);
    }
    return st;
}

uint64_t batch_count_data(const struct aggregate *agg, const struct batch_options *options)
{
    uint64_t count = 0;
    size_t sets = options->set_count > 0 ? options->set_count : aggregate_set_count(agg);
    for (size_t s = 0; s < sets; s++) {
        struct aggregate_row row = {0};
        uint32_t cursor = 0;
        while (aggregate_next_row(agg, s, &cursor, &row)) {
            for (unsigned m = 0; m < METRIC_COUNT; m++) {
                if ((options->metrics & METRIC_BIT(m)) != 0)
                    count += datum_count(&row, (enum metric)m);
            }
        }
    }
    return count;
}

/* ---- requests ---- */

struct range {
    size_t first, count;
};

struct batch {
    struct buf name_space; /* as quoted JSON */
    struct buf text;       /* the data, one after the other */
    size_t *ends;          /* of each in `text` */
    size_t count, capacity;
    uint64_t *tokens; /* of each */
    size_t token_capacity;
    const struct dimension_set *first_set; /* while building */
    struct range *requests;
    size_t request_count, request_capacity;
    const struct batch_options *options; /* while building */
    size_t max_data, max_bytes;
};

static size_t begin_of(const struct batch *b, size_t datum)
{
    return datum == 0 ? 0 : b->ends[datum - 1];
}

/* `{"Namespace":...,"MetricData":[` and `]}` and the commas */
static size_t body_bytes(const struct batch *b, size_t first, size_t count)
{
    return b->name_space.len + 32 + begin_of(b, first + count) - begin_of(b, first) + count + 2;
}

/* Put data [first, b->count) after those of the last request, or into new ones. */
static enum status place(struct batch *b, size_t first)
{
    while (first < b->count) {
        struct range *last = b->request_count > 0 ? &b->requests[b->request_count - 1] : NULL;
        size_t count = b->count - first;
        if (last != NULL && last->count + count <= b->max_data &&
            body_bytes(b, last->first, last->count + count) <= b->max_bytes) {
            last->count += count;
            return ST_OK;
        }
        /* A new request: as much of the row as it takes, which is nearly always all. */
        while (count > 1 && (count > b->max_data || body_bytes(b, first, count) > b->max_bytes))
            count--;
        if (body_bytes(b, first, count) > b->max_bytes)
            return ST_TOO_BIG;
        if (!array_room(&b->requests, b->request_count, &b->request_capacity, 64,
                        sizeof(*b->requests)))
            return ST_NO_MEMORY;
        b->requests[b->request_count++] = (struct range){first, count};
        first += count;
    }
    return ST_OK;
}

static enum status add_row(void *context, const struct dimension_set *set,
                           const struct aggregate_row *row)
{
    struct batch *b = context;
    struct datum_form form = {set, b->options->storage_resolution};
    size_t first = b->count;
    for (unsigned m = 0; m < METRIC_COUNT; m++) {
        if ((b->options->metrics & METRIC_BIT(m)) == 0)
            continue;
        struct datum_pieces pieces = {0};
        struct datum_piece piece;
        while (datum_next_piece(&pieces, row, (enum metric)m, &piece)) {
            if (!array_room(&b->ends, b->count, &b->capacity, 64, sizeof(*b->ends)) ||
                !array_room(&b->tokens, b->count, &b->token_capacity, 64, sizeof(*b->tokens)))
                return ST_NO_MEMORY;
            b->tokens[b->count] =
                b->count == first && set == b->first_set ? (uint64_t)row->sum[METRIC_TOTAL] : 0;
            datum_add(&b->text, &form, row, (enum metric)m, &piece);
            b->ends[b->count++] = b->text.len;
        }
    }
    enum status st = buf_status(&b->text);
    return st == ST_OK ? place(b, first) : st;
}

static enum status add_counter(struct batch *b, const struct batch_counter *counter)
{
    if (!array_room(&b->ends, b->count, &b->capacity, 64, sizeof(*b->ends)) ||
        !array_room(&b->tokens, b->count, &b->token_capacity, 64, sizeof(*b->tokens)))
        return ST_NO_MEMORY;
    b->tokens[b->count] = 0;
    int64_t minute = b->options->now_s - b->options->now_s % 60;
    struct json_out j = {.out = &b->text};
    json_open_object(&j, NULL);
    json_add_cstr(&j, "MetricName", counter->metric);
    if (counter->dimension != NULL) {
        json_open_array(&j, "Dimensions");
        json_open_object(&j, NULL);
        json_add_cstr(&j, "Name", counter->dimension);
        json_add_cstr(&j, "Value", counter->value);
        json_close(&j);
        json_close(&j);
    }
    json_add_i64(&j, "Timestamp", minute);
    json_add_u64(&j, "Value", counter->amount);
    json_add_cstr(&j, "Unit", "Count");
    json_close(&j);
    b->ends[b->count++] = b->text.len;
    enum status st = buf_status(&b->text);
    return st == ST_OK ? place(b, b->count - 1) : st;
}

/* InDoubtPublishes travels with other data only: without a ledger, a request of its own would be
 * one more that can be in doubt. */
static enum status add_counters(struct batch *b)
{
    const struct batch_counter in_doubt = {.metric = "InDoubtPublishes",
                                           .amount = b->options->in_doubt};
    enum status st = ST_OK;
    if (in_doubt.amount > 0 && b->count > 0)
        st = add_counter(b, &in_doubt);
    for (size_t i = 0; i < b->options->counter_count && st == ST_OK; i++)
        st = add_counter(b, &b->options->counters[i]);
    return st;
}

enum status batch_new(struct batch **out, const struct aggregate *agg,
                      const struct batch_options *options, struct batch_dropped *dropped)
{
    *out = NULL;
    struct batch *b = calloc(1, sizeof(*b));
    if (b == NULL)
        return ST_NO_MEMORY;
    buf_init(&b->text, SIZE_MAX / 2);
    buf_init(&b->name_space, 1024);
    json_quote(&b->name_space, options->name_space);
    b->options = options;
    b->first_set = aggregate_set_count(agg) > 0 ? aggregate_set(agg, 0) : NULL;
    b->max_data = options->max_data > 0 ? options->max_data : BATCH_MAX_DATA;
    b->max_bytes = options->max_bytes > 0 ? options->max_bytes : BATCH_MAX_BYTES;
    enum status st = buf_status(&b->name_space);
    if (st == ST_OK)
        st = batch_each_row(agg, options, add_row, b, dropped);
    if (st == ST_OK)
        st = add_counters(b);
    b->options = NULL;
    b->first_set = NULL;
    if (st != ST_OK) {
        batch_free(b);
        return st;
    }
    *out = b;
    return ST_OK;
}

void batch_free(struct batch *b)
{
    if (b == NULL)
        return;
    buf_clear(&b->text);
    buf_clear(&b->name_space);
    free(b->ends);
    free(b->tokens);
    free(b->requests);
    free(b);
}

size_t batch_request_count(const struct batch *b)
{
    return b->request_count;
}

void batch_request(const struct batch *b, size_t request, size_t *first, size_t *count)
{
    *first = b->requests[request].first;
    *count = b->requests[request].count;
}

size_t batch_data_count(const struct batch *b)
{
    return b->count;
}

struct view batch_datum(const struct batch *b, size_t datum)
{
    size_t begin = begin_of(b, datum);
    return view_make(b->text.ptr + begin, b->ends[datum] - begin);
}

uint64_t batch_tokens(const struct batch *b, size_t first, size_t count)
{
    uint64_t sum = 0;
    for (size_t i = first; i < first + count; i++)
        sum += b->tokens[i];
    return sum;
}

enum status batch_write(const struct batch *b, size_t first, size_t count, struct buf *out)
{
    struct json_out j = {.out = out};
    buf_reset(out);
    json_open_object(&j, NULL);
    buf_add_view(json_add_value(&j, "Namespace"), buf_view(&b->name_space));
    json_open_array(&j, "MetricData");
    for (size_t i = 0; i < count; i++)
        buf_add_view(json_add_value(&j, NULL), batch_datum(b, first + i));
    json_close(&j);
    json_close(&j);
    return buf_status(out);
}
