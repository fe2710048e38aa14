/*
 * cred_web_identity.c: a role taken with a token file that something else renews: EKS service
 * accounts (IRSA).
 *
 * Facts: AWS SDK reference guide, "Assume role credential provider", "Assume role with web
 * identity".  The file is read at each renewal, because the kubelet replaces it before it expires.
 */
#include "aws/aws_private.h"
#include "aws/sts.h"
#include "base/whole_file.h"

enum { MAX_TOKEN_FILE = 32 * 1024 };

enum status cred_read_token(const char *path, struct buf *out, struct error *err)
{
    struct error detail = {0};
    enum status st = whole_file_read(out, path, WHOLE_FILE_REGULAR, NULL, &detail);
    if (st)
        return error_set(err, st == ST_MISSING ? ST_IO : st, E_A107, "token file %s: %s", path,
                         detail.text);
    while (out->len > 0 && (unsigned char)out->ptr[out->len - 1] <= 0x20)
        out->len--;
    if (out->len == 0)
        st = error_set(err, ST_BAD_ITEM, E_A107, "token file %s is empty", path);
    return st;
}

/* A named profile (--profile) overrides the variables, as in the AWS command line. */
static enum status web_fetch(struct cred_provider *self, const struct cred_context *ctx,
                             struct credentials *out, struct error *err)
{
    (void)self;
    const struct aws_env *env = aws_config_env(ctx->config);
    const char *file = aws_env_get(env, "AWS_WEB_IDENTITY_TOKEN_FILE");
    const char *arn = aws_env_get(env, "AWS_ROLE_ARN");
    const char *session = aws_env_get(env, "AWS_ROLE_SESSION_NAME");
    if (file == NULL || aws_config_profile_forced(ctx->config))
        return ST_MISSING;
    if (arn == NULL || !sts_role_arn_valid(view_of(arn)))
        return error_set(err, ST_USAGE, E_A107,
                         "AWS_WEB_IDENTITY_TOKEN_FILE needs a role in AWS_ROLE_ARN");
    if (session == NULL)
        session = "bedrock-metrics";
    if (!sts_session_name_valid(view_of(session)))
        return error_set(err, ST_USAGE, E_A107, "AWS_ROLE_SESSION_NAME is not a role session name");
    struct buf token;
    buf_init(&token, MAX_TOKEN_FILE);
    enum status st = cred_read_token(file, &token, err);
    if (!st) {
        struct sts_role role = {.role_arn = view_of(arn),
                                .session_name = view_of(session),
                                .web_identity_token = buf_view(&token)};
        st = cred_assume(ctx, NULL, VIEW_EMPTY, &role, out, err);
    }
    buf_wipe(&token);
    return st;
}

struct cred_provider CRED_WEB_IDENTITY = {"web identity", web_fetch};
