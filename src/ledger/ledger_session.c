/* From LEDGER and the variables next to it to an open ledger of either kind. */
#include "ledger/ledger_session.h"

#include <stdlib.h>

#include "aws/dynamodb.h"
#include "base/log.h"
#include "config/variables.h"
#include "ledger/ledger_dynamodb.h"
#include "ledger/ledger_id.h"
#include "objects/source_s3.h"

static const char scheme[] = "dynamodb://";

static enum status call_dynamodb(void *ctx, const char *operation, const json_t *in, json_t **out)
{
    struct ledger_session *s = ctx;
    struct aws_client *client = NULL;
    struct error err = {0};
    *out = NULL;
    enum status st = aws_pool_take(s->pool, &client, &err);
    if (st != ST_OK)
        return st;
    st = dynamodb_call(client, VIEW_EMPTY, operation, in, out, &err);
    aws_pool_give(s->pool, client);
    if (st != ST_OK && st != ST_CONFLICT && st != ST_CANCELLED)
        LOG_FAULT(LOG_WARN, error_code(&err, E_L102), "ledger cannot be reached",
                  log_cstr("operation", operation), log_cstr("reason", err.text),
                  log_cstr("status", status_name(st)));
    /* No such table, or asked to stop: what could not be done now may be done later. */
    return st == ST_CANCELLED ? ST_RETRY : st == ST_MISSING ? ST_DENIED : st;
}

static int64_t wall_ms(void *ctx)
{
    (void)ctx;
    struct aws_clock clock = aws_clock_system();
    return clock.wall_ms(clock.ctx);
}

static enum status open_dynamodb(struct ledger_session *s,
                                 const struct ledger_session_options *options, struct error *err)
{
    if (options->aws == NULL)
        return error_set(err, ST_USAGE, E_U222, "LEDGER: \"%.80s\" is not possible here", s->name);
    struct aws_client_options client = settings_aws_client(options->aws);
    client.stop = options->stop;
    s->pool = aws_pool_new(&client);
    if (s->pool == NULL)
        return error_set(err, ST_NO_MEMORY, E_R113, "out of memory");
    struct view region = aws_config_region(options->aws->config);
    const char *name = s->name + sizeof(scheme) - 1;
    int n = snprintf(s->marker_scope, sizeof(s->marker_scope), "%.*s/%s/", SHOW(region), name);
    if (n < 0 || (size_t)n >= sizeof(s->marker_scope)) /* longer than a table's name may be */
        return error_set(err, ST_USAGE, E_U222, "LEDGER: \"%.80s\" is not a table name", s->name);
    struct ledger_dynamodb_options table = {
        .table = name, .call = call_dynamodb, .ctx = s, .now_ms = wall_ms, .ttl_days = s->ttl_days};
    return ledger_dynamodb_open(&table, &s->ledger, err);
}

static enum status read_variables(struct ledger_session *s, struct error *err)
{
    uint64_t days, lease, fence;
    unsigned policy;
    s->config = PROTOCOL_DEFAULTS;
    lease = (uint64_t)s->config.lease_ms;
    fence = (uint64_t)s->config.fence_ms;
    enum status st = variable_choice(VAR_LEDGER_POLICY, &policy, err);
    if (st == ST_OK)
        st = ledger_identity_load(&s->identity, err);
    if (st == ST_OK)
        st = variable_number(VAR_LEDGER_TTL_DAYS, &days, err);
    /* For tests, which cannot wait: shorter than these in earnest, and objects count twice. */
    if (st == ST_OK)
        st = variable_number(VAR_BEDROCK_METRICS_TEST_LEASE_MS, &lease, err);
    if (st == ST_OK)
        st = variable_number(VAR_BEDROCK_METRICS_TEST_FENCE_MS, &fence, err);
    if (st != ST_OK)
        return st;
    s->config.policy = policy;
    s->ttl_days = (unsigned)days;
    s->config.lease_ms = (int64_t)lease;
    s->config.fence_ms = (int64_t)fence;
    return ST_OK;
}

enum status ledger_session_open(struct ledger_session **out,
                                const struct ledger_session_options *options, struct error *err)
{
    const char *name = options->name != NULL ? options->name : variable_get(VAR_LEDGER);
    struct error detail = {0};
    *out = NULL;
    if (name == NULL)
        return ST_OK;
    struct ledger_session *s = calloc(1, sizeof(*s));
    if (s == NULL)
        return error_set(err, ST_NO_MEMORY, E_R113, "out of memory");
    s->name = name;
    enum status st = read_variables(s, err);
    if (st == ST_OK && view_starts(view_of(name), view_of(scheme))) {
        st = open_dynamodb(s, options, &detail);
    } else if (st == ST_OK && options->fleet) {
        st = error_set(err, ST_USAGE, E_U222,
                       "LEDGER: \"%.80s\" is a file, which instances of a function cannot share: "
                       "use dynamodb://TABLE",
                       name);
    } else if (st == ST_OK) {
        struct ledger_sqlite_options file = {.path = name, .read_only = options->read_only};
        st = variable_flag(VAR_LEDGER_MUST_EXIST, &file.must_exist, err);
        if (st == ST_OK)
            st = ledger_sqlite_open(&file, &s->ledger, &detail);
        s->sole = !options->read_only;
    }
    if (st != ST_OK) {
        if (detail.text[0] != '\0')
            (void)error_set(err, st, detail.code, "LEDGER: \"%.80s\": %.200s", name, detail.text);
        ledger_session_close(s);
        return st;
    }
    *out = s;
    return ST_OK;
}

void ledger_session_close(struct ledger_session *s)
{
    if (s == NULL)
        return;
    ledger_close(s->ledger);
    aws_pool_free(s->pool);
    free(s);
}

const char *ledger_session_delivery(const struct ledger_session *s)
{
    if (s == NULL || s->config.policy == POLICY_RESEND)
        return "at-least-once";
    return s->config.policy == POLICY_DROP ? "at-most-once" : "exactly-once";
}

const char *ledger_session_name(const struct ledger_session *s)
{
    return s->name;
}

enum status ledger_session_check(struct ledger_session *s)
{
    return ledger_lookup(s->ledger, NULL, 0, NULL);
}

enum status ledger_session_prune(struct ledger_session *s, int64_t now_ms, uint64_t *removed)
{
    return ledger_prune(s->ledger, now_ms - (int64_t)s->ttl_days * 86400000, removed);
}
