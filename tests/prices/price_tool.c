/*
 * price_tool: prices requests from standard input, one a line, for check_prices.py.
 *
 *     price_tool [PRICE_FILE]
 *
 * In, separated by tabs: id, geography, Region, day (2026-11-01), input, cache read, cache write
 * and output tokens.  Out: model, scope, from and over of the row, amount in 1e-12 dollars,
 * unpriced and approximate tokens; "-" for what is not there.
 */
#include <stdio.h>
#include <stdlib.h>

#include "base/json_out.h"
#include "base/rfc3339.h"
#include "price/price.h"

static bool next_number(struct view *rest, uint64_t *out)
{
    struct view field;

    return view_split(rest, '\t', &field) && view_parse_u64(field, UINT64_MAX, out) == ST_OK;
}

static void add_row(struct buf *out, const struct price_row *row)
{
    char date[RFC3339_BYTES] = "-";

    if (row == NULL) {
        buf_add_cstr(out, "-\t-\t-\t-");
        return;
    }
    if (row->from_day != PRICE_NO_DAY)
        rfc3339_format(row->from_day * 86400, date);
    date[row->from_day == PRICE_NO_DAY ? 1 : 10] = '\0';
    buf_add_view(out, row->model);
    buf_add_char(out, '\t');
    buf_add_view(out, row->scope);
    buf_printf(out, "\t%s\t%llu", date, (unsigned long long)row->over);
}

static bool price_one(const struct prices *prices, struct view line, struct buf *out)
{
    struct price_query query;
    struct price_usage usage;
    struct price_explanation x;
    struct price_line matched;
    struct price_cost cost;
    struct view date;
    struct instant midnight;

    if (!view_split(&line, '\t', &query.model) || !view_split(&line, '\t', &query.geography) ||
        !view_split(&line, '\t', &query.region) || !view_split(&line, '\t', &date) ||
        rfc3339_parse_date(date, &midnight) != ST_OK || !next_number(&line, &usage.input) ||
        !next_number(&line, &usage.cache_read) || !next_number(&line, &usage.cache_write) ||
        !next_number(&line, &usage.output))
        return false;
    int64_t day = midnight.seconds / 86400;
    price_explain(prices, &query, day, &usage, &x);
    price_match(prices, &query, &matched);
    price_line_cost(&matched, day, &usage, &cost);
    if (cost.usd_e12 != x.cost.usd_e12 || cost.unpriced_tokens != x.cost.unpriced_tokens ||
        cost.approximate_tokens != x.cost.approximate_tokens)
        return false;
    buf_reset(out);
    add_row(out, x.row);
    buf_add_char(out, '\t');
    buf_add_u128(out, cost.usd_e12);
    buf_add_char(out, '\t');
    buf_add_u128(out, cost.unpriced_tokens);
    buf_add_char(out, '\t');
    buf_add_u128(out, cost.approximate_tokens);
    buf_add_char(out, '\n');
    return buf_status(out) == ST_OK && fwrite(out->ptr, 1, out->len, stdout) == out->len;
}

int main(int argc, char **argv)
{
    struct prices *prices = NULL;
    struct error err = {.text = ""};
    struct buf out;
    char *line = NULL;
    size_t cap = 0;
    ssize_t n;
    int code = 0;

    buf_init(&out, 1 << 20);
    if (prices_open(argc > 1 ? argv[1] : NULL, &prices, &err) != ST_OK) {
        fprintf(stderr, "price_tool: %s\n", err.text);
        code = 2;
    }
    while (code == 0 && (n = getline(&line, &cap, stdin)) > 0) {
        if (!price_one(prices, view_make(line, (size_t)n - (line[n - 1] == '\n')), &out)) {
            fprintf(stderr, "price_tool: not understood: %s", line);
            code = 1;
        }
    }
    free(line);
    buf_clear(&out);
    prices_free(prices);
    return code;
}
