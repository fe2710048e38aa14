/*
 * ledger_sqlite_file.c: statements, transactions and rows, for all that read and write the file.
 *
 * Every statement is prepared once, when the file is opened, which also proves that its tables are
 * the expected ones.  Numbers in the texts: batch states 1 ABORTED, 2 PREPARED, 3 DONE; part
 * states under 2 are not final (protocol_core.h).
 */
#include "ledger/ledger_sqlite_private.h"

#include "base/log.h"

#define PART_COLUMNS                                                                               \
    "state, payload, first, count, tokens, attempt, resent, nonce, minute, slot, digit, date_ms,"  \
    " control_minute, control_slot, control_digit, control_ms, resolved_applied, resolved_absent"

/* A quarantined object may be counted after all, from a repaired or replaced one. */
#define NOT_COUNTED                                                                                \
    " WHERE NOT EXISTS (SELECT 1 FROM object JOIN member ON member.batch = object.owner"           \
    " AND member.object = object.id WHERE object.id = quarantine.id)"

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
    /* NULLs where there is no such member, batch, entry of the quarantine. */
    [SQL_OBJECT_LOOKUP] = "SELECT owner, tag, state, quarantine.id FROM (SELECT ?1 AS wanted)"
                          " LEFT JOIN object ON object.id = wanted"
                          " LEFT JOIN member ON member.batch = owner AND member.object = wanted"
                          " LEFT JOIN batch ON batch.id = member.batch"
                          " LEFT JOIN quarantine ON quarantine.id = wanted",
    [SQL_BATCH_INSERT] = "INSERT INTO batch (id, state, time_ms) VALUES (?1, ?2, ?3)"
                         " ON CONFLICT (id) DO NOTHING",
    [SQL_BATCH_GET] = "SELECT state, time_ms FROM batch WHERE id = ?1",
    [SQL_BATCH_DONE] = "UPDATE batch SET state = 3, done_ms = ?2 WHERE id = ?1 AND state = 2 AND"
                       " NOT EXISTS (SELECT 1 FROM part WHERE batch = ?1 AND state < 2)",
    [SQL_BATCH_OPEN] = "SELECT id FROM batch WHERE state = 2 AND time_ms < ?1"
                       " ORDER BY time_ms LIMIT ?2",
    [SQL_BATCH_RANGE] = "SELECT id, state, time_ms FROM batch WHERE state >= 2 AND time_ms >= ?1"
                        " AND time_ms < ?2",
    [SQL_MEMBER_INSERT] = "INSERT INTO member (batch, object, tag) VALUES (?1, ?2, ?3)",
    [SQL_MEMBER_LIST] = "SELECT object, tag FROM member WHERE batch = ?1",
    [SQL_PART_INSERT] = "INSERT INTO part (batch, i, " PART_COLUMNS ") VALUES"
                        " (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16,"
                        " ?17, ?18, ?19, ?20)",
    [SQL_PART_LIST] = "SELECT " PART_COLUMNS " FROM part WHERE batch = ?1 ORDER BY i",
    [SQL_PART_COUNT] = "SELECT count(*) FROM part WHERE batch = ?1",
    [SQL_PART_UPDATE] = "UPDATE part SET (" PART_COLUMNS ") = (?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10,"
                        " ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19, ?20)"
                        " WHERE batch = ?1 AND i = ?2 AND nonce = ?21",
    [SQL_PART_ALL] = "SELECT state, tokens, resent FROM part",
    [SQL_PAYLOAD_INSERT] = "INSERT INTO payload (batch, i, body) VALUES (?1, ?2, ?3)",
    [SQL_PAYLOAD_GET] = "SELECT body FROM payload WHERE batch = ?1 AND i = ?2",
    [SQL_MARKER] = "INSERT INTO marker (minute, n) VALUES (?1, 0)"
                   " ON CONFLICT (minute) DO UPDATE SET n = n + 1",
    [SQL_MARKER_GET] = "SELECT n FROM marker WHERE minute = ?1",
    [SQL_QUARANTINE_PUT] = "INSERT OR REPLACE INTO quarantine (id, bucket, key, reason, time_ms)"
                           " VALUES (?1, ?2, ?3, ?4, ?5)",
    [SQL_QUARANTINE_LIST] = "SELECT id, bucket, key, reason, time_ms FROM quarantine" NOT_COUNTED
                            " ORDER BY time_ms, id",
    [SQL_QUARANTINE_DELETE] = "DELETE FROM quarantine WHERE id = ?1",
    [SQL_COUNTS] =
        "SELECT (SELECT count(*) FROM object), (SELECT count(*) FROM quarantine" NOT_COUNTED "),"
        " (SELECT count(*) FROM batch WHERE state = 2),"
        " (SELECT count(*) FROM batch WHERE state = 3),"
        " (SELECT count(*) FROM batch WHERE state = 1),"
        " (SELECT ifnull(min(time_ms), 0) FROM batch WHERE state = 2)",
    /* An object is removed before its batch, and never while the batch is open. */
    [SQL_PRUNE_OBJECTS] = "DELETE FROM object WHERE claimed_ms < ?1 AND owner NOT IN"
                          " (SELECT id FROM batch WHERE state = 2 OR max(time_ms, done_ms) >= ?1)",
    [SQL_PRUNE_BATCHES] = "DELETE FROM batch WHERE state <> 2 AND max(time_ms, done_ms) < ?1"
                          " AND id NOT IN (SELECT owner FROM object)",
    [SQL_PRUNE_MEMBERS] = "DELETE FROM member WHERE batch NOT IN (SELECT id FROM batch)",
    [SQL_PRUNE_PARTS] = "DELETE FROM part WHERE batch NOT IN (SELECT id FROM batch)",
    [SQL_PRUNE_PAYLOADS] = "DELETE FROM payload WHERE batch NOT IN (SELECT id FROM batch)",
    [SQL_PRUNE_MARKERS] = "DELETE FROM marker WHERE minute < ?1 / 60000",
};

void file_close(struct ledger_sqlite *l)
{
    for (int i = 0; i < SQL_N; i++) {
        sqlite3_finalize(l->locked.statements[i]);
        l->locked.statements[i] = NULL;
    }
    sqlite3_close(l->locked.db);
    l->locked.db = NULL;
}

/*
 * SQLITE_BUSY means that a reader holds up a checkpoint; it passes.  A full disk took nothing.
 * Anything else (a failed sync, a bad page) closes the file at once: a ledger that may have lost a
 * write must not be written any more, and every later call says ST_IO.
 */
enum status file_status_of(struct ledger_sqlite *l, int rc)
{
    if (rc != SQLITE_OK && !l->read_only && room_is_full(l->locked.db, rc)) {
        l->locked.full_in_row += !l->locked.was_full;
        l->locked.was_full = true;
        return ST_RETRY;
    }
    switch (rc & 0xff) {
    case SQLITE_OK:
    case SQLITE_ROW:
    case SQLITE_DONE: return ST_OK;
    case SQLITE_BUSY:
    case SQLITE_LOCKED: return ST_RETRY;
    case SQLITE_NOMEM: return ST_NO_MEMORY;
    default: break;
    }
    LOG_FAULT(LOG_ERROR, E_L100, "ledger closed after a fault of its file",
              log_cstr("file", l->locked.db == NULL ? "" : sqlite3_db_filename(l->locked.db, NULL)),
              log_cstr("reason", rc == SQLITE_IOERR_DATA
                                     ? "the disk gave other bytes than were written"
                                     : sqlite3_errstr(rc)),
              log_u64("sqlite_code", (uint64_t)rc));
    file_close(l);
    return ST_IO;
}

/* ---- statements ---- */

enum status file_prepare(struct ledger_sqlite *l, struct error *err)
{
    for (int i = 0; i < SQL_N; i++) {
        int rc = sqlite3_prepare_v3(l->locked.db, SQL_TEXT[i], -1, SQLITE_PREPARE_PERSISTENT,
                                    &l->locked.statements[i], NULL);
        if (rc != SQLITE_OK)
            return error_set(err, (rc & 0xff) == SQLITE_ERROR ? ST_BAD_ITEM : ST_IO, E_L204,
                             "Does not have the expected tables: %s.", sqlite3_errstr(rc));
    }
    return ST_OK;
}

sqlite3_stmt *file_bind(struct ledger_sqlite *l, enum sql which, const struct sql_value *values,
                        size_t n)
{
    sqlite3_stmt *s = l->locked.statements[which];
    sqlite3_reset(s);
    sql_bind(s, values, n);
    return s;
}

enum status file_step_row(struct ledger_sqlite *l, sqlite3_stmt *s)
{
    int rc = sqlite3_step(s);
    if (rc == SQLITE_DONE)
        return ST_MISSING;
    return file_status_of(l, rc);
}

enum status file_step_done(struct ledger_sqlite *l, sqlite3_stmt *s)
{
    enum status st = file_status_of(l, sqlite3_step(s));
    if (l->locked.db != NULL)
        sqlite3_reset(s);
    return st;
}

bool file_changed(struct ledger_sqlite *l)
{
    return sqlite3_changes(l->locked.db) > 0;
}

enum status file_column_bytes(sqlite3_stmt *s, int at, void *out, size_t n)
{
    const void *bytes = sqlite3_column_blob(s, at);
    if (bytes == NULL || sqlite3_column_bytes(s, at) != (int)n)
        return ST_BAD_ITEM;
    memcpy(out, bytes, n);
    return ST_OK;
}

/*
 * What is written to a file without a name is lost, and whoever starts next begins a new ledger: so
 * nothing more is prepared or sent.
 */
static bool is_gone(const struct ledger_sqlite *l)
{
    struct stat info;
    return l->inode != 0 && (stat(sqlite3_db_filename(l->locked.db, NULL), &info) != 0 ||
                             info.st_ino != l->inode || info.st_dev != l->device);
}

/* ---- a full disk ---- */

/* The file's own growth and the log's, for what was or will be written. */
static bool has_room(const struct ledger_sqlite *l)
{
    return room_reserve(l->lock_fd) && room_free(l->lock_fd) >= l->locked.wanted;
}

static void note_low(struct ledger_sqlite *l, bool is_low)
{
    if (is_low == l->locked.is_low)
        return;
    l->locked.is_low = is_low;
    const char *file = sqlite3_db_filename(l->locked.db, NULL);
    if (is_low)
        LOG_FAULT(LOG_WARN, E_L112, "no room for the ledger: nothing new is counted until there is",
                  log_cstr("file", file), log_u64("free_bytes", (uint64_t)room_free(l->lock_fd)),
                  log_u64("needed_bytes", (uint64_t)l->locked.wanted + ROOM_RESERVED));
    else
        LOG_EVENT(LOG_INFO, "the ledger has room again", log_cstr("file", file));
}

void file_check_room(struct ledger_sqlite *l)
{
    int64_t room = room_free(l->lock_fd);
    l->locked.wanted = ROOM_FOR_STEP;
    note_low(l, !has_room(l));
    if (!l->locked.is_low && room < LEDGER_FREE_BYTES)
        LOG_FAULT(LOG_WARN, E_L113, "little room for the ledger",
                  log_cstr("file", sqlite3_db_filename(l->locked.db, NULL)),
                  log_u64("free_bytes", (uint64_t)room),
                  log_u64("recommended_bytes", LEDGER_FREE_BYTES));
}

/*
 * After a transaction that was rolled back.  What finishes a batch gets the reserve if an empty log
 * is not enough; nothing new is begun before the reserve is there again.  What the disk says of its
 * room is not all there is: quotas.
 */
static void make_room(struct ledger_sqlite *l)
{
    bool again = l->locked.full_in_row > 1;
    l->locked.was_full = false;
    room_empty_log(l->locked.db);
    if (l->locked.use == USE_FINISH && (again || room_free(l->lock_fd) < ROOM_FOR_STEP)) {
        room_release(l->lock_fd);
        note_low(l, true);
    } else if (again || !has_room(l)) {
        note_low(l, true);
    }
}

/* Whether something new may be begun, also when the disk was full before. */
static bool may_add(struct ledger_sqlite *l)
{
    if (l->locked.is_low)
        room_empty_log(l->locked.db);
    return !l->locked.is_low || has_room(l);
}

/* ---- transactions ---- */

/*
 * IMMEDIATE takes the write lock at the start.  A transaction that begins by reading and is
 * upgraded later can fail with SQLITE_BUSY in its middle, whatever the busy timeout is.
 */
enum status file_begin(struct ledger_sqlite *l, enum file_use use)
{
    bool write = use != USE_READ;
    pthread_mutex_lock(&l->mutex);
    if (l->locked.db == NULL)
        return ST_IO;
    if (write && l->read_only)
        return ST_DENIED;
    if (write && is_gone(l)) {
        LOG_FAULT(LOG_ERROR, E_L100, "ledger closed after a fault of its file",
                  log_cstr("file", sqlite3_db_filename(l->locked.db, NULL)),
                  log_cstr("reason", "it was deleted, moved or replaced"),
                  log_u64("sqlite_code", SQLITE_READONLY_DBMOVED));
        file_close(l);
        return ST_IO;
    }
    l->locked.use = use;
    if (use == USE_ADD && !may_add(l))
        return ST_RETRY;
    return file_step_done(l, file_bind(l, write ? SQL_BEGIN_WRITE : SQL_BEGIN_READ, NULL, 0));
}

/*
 * A commit that fails may leave the transaction open (SQLITE_BUSY does); it is rolled back, so
 * that the next call begins with a clean connection.
 */
enum status file_finish(struct ledger_sqlite *l, enum status st)
{
    if (l->locked.db != NULL) {
        for (int i = 0; i < SQL_N; i++)
            sqlite3_reset(l->locked.statements[i]);
        if (st == ST_OK)
            st = file_step_done(l, file_bind(l, SQL_COMMIT, NULL, 0));
        if (l->locked.db != NULL && !sqlite3_get_autocommit(l->locked.db)) {
            enum status undo = file_step_done(l, file_bind(l, SQL_ROLLBACK, NULL, 0));
            if (undo != ST_OK)
                st = undo;
        }
        if (l->locked.db != NULL && l->locked.was_full)
            make_room(l);
        if (st == ST_OK && l->locked.use != USE_READ)
            l->locked.full_in_row = 0;
        if (st == ST_OK && l->locked.use == USE_ADD)
            note_low(l, false);
    }
    pthread_mutex_unlock(&l->mutex);
    return st;
}

/* ---- parts ---- */

void file_part_values(struct sql_value values[PART_VALUES], const struct ledger_nonce *batch,
                      uint16_t i, const struct ledger_part *p)
{
    const struct sql_value all[PART_VALUES] = {
        SQL_NAME(*batch),
        SQL_NUMBER(i),
        SQL_NUMBER(p->state),
        SQL_NUMBER(p->payload),
        SQL_NUMBER(p->first),
        SQL_NUMBER(p->count),
        SQL_NUMBER(p->tokens), /* all 64 bits; never summed in SQL */
        SQL_NUMBER(p->attempt),
        SQL_NUMBER(p->resent),
        SQL_NAME(p->nonce),
        SQL_NUMBER(p->marker.minute),
        SQL_NUMBER(p->marker.slot),
        SQL_NUMBER(p->marker.digit),
        SQL_NUMBER(p->date_ms),
        SQL_NUMBER(p->control.minute),
        SQL_NUMBER(p->control.slot),
        SQL_NUMBER(p->control.digit),
        SQL_NUMBER(p->control_ms),
        SQL_NUMBER(p->resolved_applied),
        SQL_NUMBER(p->resolved_absent),
    };
    memcpy(values, all, sizeof all);
}

static struct ledger_marker column_marker(sqlite3_stmt *s, int at)
{
    return (struct ledger_marker){.minute = sqlite3_column_int64(s, at),
                                  .slot = (uint16_t)sqlite3_column_int(s, at + 1),
                                  .digit = (uint8_t)sqlite3_column_int(s, at + 2)};
}

enum status file_column_part(sqlite3_stmt *s, struct ledger_part *p)
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
                              .control_ms = sqlite3_column_int64(s, 15),
                              .resolved_applied = (uint16_t)sqlite3_column_int(s, 16),
                              .resolved_absent = (uint16_t)sqlite3_column_int(s, 17)};
    if (p->state > PART_REJECTED)
        return ST_BAD_ITEM;
    return file_column_bytes(s, 7, p->nonce.bytes, sizeof p->nonce.bytes);
}
