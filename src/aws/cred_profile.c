/*
 * cred_profile.c: credentials of a profile in the shared config and credentials files.
 *
 * A profile may name a role and another profile to take it with, and that one again: the chain of
 * profiles is first followed to its end, then walked back, with one AssumeRole each.
 *
 *   [profile prod]                       role[0]
 *   role_arn = arn:aws:iam::1:role/Ops
 *   source_profile = jump                role[1]: takes its own role first
 *   [profile jump]
 *   role_arn = arn:aws:iam::2:role/Jump
 *   source_profile = base                the base: keys, a process, a container, an instance
 */
#include "aws/aws_private.h"
#include "aws/sts.h"

enum { MAX_HOPS = 5 };

static struct view get(const struct cred_context *ctx, struct view profile, const char *key)
{
    return aws_ini_get(aws_config_ini(ctx->config), profile, key);
}

static enum status static_keys(const struct cred_context *ctx, struct view profile,
                               struct credentials *out, struct error *err)
{
    struct view id = get(ctx, profile, "aws_access_key_id");
    struct view secret = get(ctx, profile, "aws_secret_access_key");
    if (id.len == 0 && secret.len == 0)
        return ST_MISSING;
    if (id.len == 0 || secret.len == 0 ||
        credentials_set(out, id, secret, get(ctx, profile, "aws_session_token"), 0) != ST_OK)
        return error_set(err, ST_USAGE, E_A105,
                         "profile \"%.*s\": keys are incomplete or not usable",
                         SHOW_MAX(profile, 64));
    return ST_OK;
}

/* A profile that takes no role. */
static enum status plain_profile(const struct cred_context *ctx, struct view profile,
                                 struct credentials *out, struct error *err)
{
    struct view process = get(ctx, profile, "credential_process");
    if (get(ctx, profile, "sso_session").len > 0 || get(ctx, profile, "sso_start_url").len > 0)
        return error_set(err, ST_USAGE, E_A106,
                         "profile \"%.*s\" signs in with AWS IAM Identity Center (sso_*), which is "
                         "not supported; use credential_process = aws configure "
                         "export-credentials --profile NAME",
                         SHOW_MAX(profile, 64));
    enum status st = static_keys(ctx, profile, out, err);
    if (st != ST_MISSING || process.len == 0)
        return st;
    struct buf printed;
    buf_init(&printed, 1);
    st = cred_run_process(process, ctx, &printed, err);
    if (!st)
        st = cred_parse_json(buf_view(&printed), "credential_process", out, err);
    buf_wipe(&printed);
    return st;
}

/*
 * Take the role that a profile names, with `source` or, where that is NULL, with a web identity
 * token.
 */
static enum status take_role(const struct cred_context *ctx, struct view profile,
                             const struct credentials *source, struct view web_token,
                             struct credentials *out, struct error *err)
{
    struct view session = get(ctx, profile, "role_session_name");
    struct view duration = get(ctx, profile, "duration_seconds");
    uint64_t seconds = 0;
    struct sts_role role = {.role_arn = get(ctx, profile, "role_arn"),
                            .session_name = session.len > 0 ? session : VIEW_LIT("bedrock-metrics"),
                            .external_id = get(ctx, profile, "external_id"),
                            .web_identity_token = web_token};
    if (get(ctx, profile, "mfa_serial").len > 0)
        return error_set(err, ST_USAGE, E_A106,
                         "profile \"%.*s\" needs MFA, which is not supported",
                         SHOW_MAX(profile, 64));
    if (!sts_role_arn_valid(role.role_arn))
        return error_set(err, ST_USAGE, E_A107, "profile \"%.*s\": role_arn is not a role ARN",
                         SHOW_MAX(profile, 64));
    if (!sts_session_name_valid(role.session_name))
        return error_set(err, ST_USAGE, E_A107,
                         "profile \"%.*s\": role_session_name is not allowed",
                         SHOW_MAX(profile, 64));
    if (duration.len > 0 && (view_parse_u64(duration, 43200, &seconds) || seconds < 900))
        return error_set(err, ST_USAGE, E_A105,
                         "profile \"%.*s\": duration_seconds is not 900 to 43200",
                         SHOW_MAX(profile, 64));
    role.duration_s = (uint32_t)seconds;
    struct view region = get(ctx, profile, "region");
    struct cred_chain *chain = NULL;
    enum status st = ST_OK;
    if (source != NULL)
        st = cred_chain_new_static(&chain, ctx->config, ctx->clock, source);
    if (!st)
        st = cred_assume(ctx, chain, aws_region_valid(region) ? region : VIEW_EMPTY, &role, out,
                         err);
    cred_chain_free(chain);
    return st;
}

/*
 * The role of a profile with web_identity_token_file: the token is the proof, so no other profile
 * is needed.
 */
static enum status web_role(const struct cred_context *ctx, struct view profile,
                            struct credentials *out, struct error *err)
{
    struct view file = get(ctx, profile, "web_identity_token_file");
    struct buf path;
    struct buf token;
    buf_init(&path, 4096);
    buf_init(&token, 32 * 1024);
    buf_add_view(&path, file);
    const char *name = buf_cstr(&path);
    enum status st = name == NULL ? buf_status(&path) : cred_read_token(name, &token, err);
    if (!st)
        st = take_role(ctx, profile, NULL, buf_view(&token), out, err);
    buf_wipe(&token);
    buf_clear(&path);
    return st;
}

/* From our profile to its base, which is the last hop itself where that names no other profile. */
struct hops {
    struct view role[MAX_HOPS]; /* profiles whose role is to be taken */
    size_t count;
    struct view base;
};

static enum status follow(const struct cred_context *ctx, struct hops *hops, struct error *err)
{
    struct view at = aws_config_profile(ctx->config);
    *hops = (struct hops){.base = at};
    while (get(ctx, at, "role_arn").len > 0) {
        if (hops->count == MAX_HOPS)
            return error_set(err, ST_USAGE, E_A105,
                             "profiles refer to one another more than %d times", MAX_HOPS);
        hops->role[hops->count++] = hops->base = at;
        struct view next = get(ctx, at, "source_profile");
        if (get(ctx, at, "web_identity_token_file").len > 0 || view_eq(next, at))
            return ST_OK;
        if (next.len == 0 && get(ctx, at, "credential_source").len > 0)
            return ST_OK;
        if (next.len == 0)
            return error_set(err, ST_USAGE, E_A105,
                             "profile \"%.*s\": role_arn needs source_profile, credential_source "
                             "or web_identity_token_file",
                             SHOW_MAX(at, 64));
        if (!aws_ini_has_profile(aws_config_ini(ctx->config), next))
            return error_set(err, ST_USAGE, E_A105, "source_profile \"%.*s\" does not exist",
                             SHOW_MAX(next, 64));
        hops->base = at = next;
    }
    return ST_OK;
}

/* The credentials to begin with; a web identity token takes the role of the last hop by itself. */
static enum status begin(const struct cred_context *ctx, struct hops *hops, struct credentials *out,
                         struct error *err)
{
    struct view source = get(ctx, hops->base, "credential_source");
    if (get(ctx, hops->base, "role_arn").len == 0)
        return plain_profile(ctx, hops->base, out, err);
    if (get(ctx, hops->base, "web_identity_token_file").len > 0)
        return web_role(ctx, hops->role[--hops->count], out, err);
    if (source.len > 0)
        return cred_fetch_source(source, ctx, out, err);
    return static_keys(ctx, hops->base, out, err); /* source_profile names the profile itself */
}

static enum status profile_fetch(struct cred_provider *self, const struct cred_context *ctx,
                                 struct credentials *out, struct error *err)
{
    (void)self;
    struct hops hops;
    enum status st = follow(ctx, &hops, err);
    if (st)
        return st;
    st = begin(ctx, &hops, out, err);
    if (st == ST_MISSING && hops.count > 0)
        return error_set(err, ST_DENIED, E_A105,
                         "profile \"%.*s\" has no credentials to take a role with",
                         SHOW_MAX(hops.base, 64));
    while (!st && hops.count > 0) {
        struct credentials source = *out;
        st = take_role(ctx, hops.role[--hops.count], &source, VIEW_EMPTY, out, err);
        credentials_wipe(&source);
    }
    return st;
}

struct cred_provider CRED_PROFILE = {"shared files", profile_fetch};
