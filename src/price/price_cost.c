/*
 * price_cost.c: what one request costs by the rows that price_match() found: steps 6 and 7 of
 * data/README.md, then the four products.  No rounding: a price per token is a whole number of
 * 1e-12 dollars.
 */
#include "price/price_list.h"

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

void price_line_cost(const struct price_line *line, int64_t day, const struct price_usage *usage,
                     struct price_cost *out)
{
    struct price_part parts[PRICE_PARTS];
    enum price_day_rule rule;

    if (line->n_rows == 0) {
        *out = (struct price_cost){.unpriced_tokens = (u128)usage->input + usage->cache_read +
                                                      usage->cache_write + usage->output};
        return;
    }
    const struct price_row *row = choose_row(line, day, prompt_tokens(line, usage), &rule);
    price_parts(line, row, usage, parts);
    sum_parts(line->approximate, parts, out);
}

void price_explain(const struct prices *prices, const struct price_query *query, int64_t day,
                   const struct price_usage *usage, struct price_explanation *out)
{
    price_resolve(prices, query, out);
    if (out->line.n_rows > 0) {
        out->prompt_tokens = prompt_tokens(&out->line, usage);
        out->row = choose_row(&out->line, day, out->prompt_tokens, &out->day_rule);
        price_parts(&out->line, out->row, usage, out->parts);
    }
    price_line_cost(&out->line, day, usage, &out->cost);
}
