/*
 * source_s3.c: objects of S3 buckets: a pool of clients, streams that hold one, and a walk over a
 * bucket that skips hour folders outside the range.
 *
 * The walk never lists what cannot matter: with --since, one listing goes to the first hour of
 * interest and jumps over the rest of each Region's folder, so a bucket of years costs a few
 * requests per account and Region.
 */
#include "objects/source_s3.h"

#include <pthread.h>
#include <stdlib.h>

enum { HOUR_S = 3600, PAGE_KEYS = 1000 };

/* ---- clients ---- */

struct pooled {
    struct aws_client *client;
    bool taken;
    struct pooled *next;
};

struct aws_pool {
    struct aws_client_options options;
    struct {
        pthread_mutex_t mutex;
        struct pooled *clients; /* all of them; as many as threads ever read at once */
        int64_t deadline_ms;
    } locked;
};

struct aws_pool *aws_pool_new(const struct aws_client_options *options)
{
    struct aws_pool *pool = calloc(1, sizeof(*pool));
    if (pool == NULL)
        return NULL;
    pool->options = *options;
    pool->locked.deadline_ms = INT64_MAX;
    pthread_mutex_init(&pool->locked.mutex, NULL);
    return pool;
}

void aws_pool_free(struct aws_pool *pool)
{
    if (pool == NULL)
        return;
    for (struct pooled *p = pool->locked.clients, *next; p != NULL; p = next) {
        next = p->next;
        aws_client_free(p->client);
        free(p);
    }
    pthread_mutex_destroy(&pool->locked.mutex);
    free(pool);
}

enum status aws_pool_take(struct aws_pool *pool, struct aws_client **client, struct error *err)
{
    *client = NULL;
    pthread_mutex_lock(&pool->locked.mutex);
    struct pooled *p = pool->locked.clients;
    while (p != NULL && p->taken)
        p = p->next;
    if (p != NULL)
        p->taken = true;
    int64_t deadline = pool->locked.deadline_ms;
    pthread_mutex_unlock(&pool->locked.mutex);
    if (p == NULL) {
        p = calloc(1, sizeof(*p));
        if (p == NULL)
            return error_set(err, ST_NO_MEMORY, E_R113, "out of memory");
        enum status st = aws_client_new(&p->client, &pool->options, err);
        if (st != ST_OK) {
            free(p);
            return st;
        }
        p->taken = true;
        pthread_mutex_lock(&pool->locked.mutex);
        p->next = pool->locked.clients;
        pool->locked.clients = p;
        pthread_mutex_unlock(&pool->locked.mutex);
    }
    *client = p->client;
    aws_client_set_deadline(*client, deadline);
    return ST_OK;
}

void aws_pool_give(struct aws_pool *pool, struct aws_client *client)
{
    pthread_mutex_lock(&pool->locked.mutex);
    for (struct pooled *p = pool->locked.clients; p != NULL; p = p->next)
        if (p->client == client)
            p->taken = false;
    pthread_mutex_unlock(&pool->locked.mutex);
}

void aws_pool_set_deadline(struct aws_pool *pool, int64_t steady_ms)
{
    pthread_mutex_lock(&pool->locked.mutex);
    pool->locked.deadline_ms = steady_ms;
    pthread_mutex_unlock(&pool->locked.mutex);
}

void aws_pool_forget_connections(struct aws_pool *pool)
{
    pthread_mutex_lock(&pool->locked.mutex);
    for (struct pooled *p = pool->locked.clients; p != NULL; p = p->next)
        http_forget_connections(aws_client_http(p->client));
    pthread_mutex_unlock(&pool->locked.mutex);
}

/* ---- streams ---- */

struct s3_stream {
    struct byte_stream stream;
    struct aws_pool *pool;
    struct aws_client *client;
    struct s3_object *object;
};

static enum status read_s3(struct byte_stream *stream, void *out, size_t size, size_t *n,
                           struct error *err)
{
    struct s3_stream *s = (struct s3_stream *)stream;
    return s3_object_read(s->object, out, size, n, err);
}

static void close_s3(struct byte_stream *stream)
{
    struct s3_stream *s = (struct s3_stream *)stream;
    s3_object_close(s->object);
    aws_pool_give(s->pool, s->client);
    free(s);
}

static const struct byte_stream_class s3_stream_class = {read_s3, close_s3};

enum status s3_stream_open(struct aws_pool *pool, const struct s3_get *get,
                           struct byte_stream **stream, struct error *err)
{
    *stream = NULL;
    struct s3_stream *s = calloc(1, sizeof(*s));
    if (s == NULL)
        return error_set(err, ST_NO_MEMORY, E_R113, "out of memory");
    s->stream.class = &s3_stream_class;
    s->pool = pool;
    enum status st = aws_pool_take(pool, &s->client, err);
    if (st == ST_OK)
        st = s3_object_open(&s->object, s->client, get, err);
    /* S3 always sends one: an answer without is somebody else's, and perhaps not the object. */
    if (st == ST_OK && s3_object_etag(s->object).len == 0) {
        s3_object_close(s->object);
        st = error_set(err, ST_RETRY, E_O108, "GetObject: answered without an ETag");
    }
    if (st != ST_OK) {
        aws_pool_give(pool, s->client);
        free(s);
        return st;
    }
    *stream = &s->stream;
    return ST_OK;
}

struct view s3_stream_etag(const struct byte_stream *stream)
{
    const struct s3_stream *s = (const struct s3_stream *)stream;
    return s3_object_etag(s->object);
}

/* ---- URLs ---- */

static const struct view scheme = {"s3://", 5};

bool source_s3_is_url(const char *text)
{
    return view_starts(view_of(text), scheme);
}

enum status source_s3_parse(struct view url, struct view *bucket, struct view *prefix,
                            struct error *err)
{
    struct view rest = view_skip(url, view_starts(url, scheme) ? scheme.len : url.len);
    size_t slash = view_find_char(rest, '/');
    *bucket = view_first(rest, slash);
    *prefix = slash == SIZE_MAX ? VIEW_EMPTY : view_skip(rest, slash + 1);
    if (!aws_bucket_valid(*bucket) || prefix->len > 1024)
        return error_set(err, ST_USAGE, E_U215, "\"%.*s\" is not s3://bucket[/prefix]",
                         SHOW_MAX(url, 120));
    return ST_OK;
}

/* ---- walking ---- */

struct s3_walk {
    struct aws_client *client;
    struct s3_walk_options options;
    struct s3_list *list;
    struct buf target; /* keys up to here are of no interest; empty: none */
    size_t given;      /* keys since the list was opened: pages are of PAGE_KEYS */
};

/* Sorts after all keys of a folder: the last character there is (U+10FFFF). */
static const struct view after_all = {"\xf4\x8f\xbf\xbf", 4};

/* A number of exactly so many digits, within low..high. */
static bool number(struct view text, size_t digits, uint64_t low, uint64_t high, uint64_t *out)
{
    return text.len == digits && view_parse_u64(text, high, out) == ST_OK && *out >= low;
}

/*
 * [PREFIX/]AWSLogs/ACCOUNT/BedrockModelInvocationLogs/REGION/YYYY/MM/DD/HH/...
 * ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^ *region
 * The hour the folder names, or false when the key is not below such a one.  The last AWSLogs
 * decides.  *other: below another service's folder, which is then *region.
 */
static bool hour_folder(struct view key, struct view *region, int64_t *hour, bool *other)
{
    struct view rest = key, part;
    struct view parts[7];
    size_t levels = SIZE_MAX;
    *other = false;
    while (view_split(&rest, '/', &part) && rest.ptr != NULL) {
        if (view_eq(part, VIEW_LIT("AWSLogs")))
            levels = 0;
        else if (levels < 7)
            parts[levels++] = part;
        if (levels == 2 || levels == 3) /* up to and with the slash */
            *region = view_first(key, (size_t)(rest.ptr - key.ptr));
        if (levels == 2 && !view_eq(parts[1], VIEW_LIT("BedrockModelInvocationLogs"))) {
            uint64_t account;
            *other = view_parse_u64(parts[0], UINT64_MAX, &account) == ST_OK;
            return false;
        }
    }
    uint64_t year, month, day, h;
    if (levels != 7 || !number(parts[3], 4, 1, 9999, &year) ||
        !number(parts[4], 2, 1, 12, &month) || !number(parts[5], 2, 1, 31, &day) ||
        !number(parts[6], 2, 0, 23, &h))
        return false;
    *hour =
        rfc3339_days((int64_t)year, (unsigned)month, (unsigned)day) * 86400 + (int64_t)h * HOUR_S;
    return true;
}

bool s3_key_hour(struct view key, int64_t *hour)
{
    struct view region;
    bool other;
    return hour_folder(key, &region, hour, &other);
}

/* Set the target when this key cannot hold records of the range. */
static enum status aim(struct s3_walk *w, struct view key)
{
    const struct time_range *o = &w->options.range;
    struct view region = VIEW_EMPTY;
    int64_t hour;
    bool other;
    buf_reset(&w->target);
    if (!o->has_since && !o->has_until)
        return ST_OK;
    bool is_hour = hour_folder(key, &region, &hour, &other);
    /* An hour on each side for folders named by another moment of the writing than we think. */
    int64_t since = o->since.seconds;
    int64_t first = (since / HOUR_S - (since % HOUR_S < 0) - 1) * HOUR_S;
    if (other || (is_hour && o->has_until && hour >= o->until.seconds + 2 * HOUR_S)) {
        buf_add_view(&w->target, region);
        buf_add_view(&w->target, after_all);
    } else if (is_hour && o->has_since && hour < first) {
        int64_t year;
        unsigned month, day;
        rfc3339_date(first / 86400 - (first % 86400 < 0), &year, &month, &day);
        buf_add_view(&w->target, region);
        buf_printf(&w->target, "%04lld/%02u/%02u/%02lld", (long long)year, month, day,
                   (long long)((first % 86400 + 86400) % 86400 / HOUR_S));
    }
    return buf_status(&w->target);
}

/* List anew from a key on; the walk begins so, and jumps so. */
static enum status open_list(struct s3_walk *w, struct view start_after, struct error *err)
{
    struct s3_list_options list = {
        .bucket = w->options.bucket, .prefix = w->options.prefix, .start_after = start_after};
    s3_list_close(w->list);
    w->list = NULL;
    w->given = 0;
    return s3_list_open(&w->list, w->client, &list, err);
}

enum status s3_walk_open(struct s3_walk **out, struct aws_client *client,
                         const struct s3_walk_options *options, struct error *err)
{
    *out = NULL;
    struct s3_walk *w = calloc(1, sizeof(*w));
    if (w == NULL)
        return error_set(err, ST_NO_MEMORY, E_R113, "out of memory");
    w->client = client;
    w->options = *options;
    buf_init(&w->target, 4096);
    enum status st = open_list(w, options->start_after, err);
    if (st != ST_OK) {
        s3_walk_close(w);
        return st;
    }
    *out = w;
    return ST_OK;
}

enum status s3_walk_next(struct s3_walk *w, struct s3_entry *entry, struct error *err)
{
    for (;;) {
        enum status st = s3_list_next(w->list, entry, err);
        if (st != ST_OK)
            return st;
        w->given++;
        struct view target = buf_view(&w->target);
        if (target.len == 0 || view_compare(entry->key, target) > 0) {
            st = aim(w, entry->key);
            if (st != ST_OK || w->target.len == 0)
                return st;
        }
        /* The rest of a page costs nothing; the next one is not asked for. */
        if (w->given % PAGE_KEYS == 0) {
            st = open_list(w, buf_view(&w->target), err);
            if (st != ST_OK)
                return st;
        }
    }
}

void s3_walk_close(struct s3_walk *w)
{
    if (w == NULL)
        return;
    s3_list_close(w->list);
    buf_clear(&w->target);
    free(w);
}

/* ---- the source ---- */

struct place {
    struct view url, bucket, prefix;
    struct aws_pool *pool;
};

struct source_s3 {
    struct source source;
    struct source_s3_options options;
    struct place *places;
};

/* Another URL, listed before, has this key too. */
static bool is_covered(const struct source_s3 *s3, const struct place *place, struct view key)
{
    for (const struct place *p = s3->places; p < place; p++) {
        if (view_eq(p->bucket, place->bucket) && view_starts(key, p->prefix))
            return true;
    }
    return false;
}

/* List one URL.  *from_found: the status is that of `found`, not of the listing. */
static enum status list_place(const struct source_s3 *s3, const struct place *place,
                              source_found_fn *found, void *context, bool *from_found,
                              struct error *err)
{
    struct aws_client *client = NULL;
    struct s3_walk *walk = NULL;
    struct s3_entry entry;
    struct buf name; /* "s3://bucket/key" */
    struct s3_walk_options options = {
        .bucket = place->bucket, .prefix = place->prefix, .range = s3->options.range};
    buf_init(&name, 4096);
    enum status st = aws_pool_take(place->pool, &client, err);
    if (st == ST_OK)
        st = s3_walk_open(&walk, client, &options, err);
    while (st == ST_OK && (st = s3_walk_next(walk, &entry, err)) == ST_OK) {
        buf_reset(&name);
        buf_add_view(&name, scheme);
        buf_add_view(&name, place->bucket);
        buf_add_char(&name, '/');
        buf_add_view(&name, entry.key);
        st = buf_status(&name);
        if (st != ST_OK)
            break;
        struct object_ref ref = {.source = &s3->source, .key = buf_view(&name), .size = entry.size};
        bool covered = is_covered(s3, place, entry.key);
        st = found(context, &ref, covered ? OBJECT_DUPLICATE : OBJECT_FOUND, NULL);
        *from_found = st != ST_OK;
    }
    s3_walk_close(walk);
    aws_pool_give(place->pool, client);
    buf_clear(&name);
    return st == ST_END ? ST_OK : st;
}

static enum status list_s3(const struct source *source, source_found_fn *found, void *context)
{
    const struct source_s3 *s3 = (const struct source_s3 *)source;
    enum status st = ST_OK;
    for (size_t i = 0; i < s3->options.count && st == ST_OK; i++) {
        struct error err = {0};
        bool from_found = false;
        st = list_place(s3, &s3->places[i], found, context, &from_found, &err);
        if (st != ST_OK && !from_found && st != ST_NO_MEMORY) {
            struct object_ref ref = {.source = source, .key = s3->places[i].url, .named = true};
            st = found(context, &ref, OBJECT_FAILED, &err);
        }
    }
    return st;
}

static enum status open_s3(const struct source *source, const struct object_ref *ref,
                           struct byte_stream **stream, struct error *err)
{
    const struct source_s3 *s3 = (const struct source_s3 *)source;
    struct s3_get get = {0};
    /* Not source_s3_parse: a key may be longer than a prefix may. */
    struct view rest = view_skip(ref->key, scheme.len);
    get.bucket = view_first(rest, view_find_char(rest, '/'));
    get.key = view_skip(rest, get.bucket.len + 1);
    const struct place *place = s3->places; /* one of them listed it */
    while (!view_eq(place->bucket, get.bucket))
        place++;
    return s3_stream_open(place->pool, &get, stream, err);
}

static void free_s3(struct source *source)
{
    struct source_s3 *s3 = (struct source_s3 *)source;
    free(s3->places);
    free(s3);
}

static const struct source_class s3_class = {list_s3, open_s3, free_s3};

enum status source_s3_new(const struct source_s3_options *options, struct source **out,
                          struct error *err)
{
    *out = NULL;
    struct source_s3 *s3 = calloc(1, sizeof(*s3));
    if (s3 == NULL)
        return error_set(err, ST_NO_MEMORY, E_R113, "out of memory");
    s3->source.class = &s3_class;
    s3->options = *options;
    s3->places = calloc(options->count + 1, sizeof(*s3->places));
    enum status st =
        s3->places == NULL ? error_set(err, ST_NO_MEMORY, E_R113, "out of memory") : ST_OK;
    for (size_t i = 0; i < options->count && st == ST_OK; i++) {
        struct place *p = &s3->places[i];
        p->url = view_of(options->urls[i]);
        p->pool = options->pools[i];
        st = source_s3_parse(p->url, &p->bucket, &p->prefix, err);
    }
    if (st != ST_OK) {
        free_s3(&s3->source);
        return st;
    }
    *out = &s3->source;
    return ST_OK;
}
