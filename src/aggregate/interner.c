#include "aggregate/interner.h"

#include <stdlib.h>
#include <sys/random.h>

#include "base/u128.h"

enum { BLOCK_BYTES = 16 * 1024, FIRST_SLOTS = 256 };

struct block {
    struct block *next;
    char bytes[];
};

struct interner {
    struct view *texts; /* by id */
    uint32_t *hashes;   /* by id */
    uint32_t count, capacity;
    uint32_t *slots; /* id + 1, 0 is free; a power of two, at most half full */
    uint32_t slot_count;
    struct block *blocks;
    char *free_at;
    size_t free_bytes;
};

/* 64 x 64 to 128 bit multiplication, both halves folded (the mixing step of wyhash). */
static uint64_t mix(uint64_t a, uint64_t b)
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

uint64_t hash_bytes(struct view bytes)
{
    const char *p = bytes.ptr;
    size_t n = bytes.len;
    uint64_t h = seed() ^ n;
    while (n >= 8) {
        uint64_t word;
        memcpy(&word, p, 8);
        h = mix(h ^ word, UINT64_C(0xa0761d6478bd642f));
        p += 8;
        n -= 8;
    }
    uint64_t tail = 0;
    if (n > 0)
        memcpy(&tail, p, n);
    return mix(h ^ tail, UINT64_C(0xe7037ed1a0b428db));
}

struct interner *interner_new(void)
{
    struct interner *in = calloc(1, sizeof(*in));
    if (in == NULL)
        return NULL;
    in->slot_count = FIRST_SLOTS;
    in->slots = calloc(FIRST_SLOTS, sizeof(*in->slots));
    if (in->slots == NULL) {
        free(in);
        return NULL;
    }
    return in;
}

void interner_free(struct interner *in)
{
    if (in == NULL)
        return;
    while (in->blocks != NULL) {
        struct block *next = in->blocks->next;
        free(in->blocks);
        in->blocks = next;
    }
    free(in->texts);
    free(in->hashes);
    free(in->slots);
    free(in);
}

static bool grow_slots(struct interner *in)
{
    uint32_t count = in->slot_count * 2;
    uint32_t *slots = calloc(count, sizeof(*slots));
    if (slots == NULL)
        return false;
    for (uint32_t id = 0; id < in->count; id++) {
        uint32_t at = in->hashes[id] & (count - 1);
        while (slots[at] != 0)
            at = (at + 1) & (count - 1);
        slots[at] = id + 1;
    }
    free(in->slots);
    in->slots = slots;
    in->slot_count = count;
    return true;
}

static bool grow_ids(struct interner *in)
{
    uint32_t capacity = in->capacity == 0 ? 64 : in->capacity * 2;
    struct view *texts = realloc(in->texts, capacity * sizeof(*texts));
    if (texts == NULL)
        return false;
    in->texts = texts;
    uint32_t *hashes = realloc(in->hashes, capacity * sizeof(*hashes));
    if (hashes == NULL)
        return false;
    in->hashes = hashes;
    in->capacity = capacity;
    return true;
}

static const char *keep(struct interner *in, struct view text)
{
    if (text.len > in->free_bytes) {
        size_t size = text.len > BLOCK_BYTES ? text.len : BLOCK_BYTES;
        struct block *block = malloc(sizeof(*block) + size);
        if (block == NULL)
            return NULL;
        block->next = in->blocks;
        in->blocks = block;
        in->free_at = block->bytes;
        in->free_bytes = size;
    }
    char *at = in->free_at;
    if (text.len > 0)
        memcpy(at, text.ptr, text.len);
    in->free_at += text.len;
    in->free_bytes -= text.len;
    return at;
}

uint32_t interner_id(struct interner *in, struct view text)
{
    uint32_t hash = (uint32_t)hash_bytes(text);
    uint32_t at = hash & (in->slot_count - 1);
    for (; in->slots[at] != 0; at = (at + 1) & (in->slot_count - 1)) {
        uint32_t id = in->slots[at] - 1;
        if (in->hashes[id] == hash && view_eq(in->texts[id], text))
            return id;
    }
    if (in->count == INTERNER_NONE / 4 || (in->count == in->capacity && !grow_ids(in)))
        return INTERNER_NONE;
    if (in->count >= in->slot_count / 2) {
        if (!grow_slots(in))
            return INTERNER_NONE;
        at = hash & (in->slot_count - 1);
        while (in->slots[at] != 0)
            at = (at + 1) & (in->slot_count - 1);
    }
    const char *kept = keep(in, text);
    if (kept == NULL)
        return INTERNER_NONE;
    uint32_t id = in->count++;
    in->texts[id] = view_make(kept, text.len);
    in->hashes[id] = hash;
    in->slots[at] = id + 1;
    return id;
}

struct view interner_text(const struct interner *in, uint32_t id)
{
    return in->texts[id];
}

uint32_t interner_count(const struct interner *in)
{
    return in->count;
}
