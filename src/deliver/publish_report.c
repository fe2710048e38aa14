/*
 * A report and what is published of the same objects, counted at once.  The first sets of the
 * counter are those that are published, so publishing need not know that there are more.
 */
#include "deliver/publish_report.h"

#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "deliver/round_log.h"

struct publish_report {
    const struct run_settings *settings;
    /* Those of the settings, then the report's. */
    struct dimension_set sets[SETTINGS_MAX_SETS + PUBLISH_REPORT_MAX_SETS];
    struct aggregate *report;
};

enum status publish_report_new(struct publish_report **out, const struct run_settings *settings,
                               struct counter_options *counter, struct dimension_keys *keys,
                               struct error *err)
{
    struct aggregate_options *a = &counter->aggregate;
    int64_t resolution = (int64_t)settings->resolution_s;
    struct publish_report *p = calloc(1, sizeof(*p));
    size_t published = 0;
    *out = p;
    if (p == NULL)
        return error_set(err, ST_NO_MEMORY, E_R113, "out of memory");
    if (a->interval_seconds % resolution != 0)
        return error_set(err, ST_USAGE, E_U209,
                         "--publish: METRIC_RESOLUTION %lld does not divide the --interval",
                         (long long)resolution);
    if (a->set_count > PUBLISH_REPORT_MAX_SETS)
        return error_set(err, ST_USAGE, E_U203, "--publish: the report has too many sets");
    /* Once more with the report's table, because keys are numbered through over all sets. */
    enum status st = settings_load_dimensions(keys, p->sets, &published, err);
    if (st != ST_OK)
        return st;
    p->settings = settings;
    p->report = aggregate_new(a);
    if (p->report == NULL)
        return error_set(err, ST_NO_MEMORY, E_R113, "out of memory");
    memcpy(p->sets + published, a->sets, a->set_count * sizeof(p->sets[0]));
    a->sets = p->sets;
    a->set_count += published;
    a->interval_seconds = resolution;
    a->statistics = true;
    if (a->guard == NULL)
        a->guard = settings->guard;
    counter->latency = counter->latency || settings->latency;
    return ST_OK;
}

void publish_report_free(struct publish_report *p)
{
    if (p == NULL)
        return;
    aggregate_free(p->report);
    free(p);
}

enum status publish_report_add(void *context, const struct aggregate *counted)
{
    struct publish_report *p = context;
    return aggregate_merge(p->report, counted, p->settings->set_count);
}

struct aggregate *publish_report_take(struct publish_report *p)
{
    struct aggregate *report = p->report;
    p->report = NULL;
    return report;
}

enum status publish_report_send(const struct publish_report *p, const struct settings_aws *aws,
                                struct aggregate *counted, struct round_summary *s,
                                struct error *err)
{
    const struct run_settings *settings = p->settings;
    struct publish_sink sink = {.region = settings->cloudwatch_region, .fd = STDOUT_FILENO};
    struct aws_client_options options = settings_aws_client(aws);
    int64_t began = clock_steady_ms();
    bool partial = false;
    *s = (struct round_summary){0};
    enum status st = ST_OK;
    if (settings->publisher == PUBLISHER_CLOUDWATCH)
        st = aws_client_new(&sink.client, &options, err);
    struct batch_options batch = settings_batch(
        settings, sink.client != NULL ? aws_client_now_s(sink.client) : clock_wall_ms() / 1000);
    if (st == ST_OK)
        st = aggregate_fold(counted, batch.set_count, (size_t)settings->max_series,
                            &s->series_folded);
    if (st == ST_OK)
        st = publish_sums(&sink, counted, &batch, &s->published, &s->dropped, &partial, err);
    if (st == ST_OK) {
        u128 sums[METRIC_COUNT];
        aggregate_totals(counted, sums);
        round_summary_add_sums(s, sums, &s->dropped, true);
    } else if (st == ST_IN_DOUBT) {
        LOG_FAULT(LOG_ERROR, E_P101, "publish in doubt: publishing again may count twice",
                  log_cstr("metric", "InDoubtPublishes"), log_cstr("reason", err->text));
    }
    s->partial = partial && st != ST_OK;
    s->ms_publish = clock_steady_ms() - began;
    round_log(s, settings, NULL);
    aws_client_free(sink.client);
    return st;
}
