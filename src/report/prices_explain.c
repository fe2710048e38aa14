/*
 * prices_explain.c: why a price is what it is, step by step, as text, CSV or JSON, for
 * `bedrock-metrics prices explain`.
 */
#include "base/rfc3339.h"
#include "report/prices_text.h"

static void add_usd(struct buf *out, u128 usd_e12)
{
    buf_add_decimal(out, usd_e12, 12);
}

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

static void json_parts(struct json_out *j, const struct price_explanation *x)
{
    json_open_array(j, "parts");
    for (size_t i = 0; i < PRICE_PARTS; i++) {
        const struct price_part *part = &x->parts[i];
        json_open_object(j, NULL);
        json_add_cstr(j, "kind", part_names[i]);
        json_add_u128(j, "tokens", part->tokens);
        if (part->price != PRICE_NONE) {
            prices_add_price(json_add_value(j, "price"), part->price);
            add_usd(json_add_value(j, "usd"), part->usd_e12);
        }
        json_add_bool(j, "input_price", part->input_price);
        json_close(j);
    }
    json_close(j);
}

static void json_scopes(struct json_out *j, const struct price_explanation *x)
{
    struct buf scope;

    buf_init(&scope, 4096);
    json_open_array(j, "scopes");
    for (size_t i = 0; i < x->n_scopes; i++) {
        buf_reset(&scope);
        buf_add_cstr(&scope, x->scopes[i].prefix);
        buf_add_view(&scope, x->scopes[i].name);
        json_open_object(j, NULL);
        json_add_string(j, "scope", buf_view(&scope));
        json_add_bool(j, "found", i + 1 == x->n_scopes && x->line.n_rows > 0);
        json_close(j);
    }
    json_close(j);
    buf_clear(&scope);
}

static void explanation_json(struct buf *out, const struct prices *prices,
                             const struct prices_question *question,
                             const struct price_explanation *x)
{
    struct json_out j = {.out = out};

    json_begin(&j, "bedrock-metrics/price-explanation/1");
    prices_json_dates(&j, prices);
    json_add_string(&j, "asked", question->query.model);
    json_add_string(&j, "region", question->query.region);
    prices_json_day(&j, "day", question->day);
    json_add_bool(&j, "arn", x->arn);
    json_add_string(&j, "id", x->id);
    json_add_string(&j, "geography", x->geography);
    json_add_cstr(&j, "geography_rule", geography_rules[x->geography_rule].name);
    json_add_string(&j, "context_suffix", x->context_suffix);
    json_add_string(&j, "name", x->name);
    json_add_string(&j, "model", x->model);
    json_add_cstr(&j, "model_rule", model_rules[x->model_rule].name);
    json_scopes(&j, x);
    if (x->row != NULL) {
        json_add_bool(&j, "gross_input", x->line.gross_input);
        json_add_u128(&j, "prompt_tokens", x->prompt_tokens);
        json_add_cstr(&j, "day_rule", day_rules[x->day_rule].name);
        prices_json_row(&j, "row", x->row);
        json_parts(&j, x);
        add_usd(json_add_value(&j, "estimated_cost"), x->cost.usd_e12);
    }
    json_add_u128(&j, "unpriced_tokens", x->cost.unpriced_tokens);
    json_add_u128(&j, "approximate_tokens", x->cost.approximate_tokens);
    json_end(&j);
}

/* One step: what it is about, and what came of it, in two columns. */
static void end_step(struct buf *out, enum prices_format format, const char *label,
                     struct buf *text)
{
    if (format == PRICES_CSV) {
        prices_csv_field(out, view_of(label), false);
        prices_csv_field(out, buf_view(text), true);
    } else {
        buf_printf(out, "%-12s", label);
        buf_add_view(out, buf_view(text));
        buf_add_char(out, '\n');
    }
    buf_reset(text);
}

static void add_part(struct buf *text, const struct price_part *part)
{
    buf_add_u128(text, part->tokens);
    if (part->price == PRICE_NONE) {
        buf_add_cstr(text, " tokens, no price known: unpriced");
        return;
    }
    buf_add_cstr(text, " tokens at ");
    prices_add_price(text, part->price);
    buf_add_cstr(text, " = ");
    add_usd(text, part->usd_e12);
    buf_add_cstr(text, " USD");
    if (part->input_price)
        buf_add_cstr(text, " (its own price is not known: input price, approximate)");
}

/* Which of the scope's rows, and why. */
static void row_steps(struct buf *out, enum prices_format format, int64_t day,
                      const struct price_explanation *x, struct buf *text)
{
    char date[RFC3339_BYTES];

    prices_format_day(day, date);
    buf_printf(text, "%s: %s", date, day_rules[x->day_rule].text);
    prices_format_day(x->row->from_day, date);
    buf_printf(text, "%s%s", date[0] == '\0' ? "" : ", from ", date);
    end_step(out, format, "day", text);
    buf_add_u128(text, x->prompt_tokens);
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

    buf_init(&text, PRICES_MAX_TEXT);
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
        add_usd(&text, x->cost.usd_e12);
        buf_add_cstr(&text, " USD, estimated");
        buf_add_cstr(&text, x->cost.approximate_tokens > 0 ? ", approximate" : "");
    } else {
        buf_add_cstr(&text, "no price known");
    }
    if (x->cost.unpriced_tokens > 0) {
        buf_add_cstr(&text, "; ");
        buf_add_u128(&text, x->cost.unpriced_tokens);
        buf_add_cstr(&text, " tokens unpriced");
    }
    end_step(out, format, "cost", &text);
    prices_add_dates(&text, prices);
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
