/* store_read.c: what a store answers from. */
#include "store/chunk.h"
#include "store/store_private.h"

/* ---- dictionary ---- */

static enum status load_texts(struct store *store, struct dictionary *d, struct error *err)
{
    sqlite3_stmt *s = NULL;
    enum status st = store_prepare(store, "SELECT id, text FROM text ORDER BY id", &s, err);
    int code = SQLITE_ROW;
    while (st == ST_OK && (code = sqlite3_step(s)) == SQLITE_ROW) {
        if (sqlite3_column_int64(s, 0) != store->texts_saved)
            st = ST_BAD_ITEM;
        if (st == ST_OK)
            st = dictionary_load_text(d, store_column_view(s, 1));
        store->texts_saved++;
    }
    if (st == ST_OK && code != SQLITE_DONE)
        st = store_fault(store, code, err);
    sqlite3_finalize(s);
    return st;
}

static enum status load_block(struct store *store, struct dictionary *d, struct view block)
{
    enum status st = block.len == 0 ? ST_BAD_ITEM : ST_OK;
    while (st == ST_OK && block.len > 0) {
        uint32_t text[DICTIONARY_MAX_WIDTH];
        for (size_t k = 0; k < dictionary_width(d); k++) {
            u128 number;
            if (!chunk_take_number(&block, &number) || number >= UINT32_MAX)
                return ST_BAD_ITEM;
            text[k] = (uint32_t)number;
        }
        st = dictionary_load_series(d, text);
        store->series_saved++;
    }
    return st;
}

static enum status load_series(struct store *store, struct dictionary *d, struct error *err)
{
    sqlite3_stmt *s = NULL;
    enum status st =
        store_prepare(store, "SELECT first, texts FROM series ORDER BY first", &s, err);
    int code = SQLITE_ROW;
    while (st == ST_OK && (code = sqlite3_step(s)) == SQLITE_ROW) {
        st = sqlite3_column_int64(s, 0) == store->series_saved ? ST_OK : ST_BAD_ITEM;
        if (st == ST_OK)
            st = load_block(store, d, store_column_view(s, 1));
    }
    if (st == ST_OK && code != SQLITE_DONE)
        st = store_fault(store, code, err);
    sqlite3_finalize(s);
    return st;
}

enum status store_load_dictionary(struct store *store, struct dictionary *dictionary,
                                  struct error *err)
{
    store->texts_saved = store->series_saved = 0;
    enum status st = load_texts(store, dictionary, err);
    if (st == ST_OK)
        st = load_series(store, dictionary, err);
    return st == ST_BAD_ITEM    ? store_damaged(err)
           : st == ST_NO_MEMORY ? error_set(err, st, E_R113, "out of memory")
                                : st;
}

/* ---- tally ---- */

static enum object_skip skip_of(struct view name)
{
    for (unsigned i = OBJECT_READ + 1; i < OBJECT_SKIP_COUNT; i++) {
        if (view_eq_cstr(name, object_skip_name((enum object_skip)i)))
            return (enum object_skip)i;
    }
    return OBJECT_MISSING;
}

/* One line of the query below: objects of a state (and, when skipped, of a reason). */
static void add_objects(sqlite3_stmt *s, struct tally *t)
{
    uint64_t n = (uint64_t)sqlite3_column_int64(s, 2);
    t->objects.found += n;
    switch (sqlite3_column_int(s, 0)) {
    case OBJECT_STATE_COUNTED: t->objects.counted += n; break;
    case OBJECT_STATE_SKIPPED: t->objects.skipped[skip_of(store_column_view(s, 1))] += n; break;
    default: t->objects.failed += n; break;
    }
    t->records.found += (uint64_t)sqlite3_column_int64(s, 3);
    t->records.counted += (uint64_t)sqlite3_column_int64(s, 4);
    for (int i = 0; i < RECORD_SKIP_COUNT; i++)
        t->records.skipped[i] += (uint64_t)sqlite3_column_int64(s, 5 + i);
    t->bytes_read += (uint64_t)sqlite3_column_int64(s, 9);
    t->bytes_inflated += (uint64_t)sqlite3_column_int64(s, 10);
    if (sqlite3_column_type(s, 11) == SQLITE_INTEGER) {
        tally_see_time(t, sqlite3_column_int64(s, 11));
        tally_see_time(t, sqlite3_column_int64(s, 12));
    }
}

enum status store_load_tally(struct store *store, struct tally *tally, struct error *err)
{
    sqlite3_stmt *s = NULL;
    *tally = (struct tally){0};
    enum status st = store_prepare(store, "SELECT * FROM tally", &s, err);
    int code = SQLITE_ROW;
    while (st == ST_OK && (code = sqlite3_step(s)) == SQLITE_ROW)
        add_objects(s, tally);
    if (st == ST_OK && code != SQLITE_DONE)
        st = store_fault(store, code, err);
    sqlite3_finalize(s);
    return st;
}

/* ---- cells ---- */

/* The rows of a statement whose first columns are bucket and cells; *last is the third one. */
static enum status each_row(struct store *store, sqlite3_stmt *s, uint64_t max_bytes,
                            store_cells_fn *found, void *context, int64_t *last, struct error *err)
{
    enum status st = ST_OK;
    uint64_t bytes = 0;
    int code = SQLITE_ROW;
    while (st == ST_OK && bytes < max_bytes && (code = sqlite3_step(s)) == SQLITE_ROW) {
        struct view cells = store_column_view(s, 1);
        if (cells.ptr == NULL && sqlite3_errcode(store->db) == SQLITE_NOMEM)
            st = store_fault(store, SQLITE_NOMEM, err);
        else
            st = found(context, sqlite3_column_int64(s, 0), cells);
        bytes += cells.len;
        if (last != NULL)
            *last = sqlite3_column_int64(s, 2);
    }
    if (st == ST_OK && code != SQLITE_DONE && code != SQLITE_ROW)
        st = store_fault(store, code, err);
    sqlite3_reset(s);
    sqlite3_clear_bindings(s);
    return st == ST_BAD_ITEM ? store_damaged(err) : st;
}

enum status store_chunks_of_hours(struct store *store, int64_t since, int64_t until,
                                  int64_t last_id, store_cells_fn *found, void *context,
                                  struct error *err)
{
    enum status st;
    sqlite3_stmt *s = store_statement(store, S_CHUNKS_OF_HOURS, &st, err);
    if (s == NULL)
        return st;
    sqlite3_bind_int64(s, 1, since);
    sqlite3_bind_int64(s, 2, until);
    sqlite3_bind_int64(s, 3, last_id);
    return each_row(store, s, UINT64_MAX, found, context, NULL, err);
}

enum status store_chunks_after(struct store *store, int64_t after, uint64_t max_bytes,
                               store_cells_fn *found, void *context, int64_t *last,
                               struct error *err)
{
    enum status st;
    sqlite3_stmt *s = store_statement(store, S_CHUNKS_AFTER, &st, err);
    *last = after;
    if (s == NULL)
        return st;
    sqlite3_bind_int64(s, 1, after);
    return each_row(store, s, max_bytes, found, context, last, err);
}

enum status store_measure_chunks(struct store *store, int64_t after, uint64_t *count,
                                 uint64_t *bytes, int64_t *last, struct error *err)
{
    sqlite3_stmt *s = NULL;
    enum status st =
        store_prepare(store,
                      "SELECT count(*), coalesce(sum(length(cells)), 0),"
                      " (SELECT coalesce(max(id), 0) FROM chunk) FROM chunk WHERE id>?1",
                      &s, err);
    if (st != ST_OK)
        return st;
    sqlite3_bind_int64(s, 1, after);
    int code = sqlite3_step(s);
    if (code == SQLITE_ROW) {
        *count = (uint64_t)sqlite3_column_int64(s, 0);
        *bytes = (uint64_t)sqlite3_column_int64(s, 1);
        *last = sqlite3_column_int64(s, 2);
    } else {
        st = store_fault(store, code, err);
    }
    sqlite3_finalize(s);
    return st;
}

enum status store_rollup(struct store *store, int level, int64_t bucket, struct buf *out,
                         struct error *err)
{
    enum status st;
    sqlite3_stmt *s = store_statement(store, S_ROLLUP, &st, err);
    if (s == NULL)
        return st;
    sqlite3_bind_int(s, 1, level);
    sqlite3_bind_int64(s, 2, bucket);
    int code = sqlite3_step(s);
    if (code == SQLITE_ROW)
        buf_add_view(out, store_column_view(s, 0));
    else if (code != SQLITE_DONE)
        st = store_fault(store, code, err);
    sqlite3_reset(s);
    return st;
}

enum status store_rollups(struct store *store, int level, int64_t since, int64_t until,
                          store_cells_fn *found, void *context, struct error *err)
{
    enum status st;
    sqlite3_stmt *s = store_statement(store, S_ROLLUPS, &st, err);
    if (s == NULL)
        return st;
    sqlite3_bind_int(s, 1, level);
    sqlite3_bind_int64(s, 2, since);
    sqlite3_bind_int64(s, 3, until);
    return each_row(store, s, UINT64_MAX, found, context, NULL, err);
}

enum status store_put_rollup(struct store *store, int level, int64_t bucket, struct view cells,
                             struct error *err)
{
    enum status st;
    sqlite3_stmt *s = store_statement(store, S_PUT_ROLLUP, &st, err);
    if (s == NULL)
        return st;
    sqlite3_bind_int(s, 1, level);
    sqlite3_bind_int64(s, 2, bucket);
    store_bind_view(s, 3, cells);
    return store_finish(store, s, err);
}
