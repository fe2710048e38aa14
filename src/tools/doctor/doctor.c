/*
 * The order of the walk: the table of steps, what each is about and needs to be known before, and
 * the loop that takes them.  Whether a step can be taken is decided here and nowhere else.
 */
#include "tools/doctor/doctor.h"

#include <stdlib.h>

#include "config/variables.h"
#include "tools/doctor/walk.h"

/* What a step needs: NULL when it is known, else why the step is not checked; "" when there is
 * nothing to check, which is not worth a line. */
typedef const char *needs_fn(struct walk *w);

static const char *needs_roles(struct walk *w)
{
    (void)w;
    return !variable_given(VAR_ROLE_ARN) ? "" : NULL;
}

static const char *needs_bucket(struct walk *w)
{
    return w->bucket->missing       ? "the bucket does not exist"
           : w->bucket->unreachable ? "the bucket could not be looked at"
                                    : NULL;
}

static const char *needs_writer(struct walk *w)
{
    const struct walk_region *writer = walk_writer(w, w->bucket);
    const char *why = needs_bucket(w);
    if (why != NULL)
        return why;
    if (w->bucket->region[0] == '\0')
        return "the bucket could not be looked at";
    /* Bedrock writes only to buckets of its own Region; replicas arrive without it. */
    return writer == NULL || !view_eq_cstr(writer->name, w->bucket->region)
               ? "no logging configuration that writes to it is known"
               : NULL;
}

static const char *needs_queue(struct walk *w)
{
    return w->queue->known ? NULL : "the queue could not be looked at";
}

/* Both ends of the notification. */
static const char *needs_bucket_and_queue(struct walk *w)
{
    const char *why = needs_bucket(w);
    if (why != NULL)
        return why;
    if (w->bucket->queue == NULL)
        return "no queue in the bucket's Region";
    return w->bucket->queue->missing ? "the queue does not exist" : NULL;
}

/* The policy is among the queue's attributes. */
static const char *needs_queue_of_bucket(struct walk *w)
{
    const struct walk_queue *q = w->bucket->queue;
    if (q == NULL)
        return "no queue in the bucket's Region";
    if (w->bucket->missing)
        return "the bucket does not exist";
    w->subject = q->name;
    return q->known ? NULL : "the queue could not be looked at";
}

static const char *needs_function_as_consumer(struct walk *w)
{
    return w->options->consumer == CONSUMER_WORKER ? "a worker takes the messages" : needs_queue(w);
}

static const char *needs_mapping(struct walk *w)
{
    if (w->options->consumer == CONSUMER_WORKER)
        return "";
    const char *why = needs_queue(w);
    return why == NULL && w->queue->mapping == NULL ? "its mapping is not known" : why;
}

static const char *needs_function(struct walk *w)
{
    return w->queue->function == NULL ? "" : NULL;
}

static const char *needs_dead_letter_queue(struct walk *w)
{
    return w->queue->known && w->queue->attributes.dead_letter_arn[0] != '\0'
               ? NULL
               : "the dead-letter queue is not known";
}

static const char *needs_ledger(struct walk *w)
{
    w->subject = view_of(w->ledger);
    return w->ledger[0] == '\0' ? "" : NULL;
}

/* Without a ledger there is nothing to sweep by. */
static const char *needs_ledger_and_function(struct walk *w)
{
    return w->ledger[0] == '\0' || w->queue->function_name.len == 0 ? "" : NULL;
}

static const char *needs_metrics_place(struct walk *w)
{
    w->subject = view_of(w->name_space);
    return NULL;
}

static const char *needs_canary(struct walk *w)
{
    return w->options->canary ? NULL : "";
}

/* What a step is taken for, one after the other. */
enum group { ONCE, REGIONS, BUCKETS, QUEUES };

static const struct step {
    const char *name; /* as in --skip and the output */
    enum group group;
    needs_fn *needs; /* NULL: nothing */
    void (*run)(struct walk *w);
    const char *when_none; /* why it is not checked where the group is empty */
    bool together;         /* for each of the group right after the step before */
} steps[] = {
    {"roles", ONCE, needs_roles, walk_roles, NULL, false},
    {"bucket", BUCKETS, NULL, walk_bucket, "S3_BUCKET_NAME names none", false},
    {"logging", REGIONS, NULL, walk_logging, "neither bucket nor queue, so no Region to look in",
     false},
    {"objects", BUCKETS, needs_bucket, walk_objects, NULL, false},
    {"bucket-policy", BUCKETS, needs_writer, walk_bucket_policy, NULL, false},
    {"key", BUCKETS, needs_writer, walk_key, NULL, false},
    {"queue", QUEUES, NULL, walk_queue, "SQS_QUEUE_URL names none", false},
    {"notification", BUCKETS, needs_bucket_and_queue, walk_notification, NULL, false},
    {"queue-policy", BUCKETS, needs_queue_of_bucket, walk_queue_policy, NULL, false},
    {"mapping", QUEUES, needs_function_as_consumer, walk_mapping, NULL, false},
    {"function", QUEUES, needs_mapping, walk_function, NULL, true},
    {"concurrency", QUEUES, needs_function, walk_concurrency, NULL, true},
    {"log-group", QUEUES, needs_function, walk_log_group, NULL, true},
    {"dead-letters", QUEUES, needs_queue, walk_dead_letters, NULL, false},
    {"alarms", QUEUES, needs_dead_letter_queue, walk_alarms, NULL, false},
    {"visibility", QUEUES, needs_queue, walk_visibility, NULL, false},
    {"ledger", ONCE, needs_ledger, walk_ledger, NULL, false},
    {"schedule", QUEUES, needs_ledger_and_function, walk_schedule, NULL, false},
    {"backlog", QUEUES, needs_queue, walk_backlog, NULL, false},
    {"metrics", ONCE, needs_metrics_place, walk_metrics, NULL, false},
    {"publishing", ONCE, needs_metrics_place, walk_publishing, NULL, false},
    {"canary", BUCKETS, needs_canary, walk_canary, NULL, false},
};
enum { STEPS = sizeof(steps) / sizeof(steps[0]) };

const char *doctor_step_names(void)
{
    static char names[STEPS * 16];
    if (names[0] == '\0') {
        for (size_t i = 0; i < STEPS; i++)
            strcat(strcat(names, i > 0 ? ", " : ""), steps[i].name);
    }
    return names;
}

bool doctor_step_known(struct view name)
{
    for (size_t i = 0; i < STEPS; i++) {
        if (view_eq_cstr(name, steps[i].name))
            return true;
    }
    return false;
}

/* The Region, bucket or queue with this index, as what the step is about. */
static struct view choose(struct walk *w, enum group group, size_t index)
{
    w->at = group == REGIONS ? &w->regions[index] : NULL;
    w->bucket = group == BUCKETS ? &w->buckets[index] : NULL;
    w->queue = group == QUEUES ? &w->queues[index] : NULL;
    return w->at != NULL       ? w->at->name
           : w->bucket != NULL ? w->bucket->name
           : w->queue != NULL  ? w->queue->name
                               : VIEW_EMPTY;
}

static void take(struct walk *w, const struct step *s, size_t index)
{
    walk_begin(w, s->name, choose(w, s->group, index));
    const char *why = s->needs == NULL ? NULL : s->needs(w);
    if (why != NULL && why[0] == '\0')
        return;
    if (walk_listed(w->options->skip, view_of(s->name)))
        walk_not_checked(w, "left out by --skip");
    else if (why != NULL)
        walk_not_checked(w, "%s", why);
    else
        s->run(w);
}

static void take_all(struct walk *w)
{
    for (size_t i = 0, end; i < STEPS; i = end) {
        const struct step *first = &steps[i];
        if (first->group == REGIONS)
            walk_find_regions(w);
        const size_t sizes[] = {[ONCE] = 1,
                                [REGIONS] = w->region_count,
                                [BUCKETS] = w->bucket_count,
                                [QUEUES] = w->queue_count};
        size_t size = sizes[first->group];
        for (end = i + 1; end < STEPS && steps[end].together;)
            end++;
        for (size_t item = 0; item < size; item++) {
            for (size_t k = i; k < end; k++)
                take(w, &steps[k], item);
        }
        if (size == 0 && first->when_none != NULL) {
            walk_begin(w, first->name, VIEW_EMPTY);
            walk_not_checked(w, "%s", first->when_none);
        }
    }
}

/* Everything depends on configuration and credentials. */
static void take_none(struct walk *w, bool configured)
{
    const char *cause = findings_first_fault(w->f);
    cause = cause != NULL ? cause : "what is named above";
    if (!configured)
        walk_not_checked(w, "%s comes first", cause);
    for (size_t i = 0; i < STEPS; i++) {
        if (steps[i].run == walk_canary) /* nobody need have asked for it */
            continue;
        walk_begin(w, steps[i].name, VIEW_EMPTY);
        walk_not_checked(w, "%s comes first", cause);
    }
}

enum status doctor_run(const struct doctor_options *options, struct findings *findings)
{
    struct walk *w = calloc(1, sizeof(*w));
    if (w == NULL)
        return ST_NO_MEMORY;
    w->options = options;
    w->f = findings;
    w->env = aws_env_process();
    buf_init(&w->fix, WALK_TEXT);
    buf_init(&w->scratch, WALK_TEXT);
    walk_begin(w, "configuration", VIEW_EMPTY);
    bool configured = walk_configuration(w);
    walk_begin(w, "credentials", VIEW_EMPTY);
    if (configured && walk_credentials(w))
        take_all(w);
    else
        take_none(w, configured);
    for (size_t i = 0; i < w->queue_count; i++) {
        sqs_attributes_clear(&w->queues[i].attributes);
        json_decref(w->queues[i].mapping);
        json_decref(w->queues[i].function);
    }
    buf_clear(&w->fix);
    buf_clear(&w->scratch);
    aws_client_free(w->client);
    cred_chain_free(w->creds);
    aws_config_free(w->config);
    free(w);
    return findings->failed;
}
