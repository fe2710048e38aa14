/*
 * Listing, looking up, counting: so many keys at a time, so that memory does not depend on the
 * bucket.  What only sends the missing objects to a queue has no round, but the same walk.
 */
#include "ledger/sweep.h"

#include <stdlib.h>

#include "base/json_out.h"
#include "base/log.h"
#include "count/progress.h"
#include "objects/source_s3.h"

enum {
    GATHERED = 512, /* keys looked up at a time */
    RECOVER_MAX = 256,
};

struct sweep {
    const struct sweep_options *o;
    enum ledger_identity identity;
    struct sweep_result *r;
    struct buf keys; /* of the gathered */
    size_t offsets[GATHERED];
    struct round_object objects[GATHERED];
    struct ledger_id ids[GATHERED];
    enum ledger_progress progress[GATHERED];
    uint64_t tags[GATHERED];             /* under which they were counted */
    struct round_object *list[GATHERED]; /* those of the objects that something is done with */
    size_t n;
};

/* Those that were counted with other content than is listed now. */
static void look_for_changes(struct sweep *s)
{
    size_t n = 0;
    for (size_t i = 0; i < s->n; i++) {
        struct round_object *o = &s->objects[i];
        o->changed =
            s->progress[i] == LEDGER_DONE && o->tag != 0 && s->tags[i] != 0 && o->tag != s->tags[i];
        if (o->changed)
            s->list[n++] = o;
    }
    if (!s->o->dry_run && s->o->round != NULL)
        exact_round_check_changed(s->o->round, s->list, n, &s->r->summary);
    for (size_t i = 0; i < n; i++)
        s->r->changed += s->list[i]->changed;
}

/* The objects that nobody counted move to the front; their number. */
static size_t keep_missing(struct sweep *s)
{
    size_t kept = 0;
    for (size_t i = 0; i < s->n; i++) {
        switch (s->progress[i]) {
        case LEDGER_DONE: s->r->done++; continue;
        case LEDGER_PREPARED: s->r->open++; continue;
        case LEDGER_QUARANTINED: s->r->quarantined++; continue;
        case LEDGER_CLAIMED:
        case LEDGER_ABSENT: s->objects[kept++] = s->objects[i];
        }
    }
    return kept;
}

static enum status flush(struct sweep *s, struct error *err)
{
    if (s->n == 0)
        return ST_OK;
    for (size_t i = 0; i < s->n; i++) {
        size_t end = i + 1 < s->n ? s->offsets[i + 1] : s->keys.len;
        struct round_object *o = &s->objects[i];
        o->read.key = view_make(s->keys.ptr + s->offsets[i], end - s->offsets[i]);
        enum status st = ledger_id_of(s->identity, o->read.bucket, o->read.key, &o->id);
        if (st != ST_OK)
            return error_set(err, st, E_R113, "out of memory");
        s->ids[i] = o->id;
    }
    enum status st = ledger_lookup_tags(s->o->session->ledger, s->ids, s->n, s->progress, s->tags);
    if (st != ST_OK)
        return error_set(err, st, E_L209, "the ledger cannot be read: %s", status_name(st));
    look_for_changes(s);
    size_t missing = keep_missing(s);
    s->r->missing += missing;
    if (!s->o->dry_run && missing > 0 && s->o->round == NULL) {
        st = s->o->send(s->o->send_ctx, s->objects, missing, err);
        if (st != ST_OK)
            return st;
        s->r->enqueued += missing;
        missing = 0; /* nothing more to say of them */
    } else if (!s->o->dry_run && missing > 0) {
        for (size_t i = 0; i < missing; i++)
            s->list[i] = &s->objects[i];
        exact_round_set_sweeping(s->o->round, true);
        exact_round_count(s->o->round, s->list, missing, &s->r->summary);
        exact_round_set_sweeping(s->o->round, false);
    }
    for (size_t i = 0; i < missing; i++) {
        const struct round_object *o = &s->objects[i];
        tally_add(&s->r->summary.tally, &o->read.tally);
        if (!s->o->dry_run && o->read.status == ST_OK) {
            s->r->counted++;
            continue;
        }
        s->r->failed += !s->o->dry_run;
        if (s->o->on_object != NULL)
            s->o->on_object(s->o->ctx, o);
    }
    for (size_t i = 0; i < s->n; i++)
        progress_add_object(s->o->progress);
    s->n = 0;
    buf_reset(&s->keys);
    return aws_stop_asked(&s->o->stop) ? error_set(err, ST_CANCELLED, E_A306, "asked to stop")
                                       : ST_OK;
}

static enum status take(void *ctx, struct view bucket, const struct s3_entry *entry,
                        struct error *err)
{
    struct sweep *s = ctx;
    s->r->listed++;
    if (object_key_skip(entry->key) != OBJECT_READ || view_ends(entry->key, VIEW_LIT("/"))) {
        s->r->skipped++;
        progress_add_object(s->o->progress);
        return ST_OK;
    }
    if (s->o->now.seconds - entry->modified_s < s->o->grace_s) {
        s->r->young++;
        progress_add_object(s->o->progress);
        return ST_OK;
    }
    s->objects[s->n] =
        (struct round_object){.read = {.bucket = bucket},
                              .tag = s->identity == IDENTITY_KEY ? ledger_tag_of(entry->etag) : 0};
    s->offsets[s->n++] = s->keys.len;
    buf_add_view(&s->keys, entry->key);
    if (buf_status(&s->keys) != ST_OK)
        return error_set(err, buf_status(&s->keys), E_R113, "out of memory");
    return s->n == GATHERED ? flush(s, err) : ST_OK;
}

/* ---- listing ---- */

typedef enum status key_fn(void *ctx, struct view bucket, const struct s3_entry *entry,
                           struct error *err);

static enum status each_key_of(const struct sweep_options *o, struct view bucket, key_fn *fn,
                               void *ctx, struct error *err)
{
    struct s3_walk_options options = {.bucket = bucket,
                                      .prefix = o->prefix,
                                      .range = {.has_since = o->has_since, .since = o->since}};
    struct s3_walk *walk = NULL;
    struct s3_entry entry;
    struct aws_pool *pool =
        o->round != NULL ? exact_round_pool(o->round, bucket) : o->pool(o->send_ctx, bucket);
    struct aws_client *lister = NULL;
    enum status st = aws_pool_take(pool, &lister, err);
    if (st != ST_OK)
        return st;
    st = s3_walk_open(&walk, lister, &options, err);
    while (st == ST_OK) {
        st = s3_walk_next(walk, &entry, err);
        /* Keys below no hour folder are all listed: of those the time of writing says what is old. */
        int64_t hour;
        bool old = st == ST_OK && o->has_since && entry.modified_s < o->since.seconds &&
                   !s3_key_hour(entry.key, &hour);
        if (st == ST_OK && !old)
            st = fn(ctx, bucket, &entry, err);
    }
    s3_walk_close(walk);
    aws_pool_give(pool, lister);
    return st == ST_END ? ST_OK : st;
}

static enum status each_key(const struct sweep_options *o, key_fn *fn, void *ctx, struct error *err)
{
    struct view rest = o->buckets, bucket;
    enum status st = ST_OK;
    while (st == ST_OK && view_split(&rest, ',', &bucket))
        st = each_key_of(o, view_trim(bucket), fn, ctx, err);
    return st;
}

struct measure {
    uint64_t keys;
    const atomic_bool *stop;
};

static enum status measure_key(void *ctx, struct view bucket, const struct s3_entry *entry,
                               struct error *err)
{
    struct measure *m = ctx;
    (void)bucket;
    (void)entry;
    m->keys++;
    return atomic_load(m->stop) ? error_set(err, ST_CANCELLED, E_A306, "asked to stop") : ST_OK;
}

enum status sweep_measure(const struct sweep_options *options, const atomic_bool *stop,
                          uint64_t *keys, struct error *err)
{
    struct measure m = {.stop = stop};
    enum status st = each_key(options, measure_key, &m, err);
    *keys = m.keys;
    return st;
}

enum status sweep_run(const struct sweep_options *options, struct sweep_result *out,
                      struct error *err)
{
    struct sweep *s = calloc(1, sizeof(*s));
    *out = (struct sweep_result){0};
    if (s == NULL)
        return error_set(err, ST_NO_MEMORY, E_R113, "out of memory");
    s->o = options;
    s->r = out;
    s->identity = options->session->identity;
    buf_init(&s->keys, GATHERED * LEDGER_NAME_BYTES_MAX);
    enum status st = ST_OK;
    if (!options->dry_run && options->round != NULL)
        st = exact_round_recover(options->round, true, RECOVER_MAX, &out->recovery, err);
    if (st == ST_OK)
        st = each_key(options, take, s, err);
    if (st == ST_OK)
        st = flush(s, err);
    out->incomplete = st != ST_OK;
    LOG_EVENT(LOG_INFO, "sweep", log_u64("listed", out->listed), log_u64("done", out->done),
              log_u64("open", out->open), log_u64("quarantined", out->quarantined),
              log_u64("young", out->young), log_u64("missing", out->missing),
              log_u64("enqueued", out->enqueued), log_u64("SweepRecovered", out->counted),
              log_u64("failed", out->failed), log_u64("changed", out->changed),
              log_u64("tokens", (uint64_t)out->summary.tokens));
    buf_clear(&s->keys);
    free(s);
    return st;
}

bool sweep_is_off(const struct sweep_result *r)
{
    return r->incomplete || r->missing > r->counted + r->enqueued;
}

void sweep_add_json(struct json_out *j, const struct sweep_result *r)
{
    json_add_cstr(j, "schema", "bedrock-metrics/sweep/1");
    JSON_ADD_NUMBERS(j, {"listed", r->listed}, {"skipped", r->skipped}, {"young", r->young},
                     {"done", r->done}, {"open", r->open}, {"quarantined", r->quarantined},
                     {"missing", r->missing}, {"enqueued", r->enqueued}, {"counted", r->counted},
                     {"failed", r->failed}, {"tokens", (uint64_t)r->summary.tokens},
                     {"changed", r->changed}, {"recovered_batches", r->recovery.done});
    json_add_bool(j, "complete", !r->incomplete);
}
