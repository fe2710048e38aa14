/*
 * table.h: elements of a caller's array, found by a hash of their keys.
 *
 * The caller keeps the elements, numbers them and compares their keys; the table holds hashes and
 * numbers only, so it grows without asking anybody, and one table does for every kind of key:
 *
 *     struct table_look look = table_look(hash);
 *     while (table_next(&t, &look)) {
 *         if (is_key(elements[look.number], key))
 *             return look.number;
 *     }
 *     (not there: append an element, then table_add(&t, hash, its number))
 *
 * Open addressing with linear steps, at most half full: most look-ups touch one cache line.  Not for
 * several threads at a time.
 */
#ifndef BASE_TABLE_H
#define BASE_TABLE_H

#include "base/view.h"

enum { TABLE_MAX_COUNT = 1 << 30 }; /* numbers in one table */

struct table_slot {
    uint32_t hash;
    uint32_t used; /* number + 1; 0: free */
};

/* {0} is an empty table. */
struct table {
    struct table_slot *slots;
    uint32_t size; /* of slots: 0 or a power of two */
    uint32_t count;
};

struct table_look {
    uint32_t hash, place;
    uint32_t number; /* as table_next found it */
};

static inline struct table_look table_look(uint32_t hash)
{
    return (struct table_look){.hash = hash, .place = hash};
}

/* The next number of this hash into look->number; false: there is none. */
static inline bool table_next(const struct table *t, struct table_look *look)
{
    if (t->size == 0)
        return false;
    for (;;) {
        struct table_slot slot = t->slots[look->place & (t->size - 1)];
        if (slot.used == 0)
            return false;
        look->place++;
        if (slot.hash == look->hash) {
            look->number = slot.used - 1;
            return true;
        }
    }
}

/*
 * Add a number below TABLE_MAX_COUNT.  ST_NO_MEMORY, or ST_TOO_BIG when there are
 * TABLE_MAX_COUNT: the table is as it was.
 */
NODISCARD enum status table_add(struct table *t, uint32_t hash, uint32_t number);

/* Forget all numbers, keep the memory. */
void table_reset(struct table *t);

/* Release the memory; the table is empty and can be used again. */
void table_clear(struct table *t);

/*
 * A hash of bytes that others choose: seeded once per process (thread-safe), so that nobody outside
 * can choose collisions.  Fast, not cryptographic; never stored nor shown.
 */
uint64_t table_hash_bytes(struct view bytes);

/*
 * One step of hashing several numbers that are given out by this process, from 0 on; the high half
 * of the last step is the table's hash.
 */
static inline uint64_t table_mix(uint64_t hash, uint64_t number)
{
    return (hash ^ number) * UINT64_C(0x9e3779b97f4a7c15) + (hash >> 29);
}

#endif
