#include "price/price_list.h"

/*
 * From a model id to the rows that price it, by the rule of data/README.md; the numbers in the
 * comments are its steps.  price_match() and price_explain() run the same code.
 */

static bool all_digits(struct view text)
{
    for (size_t i = 0; i < text.len; i++) {
        if (text.ptr[i] < '0' || text.ptr[i] > '9')
            return false;
    }
    return text.len > 0;
}

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

static bool is_vendor(const struct prices *prices, struct view label)
{
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
    if (!price_known_geography(label) &&
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
        (view_ends(tail, VIEW_LIT("k")) && all_digits(view_first(tail, tail.len - 1))))
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

static void resolve(const struct prices *prices, const struct price_query *query,
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

    resolve(prices, query, &x);
    *out = x.line;
}

/* ---- one request ---- */

/* The prompt's length for step 7; a gross count holds the cached tokens already. */
static u128 prompt_tokens(const struct price_line *line, const struct price_usage *usage)
{
    if (line->gross_input)
        return usage->input;
    return (u128)usage->input + usage->cache_read + usage->cache_write;
}

/*
 * 6. and 7.  Rows are sorted by from, then over, and the first row of each day has no `over`, so
 * walking back from the end ends inside the day's rows.
 */
static const struct price_row *choose_row(const struct price_line *line, int64_t day, u128 prompt,
                                          enum price_day_rule *rule)
{
    const struct price_row *rows = line->rows;
    uint32_t i = line->n_rows - 1;

    while (i > 0 && rows[i].from_day > day)
        i--;
    *rule = rows[i].from_day == PRICE_NO_DAY ? PRICE_DAY_ANY : PRICE_DAY_FROM;
    if (rows[i].from_day > day) {
        *rule = PRICE_DAY_EARLIEST;
        while (i + 1 < line->n_rows && rows[i + 1].from_day == rows[0].from_day)
            i++;
    }
    while (rows[i].over != 0 && rows[i].over >= prompt)
        i--;
    return &rows[i];
}

static struct price_part price_tokens(u128 tokens, uint64_t price)
{
    return (struct price_part){tokens, price, price == PRICE_NONE ? 0 : tokens * price, false};
}

static struct price_part price_cached(u128 tokens, uint64_t price, uint64_t input)
{
    struct price_part part = price_tokens(tokens, price == PRICE_NONE ? input : price);

    part.input_price = price == PRICE_NONE;
    return part;
}

static void price_parts(const struct price_line *line, const struct price_row *row,
                        const struct price_usage *usage, struct price_part parts[PRICE_PARTS])
{
    u128 input = usage->input;

    if (line->gross_input) {
        u128 cached = (u128)usage->cache_read + usage->cache_write;
        input = input > cached ? input - cached : 0;
    }
    parts[PRICE_PART_INPUT] = price_tokens(input, row->input);
    parts[PRICE_PART_CACHE_READ] = price_cached(usage->cache_read, row->cache_read, row->input);
    parts[PRICE_PART_CACHE_WRITE] =
        price_cached(usage->cache_write, row->cache_write_5m, row->input);
    parts[PRICE_PART_OUTPUT] = price_tokens(usage->output, row->output);
}

static void sum_parts(bool approximate, const struct price_part parts[PRICE_PARTS],
                      struct price_cost *out)
{
    *out = (struct price_cost){.usd_e12 = 0};
    for (size_t i = 0; i < PRICE_PARTS; i++) {
        out->usd_e12 += parts[i].usd_e12;
        if (parts[i].price == PRICE_NONE)
            out->unpriced_tokens += parts[i].tokens;
        else if (approximate || parts[i].input_price)
            out->approximate_tokens += parts[i].tokens;
    }
}

static u128 total_tokens(const struct price_usage *usage)
{
    return (u128)usage->input + usage->cache_read + usage->cache_write + usage->output;
}

void price_line_cost(const struct price_line *line, int64_t day, const struct price_usage *usage,
                     struct price_cost *out)
{
    struct price_part parts[PRICE_PARTS];
    enum price_day_rule rule;

    if (line->n_rows == 0) {
        *out = (struct price_cost){.unpriced_tokens = total_tokens(usage)};
        return;
    }
    const struct price_row *row = choose_row(line, day, prompt_tokens(line, usage), &rule);
    price_parts(line, row, usage, parts);
    sum_parts(line->approximate, parts, out);
}

void price_explain(const struct prices *prices, const struct price_query *query, int64_t day,
                   const struct price_usage *usage, struct price_explanation *out)
{
    resolve(prices, query, out);
    if (out->line.n_rows > 0) {
        out->prompt_tokens = prompt_tokens(&out->line, usage);
        out->row = choose_row(&out->line, day, out->prompt_tokens, &out->day_rule);
        price_parts(&out->line, out->row, usage, out->parts);
    }
    price_line_cost(&out->line, day, usage, &out->cost);
}

/* ---- amounts as text ---- */

static void format_decimal(u128 value, size_t decimals, char out[PRICE_TEXT_BYTES])
{
    char digits[PRICE_TEXT_BYTES];
    size_t at = sizeof(digits);

    for (size_t n = 0; value != 0 || n <= decimals; n++) {
        if (n == decimals)
            digits[--at] = '.';
        digits[--at] = (char)('0' + (int)(value % 10));
        value /= 10;
    }
    size_t end = sizeof(digits);
    while (digits[end - 1] == '0')
        end--;
    if (digits[end - 1] == '.')
        end--;
    memcpy(out, digits + at, end - at);
    out[end - at] = '\0';
}

void price_format_usd(u128 usd_e12, char out[PRICE_TEXT_BYTES])
{
    format_decimal(usd_e12, 12, out);
}

void price_format_per_million(uint64_t price, char out[PRICE_TEXT_BYTES])
{
    out[0] = '\0';
    if (price != PRICE_NONE)
        format_decimal(price, 6, out);
}
