#include "store/store.h"

#include <errno.h>
#include <fcntl.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    APPLICATION_ID = 0x42645573, /* "BdUs" */
    VERSION = 1,
    BUSY_MS = 10000,
    VALUE_BYTES = 64 * 1024,
    WIDTH = DIMENSION_FIXED_COUNT,
};

static const char schema[] =
    "CREATE TABLE about(name TEXT PRIMARY KEY, value BLOB NOT NULL) STRICT, WITHOUT ROWID;"
    "CREATE TABLE text(id INTEGER PRIMARY KEY, text BLOB NOT NULL) STRICT;"
    "CREATE TABLE series(id INTEGER PRIMARY KEY, profile_type INTEGER NOT NULL,"
    " profile INTEGER NOT NULL, model INTEGER NOT NULL, source_region INTEGER NOT NULL,"
    " inference_region INTEGER NOT NULL, account INTEGER NOT NULL, operation INTEGER NOT NULL,"
    " principal INTEGER NOT NULL) STRICT;"
    "CREATE TABLE object(id INTEGER PRIMARY KEY, key BLOB NOT NULL UNIQUE, size INTEGER NOT NULL,"
    " mtime_ns INTEGER NOT NULL, inode INTEGER NOT NULL, born_ns INTEGER NOT NULL, state INTEGER "
    "NOT NULL, reason TEXT, found INTEGER NOT NULL,"
    " counted INTEGER NOT NULL, malformed INTEGER NOT NULL, not_log INTEGER NOT NULL,"
    " invalid INTEGER NOT NULL, out_of_range INTEGER NOT NULL, bytes_read INTEGER NOT NULL,"
    " bytes_inflated INTEGER NOT NULL, first_time INTEGER, last_time INTEGER) STRICT;"
    "CREATE INDEX object_by_inode ON object(inode);"
    "CREATE TABLE chunk(id INTEGER PRIMARY KEY, object INTEGER NOT NULL REFERENCES object,"
    " hour INTEGER NOT NULL, cells BLOB NOT NULL) STRICT;"
    "CREATE INDEX chunk_by_hour ON chunk(hour);";

enum statement {
    S_GET,
    S_SET,
    S_FIND,
    S_INSERT_OBJECT,
    S_UPDATE_OBJECT,
    S_TOUCH,
    S_FIND_TWIN,
    S_RENAME,
    S_INSERT_CHUNK,
    S_INSERT_TEXT,
    S_INSERT_SERIES,
    STATEMENTS
};

#define OBJECT_COLUMNS                                                                             \
    "size=?2, mtime_ns=?3, state=?4, reason=?5, found=?6, counted=?7, malformed=?8, not_log=?9, "  \
    "invalid=?10, out_of_range=?11, bytes_read=?12, bytes_inflated=?13, first_time=?14, "          \
    "last_time=?15, inode=?16, born_ns=?17"

static const char *const statement_text[STATEMENTS] = {
    [S_GET] = "SELECT value FROM about WHERE name=?1",
    [S_SET] = "INSERT OR REPLACE INTO about(name, value) VALUES(?1, ?2)",
    [S_FIND] = "SELECT id, state, size, mtime_ns FROM object WHERE key=?1",
    [S_INSERT_OBJECT] =
        "INSERT INTO object(key, size, mtime_ns, state, reason, found, counted, malformed, "
        "not_log, invalid, out_of_range, bytes_read, bytes_inflated, first_time, last_time, "
        "inode, born_ns) "
        "VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17)",
    [S_UPDATE_OBJECT] = "UPDATE object SET " OBJECT_COLUMNS " WHERE key=?1",
    [S_TOUCH] = "UPDATE object SET size=?2, mtime_ns=?3 WHERE key=?1",
    /* Inodes are used again; without a time of birth, size and time must tell. */
    [S_FIND_TWIN] = ("SELECT id, state, key, size FROM object WHERE inode=?1 AND born_ns=?2"
                     " AND (?2<>0 OR (size=?3 AND mtime_ns=?4))"),
    [S_RENAME] = "UPDATE object SET key=?2, size=?3, mtime_ns=?4 WHERE id=?1",
    [S_INSERT_CHUNK] = "INSERT INTO chunk(object, hour, cells) VALUES(?1, ?2, ?3)",
    [S_INSERT_TEXT] = "INSERT INTO text(id, text) VALUES(?1, ?2)",
    [S_INSERT_SERIES] = "INSERT INTO series VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
};

struct store {
    sqlite3 *db;
    sqlite3_stmt *statement[STATEMENTS];
    uint32_t texts_saved, series_saved;
};

/* ---- small steps ---- */

static enum status fault(const struct store *store, int code, struct error *err)
{
    switch (code & 0xff) {
    case SQLITE_NOMEM: return error_set(err, ST_NO_MEMORY, "out of memory");
    case SQLITE_PERM:
    case SQLITE_READONLY:
    case SQLITE_CANTOPEN: return error_set(err, ST_DENIED, "store: %s", sqlite3_errmsg(store->db));
    case SQLITE_NOTADB:
    case SQLITE_CORRUPT: return error_set(err, ST_BAD_ITEM, "store: %s", sqlite3_errmsg(store->db));
    default: return error_set(err, ST_IO, "store: %s", sqlite3_errmsg(store->db));
    }
}

static enum status damaged(struct error *err)
{
    return error_set(err, ST_BAD_ITEM, "the store is damaged");
}

static enum status execute(struct store *store, const char *sql, struct error *err)
{
    int code = sqlite3_exec(store->db, sql, NULL, NULL, NULL);
    return code == SQLITE_OK ? ST_OK : fault(store, code, err);
}

static enum status prepare(struct store *store, const char *sql, sqlite3_stmt **out,
                           struct error *err)
{
    int code = sqlite3_prepare_v3(store->db, sql, -1, SQLITE_PREPARE_PERSISTENT, out, NULL);
    return code == SQLITE_OK ? ST_OK : fault(store, code, err);
}

/* The statement, ready for its values; NULL with *st set: it cannot be had. */
static sqlite3_stmt *begin(struct store *store, enum statement which, enum status *st,
                           struct error *err)
{
    sqlite3_stmt **s = &store->statement[which];
    *st = *s != NULL ? ST_OK : prepare(store, statement_text[which], s, err);
    return *st == ST_OK ? *s : NULL;
}

static void bind_view(sqlite3_stmt *s, int at, struct view v)
{
    sqlite3_bind_blob64(s, at, v.len == 0 ? "" : v.ptr, v.len, SQLITE_STATIC);
}

static void bind_u64(sqlite3_stmt *s, int at, uint64_t value)
{
    sqlite3_bind_int64(s, at, value > INT64_MAX ? INT64_MAX : (int64_t)value);
}

/* Step a statement that gives no rows. */
static enum status finish(struct store *store, sqlite3_stmt *s, struct error *err)
{
    int code = sqlite3_step(s);
    enum status st = code == SQLITE_DONE ? ST_OK : fault(store, code, err);
    sqlite3_reset(s);
    sqlite3_clear_bindings(s);
    return st;
}

static struct view column_view(sqlite3_stmt *s, int column)
{
    const void *bytes = sqlite3_column_blob(s, column);
    return view_make(bytes, (size_t)sqlite3_column_bytes(s, column));
}

static enum status ask_number(struct store *store, const char *sql, int64_t *out, struct error *err)
{
    sqlite3_stmt *s = NULL;
    enum status st = prepare(store, sql, &s, err);
    if (st != ST_OK)
        return st;
    int code = sqlite3_step(s);
    if (code == SQLITE_ROW)
        *out = sqlite3_column_int64(s, 0);
    else
        st = fault(store, code, err);
    sqlite3_finalize(s);
    return st;
}

/* ---- opening ---- */

static enum status make_private_file(const char *path, struct error *err)
{
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0)
        return error_set(err, errno == EACCES || errno == EPERM ? ST_DENIED : ST_IO, "%s: %s", path,
                         strerrordesc_np(errno));
    close(fd);
    return ST_OK;
}

static enum status check_version(struct store *store, bool write, struct error *err)
{
    int64_t id = 0, version = 0, tables = 0;
    char text[256];
    enum status st = ask_number(store, "PRAGMA application_id", &id, err);
    if (st == ST_OK)
        st = ask_number(store, "PRAGMA user_version", &version, err);
    if (st == ST_OK)
        st = ask_number(store, "SELECT count(*) FROM sqlite_schema", &tables, err);
    if (st != ST_OK)
        return st;
    if (id == APPLICATION_ID && version == VERSION)
        return ST_OK;
    if (id == APPLICATION_ID)
        return error_set(err, ST_BAD_ITEM, "the store has version %lld, this program knows %d",
                         (long long)version, VERSION);
    if (id != 0 || tables != 0 || !write)
        return error_set(err, ST_BAD_ITEM, "the file is no usage store");
    st = execute(store, schema, err);
    (void)snprintf(text, sizeof(text), "PRAGMA application_id=%d; PRAGMA user_version=%d",
                   APPLICATION_ID, VERSION);
    return st == ST_OK ? execute(store, text, err) : st;
}

static enum status set_up(struct store *store, bool write, struct error *err)
{
    sqlite3_busy_timeout(store->db, BUSY_MS);
    sqlite3_extended_result_codes(store->db, 1);
    sqlite3_db_config(store->db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
    enum status st = execute(store,
                             "PRAGMA trusted_schema=OFF; PRAGMA cell_size_check=ON;"
                             "PRAGMA cache_size=-16384",
                             err);
    if (st == ST_OK && write)
        st = execute(store,
                     "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL;"
                     "PRAGMA journal_size_limit=67108864",
                     err);
    if (st == ST_OK && write)
        st = execute(store, "BEGIN IMMEDIATE", err);
    if (st == ST_OK)
        st = check_version(store, write, err);
    if (st == ST_OK && write)
        st = execute(store, "COMMIT", err);
    return st;
}

enum status store_open(const char *path, enum store_mode mode, struct store **out,
                       struct error *err)
{
    *out = NULL;
    bool write = mode == STORE_WRITE;
    if (!write && access(path, F_OK) != 0)
        return error_set(err, ST_MISSING, "%s: %s", path, strerrordesc_np(errno));
    enum status st = write ? make_private_file(path, err) : ST_OK;
    if (st != ST_OK)
        return st;
    struct store *store = calloc(1, sizeof(*store));
    if (store == NULL)
        return error_set(err, ST_NO_MEMORY, "out of memory");
    int flags = SQLITE_OPEN_NOMUTEX | (write ? SQLITE_OPEN_READWRITE : SQLITE_OPEN_READONLY);
    int code = sqlite3_open_v2(path, &store->db, flags, NULL);
    if (code != SQLITE_OK)
        st = store->db == NULL ? error_set(err, ST_NO_MEMORY, "out of memory")
                               : fault(store, code, err);
    if (st == ST_OK)
        st = set_up(store, write, err);
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
    for (size_t i = 0; i < STATEMENTS; i++)
        sqlite3_finalize(store->statement[i]);
    sqlite3_close(store->db);
    free(store);
}

/* ---- about itself ---- */

enum status store_get(struct store *store, const char *name, struct buf *out, struct error *err)
{
    enum status st;
    buf_init(out, VALUE_BYTES);
    sqlite3_stmt *s = begin(store, S_GET, &st, err);
    if (s == NULL)
        return st;
    sqlite3_bind_text(s, 1, name, -1, SQLITE_STATIC);
    int code = sqlite3_step(s);
    if (code == SQLITE_ROW)
        buf_add_view(out, column_view(s, 0));
    st = code == SQLITE_ROW    ? buf_status(out)
         : code == SQLITE_DONE ? ST_MISSING
                               : fault(store, code, err);
    sqlite3_reset(s);
    return st;
}

enum status store_set(struct store *store, const char *name, struct view value, struct error *err)
{
    enum status st;
    sqlite3_stmt *s = begin(store, S_SET, &st, err);
    if (s == NULL)
        return st;
    sqlite3_bind_text(s, 1, name, -1, SQLITE_STATIC);
    bind_view(s, 2, value);
    return finish(store, s, err);
}

/* ---- objects ---- */

void counted_object_free(struct counted_object *object)
{
    if (object == NULL)
        return;
    for (size_t i = 0; i < object->chunk_count; i++)
        buf_clear(&object->chunks[i].cells);
    free(object->chunks);
    free(object->key);
    free(object);
}

static enum status find(struct store *store, struct view key, int64_t *id, struct store_object *out,
                        struct error *err)
{
    enum status st;
    sqlite3_stmt *s = begin(store, S_FIND, &st, err);
    if (s == NULL)
        return st;
    bind_view(s, 1, key);
    int code = sqlite3_step(s);
    if (code == SQLITE_ROW) {
        *id = sqlite3_column_int64(s, 0);
        out->state = (enum object_state)sqlite3_column_int(s, 1);
        out->size = sqlite3_column_int64(s, 2);
        out->mtime_ns = sqlite3_column_int64(s, 3);
    } else {
        st = code == SQLITE_DONE ? ST_MISSING : fault(store, code, err);
    }
    sqlite3_reset(s);
    sqlite3_clear_bindings(s);
    return st;
}

enum status store_find(struct store *store, struct view key, struct store_object *out,
                       struct error *err)
{
    int64_t id;
    return find(store, key, &id, out, err);
}

static enum status put_object(struct store *store, enum statement which,
                              const struct counted_object *o, struct error *err)
{
    enum status st;
    sqlite3_stmt *s = begin(store, which, &st, err);
    if (s == NULL)
        return st;
    const struct tally *t = &o->tally;
    bind_view(s, 1, view_make(o->key, o->key_len));
    sqlite3_bind_int64(s, 2, o->file.size);
    sqlite3_bind_int64(s, 3, o->file.mtime_ns);
    sqlite3_bind_int(s, 4, (int)o->file.state);
    if (o->file.state == OBJECT_STATE_SKIPPED)
        sqlite3_bind_text(s, 5, object_skip_name(o->skip), -1, SQLITE_STATIC);
    else if (o->file.state == OBJECT_STATE_FAILED)
        sqlite3_bind_text(s, 5, o->reason, -1, SQLITE_STATIC);
    bind_u64(s, 6, t->records.found);
    bind_u64(s, 7, t->records.counted);
    for (int i = 0; i < RECORD_SKIP_COUNT; i++)
        bind_u64(s, 8 + i, t->records.skipped[i]);
    bind_u64(s, 12, t->bytes_read);
    bind_u64(s, 13, t->bytes_inflated);
    if (t->has_times) {
        sqlite3_bind_int64(s, 14, t->first_time);
        sqlite3_bind_int64(s, 15, t->last_time);
    }
    sqlite3_bind_int64(s, 16, o->file.inode);
    sqlite3_bind_int64(s, 17, o->file.born_ns);
    return finish(store, s, err);
}

static enum status put_chunks(struct store *store, int64_t id, const struct counted_object *o,
                              struct error *err)
{
    enum status st = ST_OK;
    for (size_t i = 0; i < o->chunk_count && st == ST_OK; i++) {
        sqlite3_stmt *s = begin(store, S_INSERT_CHUNK, &st, err);
        if (s == NULL)
            return st;
        sqlite3_bind_int64(s, 1, id);
        sqlite3_bind_int64(s, 2, o->chunks[i].hour);
        bind_view(s, 3, buf_view(&o->chunks[i].cells));
        st = finish(store, s, err);
    }
    return st;
}

/* Another key of the same file.  Its text is valid until the statement's next use. */
struct twin {
    int64_t id;
    enum object_state state;
    struct view key;
    int64_t size;
};

/* ST_MISSING: there is none.  ST_OK: reset the statement when done. */
static enum status find_twin(struct store *store, const struct store_object *file, struct twin *out,
                             sqlite3_stmt **statement, struct error *err)
{
    enum status st;
    sqlite3_stmt *s = begin(store, S_FIND_TWIN, &st, err);
    *statement = s;
    if (s == NULL || file->inode == 0)
        return s == NULL ? st : ST_MISSING;
    sqlite3_bind_int64(s, 1, file->inode);
    sqlite3_bind_int64(s, 2, file->born_ns);
    sqlite3_bind_int64(s, 3, file->size);
    sqlite3_bind_int64(s, 4, file->mtime_ns);
    int code = sqlite3_step(s);
    if (code == SQLITE_ROW) {
        *out = (struct twin){
            .id = sqlite3_column_int64(s, 0),
            .state = (enum object_state)sqlite3_column_int(s, 1),
            .key = column_view(s, 2),
            .size = sqlite3_column_int64(s, 3),
        };
        return ST_OK;
    }
    st = code == SQLITE_DONE ? ST_MISSING : fault(store, code, err);
    sqlite3_reset(s);
    return st;
}

static enum status rename_object(struct store *store, int64_t id, const struct counted_object *o,
                                 struct error *err)
{
    enum status st;
    sqlite3_stmt *s = begin(store, S_RENAME, &st, err);
    if (s == NULL)
        return st;
    sqlite3_bind_int64(s, 1, id);
    bind_view(s, 2, view_make(o->key, o->key_len));
    sqlite3_bind_int64(s, 3, o->file.size);
    sqlite3_bind_int64(s, 4, o->file.mtime_ns);
    return finish(store, s, err);
}

enum name { NAME_NEW, NAME_CHANGED, NAME_GONE };

/*
 * What a key that is not known stands for: a file of its own, one that had another name, whose row
 * then gets this one, or a name that the file has no more.  Two names that are both there are two
 * links, and two objects.
 */
static enum status judge_name(struct store *store, const struct counted_object *o,
                              store_exists_fn *exists, void *context, enum name *name,
                              struct twin *twin, struct error *err)
{
    sqlite3_stmt *s;
    struct view key = view_make(o->key, o->key_len);
    enum status st = find_twin(store, &o->file, twin, &s, err);
    *name = NAME_NEW;
    if (st != ST_OK)
        return st == ST_MISSING ? ST_OK : st;
    if (!exists(context, twin->key))
        *name = NAME_CHANGED;
    else if (!exists(context, key))
        *name = NAME_GONE;
    twin->key = VIEW_EMPTY;
    sqlite3_reset(s);
    return *name == NAME_CHANGED ? rename_object(store, twin->id, o, err) : ST_OK;
}

static enum status commit_object(struct store *store, struct counted_object *o,
                                 store_exists_fn *exists, void *context, struct error *err)
{
    struct store_object known;
    struct twin twin = {0};
    enum name name = NAME_NEW;
    int64_t id = 0;
    enum status st = find(store, view_make(o->key, o->key_len), &id, &known, err);
    o->applied = o->had_failed = o->changed = false;
    bool is_known = st == ST_OK;
    if (st == ST_MISSING)
        st = judge_name(store, o, exists, context, &name, &twin, err);
    if (st != ST_OK || name == NAME_GONE)
        return st;
    if (name == NAME_CHANGED) {
        is_known = true;
        id = twin.id;
        known.state = twin.state;
        o->changed = twin.state == OBJECT_STATE_COUNTED && twin.size != o->file.size;
    }
    if (is_known && known.state != OBJECT_STATE_FAILED)
        return ST_OK;
    o->had_failed = is_known;
    st = put_object(store, is_known ? S_UPDATE_OBJECT : S_INSERT_OBJECT, o, err);
    if (st == ST_OK && !is_known)
        id = sqlite3_last_insert_rowid(store->db);
    if (st == ST_OK)
        st = put_chunks(store, id, o, err);
    o->applied = st == ST_OK;
    return st;
}

static enum status save_dictionary(struct store *store, const struct dictionary *d, uint32_t texts,
                                   uint32_t series, struct error *err)
{
    enum status st = ST_OK;
    for (uint32_t i = store->texts_saved; i < texts && st == ST_OK; i++) {
        sqlite3_stmt *s = begin(store, S_INSERT_TEXT, &st, err);
        if (s == NULL)
            return st;
        sqlite3_bind_int64(s, 1, i);
        bind_view(s, 2, dictionary_text(d, i));
        st = finish(store, s, err);
    }
    for (uint32_t i = store->series_saved; i < series && st == ST_OK; i++) {
        uint32_t text[WIDTH];
        sqlite3_stmt *s = begin(store, S_INSERT_SERIES, &st, err);
        if (s == NULL)
            return st;
        dictionary_values(d, i, text);
        sqlite3_bind_int64(s, 1, i);
        for (int k = 0; k < WIDTH; k++)
            sqlite3_bind_int64(s, 2 + k, text[k]);
        st = finish(store, s, err);
    }
    return st;
}

enum status store_commit(struct store *store, const struct dictionary *dictionary,
                         struct counted_object *list, store_exists_fn *exists, void *context,
                         struct error *err)
{
    uint32_t texts, series;
    enum status st = execute(store, "BEGIN IMMEDIATE", err);
    if (st != ST_OK)
        return st;
    dictionary_counts(dictionary, &texts, &series);
    st = save_dictionary(store, dictionary, texts, series, err);
    for (struct counted_object *o = list; o != NULL && st == ST_OK; o = o->next)
        st = commit_object(store, o, exists, context, err);
    if (st == ST_OK)
        st = execute(store, "COMMIT", err);
    if (st != ST_OK) {
        (void)execute(store, "ROLLBACK", NULL);
        return st;
    }
    store->texts_saved = texts;
    store->series_saved = series;
    return ST_OK;
}

enum status store_touch(struct store *store, struct view key, int64_t size, int64_t mtime_ns,
                        struct error *err)
{
    enum status st;
    sqlite3_stmt *s = begin(store, S_TOUCH, &st, err);
    if (s == NULL)
        return st;
    bind_view(s, 1, key);
    sqlite3_bind_int64(s, 2, size);
    sqlite3_bind_int64(s, 3, mtime_ns);
    return finish(store, s, err);
}

/* ---- loading ---- */

enum status store_begin_reading(struct store *store, struct error *err)
{
    return execute(store, "BEGIN", err);
}

void store_end_reading(struct store *store)
{
    (void)execute(store, "ROLLBACK", NULL);
}

static enum status load_texts(struct store *store, struct dictionary *d, struct error *err)
{
    sqlite3_stmt *s = NULL;
    enum status st = prepare(store, "SELECT id, text FROM text ORDER BY id", &s, err);
    int code = SQLITE_ROW;
    while (st == ST_OK && (code = sqlite3_step(s)) == SQLITE_ROW) {
        if (sqlite3_column_int64(s, 0) != store->texts_saved)
            st = damaged(err);
        if (st == ST_OK)
            st = dictionary_load_text(d, column_view(s, 1));
        store->texts_saved++;
    }
    if (st == ST_OK && code != SQLITE_DONE)
        st = fault(store, code, err);
    sqlite3_finalize(s);
    return st;
}

static enum status load_series(struct store *store, struct dictionary *d, struct error *err)
{
    sqlite3_stmt *s = NULL;
    enum status st = prepare(store, "SELECT * FROM series ORDER BY id", &s, err);
    int code = SQLITE_ROW;
    while (st == ST_OK && (code = sqlite3_step(s)) == SQLITE_ROW) {
        uint32_t text[WIDTH];
        bool fits = sqlite3_column_int64(s, 0) == store->series_saved;
        for (int i = 0; i < WIDTH; i++) {
            int64_t id = sqlite3_column_int64(s, 1 + i);
            fits = fits && id >= 0 && id < UINT32_MAX;
            text[i] = (uint32_t)id;
        }
        st = fits ? dictionary_load_series(d, text) : ST_BAD_ITEM;
        store->series_saved++;
    }
    if (st == ST_OK && code != SQLITE_DONE)
        st = fault(store, code, err);
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
    return st == ST_BAD_ITEM ? damaged(err) : st;
}

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
    case OBJECT_STATE_SKIPPED: t->objects.skipped[skip_of(column_view(s, 1))] += n; break;
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
    static const char sql[] =
        "SELECT state, CASE state WHEN 2 THEN reason END AS why, count(*), sum(found),"
        " sum(counted), sum(malformed), sum(not_log), sum(invalid), sum(out_of_range),"
        " sum(bytes_read), sum(bytes_inflated), min(first_time), max(last_time)"
        " FROM object GROUP BY state, why";
    sqlite3_stmt *s = NULL;
    *tally = (struct tally){0};
    enum status st = prepare(store, sql, &s, err);
    int code = SQLITE_ROW;
    while (st == ST_OK && (code = sqlite3_step(s)) == SQLITE_ROW)
        add_objects(s, tally);
    if (st == ST_OK && code != SQLITE_DONE)
        st = fault(store, code, err);
    sqlite3_finalize(s);
    return st;
}

enum status store_each_chunk(struct store *store, store_chunk_fn *found, void *context,
                             struct error *err)
{
    sqlite3_stmt *s = NULL;
    /* By the index, so that an hour's buffer grows once; blobs are read in that order too. */
    enum status st = prepare(store, "SELECT hour, cells FROM chunk ORDER BY hour, id", &s, err);
    int code = SQLITE_ROW;
    while (st == ST_OK && (code = sqlite3_step(s)) == SQLITE_ROW)
        st = found(context, sqlite3_column_int64(s, 0), column_view(s, 1));
    if (st == ST_OK && code != SQLITE_DONE)
        st = fault(store, code, err);
    sqlite3_finalize(s);
    return st == ST_BAD_ITEM ? damaged(err) : st;
}
