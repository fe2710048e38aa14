#include "aggregate/metric.h"

static const struct {
    const char *name;
    const char *unit;
} metrics[METRIC_COUNT] = {
    [METRIC_INVOCATIONS] = {"Invocations", "Count"},
    [METRIC_INPUT] = {"InputTokenCount", "Count"},
    [METRIC_OUTPUT] = {"OutputTokenCount", "Count"},
    [METRIC_CACHE_READ] = {"CacheReadInputTokenCount", "Count"},
    [METRIC_CACHE_WRITE] = {"CacheWriteInputTokenCount", "Count"},
    [METRIC_TOTAL] = {"TotalTokenCount", "Count"},
    [METRIC_CLIENT_ERRORS] = {"InvocationClientErrors", "Count"},
    [METRIC_SERVER_ERRORS] = {"InvocationServerErrors", "Count"},
    [METRIC_THROTTLES] = {"InvocationThrottles", "Count"},
    [METRIC_LATENCY] = {"InvocationLatency", "Milliseconds"},
    [METRIC_COST] = {"EstimatedCost", "None"},
    [METRIC_UNPRICED] = {"UnpricedTokens", "Count"},
    [METRIC_APPROXIMATE] = {"ApproximateTokens", "Count"},
    [METRIC_DISALLOWED_TOKENS] = {"DisallowedRegionTokenCount", "Count"},
    [METRIC_DISALLOWED_INVOCATIONS] = {"DisallowedRegionInvocations", "Count"},
};

const char *metric_name(enum metric metric)
{
    return metrics[metric].name;
}

const char *metric_unit(enum metric metric)
{
    return metrics[metric].unit;
}

enum metric metric_find(struct view name)
{
    unsigned i = 0;
    while (i < METRIC_COUNT && !view_eq_cstr(name, metrics[i].name))
        i++;
    return (enum metric)i;
}
