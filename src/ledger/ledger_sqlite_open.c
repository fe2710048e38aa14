/*
 * ledger_sqlite_open.c: opens and creates the file, and brings older ones up to date.
 *
 * The file is treated as hostile until it is known to be ours: permissions first, then no
 * code in the schema (trusted_schema off, defensive), application id, version, quick_check.
 *
 * One writing process: an flock on PATH-lock, taken before the file is touched.  Not on the file
 * itself, because SQLite locks that with fcntl, and closing any other descriptor of it in this
 * process would drop those locks.
 */
#include "ledger/ledger_sqlite_private.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    APPLICATION_ID = 0x424d4c47, /* "BMLG" */
    SCHEMA_VERSION = 2,
    BUSY_MS = 5000, /* only readers of the same file can be in the way, for a checkpoint */
    PATH_BYTES = 4096,
};

static const char SCHEMA[] =
    "CREATE TABLE object (id BLOB PRIMARY KEY, owner BLOB NOT NULL, claimed_ms INTEGER NOT NULL)"
    " WITHOUT ROWID;"
    "CREATE TABLE batch (id BLOB PRIMARY KEY, state INTEGER NOT NULL, time_ms INTEGER NOT NULL,"
    " done_ms INTEGER NOT NULL DEFAULT 0) WITHOUT ROWID;"
    "CREATE INDEX batch_open ON batch (time_ms) WHERE state = 2;"
    "CREATE TABLE member (batch BLOB NOT NULL, object BLOB NOT NULL,"
    " tag INTEGER NOT NULL DEFAULT 0, PRIMARY KEY (batch, object))"
    " WITHOUT ROWID;"
    "CREATE TABLE part (batch BLOB NOT NULL, i INTEGER NOT NULL, state INTEGER NOT NULL,"
    " payload INTEGER NOT NULL, first INTEGER NOT NULL, count INTEGER NOT NULL,"
    " tokens INTEGER NOT NULL, attempt INTEGER NOT NULL, resent INTEGER NOT NULL,"
    " nonce BLOB NOT NULL, minute INTEGER NOT NULL, slot INTEGER NOT NULL,"
    " digit INTEGER NOT NULL, date_ms INTEGER NOT NULL, control_minute INTEGER NOT NULL,"
    " control_slot INTEGER NOT NULL, control_digit INTEGER NOT NULL,"
    " control_ms INTEGER NOT NULL, resolved_applied INTEGER NOT NULL DEFAULT 0,"
    " resolved_absent INTEGER NOT NULL DEFAULT 0, PRIMARY KEY (batch, i)) WITHOUT ROWID;"
    "CREATE TABLE payload (batch BLOB NOT NULL, i INTEGER NOT NULL, body BLOB NOT NULL,"
    " PRIMARY KEY (batch, i));"
    "CREATE TABLE marker (minute INTEGER PRIMARY KEY, n INTEGER NOT NULL);"
    "CREATE TABLE quarantine (id BLOB PRIMARY KEY, bucket BLOB NOT NULL, key BLOB NOT NULL,"
    " reason BLOB NOT NULL, time_ms INTEGER NOT NULL) WITHOUT ROWID;";

/* Whose the file is and who may write it.  ST_MISSING: there is none. */
static enum status check_file(const char *path, const char *suffix, struct error *err)
{
    char name[PATH_BYTES];
    struct stat info;
    int n = snprintf(name, sizeof name, "%s%s", path, suffix);
    if (n < 0 || (size_t)n >= sizeof name)
        return error_set(err, ST_USAGE, E_L206, "The path is too long.");
    if (lstat(name, &info) != 0)
        return errno == ENOENT
                   ? ST_MISSING
                   : error_set(err, ST_IO, E_L206, "Cannot be looked at: %s.", strerror(errno));
    if (!S_ISREG(info.st_mode))
        return error_set(err, ST_DENIED, E_L202, "Is not a regular file.");
    if (info.st_uid != geteuid())
        return error_set(err, ST_DENIED, E_L202, "Belongs to another user.");
    if ((info.st_mode & 077) != 0)
        return error_set(err, ST_DENIED, E_L202,
                         "Is accessible to other users (mode %03o, wanted 600).",
                         (unsigned)(info.st_mode & 0777));
    return ST_OK;
}

static enum status check_folder(const char *path, bool create, struct error *err)
{
    char folder[PATH_BYTES];
    const char *slash = strrchr(path, '/');
    size_t n = slash == NULL ? 0 : slash == path ? 1 : (size_t)(slash - path);
    if (n >= sizeof folder)
        return error_set(err, ST_USAGE, E_L206, "The path is too long.");
    memcpy(folder, n == 0 ? "." : path, n == 0 ? 1 : n);
    folder[n == 0 ? 1 : n] = '\0';
    if (create && mkdir(folder, 0700) != 0 && errno != EEXIST)
        return error_set(err, ST_IO, E_L206, "Its folder cannot be made: %s.", strerror(errno));
    struct stat info;
    if (stat(folder, &info) != 0)
        return error_set(err, ST_IO, E_L206, "Its folder cannot be looked at: %s.",
                         strerror(errno));
    if (info.st_uid != geteuid() && info.st_uid != 0)
        return error_set(err, ST_DENIED, E_L202, "Its folder belongs to another user.");
    /* Whoever can write the folder can slip in a write-ahead log; the sticky bit does not help. */
    if ((info.st_mode & 022) != 0)
        return error_set(err, ST_DENIED, E_L202,
                         "Its folder can be written by other users (mode %04o).",
                         (unsigned)(info.st_mode & 07777));
    return ST_OK;
}

/*
 * The side files too: SQLite would replay a write-ahead log or a rollback journal that somebody
 * else put next to the file.
 */
enum status sqlite_check_place(const struct ledger_sqlite_options *o, struct error *err)
{
    static const char *const suffixes[] = {"", "-wal", "-shm", "-journal", "-lock"};
    enum status st = check_folder(o->path, !o->read_only, err);
    for (size_t i = 0; i < sizeof suffixes / sizeof *suffixes && st == ST_OK; i++) {
        st = check_file(o->path, suffixes[i], err);
        if (st == ST_MISSING && !(i == 0 && o->read_only))
            st = ST_OK;
        else if (st == ST_MISSING)
            st = error_set(err, ST_MISSING, E_L203, "There is no ledger.");
    }
    return st;
}

enum status sqlite_create_private(const char *path, struct error *err)
{
    int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd >= 0)
        close(fd); /* before SQLite opens it, see above */
    else if (errno != EEXIST)
        return error_set(err, ST_IO, E_L206, "Cannot be made: %s.", strerror(errno));
    return ST_OK;
}

enum status sqlite_take_lock(struct ledger_sqlite *l, const char *path, struct error *err)
{
    char name[PATH_BYTES];
    snprintf(name, sizeof name, "%s-lock", path); /* its length was checked */
    l->lock_fd = open(name, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (l->lock_fd < 0)
        return error_set(err, ST_IO, E_L206, "Its lock file cannot be opened: %s.",
                         strerror(errno));
    if (flock(l->lock_fd, LOCK_EX | LOCK_NB) != 0)
        return errno == EWOULDBLOCK
                   ? error_set(err, ST_CONFLICT, E_L201, "Another process is using it.")
                   : error_set(err, ST_IO, E_L206, "Its lock cannot be taken: %s.",
                               strerror(errno));
    return ST_OK;
}

static enum status execute(struct ledger_sqlite *l, const char *sql, struct error *err)
{
    int rc = sqlite3_exec(l->locked.db, sql, NULL, NULL, NULL);
    if (rc == SQLITE_OK)
        return ST_OK;
    int kind = rc & 0xff;
    return error_set(err,
                     kind == SQLITE_NOTADB || kind == SQLITE_CORRUPT ? ST_BAD_ITEM
                     : kind == SQLITE_NOMEM                          ? ST_NO_MEMORY
                     : kind == SQLITE_BUSY                           ? ST_RETRY
                                                                     : ST_IO,
                     E_L206, "Cannot be used: %s.", sqlite3_errstr(rc));
}

/* The first column of the first row, as a number. */
static enum status ask(struct ledger_sqlite *l, const char *sql, int64_t *number, bool *is_ok_text,
                       struct error *err)
{
    sqlite3_stmt *s = NULL;
    int rc = sqlite3_prepare_v2(l->locked.db, sql, -1, &s, NULL);
    if (rc == SQLITE_OK)
        rc = sqlite3_step(s);
    enum status st = ST_OK;
    if (rc == SQLITE_ROW) {
        *number = sqlite3_column_int64(s, 0);
        const unsigned char *text = sqlite3_column_text(s, 0);
        *is_ok_text = text != NULL && strcmp((const char *)text, "ok") == 0;
    } else {
        int kind = rc & 0xff;
        st = error_set(err, kind == SQLITE_NOTADB || kind == SQLITE_CORRUPT ? ST_BAD_ITEM : ST_IO,
                       E_L206, "Cannot be read: %s.", sqlite3_errstr(rc));
    }
    sqlite3_finalize(s);
    return st;
}

/* Version 1 knew neither what became of requests in doubt nor tags of contents. */
static const char FROM_1[] =
    "BEGIN IMMEDIATE;"
    "ALTER TABLE part ADD COLUMN resolved_applied INTEGER NOT NULL DEFAULT 0;"
    "ALTER TABLE part ADD COLUMN resolved_absent INTEGER NOT NULL DEFAULT 0;"
    "ALTER TABLE member ADD COLUMN tag INTEGER NOT NULL DEFAULT 0;"
    "PRAGMA user_version = 2; COMMIT";

static enum status upgrade(struct ledger_sqlite *l, struct error *err)
{
    if (l->read_only)
        return error_set(err, ST_BAD_ITEM, E_L205,
                         "Is of an earlier version: a worker, or `resolve`, brings it up to date.");
    return execute(l, FROM_1, err);
}

/* Nothing in the file is run or trusted before this has passed. */
static enum status check_content(struct ledger_sqlite *l, struct error *err)
{
    int64_t id = 0, version = 0, tables = 0;
    bool ok = false;
    enum status st = ask(l, "PRAGMA application_id", &id, &ok, err);
    if (st == ST_OK)
        st = ask(l, "PRAGMA user_version", &version, &ok, err);
    if (st == ST_OK)
        st = ask(l, "SELECT count(*) FROM sqlite_master", &tables, &ok, err);
    if (st != ST_OK)
        return st;
    if (id == 0 && version == 0 && tables == 0) {
        if (l->read_only)
            return error_set(err, ST_MISSING, E_L204, "Is empty.");
        char sql[2400];
        int n = snprintf(sql, sizeof sql,
                         "BEGIN IMMEDIATE; %s PRAGMA application_id = %d;"
                         " PRAGMA user_version = %d; COMMIT",
                         SCHEMA, APPLICATION_ID, SCHEMA_VERSION);
        if (n < 0 || (size_t)n >= sizeof sql)
            return error_set(err, ST_TOO_BIG, E_L204, "The schema is too long.");
        return execute(l, sql, err);
    }
    if (id != APPLICATION_ID)
        return error_set(err, ST_BAD_ITEM, E_L204, "Is a SQLite file of something else.");
    if (version != SCHEMA_VERSION && version != 1)
        return error_set(err, ST_BAD_ITEM, E_L205,
                         "Has schema version %" PRId64 ", this program knows %d.", version,
                         SCHEMA_VERSION);
    st = ask(l, "PRAGMA quick_check(1)", &tables, &ok, err);
    if (st == ST_OK && !ok)
        st = error_set(err, ST_BAD_ITEM, E_L204, "Is damaged.");
    if (st == ST_OK && version == 1)
        st = upgrade(l, err);
    return st;
}

enum status sqlite_open_file(struct ledger_sqlite *l, const struct ledger_sqlite_options *o,
                             struct error *err)
{
    int flags = o->read_only ? SQLITE_OPEN_READONLY : SQLITE_OPEN_READWRITE;
    int rc = sqlite3_open_v2(o->path, &l->locked.db, flags | SQLITE_OPEN_NOMUTEX, o->vfs);
    if (rc != SQLITE_OK)
        return error_set(err, ST_IO, E_L206, "Cannot be opened: %s.", sqlite3_errstr(rc));
    sqlite3_extended_result_codes(l->locked.db, 1);
    sqlite3_busy_timeout(l->locked.db, BUSY_MS);
    sqlite3_db_config(l->locked.db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
    sqlite3_db_config(l->locked.db, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL);
    sqlite3_db_config(l->locked.db, SQLITE_DBCONFIG_ENABLE_TRIGGER, 0, NULL);
    sqlite3_db_config(l->locked.db, SQLITE_DBCONFIG_ENABLE_VIEW, 0, NULL);
    sqlite3_db_config(l->locked.db, SQLITE_DBCONFIG_DQS_DDL, 0, NULL);
    sqlite3_db_config(l->locked.db, SQLITE_DBCONFIG_DQS_DML, 0, NULL);
    enum status st = execute(
        l, "PRAGMA trusted_schema = OFF; PRAGMA cell_size_check = ON; PRAGMA mmap_size = 0", err);
    if (st == ST_OK)
        st = check_content(l, err);
    if (st == ST_OK && !o->read_only)
        st = execute(l, "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL", err);
    return st == ST_OK ? file_prepare(l, err) : st;
}
