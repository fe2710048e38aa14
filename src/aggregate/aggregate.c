#include "aggregate/aggregate.h"

#include <stdlib.h>

#include "aggregate/cells.h"
#include "aggregate/interner.h"
#include "aggregate/region_guard.h"
#include "price/price.h"

/* What one modelId, as logged, stands for; by the interned number of its text. */
struct model_info {
    bool known;
    bool needs_evidence;
    enum profile_type type;
    uint32_t model, profile; /* interned */
    struct view application; /* id of a resolved application profile, for its tags */
    struct view geography;   /* for its price */
};

/* The price of a model in a Region, kept because matching costs more than counting. */
struct price_memo {
    uint32_t model_id, region; /* interned */
    bool used;
    bool plain; /* one row with all four prices: no rule to apply for a record */
    struct price_line line;
};

enum { PRICE_MEMO_SIZE = 256 };

/* Texts seen lately and their numbers: members take few values, so most are found here. */
struct memo {
    struct view text; /* as interned */
    uint32_t id;
    bool used;
};

enum { MEMO_SIZE = 256 };

struct aggregate {
    struct dimension_set *sets;
    size_t set_count;
    struct dimension_keys keys;
    int64_t interval;
    bool statistics;
    const struct profiles *profiles;
    const struct prices *prices;
    struct region_guard *guard;
    void (*on_novelty)(enum novelty what, struct view text);

    struct interner *texts;
    struct cells **cells; /* one for each set */
    struct model_info *models;
    uint32_t model_capacity;
    uint32_t none, unknown, type_names[4];
    struct price_memo *price_memo;    /* PRICE_MEMO_SIZE of them; NULL without prices */
    struct memo memo[MEMO_SIZE];      /* by a hash of length and ends */
    int64_t bucket_begin, bucket_end; /* the last bucket */
};

static bool intern_constants(struct aggregate *agg)
{
    agg->none = interner_id(agg->texts, VIEW_LIT("none"));
    agg->unknown = interner_id(agg->texts, VIEW_LIT("unknown"));
    bool ok = agg->none != INTERNER_NONE && agg->unknown != INTERNER_NONE;
    for (unsigned i = 0; i < 4; i++) {
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
        agg->cells[i] =
            cells_new(options->sets[i].count, slots_of(options->statistics), options->statistics);
        ok = agg->cells[i] != NULL;
    }
    if (!ok) {
        aggregate_free(agg);
        return NULL;
    }
    return agg;
}

void aggregate_free(struct aggregate *agg)
{
    if (agg == NULL)
        return;
    for (size_t i = 0; i < agg->set_count && agg->cells != NULL; i++)
        cells_free(agg->cells[i]);
    free(agg->cells);
    free(agg->sets);
    free(agg->models);
    free(agg->price_memo);
    interner_free(agg->texts);
    free(agg);
}

void aggregate_reset(struct aggregate *agg)
{
    for (size_t i = 0; i < agg->set_count; i++)
        cells_reset(agg->cells[i]);
}

/* ---- a record's dimension values ---- */

/* Length, first and last bytes tell most texts apart. */
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

/* The interned number of a text that is not empty. */
static inline uint32_t remember(struct aggregate *agg, struct view text)
{
    struct memo *memo = &agg->memo[memo_place(text)];
    if (memo->used && view_eq(memo->text, text))
        return memo->id;
    uint32_t id = interner_id(agg->texts, text);
    if (id != INTERNER_NONE)
        *memo = (struct memo){interner_text(agg->texts, id), id, true};
    return id;
}

/* Room for index `id` in an array of zeroed elements; false: no memory. */
static bool make_room(void *array, uint32_t *capacity, uint32_t id, size_t size)
{
    if (id < *capacity)
        return true;
    uint32_t wanted = id + id / 2 + 64;
    void *old;
    memcpy(&old, array, sizeof(old));
    char *grown = realloc(old, wanted * size);
    if (grown == NULL)
        return false;
    memset(grown + *capacity * size, 0, (wanted - *capacity) * size);
    memcpy(array, &grown, sizeof(grown));
    *capacity = wanted;
    return true;
}

static bool describe_model(struct aggregate *agg, uint32_t id, struct model_info *info)
{
    struct model_class class;
    struct view text = interner_text(agg->texts, id);
    model_id_classify(text, &class);
    struct view profile_name = class.profile;
    /* A bare id without a dot may be an application profile's too. */
    struct view application = class.application                                ? class.profile
                              : class.needs_evidence && class.profile.len == 0 ? text
                                                                               : VIEW_EMPTY;
    struct profile resolved;
    if (application.len > 0 && profiles_resolve(agg->profiles, text, application, &resolved) &&
        resolved.type != PROFILE_UNKNOWN) {
        class.type = resolved.type;
        class.model = resolved.model;
        class.needs_evidence = false;
        class.geography = resolved.type == PROFILE_GLOBAL ? VIEW_LIT("global") : VIEW_EMPTY;
        profile_name = resolved.name.len > 0 ? resolved.name : resolved.id;
        info->application = resolved.id;
    }
    if (class.unknown_geography && agg->on_novelty != NULL)
        agg->on_novelty(NOVELTY_GEOGRAPHY, class.geography);
    info->geography = class.geography;
    info->type = class.type;
    info->needs_evidence = class.needs_evidence;
    info->model = interner_id(agg->texts, class.model);
    info->profile = profile_name.len == 0 ? agg->none : interner_id(agg->texts, profile_name);
    info->known = info->model != INTERNER_NONE && info->profile != INTERNER_NONE;
    return info->known;
}

static const struct model_info *model_of(struct aggregate *agg, uint32_t id)
{
    if (id == INTERNER_NONE ||
        !make_room(&agg->models, &agg->model_capacity, id, sizeof(*agg->models)))
        return NULL;
    if (!agg->models[id].known && !describe_model(agg, id, &agg->models[id]))
        return NULL;
    return &agg->models[id];
}

/* Only the principal is kept: sessions make nearly every ARN a new text. */
static uint32_t principal_of(struct aggregate *agg, struct view arn)
{
    char bytes[SCAN_MAX_VALUE];
    return arn.len == 0 ? agg->unknown : remember(agg, record_principal(arn, bytes, sizeof(bytes)));
}

static uint32_t text_or(struct aggregate *agg, struct view text, uint32_t otherwise)
{
    return text.len == 0 ? otherwise : remember(agg, text);
}

static enum profile_type type_of(const struct model_info *model, const struct record *record)
{
    if (!model->needs_evidence)
        return model->type;
    bool elsewhere =
        record->inference_region.len > 0 && !view_eq(record->inference_region, record->region);
    return elsewhere ? PROFILE_CROSS_REGION : PROFILE_UNKNOWN;
}

static uint32_t inference_region(struct aggregate *agg, const struct record *record,
                                 enum profile_type type)
{
    if (record->inference_region.len > 0)
        return remember(agg, record->inference_region);
    return type == PROFILE_IN_REGION ? remember(agg, record->region) : agg->unknown;
}

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
    case DIMENSION_INFERENCE_REGION: return inference_region(agg, record, type);
    case DIMENSION_ACCOUNT_ID: return text_or(agg, record->account_id, agg->unknown);
    case DIMENSION_OPERATION: return text_or(agg, record->operation, agg->unknown);
    case DIMENSION_PRINCIPAL: return principal_of(agg, record->identity_arn);
    case DIMENSION_METADATA: {
        const struct scan_value *value = &record->metadata[dimension->key];
        if (value->kind != VALUE_GOOD || value->len == 0)
            return agg->none;
        return interner_id(agg->texts, view_make(value->ptr, value->len));
    }
    case DIMENSION_TAG:
        text = model->application.len == 0
                   ? VIEW_EMPTY
                   : profiles_tag(agg->profiles, model->application, agg->keys.tag[dimension->key]);
        return text.len == 0 ? agg->none : interner_id(agg->texts, text);
    }
    return agg->none;
}

/* ---- counting ---- */

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

static const struct price_memo *price_of(struct aggregate *agg, uint32_t model_id,
                                         const struct model_info *model, struct view region_text)
{
    uint32_t region = remember(agg, region_text);
    if (region == INTERNER_NONE)
        return NULL;
    struct price_memo *memo = &agg->price_memo[(model_id * 31 + region) % PRICE_MEMO_SIZE];
    if (memo->used && memo->model_id == model_id && memo->region == region)
        return memo;
    /* An id that names no model is looked up as logged: a user's list may have it as an alias. */
    uint32_t name = model->needs_evidence ? model_id : model->model;
    struct price_query query = {.model = interner_text(agg->texts, name),
                                .geography = model->geography,
                                .region = region_text};
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
    const struct price_memo *memo = price_of(agg, model_id, model, record->region);
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

static void add_record(struct cells *cells, uint32_t place, const struct record *record,
                       const struct price_cost *cost, bool statistics)
{
    static const enum metric outcome_metric[] = {
        [INVOCATION_OK] = METRIC_INVOCATIONS,
        [INVOCATION_CLIENT_ERROR] = METRIC_CLIENT_ERRORS,
        [INVOCATION_SERVER_ERROR] = METRIC_SERVER_ERRORS,
        [INVOCATION_THROTTLED] = METRIC_THROTTLES,
    };
    size_t outcome = metric_slot(outcome_metric[record->outcome]);
    bool has_latency = record->latency.kind == VALUE_GOOD;
    cells_mark(cells, place);
    if (!statistics) {
        u128 *sums = cells_pending_sums(cells, place);
        sums[outcome] += 1;
        for (size_t i = 0; i < NUMBER_COUNT; i++)
            sums[metric_slot(METRIC_INPUT) + i] += record->tokens[i];
        sums[metric_slot(METRIC_LATENCY)] += has_latency ? record->latency.value : 0;
        if (cost != NULL) {
            sums[metric_slot(METRIC_COST)] += cost->usd_e12;
            sums[metric_slot(METRIC_UNPRICED)] += cost->unpriced_tokens;
            sums[metric_slot(METRIC_APPROXIMATE)] += cost->approximate_tokens;
        }
        return;
    }
    cells_add(cells, place, outcome, 1);
    for (size_t i = 0; i < NUMBER_COUNT; i++)
        cells_add(cells, place, metric_slot(METRIC_INPUT) + i, record->tokens[i]);
    u128 total = 0;
    for (size_t i = 0; i < NUMBER_COUNT; i++)
        total += record->tokens[i];
    cells_add(cells, place, SLOT_TOTAL, total);
    if (has_latency)
        cells_add(cells, place, metric_slot(METRIC_LATENCY), record->latency.value);
    if (cost != NULL) {
        cells_add(cells, place, metric_slot(METRIC_COST), cost->usd_e12);
        cells_add(cells, place, metric_slot(METRIC_UNPRICED), cost->unpriced_tokens);
        cells_add(cells, place, metric_slot(METRIC_APPROXIMATE), cost->approximate_tokens);
    }
}

/* Whether the record ran in a Region that is not allowed. */
static bool is_elsewhere(struct aggregate *agg, const struct record *record, enum profile_type type)
{
    struct view region = record->inference_region;
    if (agg->guard == NULL)
        return false;
    if (region.len == 0 && type == PROFILE_IN_REGION)
        region = record->region;
    if (region.len == 0 || region_guard_allows(agg->guard, region))
        return false;
    region_guard_see(agg->guard, region);
    return true;
}

static void add_elsewhere(struct cells *cells, uint32_t place, const struct record *record)
{
    u128 total = 0;
    for (size_t i = 0; i < NUMBER_COUNT; i++)
        total += record->tokens[i];
    cells_add(cells, place, metric_slot(METRIC_DISALLOWED_TOKENS), total);
    cells_add(cells, place, metric_slot(METRIC_DISALLOWED_INVOCATIONS),
              record->outcome == INVOCATION_OK ? 1 : 0);
}

static void check_version(struct aggregate *agg, struct view version)
{
    if (version.len == 0 || view_eq(version, VIEW_LIT("1.0")) || agg->on_novelty == NULL)
        return;
    agg->on_novelty(NOVELTY_SCHEMA_VERSION, version);
}

enum status aggregate_add(struct aggregate *agg, const struct record *record)
{
    uint32_t model_id = remember(agg, record->model_id);
    const struct model_info *model = model_of(agg, model_id);
    struct price_cost cost;
    if (model == NULL || (agg->prices != NULL && !cost_of(agg, model_id, model, record, &cost)))
        return ST_NO_MEMORY;
    check_version(agg, record->schema_version);
    enum profile_type type = type_of(model, record);
    bool elsewhere = is_elsewhere(agg, record, type);
    struct cell_key key;
    key.time = bucket_of(agg, record->time.seconds);
    for (size_t s = 0; s < agg->set_count; s++) {
        const struct dimension_set *set = &agg->sets[s];
        for (size_t i = 0; i < set->count; i++) {
            key.id[i] = dimension_value(agg, &set->dimension[i], record, model, type);
            if (key.id[i] == INTERNER_NONE)
                return ST_NO_MEMORY;
        }
        uint32_t cell = cells_find(agg->cells[s], &key);
        uint32_t place = cell == UINT32_MAX ? UINT32_MAX : cells_pending(agg->cells[s], cell);
        if (place == UINT32_MAX)
            return ST_NO_MEMORY;
        add_record(agg->cells[s], place, record, agg->prices != NULL ? &cost : NULL,
                   agg->statistics);
        if (elsewhere)
            add_elsewhere(agg->cells[s], place, record);
    }
    return ST_OK;
}

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
    uint32_t place = cell == UINT32_MAX ? UINT32_MAX : cells_pending(agg->cells[set], cell);
    if (place == UINT32_MAX)
        return ST_NO_MEMORY;
    cells_mark(agg->cells[set], place);
    for (unsigned m = 0; m < METRIC_COUNT; m++) {
        if (m != METRIC_TOTAL)
            cells_add(agg->cells[set], place, metric_slot((enum metric)m), sum[m]);
    }
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

/* The number in `into` of each text of `from`; NULL: no memory. */
static uint32_t *translate(struct aggregate *into, const struct aggregate *from)
{
    uint32_t count = interner_count(from->texts);
    uint32_t *ids = malloc((count + 1) * sizeof(*ids));
    for (uint32_t i = 0; i < count && ids != NULL; i++) {
        ids[i] = interner_id(into->texts, interner_text(from->texts, i));
        if (ids[i] == INTERNER_NONE) {
            free(ids);
            ids = NULL;
        }
    }
    return ids;
}

enum status aggregate_merge(struct aggregate *into, const struct aggregate *from)
{
    uint32_t *ids = translate(into, from);
    if (ids == NULL)
        return ST_NO_MEMORY;
    enum status st = ST_OK;
    for (size_t s = 0; s < into->set_count && st == ST_OK; s++) {
        const struct cells *cells = from->cells[s];
        for (uint32_t cell = 0; cell < cells_count(cells) && st == ST_OK; cell++) {
            if (!cells_is_counted(cells, cell))
                continue;
            struct cell_key key = {.time = cells_time(cells, cell)};
            for (size_t i = 0; i < into->sets[s].count; i++)
                key.id[i] = ids[cells_ids(cells, cell)[i]];
            uint32_t target = cells_find(into->cells[s], &key);
            if (target == UINT32_MAX)
                st = ST_NO_MEMORY;
            else
                cells_join(into->cells[s], target, cells, cell);
        }
    }
    free(ids);
    return st;
}

/* ---- order ---- */

static int by_text(const void *a, const void *b, void *context)
{
    const struct interner *texts = context;
    uint32_t left, right;
    memcpy(&left, a, sizeof(left));
    memcpy(&right, b, sizeof(right));
    return view_compare(interner_text(texts, left), interner_text(texts, right));
}

/* The place of each text in bytewise order, so that rows compare as numbers; NULL: no memory. */
static uint32_t *rank_texts(struct interner *texts)
{
    uint32_t count = interner_count(texts);
    uint32_t *order = malloc((count + 1) * sizeof(*order));
    uint32_t *ranks = malloc((count + 1) * sizeof(*ranks));
    if (order != NULL && ranks != NULL) {
        for (uint32_t i = 0; i < count; i++)
            order[i] = i;
        qsort_r(order, count, sizeof(*order), by_text, texts);
        for (uint32_t i = 0; i < count; i++)
            ranks[order[i]] = i;
    } else {
        free(ranks);
        ranks = NULL;
    }
    free(order);
    return ranks;
}

struct aggregate_rows {
    const struct aggregate *agg;
    const struct cells *cells;
    size_t set;
    uint32_t *order;
    size_t count;
};

struct row_order {
    const struct cells *cells;
    const uint32_t *ranks;
    size_t dimensions;
};

static int by_dimensions(const struct row_order *order, uint32_t left, uint32_t right)
{
    const uint32_t *l = cells_ids(order->cells, left);
    const uint32_t *r = cells_ids(order->cells, right);
    for (size_t i = 0; i < order->dimensions; i++) {
        if (l[i] != r[i])
            return order->ranks[l[i]] < order->ranks[r[i]] ? -1 : 1;
    }
    return 0;
}

static int by_row(const void *a, const void *b, void *context)
{
    const struct row_order *order = context;
    uint32_t left, right;
    memcpy(&left, a, sizeof(left));
    memcpy(&right, b, sizeof(right));
    int64_t l = cells_time(order->cells, left), r = cells_time(order->cells, right);
    if (l != r)
        return l < r ? -1 : 1;
    return by_dimensions(order, left, right);
}

struct aggregate_rows *aggregate_rows_new(const struct aggregate *agg, size_t set)
{
    struct aggregate_rows *rows = calloc(1, sizeof(*rows));
    if (rows == NULL)
        return NULL;
    const struct cells *cells = agg->cells[set];
    rows->agg = agg;
    rows->cells = cells;
    rows->set = set;
    rows->order = malloc(((size_t)cells_count(cells) + 1) * sizeof(*rows->order));
    uint32_t *ranks = rank_texts(agg->texts);
    if (rows->order == NULL || ranks == NULL) {
        free(ranks);
        aggregate_rows_free(rows);
        return NULL;
    }
    for (uint32_t cell = 0; cell < cells_count(cells); cell++) {
        if (cells_is_counted(cells, cell))
            rows->order[rows->count++] = cell;
    }
    struct row_order order = {cells, ranks, agg->sets[set].count};
    qsort_r(rows->order, rows->count, sizeof(*rows->order), by_row, &order);
    free(ranks);
    return rows;
}

void aggregate_rows_free(struct aggregate_rows *rows)
{
    if (rows == NULL)
        return;
    free(rows->order);
    free(rows);
}

size_t aggregate_rows_count(const struct aggregate_rows *rows)
{
    return rows->count;
}

static void add_sums(u128 sum[METRIC_COUNT], const u128 *slots)
{
    for (unsigned m = 0; m < METRIC_COUNT; m++) {
        if (m != METRIC_TOTAL)
            sum[m] += slots[metric_slot((enum metric)m)];
    }
    sum[METRIC_TOTAL] =
        sum[METRIC_INPUT] + sum[METRIC_OUTPUT] + sum[METRIC_CACHE_READ] + sum[METRIC_CACHE_WRITE];
}

void aggregate_rows_get(const struct aggregate_rows *rows, size_t index, struct aggregate_row *out)
{
    uint32_t cell = rows->order[index];
    const uint32_t *ids = cells_ids(rows->cells, cell);
    out->time = cells_time(rows->cells, cell);
    for (size_t i = 0; i < rows->agg->sets[rows->set].count; i++)
        out->value[i] = interner_text(rows->agg->texts, ids[i]);
    memset(out->sum, 0, sizeof(out->sum));
    add_sums(out->sum, cells_sums(rows->cells, cell));
    const struct statistic *statistics = cells_statistics(rows->cells, cell);
    if (statistics == NULL)
        return;
    for (unsigned m = 0; m < METRIC_COUNT; m++)
        out->statistic[m] =
            statistics[m == METRIC_TOTAL ? (size_t)SLOT_TOTAL : metric_slot((enum metric)m)];
}

void aggregate_totals(const struct aggregate *agg, u128 sum[METRIC_COUNT])
{
    memset(sum, 0, sizeof(sum[0]) * METRIC_COUNT);
    const struct cells *cells = agg->cells[0];
    for (uint32_t cell = 0; cell < cells_count(cells); cell++) {
        if (cells_is_counted(cells, cell))
            add_sums(sum, cells_sums(cells, cell));
    }
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

bool aggregate_has_statistics(const struct aggregate *agg)
{
    return agg->statistics;
}

/* ---- series ---- */

/* All cells of a set summed over time; NULL: no memory. */
static struct cells *sum_series(const struct aggregate *agg, size_t set)
{
    const struct cells *cells = agg->cells[set];
    struct cells *series =
        cells_new(agg->sets[set].count, slots_of(agg->statistics), agg->statistics);
    for (uint32_t cell = 0; cell < cells_count(cells) && series != NULL; cell++) {
        if (!cells_is_counted(cells, cell))
            continue;
        struct cell_key key = {.time = 0};
        memcpy(key.id, cells_ids(cells, cell), agg->sets[set].count * sizeof(key.id[0]));
        uint32_t at = cells_find(series, &key);
        if (at == UINT32_MAX) {
            cells_free(series);
            return NULL;
        }
        cells_join(series, at, cells, cell);
    }
    return series;
}

enum status aggregate_series_count(const struct aggregate *agg, size_t set, uint64_t *count)
{
    struct cells *series = sum_series(agg, set);
    if (series == NULL)
        return ST_NO_MEMORY;
    *count = cells_count(series);
    cells_free(series);
    return ST_OK;
}

static int compare_u128(u128 left, u128 right)
{
    return (left > right) - (left < right);
}

/* Larger series first. */
static int by_size(const void *a, const void *b, void *context)
{
    const struct row_order *order = context;
    uint32_t left, right;
    memcpy(&left, a, sizeof(left));
    memcpy(&right, b, sizeof(right));
    u128 l[METRIC_COUNT] = {0}, r[METRIC_COUNT] = {0};
    add_sums(l, cells_sums(order->cells, left));
    add_sums(r, cells_sums(order->cells, right));
    int difference = compare_u128(r[METRIC_TOTAL], l[METRIC_TOTAL]);
    if (difference == 0)
        difference = compare_u128(r[METRIC_INVOCATIONS], l[METRIC_INVOCATIONS]);
    return difference != 0 ? difference : by_dimensions(order, left, right);
}

/* keep[series] is whether it is among the `limit` largest; NULL: no memory. */
static bool *choose_largest(const struct aggregate *agg, size_t set, const struct cells *series,
                            size_t limit)
{
    uint32_t count = cells_count(series);
    uint32_t *order = malloc(((size_t)count + 1) * sizeof(*order));
    uint32_t *ranks = rank_texts(agg->texts);
    bool *keep = calloc((size_t)count + 1, sizeof(*keep));
    if (order == NULL || ranks == NULL || keep == NULL) {
        free(keep);
        keep = NULL;
    } else {
        for (uint32_t i = 0; i < count; i++)
            order[i] = i;
        struct row_order context = {series, ranks, agg->sets[set].count};
        qsort_r(order, count, sizeof(*order), by_size, &context);
        for (uint32_t i = 0; i < count && i < limit; i++)
            keep[order[i]] = true;
    }
    free(order);
    free(ranks);
    return keep;
}

/* A table in which the series that are not kept are one; NULL: no memory. */
static struct cells *fold_cells(const struct aggregate *agg, size_t set, struct cells *series,
                                const bool *keep, uint32_t other)
{
    const struct cells *cells = agg->cells[set];
    size_t dimensions = agg->sets[set].count;
    struct cells *folded = cells_new(dimensions, slots_of(agg->statistics), agg->statistics);
    for (uint32_t cell = 0; cell < cells_count(cells) && folded != NULL; cell++) {
        if (!cells_is_counted(cells, cell))
            continue;
        struct cell_key key = {.time = 0};
        memcpy(key.id, cells_ids(cells, cell), dimensions * sizeof(key.id[0]));
        /* It is there already, so this cannot fail. */
        if (!keep[cells_find(series, &key)]) {
            for (size_t i = 0; i < dimensions; i++)
                key.id[i] = other;
        }
        key.time = cells_time(cells, cell);
        uint32_t at = cells_find(folded, &key);
        if (at == UINT32_MAX) {
            cells_free(folded);
            return NULL;
        }
        cells_join(folded, at, cells, cell);
    }
    return folded;
}

enum status aggregate_fold(struct aggregate *agg, size_t limit, uint64_t *folded)
{
    uint32_t other = interner_id(agg->texts, VIEW_LIT("Other"));
    if (other == INTERNER_NONE)
        return ST_NO_MEMORY;
    enum status st = ST_OK;
    for (size_t s = 0; s < agg->set_count && st == ST_OK; s++) {
        struct cells *series = sum_series(agg, s);
        if (series == NULL)
            return ST_NO_MEMORY;
        uint32_t count = cells_count(series);
        if (count > limit) {
            bool *keep = choose_largest(agg, s, series, limit);
            struct cells *smaller = keep == NULL ? NULL : fold_cells(agg, s, series, keep, other);
            if (smaller != NULL) {
                cells_free(agg->cells[s]);
                agg->cells[s] = smaller;
                if (folded != NULL)
                    *folded += count - (uint64_t)limit;
            } else {
                st = ST_NO_MEMORY;
            }
            free(keep);
        }
        cells_free(series);
    }
    return st;
}
