/* store_read.c: what a store answers from. */
#include "store/chunk.h"
#include "store/store_private.h"

/* ---- dictionary ---- */

struct load {
    struct store *store;
    struct dictionary *dictionary;
};

/* Numbers are given without gaps, so a row that is missing is a damaged store. */
static enum status load_text(void *context, sqlite3_stmt *row)
{
    const struct load *load = context;
    if (sqlite3_column_int64(row, 0) != load->store->texts_saved)
        return ST_BAD_ITEM;
    load->store->texts_saved++;
    return dictionary_load_text(load->dictionary, store_column_view(row, 1));
}

/* A block of series from a number on: for each a text number a dimension. */
/* A block is the text numbers of up to 4096 series, end to end. */
static enum status load_block(void *context, sqlite3_stmt *row)
{
    const struct load *load = context;
    struct view block = store_column_view(row, 1);
    enum status st = ST_OK;
    if (sqlite3_column_int64(row, 0) != load->store->series_saved || block.len == 0)
        return ST_BAD_ITEM;
    while (st == ST_OK && block.len > 0) {
        uint32_t text[DICTIONARY_MAX_WIDTH];
        for (size_t k = 0; k < dictionary_width(load->dictionary); k++) {
            u128 number;
            if (!chunk_take_number(&block, &number) || number >= UINT32_MAX)
                return ST_BAD_ITEM;
            text[k] = (uint32_t)number;
        }
        st = dictionary_load_series(load->dictionary, text);
        load->store->series_saved++;
    }
    return st;
}

enum status store_load_dictionary(struct store *store, struct dictionary *dictionary,
                                  struct error *err)
{
    struct load load = {store, dictionary};
    store->texts_saved = store->series_saved = 0;
    enum status st =
        store_query(store, "SELECT id, text FROM text ORDER BY id", load_text, &load, err);
    if (st == ST_OK)
        st = store_query(store, "SELECT first, texts FROM series ORDER BY first", load_block, &load,
                         err);
    return st;
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

/* A row of the table: objects of a state (and, when skipped, of a reason). */
static enum status add_objects(void *context, sqlite3_stmt *s)
{
    struct tally *t = context;
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
    return ST_OK;
}

enum status store_load_tally(struct store *store, struct tally *tally, struct error *err)
{
    *tally = (struct tally){0};
    return store_query(store, "SELECT * FROM tally", add_objects, tally, err);
}

/* ---- cells ---- */

/* Of a statement whose columns are bucket and cells, perhaps a number. */
struct cells_walk {
    struct store *store;
    store_cells_fn *found;
    void *context;
    uint64_t bytes_left; /* none: no further row */
    int64_t *last;       /* the number; may be NULL */
};

static enum status pass_cells(void *context, sqlite3_stmt *row)
{
    struct cells_walk *w = context;
    struct view cells = store_column_view(row, 1);
    if (cells.ptr == NULL && sqlite3_errcode(w->store->db) == SQLITE_NOMEM)
        return ST_NO_MEMORY;
    enum status st = w->found(w->context, sqlite3_column_int64(row, 0), cells);
    if (w->last != NULL)
        *w->last = sqlite3_column_int64(row, 2);
    w->bytes_left -= cells.len < w->bytes_left ? cells.len : w->bytes_left;
    return st == ST_OK && w->bytes_left == 0 ? ST_END : st;
}

enum status store_chunks_of_hours(struct store *store, int64_t since, int64_t until,
                                  int64_t last_id, store_cells_fn *found, void *context,
                                  struct error *err)
{
    enum status st;
    sqlite3_stmt *s = STORE_BIND(store, S_CHUNKS_OF_HOURS, &st, err, SQL_NUMBER(since),
                                 SQL_NUMBER(until), SQL_NUMBER(last_id));
    struct cells_walk walk = {store, found, context, UINT64_MAX, NULL};
    return s == NULL ? st : store_each(store, s, pass_cells, &walk, err);
}

enum status store_chunks_after(struct store *store, int64_t after, uint64_t max_bytes,
                               store_cells_fn *found, void *context, int64_t *last,
                               struct error *err)
{
    enum status st;
    sqlite3_stmt *s = STORE_BIND(store, S_CHUNKS_AFTER, &st, err, SQL_NUMBER(after));
    struct cells_walk walk = {store, found, context, max_bytes, last};
    *last = after;
    return s == NULL ? st : store_each(store, s, pass_cells, &walk, err);
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
    sqlite3_stmt *s = STORE_BIND(store, S_ROLLUP, &st, err, SQL_NUMBER(level), SQL_NUMBER(bucket));
    if (s == NULL)
        return st;
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
    sqlite3_stmt *s = STORE_BIND(store, S_ROLLUPS, &st, err, SQL_NUMBER(level), SQL_NUMBER(since),
                                 SQL_NUMBER(until));
    struct cells_walk walk = {store, found, context, UINT64_MAX, NULL};
    return s == NULL ? st : store_each(store, s, pass_cells, &walk, err);
}

enum status store_put_rollup(struct store *store, int level, int64_t bucket, struct view cells,
                             struct error *err)
{
    return STORE_WRITE_ROW(store, S_PUT_ROLLUP, err, SQL_NUMBER(level), SQL_NUMBER(bucket),
                           SQL_VIEW(cells));
}
