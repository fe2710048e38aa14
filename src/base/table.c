/*
 * table.c: how a table grows, and the hash of bytes.  Looking up is in the header, to be inlined
 * where records are counted.
 */
#include "base/table.h"

#include <stdlib.h>
#include <sys/random.h>

#include "base/u128.h"

enum { FIRST_SIZE = 64 };

static void put(struct table_slot *slots, uint32_t size, struct table_slot slot)
{
    uint32_t place = slot.hash & (size - 1);
    while (slots[place].used != 0)
        place = (place + 1) & (size - 1);
    slots[place] = slot;
}

static bool grow(struct table *t)
{
    uint32_t size = t->size == 0 ? FIRST_SIZE : t->size * 2;
    struct table_slot *slots = calloc(size, sizeof(*slots));
    if (slots == NULL)
        return false;
    for (uint32_t i = 0; i < t->size; i++) {
        if (t->slots[i].used != 0)
            put(slots, size, t->slots[i]);
    }
    free(t->slots);
    t->slots = slots;
    t->size = size;
    return true;
}

enum status table_add(struct table *t, uint32_t hash, uint32_t number)
{
    if (t->count >= TABLE_MAX_COUNT)
        return ST_TOO_BIG;
    if (t->count >= t->size / 2 && !grow(t))
        return ST_NO_MEMORY;
    put(t->slots, t->size, (struct table_slot){hash, number + 1});
    t->count++;
    return ST_OK;
}

void table_reset(struct table *t)
{
    if (t->size > 0)
        memset(t->slots, 0, t->size * sizeof(*t->slots));
    t->count = 0;
}

void table_clear(struct table *t)
{
    free(t->slots);
    *t = (struct table){0};
}

/* ---- the hash of bytes ---- */

/* 64 x 64 to 128 bit multiplication, both halves folded (the mixing step of wyhash). */
static uint64_t fold(uint64_t a, uint64_t b)
{
    u128 product = (u128)a * b;
    return (uint64_t)product ^ (uint64_t)(product >> 64);
}

static uint64_t seed(void)
{
    static uint64_t value;
    uint64_t seen = __atomic_load_n(&value, __ATOMIC_RELAXED);
    if (seen != 0)
        return seen;
    uint64_t fresh = 0;
    if (getrandom(&fresh, sizeof(fresh), GRND_NONBLOCK) != (ssize_t)sizeof(fresh))
        fresh = UINT64_C(0x9e3779b97f4a7c15);
    fresh |= 1;
    /* The first one to store wins, and all use it. */
    if (__atomic_compare_exchange_n(&value, &seen, fresh, false, __ATOMIC_RELAXED,
                                    __ATOMIC_RELAXED))
        return fresh;
    return seen;
}

uint64_t table_hash_bytes(struct view bytes)
{
    const char *p = bytes.ptr;
    size_t n = bytes.len;
    uint64_t h = seed() ^ n;
    while (n >= 8) {
        uint64_t word;
        memcpy(&word, p, 8);
        h = fold(h ^ word, UINT64_C(0xa0761d6478bd642f));
        p += 8;
        n -= 8;
    }
    uint64_t tail = 0;
    if (n > 0)
        memcpy(&tail, p, n);
    return fold(h ^ tail, UINT64_C(0xe7037ed1a0b428db));
}
