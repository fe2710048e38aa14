/*
 * store.h: the usage store's file: what was counted, and its sums, in one SQLite database.
 *
 * An object's sums and the mark that it was counted are written in one transaction that has reached
 * the disk (WAL, synchronous=FULL) when store_commit returns: a process killed at any moment
 * neither loses nor doubles an object.  The file is private (0600).
 *
 *   text(id, text)          dimension values
 *   series(first, texts)    series from number `first` on: a text number for each dimension
 *   object(key, size, mtime, state, what was found)
 *   tally(state, reason, sums of what was found)         kept with object
 *   chunk(id, object, hour, cells)                       the sums, see chunk.h; only ever added to
 *   rollup(level, bucket, cells)                         the same summed further, see rollup.h
 *
 * One thread at a time per store; the owner (usage.h) locks.
 */
#ifndef STORE_STORE_H
#define STORE_STORE_H

#include "base/buf.h"
#include "count/tally.h"
#include "store/dictionary.h"

struct store;

enum store_mode {
    STORE_WRITE, /* created if it is not there */
    STORE_READ,
    STORE_READ_AGAIN, /* by a process that has it open already: it was checked then */
};

/*
 * Before STORE_WRITE: that the file is a store, or can become one, and that no other process
 * writes it as long as *fd is open.  A file that is no store is left without a trace.  Statuses as
 * sqlite_file_check and sqlite_file_lock.
 */
NODISCARD enum status store_lock(const char *path, int *fd, struct error *err);

/*
 * Open the file at `path`.  ST_MISSING: it is not there.  ST_BAD_ITEM: it is not a store, of a
 * later version, or (STORE_READ) of an earlier one.  ST_DENIED or ST_IO: as *err says.
 */
NODISCARD enum status store_open(const char *path, enum store_mode mode, struct store **out,
                                 struct error *err);
void store_close(struct store *store); /* store_close(NULL) does nothing */

/* A named text the store keeps about itself; ST_MISSING: there is none.  *out is the caller's. */
NODISCARD enum status store_get(struct store *store, const char *name, struct buf *out,
                                struct error *err);
NODISCARD enum status store_set(struct store *store, const char *name, struct view value,
                                struct error *err);
/* The same for an integer from 0; ST_BAD_ITEM: it is something else. */
NODISCARD enum status store_get_number(struct store *store, const char *name, int64_t *out,
                                       struct error *err);
NODISCARD enum status store_set_number(struct store *store, const char *name, int64_t value,
                                       struct error *err);

/* Whether nothing was ever counted into it. */
NODISCARD enum status store_is_empty(struct store *store, bool *out, struct error *err);

/* ---- objects ---- */

enum object_state {
    OBJECT_STATE_COUNTED = 1,
    OBJECT_STATE_SKIPPED = 2,
    OBJECT_STATE_FAILED = 3,
};

/* What the store remembers of an object. */
struct store_object {
    enum object_state state;
    int64_t size, mtime_ns; /* of the file when it was counted, or was last seen */
    /* Which file it is, whatever its name: inode and time of birth (0: not known). */
    int64_t inode, born_ns;
    int64_t hash; /* of its bytes; 0: they were not read */
};

/* ST_MISSING: it is not known. */
NODISCARD enum status store_find(struct store *store, struct view key, struct store_object *out,
                                 struct error *err);

/* Cells of one hour, packed. */
struct store_chunk {
    int64_t hour; /* its begin */
    struct buf cells;
};

/* An object to be remembered.  Owns what it points to but for `next`. */
struct counted_object {
    struct counted_object *next;
    char *key;
    size_t key_len;
    struct store_object file;
    enum object_skip skip; /* when skipped */
    char reason[160];      /* when failed */
    struct tally tally;    /* records, bytes and times, when counted */
    struct store_chunk *chunks;
    size_t chunk_count;
    bool applied; /* set by store_commit: it was not known before, or had failed */
    bool changed; /* it was counted under another name, with other bytes */
};

/* The object and all it owns; not the next one.  NULL does nothing. */
void counted_object_free(struct counted_object *object);

/* Whether a file below the folder is there, by its key. */
typedef bool store_exists_fn(void *context, struct view key);

/*
 * Remember a list of objects in one transaction, with what is new in the dictionary.  An object
 * that is known as counted or skipped is left as it was, `applied` false.  On a fault nothing is
 * remembered and the same list may be tried again.
 */
NODISCARD enum status store_commit(struct store *store, const struct dictionary *dictionary,
                                   struct counted_object *list, store_exists_fn *exists,
                                   void *context, struct error *err);

/* Remember a file's size, time and hash without counting it, so that a change is reported once. */
NODISCARD enum status store_touch(struct store *store, struct view key,
                                  const struct store_object *file, struct error *err);

/* ---- transactions ---- */

/* Everything read between the two is of one moment, whatever another connection writes. */
NODISCARD enum status store_begin_reading(struct store *store, struct error *err);
void store_end_reading(struct store *store);

/*
 * Everything written between the two is there whole or not at all; nobody else writes meanwhile.
 * `st` is how it went so far: other than ST_OK, all is undone and `st` returned.
 */
NODISCARD enum status store_begin_writing(struct store *store, struct error *err);
NODISCARD enum status store_end_writing(struct store *store, enum status st, struct error *err);

/* ---- reading ---- */

/* Fill an empty dictionary. */
NODISCARD enum status store_load_dictionary(struct store *store, struct dictionary *dictionary,
                                            struct error *err);

/* The balance of all objects. */
NODISCARD enum status store_load_tally(struct store *store, struct tally *tally, struct error *err);

/* A status of `found` other than ST_OK ends the walk. */
typedef enum status store_cells_fn(void *context, int64_t bucket, struct view cells);

/* The chunks numbered up to `last_id` of the hours that begin in [since, until), hour by hour. */
NODISCARD enum status store_chunks_of_hours(struct store *store, int64_t since, int64_t until,
                                            int64_t last_id, store_cells_fn *found, void *context,
                                            struct error *err);

/*
 * The chunks numbered above `after`, in that order; no further one once they have `max_bytes`.
 * *last is the number of the last one (`after`: there is none).
 */
NODISCARD enum status store_chunks_after(struct store *store, int64_t after, uint64_t max_bytes,
                                         store_cells_fn *found, void *context, int64_t *last,
                                         struct error *err);

/* How many chunks are above `after`, and their bytes; the number of the last of all. */
NODISCARD enum status store_measure_chunks(struct store *store, int64_t after, uint64_t *count,
                                           uint64_t *bytes, int64_t *last, struct error *err);

/* The cells of a rollup, appended to `out`; nothing where there is none. */
NODISCARD enum status store_rollup(struct store *store, int level, int64_t bucket, struct buf *out,
                                   struct error *err);

/* The rollups of a level whose bucket begins in [since, until), in that order. */
NODISCARD enum status store_rollups(struct store *store, int level, int64_t since, int64_t until,
                                    store_cells_fn *found, void *context, struct error *err);

/* Put a rollup in place of the one that is there, within a transaction. */
NODISCARD enum status store_put_rollup(struct store *store, int level, int64_t bucket,
                                       struct view cells, struct error *err);

#endif
