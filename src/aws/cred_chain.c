/*
 * cred_chain.c: which provider is used, when it is asked again, and who waits for that.
 *
 * States of a chain: nothing yet; fresh; due (less than the margin left, still handed out while
 * one thread renews); expired (everybody waits for that one thread).  The lock is never held while
 * a provider fetches.  Also here, because each is a few lines: the provider of the environment,
 * credentials as they are, and the role of another account.
 */
#include "aws/cred.h"

#include <openssl/crypto.h>
#include <pthread.h>
#include <stdlib.h>
#include <time.h>

#include "aws/aws_json.h"
#include "aws/aws_private.h"
#include "aws/sts.h"
#include "base/json_read.h"
#include "base/log.h"
#include "base/rfc3339.h"

enum {
    MAX_PROVIDERS = 8,
    RETRY_PAUSE_MS = 60000, /* between refreshes of credentials that are still good */
    WAIT_SLICE_MS = 100,
};

struct cred_chain {
    const struct aws_config *config;
    struct aws_clock clock;
    struct cred_provider *providers[MAX_PROVIDERS];
    size_t n;
    void *owned; /* its one provider, where it was made with the chain */
    struct {
        pthread_mutex_t mutex;
        pthread_cond_t changed;
        struct credentials current;
        bool have;
        bool refreshing;
        int64_t margin_s;    /* refresh this long before expiry */
        int64_t next_try_ms; /* on the steady clock */
        struct cred_provider *chosen;
    } locked;
};

void credentials_wipe(struct credentials *c)
{
    OPENSSL_cleanse(c, sizeof(*c));
}

/*
 * Printable ASCII without blanks, which is what all parts of credentials are: anything else could
 * break a header.
 */
static bool set_field(char *out, size_t max, struct view v)
{
    if (v.len > max)
        return false;
    for (size_t i = 0; i < v.len; i++)
        if ((unsigned char)v.ptr[i] <= 0x20 || (unsigned char)v.ptr[i] >= 0x7f)
            return false;
    if (v.len > 0)
        memcpy(out, v.ptr, v.len);
    out[v.len] = '\0';
    return true;
}

enum status credentials_set(struct credentials *c, struct view id, struct view secret,
                            struct view token, int64_t expires_s)
{
    if (id.len == 0 || secret.len == 0 || !set_field(c->access_key_id, CRED_MAX_ID, id) ||
        !set_field(c->secret, CRED_MAX_SECRET, secret) ||
        !set_field(c->session_token, CRED_MAX_TOKEN, token)) {
        credentials_wipe(c);
        return ST_BAD_ITEM;
    }
    c->expires_s = expires_s;
    return ST_OK;
}

enum status cred_parse_json(struct view text, const char *what, struct credentials *out,
                            struct error *err)
{
    json_t *doc = aws_json_parse(text);
    if (doc == NULL)
        return error_set(err, ST_BAD_ITEM, E_A114, "%s: credentials are not a JSON object", what);
    struct view token = json_text(doc, "Token");
    if (token.len == 0)
        token = json_text(doc, "SessionToken");
    struct view expiry = json_text(doc, "Expiration");
    struct instant at = {0};
    enum status st = ST_OK;
    const json_t *version = json_object_get(doc, "Version");
    if (version != NULL && json_integer_value(version) != 1)
        st = error_set(err, ST_BAD_ITEM, E_A114, "%s: credentials of an unknown version", what);
    if (!st && expiry.len > 0 && rfc3339_parse(expiry, &at) != ST_OK)
        st = error_set(err, ST_BAD_ITEM, E_A114, "%s: Expiration is not a date-time", what);
    if (!st && credentials_set(out, json_text(doc, "AccessKeyId"),
                               json_text(doc, "SecretAccessKey"), token, at.seconds) != ST_OK)
        st = error_set(err, ST_BAD_ITEM, E_A114, "%s: credentials without usable keys", what);
    json_decref(doc);
    return st;
}

enum status cred_chain_new_from(struct cred_chain **out, const struct aws_config *config,
                                const struct aws_clock *clock,
                                struct cred_provider *const *providers, size_t n)
{
    *out = NULL;
    if (n > MAX_PROVIDERS)
        return ST_TOO_BIG;
    struct cred_chain *chain = calloc(1, sizeof(*chain));
    if (chain == NULL)
        return ST_NO_MEMORY;
    chain->config = config;
    chain->clock = clock != NULL ? *clock : aws_clock_system();
    for (size_t i = 0; i < n; i++)
        chain->providers[i] = providers[i];
    chain->n = n;
    pthread_mutex_init(&chain->locked.mutex, NULL);
    pthread_cond_init(&chain->locked.changed, NULL);
    *out = chain;
    return ST_OK;
}

enum status cred_chain_new(struct cred_chain **out, const struct aws_config *config,
                           const struct aws_clock *clock)
{
    struct cred_provider *all[] = {&CRED_ENV, &CRED_WEB_IDENTITY, &CRED_PROFILE, &CRED_CONTAINER,
                                   &CRED_IMDS};
    return cred_chain_new_from(out, config, clock, all, sizeof(all) / sizeof(all[0]));
}

void cred_chain_free(struct cred_chain *chain)
{
    if (chain == NULL)
        return;
    free(chain->owned);
    pthread_mutex_destroy(&chain->locked.mutex);
    pthread_cond_destroy(&chain->locked.changed);
    credentials_wipe(&chain->locked.current);
    free(chain);
}

/* Ask the chosen provider, or all in turn until one is configured. */
static enum status fetch(struct cred_chain *chain, const struct cred_context *ctx,
                         struct cred_provider **chosen, struct credentials *out, struct error *err)
{
    if (*chosen != NULL) {
        enum status st = (*chosen)->fetch(*chosen, ctx, out, err);
        return st == ST_MISSING ? ST_RETRY : st;
    }
    for (size_t i = 0; i < chain->n; i++) {
        struct cred_provider *p = chain->providers[i];
        enum status st = p->fetch(p, ctx, out, err);
        if (st == ST_MISSING)
            continue;
        if (st == ST_OK) {
            *chosen = p;
            LOG_EVENT(LOG_DEBUG, "credentials found", log_cstr("source", p->name));
        }
        return st;
    }
    return error_set(err, ST_DENIED, E_A101,
                     "no AWS credentials: neither in the environment, the shared files, nor from a "
                     "container or instance role");
}

/* Under the lock: what may still be handed out. */
static bool usable(const struct cred_chain *chain, int64_t now_s)
{
    return chain->locked.have &&
           (chain->locked.current.expires_s == 0 || now_s < chain->locked.current.expires_s);
}

/*
 * Under the lock, which is given up meanwhile: wait for the thread that renews, at most as long as
 * it takes to look at aws_stop again.
 */
static void wait_for_change(struct cred_chain *chain)
{
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_nsec += (long)WAIT_SLICE_MS * 1000000;
    if (until.tv_nsec >= 1000000000) {
        until.tv_nsec -= 1000000000;
        until.tv_sec++;
    }
    pthread_cond_timedwait(&chain->locked.changed, &chain->locked.mutex, &until);
}

enum status cred_chain_get(struct cred_chain *chain, struct http *http, const struct aws_stop *stop,
                           struct credentials *out, struct error *err)
{
    enum status st = ST_OK;
    pthread_mutex_lock(&chain->locked.mutex);
    for (;;) {
        int64_t now_s = chain->clock.wall_ms(chain->clock.ctx) / 1000;
        int64_t steady = chain->clock.steady_ms(chain->clock.ctx);
        bool good = usable(chain, now_s);
        bool fresh = good && (chain->locked.current.expires_s == 0 ||
                              now_s < chain->locked.current.expires_s - chain->locked.margin_s);
        if (fresh || (good && (chain->locked.refreshing || steady < chain->locked.next_try_ms))) {
            *out = chain->locked.current;
            break;
        }
        if (aws_stop_asked(stop)) {
            st = error_set(err, ST_CANCELLED, E_A306, "stopped while waiting for credentials");
            break;
        }
        if (chain->locked.refreshing) {
            wait_for_change(chain);
            continue;
        }
        chain->locked.refreshing = true;
        struct cred_provider *chosen = chain->locked.chosen;
        pthread_mutex_unlock(&chain->locked.mutex);

        struct cred_context ctx = {http, chain->config, &chain->clock, stop};
        memset(out, 0, sizeof(*out));
        st = fetch(chain, &ctx, &chosen, out, err);
        if (!st)
            out->source = chosen->name;

        pthread_mutex_lock(&chain->locked.mutex);
        chain->locked.refreshing = false;
        chain->locked.next_try_ms = steady + RETRY_PAUSE_MS;
        pthread_cond_broadcast(&chain->locked.changed);
        if (!st) {
            chain->locked.chosen = chosen;
            /* Five minutes before expiry, at most a quarter of what is left of a short life. */
            int64_t left = out->expires_s - now_s;
            chain->locked.margin_s = left / 4 < CRED_REFRESH_S ? left / 4 : CRED_REFRESH_S;
            chain->locked.current = *out;
            chain->locked.have = true;
        } else if (good && st != ST_CANCELLED) {
            LOG_FAULT(LOG_WARN, E_A102, "credentials could not be renewed yet",
                      log_cstr("reason", err != NULL ? err->text : status_name(st)));
            *out = chain->locked.current;
            st = ST_OK;
        }
        break;
    }
    pthread_mutex_unlock(&chain->locked.mutex);
    return st;
}

void cred_chain_reject(struct cred_chain *chain, const char *access_key_id)
{
    pthread_mutex_lock(&chain->locked.mutex);
    /* Without a provider there are no others. */
    if (chain->n > 0 && chain->locked.have &&
        strcmp(chain->locked.current.access_key_id, access_key_id) == 0)
        chain->locked.have = false;
    pthread_mutex_unlock(&chain->locked.mutex);
}

/* ---- the environment: what Lambda and most shells have ---- */

static enum status env_fetch(struct cred_provider *self, const struct cred_context *ctx,
                             struct credentials *out, struct error *err)
{
    (void)self;
    const struct aws_env *env = aws_config_env(ctx->config);
    const char *id = aws_env_get(env, "AWS_ACCESS_KEY_ID");
    const char *secret = aws_env_get(env, "AWS_SECRET_ACCESS_KEY");
    if (aws_config_profile_forced(ctx->config) || (id == NULL && secret == NULL))
        return ST_MISSING;
    if (id == NULL || secret == NULL)
        return error_set(err, ST_USAGE, E_A104,
                         "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY go together");
    const char *token = aws_env_get(env, "AWS_SESSION_TOKEN");
    if (credentials_set(out, view_of(id), view_of(secret), view_of(token), 0) != ST_OK)
        return error_set(err, ST_USAGE, E_A104,
                         "AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY or AWS_SESSION_TOKEN holds a "
                         "blank or control byte, or is too long");
    return ST_OK;
}

struct cred_provider CRED_ENV = {"environment", env_fetch};

/* ---- credentials as they are ---- */

enum status cred_chain_new_static(struct cred_chain **out, const struct aws_config *config,
                                  const struct aws_clock *clock, const struct credentials *creds)
{
    enum status st = cred_chain_new_from(out, config, clock, NULL, 0);
    if (st)
        return st;
    (*out)->locked.current = *creds;
    (*out)->locked.current.source = "source";
    (*out)->locked.current.expires_s = 0; /* used at once, and there is nobody to renew them */
    (*out)->locked.have = true;
    return ST_OK;
}

/* ---- another role ---- */

struct role_provider {
    struct cred_provider base;
    struct cred_chain *source;
    char arn[2049];
    char external_id[1225];
    char session_name[65];
    char region[33];
    uint32_t duration_s;
};

enum status cred_assume(const struct cred_context *ctx, struct cred_chain *base, struct view region,
                        const struct sts_role *role, struct credentials *out, struct error *err)
{
    struct aws_client *client = NULL;
    struct aws_client_options options = {
        .config = ctx->config, .creds = base, .clock = *ctx->clock};
    if (ctx->stop != NULL)
        options.stop = *ctx->stop;
    /* A client of its own: refreshing happens once an hour, a connection kept for it would be dead.
     */
    enum status st = aws_client_new(&client, &options, err);
    if (st)
        return st;
    st = base != NULL ? sts_assume_role(client, region, role, out, err)
                      : sts_assume_role_with_web_identity(client, region, role, out, err);
    aws_client_free(client);
    return st;
}

static enum status role_fetch(struct cred_provider *self, const struct cred_context *ctx,
                              struct credentials *out, struct error *err)
{
    struct role_provider *p = (struct role_provider *)self;
    struct sts_role role = {.role_arn = view_of(p->arn),
                            .session_name = view_of(p->session_name),
                            .external_id = view_of(p->external_id),
                            .duration_s = p->duration_s};
    return cred_assume(ctx, p->source, view_of(p->region), &role, out, err);
}

enum status cred_chain_new_role(struct cred_chain **out, struct cred_chain *base,
                                const struct cred_role *role, struct error *err)
{
    *out = NULL;
    struct view session =
        role->session_name.len > 0 ? role->session_name : VIEW_LIT("bedrock-metrics");
    if (!sts_role_arn_valid(role->role_arn))
        return error_set(err, ST_USAGE, E_A107, "not a role ARN: \"%.*s\"",
                         SHOW_MAX(role->role_arn, 128));
    if (!sts_session_name_valid(session))
        return error_set(err, ST_USAGE, E_A107, "not a role session name: \"%.*s\"",
                         SHOW_MAX(session, 64));
    if (role->region.len > 0 && !aws_region_valid(role->region))
        return error_set(err, ST_USAGE, E_U214, "not a Region: \"%.*s\"",
                         SHOW_MAX(role->region, 64));
    struct role_provider *p = calloc(1, sizeof(*p));
    if (p == NULL)
        return ST_NO_MEMORY;
    p->base = (struct cred_provider){"role", role_fetch};
    p->source = base;
    p->duration_s = role->duration_s > 0 ? role->duration_s : 3600;
    if (!set_field(p->arn, sizeof(p->arn) - 1, role->role_arn) ||
        !set_field(p->external_id, sizeof(p->external_id) - 1, role->external_id) ||
        !set_field(p->session_name, sizeof(p->session_name) - 1, session) ||
        !set_field(p->region, sizeof(p->region) - 1, role->region)) {
        free(p);
        return error_set(err, ST_USAGE, E_A107,
                         "external id of a role is too long or not printable");
    }
    struct cred_provider *provider = &p->base;
    enum status st = cred_chain_new_from(out, base->config, &base->clock, &provider, 1);
    if (st)
        free(p);
    else
        (*out)->owned = p;
    return st;
}
