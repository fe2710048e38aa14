/*
 * ledger_sqlite_private.h: what the files of the SQLite ledger share.  Of them only.
 *
 * Every function of the table begins with file_begin() and ends with file_finish(), also after a
 * failure of file_begin(): within the process a mutex makes each call one transaction.
 */
#ifndef LEDGER_LEDGER_SQLITE_PRIVATE_H
#define LEDGER_LEDGER_SQLITE_PRIVATE_H

#include <sys/stat.h>

#include "base/sql_value.h"
#include "base/sqlite_file.h"
#include "base/sqlite_room.h"
#include "ledger/ledger.h"
#include <pthread.h>

enum sql {
    SQL_BEGIN_READ,
    SQL_BEGIN_WRITE,
    SQL_COMMIT,
    SQL_ROLLBACK,
    SQL_OBJECT_INSERT,
    SQL_OBJECT_TAKE,
    SQL_OBJECT_GET,
    SQL_OBJECT_LOOKUP,
    SQL_BATCH_INSERT,
    SQL_BATCH_GET,
    SQL_BATCH_DONE,
    SQL_BATCH_OPEN,
    SQL_BATCH_RANGE,
    SQL_MEMBER_INSERT,
    SQL_MEMBER_LIST,
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

/* Less free at the start is said: most batches fit twice, in the log and in the file. */
enum { LEDGER_FREE_BYTES = 16 * 1024 * 1024 };

/* What a transaction is for.  It says what becomes of it on a full disk. */
enum file_use {
    USE_READ,
    USE_ADD,    /* something new: refused while there is no room to finish it */
    USE_WRITE,  /* anything else */
    USE_FINISH, /* a step of a batch that is prepared: it may take what was reserved */
};

struct ledger_sqlite {
    struct ledger head;
    pthread_mutex_t mutex;
    struct {         /* guarded by the mutex */
        sqlite3 *db; /* NULL after a fault */
        sqlite3_stmt *statements[SQL_N];
        enum file_use use;    /* of the transaction under way */
        bool was_full;        /* it met a full disk */
        unsigned full_in_row; /* transactions that did */
        bool is_low;          /* the disk has less room than is needed: nothing new is begun */
        int64_t wanted;       /* bytes that must be free, besides the reserve */
    } locked;
    bool read_only;
    int lock_fd;
    dev_t device; /* which file it is, so that one that took its place is noticed */
    ino_t inode;  /* 0: not known */
};

/* ---- ledger_sqlite.c ---- */

/* Also of a ledger that ledger_sqlite_open() could not open to the end. */
void sqlite_close(struct ledger *ledger);

/* ---- ledger_sqlite_file.c ---- */

/* A ledger of this kind by its head. */
static inline struct ledger_sqlite *file_of(struct ledger *l)
{
    return (struct ledger_sqlite *)l;
}
/* Finalize the statements and close the file; harmless when it is closed. */
void file_close(struct ledger_sqlite *l);

/* What a result code means for the caller; closes the file when it can no longer be trusted. */
NODISCARD enum status file_status_of(struct ledger_sqlite *l, int rc);

/* Prepare all statements, once the tables are known to be there. */
NODISCARD enum status file_prepare(struct ledger_sqlite *l, struct error *err);

/* A prepared statement, reset, with its parameters from ?1 on. */
sqlite3_stmt *file_bind(struct ledger_sqlite *l, enum sql which, const struct sql_value *values,
                        size_t n);
#define file_statement(l, which, ...) file_bind((l), (which), SQL_VALUES(__VA_ARGS__))

/* A writing statement, done. */
#define file_write(l, which, ...) file_step_done((l), file_statement((l), (which), __VA_ARGS__))

/* ST_OK: there is a row (or, for a writing statement, it is done); ST_MISSING: there is none. */
NODISCARD enum status file_step_row(struct ledger_sqlite *l, sqlite3_stmt *s);
NODISCARD enum status file_step_done(struct ledger_sqlite *l, sqlite3_stmt *s);

/* What a loop over file_step_row() ended with: the end of the rows is not a failure. */
static inline enum status file_rows_status(enum status st)
{
    return st == ST_MISSING ? ST_OK : st;
}

/* Whether the last statement changed a row: for the conditions in WHERE and ON CONFLICT. */
bool file_changed(struct ledger_sqlite *l);

/* A blob of exactly n bytes; anything else is a damaged record. */
NODISCARD enum status file_column_bytes(sqlite3_stmt *s, int at, void *out, size_t n);
/* Take the mutex and begin a transaction.  ST_IO when the file was closed after a fault, ST_DENIED
 * for writing to one that was opened for reading, ST_RETRY for USE_ADD while the disk is full. */
NODISCARD enum status file_begin(struct ledger_sqlite *l, enum file_use use);

/* A file that was opened for writing: whether there is room for new batches, which is said. */
void file_check_room(struct ledger_sqlite *l);

/*
 * End what begin() began: keep it if st is ST_OK.  Returns st, or what the commit came to.  A full
 * disk is ST_RETRY: nothing is left of the transaction, and as much room was made as there is.
 */
NODISCARD enum status file_finish(struct ledger_sqlite *l, enum status st);

/* The parameters ?1 to ?20 of SQL_PART_INSERT and SQL_PART_UPDATE, and a row of SQL_PART_LIST. */
enum { PART_VALUES = 20 };
void file_part_values(struct sql_value values[PART_VALUES], const struct ledger_nonce *batch,
                      uint16_t i, const struct ledger_part *p);
NODISCARD enum status file_column_part(sqlite3_stmt *s, struct ledger_part *p);

/* ---- ledger_sqlite_open.c ---- */

extern const struct sqlite_kind LEDGER_FILE;

/* Owner and mode of the folder, the file and its side files; makes the folder if writing. */
NODISCARD enum status sqlite_check_place(const struct ledger_sqlite_options *o, struct error *err);

/* Make the file with its mode; SQLite gives its side files the same. */
NODISCARD enum status sqlite_create_private(const char *path, bool must_exist, struct error *err);
/* Open, check, create the tables or upgrade them, prepare the statements. */
NODISCARD enum status sqlite_open_file(struct ledger_sqlite *l,
                                       const struct ledger_sqlite_options *o, struct error *err);

/* ---- ledger_sqlite_upkeep.c ---- */

/* The functions of struct ledger_ops that are not in ledger_sqlite.c; see ledger.h. */
NODISCARD enum status sqlite_list_open(struct ledger *ledger, int64_t before_ms,
                                       struct ledger_nonce *out, size_t max, size_t *n);
NODISCARD enum status sqlite_list_batches(struct ledger *ledger, int64_t from_ms, int64_t until_ms,
                                          ledger_batch_fn *fn, void *ctx);
NODISCARD enum status sqlite_lookup(struct ledger *ledger, const struct ledger_id *ids, size_t n,
                                    enum ledger_progress *out, uint64_t *tags);
NODISCARD enum status sqlite_markers_used(struct ledger *ledger, int64_t minute, uint32_t *n);
NODISCARD enum status sqlite_quarantine_add(struct ledger *ledger,
                                            const struct ledger_quarantined *entry);
NODISCARD enum status sqlite_quarantine_list(struct ledger *ledger, ledger_quarantine_fn *fn,
                                             void *ctx);
NODISCARD enum status sqlite_quarantine_release(struct ledger *ledger, const struct ledger_id *id);
NODISCARD enum status sqlite_statistics(struct ledger *ledger, struct ledger_statistics *out);
NODISCARD enum status sqlite_prune(struct ledger *ledger, int64_t before_ms, uint64_t *removed);

#endif
