/*
 * sim_expect.c: the expected answer, as
 *   bedrock-metrics aggregate --by InferenceProfileType,InferenceProfile,ModelId,SourceRegion,
 *       InferenceRegion,AccountId,Operation,Principal --interval 1h --output json
 * must give it.  Reasons of skipping that did not happen are left out.
 */
#include "sim.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { DIMENSIONS = 8, METRICS = 9 };

static const char *const dimension_names[DIMENSIONS] = {
    "InferenceProfileType", "InferenceProfile", "ModelId",   "SourceRegion",
    "InferenceRegion",      "AccountId",        "Operation", "Principal"};
static const char *const metric_names[METRICS] = {"Invocations",
                                                  "InputTokenCount",
                                                  "OutputTokenCount",
                                                  "CacheReadInputTokenCount",
                                                  "CacheWriteInputTokenCount",
                                                  "TotalTokenCount",
                                                  "InvocationClientErrors",
                                                  "InvocationServerErrors",
                                                  "InvocationThrottles"};

struct row {
    int64_t time; /* start of the hour */
    char *key;    /* the dimensions, a NUL behind each: memcmp order is their order */
    size_t key_len;
    uint64_t sums[METRICS];
};

struct expect {
    struct row *rows;
    size_t count, room;
    uint32_t *slots; /* index + 1 of a row, 0 is free; slot_count is a power of two */
    size_t slot_count;
    struct buf key;
    uint64_t totals[METRICS];
};

struct expect *expect_new(void)
{
    struct expect *e = xmalloc(sizeof(*e));

    *e = (struct expect){.slot_count = 1024};
    e->slots = calloc(e->slot_count, sizeof(*e->slots));
    if (!e->slots)
        die("out of memory");
    return e;
}

static uint64_t row_hash(int64_t time, const char *key, size_t len)
{
    uint64_t h = UINT64_C(0xcbf29ce484222325) ^ (uint64_t)time; /* FNV-1a */

    for (size_t i = 0; i < len; i++)
        h = (h ^ (unsigned char)key[i]) * UINT64_C(0x100000001b3);
    return h ^ (h >> 31);
}

static size_t slot_find(const struct expect *e, int64_t time, const char *key, size_t len)
{
    size_t at = row_hash(time, key, len) & (e->slot_count - 1);

    for (; e->slots[at]; at = (at + 1) & (e->slot_count - 1)) {
        const struct row *r = &e->rows[e->slots[at] - 1];

        if (r->time == time && r->key_len == len && !memcmp(r->key, key, len))
            break;
    }
    return at;
}

static void slots_grow(struct expect *e)
{
    free(e->slots);
    e->slot_count *= 2;
    e->slots = calloc(e->slot_count, sizeof(*e->slots));
    if (!e->slots)
        die("out of memory");
    for (size_t i = 0; i < e->count; i++) {
        const struct row *r = &e->rows[i];

        e->slots[slot_find(e, r->time, r->key, r->key_len)] = (uint32_t)(i + 1);
    }
}

static struct row *row_get(struct expect *e, int64_t time)
{
    size_t at;

    if (e->count * 2 >= e->slot_count)
        slots_grow(e);
    at = slot_find(e, time, e->key.p, e->key.len);
    if (!e->slots[at]) {
        struct row *r;

        if (e->count == e->room) {
            e->room = e->room ? e->room * 2 : 256;
            e->rows = xrealloc(e->rows, e->room * sizeof(*e->rows));
        }
        r = &e->rows[e->count++];
        *r = (struct row){.time = time, .key = xmalloc(e->key.len), .key_len = e->key.len};
        memcpy(r->key, e->key.p, e->key.len);
        e->slots[at] = (uint32_t)e->count;
    }
    return &e->rows[e->slots[at] - 1];
}

void expect_add(struct expect *e, const struct truth *t)
{
    const char *const dimensions[DIMENSIONS] = {t->type,      t->profile,   t->model,
                                                t->source,    t->inference, t->account,
                                                t->operation, t->principal};
    const uint64_t add[METRICS] = {
        t->outcome == OUT_OK,
        t->in,
        t->out,
        t->cache_read,
        t->cache_write,
        t->in + t->out + t->cache_read + t->cache_write,
        t->outcome == OUT_CLIENT,
        t->outcome == OUT_SERVER,
        t->outcome == OUT_THROTTLE,
    };
    int64_t rest = (t->time % 3600 + 3600) % 3600;
    struct row *row;

    e->key.len = 0;
    for (size_t i = 0; i < DIMENSIONS; i++)
        buf_add(&e->key, dimensions[i], strlen(dimensions[i]) + 1);
    row = row_get(e, t->time - rest);
    for (size_t i = 0; i < METRICS; i++) {
        row->sums[i] += add[i];
        e->totals[i] += add[i];
    }
}

static int row_compare(const void *left, const void *right)
{
    const struct row *a = left;
    const struct row *b = right;
    int order;

    if (a->time != b->time)
        return a->time < b->time ? -1 : 1;
    order = memcmp(a->key, b->key, a->key_len < b->key_len ? a->key_len : b->key_len);
    return order ? order : (a->key_len > b->key_len) - (a->key_len < b->key_len);
}

/* Every value comes from the catalogue, in plain ASCII: nothing to escape. */
static void add_row(struct buf *b, const struct row *row)
{
    const char *at = row->key;

    buf_lit(b, "{\"time\":\"");
    buf_time(b, row->time);
    buf_lit(b, "Z\"");
    for (size_t i = 0; i < DIMENSIONS; i++) {
        buf_lit(b, ",\"");
        buf_str(b, dimension_names[i]);
        buf_lit(b, "\":\"");
        buf_str(b, at);
        buf_char(b, '"');
        at += strlen(at) + 1;
    }
    for (size_t i = 0; i < METRICS; i++) {
        buf_lit(b, ",\"");
        buf_str(b, metric_names[i]);
        buf_lit(b, "\":");
        buf_u64(b, row->sums[i]);
    }
    buf_char(b, '}');
}

static void add_number(struct buf *b, const char *before, uint64_t n)
{
    buf_str(b, before);
    buf_u64(b, n);
}

static void add_tally(struct buf *b, const struct tally *t)
{
    const struct {
        const char *name;
        uint64_t n;
    } skips[] = {{"\"offloaded_body\":", t->offloaded_body},
                 {"\"permission_check\":", t->permission_check},
                 {"\"other_service\":", t->other_service}};
    bool first = true;

    add_number(b, "\"objects\":{\"found\":", t->objects_found);
    add_number(b, ",\"counted\":", t->objects_counted);
    buf_lit(b, ",\"duplicate\":0,\"failed\":0,\"skipped\":{");
    for (size_t i = 0; i < 3; i++) {
        if (!skips[i].n)
            continue;
        buf_str(b, first ? "" : ",");
        add_number(b, skips[i].name, skips[i].n);
        first = false;
    }
    add_number(b, "}},\n\"records\":{\"found\":", t->records);
    add_number(b, ",\"counted\":", t->records);
    add_number(b, ",\"skipped\":{}},\n\"bytes\":{\"read\":", t->bytes_read);
    add_number(b, ",\"inflated\":", t->bytes_inflated);
    buf_lit(b, "}}\n");
}

void expect_write(struct expect *e, const struct tally *tally, const char *path)
{
    struct buf b = {0};
    FILE *f;

    if (e->count)
        qsort(e->rows, e->count, sizeof(*e->rows), row_compare);
    buf_lit(&b, "{\"schema\":\"bedrock-metrics/aggregate/1\",\n\"by\":[");
    for (size_t i = 0; i < DIMENSIONS; i++) {
        buf_str(&b, i ? ",\"" : "\"");
        buf_str(&b, dimension_names[i]);
        buf_char(&b, '"');
    }
    buf_lit(&b, "],\n\"interval\":\"1h\",\n\"rows\":[\n");
    for (size_t i = 0; i < e->count; i++) {
        add_row(&b, &e->rows[i]);
        buf_str(&b, i + 1 < e->count ? ",\n" : "\n");
    }
    buf_lit(&b, "],\n\"totals\":{");
    for (size_t i = 0; i < METRICS; i++) {
        buf_str(&b, i ? ",\"" : "\"");
        buf_str(&b, metric_names[i]);
        add_number(&b, "\":", e->totals[i]);
    }
    buf_lit(&b, "},\n");
    add_tally(&b, tally);
    f = fopen(path, "wb");
    if (!f || fwrite(b.p, 1, b.len, f) != b.len || fclose(f))
        die("%s: %s", path, strerror(errno));
    buf_free(&b);
}

void expect_free(struct expect *e)
{
    for (size_t i = 0; i < e->count; i++)
        free(e->rows[i].key);
    free(e->rows);
    free(e->slots);
    buf_free(&e->key);
    free(e);
}
