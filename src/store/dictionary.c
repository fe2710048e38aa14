#include "store/dictionary.h"

#include <pthread.h>
#include <stdlib.h>

#include "aggregate/interner.h"

enum { FIRST_SLOTS = 256 };

struct dictionary {
    size_t width;
    pthread_mutex_t mutex; /* guards everything below */
    struct interner *texts;
    uint32_t *values; /* `width` text numbers a series */
    uint32_t count, capacity;
    uint32_t *slots; /* series + 1, 0 is free; a power of two, at most half full */
    uint32_t slot_count;
    uint32_t hashed; /* series in the slots: a store that is only read needs none */
};

struct dictionary *dictionary_new(size_t width)
{
    struct dictionary *d = calloc(1, sizeof(*d));
    if (d == NULL)
        return NULL;
    d->width = width;
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

size_t dictionary_width(const struct dictionary *d)
{
    return d->width;
}

/* The numbers are ours, so nobody outside can choose collisions. */
static uint32_t hash_values(const struct dictionary *d, const uint32_t *text)
{
    uint64_t h = 0;
    for (size_t i = 0; i < d->width; i++)
        h = (h ^ text[i]) * UINT64_C(0x9e3779b97f4a7c15) + (h >> 29);
    return (uint32_t)(h >> 32);
}

static uint32_t *values_of(const struct dictionary *d, uint32_t series)
{
    return &d->values[(size_t)series * d->width];
}

static uint32_t *find_slot(const struct dictionary *d, const uint32_t *text)
{
    uint32_t at = hash_values(d, text) & (d->slot_count - 1);
    while (d->slots[at] != 0 &&
           memcmp(values_of(d, d->slots[at] - 1), text, d->width * sizeof(*text)) != 0)
        at = (at + 1) & (d->slot_count - 1);
    return &d->slots[at];
}

static bool make_room(struct dictionary *d)
{
    if (d->count < d->capacity)
        return true;
    uint32_t capacity = d->capacity == 0 ? 64 : d->capacity * 2;
    uint32_t *grown = capacity > UINT32_MAX / 4
                          ? NULL
                          : realloc(d->values, (size_t)capacity * d->width * sizeof(*grown));
    if (grown == NULL)
        return false;
    d->values = grown;
    d->capacity = capacity;
    return true;
}

/* All series in the slots, with room for one more. */
static bool hash_all(struct dictionary *d)
{
    uint32_t wanted = d->slot_count;
    while (d->count >= wanted / 2)
        wanted *= 2;
    if (wanted != d->slot_count) {
        uint32_t *slots = calloc(wanted, sizeof(*slots));
        if (slots == NULL)
            return false;
        free(d->slots);
        d->slots = slots;
        d->slot_count = wanted;
        d->hashed = 0;
    }
    for (; d->hashed < d->count; d->hashed++)
        *find_slot(d, values_of(d, d->hashed)) = d->hashed + 1;
    return true;
}

/* The series of these texts, made if it is not there. */
static uint32_t series_of(struct dictionary *d, const uint32_t *text)
{
    if (!hash_all(d) || !make_room(d))
        return DICTIONARY_NONE;
    uint32_t *slot = find_slot(d, text);
    if (*slot != 0)
        return *slot - 1;
    memcpy(values_of(d, d->count), text, d->width * sizeof(*text));
    *slot = ++d->count;
    d->hashed = d->count;
    return d->count - 1;
}

uint32_t dictionary_series(struct dictionary *d, const struct view *value)
{
    uint32_t text[DICTIONARY_MAX_WIDTH], series = 0;
    pthread_mutex_lock(&d->mutex);
    for (size_t i = 0; i < d->width && series != DICTIONARY_NONE; i++) {
        text[i] = interner_id(d->texts, value[i]);
        if (text[i] == INTERNER_NONE)
            series = DICTIONARY_NONE;
    }
    if (series != DICTIONARY_NONE)
        series = series_of(d, text);
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

enum status dictionary_load_series(struct dictionary *d, const uint32_t *text)
{
    bool known = true;
    enum status st = ST_OK;
    pthread_mutex_lock(&d->mutex);
    for (size_t i = 0; i < d->width; i++)
        known = known && text[i] < interner_count(d->texts);
    if (!known)
        st = ST_BAD_ITEM;
    else if (!make_room(d))
        st = ST_NO_MEMORY;
    else
        memcpy(values_of(d, d->count++), text, d->width * sizeof(*text));
    pthread_mutex_unlock(&d->mutex);
    return st;
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

void dictionary_values(const struct dictionary *d, uint32_t series, uint32_t *text)
{
    lock(d);
    memcpy(text, values_of(d, series), d->width * sizeof(*text));
    unlock(d);
}

uint32_t *dictionary_copy_series(const struct dictionary *d, uint32_t count)
{
    size_t bytes = (size_t)count * d->width * sizeof(uint32_t);
    uint32_t *copy = malloc(bytes + 1);
    lock(d);
    if (copy != NULL && count > 0)
        memcpy(copy, d->values, bytes);
    unlock(d);
    return copy;
}
