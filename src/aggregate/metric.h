/*
 * metric.h: the metrics that are summed.
 *
 * METRICS is the one list of them.  Names, units and headings of every output, the settings, the
 * store, the page and what a record adds are made from it, and tests/docs compares the documents
 * with it: a new metric is a row here and a row in two documents (CONTRIBUTING.md).
 */
#ifndef AGGREGATE_METRIC_H
#define AGGREGATE_METRIC_H

#include "base/buf.h"
#include "base/u128.h"

/*
 * In the order of columns:
 *   X(id, published name, unit of CloudWatch, title of a column, when it is published,
 *     bit in the store, what a record adds, a sentence for people)
 *
 * When: METRIC_ALWAYS; METRIC_IF_LATENCY: where latencies are read; METRIC_IF_PRICES: with a price
 * list; METRIC_ON_REQUEST: only when named; METRIC_IF_REGIONS: with a list of allowed Regions.
 * Bits are for ever, because stores on disk have them: a new metric takes the next free one.  The
 * total has none: it is the sum of four others.  What a record adds is an expression on `s`, the
 * struct sample of aggregate.c.
 */
/* clang-format off */
#define METRICS(X)                                                                                 \
    X(INVOCATIONS, "Invocations", "Count", "Invocations", METRIC_ALWAYS, 0,                        \
      s->outcome == INVOCATION_OK,                                                                 \
      "Invocations without an error.")                                                             \
    X(INPUT, "InputTokenCount", "Count", "Input", METRIC_ALWAYS, 1,                                \
      s->tokens[NUMBER_INPUT],                                                                     \
      "Input tokens, without cached ones where the model counts them apart.")                      \
    X(OUTPUT, "OutputTokenCount", "Count", "Output", METRIC_ALWAYS, 2,                             \
      s->tokens[NUMBER_OUTPUT],                                                                    \
      "Output tokens.")                                                                            \
    X(CACHE_READ, "CacheReadInputTokenCount", "Count", "Cache read", METRIC_ALWAYS, 3,             \
      s->tokens[NUMBER_CACHE_READ],                                                                \
      "Input tokens read from the prompt cache.")                                                  \
    X(CACHE_WRITE, "CacheWriteInputTokenCount", "Count", "Cache write", METRIC_ALWAYS, 4,          \
      s->tokens[NUMBER_CACHE_WRITE],                                                               \
      "Input tokens written to the prompt cache.")                                                 \
    X(TOTAL, "TotalTokenCount", "Count", "Total tokens", METRIC_ALWAYS, METRIC_NO_BIT,             \
      s->total,                                                                                    \
      "Input, output, cache read and cache write tokens.")                                         \
    X(CLIENT_ERRORS, "InvocationClientErrors", "Count", "Client err", METRIC_ALWAYS, 5,            \
      s->outcome == INVOCATION_CLIENT_ERROR,                                                       \
      "Invocations that ended with a client error.")                                               \
    X(SERVER_ERRORS, "InvocationServerErrors", "Count", "Server err", METRIC_ALWAYS, 6,            \
      s->outcome == INVOCATION_SERVER_ERROR,                                                       \
      "Invocations that ended with a server error.")                                               \
    X(THROTTLES, "InvocationThrottles", "Count", "Throttles", METRIC_ALWAYS, 7,                    \
      s->outcome == INVOCATION_THROTTLED,                                                          \
      "Invocations that were throttled.")                                                          \
    X(LATENCY, "InvocationLatency", "Milliseconds", "Latency ms", METRIC_IF_LATENCY, 8,            \
      s->latency_ms,                                                                               \
      "Sum of invocation latencies in milliseconds, where the log has them.")                      \
    X(COST, "EstimatedCost", "None", "Est. cost USD", METRIC_IF_PRICES, 9,                         \
      s->cost.usd_e12 /* 1e-12 USD: metric_add_value */,                                           \
      "Estimated cost in USD by list price.")                                                      \
    X(UNPRICED, "UnpricedTokens", "Count", "Unpriced", METRIC_IF_PRICES, 10,                       \
      s->cost.unpriced_tokens,                                                                     \
      "Tokens for which the price list has no price.")                                             \
    X(APPROXIMATE, "ApproximateTokens", "Count", "Approximate", METRIC_ON_REQUEST, 11,             \
      s->cost.approximate_tokens,                                                                  \
      "Tokens priced at a price that is only near the true one.")                                  \
    X(DISALLOWED_TOKENS, "DisallowedRegionTokenCount", "Count", "Disallowed",                      \
      METRIC_IF_REGIONS, 12,                                                                       \
      s->disallowed ? s->total : 0,                                                                \
      "Tokens that ran in a Region that is not allowed.")                                          \
    X(DISALLOWED_INVOCATIONS, "DisallowedRegionInvocations", "Count", "Inv. disallowed",           \
      METRIC_IF_REGIONS, 13,                                                                       \
      s->disallowed && s->outcome == INVOCATION_OK ? 1U : 0,                                        \
      "Invocations that ran in a Region that is not allowed.")
/* clang-format on */

/* When it is published where METRICS does not say so. */
enum metric_when {
    METRIC_ALWAYS,
    METRIC_IF_LATENCY,
    METRIC_IF_PRICES,
    METRIC_ON_REQUEST,
    METRIC_IF_REGIONS,
};

enum { METRIC_NO_BIT = 31 };

#define METRIC_ENUMERATOR(id, ...) METRIC_##id,
enum metric { METRICS(METRIC_ENUMERATOR) METRIC_COUNT };
#undef METRIC_ENUMERATOR

/* A set of metrics, one bit each. */
typedef uint32_t metric_set;
#define METRIC_BIT(metric) ((metric_set)1 << (metric))
_Static_assert(METRIC_COUNT <= 32, "a metric_set has a bit for each metric");

/* Those that are published always, with a price list, with a list of Regions. */
#define METRIC_BASE_BIT(id, name, unit, title, when, ...)                                          \
    | ((when) == METRIC_ALWAYS ? METRIC_BIT(METRIC_##id) : 0)
#define METRIC_COST_BIT(id, name, unit, title, when, ...)                                          \
    | ((when) == METRIC_IF_PRICES ? METRIC_BIT(METRIC_##id) : 0)
#define METRIC_GUARD_BIT(id, name, unit, title, when, ...)                                         \
    | ((when) == METRIC_IF_REGIONS ? METRIC_BIT(METRIC_##id) : 0)
#define METRIC_SET_BASE (0 METRICS(METRIC_BASE_BIT))
#define METRIC_SET_COST (0 METRICS(METRIC_COST_BIT))
#define METRIC_SET_GUARD (0 METRICS(METRIC_GUARD_BIT))

/* "InputTokenCount" */
const char *metric_name(enum metric metric);

/* CloudWatch's unit: "Count", "Milliseconds", "None". */
const char *metric_unit(enum metric metric);

/* "Input": the heading of a column. */
const char *metric_title(enum metric metric);

/* A sentence for OpenMetrics' HELP lines. */
const char *metric_help(enum metric metric);

/*
 * "Invocations,TotalTokenCount" into *out.  ST_USAGE: an empty or unknown name, also of an
 * empty text; *err quotes it and names some that are known.
 */
NODISCARD enum status metric_set_parse(struct view text, metric_set *out, struct error *err);

/* METRIC_COUNT when there is none of that name. */
enum metric metric_find(struct view name);

/* A value of this metric as JSON and CSV have it: all digits, and a cost as a decimal number. */
void metric_add_value(struct buf *out, enum metric metric, u128 value);

#endif
