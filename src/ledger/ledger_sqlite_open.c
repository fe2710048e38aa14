/*
 * ledger_sqlite_open.c: whose the file may be, its tables, and how older ones are brought up to
 * date.  What may be in it is checked by base/sqlite_file.h, as for every SQLite file.
 */
#include "ledger/ledger_sqlite_private.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"

enum {
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

const struct sqlite_kind LEDGER_FILE = {
    .noun = "the ledger",
    .advice = "restore it from a backup, or use the version of this program that wrote it",
    .application_id = 0x424d4c47, /* "BMLG" */
    .version = 3,
    .oldest = 1,
    .sealed = 3,
    .is_altered = true,
    .schema = SCHEMA,
    .foreign = E_L204,
    .other_version = E_L205,
    .damaged = E_L204,
    .fault = E_L206,
    .in_use = E_L201,
};

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

/* A new ledger knows of nothing that was counted before: not what somebody who lost one wants. */
enum status sqlite_create_private(const char *path, bool must_exist, struct error *err)
{
    if (must_exist && access(path, F_OK) != 0 && errno == ENOENT)
        return error_set(err, ST_USAGE, E_L203,
                         "There is no ledger, and LEDGER_MUST_EXIST does not let one be created.");
    int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0)
        return errno == EEXIST
                   ? ST_OK
                   : error_set(err, ST_IO, E_L206, "Cannot be made: %s.", strerror(errno));
    close(fd); /* before SQLite opens it, see above */
    LOG_FAULT(LOG_WARN, E_L111, "new ledger: what was counted before it is not known",
              log_cstr("file", path));
    return ST_OK;
}

/* Version 1 knew neither what became of requests in doubt nor tags of contents. */
static const char FROM_1[] =
    "BEGIN IMMEDIATE;"
    "ALTER TABLE part ADD COLUMN resolved_applied INTEGER NOT NULL DEFAULT 0;"
    "ALTER TABLE part ADD COLUMN resolved_absent INTEGER NOT NULL DEFAULT 0;"
    "ALTER TABLE member ADD COLUMN tag INTEGER NOT NULL DEFAULT 0;"
    "PRAGMA user_version = 2; COMMIT";

/* Version 2 had no checksums of its pages. */
static enum status upgrade(struct ledger_sqlite *l, int version, struct error *err)
{
    sqlite3 *db = l->locked.db;
    if (l->read_only)
        return error_set(err, ST_BAD_ITEM, E_L205,
                         "is of an earlier version: a worker, or `resolve`, brings it up to date");
    int code = version == 1 ? sqlite3_exec(db, FROM_1, NULL, NULL, NULL) : SQLITE_OK;
    enum status st = code == SQLITE_OK ? ST_OK : sqlite_file_fault(&LEDGER_FILE, db, code, err);
    if (st == ST_OK)
        st = sqlite_file_seal(&LEDGER_FILE, db, err);
    if (st == ST_OK &&
        (code = sqlite3_exec(db, "PRAGMA user_version = 3", NULL, NULL, NULL)) != SQLITE_OK)
        st = sqlite_file_fault(&LEDGER_FILE, db, code, err);
    return st;
}

enum status sqlite_open_file(struct ledger_sqlite *l, const struct ledger_sqlite_options *o,
                             struct error *err)
{
    int version = 0;
    const struct sqlite_options options = {
        .path = o->path, .vfs = o->vfs, .read_only = o->read_only, .busy_ms = BUSY_MS};
    enum status st = sqlite_file_open(&LEDGER_FILE, &options, &l->locked.db, &version, err);
    if (st == ST_OK && version < LEDGER_FILE.version)
        st = upgrade(l, version, err);
    return st == ST_OK ? file_prepare(l, err) : st;
}
