/*
 * sqlite_file.c: the opening rules, once for the ledger and the store.
 *
 * The order matters.  Even a connection that only reads would leave a log and an index next to a
 * strange file, so its header is read as plain bytes first.
 */
#include "base/sqlite_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/sqlite_seal.h"

enum {
    HEADER_BYTES = 100,
    SCHEMA_AT = 40,
    VERSION_AT = 60,
    APPLICATION_AT = 68,
    URI_CEILING = 16384
};

static int32_t be32(const unsigned char *p)
{
    return (int32_t)((uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3]);
}

static enum status empty(const struct sqlite_kind *k, bool read_only, struct error *err)
{
    return read_only ? error_set(err, ST_MISSING, k->foreign, "%s is empty", k->noun) : ST_OK;
}

static enum status foreign(const struct sqlite_kind *k, const char *what, struct error *err)
{
    return error_set(err, ST_BAD_ITEM, k->foreign, "the file is not a %s of this program: it %s",
                     k->noun + strlen("the "), what);
}

static enum status damaged(const struct sqlite_kind *k, const char *how, struct error *err)
{
    return error_set(err, ST_BAD_ITEM, k->damaged, "%s is damaged: %s; %s", k->noun, how,
                     k->advice);
}

enum status sqlite_file_fault(const struct sqlite_kind *k, sqlite3 *db, int code, struct error *err)
{
    if (code == SQLITE_IOERR_DATA)
        return damaged(k, "the disk gave other bytes than were written", err);
    const char *text = db == NULL ? sqlite3_errstr(code) : sqlite3_errmsg(db);
    switch (code & 0xff) {
    case SQLITE_NOMEM: return error_set(err, ST_NO_MEMORY, E_R113, "out of memory");
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB: return damaged(k, text, err);
    case SQLITE_PERM:
    case SQLITE_READONLY:
    case SQLITE_CANTOPEN: return error_set(err, ST_DENIED, k->fault, "%s: %s", k->noun, text);
    case SQLITE_BUSY: return error_set(err, ST_RETRY, k->fault, "%s: %s", k->noun, text);
    default: return error_set(err, ST_IO, k->fault, "%s: %s", k->noun, text);
    }
}

/* ---- before SQLite ---- */

static bool has_side_file(const char *path, const char *suffix)
{
    char name[SEAL_PATH_BYTES];
    struct stat info;
    int n = snprintf(name, sizeof(name), "%s%s", path, suffix);
    return n > 0 && (size_t)n < sizeof(name) && stat(name, &info) == 0 && info.st_size > 0;
}

/* SQLite opens them without looking, and waits where one is a pipe. */
static enum status check_side_files(const struct sqlite_kind *k, const char *path,
                                    struct error *err)
{
    static const char *const suffixes[] = {"-wal", "-shm", "-journal", "-lock"};
    char *real = realpath(path, NULL); /* SQLite has them next to the file that a link leads to */
    const char *places[] = {path, real != NULL ? real : path};
    enum status st = ST_OK;
    for (size_t i = 0; i < 2 * sizeof(suffixes) / sizeof(suffixes[0]) && st == ST_OK; i++) {
        char name[SEAL_PATH_BYTES];
        struct stat info;
        int n = snprintf(name, sizeof(name), "%s%s", places[i % 2], suffixes[i / 2]);
        if (n > 0 && (size_t)n < sizeof(name) && lstat(name, &info) == 0 && !S_ISREG(info.st_mode))
            st = error_set(err, ST_IO, k->fault, "%s: %s is not a regular file; remove it", k->noun,
                           name);
    }
    free(real);
    return st;
}

static enum status check_version(const struct sqlite_kind *k, int version, struct error *err)
{
    if (version >= k->oldest && version <= k->version)
        return ST_OK;
    return error_set(err, ST_BAD_ITEM, k->other_version,
                     "%s has version %d, this program needs %d: %s", k->noun, version, k->version,
                     k->advice);
}

enum status sqlite_file_check(const struct sqlite_kind *k, const char *path, bool read_only,
                              struct error *err)
{
    unsigned char header[HEADER_BYTES];
    struct stat info;
    enum status st = check_side_files(k, path, err);
    if (st != ST_OK)
        return st;
    /* Not to wait for the other end of a pipe. */
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0 && errno == ENOENT && !read_only)
        return ST_OK;
    if (fd < 0)
        return error_set(err,
                         errno == ENOENT                     ? ST_MISSING
                         : errno == EACCES || errno == EPERM ? ST_DENIED
                                                             : ST_IO,
                         code_of_errno(errno, k->fault), "%s: %s", path, strerrordesc_np(errno));
    bool regular = fstat(fd, &info) == 0 && S_ISREG(info.st_mode);
    ssize_t n = regular ? pread(fd, header, sizeof(header), 0) : 0;
    close(fd);
    if (!regular)
        return foreign(k, "is not a regular file", err);
    if (n < 0)
        return error_set(err, ST_IO, k->fault, "%s: %s", path, strerrordesc_np(errno));
    if (n == 0)
        return empty(k, read_only, err);
    /* With a journal it may be one whose making was cut off by a loss of power. */
    if (n != HEADER_BYTES || memcmp(header, "SQLite format 3", 16) != 0)
        return has_side_file(path, "-journal") && !read_only
                   ? ST_OK
                   : foreign(k, "is not a SQLite file", err);
    int32_t id = be32(header + APPLICATION_AT), version = be32(header + VERSION_AT);
    /* Nothing was ever made in it: left by one that was stopped while making it. */
    if (id == 0 && version == 0 && be32(header + SCHEMA_AT) == 0)
        return empty(k, read_only, err);
    if (id != k->application_id)
        return foreign(k, "is a SQLite file of something else", err);
    st = check_version(k, version, err);
    if (st != ST_OK)
        return st;
    st = seal_check_log(path);
    if (st == ST_NO_MEMORY)
        return error_set(err, st, E_R113, "out of memory");
    return st == ST_OK ? ST_OK
                       : damaged(k, "its write-ahead log lacks what was committed to it", err);
}

enum status sqlite_file_lock(const struct sqlite_kind *k, const char *path, int *fd,
                             struct error *err)
{
    char name[SEAL_PATH_BYTES];
    int n = snprintf(name, sizeof(name), "%s-lock", path);
    *fd = -1;
    if (n < 0 || (size_t)n >= sizeof(name))
        return error_set(err, ST_USAGE, k->fault, "%s: the path is too long", k->noun);
    *fd = open(name, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (*fd < 0)
        return error_set(err, errno == EACCES || errno == EPERM ? ST_DENIED : ST_IO,
                         code_of_errno(errno, k->fault), "%s: %s", name, strerrordesc_np(errno));
    if (flock(*fd, LOCK_EX | LOCK_NB) == 0)
        return ST_OK;
    return errno == EWOULDBLOCK
               ? error_set(err, ST_CONFLICT, k->in_use, "%s is in use by another process", path)
               : error_set(err, ST_IO, k->fault, "%s: %s", name, strerrordesc_np(errno));
}

/* ---- what is in it ---- */

/* The first column of the first row: a number, and whether it is the text. */
static int ask(sqlite3 *db, const char *sql, const char *text, int64_t *number, bool *same)
{
    sqlite3_stmt *s = NULL;
    int code = sqlite3_prepare_v2(db, sql, -1, &s, NULL);
    if (code == SQLITE_OK)
        code = sqlite3_step(s);
    if (code == SQLITE_ROW) {
        const char *found = (const char *)sqlite3_column_text(s, 0);
        *number = sqlite3_column_int64(s, 0);
        *same = found != NULL && text != NULL && strcmp(found, text) == 0;
        code = SQLITE_OK;
    }
    sqlite3_finalize(s);
    return code;
}

static int run(sqlite3 *db, const char *sql)
{
    return sqlite3_exec(db, sql, NULL, NULL, NULL);
}

/* Whether the schema is the one that our own text makes. */
static int has_own_schema(const struct sqlite_kind *k, sqlite3 *db, bool *same)
{
    const char *all = k->is_altered ? "SELECT group_concat(type || name) FROM"
                                      " (SELECT * FROM sqlite_schema ORDER BY type, name)"
                                    : "SELECT group_concat(type || name || ifnull(sql, '')) FROM"
                                      " (SELECT * FROM sqlite_schema ORDER BY type, name)";
    sqlite3 *own = NULL;
    sqlite3_stmt *s = NULL;
    int64_t number;
    int code = sqlite3_open_v2(":memory:", &own, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, NULL);
    if (code == SQLITE_OK)
        code = run(own, k->schema);
    if (code == SQLITE_OK)
        code = sqlite3_prepare_v2(own, all, -1, &s, NULL);
    if (code == SQLITE_OK && sqlite3_step(s) == SQLITE_ROW)
        code = ask(db, all, (const char *)sqlite3_column_text(s, 0), &number, same);
    sqlite3_finalize(s);
    sqlite3_close(own);
    return code;
}

/* Nothing in the file is run or trusted before this has passed. */
static enum status check_content(const struct sqlite_kind *k, sqlite3 *db, int version,
                                 struct error *err)
{
    int64_t code_in_it = 0, unused;
    bool same = false;
    int code = ask(db,
                   "SELECT count(*) FROM sqlite_schema WHERE type IN ('trigger', 'view')"
                   " OR (type = 'table' AND (rootpage IS NULL OR rootpage = 0))",
                   NULL, &code_in_it, &same);
    if (code == SQLITE_OK && code_in_it == 0)
        code = ask(db,
                   "SELECT count(*) FROM sqlite_schema AS s, pragma_table_xinfo(s.name) AS c"
                   " WHERE s.type = 'table' AND c.hidden <> 0",
                   NULL, &code_in_it, &same);
    if (code != SQLITE_OK)
        return sqlite_file_fault(k, db, code, err);
    if (code_in_it != 0)
        return foreign(k, "has triggers, views or computed columns, which are not obeyed", err);
    code = version == k->version ? has_own_schema(k, db, &same) : SQLITE_OK;
    if (code == SQLITE_OK && version == k->version && !same)
        return foreign(k, "does not have the expected tables", err);
    if (code == SQLITE_OK)
        code = ask(db, "PRAGMA quick_check(1)", "ok", &unused, &same);
    if (code != SQLITE_OK)
        return sqlite_file_fault(k, db, code, err);
    if (!same)
        return damaged(k, "its pages do not fit together", err);
    if (k->sealed != 0 && version >= k->sealed && !seal_is_sealed(db))
        return damaged(k, "its pages have no checksums", err);
    return ST_OK;
}

/* In a rollback journal, so that what it is stands in its header as soon as anything does. */
static enum status create(const struct sqlite_kind *k, sqlite3 *db, struct error *err)
{
    char *sql = sqlite3_mprintf("BEGIN IMMEDIATE; %s PRAGMA application_id = %d;"
                                " PRAGMA user_version = %d; COMMIT",
                                k->schema, k->application_id, k->version);
    if (k->sealed != 0)
        seal_new_file(db);
    int code = sql == NULL ? SQLITE_NOMEM : run(db, sql);
    sqlite3_free(sql);
    return code == SQLITE_OK ? ST_OK : sqlite_file_fault(k, db, code, err);
}

/* ---- opening ---- */

static void harden(sqlite3 *db, int busy_ms)
{
    static const struct {
        int what, on;
    } settings[] = {
        {SQLITE_DBCONFIG_DEFENSIVE, 1},      {SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0},
        {SQLITE_DBCONFIG_ENABLE_TRIGGER, 0}, {SQLITE_DBCONFIG_ENABLE_VIEW, 0},
        {SQLITE_DBCONFIG_DQS_DDL, 0},        {SQLITE_DBCONFIG_DQS_DML, 0},
    };
    sqlite3_extended_result_codes(db, 1);
    sqlite3_busy_timeout(db, busy_ms);
    for (size_t i = 0; i < sizeof(settings) / sizeof(settings[0]); i++)
        sqlite3_db_config(db, settings[i].what, settings[i].on, NULL);
}

/* "file:/a%20b?immutable=1": SQLite then takes no locks and looks for no log. */
static enum status immutable_uri(const char *path, struct buf *out)
{
    buf_init(out, URI_CEILING);
    buf_add_cstr(out, "file:");
    for (const char *c = path; *c != '\0'; c++) {
        if (strchr("%?#", *c) != NULL)
            buf_printf(out, "%%%02X", (unsigned)(unsigned char)*c);
        else
            buf_add_char(out, *c);
    }
    buf_add_cstr(out, "?immutable=1");
    return buf_cstr(out) == NULL ? ST_NO_MEMORY : ST_OK;
}

static int open_at(const char *name, int flags, const struct sqlite_options *o, sqlite3 **db,
                   int64_t *version)
{
    const char *vfs = seal_vfs(o->vfs);
    bool same;
    sqlite3_close(*db);
    *db = NULL;
    int code =
        vfs == NULL ? SQLITE_NOMEM : sqlite3_open_v2(name, db, flags | SQLITE_OPEN_NOMUTEX, vfs);
    if (code == SQLITE_OK) {
        harden(*db, o->busy_ms);
        code = run(*db, "PRAGMA cell_size_check = ON; PRAGMA mmap_size = 0");
    }
    /* The first that reads it. */
    return code == SQLITE_OK ? ask(*db, "PRAGMA user_version", NULL, version, &same) : code;
}

enum status sqlite_file_open(const struct sqlite_kind *k, const struct sqlite_options *o,
                             sqlite3 **out, int *version, struct error *err)
{
    int64_t id = 0, found = 0;
    bool same;
    *out = NULL;
    int code = open_at(o->path, o->read_only ? SQLITE_OPEN_READONLY : SQLITE_OPEN_READWRITE, o, out,
                       &found);
    int kind = code & 0xff;
    if (o->read_only && (kind == SQLITE_CANTOPEN || kind == SQLITE_READONLY)) {
        struct buf uri;
        if (has_side_file(o->path, "-wal"))
            return error_set(err, ST_DENIED, k->fault,
                             "%s: its write-ahead log %s-wal cannot be read where nothing can be "
                             "written: copy both files to a folder that can be written",
                             k->noun, o->path);
        code =
            immutable_uri(o->path, &uri) != ST_OK
                ? SQLITE_NOMEM
                : open_at(buf_cstr(&uri), SQLITE_OPEN_READONLY | SQLITE_OPEN_URI, o, out, &found);
        buf_clear(&uri);
    }
    if (code == SQLITE_OK)
        code = ask(*out, "PRAGMA application_id", NULL, &id, &same);
    if (code != SQLITE_OK)
        return sqlite_file_fault(k, *out, code, err);
    enum status st = ST_OK;
    if (id == 0 && found == 0 && !o->read_only) {
        found = k->version;
        st = create(k, *out, err);
    } else if (id != k->application_id) {
        st = foreign(k, "is a SQLite file of something else", err);
    } else {
        st = check_version(k, (int)found, err);
    }
    if (st == ST_OK && !o->again)
        st = check_content(k, *out, (int)found, err);
    if (st == ST_OK && !o->read_only &&
        (code = run(*out, "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL")) != SQLITE_OK)
        st = sqlite_file_fault(k, *out, code, err);
    *version = (int)found;
    return st;
}

enum status sqlite_file_seal(const struct sqlite_kind *k, sqlite3 *db, struct error *err)
{
    int code = seal_old_file(db);
    if (code != SQLITE_OK)
        return sqlite_file_fault(k, db, code, err);
    return seal_is_sealed(db) ? ST_OK : damaged(k, "its pages have no checksums", err);
}
