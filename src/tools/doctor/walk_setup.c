/*
 * What comes before AWS is asked about the pipeline: the settings, the credentials, and the roles
 * of ROLE_ARN with which buckets of other accounts are read.
 */
#include <stdio.h>
#include <stdlib.h>

#include "aws/sts.h"
#include "config/settings.h"
#include "config/variables.h"
#include "tools/doctor/walk.h"

/* ---- configuration ---- */

static void bad_variable(struct walk *w, struct view name, const char *text)
{
    /* Most texts begin with the variable's name already, which is the subject here. */
    struct view rest = view_of(text);
    if (view_starts(rest, name) && view_starts(view_skip(rest, name.len), VIEW_LIT(": ")))
        rest = view_skip(rest, name.len + 2);
    w->subject = name;
    walk_found(w, D04, "%.*s", SHOW(rest));
}

/* What the worker and the function read before any work, and what only they look at later. */
static void check_values(struct walk *w)
{
    struct error err = {0};
    struct run_settings *s = calloc(1, sizeof(*s));
    enum status st = s == NULL ? ST_NO_MEMORY : settings_load_publishing(s, &err);
    if (st != ST_OK) /* the text begins with the variable */
        bad_variable(w, view_first(view_of(err.text), strcspn(err.text, ": ")), err.text);
    if (s != NULL)
        settings_clear(s);
    free(s);
    /* What is only read later, or by the other consumer; one of those above is named once. */
    for (unsigned i = 0; i < VARIABLE_COUNT; i++) {
        struct view name = view_of(variable_at(i)->name);
        bool named = view_starts(view_of(err.text), name);
        struct error detail = {0};
        if (!named && variable_check(i, &detail) != ST_OK)
            bad_variable(w, name, detail.text);
    }
}

static void check_buckets(struct walk *w)
{
    struct view rest = view_of(variable_get(VAR_S3_BUCKET_NAME)), part;
    w->subject = VIEW_LIT("S3_BUCKET_NAME");
    if (rest.len == 0)
        walk_found(w, D01, "the variable is not set");
    while (view_split(&rest, ',', &part)) {
        part = view_trim(part);
        if (!aws_bucket_valid(part))
            walk_found(w, D01, "\"%.*s\" is not a bucket's name", SHOW_MAX(part, 80));
        else if (w->bucket_count < WALK_MAX)
            w->buckets[w->bucket_count++].name = part;
        else
            walk_not_checked(w, "only the first %d are looked at", WALK_MAX);
    }
}

static void check_queues(struct walk *w)
{
    struct view rest = view_of(variable_get(VAR_SQS_QUEUE_URL)), part;
    w->subject = VIEW_LIT("SQS_QUEUE_URL");
    if (rest.len == 0)
        walk_found(w, D02, "the variable is not set");
    while (view_split(&rest, ',', &part)) {
        struct walk_queue *q = &w->queues[w->queue_count < WALK_MAX ? w->queue_count : 0];
        struct sqs_queue parsed;
        if (sqs_queue_parse(view_trim(part), w->config, &parsed, &w->err) != ST_OK) {
            walk_found(w, D02, "%s", w->err.text);
        } else if (w->queue_count < WALK_MAX) {
            q->queue = parsed;
            q->name = view_of(q->queue.name);
            q->region = q->queue.region[0] != '\0' ? view_of(q->queue.region) : w->region;
            w->queue_count++;
        }
    }
}

bool walk_configuration(struct walk *w)
{
    enum status st = aws_config_load(&w->config, &w->env, NULL, &w->err);
    if (st != ST_OK) {
        walk_found(w, D05, "%s", w->err.text[0] != '\0' ? w->err.text : status_name(st));
        return false;
    }
    w->region = aws_config_region(w->config);
    check_buckets(w);
    check_queues(w);
    check_values(w);
    /* Until a bucket's Region is known the only queue is taken to be that of the bucket. */
    for (size_t i = 0; i < w->bucket_count && w->queue_count == 1; i++)
        w->buckets[i].queue = &w->queues[0];
    const char *ledger = variable_given(VAR_LEDGER) ? variable_get(VAR_LEDGER) : "";
    (void)snprintf(w->ledger, sizeof(w->ledger), "%.511s",
                   strcmp(ledger, "none") == 0 ? "" : ledger);
    w->ledger_region = w->region;
    w->emf = strcmp(variable_get(VAR_PUBLISHER), "emf") == 0;
    struct view region = view_of(variable_get(VAR_CLOUDWATCH_REGION));
    if (!aws_region_valid(region)) /* not set, or named above; the rest is looked at all the same */
        region = w->region;
    (void)snprintf(w->metrics_region, sizeof(w->metrics_region), "%.*s", SHOW(region));
    (void)snprintf(w->name_space, sizeof(w->name_space), "%.255s",
                   variable_get(VAR_CLOUDWATCH_NAMESPACE));
    if (w->region.len == 0) {
        w->subject = VIEW_LIT("AWS_REGION");
        walk_found(w, D03,
                   "neither AWS_REGION nor AWS_DEFAULT_REGION is set, nor a region in profile %.*s",
                   SHOW(aws_config_profile(w->config)));
        return false;
    }
    w->subject = VIEW_EMPTY;
    if (w->f->number[DOCTOR_FAULT] == 0)
        walk_ok(w, "Region %.*s, %zu bucket(s), %zu queue(s), metrics to %s in %s", SHOW(w->region),
                w->bucket_count, w->queue_count, w->name_space, w->metrics_region);
    return true;
}

/* ---- credentials ---- */

static void refused(struct walk *w, bool expired, const char *text)
{
    walk_found(w, expired ? D11 : D12, "%s", text);
}

static bool find_credentials(struct walk *w, struct credentials *found, struct sts_identity *id)
{
    struct aws_clock clock = aws_clock_system();
    enum status st = cred_chain_new(&w->creds, w->config, &clock);
    struct aws_client_options options = {.config = w->config, .creds = w->creds, .clock = clock};
    w->now_s = clock.wall_ms(clock.ctx) / 1000;
    if (st == ST_OK)
        st = aws_client_new(&w->client, &options, &w->err);
    if (st != ST_OK) {
        walk_not_checked(w, "%s", status_name(st));
        return false;
    }
    st = cred_chain_get(w->creds, aws_client_http(w->client), NULL, found, &w->err);
    if (st != ST_OK && w->err.code == E_A208) {
        refused(w, true, w->err.text);
        return false;
    }
    if (st != ST_OK) {
        walk_found(w, D10, "%s", w->err.text[0] != '\0' ? w->err.text : status_name(st));
        return false;
    }
    if (found->expires_s > 0 && found->expires_s <= w->now_s) {
        refused(w, true, "they have expired");
        return false;
    }
    st = sts_get_caller_identity(w->client, VIEW_EMPTY, id, &w->err);
    if (st == ST_RETRY)
        walk_found(w, D13, "%s", w->err.text);
    else if (st != ST_OK)
        refused(w, w->err.code == E_A208, w->err.text);
    return st == ST_OK;
}

bool walk_credentials(struct walk *w)
{
    struct credentials *found = calloc(1, sizeof(*found));
    struct sts_identity *id = calloc(1, sizeof(*id));
    bool ok = false;
    if (found == NULL || id == NULL)
        walk_not_checked(w, "%s", status_name(ST_NO_MEMORY));
    else
        ok = find_credentials(w, found, id);
    if (ok) {
        (void)snprintf(w->account, sizeof(w->account), "%s", id->account);
        (void)snprintf(w->identity, sizeof(w->identity), "%.500s", id->arn);
        walk_ok(w, "%.200s, from %s", id->arn, found->source);
    }
    /* Where the queue's ARN has an account in its place; loopback URLs may have none. */
    for (size_t i = 0; i < w->queue_count; i++) {
        struct walk_queue *q = &w->queues[i];
        (void)snprintf(q->arn, sizeof(q->arn), "arn:%s:sqs:%.*s:%s:%s",
                       aws_region_partition(q->region), SHOW(q->region),
                       q->queue.account[0] != '\0' ? q->queue.account : w->account, q->queue.name);
    }
    if (found != NULL)
        credentials_wipe(found);
    free(found);
    free(id);
    return ok;
}

/* ---- roles ---- */

/* arn:aws:sts::1:assumed-role/NAME/SESSION -> arn:aws:iam::1:role/NAME, which is what a trust policy
 * names.  The path of a role is not in its session's ARN. */
static void add_principal(const char *identity, struct buf *out)
{
    const struct view sts = VIEW_LIT(":sts:"), assumed = VIEW_LIT(":assumed-role/");
    struct view arn = view_of(identity);
    size_t at = view_find(arn, sts), kind = view_find(arn, assumed);
    if (at >= arn.len || kind >= arn.len || kind < at) {
        buf_add_view(out, arn);
        return;
    }
    struct view name = view_skip(arn, kind + assumed.len), account = view_first(arn, kind);
    account = view_skip(account, at + sts.len);
    name = view_first(name, view_find_char(name, '/'));
    buf_printf(out, "%.*s:iam:%.*s:role/%.*s", SHOW(view_first(arn, at)), SHOW(account),
               SHOW(name));
}

static void try_role(struct walk *w, struct view arn)
{
    struct credentials *taken = calloc(1, sizeof(*taken));
    struct sts_role role = {.role_arn = arn, .session_name = VIEW_LIT("bedrock-metrics-doctor")};
    enum status st = taken == NULL ? ST_NO_MEMORY
                                   : sts_assume_role(w->client, VIEW_EMPTY, &role, taken, &w->err);
    w->subject = arn;
    if (st == ST_OK) {
        walk_ok(w, "can be assumed");
    } else if (st == ST_DENIED || st == ST_BAD_ITEM || st == ST_MISSING) {
        size_t slash = view_rfind(arn, VIEW_LIT("/"));
        buf_reset(&w->scratch);
        buf_add_cstr(&w->scratch,
                     "{\"Version\":\"2012-10-17\",\"Statement\":[{\"Effect\":\"Allow\","
                     "\"Principal\":{\"AWS\":\"");
        add_principal(w->identity, &w->scratch);
        buf_add_cstr(&w->scratch, "\"},\"Action\":\"sts:AssumeRole\"}]}");
        walk_fix(w,
                 "aws iam update-assume-role-policy --role-name % --policy-document % (in the "
                 "role's account; it replaces the trust policy; and the reader needs "
                 "sts:AssumeRole on the role)",
                 view_skip(arn, slash == SIZE_MAX ? 0 : slash + 1), buf_view(&w->scratch));
        walk_found(w, D14, "%s", w->err.text);
    } else {
        walk_not_checked(w, "%s", w->err.text[0] != '\0' ? w->err.text : status_name(st));
    }
    if (taken != NULL)
        credentials_wipe(taken);
    free(taken);
}

void walk_roles(struct walk *w)
{
    struct view rest = view_of(variable_get(VAR_ROLE_ARN)), part;
    while (view_split(&rest, ',', &part)) {
        part = view_trim(part);
        /* BUCKET=ARN; a role's name may hold `=`, a bucket's may not. */
        size_t equals = view_find_char(part, '=');
        if (equals != SIZE_MAX && !view_starts(part, VIEW_LIT("arn:")))
            part = view_trim(view_skip(part, equals + 1));
        if (sts_role_arn_valid(part)) {
            try_role(w, part);
        } else {
            w->subject = VIEW_LIT("ROLE_ARN");
            walk_found(w, D04, "\"%.*s\" is not a role's ARN", SHOW_MAX(part, 80));
        }
    }
}
