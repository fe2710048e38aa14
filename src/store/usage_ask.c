/*
 * usage_ask.c: questions to a store.  Each is answered from one moment of it, in a read transaction
 * of its own connection, while objects are committed.
 */
#include <stdlib.h>

#include "store/gather.h"
#include "store/usage_private.h"

enum { IDLE_READERS = 4 };

/* ---- connections ---- */

/* The store, for one question: all of it is of one moment. */
static enum status take_reader(struct usage *u, struct reader **out, struct error *err)
{
    struct reader *reader;
    pthread_mutex_lock(&u->readers_mutex);
    reader = u->readers;
    if (reader != NULL) {
        u->readers = reader->next;
        u->reader_count--;
    }
    pthread_mutex_unlock(&u->readers_mutex);
    enum status st = ST_OK;
    if (reader == NULL) {
        reader = calloc(1, sizeof(*reader));
        st = reader == NULL ? ST_NO_MEMORY
                            : store_open(u->path, STORE_READ_AGAIN, &reader->store, err);
    }
    if (st == ST_OK)
        st = store_begin_reading(reader->store, err);
    if (st != ST_OK && reader != NULL) {
        store_close(reader->store);
        free(reader);
    }
    *out = st == ST_OK ? reader : NULL;
    return st;
}

static void give_back(struct usage *u, struct reader *reader)
{
    store_end_reading(reader->store);
    pthread_mutex_lock(&u->readers_mutex);
    bool keep = u->reader_count < IDLE_READERS;
    if (keep) {
        reader->next = u->readers;
        u->readers = reader;
        u->reader_count++;
    }
    pthread_mutex_unlock(&u->readers_mutex);
    if (!keep) {
        store_close(reader->store);
        free(reader);
    }
}

/* ---- folding ---- */

/* What the values of a dimension are folded into: for each text itself or "Other". */
struct fold {
    u128 *size; /* by text: its tokens */
    uint32_t *order;
    uint32_t *replace;
};

static int by_size(const void *a, const void *b, void *context)
{
    const u128 *size = context;
    uint32_t left, right;
    memcpy(&left, a, sizeof(left));
    memcpy(&right, b, sizeof(right));
    if (size[left] != size[right])
        return size[left] > size[right] ? -1 : 1;
    return left < right ? -1 : 1;
}

/* What is folded: the series of a moment, with their tokens. */
struct folding {
    const uint32_t *values; /* of all series, `width` texts each */
    size_t width;
    const u128 *tokens; /* by series */
    uint32_t series, texts, other;
};

/* The texts of one column by size; those beyond the `keep` largest are replaced by "Other". */
static enum status fold_values(const struct folding *what, size_t column, uint32_t keep,
                               uint32_t **replace, struct usage_fold *folded)
{
    uint32_t texts = what->texts, count = 0;
    struct fold f = {
        .size = calloc((size_t)texts + 1, sizeof(*f.size)),
        .order = malloc(((size_t)texts + 1) * sizeof(*f.order)),
        .replace = malloc(((size_t)texts + 1) * sizeof(*f.replace)),
    };
    enum status st = f.size == NULL || f.order == NULL || f.replace == NULL ? ST_NO_MEMORY : ST_OK;
    if (st == ST_OK) {
        for (uint32_t i = 0; i < texts; i++)
            f.replace[i] = UINT32_MAX;
        for (uint32_t s = 0; s < what->series; s++) {
            uint32_t text = what->values[(size_t)s * what->width + column];
            if (f.replace[text] == UINT32_MAX) {
                f.replace[text] = text;
                f.order[count++] = text;
            }
            f.size[text] += what->tokens[s];
        }
        qsort_r(f.order, count, sizeof(*f.order), by_size, f.size);
        for (uint32_t i = keep; i < count; i++)
            f.replace[f.order[i]] = what->other;
        folded->kept = count < keep ? count : keep;
        folded->folded = count < keep ? 0 : count - keep;
        *replace = f.replace;
        f.replace = NULL;
    }
    free(f.size);
    free(f.order);
    free(f.replace);
    return st;
}

/* How many values of a column the question wants; 0: all, or it does not ask for the column. */
static uint32_t kept_of(const struct usage *u, const struct usage_query *q, size_t column)
{
    const struct dimension *d = &u->dimensions.dimension[column];
    bool asked = false;
    for (size_t i = 0; i < q->set_count && !asked; i++)
        asked = dimension_set_find(&q->sets[i], d->name) != SIZE_MAX;
    return q->keep == NULL || !asked ? 0 : dimension_kept(d->kind, q->keep);
}

/*
 * Folding looks at all time, not at the span that is asked for, so that the same values have a
 * name of their own in every answer.
 */
static enum status fold_all(struct usage *u, struct store *store, const struct usage_query *q,
                            uint32_t *replace[DIMENSIONS_PER_SET], struct usage_fold *folded,
                            struct error *err)
{
    struct folding what = {
        .other = dictionary_other(u->dictionary),
        .width = u->dimensions.count,
    };
    dictionary_counts(u->dictionary, &what.texts, &what.series);
    uint32_t *values = dictionary_copy_series(u->dictionary, what.series);
    u128 *tokens = calloc((size_t)what.series + 1, sizeof(*tokens));
    enum status st =
        what.other == DICTIONARY_NONE || values == NULL || tokens == NULL ? ST_NO_MEMORY : ST_OK;
    what.values = values;
    what.tokens = tokens;
    if (st == ST_OK)
        st = gather_tokens(store, what.series, tokens, err);
    for (size_t column = 0; column < what.width && st == ST_OK; column++) {
        uint32_t keep = kept_of(u, q, column);
        if (keep != 0)
            st = fold_values(&what, column, keep, &replace[column], &folded[column]);
    }
    free(values);
    free(tokens);
    return st;
}

/* ---- gathering ---- */

static enum status find_columns(const struct usage *u, const struct dimension_set *set,
                                struct grouping_options *out, struct error *err)
{
    out->column_count = set->count;
    for (size_t i = 0; i < set->count; i++) {
        struct view name = set->dimension[i].name;
        out->columns[i] = dimension_set_find(&u->dimensions, name);
        if (out->columns[i] == SIZE_MAX)
            return error_set(err, ST_USAGE, E_U210,
                             "by: %.*s is not kept in the store, which keeps %.*s", SHOW(name),
                             SHOW(buf_view(&u->dimension_names)));
    }
    return ST_OK;
}

static enum status gather_set(struct usage *u, struct store *store, const struct usage_query *q,
                              size_t set, const uint32_t *const *replace,
                              struct grouping **grouping, struct error *err)
{
    uint32_t texts, series;
    dictionary_counts(u->dictionary, &texts, &series);
    struct grouping_options options = {
        .dictionary = u->dictionary,
        .series_count = series,
        .interval_seconds = q->set_intervals != NULL ? q->set_intervals[set] : q->interval_seconds,
        .max_cells =
            q->max_rows == 0 || q->max_rows > UINT32_MAX / 4 ? UINT32_MAX / 4 : q->max_rows,
        .replace = replace,
    };
    enum status st = find_columns(u, &q->sets[set], &options, err);
    if (st != ST_OK)
        return st;
    *grouping = grouping_new(&options);
    struct gather gather = {
        .store = store,
        .since = q->has_since ? q->since : INT64_MIN,
        .until = q->has_until ? q->until : INT64_MAX,
        .interval = options.interval_seconds,
        .has_principal =
            dimension_set_find(&q->sets[set], view_of(dimension_info(DIMENSION_PRINCIPAL)->name)) !=
            SIZE_MAX,
        .series_count = series,
        .into = *grouping,
    };
    return *grouping == NULL ? ST_NO_MEMORY : gather_sums(&gather, err);
}

/* All sets, one after the other, so that only one's cells are held twice. */
static enum status gather_all(struct usage *u, struct store *store, const struct usage_query *q,
                              struct aggregate *aggregate, struct usage_fold *folded,
                              struct error *err)
{
    uint32_t *replace[DIMENSIONS_PER_SET] = {NULL};
    const uint32_t *constant[DIMENSIONS_PER_SET];
    bool any = false;
    for (size_t i = 0; i < u->dimensions.count; i++)
        any = any || kept_of(u, q, i) != 0;
    enum status st = any ? fold_all(u, store, q, replace, folded, err) : ST_OK;
    for (size_t i = 0; i < DIMENSIONS_PER_SET; i++)
        constant[i] = replace[i];
    for (size_t i = 0; i < q->set_count && st == ST_OK; i++) {
        struct grouping *grouping = NULL;
        st = gather_set(u, store, q, i, any ? constant : NULL, &grouping, err);
        if (st == ST_OK)
            st = grouping_add_to(grouping, aggregate, i);
        grouping_free(grouping);
    }
    for (size_t i = 0; i < DIMENSIONS_PER_SET; i++)
        free(replace[i]);
    return st;
}

/* In a store that is only read there is one connection, and one transaction for all. */
static enum status ask_store(struct usage *u, const struct usage_query *q, struct aggregate *into,
                             struct usage_answer *out, struct error *err)
{
    struct reader *reader = NULL;
    bool own = u->lock_fd >= 0;
    if (!own)
        pthread_mutex_lock(&u->store_mutex);
    out->version = u->version; /* not later than what is read */
    enum status st = own ? take_reader(u, &reader, err) : ST_OK;
    struct store *store = own && st == ST_OK ? reader->store : u->store;
    if (st == ST_OK)
        st = store_load_tally(store, &out->tally, err);
    if (st == ST_OK)
        st = gather_all(u, store, q, into, out->fold, err);
    if (reader != NULL)
        give_back(u, reader);
    if (!own)
        pthread_mutex_unlock(&u->store_mutex);
    return st;
}

enum status usage_ask(struct usage *u, const struct usage_query *q, struct usage_answer *out,
                      struct error *err)
{
    struct dimension_keys keys = {0};
    struct aggregate_options options = {
        .sets = q->sets,
        .set_count = q->set_count,
        .keys = &keys,
        .interval_seconds = q->interval_seconds,
    };
    *out = (struct usage_answer){0};
    struct aggregate *aggregate = aggregate_new(&options);
    enum status st = aggregate == NULL ? ST_NO_MEMORY : ask_store(u, q, aggregate, out, err);
    if (st == ST_OK) {
        out->aggregate = aggregate;
        return ST_OK;
    }
    aggregate_free(aggregate);
    if (st == ST_NO_MEMORY)
        return error_set(err, st, E_R113, "out of memory");
    if (st == ST_TOO_BIG)
        return error_set(err, st, E_U203, "more than %u rows", q->max_rows);
    return st;
}
