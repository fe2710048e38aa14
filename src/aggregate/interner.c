/*
 * interner.c: texts in blocks that never move, and the table that finds their numbers.  Names of
 * models, Regions, principals repeat in every record, so everything after it compares numbers.
 */
#include "aggregate/interner.h"

#include <stdlib.h>

#include "base/array.h"
#include "base/table.h"

enum { BLOCK_BYTES = 16 * 1024 };

struct block {
    struct block *next;
    char bytes[];
};

struct interner {
    struct view *texts; /* by id */
    uint32_t count;
    size_t capacity;
    struct table table; /* ids */
    struct block *blocks;
    char *free_at;
    size_t free_bytes;
    size_t bytes; /* of all texts */
};

struct interner *interner_new(void)
{
    return calloc(1, sizeof(struct interner));
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
    table_clear(&in->table);
    free(in);
}

static const char *keep(struct interner *in, struct view text)
{
    if (in->blocks == NULL || text.len > in->free_bytes) {
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

static uint32_t find(const struct interner *in, struct view text, uint32_t hash)
{
    struct table_look look = table_look(hash);
    while (table_next(&in->table, &look)) {
        if (view_eq(in->texts[look.number], text))
            return look.number;
    }
    return INTERNER_NONE;
}

uint32_t interner_find(const struct interner *in, struct view text)
{
    return find(in, text, (uint32_t)table_hash_bytes(text));
}

uint32_t interner_id(struct interner *in, struct view text)
{
    uint32_t hash = (uint32_t)table_hash_bytes(text);
    uint32_t id = find(in, text, hash);
    if (id != INTERNER_NONE)
        return id;
    if (!array_room(&in->texts, in->count, &in->capacity, 64, sizeof(*in->texts)))
        return INTERNER_NONE;
    const char *kept = keep(in, text);
    if (kept == NULL || table_add(&in->table, hash, in->count) != ST_OK)
        return INTERNER_NONE;
    in->texts[in->count] = view_make(kept, text.len);
    in->bytes += text.len;
    return in->count++;
}

struct view interner_text(const struct interner *in, uint32_t id)
{
    return in->texts[id];
}

uint32_t interner_count(const struct interner *in)
{
    return in->count;
}

size_t interner_bytes(const struct interner *in)
{
    return in->bytes;
}
