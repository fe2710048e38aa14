/* walk_setup.c: the settings, and who we are. */
#include <stdio.h>
#include <stdlib.h>

#include "aws/sts.h"
#include "config/config.h"
#include "config/settings.h"
#include "tools/doctor/walk.h"

static const char step[] = "configuration";

static void bad_variable(struct walk *w, const char *name, const char *text)
{
    /* Most texts begin with the variable's name already, which is the subject here. */
    size_t n = strlen(name);
    if (strncmp(text, name, n) == 0 && strncmp(text + n, ": ", 2) == 0)
        text += n + 2;
    findings_add(w->f, CODE_VARIABLE, step, view_of(name),
                 VIEW_LIT("set the variable to a value that can be used, or leave it unset"), "%s",
                 text);
}

static void check_numbers(struct walk *w)
{
    static const struct {
        const char *name;
        uint64_t low, high;
    } numbers[] = {
        {"BATCH_SIZE", 1, 10000},
        {"FLUSH_INTERVAL", 0, 900},
        {"LEDGER_TTL_DAYS", 17, 3650},
    };
    struct error err = {0};
    for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
        uint64_t unused;
        if (config_get_u64(numbers[i].name, numbers[i].low, numbers[i].low, numbers[i].high,
                           &unused, &err) != ST_OK)
            bad_variable(w, numbers[i].name, err.text);
    }
}

/* What the worker and the function read before any work; the text begins with the variable. */
static void check_publishing(struct walk *w)
{
    struct error err = {0};
    struct run_settings *s = calloc(1, sizeof(*s));
    enum status st = s == NULL ? ST_NO_MEMORY : settings_load_publishing(s, &err);
    if (st != ST_OK) {
        char name[64];
        int n = (int)strcspn(err.text, ": ");
        (void)snprintf(name, sizeof(name), "%.*s", n, err.text);
        bad_variable(w, name, err.text);
    }
    if (s != NULL)
        settings_clear(s);
    free(s);
    (void)snprintf(w->name_space, sizeof(w->name_space), "%.255s",
                   config_get("CLOUDWATCH_NAMESPACE", "Custom/BedrockMetrics"));
    const char *ledger = config_get("LEDGER", "");
    (void)snprintf(w->ledger, sizeof(w->ledger), "%.511s",
                   strcmp(ledger, "none") == 0 ? "" : ledger);
    w->ledger_region = w->region;
    w->emf = strcmp(config_get("PUBLISHER", "cloudwatch"), "emf") == 0;
}

static void check_choice(struct walk *w, const char *name, const char *a, const char *b,
                         const char *c, const char *d)
{
    const char *value = config_get(name, a);
    const char *const known[] = {a, b, c, d};
    char text[160];
    for (size_t i = 0; i < 4; i++) {
        if (known[i] != NULL && strcmp(value, known[i]) == 0)
            return;
    }
    (void)snprintf(text, sizeof(text), "\"%.60s\" is unknown; known are %s, %s%s%s%s%s", value, a,
                   b, c != NULL ? ", " : "", c != NULL ? c : "", d != NULL ? ", " : "",
                   d != NULL ? d : "");
    bad_variable(w, name, text);
}

static void choose_metrics_region(struct walk *w)
{
    const char *name = config_get("CLOUDWATCH_REGION", NULL);
    struct view region = name != NULL ? view_of(name) : w->region;
    if (!aws_region_valid(region)) /* named already; the rest is looked at all the same */
        region = w->region;
    (void)snprintf(w->metrics_region, sizeof(w->metrics_region), "%.*s", (int)region.len,
                   region.ptr == NULL ? "" : region.ptr);
}

static void check_buckets(struct walk *w)
{
    const struct view name = VIEW_LIT("S3_BUCKET_NAME");
    const struct view mend = VIEW_LIT("export S3_BUCKET_NAME=BUCKET (the bucket of \"aws bedrock "
                                      "get-model-invocation-logging-configuration\")");
    struct view rest = view_of(config_get("S3_BUCKET_NAME", NULL)), part;
    if (rest.len == 0) {
        findings_add(w->f, CODE_BUCKET_VARIABLE, step, name, mend, "the variable is not set");
        return;
    }
    while (view_split(&rest, ',', &part)) {
        part = view_trim(part);
        if (!aws_bucket_valid(part))
            findings_add(w->f, CODE_BUCKET_VARIABLE, step, name, mend, "\"%.*s\" is no bucket name",
                         (int)(part.len < 80 ? part.len : 80), part.ptr);
        else if (w->bucket_count < WALK_MAX)
            w->buckets[w->bucket_count++].name = part;
        else
            findings_not_checked(w->f, step, name, "only the first %d are looked at", WALK_MAX);
    }
}

static void add_queue(struct walk *w, const struct sqs_queue *parsed)
{
    if (w->queue_count == WALK_MAX)
        return;
    struct walk_queue *q = &w->queues[w->queue_count++];
    q->queue = *parsed;
    q->region = q->queue.region[0] != '\0' ? view_of(q->queue.region) : w->region;
}

static void check_queues(struct walk *w)
{
    const struct view name = VIEW_LIT("SQS_QUEUE_URL");
    const struct view mend = VIEW_LIT("export SQS_QUEUE_URL=URL (the stack's output QueueUrl)");
    struct view rest = view_of(config_get("SQS_QUEUE_URL", NULL)), part;
    struct sqs_queue parsed;
    struct error err = {0};
    if (rest.len == 0) {
        findings_add(w->f, CODE_QUEUE_VARIABLE, step, name, mend, "the variable is not set");
        return;
    }
    while (view_split(&rest, ',', &part)) {
        if (sqs_queue_parse(view_trim(part), w->config, &parsed, &err) != ST_OK)
            findings_add(w->f, CODE_QUEUE_VARIABLE, step, name, mend, "%s", err.text);
        else
            add_queue(w, &parsed);
    }
}

bool walk_configuration(struct walk *w)
{
    struct error err = {0};
    enum status st = aws_config_load(&w->config, &w->env, NULL, &err);
    if (st != ST_OK) {
        findings_add(w->f, CODE_AWS_SETTINGS, step, VIEW_EMPTY,
                     VIEW_LIT("mend the variable or file named above; \"aws configure list\" shows "
                              "what is in use"),
                     "%s", err.text[0] != '\0' ? err.text : status_name(st));
        return false;
    }
    w->region = aws_config_region(w->config);
    check_buckets(w);
    check_queues(w);
    check_publishing(w);
    choose_metrics_region(w);
    check_numbers(w);
    check_choice(w, "LEDGER_POLICY", "resolve", "resend", "drop", "hold");
    check_choice(w, "LEDGER_IDENTITY", "key", "path", NULL, NULL);
    if (w->region.len == 0) {
        findings_add(w->f, CODE_NO_REGION, step, VIEW_LIT("AWS_REGION"),
                     VIEW_LIT("export AWS_REGION=us-east-1 (the Region of the logs)"),
                     "neither AWS_REGION nor AWS_DEFAULT_REGION is set, nor a region in profile "
                     "%.*s",
                     (int)aws_config_profile(w->config).len, aws_config_profile(w->config).ptr);
        return false;
    }
    if (w->f->number[DOCTOR_FAULT] == 0)
        findings_ok(w->f, step, VIEW_EMPTY,
                    "Region %.*s, %zu bucket(s), %zu queue(s), metrics to %s in %s",
                    (int)w->region.len, w->region.ptr, w->bucket_count, w->queue_count,
                    w->name_space, w->metrics_region);
    return true;
}

/* ---- credentials ---- */

static void refused(struct walk *w, bool expired, const char *text)
{
    static const char who[] = "credentials";
    findings_add(w->f, expired ? CODE_EXPIRED : CODE_REFUSED, who, VIEW_EMPTY,
                 expired ? VIEW_LIT("aws sts get-caller-identity (after fetching new credentials, "
                                    "such as \"aws sso login\" or a new session token)")
                         : VIEW_LIT("aws sts get-caller-identity (with another key: \"aws "
                                    "configure\")"),
                 "%s", text);
}

/* Where the queue's ARN has an account in its place; loopback URLs may have none. */
static void name_queues(struct walk *w)
{
    for (size_t i = 0; i < w->queue_count; i++) {
        struct walk_queue *q = &w->queues[i];
        (void)snprintf(q->arn, sizeof(q->arn), "arn:%s:sqs:%.*s:%s:%s",
                       aws_region_partition(q->region), (int)q->region.len, q->region.ptr,
                       q->queue.account[0] != '\0' ? q->queue.account : w->account, q->queue.name);
    }
}

static enum status open_client(struct walk *w, struct error *err)
{
    struct aws_clock clock = aws_clock_system();
    enum status st = cred_chain_new(&w->creds, w->config, &clock);
    struct aws_client_options options = {.config = w->config, .creds = w->creds, .clock = clock};
    if (st == ST_OK)
        st = aws_client_new(&w->client, &options, err);
    w->now_s = clock.wall_ms(clock.ctx) / 1000;
    return st;
}

bool walk_credentials(struct walk *w)
{
    static const char who[] = "credentials";
    struct error err = {0};
    struct credentials *found = calloc(1, sizeof(*found));
    struct sts_identity *id = calloc(1, sizeof(*id));
    bool ok = false;
    enum status st = found == NULL || id == NULL ? ST_NO_MEMORY : open_client(w, &err);
    if (st != ST_OK) {
        findings_not_checked(w->f, who, VIEW_EMPTY, "%s", status_name(st));
        goto out;
    }
    st = cred_chain_get(w->creds, aws_client_http(w->client), NULL, found, &err);
    if (st != ST_OK) {
        if (err.code == E_A208)
            refused(w, true, err.text);
        else
            findings_add(w->f, CODE_NO_CREDENTIALS, who, VIEW_EMPTY,
                         VIEW_LIT("aws configure (or set AWS_PROFILE, or run where a role is "
                                  "given)"),
                         "%s", err.text[0] != '\0' ? err.text : status_name(st));
        goto out;
    }
    if (found->expires_s > 0 && found->expires_s <= w->now_s) {
        refused(w, true, "they have expired");
        goto out;
    }
    st = sts_get_caller_identity(w->client, VIEW_EMPTY, id, &err);
    if (st == ST_OK) {
        (void)snprintf(w->account, sizeof(w->account), "%s", id->account);
        (void)snprintf(w->identity, sizeof(w->identity), "%.500s", id->arn);
        findings_ok(w->f, who, VIEW_EMPTY, "%.200s, from %s", id->arn, found->source);
        name_queues(w);
        ok = true;
    } else if (st == ST_RETRY) {
        findings_add(w->f, CODE_UNREACHABLE, who, VIEW_EMPTY,
                     VIEW_LIT("aws sts get-caller-identity (check network, proxy and "
                              "AWS_ENDPOINT_URL)"),
                     "%s", err.text);
    } else {
        refused(w, err.code == E_A208, err.text);
    }
out:
    if (found != NULL)
        credentials_wipe(found);
    free(found);
    free(id);
    return ok;
}
