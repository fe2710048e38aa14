#include "price/price_cache.h"

#include <stdlib.h>

/* Longer texts are no Bedrock names and are not worth their memory. */
enum { KEY_MAX_BYTES = 1024 };

struct entry {
    uint64_t hash;
    char *key; /* model, geography, region without anything between; NULL: free */
    uint32_t model_len;
    uint32_t geography_len;
    uint32_t region_len;
    struct price_line line;
};

struct price_cache {
    const struct prices *prices;
    struct entry *entries; /* a power of two of them, at most half used; open addressing */
    uint64_t mask;
    uint32_t n;
    uint32_t max;
};

/* Eight bytes a step.  Names made to collide cost a search through at most `max` hashes. */
static uint64_t hash_view(uint64_t hash, struct view text)
{
    const uint64_t odd = 0x9e3779b97f4a7c15u;

    hash ^= text.len;
    while (text.len > 0) {
        uint64_t word = 0;
        size_t n = text.len < sizeof(word) ? text.len : sizeof(word);
        memcpy(&word, text.ptr, n);
        hash = (hash ^ word) * odd;
        hash ^= hash >> 32;
        text = view_skip(text, n);
    }
    return hash;
}

static bool is_entry(const struct entry *entry, uint64_t hash, const struct price_query *query)
{
    return entry->hash == hash && view_eq(query->model, view_make(entry->key, entry->model_len)) &&
           view_eq(query->geography,
                   view_make(entry->key + entry->model_len, entry->geography_len)) &&
           view_eq(query->region, view_make(entry->key + entry->model_len + entry->geography_len,
                                            entry->region_len));
}

static void copy_text(char **at, struct view text)
{
    if (text.len > 0)
        memcpy(*at, text.ptr, text.len);
    *at += text.len;
}

static char *copy_key(const struct price_query *query)
{
    size_t n = query->model.len + query->geography.len + query->region.len;
    char *key = malloc(n + 1); /* never of no bytes: NULL marks a free entry */

    if (key != NULL) {
        char *at = key;
        copy_text(&at, query->model);
        copy_text(&at, query->geography);
        copy_text(&at, query->region);
    }
    return key;
}

enum status price_cache_new(const struct prices *prices, uint32_t max_lines,
                            struct price_cache **out)
{
    uint64_t size = 8;

    while (size < 2 * (uint64_t)max_lines)
        size *= 2;
    struct price_cache *cache = calloc(1, sizeof(*cache));
    struct entry *entries = calloc(size, sizeof(*entries));
    if (cache == NULL || entries == NULL) {
        free(entries);
        free(cache);
        return ST_NO_MEMORY;
    }
    *cache = (struct price_cache){prices, entries, size - 1, 0, max_lines};
    *out = cache;
    return ST_OK;
}

void price_cache_free(struct price_cache *cache)
{
    if (cache == NULL)
        return;
    for (uint64_t i = 0; i <= cache->mask; i++)
        free(cache->entries[i].key);
    free(cache->entries);
    free(cache);
}

void price_cache_match(struct price_cache *cache, const struct price_query *query,
                       struct price_line *out)
{
    uint64_t hash =
        hash_view(hash_view(hash_view(0, query->model), query->geography), query->region);
    uint64_t i = hash & cache->mask;

    while (cache->entries[i].key != NULL) {
        if (is_entry(&cache->entries[i], hash, query)) {
            *out = cache->entries[i].line;
            return;
        }
        i = (i + 1) & cache->mask;
    }
    price_match(cache->prices, query, out);
    if (cache->n == cache->max || query->model.len > KEY_MAX_BYTES ||
        query->geography.len > KEY_MAX_BYTES || query->region.len > KEY_MAX_BYTES)
        return;
    char *key = copy_key(query);
    if (key == NULL)
        return; /* matched without being kept */
    cache->entries[i] = (struct entry){.hash = hash,
                                       .key = key,
                                       .model_len = (uint32_t)query->model.len,
                                       .geography_len = (uint32_t)query->geography.len,
                                       .region_len = (uint32_t)query->region.len,
                                       .line = *out};
    cache->n++;
}
