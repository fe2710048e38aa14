/* What is shown of a worker: whether it is healthy, and its counters as OpenMetrics text. */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/stop.h"
#include "deliver/worker_private.h"
#include "report/report.h"

enum { HEALTHY_MS = 120 * 1000 }; /* a queue that could not be polled for longer is not healthy */

bool worker_health(struct worker *w, struct buf *out)
{
    bool healthy = true;
    for (size_t i = 0; i < w->options->queue_count; i++) {
        struct queue_worker *q = &w->queues[i];
        pthread_mutex_lock(&q->locked.mutex);
        /* A round under way is work, not silence. */
        bool polled =
            q->locked.in_flight > 0 || clock_steady_ms() - q->locked.polled_ms < HEALTHY_MS;
        pthread_mutex_unlock(&q->locked.mutex);
        if (!polled) {
            buf_printf(out, "queue %s cannot be polled\n", q->queue.name);
            healthy = false;
        }
    }
    if (stop_asked(NULL)) {
        buf_add_cstr(out, "stopping\n");
        healthy = false;
    }
    if (healthy)
        buf_add_cstr(out, "ok\n");
    return healthy;
}

/* ---- metrics ---- */

/* What one queue shows. */
struct sample {
    const struct sqs_queue *queue;
    struct view region;
    struct worker_totals t;
    uint64_t objects_skipped, records_skipped, cells_out_of_time;
    uint64_t in_flight, since_poll_s;
};

/* Counters and gauges of each queue: where a sample has the number, 64 or 128 bits of it. */
#define COUNTER(name, member, help)                                                                \
    {                                                                                              \
        name, "counter", "_total", help, offsetof(struct sample, member),                          \
            sizeof(((struct sample *)0)->member)                                                   \
    }
#define GAUGE(name, member, help)                                                                  \
    {                                                                                              \
        name, "gauge", "", help, offsetof(struct sample, member),                                  \
            sizeof(((struct sample *)0)->member)                                                   \
    }
static const struct family {
    const char *name, *type, *suffix, *help;
    size_t offset, size;
} families[] = {
    COUNTER("messages", t.rounds.messages, "Queue messages received."),
    COUNTER("messages_deleted", t.deleted, "Messages deleted after their data were published."),
    COUNTER("messages_returned", t.rounds.returned, "Messages returned to the queue."),
    COUNTER("rounds", t.round_count, "Rounds published."),
    COUNTER("objects_counted", t.rounds.tally.objects.counted, "Objects read and counted."),
    COUNTER("objects_skipped", objects_skipped, "Objects skipped by rule or gone."),
    COUNTER("objects_failed", t.rounds.tally.objects.failed, "Objects that could not be counted."),
    COUNTER("records_counted", t.rounds.tally.records.counted, "Log records counted."),
    COUNTER("records_skipped", records_skipped, "Texts that are not valid log records."),
    COUNTER("read_bytes", t.rounds.tally.bytes_read, "Bytes of objects read."),
    COUNTER("invocations", t.rounds.invocations, "Invocations published."),
    COUNTER("tokens", t.rounds.tokens, "Tokens published."),
    COUNTER("publish_requests", t.rounds.published.requests, "Publishing requests accepted."),
    COUNTER("published_data", t.rounds.published.data, "Data accepted."),
    COUNTER("in_doubt_publishes", t.rounds.published.in_doubt,
            "Publishing requests without an answer: perhaps counted twice."),
    COUNTER("publish_failures", t.rounds.published.failed,
            "Publishing requests that were certainly not accepted."),
    COUNTER("data_rejected", t.rounds.published.data_rejected, "Data refused singly and left out."),
    COUNTER("cells_out_of_time", cells_out_of_time,
            "Cells too old or too far ahead for CloudWatch, not sent."),
    COUNTER("series_folded", t.rounds.series_folded, "Series beyond the cap, published as Other."),
    COUNTER("receive_failures", t.receive_failures, "Times a queue could not be polled."),
    COUNTER("delete_failures", t.delete_failures, "Counted messages that could not be deleted."),
    COUNTER("partial_publishes", t.rounds.partial,
            "Messages' data accepted in part before a failure."),
    COUNTER("disallowed_region_tokens", t.rounds.disallowed_tokens,
            "Tokens that ran outside of ALLOW_INFERENCE_REGIONS."),
    COUNTER("disallowed_region_invocations", t.rounds.disallowed_invocations,
            "Invocations that ran outside of it."),
    GAUGE("messages_in_flight", in_flight, "Messages of the round under way."),
    GAUGE("since_poll_seconds", since_poll_s, "Since the queue last answered."),
};

static void take_sample(struct queue_worker *q, struct sample *s)
{
    pthread_mutex_lock(&q->locked.mutex);
    *s = (struct sample){.queue = &q->queue,
                         .region = q->region,
                         .t = q->locked.totals,
                         .in_flight = q->locked.in_flight};
    s->since_poll_s = (uint64_t)(clock_steady_ms() - q->locked.polled_ms) / 1000;
    pthread_mutex_unlock(&q->locked.mutex);
    const struct round_summary *r = &s->t.rounds;
    s->objects_skipped = tally_objects_skipped(&r->tally);
    s->records_skipped = tally_records_skipped(&r->tally);
    s->cells_out_of_time = r->dropped.old_rows + r->dropped.future_rows;
}

static uint64_t value_of(const struct sample *s, const struct family *f)
{
    u128 wide = 0;
    memcpy(&wide, (const char *)s + f->offset, f->size); /* the low half comes first */
    return (uint64_t)wide;
}

static uint64_t resident_bytes(void)
{
    unsigned long long size = 0, resident = 0;
    FILE *file = fopen("/proc/self/statm", "re");
    if (file == NULL)
        return 0;
    if (fscanf(file, "%llu %llu", &size, &resident) != 2)
        resident = 0;
    fclose(file);
    return resident * (uint64_t)sysconf(_SC_PAGESIZE);
}

static uint64_t open_descriptors(void)
{
    uint64_t n = 0;
    DIR *folder = opendir("/proc/self/fd");
    if (folder == NULL)
        return 0;
    while (readdir(folder) != NULL)
        n++;
    closedir(folder);
    return n > 3 ? n - 3 : 0; /* `.`, `..` and the folder itself */
}

void worker_metrics(struct worker *w, struct buf *out)
{
    size_t n = w->options->queue_count;
    struct sample *samples = calloc(n + 1, sizeof(*samples));
    if (samples == NULL)
        return;
    for (size_t i = 0; i < n; i++)
        take_sample(&w->queues[i], &samples[i]);
    for (size_t k = 0; k < sizeof(families) / sizeof(families[0]); k++) {
        const struct family *f = &families[k];
        buf_printf(out, "# TYPE bedrock_metrics_%s %s\n# HELP bedrock_metrics_%s %s\n", f->name,
                   f->type, f->name, f->help);
        for (size_t i = 0; i < n; i++) {
            buf_printf(out, "bedrock_metrics_%s%s{queue=\"", f->name, f->suffix);
            openmetrics_add_label_value(out, view_of(samples[i].queue->name));
            buf_add_cstr(out, "\",region=\"");
            openmetrics_add_label_value(out, samples[i].region);
            buf_printf(out, "\"} %llu\n", (unsigned long long)value_of(&samples[i], f));
        }
    }
    free(samples);
    buf_printf(out,
               "# TYPE process_resident_memory_bytes gauge\n"
               "# HELP process_resident_memory_bytes Memory in use.\n"
               "process_resident_memory_bytes %llu\n"
               "# TYPE process_open_fds gauge\n# HELP process_open_fds Open files.\n"
               "process_open_fds %llu\n"
               "# TYPE bedrock_metrics_uptime_seconds gauge\n"
               "# HELP bedrock_metrics_uptime_seconds Since the start.\n"
               "bedrock_metrics_uptime_seconds %lld\n# EOF\n",
               (unsigned long long)resident_bytes(), (unsigned long long)open_descriptors(),
               (long long)((clock_steady_ms() - w->began_ms) / 1000));
}

/* ---- all ---- */
