/*
 * sqlite_seal.h: SQLite files whose every wrong bit is noticed.
 *
 * SQLite checks nothing of what it reads from its file, and of a write-ahead log whose frame is
 * wrong it drops this frame and all behind it without a word.  This layer below SQLite (a VFS)
 *
 *   - ends every page of the file with 8 bytes of checksum, in the room that SQLite can be asked to
 *     reserve, and compares them whenever a page is read;
 *   - compares the checksum of every frame that is read from the log, so that a wrong one is neither
 *     read nor copied into the file;
 *   - remembers in FILE-lock where the last commit that reached the disk ends in the log
 *     (seal_check_log compares).  What is remembered is never newer than the log, so a loss of
 *     power is no false alarm.
 *
 * A difference is SQLITE_IOERR_DATA.  Files without the reserved room are passed through, with the
 * checks of the log only.  The sums are those of SQLite's log: every error within 8 neighbouring bytes is
 * noticed, any other but for one in 2^64.  They are against wrong bits, not against people.
 */
#ifndef BASE_SQLITE_SEAL_H
#define BASE_SQLITE_SEAL_H

#include <sqlite3.h>
#include <stdbool.h>

#include "base/status.h"

enum { SEAL_PATH_BYTES = 4096 };

/* The name of the layer above the VFS named `base` (NULL: the system's); NULL: no memory. */
const char *seal_vfs(const char *base);

/* Ask for the room in a file that has no page yet; it is sealed from its first page on. */
void seal_new_file(sqlite3 *db);

/* Rewrite a file that was not sealed, outside of any transaction.  An SQLite result code. */
int seal_old_file(sqlite3 *db);

/* Whether the pages of an open file are sealed. */
bool seal_is_sealed(sqlite3 *db);

/*
 * Before SQLite reads the log of the file at `path`: whether all that was committed is still there.
 * ST_BAD_ITEM: it is not.  ST_NO_MEMORY.  The file may be in use by another process, but not by
 * this one, which would lose SQLite's locks.
 */
NODISCARD enum status seal_check_log(const char *path);

#endif
