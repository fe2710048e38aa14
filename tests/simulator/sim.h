/*
 * sim.h: what the parts of the log simulator share.
 *
 * The simulator is a witness independent of the product: nothing here may include a header of src/.
 * It is a batch tool of the tests: out of memory or a failed write ends it with a message,
 * status 1. One seed and one set of options give the same bytes on every machine: own random
 * numbers, integer arithmetic only, no clock.  (The gzip bytes also depend on the version of zlib.)
 */
#ifndef SIM_H
#define SIM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* ---- sim_util.c ------------------------------------------------------------------------------ */

/* Print "bedrock-logs-sim: ..." on stderr and end with status 1. */
_Noreturn void die(const char *format, ...) __attribute__((format(printf, 1, 2)));

void *xmalloc(size_t size);
void *xrealloc(void *old, size_t size);
char *xstrdup(const char *text);

/* xoshiro256**, seeded through splitmix64. */
struct rng {
    uint64_t s[4];
};
void rng_seed(struct rng *r, uint64_t seed);
uint64_t rng_next(struct rng *r);
uint32_t rng_below(struct rng *r, uint32_t n);                  /* 0 .. n-1; n > 0 */
uint32_t rng_range(struct rng *r, uint32_t low, uint32_t high); /* both included */
bool rng_chance(struct rng *r, uint32_t per_10000);
/* About exponentially distributed with the given mean; at most 20 x mean.  Integer arithmetic. */
uint64_t rng_skewed(struct rng *r, uint32_t mean);

/* Growing text.  Not terminated by NUL. */
struct buf {
    char *p;
    size_t len;
    size_t cap;
};
void buf_room(struct buf *b, size_t more);
void buf_add(struct buf *b, const void *text, size_t len);
void buf_str(struct buf *b, const char *text);
void buf_char(struct buf *b, char c);
void buf_u64(struct buf *b, uint64_t n);
void buf_hex(struct buf *b, struct rng *r, unsigned digits);   /* random lower-case hex digits */
void buf_alnum(struct buf *b, struct rng *r, unsigned length); /* random lower-case and digits */
void buf_uuid(struct buf *b, struct rng *r);
void buf_free(struct buf *b);
#define buf_lit(b, literal) buf_add((b), (literal), sizeof(literal) - 1)

/* Civil time of seconds since 1970, UTC. */
struct civil {
    int year;
    unsigned month, day, hour, minute, second;
};
struct civil civil_from_seconds(int64_t seconds);
int64_t civil_to_seconds(const struct civil *c);
/* YYYY-MM-DD or RFC 3339 date-time without fraction; false when it is neither. */
bool time_parse(const char *text, int64_t *seconds);
void buf_time(struct buf *b, int64_t seconds); /* 2026-11-02T10:31:00, without a zone */

/* ---- sim_text.c ------------------------------------------------------------------------------ */

/*
 * Texts that compress like the real ones, as content of JSON strings (already escaped), cut into
 * units that may stand alone.  Made once per run.
 */
enum pool_kind { POOL_PROSE, POOL_CODE, POOL_KINDS };
void text_init(uint64_t seed);
void text_free(void);
/* Append about `want` bytes in slices from random places.  At least one unit. */
void text_append(struct buf *b, struct rng *r, enum pool_kind kind, size_t want);
/* Append about `want` bytes that depend on `place` only: system prompts and tool lists repeat. */
void text_append_fixed(struct buf *b, enum pool_kind kind, uint32_t place, size_t want);

/* ---- sim_catalogue.c ------------------------------------------------------------------------- */

struct region {
    const char *name;
    int utc_offset;  /* hours; only for the daily rhythm */
    unsigned weight; /* share of the traffic */
    bool is_gov;
};
extern const struct region regions[];
extern const size_t region_count;
const struct region *region_find(const char *name, size_t len);

enum family {
    FAM_CLAUDE,
    FAM_CLAUDE_OLD, /* completion API of claude-v2 */
    FAM_NOVA,
    FAM_LLAMA,
    FAM_TITAN,
    FAM_OTHER, /* only called through Converse here */
    FAM_EMBED,
    FAM_IMAGE
};
/* How modelId is spelt. */
enum spelling {
    SPELL_PROFILE, /* system profile: bare id or inference-profile/ ARN */
    SPELL_MODEL,   /* foundation model: bare id or foundation-model/ ARN */
    SPELL_ARN,     /* always an ARN with Region and account: model is the resource part */
    SPELL_ENDPOINT /* ARN of service sagemaker */
};
/*
 * What can be called, and what an aggregator must make of it.  A `%` in model or profile stands for
 * an id of 12 characters made per account and Region.  type NULL: by evidence (CrossRegion if the
 * record has an inferenceRegion that differs from region, else Unknown).
 */
struct offer {
    const char *type;    /* expected InferenceProfileType */
    const char *profile; /* expected InferenceProfile */
    const char *model;   /* expected ModelId */
    const char *route;   /* name in the table of routes; NULL: stays in the Region, none logged */
    enum family family;
    enum spelling spelling;
    unsigned weight;
    bool odd; /* only in profile mixed */
};
extern const struct offer offers[];
extern const size_t offer_count;
/* Destinations of a route from a source, comma separated; NULL if it is not offered there. */
const char *route_destinations(const char *route, const char *source);

enum app_kind { APP_CHAT, APP_AGENT, APP_EMBED };
/* A caller.  identity: `$P` partition, `$A` account, `$S` a session name of style `session`. */
struct app {
    const char *identity;
    const char *principal; /* expected Principal */
    const char *session;   /* kind of session names: instance, mail, hex, fixed or "" */
    enum app_kind kind;
    const char *team; /* requestMetadata; NULL for none */
    unsigned weight;
    unsigned ops[4]; /* weights in the order of enum op */
};
extern const struct app apps[];
extern const size_t app_count;

enum op { OP_INVOKE, OP_INVOKE_STREAM, OP_CONVERSE, OP_CONVERSE_STREAM };
extern const char *const op_names[4];

enum outcome { OUT_OK, OUT_CLIENT, OUT_SERVER, OUT_THROTTLE };
struct error_class {
    const char *code;
    enum outcome outcome;
    unsigned weight;
    bool after_input; /* the model had begun: counts and bodies may be there */
};
extern const struct error_class error_classes[];
extern const size_t error_class_count;

/* ---- sim_decide.c, sim_record.c, sim_body.c
 * ---------------------------------------------------------------- */

enum profile { PROFILE_DEMO, PROFILE_CHAT, PROFILE_AGENT, PROFILE_NONE, PROFILE_MIXED };

struct candidate {
    struct offer offer; /* model and profile are owned */
    const char *destinations;
};
/* One account in one Region: what writes log objects of its own. */
struct stream {
    const char *account;
    const struct region *region;
    struct candidate *candidates;
    size_t candidate_count;
    unsigned weight;
    bool bodies_on; /* text delivery enabled, for profiles demo and mixed */
    uint32_t id;
};

enum guard { GUARD_NONE, GUARD_PASSED, GUARD_BLOCKED };
enum body_class { BODY_OFF, BODY_CHAT, BODY_AGENT };

struct count {
    bool present;
    uint64_t n;
};
/* One invocation, decided before it is written. */
struct call {
    const struct stream *stream;
    const struct app *app;
    const struct candidate *candidate;
    enum op op;
    enum guard guard;
    enum body_class body;
    const struct error_class *error; /* NULL: none */
    const char *inference_region;    /* static text or NULL */
    char request_id[37];
    int64_t time;
    uint32_t app_place; /* where the texts of this app begin */
    size_t in_bytes, out_bytes;
    struct count in, out, cache_read, cache_write;
    uint32_t latency_ms;
    bool media; /* the prompt has a document that was offloaded */
};
/* Bodies as JSON.  place: s3://bucket/…/data/ where media of this call lie. */
void body_input(struct buf *b, struct rng *r, const struct call *c, const char *place);
void body_output(struct buf *b, struct rng *r, const struct call *c);

/* What one record must count as. */
struct truth {
    int64_t time;
    const char *type, *profile, *model, *source, *inference, *account, *operation, *principal;
    uint64_t in, out, cache_read, cache_write;
    enum outcome outcome;
};

struct offload {
    bool input, output, media; /* what goes into objects of its own */
    struct buf input_body, output_body;
};
/* Where a record lies: prefix of the keys of its hour, for the S3 paths inside the record. */
struct record_maker {
    struct rng *rng;
    enum profile profile;
    const char *key_prefix; /* "" or ending in '/' */
    struct buf scratch;
    struct buf place;
};
/* Decide one invocation of a stream at a time; fills all of *c. */
void call_decide(struct record_maker *m, const struct stream *s, int64_t time, struct call *c);
/*
 * Append one record to out, tell what it must count as.  Texts of *truth live as long as the
 * stream, or until the next call.  off says which bodies must be written as objects.
 */
void record_make(struct record_maker *m, const struct stream *s, int64_t time, struct buf *out,
                 struct truth *truth, struct call *call, struct offload *off);
void record_maker_free(struct record_maker *m);
/* [prefix]AWSLogs/<account>/BedrockModelInvocationLogs/<region>/YYYY/MM/DD/HH/ */
void key_hour(struct buf *b, const char *prefix, const struct stream *s, int64_t time);

/* ---- sim_object.c ---------------------------------------------------------------------------- */

struct store;
/* Objects below dir.  plain: not compressed. */
struct store *store_new(const char *dir, bool plain);
/* One object; members > 1 splits it into several gzip members, zeros are added behind the last. */
struct object_shape {
    unsigned members;
    unsigned zeros;
    bool raw; /* written as it is */
};
/*
 * Write an object.  The content is copied before this returns.  Bytes written are added to *written
 * (may be NULL) by another thread: look at it after store_close().
 */
void store_put(struct store *st, const char *key, const struct buf *content,
               struct object_shape shape, uint64_t *written);
void store_close(struct store *st);

/* One large object as a stream: path "-" is stdout.  Returns through finish the bytes written. */
struct sink;
struct sink *sink_open(const char *path, bool plain);
void sink_write(struct sink *s, const void *data, size_t len);
uint64_t sink_close(struct sink *s);

/* ---- sim_expect.c ---------------------------------------------------------------------------- */

struct expect;
struct tally {
    uint64_t objects_found, objects_counted;
    uint64_t offloaded_body, permission_check, other_service;
    uint64_t records;
    uint64_t bytes_read, bytes_inflated;
};
struct expect *expect_new(void);
void expect_add(struct expect *e, const struct truth *t);
void expect_write(struct expect *e, const struct tally *tally, const char *path);
void expect_free(struct expect *e);

/* ---- sim_run.c ------------------------------------------------------------------------------- */

struct config {
    const char *out, *single, *expected;
    uint64_t seed;
    uint64_t records, size; /* one of them is 0 */
    enum profile profile;
    int64_t start;
    unsigned hours, accounts;
    const struct region *regions[64];
    size_t region_count;
    char prefix[1100]; /* "" or ending in '/' */
    bool plain;
};
void run(const struct config *cfg);

#endif
