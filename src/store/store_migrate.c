/* store_migrate.c: a store of version 1 brought up to date: the same chunks, everything else anew.
 */
#include "store/store_private.h"

enum { OLD_WIDTH = 8 }; /* dimensions of version 1 */

const char store_schema_2[] =
    "CREATE TABLE series(first INTEGER PRIMARY KEY, texts BLOB NOT NULL) STRICT;"
    "CREATE TABLE tally(state INTEGER NOT NULL, reason TEXT NOT NULL, objects INTEGER NOT NULL,"
    " found INTEGER NOT NULL, counted INTEGER NOT NULL, malformed INTEGER NOT NULL,"
    " not_log INTEGER NOT NULL, invalid INTEGER NOT NULL, out_of_range INTEGER NOT NULL,"
    " bytes_read INTEGER NOT NULL, bytes_inflated INTEGER NOT NULL, first_time INTEGER,"
    " last_time INTEGER, PRIMARY KEY(state, reason)) STRICT, WITHOUT ROWID;"
    /* Cells can be megabytes: no table for WITHOUT ROWID. */
    "CREATE TABLE rollup(level INTEGER NOT NULL, bucket INTEGER NOT NULL, cells BLOB NOT NULL,"
    " PRIMARY KEY(level, bucket)) STRICT;";

/* Version 1 had a row with eight numbers for each series. */
static enum status read_old_series(void *context, sqlite3_stmt *row)
{
    struct dictionary *d = context;
    uint32_t text[DICTIONARY_MAX_WIDTH], texts, series;
    dictionary_counts(d, &texts, &series);
    bool fits = sqlite3_column_int64(row, 0) == series;
    for (int i = 0; i < OLD_WIDTH; i++) {
        int64_t id = sqlite3_column_int64(row, 1 + i);
        fits = fits && id >= 0 && id < UINT32_MAX;
        text[i] = (uint32_t)id;
    }
    return fits ? dictionary_load_series(d, text) : ST_BAD_ITEM;
}

static enum status move_series(struct store *store, struct error *err)
{
    struct dictionary *d = dictionary_new(OLD_WIDTH);
    uint32_t texts, series;
    if (d == NULL)
        return error_set(err, ST_NO_MEMORY, E_R113, "out of memory");
    enum status st = store_load_dictionary(store, d, err); /* the texts: no series yet */
    if (st == ST_OK)
        st = store_query(store, "SELECT * FROM series_1 ORDER BY id", read_old_series, d, err);
    if (st == ST_OK) {
        dictionary_counts(d, &texts, &series);
        st = store_save_series(store, d, series, err);
    }
    dictionary_free(d);
    store->texts_saved = store->series_saved = 0;
    return st;
}

enum status store_migrate_1(struct store *store, struct error *err)
{
    static const char fill[] =
        "INSERT INTO tally SELECT state, CASE state WHEN 2 THEN reason ELSE '' END AS why,"
        " count(*), sum(found), sum(counted), sum(malformed), sum(not_log), sum(invalid),"
        " sum(out_of_range), sum(bytes_read), sum(bytes_inflated), min(first_time), max(last_time)"
        " FROM object GROUP BY state, why";
    enum status st = store_execute(store, "ALTER TABLE series RENAME TO series_1", err);
    if (st == ST_OK)
        st = store_execute(store, store_schema_2, err);
    if (st == ST_OK)
        st = store_execute(store, fill, err);
    if (st == ST_OK)
        st = move_series(store, err);
    if (st == ST_OK)
        st = store_execute(store, "DROP TABLE series_1", err);
    return st;
}
