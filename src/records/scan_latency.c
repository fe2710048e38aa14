/*
 * scan_latency.c: the one number that may be read from a body, in a tolerant walk over its
 * brackets.
 *
 * The body stays unchecked, as every skipped value: the walk ends where scan_skip_bytes would, with
 * the same errors, and looks for
 *
 *     {"metrics":{"latencyMs":N}}                                     Converse, ConverseStream
 *     [..., {"amazon-bedrock-invocationMetrics":{"invocationLatency":N}}]   a stream's last element
 *
 * A text such as "[DONE]" after that one, as some streams end, changes nothing.  A file of its own because
 * it is slow (byte by byte) and off by default: METRIC_LATENCY turns it on.
 */
#include "records/scan_private.h"

void scan_latency_begin(struct scanner *s, bool is_array)
{
    s->latency = (struct latency_search){.is_array = is_array};
    s->record.latency = (struct scan_count){0, VALUE_ABSENT};
}

/* Depth 1 is the body itself; its members, or those of its elements, may name the metrics. */
static uint64_t outer_depth(const struct latency_search *l)
{
    return l->is_array ? 2 : 1;
}

static bool name_is(const struct latency_search *l, const char *wanted)
{
    return view_eq_cstr(view_make(l->name, l->name_len), wanted);
}

/* One byte outside of strings, at the depth before it.  A name is a string that a colon follows. */
static void outside_byte(struct scanner *s, uint8_t c)
{
    struct latency_search *l = &s->latency;
    uint64_t depth = s->nest.depth;
    if (l->want_number && (c == '-' || (c >= '0' && c <= '9'))) {
        l->want_number = false;
        l->reading_number = true;
        json_number_begin(&l->number);
    }
    if (l->reading_number) {
        const uint8_t *p = &c;
        enum status st = json_number_next(&l->number, &p, p + 1);
        if (st == ST_OK)
            return;
        l->reading_number = false; /* it is over, and counts only if it is a count */
        s->record.latency = (struct scan_count){0, VALUE_BAD};
        if (json_number_complete(&l->number) &&
            json_number_count(&l->number, &s->record.latency.value) == ST_OK)
            s->record.latency.kind = VALUE_GOOD;
    }
    if (c == ' ' || c == '\t' || c == '\r' || c == '\n')
        return;
    if (c == ':') {
        if (l->after_string && depth == outer_depth(l)) /* it was a name */
            l->name_matches_outer =
                name_is(l, l->is_array ? "amazon-bedrock-invocationMetrics" : "metrics");
        if (l->after_string)
            l->want_number = l->inner_depth != 0 && depth == l->inner_depth &&
                             name_is(l, l->is_array ? "invocationLatency" : "latencyMs");
        l->after_string = false;
        return;
    }
    l->after_string = false;
    l->want_number = false;
    if (c == '{') {
        if (depth == outer_depth(l) && l->name_matches_outer)
            l->inner_depth = depth + 1;
        /* Only the last element of a stream counts. */
        if (l->is_array && depth == 1)
            s->record.latency = (struct scan_count){0, VALUE_ABSENT};
    } else if ((c | 0x20) == '}' && depth == l->inner_depth) {
        l->inner_depth = 0;
    }
    if (c != '"' && depth == outer_depth(l))
        l->name_matches_outer = false;
    if (c == '"')
        l->name_len = 0;
}

/* Past what a string holds up to its end, an escape or a line feed; its beginning is kept. */
static const uint8_t *pass_string(struct latency_search *l, const uint8_t *p, const uint8_t *end)
{
    const uint8_t *q = string_end_byte(p, end);
    size_t n = (size_t)(q - p), room = sizeof(l->name) - l->name_len;
    if (n > room)
        n = room;
    memcpy(l->name + l->name_len, p, n);
    l->name_len += n;
    return q;
}

enum skip_result scan_skip_latency(struct scanner *s, const uint8_t **at, const uint8_t *end)
{
    struct latency_search *l = &s->latency;
    for (; *at < end; ++*at) {
        bool was_in_string = s->nest.in_string;
        if (was_in_string && !s->nest.escape) {
            *at = pass_string(l, *at, end);
            if (*at == end)
                break;
        }
        uint8_t c = **at;
        if (!was_in_string)
            outside_byte(s, c);
        const uint8_t *p = *at;
        enum skip_result result = scan_skip_bytes(s, &p, p + 1);
        if (result != SKIP_MORE) {
            *at = p;
            return result;
        }
        if (was_in_string && s->nest.in_string && l->name_len < sizeof(l->name))
            l->name[l->name_len++] = (char)c;
        if (was_in_string && !s->nest.in_string)
            l->after_string = true;
    }
    return SKIP_MORE;
}
