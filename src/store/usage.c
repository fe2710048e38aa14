/*
 * usage.c: opening a store for use: the lock that keeps a second process out, the keys it was made
 * with, the dictionary in memory, and the commit that keeps file and dictionary together.
 */
#include "store/usage.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/array.h"
#include "base/clock.h"
#include "base/table.h"
#include "store/chunk.h"
#include "store/usage_private.h"

enum { NAMES_BYTES = 64 * 1024, FIRST_FIXED = 8, CHUNK_CEILING = 512 << 20 };

/* ---- opening ---- */

static enum status load_text(struct store *store, const char *name, struct buf *out,
                             struct error *err)
{
    enum status st = store_get(store, name, out, err);
    if (st == ST_OK && buf_cstr(out) == NULL)
        st = ST_NO_MEMORY;
    return st == ST_MISSING ? ST_OK : st;
}

/* The dimensions of the store: the first `fixed` of the list, then those of its keys. */
static enum status take_dimensions(struct usage *u, size_t fixed, struct view keys,
                                   struct error *err)
{
    buf_init(&u->dimension_names, NAMES_BYTES);
    for (unsigned i = 0; i < fixed; i++)
        buf_printf(&u->dimension_names, "%s%s", i == 0 ? "" : ",",
                   dimension_info((enum dimension_kind)i)->name);
    if (keys.len > 0)
        buf_add_char(&u->dimension_names, ',');
    buf_add_view(&u->dimension_names, keys);
    if (buf_status(&u->dimension_names) != ST_OK)
        return error_set(err, ST_USAGE, E_U225, "the keys are too long");
    return dimension_set_parse(buf_view(&u->dimension_names), &u->keys, &u->dimensions, err);
}

/*
 * A store keeps the dimensions it was made with: those of the list, of which a later version has
 * more at its end, and the keys that were wanted then.
 */
static enum status load_dimensions(struct usage *u, enum store_mode mode, struct view wanted,
                                   struct error *err)
{
    struct buf keys;
    bool is_empty = false;
    int64_t fixed = 0;
    enum status st = load_text(u->store, "keys", &keys, err);
    if (st == ST_OK)
        st = store_get_number(u->store, "fixed_dimensions", &fixed, err);
    if (st == ST_MISSING) {
        fixed = FIRST_FIXED;
        st = ST_OK;
    }
    if (st == ST_OK)
        st = store_is_empty(u->store, &is_empty, err);
    if (st == ST_OK && is_empty && mode == STORE_WRITE) {
        fixed = DIMENSION_FIXED_COUNT;
        buf_reset(&keys);
        buf_add_view(&keys, wanted);
        st = buf_status(&keys) == ST_OK ? store_set(u->store, "keys", wanted, err)
                                        : error_set(err, ST_USAGE, E_U225, "the keys are too long");
        if (st == ST_OK)
            st = store_set_number(u->store, "fixed_dimensions", fixed, err);
    }
    if (st == ST_OK && fixed > DIMENSION_FIXED_COUNT)
        st = error_set(err, ST_CONFLICT, E_S112,
                       "the store has dimensions that this program does not know");
    if (st == ST_OK && wanted.len > 0 && !view_eq(buf_view(&keys), wanted))
        st =
            error_set(err, ST_CONFLICT, E_S118,
                      "the store keeps %.*s and not %.*s: leave the keys out or take another store",
                      SHOW(keys.len > 0 ? buf_view(&keys) : VIEW_LIT("no keys")), SHOW(wanted));
    if (st == ST_OK)
        st = take_dimensions(u, (size_t)fixed, buf_view(&keys), err);
    buf_clear(&keys);
    return st;
}

static enum status load(struct usage *u, struct error *err)
{
    u->dictionary = dictionary_new(u->dimensions.count);
    if (u->dictionary == NULL)
        return error_set(err, ST_NO_MEMORY, E_R113, "out of memory");
    enum status st = store_begin_reading(u->store, err);
    if (st != ST_OK)
        return st;
    st = store_load_dictionary(u->store, u->dictionary, err);
    if (st == ST_OK)
        st = load_text(u->store, "folder", &u->folder, err);
    if (st == ST_OK)
        st = load_text(u->store, "prices", &u->prices, err);
    if (u->lock_fd >= 0)
        store_end_reading(u->store);
    return st;
}

enum status usage_open(const char *path, enum store_mode mode, struct view keys, struct usage **out,
                       struct error *err)
{
    *out = NULL;
    struct usage *u = calloc(1, sizeof(*u));
    if (u == NULL)
        return error_set(err, ST_NO_MEMORY, E_R113, "out of memory");
    pthread_mutex_init(&u->store_mutex, NULL);
    pthread_mutex_init(&u->readers_mutex, NULL);
    u->lock_fd = -1;
    u->version = 1;
    u->path = strdup(path);
    enum status st =
        u->path == NULL ? error_set(err, ST_NO_MEMORY, E_R113, "out of memory") : ST_OK;
    if (st == ST_OK && mode == STORE_WRITE)
        st = store_lock(path, &u->lock_fd, err);
    if (st == ST_OK)
        st = store_open(path, mode, &u->store, err);
    if (st == ST_OK)
        st = load_dimensions(u, mode, keys, err);
    if (st == ST_OK)
        st = load(u, err);
    if (st == ST_OK && mode == STORE_WRITE)
        st = rollup_new(u->store, u->dictionary, &u->rollup, err);
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
    while (u->readers != NULL) {
        struct reader *next = u->readers->next;
        store_close(u->readers->store);
        free(u->readers);
        u->readers = next;
    }
    rollup_free(u->rollup);
    store_close(u->store);
    dictionary_free(u->dictionary);
    buf_clear(&u->folder);
    buf_clear(&u->prices);
    buf_clear(&u->dimension_names);
    free(u->path);
    pthread_mutex_destroy(&u->store_mutex);
    pthread_mutex_destroy(&u->readers_mutex);
    if (u->lock_fd >= 0)
        close(u->lock_fd);
    free(u);
}

/* ---- about the store ---- */

static enum status keep(struct usage *u, const char *name, struct buf *text, struct error *err)
{
    if (buf_cstr(text) == NULL)
        return error_set(err, ST_NO_MEMORY, E_R113, "out of memory");
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
        return error_set(err, ST_CONFLICT, E_S111,
                         "the store was filled from another folder, %.160s", buf_cstr(&u->folder));
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

uint64_t usage_number(struct usage *u, const char *name)
{
    int64_t number = 0;
    pthread_mutex_lock(&u->store_mutex);
    enum status st = store_get_number(u->store, name, &number, NULL);
    pthread_mutex_unlock(&u->store_mutex);
    return st == ST_OK ? (uint64_t)number : 0;
}

void usage_keep_number(struct usage *u, const char *name, uint64_t number)
{
    if (u->lock_fd < 0 || usage_number(u, name) == number)
        return;
    pthread_mutex_lock(&u->store_mutex);
    /* It is a help for the next start: no harm where it cannot be written. */
    if (store_set_number(u->store, name, (int64_t)number, NULL) != ST_OK)
        number = 0;
    pthread_mutex_unlock(&u->store_mutex);
}

enum status usage_find(struct usage *u, struct view key, struct store_object *out,
                       struct error *err)
{
    pthread_mutex_lock(&u->store_mutex);
    enum status st = store_find(u->store, key, out, err);
    pthread_mutex_unlock(&u->store_mutex);
    return st;
}

enum status usage_touch(struct usage *u, struct view key, const struct store_object *file,
                        struct error *err)
{
    pthread_mutex_lock(&u->store_mutex);
    enum status st = store_touch(u->store, key, file, err);
    pthread_mutex_unlock(&u->store_mutex);
    return st;
}

/* ---- counting ---- */

const struct dimension_set *usage_dimensions(const struct usage *u,
                                             const struct dimension_keys **keys)
{
    *keys = &u->keys;
    return &u->dimensions;
}

/* The object's chunk of an hour, made if new; rows come in no order.  NULL: no memory. */
static struct store_chunk *chunk_of_hour(struct counted_object *o, struct table *hours,
                                         size_t *capacity, int64_t hour)
{
    struct table_look look = table_look((uint32_t)(table_mix(0, (uint64_t)hour) >> 32));
    while (table_next(hours, &look)) {
        if (o->chunks[look.number].hour == hour)
            return &o->chunks[look.number];
    }
    if (!array_room(&o->chunks, o->chunk_count, capacity, 2, sizeof(*o->chunks)) ||
        table_add(hours, look.hash, (uint32_t)o->chunk_count) != ST_OK)
        return NULL;
    struct store_chunk *chunk = &o->chunks[o->chunk_count++];
    chunk->hour = hour;
    buf_init(&chunk->cells, CHUNK_CEILING);
    return chunk;
}

static int64_t hour_of(int64_t seconds)
{
    return (seconds / CHUNK_SECONDS - (seconds % CHUNK_SECONDS < 0)) * CHUNK_SECONDS;
}

/*
 * The rows of one object, one chunk for each hour.  Series are numbered here, in memory; the
 * next commit writes those that the file does not have yet.
 */
enum status usage_pack(struct usage *u, const struct aggregate *aggregate,
                       struct counted_object *object)
{
    enum status st = ST_OK;
    struct aggregate_row row;
    struct table hours = {0};
    size_t capacity = 0;
    uint32_t cursor = 0;
    while (st == ST_OK && aggregate_next_row(aggregate, 0, &cursor, &row)) {
        struct chunk_cell cell;
        int64_t hour = hour_of(row.time);
        struct store_chunk *chunk = chunk_of_hour(object, &hours, &capacity, hour);
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
    table_clear(&hours);
    return st;
}

/*
 * The version changes when an answer may change: a page that asks with its last version gets an
 * empty answer.
 */
enum status usage_commit(struct usage *u, struct counted_object *list, store_exists_fn *exists,
                         void *context, struct error *err)
{
    bool any = false;
    pthread_mutex_lock(&u->store_mutex);
    enum status st = store_commit(u->store, u->dictionary, list, exists, context, err);
    for (const struct counted_object *o = list; o != NULL && st == ST_OK; o = o->next) {
        uint64_t bytes = 0;
        for (size_t i = 0; i < o->chunk_count; i++)
            bytes += o->chunks[i].cells.len;
        if (o->applied)
            rollup_see(u->rollup, o->chunk_count, bytes);
        any = any || o->applied;
    }
    pthread_mutex_unlock(&u->store_mutex);
    if (any)
        u->version++;
    return st;
}

enum status usage_roll_up(struct usage *u, enum usage_rollup when, struct error *err)
{
    bool more = true;
    enum status st = ST_OK;
    while (st == ST_OK && more) {
        pthread_mutex_lock(&u->store_mutex);
        int64_t begin = clock_steady_ms();
        more = when == ROLLUP_NOW || rollup_is_due(u->rollup, when == ROLLUP_WHEN_IDLE, begin);
        if (more) {
            st = rollup_run(u->rollup, &more, err);
            rollup_took(u->rollup, begin, clock_steady_ms());
        }
        pthread_mutex_unlock(&u->store_mutex);
    }
    return st;
}
