/*
 * The ledger of one host: a SQLite file in WAL mode with synchronous=FULL, so that what a call
 * answered ST_OK survives a loss of power.
 *
 * One writing process: an flock on PATH-lock, taken before the file is touched.  Not on the file
 * itself, because SQLite locks that with fcntl, and closing any other descriptor of it in this
 * process would drop those locks.  Within the process a mutex makes each call one transaction.
 *
 * The file is treated as hostile until it is known to be ours: permissions first, then no code in
 * the schema (trusted_schema off, defensive), application id, version, quick_check.
 */
#include "ledger/ledger.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <pthread.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"

enum {
    APPLICATION_ID = 0x424d4c47, /* "BMLG" */
    SCHEMA_VERSION = 1,
    BUSY_MS = 5000, /* only readers of the same file can be in the way, for a checkpoint */
    PATH_BYTES = 4096,
};

static const char SCHEMA[] =
    "CREATE TABLE object (id BLOB PRIMARY KEY, owner BLOB NOT NULL, claimed_ms INTEGER NOT NULL)"
    " WITHOUT ROWID;"
    "CREATE TABLE batch (id BLOB PRIMARY KEY, state INTEGER NOT NULL, time_ms INTEGER NOT NULL,"
    " done_ms INTEGER NOT NULL DEFAULT 0) WITHOUT ROWID;"
    "CREATE INDEX batch_open ON batch (time_ms) WHERE state = 2;"
    "CREATE TABLE member (batch BLOB NOT NULL, object BLOB NOT NULL, PRIMARY KEY (batch, object))"
    " WITHOUT ROWID;"
    "CREATE TABLE part (batch BLOB NOT NULL, i INTEGER NOT NULL, state INTEGER NOT NULL,"
    " payload INTEGER NOT NULL, first INTEGER NOT NULL, count INTEGER NOT NULL,"
    " tokens INTEGER NOT NULL, attempt INTEGER NOT NULL, resent INTEGER NOT NULL,"
    " nonce BLOB NOT NULL, minute INTEGER NOT NULL, slot INTEGER NOT NULL,"
    " digit INTEGER NOT NULL, date_ms INTEGER NOT NULL, control_minute INTEGER NOT NULL,"
    " control_slot INTEGER NOT NULL, control_digit INTEGER NOT NULL,"
    " control_ms INTEGER NOT NULL, PRIMARY KEY (batch, i)) WITHOUT ROWID;"
    "CREATE TABLE payload (batch BLOB NOT NULL, i INTEGER NOT NULL, body BLOB NOT NULL,"
    " PRIMARY KEY (batch, i));"
    "CREATE TABLE marker (minute INTEGER PRIMARY KEY, n INTEGER NOT NULL);"
    "CREATE TABLE quarantine (id BLOB PRIMARY KEY, bucket BLOB NOT NULL, key BLOB NOT NULL,"
    " reason BLOB NOT NULL, time_ms INTEGER NOT NULL) WITHOUT ROWID;";

#define PART_COLUMNS                                                                               \
    "state, payload, first, count, tokens, attempt, resent, nonce, minute, slot, digit, date_ms,"  \
    " control_minute, control_slot, control_digit, control_ms"
enum { PART_FIELDS = 16 };

enum sql {
    SQL_BEGIN_READ,
    SQL_BEGIN_WRITE,
    SQL_COMMIT,
    SQL_ROLLBACK,
    SQL_OBJECT_INSERT,
    SQL_OBJECT_TAKE,
    SQL_OBJECT_GET,
    SQL_BATCH_INSERT,
    SQL_BATCH_GET,
    SQL_BATCH_DONE,
    SQL_BATCH_OPEN,
    SQL_BATCH_RANGE,
    SQL_MEMBER_INSERT,
    SQL_MEMBER_LIST,
    SQL_MEMBER_HAS,
    SQL_PART_INSERT,
    SQL_PART_LIST,
    SQL_PART_COUNT,
    SQL_PART_UPDATE,
    SQL_PART_ALL,
    SQL_PAYLOAD_INSERT,
    SQL_PAYLOAD_GET,
    SQL_MARKER,
    SQL_MARKER_GET,
    SQL_QUARANTINE_PUT,
    SQL_QUARANTINE_HAS,
    SQL_QUARANTINE_LIST,
    SQL_QUARANTINE_DELETE,
    SQL_COUNTS,
    SQL_PRUNE_OBJECTS,
    SQL_PRUNE_BATCHES,
    SQL_PRUNE_MEMBERS,
    SQL_PRUNE_PARTS,
    SQL_PRUNE_PAYLOADS,
    SQL_PRUNE_MARKERS,
    SQL_N,
};

static const char *const SQL_TEXT[SQL_N] = {
    [SQL_BEGIN_READ] = "BEGIN",
    [SQL_BEGIN_WRITE] = "BEGIN IMMEDIATE",
    [SQL_COMMIT] = "COMMIT",
    [SQL_ROLLBACK] = "ROLLBACK",
    [SQL_OBJECT_INSERT] = "INSERT INTO object (id, owner, claimed_ms) VALUES (?1, ?2, ?3)"
                          " ON CONFLICT (id) DO NOTHING",
    [SQL_OBJECT_TAKE] =
        "UPDATE object SET owner = ?2, claimed_ms = ?3 WHERE id = ?1 AND owner = ?4",
    [SQL_OBJECT_GET] = "SELECT owner, claimed_ms FROM object WHERE id = ?1",
    [SQL_BATCH_INSERT] = "INSERT INTO batch (id, state, time_ms) VALUES (?1, ?2, ?3)"
                         " ON CONFLICT (id) DO NOTHING",
    [SQL_BATCH_GET] = "SELECT state, time_ms FROM batch WHERE id = ?1",
    [SQL_BATCH_DONE] = "UPDATE batch SET state = 3, done_ms = ?2 WHERE id = ?1 AND state = 2 AND"
                       " NOT EXISTS (SELECT 1 FROM part WHERE batch = ?1 AND state < 2)",
    [SQL_BATCH_OPEN] = "SELECT id FROM batch WHERE state = 2 AND time_ms < ?1"
                       " ORDER BY time_ms LIMIT ?2",
    [SQL_BATCH_RANGE] = "SELECT id, state, time_ms FROM batch WHERE state >= 2 AND time_ms >= ?1"
                        " AND time_ms < ?2",
    [SQL_MEMBER_INSERT] = "INSERT INTO member (batch, object) VALUES (?1, ?2)",
    [SQL_MEMBER_LIST] = "SELECT object FROM member WHERE batch = ?1",
    [SQL_MEMBER_HAS] = "SELECT 1 FROM member WHERE batch = ?1 AND object = ?2",
    [SQL_PART_INSERT] = "INSERT INTO part (batch, i, " PART_COLUMNS ") VALUES"
                        " (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16,"
                        " ?17, ?18)",
    [SQL_PART_LIST] = "SELECT " PART_COLUMNS " FROM part WHERE batch = ?1 ORDER BY i",
    [SQL_PART_COUNT] = "SELECT count(*) FROM part WHERE batch = ?1",
    [SQL_PART_UPDATE] = "UPDATE part SET (" PART_COLUMNS ") = (?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10,"
                        " ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18)"
                        " WHERE batch = ?1 AND i = ?2 AND nonce = ?19",
    [SQL_PART_ALL] = "SELECT state, tokens, resent FROM part",
    [SQL_PAYLOAD_INSERT] = "INSERT INTO payload (batch, i, body) VALUES (?1, ?2, ?3)",
    [SQL_PAYLOAD_GET] = "SELECT body FROM payload WHERE batch = ?1 AND i = ?2",
    [SQL_MARKER] = "INSERT INTO marker (minute, n) VALUES (?1, 0)"
                   " ON CONFLICT (minute) DO UPDATE SET n = n + 1",
    [SQL_MARKER_GET] = "SELECT n FROM marker WHERE minute = ?1",
    [SQL_QUARANTINE_PUT] = "INSERT OR REPLACE INTO quarantine (id, bucket, key, reason, time_ms)"
                           " VALUES (?1, ?2, ?3, ?4, ?5)",
    [SQL_QUARANTINE_HAS] = "SELECT 1 FROM quarantine WHERE id = ?1",
    [SQL_QUARANTINE_LIST] = "SELECT id, bucket, key, reason, time_ms FROM quarantine"
                            " ORDER BY time_ms, id",
    [SQL_QUARANTINE_DELETE] = "DELETE FROM quarantine WHERE id = ?1",
    [SQL_COUNTS] = "SELECT (SELECT count(*) FROM object), (SELECT count(*) FROM quarantine),"
                   " (SELECT count(*) FROM batch WHERE state = 2),"
                   " (SELECT count(*) FROM batch WHERE state = 3),"
                   " (SELECT count(*) FROM batch WHERE state = 1),"
                   " (SELECT ifnull(min(time_ms), 0) FROM batch WHERE state = 2)",
    /* An object goes before its batch, and never while the batch is open. */
    [SQL_PRUNE_OBJECTS] = "DELETE FROM object WHERE claimed_ms < ?1 AND owner NOT IN"
                          " (SELECT id FROM batch WHERE state = 2 OR max(time_ms, done_ms) >= ?1)",
    [SQL_PRUNE_BATCHES] = "DELETE FROM batch WHERE state <> 2 AND max(time_ms, done_ms) < ?1"
                          " AND id NOT IN (SELECT owner FROM object)",
    [SQL_PRUNE_MEMBERS] = "DELETE FROM member WHERE batch NOT IN (SELECT id FROM batch)",
    [SQL_PRUNE_PARTS] = "DELETE FROM part WHERE batch NOT IN (SELECT id FROM batch)",
    [SQL_PRUNE_PAYLOADS] = "DELETE FROM payload WHERE batch NOT IN (SELECT id FROM batch)",
    [SQL_PRUNE_MARKERS] = "DELETE FROM marker WHERE minute < ?1 / 60000",
};

struct ledger_sqlite {
    struct ledger head;
    pthread_mutex_t mutex;
    struct {         /* guarded by the mutex */
        sqlite3 *db; /* NULL after a fault */
        sqlite3_stmt *statements[SQL_N];
    } locked;
    bool read_only;
    int lock_fd;
};

static struct ledger_sqlite *self(struct ledger *l)
{
    return (struct ledger_sqlite *)l;
}

static void close_file(struct ledger_sqlite *l)
{
    for (int i = 0; i < SQL_N; i++) {
        sqlite3_finalize(l->locked.statements[i]);
        l->locked.statements[i] = NULL;
    }
    sqlite3_close(l->locked.db);
    l->locked.db = NULL;
}

/* What a result code means for the caller; closes the file when it can no longer be trusted. */
static enum status status_of(struct ledger_sqlite *l, int rc)
{
    switch (rc & 0xff) {
    case SQLITE_OK:
    case SQLITE_ROW:
    case SQLITE_DONE: return ST_OK;
    case SQLITE_BUSY:
    case SQLITE_LOCKED: return ST_RETRY;
    case SQLITE_NOMEM: return ST_NO_MEMORY;
    default: break;
    }
    LOG_EVENT(LOG_ERROR, "ledger closed after a fault of its file",
              log_cstr("file", l->locked.db == NULL ? "" : sqlite3_db_filename(l->locked.db, NULL)),
              log_cstr("reason", sqlite3_errstr(rc)), log_u64("sqlite_code", (uint64_t)rc));
    close_file(l);
    return ST_IO;
}

/* ---- statements ---- */

static sqlite3_stmt *statement(struct ledger_sqlite *l, enum sql which)
{
    sqlite3_stmt *s = l->locked.statements[which];
    sqlite3_reset(s);
    return s;
}

static void bind_bytes(sqlite3_stmt *s, int at, const void *bytes, size_t n)
{
    /* A NULL pointer would bind NULL.  Binding can only fail for lack of memory, which stepping a
     * NOT NULL column then reports. */
    sqlite3_bind_blob(s, at, n == 0 ? "" : bytes, (int)n, SQLITE_STATIC);
}

static void bind_nonce(sqlite3_stmt *s, int at, const struct ledger_nonce *n)
{
    bind_bytes(s, at, n->bytes, sizeof n->bytes);
}

static void bind_id(sqlite3_stmt *s, int at, const struct ledger_id *id)
{
    bind_bytes(s, at, id->bytes, sizeof id->bytes);
}

/* ST_OK: there is a row (or, for a writing statement, it is done); ST_MISSING: there is none. */
static enum status step_row(struct ledger_sqlite *l, sqlite3_stmt *s)
{
    int rc = sqlite3_step(s);
    if (rc == SQLITE_DONE)
        return ST_MISSING;
    return status_of(l, rc);
}

static enum status step_done(struct ledger_sqlite *l, sqlite3_stmt *s)
{
    enum status st = status_of(l, sqlite3_step(s));
    if (l->locked.db != NULL)
        sqlite3_reset(s);
    return st;
}

static bool changed(struct ledger_sqlite *l)
{
    return sqlite3_changes(l->locked.db) > 0;
}

/* A blob of exactly n bytes; anything else is a damaged record. */
static enum status column_bytes(sqlite3_stmt *s, int at, void *out, size_t n)
{
    const void *bytes = sqlite3_column_blob(s, at);
    if (bytes == NULL || sqlite3_column_bytes(s, at) != (int)n)
        return ST_BAD_ITEM;
    memcpy(out, bytes, n);
    return ST_OK;
}

static enum status begin(struct ledger_sqlite *l, bool write)
{
    pthread_mutex_lock(&l->mutex);
    if (l->locked.db == NULL)
        return ST_IO;
    if (write && l->read_only)
        return ST_DENIED;
    return step_done(l, statement(l, write ? SQL_BEGIN_WRITE : SQL_BEGIN_READ));
}

/* End what begin() began: keep it if st is ST_OK.  Returns st, or what the commit came to. */
static enum status finish(struct ledger_sqlite *l, enum status st)
{
    if (l->locked.db != NULL) {
        for (int i = 0; i < SQL_N; i++)
            sqlite3_reset(l->locked.statements[i]);
        if (st == ST_OK)
            st = step_done(l, statement(l, SQL_COMMIT));
        if (l->locked.db != NULL && !sqlite3_get_autocommit(l->locked.db)) {
            enum status undo = step_done(l, statement(l, SQL_ROLLBACK));
            if (undo != ST_OK)
                st = undo;
        }
    }
    pthread_mutex_unlock(&l->mutex);
    return st;
}

/* ---- parts ---- */

static void bind_marker(sqlite3_stmt *s, int at, const struct ledger_marker *m)
{
    sqlite3_bind_int64(s, at, m->minute);
    sqlite3_bind_int(s, at + 1, m->slot);
    sqlite3_bind_int(s, at + 2, m->digit);
}

static void bind_part(sqlite3_stmt *s, const struct ledger_nonce *batch, uint16_t i,
                      const struct ledger_part *p)
{
    bind_nonce(s, 1, batch);
    sqlite3_bind_int(s, 2, i);
    sqlite3_bind_int(s, 3, p->state);
    sqlite3_bind_int(s, 4, p->payload);
    sqlite3_bind_int64(s, 5, p->first);
    sqlite3_bind_int64(s, 6, p->count);
    sqlite3_bind_int64(s, 7, (sqlite3_int64)p->tokens); /* all 64 bits; never summed in SQL */
    sqlite3_bind_int64(s, 8, p->attempt);
    sqlite3_bind_int64(s, 9, p->resent);
    bind_nonce(s, 10, &p->nonce);
    bind_marker(s, 11, &p->marker);
    sqlite3_bind_int64(s, 14, p->date_ms);
    bind_marker(s, 15, &p->control);
    sqlite3_bind_int64(s, 18, p->control_ms);
}

static struct ledger_marker column_marker(sqlite3_stmt *s, int at)
{
    return (struct ledger_marker){.minute = sqlite3_column_int64(s, at),
                                  .slot = (uint16_t)sqlite3_column_int(s, at + 1),
                                  .digit = (uint8_t)sqlite3_column_int(s, at + 2)};
}

static enum status column_part(sqlite3_stmt *s, struct ledger_part *p)
{
    *p = (struct ledger_part){.state = (uint8_t)sqlite3_column_int(s, 0),
                              .payload = (uint16_t)sqlite3_column_int(s, 1),
                              .first = (uint32_t)sqlite3_column_int64(s, 2),
                              .count = (uint32_t)sqlite3_column_int64(s, 3),
                              .tokens = (uint64_t)sqlite3_column_int64(s, 4),
                              .attempt = (uint32_t)sqlite3_column_int64(s, 5),
                              .resent = (uint32_t)sqlite3_column_int64(s, 6),
                              .marker = column_marker(s, 8),
                              .date_ms = sqlite3_column_int64(s, 11),
                              .control = column_marker(s, 12),
                              .control_ms = sqlite3_column_int64(s, 15)};
    if (p->state > PART_REJECTED)
        return ST_BAD_ITEM;
    return column_bytes(s, 7, p->nonce.bytes, sizeof p->nonce.bytes);
}

/* ---- the table of functions ---- */

static enum status claim_one(struct ledger_sqlite *l, const struct ledger_nonce *batch,
                             int64_t time_ms, const struct protocol_object *o,
                             struct protocol_claim *c)
{
    static const struct ledger_nonce none;
    bool want_absent = ledger_nonce_eq(&o->owner, &none);
    sqlite3_stmt *s = statement(l, want_absent ? SQL_OBJECT_INSERT : SQL_OBJECT_TAKE);
    bind_id(s, 1, &o->id);
    bind_nonce(s, 2, batch);
    sqlite3_bind_int64(s, 3, time_ms);
    if (!want_absent)
        bind_nonce(s, 4, &o->owner);
    enum status st = step_done(l, s);
    if (st != ST_OK)
        return st;
    *c = (struct protocol_claim){.result = CLAIM_MINE};
    if (changed(l))
        return ST_OK;
    s = statement(l, SQL_OBJECT_GET);
    bind_id(s, 1, &o->id);
    st = step_row(l, s);
    if (st == ST_MISSING) {
        c->result = CLAIM_ABSENT;
        return ST_OK;
    }
    if (st != ST_OK)
        return st;
    st = column_bytes(s, 0, c->owner.bytes, sizeof c->owner.bytes);
    c->claimed_ms = sqlite3_column_int64(s, 1);
    if (!ledger_nonce_eq(&c->owner, batch))
        c->result = CLAIM_OTHER;
    return st;
}

static enum status sqlite_claim(struct ledger *ledger, const struct ledger_nonce *batch,
                                int64_t time_ms, const struct protocol_object *objects, uint16_t n,
                                struct protocol_claim *claims)
{
    struct ledger_sqlite *l = self(ledger);
    enum status st = begin(l, true);
    for (uint16_t i = 0; i < n && st == ST_OK; i++)
        if (objects[i].state == OBJECT_CLAIM)
            st = claim_one(l, batch, time_ms, &objects[i], &claims[i]);
    return finish(l, st);
}

static enum status load_members(struct ledger_sqlite *l, struct ledger_record *out)
{
    sqlite3_stmt *s = statement(l, SQL_MEMBER_LIST);
    bind_nonce(s, 1, &out->batch.id);
    enum status st;
    while ((st = step_row(l, s)) == ST_OK) {
        if (out->batch.n_members == PROTOCOL_OBJECTS_MAX)
            return ST_BAD_ITEM;
        struct ledger_id *id = &out->members[out->batch.n_members++];
        st = column_bytes(s, 0, id->bytes, sizeof id->bytes);
        if (st != ST_OK)
            return st;
    }
    return st == ST_MISSING ? ST_OK : st;
}

static enum status load_parts(struct ledger_sqlite *l, struct ledger_record *out)
{
    sqlite3_stmt *s = statement(l, SQL_PART_LIST);
    bind_nonce(s, 1, &out->batch.id);
    enum status st;
    while ((st = step_row(l, s)) == ST_OK) {
        if (out->batch.n_parts == PROTOCOL_PARTS_MAX)
            return ST_BAD_ITEM;
        st = column_part(s, &out->batch.parts[out->batch.n_parts++]);
        if (st != ST_OK)
            return st;
    }
    return st == ST_MISSING ? ST_OK : st;
}

static enum status sqlite_load(struct ledger *ledger, const struct ledger_nonce *batch,
                               struct ledger_record *out)
{
    struct ledger_sqlite *l = self(ledger);
    enum status st = begin(l, false);
    if (st == ST_OK) {
        sqlite3_stmt *s = statement(l, SQL_BATCH_GET);
        bind_nonce(s, 1, batch);
        st = step_row(l, s);
        if (st == ST_OK) {
            out->batch.id = *batch;
            out->batch.n_members = out->batch.n_parts = 0;
            out->batch.state = (uint8_t)sqlite3_column_int(s, 0);
            out->batch.prepared_ms = sqlite3_column_int64(s, 1);
            if (out->batch.state < BATCH_ABORTED || out->batch.state > BATCH_DONE)
                st = ST_BAD_ITEM;
        }
    }
    if (st == ST_OK)
        st = load_members(l, out);
    if (st == ST_OK)
        st = load_parts(l, out);
    return finish(l, st);
}

static enum status batch_insert(struct ledger_sqlite *l, const struct ledger_nonce *batch,
                                enum ledger_batch_state state, int64_t time_ms)
{
    sqlite3_stmt *s = statement(l, SQL_BATCH_INSERT);
    bind_nonce(s, 1, batch);
    sqlite3_bind_int(s, 2, (int)state);
    sqlite3_bind_int64(s, 3, time_ms);
    enum status st = step_done(l, s);
    if (st == ST_OK && !changed(l))
        st = ST_CONFLICT;
    return st;
}

static enum status sqlite_abort(struct ledger *ledger, const struct ledger_nonce *batch,
                                int64_t time_ms)
{
    struct ledger_sqlite *l = self(ledger);
    enum status st = begin(l, true);
    if (st == ST_OK)
        st = batch_insert(l, batch, BATCH_ABORTED, time_ms);
    if (st == ST_CONFLICT) {
        sqlite3_stmt *s = statement(l, SQL_BATCH_GET);
        bind_nonce(s, 1, batch);
        st = step_row(l, s);
        if (st == ST_OK && sqlite3_column_int(s, 0) != BATCH_ABORTED)
            st = ST_CONFLICT;
    }
    return finish(l, st);
}

static enum status sqlite_prepare(struct ledger *ledger, const struct ledger_record *record,
                                  const struct view *payloads, uint16_t n_payloads)
{
    struct ledger_sqlite *l = self(ledger);
    const struct ledger_batch *b = &record->batch;
    enum status st = begin(l, true);
    if (st == ST_OK)
        st = batch_insert(l, &b->id, BATCH_PREPARED, b->prepared_ms);
    for (uint16_t i = 0; i < n_payloads && st == ST_OK; i++) {
        if (payloads[i].len > LEDGER_PAYLOAD_BYTES_MAX) {
            st = ST_TOO_BIG;
            break;
        }
        sqlite3_stmt *s = statement(l, SQL_PAYLOAD_INSERT);
        bind_nonce(s, 1, &b->id);
        sqlite3_bind_int(s, 2, i);
        bind_bytes(s, 3, payloads[i].ptr, payloads[i].len);
        st = step_done(l, s);
    }
    for (uint16_t i = 0; i < b->n_members && st == ST_OK; i++) {
        sqlite3_stmt *s = statement(l, SQL_MEMBER_INSERT);
        bind_nonce(s, 1, &b->id);
        bind_id(s, 2, &record->members[i]);
        st = step_done(l, s);
    }
    for (uint16_t i = 0; i < b->n_parts && st == ST_OK; i++) {
        sqlite3_stmt *s = statement(l, SQL_PART_INSERT);
        bind_part(s, &b->id, i, &b->parts[i]);
        st = step_done(l, s);
    }
    return finish(l, st);
}

static enum status sqlite_payload(struct ledger *ledger, const struct ledger_nonce *batch,
                                  uint16_t index, struct buf *out)
{
    struct ledger_sqlite *l = self(ledger);
    enum status st = begin(l, false);
    if (st == ST_OK) {
        sqlite3_stmt *s = statement(l, SQL_PAYLOAD_GET);
        bind_nonce(s, 1, batch);
        sqlite3_bind_int(s, 2, index);
        st = step_row(l, s);
        if (st == ST_OK) {
            const void *body = sqlite3_column_blob(s, 0);
            buf_add(out, body, (size_t)sqlite3_column_bytes(s, 0));
            st = buf_status(out);
        }
    }
    return finish(l, st);
}

static enum status count_parts(struct ledger_sqlite *l, const struct ledger_nonce *batch, int *n)
{
    sqlite3_stmt *s = statement(l, SQL_PART_COUNT);
    bind_nonce(s, 1, batch);
    enum status st = step_row(l, s);
    if (st == ST_OK)
        *n = sqlite3_column_int(s, 0);
    return st;
}

static enum status sqlite_journal(struct ledger *ledger, const struct protocol_effect *j)
{
    struct ledger_sqlite *l = self(ledger);
    enum status st = begin(l, true);
    if (st == ST_OK && j->split) {
        int n = 0;
        st = count_parts(l, &j->batch_id, &n);
        if (st == ST_OK && n != j->n_parts)
            st = ST_CONFLICT;
    }
    if (st == ST_OK) {
        sqlite3_stmt *s = statement(l, SQL_PART_UPDATE);
        bind_part(s, &j->batch_id, j->index, &j->part);
        bind_nonce(s, 19, &j->expected);
        st = step_done(l, s);
        if (st == ST_OK && !changed(l))
            st = ST_CONFLICT;
    }
    if (st == ST_OK && j->split) {
        sqlite3_stmt *s = statement(l, SQL_PART_INSERT);
        bind_part(s, &j->batch_id, j->n_parts, &j->extra);
        st = step_done(l, s);
    }
    return finish(l, st);
}

static enum status sqlite_done(struct ledger *ledger, const struct ledger_nonce *batch,
                               int64_t time_ms)
{
    struct ledger_sqlite *l = self(ledger);
    enum status st = begin(l, true);
    if (st == ST_OK) {
        sqlite3_stmt *s = statement(l, SQL_BATCH_DONE);
        bind_nonce(s, 1, batch);
        sqlite3_bind_int64(s, 2, time_ms);
        st = step_done(l, s);
    }
    if (st == ST_OK && !changed(l)) {
        sqlite3_stmt *s = statement(l, SQL_BATCH_GET);
        bind_nonce(s, 1, batch);
        st = step_row(l, s);
        if (st == ST_MISSING || (st == ST_OK && sqlite3_column_int(s, 0) != BATCH_DONE))
            st = ST_CONFLICT;
    }
    return finish(l, st);
}

static enum status sqlite_list_open(struct ledger *ledger, int64_t before_ms,
                                    struct ledger_nonce *out, size_t max, size_t *n)
{
    struct ledger_sqlite *l = self(ledger);
    *n = 0;
    enum status st = begin(l, false);
    if (st == ST_OK) {
        sqlite3_stmt *s = statement(l, SQL_BATCH_OPEN);
        sqlite3_bind_int64(s, 1, before_ms);
        sqlite3_bind_int64(s, 2, max > INT32_MAX ? INT32_MAX : (sqlite3_int64)max);
        while (st == ST_OK && *n < max && (st = step_row(l, s)) == ST_OK) {
            st = column_bytes(s, 0, out[*n].bytes, sizeof out[*n].bytes);
            ++*n;
        }
        if (st == ST_MISSING)
            st = ST_OK;
    }
    return finish(l, st);
}

static enum status sqlite_list_batches(struct ledger *ledger, int64_t from_ms, int64_t until_ms,
                                       ledger_batch_fn *fn, void *ctx)
{
    struct ledger_sqlite *l = self(ledger);
    enum status st = begin(l, false);
    if (st == ST_OK) {
        sqlite3_stmt *s = statement(l, SQL_BATCH_RANGE);
        sqlite3_bind_int64(s, 1, from_ms);
        sqlite3_bind_int64(s, 2, until_ms);
        bool more = true;
        while (more && (st = step_row(l, s)) == ST_OK) {
            struct ledger_nonce id;
            st = column_bytes(s, 0, id.bytes, sizeof id.bytes);
            if (st != ST_OK)
                break;
            more = fn(ctx, &id, (enum ledger_batch_state)sqlite3_column_int(s, 1),
                      sqlite3_column_int64(s, 2));
        }
        if (st == ST_MISSING)
            st = ST_OK;
    }
    return finish(l, st);
}

/* Whether a row with this id (and batch) is there. */
static enum status has_row(struct ledger_sqlite *l, sqlite3_stmt *s, bool *has)
{
    enum status st = step_row(l, s);
    *has = st == ST_OK;
    if (st == ST_OK || st == ST_MISSING) {
        sqlite3_reset(s);
        return ST_OK;
    }
    return st;
}

static enum status lookup_one(struct ledger_sqlite *l, const struct ledger_id *id,
                              enum ledger_progress *out)
{
    bool has;
    sqlite3_stmt *s = statement(l, SQL_OBJECT_GET);
    bind_id(s, 1, id);
    enum status st = step_row(l, s);
    struct ledger_nonce owner;
    *out = LEDGER_ABSENT;
    if (st == ST_OK) {
        st = column_bytes(s, 0, owner.bytes, sizeof owner.bytes);
        if (st != ST_OK)
            return st;
        *out = LEDGER_CLAIMED;
        s = statement(l, SQL_MEMBER_HAS);
        bind_nonce(s, 1, &owner);
        bind_id(s, 2, id);
        st = has_row(l, s, &has);
        if (st == ST_OK && has) {
            s = statement(l, SQL_BATCH_GET);
            bind_nonce(s, 1, &owner);
            st = step_row(l, s);
            if (st == ST_OK)
                *out = sqlite3_column_int(s, 0) == BATCH_DONE ? LEDGER_DONE : LEDGER_PREPARED;
        }
    }
    if (st == ST_MISSING)
        st = ST_OK;
    if (st != ST_OK || *out >= LEDGER_PREPARED)
        return st;
    s = statement(l, SQL_QUARANTINE_HAS);
    bind_id(s, 1, id);
    st = has_row(l, s, &has);
    if (st == ST_OK && has)
        *out = LEDGER_QUARANTINED;
    return st;
}

static enum status sqlite_lookup(struct ledger *ledger, const struct ledger_id *ids, size_t n,
                                 enum ledger_progress *out)
{
    struct ledger_sqlite *l = self(ledger);
    enum status st = begin(l, false);
    for (size_t i = 0; i < n && st == ST_OK; i++)
        st = lookup_one(l, &ids[i], &out[i]);
    return finish(l, st);
}

static enum status sqlite_marker(struct ledger *ledger, int64_t minute, struct ledger_marker *out)
{
    struct ledger_sqlite *l = self(ledger);
    enum status st = begin(l, true);
    if (st == ST_OK) {
        sqlite3_stmt *s = statement(l, SQL_MARKER);
        sqlite3_bind_int64(s, 1, minute);
        st = step_done(l, s);
        if (st == ST_OK) {
            s = statement(l, SQL_MARKER_GET);
            sqlite3_bind_int64(s, 1, minute);
            st = step_row(l, s);
        }
        if (st == ST_OK) {
            sqlite3_int64 n = sqlite3_column_int64(s, 0);
            *out = (struct ledger_marker){.minute = minute,
                                          .slot = (uint16_t)(n / LEDGER_MARKER_DIGITS),
                                          .digit = (uint8_t)(n % LEDGER_MARKER_DIGITS)};
            if (n < 0 || n / LEDGER_MARKER_DIGITS > UINT16_MAX)
                st = ST_TOO_BIG;
        }
    }
    return finish(l, st);
}

static enum status sqlite_quarantine_add(struct ledger *ledger,
                                         const struct ledger_quarantined *entry)
{
    struct ledger_sqlite *l = self(ledger);
    enum status st = begin(l, true);
    if (st == ST_OK) {
        struct view bucket = view_first(entry->bucket, LEDGER_NAME_BYTES_MAX);
        struct view key = view_first(entry->key, LEDGER_NAME_BYTES_MAX);
        struct view reason = view_first(entry->reason, LEDGER_REASON_BYTES_MAX);
        sqlite3_stmt *s = statement(l, SQL_QUARANTINE_PUT);
        bind_id(s, 1, &entry->id);
        bind_bytes(s, 2, bucket.ptr, bucket.len);
        bind_bytes(s, 3, key.ptr, key.len);
        bind_bytes(s, 4, reason.ptr, reason.len);
        sqlite3_bind_int64(s, 5, entry->time_ms);
        st = step_done(l, s);
    }
    return finish(l, st);
}

static struct view column_view(sqlite3_stmt *s, int at)
{
    const void *bytes = sqlite3_column_blob(s, at);
    return view_make(bytes, (size_t)sqlite3_column_bytes(s, at));
}

static enum status sqlite_quarantine_list(struct ledger *ledger, ledger_quarantine_fn *fn,
                                          void *ctx)
{
    struct ledger_sqlite *l = self(ledger);
    enum status st = begin(l, false);
    if (st == ST_OK) {
        sqlite3_stmt *s = statement(l, SQL_QUARANTINE_LIST);
        bool more = true;
        while (more && (st = step_row(l, s)) == ST_OK) {
            struct ledger_quarantined entry = {.bucket = column_view(s, 1),
                                               .key = column_view(s, 2),
                                               .reason = column_view(s, 3),
                                               .time_ms = sqlite3_column_int64(s, 4)};
            st = column_bytes(s, 0, entry.id.bytes, sizeof entry.id.bytes);
            if (st != ST_OK)
                break;
            more = fn(ctx, &entry);
        }
        if (st == ST_MISSING)
            st = ST_OK;
    }
    return finish(l, st);
}

static enum status sqlite_quarantine_release(struct ledger *ledger, const struct ledger_id *id)
{
    struct ledger_sqlite *l = self(ledger);
    enum status st = begin(l, true);
    if (st == ST_OK) {
        sqlite3_stmt *s = statement(l, SQL_QUARANTINE_DELETE);
        bind_id(s, 1, id);
        st = step_done(l, s);
        if (st == ST_OK && !changed(l))
            st = ST_MISSING;
    }
    return finish(l, st);
}

static enum status sqlite_statistics(struct ledger *ledger, struct ledger_statistics *out)
{
    struct ledger_sqlite *l = self(ledger);
    memset(out, 0, sizeof *out);
    enum status st = begin(l, false);
    if (st == ST_OK) {
        sqlite3_stmt *s = statement(l, SQL_COUNTS);
        st = step_row(l, s);
        if (st == ST_OK) {
            out->objects = (uint64_t)sqlite3_column_int64(s, 0);
            out->quarantined = (uint64_t)sqlite3_column_int64(s, 1);
            out->batches_open = (uint64_t)sqlite3_column_int64(s, 2);
            out->batches_done = (uint64_t)sqlite3_column_int64(s, 3);
            out->batches_aborted = (uint64_t)sqlite3_column_int64(s, 4);
            out->oldest_open_ms = sqlite3_column_int64(s, 5);
        }
    }
    if (st == ST_OK) {
        sqlite3_stmt *s = statement(l, SQL_PART_ALL);
        while ((st = step_row(l, s)) == ST_OK)
            ledger_statistics_add_part(out, (enum ledger_part_state)sqlite3_column_int(s, 0),
                                       (uint64_t)sqlite3_column_int64(s, 1),
                                       (uint64_t)sqlite3_column_int64(s, 2));
        if (st == ST_MISSING)
            st = ST_OK;
    }
    return finish(l, st);
}

static enum status sqlite_prune(struct ledger *ledger, int64_t before_ms, uint64_t *removed)
{
    struct ledger_sqlite *l = self(ledger);
    *removed = 0;
    enum status st = begin(l, true);
    for (int which = SQL_PRUNE_OBJECTS; which <= SQL_PRUNE_MARKERS && st == ST_OK; which++) {
        sqlite3_stmt *s = statement(l, (enum sql)which);
        if (sqlite3_bind_parameter_count(s) > 0)
            sqlite3_bind_int64(s, 1, before_ms);
        st = step_done(l, s);
        if (st == ST_OK && which == SQL_PRUNE_OBJECTS)
            *removed = (uint64_t)sqlite3_changes(l->locked.db);
    }
    return finish(l, st);
}

static void sqlite_ledger_close(struct ledger *ledger)
{
    struct ledger_sqlite *l = self(ledger);
    close_file(l);
    if (l->lock_fd >= 0)
        close(l->lock_fd); /* lets the lock go; the empty file stays, or two could hold it */
    pthread_mutex_destroy(&l->mutex);
    free(l);
}

static const struct ledger_ops SQLITE_OPS = {
    .kind = "sqlite",
    .claim = sqlite_claim,
    .load = sqlite_load,
    .abort = sqlite_abort,
    .prepare = sqlite_prepare,
    .payload = sqlite_payload,
    .journal = sqlite_journal,
    .done = sqlite_done,
    .list_open = sqlite_list_open,
    .list_batches = sqlite_list_batches,
    .lookup = sqlite_lookup,
    .marker = sqlite_marker,
    .quarantine_add = sqlite_quarantine_add,
    .quarantine_list = sqlite_quarantine_list,
    .quarantine_release = sqlite_quarantine_release,
    .statistics = sqlite_statistics,
    .prune = sqlite_prune,
    .close = sqlite_ledger_close,
};

/* ---- opening ---- */

/* Whose the file is and who may write it.  ST_MISSING: there is none. */
static enum status check_file(const char *path, const char *suffix, struct error *err)
{
    char name[PATH_BYTES];
    struct stat info;
    int n = snprintf(name, sizeof name, "%s%s", path, suffix);
    if (n < 0 || (size_t)n >= sizeof name)
        return error_set(err, ST_USAGE, "The path is too long.");
    if (lstat(name, &info) != 0)
        return errno == ENOENT ? ST_MISSING
                               : error_set(err, ST_IO, "Cannot be looked at: %s.", strerror(errno));
    if (!S_ISREG(info.st_mode))
        return error_set(err, ST_DENIED, "Is not a regular file.");
    if (info.st_uid != geteuid())
        return error_set(err, ST_DENIED, "Belongs to another user.");
    if ((info.st_mode & 077) != 0)
        return error_set(err, ST_DENIED, "Is accessible to other users (mode %03o, wanted 600).",
                         (unsigned)(info.st_mode & 0777));
    return ST_OK;
}

static enum status check_folder(const char *path, bool create, struct error *err)
{
    char folder[PATH_BYTES];
    const char *slash = strrchr(path, '/');
    size_t n = slash == NULL ? 0 : slash == path ? 1 : (size_t)(slash - path);
    if (n >= sizeof folder)
        return error_set(err, ST_USAGE, "The path is too long.");
    memcpy(folder, n == 0 ? "." : path, n == 0 ? 1 : n);
    folder[n == 0 ? 1 : n] = '\0';
    if (create && mkdir(folder, 0700) != 0 && errno != EEXIST)
        return error_set(err, ST_IO, "Its folder cannot be made: %s.", strerror(errno));
    struct stat info;
    if (stat(folder, &info) != 0)
        return error_set(err, ST_IO, "Its folder cannot be looked at: %s.", strerror(errno));
    if (info.st_uid != geteuid() && info.st_uid != 0)
        return error_set(err, ST_DENIED, "Its folder belongs to another user.");
    /* Whoever can write the folder can slip in a write-ahead log; the sticky bit does not help. */
    if ((info.st_mode & 022) != 0)
        return error_set(err, ST_DENIED, "Its folder can be written by other users (mode %04o).",
                         (unsigned)(info.st_mode & 07777));
    return ST_OK;
}

static enum status check_place(const struct ledger_sqlite_options *o, struct error *err)
{
    static const char *const suffixes[] = {"", "-wal", "-shm", "-journal", "-lock"};
    enum status st = check_folder(o->path, !o->read_only, err);
    for (size_t i = 0; i < sizeof suffixes / sizeof *suffixes && st == ST_OK; i++) {
        st = check_file(o->path, suffixes[i], err);
        if (st == ST_MISSING && !(i == 0 && o->read_only))
            st = ST_OK;
        else if (st == ST_MISSING)
            st = error_set(err, ST_MISSING, "There is no ledger.");
    }
    return st;
}

/* Make the file with its mode; SQLite gives its side files the same. */
static enum status create_private(const char *path, struct error *err)
{
    int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd >= 0)
        close(fd); /* before SQLite opens it, see above */
    else if (errno != EEXIST)
        return error_set(err, ST_IO, "Cannot be made: %s.", strerror(errno));
    return ST_OK;
}

static enum status take_lock(struct ledger_sqlite *l, const char *path, struct error *err)
{
    char name[PATH_BYTES];
    snprintf(name, sizeof name, "%s-lock", path); /* its length was checked */
    l->lock_fd = open(name, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (l->lock_fd < 0)
        return error_set(err, ST_IO, "Its lock file cannot be opened: %s.", strerror(errno));
    if (flock(l->lock_fd, LOCK_EX | LOCK_NB) != 0)
        return errno == EWOULDBLOCK
                   ? error_set(err, ST_CONFLICT, "Another process is using it.")
                   : error_set(err, ST_IO, "Its lock cannot be taken: %s.", strerror(errno));
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
                     "Cannot be used: %s.", sqlite3_errstr(rc));
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
                       "Cannot be read: %s.", sqlite3_errstr(rc));
    }
    sqlite3_finalize(s);
    return st;
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
            return error_set(err, ST_MISSING, "Is empty.");
        char sql[2400];
        int n = snprintf(sql, sizeof sql,
                         "BEGIN IMMEDIATE; %s PRAGMA application_id = %d;"
                         " PRAGMA user_version = %d; COMMIT",
                         SCHEMA, APPLICATION_ID, SCHEMA_VERSION);
        if (n < 0 || (size_t)n >= sizeof sql)
            return error_set(err, ST_TOO_BIG, "The schema is too long.");
        return execute(l, sql, err);
    }
    if (id != APPLICATION_ID)
        return error_set(err, ST_BAD_ITEM, "Is a SQLite file of something else.");
    if (version != SCHEMA_VERSION)
        return error_set(err, ST_BAD_ITEM, "Has schema version %" PRId64 ", this program knows %d.",
                         version, SCHEMA_VERSION);
    st = ask(l, "PRAGMA quick_check(1)", &tables, &ok, err);
    if (st == ST_OK && !ok)
        st = error_set(err, ST_BAD_ITEM, "Is damaged.");
    return st;
}

static enum status open_file(struct ledger_sqlite *l, const struct ledger_sqlite_options *o,
                             struct error *err)
{
    int flags = o->read_only ? SQLITE_OPEN_READONLY : SQLITE_OPEN_READWRITE;
    int rc = sqlite3_open_v2(o->path, &l->locked.db, flags | SQLITE_OPEN_NOMUTEX, o->vfs);
    if (rc != SQLITE_OK)
        return error_set(err, ST_IO, "Cannot be opened: %s.", sqlite3_errstr(rc));
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
    for (int i = 0; i < SQL_N && st == ST_OK; i++) {
        rc = sqlite3_prepare_v3(l->locked.db, SQL_TEXT[i], -1, SQLITE_PREPARE_PERSISTENT,
                                &l->locked.statements[i], NULL);
        if (rc != SQLITE_OK)
            st = error_set(err, (rc & 0xff) == SQLITE_ERROR ? ST_BAD_ITEM : ST_IO,
                           "Does not have the expected tables: %s.", sqlite3_errstr(rc));
    }
    return st;
}

enum status ledger_sqlite_open(const struct ledger_sqlite_options *options, struct ledger **out,
                               struct error *err)
{
    *out = NULL;
    struct ledger_sqlite *l = calloc(1, sizeof *l);
    if (l == NULL)
        return ST_NO_MEMORY;
    l->head.ops = &SQLITE_OPS;
    l->read_only = options->read_only;
    l->lock_fd = -1;
    if (pthread_mutex_init(&l->mutex, NULL) != 0) {
        free(l);
        return ST_NO_MEMORY;
    }
    enum status st = check_place(options, err);
    if (st == ST_OK && !options->read_only)
        st = take_lock(l, options->path, err);
    if (st == ST_OK && !options->read_only)
        st = create_private(options->path, err);
    if (st == ST_OK)
        st = open_file(l, options, err);
    if (st != ST_OK) {
        sqlite_ledger_close(&l->head);
        return st;
    }
    *out = &l->head;
    return ST_OK;
}
