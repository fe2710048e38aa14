#include "price/price_list.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/rfc3339.h"

enum {
    SCHEMA = 1,
    TEXT_MAX_BYTES = 256, /* of a model id, scope or source name */
    SECONDS_A_DAY = 86400,
    DOLLARS_MAX = 1000000, /* per million tokens; keeps any request's amount below 2^107 */
    E6 = 1000000,
};

/* ---- one member of a document ---- */

/* Where in a document a member stands, for messages: array[i].member. */
struct place {
    const char *array;
    size_t i;
};

static enum status fault(struct error *err, const struct place *at, const char *member,
                         const char *what)
{
    return error_set(err, ST_USAGE, "%s[%zu]%s%s: %s", at->array, at->i, member == NULL ? "" : ".",
                     member == NULL ? "" : member, what);
}

static struct view string_view(const json_t *value)
{
    return view_make(json_string_value(value), json_string_length(value));
}

/* Members of `object` that are none of `known` (ended by NULL) are refused: a misspelt
 * "cache_wirte" must not become a price that is silently absent. */
static const char *unknown_member(json_t *object, const char *const *known)
{
    for (void *it = json_object_iter(object); it != NULL; it = json_object_iter_next(object, it)) {
        size_t k = 0;
        while (known[k] != NULL && strcmp(known[k], json_object_iter_key(it)) != 0)
            k++;
        if (known[k] == NULL)
            return json_object_iter_key(it);
    }
    return NULL;
}

/* A key of a foreign file may hold anything; only plain ones are repeated in a message. */
static bool is_plain(struct view text, bool spaces)
{
    if (text.len == 0 || text.len > TEXT_MAX_BYTES)
        return false;
    for (size_t i = 0; i < text.len; i++) {
        if (text.ptr[i] < (spaces ? ' ' : '!') || text.ptr[i] > '~')
            return false;
    }
    return true;
}

static const char *plain_or(const char *text, const char *otherwise)
{
    return is_plain(view_of(text), false) && strlen(text) <= 64 ? text : otherwise;
}

static enum status read_text(json_t *object, const struct place *at, const char *member,
                             struct view *out, struct error *err)
{
    const json_t *value = json_object_get(object, member);

    if (value == NULL)
        return fault(err, at, member, "is missing");
    if (!json_is_string(value) || !is_plain(string_view(value), false))
        return fault(err, at, member, "must be a text of 1 to 256 printable ASCII characters");
    *out = string_view(value);
    return ST_OK;
}

/*
 * A price: dollars per million tokens with at most six decimals, which is a whole number k of 1e-12
 * dollars a token.  jansson gives the double nearest to the decimal text.  That is exact enough:
 * with k <= 1e12 the double is off by less than k * 2^-53, so value * 1e6 is off by less than a
 * thousandth and rounds to k.  And since k and 1e6 are doubles without error and division rounds
 * correctly, k / 1e6 is again the double nearest to the text, or the text had more than six
 * decimals: such a price is refused, not rounded.
 */
static bool decode_price(const json_t *value, uint64_t *out)
{
    if (json_is_integer(value)) {
        json_int_t n = json_integer_value(value);
        if (n < 0 || n > DOLLARS_MAX)
            return false;
        *out = (uint64_t)n * E6;
        return true;
    }
    double dollars = json_real_value(value);
    if (!json_is_real(value) || !(dollars >= 0 && dollars <= DOLLARS_MAX))
        return false;
    uint64_t k = (uint64_t)(dollars * E6 + 0.5);
    if ((double)k / E6 < dollars || (double)k / E6 > dollars)
        return false;
    *out = k;
    return true;
}

static enum status read_price(json_t *object, const struct place *at, const char *member,
                              uint64_t *out, struct error *err)
{
    const json_t *value = json_object_get(object, member);

    *out = PRICE_NONE;
    if (value == NULL || decode_price(value, out))
        return ST_OK;
    return fault(err, at, member,
                 "must be dollars per million tokens, from 0 to 1000000 with at most six decimals");
}

static bool decode_day(const json_t *value, int64_t *out)
{
    struct instant midnight;

    if (!json_is_string(value) || rfc3339_parse_date(string_view(value), &midnight) != ST_OK)
        return false;
    /* Midnight is a whole number of days, also before 1970. */
    *out = midnight.seconds / SECONDS_A_DAY;
    return true;
}

/* ---- scopes and ids ---- */

bool price_known_geography(struct view label)
{
    static const char *const known[] = {"global", "us-gov", "us", "eu", "apac",
                                        "jp",     "au",     "ca", "in", "sa"};

    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
        if (view_eq_cstr(label, known[i]))
            return true;
    }
    return false;
}

static bool is_region(struct view text)
{
    for (size_t i = 0; i < text.len; i++) {
        char c = text.ptr[i];
        if (!(c >= 'a' && c <= 'z') && !(c >= '0' && c <= '9') && c != '-')
            return false;
    }
    return text.len > 0;
}

static bool is_scope(struct view scope)
{
    if (view_starts(scope, VIEW_LIT("region:")))
        return is_region(view_skip(scope, strlen("region:")));
    if (view_starts(scope, VIEW_LIT("global:")))
        return is_region(view_skip(scope, strlen("global:")));
    return view_eq_cstr(scope, "default") || price_known_geography(scope);
}

/* "us.anthropic.x" is a profile: a row of that name could never match. */
static bool is_profile_id(struct view id)
{
    struct view label = view_first(id, view_find_char(id, '.'));

    return label.len < id.len && price_known_geography(label) &&
           view_find_char(view_skip(id, label.len + 1), '.') != SIZE_MAX;
}

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

/* ---- reading a document ---- */

struct loaded_row {
    struct price_row row;
    uint32_t at; /* index in its file */
};

static enum status read_row(json_t *object, struct loaded_row *out, struct error *err)
{
    static const char *const known[] = {
        "model",      "scope",          "from",           "over",        "input",        "output",
        "cache_read", "cache_write_5m", "cache_write_1h", "audio_input", "audio_output", "src",
        NULL};
    struct place at = {"prices", out->at};
    struct price_row *row = &out->row;
    uint64_t speech; /* checked, not kept: logs do not count speech tokens apart */

    if (!json_is_object(object))
        return fault(err, &at, NULL, "must be an object");
    const char *unknown = unknown_member(object, known);
    if (unknown != NULL)
        return fault(err, &at, plain_or(unknown, "?"), "is no member of a price row");

    const struct {
        const char *member;
        uint64_t *out;
    } prices[] = {
        {"input", &row->input},
        {"output", &row->output},
        {"cache_read", &row->cache_read},
        {"cache_write_5m", &row->cache_write_5m},
        {"cache_write_1h", &row->cache_write_1h},
        {"audio_input", &speech},
        {"audio_output", &speech},
    };
    enum status st = read_text(object, &at, "model", &row->model, err);
    if (st == ST_OK)
        st = read_text(object, &at, "scope", &row->scope, err);
    if (st == ST_OK && json_object_get(object, "src") != NULL)
        st = read_text(object, &at, "src", &row->source, err);
    for (size_t i = 0; st == ST_OK && i < sizeof(prices) / sizeof(prices[0]); i++)
        st = read_price(object, &at, prices[i].member, prices[i].out, err);
    if (st != ST_OK)
        return st;
    if (row->input == PRICE_NONE)
        return fault(err, &at, "input", "is missing");
    if (is_profile_id(row->model))
        return fault(err, &at, "model",
                     "has a geographic prefix; give the model id alone and the geography as scope");
    if (!is_scope(row->scope))
        return fault(err, &at, "scope",
                     "must be default, region:REGION, global, global:REGION or a geography");

    const json_t *from = json_object_get(object, "from");
    row->from_day = PRICE_NO_DAY;
    if (from != NULL && !decode_day(from, &row->from_day))
        return fault(err, &at, "from", "must be a date such as \"2026-07-30\"");
    const json_t *over = json_object_get(object, "over");
    json_int_t tokens = json_integer_value(over); /* 0 for what is no integer */
    if (over != NULL && (!json_is_integer(over) || tokens < 0))
        return fault(err, &at, "over", "must be a whole number of tokens");
    row->over = (uint64_t)tokens;
    return ST_OK;
}

static enum status check_names(json_t *document, struct error *err)
{
    static const char *const known[] = {
        "schema", "currency", "unit",      "as_of",  "regions_as_of", "sources", "tier_defaults",
        "tiers",  "aliases",  "aws_names", "prices", "unit_prices",   NULL};
    static const char *const arrays[] = {"sources",   "tiers",  "aliases",
                                         "aws_names", "prices", "unit_prices"};

    const char *unknown = unknown_member(document, known);
    if (unknown != NULL)
        return error_set(err, ST_USAGE, "%s: is no member of a price list", plain_or(unknown, "?"));
    for (size_t i = 0; i < sizeof(arrays) / sizeof(arrays[0]); i++) {
        const json_t *value = json_object_get(document, arrays[i]);
        if (value != NULL && !json_is_array(value))
            return error_set(err, ST_USAGE, "%s: must be an array", arrays[i]);
    }
    return ST_OK;
}

static enum status check_text(json_t *document, const char *member, const char *must,
                              struct error *err)
{
    const json_t *value = json_object_get(document, member);

    if (json_is_string(value) && view_eq_cstr(string_view(value), must))
        return ST_OK;
    return error_set(err, ST_USAGE, "%s: must be \"%s\"", member, must);
}

static enum status read_date(json_t *document, const char *member, int64_t *out, struct error *err)
{
    const json_t *value = json_object_get(document, member);

    *out = PRICE_NO_DAY;
    if (value == NULL || decode_day(value, out))
        return ST_OK;
    return error_set(err, ST_USAGE, "%s: must be a date such as \"2026-10-08\"", member);
}

/* Parse one text and check all that stands outside its rows and aliases. */
static enum status load_document(struct view text, json_t **out, struct error *err)
{
    json_error_t fail;

    if (text.len > PRICE_FILE_MAX_BYTES)
        return error_set(err, ST_TOO_BIG, "a price list may have 16 MiB at most");
    const char *bytes = text.len == 0 ? "" : text.ptr; /* jansson takes no NULL */
    json_t *document = json_loadb(bytes, text.len, JSON_REJECT_DUPLICATES, &fail);
    if (document == NULL) {
        /* jansson names no place when an allocation failed. */
        if (fail.line < 0 || json_error_code(&fail) == json_error_out_of_memory)
            return error_set(err, ST_NO_MEMORY, "no memory for the price list");
        enum status st = error_set(err, ST_USAGE, "line %d, column %d: is no valid JSON", fail.line,
                                   fail.column);
        if (err != NULL)
            err->offset = (uint64_t)(fail.position < 0 ? 0 : fail.position);
        return st;
    }
    *out = document;
    if (!json_is_object(document))
        return error_set(err, ST_USAGE, "must be a JSON object");
    const json_t *schema = json_object_get(document, "schema");
    if (!json_is_integer(schema) || json_integer_value(schema) != SCHEMA)
        return error_set(err, ST_USAGE, "schema: must be %d, the layout this program reads",
                         SCHEMA);
    enum status st = check_text(document, "currency", "USD", err);
    if (st == ST_OK)
        st = check_text(document, "unit", "per_1M_tokens", err);
    if (st == ST_OK)
        st = check_names(document, err);
    return st;
}

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
    const struct loaded_row *a = left;
    const struct loaded_row *b = right;
    int order = compare_key(&a->row, &b->row);

    if (order == 0)
        order = (int)a->row.own - (int)b->row.own;
    return order != 0 ? order : (a->at > b->at) - (a->at < b->at);
}

/* Sorted rows of both files, the user's behind the built-in one they replace, to p->rows. */
static enum status merge_rows(struct prices *p, const struct loaded_row *loaded, size_t n,
                              struct error *err)
{
    for (size_t i = 0; i < n; i++) {
        const struct price_row *row = &loaded[i].row;
        struct place at = {"prices", loaded[i].at};
        struct price_row *last = p->n_rows > 0 ? &p->rows[p->n_rows - 1] : NULL;

        if (last != NULL && compare_key(last, row) == 0) {
            if (last->own == row->own)
                return fault(err, &at, NULL,
                             "has the model, scope, from and over of an earlier row");
            *last = *row;
            continue;
        }
        /* Sorted, so the row for requests of any length would stand first. */
        if (row->over != 0 && (last == NULL || compare_place(last, row) != 0))
            return fault(err, &at, "over",
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
    struct loaded_row *loaded = calloc(n + 1, sizeof(*loaded));
    p->rows = calloc(n + 1, sizeof(*p->rows));
    if (loaded == NULL || p->rows == NULL) {
        st = error_set(err, ST_NO_MEMORY, "no memory for the price list");
        goto out;
    }
    n = 0;
    for (size_t d = 0; d < 2; d++) {
        const json_t *rows = json_object_get(p->documents[d], "prices");
        for (size_t i = 0; i < json_array_size(rows); i++) {
            loaded[n].at = (uint32_t)i;
            loaded[n].row.own = d == 1;
            st = read_row(json_array_get(rows, i), &loaded[n++], err);
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
        return error_set(err, ST_NO_MEMORY, "no memory for the price list");
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

uint32_t price_find_model(const struct prices *prices, struct view id)
{
    uint32_t low = 0;
    uint32_t high = prices->n_models;

    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        int order = view_compare(prices->models[middle].id, id);
        if (order == 0)
            return middle;
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return UINT32_MAX;
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

static enum status read_alias(json_t *object, struct price_alias *out, struct error *err)
{
    static const char *const known[] = {"id", "model", NULL};
    struct place at = {"aliases", out->at};

    if (!json_is_object(object))
        return fault(err, &at, NULL, "must be an object");
    const char *unknown = unknown_member(object, known);
    if (unknown != NULL)
        return fault(err, &at, plain_or(unknown, "?"), "is no member of an alias");
    enum status st = read_text(object, &at, "id", &out->id, err);
    if (st == ST_OK)
        st = read_text(object, &at, "model", &out->target, err);
    return st;
}

static enum status load_aliases(struct prices *p, struct error *err)
{
    size_t n = 0;

    for (size_t d = 0; d < 2; d++)
        n += json_array_size(json_object_get(p->documents[d], "aliases"));
    struct price_alias *all = calloc(n + 1, sizeof(*all));
    if (all == NULL)
        return error_set(err, ST_NO_MEMORY, "no memory for the price list");
    p->aliases = all;
    n = 0;
    for (size_t d = 0; d < 2; d++) {
        const json_t *list = json_object_get(p->documents[d], "aliases");
        for (size_t i = 0; i < json_array_size(list); i++) {
            all[n].at = (uint32_t)i;
            all[n].own = d == 1;
            enum status st = read_alias(json_array_get(list, i), &all[n], err);
            if (st != ST_OK)
                return st;
            struct place at = {"aliases", i};
            all[n].model = price_find_model(p, all[n].target);
            if (all[n].model == UINT32_MAX)
                return fault(err, &at, "model", "names no model that has a price");
            n++;
        }
    }
    qsort(all, n, sizeof(*all), compare_alias);
    for (size_t i = 0; i < n; i++) {
        struct place at = {"aliases", all[i].at};
        struct price_alias *last = p->n_aliases > 0 ? &all[p->n_aliases - 1] : NULL;
        if (last == NULL || !view_eq(last->id, all[i].id))
            all[p->n_aliases++] = all[i];
        else if (last->own == all[i].own)
            return fault(err, &at, "id", "is there twice");
        else
            *last = all[i];
    }
    return ST_OK;
}

uint32_t price_find_alias(const struct prices *prices, struct view id)
{
    uint32_t low = 0;
    uint32_t high = prices->n_aliases;

    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        int order = view_compare(prices->aliases[middle].id, id);
        if (order == 0)
            return prices->aliases[middle].model;
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return UINT32_MAX;
}

/* ---- the list ---- */

enum status prices_new(struct view base, struct view own, struct prices **out, struct error *err)
{
    int64_t own_regions_day;
    struct prices *p = calloc(1, sizeof(*p));

    if (p == NULL)
        return error_set(err, ST_NO_MEMORY, "no memory for the price list");
    p->info.own_as_of_day = PRICE_NO_DAY;
    enum status st = load_document(base, &p->documents[0], err);
    if (st == ST_OK)
        st = read_date(p->documents[0], "as_of", &p->info.as_of_day, err);
    if (st == ST_OK)
        st = read_date(p->documents[0], "regions_as_of", &p->info.regions_as_of_day, err);
    if (st == ST_OK && own.ptr != NULL) {
        st = load_document(own, &p->documents[1], err);
        if (st == ST_OK)
            st = read_date(p->documents[1], "as_of", &p->info.own_as_of_day, err);
        if (st == ST_OK)
            st = read_date(p->documents[1], "regions_as_of", &own_regions_day, err);
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

static enum status read_file(const char *path, char **out, size_t *len, struct error *err)
{
    enum status st = ST_OK;
    char *bytes = NULL;
    FILE *file = fopen(path, "rbe");

    if (file == NULL)
        return error_set(err, errno == ENOENT ? ST_MISSING : ST_IO, "cannot be opened: %s",
                         strerror(errno));
    /* Read to the end instead of asking for a size: the file may be a pipe. */
    size_t cap = PRICE_FILE_MAX_BYTES + 1;
    bytes = malloc(cap);
    if (bytes == NULL) {
        st = error_set(err, ST_NO_MEMORY, "no memory for the price list");
        goto out;
    }
    *len = fread(bytes, 1, cap, file);
    if (ferror(file))
        st = error_set(err, ST_IO, "cannot be read: %s", strerror(errno));
    else if (*len == cap)
        st = error_set(err, ST_TOO_BIG, "a price list may have 16 MiB at most");
    if (st == ST_OK) {
        *out = bytes;
        bytes = NULL;
    }
out:
    free(bytes);
    fclose(file);
    return st;
}

enum status prices_open(const char *path, struct prices **out, struct error *err)
{
    char *bytes = NULL;
    size_t len = 0;

    if (path == NULL)
        return prices_new(prices_builtin_text(), VIEW_EMPTY, out, err);
    enum status st = read_file(path, &bytes, &len, err);
    if (st == ST_OK)
        st = prices_new(prices_builtin_text(), view_make(bytes, len), out, err);
    free(bytes);
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
