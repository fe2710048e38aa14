/*
 * price_list.c: a list in memory: the rows of the built-in file and of the user's, sorted and
 * merged, and the models and aliases they are found by.
 */
#include "price/price_list.h"

#include <stdlib.h>

#include "base/whole_file.h"
#include "price/price_read.h"

/* ---- rows ---- */

static int compare_place(const struct price_row *a, const struct price_row *b)
{
    int order = view_compare(a->model, b->model);

    if (order == 0)
        order = view_compare(a->scope, b->scope);
    if (order == 0)
        order = (a->from_day > b->from_day) - (a->from_day < b->from_day);
    return order;
}

static int compare_key(const struct price_row *a, const struct price_row *b)
{
    int order = compare_place(a, b);

    return order != 0 ? order : (a->over > b->over) - (a->over < b->over);
}

static int compare_loaded(const void *left, const void *right)
{
    const struct price_loaded_row *a = left;
    const struct price_loaded_row *b = right;
    int order = compare_key(&a->row, &b->row);

    if (order == 0)
        order = (int)a->row.own - (int)b->row.own;
    return order != 0 ? order : (a->at > b->at) - (a->at < b->at);
}

/* Sorted rows of both files, the user's after the built-in one they replace, to p->rows. */
static enum status merge_rows(struct prices *p, const struct price_loaded_row *loaded, size_t n,
                              struct error *err)
{
    for (size_t i = 0; i < n; i++) {
        const struct price_row *row = &loaded[i].row;
        struct price_place at = {"prices", loaded[i].at};
        struct price_row *last = p->n_rows > 0 ? &p->rows[p->n_rows - 1] : NULL;

        if (last != NULL && compare_key(last, row) == 0) {
            if (last->own == row->own)
                return price_fault(err, &at, NULL,
                                   "has the model, scope, from and over of an earlier row");
            *last = *row;
            continue;
        }
        /* Sorted, so the row for requests of any length would come first. */
        if (row->over != 0 && (last == NULL || compare_place(last, row) != 0))
            return price_fault(err, &at, "over",
                               "needs a row without \"over\" for the same model, scope and from");
        p->rows[p->n_rows++] = *row;
    }
    return ST_OK;
}

static enum status load_rows(struct prices *p, struct error *err)
{
    size_t n = 0;
    enum status st = ST_OK;

    for (size_t d = 0; d < 2; d++)
        n += json_array_size(json_object_get(p->documents[d], "prices"));
    struct price_loaded_row *loaded = calloc(n + 1, sizeof(*loaded));
    p->rows = calloc(n + 1, sizeof(*p->rows));
    if (loaded == NULL || p->rows == NULL) {
        st = error_set(err, ST_NO_MEMORY, E_R113, "no memory for the price list");
        goto out;
    }
    n = 0;
    for (size_t d = 0; d < 2; d++) {
        const json_t *rows = json_object_get(p->documents[d], "prices");
        for (size_t i = 0; i < json_array_size(rows); i++) {
            loaded[n].at = (uint32_t)i;
            loaded[n].row.own = d == 1;
            st = price_read_row(json_array_get(rows, i), &loaded[n++], err);
            if (st != ST_OK)
                goto out;
        }
    }
    qsort(loaded, n, sizeof(*loaded), compare_loaded);
    st = merge_rows(p, loaded, n, err);
out:
    free(loaded);
    return st;
}

/* ---- models ---- */

/* The digits at the end of `id`, with `mark` before them, taken off; `id` itself without them. */
static struct view cut_number(struct view id, struct view mark)
{
    size_t n = id.len;

    while (n > 0 && id.ptr[n - 1] >= '0' && id.ptr[n - 1] <= '9')
        n--;
    if (n == id.len || n <= mark.len || !view_ends(view_first(id, n), mark))
        return id;
    return view_first(id, n - mark.len);
}

struct view price_cut_version(struct view id)
{
    return cut_number(cut_number(id, VIEW_LIT(":")), VIEW_LIT("-v"));
}

static int compare_stem(const void *left, const void *right, void *models)
{
    const struct price_model *all = models;
    uint32_t a = *(const uint32_t *)left;
    uint32_t b = *(const uint32_t *)right;
    int order = view_compare(all[a].stem, all[b].stem);

    return order != 0 ? order : (a > b) - (a < b);
}

static enum status index_models(struct prices *p, struct error *err)
{
    p->models = calloc((size_t)p->n_rows + 1, sizeof(*p->models));
    p->by_stem = calloc((size_t)p->n_rows + 1, sizeof(*p->by_stem));
    if (p->models == NULL || p->by_stem == NULL)
        return error_set(err, ST_NO_MEMORY, E_R113, "no memory for the price list");
    for (uint32_t i = 0; i < p->n_rows; i++) {
        struct view id = p->rows[i].model;
        if (i == 0 || !view_eq(id, p->rows[i - 1].model)) {
            p->by_stem[p->n_models] = p->n_models;
            p->models[p->n_models++] = (struct price_model){id, price_cut_version(id), i, 0};
        }
        p->models[p->n_models - 1].n_rows++;
        p->info.own_rows += p->rows[i].own;
    }
    qsort_r(p->by_stem, p->n_models, sizeof(*p->by_stem), compare_stem, p->models);
    p->info.rows = p->n_rows;
    p->info.models = p->n_models;
    return ST_OK;
}

/* Of models and aliases, whose first member is the id they are sorted by. */
static int compare_to_id(const void *id, const void *element)
{
    return view_compare(*(const struct view *)id, *(const struct view *)element);
}

uint32_t price_find_model(const struct prices *prices, struct view id)
{
    const struct price_model *found =
        bsearch(&id, prices->models, prices->n_models, sizeof(*prices->models), compare_to_id);
    return found == NULL ? UINT32_MAX : (uint32_t)(found - prices->models);
}

uint32_t price_find_stem(const struct prices *prices, struct view stem, uint32_t *model)
{
    uint32_t low = 0;
    uint32_t high = prices->n_models;

    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (view_compare(prices->models[prices->by_stem[middle]].stem, stem) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    uint32_t n = 0;
    while (low + n < prices->n_models &&
           view_eq(prices->models[prices->by_stem[low + n]].stem, stem))
        n++;
    if (n > 0)
        *model = prices->by_stem[low];
    return n;
}

/* ---- aliases ---- */

static int compare_alias(const void *left, const void *right)
{
    const struct price_alias *a = left;
    const struct price_alias *b = right;
    int order = view_compare(a->id, b->id);

    if (order == 0)
        order = (int)a->own - (int)b->own;
    return order != 0 ? order : (a->at > b->at) - (a->at < b->at);
}

static enum status load_aliases(struct prices *p, struct error *err)
{
    size_t n = 0;

    for (size_t d = 0; d < 2; d++)
        n += json_array_size(json_object_get(p->documents[d], "aliases"));
    struct price_alias *all = calloc(n + 1, sizeof(*all));
    if (all == NULL)
        return error_set(err, ST_NO_MEMORY, E_R113, "no memory for the price list");
    p->aliases = all;
    n = 0;
    for (size_t d = 0; d < 2; d++) {
        const json_t *list = json_object_get(p->documents[d], "aliases");
        for (size_t i = 0; i < json_array_size(list); i++) {
            all[n].at = (uint32_t)i;
            all[n].own = d == 1;
            enum status st = price_read_alias(json_array_get(list, i), &all[n], err);
            if (st != ST_OK)
                return st;
            struct price_place at = {"aliases", i};
            all[n].model = price_find_model(p, all[n].target);
            if (all[n].model == UINT32_MAX)
                return price_fault(err, &at, "model", "names no model that has a price");
            n++;
        }
    }
    qsort(all, n, sizeof(*all), compare_alias);
    for (size_t i = 0; i < n; i++) {
        struct price_place at = {"aliases", all[i].at};
        struct price_alias *last = p->n_aliases > 0 ? &all[p->n_aliases - 1] : NULL;
        if (last == NULL || !view_eq(last->id, all[i].id))
            all[p->n_aliases++] = all[i];
        else if (last->own == all[i].own)
            return price_fault(err, &at, "id", "is there twice");
        else
            *last = all[i];
    }
    return ST_OK;
}

uint32_t price_find_alias(const struct prices *prices, struct view id)
{
    const struct price_alias *found = prices->n_aliases == 0
                                          ? NULL
                                          : bsearch(&id, prices->aliases, prices->n_aliases,
                                                    sizeof(*prices->aliases), compare_to_id);
    return found == NULL ? UINT32_MAX : found->model;
}

/* ---- the list ---- */

enum status prices_new(struct view base, struct view own, struct prices **out, struct error *err)
{
    int64_t own_regions_day;
    struct prices *p = calloc(1, sizeof(*p));

    if (p == NULL)
        return error_set(err, ST_NO_MEMORY, E_R113, "no memory for the price list");
    p->info.own_as_of_day = PRICE_NO_DAY;
    enum status st = price_load_document(base, &p->documents[0], err);
    if (st == ST_OK)
        st = price_read_date(p->documents[0], "as_of", &p->info.as_of_day, err);
    if (st == ST_OK)
        st = price_read_date(p->documents[0], "regions_as_of", &p->info.regions_as_of_day, err);
    if (st == ST_OK && own.ptr != NULL) {
        st = price_load_document(own, &p->documents[1], err);
        if (st == ST_OK)
            st = price_read_date(p->documents[1], "as_of", &p->info.own_as_of_day, err);
        if (st == ST_OK)
            st = price_read_date(p->documents[1], "regions_as_of", &own_regions_day, err);
    }
    if (st == ST_OK)
        st = load_rows(p, err);
    if (st == ST_OK)
        st = index_models(p, err);
    if (st == ST_OK)
        st = load_aliases(p, err);
    if (st != ST_OK) {
        prices_free(p);
        return st;
    }
    *out = p;
    return ST_OK;
}

void prices_free(struct prices *prices)
{
    if (prices == NULL)
        return;
    free(prices->aliases);
    free(prices->by_stem);
    free(prices->models);
    free(prices->rows);
    json_decref(prices->documents[1]);
    json_decref(prices->documents[0]);
    free(prices);
}

enum status prices_open(const char *path, struct prices **out, struct error *err)
{
    struct buf text;
    enum status st = ST_OK;

    buf_init(&text, PRICE_FILE_MAX_BYTES);
    if (path != NULL)
        st = whole_file_read(&text, path, WHOLE_FILE_OR_PIPE, NULL, err);
    if (st == ST_OK)
        st = prices_new(prices_builtin_text(),
                        path == NULL ? VIEW_EMPTY
                                     : view_make(text.len > 0 ? text.ptr : "", text.len),
                        out, err);
    buf_clear(&text);
    return st;
}

struct prices_info prices_info(const struct prices *prices)
{
    return prices->info;
}

const struct price_row *prices_row(const struct prices *prices, size_t i)
{
    return &prices->rows[i];
}
