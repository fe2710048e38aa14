/*
 * store.c: opening the file, its schema, its statements, and the small texts it keeps about
 * itself.  Objects are in store_objects.c, reading is in store_read.c.
 *
 * What may be opened, and how, is in base/sqlite_file.h.  STRICT tables, so that a damaged type is
 * an error instead of a surprise.
 */
#include "store/store.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/sqlite_file.h"
#include "base/sqlite_room.h"
#include "store/store_private.h"

enum {
    BUSY_MS = 10000,
    VALUE_BYTES = 64 * 1024,
    SMALL_DISK_BYTES = 256 * 1024 * 1024,
};

static const char schema[] =
    "CREATE TABLE about(name TEXT PRIMARY KEY, value BLOB NOT NULL) STRICT, WITHOUT ROWID;"
    "CREATE TABLE text(id INTEGER PRIMARY KEY, text BLOB NOT NULL) STRICT;"
    "CREATE TABLE object(id INTEGER PRIMARY KEY, key BLOB NOT NULL UNIQUE, size INTEGER NOT NULL,"
    " mtime_ns INTEGER NOT NULL, inode INTEGER NOT NULL, born_ns INTEGER NOT NULL,"
    " hash INTEGER NOT NULL, state INTEGER NOT NULL, reason TEXT, found INTEGER NOT NULL,"
    " counted INTEGER NOT NULL, malformed INTEGER NOT NULL, not_log INTEGER NOT NULL,"
    " invalid INTEGER NOT NULL, out_of_range INTEGER NOT NULL, bytes_read INTEGER NOT NULL,"
    " bytes_inflated INTEGER NOT NULL, first_time INTEGER, last_time INTEGER) STRICT;"
    "CREATE INDEX object_by_inode ON object(inode);"
    "CREATE TABLE chunk(id INTEGER PRIMARY KEY, object INTEGER NOT NULL REFERENCES object,"
    " hour INTEGER NOT NULL, cells BLOB NOT NULL) STRICT;"
    "CREATE INDEX chunk_by_hour ON chunk(hour);"
    "CREATE TABLE series(first INTEGER PRIMARY KEY, texts BLOB NOT NULL) STRICT;"
    "CREATE TABLE tally(state INTEGER NOT NULL, reason TEXT NOT NULL, objects INTEGER NOT NULL,"
    " found INTEGER NOT NULL, counted INTEGER NOT NULL, malformed INTEGER NOT NULL,"
    " not_log INTEGER NOT NULL, invalid INTEGER NOT NULL, out_of_range INTEGER NOT NULL,"
    " bytes_read INTEGER NOT NULL, bytes_inflated INTEGER NOT NULL, first_time INTEGER,"
    " last_time INTEGER, PRIMARY KEY(state, reason)) STRICT, WITHOUT ROWID;"
    /* Cells can be megabytes: no table for WITHOUT ROWID. */
    "CREATE TABLE rollup(level INTEGER NOT NULL, bucket INTEGER NOT NULL, cells BLOB NOT NULL,"
    " PRIMARY KEY(level, bucket)) STRICT;";

static const struct sqlite_kind kind = {
    .noun = "the store",
    .advice = "count the logs again with a new file, \"bedrock-metrics serve FOLDER --store NEW\"",
    .application_id = 0x42645573, /* "BdUs" */
    .version = 3,
    .oldest = 3, /* nothing is converted: the logs are there */
    .sealed = 3,
    .schema = schema,
    .foreign = E_S113,
    .other_version = E_S112,
    .damaged = E_S113,
    .fault = E_S115,
    .in_use = E_S110,
};

#define OBJECT_COLUMNS                                                                             \
    "size=?2, mtime_ns=?3, state=?4, reason=?5, found=?6, counted=?7, malformed=?8, not_log=?9, "  \
    "invalid=?10, out_of_range=?11, bytes_read=?12, bytes_inflated=?13, first_time=?14, "          \
    "last_time=?15, inode=?16, born_ns=?17, hash=?18"

static const char *const statement_text[STORE_STATEMENTS] = {
    [S_GET] = "SELECT value FROM about WHERE name=?1",
    [S_SET] = "INSERT OR REPLACE INTO about(name, value) VALUES(?1, ?2)",
    [S_FIND] = "SELECT id, state, size, mtime_ns, hash FROM object WHERE key=?1",
    [S_INSERT_OBJECT] =
        "INSERT INTO object(key, size, mtime_ns, state, reason, found, counted, malformed, "
        "not_log, invalid, out_of_range, bytes_read, bytes_inflated, first_time, last_time, "
        "inode, born_ns, hash) VALUES"
        "(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18)",
    [S_UPDATE_OBJECT] = "UPDATE object SET " OBJECT_COLUMNS " WHERE key=?1",
    [S_TOUCH] = "UPDATE object SET size=?2, mtime_ns=?3, hash=?4 WHERE key=?1",
    /* Inodes are used again; without a time of birth, size and time must tell. */
    [S_FIND_TWIN] = ("SELECT id, state, key, hash FROM object WHERE inode=?1 AND born_ns=?2"
                     " AND (?2<>0 OR (size=?3 AND mtime_ns=?4))"),
    [S_RENAME] = "UPDATE object SET key=?2, size=?3, mtime_ns=?4, hash=?5 WHERE id=?1",
    /* min and max of SQLite are NULL where one of theirs is. */
    [S_ADD_TALLY] =
        ("INSERT INTO tally VALUES(?4, ?5, ?1, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15)"
         " ON CONFLICT(state, reason) DO UPDATE SET objects=objects+excluded.objects,"
         " found=found+excluded.found, counted=counted+excluded.counted,"
         " malformed=malformed+excluded.malformed, not_log=not_log+excluded.not_log,"
         " invalid=invalid+excluded.invalid, out_of_range=out_of_range+excluded.out_of_range,"
         " bytes_read=bytes_read+excluded.bytes_read,"
         " bytes_inflated=bytes_inflated+excluded.bytes_inflated,"
         " first_time=min(coalesce(first_time, excluded.first_time),"
         " coalesce(excluded.first_time, first_time)),"
         " last_time=max(coalesce(last_time, excluded.last_time),"
         " coalesce(excluded.last_time, last_time))"),
    [S_INSERT_CHUNK] = "INSERT INTO chunk(object, hour, cells) VALUES(?1, ?2, ?3)",
    [S_INSERT_TEXT] = "INSERT INTO text(id, text) VALUES(?1, ?2)",
    [S_INSERT_SERIES] = "INSERT INTO series(first, texts) VALUES(?1, ?2)",
    [S_CHUNKS_OF_HOURS] = ("SELECT hour, cells FROM chunk WHERE hour>=?1 AND hour<?2 AND id<=?3"
                           " ORDER BY hour, id"),
    [S_CHUNKS_AFTER] = "SELECT hour, cells, id FROM chunk WHERE id>?1 ORDER BY id",
    [S_ROLLUP] = "SELECT cells FROM rollup WHERE level=?1 AND bucket=?2",
    [S_ROLLUPS] = ("SELECT bucket, cells FROM rollup WHERE level=?1 AND bucket>=?2 AND bucket<?3"
                   " ORDER BY bucket"),
    [S_PUT_ROLLUP] = ("INSERT INTO rollup(level, bucket, cells) VALUES(?1, ?2, ?3)"
                      " ON CONFLICT(level, bucket) DO UPDATE SET cells=excluded.cells"),
};

/* ---- small steps ---- */

enum status store_fault(struct store *store, int code, struct error *err)
{
    store->was_full = store->was_full || room_is_full(store->db, code);
    return sqlite_file_fault(&kind, store->db, code, err);
}

enum status store_damaged(struct error *err)
{
    return sqlite_file_fault(&kind, NULL, SQLITE_CORRUPT, err);
}

enum status store_execute(struct store *store, const char *sql, struct error *err)
{
    int code = sqlite3_exec(store->db, sql, NULL, NULL, NULL);
    return code == SQLITE_OK ? ST_OK : store_fault(store, code, err);
}

enum status store_prepare(struct store *store, const char *sql, sqlite3_stmt **out,
                          struct error *err)
{
    int code = sqlite3_prepare_v3(store->db, sql, -1, SQLITE_PREPARE_PERSISTENT, out, NULL);
    return code == SQLITE_OK ? ST_OK : store_fault(store, code, err);
}

sqlite3_stmt *store_statement(struct store *store, enum store_statement which, enum status *st,
                              struct error *err)
{
    sqlite3_stmt **s = &store->statement[which];
    *st = *s != NULL ? ST_OK : store_prepare(store, statement_text[which], s, err);
    return *st == ST_OK ? *s : NULL;
}

sqlite3_stmt *store_bind(struct store *store, enum store_statement which, enum status *st,
                         struct error *err, const struct sql_value *values, size_t n)
{
    sqlite3_stmt *s = store_statement(store, which, st, err);
    if (s != NULL)
        sql_bind(s, values, n);
    return s;
}

enum status store_write(struct store *store, enum store_statement which, struct error *err,
                        const struct sql_value *values, size_t n)
{
    enum status st;
    sqlite3_stmt *s = store_bind(store, which, &st, err, values, n);
    return s == NULL ? st : store_finish(store, s, err);
}

void store_bind_view(sqlite3_stmt *s, int at, struct view v)
{
    sqlite3_bind_blob64(s, at, v.len == 0 ? "" : v.ptr, v.len, SQLITE_STATIC);
}

enum status store_finish(struct store *store, sqlite3_stmt *s, struct error *err)
{
    int code = sqlite3_step(s);
    enum status st = code == SQLITE_DONE ? ST_OK : store_fault(store, code, err);
    sqlite3_reset(s);
    sqlite3_clear_bindings(s);
    return st;
}

struct view store_column_view(sqlite3_stmt *s, int column)
{
    const void *bytes = sqlite3_column_blob(s, column);
    return view_make(bytes, (size_t)sqlite3_column_bytes(s, column));
}

enum status store_each(struct store *store, sqlite3_stmt *s, store_row_fn *row, void *context,
                       struct error *err)
{
    enum status st = ST_OK;
    int code = SQLITE_ROW;
    while (st == ST_OK && (code = sqlite3_step(s)) == SQLITE_ROW)
        st = row(context, s);
    if (st == ST_OK && code != SQLITE_DONE)
        st = store_fault(store, code, err);
    else if (st == ST_BAD_ITEM)
        st = store_damaged(err);
    else if (st == ST_NO_MEMORY)
        st = error_set(err, st, E_R113, "out of memory");
    sqlite3_reset(s);
    sqlite3_clear_bindings(s);
    return st == ST_END ? ST_OK : st;
}

enum status store_query(struct store *store, const char *sql, store_row_fn *row, void *context,
                        struct error *err)
{
    sqlite3_stmt *s = NULL;
    enum status st = store_prepare(store, sql, &s, err);
    if (st == ST_OK)
        st = store_each(store, s, row, context, err);
    sqlite3_finalize(s);
    return st;
}

static enum status take_number(void *context, sqlite3_stmt *row)
{
    *(int64_t *)context = sqlite3_column_int64(row, 0);
    return ST_OK;
}

/* A query that gives one number. */
static enum status ask_number(struct store *store, const char *sql, int64_t *out, struct error *err)
{
    return store_query(store, sql, take_number, out, err);
}

/* ---- opening ---- */

/* SQLite would make the file with the umask; its side files then get the mode of this one.  *room
 * is what is free on its disk. */
static enum status make_private_file(const char *path, int64_t *room, struct error *err)
{
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0)
        return error_set(err, errno == EACCES || errno == EPERM ? ST_DENIED : ST_IO,
                         code_of_errno(errno, E_S115), "%s: %s", path, strerrordesc_np(errno));
    *room = room_free(fd);
    close(fd);
    return ST_OK;
}

enum status store_lock(const char *path, int *fd, struct error *err)
{
    enum status st = sqlite_file_check(&kind, path, false, err);
    return st == ST_OK ? sqlite_file_lock(&kind, path, fd, err) : st;
}

enum status store_open(const char *path, enum store_mode mode, struct store **out,
                       struct error *err)
{
    bool write = mode == STORE_WRITE;
    int version;
    int64_t room = INT64_MAX;
    *out = NULL;
    enum status st = write                ? make_private_file(path, &room, err)
                     : mode == STORE_READ ? sqlite_file_check(&kind, path, true, err)
                                          : ST_OK;
    if (st != ST_OK)
        return st;
    struct store *store = calloc(1, sizeof(*store));
    if (store == NULL)
        return error_set(err, ST_NO_MEMORY, E_R113, "out of memory");
    const struct sqlite_options options = {
        .path = path, .read_only = !write, .again = mode == STORE_READ_AGAIN, .busy_ms = BUSY_MS};
    st = sqlite_file_open(&kind, &options, &store->db, &version, err);
    if (st == ST_OK)
        st = store_execute(store, "PRAGMA cache_size=-16384; PRAGMA journal_size_limit=67108864",
                           err);
    /* A short log costs time, and is kept where a long one may not have its room. */
    if (st == ST_OK && write && room < SMALL_DISK_BYTES)
        room_tend_log(store->db);
    if (st != ST_OK) {
        store_close(store);
        return st;
    }
    *out = store;
    return ST_OK;
}

void store_close(struct store *store)
{
    if (store == NULL)
        return;
    for (size_t i = 0; i < STORE_STATEMENTS; i++)
        sqlite3_finalize(store->statement[i]);
    sqlite3_close(store->db);
    free(store);
}

/* ---- about itself ---- */

enum status store_get(struct store *store, const char *name, struct buf *out, struct error *err)
{
    enum status st;
    buf_init(out, VALUE_BYTES);
    sqlite3_stmt *s = store_statement(store, S_GET, &st, err);
    if (s == NULL)
        return st;
    sqlite3_bind_text(s, 1, name, -1, SQLITE_STATIC);
    int code = sqlite3_step(s);
    if (code == SQLITE_ROW)
        buf_add_view(out, store_column_view(s, 0));
    st = code == SQLITE_ROW    ? buf_status(out)
         : code == SQLITE_DONE ? ST_MISSING
                               : store_fault(store, code, err);
    sqlite3_reset(s);
    return st;
}

enum status store_set(struct store *store, const char *name, struct view value, struct error *err)
{
    enum status st;
    sqlite3_stmt *s = store_statement(store, S_SET, &st, err);
    if (s == NULL)
        return st;
    sqlite3_bind_text(s, 1, name, -1, SQLITE_STATIC);
    store_bind_view(s, 2, value);
    return store_finish(store, s, err);
}

enum status store_get_number(struct store *store, const char *name, int64_t *out, struct error *err)
{
    struct buf text;
    uint64_t number = 0;
    enum status st = store_get(store, name, &text, err);
    if (st == ST_OK && view_parse_u64(buf_view(&text), INT64_MAX, &number) != ST_OK)
        st = store_damaged(err);
    buf_clear(&text);
    *out = (int64_t)number;
    return st;
}

enum status store_set_number(struct store *store, const char *name, int64_t value,
                             struct error *err)
{
    char text[24];
    (void)snprintf(text, sizeof(text), "%lld", (long long)value);
    return store_set(store, name, view_of(text), err);
}

enum status store_is_empty(struct store *store, bool *out, struct error *err)
{
    int64_t texts = 0;
    enum status st =
        ask_number(store, "SELECT count(*) FROM (SELECT 1 FROM text LIMIT 1)", &texts, err);
    *out = texts == 0;
    return st;
}

/* ---- transactions ---- */

enum status store_begin_reading(struct store *store, struct error *err)
{
    enum status st = store->is_reading ? ST_OK : store_execute(store, "BEGIN", err);
    store->is_reading = st == ST_OK;
    return st;
}

void store_end_reading(struct store *store)
{
    if (store->is_reading)
        (void)store_execute(store, "ROLLBACK", NULL);
    store->is_reading = false;
}

enum status store_begin_writing(struct store *store, struct error *err)
{
    store->was_full = false;
    return store_execute(store, "BEGIN IMMEDIATE", err);
}

enum status store_end_writing(struct store *store, enum status st, struct error *err)
{
    if (st == ST_OK)
        st = store_execute(store, "COMMIT", err);
    if (st != ST_OK)
        (void)store_execute(store, "ROLLBACK", NULL);
    if (store->was_full)
        room_empty_log(store->db);
    return st;
}
