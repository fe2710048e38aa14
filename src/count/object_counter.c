/*
 * object_counter.c: the inner loop of the program: a chunk is inflated, then scanned, while it is
 * still in the cache. Whoever counts decides what becomes of the sums.
 */
#include "count/object_counter.h"

#include <stdlib.h>

#include "base/log.h"
#include "count/scan_helper.h"
#include "objects/content.h"
#include "records/scan.h"

enum {
    CHUNK_BYTES = 256 * 1024, /* in the second-level cache between inflating and scanning */
    LOGGED_SKIPS = 10,        /* of one object; the rest as a count */
};

struct object_counter {
    struct counter_options options;
    struct content *content;
    struct scanner *scanner;
    struct aggregate *aggregate;
    uint8_t *chunk;
    size_t chunk_bytes;
    counter_progress_fn *progress;
    void *progress_context;
    struct record_dates dates;
    /* of the current object */
    struct view key;
    struct tally seen; /* its records and times */
    uint64_t skips;
    enum status fault; /* of counting; scanning goes on without */
};

static void skip(struct object_counter *c, enum record_skip why, uint64_t offset)
{
    c->seen.records.skipped[why]++;
    if (c->options.log_skips && c->skips < LOGGED_SKIPS)
        LOG_FAULT(LOG_WARN, record_skip_code(why), "text skipped", log_view("object", c->key),
                  log_u64("offset", offset), log_cstr("reason", record_skip_name(why)));
    c->skips++;
}

static bool in_range(const struct object_counter *c, struct instant time)
{
    const struct time_range *r = &c->options.range;
    return (!r->has_since || instant_compare(time, r->since) >= 0) &&
           (!r->has_until || instant_compare(time, r->until) < 0);
}

/*
 * Called by the scanner for every JSON text of the object.  Each is found, and either counted or
 * skipped for one of four reasons, so that the balance can be checked at the end of a run.
 */
static void on_text(void *context, enum scan_outcome outcome, uint64_t offset,
                    const struct scan_record *raw)
{
    struct object_counter *c = context;
    struct record record;
    c->seen.records.found++;
    if (outcome == SCAN_MALFORMED) {
        skip(c, RECORD_MALFORMED, offset);
    } else if (outcome == SCAN_NOT_INVOCATION_LOG) {
        skip(c, RECORD_NOT_LOG, offset);
    } else if (record_check(raw, &c->dates, &record) != ST_OK) {
        skip(c, RECORD_INVALID, offset);
    } else if (!in_range(c, record.time)) {
        skip(c, RECORD_OUT_OF_RANGE, offset);
    } else {
        c->seen.records.counted++;
        tally_see_time(&c->seen, record.time.seconds);
        if (c->fault == ST_OK)
            c->fault = aggregate_add(c->aggregate, &record);
    }
}

struct object_counter *object_counter_new(const struct counter_options *options)
{
    struct object_counter *c = calloc(1, sizeof(*c));
    if (c == NULL)
        return NULL;
    struct scan_options scan = {
        .metadata_keys = options->aggregate.keys->metadata,
        .metadata_key_count = options->aggregate.keys->metadata_count,
        .latency = options->latency,
    };
    c->options = *options;
    c->chunk_bytes = options->chunk_bytes != 0 ? options->chunk_bytes : CHUNK_BYTES;
    c->content = content_new();
    c->scanner = scanner_new(&scan, on_text, c);
    c->aggregate = aggregate_new(&options->aggregate);
    c->chunk = malloc(c->chunk_bytes);
    if (c->content == NULL || c->scanner == NULL || c->aggregate == NULL || c->chunk == NULL) {
        object_counter_free(c);
        return NULL;
    }
    return c;
}

void object_counter_free(struct object_counter *c)
{
    if (c == NULL)
        return;
    content_free(c->content);
    scanner_free(c->scanner);
    aggregate_free(c->aggregate);
    free(c->chunk);
    free(c);
}

void object_counter_log_overflow(struct view object, struct view message, uint64_t overflow)
{
    if (overflow > 0)
        LOG_FAULT(LOG_WARN, E_T130, "more series than are held at a time, the rest counts as Other",
                  log_view("object", object), log_view("messageId", message),
                  log_u64("records", overflow));
}

struct aggregate *object_counter_aggregate(struct object_counter *c)
{
    return c->aggregate;
}

struct aggregate *object_counter_take_aggregate(struct object_counter *c)
{
    struct aggregate *aggregate = c->aggregate;
    c->aggregate = NULL;
    return aggregate;
}

void object_counter_on_progress(struct object_counter *c, counter_progress_fn *progress,
                                void *context)
{
    c->progress = progress;
    c->progress_context = context;
}

void object_counter_scan(struct object_counter *c, const uint8_t *bytes, size_t n)
{
    scanner_feed(c->scanner, bytes, n);
}

size_t object_counter_chunk_bytes(const struct object_counter *c)
{
    return c->chunk_bytes;
}

/* Inflate and scan to the end, by turns or, once there is a helper, at the same time. */
static enum status read_all(struct object_counter *c, struct error *err)
{
    struct scan_helper *helper = NULL;
    uint64_t reported = 0;
    enum status st;
    do {
        if (c->progress != NULL && helper == NULL) {
            uint64_t read = content_bytes_read(c->content);
            helper = c->progress(c->progress_context, c, read - reported);
            reported = read;
        }
        if (c->options.cancelled != NULL && atomic_load(c->options.cancelled)) {
            st = error_set(err, ST_CANCELLED, E_A306, "cancelled");
            break;
        }
        size_t n;
        uint8_t *chunk = helper != NULL ? scan_helper_buffer(helper) : c->chunk;
        st = content_next(c->content, chunk, c->chunk_bytes, &n, err);
        if (st != ST_OK && st != ST_END)
            break;
        if (helper != NULL)
            scan_helper_submit(helper, n);
        else
            object_counter_scan(c, chunk, n);
    } while (st == ST_OK);
    if (helper != NULL)
        scan_helper_finish(helper);
    if (c->progress != NULL)
        (void)c->progress(c->progress_context, NULL, content_bytes_read(c->content) - reported);
    return st == ST_END ? ST_OK : st;
}

/*
 * An object counts whole or not at all: its sums stay pending until its last byte was read and its
 * gzip checksum was right.  Short memory in the middle is remembered, and the object is read to
 * its end all the same, because a helper may be scanning it.
 */
enum status object_counter_run(struct object_counter *c, struct view key,
                               struct byte_stream *stream, struct tally *tally, struct error *err)
{
    c->key = key;
    c->seen = (struct tally){0};
    c->skips = 0;
    c->fault = ST_OK;
    *tally = (struct tally){0};
    scanner_reset(c->scanner);
    content_begin(c->content, stream, c->options.max_object_bytes);
    enum status st = read_all(c, err);
    if (st == ST_OK)
        scanner_finish(c->scanner);
    if (st == ST_OK && c->fault != ST_OK)
        st = c->fault == ST_TOO_BIG
                 ? error_set(err, ST_TOO_BIG, E_O111, "more buckets of time than can be held")
                 : error_set(err, c->fault, E_R113, "out of memory");
    if (c->options.log_skips && c->skips > LOGGED_SKIPS)
        LOG_FAULT(LOG_WARN, E_T110, "more texts skipped", log_view("object", key),
                  log_u64("count", c->skips - LOGGED_SKIPS));
    uint64_t overflow = aggregate_take_overflow(c->aggregate);
    if (st != ST_OK) {
        aggregate_rollback(c->aggregate);
        return st;
    }
    object_counter_log_overflow(key, VIEW_EMPTY, overflow);
    *tally = c->seen;
    tally->bytes_read = content_bytes_read(c->content);
    tally->bytes_inflated = content_bytes_inflated(c->content);
    return ST_OK;
}
