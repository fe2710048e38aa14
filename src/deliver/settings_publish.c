#include "deliver/settings_publish.h"

#include <stdlib.h>
#include <unistd.h>

struct publish_beside {
    struct run_settings settings;
    struct settings_aws aws;
    /* Those of the settings, then the report's. */
    struct dimension_set sets[SETTINGS_MAX_SETS + PUBLISH_BESIDE_MAX_SETS];
    struct aggregate_options report; /* as it was given */
};

static enum status settle(struct publish_beside *p, struct counter_options *counter,
                          struct dimension_keys *keys, struct error *err)
{
    struct aggregate_options *a = &counter->aggregate;
    struct run_settings *s = &p->settings;
    enum status st = settings_load_publishing(s, err);
    if (st == ST_OK)
        st = settings_aws_open(&p->aws, err);
    if (st != ST_OK)
        return st;
    int64_t resolution = (int64_t)s->resolution_s;
    if (a->interval_seconds % resolution != 0)
        return error_set(err, ST_USAGE, E_U209,
                         "--publish: METRIC_RESOLUTION %lld does not divide the --interval",
                         (long long)resolution);
    if (a->set_count > PUBLISH_BESIDE_MAX_SETS)
        return error_set(err, ST_USAGE, E_U203, "--publish: the report has too many sets");
    /* Once more with the report's table, because keys are numbered through over all sets. */
    st = settings_load_dimensions(keys, p->sets, &s->set_count, err);
    if (st != ST_OK)
        return st;
    p->report = *a;
    memcpy(p->sets + s->set_count, a->sets, a->set_count * sizeof(p->sets[0]));
    a->sets = p->sets;
    a->set_count += s->set_count;
    a->interval_seconds = resolution;
    a->statistics = true;
    counter->latency = counter->latency || s->latency;
    return ST_OK;
}

enum status publish_beside_new(struct publish_beside **out, struct counter_options *counter,
                               struct dimension_keys *keys, struct error *err)
{
    struct publish_beside *p = calloc(1, sizeof(*p));
    *out = p;
    return p == NULL ? error_set(err, ST_NO_MEMORY, E_R113, "out of memory")
                     : settle(p, counter, keys, err);
}

void publish_beside_free(struct publish_beside *p)
{
    if (p == NULL)
        return;
    settings_clear(&p->settings);
    settings_aws_close(&p->aws);
    free(p);
}

/* The rows of a set of `counted`, in the report's longer buckets. */
static enum status copy_set(const struct publish_beside *p, const struct aggregate *counted,
                            size_t set, struct aggregate *report)
{
    int64_t interval = p->report.interval_seconds;
    struct aggregate_rows *rows = aggregate_rows_new(counted, p->settings.set_count + set);
    enum status st = rows == NULL ? ST_NO_MEMORY : ST_OK;
    for (size_t i = 0; st == ST_OK && i < aggregate_rows_count(rows); i++) {
        struct aggregate_row row;
        aggregate_rows_get(rows, i, &row);
        int64_t index = interval == 0 ? 0 : row.time / interval - (row.time % interval < 0);
        st = aggregate_add_sums(report, set, index * interval, row.value, row.sum);
        if (st == ST_OK)
            aggregate_commit(report);
    }
    aggregate_rows_free(rows);
    return st;
}

enum status publish_beside_report(const struct publish_beside *p, const struct aggregate *counted,
                                  struct aggregate **report, struct error *err)
{
    struct aggregate_options options = p->report;
    options.statistics = false;
    *report = aggregate_new(&options);
    enum status st = *report == NULL ? ST_NO_MEMORY : ST_OK;
    for (size_t set = 0; st == ST_OK && set < options.set_count; set++)
        st = copy_set(p, counted, set, *report);
    if (st != ST_OK) {
        aggregate_free(*report);
        *report = NULL;
        return error_set(err, st, E_R113, "out of memory");
    }
    return ST_OK;
}

enum status publish_beside_send(struct publish_beside *p, struct aggregate *counted,
                                struct round_summary *summary, struct error *err)
{
    struct round_options options = {
        .settings = &p->settings, .aws = &p->aws, .readers = 1, .emf_fd = STDOUT_FILENO};
    return round_publish_sums(&options, counted, summary, err);
}
