/*
 * A source in front of others that asks the ledger before it names an object.  Names are gathered,
 * because the ledger answers for many at once, and so are the objects that are to be counted.
 */
#include "ledger/ledger_source.h"

#include <stdlib.h>

#include "base/log.h"
#include "objects/object_key.h"

enum { GATHERED = 256 };

/* A name for the ledger, and how its source shows it; the texts follow it. */
struct name {
    const struct source *inner;
    struct view shown;
    struct view bucket, key;
};

struct ledger_filter {
    struct ledger_session *session;
    struct exact_round *round; /* NULL: nothing is counted here */
    struct round_summary summary;
    size_t failed;
    /* to be counted */
    struct name *waiting[PROTOCOL_OBJECTS_MAX];
    struct round_object objects[PROTOCOL_OBJECTS_MAX];
    struct round_object *list[PROTOCOL_OBJECTS_MAX];
    size_t waiting_count;
};

struct ledger_source {
    struct source source;
    struct source *inner;
    struct ledger_filter *filter;
};

/* ---- counting ---- */

enum status ledger_source_open(const struct round_object *object, struct byte_stream **stream,
                               struct error *err)
{
    const struct name *name = object->source;
    struct object_ref ref = {.source = name->inner, .key = name->shown, .named = true};
    return object_open(&ref, stream, err);
}

static void count_waiting(struct ledger_filter *f)
{
    size_t n = f->waiting_count;
    for (size_t i = 0; i < n; i++) {
        const struct name *name = f->waiting[i];
        f->objects[i] = (struct round_object){.read = {.bucket = name->bucket, .key = name->key},
                                              .source = name->bucket.len == 0 ? name : NULL};
        f->list[i] = &f->objects[i];
    }
    if (n > 0)
        exact_round_count(f->round, f->list, n, &f->summary);
    for (size_t i = 0; i < n; i++) {
        const struct object_read *o = &f->objects[i].read;
        tally_add(&f->summary.tally, &o->tally);
        if (o->status != ST_OK) {
            f->failed++;
            LOG_FAULT(LOG_WARN, error_code(&o->err, E_O141), "object not counted",
                      log_view("object", o->key), log_cstr("reason", o->err.text));
        }
        free(f->waiting[i]);
    }
    f->waiting_count = 0;
}

/* ---- listing ---- */

struct gathered {
    struct ledger_filter *filter;
    source_found_fn *found;
    void *context;
    struct object_ref refs[GATHERED];
    struct name *names[GATHERED];
    struct ledger_id ids[GATHERED];
    enum ledger_progress progress[GATHERED];
    size_t n;
};

static enum status flush(struct gathered *g)
{
    struct ledger_filter *f = g->filter;
    enum status st =
        g->n == 0 ? ST_OK : ledger_lookup(f->session->ledger, g->ids, g->n, g->progress);
    if (st != ST_OK)
        LOG_FAULT(LOG_ERROR, E_L209, "the ledger cannot be read",
                  log_cstr("status", status_name(st)));
    for (size_t i = 0; i < g->n && st == ST_OK; i++) {
        bool duplicate = g->progress[i] == LEDGER_DONE || g->progress[i] == LEDGER_PREPARED;
        if (!duplicate && f->round != NULL) {
            f->waiting[f->waiting_count++] = g->names[i];
            g->names[i] = NULL;
            if (f->waiting_count == PROTOCOL_OBJECTS_MAX)
                count_waiting(f);
            continue;
        }
        g->refs[i].key = g->names[i]->shown;
        st = g->found(g->context, &g->refs[i], duplicate ? OBJECT_DUPLICATE : OBJECT_FOUND, NULL);
    }
    for (size_t i = 0; i < g->n; i++) {
        free(g->names[i]);
        g->names[i] = NULL;
    }
    g->n = 0;
    return st;
}

static struct name *name_new(const struct source *inner, struct view shown, struct view bucket,
                             struct view key)
{
    struct name *name = malloc(sizeof(*name) + shown.len + bucket.len + key.len);
    if (name == NULL)
        return NULL;
    char *at = (char *)(name + 1);
    *name = (struct name){.inner = inner,
                          .shown = {at, shown.len},
                          .bucket = {at + shown.len, bucket.len},
                          .key = {at + shown.len + bucket.len, key.len}};
    memcpy(at, shown.ptr, shown.len);
    memcpy(at + shown.len, bucket.ptr, bucket.len);
    memcpy(at + shown.len + bucket.len, key.ptr, key.len);
    return name;
}

static enum status on_found(void *context, const struct object_ref *ref, enum object_found found,
                            const struct error *err)
{
    struct gathered *g = context;
    struct view bucket, key;
    char *path;
    if (found != OBJECT_FOUND || object_key_skip(ref->key) != OBJECT_READ)
        return g->found(g->context, ref, found, err);
    enum status st = ledger_name_split(ref->key, &bucket, &key, &path);
    if (st == ST_NO_MEMORY)
        return st;
    if (st != ST_OK) {
        free(path);
        return g->found(g->context, ref, found, err);
    }
    g->refs[g->n] = *ref;
    g->names[g->n] = name_new(ref->source, ref->key, bucket, key);
    st = g->names[g->n] == NULL
             ? ST_NO_MEMORY
             : ledger_id_of(g->filter->session->identity, bucket, key, &g->ids[g->n]);
    free(path);
    if (g->names[g->n] == NULL || st != ST_OK)
        return st;
    g->n++;
    return g->n == GATHERED ? flush(g) : ST_OK;
}

static enum status list(const struct source *source, source_found_fn *found, void *context)
{
    const struct ledger_source *s = (const struct ledger_source *)source;
    struct gathered *g = calloc(1, sizeof(*g));
    if (g == NULL)
        return ST_NO_MEMORY;
    g->filter = s->filter;
    g->found = found;
    g->context = context;
    enum status st = source_list(s->inner, on_found, g);
    if (st == ST_OK)
        st = flush(g);
    for (size_t i = 0; i < GATHERED; i++)
        free(g->names[i]);
    free(g);
    return st;
}

static enum status open_never(const struct source *source, const struct object_ref *ref,
                              struct byte_stream **stream, struct error *err)
{
    (void)source;
    (void)ref;
    *stream = NULL; /* references name the inner source */
    return error_set(err, ST_MISSING, E_O143, "not an object of this source");
}

static void free_source(struct source *source)
{
    struct ledger_source *s = (struct ledger_source *)source;
    source_free(s->inner);
    free(s);
}

static const struct source_class class = {list, open_never, free_source};

/* ---- life ---- */

enum status ledger_filter_new(struct ledger_filter **out, struct source **sources, size_t count,
                              struct ledger_session *session, struct exact_round *round)
{
    struct ledger_filter *f = calloc(1, sizeof(*f));
    *out = f;
    if (f == NULL)
        return ST_NO_MEMORY;
    f->session = session;
    f->round = round;
    for (size_t i = 0; i < count; i++) {
        struct ledger_source *s = calloc(1, sizeof(*s));
        if (s == NULL)
            return ST_NO_MEMORY;
        *s = (struct ledger_source){.source = {&class}, .inner = sources[i], .filter = f};
        sources[i] = &s->source;
    }
    return ST_OK;
}

void ledger_filter_free(struct ledger_filter *f)
{
    if (f == NULL)
        return;
    for (size_t i = 0; i < f->waiting_count; i++)
        free(f->waiting[i]);
    free(f);
}

static void log_receipt(const struct round_summary *s, const struct run_receipt *receipt)
{
    const struct tally *t = &receipt->tally;
    char digest[RECEIPT_TEXT_BYTES];
    receipt_format(&receipt->digest, digest);
    LOG_EVENT(LOG_INFO, "receipt", log_u64("objects", receipt->digest.objects),
              log_u64("duplicates", t->objects.duplicate), log_u64("failed", t->objects.failed),
              log_u64("records", t->records.counted),
              log_u64("malformed", t->records.skipped[RECORD_MALFORMED]),
              log_u64("not_invocation_log", t->records.skipped[RECORD_NOT_LOG]),
              log_u64("invalid", t->records.skipped[RECORD_INVALID]),
              log_u64("out_of_range", t->records.skipped[RECORD_OUT_OF_RANGE]),
              log_u64("invocations", (uint64_t)s->invocations),
              log_u64("tokens", (uint64_t)s->tokens), log_u64("datums", s->published.data),
              log_u64("requests", s->published.requests), log_cstr("digest", digest));
}

enum status ledger_filter_finish(struct ledger_filter *f, struct error *err)
{
    count_waiting(f);
    log_receipt(&f->summary, exact_round_receipt(f->round));
    return f->failed == 0 ? ST_OK
                          : error_set(err, ST_RETRY, E_O142,
                                      "%zu objects are not counted: run it again", f->failed);
}
