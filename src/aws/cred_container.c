/*
 * cred_container.c: the credentials endpoint of a container: ECS, EKS pod identity, Lambda with
 * SnapStart.
 *
 * Facts: AWS SDK reference guide, "Container credential provider".  The environment names the
 * address, so it is only followed to places where such an endpoint can be: anything else would
 * hand an attacker's server the token.
 */
#include "aws/aws_private.h"
#include "aws/retry.h"
#include "aws/uri.h"

enum { MAX_ANSWER = 32 * 1024, MAX_TOKEN = 32 * 1024, TIMEOUT_MS = 3000, ATTEMPTS = 3 };

bool cred_container_url_allowed(struct view url)
{
    static const char *const hosts[] = {"169.254.170.2", "169.254.170.23", "fd00:ec2::23"};
    struct uri u;
    /* A query is allowed in the variable, so only what comes before it is parsed. */
    size_t query = view_find_char(url, '?');
    if (uri_parse(query == SIZE_MAX ? url : view_first(url, query), &u) != ST_OK)
        return false;
    if (u.https || uri_host_is_loopback(u.host))
        return true;
    for (size_t i = 0; i < sizeof(hosts) / sizeof(hosts[0]); i++)
        if (view_eq_nocase(u.host, view_of(hosts[i])))
            return true;
    return false;
}

/* ST_MISSING: no container.  ECS gives a path on its fixed address, EKS a whole URL. */
static enum status container_url(const struct aws_env *env, struct buf *url, struct error *err)
{
    const char *relative = aws_env_get(env, "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI");
    const char *full = aws_env_get(env, "AWS_CONTAINER_CREDENTIALS_FULL_URI");
    if (relative == NULL && full == NULL)
        return ST_MISSING;
    if (relative != NULL) {
        buf_add_cstr(url, "http://169.254.170.2");
        if (relative[0] != '/')
            return error_set(err, ST_USAGE, E_A109,
                             "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI does not begin with /");
        buf_add_cstr(url, relative);
    } else {
        buf_add_cstr(url, full);
    }
    if (buf_cstr(url) == NULL)
        return buf_status(url);
    if (!cred_container_url_allowed(buf_view(url)))
        return error_set(err, ST_USAGE, E_A109,
                         "container credentials are only fetched over https or from loopback and "
                         "the addresses of ECS and EKS: \"%.128s\"",
                         relative != NULL ? relative : full);
    return ST_OK;
}

static enum status container_fetch(struct cred_provider *self, const struct cred_context *ctx,
                                   struct credentials *out, struct error *err)
{
    (void)self;
    const struct aws_env *env = aws_config_env(ctx->config);
    struct buf url;
    struct buf token;
    struct http_response answer;
    struct error inner = {0};
    buf_init(&url, 4096);
    buf_init(&token, MAX_TOKEN);
    http_response_init(&answer);
    enum status st = container_url(env, &url, err);
    /* What goes into Authorization.  The file is read anew each time, because EKS rotates it. */
    const char *file = aws_env_get(env, "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE");
    if (!st && file != NULL)
        st = cred_read_token(file, &token, err);
    else if (!st)
        buf_add_view(&token, view_of(aws_env_get(env, "AWS_CONTAINER_AUTHORIZATION_TOKEN")));
    if (!st)
        st = buf_status(&token);
    if (st)
        goto out;
    struct http_header header = http_header_of("Authorization", buf_view(&token));
    struct http_request req = {.method = "GET",
                               .url = url.ptr,
                               .headers = &header,
                               .n_headers = token.len > 0 ? 1 : 0,
                               .connect_timeout_ms = TIMEOUT_MS,
                               .total_timeout_ms = TIMEOUT_MS,
                               .max_body_bytes = MAX_ANSWER,
                               .direct = true};
    struct retry retry;
    retry_init(&retry, NULL, ctx->clock, ctx->stop, ATTEMPTS, INT64_MAX, 0);
    do {
        st = http_send(ctx->http, &req, &answer, &inner);
        if (!st && (answer.status >= 500 || answer.status == 429))
            st = error_set(&inner, ST_RETRY, E_A305, "answered %d", answer.status);
    } while (st == ST_RETRY && retry_wait(&retry, false, 0, NULL) == ST_OK);
    if (st)
        error_set(err, st, E_A109, "container credentials: %s", inner.text);
    else if (answer.status != 200)
        st = error_set(err, ST_DENIED, E_A109, "container credentials: answered %d", answer.status);
    else
        st = cred_parse_json(buf_view(&answer.body), "container credentials", out, err);
out:
    http_response_clear(&answer);
    buf_wipe(&token);
    buf_clear(&url);
    return st;
}

struct cred_provider CRED_CONTAINER = {"container", container_fetch};
