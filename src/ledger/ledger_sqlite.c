/*
 * ledger_sqlite.c: what counting needs of the file: objects, batches, parts, markers.
 *
 * The ledger of one host is a SQLite file in WAL mode with synchronous=FULL: what a call answered
 * ST_OK survives a loss of power.  Each call is one transaction, so that what DynamoDB needs an
 * order of writes for is simply atomic here.
 */
#include "ledger/ledger_sqlite_private.h"

#include <stdlib.h>
#include <unistd.h>

/*
 * INSERT or UPDATE with the expected owner in the statement: whether a row changed says who won.
 * If none did, the row says who owns the object, and an owner that is our own batch is our own
 * earlier claim.
 */
static enum status claim_one(struct ledger_sqlite *l, const struct ledger_nonce *batch,
                             int64_t time_ms, const struct protocol_object *o,
                             struct protocol_claim *c)
{
    static const struct ledger_nonce none;
    enum status st = ledger_nonce_eq(&o->owner, &none)
                         ? file_write(l, SQL_OBJECT_INSERT, SQL_NAME(o->id), SQL_NAME(*batch),
                                      SQL_NUMBER(time_ms))
                         : file_write(l, SQL_OBJECT_TAKE, SQL_NAME(o->id), SQL_NAME(*batch),
                                      SQL_NUMBER(time_ms), SQL_NAME(o->owner));
    *c = (struct protocol_claim){.result = CLAIM_MINE};
    if (st != ST_OK || file_changed(l))
        return st;
    sqlite3_stmt *s = file_statement(l, SQL_OBJECT_GET, SQL_NAME(o->id));
    st = file_step_row(l, s);
    if (st == ST_MISSING) {
        c->result = CLAIM_ABSENT;
        return ST_OK;
    }
    if (st != ST_OK)
        return st;
    st = file_column_bytes(s, 0, c->owner.bytes, sizeof c->owner.bytes);
    c->claimed_ms = sqlite3_column_int64(s, 1);
    if (!ledger_nonce_eq(&c->owner, batch))
        c->result = CLAIM_OTHER;
    return st;
}

static enum status sqlite_claim(struct ledger *ledger, const struct ledger_nonce *batch,
                                int64_t time_ms, const struct protocol_object *objects, uint16_t n,
                                struct protocol_claim *claims)
{
    struct ledger_sqlite *l = file_of(ledger);
    enum status st = file_begin(l, USE_ADD);
    for (uint16_t i = 0; i < n && st == ST_OK; i++)
        if (objects[i].state == OBJECT_CLAIM)
            st = claim_one(l, batch, time_ms, &objects[i], &claims[i]);
    return file_finish(l, st);
}

static enum status load_members(struct ledger_sqlite *l, struct ledger_record *out)
{
    sqlite3_stmt *s = file_statement(l, SQL_MEMBER_LIST, SQL_NAME(out->batch.id));
    enum status st;
    while ((st = file_step_row(l, s)) == ST_OK) {
        if (out->batch.n_members == PROTOCOL_OBJECTS_MAX)
            return ST_BAD_ITEM;
        out->tags[out->batch.n_members] = (uint64_t)sqlite3_column_int64(s, 1);
        struct ledger_id *id = &out->members[out->batch.n_members++];
        st = file_column_bytes(s, 0, id->bytes, sizeof id->bytes);
        if (st != ST_OK)
            return st;
    }
    return file_rows_status(st);
}

static enum status load_parts(struct ledger_sqlite *l, struct ledger_record *out)
{
    sqlite3_stmt *s = file_statement(l, SQL_PART_LIST, SQL_NAME(out->batch.id));
    enum status st;
    while ((st = file_step_row(l, s)) == ST_OK) {
        if (out->batch.n_parts == PROTOCOL_PARTS_MAX)
            return ST_BAD_ITEM;
        st = file_column_part(s, &out->batch.parts[out->batch.n_parts++]);
        if (st != ST_OK)
            return st;
    }
    return file_rows_status(st);
}

/* The batch's state and time; ST_MISSING: it has no record. */
static enum status get_batch(struct ledger_sqlite *l, const struct ledger_nonce *batch, int *state,
                             int64_t *time_ms)
{
    sqlite3_stmt *s = file_statement(l, SQL_BATCH_GET, SQL_NAME(*batch));
    enum status st = file_step_row(l, s);
    if (st != ST_OK)
        return st;
    *state = sqlite3_column_int(s, 0);
    *time_ms = sqlite3_column_int64(s, 1);
    return *state < BATCH_ABORTED || *state > BATCH_DONE ? ST_BAD_ITEM : ST_OK;
}

static enum status sqlite_load(struct ledger *ledger, const struct ledger_nonce *batch,
                               struct ledger_record *out)
{
    struct ledger_sqlite *l = file_of(ledger);
    int state = BATCH_NONE;
    enum status st = file_begin(l, USE_READ);
    if (st == ST_OK)
        st = get_batch(l, batch, &state, &out->batch.prepared_ms);
    out->batch.id = *batch;
    out->batch.n_members = out->batch.n_parts = 0;
    out->batch.state = (uint8_t)state;
    if (st == ST_OK)
        st = load_members(l, out);
    if (st == ST_OK)
        st = load_parts(l, out);
    return file_finish(l, st);
}

static enum status batch_insert(struct ledger_sqlite *l, const struct ledger_nonce *batch,
                                enum ledger_batch_state state, int64_t time_ms)
{
    enum status st =
        file_write(l, SQL_BATCH_INSERT, SQL_NAME(*batch), SQL_NUMBER(state), SQL_NUMBER(time_ms));
    return st == ST_OK && !file_changed(l) ? ST_CONFLICT : st;
}

/* A tombstone that is there already is as good as ours. */
static enum status sqlite_abort(struct ledger *ledger, const struct ledger_nonce *batch,
                                int64_t time_ms)
{
    struct ledger_sqlite *l = file_of(ledger);
    int state = BATCH_NONE;
    enum status st = file_begin(l, USE_WRITE);
    if (st == ST_OK)
        st = batch_insert(l, batch, BATCH_ABORTED, time_ms);
    if (st == ST_CONFLICT) {
        st = get_batch(l, batch, &state, &time_ms);
        if (st == ST_OK && state != BATCH_ABORTED)
            st = ST_CONFLICT;
    }
    return file_finish(l, st);
}

/*
 * The batch row is inserted first: if it is there already, nothing else is written.  Unlike
 * DynamoDB there are no lost answers to tolerate: a commit returns only when it holds or has
 * failed.
 */
static enum status sqlite_prepare(struct ledger *ledger, const struct ledger_record *record,
                                  const struct view *payloads, uint16_t n_payloads)
{
    struct ledger_sqlite *l = file_of(ledger);
    const struct ledger_batch *b = &record->batch;
    enum status st = file_begin(l, USE_ADD);
    int64_t bytes = 0;
    for (uint16_t i = 0; i < n_payloads; i++)
        bytes += (int64_t)payloads[i].len;
    if (st == ST_OK) {
        l->locked.wanted = ROOM_FOR_STEP + 2 * bytes; /* in the log and in the file */
        st = batch_insert(l, &b->id, BATCH_PREPARED, b->prepared_ms);
    }
    for (uint16_t i = 0; i < n_payloads && st == ST_OK; i++)
        st = payloads[i].len > LEDGER_PAYLOAD_BYTES_MAX
                 ? ST_TOO_BIG
                 : file_write(l, SQL_PAYLOAD_INSERT, SQL_NAME(b->id), SQL_NUMBER(i),
                              SQL_VIEW(payloads[i]));
    for (uint16_t i = 0; i < b->n_members && st == ST_OK; i++)
        st = file_write(l, SQL_MEMBER_INSERT, SQL_NAME(b->id), SQL_NAME(record->members[i]),
                        SQL_NUMBER(record->tags[i]));
    for (uint16_t i = 0; i < b->n_parts && st == ST_OK; i++) {
        struct sql_value values[PART_VALUES];
        file_part_values(values, &b->id, i, &b->parts[i]);
        st = file_step_done(l, file_bind(l, SQL_PART_INSERT, values, PART_VALUES));
    }
    return file_finish(l, st);
}

static enum status sqlite_payload(struct ledger *ledger, const struct ledger_nonce *batch,
                                  uint16_t index, struct buf *out)
{
    struct ledger_sqlite *l = file_of(ledger);
    enum status st = file_begin(l, USE_READ);
    if (st == ST_OK) {
        sqlite3_stmt *s = file_statement(l, SQL_PAYLOAD_GET, SQL_NAME(*batch), SQL_NUMBER(index));
        st = file_step_row(l, s);
        if (st == ST_OK) {
            const void *body = sqlite3_column_blob(s, 0);
            buf_add(out, body, (size_t)sqlite3_column_bytes(s, 0));
            st = buf_status(out);
        }
    }
    return file_finish(l, st);
}

/*
 * The nonce in the WHERE clause is the condition.  SQL_PART_UPDATE takes it as ?21, after the
 * columns of the part.
 */
static enum status sqlite_journal(struct ledger *ledger, const struct protocol_effect *j)
{
    struct ledger_sqlite *l = file_of(ledger);
    struct sql_value values[PART_VALUES + 1];
    enum status st = file_begin(l, USE_FINISH);
    if (st == ST_OK && j->split) {
        sqlite3_stmt *s = file_statement(l, SQL_PART_COUNT, SQL_NAME(j->batch_id));
        st = file_step_row(l, s);
        if (st == ST_OK && sqlite3_column_int(s, 0) != j->n_parts)
            st = ST_CONFLICT;
    }
    if (st == ST_OK) {
        file_part_values(values, &j->batch_id, j->index, &j->part);
        values[PART_VALUES] = SQL_NAME(j->expected);
        st = file_step_done(l, file_bind(l, SQL_PART_UPDATE, values, PART_VALUES + 1));
        if (st == ST_OK && !file_changed(l))
            st = ST_CONFLICT;
    }
    if (st == ST_OK && j->split) {
        file_part_values(values, &j->batch_id, j->n_parts, &j->extra);
        st = file_step_done(l, file_bind(l, SQL_PART_INSERT, values, PART_VALUES));
    }
    return file_finish(l, st);
}

/* The statement itself checks that every part is final; DONE already is a success. */
static enum status sqlite_done(struct ledger *ledger, const struct ledger_nonce *batch,
                               int64_t time_ms)
{
    struct ledger_sqlite *l = file_of(ledger);
    int state = BATCH_NONE;
    enum status st = file_begin(l, USE_FINISH);
    if (st == ST_OK)
        st = file_write(l, SQL_BATCH_DONE, SQL_NAME(*batch), SQL_NUMBER(time_ms));
    if (st == ST_OK && !file_changed(l)) {
        st = get_batch(l, batch, &state, &time_ms);
        if (st == ST_MISSING || (st == ST_OK && state != BATCH_DONE))
            st = ST_CONFLICT;
    }
    return file_finish(l, st);
}

/* Numbers of a minute begin with 0: the row holds the last one handed out. */
static enum status sqlite_marker(struct ledger *ledger, int64_t minute, struct ledger_marker *out)
{
    struct ledger_sqlite *l = file_of(ledger);
    sqlite3_int64 n = -1;
    enum status st = file_begin(l, USE_FINISH);
    if (st == ST_OK)
        st = file_write(l, SQL_MARKER, SQL_NUMBER(minute));
    if (st == ST_OK) {
        sqlite3_stmt *s = file_statement(l, SQL_MARKER_GET, SQL_NUMBER(minute));
        st = file_step_row(l, s);
        n = st == ST_OK ? sqlite3_column_int64(s, 0) : -1;
    }
    if (st == ST_OK)
        st = ledger_marker_of(minute, n, out);
    return file_finish(l, st);
}

/* ---- life ---- */

void sqlite_close(struct ledger *ledger)
{
    struct ledger_sqlite *l = file_of(ledger);
    file_close(l);
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
    .markers_used = sqlite_markers_used,
    .quarantine_add = sqlite_quarantine_add,
    .quarantine_list = sqlite_quarantine_list,
    .quarantine_release = sqlite_quarantine_release,
    .statistics = sqlite_statistics,
    .prune = sqlite_prune,
    .close = sqlite_close,
};

/*
 * The lock comes before the file is made or opened, so that of two workers that start at the same
 * time the second touches nothing.
 */
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
    enum status st = sqlite_check_place(options, err);
    if (st == ST_OK)
        st = sqlite_file_check(&LEDGER_FILE, options->path, options->read_only, err);
    if (st == ST_OK && !options->read_only)
        st = sqlite_file_lock(&LEDGER_FILE, options->path, &l->lock_fd, err);
    if (st == ST_OK && !options->read_only)
        st = sqlite_create_private(options->path, options->must_exist, err);
    /* Even a log that is only read needs an index. */
    if (st == ST_OK && !options->read_only && room_free(l->lock_fd) < ROOM_FOR_STEP)
        room_release(l->lock_fd);
    if (st == ST_OK)
        st = sqlite_open_file(l, options, err);
    if (st == ST_OK && !options->read_only) {
        room_tend_log(l->locked.db);
        file_check_room(l);
    }
    struct stat info;
    if (st == ST_OK && stat(options->path, &info) == 0) {
        l->device = info.st_dev;
        l->inode = info.st_ino;
    }
    if (st != ST_OK) {
        sqlite_close(&l->head);
        return st;
    }
    *out = &l->head;
    return ST_OK;
}
