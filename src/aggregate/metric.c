/* The list of metrics, and how a value of each is written in exact digits. */
#include "aggregate/metric.h"

static const struct {
    const char *name;
    const char *unit;
    const char *title;
    const char *help;
} metrics[METRIC_COUNT] = {
    [METRIC_INVOCATIONS] = {"Invocations", "Count", "Invocations", "Invocations without an error."},
    [METRIC_INPUT] = {"InputTokenCount", "Count", "Input",
                      "Input tokens, without cached ones where the model counts them apart."},
    [METRIC_OUTPUT] = {"OutputTokenCount", "Count", "Output", "Output tokens."},
    [METRIC_CACHE_READ] = {"CacheReadInputTokenCount", "Count", "Cache read",
                           "Input tokens read from the prompt cache."},
    [METRIC_CACHE_WRITE] = {"CacheWriteInputTokenCount", "Count", "Cache write",
                            "Input tokens written to the prompt cache."},
    [METRIC_TOTAL] = {"TotalTokenCount", "Count", "Total tokens",
                      "Input, output, cache read and cache write tokens."},
    [METRIC_CLIENT_ERRORS] = {"InvocationClientErrors", "Count", "Client err",
                              "Invocations that ended with a client error."},
    [METRIC_SERVER_ERRORS] = {"InvocationServerErrors", "Count", "Server err",
                              "Invocations that ended with a server error."},
    [METRIC_THROTTLES] = {"InvocationThrottles", "Count", "Throttles",
                          "Invocations that were throttled."},
    [METRIC_LATENCY] = {"InvocationLatency", "Milliseconds", "Latency ms",
                        "Sum of invocation latencies in milliseconds, where the log has them."},
    [METRIC_COST] = {"EstimatedCost", "None", "Est. cost USD",
                     "Estimated cost in USD by list price."},
    [METRIC_UNPRICED] = {"UnpricedTokens", "Count", "Unpriced",
                         "Tokens for which the price list has no price."},
    [METRIC_APPROXIMATE] = {"ApproximateTokens", "Count", "Approximate",
                            "Tokens priced at a price that is only near the true one."},
    [METRIC_DISALLOWED_TOKENS] = {"DisallowedRegionTokenCount", "Count", "Disallowed",
                                  "Tokens that ran in a Region that is not allowed."},
    [METRIC_DISALLOWED_INVOCATIONS] = {"DisallowedRegionInvocations", "Count", "Inv. disallowed",
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

const char *metric_title(enum metric metric)
{
    return metrics[metric].title;
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

void metric_add_value(struct buf *out, enum metric metric, u128 value)
{
    if (metric == METRIC_COST)
        buf_add_decimal(out, value, 12);
    else
        buf_add_u128(out, value);
}
