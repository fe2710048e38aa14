/*
 * price_read.c: a price file, member by member.  Strict on purpose: an unknown member is refused,
 * because a misspelt one would be a price that is silently absent.
 */
#include "price/price_read.h"

#include "base/json_read.h"
#include "base/rfc3339.h"
#include "records/model_id.h"

enum {
    SCHEMA = 1,
    TEXT_MAX_BYTES = 256, /* of a model id, scope or source name */
    SECONDS_A_DAY = 86400,
    DOLLARS_MAX = 1000000, /* per million tokens; keeps any request's amount below 2^107 */
    E6 = 1000000,
};

/* ---- one member of a document ---- */

enum status price_fault(struct error *err, const struct price_place *at, const char *member,
                        const char *what)
{
    return error_set(err, ST_USAGE, E_U403, "%s[%zu]%s%s: %s", at->array, at->i,
                     member == NULL ? "" : ".", member == NULL ? "" : member, what);
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
static bool is_plain(struct view text)
{
    if (text.len == 0 || text.len > TEXT_MAX_BYTES)
        return false;
    for (size_t i = 0; i < text.len; i++) {
        if (text.ptr[i] < '!' || text.ptr[i] > '~')
            return false;
    }
    return true;
}

static const char *plain_or(const char *text, const char *otherwise)
{
    return is_plain(view_of(text)) && strlen(text) <= 64 ? text : otherwise;
}

static enum status read_text(json_t *object, const struct price_place *at, const char *member,
                             struct view *out, struct error *err)
{
    const json_t *value = json_object_get(object, member);

    if (value == NULL)
        return price_fault(err, at, member, "is missing");
    if (!json_is_string(value) || !is_plain(json_view(value)))
        return price_fault(err, at, member,
                           "must be a text of 1 to 256 printable ASCII characters");
    *out = json_view(value);
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

static enum status read_price(json_t *object, const struct price_place *at, const char *member,
                              uint64_t *out, struct error *err)
{
    const json_t *value = json_object_get(object, member);

    *out = PRICE_NONE;
    if (value == NULL || decode_price(value, out))
        return ST_OK;
    return price_fault(
        err, at, member,
        "must be dollars per million tokens, from 0 to 1000000 with at most six decimals");
}

static bool decode_day(const json_t *value, int64_t *out)
{
    struct instant midnight;

    if (!json_is_string(value) || rfc3339_parse_date(json_view(value), &midnight) != ST_OK)
        return false;
    /* Midnight is a whole number of days, also before 1970. */
    *out = midnight.seconds / SECONDS_A_DAY;
    return true;
}

/* ---- scopes and ids ---- */

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
    return view_eq_cstr(scope, "default") || model_id_is_geography(scope);
}

/* "us.anthropic.x" is a profile: a row of that name could never match. */
static bool is_profile_id(struct view id)
{
    struct view label = view_first(id, view_find_char(id, '.'));

    return label.len < id.len && model_id_is_geography(label) &&
           view_find_char(view_skip(id, label.len + 1), '.') != SIZE_MAX;
}

/* ---- reading a document ---- */

enum status price_read_row(json_t *object, struct price_loaded_row *out, struct error *err)
{
    static const char *const known[] = {
        "model",      "scope",          "from",           "over",        "input",        "output",
        "cache_read", "cache_write_5m", "cache_write_1h", "audio_input", "audio_output", "src",
        NULL};
    struct price_place at = {"prices", out->at};
    struct price_row *row = &out->row;
    uint64_t speech; /* checked, not kept: logs do not count speech tokens apart */

    if (!json_is_object(object))
        return price_fault(err, &at, NULL, "must be an object");
    const char *unknown = unknown_member(object, known);
    if (unknown != NULL)
        return price_fault(err, &at, plain_or(unknown, "?"), "is not a member of a price row");

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
        return price_fault(err, &at, "input", "is missing");
    if (is_profile_id(row->model))
        return price_fault(
            err, &at, "model",
            "has a geographic prefix; give the model id alone and the geography as scope");
    if (!is_scope(row->scope))
        return price_fault(err, &at, "scope",
                           "must be default, region:REGION, global, global:REGION or a geography");

    const json_t *from = json_object_get(object, "from");
    row->from_day = PRICE_NO_DAY;
    if (from != NULL && !decode_day(from, &row->from_day))
        return price_fault(err, &at, "from", "must be a date such as \"2026-07-30\"");
    const json_t *over = json_object_get(object, "over");
    json_int_t tokens = json_integer_value(over); /* 0 for what is not an integer */
    if (over != NULL && (!json_is_integer(over) || tokens < 0))
        return price_fault(err, &at, "over", "must be a whole number of tokens");
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
        return error_set(err, ST_USAGE, E_U403, "%s: is not a member of a price list",
                         plain_or(unknown, "?"));
    for (size_t i = 0; i < sizeof(arrays) / sizeof(arrays[0]); i++) {
        const json_t *value = json_object_get(document, arrays[i]);
        if (value != NULL && !json_is_array(value))
            return error_set(err, ST_USAGE, E_U403, "%s: must be an array", arrays[i]);
    }
    return ST_OK;
}

static enum status check_text(json_t *document, const char *member, const char *must,
                              struct error *err)
{
    const json_t *value = json_object_get(document, member);

    if (json_is_string(value) && view_eq_cstr(json_view(value), must))
        return ST_OK;
    return error_set(err, ST_USAGE, E_U403, "%s: must be \"%s\"", member, must);
}

enum status price_read_date(json_t *document, const char *member, int64_t *out, struct error *err)
{
    const json_t *value = json_object_get(document, member);

    *out = PRICE_NO_DAY;
    if (value == NULL || decode_day(value, out))
        return ST_OK;
    return error_set(err, ST_USAGE, E_U403, "%s: must be a date such as \"2026-10-08\"", member);
}

/* Parse one text and check everything outside its rows and aliases. */
enum status price_load_document(struct view text, json_t **out, struct error *err)
{
    json_error_t fail;

    if (text.len > PRICE_FILE_MAX_BYTES)
        return error_set(err, ST_TOO_BIG, E_U403, "a price list may have 16 MiB at most");
    json_t *document = json_read(text, JSON_REJECT_DUPLICATES, &fail);
    if (document == NULL) {
        /* jansson names no place when an allocation failed. */
        if (fail.line < 0 || json_error_code(&fail) == json_error_out_of_memory)
            return error_set(err, ST_NO_MEMORY, E_R113, "no memory for the price list");
        enum status st = error_set(err, ST_USAGE, E_U403, "line %d, column %d: is not valid JSON",
                                   fail.line, fail.column);
        if (err != NULL)
            err->offset = (uint64_t)(fail.position < 0 ? 0 : fail.position);
        return st;
    }
    *out = document;
    if (!json_is_object(document))
        return error_set(err, ST_USAGE, E_U403, "must be a JSON object");
    const json_t *schema = json_object_get(document, "schema");
    if (!json_is_integer(schema) || json_integer_value(schema) != SCHEMA)
        return error_set(err, ST_USAGE, E_U403, "schema: must be %d, the layout this program reads",
                         SCHEMA);
    enum status st = check_text(document, "currency", "USD", err);
    if (st == ST_OK)
        st = check_text(document, "unit", "per_1M_tokens", err);
    if (st == ST_OK)
        st = check_names(document, err);
    return st;
}

enum status price_read_alias(json_t *object, struct price_alias *out, struct error *err)
{
    static const char *const known[] = {"id", "model", NULL};
    struct price_place at = {"aliases", out->at};

    if (!json_is_object(object))
        return price_fault(err, &at, NULL, "must be an object");
    const char *unknown = unknown_member(object, known);
    if (unknown != NULL)
        return price_fault(err, &at, plain_or(unknown, "?"), "is not a member of an alias");
    enum status st = read_text(object, &at, "id", &out->id, err);
    if (st == ST_OK)
        st = read_text(object, &at, "model", &out->target, err);
    return st;
}
