#include "store/dictionary.h"

#include <pthread.h>
#include <stdlib.h>

#include "aggregate/interner.h"

enum { WIDTH = DIMENSION_FIXED_COUNT, FIRST_SLOTS = 256 };

struct dictionary {
    pthread_mutex_t mutex; /* guards everything below */
    struct interner *texts;
    uint32_t *values; /* WIDTH text numbers a series */
    uint32_t count, capacity;
    uint32_t *slots; /* series + 1, 0 is free; a power of two, at most half full */
    uint32_t slot_count;
};

struct dictionary *dictionary_new(void)
{
    struct dictionary *d = calloc(1, sizeof(*d));
    if (d == NULL)
        return NULL;
    pthread_mutex_init(&d->mutex, NULL);
    d->texts = interner_new();
    d->slot_count = FIRST_SLOTS;
    d->slots = calloc(d->slot_count, sizeof(*d->slots));
    if (d->texts == NULL || d->slots == NULL) {
        dictionary_free(d);
        return NULL;
    }
    return d;
}

void dictionary_free(struct dictionary *d)
{
    if (d == NULL)
        return;
    interner_free(d->texts);
    free(d->values);
    free(d->slots);
    pthread_mutex_destroy(&d->mutex);
    free(d);
}

/* The numbers are ours, so nobody outside can choose collisions. */
static uint32_t hash_values(const uint32_t text[WIDTH])
{
    uint64_t h = 0;
    for (size_t i = 0; i < WIDTH; i++)
        h = (h ^ text[i]) * UINT64_C(0x9e3779b97f4a7c15) + (h >> 29);
    return (uint32_t)(h >> 32);
}

static uint32_t *find_slot(const struct dictionary *d, const uint32_t text[WIDTH])
{
    uint32_t at = hash_values(text) & (d->slot_count - 1);
    while (d->slots[at] != 0 &&
           memcmp(&d->values[(size_t)(d->slots[at] - 1) * WIDTH], text, WIDTH * sizeof(*text)) != 0)
        at = (at + 1) & (d->slot_count - 1);
    return &d->slots[at];
}

static bool make_room(struct dictionary *d)
{
    if (d->count == d->capacity) {
        uint32_t capacity = d->capacity == 0 ? 64 : d->capacity * 2;
        uint32_t *grown = capacity > UINT32_MAX / 4
                              ? NULL
                              : realloc(d->values, (size_t)capacity * WIDTH * sizeof(*grown));
        if (grown == NULL)
            return false;
        d->values = grown;
        d->capacity = capacity;
    }
    if (d->count >= d->slot_count / 2) {
        uint32_t *old = d->slots;
        uint32_t *slots = calloc((size_t)d->slot_count * 2, sizeof(*slots));
        if (slots == NULL)
            return false;
        d->slots = slots;
        d->slot_count *= 2;
        for (uint32_t series = 0; series < d->count; series++)
            *find_slot(d, &d->values[(size_t)series * WIDTH]) = series + 1;
        free(old);
    }
    return true;
}

/* The series of these texts; *is_new says whether it was not there. */
static uint32_t series_of(struct dictionary *d, const uint32_t text[WIDTH], bool *is_new)
{
    uint32_t *slot = find_slot(d, text);
    *is_new = *slot == 0;
    if (!*is_new)
        return *slot - 1;
    if (!make_room(d))
        return DICTIONARY_NONE;
    memcpy(&d->values[(size_t)d->count * WIDTH], text, WIDTH * sizeof(*text));
    *find_slot(d, text) = d->count + 1;
    return d->count++;
}

uint32_t dictionary_series(struct dictionary *d, const struct view value[WIDTH])
{
    uint32_t text[WIDTH], series = 0;
    bool is_new;
    pthread_mutex_lock(&d->mutex);
    for (size_t i = 0; i < WIDTH && series != DICTIONARY_NONE; i++) {
        text[i] = interner_id(d->texts, value[i]);
        if (text[i] == INTERNER_NONE)
            series = DICTIONARY_NONE;
    }
    if (series != DICTIONARY_NONE)
        series = series_of(d, text, &is_new);
    pthread_mutex_unlock(&d->mutex);
    return series;
}

uint32_t dictionary_other(struct dictionary *d)
{
    pthread_mutex_lock(&d->mutex);
    uint32_t text = interner_id(d->texts, VIEW_LIT("Other"));
    pthread_mutex_unlock(&d->mutex);
    return text == INTERNER_NONE ? DICTIONARY_NONE : text;
}

enum status dictionary_load_text(struct dictionary *d, struct view text)
{
    pthread_mutex_lock(&d->mutex);
    uint32_t count = interner_count(d->texts);
    uint32_t id = interner_id(d->texts, text);
    pthread_mutex_unlock(&d->mutex);
    return id == INTERNER_NONE ? ST_NO_MEMORY : id == count ? ST_OK : ST_BAD_ITEM;
}

enum status dictionary_load_series(struct dictionary *d, const uint32_t text[WIDTH])
{
    bool is_new = false, known = true;
    uint32_t series = 0;
    pthread_mutex_lock(&d->mutex);
    for (size_t i = 0; i < WIDTH; i++)
        known = known && text[i] < interner_count(d->texts);
    if (known)
        series = series_of(d, text, &is_new);
    pthread_mutex_unlock(&d->mutex);
    return series == DICTIONARY_NONE ? ST_NO_MEMORY : is_new ? ST_OK : ST_BAD_ITEM;
}

/* Locking does not change what callers see. */
static void lock(const struct dictionary *d)
{
    union {
        const struct dictionary *given;
        struct dictionary *lockable;
    } u = {d};
    pthread_mutex_lock(&u.lockable->mutex);
}

static void unlock(const struct dictionary *d)
{
    union {
        const struct dictionary *given;
        struct dictionary *lockable;
    } u = {d};
    pthread_mutex_unlock(&u.lockable->mutex);
}

void dictionary_counts(const struct dictionary *d, uint32_t *texts, uint32_t *series)
{
    lock(d);
    *texts = interner_count(d->texts);
    *series = d->count;
    unlock(d);
}

struct view dictionary_text(const struct dictionary *d, uint32_t text)
{
    lock(d);
    struct view v = interner_text(d->texts, text);
    unlock(d);
    return v;
}

void dictionary_values(const struct dictionary *d, uint32_t series, uint32_t text[WIDTH])
{
    lock(d);
    memcpy(text, &d->values[(size_t)series * WIDTH], WIDTH * sizeof(*text));
    unlock(d);
}

uint32_t *dictionary_copy_series(const struct dictionary *d, uint32_t count)
{
    size_t bytes = (size_t)count * WIDTH * sizeof(uint32_t);
    uint32_t *copy = malloc(bytes + 1);
    lock(d);
    if (copy != NULL && count > 0)
        memcpy(copy, d->values, bytes);
    unlock(d);
    return copy;
}
