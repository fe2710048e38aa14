/*
 * cred_imds.c: the instance metadata service, version 2 only.  A session token is fetched with PUT
 * first, and there is no falling back to version 1, which any server-side request forgery can
 * read.
 *
 *   PUT /latest/api/token                                      -> a token
 *   GET /latest/meta-data/iam/security-credentials/            -> the role's name
 *   GET /latest/meta-data/iam/security-credentials/ROLE        -> credentials as JSON
 *
 * Facts: EC2 user guide, "Use the Instance Metadata Service".  It is the last provider of the
 * chain, so off EC2 its short timeouts are what a missing configuration costs.
 */
#include "aws/aws_private.h"
#include "aws/retry.h"
#include "aws/uri.h"

enum { MAX_ANSWER = 16 * 1024, TIMEOUT_MS = 1000, ATTEMPTS = 2, MAX_ROLE = 64 };

bool cred_imds_url_allowed(struct view url)
{
    struct uri u;
    if (uri_parse(url, &u) != ST_OK)
        return false;
    return uri_host_is_loopback(u.host) || view_eq_cstr(u.host, "169.254.169.254") ||
           view_eq_nocase(u.host, VIEW_LIT("fd00:ec2::254"));
}

/* The address of the service; ST_MISSING when it is switched off by the environment. */
static enum status imds_base(const struct aws_env *env, struct view *out, struct error *err)
{
    const char *off = aws_env_get(env, "AWS_EC2_METADATA_DISABLED");
    const char *endpoint = aws_env_get(env, "AWS_EC2_METADATA_SERVICE_ENDPOINT");
    const char *mode = aws_env_get(env, "AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE");
    if (off != NULL && view_eq_nocase(view_of(off), VIEW_LIT("true")))
        return ST_MISSING;
    *out = VIEW_LIT("http://169.254.169.254");
    if (mode != NULL && view_eq_nocase(view_of(mode), VIEW_LIT("ipv6")))
        *out = VIEW_LIT("http://[fd00:ec2::254]");
    if (endpoint == NULL)
        return ST_OK;
    *out = view_of(endpoint);
    while (out->len > 0 && out->ptr[out->len - 1] == '/')
        out->len--;
    if (!cred_imds_url_allowed(*out))
        return error_set(err, ST_USAGE, E_A110,
                         "AWS_EC2_METADATA_SERVICE_ENDPOINT is neither loopback nor an address of "
                         "the metadata service: \"%.128s\"",
                         endpoint);
    return ST_OK;
}

/* One request; *answer holds what came.  Any HTTP status is ST_OK. */
static enum status imds_get(const struct cred_context *ctx, struct view base, const char *method,
                            struct view path, struct http_header header,
                            struct http_response *answer, struct error *err)
{
    struct buf url;
    buf_init(&url, 1024);
    buf_add_view(&url, base);
    buf_add_view(&url, path);
    const char *text = buf_cstr(&url);
    enum status st = text == NULL ? ST_NO_MEMORY : ST_OK;
    struct retry retry;
    retry_init(&retry, NULL, ctx->clock, ctx->stop, ATTEMPTS, INT64_MAX, 0);
    struct http_request req = {.method = method,
                               .url = text,
                               .headers = &header,
                               .n_headers = 1,
                               .connect_timeout_ms = TIMEOUT_MS,
                               .total_timeout_ms = TIMEOUT_MS * 2,
                               .max_body_bytes = MAX_ANSWER,
                               .direct = true};
    while (!st) {
        st = http_send(ctx->http, &req, answer, err);
        bool again = st == ST_RETRY || (!st && answer->status >= 500);
        if (!again || retry_wait(&retry, false, 0, NULL) != ST_OK)
            break;
        st = ST_OK;
    }
    buf_clear(&url);
    return st;
}

/* Append the path of the role's credentials.  ST_MISSING: an instance without a role. */
static enum status imds_role(const struct cred_context *ctx, struct view base,
                             struct http_header token, struct buf *path,
                             struct http_response *answer, struct error *err)
{
    static const char folder[] = "/latest/meta-data/iam/security-credentials/";
    enum status st = imds_get(ctx, base, "GET", view_of(folder), token, answer, err);
    if (st)
        return st;
    if (answer->status == 404)
        return ST_MISSING; /* an instance without a role */
    struct view role = buf_view(&answer->body);
    size_t end = view_find_char(role, '\n');
    role = view_trim(end == SIZE_MAX ? role : view_first(role, end));
    /* The name becomes a part of a path (IAM: letters, digits and +=,.@-_, at most 64). */
    if (answer->status != 200 || role.len > MAX_ROLE || !view_is_word(role, "+=,.@-_"))
        return error_set(err, ST_RETRY, E_A110, "metadata service: answered %d for the role's name",
                         answer->status);
    buf_add_cstr(path, folder);
    uri_add_encoded(path, role);
    return buf_status(path);
}

static enum status imds_fetch(struct cred_provider *self, const struct cred_context *ctx,
                              struct credentials *out, struct error *err)
{
    (void)self;
    struct view base;
    struct buf token;
    struct buf path;
    struct http_response answer;
    struct error inner = {0};
    buf_init(&token, 1024);
    buf_init(&path, 1024);
    http_response_init(&answer);
    enum status st = imds_base(aws_config_env(ctx->config), &base, err);
    if (st)
        goto out;
    struct http_header ttl = http_header_of("X-aws-ec2-metadata-token-ttl-seconds", VIEW_LIT("60"));
    st = imds_get(ctx, base, "PUT", VIEW_LIT("/latest/api/token"), ttl, &answer, &inner);
    if (st == ST_RETRY) {
        st = ST_MISSING; /* no answer: not on EC2, or the hop limit keeps containers out */
        goto out;
    }
    if (!st && answer.status != 200) {
        st = answer.status == 403 || answer.status == 404 || answer.status == 405
                 ? ST_MISSING /* switched off */
                 : error_set(err, ST_RETRY, E_A110, "metadata service: answered %d", answer.status);
        goto out;
    }
    buf_add_view(&token, view_trim(buf_view(&answer.body)));
    if (!st)
        st = buf_status(&token);
    if (st)
        goto out;
    struct http_header header = http_header_of("X-aws-ec2-metadata-token", buf_view(&token));
    st = imds_role(ctx, base, header, &path, &answer, &inner);
    if (!st)
        st = imds_get(ctx, base, "GET", buf_view(&path), header, &answer, &inner);
    if (st && st != ST_MISSING)
        error_set(err, st, inner.code, "%s", inner.text);
    if (!st && answer.status != 200)
        st = error_set(err, ST_RETRY, E_A110, "metadata service: answered %d for credentials",
                       answer.status);
    if (!st)
        st = cred_parse_json(buf_view(&answer.body), "metadata service", out, err);
out:
    http_response_clear(&answer);
    buf_wipe(&token);
    buf_clear(&path);
    return st;
}

struct cred_provider CRED_IMDS = {"instance metadata", imds_fetch};

enum status cred_fetch_source(struct view name, const struct cred_context *ctx,
                              struct credentials *out, struct error *err)
{
    static const struct {
        const char *name;
        struct cred_provider *provider;
    } sources[] = {{"Environment", &CRED_ENV},
                   {"EcsContainer", &CRED_CONTAINER},
                   {"Ec2InstanceMetadata", &CRED_IMDS}};
    for (size_t i = 0; i < sizeof(sources) / sizeof(sources[0]); i++) {
        if (!view_eq_cstr(name, sources[i].name))
            continue;
        enum status st = sources[i].provider->fetch(sources[i].provider, ctx, out, err);
        if (st == ST_MISSING)
            return error_set(err, ST_DENIED, E_A105,
                             "credential_source = %s provides no credentials", sources[i].name);
        return st;
    }
    return error_set(err, ST_USAGE, E_A105, "unknown credential_source \"%.*s\"",
                     SHOW_MAX(name, 64));
}
