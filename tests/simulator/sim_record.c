/*
 * sim_record.c: write the record of one decided invocation, state what it counts as.
 *
 * The truth is taken from the decisions, never from the text written.
 */
#include "sim.h"

#include <string.h>

enum { INLINE_LIMIT = 102400 }; /* longer bodies become objects below data/ */

void key_hour(struct buf *b, const char *prefix, const struct stream *s, int64_t time)
{
    struct buf t = {0};

    buf_str(b, prefix);
    buf_lit(b, "AWSLogs/");
    buf_str(b, s->account);
    buf_lit(b, "/BedrockModelInvocationLogs/");
    buf_str(b, s->region->name);
    buf_time(&t, time); /* 2026-11-02T10:31:00 */
    for (size_t i = 0; i < 13; i++)
        if (t.p[i] == '-' || t.p[i] == 'T')
            t.p[i] = '/';
    buf_char(b, '/');
    buf_add(b, t.p, 13);
    buf_char(b, '/');
    buf_free(&t);
}

/* ---- the text ---- */

static void add_arn(struct buf *b, const struct call *c, const char *service, bool with_region,
                    bool with_account)
{
    buf_str(b, c->stream->region->is_gov ? "arn:aws-us-gov:" : "arn:aws:");
    buf_str(b, service);
    buf_char(b, ':');
    if (with_region)
        buf_str(b, c->stream->region->name);
    buf_char(b, ':');
    if (with_account)
        buf_str(b, c->stream->account);
    buf_char(b, ':');
}

static void add_model_id(struct record_maker *m, struct buf *b, const struct call *c)
{
    const struct offer *o = &c->candidate->offer;
    bool converse = c->op == OP_CONVERSE || c->op == OP_CONVERSE_STREAM;
    bool mixed = m->profile == PROFILE_MIXED;

    buf_lit(b, "\"modelId\":\"");
    switch (o->spelling) {
    case SPELL_PROFILE:
        if (rng_chance(m->rng, converse ? 800 : 9700)) {
            add_arn(b, c, "bedrock", !mixed || !rng_chance(m->rng, 100), true);
            buf_lit(b, "inference-profile/");
        }
        buf_str(b, o->profile);
        break;
    case SPELL_MODEL:
        if (rng_chance(m->rng, 800)) {
            add_arn(b, c, "bedrock", !mixed || !rng_chance(m->rng, 1000), false);
            buf_lit(b, "foundation-model/");
        }
        buf_str(b, o->model);
        break;
    case SPELL_ARN:
    case SPELL_ENDPOINT:
        add_arn(b, c, o->spelling == SPELL_ARN ? "bedrock" : "sagemaker", true, true);
        buf_str(b, o->model);
        break;
    }
    buf_lit(b, "\",");
}

static void add_session(struct record_maker *m, struct buf *b, const struct call *c)
{
    static const char *const people[] = {"alice",    "bob.miller", "chen.wei",
                                         "d.okafor", "eva",        "f-moreau"};
    const char *kind = c->app->session;
    struct rng r;
    uint32_t which = rng_below(m->rng, 24);

    /* A task keeps its session name: few names recur often. */
    rng_seed(&r, ((uint64_t)c->app_place << 8) | which);
    if (!strcmp(kind, "mail")) {
        buf_str(b, people[which % 6]);
        buf_lit(b, "@example.com");
    } else if (!strcmp(kind, "instance")) {
        buf_lit(b, "i-0");
        buf_hex(b, &r, 16);
    } else {
        buf_hex(b, &r, 20);
    }
}

/* Returns the expected Principal. */
static const char *add_identity(struct record_maker *m, struct buf *b, const struct call *c)
{
    bool mixed = m->profile == PROFILE_MIXED;

    if (c->error ? rng_chance(m->rng, 400) : mixed && rng_chance(m->rng, 50)) {
        if (mixed && rng_chance(m->rng, 3000))
            buf_str(b, rng_chance(m->rng, 5000) ? "\"identity\":null," : "\"identity\":{},");
        return "unknown";
    }
    buf_lit(b, "\"identity\":{\"arn\":\"");
    for (const char *t = c->app->identity; *t; t++) {
        if (*t != '$') {
            buf_char(b, *t);
            continue;
        }
        t++;
        if (*t == 'P')
            buf_str(b, c->stream->region->is_gov ? "aws-us-gov" : "aws");
        else if (*t == 'A')
            buf_str(b, c->stream->account);
        else
            add_session(m, b, c);
    }
    buf_lit(b, "\"},");
    return c->app->principal;
}

static void add_timestamp(struct record_maker *m, struct buf *b, int64_t time)
{
    uint32_t odd = m->profile == PROFILE_MIXED ? rng_below(m->rng, 100) : 99;

    buf_lit(b, "\"timestamp\":\"");
    buf_time(b, odd == 0 ? time + 7200 : odd == 1 ? time - 20700 : time);
    switch (odd) {
    case 0: buf_lit(b, "+02:00"); break;
    case 1: buf_lit(b, "-05:45"); break;
    case 2: buf_lit(b, ".250Z"); break;
    case 3: buf_lit(b, ".999999999Z"); break;
    case 4: buf_lit(b, "z"); break;
    default: buf_lit(b, "Z"); break;
    }
    buf_lit(b, "\",");
}

static void add_count(struct buf *b, const char *name, struct count n)
{
    if (!n.present)
        return;
    buf_lit(b, ",\"");
    buf_str(b, name);
    buf_lit(b, "\":");
    buf_u64(b, n.n);
}

static void add_path(struct buf *b, const struct record_maker *m, const struct call *c,
                     const char *name, const char *end)
{
    buf_lit(b, ",\"");
    buf_str(b, name);
    buf_lit(b, "\":\"");
    buf_add(b, m->place.p, m->place.len - 1); /* without its NUL */
    buf_str(b, c->request_id);
    buf_str(b, end);
    buf_char(b, '"');
}

/* Take the body made in scratch: into the record, or out of it when it is too long. */
static bool place_body(struct record_maker *m, struct buf *b, const struct call *c,
                       const char *name, const char *path_name, const char *end, struct buf *body)
{
    if (m->scratch.len <= INLINE_LIMIT) {
        buf_lit(b, ",\"");
        buf_str(b, name);
        buf_lit(b, "\":");
        buf_add(b, m->scratch.p, m->scratch.len);
        return false;
    }
    add_path(b, m, c, path_name, end);
    body->len = 0;
    buf_add(body, m->scratch.p, m->scratch.len);
    return true;
}

static void add_input(struct record_maker *m, struct buf *b, const struct call *c,
                      struct offload *off)
{
    buf_lit(b, "\"input\":{\"inputContentType\":\"application/json\"");
    if (c->body != BODY_OFF && (!c->error || c->error->after_input || rng_chance(m->rng, 3000))) {
        m->scratch.len = 0;
        body_input(&m->scratch, m->rng, c, m->place.p);
        off->input = place_body(m, b, c, "inputBodyJson", "inputBodyS3Path", "_input.json.gz",
                                &off->input_body);
        off->media = c->media;
    }
    add_count(b, "inputTokenCount", c->in);
    add_count(b, "cacheReadInputTokenCount", c->cache_read);
    add_count(b, "cacheWriteInputTokenCount", c->cache_write);
    buf_lit(b, "},");
}

static void add_output(struct record_maker *m, struct buf *b, const struct call *c,
                       struct offload *off)
{
    bool count_first = m->profile == PROFILE_MIXED && rng_chance(m->rng, 1000);

    buf_lit(b, "\"output\":{\"outputContentType\":\"application/json\"");
    if (count_first)
        add_count(b, "outputTokenCount", c->out);
    if (c->body != BODY_OFF && !c->error) {
        m->scratch.len = 0;
        body_output(&m->scratch, m->rng, c);
        off->output = place_body(m, b, c, "outputBodyJson", "outputBodyS3Path", "_output.json.gz",
                                 &off->output_body);
    }
    if (!count_first)
        add_count(b, "outputTokenCount", c->out);
    if (c->candidate->offer.family == FAM_IMAGE)
        buf_lit(b, ",\"outputImageHeight\":1024,\"outputImageWidth\":1024,"
                   "\"outputImageBucketedStepSize\":50");
    buf_lit(b, "},");
}

static void add_bodies(struct record_maker *m, struct buf *b, const struct call *c,
                       struct offload *off)
{
    /* Nobody has published a whole failed record: absent, empty and null are all possible. */
    uint32_t how = c->error && !c->error->after_input ? rng_below(m->rng, 4) : 4;

    if (how == 0)
        return;
    if (how == 1)
        buf_lit(b, "\"input\":{},\"output\":{},");
    else if (how == 2 && m->profile == PROFILE_MIXED)
        buf_lit(b, "\"input\":null,\"output\":null,");
    else
        add_input(m, b, c, off);
    if (how == 4)
        add_output(m, b, c, off);
}

static void add_metadata(struct record_maker *m, struct buf *b, const struct call *c)
{
    buf_lit(b, "\"requestMetadata\":{\"team\":\"");
    buf_str(b, c->app->team);
    buf_str(b, c->stream->id % 2 ? "\",\"env\":\"prod\"" : "\",\"env\":\"dev\"");
    if (m->profile == PROFILE_MIXED && rng_chance(m->rng, 500))
        buf_lit(b, ",\"inputTokenCount\":\"99999\",\"modelId\":\"\"");
    buf_lit(b, "},");
}

static bool wants_metadata(const struct record_maker *m, const struct call *c)
{
    return c->app->team && m->profile != PROFILE_NONE;
}

static void add_schema(struct buf *b)
{
    buf_lit(b, "\"schemaType\":\"ModelInvocationLog\",\"schemaVersion\":\"1.0\",");
}

static void add_common(struct record_maker *m, struct buf *b, const struct call *c)
{
    buf_lit(b, "\"region\":\"");
    buf_str(b, c->stream->region->name);
    buf_lit(b, "\",\"requestId\":\"");
    buf_str(b, c->request_id);
    buf_lit(b, "\",\"operation\":\"");
    buf_str(b, op_names[c->op]);
    buf_lit(b, "\",");
    add_model_id(m, b, c);
}

static void add_error(struct record_maker *m, struct buf *b, const struct call *c)
{
    if (c->error) {
        buf_lit(b, "\"errorCode\":\"");
        buf_str(b, c->error->code);
        buf_lit(b, "\",");
    } else if (m->profile == PROFILE_MIXED && rng_chance(m->rng, 400)) {
        buf_str(b, rng_chance(m->rng, 5000) ? "\"errorCode\":null," : "\"errorCode\":\"\",");
    }
}

/* Indented as people do by hand.  No brace ever stands first in a line except the last. */
static void pretty_print(struct buf *b, const char *text, size_t len)
{
    unsigned depth = 0;
    bool in_string = false;

    for (size_t i = 0; i < len; i++) {
        char c = text[i];
        bool opens = c == '{' || c == '[';
        bool closes = c == '}' || c == ']';

        if (in_string) {
            buf_char(b, c);
            if (c == '\\')
                buf_char(b, text[++i]);
            else if (c == '"')
                in_string = false;
            continue;
        }
        in_string = c == '"';
        depth -= closes;
        if (closes && text[i - 1] != '{' && text[i - 1] != '[') {
            buf_char(b, '\n');
            for (unsigned k = 0; k < depth; k++)
                buf_lit(b, "  ");
        }
        buf_char(b, c);
        if (c == ':')
            buf_char(b, ' ');
        depth += opens;
        if (c == ',' || (opens && text[i + 1] != '}' && text[i + 1] != ']')) {
            buf_char(b, '\n');
            for (unsigned k = 0; k < depth; k++)
                buf_lit(b, "  ");
        }
    }
}

static void state_truth(const struct call *c, const char *principal, struct truth *t)
{
    const struct offer *o = &c->candidate->offer;
    const char *source = c->stream->region->name;
    const char *there = c->inference_region;

    *t = (struct truth){
        .time = c->time,
        .type = o->type,
        .profile = o->profile,
        .model = o->model,
        .source = source,
        .account = c->stream->account,
        .operation = op_names[c->op],
        .principal = principal,
        .in = c->in.present ? c->in.n : 0,
        .out = c->out.present ? c->out.n : 0,
        .cache_read = c->cache_read.present ? c->cache_read.n : 0,
        .cache_write = c->cache_write.present ? c->cache_write.n : 0,
        .outcome = c->error ? c->error->outcome : OUT_OK,
    };
    if (!t->type)
        t->type = there && strcmp(there, source) != 0 ? "CrossRegion" : "Unknown";
    t->inference = there ? there : !strcmp(t->type, "InRegion") ? source : "unknown";
}

void record_make(struct record_maker *m, const struct stream *s, int64_t time, struct buf *out,
                 struct truth *truth, struct call *call, struct offload *off)
{
    bool mixed = m->profile == PROFILE_MIXED;
    size_t start = out->len;
    const char *principal;
    bool old_order;

    off->input = off->output = off->media = false;
    call_decide(m, s, time, call);
    m->place.len = 0;
    buf_lit(&m->place, "s3://acme-bedrock-logs-");
    buf_str(&m->place, s->region->name);
    buf_char(&m->place, '/');
    key_hour(&m->place, m->key_prefix, s, time);
    buf_lit(&m->place, "data/");
    buf_char(&m->place, '\0');

    old_order = mixed ? rng_chance(m->rng, 3000) : s->id % 7 == 3;
    buf_char(out, '{');
    if (old_order)
        add_schema(out);
    add_timestamp(m, out, time);
    buf_lit(out, "\"accountId\":\"");
    buf_str(out, s->account);
    buf_lit(out, "\",");
    principal = add_identity(m, out, call);
    add_common(m, out, call);
    if (wants_metadata(m, call) && !old_order)
        add_metadata(m, out, call);
    add_error(m, out, call);
    add_bodies(m, out, call, off);
    if (call->inference_region) {
        buf_lit(out, "\"inferenceRegion\":\"");
        buf_str(out, call->inference_region);
        buf_lit(out, "\",");
    }
    if (wants_metadata(m, call) && old_order)
        add_metadata(m, out, call);
    if (mixed && rng_chance(m->rng, 200))
        buf_lit(out, "\"performanceConfig\":{\"latency\":\"standard\"},\"status\":\"200\",");
    if (!old_order)
        add_schema(out);
    out->p[out->len - 1] = '}'; /* in place of the last comma */
    if (mixed && out->len - start < 20000 && rng_chance(m->rng, 100)) {
        m->scratch.len = 0;
        buf_add(&m->scratch, out->p + start, out->len - start);
        out->len = start;
        pretty_print(out, m->scratch.p, m->scratch.len);
    }
    state_truth(call, principal, truth);
}

void record_maker_free(struct record_maker *m)
{
    buf_free(&m->scratch);
    buf_free(&m->place);
}
