#include "objects/source_s3.h"

#include <pthread.h>
#include <stdlib.h>

enum {
    MAX_FOLDERS = 100000, /* waiting to be listed */
    /* Folders in front of AWSLogs/ are free text; beyond this many, or below this depth, the
     * listing takes all keys instead of looking for hour folders. */
    MAX_FREE_DEPTH = 4,
    MAX_FREE_FOLDERS = 1000,
    HOUR_S = 3600,
};

/* ---- clients ---- */

struct idle_client {
    struct aws_client *client;
    struct idle_client *next;
};

struct aws_pool {
    struct aws_client_options options;
    struct {
        pthread_mutex_t mutex;
        struct idle_client *idle;
        struct idle_client *empty; /* nodes without a client, so that giving cannot fail */
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

static void free_nodes(struct idle_client *node)
{
    while (node != NULL) {
        struct idle_client *next = node->next;
        aws_client_free(node->client);
        free(node);
        node = next;
    }
}

void aws_pool_free(struct aws_pool *pool)
{
    if (pool == NULL)
        return;
    free_nodes(pool->locked.idle);
    free_nodes(pool->locked.empty);
    pthread_mutex_destroy(&pool->locked.mutex);
    free(pool);
}

enum status aws_pool_take(struct aws_pool *pool, struct aws_client **client, struct error *err)
{
    pthread_mutex_lock(&pool->locked.mutex);
    struct idle_client *node = pool->locked.idle;
    int64_t deadline = pool->locked.deadline_ms;
    *client = NULL;
    if (node != NULL) {
        pool->locked.idle = node->next;
        *client = node->client;
        node->client = NULL;
        node->next = pool->locked.empty;
        pool->locked.empty = node;
    }
    pthread_mutex_unlock(&pool->locked.mutex);
    if (*client != NULL) {
        aws_client_set_deadline(*client, deadline);
        return ST_OK;
    }
    node = calloc(1, sizeof(*node));
    if (node == NULL)
        return error_set(err, ST_NO_MEMORY, "out of memory");
    enum status st = aws_client_new(client, &pool->options, err);
    if (st != ST_OK) {
        free(node);
        return st;
    }
    aws_client_set_deadline(*client, deadline);
    pthread_mutex_lock(&pool->locked.mutex);
    node->next = pool->locked.empty;
    pool->locked.empty = node;
    pthread_mutex_unlock(&pool->locked.mutex);
    return ST_OK;
}

void aws_pool_give(struct aws_pool *pool, struct aws_client *client)
{
    if (client == NULL)
        return;
    pthread_mutex_lock(&pool->locked.mutex);
    /* There is a node for every client taken. */
    struct idle_client *node = pool->locked.empty;
    pool->locked.empty = node->next;
    node->client = client;
    node->next = pool->locked.idle;
    pool->locked.idle = node;
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
    for (struct idle_client *node = pool->locked.idle; node != NULL; node = node->next)
        http_forget_connections(aws_client_http(node->client));
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
        return error_set(err, ST_NO_MEMORY, "out of memory");
    s->stream.class = &s3_stream_class;
    s->pool = pool;
    enum status st = aws_pool_take(pool, &s->client, err);
    if (st == ST_OK)
        st = s3_object_open(&s->object, s->client, get, err);
    /* S3 always sends one: an answer without is somebody else's, and perhaps not the object. */
    if (st == ST_OK && s3_object_etag(s->object).len == 0) {
        s3_object_close(s->object);
        st = error_set(err, ST_RETRY, "GetObject: answered without an ETag");
    }
    if (st != ST_OK) {
        aws_pool_give(pool, s->client);
        free(s);
        return st;
    }
    *stream = &s->stream;
    return ST_OK;
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
        return error_set(err, ST_USAGE, "\"%.*s\" is not s3://bucket[/prefix]",
                         (int)(url.len < 120 ? url.len : 120), url.ptr);
    return ST_OK;
}

/* ---- the source ---- */

struct place {
    struct view url, bucket, prefix;
};

struct source_s3 {
    struct source source;
    struct source_s3_options options;
    struct place *places;
    _Atomic uint64_t listings;
};

/* Folders still to be listed, of one URL. */
struct todo {
    struct folder {
        char *text; /* owned */
        size_t len;
        bool flat;
    } * folders;
    size_t count, capacity;
};

struct lister {
    struct source_s3 *s3;
    const struct place *place;
    struct aws_client *client;
    struct todo todo;
    struct buf name; /* "s3://bucket/key" */
    source_found_fn *found;
    void *context;
    bool told_end; /* the callback ended the listing */
};

static enum status push(struct todo *todo, struct view text, bool flat)
{
    if (todo->count == MAX_FOLDERS)
        return ST_TOO_BIG;
    if (todo->count == todo->capacity) {
        size_t wanted = todo->capacity == 0 ? 64 : todo->capacity * 2;
        struct folder *grown = realloc(todo->folders, wanted * sizeof(*grown));
        if (grown == NULL)
            return ST_NO_MEMORY;
        todo->folders = grown;
        todo->capacity = wanted;
    }
    char *copy = malloc(text.len + 1);
    if (copy == NULL)
        return ST_NO_MEMORY;
    if (text.len > 0)
        memcpy(copy, text.ptr, text.len);
    todo->folders[todo->count++] = (struct folder){copy, text.len, flat};
    return ST_OK;
}

static void clear_todo(struct todo *todo)
{
    for (size_t i = 0; i < todo->count; i++)
        free(todo->folders[i].text);
    free(todo->folders);
}

/* ---- what a folder can hold ---- */

enum folder_kind {
    FOLDER_FREE,   /* log folders may be below */
    FOLDER_AWS,    /* AWSLogs/, AWSLogs/ACCOUNT/, .../BedrockModelInvocationLogs/[REGION/] */
    FOLDER_TIME,   /* .../REGION/YYYY/[MM/[DD/[HH/]]] */
    FOLDER_OPAQUE, /* below, or not as Bedrock writes it */
};

struct folder_info {
    enum folder_kind kind;
    size_t free_depth;
    int64_t begin, end; /* FOLDER_TIME: the hours it covers */
    bool is_hour;
};

static bool number(struct view text, size_t digits, uint64_t low, uint64_t high, uint64_t *out)
{
    return text.len == digits && view_parse_u64(text, high, out) == ST_OK && *out >= low;
}

/* Segments behind REGION/: a year, month, day, hour. */
static bool read_time(const struct view *parts, size_t n, struct folder_info *info)
{
    uint64_t year = 0, month = 1, day = 1, hour = 0;
    if (!number(parts[0], 4, 1, 9998, &year) || (n > 1 && !number(parts[1], 2, 1, 12, &month)) ||
        (n > 2 && !number(parts[2], 2, 1, 31, &day)) ||
        (n > 3 && !number(parts[3], 2, 0, 23, &hour)))
        return false;
    int64_t y = (int64_t)year;
    unsigned m = (unsigned)month;
    int64_t begin = rfc3339_days(y, m, (unsigned)day);
    int64_t end = begin + 1;
    if (n == 1)
        end = rfc3339_days(y + 1, 1, 1);
    else if (n == 2)
        end = m == 12 ? rfc3339_days(y + 1, 1, 1) : rfc3339_days(y, m + 1, 1);
    info->begin = begin * 86400 + (int64_t)hour * HOUR_S;
    info->end = n > 3 ? info->begin + HOUR_S : end * 86400;
    info->is_hour = n > 3;
    return true;
}

/* `folder` is empty or ends with a slash. */
static struct folder_info inspect(struct view folder)
{
    struct folder_info info = {.kind = FOLDER_FREE};
    struct view rest = folder, part, parts[8];
    size_t behind = SIZE_MAX; /* segments behind the last AWSLogs */
    while (view_split(&rest, '/', &part) && rest.ptr != NULL) {
        if (view_eq(part, VIEW_LIT("AWSLogs"))) {
            behind = 0;
        } else if (behind == SIZE_MAX) {
            info.free_depth++;
        } else {
            if (behind < 8)
                parts[behind] = part;
            behind++;
        }
    }
    if (behind == SIZE_MAX)
        return info;
    /* parts: ACCOUNT BedrockModelInvocationLogs REGION YYYY MM DD HH */
    info.kind = FOLDER_AWS;
    if (behind > 7 ||
        (behind > 1 && !view_eq(parts[1], VIEW_LIT("BedrockModelInvocationLogs"))))
        info.kind = FOLDER_OPAQUE;
    else if (behind > 3)
        info.kind = read_time(parts + 3, behind - 3, &info) ? FOLDER_TIME : FOLDER_OPAQUE;
    return info;
}

/* Can records of the range be in an object written within [begin, end)? */
static bool may_hold(const struct source_s3_options *o, const struct folder_info *info)
{
    if (info->kind != FOLDER_TIME)
        return true;
    int64_t since_hour = o->since.seconds - ((o->since.seconds % HOUR_S) + HOUR_S) % HOUR_S;
    /* An hour on each side for folders named by another moment of the writing than we think. */
    if (o->has_since && info->end + HOUR_S <= since_hour)
        return false;
    /* until is exclusive; records are written up to an hour late. */
    return !o->has_until || info->begin < o->until.seconds + 2 * HOUR_S;
}

/* Wholly within the range: nothing below it could be left out. */
static bool holds_only(const struct source_s3_options *o, const struct folder_info *info)
{
    if (info->kind != FOLDER_TIME)
        return info->kind == FOLDER_OPAQUE;
    return info->is_hour || ((!o->has_since || info->begin >= o->since.seconds) &&
                             (!o->has_until || info->end <= o->until.seconds));
}

/* ---- listing ---- */

/* Another URL, listed before, has this key too. */
static bool is_covered(const struct lister *l, struct view key)
{
    for (const struct place *p = l->s3->places; p < l->place; p++) {
        if (view_eq(p->bucket, l->place->bucket) && view_starts(key, p->prefix))
            return true;
    }
    return false;
}

static enum status tell(struct lister *l, const struct s3_entry *entry)
{
    buf_reset(&l->name);
    buf_add_view(&l->name, scheme);
    buf_add_view(&l->name, l->place->bucket);
    buf_add_char(&l->name, '/');
    buf_add_view(&l->name, entry->key);
    if (buf_status(&l->name) != ST_OK)
        return ST_NO_MEMORY;
    struct object_ref ref = {
        .source = &l->s3->source, .key = buf_view(&l->name), .size = entry->size};
    enum status st = l->found(l->context, &ref,
                              is_covered(l, entry->key) ? OBJECT_DUPLICATE : OBJECT_FOUND, NULL);
    l->told_end = st != ST_OK;
    return st;
}

static enum status see_folder(struct lister *l, struct view folder, size_t *free_folders)
{
    struct folder_info info = inspect(folder);
    if (!may_hold(&l->s3->options, &info))
        return ST_OK;
    bool flat = holds_only(&l->s3->options, &info);
    if (info.kind == FOLDER_FREE)
        flat = info.free_depth > MAX_FREE_DEPTH || ++*free_folders > MAX_FREE_FOLDERS;
    return push(&l->todo, folder, flat);
}

static enum status list_folder(struct lister *l, const struct folder *folder, struct error *err)
{
    struct s3_list *list = NULL;
    struct s3_entry entry;
    size_t free_folders = 0;
    struct s3_list_options options = {.bucket = l->place->bucket,
                                      .prefix = view_make(folder->text, folder->len),
                                      .delimiter = folder->flat ? VIEW_EMPTY : VIEW_LIT("/")};
    l->s3->listings++;
    enum status st = s3_list_open(&list, l->client, &options, err);
    while (st == ST_OK) {
        st = s3_list_next(list, &entry, err);
        if (st == ST_OK && entry.is_prefix)
            st = see_folder(l, entry.key, &free_folders);
        else if (st == ST_OK)
            st = tell(l, &entry);
    }
    s3_list_close(list);
    return st == ST_END ? ST_OK : st;
}

static enum status list_place(struct lister *l, struct error *err)
{
    const struct source_s3_options *o = &l->s3->options;
    enum status st = aws_pool_take(l->s3->options.pool, &l->client, err);
    if (st == ST_OK)
        st = push(&l->todo, l->place->prefix, !o->has_since && !o->has_until);
    while (st == ST_OK && l->todo.count > 0) {
        struct folder folder = l->todo.folders[--l->todo.count];
        st = list_folder(l, &folder, err);
        free(folder.text);
    }
    aws_pool_give(l->s3->options.pool, l->client);
    return st;
}

static enum status list_s3(const struct source *source, source_found_fn *found, void *context)
{
    /* Counting the calls is the one thing that changes; everything else is read only. */
    union {
        const struct source *in;
        struct source_s3 *out;
    } cast = {.in = source};
    struct source_s3 *s3 = cast.out;
    enum status st = ST_OK;
    for (size_t i = 0; i < s3->options.count && st == ST_OK; i++) {
        struct error err = {0};
        struct lister l = {
            .s3 = s3, .place = &s3->places[i], .found = found, .context = context};
        buf_init(&l.name, 4096);
        st = list_place(&l, &err);
        if (st != ST_OK && !l.told_end && st != ST_NO_MEMORY) {
            struct object_ref ref = {.source = source, .key = l.place->url, .named = true};
            st = found(context, &ref, OBJECT_FAILED, &err);
        }
        clear_todo(&l.todo);
        buf_clear(&l.name);
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
    return s3_stream_open(s3->options.pool, &get, stream, err);
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
        return error_set(err, ST_NO_MEMORY, "out of memory");
    s3->source.class = &s3_class;
    s3->options = *options;
    s3->places = calloc(options->count + 1, sizeof(*s3->places));
    enum status st = s3->places == NULL ? error_set(err, ST_NO_MEMORY, "out of memory") : ST_OK;
    for (size_t i = 0; i < options->count && st == ST_OK; i++) {
        struct place *p = &s3->places[i];
        p->url = view_of(options->urls[i]);
        st = source_s3_parse(p->url, &p->bucket, &p->prefix, err);
    }
    if (st != ST_OK) {
        free_s3(&s3->source);
        return st;
    }
    *out = &s3->source;
    return ST_OK;
}

uint64_t source_s3_listings(const struct source *source)
{
    return ((const struct source_s3 *)source)->listings;
}
