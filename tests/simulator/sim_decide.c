/*
 * sim_decide.c: what happens in one invocation: who calls what, how it ends, which counts are
 * logged.
 *
 * Shares are guesses at a lively organisation; which counts and Regions are missing when follows
 * published records (blocked by a guardrail, failed, embedded, bodies switched off).
 */
#include "sim.h"

#include <string.h>

static uint32_t hash_two(uint32_t a, uint32_t b)
{
    uint64_t x = (((uint64_t)a << 32) | b) * UINT64_C(0x9e3779b97f4a7c15);

    return (uint32_t)((x ^ (x >> 29)) * UINT64_C(0xbf58476d1ce4e5b9) >> 32);
}

static const struct app *pick_app(struct record_maker *m)
{
    uint32_t total = 0;
    uint32_t at;

    for (size_t i = 0; i < app_count; i++)
        total += apps[i].weight;
    for (;;) {
        const struct app *a = apps;

        for (at = rng_below(m->rng, total); at >= a->weight; a++)
            at -= a->weight;
        /* Nobody embeds 60 KB; a few keep the shape in the mix. */
        if (m->profile != PROFILE_AGENT || a->kind != APP_EMBED || rng_chance(m->rng, 1000))
            return a;
    }
}

static bool app_may_call(const struct app *a, const struct offer *o, unsigned attempt)
{
    bool embeds = o->family == FAM_EMBED || o->family == FAM_IMAGE;

    if (attempt > 60)
        return true; /* nothing else is offered here */
    if (a->kind == APP_EMBED)
        return o->family == FAM_EMBED;
    if (a->kind == APP_AGENT)
        return o->family == FAM_CLAUDE;
    return !embeds || (o->family == FAM_IMAGE && attempt < 4);
}

static const struct candidate *pick_candidate(struct record_maker *m, const struct stream *s,
                                              const struct app *a)
{
    uint32_t total = 0;

    for (size_t i = 0; i < s->candidate_count; i++)
        total += s->candidates[i].offer.weight;
    for (unsigned attempt = 0;; attempt++) {
        const struct candidate *c = s->candidates;

        for (uint32_t at = rng_below(m->rng, total); at >= c->offer.weight; c++)
            at -= c->offer.weight;
        if (app_may_call(a, &c->offer, attempt))
            return c;
    }
}

static enum op pick_op(struct record_maker *m, const struct app *a, const struct offer *o)
{
    uint32_t at = rng_below(m->rng, a->ops[0] + a->ops[1] + a->ops[2] + a->ops[3]);
    unsigned op = 0;

    while (at >= a->ops[op])
        at -= a->ops[op++];
    if (o->family == FAM_EMBED || o->family == FAM_IMAGE)
        return OP_INVOKE;
    if (o->family == FAM_OTHER || !strncmp(o->model, "prompt", 6) ||
        !strncmp(o->model, "default-prompt", 14))
        return op == OP_INVOKE_STREAM || op == OP_CONVERSE_STREAM ? OP_CONVERSE_STREAM
                                                                  : OP_CONVERSE;
    return (enum op)op;
}

static const struct error_class *pick_error(struct record_maker *m, const struct call *c)
{
    uint32_t total = 0;
    uint32_t at;
    const struct error_class *e = error_classes;
    uint32_t share = m->profile == PROFILE_MIXED ? 700 : m->profile == PROFILE_DEMO ? 250 : 150;

    if (!rng_chance(m->rng, share))
        return NULL;
    for (size_t i = 0; i < error_class_count; i++)
        total += error_classes[i].weight;
    for (at = rng_below(m->rng, total); at >= e->weight; e++)
        at -= e->weight;
    if (!strcmp(e->code, "ModelStreamErrorException") && c->op != OP_INVOKE_STREAM &&
        c->op != OP_CONVERSE_STREAM)
        return &error_classes[0];
    return e;
}

static enum guard pick_guard(struct record_maker *m, const struct call *c)
{
    enum family f = c->candidate->offer.family;
    bool converse = c->op == OP_CONVERSE || c->op == OP_CONVERSE_STREAM;

    if (c->error || (f != FAM_CLAUDE && !converse))
        return GUARD_NONE;
    if (rng_chance(m->rng, m->profile == PROFILE_MIXED ? 400 : 120))
        return GUARD_BLOCKED;
    return rng_chance(m->rng, 150) ? GUARD_PASSED : GUARD_NONE;
}

static enum body_class pick_body(struct record_maker *m, const struct call *c)
{
    switch (m->profile) {
    case PROFILE_NONE: return BODY_OFF;
    case PROFILE_CHAT: return BODY_CHAT;
    case PROFILE_AGENT: return BODY_AGENT;
    case PROFILE_DEMO:
    case PROFILE_MIXED: break;
    }
    if (!c->stream->bodies_on)
        return BODY_OFF;
    if (c->app->kind != APP_AGENT)
        return BODY_CHAT;
    /* Long ones are often not delivered at all, and a demo need not be large. */
    return rng_chance(m->rng, 3000) ? BODY_AGENT : BODY_OFF;
}

static void decide_sizes(struct record_maker *m, struct call *c)
{
    struct rng *r = m->rng;
    bool varied = m->profile == PROFILE_DEMO || m->profile == PROFILE_MIXED;
    enum family f = c->candidate->offer.family;

    if (c->body == BODY_AGENT) {
        c->in_bytes = rng_range(r, 20000, 88000);
        c->out_bytes = 60 + rng_skewed(r, 900);
        if (varied && rng_chance(r, 600))
            c->in_bytes = rng_range(r, 105000, 230000);
        if (varied && rng_chance(r, 80))
            c->out_bytes = rng_range(r, 105000, 140000);
    } else {
        c->in_bytes = 60 + rng_skewed(r, 2500);
        c->out_bytes = 20 + rng_skewed(r, 850);
    }
    if (f == FAM_EMBED && c->in_bytes > 4000)
        c->in_bytes = 1000 + c->in_bytes % 3000;
}

/* Which counts the record has, and how large; see the table of missing counts in the facts. */
static void decide_counts(struct record_maker *m, struct call *c)
{
    struct rng *r = m->rng;
    enum family f = c->candidate->offer.family;
    bool converse = c->op == OP_CONVERSE || c->op == OP_CONVERSE_STREAM;
    uint64_t all = c->in_bytes / 4 + 60;

    c->in = (struct count){true, all};
    c->out = (struct count){f != FAM_EMBED && f != FAM_IMAGE, c->out_bytes / 4 + 1};
    c->cache_read.present =
        f == FAM_NOVA ||
        (f == FAM_CLAUDE && (c->app->kind == APP_AGENT || (converse && c->app_place % 2)));
    if (f == FAM_CLAUDE && c->app->kind == APP_AGENT) {
        /* Coding agents: nearly everything comes from the cache, the input itself is 1 to 6. */
        if (c->body == BODY_OFF)
            all = 8000 + rng_skewed(r, 60000);
        c->in.n = rng_range(r, 1, 6);
        if (rng_chance(r, 800))
            c->cache_write.n = all; /* the first turn of a session */
        else {
            c->cache_write.n = rng_skewed(r, 1500);
            c->cache_read.n = all;
        }
    }
    if (c->out.present && c->body == BODY_OFF)
        c->out.n = 1 + rng_skewed(r, 350);
    if (f == FAM_IMAGE)
        c->in.present = false;
    if (c->guard == GUARD_BLOCKED) {
        bool some = c->op != OP_INVOKE;

        c->in = c->out = (struct count){some, 0};
        c->cache_read = (struct count){c->cache_read.present && some, 0};
        c->cache_write.n = 0;
    }
    if (c->error && !c->error->after_input)
        c->in = c->out = c->cache_read = c->cache_write = (struct count){false, 0};
    else if (c->error && rng_chance(r, 5000))
        c->out = (struct count){false, 0};
    c->cache_write.present = c->cache_read.present;
}

static const char *pick_destination(struct record_maker *m, const struct call *c)
{
    const char *list = c->candidate->destinations;
    const char *source = c->stream->region->name;
    const struct region *region;
    uint32_t count = 1;
    uint32_t skip;
    size_t len;

    if (!*list) /* in the Region: usually not logged */
        return m->profile == PROFILE_MIXED && rng_chance(m->rng, 300) ? source : NULL;
    if (c->error && !c->error->after_input)
        return rng_chance(m->rng, 3000) ? source : NULL;
    if (c->guard == GUARD_BLOCKED && (c->op == OP_INVOKE || rng_chance(m->rng, 8000)))
        return NULL;
    if (rng_chance(m->rng, 150))
        return NULL; /* seen once with all bodies switched off */
    if (strstr(list, source) && rng_chance(m->rng, 2500))
        return source;
    for (const char *at = list; *at; at++)
        count += *at == ',';
    for (skip = rng_below(m->rng, count); skip > 0; list++)
        skip -= *list == ',';
    len = strcspn(list, ",");
    region = region_find(list, len);
    if (!region)
        die("unknown Region in a route: %.*s", (int)len, list);
    return region->name;
}

void call_decide(struct record_maker *m, const struct stream *s, int64_t time, struct call *c)
{
    struct buf id = {c->request_id, 0, sizeof(c->request_id)};

    c->stream = s;
    c->time = time;
    buf_uuid(&id, m->rng);
    c->request_id[36] = '\0';
    c->app = pick_app(m);
    c->candidate = pick_candidate(m, s, c->app);
    c->op = pick_op(m, c->app, &c->candidate->offer);
    c->error = pick_error(m, c);
    c->guard = pick_guard(m, c);
    c->body = pick_body(m, c);
    c->app_place = hash_two(s->id + 1, (uint32_t)(c->app - apps));
    c->in_bytes = c->out_bytes = 0;
    c->in = c->out = c->cache_read = c->cache_write = (struct count){false, 0};
    decide_sizes(m, c);
    decide_counts(m, c);
    c->inference_region = pick_destination(m, c);
    c->latency_ms = 180 + (uint32_t)rng_skewed(m->rng, 2200) + (uint32_t)(c->out.n * 9 % 60000);
    c->media = c->body == BODY_CHAT && !c->error && c->op >= OP_CONVERSE &&
               (m->profile == PROFILE_DEMO || m->profile == PROFILE_MIXED) &&
               rng_chance(m->rng, 100);
}
