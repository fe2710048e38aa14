/*
 * sqlite_file.h: how a SQLite file of this program is opened, whoever may have written it.
 *
 * What it is comes first, from its first bytes and without a trace (no lock file, no log); then no
 * code of its schema may run: a file with triggers, views, virtual tables or generated columns is
 * refused, and they are switched off all the same.  Then SQLite checks its pages (quick_check), and
 * sqlite_seal.h every bit of them.
 */
#ifndef BASE_SQLITE_FILE_H
#define BASE_SQLITE_FILE_H

#include <sqlite3.h>
#include <stdbool.h>

#include "base/status.h"

/* What a file should be. */
struct sqlite_kind {
    const char *noun;   /* "the store" */
    const char *advice; /* what to do with one that is damaged or of another version */
    int application_id, version;
    int oldest;         /* version that can be brought up to date */
    int sealed;         /* versions from here on are sealed; 0: none is */
    const char *schema; /* of the version */
    bool is_altered;    /* an earlier file was altered: its tables are right by their names */
    /* Codes of what can be wrong. */
    enum code foreign, other_version, damaged, fault, in_use;
};

struct sqlite_options {
    const char *path;
    const char *vfs; /* tests only; NULL: the system's */
    bool read_only;
    bool again; /* the process has it open already: it is known to be good */
    int busy_ms;
};

/*
 * Whether the file's header is that of the kind, in a version that is known; an absent or empty file is one to be
 * made, unless it is only read: ST_MISSING, ST_BAD_ITEM.  Before the process has the file open,
 * because closing it lets go of SQLite's locks.  Other statuses as sqlite_file_open.
 */
NODISCARD enum status sqlite_file_check(const struct sqlite_kind *kind, const char *path,
                                        bool read_only, struct error *err);

/*
 * Become the one process that writes: an flock on FILE-lock, because SQLite locks FILE itself and
 * closing a second descriptor of it would drop those locks.  *fd is the caller's to close, also
 * after a failure (-1: none).  ST_CONFLICT: another process is.
 */
NODISCARD enum status sqlite_file_lock(const struct sqlite_kind *kind, const char *path, int *fd,
                                       struct error *err);

/*
 * Open the file, which sqlite_file_check passed.  An empty one gets the schema; *version is what
 * it has, and is the caller's to bring up to date.  For writing in WAL mode, synchronous FULL.  A
 * file that is only read is read in place also where nothing can be written (a read-only disk), but
 * not if it has a log there.
 *
 * ST_BAD_ITEM: not of the kind, of another version, or damaged.  ST_DENIED, ST_IO, ST_RETRY: as
 * *err says.  *out is the caller's to close, also after a failure (NULL: none).
 */
NODISCARD enum status sqlite_file_open(const struct sqlite_kind *kind,
                                       const struct sqlite_options *options, sqlite3 **out,
                                       int *version, struct error *err);

/* The status of an SQLite result code, with a sentence in *err. */
enum status sqlite_file_fault(const struct sqlite_kind *kind, sqlite3 *db, int code,
                              struct error *err);

/* Seal a file that was brought up to date, outside of any transaction. */
NODISCARD enum status sqlite_file_seal(const struct sqlite_kind *kind, sqlite3 *db,
                                       struct error *err);

#endif
