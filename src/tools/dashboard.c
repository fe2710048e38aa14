/*
 * dashboard.c: widgets in rows from left to right, each with the metrics or SEARCH expressions that
 * one chart needs; which ones depends on the dimension sets and metrics that are published.
 */
#include "tools/dashboard.h"

#include <stdio.h>

#include "base/json_out.h"

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

enum {
    PERIOD_S = 300,       /* of a point, unless buckets are longer */
    COST_PERIOD_S = 3600, /* cents show over an hour, not over minutes */
    HALF = DASHBOARD_GRID / 2,
    THIRD = DASHBOARD_GRID / 3,
    TEXT_BYTES = 4 * DASHBOARD_MAX_SEARCH_CHARS,
};

struct writer {
    const struct dashboard_options *options;
    struct json_out j;
    struct buf text;       /* of one expression, title or label */
    unsigned x, y, bottom; /* where the next widget goes; where its row ends */
    unsigned next_id;      /* of an expression in its widget */
    unsigned period;       /* of the widget under way */
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
    buf_printf(out, "SEARCH('{\"%.*s\"", SHOW(name_space));
    for (size_t i = 0; i < set->count; i++) {
        struct view name = set->dimension[i].name;
        buf_add_cstr(out, is_plain(name) ? "," : ",\"");
        buf_add_view(out, name);
        buf_add_cstr(out, is_plain(name) ? "" : "\"");
    }
    buf_printf(out, "} MetricName=\"%s\"', '%s', %u)", metric_name(metric), statistic, period);
}

/*
 * SEARCH takes 1024 characters (CloudWatch user guide, "CloudWatch search expression syntax"), and
 * quotes in a name cannot be escaped.  A long metric name and period
 * are tried.
 */
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

/* ---- widgets ---- */

/* Open a widget and its properties, which end_widget closes. */
static void begin_widget(struct writer *w, const char *type, unsigned width, unsigned height)
{
    if (w->x + width > DASHBOARD_GRID) {
        w->x = 0;
        w->y = w->bottom;
    }
    w->j.gap = "\n  ";
    json_open_object(&w->j, NULL);
    json_add_cstr(&w->j, "type", type);
    JSON_ADD_NUMBERS(&w->j, {"x", w->x}, {"y", w->y}, {"width", width}, {"height", height});
    json_open_object(&w->j, "properties");
    w->x += width;
    if (w->y + height > w->bottom)
        w->bottom = w->y + height;
}

static void end_widget(struct writer *w)
{
    json_close(&w->j);
    json_close(&w->j);
}

static void add_text_widget(struct writer *w, unsigned height)
{
    w->x = DASHBOARD_GRID; /* a row of its own */
    begin_widget(w, "text", DASHBOARD_GRID, height);
    json_add_string(&w->j, "markdown", buf_view(&w->text));
    end_widget(w);
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
    struct json_out *j = &w->j;
    /* The shortest whole number of buckets that is at least `seconds`. */
    unsigned bucket = w->options->resolution < 60 ? 60 : w->options->resolution;
    w->period = (seconds + bucket - 1) / bucket * bucket;
    w->next_id = 1;
    begin_widget(w, "metric", width, width >= HALF ? 7 : 6);
    buf_reset(&w->text);
    buf_add_cstr(&w->text, kind);
    for (size_t i = 0; set != NULL && i < set->count; i++) {
        buf_add_cstr(&w->text, i == 0 ? " by " : ", ");
        buf_add_view(&w->text, set->dimension[i].name);
    }
    json_add_string(j, "title", buf_view(&w->text));
    json_add_string(j, "region", w->options->region);
    json_add_cstr(j, "view", "timeSeries");
    json_add_bool(j, "stacked", stacked);
    json_add_u64(j, "period", w->period);
    json_add_cstr(j, "stat", "Sum");
    json_open_object(j, "yAxis");
    json_open_object(j, "left");
    json_add_cstr(j, "label", unit);
    json_add_bool(j, "showUnits", false);
    json_add_u64(j, "min", 0);
    json_close(j);
    json_close(j);
    json_open_array(j, "metrics");
}

static void end_graph(struct writer *w)
{
    json_close(&w->j);
    end_widget(w);
}

/* A metric is an array: its namespace, name and dimensions, then an object of what to show. */
static void begin_metric(struct writer *w)
{
    w->j.gap = "\n    ";
    json_open_array(&w->j, NULL);
}

static void end_metric(struct writer *w)
{
    json_close(&w->j);
    json_close(&w->j);
}

/* w->text is the expression; what is added up to end_metric() is of its object. */
static void begin_expression(struct writer *w)
{
    char id[16];
    snprintf(id, sizeof(id), "e%u", w->next_id++);
    begin_metric(w);
    json_open_object(&w->j, NULL);
    json_add_string(&w->j, "expression", buf_view(&w->text));
    json_add_cstr(&w->j, "id", id);
}

static void add_expression(struct writer *w, const char *label, bool visible)
{
    begin_expression(w);
    if (label != NULL)
        json_add_cstr(&w->j, "label", label);
    if (!visible)
        json_add_bool(&w->j, "visible", false);
    end_metric(w);
}

/*
 * A line for each series of the set, labelled with its values.  In a template of CloudFormation
 * ${...} is a substitution of its own, so it is written as ${!...}.
 */
static void add_series(struct writer *w, const struct dimension_set *set, enum metric metric,
                       const char *statistic, const char *prefix)
{
    buf_reset(&w->text);
    add_search(&w->text, w->options->name_space, set, metric, statistic, w->period);
    begin_expression(w);
    buf_reset(&w->text);
    buf_add_cstr(&w->text, prefix);
    for (size_t i = 0; i < set->count; i++)
        buf_printf(&w->text, "%s${%sPROP('Dim.%.*s')}", i > 0 || prefix[0] != '\0' ? " " : "",
                   w->options->for_template ? "!" : "", SHOW(set->dimension[i].name));
    json_add_string(&w->j, "label", buf_view(&w->text));
    end_metric(w);
}

static bool is_on(const struct writer *w, enum metric metric)
{
    return (w->options->metrics & METRIC_BIT(metric)) != 0;
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
               SHOW(o->name_space), SHOW(o->region));
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

struct total_graph {
    const char *title, *unit;
    bool stacked;
    unsigned seconds;
    struct {
        const char *label; /* NULL: no more */
        enum metric metric;
    } lines[4];
};

/* The sums over all series; the share of the cache comes after the first. */
/* clang-format off */
static const struct total_graph totals[] = {
    {"Tokens by kind", "tokens", true, PERIOD_S,
     {{"input", METRIC_INPUT}, {"output", METRIC_OUTPUT},
      {"cache read", METRIC_CACHE_READ}, {"cache write", METRIC_CACHE_WRITE}}},
    {"Failed invocations", "invocations", false, PERIOD_S,
     {{"throttled", METRIC_THROTTLES}, {"server errors", METRIC_SERVER_ERRORS},
      {"client errors", METRIC_CLIENT_ERRORS}}},
    {"Estimated cost in USD", "USD", false, COST_PERIOD_S, {{"list price, USD", METRIC_COST}}},
    {"Tokens without a price (not in the cost)", "tokens", false, COST_PERIOD_S,
     {{"unpriced", METRIC_UNPRICED}}},
};
/* clang-format on */

static void add_total_graph(struct writer *w, const struct dimension_set *set,
                            const struct total_graph *g)
{
    bool begun = false;
    for (size_t i = 0; i < COUNT_OF(g->lines) && g->lines[i].label != NULL; i++) {
        if (!is_on(w, g->lines[i].metric))
            continue;
        if (!begun)
            begin_graph(w, THIRD, g->title, NULL, g->stacked, g->seconds, g->unit);
        begun = true;
        add_total(w, set, g->lines[i].metric, g->lines[i].label, true);
    }
    if (begun)
        end_graph(w);
}

/*
 * Of all prompt tokens, read and written ones included.  FILL(..., 0), because a metric without a
 * datum in a period would make the whole expression have none.
 */
static void add_cache_share(struct writer *w, const struct dimension_set *set)
{
    if (!is_on(w, METRIC_INPUT) || !is_on(w, METRIC_CACHE_READ) || !is_on(w, METRIC_CACHE_WRITE))
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
    for (size_t i = 0; i < COUNT_OF(failures); i++) {
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
    for (size_t i = 0; i < COUNT_OF(graphs); i++) {
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

enum target_list { QUEUES, DEAD_LETTERS, FUNCTIONS, TABLES };

struct target_graph {
    const char *title, *unit, *name_space, *dimension;
    struct {
        const char *metric, *statistic, *label; /* metric NULL: no more */
        enum target_list list;
        bool right; /* on the right axis */
    } lines[4];
};

/* clang-format off */
static const struct target_graph target_graphs[] = {
    {"Queue", "messages", "AWS/SQS", "QueueName",
     {{"ApproximateNumberOfMessagesVisible", "Maximum", "waiting", QUEUES, false},
      {"ApproximateNumberOfMessagesNotVisible", "Maximum", "being counted or held back", QUEUES, false},
      {"ApproximateNumberOfMessagesVisible", "Maximum", "dead letters", DEAD_LETTERS, false}}},
    {"Age of the oldest message", "seconds", "AWS/SQS", "QueueName",
     {{"ApproximateAgeOfOldestMessage", "Maximum", "seconds", QUEUES, false}}},
    {"Function", "runs", "AWS/Lambda", "FunctionName",
     {{"Invocations", "Sum", "runs", FUNCTIONS, false},
      {"Errors", "Sum", "errors", FUNCTIONS, false},
      {"Throttles", "Sum", "throttles", FUNCTIONS, false},
      {"Duration", "p95", "p95 ms", FUNCTIONS, true}}},
    {"Ledger table", "units, events", "AWS/DynamoDB", "TableName",
     {{"ConsumedReadCapacityUnits", "Sum", "read units", TABLES, false},
      {"ConsumedWriteCapacityUnits", "Sum", "write units", TABLES, false},
      {"ReadThrottleEvents", "Sum", "reads throttled", TABLES, false},
      {"WriteThrottleEvents", "Sum", "writes throttled", TABLES, false}}},
};
/* clang-format on */

/* Each metric for each target of its list; nothing where the lists are empty. */
static void add_target_graph(struct writer *w, const struct target_graph *g)
{
    const struct dashboard_targets *lists[] = {[QUEUES] = &w->options->queues,
                                               [DEAD_LETTERS] = &w->options->dead_letters,
                                               [FUNCTIONS] = &w->options->functions,
                                               [TABLES] = &w->options->tables};
    bool begun = false;
    for (size_t l = 0; l < COUNT_OF(g->lines) && g->lines[l].metric != NULL; l++) {
        const struct dashboard_targets *targets = lists[g->lines[l].list];
        for (size_t i = 0; i < targets->count; i++) {
            const struct dashboard_target *target = &targets->list[i];
            if (!begun)
                begin_graph(w, THIRD, g->title, NULL, false, PERIOD_S, g->unit);
            begun = true;
            begin_metric(w);
            json_add_cstr(&w->j, NULL, g->name_space);
            json_add_cstr(&w->j, NULL, g->lines[l].metric);
            json_add_cstr(&w->j, NULL, g->dimension);
            json_add_string(&w->j, NULL, target->name);
            json_open_object(&w->j, NULL);
            json_add_cstr(&w->j, "stat", g->lines[l].statistic);
            buf_reset(&w->text);
            buf_add_cstr(&w->text, g->lines[l].label);
            if (targets->count > 1)
                buf_printf(&w->text, " %.*s%s%.*s", SHOW(target->name),
                           target->region.len > 0 ? " " : "", SHOW(target->region));
            json_add_string(&w->j, "label", buf_view(&w->text));
            if (target->region.len > 0)
                json_add_string(&w->j, "region", target->region);
            if (g->lines[l].right)
                json_add_cstr(&w->j, "yAxis", "right");
            end_metric(w);
        }
    }
    if (begun)
        end_graph(w);
}

/* The one metric of the pipeline itself that is published without dimensions. */
static void add_in_doubt(struct writer *w)
{
    begin_graph(w, THIRD, "Publishes without an answer", NULL, false, PERIOD_S, "requests");
    begin_metric(w);
    json_add_string(&w->j, NULL, w->options->name_space);
    json_add_cstr(&w->j, NULL, "InDoubtPublishes");
    json_open_object(&w->j, NULL);
    json_add_cstr(&w->j, "label", "in doubt");
    end_metric(w);
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
    struct writer w = {.options = options, .j.out = out};
    const struct dimension_set *total = smallest_set(options);
    buf_init(&w.text, DIMENSIONS_PER_SET * TEXT_BYTES);
    json_open_object(&w.j, NULL);
    json_add_cstr(&w.j, "start", "-P1D");
    json_add_cstr(&w.j, "periodOverride", "inherit");
    json_open_array(&w.j, "widgets");
    add_top(&w);
    if (total != NULL) {
        add_heading(&w, "All usage");
        for (size_t i = 0; i < COUNT_OF(totals); i++) {
            add_total_graph(&w, total, &totals[i]);
            if (i == 0)
                add_cache_share(&w, total);
        }
    }
    if (total != NULL)
        add_heading(&w, "Usage by dimensions");
    for (size_t i = 0; i < options->set_count; i++) {
        if (dashboard_can_search(options->name_space, &options->sets[i]))
            add_set(&w, &options->sets[i]);
    }
    add_heading(&w, "The pipeline");
    for (size_t i = 0; i < COUNT_OF(target_graphs); i++)
        add_target_graph(&w, &target_graphs[i]);
    add_in_doubt(&w);
    w.j.gap = "\n";
    json_end(&w.j);
    enum status st = buf_status(&w.text);
    buf_clear(&w.text);
    return st != ST_OK ? st : buf_status(out);
}
