#include "tools/dashboard.h"

#include "base/json_out.h"

enum {
    PERIOD_S = 300,       /* of a point, unless buckets are longer */
    COST_PERIOD_S = 3600, /* cents show over an hour, not over minutes */
    HALF = DASHBOARD_GRID / 2,
    THIRD = DASHBOARD_GRID / 3,
    TEXT_BYTES = 4 * DASHBOARD_MAX_SEARCH_CHARS,
};

struct writer {
    const struct dashboard_options *options;
    struct buf *out;
    struct buf text;       /* of one expression, title or label */
    unsigned x, y, bottom; /* where the next widget goes; where its row ends */
    bool any_widget, any_metric;
    unsigned next_id; /* of an expression in its widget */
    unsigned period;  /* of the widget under way */
};

/* ---- names ---- */

static bool is_plain(struct view name)
{
    for (size_t i = 0; i < name.len; i++) {
        char c = name.ptr[i];
        if (!((c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z')))
            return false;
    }
    return true;
}

/* SEARCH('{"Custom/BedrockMetrics",InferenceProfileType} MetricName="Invocations"', 'Sum', 300) */
static void add_search(struct buf *out, struct view name_space, const struct dimension_set *set,
                       enum metric metric, const char *statistic, unsigned period)
{
    buf_printf(out, "SEARCH('{\"%.*s\"", (int)name_space.len, name_space.ptr);
    for (size_t i = 0; i < set->count; i++) {
        struct view name = set->dimension[i].name;
        buf_add_cstr(out, is_plain(name) ? "," : ",\"");
        buf_add_view(out, name);
        buf_add_cstr(out, is_plain(name) ? "" : "\"");
    }
    buf_printf(out, "} MetricName=\"%s\"', '%s', %u)", metric_name(metric), statistic, period);
}

bool dashboard_can_search(struct view name_space, const struct dimension_set *set)
{
    struct buf text;
    buf_init(&text, DASHBOARD_MAX_SEARCH_CHARS);
    add_search(&text, name_space, set, METRIC_CACHE_WRITE, "Average", 86400);
    bool ok = buf_status(&text) == ST_OK;
    buf_clear(&text);
    for (size_t i = 0; i < set->count && ok; i++) {
        struct view name = set->dimension[i].name;
        for (size_t j = 0; j < name.len && ok; j++)
            ok = strchr("'\"\\", name.ptr[j]) == NULL;
    }
    return ok;
}

/* The part behind the last `separator`, all without one. */
static struct view behind_last(struct view text, char separator)
{
    struct view rest = text, part = text;
    while (view_split(&rest, separator, &part)) {
    }
    return part;
}

static bool is_name(struct view name)
{
    for (size_t i = 0; i < name.len; i++) {
        struct view c = {name.ptr + i, 1};
        if (!is_plain(c) && strchr("-_.", name.ptr[i]) == NULL)
            return false;
    }
    return name.len > 0 && name.len <= 255;
}

/* arn:aws:lambda:eu-west-1:111122223333:function:NAME:QUALIFIER, ...:table/NAME, ...:NAME */
static void split_arn(struct view text, struct dashboard_target *out)
{
    struct view rest = text, part;
    for (unsigned i = 0; i < 5 && view_split(&rest, ':', &part); i++) {
        if (i == 3)
            out->region = part;
    }
    struct view function = VIEW_LIT("function:");
    if (view_starts(rest, function)) {
        rest = view_skip(rest, function.len);
        (void)view_split(&rest, ':', &out->name);
    } else {
        out->name = behind_last(rest, '/');
    }
}

/* https://sqs.eu-west-1.amazonaws.com/111122223333/NAME */
static void split_url(struct view text, struct dashboard_target *out)
{
    struct view host = view_skip(text, view_find(text, VIEW_LIT("://")) + 3), part;
    out->name = behind_last(text, '/');
    if (view_starts(host, VIEW_LIT("sqs."))) {
        host = view_skip(host, 4);
        if (view_split(&host, '.', &part) && view_starts(host, VIEW_LIT("amazonaws.com")))
            out->region = part;
    }
}

enum status dashboard_target_parse(struct view text, struct dashboard_target *out,
                                   struct error *err)
{
    *out = (struct dashboard_target){.name = text};
    if (view_starts(text, VIEW_LIT("arn:")))
        split_arn(text, out);
    else if (view_starts(text, VIEW_LIT("https://")) || view_starts(text, VIEW_LIT("http://")))
        split_url(text, out);
    if (is_name(out->name) && (out->region.len == 0 || is_name(out->region)))
        return ST_OK;
    return error_set(err, ST_USAGE, E_U216, "\"%.*s\" is no name, URL or ARN of one",
                     (int)(text.len < 80 ? text.len : 80), text.ptr);
}

/* ---- widgets ---- */

/* The shortest whole number of buckets that is at least `seconds`. */
static unsigned period_of(const struct writer *w, unsigned seconds)
{
    unsigned bucket = w->options->resolution < 60 ? 60 : w->options->resolution;
    return (seconds + bucket - 1) / bucket * bucket;
}

static void place(struct writer *w, const char *type, unsigned width, unsigned height)
{
    if (w->x + width > DASHBOARD_GRID) {
        w->x = 0;
        w->y = w->bottom;
    }
    buf_printf(w->out,
               "%s\n  {\"type\":\"%s\",\"x\":%u,\"y\":%u,\"width\":%u,\"height\":%u,"
               "\"properties\":{",
               w->any_widget ? "," : "", type, w->x, w->y, width, height);
    w->any_widget = true;
    w->x += width;
    if (w->y + height > w->bottom)
        w->bottom = w->y + height;
}

static void add_text_widget(struct writer *w, unsigned height)
{
    w->x = DASHBOARD_GRID; /* a row of its own */
    place(w, "text", DASHBOARD_GRID, height);
    buf_add_cstr(w->out, "\"markdown\":");
    json_quote(w->out, buf_view(&w->text));
    buf_add_cstr(w->out, "}}");
}

static void add_heading(struct writer *w, const char *text)
{
    buf_reset(&w->text);
    buf_printf(&w->text, "## %s", text);
    add_text_widget(w, 1);
}

/* `kind` and the set's names (NULL: none) are the title; `unit` names the left axis. */
static void begin_graph(struct writer *w, unsigned width, const char *kind,
                        const struct dimension_set *set, bool stacked, unsigned seconds,
                        const char *unit)
{
    w->period = period_of(w, seconds);
    w->any_metric = false;
    w->next_id = 1;
    place(w, "metric", width, width >= HALF ? 7 : 6);
    buf_reset(&w->text);
    buf_add_cstr(&w->text, kind);
    for (size_t i = 0; set != NULL && i < set->count; i++) {
        buf_add_cstr(&w->text, i == 0 ? " by " : ", ");
        buf_add_view(&w->text, set->dimension[i].name);
    }
    buf_add_cstr(w->out, "\"title\":");
    json_quote(w->out, buf_view(&w->text));
    buf_add_cstr(w->out, ",\"region\":");
    json_quote(w->out, w->options->region);
    buf_printf(w->out,
               ",\"view\":\"timeSeries\",\"stacked\":%s,\"period\":%u,\"stat\":\"Sum\","
               "\"yAxis\":{\"left\":{\"label\":\"%s\",\"showUnits\":false,\"min\":0}},"
               "\"metrics\":[",
               stacked ? "true" : "false", w->period, unit);
}

static void end_graph(struct writer *w)
{
    buf_add_cstr(w->out, "]}}");
}

static void begin_metric(struct writer *w)
{
    buf_add_cstr(w->out, w->any_metric ? ",\n    [" : "\n    [");
    w->any_metric = true;
}

/* w->text is the expression. */
static void add_expression(struct writer *w, const char *label, bool visible)
{
    begin_metric(w);
    buf_add_cstr(w->out, "{\"expression\":");
    json_quote(w->out, buf_view(&w->text));
    buf_printf(w->out, ",\"id\":\"e%u\"", w->next_id++);
    if (label != NULL)
        buf_printf(w->out, ",\"label\":\"%s\"", label);
    buf_add_cstr(w->out, visible ? "}]" : ",\"visible\":false}]");
}

/* A line for each series of the set, labelled with its values. */
static void add_series(struct writer *w, const struct dimension_set *set, enum metric metric,
                       const char *statistic, const char *prefix)
{
    buf_reset(&w->text);
    add_search(&w->text, w->options->name_space, set, metric, statistic, w->period);
    begin_metric(w);
    buf_add_cstr(w->out, "{\"expression\":");
    json_quote(w->out, buf_view(&w->text));
    buf_printf(w->out, ",\"id\":\"e%u\",\"label\":", w->next_id++);
    buf_reset(&w->text);
    buf_add_cstr(&w->text, prefix);
    for (size_t i = 0; i < set->count; i++) {
        buf_printf(&w->text, "%s${%sPROP('Dim.", i > 0 || prefix[0] != '\0' ? " " : "",
                   w->options->for_template ? "!" : "");
        buf_add_view(&w->text, set->dimension[i].name);
        buf_add_cstr(&w->text, "')}");
    }
    json_quote(w->out, buf_view(&w->text));
    buf_add_cstr(w->out, "}]");
}

static bool is_on(const struct writer *w, enum metric metric)
{
    return (w->options->metrics & METRIC_BIT(metric)) != 0;
}

static bool is_all_on(const struct writer *w, metric_set metrics)
{
    return (w->options->metrics & metrics) == metrics;
}

/* The sum over all series of the set. */
static void add_total(struct writer *w, const struct dimension_set *set, enum metric metric,
                      const char *label, bool visible)
{
    if (!is_on(w, metric))
        return;
    buf_reset(&w->text);
    buf_add_cstr(&w->text, "SUM(");
    add_search(&w->text, w->options->name_space, set, metric, "Sum", w->period);
    buf_add_char(&w->text, ')');
    add_expression(w, label, visible);
}

/* ---- sections ---- */

static void add_top(struct writer *w)
{
    const struct dashboard_options *o = w->options;
    buf_reset(&w->text);
    buf_printf(&w->text, "# Bedrock usage\nNamespace `%.*s` in %.*s, published by",
               (int)o->name_space.len, o->name_space.ptr, (int)o->region.len, o->region.ptr);
    for (size_t s = 0; s < o->set_count; s++) {
        buf_add_cstr(&w->text, s == 0 ? " `" : "; `");
        for (size_t i = 0; i < o->sets[s].count; i++) {
            buf_add_cstr(&w->text, i > 0 ? "," : "");
            buf_add_view(&w->text, o->sets[s].dimension[i].name);
        }
        buf_add_char(&w->text, '`');
    }
    buf_add_char(&w->text, '.');
    add_text_widget(w, 2);
}

static void add_tokens_by_kind(struct writer *w, const struct dimension_set *set)
{
    metric_set kinds = METRIC_BIT(METRIC_INPUT) | METRIC_BIT(METRIC_OUTPUT) |
                       METRIC_BIT(METRIC_CACHE_READ) | METRIC_BIT(METRIC_CACHE_WRITE);
    if ((w->options->metrics & kinds) == 0)
        return;
    begin_graph(w, THIRD, "Tokens by kind", NULL, true, PERIOD_S, "tokens");
    add_total(w, set, METRIC_INPUT, "input", true);
    add_total(w, set, METRIC_OUTPUT, "output", true);
    add_total(w, set, METRIC_CACHE_READ, "cache read", true);
    add_total(w, set, METRIC_CACHE_WRITE, "cache write", true);
    end_graph(w);
}

static void add_cache_share(struct writer *w, const struct dimension_set *set)
{
    if (!is_all_on(w, METRIC_BIT(METRIC_INPUT) | METRIC_BIT(METRIC_CACHE_READ) |
                          METRIC_BIT(METRIC_CACHE_WRITE)))
        return;
    begin_graph(w, THIRD, "Share of prompt tokens read from the cache", NULL, false, PERIOD_S,
                "percent");
    add_total(w, set, METRIC_INPUT, NULL, false);
    add_total(w, set, METRIC_CACHE_READ, NULL, false);
    add_total(w, set, METRIC_CACHE_WRITE, NULL, false);
    buf_reset(&w->text);
    buf_add_cstr(&w->text, "100 * FILL(e2, 0) / (FILL(e1, 0) + FILL(e2, 0) + FILL(e3, 0))");
    add_expression(w, "percent", true);
    end_graph(w);
}

static void add_failures(struct writer *w, const struct dimension_set *set)
{
    metric_set failures = METRIC_BIT(METRIC_THROTTLES) | METRIC_BIT(METRIC_SERVER_ERRORS) |
                          METRIC_BIT(METRIC_CLIENT_ERRORS);
    if ((w->options->metrics & failures) == 0)
        return;
    begin_graph(w, THIRD, "Failed invocations", NULL, false, PERIOD_S, "invocations");
    add_total(w, set, METRIC_THROTTLES, "throttled", true);
    add_total(w, set, METRIC_SERVER_ERRORS, "server errors", true);
    add_total(w, set, METRIC_CLIENT_ERRORS, "client errors", true);
    end_graph(w);
}

static void add_total_cost(struct writer *w, const struct dimension_set *set)
{
    if (is_on(w, METRIC_COST)) {
        begin_graph(w, THIRD, "Estimated cost in USD", NULL, false, COST_PERIOD_S, "USD");
        add_total(w, set, METRIC_COST, "list price, USD", true);
        end_graph(w);
    }
    if (is_on(w, METRIC_UNPRICED)) {
        begin_graph(w, THIRD, "Tokens without a price (not in the cost)", NULL, false,
                    COST_PERIOD_S, "tokens");
        add_total(w, set, METRIC_UNPRICED, "unpriced", true);
        end_graph(w);
    }
}

static void add_set_failures(struct writer *w, const struct dimension_set *set)
{
    static const struct {
        enum metric metric;
        const char *prefix;
    } failures[] = {
        {METRIC_THROTTLES, "throttled"},
        {METRIC_SERVER_ERRORS, "server error"},
        {METRIC_CLIENT_ERRORS, "client error"},
    };
    bool begun = false;
    for (size_t i = 0; i < sizeof(failures) / sizeof(failures[0]); i++) {
        if (!is_on(w, failures[i].metric))
            continue;
        if (!begun)
            begin_graph(w, HALF, "Failed invocations", set, false, PERIOD_S, "invocations");
        begun = true;
        add_series(w, set, failures[i].metric, "Sum", failures[i].prefix);
    }
    if (begun)
        end_graph(w);
}

static void add_set(struct writer *w, const struct dimension_set *set)
{
    static const struct {
        enum metric metric;
        const char *title, *statistic, *unit;
        bool stacked;
        unsigned seconds;
    } graphs[] = {
        {METRIC_TOTAL, "Tokens", "Sum", "tokens", true, PERIOD_S},
        {METRIC_INVOCATIONS, "Invocations", "Sum", "invocations", true, PERIOD_S},
        {METRIC_COST, "Estimated cost in USD", "Sum", "USD", true, COST_PERIOD_S},
        {METRIC_LATENCY, "Mean latency", "Average", "milliseconds", false, PERIOD_S},
    };
    for (size_t i = 0; i < sizeof(graphs) / sizeof(graphs[0]); i++) {
        if (!is_on(w, graphs[i].metric))
            continue;
        begin_graph(w, HALF, graphs[i].title, set, graphs[i].stacked, graphs[i].seconds,
                    graphs[i].unit);
        add_series(w, set, graphs[i].metric, graphs[i].statistic, "");
        end_graph(w);
    }
    add_set_failures(w, set);
}

/* ---- the pipeline ---- */

/* One metric of AWS/SQS, AWS/Lambda or AWS/DynamoDB for each target. */
static void add_targets(struct writer *w, const struct dashboard_targets *targets,
                        const char *name_space, const char *dimension, const char *metric,
                        const char *statistic, const char *label, bool right)
{
    for (size_t i = 0; i < targets->count; i++) {
        const struct dashboard_target *target = &targets->list[i];
        begin_metric(w);
        buf_printf(w->out, "\"%s\",\"%s\",\"%s\",", name_space, metric, dimension);
        json_quote(w->out, target->name);
        buf_printf(w->out, ",{\"stat\":\"%s\",\"label\":", statistic);
        buf_reset(&w->text);
        buf_add_cstr(&w->text, label);
        if (targets->count > 1) {
            buf_add_char(&w->text, ' ');
            buf_add_view(&w->text, target->name);
            if (target->region.len > 0) {
                buf_add_char(&w->text, ' ');
                buf_add_view(&w->text, target->region);
            }
        }
        json_quote(w->out, buf_view(&w->text));
        if (target->region.len > 0) {
            buf_add_cstr(w->out, ",\"region\":");
            json_quote(w->out, target->region);
        }
        buf_add_cstr(w->out, right ? ",\"yAxis\":\"right\"}]" : "}]");
    }
}

static void add_queues(struct writer *w)
{
    const struct dashboard_targets *queues = &w->options->queues;
    const struct dashboard_targets *letters = &w->options->dead_letters;
    static const char space[] = "AWS/SQS", visible[] = "ApproximateNumberOfMessagesVisible";
    if (queues->count + letters->count > 0) {
        begin_graph(w, THIRD, "Queue", NULL, false, PERIOD_S, "messages");
        add_targets(w, queues, space, "QueueName", visible, "Maximum", "waiting", false);
        add_targets(w, queues, space, "QueueName", "ApproximateNumberOfMessagesNotVisible",
                    "Maximum", "being counted or held back", false);
        add_targets(w, letters, space, "QueueName", visible, "Maximum", "dead letters", false);
        end_graph(w);
    }
    if (queues->count > 0) {
        begin_graph(w, THIRD, "Age of the oldest message", NULL, false, PERIOD_S, "seconds");
        add_targets(w, queues, space, "QueueName", "ApproximateAgeOfOldestMessage", "Maximum",
                    "seconds", false);
        end_graph(w);
    }
}

static void add_functions(struct writer *w)
{
    const struct dashboard_targets *functions = &w->options->functions;
    static const char space[] = "AWS/Lambda", dimension[] = "FunctionName";
    if (functions->count == 0)
        return;
    begin_graph(w, THIRD, "Function", NULL, false, PERIOD_S, "runs");
    add_targets(w, functions, space, dimension, "Invocations", "Sum", "runs", false);
    add_targets(w, functions, space, dimension, "Errors", "Sum", "errors", false);
    add_targets(w, functions, space, dimension, "Throttles", "Sum", "throttles", false);
    add_targets(w, functions, space, dimension, "Duration", "p95", "p95 ms", true);
    end_graph(w);
}

static void add_tables(struct writer *w)
{
    const struct dashboard_targets *tables = &w->options->tables;
    static const char space[] = "AWS/DynamoDB", dimension[] = "TableName";
    if (tables->count == 0)
        return;
    begin_graph(w, THIRD, "Ledger table", NULL, false, PERIOD_S, "units, events");
    add_targets(w, tables, space, dimension, "ConsumedReadCapacityUnits", "Sum", "read units",
                false);
    add_targets(w, tables, space, dimension, "ConsumedWriteCapacityUnits", "Sum", "write units",
                false);
    add_targets(w, tables, space, dimension, "ReadThrottleEvents", "Sum", "reads throttled", false);
    add_targets(w, tables, space, dimension, "WriteThrottleEvents", "Sum", "writes throttled",
                false);
    end_graph(w);
}

/* The one metric of the pipeline itself that is published without dimensions. */
static void add_in_doubt(struct writer *w)
{
    begin_graph(w, THIRD, "Publishes without an answer", NULL, false, PERIOD_S, "requests");
    begin_metric(w);
    json_quote(w->out, w->options->name_space);
    buf_add_cstr(w->out, ",\"InDoubtPublishes\",{\"label\":\"in doubt\"}]");
    end_graph(w);
}

/* The set with the fewest dimensions has the fewest series to add up. */
static const struct dimension_set *smallest_set(const struct dashboard_options *o)
{
    const struct dimension_set *found = NULL;
    for (size_t i = 0; i < o->set_count; i++) {
        if (dashboard_can_search(o->name_space, &o->sets[i]) &&
            (found == NULL || o->sets[i].count < found->count))
            found = &o->sets[i];
    }
    return found;
}

enum status dashboard_write(const struct dashboard_options *options, struct buf *out)
{
    struct writer w = {.options = options, .out = out};
    const struct dimension_set *total = smallest_set(options);
    buf_init(&w.text, DIMENSIONS_PER_SET * TEXT_BYTES);
    buf_add_cstr(out, "{\"start\":\"-P1D\",\"periodOverride\":\"inherit\",\"widgets\":[");
    add_top(&w);
    if (total != NULL) {
        add_heading(&w, "All usage");
        add_tokens_by_kind(&w, total);
        add_cache_share(&w, total);
        add_failures(&w, total);
        add_total_cost(&w, total);
    }
    if (total != NULL)
        add_heading(&w, "Usage by dimensions");
    for (size_t i = 0; i < options->set_count; i++) {
        if (dashboard_can_search(options->name_space, &options->sets[i]))
            add_set(&w, &options->sets[i]);
    }
    add_heading(&w, "The pipeline");
    add_queues(&w);
    add_functions(&w);
    add_tables(&w);
    add_in_doubt(&w);
    buf_add_cstr(out, "\n]}\n");
    enum status st = buf_status(&w.text);
    buf_clear(&w.text);
    return st != ST_OK ? st : buf_status(out);
}
