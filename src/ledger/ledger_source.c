#include "ledger/ledger_source.h"

#include <stdlib.h>

#include "base/log.h"
#include "ledger/exact_round.h"
#include "ledger/object_name.h"
#include "objects/object_key.h"

enum { GATHERED = 256, COUNTED_AT_A_TIME = 2048 };

/* One object that was let through; its texts are behind it. */
struct kept {
    struct kept *next;
    const struct source *inner;
    struct view shown;       /* as its source names it */
    struct view bucket, key; /* for the ledger */
};

struct ledger_source {
    struct source source;
    struct source *inner;
    struct ledger_session *session;
    bool remember;
    struct kept *kept;
    size_t kept_count;
};

/* ---- listing ---- */

struct gathered {
    struct ledger_source *s;
    source_found_fn *found;
    void *context;
    struct object_ref refs[GATHERED];
    struct kept *objects[GATHERED];
    struct ledger_id ids[GATHERED];
    enum ledger_progress progress[GATHERED];
    size_t n;
};

static enum status let_through(struct gathered *g, size_t i)
{
    struct ledger_source *s = g->s;
    g->refs[i].key = g->objects[i]->shown;
    enum status st = g->found(g->context, &g->refs[i], OBJECT_FOUND, NULL);
    if (!s->remember) {
        free(g->objects[i]);
    } else {
        g->objects[i]->next = s->kept;
        s->kept = g->objects[i];
        s->kept_count++;
    }
    g->objects[i] = NULL;
    return st;
}

static enum status flush(struct gathered *g)
{
    enum status st =
        g->n == 0 ? ST_OK : ledger_lookup(g->s->session->ledger, g->ids, g->n, g->progress);
    for (size_t i = 0; i < g->n && st == ST_OK; i++) {
        if (g->progress[i] != LEDGER_DONE && g->progress[i] != LEDGER_PREPARED) {
            st = let_through(g, i);
            continue;
        }
        g->refs[i].key = g->objects[i]->shown;
        st = g->found(g->context, &g->refs[i], OBJECT_DUPLICATE, NULL);
    }
    for (size_t i = 0; i < g->n; i++) {
        free(g->objects[i]);
        g->objects[i] = NULL;
    }
    g->n = 0;
    return st;
}

static struct kept *new_kept(const struct source *inner, struct view shown, struct view bucket,
                             struct view key)
{
    struct kept *k = malloc(sizeof(*k) + shown.len + bucket.len + key.len);
    if (k == NULL)
        return NULL;
    char *at = (char *)(k + 1);
    *k = (struct kept){.inner = inner,
                       .shown = {at, shown.len},
                       .bucket = {at + shown.len, bucket.len},
                       .key = {at + shown.len + bucket.len, key.len}};
    memcpy(at, shown.ptr, shown.len);
    memcpy(at + shown.len, bucket.ptr, bucket.len);
    memcpy(at + shown.len + bucket.len, key.ptr, key.len);
    return k;
}

static enum status on_found(void *context, const struct object_ref *ref, enum object_found found,
                            const struct error *err)
{
    struct gathered *g = context;
    struct view bucket, key;
    char *path;
    if (found != OBJECT_FOUND || object_key_skip(ref->key) != OBJECT_READ)
        return g->found(g->context, ref, found, err);
    enum status st = object_name_split(ref->key, &bucket, &key, &path);
    if (st == ST_NO_MEMORY)
        return st;
    if (st != ST_OK) {
        free(path);
        return g->found(g->context, ref, found, err);
    }
    g->refs[g->n] = *ref;
    g->objects[g->n] = new_kept(ref->source, ref->key, bucket, key);
    st = g->objects[g->n] == NULL
             ? ST_NO_MEMORY
             : ledger_id_of(g->s->session->identity, bucket, key, &g->ids[g->n]);
    free(path);
    if (g->objects[g->n] == NULL || st != ST_OK)
        return st;
    g->n++;
    return g->n == GATHERED ? flush(g) : ST_OK;
}

static enum status list(const struct source *source, source_found_fn *found, void *context)
{
    struct gathered *g = calloc(1, sizeof(*g));
    if (g == NULL)
        return ST_NO_MEMORY;
    /* Only the list of names changes, and a source is listed by one thread. */
    union {
        const struct source *in;
        struct ledger_source *s;
    } self = {.in = source};
    g->s = self.s;
    g->found = found;
    g->context = context;
    enum status st = source_list(g->s->inner, on_found, g);
    if (st == ST_OK)
        st = flush(g);
    for (size_t i = 0; i < GATHERED; i++)
        free(g->objects[i]);
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
    while (s->kept != NULL) {
        struct kept *next = s->kept->next;
        free(s->kept);
        s->kept = next;
    }
    source_free(s->inner);
    free(s);
}

static const struct source_class class = {list, open_never, free_source};

enum status ledger_sources_filter(struct source **sources, size_t count,
                                  struct ledger_session *session, bool remember)
{
    for (size_t i = 0; i < count; i++) {
        struct ledger_source *s = calloc(1, sizeof(*s));
        if (s == NULL)
            return ST_NO_MEMORY;
        s->source.class = &class;
        s->inner = sources[i];
        s->session = session;
        s->remember = remember;
        sources[i] = &s->source;
    }
    return ST_OK;
}

/* ---- counting ---- */

enum status ledger_source_open(const struct round_object *object, struct byte_stream **stream,
                               struct error *err)
{
    const struct kept *k = object->source;
    struct object_ref ref = {.source = k->inner, .key = k->shown, .named = true};
    return object_open(&ref, stream, err);
}

static enum status count_some(struct round *round, struct round_object *objects, size_t n,
                              struct round_summary *summary, size_t *failed)
{
    struct exact_round *counted = round_exact(round);
    for (size_t i = 0; i < n; i++) {
        enum status st = exact_round_id(counted, &objects[i]);
        if (st != ST_OK)
            return st;
    }
    exact_round_count(counted, objects, n, summary);
    for (size_t i = 0; i < n; i++) {
        if (objects[i].status == ST_OK)
            continue;
        (*failed)++;
        LOG_FAULT(LOG_WARN, error_code(&objects[i].err, E_O141), "object not counted",
                  log_view("object", objects[i].key), log_cstr("reason", objects[i].err.text));
    }
    return ST_OK;
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

enum status ledger_sources_count(struct source *const *sources, size_t count, struct round *round,
                                 struct round_summary *summary, struct error *err)
{
    struct round_object *objects = calloc(COUNTED_AT_A_TIME, sizeof(*objects));
    struct ledger_recovery recovery;
    size_t n = 0, failed = 0;
    *summary = (struct round_summary){0};
    enum status st = objects == NULL ? error_set(err, ST_NO_MEMORY, E_R113, "out of memory")
                                     : exact_round_recover(round_exact(round), true,
                                                           COUNTED_AT_A_TIME, &recovery, err);
    for (size_t i = 0; i < count && st == ST_OK; i++) {
        const struct ledger_source *s = (const struct ledger_source *)sources[i];
        for (const struct kept *k = s->kept; k != NULL && st == ST_OK; k = k->next) {
            objects[n++] = (struct round_object){
                .bucket = k->bucket, .key = k->key, .source = k->bucket.len == 0 ? k : NULL};
            if (n == COUNTED_AT_A_TIME) {
                st = count_some(round, objects, n, summary, &failed);
                n = 0;
            }
        }
    }
    if (st == ST_OK)
        st = count_some(round, objects, n, summary, &failed);
    free(objects);
    log_receipt(summary, exact_round_receipt(round_exact(round)));
    if (st == ST_OK && failed > 0)
        st = error_set(err, ST_RETRY, E_O142, "%zu objects are not counted: run it again", failed);
    return st;
}
