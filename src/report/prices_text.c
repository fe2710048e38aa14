#include "report/prices_text.h"

#include <stdio.h>

#include "base/json_write.h"
#include "base/rfc3339.h"

enum { SECONDS_A_DAY = 86400, DATE_BYTES = 11 };

/* "2026-07-30", or "" for PRICE_NO_DAY. */
static void format_day(int64_t day, char out[RFC3339_BYTES])
{
    out[0] = '\0';
    if (day == PRICE_NO_DAY)
        return;
    rfc3339_format(day * SECONDS_A_DAY, out);
    out[DATE_BYTES - 1] = '\0';
}

/* ---- JSON pieces ---- */

static void json_key(struct buf *out, const char *key)
{
    if (out->len > 0 && out->ptr[out->len - 1] != '{')
        buf_add_char(out, ',');
    buf_printf(out, "\"%s\":", key);
}

static void json_text(struct buf *out, const char *key, struct view value)
{
    json_key(out, key);
    json_add_string(out, value);
}

static void json_number(struct buf *out, const char *key, u128 value)
{
    json_key(out, key);
    json_add_u128(out, value);
}

static void json_bool(struct buf *out, const char *key, bool value)
{
    json_key(out, key);
    buf_add_cstr(out, value ? "true" : "false");
}

/* Left out when there is none, as in the list itself. */
static void json_day(struct buf *out, const char *key, int64_t day)
{
    char date[RFC3339_BYTES];

    format_day(day, date);
    if (date[0] != '\0')
        json_text(out, key, view_of(date));
}

static void json_price(struct buf *out, const char *key, uint64_t price)
{
    char text[PRICE_TEXT_BYTES];

    if (price == PRICE_NONE)
        return;
    price_format_per_million(price, text);
    json_key(out, key);
    buf_add_cstr(out, text);
}

static void json_usd(struct buf *out, const char *key, u128 usd_e12)
{
    char text[PRICE_TEXT_BYTES];

    price_format_usd(usd_e12, text);
    json_key(out, key);
    buf_add_cstr(out, text);
}

static void json_row(struct buf *out, const struct price_row *row)
{
    buf_add_char(out, '{');
    json_text(out, "model", row->model);
    json_text(out, "scope", row->scope);
    json_day(out, "from", row->from_day);
    if (row->over > 0)
        json_number(out, "over", row->over);
    json_price(out, "input", row->input);
    json_price(out, "output", row->output);
    json_price(out, "cache_read", row->cache_read);
    json_price(out, "cache_write_5m", row->cache_write_5m);
    json_price(out, "cache_write_1h", row->cache_write_1h);
    if (row->source.len > 0)
        json_text(out, "src", row->source);
    json_text(out, "list", row->own ? VIEW_LIT("own") : VIEW_LIT("built-in"));
    buf_add_char(out, '}');
}

static void json_dates(struct buf *out, const struct prices *prices)
{
    const struct prices_info info = prices_info(prices);

    json_day(out, "as_of", info.as_of_day);
    json_day(out, "regions_as_of", info.regions_as_of_day);
    json_day(out, "own_as_of", info.own_as_of_day);
}

/* ---- CSV and tables ---- */

static void csv_field(struct buf *out, struct view field, bool last)
{
    bool quote = false;

    for (size_t i = 0; i < field.len; i++)
        quote = quote || field.ptr[i] == '"' || field.ptr[i] == ',';
    if (quote)
        buf_add_char(out, '"');
    for (size_t i = 0; i < field.len; i++) {
        if (field.ptr[i] == '"')
            buf_add_char(out, '"');
        buf_add_char(out, field.ptr[i]);
    }
    if (quote)
        buf_add_char(out, '"');
    buf_add_char(out, last ? '\n' : ',');
}

/* The columns of a listed row, as texts. */
enum { COLUMNS = 10, TEXT_COLUMNS = 3 };

static const char *const column_names[COLUMNS] = {
    "model",  "scope",      "from",           "over",           "input",
    "output", "cache_read", "cache_write_5m", "cache_write_1h", "src"};

struct columns {
    struct view field[COLUMNS];
    char from[RFC3339_BYTES];
    char over[PRICE_TEXT_BYTES];
    char price[5][PRICE_TEXT_BYTES];
};

static void fill_columns(struct columns *c, const struct price_row *row)
{
    const uint64_t prices[5] = {row->input, row->output, row->cache_read, row->cache_write_5m,
                                row->cache_write_1h};

    format_day(row->from_day, c->from);
    c->over[0] = '\0';
    if (row->over > 0)
        snprintf(c->over, sizeof(c->over), "%llu", (unsigned long long)row->over);
    c->field[0] = row->model;
    c->field[1] = row->scope;
    c->field[2] = view_of(c->from);
    c->field[3] = view_of(c->over);
    for (size_t i = 0; i < 5; i++) {
        price_format_per_million(prices[i], c->price[i]);
        c->field[4 + i] = view_of(c->price[i]);
    }
    c->field[COLUMNS - 1] = row->own ? VIEW_LIT("own") : row->source;
}

static bool is_listed(const struct price_row *row, const struct prices_filter *filter)
{
    return (filter->model.len == 0 || view_find(row->model, filter->model) != SIZE_MAX) &&
           (filter->scope.len == 0 || view_eq(row->scope, filter->scope));
}

static void add_padded(struct buf *out, struct view text, size_t width, bool right)
{
    size_t gap = text.len < width ? width - text.len : 0;

    for (size_t i = 0; right && i < gap; i++)
        buf_add_char(out, ' ');
    buf_add_view(out, text);
    for (size_t i = 0; !right && i < gap; i++)
        buf_add_char(out, ' ');
}

static void add_dates(struct buf *out, const struct prices *prices)
{
    const struct prices_info info = prices_info(prices);
    char date[RFC3339_BYTES];

    format_day(info.as_of_day, date);
    buf_printf(out, "list prices as of %s", date[0] == '\0' ? "an unknown date" : date);
    format_day(info.regions_as_of_day, date);
    if (date[0] != '\0')
        buf_printf(out, ", regional prices as of %s", date);
    if (info.own_rows > 0) {
        format_day(info.own_as_of_day, date);
        buf_printf(out, ", %zu own rows%s%s", info.own_rows, date[0] == '\0' ? "" : " as of ",
                   date);
    }
}

static void add_table_line(struct buf *out, const struct columns *c, const size_t width[COLUMNS])
{
    for (size_t k = 0; k < COLUMNS; k++) {
        bool last = k + 1 == COLUMNS;
        add_padded(out, c->field[k], last ? 0 : width[k], k >= TEXT_COLUMNS && !last);
        buf_add_cstr(out, last ? "\n" : "  ");
    }
}

static void add_table(struct buf *out, const struct prices *prices,
                      const struct prices_filter *filter)
{
    size_t n_rows = prices_info(prices).rows;
    size_t width[COLUMNS];
    size_t listed = 0;
    struct columns c;

    for (size_t k = 0; k < COLUMNS; k++)
        width[k] = strlen(column_names[k]);
    for (size_t i = 0; i < n_rows; i++) {
        if (!is_listed(prices_row(prices, i), filter))
            continue;
        listed++;
        fill_columns(&c, prices_row(prices, i));
        for (size_t k = 0; k < COLUMNS; k++)
            width[k] = c.field[k].len > width[k] ? c.field[k].len : width[k];
    }
    for (size_t k = 0; k < COLUMNS; k++)
        c.field[k] = view_of(column_names[k]);
    add_table_line(out, &c, width);
    for (size_t i = 0; i < n_rows; i++) {
        if (!is_listed(prices_row(prices, i), filter))
            continue;
        fill_columns(&c, prices_row(prices, i));
        add_table_line(out, &c, width);
    }
    buf_printf(out, "\n%zu of %zu rows; US dollars per 1,000,000 tokens; ", listed, n_rows);
    add_dates(out, prices);
    buf_add_char(out, '\n');
}

void prices_add_list(struct buf *out, enum prices_format format, const struct prices *prices,
                     const struct prices_filter *filter)
{
    size_t n_rows = prices_info(prices).rows;
    bool first = true;
    struct columns c;

    if (format == PRICES_TABLE) {
        add_table(out, prices, filter);
        return;
    }
    if (format == PRICES_JSON) {
        buf_add_char(out, '{');
        json_text(out, "schema", VIEW_LIT("bedrock-metrics/prices/1"));
        json_text(out, "currency", VIEW_LIT("USD"));
        json_text(out, "unit", VIEW_LIT("per_1M_tokens"));
        json_dates(out, prices);
        json_key(out, "rows");
        buf_add_char(out, '[');
    } else {
        for (size_t k = 0; k < COLUMNS; k++)
            csv_field(out, view_of(column_names[k]), k + 1 == COLUMNS);
    }
    for (size_t i = 0; i < n_rows; i++) {
        const struct price_row *row = prices_row(prices, i);
        if (!is_listed(row, filter))
            continue;
        if (format == PRICES_JSON) {
            buf_add_cstr(out, first ? "\n" : ",\n");
            json_row(out, row);
        } else {
            fill_columns(&c, row);
            for (size_t k = 0; k < COLUMNS; k++)
                csv_field(out, c.field[k], k + 1 == COLUMNS);
        }
        first = false;
    }
    if (format == PRICES_JSON)
        buf_add_cstr(out, "\n]}\n");
}

/* ---- explanations ---- */

static const char *const part_names[PRICE_PARTS] = {"input", "cache_read", "cache_write", "output"};

struct rule {
    const char *name; /* in JSON */
    const char *text; /* for people */
};

static const struct rule geography_rules[] = {
    [PRICE_GEOGRAPHY_NONE] = {"none", "no geographic profile"},
    [PRICE_GEOGRAPHY_GIVEN] = {"given", "as given"},
    [PRICE_GEOGRAPHY_PREFIX] = {"prefix", "prefix of the id"},
    [PRICE_GEOGRAPHY_REGION] = {"region", "no prefix, but a GovCloud Region"},
};

static const struct rule model_rules[] = {
    [PRICE_MODEL_EXACT] = {"exact", "in the list under this id"},
    [PRICE_MODEL_ALIAS] = {"alias", "an alias of the list"},
    [PRICE_MODEL_VERSION] = {"version", "the only model of this name but for the version"},
    [PRICE_MODEL_AMBIGUOUS] = {"ambiguous", "several models have this name but for the version"},
    [PRICE_MODEL_UNKNOWN] = {"unknown", "not in the list"},
    [PRICE_MODEL_OPAQUE] = {"opaque",
                            "names no model; an alias in an own price file can say which it is"},
};

static const struct rule day_rules[] = {
    [PRICE_DAY_ANY] = {"any", "held on any day"},
    [PRICE_DAY_FROM] = {"from", "the latest that had begun"},
    [PRICE_DAY_EARLIEST] = {"earliest", "every price begins later: the earliest"},
};

static void json_scopes(struct buf *out, const struct price_explanation *x)
{
    struct buf scope;

    buf_init(&scope, 4096);
    json_key(out, "scopes");
    buf_add_char(out, '[');
    for (size_t i = 0; i < x->n_scopes; i++) {
        buf_add_cstr(&scope, x->scopes[i].prefix);
        buf_add_view(&scope, x->scopes[i].name);
        buf_add_cstr(out, i == 0 ? "{" : ",{");
        json_text(out, "scope", buf_view(&scope));
        json_bool(out, "found", i + 1 == x->n_scopes && x->line.n_rows > 0);
        buf_add_char(out, '}');
        buf_reset(&scope);
    }
    buf_add_char(out, ']');
    buf_clear(&scope);
}

static void explanation_json(struct buf *out, const struct prices *prices,
                             const struct prices_question *question,
                             const struct price_explanation *x)
{
    buf_add_char(out, '{');
    json_text(out, "schema", VIEW_LIT("bedrock-metrics/price-explanation/1"));
    json_dates(out, prices);
    json_text(out, "asked", question->query.model);
    json_text(out, "region", question->query.region);
    json_day(out, "day", question->day);
    json_bool(out, "arn", x->arn);
    json_text(out, "id", x->id);
    json_text(out, "geography", x->geography);
    json_text(out, "geography_rule", view_of(geography_rules[x->geography_rule].name));
    json_text(out, "context_suffix", x->context_suffix);
    json_text(out, "name", x->name);
    json_text(out, "model", x->model);
    json_text(out, "model_rule", view_of(model_rules[x->model_rule].name));
    json_scopes(out, x);
    if (x->row != NULL) {
        json_bool(out, "gross_input", x->line.gross_input);
        json_number(out, "prompt_tokens", x->prompt_tokens);
        json_text(out, "day_rule", view_of(day_rules[x->day_rule].name));
        json_key(out, "row");
        json_row(out, x->row);
        json_key(out, "parts");
        buf_add_char(out, '[');
        for (size_t i = 0; i < PRICE_PARTS; i++) {
            const struct price_part *part = &x->parts[i];
            buf_add_cstr(out, i == 0 ? "{" : ",{");
            json_text(out, "kind", view_of(part_names[i]));
            json_number(out, "tokens", part->tokens);
            json_price(out, "price", part->price);
            if (part->price != PRICE_NONE)
                json_usd(out, "usd", part->usd_e12);
            json_bool(out, "input_price", part->input_price);
            buf_add_char(out, '}');
        }
        buf_add_char(out, ']');
        json_usd(out, "estimated_cost", x->cost.usd_e12);
    }
    json_number(out, "unpriced_tokens", x->cost.unpriced_tokens);
    json_number(out, "approximate_tokens", x->cost.approximate_tokens);
    buf_add_cstr(out, "}\n");
}

/* One step: what it is about, and what came of it, in two columns. */
static void end_step(struct buf *out, enum prices_format format, const char *label,
                     struct buf *text)
{
    if (format == PRICES_CSV) {
        csv_field(out, view_of(label), false);
        csv_field(out, buf_view(text), true);
    } else {
        add_padded(out, view_of(label), 12, false);
        buf_add_view(out, buf_view(text));
        buf_add_char(out, '\n');
    }
    buf_reset(text);
}

static void add_part(struct buf *text, const struct price_part *part)
{
    char price[PRICE_TEXT_BYTES];
    char usd[PRICE_TEXT_BYTES];

    json_add_u128(text, part->tokens);
    if (part->price == PRICE_NONE) {
        buf_add_cstr(text, " tokens, no price known: unpriced");
        return;
    }
    price_format_per_million(part->price, price);
    price_format_usd(part->usd_e12, usd);
    buf_printf(text, " tokens at %s = %s USD%s", price, usd,
               part->input_price ? " (its own price is not known: input price, approximate)" : "");
}

/* Which of the scope's rows, and why. */
static void row_steps(struct buf *out, enum prices_format format, int64_t day,
                      const struct price_explanation *x, struct buf *text)
{
    char date[RFC3339_BYTES];

    format_day(day, date);
    buf_printf(text, "%s: %s", date, day_rules[x->day_rule].text);
    format_day(x->row->from_day, date);
    buf_printf(text, "%s%s", date[0] == '\0' ? "" : ", from ", date);
    end_step(out, format, "day", text);
    json_add_u128(text, x->prompt_tokens);
    buf_add_cstr(text, " prompt tokens: ");
    if (x->row->over > 0)
        buf_printf(text, "the row for more than %llu", (unsigned long long)x->row->over);
    else
        buf_add_cstr(text, "the row without a threshold");
    if (x->line.gross_input)
        buf_add_cstr(text, " (this model's input count includes cached tokens)");
    end_step(out, format, "length", text);
}

static void scope_steps(struct buf *out, enum prices_format format,
                        const struct price_explanation *x, struct buf *text)
{
    for (size_t i = 0; i < x->n_scopes; i++) {
        bool found = i + 1 == x->n_scopes && x->line.n_rows > 0;
        buf_add_cstr(text, x->scopes[i].prefix);
        buf_add_view(text, x->scopes[i].name);
        buf_add_cstr(text, found ? ": found" : ": no row");
        if (found && x->line.approximate)
            buf_add_cstr(text, " (a regional price for a global profile: approximate)");
        if (found && view_eq_cstr(x->geography, "us-gov") &&
            view_eq_cstr(x->scopes[i].name, "default"))
            buf_add_cstr(text, " (no GovCloud price known: probably too low)");
        end_step(out, format, "scope", text);
    }
}

static void explanation_steps(struct buf *out, enum prices_format format,
                              const struct prices *prices, const struct prices_question *question,
                              const struct price_explanation *x)
{
    struct buf text;
    char usd[PRICE_TEXT_BYTES];

    buf_init(&text, 1 << 16);
    if (format == PRICES_CSV)
        buf_add_cstr(out, "step,result\n");
    buf_add_view(&text, question->query.model);
    end_step(out, format, "asked", &text);
    if (x->arn || x->id.len != question->query.model.len) {
        buf_add_view(&text, x->id);
        end_step(out, format, "from the ARN", &text);
    }
    buf_add_view(&text, x->geography);
    buf_printf(&text, "%s%s", x->geography.len > 0 ? ": " : "",
               geography_rules[x->geography_rule].text);
    end_step(out, format, "geography", &text);
    if (x->context_suffix.len > 0) {
        buf_add_view(&text, x->context_suffix);
        buf_add_cstr(&text, " dropped: the same model");
        end_step(out, format, "suffix", &text);
    }
    buf_add_view(&text, x->model.len > 0 ? x->model : x->name);
    buf_printf(&text, ": %s", model_rules[x->model_rule].text);
    end_step(out, format, "model", &text);
    scope_steps(out, format, x, &text);
    if (x->row != NULL) {
        row_steps(out, format, question->day, x, &text);
        for (size_t i = 0; i < PRICE_PARTS; i++) {
            add_part(&text, &x->parts[i]);
            end_step(out, format, part_names[i], &text);
        }
        price_format_usd(x->cost.usd_e12, usd);
        buf_printf(&text, "%s USD, estimated%s", usd,
                   x->cost.approximate_tokens > 0 ? ", approximate" : "");
    } else {
        buf_add_cstr(&text, "no price known");
    }
    if (x->cost.unpriced_tokens > 0) {
        buf_add_cstr(&text, "; ");
        json_add_u128(&text, x->cost.unpriced_tokens);
        buf_add_cstr(&text, " tokens unpriced");
    }
    end_step(out, format, "cost", &text);
    add_dates(&text, prices);
    if (x->row != NULL) {
        buf_add_cstr(&text, "; this row: ");
        buf_add_view(&text, x->row->own ? VIEW_LIT("own price file") : x->row->source);
    }
    end_step(out, format, "source", &text);
    buf_clear(&text);
}

void prices_add_explanation(struct buf *out, enum prices_format format, const struct prices *prices,
                            const struct prices_question *question,
                            const struct price_explanation *x)
{
    if (format == PRICES_JSON)
        explanation_json(out, prices, question, x);
    else
        explanation_steps(out, format, prices, question, x);
}

/* ---- age ---- */

void prices_add_age(struct buf *out, enum prices_format format, const struct prices *prices,
                    int64_t today)
{
    const struct prices_info info = prices_info(prices);
    const struct {
        const char *name;
        const char *text;
        int64_t day;
    } dates[] = {
        {"as_of", "list prices", info.as_of_day},
        {"regions_as_of", "regional prices", info.regions_as_of_day},
        {"own_as_of", "own price file", info.own_as_of_day},
    };

    if (format == PRICES_JSON) {
        buf_add_char(out, '{');
        json_text(out, "schema", VIEW_LIT("bedrock-metrics/prices-age/1"));
        json_number(out, "rows", info.rows);
        json_number(out, "own_rows", info.own_rows);
        json_number(out, "models", info.models);
    } else if (format == PRICES_CSV) {
        buf_add_cstr(out, "list,as_of,age_days\n");
    } else {
        buf_printf(out, "%zu rows for %zu models, %zu of them own\n", info.rows, info.models,
                   info.own_rows);
    }
    for (size_t i = 0; i < sizeof(dates) / sizeof(dates[0]); i++) {
        char date[RFC3339_BYTES];
        long long age = (long long)(today - dates[i].day);
        if (dates[i].day == PRICE_NO_DAY)
            continue;
        format_day(dates[i].day, date);
        if (format == PRICES_JSON) {
            json_text(out, dates[i].name, view_of(date));
            buf_printf(out, ",\"%s_age_days\":%lld", dates[i].name, age);
        } else if (format == PRICES_CSV) {
            buf_printf(out, "%s,%s,%lld\n", dates[i].name, date, age);
        } else {
            add_padded(out, view_of(dates[i].text), 16, false);
            buf_printf(out, "%s  %lld days old\n", date, age);
        }
    }
    if (format == PRICES_JSON)
        buf_add_cstr(out, "}\n");
}
