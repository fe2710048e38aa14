/*
 * sqlite_room.h: room for a SQLite file on a small or full disk.
 *
 * SQLite writes a change twice, first to its write-ahead log and at a checkpoint to the file, and
 * keeps the log at its largest size.  On a small disk the log alone can so use up the room that the
 * checkpoint needs which would empty it.  Here the log is kept short and is emptied when the disk
 * is full; and some room is kept in FILE-lock, behind what sqlite_log.h has there, for what has to
 * be written even then.
 */
#ifndef BASE_SQLITE_ROOM_H
#define BASE_SQLITE_ROOM_H

#include <sqlite3.h>
#include <stdbool.h>
#include <stdint.h>

enum {
    ROOM_RESERVED = 256 * 1024, /* in FILE-lock */
    ROOM_FOR_STEP = 128 * 1024, /* what one small transaction may take, in the log and the file */
};

/* Whether a result code of SQLite says that there is no room: nothing was lost, and the
 * transaction, once rolled back, may be tried again. */
bool room_is_full(sqlite3 *db, int code);

/* Keep the log short, and begin with an empty one.  Harmless if it cannot be emptied now. */
void room_tend_log(sqlite3 *db);

/* Empty the log, outside of any transaction: on a full disk the room that it held is free again. */
void room_empty_log(sqlite3 *db);

/* Bytes that are free on the disk that an open file is on; INT64_MAX: not known. */
int64_t room_free(int fd);

/* Reserve the room in an open FILE-lock, if it is not there yet.  false: the disk has not as much. */
bool room_reserve(int lock_fd);

/* Give up what was reserved, for what has to be written now. */
void room_release(int lock_fd);

#endif
