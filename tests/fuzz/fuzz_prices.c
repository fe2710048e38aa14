/*
 * fuzz_prices.c: any bytes as a price list, under itself as a user's file, and as an id to price.
 *
 *     clang -fsanitize=fuzzer,address,undefined tests/fuzz/fuzz_prices.c ...
 * data/bedrock-prices.json
 */
#include <stdlib.h>

#include "price/price.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct prices *builtin;
    struct view text = view_make(data, size);
    size_t half = size == 0 ? 0 : data[0] % size;
    struct price_query query = {.model = view_first(text, half), .region = view_skip(text, half)};
    const struct price_usage usage = {size, UINT64_MAX, 0, 1};
    struct prices *prices = NULL;
    struct price_explanation x;

    if (builtin == NULL && prices_open(NULL, &builtin, NULL) != ST_OK)
        abort();
    price_explain(builtin, &query, 20600, &usage, &x);
    query.model = text;
    price_explain(builtin, &query, 20600, &usage, &x);
    if (prices_new(text, text, &prices, NULL) != ST_OK)
        return 0;
    for (size_t i = 0; i < prices_info(prices).rows; i++) {
        query.model = prices_row(prices, i)->model;
        price_explain(prices, &query, (int64_t)size, &usage, &x);
        /* Every row of the list is its own user's. */
        if (!prices_row(prices, i)->own)
            abort();
    }
    prices_free(prices);
    return 0;
}
