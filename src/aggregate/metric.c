/* The list of metrics, and how a value of each is written in exact digits. */
#include "aggregate/metric.h"

#include <stdio.h>

#include "base/json_write.h"

static const struct {
    const char *name;
    const char *unit;
    const char *help;
} metrics[METRIC_COUNT] = {
    [METRIC_INVOCATIONS] = {"Invocations", "Count", "Invocations without an error."},
    [METRIC_INPUT] = {"InputTokenCount", "Count",
                      "Input tokens, without cached ones where the model counts them apart."},
    [METRIC_OUTPUT] = {"OutputTokenCount", "Count", "Output tokens."},
    [METRIC_CACHE_READ] = {"CacheReadInputTokenCount", "Count",
                           "Input tokens read from the prompt cache."},
    [METRIC_CACHE_WRITE] = {"CacheWriteInputTokenCount", "Count",
                            "Input tokens written to the prompt cache."},
    [METRIC_TOTAL] = {"TotalTokenCount", "Count",
                      "Input, output, cache read and cache write tokens."},
    [METRIC_CLIENT_ERRORS] = {"InvocationClientErrors", "Count",
                              "Invocations that ended with a client error."},
    [METRIC_SERVER_ERRORS] = {"InvocationServerErrors", "Count",
                              "Invocations that ended with a server error."},
    [METRIC_THROTTLES] = {"InvocationThrottles", "Count", "Invocations that were throttled."},
    [METRIC_LATENCY] = {"InvocationLatency", "Milliseconds",
                        "Sum of invocation latencies in milliseconds, where the log has them."},
    [METRIC_COST] = {"EstimatedCost", "None", "Estimated cost in USD by list price."},
    [METRIC_UNPRICED] = {"UnpricedTokens", "Count",
                         "Tokens for which the price list has no price."},
    [METRIC_APPROXIMATE] = {"ApproximateTokens", "Count",
                            "Tokens priced at a price that is only near the true one."},
    [METRIC_DISALLOWED_TOKENS] = {"DisallowedRegionTokenCount", "Count",
                                  "Tokens that ran in a Region that is not allowed."},
    [METRIC_DISALLOWED_INVOCATIONS] = {"DisallowedRegionInvocations", "Count",
                                       "Invocations that ran in a Region that is not allowed."},
};

const char *metric_name(enum metric metric)
{
    return metrics[metric].name;
}

const char *metric_unit(enum metric metric)
{
    return metrics[metric].unit;
}

const char *metric_help(enum metric metric)
{
    return metrics[metric].help;
}

enum metric metric_find(struct view name)
{
    unsigned i = 0;
    while (i < METRIC_COUNT && !view_eq_cstr(name, metrics[i].name))
        i++;
    return (enum metric)i;
}

void metric_add_cost(struct buf *out, u128 cost)
{
    static const uint64_t one = UINT64_C(1000000000000);
    char digits[16];
    uint64_t fraction = (uint64_t)(cost % one);
    json_add_u128(out, cost / one);
    if (fraction == 0)
        return;
    int n = snprintf(digits, sizeof(digits), "%012llu", (unsigned long long)fraction);
    while (n > 1 && digits[n - 1] == '0')
        n--;
    buf_add_char(out, '.');
    buf_add(out, digits, (size_t)n);
}

void metric_add_value(struct buf *out, enum metric metric, u128 value)
{
    if (metric == METRIC_COST)
        metric_add_cost(out, value);
    else
        json_add_u128(out, value);
}
