/*
 * answers.c: usage, metrics and the page from the store.  The page is made by a thread of its own,
 * at most a fifth of the time, so that a store that grows all the time does not keep a processor
 * busy; who asks gets the last one.
 */
#include "serve/answers.h"

#include <pthread.h>
#include <stdlib.h>
#include <sys/random.h>

#include "base/clock.h"
#include "config/interval.h"
#include "report/report.h"
#include "serve/page_query.h"

enum {
    MAX_ROWS = 1000000,     /* of an answer */
    MAX_GATHERED = 8000000, /* before --top folds them */
    MAX_TOP = 1000000000,
    PAGE_CEILING = 256 << 20,
    METRICS_CEILING = 64 << 20,
    PAGE_SHARE = 5,      /* making the page takes at most one part in this of the time */
    PAGE_QUICK_MS = 100, /* up to this an asker waits for a new one */
};

struct answers {
    struct answers_options options;
    uint64_t process; /* versions of another run are not ours */
    /* The page is made by its own thread where that takes long; askers get the last one. */
    pthread_t maker;
    bool has_maker;
    pthread_mutex_t page_mutex; /* guards what is below */
    pthread_cond_t page_changed;
    bool wanted, making, ended;
    enum status page_fault; /* of the last try */
    struct error page_err;
    struct page_document *page;
    uint64_t page_version;
    unsigned page_step; /* of folding; a store only grows */
    int64_t page_at_ms, page_took_ms;
};

/* ---- usage ---- */

/* A span back from now becomes whole minutes, because the store keeps no seconds. */
static enum status take_time(const char *name, const char *text, bool *has, int64_t *out,
                             struct error *err)
{
    struct instant time;
    *has = text != NULL;
    if (text == NULL)
        return ST_OK;
    struct instant minute = {clock_wall_ms() / 60000 * 60, 0};
    if (time_parse(view_of(text), minute, &time) != ST_OK)
        return error_set(
            err, ST_USAGE, E_U204,
            "%s is not a date-time (2026-11-01T10:30:00Z), date or span (90m 36h 7d 2w)", name);
    if (time.seconds % 60 != 0 || time.nanos != 0)
        return error_set(err, ST_USAGE, E_U204, "%s must be a whole minute", name);
    *out = time.seconds;
    return ST_OK;
}

static enum status take_arguments(const struct usage_arguments *ask, struct dimension_set *set,
                                  struct usage_query *query, uint64_t *top, struct error *err)
{
    struct dimension_keys keys = {0};
    struct error detail = {0};
    const char *interval = ask->interval != NULL ? ask->interval : "all";
    enum status st = dimension_set_parse(view_of(ask->by != NULL ? ask->by : DIMENSIONS_BY_DEFAULT),
                                         &keys, set, &detail);
    if (st != ST_OK)
        return error_set(err, st, detail.code, "by: %s", detail.text);
    if (interval_parse(view_of(interval), &query->interval_seconds) != ST_OK)
        return error_set(err, ST_USAGE, E_U299, "interval: known are 1m, 5m, 1h, 1d, all");
    st = take_time("since", ask->since, &query->has_since, &query->since, err);
    if (st == ST_OK)
        st = take_time("until", ask->until, &query->has_until, &query->until, err);
    if (st == ST_OK && query->has_since && query->has_until && query->since >= query->until)
        return error_set(err, ST_USAGE, E_U205, "since is not before until");
    *top = 0;
    if (st == ST_OK && ask->top != NULL &&
        (view_parse_u64(view_of(ask->top), MAX_TOP, top) != ST_OK || *top == 0))
        return error_set(err, ST_USAGE, E_U208, "top must be an integer from 1 to %d", MAX_TOP);
    return st;
}

/* Any writer's text as one block. */
static enum status write_body(enum status (*write)(const struct report *report, FILE *out),
                              const struct report *report, char **body, size_t *length,
                              struct error *err)
{
    FILE *out = open_memstream(body, length);
    if (out == NULL)
        return error_set(err, ST_NO_MEMORY, E_R113, "out of memory");
    enum status st = write(report, out);
    bool failed = ferror(out) != 0;
    if (fclose(out) != 0 || failed || st != ST_OK) {
        free(*body);
        *body = NULL;
        return error_set(err, ST_NO_MEMORY, E_R113, "out of memory");
    }
    return ST_OK;
}

enum status answers_usage(struct answers *a, const struct usage_arguments *ask, char **body,
                          size_t *length, struct error *err)
{
    struct dimension_set set;
    struct usage_query query = {.sets = &set, .set_count = 1};
    struct usage_answer answer;
    uint64_t top;
    *body = NULL;
    enum status st = take_arguments(ask, &set, &query, &top, err);
    if (st != ST_OK)
        return st;
    query.max_rows = top != 0 ? MAX_GATHERED : MAX_ROWS;
    st = usage_ask(a->options.usage, &query, &answer, err);
    if (st == ST_TOO_BIG)
        return error_set(err, st, E_U203,
                         "more than %u rows: ask for a longer interval, a shorter time "
                         "or fewer dimensions, or use top",
                         query.max_rows);
    if (st != ST_OK)
        return st;
    if (top != 0)
        st = aggregate_fold(answer.aggregate, 0, (size_t)top, NULL);
    if (st == ST_NO_MEMORY)
        (void)error_set(err, st, E_R113, "out of memory");
    if (st == ST_OK) {
        struct report report = {
            .aggregate = answer.aggregate,
            .interval = ask->interval != NULL ? ask->interval : "all",
            .metrics = a->options.metrics,
            .tally = &answer.tally,
            .prices_as_of = a->options.prices_as_of,
        };
        st = write_body(report_write_json, &report, body, length, err);
    }
    aggregate_free(answer.aggregate);
    return st;
}

/* ---- metrics ---- */

static void begin_family(struct buf *out, const char *name, const char *text, bool openmetrics)
{
    const char *suffix = openmetrics ? "" : "_total";
    buf_printf(out, "# HELP %s%s %s\n# TYPE %s%s counter\n", name, suffix, text, name, suffix);
}

static void add_family(struct buf *out, const struct aggregate_rows *rows,
                       const struct dimension_set *set, enum metric metric, const char *name)
{
    struct aggregate_row row;
    for (size_t i = 0; i < aggregate_rows_count(rows); i++) {
        aggregate_rows_get(rows, i, &row);
        buf_printf(out, "%s_total", name);
        openmetrics_add_labels(out, set, &row);
        buf_add_char(out, ' ');
        metric_add_value(out, metric, row.sum[metric]);
        buf_add_char(out, '\n');
    }
}

static void add_families(struct buf *out, const struct aggregate *aggregate,
                         const struct aggregate_rows *rows, metric_set metrics, bool openmetrics)
{
    struct buf name;
    buf_init(&name, 256);
    for (unsigned m = 0; m < METRIC_COUNT; m++) {
        if ((metrics & METRIC_BIT(m)) == 0)
            continue;
        buf_reset(&name);
        buf_add_cstr(&name, "bedrock_");
        openmetrics_add_name(&name, view_of(metric_name((enum metric)m)));
        const char *text = buf_cstr(&name);
        if (text == NULL) {
            out->failed = ST_NO_MEMORY;
            break;
        }
        begin_family(out, text, metric_help((enum metric)m), openmetrics);
        add_family(out, rows, aggregate_set(aggregate, 0), (enum metric)m, text);
    }
    buf_clear(&name);
}

static void add_sample(struct buf *out, const char *name, const char *label, const char *value,
                       uint64_t count)
{
    buf_printf(out, "%s_total{%s=\"%s\"} %llu\n", name, label, value, (unsigned long long)count);
}

static void add_tally(struct buf *out, const struct tally *t, bool openmetrics)
{
    static const char objects[] = "bedrock_log_objects", records[] = "bedrock_log_records",
                      bytes[] = "bedrock_log_bytes";
    begin_family(out, objects, "Log objects by what became of them.", openmetrics);
    add_sample(out, objects, "outcome", "counted", t->objects.counted);
    add_sample(out, objects, "outcome", "failed", t->objects.failed);
    for (unsigned i = OBJECT_READ + 1; i < OBJECT_SKIP_COUNT; i++)
        add_sample(out, objects, "outcome", object_skip_name((enum object_skip)i),
                   t->objects.skipped[i]);
    begin_family(out, records, "Texts in log objects by what became of them.", openmetrics);
    add_sample(out, records, "outcome", "counted", t->records.counted);
    for (unsigned i = 0; i < RECORD_SKIP_COUNT; i++)
        add_sample(out, records, "outcome", record_skip_name((enum record_skip)i),
                   t->records.skipped[i]);
    begin_family(out, bytes, "Bytes of counted log objects.", openmetrics);
    add_sample(out, bytes, "form", "stored", t->bytes_read);
    add_sample(out, bytes, "form", "inflated", t->bytes_inflated);
}

enum status answers_metrics(struct answers *a, bool openmetrics, char **body, size_t *length,
                            struct error *err)
{
    struct dimension_set set;
    struct dimension_keys keys = {0};
    struct usage_query query = {.sets = &set, .set_count = 1, .max_rows = MAX_ROWS};
    struct usage_answer answer;
    struct buf text;
    enum status st = dimension_set_parse(
        VIEW_LIT("InferenceProfileType,ModelId,SourceRegion,InferenceRegion"), &keys, &set, err);
    if (st == ST_OK)
        st = usage_ask(a->options.usage, &query, &answer, err);
    if (st != ST_OK)
        return st;
    struct aggregate_rows *rows = aggregate_rows_new(answer.aggregate, 0);
    buf_init(&text, METRICS_CEILING);
    if (rows != NULL) {
        add_families(&text, answer.aggregate, rows, a->options.metrics, openmetrics);
        add_tally(&text, &answer.tally, openmetrics);
        if (openmetrics)
            buf_add_cstr(&text, "# EOF\n");
    }
    st = rows == NULL ? ST_NO_MEMORY : buf_status(&text);
    if (st == ST_OK) {
        *body = text.ptr;
        *length = text.len;
    } else {
        buf_clear(&text);
        (void)error_set(err, st, E_R113, "out of memory");
    }
    aggregate_rows_free(rows);
    aggregate_free(answer.aggregate);
    return st;
}

/* ---- page ---- */

void answers_page_release(struct page_document *document)
{
    if (document == NULL || --document->references > 0)
        return;
    free(document->json);
    free(document);
}

static const char several_lists[] =
    "Objects were counted with price lists of different dates; each keeps the price it was counted "
    "with.";

static enum status make_page(struct answers *a, struct page_document **out, uint64_t *version,
                             struct error *err)
{
    struct page_query query = {.first_step = a->page_step};
    struct usage_answer answer;
    struct buf text;
    int64_t now_ms = clock_wall_ms(); /* what is asked for is at least as new */
    enum status st = page_query_ask(a->options.usage, &query, &answer, &a->page_step, err);
    if (st != ST_OK)
        return st;
    page_query_keep_step(a->options.usage, a->page_step);
    *version = answer.version;
    struct page_document *document = calloc(1, sizeof(*document));
    buf_init(&text, PAGE_CEILING);
    st = document == NULL ? ST_NO_MEMORY : ST_OK;
    if (st == ST_OK) {
        (void)snprintf(document->version, sizeof(document->version), "%016llx-%llu",
                       (unsigned long long)a->process, (unsigned long long)*version);
        struct page page = {
            .aggregate = answer.aggregate,
            .tally = &answer.tally,
            .version = document->version,
            .generated = now_ms / 1000,
            .source = view_of(a->options.source),
            .prices_as_of = a->options.prices_as_of,
            .note = strchr(usage_prices(a->options.usage), ',') != NULL ? several_lists : NULL,
        };
        page_query_folds(a->options.usage, &answer, &page);
        st = page_add_json(&text, &page);
    }
    aggregate_free(answer.aggregate);
    if (st != ST_OK) {
        buf_clear(&text);
        free(document);
        return error_set(err, st, E_R113, "out of memory");
    }
    document->json = text.ptr;
    document->length = text.len;
    document->references = 1;
    *out = document;
    return ST_OK;
}

/* Make a new one and put it in place; called and returns with the mutex held. */
static void replace_page(struct answers *a)
{
    struct page_document *made = NULL;
    struct error err = {0};
    uint64_t version = 0;
    a->making = true;
    pthread_mutex_unlock(&a->page_mutex);
    int64_t begin = clock_steady_ms();
    enum status st = make_page(a, &made, &version, &err);
    pthread_mutex_lock(&a->page_mutex);
    a->making = a->wanted = false;
    a->page_fault = st;
    a->page_err = err;
    a->page_at_ms = clock_steady_ms();
    a->page_took_ms = a->page_at_ms - begin;
    if (st == ST_OK) {
        answers_page_release(a->page);
        a->page = made;
        a->page_version = version;
    }
    pthread_cond_broadcast(&a->page_changed);
}

static void *maker_main(void *context)
{
    struct answers *a = context;
    pthread_mutex_lock(&a->page_mutex);
    while (!a->ended) {
        if (a->wanted && !a->making)
            replace_page(a);
        else
            pthread_cond_wait(&a->page_changed, &a->page_mutex);
    }
    pthread_mutex_unlock(&a->page_mutex);
    return NULL;
}

static void refresh_page(struct answers *a)
{
    bool current = a->page != NULL && a->page_version == usage_version(a->options.usage);
    if (current || a->making)
        return;
    if (a->page != NULL && clock_steady_ms() - a->page_at_ms < a->page_took_ms * PAGE_SHARE)
        return;
    if (a->page != NULL && a->page_took_ms <= PAGE_QUICK_MS) {
        replace_page(a);
        return;
    }
    a->wanted = true;
    pthread_cond_broadcast(&a->page_changed);
}

enum status answers_page(struct answers *a, struct page_document **out, struct error *err)
{
    enum status st = ST_OK;
    pthread_mutex_lock(&a->page_mutex);
    refresh_page(a);
    while (a->page == NULL && (a->wanted || a->making) && !a->ended)
        pthread_cond_wait(&a->page_changed, &a->page_mutex);
    if (a->page != NULL) {
        a->page->references++;
        *out = a->page;
    } else {
        st = a->page_fault != ST_OK ? a->page_fault : ST_CANCELLED;
        *err = a->page_err;
    }
    pthread_mutex_unlock(&a->page_mutex);
    return st;
}

/* ---- life ---- */

struct answers *answers_new(const struct answers_options *options)
{
    struct answers *a = calloc(1, sizeof(*a));
    if (a == NULL)
        return NULL;
    a->options = *options;
    a->page_step = page_query_last_step(options->usage);
    pthread_mutex_init(&a->page_mutex, NULL);
    pthread_cond_init(&a->page_changed, NULL);
    if (getrandom(&a->process, sizeof(a->process), GRND_NONBLOCK) != (ssize_t)sizeof(a->process))
        a->process = (uint64_t)clock_steady_ms();
    /* The first page is ready when somebody asks. */
    a->wanted = true;
    a->has_maker = pthread_create(&a->maker, NULL, maker_main, a) == 0;
    if (!a->has_maker) {
        answers_free(a);
        return NULL;
    }
    return a;
}

void answers_end(struct answers *a)
{
    pthread_mutex_lock(&a->page_mutex);
    a->ended = true;
    pthread_cond_broadcast(&a->page_changed);
    pthread_mutex_unlock(&a->page_mutex);
}

void answers_free(struct answers *a)
{
    if (a == NULL)
        return;
    answers_end(a);
    if (a->has_maker)
        pthread_join(a->maker, NULL);
    answers_page_release(a->page);
    pthread_cond_destroy(&a->page_changed);
    pthread_mutex_destroy(&a->page_mutex);
    free(a);
}
