/*
 * store.h: the usage store's file: what was counted, and its sums, in one SQLite database.
 *
 * An object's sums and the mark that it was counted are written in one transaction that has reached
 * the disk (WAL, synchronous=FULL) when store_commit returns: a process killed at any moment
 * neither loses nor doubles an object.  The file is private (0600).
 *
 *   text(id, text)          dimension values        series(id, 8 text ids)
 *   object(key, size, mtime, state, what was found) chunk(object, hour, cells), see chunk.h
 *
 * One thread at a time per store; the owner (usage.h) locks.
 */
#ifndef STORE_STORE_H
#define STORE_STORE_H

#include "base/buf.h"
#include "run/tally.h"
#include "store/dictionary.h"

struct store;

enum store_mode {
    STORE_WRITE, /* made if it is not there */
    STORE_READ,
};

/*
 * Open the file at `path`.  ST_MISSING: it is not there.  ST_BAD_ITEM: it is no store, or of a
 * later version.  ST_DENIED or ST_IO: as *err says.
 */
NODISCARD enum status store_open(const char *path, enum store_mode mode, struct store **out,
                                 struct error *err);
void store_close(struct store *store); /* store_close(NULL) does nothing */

/* A named text the store keeps about itself; ST_MISSING: there is none.  *out is the caller's. */
NODISCARD enum status store_get(struct store *store, const char *name, struct buf *out,
                                struct error *err);
NODISCARD enum status store_set(struct store *store, const char *name, struct view value,
                                struct error *err);

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
    bool had_failed;
    bool changed; /* it was counted under another name, with another size */
};

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

/* Remember a file's size and time without counting it, so that its change is reported once. */
NODISCARD enum status store_touch(struct store *store, struct view key, int64_t size,
                                  int64_t mtime_ns, struct error *err);

/* Everything read between the two is of one moment, whatever another process writes. */
NODISCARD enum status store_begin_reading(struct store *store, struct error *err);
void store_end_reading(struct store *store);

/* Fill an empty dictionary. */
NODISCARD enum status store_load_dictionary(struct store *store, struct dictionary *dictionary,
                                            struct error *err);

/* The balance of all objects. */
NODISCARD enum status store_load_tally(struct store *store, struct tally *tally, struct error *err);

/*
 * All chunks, those of one hour one after the other.  A status of `found` other than ST_OK ends it.
 */
typedef enum status store_chunk_fn(void *context, int64_t hour, struct view cells);
NODISCARD enum status store_each_chunk(struct store *store, store_chunk_fn *found, void *context,
                                       struct error *err);

#endif
