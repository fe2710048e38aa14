/* store_private.h: what only the files of the store share. */
#ifndef STORE_STORE_PRIVATE_H
#define STORE_STORE_PRIVATE_H

#include "base/sql_value.h"
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
    bool was_full; /* a write of the last transaction met a full disk */
};

/* The status of an SQLite result code, with SQLite's message in *err. */
enum status store_fault(struct store *store, int code, struct error *err);

/* ST_BAD_ITEM: what was read cannot be what this program wrote. */
enum status store_damaged(struct error *err);

/* Run statements that give no rows. */
enum status store_execute(struct store *store, const char *sql, struct error *err);

/* Compile one statement; the caller finalizes *out, which is NULL after a failure. */
NODISCARD enum status store_prepare(struct store *store, const char *sql, sqlite3_stmt **out,
                                    struct error *err);

/* One row of a statement; a status other than ST_OK ends the walk. */
typedef enum status store_row_fn(void *context, sqlite3_stmt *row);

/* Every row of a query, once.  ST_BAD_ITEM of `row`: the store is damaged; ST_NO_MEMORY as well. */
NODISCARD enum status store_query(struct store *store, const char *sql, store_row_fn *row,
                                  void *context, struct error *err);

/* The same for a statement with its values bound, which is then ready for its next use. */
NODISCARD enum status store_each(struct store *store, sqlite3_stmt *statement, store_row_fn *row,
                                 void *context, struct error *err);

/* A statement kept for the life of the store; NULL with *st set: it cannot be had. */
sqlite3_stmt *store_statement(struct store *store, enum store_statement which, enum status *st,
                              struct error *err);

/* The same with its values from ?1 on. */
sqlite3_stmt *store_bind(struct store *store, enum store_statement which, enum status *st,
                         struct error *err, const struct sql_value *values, size_t n);
#define STORE_BIND(store, which, st, err, ...)                                                     \
    store_bind((store), (which), (st), (err), SQL_VALUES(__VA_ARGS__))

/* A statement that gives no rows, with its values, done. */
NODISCARD enum status store_write(struct store *store, enum store_statement which,
                                  struct error *err, const struct sql_value *values, size_t n);
#define STORE_WRITE_ROW(store, which, err, ...)                                                    \
    store_write((store), (which), (err), SQL_VALUES(__VA_ARGS__))

/* Step a statement that gives no rows, and make it ready for its next use. */
NODISCARD enum status store_finish(struct store *store, sqlite3_stmt *statement, struct error *err);

/* Bytes of a statement: bound, they must live until its next use; read, they do until its next step. */
void store_bind_view(sqlite3_stmt *statement, int at, struct view v);
struct view store_column_view(sqlite3_stmt *statement, int column);

#endif
