/*
 * A round, of either kind: its clients and deadlines, and the way of its messages from being added
 * to being published.
 */
#include "deliver/round.h"

#include <pthread.h>
#include <stdlib.h>

#include "aws/cloudwatch.h"
#include "deliver/groups.h"
#include "deliver/intake.h"
#include "deliver/round_log.h"
#include "objects/source_s3.h"

/* A message that is being read, or waits for it. */
struct reading {
    struct reading *next;
    struct intake_message intake;
    bool opened;
    bool tried;             /* in the publish under way, or since the last one */
    struct aggregate *sums; /* of those of its objects that were read; NULL: of none */
};

struct round {
    struct round_options options;
    struct run_settings *settings;
    struct aws_clock clock;
    struct aws_pool *pools[SETTINGS_MAX_ROLES + 1]; /* of each role, and our own */
    size_t pool_count;
    struct aws_client *publisher;
    int64_t read_deadline_ms, publish_deadline_ms;
    pthread_mutex_t mutex; /* guards the summary while messages are read */
    struct round_summary summary;
    bool ordered;      /* messages of a FIFO queue: one reader, groups in their order */
    bool order_broken; /* one of them failed in this round */
    bool order_waits;  /* one of them waits, and those after it with it */
    /* Messages that wait, in their order: with a ledger all, which are read when the round is
     * published, else those that are held because an object could not be read. */
    struct reading *first, **last;
    bool halted;
    struct error why;          /* the last failure that is held for */
    struct exact_round *exact; /* NULL: no ledger */
    /* Without one, of the round under way: made with its first message. */
    struct reader_pool *readers;
    struct groups *groups;
    struct publish_sink sink;
};

static int64_t now_ms(const struct round *r)
{
    return r->clock.steady_ms(r->clock.ctx);
}

/* ---- life ---- */

enum status round_new(struct round **out, const struct round_options *options, struct error *err)
{
    *out = NULL;
    struct round *r = calloc(1, sizeof(*r));
    if (r == NULL)
        return error_set(err, ST_NO_MEMORY, E_R113, "out of memory");
    r->options = *options;
    r->settings = options->settings;
    r->clock = aws_clock_system();
    r->read_deadline_ms = r->publish_deadline_ms = INT64_MAX;
    r->last = &r->first;
    pthread_mutex_init(&r->mutex, NULL);
    struct aws_client_options client = settings_aws_client(options->aws);
    client.stop = options->stop_calls;
    enum status st = ST_OK;
    for (size_t i = 0; i <= options->aws->role_count && st == ST_OK; i++) {
        client.creds = settings_aws_creds(options->aws, i);
        r->pools[i] = aws_pool_new(&client);
        r->pool_count++;
        if (r->pools[i] == NULL)
            st = error_set(err, ST_NO_MEMORY, E_R113, "out of memory");
    }
    if (st == ST_OK)
        st = settings_ask_profiles(r->settings, &client, err);
    client.stop = options->stop_publish;
    if (st == ST_OK)
        st = aws_client_new(&r->publisher, &client, err);
    bool cloudwatch = r->settings->publisher == PUBLISHER_CLOUDWATCH;
    r->sink = (struct publish_sink){.client = cloudwatch ? r->publisher : NULL,
                                    .region = r->settings->cloudwatch_region,
                                    .fd = options->emf_fd};
    if (st == ST_OK && options->ledger != NULL) {
        struct exact_round_options exact = {.settings = options->settings,
                                            .session = options->ledger,
                                            .aws = options->aws,
                                            .pools = r->pools,
                                            .publisher = r->publisher,
                                            .readers = options->readers,
                                            .open = options->open,
                                            .counter = options->counter,
                                            .report = options->report,
                                            .probe = options->hold,
                                            .stop = options->stop,
                                            .stop_publish = options->stop_publish};
        st = cloudwatch ? exact_round_new(&r->exact, &exact, err)
                        : error_set(err, ST_USAGE, E_U222, "LEDGER needs PUBLISHER=cloudwatch");
    }
    if (st != ST_OK) {
        round_free(r);
        return st;
    }
    *out = r;
    return ST_OK;
}

static void free_reading(struct reading *rd)
{
    aggregate_free(rd->sums);
    free(rd);
}

void round_free(struct round *r)
{
    if (r == NULL)
        return;
    reader_pool_free(r->readers);
    groups_free(r->groups);
    exact_round_free(r->exact);
    for (size_t i = 0; i < r->pool_count; i++)
        aws_pool_free(r->pools[i]);
    while (r->first != NULL) {
        struct reading *next = r->first->next;
        intake_forget(&r->first->intake);
        free_reading(r->first);
        r->first = next;
    }
    aws_client_free(r->publisher);
    pthread_mutex_destroy(&r->mutex);
    free(r);
}

void round_set_deadlines(struct round *r, int64_t read_ms, int64_t publish_ms)
{
    r->read_deadline_ms = read_ms;
    r->publish_deadline_ms = publish_ms;
    for (size_t i = 0; i < r->pool_count; i++)
        aws_pool_set_deadline(r->pools[i], read_ms);
    aws_client_set_deadline(r->publisher, publish_ms);
    if (r->exact != NULL)
        exact_round_set_deadlines(r->exact, read_ms, publish_ms);
    if (r->options.ledger != NULL && r->options.ledger->pool != NULL)
        aws_pool_set_deadline(r->options.ledger->pool, publish_ms);
}

void round_forget_connections(struct round *r)
{
    for (size_t i = 0; i < r->pool_count; i++)
        aws_pool_forget_connections(r->pools[i]);
    http_forget_connections(aws_client_http(r->publisher));
    if (r->options.ledger != NULL && r->options.ledger->pool != NULL)
        aws_pool_forget_connections(r->options.ledger->pool);
}

struct exact_round *round_exact(struct round *r)
{
    return r->exact;
}

struct aws_client *round_client(struct round *r)
{
    return r->publisher;
}

/* ---- adding ---- */

static bool is_late(const struct round *r)
{
    return aws_stop_asked(&r->options.stop) || now_ms(r) >= r->read_deadline_ms;
}

/* Objects after the first that fails are not read: they wait, or are returned, with their message. */
static void read_objects(struct round *r, struct reader *reader, struct intake_message *im)
{
    bool failed = false;
    for (size_t i = 0; i < im->count && !failed; i++) /* of a foreign bucket */
        failed = intake_is_decided(&im->objects[i]) && im->objects[i].read.status == ST_DENIED;
    for (size_t i = 0; i < im->count && !failed; i++) {
        struct round_object *o = &im->objects[i];
        struct s3_get get = {.bucket = o->read.bucket, .key = o->read.key, .region = o->region};
        struct byte_stream *stream = NULL;
        size_t role = settings_aws_role(r->options.aws, get.bucket);
        if (intake_is_good(o)) /* read before, when another failed */
            continue;
        o->read.err = (struct error){0};
        enum status opened = is_late(r)
                                 ? error_set(&o->read.err, ST_CANCELLED, E_Q101, "no time left")
                                 : s3_stream_open(r->pools[role], &get, &stream, &o->read.err);
        enum status st = reader_count(reader, &o->read, opened, stream);
        failed = st != ST_OK && st != ST_MISSING;
    }
}

static void open_message(struct round *r, struct reading *rd)
{
    struct round_message *m = rd->intake.message;
    m->held = false;
    if (rd->opened) {
        m->status = ST_OK;
        m->retry_after_ms = 0;
        return;
    }
    rd->opened = true;
    intake_open(&rd->intake, m, r->settings->buckets);
    if (m->status == ST_OK && rd->intake.count == 0 && is_late(r))
        m->status = intake_fail(m, ST_CANCELLED, E_Q101, VIEW_EMPTY, "no time left");
}

static void wait_for_another(struct round *r, struct reading *rd)
{
    struct round_message *m = rd->intake.message;
    m->held = true;
    pthread_mutex_lock(&r->mutex);
    if (m->err.text[0] != '\0')
        r->why = m->err;
    rd->next = NULL;
    rd->tried = true;
    *r->last = rd;
    r->last = &rd->next;
    pthread_mutex_unlock(&r->mutex);
}

/* Whether a message that failed is to be tried again here, and not by whoever receives it next. */
static bool may_wait(const struct round *r, const struct round_message *m)
{
    return r->options.hold && m->status == ST_RETRY && !is_late(r);
}

/* What the reader has read of a message joins what was read of it before. */
static enum status keep_sums(struct round *r, struct reading *rd, struct aggregate *sums)
{
    struct counter_options options = settings_counter(r->settings);
    if (sums == NULL)
        return ST_OK;
    if (rd->sums == NULL)
        rd->sums = aggregate_new(&options.aggregate);
    return rd->sums == NULL ? ST_NO_MEMORY : aggregate_move(rd->sums, sums);
}

/* A FIFO queue has one reader, so `order_broken` and `order_waits` need no lock. */
static void read_message(void *context, struct reader *reader, void *job)
{
    struct round *r = context;
    struct reading *rd = job;
    struct round_message *m = rd->intake.message;
    enum status st = ST_OK;
    open_message(r, rd);
    if (m->status == ST_OK && m->ordered && r->order_waits) {
        wait_for_another(r, rd);
        return;
    }
    if (m->status == ST_OK && m->ordered && r->order_broken)
        m->status = intake_fail(m, ST_CANCELLED, E_Q103, VIEW_EMPTY, "after a message that failed");
    if (m->status == ST_OK)
        read_objects(r, reader, &rd->intake);
    intake_judge(&rd->intake);
    struct aggregate *sums = reader_sums(reader);
    bool waits = may_wait(r, m);
    if (waits || (m->status == ST_OK && rd->sums != NULL))
        st = keep_sums(r, rd, sums);
    struct aggregate *all = rd->sums != NULL ? rd->sums : sums;
    if (m->status == ST_OK && all != NULL && st == ST_OK)
        st = groups_join(r->groups, m, all);
    if (st != ST_OK) {
        m->status = intake_fail(m, ST_NO_MEMORY, E_R113, VIEW_EMPTY, "out of memory");
        waits = false;
    }
    if (sums != NULL)
        aggregate_reset(sums);
    r->order_waits = r->order_waits || (m->ordered && waits);
    if (waits) {
        wait_for_another(r, rd);
        return;
    }
    if (m->ordered && m->status != ST_OK)
        r->order_broken = true;
    pthread_mutex_lock(&r->mutex);
    intake_close(&rd->intake, true, &r->summary);
    pthread_mutex_unlock(&r->mutex);
    free_reading(rd);
}

/* The round ends without it. */
static void return_unread(struct round *r, struct round_message *m)
{
    m->retry_after_ms = 0;
    m->status = intake_fail(m, ST_NO_MEMORY, E_R113, VIEW_EMPTY, "out of memory");
    r->summary.messages++;
    intake_return(m, &r->summary);
}

/* The pool and the groups of a round without a ledger, from its first message on. */
static bool begin_reading(struct round *r)
{
    struct reader_pool_options readers = {.counter = settings_counter(r->settings),
                                          .readers = r->ordered ? 1 : r->options.readers,
                                          .run = read_message,
                                          .context = r};
    if (r->readers == NULL)
        r->readers = reader_pool_new(&readers);
    if (r->groups == NULL)
        r->groups = groups_new(r->settings);
    return r->readers != NULL && r->groups != NULL;
}

void round_add(struct round *r, struct round_message *const *messages, size_t n)
{
    int64_t began = now_ms(r);
    for (size_t i = 0; i < n; i++)
        r->ordered = r->ordered || messages[i]->ordered;
    bool ready = r->exact != NULL || begin_reading(r);
    for (size_t i = 0; i < n; i++) {
        struct reading *rd = ready ? calloc(1, sizeof(*rd)) : NULL;
        if (rd == NULL) {
            return_unread(r, messages[i]);
            continue;
        }
        rd->intake.message = messages[i];
        if (r->exact == NULL) {
            reader_pool_add(r->readers, rd);
            continue;
        }
        *r->last = rd;
        r->last = &rd->next;
    }
    if (r->exact == NULL && ready) {
        reader_pool_finish(r->readers);
        r->summary.ms_read += now_ms(r) - began;
    }
}

/* ---- publishing ---- */

static bool is_over(void *context)
{
    const struct round *r = context;
    return now_ms(r) >= r->publish_deadline_ms || aws_stop_asked(&r->options.stop_publish);
}

/* All messages that wait, which are then nobody's; NULL: none. */
static struct reading *take_waiting(struct round *r)
{
    struct reading *all = r->first;
    r->first = NULL;
    r->last = &r->first;
    return all;
}

/* Those that have waited since the last publish are tried again; the others were just tried. */
static void read_again(struct round *r)
{
    int64_t began = now_ms(r);
    struct reading *next, *all = take_waiting(r);
    bool ready = all == NULL || begin_reading(r);
    r->order_waits = false;
    for (; all != NULL; all = next) {
        next = all->next;
        bool again = !all->tried && ready;
        if (!again)
            wait_for_another(r, all);
        else
            reader_pool_add(r->readers, all);
        r->order_waits = r->order_waits || (!again && all->intake.message->ordered);
    }
    if (r->readers != NULL)
        reader_pool_finish(r->readers);
    for (struct reading *rd = r->first; rd != NULL; rd = rd->next)
        rd->tried = false;
    r->summary.ms_read += now_ms(r) - began;
}

static void publish_exact(struct round *r)
{
    struct round_object **objects = NULL;
    struct reading *next, *all = take_waiting(r);
    size_t count = 0, most = 0;
    for (struct reading *rd = all; rd != NULL; rd = rd->next) {
        open_message(r, rd);
        most += rd->intake.count;
    }
    objects = calloc(most + 1, sizeof(struct round_object *));
    for (struct reading *rd = all; rd != NULL; rd = rd->next) {
        struct intake_message *im = &rd->intake;
        struct round_message *m = im->message;
        if (objects == NULL && m->status == ST_OK)
            m->status = intake_fail(m, ST_NO_MEMORY, E_R113, VIEW_EMPTY, "out of memory");
        for (size_t k = 0; k < im->count && objects != NULL; k++) {
            struct round_object *o = &im->objects[k];
            if (intake_is_decided(o) && o->read.status == ST_RETRY)
                o->read.tally = (struct tally){0}; /* held: it is tried again */
            if (!intake_is_decided(o))
                objects[count++] = o;
        }
    }
    if (count > 0)
        exact_round_count(r->exact, objects, count, &r->summary);
    free(objects);
    for (; all != NULL; all = next) {
        struct round_message *m = all->intake.message;
        next = all->next;
        intake_judge(&all->intake);
        if (m->ordered && r->order_broken && m->status == ST_OK)
            m->status =
                intake_fail(m, ST_CANCELLED, E_Q103, VIEW_EMPTY, "after a message that failed");
        if (may_wait(r, m)) {
            wait_for_another(r, all);
            continue;
        }
        r->order_broken = r->order_broken || (m->ordered && m->status != ST_OK);
        intake_close(&all->intake, false, &r->summary);
        free_reading(all);
    }
}

static void publish_groups(struct round *r)
{
    struct groups_publishing how = {.sink = &r->sink,
                                    .now_s = aws_client_now_s(r->publisher),
                                    .ordered = r->ordered,
                                    .hold = r->options.hold && r->sink.client != NULL,
                                    .is_over = is_over,
                                    .context = r};
    if (r->halted) {
        how.earlier = cloudwatch_probe(r->publisher, r->settings->cloudwatch_region,
                                       r->settings->name_space, &r->why);
        how.earlier = how.earlier == ST_OK ? ST_OK : ST_RETRY;
    }
    r->halted = false;
    if (r->groups == NULL && how.earlier == ST_OK)
        return;
    struct error why = {0};
    enum status st =
        r->groups == NULL ? how.earlier : groups_publish(r->groups, &how, &r->summary, &why);
    r->halted = how.hold && (st == ST_RETRY || st == ST_DENIED);
    if (why.text[0] != '\0')
        r->why = why;
}

static void end_round(struct round *r, struct round_summary *summary)
{
    reader_pool_free(r->readers);
    r->readers = NULL;
    if (!groups_hold(r->groups)) {
        groups_free(r->groups);
        r->groups = NULL;
    }
    if (r->groups == NULL && r->first == NULL)
        r->ordered = r->order_broken = r->order_waits = false;
    if (!r->options.hold || r->summary.messages + r->summary.returned > 0 ||
        r->summary.published.requests > 0)
        round_log(&r->summary, r->settings, r->options.ledger);
    *summary = r->summary;
    r->summary = (struct round_summary){0};
}

void round_publish(struct round *r, struct round_summary *summary)
{
    int64_t began = now_ms(r);
    if (r->exact != NULL) {
        publish_exact(r);
        began += r->summary.ms_read;
    } else {
        if (r->first != NULL)
            read_again(r);
        began = now_ms(r);
        publish_groups(r);
    }
    r->summary.ms_publish = now_ms(r) - began;
    end_round(r, summary);
}

/* ---- holding ---- */

struct round_state round_state(const struct round *r)
{
    struct round_state s = {.unsent = groups_hold(r->groups),
                            .halted =
                                r->halted || (r->exact != NULL && exact_round_halted(r->exact)),
                            .why = r->why};
    for (const struct reading *rd = r->first; rd != NULL; rd = rd->next) {
        int64_t after = rd->intake.message->retry_after_ms;
        s.unread++;
        if (after > 0 && (s.retry_after_ms == 0 || after < s.retry_after_ms))
            s.retry_after_ms = after;
    }
    return s;
}

void round_give_up(struct round *r, bool stopped, struct round_summary *summary)
{
    struct reading *next, *all = take_waiting(r);
    struct error why = {0};
    enum status st = stopped ? error_set(&why, ST_CANCELLED, E_Q127, "asked to stop")
                             : error_set(&why, ST_RETRY, E_Q127, "held for too long");
    for (; all != NULL; all = next) {
        struct round_message *m = all->intake.message;
        next = all->next;
        m->held = false;
        if (stopped || m->err.text[0] == '\0')
            m->status = intake_fail(m, st, why.code, VIEW_EMPTY, why.text);
        intake_close(&all->intake, r->exact == NULL, &r->summary);
        free_reading(all);
    }
    groups_give_up(r->groups, st, &why, &r->summary);
    end_round(r, summary);
}
