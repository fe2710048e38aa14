#include "tools/doctor/walk.h"

#include <stdio.h>
#include <stdlib.h>

static const char *const steps[] = {
    "roles",     "bucket",       "logging",      "objects",    "bucket-policy", "key",
    "queue",     "notification", "queue-policy", "mapping",    "function",      "concurrency",
    "log-group", "dead-letters", "alarms",       "visibility", "ledger",        "schedule",
    "backlog",   "metrics",      "publishing",   "canary",
};

const char *doctor_step_names(void)
{
    return "roles, bucket, logging, objects, bucket-policy, key, queue, notification, "
           "queue-policy, mapping, function, concurrency, log-group, dead-letters, alarms, "
           "visibility, ledger, schedule, backlog, metrics, publishing, canary";
}

bool doctor_step_known(struct view name)
{
    for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
        if (view_eq_cstr(name, steps[i]))
            return true;
    }
    return false;
}

bool walk_wants(struct walk *w, const char *step, struct view subject)
{
    struct view rest = w->options->skip, part;
    while (rest.ptr != NULL && view_split(&rest, ',', &part)) {
        if (view_eq_cstr(view_trim(part), step)) {
            findings_not_checked(w->f, step, subject, "left out by --skip");
            return false;
        }
    }
    return true;
}

void walk_call_failed(struct walk *w, const char *step, struct view subject, enum status st,
                      const char *action, const struct error *err)
{
    if (st == ST_DENIED)
        findings_not_checked(w->f, step, subject, "needs the permission %s (%s)", action,
                             err->text);
    else
        findings_not_checked(w->f, step, subject, "%s",
                             err->text[0] != '\0' ? err->text : status_name(st));
}

void walk_add_word(struct buf *command, struct view word)
{
    static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
                                "_-./:=@,+%";
    bool quote = word.len == 0;
    for (size_t i = 0; i < word.len && !quote; i++)
        quote = word.ptr[i] == '\0' || strchr(plain, word.ptr[i]) == NULL;
    buf_add_char(command, ' ');
    if (!quote) {
        buf_add_view(command, word);
        return;
    }
    buf_add_char(command, '\'');
    for (size_t i = 0; i < word.len; i++) {
        if (word.ptr[i] == '\'')
            buf_add_cstr(command, "'\\''");
        else
            buf_add_char(command, word.ptr[i]);
    }
    buf_add_char(command, '\'');
}

void walk_command_start(struct buf *command, const char *text)
{
    buf_reset(command);
    buf_add_cstr(command, text);
}

void walk_command_option(struct buf *command, const char *option, struct view value)
{
    buf_add_char(command, ' ');
    buf_add_cstr(command, option);
    walk_add_word(command, value);
}

struct walk_region *walk_region_find(struct walk *w, struct view region)
{
    for (size_t i = 0; i < w->region_count; i++) {
        if (view_eq(w->regions[i].name, region))
            return &w->regions[i];
    }
    return NULL;
}

void walk_log_folder(const struct walk *w, const struct walk_region *region, struct buf *out)
{
    if (region != NULL && region->key_prefix[0] != '\0') {
        buf_add_cstr(out, region->key_prefix);
        buf_add_char(out, '/');
    }
    buf_printf(out, "AWSLogs/%s/BedrockModelInvocationLogs/", w->account);
}

void walk_age(int64_t seconds, char out[32])
{
    static const struct {
        int64_t of;
        const char *name;
    } units[] = {{86400, "days"}, {3600, "hours"}, {60, "minutes"}, {1, "seconds"}};
    size_t u = 0;
    if (seconds < 0)
        seconds = 0;
    while (u < 3 && seconds < 2 * units[u].of)
        u++;
    (void)snprintf(out, 32, "%lld %s", (long long)(seconds / units[u].of), units[u].name);
}

/* A step of every bucket, or of every queue. */
static void each_bucket(struct walk *w, void (*step)(struct walk *, struct walk_bucket *))
{
    for (size_t i = 0; i < w->bucket_count; i++)
        step(w, &w->buckets[i]);
}

static void each_queue(struct walk *w, void (*step)(struct walk *, struct walk_queue *))
{
    for (size_t i = 0; i < w->queue_count; i++)
        step(w, &w->queues[i]);
}

/* What rests on configuration and credentials is everything. */
static void nothing_else(struct walk *w, bool credentials_too)
{
    const char *cause = findings_first_fault(w->f);
    if (cause == NULL)
        cause = "what is named above";
    if (credentials_too)
        findings_not_checked(w->f, "credentials", VIEW_EMPTY, "%s comes first", cause);
    for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]) - 1; i++)
        findings_not_checked(w->f, steps[i], VIEW_EMPTY, "%s comes first", cause);
}

static void walk_all(struct walk *w)
{
    if (!walk_configuration(w)) {
        nothing_else(w, true);
        return;
    }
    if (!walk_credentials(w)) {
        nothing_else(w, false);
        return;
    }
    walk_roles(w);
    if (w->bucket_count == 0)
        findings_not_checked(w->f, "bucket", VIEW_EMPTY, "S3_BUCKET_NAME names none");
    each_bucket(w, walk_bucket_there);
    walk_logging(w);
    w->objects_known = w->bucket_count > 0;
    each_bucket(w, walk_objects);
    each_bucket(w, walk_bucket_policy);
    each_bucket(w, walk_key);
    if (w->queue_count == 0)
        findings_not_checked(w->f, "queue", VIEW_EMPTY, "SQS_QUEUE_URL names none");
    each_queue(w, walk_queue_there);
    each_bucket(w, walk_notification);
    each_bucket(w, walk_queue_policy);
    each_queue(w, walk_function);
    each_queue(w, walk_dead_letters);
    each_queue(w, walk_alarms);
    each_queue(w, walk_visibility);
    walk_ledger(w);
    each_queue(w, walk_schedule);
    each_queue(w, walk_backlog);
    walk_metrics(w);
    walk_canary(w);
}

enum status doctor_run(const struct doctor_options *options, struct findings *findings)
{
    struct walk *w = calloc(1, sizeof(*w));
    if (w == NULL)
        return ST_NO_MEMORY;
    w->options = options;
    w->f = findings;
    w->env = aws_env_process();
    walk_all(w);
    for (size_t i = 0; i < w->queue_count; i++)
        sqs_attributes_clear(&w->queues[i].attributes);
    aws_client_free(w->client);
    cred_chain_free(w->creds);
    aws_config_free(w->config);
    free(w);
    return findings->failed;
}
