/*
 * Groups are filled while messages are read, and published when the round is full.  The bound of a
 * group's data counts those that two messages share twice, so it is made exact before a group is
 * closed.
 */
#include "deliver/groups.h"

#include <pthread.h>
#include <stdlib.h>

#include "base/array.h"
#include "base/log.h"
#include "deliver/intake.h"

struct group {
    struct aggregate *sums;
    uint64_t data_bound; /* at most so many data */
    bool broken;         /* memory ran out while a message joined: all of it is returned */
    bool folded;         /* its series are capped; nobody joins it any more */
    bool done;           /* published or returned */
    struct round_message **members;
    size_t count, capacity;
};

struct groups {
    const struct run_settings *settings;
    struct batch_options batch;
    pthread_mutex_t mutex; /* guards the rest while messages join */
    struct group *list;
    size_t count, capacity;
};

struct groups *groups_new(const struct run_settings *settings)
{
    struct groups *g = calloc(1, sizeof(*g));
    if (g == NULL)
        return NULL;
    g->settings = settings;
    g->batch = settings_batch(settings, 0);
    pthread_mutex_init(&g->mutex, NULL);
    return g;
}

void groups_free(struct groups *g)
{
    if (g == NULL)
        return;
    for (size_t i = 0; i < g->count; i++) {
        aggregate_free(g->list[i].sums);
        free(g->list[i].members);
    }
    free(g->list);
    pthread_mutex_destroy(&g->mutex);
    free(g);
}

/* The last group if so many more data fit into its request, else a new one; NULL: no memory. */
static struct group *group_for(struct groups *g, uint64_t data)
{
    struct group *last = g->count > 0 ? &g->list[g->count - 1] : NULL;
    if (last != NULL && last->data_bound + data > BATCH_MAX_DATA)
        last->data_bound = batch_count_data(last->sums, &g->batch);
    /* Where memory is short, sums change hands instead of being added up. */
    if (last != NULL && !last->broken && !last->folded &&
        last->data_bound + data <= BATCH_MAX_DATA &&
        !aggregate_bound_is_used(g->settings->bound, 90))
        return last;
    struct counter_options options = settings_counter(g->settings);
    if (!array_room(&g->list, g->count, &g->capacity, 8, sizeof(*g->list)))
        return NULL;
    struct group *fresh = &g->list[g->count];
    *fresh = (struct group){.sums = aggregate_new(&options.aggregate)};
    g->count += fresh->sums != NULL;
    return fresh->sums != NULL ? fresh : NULL;
}

enum status groups_join(struct groups *g, struct round_message *m, struct aggregate *sums)
{
    uint64_t data = batch_count_data(sums, &g->batch);
    enum status st = ST_OK;
    if (data == 0)
        return st;
    pthread_mutex_lock(&g->mutex);
    struct group *group = group_for(g, data);
    if (group == NULL || !array_room(&group->members, group->count, &group->capacity, 16,
                                     sizeof(struct round_message *)))
        st = ST_NO_MEMORY;
    if (st == ST_OK) {
        st = aggregate_move(group->sums, sums);
        group->broken = st != ST_OK; /* half of the message may be in */
        object_counter_log_overflow(VIEW_EMPTY, m->id, aggregate_take_overflow(group->sums));
    }
    if (st == ST_OK) {
        group->members[group->count++] = m;
        group->data_bound += data;
    }
    pthread_mutex_unlock(&g->mutex);
    return st;
}

/* ---- publishing ---- */

static void return_group(struct group *group, enum status st, const struct error *err,
                         struct round_summary *s)
{
    for (size_t i = 0; i < group->count; i++) {
        struct round_message *m = group->members[i];
        m->held = false;
        m->status = intake_fail(m, st, err->code, VIEW_EMPTY,
                                err->text[0] != '\0' ? err->text : status_name(st));
        intake_return(m, s);
    }
    group->done = true;
}

static void log_failure(const struct group *group, enum status st, bool partial,
                        const u128 sums[METRIC_COUNT], const struct error *err)
{
    if (st == ST_IN_DOUBT)
        LOG_FAULT(LOG_ERROR, E_P101,
                  "publish in doubt: it may be counted twice when its messages are delivered again",
                  log_cstr("metric", "InDoubtPublishes"), log_u64("messages", group->count),
                  log_u64("tokens", (uint64_t)sums[METRIC_TOTAL]), log_cstr("reason", err->text));
    if (partial)
        LOG_FAULT(LOG_ERROR, E_P103,
                  "publish failed in part: what was accepted counts twice when its messages are "
                  "delivered again",
                  log_u64("messages", group->count), log_cstr("reason", err->text));
}

/* `earlier`: a failure before this one that all requests would meet; it is not tried then. */
static enum status publish_group(struct group *group, const struct groups_publishing *how,
                                 const struct batch_options *options, enum status earlier,
                                 struct round_summary *s, struct error *err)
{
    struct batch_dropped dropped = {0};
    u128 sums[METRIC_COUNT];
    bool partial = false;
    aggregate_totals(group->sums, sums);
    enum status st = group->broken ? ST_NO_MEMORY : earlier;
    if (st == ST_OK && how->is_over(how->context))
        st = ST_CANCELLED;
    if (st != ST_OK) {
        s->published.failed += !how->hold;
        (void)error_set(err, st, E_Q104, "not published: %s",
                        st == ST_DENIED      ? "denied before"
                        : st == ST_NO_MEMORY ? "out of memory"
                        : st == ST_RETRY     ? "an earlier request failed"
                        : how->ordered       ? "after a message that failed"
                                             : "no time left");
    } else {
        st = publish_sums(how->sink, group->sums, options, &s->published, &dropped, &partial, err);
        batch_dropped_add(&s->dropped, &dropped);
        s->partial += partial && st != ST_OK;
        log_failure(group, st, partial && st != ST_OK, sums, err);
    }
    for (size_t i = 0; i < group->count; i++)
        group->members[i]->held = how->hold && !partial && (st == ST_RETRY || st == ST_DENIED);
    group->done = !group->members[0]->held;
    if (st == ST_OK)
        round_summary_add_sums(s, sums, &dropped, true);
    for (size_t i = 0; i < group->count && st == ST_OK; i++)
        group->members[i]->status = ST_OK;
    if (st != ST_OK && group->done)
        return_group(group, st, err, s);
    return st;
}

/*
 * The cap on series is the round's, not a group's: which series keep their names is decided by the
 * sums of all groups that are new.
 */
static enum status fold(const struct groups *g, struct round_summary *s)
{
    struct counter_options options = settings_counter(g->settings);
    size_t limit = (size_t)g->settings->max_series, fresh = 0;
    struct group *last = NULL;
    enum status st = ST_OK;
    for (size_t i = 0; i < g->count; i++) {
        if (!g->list[i].folded)
            last = &g->list[i];
        fresh += !g->list[i].folded;
    }
    if (fresh == 0)
        return ST_OK;
    if (fresh == 1) {
        last->folded = true;
        return aggregate_fold(last->sums, 0, limit, &s->series_folded);
    }
    uint64_t folded = 0;
    options.aggregate.interval_seconds = 0;
    options.aggregate.statistics = false;
    options.aggregate.bound = NULL; /* of its own: it is gone before anything is sent */
    struct aggregate *all = aggregate_new(&options.aggregate);
    if (all == NULL)
        return ST_NO_MEMORY;
    for (size_t i = 0; i < g->count && st == ST_OK; i++) {
        if (!g->list[i].folded)
            st = aggregate_merge(all, g->list[i].sums, 0);
    }
    if (st == ST_OK)
        st = aggregate_fold(all, 0, limit, &folded);
    for (size_t i = 0; i < g->count && st == ST_OK; i++) {
        if (!g->list[i].folded && folded > 0)
            st = aggregate_fold_as(g->list[i].sums, all);
        g->list[i].folded = true;
    }
    s->series_folded += folded;
    aggregate_free(all);
    return st;
}

/* What all further requests would meet too, so that they are not tried.  A doubtful one ends a
 * round that holds: what follows must not be in doubt as well. */
static enum status outlook(enum status earlier, enum status st, const struct groups_publishing *how)
{
    if (st == ST_DENIED || st == ST_CANCELLED)
        return st;
    if (how->hold && (st == ST_RETRY || st == ST_IN_DOUBT))
        return ST_RETRY;
    /* Groups of a FIFO queue are in its order, and nothing goes out after a failure. */
    return how->ordered && st != ST_OK ? ST_CANCELLED : earlier;
}

enum status groups_publish(struct groups *g, const struct groups_publishing *how,
                           struct round_summary *summary, struct error *err)
{
    const struct error none = {0};
    struct batch_options options = g->batch;
    enum status earlier = how->earlier, st = fold(g, summary);
    options.now_s = how->now_s;
    for (size_t i = 0; i < g->count; i++) {
        struct group *group = &g->list[i];
        if (group->count == 0 || group->done)
            continue;
        if (st != ST_OK) {
            return_group(group, st, &none, summary);
            continue;
        }
        struct error why = {0};
        enum status published = publish_group(group, how, &options, earlier, summary, &why);
        enum status next = outlook(earlier, published, how);
        if (earlier == ST_OK && next != ST_OK)
            *err = why;
        earlier = next;
    }
    return earlier;
}

bool groups_hold(const struct groups *g)
{
    bool any = false;
    for (size_t i = 0; g != NULL && i < g->count && !any; i++)
        any = g->list[i].count > 0 && !g->list[i].done;
    return any;
}

void groups_give_up(struct groups *g, enum status st, const struct error *err,
                    struct round_summary *summary)
{
    for (size_t i = 0; g != NULL && i < g->count; i++) {
        if (g->list[i].count > 0 && !g->list[i].done)
            return_group(&g->list[i], st, err, summary);
    }
}
