#include "store/usage.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <unistd.h>

#include "store/cube.h"

enum { LOCK_PATH_BYTES = 4096 + 8 };

struct usage {
    int lock_fd; /* -1: read only */
    struct dictionary *dictionary;
    /* The writing connection, and the one that questions about minutes read with. */
    pthread_mutex_t write_mutex, read_mutex;
    struct store *writer, *reader;
    struct buf folder, prices;
    pthread_rwlock_t lock; /* guards what is below */
    struct cube *cube;
    struct tally tally;
    int64_t last_chunk;
    _Atomic uint64_t version;
    bool broken; /* a commit is in the file but not in memory */
};

/* ---- opening ---- */

static enum status take_lock(struct usage *u, const char *path, struct error *err)
{
    char name[LOCK_PATH_BYTES];
    int n = snprintf(name, sizeof(name), "%s.lock", path);
    if (n < 0 || (size_t)n >= sizeof(name))
        return error_set(err, ST_USAGE, "the store's path is too long");
    u->lock_fd = open(name, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (u->lock_fd < 0)
        return error_set(err, errno == EACCES || errno == EPERM ? ST_DENIED : ST_IO, "%s: %s", name,
                         strerrordesc_np(errno));
    if (flock(u->lock_fd, LOCK_EX | LOCK_NB) != 0)
        return error_set(err, ST_CONFLICT, "%s is in use by another process", path);
    return ST_OK;
}

static enum status add_chunk(void *context, int64_t hour, struct view cells)
{
    struct usage *u = context;
    uint32_t texts, series;
    dictionary_counts(u->dictionary, &texts, &series);
    return cube_add(u->cube, hour, cells, series);
}

static enum status load_text(struct store *store, const char *name, struct buf *out,
                             struct error *err)
{
    enum status st = store_get(store, name, out, err);
    if (st == ST_OK && buf_cstr(out) == NULL)
        st = ST_NO_MEMORY;
    return st == ST_MISSING ? ST_OK : st;
}

static enum status load(struct usage *u, struct error *err)
{
    enum status st = store_begin_reading(u->reader, err);
    if (st != ST_OK)
        return st;
    struct store *filled = u->writer != NULL ? u->writer : u->reader;
    st = store_load_dictionary(filled, u->dictionary, err);
    if (st == ST_OK)
        st = store_load_tally(u->reader, &u->tally, err);
    if (st == ST_OK)
        st = store_last_chunk(u->reader, &u->last_chunk, err);
    if (st == ST_OK)
        st = store_each_chunk(u->reader, INT64_MIN, INT64_MAX, u->last_chunk, add_chunk, u, err);
    if (st == ST_OK)
        st = load_text(u->reader, "folder", &u->folder, err);
    if (st == ST_OK)
        st = load_text(u->reader, "prices", &u->prices, err);
    store_end_reading(u->reader);
    return st;
}

enum status usage_open(const char *path, enum store_mode mode, struct usage **out,
                       struct error *err)
{
    *out = NULL;
    struct usage *u = calloc(1, sizeof(*u));
    if (u == NULL)
        return error_set(err, ST_NO_MEMORY, "out of memory");
    pthread_rwlockattr_t attributes;
    pthread_rwlockattr_init(&attributes);
    /* Otherwise readers that follow one another could keep a commit out for ever. */
    pthread_rwlockattr_setkind_np(&attributes, PTHREAD_RWLOCK_PREFER_WRITER_NONRECURSIVE_NP);
    pthread_rwlock_init(&u->lock, &attributes);
    pthread_rwlockattr_destroy(&attributes);
    pthread_mutex_init(&u->write_mutex, NULL);
    pthread_mutex_init(&u->read_mutex, NULL);
    u->lock_fd = -1;
    u->version = 1;
    u->dictionary = dictionary_new();
    u->cube = cube_new();
    enum status st = u->dictionary == NULL || u->cube == NULL
                         ? error_set(err, ST_NO_MEMORY, "out of memory")
                         : ST_OK;
    if (st == ST_OK && mode == STORE_WRITE) {
        st = take_lock(u, path, err);
        if (st == ST_OK)
            st = store_open(path, STORE_WRITE, &u->writer, err);
    }
    if (st == ST_OK)
        st = store_open(path, STORE_READ, &u->reader, err);
    if (st == ST_OK)
        st = load(u, err);
    if (st != ST_OK) {
        usage_close(u);
        return st;
    }
    *out = u;
    return ST_OK;
}

void usage_close(struct usage *u)
{
    if (u == NULL)
        return;
    store_close(u->reader);
    store_close(u->writer);
    dictionary_free(u->dictionary);
    cube_free(u->cube);
    buf_clear(&u->folder);
    buf_clear(&u->prices);
    pthread_rwlock_destroy(&u->lock);
    pthread_mutex_destroy(&u->write_mutex);
    pthread_mutex_destroy(&u->read_mutex);
    if (u->lock_fd >= 0)
        close(u->lock_fd);
    free(u);
}

/* ---- about the store ---- */

static enum status keep(struct usage *u, const char *name, struct buf *text, struct error *err)
{
    if (buf_cstr(text) == NULL)
        return error_set(err, ST_NO_MEMORY, "out of memory");
    return store_set(u->writer, name, buf_view(text), err);
}

static bool lists(struct view list, struct view item)
{
    struct view part;
    while (view_split(&list, ',', &part)) {
        if (view_eq(part, item))
            return true;
    }
    return false;
}

enum status usage_claim(struct usage *u, struct view folder, struct view prices_as_of,
                        struct error *err)
{
    enum status st = ST_OK;
    if (u->folder.len == 0) {
        buf_add_view(&u->folder, folder);
        st = keep(u, "folder", &u->folder, err);
    } else if (!view_eq(buf_view(&u->folder), folder)) {
        return error_set(err, ST_CONFLICT, "the store was filled from another folder, %.160s",
                         buf_cstr(&u->folder));
    }
    if (st != ST_OK || prices_as_of.len == 0 || lists(buf_view(&u->prices), prices_as_of))
        return st;
    if (u->prices.len > 0)
        buf_add_char(&u->prices, ',');
    buf_add_view(&u->prices, prices_as_of);
    return keep(u, "prices", &u->prices, err);
}

const char *usage_folder(const struct usage *u)
{
    return u->folder.len == 0 ? "" : u->folder.ptr;
}

const char *usage_prices(const struct usage *u)
{
    return u->prices.len == 0 ? "" : u->prices.ptr;
}

uint64_t usage_version(const struct usage *u)
{
    return u->version;
}

enum status usage_find(struct usage *u, struct view key, struct store_object *out,
                       struct error *err)
{
    pthread_mutex_lock(&u->write_mutex);
    enum status st = store_find(u->writer, key, out, err);
    pthread_mutex_unlock(&u->write_mutex);
    return st;
}

enum status usage_touch(struct usage *u, struct view key, int64_t size, int64_t mtime_ns,
                        struct error *err)
{
    pthread_mutex_lock(&u->write_mutex);
    enum status st = store_touch(u->writer, key, size, mtime_ns, err);
    pthread_mutex_unlock(&u->write_mutex);
    return st;
}

/* ---- counting ---- */

void usage_all_dimensions(struct dimension_set *set)
{
    static const char all[] =
        "InferenceProfileType,InferenceProfile,ModelId,SourceRegion,InferenceRegion,"
        "AccountId,Operation,Principal";
    struct dimension_keys keys = {0};
    if (dimension_set_parse(VIEW_LIT(all), &keys, set, NULL) != ST_OK)
        abort(); /* a name above is wrong */
}

static struct store_chunk *chunk_of_hour(struct counted_object *o, int64_t hour)
{
    /* Rows are sorted by time, so it is the last one or a new one. */
    if (o->chunk_count > 0 && o->chunks[o->chunk_count - 1].hour == hour)
        return &o->chunks[o->chunk_count - 1];
    struct store_chunk *grown = realloc(o->chunks, (o->chunk_count + 1) * sizeof(*grown));
    if (grown == NULL)
        return NULL;
    o->chunks = grown;
    struct store_chunk *chunk = &o->chunks[o->chunk_count++];
    chunk->hour = hour;
    buf_init(&chunk->cells, (size_t)512 << 20);
    return chunk;
}

static int64_t hour_of(int64_t seconds)
{
    return (seconds / CHUNK_SECONDS - (seconds % CHUNK_SECONDS < 0)) * CHUNK_SECONDS;
}

enum status usage_pack(struct usage *u, const struct aggregate *aggregate,
                       struct counted_object *object)
{
    struct aggregate_rows *rows = aggregate_rows_new(aggregate, 0);
    enum status st = rows == NULL ? ST_NO_MEMORY : ST_OK;
    for (size_t i = 0; st == ST_OK && i < aggregate_rows_count(rows); i++) {
        struct aggregate_row row;
        struct chunk_cell cell;
        aggregate_rows_get(rows, i, &row);
        int64_t hour = hour_of(row.time);
        struct store_chunk *chunk = chunk_of_hour(object, hour);
        cell.series = dictionary_series(u->dictionary, row.value);
        cell.minute = (unsigned)((row.time - hour) / 60);
        memcpy(cell.sum, row.sum, sizeof(cell.sum));
        if (chunk == NULL || cell.series == DICTIONARY_NONE) {
            st = ST_NO_MEMORY;
        } else {
            chunk_add(&chunk->cells, &cell);
            st = buf_status(&chunk->cells);
        }
    }
    aggregate_rows_free(rows);
    return st;
}

/* An object that is in the file now joins the sums in memory. */
static enum status apply(struct usage *u, const struct counted_object *o, uint32_t series)
{
    enum status st = ST_OK;
    struct tally t = o->tally;
    t.objects.found = o->had_failed ? 0 : 1;
    if (o->had_failed)
        u->tally.objects.failed--;
    switch (o->file.state) {
    case OBJECT_STATE_COUNTED: t.objects.counted = 1; break;
    case OBJECT_STATE_SKIPPED: t.objects.skipped[o->skip] = 1; break;
    case OBJECT_STATE_FAILED: t.objects.failed = 1; break;
    }
    tally_add(&u->tally, &t);
    for (size_t i = 0; i < o->chunk_count && st == ST_OK; i++)
        st = cube_add(u->cube, o->chunks[i].hour, buf_view(&o->chunks[i].cells), series);
    return st;
}

enum status usage_commit(struct usage *u, struct counted_object *list, struct error *err)
{
    int64_t last = 0;
    uint32_t texts, series;
    bool any = false;
    pthread_mutex_lock(&u->write_mutex);
    enum status st = store_commit(u->writer, u->dictionary, list, err);
    if (st == ST_OK)
        st = store_last_chunk(u->writer, &last, err);
    pthread_mutex_unlock(&u->write_mutex);
    if (st != ST_OK)
        return st;
    dictionary_counts(u->dictionary, &texts, &series);
    pthread_rwlock_wrlock(&u->lock);
    for (const struct counted_object *o = list; o != NULL && st == ST_OK; o = o->next) {
        any = any || o->applied;
        if (o->applied)
            st = apply(u, o, series);
    }
    u->last_chunk = last;
    u->broken = u->broken || st != ST_OK;
    if (any)
        u->version++;
    pthread_rwlock_unlock(&u->lock);
    return st != ST_OK ? error_set(err, st, "out of memory") : ST_OK;
}

/* ---- questions ---- */

/* The chunks of some hours, but for the minutes outside [since, until). */
struct minutes {
    struct grouping *into;
    uint32_t series_count;
    int64_t since, until;
};

static enum status add_minutes(void *context, int64_t hour, struct view cells)
{
    struct minutes *m = context;
    struct chunk_cell cell;
    enum status st;
    while ((st = chunk_next(&cells, m->series_count, &cell)) == ST_OK) {
        int64_t time = hour + (int64_t)cell.minute * 60;
        if (time < m->since || time >= m->until)
            continue;
        u128 *sums = grouping_sums(m->into, cell.series, time);
        if (sums == NULL)
            return grouping_status(m->into);
        for (unsigned i = 0; i < METRIC_COUNT; i++)
            sums[i] += cell.sum[i];
    }
    return st == ST_END ? ST_OK : st;
}

static enum status gather_minutes(struct usage *u, int64_t since, int64_t until,
                                  struct grouping *into, struct error *err)
{
    struct minutes m = {.into = into, .since = since, .until = until};
    uint32_t texts;
    if (since >= until)
        return ST_OK;
    dictionary_counts(u->dictionary, &texts, &m.series_count);
    int64_t begin = since == INT64_MIN ? INT64_MIN : hour_of(since);
    pthread_mutex_lock(&u->read_mutex);
    enum status st = store_each_chunk(u->reader, begin, until, u->last_chunk, add_minutes, &m, err);
    pthread_mutex_unlock(&u->read_mutex);
    return st;
}

static int64_t hour_above(int64_t seconds)
{
    return hour_of(seconds) == seconds ? seconds : hour_of(seconds) + CHUNK_SECONDS;
}

/* Whole hours from memory, the minutes before and behind them from the file. */
static enum status gather(struct usage *u, const struct usage_query *q, struct grouping *into,
                          struct error *err)
{
    int64_t since = q->has_since ? q->since : INT64_MIN;
    int64_t until = q->has_until ? q->until : INT64_MAX;
    if (since >= until)
        return ST_OK;
    if (q->interval_seconds % CHUNK_SECONDS != 0)
        return gather_minutes(u, since, until, into, err);
    int64_t first = q->has_since ? hour_above(since) : INT64_MIN;
    int64_t last = q->has_until ? hour_of(until) : INT64_MAX;
    if (first >= last)
        return gather_minutes(u, since, until, into, err);
    enum status st = cube_gather(u->cube, first, last, q->interval_seconds, into);
    if (st == ST_OK && q->has_since)
        st = gather_minutes(u, since, first, into, err);
    if (st == ST_OK && q->has_until)
        st = gather_minutes(u, last, until, into, err);
    return st;
}

static enum status ask_set(struct usage *u, const struct usage_query *q, size_t set,
                           struct grouping **out, struct error *err)
{
    struct grouping_options options = {
        .dictionary = u->dictionary,
        .set = &q->sets[set],
        .interval_seconds = q->interval_seconds,
        .max_cells =
            q->max_rows == 0 || q->max_rows > UINT32_MAX / 4 ? UINT32_MAX / 4 : q->max_rows,
    };
    *out = grouping_new(&options);
    if (*out == NULL)
        return ST_NO_MEMORY;
    return gather(u, q, *out, err);
}

static enum status fill(struct aggregate *aggregate, struct grouping **groupings, size_t count)
{
    enum status st = ST_OK;
    for (size_t i = 0; i < count && st == ST_OK; i++)
        st = grouping_add_to(groupings[i], aggregate, i);
    return st;
}

enum status usage_ask(struct usage *u, const struct usage_query *q, struct aggregate **out,
                      struct tally *tally, uint64_t *version, struct error *err)
{
    struct dimension_keys keys = {0};
    struct aggregate_options options = {
        .sets = q->sets,
        .set_count = q->set_count,
        .keys = &keys,
        .interval_seconds = q->interval_seconds,
    };
    enum status st = ST_OK;
    *out = NULL;
    struct grouping **groupings = calloc(q->set_count, sizeof(struct grouping *));
    struct aggregate *aggregate = aggregate_new(&options);
    if (groupings == NULL || aggregate == NULL)
        st = ST_NO_MEMORY;
    pthread_rwlock_rdlock(&u->lock);
    *tally = u->tally;
    *version = u->version;
    if (u->broken)
        st = error_set(err, ST_IO, "memory ran out while counting; start again");
    for (size_t i = 0; i < q->set_count && st == ST_OK; i++)
        st = ask_set(u, q, i, &groupings[i], err);
    pthread_rwlock_unlock(&u->lock);
    if (st == ST_OK)
        st = fill(aggregate, groupings, q->set_count);
    for (size_t i = 0; groupings != NULL && i < q->set_count; i++)
        grouping_free(groupings[i]);
    free(groupings);
    if (st == ST_OK) {
        *out = aggregate;
        return ST_OK;
    }
    aggregate_free(aggregate);
    if (st == ST_NO_MEMORY)
        return error_set(err, st, "out of memory");
    if (st == ST_TOO_BIG)
        return error_set(err, st, "more than %u rows", q->max_rows);
    return st;
}
