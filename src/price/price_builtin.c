/* price_builtin.c: data/bedrock-prices.json as a part of the program. */
#include "base/embed.h"
#include "price/price.h"

#ifndef PRICE_BUILTIN_FILE
#define PRICE_BUILTIN_FILE "data/bedrock-prices.json"
#endif

EMBED_FILE(prices_builtin_text, PRICE_BUILTIN_FILE)
