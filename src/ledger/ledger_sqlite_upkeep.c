/*
 * ledger_sqlite_upkeep.c: what counting does without: lists, lookup, quarantine, statistics,
 * pruning.
 */
#include "ledger/ledger_sqlite_private.h"

enum status sqlite_list_open(struct ledger *ledger, int64_t before_ms, struct ledger_nonce *out,
                             size_t max, size_t *n)
{
    struct ledger_sqlite *l = file_of(ledger);
    *n = 0;
    enum status st = file_begin(l, false);
    if (st == ST_OK) {
        sqlite3_stmt *s = file_statement(l, SQL_BATCH_OPEN);
        sqlite3_bind_int64(s, 1, before_ms);
        sqlite3_bind_int64(s, 2, max > INT32_MAX ? INT32_MAX : (sqlite3_int64)max);
        while (st == ST_OK && *n < max && (st = file_step_row(l, s)) == ST_OK) {
            st = file_column_bytes(s, 0, out[*n].bytes, sizeof out[*n].bytes);
            ++*n;
        }
        if (st == ST_MISSING)
            st = ST_OK;
    }
    return file_finish(l, st);
}

enum status sqlite_list_batches(struct ledger *ledger, int64_t from_ms, int64_t until_ms,
                                ledger_batch_fn *fn, void *ctx)
{
    struct ledger_sqlite *l = file_of(ledger);
    enum status st = file_begin(l, false);
    if (st == ST_OK) {
        sqlite3_stmt *s = file_statement(l, SQL_BATCH_RANGE);
        sqlite3_bind_int64(s, 1, from_ms);
        sqlite3_bind_int64(s, 2, until_ms);
        bool more = true;
        while (more && (st = file_step_row(l, s)) == ST_OK) {
            struct ledger_nonce id;
            st = file_column_bytes(s, 0, id.bytes, sizeof id.bytes);
            if (st != ST_OK)
                break;
            more = fn(ctx, &id, (enum ledger_batch_state)sqlite3_column_int(s, 1),
                      sqlite3_column_int64(s, 2));
        }
        if (st == ST_MISSING)
            st = ST_OK;
    }
    return file_finish(l, st);
}

/* Whether a row with this id (and batch) is there. */
static enum status has_row(struct ledger_sqlite *l, sqlite3_stmt *s, bool *has)
{
    enum status st = file_step_row(l, s);
    *has = st == ST_OK;
    if (st == ST_OK || st == ST_MISSING) {
        sqlite3_reset(s);
        return ST_OK;
    }
    return st;
}

/* Whether this batch has the object as a member, and with which tag. */
static enum status find_member(struct ledger_sqlite *l, const struct ledger_nonce *batch,
                               const struct ledger_id *id, bool *has, uint64_t *tag)
{
    sqlite3_stmt *s = file_statement(l, SQL_MEMBER_HAS);
    file_bind_nonce(s, 1, batch);
    file_bind_id(s, 2, id);
    enum status st = file_step_row(l, s);
    *has = st == ST_OK;
    if (*has)
        *tag = (uint64_t)sqlite3_column_int64(s, 0);
    return st == ST_MISSING ? ST_OK : st;
}

/*
 * How far an object got: its owner, whether that batch has it as a member, and the state of the
 * batch.  A quarantined object that was counted all the same is shown as counted.
 */
static enum status lookup_one(struct ledger_sqlite *l, const struct ledger_id *id,
                              enum ledger_progress *out, uint64_t *tag)
{
    bool has;
    *tag = 0;
    sqlite3_stmt *s = file_statement(l, SQL_OBJECT_GET);
    file_bind_id(s, 1, id);
    enum status st = file_step_row(l, s);
    struct ledger_nonce owner;
    *out = LEDGER_ABSENT;
    if (st == ST_OK) {
        st = file_column_bytes(s, 0, owner.bytes, sizeof owner.bytes);
        if (st != ST_OK)
            return st;
        *out = LEDGER_CLAIMED;
        st = find_member(l, &owner, id, &has, tag);
        if (st == ST_OK && has) {
            s = file_statement(l, SQL_BATCH_GET);
            file_bind_nonce(s, 1, &owner);
            st = file_step_row(l, s);
            if (st == ST_OK)
                *out = sqlite3_column_int(s, 0) == BATCH_DONE ? LEDGER_DONE : LEDGER_PREPARED;
        }
    }
    if (st == ST_MISSING)
        st = ST_OK;
    if (st != ST_OK || *out >= LEDGER_PREPARED)
        return st;
    s = file_statement(l, SQL_QUARANTINE_HAS);
    file_bind_id(s, 1, id);
    st = has_row(l, s, &has);
    if (st == ST_OK && has)
        *out = LEDGER_QUARANTINED;
    return st;
}

enum status sqlite_lookup(struct ledger *ledger, const struct ledger_id *ids, size_t n,
                          enum ledger_progress *out, uint64_t *tags)
{
    struct ledger_sqlite *l = file_of(ledger);
    enum status st = file_begin(l, false);
    for (size_t i = 0; i < n && st == ST_OK; i++) {
        uint64_t tag;
        st = lookup_one(l, &ids[i], &out[i], &tag);
        if (tags != NULL)
            tags[i] = tag;
    }
    return file_finish(l, st);
}

enum status sqlite_markers_used(struct ledger *ledger, int64_t minute, uint32_t *n)
{
    struct ledger_sqlite *l = file_of(ledger);
    enum status st = file_begin(l, false);
    *n = 0;
    if (st == ST_OK) {
        sqlite3_stmt *s = file_statement(l, SQL_MARKER_GET);
        sqlite3_bind_int64(s, 1, minute);
        st = file_step_row(l, s);
        if (st == ST_OK)
            *n = (uint32_t)sqlite3_column_int64(s, 0) + 1; /* the row has the last one */
    }
    return file_finish(l, st == ST_MISSING ? ST_OK : st);
}

/* ---- quarantine ---- */

enum status sqlite_quarantine_add(struct ledger *ledger, const struct ledger_quarantined *entry)
{
    struct ledger_sqlite *l = file_of(ledger);
    enum status st = file_begin(l, true);
    if (st == ST_OK) {
        struct view bucket = view_first(entry->bucket, LEDGER_NAME_BYTES_MAX);
        struct view key = view_first(entry->key, LEDGER_NAME_BYTES_MAX);
        struct view reason = view_first(entry->reason, LEDGER_REASON_BYTES_MAX);
        sqlite3_stmt *s = file_statement(l, SQL_QUARANTINE_PUT);
        file_bind_id(s, 1, &entry->id);
        file_bind_bytes(s, 2, bucket.ptr, bucket.len);
        file_bind_bytes(s, 3, key.ptr, key.len);
        file_bind_bytes(s, 4, reason.ptr, reason.len);
        sqlite3_bind_int64(s, 5, entry->time_ms);
        st = file_step_done(l, s);
    }
    return file_finish(l, st);
}

static struct view column_view(sqlite3_stmt *s, int at)
{
    const void *bytes = sqlite3_column_blob(s, at);
    return view_make(bytes, (size_t)sqlite3_column_bytes(s, at));
}

enum status sqlite_quarantine_list(struct ledger *ledger, ledger_quarantine_fn *fn, void *ctx)
{
    struct ledger_sqlite *l = file_of(ledger);
    enum status st = file_begin(l, false);
    if (st == ST_OK) {
        sqlite3_stmt *s = file_statement(l, SQL_QUARANTINE_LIST);
        bool more = true;
        while (more && (st = file_step_row(l, s)) == ST_OK) {
            struct ledger_quarantined entry = {.bucket = column_view(s, 1),
                                               .key = column_view(s, 2),
                                               .reason = column_view(s, 3),
                                               .time_ms = sqlite3_column_int64(s, 4)};
            st = file_column_bytes(s, 0, entry.id.bytes, sizeof entry.id.bytes);
            if (st != ST_OK)
                break;
            more = fn(ctx, &entry);
        }
        if (st == ST_MISSING)
            st = ST_OK;
    }
    return file_finish(l, st);
}

enum status sqlite_quarantine_release(struct ledger *ledger, const struct ledger_id *id)
{
    struct ledger_sqlite *l = file_of(ledger);
    enum status st = file_begin(l, true);
    if (st == ST_OK) {
        sqlite3_stmt *s = file_statement(l, SQL_QUARANTINE_DELETE);
        file_bind_id(s, 1, id);
        st = file_step_done(l, s);
        if (st == ST_OK && !file_changed(l))
            st = ST_MISSING;
    }
    return file_finish(l, st);
}

/* ---- the whole ---- */

enum status sqlite_statistics(struct ledger *ledger, struct ledger_statistics *out)
{
    struct ledger_sqlite *l = file_of(ledger);
    memset(out, 0, sizeof *out);
    enum status st = file_begin(l, false);
    if (st == ST_OK) {
        sqlite3_stmt *s = file_statement(l, SQL_COUNTS);
        st = file_step_row(l, s);
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
        sqlite3_stmt *s = file_statement(l, SQL_PART_ALL);
        while ((st = file_step_row(l, s)) == ST_OK)
            ledger_statistics_add_part(out, (enum ledger_part_state)sqlite3_column_int(s, 0),
                                       (uint64_t)sqlite3_column_int64(s, 1),
                                       (uint64_t)sqlite3_column_int64(s, 2));
        if (st == ST_MISSING)
            st = ST_OK;
    }
    return file_finish(l, st);
}

/*
 * The six statements in their order: objects first, because a batch may go only when no object
 * names it; then what belongs to batches that are gone.
 */
enum status sqlite_prune(struct ledger *ledger, int64_t before_ms, uint64_t *removed)
{
    struct ledger_sqlite *l = file_of(ledger);
    *removed = 0;
    enum status st = file_begin(l, true);
    for (int which = SQL_PRUNE_OBJECTS; which <= SQL_PRUNE_MARKERS && st == ST_OK; which++) {
        sqlite3_stmt *s = file_statement(l, (enum sql)which);
        if (sqlite3_bind_parameter_count(s) > 0)
            sqlite3_bind_int64(s, 1, before_ms);
        st = file_step_done(l, s);
        if (st == ST_OK && which == SQL_PRUNE_OBJECTS)
            *removed = (uint64_t)sqlite3_changes(l->locked.db);
    }
    return file_finish(l, st);
}
