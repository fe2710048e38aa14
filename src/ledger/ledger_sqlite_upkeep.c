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
    enum status st = file_begin(l, USE_READ);
    if (st == ST_OK) {
        sqlite3_stmt *s = file_statement(l, SQL_BATCH_OPEN, SQL_NUMBER(before_ms),
                                         SQL_NUMBER(max > INT32_MAX ? INT32_MAX : (int64_t)max));
        while (st == ST_OK && *n < max && (st = file_step_row(l, s)) == ST_OK) {
            st = file_column_bytes(s, 0, out[*n].bytes, sizeof out[*n].bytes);
            ++*n;
        }
        st = file_rows_status(st);
    }
    return file_finish(l, st);
}

enum status sqlite_list_batches(struct ledger *ledger, int64_t from_ms, int64_t until_ms,
                                ledger_batch_fn *fn, void *ctx)
{
    struct ledger_sqlite *l = file_of(ledger);
    struct ledger_nonce id;
    bool more = true;
    enum status st = file_begin(l, USE_READ);
    if (st == ST_OK) {
        sqlite3_stmt *s =
            file_statement(l, SQL_BATCH_RANGE, SQL_NUMBER(from_ms), SQL_NUMBER(until_ms));
        while (more && st == ST_OK && (st = file_step_row(l, s)) == ST_OK) {
            st = file_column_bytes(s, 0, id.bytes, sizeof id.bytes);
            more = st == ST_OK && fn(ctx, &id, (enum ledger_batch_state)sqlite3_column_int(s, 1),
                                     sqlite3_column_int64(s, 2));
        }
        st = file_rows_status(st);
    }
    return file_finish(l, st);
}

/*
 * How far an object got: its owner, whether that batch has it as a member, and the state of the
 * batch.  A quarantined object that was counted all the same is shown as counted.
 */
static enum status lookup_one(struct ledger_sqlite *l, const struct ledger_id *id,
                              enum ledger_progress *out, uint64_t *tag)
{
    sqlite3_stmt *s = file_statement(l, SQL_OBJECT_LOOKUP, SQL_NAME(*id));
    enum status st = file_step_row(l, s);
    if (st != ST_OK)
        return st;
    bool claimed = sqlite3_column_type(s, 0) != SQLITE_NULL;
    int state = sqlite3_column_int(s, 2); /* of the batch that has it as a member; 0: none */
    *tag = (uint64_t)sqlite3_column_int64(s, 1);
    if (state != 0)
        *out = state == BATCH_DONE ? LEDGER_DONE : LEDGER_PREPARED;
    else if (sqlite3_column_type(s, 3) != SQLITE_NULL)
        *out = LEDGER_QUARANTINED;
    else
        *out = claimed ? LEDGER_CLAIMED : LEDGER_ABSENT;
    return ST_OK;
}

enum status sqlite_lookup(struct ledger *ledger, const struct ledger_id *ids, size_t n,
                          enum ledger_progress *out, uint64_t *tags)
{
    struct ledger_sqlite *l = file_of(ledger);
    enum status st = file_begin(l, USE_READ);
    for (size_t i = 0; i < n && st == ST_OK; i++) {
        uint64_t tag = 0;
        st = lookup_one(l, &ids[i], &out[i], &tag);
        if (tags != NULL)
            tags[i] = tag;
    }
    return file_finish(l, st);
}

enum status sqlite_markers_used(struct ledger *ledger, int64_t minute, uint32_t *n)
{
    struct ledger_sqlite *l = file_of(ledger);
    enum status st = file_begin(l, USE_READ);
    *n = 0;
    if (st == ST_OK) {
        sqlite3_stmt *s = file_statement(l, SQL_MARKER_GET, SQL_NUMBER(minute));
        st = file_step_row(l, s);
        if (st == ST_OK)
            *n = (uint32_t)sqlite3_column_int64(s, 0) + 1; /* the row has the last one */
    }
    return file_finish(l, file_rows_status(st));
}

/* ---- quarantine ---- */

enum status sqlite_quarantine_add(struct ledger *ledger, const struct ledger_quarantined *entry)
{
    struct ledger_sqlite *l = file_of(ledger);
    struct view bucket = view_first(entry->bucket, LEDGER_NAME_BYTES_MAX);
    struct view key = view_first(entry->key, LEDGER_NAME_BYTES_MAX);
    struct view reason = view_first(entry->reason, LEDGER_REASON_BYTES_MAX);
    enum status st = file_begin(l, USE_ADD);
    if (st == ST_OK)
        st = file_write(l, SQL_QUARANTINE_PUT, SQL_NAME(entry->id), SQL_VIEW(bucket), SQL_VIEW(key),
                        SQL_VIEW(reason), SQL_NUMBER(entry->time_ms));
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
    bool more = true;
    enum status st = file_begin(l, USE_READ);
    if (st == ST_OK) {
        sqlite3_stmt *s = file_bind(l, SQL_QUARANTINE_LIST, NULL, 0);
        while (more && st == ST_OK && (st = file_step_row(l, s)) == ST_OK) {
            struct ledger_quarantined entry = {.bucket = column_view(s, 1),
                                               .key = column_view(s, 2),
                                               .reason = column_view(s, 3),
                                               .time_ms = sqlite3_column_int64(s, 4)};
            st = file_column_bytes(s, 0, entry.id.bytes, sizeof entry.id.bytes);
            more = st == ST_OK && fn(ctx, &entry);
        }
        st = file_rows_status(st);
    }
    return file_finish(l, st);
}

enum status sqlite_quarantine_release(struct ledger *ledger, const struct ledger_id *id)
{
    struct ledger_sqlite *l = file_of(ledger);
    enum status st = file_begin(l, USE_WRITE);
    if (st == ST_OK)
        st = file_write(l, SQL_QUARANTINE_DELETE, SQL_NAME(*id));
    if (st == ST_OK && !file_changed(l))
        st = ST_MISSING;
    return file_finish(l, st);
}

/* ---- the whole ---- */

enum status sqlite_statistics(struct ledger *ledger, struct ledger_statistics *out)
{
    struct ledger_sqlite *l = file_of(ledger);
    memset(out, 0, sizeof *out);
    enum status st = file_begin(l, USE_READ);
    if (st == ST_OK) {
        sqlite3_stmt *s = file_bind(l, SQL_COUNTS, NULL, 0);
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
        sqlite3_stmt *s = file_bind(l, SQL_PART_ALL, NULL, 0);
        while ((st = file_step_row(l, s)) == ST_OK)
            ledger_statistics_add_part(out, (enum ledger_part_state)sqlite3_column_int(s, 0),
                                       (uint64_t)sqlite3_column_int64(s, 1),
                                       (uint64_t)sqlite3_column_int64(s, 2));
        st = file_rows_status(st);
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
    enum status st = file_begin(l, USE_WRITE);
    for (int which = SQL_PRUNE_OBJECTS; which <= SQL_PRUNE_MARKERS && st == ST_OK; which++) {
        /* Some have no parameter: what is bound beyond the last is ignored. */
        st = file_write(l, (enum sql)which, SQL_NUMBER(before_ms));
        if (st == ST_OK && which == SQL_PRUNE_OBJECTS)
            *removed = (uint64_t)sqlite3_changes(l->locked.db);
    }
    return file_finish(l, st);
}
