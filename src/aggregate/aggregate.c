/*
 * aggregate.c: from one record to its cells: dimension values, amounts, buckets of time.
 *
 * Every record of every run goes through aggregate_add(), so the work on texts is done once for
 * each text and not once for each record: texts are interned (a number for each), what a model id
 * stands for and what it costs are remembered by number, and a cell is found by numbers.
 */
#include "aggregate/aggregate_private.h"

#include <stdlib.h>

#include "aggregate/region_guard.h"
#include "base/array.h"
#include "base/clock.h"

/* What aggregate_reset keeps: more than the models and Regions of one customer, far less than a day
 * of request metadata. */
enum { TEXTS_KEPT = 4096, TEXT_BYTES_KEPT = 1024 * 1024 };

/* What a text takes besides its bytes: views, places in tables, what is known of it as a model. */
enum { BYTES_OF_A_TEXT = 128 };

/*
 * Nothing is published of what is older or farther ahead than this, whatever is held meanwhile; one
 * bucket each does for it when there are too many.
 */
enum { DAY_S = 86400, OLD_S = 16 * DAY_S, AHEAD_S = DAY_S };
#define LONG_AGO INT64_C(0)
#define FAR_AHEAD INT64_C(253402300800) /* the year 10000 */

static bool intern_constants(struct aggregate *agg)
{
    agg->none = interner_id(agg->texts, VIEW_LIT("none"));
    agg->unknown = interner_id(agg->texts, VIEW_LIT("unknown"));
    agg->other = interner_id(agg->texts, VIEW_LIT("Other"));
    bool ok =
        agg->none != INTERNER_NONE && agg->unknown != INTERNER_NONE && agg->other != INTERNER_NONE;
    for (unsigned i = 0; i < PROFILE_TYPE_COUNT; i++) {
        agg->type_names[i] = interner_id(agg->texts, profile_type_name((enum profile_type)i));
        ok = ok && agg->type_names[i] != INTERNER_NONE;
    }
    return ok;
}

struct aggregate *aggregate_new(const struct aggregate_options *options)
{
    struct aggregate *agg = calloc(1, sizeof(*agg));
    if (agg == NULL)
        return NULL;
    agg->set_count = options->set_count;
    agg->keys = *options->keys;
    agg->interval = options->interval_seconds;
    agg->statistics = options->statistics;
    agg->profiles = options->profiles;
    agg->prices = options->prices;
    agg->guard = options->guard;
    agg->bound = options->bound;
    agg->on_novelty = options->on_novelty;
    agg->texts = interner_new();
    agg->sets = calloc(options->set_count, sizeof(*agg->sets));
    agg->cells = calloc(options->set_count, sizeof(struct cells *));
    if (options->prices != NULL)
        agg->price_memo = calloc(PRICE_MEMO_SIZE, sizeof(*agg->price_memo));
    bool ok = agg->texts != NULL && agg->sets != NULL && agg->cells != NULL &&
              (options->prices == NULL || agg->price_memo != NULL) && intern_constants(agg);
    for (size_t i = 0; i < options->set_count && ok; i++) {
        agg->sets[i] = options->sets[i];
        agg->cells[i] = cells_new(options->sets[i].count, options->statistics);
        ok = agg->cells[i] != NULL;
    }
    if (!ok) {
        aggregate_free(agg);
        return NULL;
    }
    return agg;
}

void aggregate_charge(struct aggregate *agg)
{
    if (agg->bound == NULL)
        return;
    size_t now = interner_bytes(agg->texts) + (size_t)interner_count(agg->texts) * BYTES_OF_A_TEXT;
    for (size_t s = 0; s < agg->set_count; s++)
        now += cells_count(agg->cells[s]) * cells_bytes_each(agg->cells[s]);
    atomic_fetch_add_explicit(&agg->bound->used, now - agg->charged, memory_order_relaxed);
    agg->charged = now;
}

static inline size_t bound_used(const struct aggregate *agg)
{
    return atomic_load_explicit(&agg->bound->used, memory_order_relaxed);
}

static inline bool is_full(const struct aggregate *agg)
{
    return agg->bound != NULL && bound_used(agg) >= agg->bound->limit;
}

bool aggregate_bound_is_used(const struct aggregate_bound *bound, unsigned percent)
{
    return bound != NULL &&
           atomic_load_explicit(&bound->used, memory_order_relaxed) >= bound->limit / 100 * percent;
}

void aggregate_free(struct aggregate *agg)
{
    if (agg == NULL)
        return;
    if (agg->bound != NULL)
        atomic_fetch_sub_explicit(&agg->bound->used, agg->charged, memory_order_relaxed);
    for (size_t i = 0; i < agg->set_count && agg->cells != NULL; i++)
        cells_free(agg->cells[i]);
    free(agg->cells);
    free(agg->sets);
    free(agg->models);
    free(agg->price_memo);
    interner_free(agg->texts);
    free(agg);
}

/* All that is remembered by a text's number goes with the texts.  Without memory they stay. */
static void forget_texts(struct aggregate *agg)
{
    struct interner *old = agg->texts;
    agg->texts = interner_new();
    if (agg->texts == NULL || !intern_constants(agg)) {
        interner_free(agg->texts);
        agg->texts = old; /* the constants have the same numbers in both */
        return;
    }
    interner_free(old);
    free(agg->models);
    agg->models = NULL;
    agg->model_capacity = 0;
    memset(agg->memo, 0, sizeof(agg->memo));
    if (agg->price_memo != NULL)
        memset(agg->price_memo, 0, PRICE_MEMO_SIZE * sizeof(*agg->price_memo));
}

void aggregate_reset(struct aggregate *agg)
{
    for (size_t i = 0; i < agg->set_count; i++)
        cells_reset(agg->cells[i]);
    if (interner_count(agg->texts) > TEXTS_KEPT || interner_bytes(agg->texts) > TEXT_BYTES_KEPT)
        forget_texts(agg);
    agg->overflow = 0;
    aggregate_charge(agg);
}

/* ---- a record's dimension values ---- */

/* A place in the memo, by length and the first and last eight bytes: enough to distinguish the
 * values one log has, and cheaper than a hash of everything.  A collision costs one look-up. */
static inline size_t memo_place(struct view text)
{
    uint64_t first = 0, last = 0;
    if (text.len >= 8) {
        memcpy(&first, text.ptr, 8);
        memcpy(&last, text.ptr + text.len - 8, 8);
    } else {
        memcpy(&first, text.ptr, text.len);
    }
    uint64_t h = (first ^ (last << 17 | last >> 47) ^ text.len) * UINT64_C(0x9e3779b97f4a7c15);
    return h >> 56;
}

/* The interned number of a text; OVER: it is new and the bound is reached. */
static uint32_t intern(struct aggregate *agg, struct view text)
{
    if (is_full(agg)) {
        uint32_t known = interner_find(agg->texts, text);
        return known != INTERNER_NONE ? known : OVER;
    }
    uint32_t count = interner_count(agg->texts), id = interner_id(agg->texts, text);
    if (id == count)
        aggregate_charge(agg);
    return id;
}

/* The same of a text that is not empty. */
static inline uint32_t remember(struct aggregate *agg, struct view text)
{
    struct memo *memo = &agg->memo[memo_place(text)];
    if (memo->used && view_eq(memo->text, text))
        return memo->id;
    uint32_t id = intern(agg, text);
    if (id < OVER)
        *memo = (struct memo){interner_text(agg->texts, id), id, true};
    return id;
}

/* What `text` stands for, whose bytes live as long as *info. */
static bool describe_model(struct aggregate *agg, struct view text, struct model_info *info)
{
    struct model_use use;
    classify_model(text, agg->profiles, &use);
    if (use.unknown_geography && agg->on_novelty != NULL)
        agg->on_novelty(NOVELTY_GEOGRAPHY, use.geography);
    *info = (struct model_info){
        .needs_evidence = use.needs_evidence,
        .type = use.type,
        .model = intern(agg, use.model),
        .profile = use.profile.len == 0 ? agg->none : intern(agg, use.profile),
        .name = use.model,
        .application = use.application,
        .geography = use.geography,
    };
    info->known = info->model < OVER && info->profile < OVER;
    return info->model != INTERNER_NONE && info->profile != INTERNER_NONE;
}

/* Of the text with that number, or, where that is OVER, of `text` itself, into *passing. */
static const struct model_info *model_of(struct aggregate *agg, uint32_t id, struct view text,
                                         struct model_info *passing)
{
    if (id == INTERNER_NONE)
        return NULL;
    if (id == OVER)
        return describe_model(agg, text, passing) ? passing : NULL;
    if (id >= agg->model_capacity) {
        uint32_t wanted = id + id / 2 + 64;
        if (!array_resize(&agg->models, wanted, sizeof(*agg->models)))
            return NULL;
        memset(agg->models + agg->model_capacity, 0,
               (wanted - agg->model_capacity) * sizeof(*agg->models));
        agg->model_capacity = wanted;
    }
    if (!agg->models[id].known &&
        !describe_model(agg, interner_text(agg->texts, id), &agg->models[id]))
        return NULL;
    return &agg->models[id];
}

static uint32_t text_or(struct aggregate *agg, struct view text, uint32_t otherwise)
{
    return text.len == 0 ? otherwise : remember(agg, text);
}

/* Not the session, which makes nearly every ARN a new text.  A function of its own for its stack. */
static uint32_t principal_of(struct aggregate *agg, struct view arn)
{
    char bytes[SCAN_MAX_VALUE];
    return remember(agg, record_principal(arn, bytes, sizeof(bytes)));
}

/*
 * One value of one dimension.  Values of metadata and tags are interned without the memo: a key
 * such as a request id would push out everything that is worth remembering.
 */
static uint32_t dimension_value(struct aggregate *agg, const struct dimension *dimension,
                                const struct record *record, const struct model_info *model,
                                enum profile_type type)
{
    struct view text;
    switch (dimension->kind) {
    case DIMENSION_PROFILE_TYPE: return agg->type_names[type];
    case DIMENSION_PROFILE: return model->profile;
    case DIMENSION_MODEL_ID: return model->model;
    case DIMENSION_SOURCE_REGION: return remember(agg, record->region);
    case DIMENSION_INFERENCE_REGION:
        return text_or(agg, classify_region(type, record), agg->unknown);
    case DIMENSION_ACCOUNT_ID: return text_or(agg, record->account_id, agg->unknown);
    case DIMENSION_OPERATION: return text_or(agg, record->operation, agg->unknown);
    case DIMENSION_PRINCIPAL: return principal_of(agg, record->identity_arn);
    case DIMENSION_METADATA: {
        const struct scan_value *value = &record->metadata[dimension->key];
        if (value->kind != VALUE_GOOD || value->len == 0)
            return agg->none;
        return intern(agg, view_make(value->ptr, value->len));
    }
    case DIMENSION_TAG:
        text = model->application.len == 0
                   ? VIEW_EMPTY
                   : profiles_tag(agg->profiles, model->application, agg->keys.tag[dimension->key]);
        return text.len == 0 ? agg->none : intern(agg, text);
    }
    return agg->none;
}

/* ---- counting ---- */

/*
 * The begin of the bucket, rounded down also before 1970.  Records come in the order of time, so
 * the last bucket is nearly always the one.
 */
static int64_t bucket_of(struct aggregate *agg, int64_t seconds)
{
    if (agg->interval == 0)
        return 0;
    if (seconds < agg->bucket_begin || seconds >= agg->bucket_end) {
        int64_t index = seconds / agg->interval - (seconds % agg->interval < 0);
        agg->bucket_begin = index * agg->interval;
        agg->bucket_end = agg->bucket_begin + agg->interval;
    }
    return agg->bucket_begin;
}

/*
 * The price of a model in a Region, matched once (price_match) and remembered, or, where there is no
 * room for a text, put into *passing.  `plain` marks the usual case, one row with all prices, which
 * cost_of() then multiplies out on the spot.
 */
static const struct price_memo *price_of(struct aggregate *agg, uint32_t model_id,
                                         const struct model_info *model,
                                         const struct record *record, struct price_memo *passing)
{
    uint32_t region = remember(agg, record->region);
    if (region == INTERNER_NONE)
        return NULL;
    struct price_memo *memo = &agg->price_memo[(model_id * 31 + region) % PRICE_MEMO_SIZE];
    if (region == OVER || model_id == OVER)
        memo = passing;
    else if (memo->used && memo->model_id == model_id && memo->region == region)
        return memo;
    /* An id that names no model is looked up as logged: a user's list may have it as an alias. */
    struct price_query query = {.model = model->needs_evidence ? record->model_id : model->name,
                                .geography = model->geography,
                                .region = record->region};
    price_match(agg->prices, &query, &memo->line);
    const struct price_row *row = memo->line.rows;
    memo->model_id = model_id;
    memo->region = region;
    memo->used = true;
    memo->plain = memo->line.n_rows == 1 && !memo->line.gross_input && !memo->line.approximate &&
                  row->input != PRICE_NONE && row->output != PRICE_NONE &&
                  row->cache_read != PRICE_NONE && row->cache_write_5m != PRICE_NONE;
    return memo;
}

/* What the record's tokens cost.  false: no memory. */
static bool cost_of(struct aggregate *agg, uint32_t model_id, const struct model_info *model,
                    const struct record *record, struct price_cost *cost)
{
    const uint64_t *tokens = record->tokens;
    struct price_memo passing;
    const struct price_memo *memo = price_of(agg, model_id, model, record, &passing);
    if (memo == NULL)
        return false;
    if (memo->plain) {
        const struct price_row *row = memo->line.rows;
        *cost =
            (struct price_cost){.usd_e12 = (u128)tokens[NUMBER_INPUT] * row->input +
                                           (u128)tokens[NUMBER_OUTPUT] * row->output +
                                           (u128)tokens[NUMBER_CACHE_READ] * row->cache_read +
                                           (u128)tokens[NUMBER_CACHE_WRITE] * row->cache_write_5m};
        return true;
    }
    int64_t seconds = record->time.seconds;
    struct price_usage usage = {.input = tokens[NUMBER_INPUT],
                                .cache_read = tokens[NUMBER_CACHE_READ],
                                .cache_write = tokens[NUMBER_CACHE_WRITE],
                                .output = tokens[NUMBER_OUTPUT]};
    price_line_cost(&memo->line, seconds / 86400 - (seconds % 86400 < 0), &usage, cost);
    return true;
}

/* Whether the record ran in a Region that is not allowed. */
static bool is_disallowed(struct aggregate *agg, const struct record *record,
                          enum profile_type type)
{
    struct view region = classify_region(type, record);
    if (agg->guard == NULL || region.len == 0 || region_guard_allows(agg->guard, region))
        return false;
    region_guard_see(agg->guard, region);
    return true;
}

/* What the list of metrics makes the amounts from. */
struct sample {
    enum invocation_outcome outcome;
    const uint64_t *tokens; /* by enum scan_number */
    u128 total;
    uint64_t latency_ms;    /* 0: the log does not have it, or it is not read */
    struct price_cost cost; /* 0 without a price list */
    bool disallowed;        /* ran in a Region that is not on the list */
};

/* One straight addition for each metric: every record goes through here for each set. */
static bool add_sample(struct cells *cells, uint32_t cell, const struct sample *s, bool statistics)
{
    u128 *sum = cell == UINT32_MAX ? NULL : cells_add_record(cells, cell);
    if (sum == NULL)
        return false;
#define METRIC_ADD(id, name, unit, title, when, bit, adds, help) sum[METRIC_##id] += (u128)(adds);
    METRICS(METRIC_ADD)
    if (statistics) {
#define METRIC_AMOUNT(id, name, unit, title, when, bit, adds, help) [METRIC_##id] = (u128)(adds),
        const u128 amount[METRIC_COUNT] = {METRICS(METRIC_AMOUNT)};
        cells_add_statistics(cells, cell, amount);
    }
    return true;
}

/*
 * The cell of a key, made if it is new; an id that is OVER makes all of them "Other", and so does a
 * key that is new when the bound is reached.
 */
static enum status cell_of(struct aggregate *agg, size_t set, const struct cell_key *wanted,
                           uint32_t *out)
{
    struct cells *cells = agg->cells[set];
    const struct cell_key *key = wanted;
    struct cell_key other;
    bool over = false;
    for (size_t i = 0; i < agg->sets[set].count && agg->bound != NULL; i++)
        over |= key->id[i] == OVER;
    if (over || is_full(agg)) {
        *out = cells_look(cells, key);
        if (*out != UINT32_MAX)
            return ST_OK;
        int64_t age = clock_wall_ms() / 1000 - key->time;
        bool one = agg->interval == 0 || (age <= OLD_S && age >= -AHEAD_S);
        other.time = one ? key->time : age > 0 ? LONG_AGO : FAR_AHEAD;
        for (size_t i = 0; i < agg->sets[set].count; i++)
            other.id[i] = agg->other;
        key = &other;
        agg->overflow++;
        if (bound_used(agg) / 2 >= agg->bound->limit && cells_look(cells, key) == UINT32_MAX)
            return ST_TOO_BIG;
    }
    uint32_t count = cells_count(cells);
    *out = cells_find(cells, key);
    if (*out == count)
        aggregate_charge(agg);
    return *out == UINT32_MAX ? ST_NO_MEMORY : ST_OK;
}

enum status aggregate_add(struct aggregate *agg, const struct record *record)
{
    struct model_info passing;
    uint32_t model_id = remember(agg, record->model_id);
    const struct model_info *model = model_of(agg, model_id, record->model_id, &passing);
    struct sample sample = {.outcome = record->outcome, .tokens = record->tokens};
    if (model == NULL ||
        (agg->prices != NULL && !cost_of(agg, model_id, model, record, &sample.cost)))
        return ST_NO_MEMORY;
    /* The log has had schemaVersion "1.0" since it exists.  Another one counts all the same, and is reported once. */
    struct view version = record->schema_version;
    if (version.len > 0 && !view_eq(version, VIEW_LIT("1.0")) && agg->on_novelty != NULL)
        agg->on_novelty(NOVELTY_SCHEMA_VERSION, version);
    enum profile_type type = classify_type(model->type, model->needs_evidence, record);
    for (size_t i = 0; i < NUMBER_COUNT; i++)
        sample.total += record->tokens[i];
    if (record->latency.kind == VALUE_GOOD)
        sample.latency_ms = record->latency.value;
    sample.disallowed = is_disallowed(agg, record, type);
    struct cell_key key;
    key.time = bucket_of(agg, record->time.seconds);
    uint64_t overflow = agg->overflow;
    for (size_t s = 0; s < agg->set_count; s++) {
        const struct dimension_set *set = &agg->sets[s];
        for (size_t i = 0; i < set->count; i++) {
            key.id[i] = dimension_value(agg, &set->dimension[i], record, model, type);
            if (key.id[i] == INTERNER_NONE)
                return ST_NO_MEMORY;
        }
        uint32_t cell;
        enum status st = cell_of(agg, s, &key, &cell);
        if (st != ST_OK)
            return st;
        if (!add_sample(agg->cells[s], cell, &sample, agg->statistics))
            return ST_NO_MEMORY;
    }
    if (agg->overflow > overflow)
        agg->overflow = overflow + 1; /* one record, in however many sets */
    return ST_OK;
}

/*
 * Rows of a store count as one record each, which only matters for `records` of a cell: more than
 * 0 means that the cell is part of the sums.  The total is not stored; it is added up here.
 */
enum status aggregate_add_sums(struct aggregate *agg, size_t set, int64_t time,
                               const struct view *value, const u128 sum[METRIC_COUNT])
{
    struct cell_key key = {.time = bucket_of(agg, time)};
    for (size_t i = 0; i < agg->sets[set].count; i++) {
        key.id[i] = interner_id(agg->texts, value[i]);
        if (key.id[i] == INTERNER_NONE)
            return ST_NO_MEMORY;
    }
    uint32_t cell = cells_find(agg->cells[set], &key);
    u128 *into = cell == UINT32_MAX ? NULL : cells_add_record(agg->cells[set], cell);
    if (into == NULL)
        return ST_NO_MEMORY;
    u128 total =
        sum[METRIC_INPUT] + sum[METRIC_OUTPUT] + sum[METRIC_CACHE_READ] + sum[METRIC_CACHE_WRITE];
    for (unsigned m = 0; m < METRIC_COUNT; m++)
        into[m] += m == METRIC_TOTAL ? total : sum[m];
    return ST_OK;
}

void aggregate_commit(struct aggregate *agg)
{
    for (size_t i = 0; i < agg->set_count; i++)
        cells_commit(agg->cells[i]);
}

void aggregate_rollback(struct aggregate *agg)
{
    for (size_t i = 0; i < agg->set_count; i++)
        cells_rollback(agg->cells[i]);
}

/* Texts have other numbers in each aggregate; each that a row of `from` uses is translated once. */
enum status aggregate_merge(struct aggregate *into, const struct aggregate *from, size_t first_set)
{
    /* The number in `into` of each text that a row of `from` has; its aggregate may remember
     * more. */
    size_t count = interner_count(from->texts);
    uint32_t *ids = malloc((count + 1) * sizeof(*ids));
    if (ids == NULL)
        return ST_NO_MEMORY;
    memset(ids, 0xff, count * sizeof(*ids)); /* all INTERNER_NONE */
    enum status st = ST_OK;
    for (size_t s = 0; s < into->set_count && st == ST_OK; s++) {
        const struct cells *cells = from->cells[first_set + s];
        for (uint32_t cell = 0; cell < cells_count(cells) && st == ST_OK; cell++) {
            if (!cells_is_counted(cells, cell))
                continue;
            struct cell_key key = {.time = bucket_of(into, cells_time(cells, cell))};
            uint32_t target;
            for (size_t i = 0; i < into->sets[s].count && st == ST_OK; i++) {
                uint32_t id = cells_ids(cells, cell)[i];
                if (ids[id] >= OVER)
                    ids[id] = intern(into, interner_text(from->texts, id));
                key.id[i] = ids[id];
                st = key.id[i] == INTERNER_NONE ? ST_NO_MEMORY : ST_OK;
            }
            uint64_t overflow = into->overflow;
            if (st == ST_OK)
                st = cell_of(into, s, &key, &target);
            if (into->overflow > overflow)
                into->overflow = overflow + cells_records(cells, cell);
            if (st == ST_OK)
                cells_join(into->cells[s], target, cells, cell);
        }
    }
    free(ids);
    return st;
}

static bool is_empty(const struct aggregate *agg)
{
    uint32_t count = 0;
    for (size_t s = 0; s < agg->set_count; s++)
        count |= cells_count(agg->cells[s]);
    return count == 0;
}

enum status aggregate_move(struct aggregate *into, struct aggregate *from)
{
    enum status st = ST_OK;
    if (is_empty(into)) {
        struct aggregate all = *into;
        *into = *from;
        *from = all;
    } else {
        st = aggregate_merge(into, from, 0);
    }
    aggregate_reset(from);
    return st;
}

uint64_t aggregate_take_overflow(struct aggregate *agg)
{
    uint64_t overflow = agg->overflow;
    agg->overflow = 0;
    return overflow;
}

const struct dimension_set *aggregate_set(const struct aggregate *agg, size_t set)
{
    return &agg->sets[set];
}

size_t aggregate_set_count(const struct aggregate *agg)
{
    return agg->set_count;
}

int64_t aggregate_interval(const struct aggregate *agg)
{
    return agg->interval;
}
