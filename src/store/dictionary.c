/*
 * dictionary.c: an interner for the texts and tuples of their numbers for the series, under one
 * lock, because the page asks while files are counted.
 */
#include "store/dictionary.h"

#include <pthread.h>
#include <stdlib.h>

#include "aggregate/interner.h"
#include "base/tuples.h"

struct dictionary {
    pthread_mutex_t mutex; /* guards everything below but the width */
    struct interner *texts;
    struct tuples series; /* of text numbers */
};

/* Locking does not change what callers see. */
static pthread_mutex_t *mutex_of(const struct dictionary *d)
{
    return (pthread_mutex_t *)(uintptr_t)&d->mutex;
}

struct dictionary *dictionary_new(size_t width)
{
    struct dictionary *d = calloc(1, sizeof(*d));
    if (d == NULL)
        return NULL;
    pthread_mutex_init(&d->mutex, NULL);
    d->series.width = width;
    d->texts = interner_new();
    if (d->texts == NULL) {
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
    tuples_clear(&d->series);
    pthread_mutex_destroy(&d->mutex);
    free(d);
}

size_t dictionary_width(const struct dictionary *d)
{
    return d->series.width;
}

uint32_t dictionary_series(struct dictionary *d, const struct view *value)
{
    uint32_t text[DICTIONARY_MAX_WIDTH], series = 0;
    pthread_mutex_lock(&d->mutex);
    for (size_t i = 0; i < d->series.width && series != DICTIONARY_NONE; i++) {
        text[i] = interner_id(d->texts, value[i]);
        if (text[i] == INTERNER_NONE)
            series = DICTIONARY_NONE;
    }
    if (series != DICTIONARY_NONE)
        series = tuples_id(&d->series, text);
    pthread_mutex_unlock(&d->mutex);
    return series;
}

uint32_t dictionary_other(struct dictionary *d)
{
    pthread_mutex_lock(&d->mutex);
    uint32_t text = interner_id(d->texts, VIEW_LIT("Other"));
    pthread_mutex_unlock(&d->mutex);
    return text;
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
    enum status st = ST_OK;
    pthread_mutex_lock(&d->mutex);
    for (size_t i = 0; i < d->series.width && st == ST_OK; i++)
        st = text[i] < interner_count(d->texts) ? ST_OK : ST_BAD_ITEM;
    if (st == ST_OK) {
        uint32_t count = d->series.count;
        uint32_t id = tuples_id(&d->series, text);
        st = id == TUPLES_NONE ? ST_NO_MEMORY : id == count ? ST_OK : ST_BAD_ITEM;
    }
    pthread_mutex_unlock(&d->mutex);
    return st;
}

void dictionary_counts(const struct dictionary *d, uint32_t *texts, uint32_t *series)
{
    pthread_mutex_lock(mutex_of(d));
    *texts = interner_count(d->texts);
    *series = d->series.count;
    pthread_mutex_unlock(mutex_of(d));
}

struct view dictionary_text(const struct dictionary *d, uint32_t text)
{
    pthread_mutex_lock(mutex_of(d));
    struct view v = interner_text(d->texts, text);
    pthread_mutex_unlock(mutex_of(d));
    return v;
}

void dictionary_values(const struct dictionary *d, uint32_t series, uint32_t *text)
{
    pthread_mutex_lock(mutex_of(d));
    memcpy(text, tuples_row(&d->series, series), d->series.width * sizeof(*text));
    pthread_mutex_unlock(mutex_of(d));
}

uint32_t *dictionary_copy_series(const struct dictionary *d, uint32_t count)
{
    size_t bytes = (size_t)count * d->series.width * sizeof(uint32_t);
    uint32_t *copy = malloc(bytes + 1);
    pthread_mutex_lock(mutex_of(d));
    if (copy != NULL && bytes > 0)
        memcpy(copy, d->series.numbers, bytes);
    pthread_mutex_unlock(mutex_of(d));
    return copy;
}
