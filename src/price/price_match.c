/*
 * price_match.c: from a model id to the rows that price it, by the rule of data/README.md; the numbers in the
 * comments are its steps.  price_match() and price_explain() run the same code.
 */
#include "price/price_list.h"
#include "records/model_id.h"

/*
 * 1. What the ARN names; false when it names no model.  A bare resource part is taken like its ARN,
 * because records keep only that of ARNs without a model.
 *     arn:aws:bedrock:us-east-1:123456789012:inference-profile/us.anthropic.claude-x
 *                                            ^ type            ^ id
 */
static bool cut_arn(struct view text, bool *arn, struct view *id)
{
    struct view resource = text;

    *arn = view_starts(text, VIEW_LIT("arn:"));
    for (size_t colons = 0; *arn && colons < 5; colons++) {
        size_t at = view_find_char(resource, ':');
        if (at == SIZE_MAX) {
            *id = text;
            return false;
        }
        resource = view_skip(resource, at + 1);
    }
    *id = resource;
    size_t slash = view_find_char(resource, '/');
    if (slash == SIZE_MAX)
        return !*arn;
    struct view type = view_first(resource, slash);
    if (!view_eq_cstr(type, "foundation-model") && !view_eq_cstr(type, "inference-profile"))
        return false;
    *id = view_skip(resource, slash + 1);
    return true;
}

/* Known to this version, or by a user's own rows. */
static bool is_vendor(const struct prices *prices, struct view label)
{
    if (model_id_is_vendor(label))
        return true;
    for (uint32_t i = 0; i < prices->n_models; i++) {
        struct view id = prices->models[i].id;
        if (id.len > label.len && view_starts(id, label) && id.ptr[label.len] == '.')
            return true;
    }
    return false;
}

/*
 * 2. "eu" of "eu.vendor.model": a known geography, or one not known yet when a known vendor follows
 * and the label itself is none ("deepseek.v3.2" has no geography).
 */
static bool cut_geography(const struct prices *prices, struct view *id, struct view *geography)
{
    size_t first = view_find_char(*id, '.');

    if (first == SIZE_MAX || first == 0)
        return false;
    struct view label = view_first(*id, first);
    struct view rest = view_skip(*id, first + 1);
    size_t second = view_find_char(rest, '.');
    if (second == SIZE_MAX)
        return false;
    if (!model_id_is_geography(label) &&
        (is_vendor(prices, label) || !is_vendor(prices, view_first(rest, second))))
        return false;
    *geography = label;
    *id = rest;
    return true;
}

/* 3. ":300k" or ":mm" at the end of `id`, or nothing. */
static struct view context_suffix(struct view id)
{
    size_t colon = view_rfind(id, VIEW_LIT(":"));

    if (colon == SIZE_MAX)
        return VIEW_EMPTY;
    struct view tail = view_skip(id, colon + 1);
    if (view_eq_cstr(tail, "mm") ||
        (view_ends(tail, VIEW_LIT("k")) && view_is_digits(view_first(tail, tail.len - 1))))
        return view_skip(id, colon);
    return VIEW_EMPTY;
}

/* 4. By name, by alias, or as the only one of that name without version; never by prefix. */
static uint32_t find_model(const struct prices *prices, struct view name,
                           enum price_model_rule *rule)
{
    uint32_t model = price_find_model(prices, name);

    *rule = PRICE_MODEL_EXACT;
    if (model != UINT32_MAX)
        return model;
    *rule = PRICE_MODEL_ALIAS;
    model = price_find_alias(prices, name);
    if (model != UINT32_MAX)
        return model;
    uint32_t n = price_find_stem(prices, price_cut_version(name), &model);
    *rule = n == 1 ? PRICE_MODEL_VERSION : n > 1 ? PRICE_MODEL_AMBIGUOUS : PRICE_MODEL_UNKNOWN;
    return n == 1 ? model : UINT32_MAX;
}

static bool scope_is(struct view scope, const struct price_scope *wanted)
{
    size_t n = strlen(wanted->prefix);

    return view_starts(scope, view_make(wanted->prefix, n)) &&
           view_eq(view_skip(scope, n), wanted->name);
}

static bool find_rows(const struct prices *prices, const struct price_model *model,
                      const struct price_scope *scope, struct price_line *line)
{
    const struct price_row *rows = prices->rows + model->first_row;
    uint32_t first = 0;

    while (first < model->n_rows && !scope_is(rows[first].scope, scope))
        first++;
    uint32_t end = first;
    while (end < model->n_rows && scope_is(rows[end].scope, scope))
        end++;
    line->rows = rows + first;
    line->n_rows = end - first;
    return end > first;
}

/* 5. The first scope that has rows. */
static void find_scope(const struct prices *prices, const struct price_model *model,
                       struct view region, struct price_explanation *x)
{
    const struct price_scope regional = {"region:", region};
    const struct price_scope otherwise = {"", VIEW_LIT("default")};
    bool global = view_eq_cstr(x->geography, "global");
    struct price_scope order[PRICE_MAX_SCOPES];
    size_t n = 0;

    if (global) {
        order[n++] = (struct price_scope){"global:", region};
        order[n++] = (struct price_scope){"", x->geography};
        order[n++] = regional;
    } else {
        order[n++] = regional;
        if (x->geography.len > 0)
            order[n++] = (struct price_scope){"", x->geography};
    }
    order[n++] = otherwise;
    while (x->n_scopes < n) {
        size_t i = x->n_scopes++;
        x->scopes[i] = order[i];
        if (find_rows(prices, model, &order[i], &x->line)) {
            x->line.approximate = global && i >= 2;
            return;
        }
    }
    x->line = (struct price_line){.rows = NULL};
}

/*
 * OpenAI models report an input count that holds the cached tokens too, from 5.6 on
 * (openai.gpt-5.6-luna, openai.gpt-6-sol); openai.gpt-oss-120b has no version there.
 */
static bool has_gross_input(struct view model)
{
    const struct view family = VIEW_LIT("openai.gpt-");
    uint64_t major;
    uint64_t minor = 0;
    struct view version;

    if (!view_starts(model, family))
        return false;
    struct view rest = view_skip(model, family.len);
    if (!view_split(&rest, '-', &version))
        return false;
    size_t dot = view_find_char(version, '.');
    if (view_parse_u64(view_first(version, dot), UINT32_MAX, &major) != ST_OK)
        return false;
    if (dot != SIZE_MAX && view_parse_u64(view_skip(version, dot + 1), UINT32_MAX, &minor) != ST_OK)
        return false;
    return major > 5 || (major == 5 && minor >= 6);
}

void price_resolve(const struct prices *prices, const struct price_query *query,
                   struct price_explanation *x)
{
    uint32_t model;

    *x = (struct price_explanation){.geography = query->geography};
    bool names_model = cut_arn(query->model, &x->arn, &x->id);
    x->name = x->id;
    if (!names_model) {
        /* Only the user's own list can know it, by the whole ARN or by its resource part. */
        x->model_rule = PRICE_MODEL_ALIAS;
        model = price_find_alias(prices, query->model);
        if (model == UINT32_MAX)
            model = price_find_alias(prices, x->id);
        if (model == UINT32_MAX)
            x->model_rule = PRICE_MODEL_OPAQUE;
        x->geography_rule = x->geography.len > 0 ? PRICE_GEOGRAPHY_GIVEN : PRICE_GEOGRAPHY_NONE;
    } else {
        if (x->geography.len > 0)
            x->geography_rule = PRICE_GEOGRAPHY_GIVEN; /* and taken off: never a second time */
        else if (cut_geography(prices, &x->name, &x->geography))
            x->geography_rule = PRICE_GEOGRAPHY_PREFIX;
        x->context_suffix = context_suffix(x->name);
        x->name = view_first(x->name, x->name.len - x->context_suffix.len);
        model = find_model(prices, x->name, &x->model_rule);
    }
    if (x->geography_rule == PRICE_GEOGRAPHY_NONE &&
        view_starts(query->region, VIEW_LIT("us-gov-"))) {
        x->geography = VIEW_LIT("us-gov");
        x->geography_rule = PRICE_GEOGRAPHY_REGION;
    }
    if (model == UINT32_MAX)
        return;
    x->model = prices->models[model].id;
    find_scope(prices, &prices->models[model], query->region, x);
    x->line.gross_input = has_gross_input(x->model);
}

void price_match(const struct prices *prices, const struct price_query *query,
                 struct price_line *out)
{
    struct price_explanation x;

    price_resolve(prices, query, &x);
    *out = x.line;
}
