/*
 * sim_run.c: the traffic of some hours, and how it becomes objects.
 *
 * Every account in every Region is a stream with batches of its own.  Its share of an hour follows
 * the working day there.  The amount wanted (records or bytes) is dealt out to the hours first, so
 * both ways run through the same loop: what is done of an hour's amount tells the time in the hour.
 */
#include "sim.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum framing { FRAME_LINES, FRAME_NO_LAST, FRAME_CRLF, FRAME_BLANK, FRAME_ARRAY, FRAME_CONCAT };

struct batch {
    struct buf text;
    unsigned records, target;
    int64_t first, last;
    enum framing framing;
};

struct traffic {
    const struct config *cfg;
    struct rng rng;
    struct stream *streams;
    struct batch *batches;
    uint64_t *cumulated; /* weights of the streams in this hour */
    size_t stream_count;
    char (*accounts)[13];
    struct record_maker maker;
    struct store *store;
    struct sink *sink; /* instead of a store, with --single */
    struct expect *expect;
    struct tally tally;
    struct offload off;
    struct buf key, line;
    uint64_t done; /* records or bytes, as the configuration counts */
    uint64_t bytes;
    /* Index + 1 of the stream in the middle of a burst.  Outside demo and mixed traffic comes in
     * bursts as long as a batch, so that objects have their usual size at any rate. */
    size_t burst;
};

/* Percent of the busiest hour, by local time. */
static const unsigned daily[24] = {12, 9,  7,  6,  6,  8,  14, 28, 55, 80, 95, 100,
                                   88, 92, 98, 96, 90, 78, 60, 45, 36, 30, 22, 16};

static bool is_varied(const struct traffic *t)
{
    return t->cfg->profile == PROFILE_DEMO || t->cfg->profile == PROFILE_MIXED;
}

/* ---- set up ---- */

static void accounts_init(struct traffic *t)
{
    static const char *const known[] = {"000123456789", "111122223333", "210987654321",
                                        "012345678901", "444455556666", "999988887777"};

    t->accounts = xmalloc(t->cfg->accounts * sizeof(*t->accounts));
    for (size_t i = 0; i < t->cfg->accounts; i++) {
        uint64_t n = rng_next(&t->rng);

        for (size_t k = 12; k-- > 0; n /= 10)
            t->accounts[i][k] = (char)('0' + n % 10);
        t->accounts[i][12] = '\0';
        if (i < sizeof(known) / sizeof(known[0]))
            memcpy(t->accounts[i], known[i], 13);
    }
}

/* The text with an id of twelve characters in place of `%`. */
static char *id_fill(const char *form, const char *id)
{
    struct buf b = {0};

    for (; *form; form++) {
        if (*form == '%')
            buf_str(&b, id);
        else
            buf_char(&b, *form);
    }
    buf_char(&b, '\0');
    return b.p;
}

static void stream_init(struct traffic *t, struct stream *s)
{
    s->candidates = xmalloc(offer_count * sizeof(*s->candidates));
    s->candidate_count = 0;
    for (size_t i = 0; i < offer_count; i++) {
        const char *destinations = route_destinations(offers[i].route, s->region->name);
        struct candidate *c = &s->candidates[s->candidate_count];
        struct buf id = {0};

        if (!destinations || (offers[i].odd && t->cfg->profile != PROFILE_MIXED))
            continue;
        buf_alnum(&id, &t->rng, 12);
        buf_char(&id, '\0');
        c->offer = offers[i];
        c->offer.model = id_fill(offers[i].model, id.p);
        c->offer.profile = id_fill(offers[i].profile, id.p);
        c->destinations = destinations;
        s->candidate_count++;
        buf_free(&id);
    }
}

static void streams_init(struct traffic *t)
{
    const struct config *cfg = t->cfg;

    t->stream_count = cfg->accounts * cfg->region_count;
    t->streams = xmalloc(t->stream_count * sizeof(*t->streams));
    t->batches = xmalloc(t->stream_count * sizeof(*t->batches));
    t->cumulated = xmalloc(t->stream_count * sizeof(*t->cumulated));
    for (size_t i = 0; i < t->stream_count; i++) {
        size_t account = i / cfg->region_count;
        const struct region *region = cfg->regions[i % cfg->region_count];

        t->streams[i] = (struct stream){
            .account = t->accounts[account],
            .region = region,
            /* The accounts differ in size, and in where they are at home. */
            .weight =
                1 + region->weight * (100 / (1 + (unsigned)account)) * rng_range(&t->rng, 1, 6) / 6,
            .bodies_on = i % 3 != 2,
            .id = (uint32_t)i,
        };
        stream_init(t, &t->streams[i]);
        t->batches[i] = (struct batch){0};
    }
}

static void streams_free(struct traffic *t)
{
    for (size_t i = 0; i < t->stream_count; i++) {
        for (size_t k = 0; k < t->streams[i].candidate_count; k++) {
            /* Made by id_fill() above; const only for those who read. */
            free((void *)(uintptr_t)t->streams[i].candidates[k].offer.model);
            free((void *)(uintptr_t)t->streams[i].candidates[k].offer.profile);
        }
        free(t->streams[i].candidates);
        buf_free(&t->batches[i].text);
    }
    free(t->streams);
    free(t->batches);
    free(t->cumulated);
    free(t->accounts);
}

/* ---- objects ---- */

static void batch_begin(struct traffic *t, struct batch *b, int64_t time)
{
    static const unsigned range[][2] = {
        [PROFILE_DEMO] = {10, 120},   [PROFILE_CHAT] = {20, 200}, [PROFILE_AGENT] = {5, 40},
        [PROFILE_NONE] = {100, 2000}, [PROFILE_MIXED] = {1, 120},
    };
    const unsigned *r = range[t->cfg->profile];

    b->text.len = 0;
    b->records = 0;
    b->target = rng_range(&t->rng, r[0], r[1]);
    b->first = b->last = time;
    b->framing = FRAME_LINES;
    if (t->cfg->profile == PROFILE_MIXED && rng_chance(&t->rng, 1500))
        b->framing = (enum framing)rng_range(&t->rng, FRAME_NO_LAST, FRAME_CONCAT);
}

/* The punctuation between two records, and behind the last one. */
static void batch_separate(struct batch *b)
{
    static const char *const between[] = {"\n", "\n", "\r\n", "\n\n \t\n", ",", ""};

    buf_str(&b->text, b->framing == FRAME_ARRAY && !b->records ? "["
                      : b->records                             ? between[b->framing]
                                                               : "");
}

static void batch_finish(struct batch *b)
{
    static const char *const last[] = {"\n", "", "\r\n", "\n\n", "]\n", ""};

    buf_str(&b->text, last[b->framing]);
}

/* <ts>_<id>.json.gz below the hour of delivery */
static void log_key(struct traffic *t, const struct stream *s, int64_t delivered)
{
    struct buf time = {0};

    t->key.len = 0;
    key_hour(&t->key, t->cfg->prefix, s, delivered);
    buf_time(&time, delivered); /* 2026-11-02T10:31:00 */
    for (size_t i = 0; i < time.len; i++)
        if (time.p[i] != '-' && time.p[i] != ':')
            buf_char(&t->key, time.p[i]);
    buf_free(&time);
    for (unsigned i = 0; i < 3; i++)
        buf_char(&t->key, (char)('0' + rng_below(&t->rng, 10)));
    buf_lit(&t->key, "Z_");
    buf_hex(&t->key, &t->rng, 16);
    buf_lit(&t->key, ".json.gz");
    buf_char(&t->key, '\0');
}

static void batch_flush(struct traffic *t, size_t i)
{
    struct batch *b = &t->batches[i];
    struct object_shape shape = {.members = 1};

    if (!b->records)
        return;
    batch_finish(b);
    log_key(t, &t->streams[i], b->last + rng_range(&t->rng, 20, 70));
    if (t->cfg->profile == PROFILE_MIXED) {
        if (rng_chance(&t->rng, 1000))
            shape.members = rng_range(&t->rng, 2, 5);
        if (rng_chance(&t->rng, 200))
            shape.zeros = 512;
    }
    store_put(t->store, t->key.p, &b->text, shape, &t->tally.bytes_read);
    t->tally.objects_found++;
    t->tally.objects_counted++;
    t->tally.bytes_inflated += b->text.len;
    b->records = 0;
    b->text.len = 0;
}

static void side_object(struct traffic *t, const struct buf *content, struct object_shape shape,
                        uint64_t *counter)
{
    buf_char(&t->key, '\0');
    store_put(t->store, t->key.p, content, shape, NULL);
    t->tally.objects_found++;
    ++*counter;
}

static void offload_put(struct traffic *t, const struct call *c, const char *end,
                        const struct buf *content, bool raw)
{
    t->key.len = 0;
    key_hour(&t->key, t->cfg->prefix, c->stream, c->time);
    buf_lit(&t->key, "data/");
    buf_str(&t->key, c->request_id);
    buf_str(&t->key, end);
    side_object(t, content, (struct object_shape){.raw = raw}, &t->tally.offloaded_body);
}

static void offload_write(struct traffic *t, const struct call *c)
{
    if (t->off.input)
        offload_put(t, c, "_input.json.gz", &t->off.input_body, false);
    if (t->off.output)
        offload_put(t, c, "_output.json.gz", &t->off.output_body, false);
    if (t->off.media) {
        struct buf pdf = {0};

        buf_lit(&pdf, "%PDF-1.7\n%\xe2\xe3\xcf\xd3\n");
        buf_hex(&pdf, &t->rng, 400);
        offload_put(t, c, "_input_media_00.pdf", &pdf, true);
        buf_free(&pdf);
    }
}

/* What else lies in such a bucket: the marker of the configuration, and logs of other services. */
static void foreign_write(struct traffic *t, size_t i)
{
    static const char *const services[] = {"CloudTrail", "CloudTrail-Digest", "vpcflowlogs"};
    const struct stream *s = &t->streams[i];
    struct buf text = {0};

    t->key.len = 0;
    buf_str(&t->key, t->cfg->prefix);
    buf_lit(&t->key, "AWSLogs/");
    buf_str(&t->key, s->account);
    buf_lit(&t->key, "/BedrockModelInvocationLogs/");
    buf_str(&t->key, s->region->name);
    buf_lit(&t->key, "/amazon-bedrock-logs-permission-check");
    side_object(t, &text, (struct object_shape){.raw = true}, &t->tally.permission_check);
    if (i % 4 != 0)
        return;
    for (size_t k = 0; k < 3; k++) {
        t->key.len = 0;
        buf_str(&t->key, t->cfg->prefix);
        buf_lit(&t->key, "AWSLogs/");
        buf_str(&t->key, s->account);
        buf_char(&t->key, '/');
        buf_str(&t->key, services[k]);
        buf_char(&t->key, '/');
        buf_str(&t->key, s->region->name);
        text.len = 0;
        key_hour(&text, "", s, t->cfg->start);
        buf_add(&t->key, text.p + text.len - 15, 12); /* /YYYY/MM/DD/ of .../YYYY/MM/DD/HH/ */
        buf_str(&t->key, s->account);
        buf_char(&t->key, '_');
        buf_str(&t->key, services[k]);
        buf_char(&t->key, '_');
        buf_alnum(&t->key, &t->rng, 16);
        buf_lit(&t->key, ".json.gz");
        text.len = 0;
        buf_lit(
            &text,
            "{\"Records\":[{\"eventVersion\":\"1.11\",\"eventSource\":\"bedrock.amazonaws.com\","
            "\"eventName\":\"InvokeModel\",\"awsRegion\":\"");
        buf_str(&text, s->region->name);
        buf_lit(&text, "\",\"additionalEventData\":{\"inputTokenCount\":5}}]}");
        side_object(t, &text, (struct object_shape){0}, &t->tally.other_service);
    }
    buf_free(&text);
}

/* ---- traffic ---- */

static uint64_t hour_weigh(const struct traffic *t, unsigned hour, bool keep)
{
    int64_t start = t->cfg->start + (int64_t)hour * 3600;
    uint64_t sum = 0;

    for (size_t i = 0; i < t->stream_count; i++) {
        const struct stream *s = &t->streams[i];
        int64_t local = (start / 3600 + s->region->utc_offset) % 24;
        int64_t day = (start / 3600 + s->region->utc_offset) / 24;
        unsigned percent = daily[(local + 24) % 24];

        if ((day + 3) % 7 >= 5) /* 1970-01-01 was a Thursday: Saturday and Sunday */
            percent = percent * 4 / 10 + 1;
        sum += (uint64_t)s->weight * percent;
        if (keep)
            t->cumulated[i] = sum;
    }
    return sum;
}

static size_t stream_pick(struct traffic *t)
{
    uint64_t at = rng_next(&t->rng) % t->cumulated[t->stream_count - 1];
    size_t low = 0;
    size_t high = t->stream_count - 1;

    while (low < high) {
        size_t middle = (low + high) / 2;

        if (at < t->cumulated[middle])
            high = middle;
        else
            low = middle + 1;
    }
    return low;
}

static void record_write(struct traffic *t, int64_t time)
{
    size_t i = t->burst && t->batches[t->burst - 1].records ? t->burst - 1 : stream_pick(t);
    struct batch *b = &t->batches[i];
    struct buf *text = t->sink ? &t->line : &b->text;
    struct truth truth;
    struct call call;
    size_t before;

    if (!t->sink) {
        if (b->records && time - b->first > (is_varied(t) ? 1800 : 3600))
            batch_flush(t, i);
        if (!b->records)
            batch_begin(t, b, time);
        before = text->len;
        batch_separate(b);
    } else {
        before = text->len = 0;
    }
    record_make(&t->maker, &t->streams[i], time, text, &truth, &call, &t->off);
    expect_add(t->expect, &truth);
    t->tally.records++;
    if (t->sink) {
        buf_char(text, '\n');
        sink_write(t->sink, text->p, text->len);
        t->tally.bytes_inflated += text->len;
    } else {
        t->burst = is_varied(t) ? 0 : i + 1;
        offload_write(t, &call);
        b->records++;
        b->last = time > b->last ? time : b->last;
    }
    t->bytes += text->len - before;
    t->done = t->cfg->records ? t->tally.records : t->bytes;
    if (!t->sink && b->records >= b->target)
        batch_flush(t, i);
}

static void hour_run(struct traffic *t, unsigned hour, uint64_t until)
{
    int64_t start = t->cfg->start + (int64_t)hour * 3600;
    uint64_t from = t->done;

    hour_weigh(t, hour, true);
    while (t->done < until) {
        uint64_t second = (t->done - from) * 3600 / (until - from);

        if (t->cfg->records)
            second += rng_below(&t->rng, (uint32_t)(3600 / (until - from)) + 1);
        record_write(t, start + (int64_t)(second < 3600 ? second : 3599));
    }
    for (size_t i = 0; i < t->stream_count && !t->sink; i++)
        if (t->batches[i].records && start + 3600 - t->batches[i].first > 1800 && is_varied(t))
            batch_flush(t, i);
}

void run(const struct config *cfg)
{
    struct traffic t = {.cfg = cfg};
    uint64_t amount = cfg->records ? cfg->records : cfg->size;
    uint64_t weights = 0;
    uint64_t sum = 0;

    rng_seed(&t.rng, cfg->seed);
    text_init(cfg->seed);
    accounts_init(&t);
    streams_init(&t);
    t.maker =
        (struct record_maker){.rng = &t.rng, .profile = cfg->profile, .key_prefix = cfg->prefix};
    t.expect = expect_new();
    if (cfg->single)
        t.sink = sink_open(cfg->single, cfg->plain);
    else
        t.store = store_new(cfg->out, cfg->plain);
    for (size_t i = 0; i < t.stream_count && t.store && is_varied(&t); i++)
        foreign_write(&t, i);
    for (unsigned hour = 0; hour < cfg->hours; hour++)
        weights += hour_weigh(&t, hour, false);
    for (unsigned hour = 0; hour < cfg->hours; hour++) {
        sum += hour_weigh(&t, hour, false);
        /* Shares in 2^-20 keep the product within 64 bits. */
        hour_run(&t, hour,
                 hour + 1 == cfg->hours ? amount : amount * ((sum << 20) / weights) >> 20);
    }
    for (size_t i = 0; i < t.stream_count && t.store; i++)
        batch_flush(&t, i);
    if (t.store && cfg->profile == PROFILE_MIXED) { /* an object with nothing in it */
        log_key(&t, &t.streams[0], cfg->start);
        store_put(t.store, t.key.p, &(struct buf){0}, (struct object_shape){0},
                  &t.tally.bytes_read);
        t.tally.objects_found++;
        t.tally.objects_counted++;
    }
    if (t.store) {
        store_close(t.store);
    } else {
        t.tally.bytes_read = sink_close(t.sink);
        t.tally.objects_found = t.tally.objects_counted = 1;
    }
    if (cfg->expected)
        expect_write(t.expect, &t.tally, cfg->expected);
    fprintf(stderr, "bedrock-logs-sim: %llu records in %llu objects, %llu bytes (%llu inflated)\n",
            (unsigned long long)t.tally.records, (unsigned long long)t.tally.objects_counted,
            (unsigned long long)t.tally.bytes_read, (unsigned long long)t.tally.bytes_inflated);
    expect_free(t.expect);
    record_maker_free(&t.maker);
    streams_free(&t);
    text_free();
    buf_free(&t.off.input_body);
    buf_free(&t.off.output_body);
    buf_free(&t.key);
    buf_free(&t.line);
}
