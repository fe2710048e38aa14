/* Credentials in the environment: what Lambda and most shells have. */
#include "aws/cred.h"

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
        return error_set(err, ST_USAGE, "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY go together");
    const char *token = aws_env_get(env, "AWS_SESSION_TOKEN");
    if (credentials_set(out, view_of(id), view_of(secret), view_of(token), 0) != ST_OK)
        return error_set(err, ST_USAGE,
                         "AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY or AWS_SESSION_TOKEN holds a "
                         "blank or control byte, or is too long");
    return ST_OK;
}

struct cred_provider CRED_ENV = {"environment", env_fetch, NULL};
