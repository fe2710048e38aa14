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
    pthread_mutex_t store_mutex; /* guards the store; never held together with the lock below */
    struct store *store;
    struct buf folder, prices;
    pthread_rwlock_t lock; /* guards what is below */
    struct cube *cube;
    struct tally tally;
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
    enum status st = store_begin_reading(u->store, err);
    if (st != ST_OK)
        return st;
    st = store_load_dictionary(u->store, u->dictionary, err);
    if (st == ST_OK)
        st = store_load_tally(u->store, &u->tally, err);
    if (st == ST_OK)
        st = store_each_chunk(u->store, add_chunk, u, err);
    if (st == ST_OK)
        st = load_text(u->store, "folder", &u->folder, err);
    if (st == ST_OK)
        st = load_text(u->store, "prices", &u->prices, err);
    store_end_reading(u->store);
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
    pthread_mutex_init(&u->store_mutex, NULL);
    u->lock_fd = -1;
    u->version = 1;
    u->dictionary = dictionary_new();
    u->cube = cube_new();
    enum status st = u->dictionary == NULL || u->cube == NULL
                         ? error_set(err, ST_NO_MEMORY, "out of memory")
                         : ST_OK;
    if (st == ST_OK && mode == STORE_WRITE)
        st = take_lock(u, path, err);
    if (st == ST_OK)
        st = store_open(path, mode, &u->store, err);
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
    store_close(u->store);
    dictionary_free(u->dictionary);
    cube_free(u->cube);
    buf_clear(&u->folder);
    buf_clear(&u->prices);
    pthread_rwlock_destroy(&u->lock);
    pthread_mutex_destroy(&u->store_mutex);
    if (u->lock_fd >= 0)
        close(u->lock_fd);
    free(u);
}

/* ---- about the store ---- */

static enum status keep(struct usage *u, const char *name, struct buf *text, struct error *err)
{
    if (buf_cstr(text) == NULL)
        return error_set(err, ST_NO_MEMORY, "out of memory");
    return store_set(u->store, name, buf_view(text), err);
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
    pthread_mutex_lock(&u->store_mutex);
    enum status st = store_find(u->store, key, out, err);
    pthread_mutex_unlock(&u->store_mutex);
    return st;
}

enum status usage_touch(struct usage *u, struct view key, int64_t size, int64_t mtime_ns,
                        struct error *err)
{
    pthread_mutex_lock(&u->store_mutex);
    enum status st = store_touch(u->store, key, size, mtime_ns, err);
    pthread_mutex_unlock(&u->store_mutex);
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

enum status usage_commit(struct usage *u, struct counted_object *list, store_exists_fn *exists,
                         void *context, struct error *err)
{
    uint32_t texts, series;
    bool any = false;
    pthread_mutex_lock(&u->store_mutex);
    enum status st = store_commit(u->store, u->dictionary, list, exists, context, err);
    pthread_mutex_unlock(&u->store_mutex);
    if (st != ST_OK)
        return st;
    dictionary_counts(u->dictionary, &texts, &series);
    pthread_rwlock_wrlock(&u->lock);
    for (const struct counted_object *o = list; o != NULL && st == ST_OK; o = o->next) {
        any = any || o->applied;
        if (o->applied)
            st = apply(u, o, series);
    }
    u->broken = u->broken || st != ST_OK;
    if (any)
        u->version++;
    pthread_rwlock_unlock(&u->lock);
    return st != ST_OK ? error_set(err, st, "out of memory") : ST_OK;
}

/* ---- questions ---- */

/* What the values of a dimension are folded into: for each text itself or "Other". */
struct fold {
    u128 *size; /* by text: its tokens */
    uint32_t *order;
    uint32_t *replace;
};

static int by_size(const void *a, const void *b, void *context)
{
    const u128 *size = context;
    uint32_t left, right;
    memcpy(&left, a, sizeof(left));
    memcpy(&right, b, sizeof(right));
    if (size[left] != size[right])
        return size[left] > size[right] ? -1 : 1;
    return left < right ? -1 : 1;
}

static u128 tokens_of(const struct cube *cube, uint32_t series)
{
    u128 sum = 0;
    for (unsigned m = METRIC_INPUT; m <= METRIC_CACHE_WRITE; m++)
        sum += cube_total(cube, series, (enum metric)m);
    return sum;
}

/* The texts of one dimension by size; those beyond the `keep` largest are replaced by `other`. */
static enum status fold_values(const struct usage *u, const uint32_t *values, uint32_t texts,
                               size_t kind, uint32_t keep, uint32_t other, uint32_t **replace,
                               struct usage_fold *told)
{
    uint32_t series = cube_series(u->cube), count = 0;
    struct fold f = {
        .size = calloc((size_t)texts + 1, sizeof(*f.size)),
        .order = malloc(((size_t)texts + 1) * sizeof(*f.order)),
        .replace = malloc(((size_t)texts + 1) * sizeof(*f.replace)),
    };
    enum status st = f.size == NULL || f.order == NULL || f.replace == NULL ? ST_NO_MEMORY : ST_OK;
    if (st == ST_OK) {
        for (uint32_t i = 0; i < texts; i++)
            f.replace[i] = UINT32_MAX;
        for (uint32_t s = 0; s < series; s++) {
            uint32_t text = values[(size_t)s * DIMENSION_FIXED_COUNT + kind];
            if (f.replace[text] == UINT32_MAX) {
                f.replace[text] = text;
                f.order[count++] = text;
            }
            f.size[text] += tokens_of(u->cube, s);
        }
        qsort_r(f.order, count, sizeof(*f.order), by_size, f.size);
        for (uint32_t i = keep; i < count; i++)
            f.replace[f.order[i]] = other;
        told->kept = count < keep ? count : keep;
        told->folded = count < keep ? 0 : count - keep;
        *replace = f.replace;
        f.replace = NULL;
    }
    free(f.size);
    free(f.order);
    free(f.replace);
    return st;
}

static enum status fold_all(struct usage *u, const struct usage_query *q,
                            uint32_t *replace[DIMENSION_FIXED_COUNT], struct usage_fold *told)
{
    uint32_t texts, series;
    uint32_t other = dictionary_other(u->dictionary);
    uint32_t *values = dictionary_copy_series(u->dictionary, cube_series(u->cube));
    enum status st = other == DICTIONARY_NONE || values == NULL ? ST_NO_MEMORY : ST_OK;
    dictionary_counts(u->dictionary, &texts, &series);
    for (size_t kind = 0; kind < DIMENSION_FIXED_COUNT && st == ST_OK; kind++) {
        if (q->keep[kind] != 0)
            st = fold_values(u, values, texts, kind, q->keep[kind], other, &replace[kind],
                             &told[kind]);
    }
    free(values);
    return st;
}

static enum status gather(struct usage *u, const struct usage_query *q, struct grouping **groupings,
                          struct usage_fold *told)
{
    uint32_t *replace[DIMENSION_FIXED_COUNT] = {NULL};
    const uint32_t *constant[DIMENSION_FIXED_COUNT];
    bool folds = false;
    for (size_t kind = 0; kind < DIMENSION_FIXED_COUNT; kind++)
        folds = folds || q->keep[kind] != 0;
    enum status st = folds ? fold_all(u, q, replace, told) : ST_OK;
    for (size_t kind = 0; kind < DIMENSION_FIXED_COUNT; kind++)
        constant[kind] = replace[kind];
    for (size_t i = 0; i < q->set_count && st == ST_OK; i++) {
        struct grouping_options options = {
            .dictionary = u->dictionary,
            .set = &q->sets[i],
            .series_count = cube_series(u->cube),
            .interval_seconds =
                q->set_intervals != NULL ? q->set_intervals[i] : q->interval_seconds,
            .max_cells =
                q->max_rows == 0 || q->max_rows > UINT32_MAX / 4 ? UINT32_MAX / 4 : q->max_rows,
            .replace = folds ? constant : NULL,
        };
        groupings[i] = grouping_new(&options);
        st = groupings[i] == NULL ? ST_NO_MEMORY : ST_OK;
    }
    if (st == ST_OK)
        st = cube_gather(u->cube, q->has_since ? q->since : INT64_MIN,
                         q->has_until ? q->until : INT64_MAX, q->interval_seconds, groupings,
                         q->set_count);
    for (size_t kind = 0; kind < DIMENSION_FIXED_COUNT; kind++)
        free(replace[kind]);
    return st;
}

static enum status fill(struct aggregate *aggregate, struct grouping **groupings, size_t count)
{
    enum status st = ST_OK;
    for (size_t i = 0; i < count && st == ST_OK; i++)
        st = grouping_add_to(groupings[i], aggregate, i);
    return st;
}

enum status usage_ask(struct usage *u, const struct usage_query *q, struct usage_answer *out,
                      struct error *err)
{
    struct dimension_keys keys = {0};
    struct aggregate_options options = {
        .sets = q->sets,
        .set_count = q->set_count,
        .keys = &keys,
        .interval_seconds = q->interval_seconds,
    };
    enum status st = ST_OK;
    *out = (struct usage_answer){0};
    struct grouping **groupings = calloc(q->set_count, sizeof(struct grouping *));
    struct aggregate *aggregate = aggregate_new(&options);
    if (groupings == NULL || aggregate == NULL)
        st = ST_NO_MEMORY;
    pthread_rwlock_rdlock(&u->lock);
    out->tally = u->tally;
    out->version = u->version;
    if (u->broken)
        st = error_set(err, ST_IO, "memory ran out while counting; start again");
    if (st == ST_OK)
        st = gather(u, q, groupings, out->fold);
    pthread_rwlock_unlock(&u->lock);
    if (st == ST_OK)
        st = fill(aggregate, groupings, q->set_count);
    for (size_t i = 0; groupings != NULL && i < q->set_count; i++)
        grouping_free(groupings[i]);
    free(groupings);
    if (st == ST_OK) {
        out->aggregate = aggregate;
        return ST_OK;
    }
    aggregate_free(aggregate);
    if (st == ST_NO_MEMORY)
        return error_set(err, st, "out of memory");
    if (st == ST_TOO_BIG)
        return error_set(err, st, "more than %u rows", q->max_rows);
    return st;
}
