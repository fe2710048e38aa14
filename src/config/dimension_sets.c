/*
 * dimension_sets.c: the three variables that decide how many series there are, split and checked.
 */
#include "config/dimension_sets.h"

#include "base/suggest.h"
#include "config/variables.h"
#include "publish/datum.h"

/* The order of the names does not make another set: CloudWatch would add both into one series. */
static bool is_same(const struct dimension_set *a, const struct dimension_set *b)
{
    bool same = a->count == b->count;
    for (size_t i = 0; i < a->count && same; i++)
        same = dimension_set_find(b, a->dimension[i].name) != SIZE_MAX;
    return same;
}

enum status dimension_sets_parse(struct view text, struct dimension_sets *out, struct error *err)
{
    struct view rest = text.ptr == NULL ? VIEW_LIT("") : text, part;
    out->count = 0;
    while (view_split(&rest, ';', &part)) {
        if (out->count == DIMENSION_SETS_MAX)
            return error_set(err, ST_USAGE, E_U203, "more than %d sets in \"%.*s\"",
                             DIMENSION_SETS_MAX, SHOW_MAX(text, 80));
        struct dimension_set *set = &out->set[out->count];
        enum status st = dimension_set_parse(part, &out->keys, set, err);
        for (size_t i = 0; st == ST_OK && i < set->count; i++)
            st = datum_check_dimension(set->dimension[i].name, err);
        if (st != ST_OK)
            return st;
        for (size_t i = 0; i < out->count; i++) {
            if (is_same(&out->set[i], set))
                return error_set(err, ST_USAGE, E_U103, "the set \"%.*s\" is given twice",
                                 SHOW_MAX(part, 80));
        }
        out->count++;
    }
    return ST_OK;
}

enum status dimension_sets_parse_resolution(struct view text, uint64_t *out, struct error *err)
{
    uint64_t n;
    if (view_parse_u64(text, 3600, &n) == ST_OK &&
        (n == 1 || n == 5 || n == 10 || n == 30 || (n > 0 && n % 60 == 0))) {
        *out = n;
        return ST_OK;
    }
    return error_set(err, ST_USAGE, E_U209,
                     "\"%.*s\" is not 1, 5, 10, 30 or a multiple of 60 up to 3600",
                     SHOW_MAX(text, 80));
}

/* *detail, with the name of the option or variable that it is about. */
static enum status name_it(enum status st, const char *given, const char *option,
                           enum variable_id id, const struct error *detail, struct error *err)
{
    if (st == ST_OK)
        return st;
    return error_set(err, st, detail->code, "%s: %s",
                     given != NULL ? option : variable_at(id)->name, detail->text);
}

enum status dimension_sets_choose(const char *given, struct dimension_sets *out, struct error *err)
{
    struct error detail = {0};
    const char *text = given != NULL ? given : variable_get(VAR_METRIC_DIMENSIONS);
    enum status st = dimension_sets_parse(view_of(text), out, &detail);
    return name_it(st, given, "--dimensions", VAR_METRIC_DIMENSIONS, &detail, err);
}

enum status dimension_sets_choose_resolution(const char *given, uint64_t *out, struct error *err)
{
    struct error detail = {0};
    const char *text = given != NULL ? given : variable_get(VAR_METRIC_RESOLUTION);
    enum status st = dimension_sets_parse_resolution(view_of(text), out, &detail);
    return name_it(st, given, "--resolution", VAR_METRIC_RESOLUTION, &detail, err);
}

enum status dimension_sets_choose_metrics(const char *given, metric_set *out, struct error *err)
{
    bool latency = false;
    struct error detail = {0};
    const char *text = given != NULL ? given : variable_get(VAR_METRICS);
    enum status st = variable_flag(VAR_METRIC_LATENCY, &latency, err);
    if (st != ST_OK)
        return st;
    *out = METRIC_SET_BASE | METRIC_SET_COST | (latency ? METRIC_BIT(METRIC_LATENCY) : 0);
    if (text == NULL)
        return ST_OK;
    return name_it(metric_set_parse(view_of(text), out, &detail), given, "--metrics", VAR_METRICS,
                   &detail, err);
}
