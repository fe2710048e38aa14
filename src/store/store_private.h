/* store_private.h: what only the files of the store share. */
#ifndef STORE_STORE_PRIVATE_H
#define STORE_STORE_PRIVATE_H

#include <sqlite3.h>

#include "store/store.h"

enum store_statement {
    S_GET,
    S_SET,
    S_FIND,
    S_INSERT_OBJECT,
    S_UPDATE_OBJECT,
    S_TOUCH,
    S_FIND_TWIN,
    S_RENAME,
    S_ADD_TALLY,
    S_INSERT_CHUNK,
    S_INSERT_TEXT,
    S_INSERT_SERIES,
    S_CHUNKS_OF_HOURS,
    S_CHUNKS_AFTER,
    S_ROLLUP,
    S_ROLLUPS,
    S_PUT_ROLLUP,
    STORE_STATEMENTS
};

struct store {
    sqlite3 *db;
    sqlite3_stmt *statement[STORE_STATEMENTS];
    uint32_t texts_saved, series_saved; /* of the dictionary */
    bool is_reading;
};

/* The status of an SQLite result code, with SQLite's message. */
enum status store_fault(const struct store *store, int code, struct error *err);
enum status store_damaged(struct error *err);

enum status store_execute(struct store *store, const char *sql, struct error *err);
NODISCARD enum status store_prepare(struct store *store, const char *sql, sqlite3_stmt **out,
                                    struct error *err);

/* A statement kept for the life of the store; NULL with *st set: it cannot be had. */
sqlite3_stmt *store_statement(struct store *store, enum store_statement which, enum status *st,
                              struct error *err);

/* Step a statement that gives no rows, and make it ready for its next use. */
NODISCARD enum status store_finish(struct store *store, sqlite3_stmt *statement, struct error *err);

void store_bind_view(sqlite3_stmt *statement, int at, struct view v);
struct view store_column_view(sqlite3_stmt *statement, int column); /* until the next step */

/* Append all series from store->series_saved on, which is not changed. */
NODISCARD enum status store_save_series(struct store *store, const struct dictionary *dictionary,
                                        uint32_t count, struct error *err);

/* The tables of version 2 beside those both versions have, and what fills them from the latter. */
extern const char store_schema_2[];
NODISCARD enum status store_migrate_1(struct store *store, struct error *err);

#endif
