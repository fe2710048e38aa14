/* metric.c: what the list of metrics says about each, and their names as people write them. */
#include "aggregate/metric.h"

#include "base/suggest.h"

enum { NAMES_SHOWN = 6 };

#define METRIC_NAME(id, name, ...) name,
#define METRIC_ROW(id, name, unit, title, when, bit, adds, help) {unit, title, help},

static const char *const names[METRIC_COUNT] = {METRICS(METRIC_NAME)};

static const struct {
    const char *unit, *title, *help;
} metrics[METRIC_COUNT] = {METRICS(METRIC_ROW)};

const char *metric_name(enum metric metric)
{
    return names[metric];
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
    while (i < METRIC_COUNT && !view_eq_cstr(name, names[i]))
        i++;
    return (enum metric)i;
}

static enum status unknown(struct view name, struct error *err)
{
    struct suggestion near = suggest_end(name, "", names, METRIC_COUNT);
    struct buf known;
    buf_init(&known, 1024);
    for (size_t i = 0; i < NAMES_SHOWN; i++)
        buf_printf(&known, "%s, ", names[i]);
    enum status st =
        error_set(err, ST_USAGE, E_U202, "unknown metric \"%.*s\"; known are %.*s...%s",
                  SHOW_MAX(name, 80), SHOW(buf_view(&known)), near.text);
    buf_clear(&known);
    return st;
}

enum status metric_set_parse(struct view text, metric_set *out, struct error *err)
{
    struct view rest = text.ptr == NULL ? VIEW_LIT("") : text, part;
    *out = 0;
    while (view_split(&rest, ',', &part)) {
        enum metric metric = metric_find(view_trim(part));
        if (metric == METRIC_COUNT)
            return unknown(view_trim(part), err);
        *out |= METRIC_BIT(metric);
    }
    return ST_OK;
}

void metric_add_value(struct buf *out, enum metric metric, u128 value)
{
    if (metric == METRIC_COST)
        buf_add_decimal(out, value, 12);
    else
        buf_add_u128(out, value);
}
