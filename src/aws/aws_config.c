/*
 * aws_config.c: the AWS command line's settings, read once and checked before anything is sent.
 *
 * The order is the one of the AWS SDK reference guide: environment, then the profile of the shared
 * files.  A value that breaks its grammar is an error here rather than a strange host name later.
 * Partitions and suffixes are those of botocore's endpoints.json.
 */
#include "aws/aws_config.h"

#include <stdlib.h>
#include <unistd.h>

#include "aws/uri.h"
#include "base/whole_file.h"

enum { MAX_CA_BYTES = 16 * 1024 * 1024 };

const struct aws_service AWS_S3 = {"S3", "s3", "s3", "S3", "s3", true};
const struct aws_service AWS_SQS = {"SQS", "sqs", "sqs", "SQS", "sqs", false};
const struct aws_service AWS_CLOUDWATCH = {"CloudWatch", "monitoring", "monitoring",
                                           "CLOUDWATCH", "cloudwatch", false};
const struct aws_service AWS_STS = {"STS", "sts", "sts", "STS", "sts", false};
const struct aws_service AWS_BEDROCK = {"Bedrock", "bedrock", "bedrock",
                                        "BEDROCK", "bedrock", false};
const struct aws_service AWS_DYNAMODB = {"DynamoDB", "dynamodb", "dynamodb",
                                         "DYNAMODB", "dynamodb", false};

struct aws_config {
    const struct aws_env *env;
    struct aws_ini *ini;
    char *profile;
    char *region;
    char *ca_file;
    char *https_proxy;
    char *http_proxy;
    char *no_proxy;
    unsigned max_attempts;
    bool fips;
    bool dual_stack;
    bool ignore_endpoints;
    bool profile_forced;
};

static const char *process_get(void *ctx, const char *name)
{
    (void)ctx;
    return getenv(name);
}

struct aws_env aws_env_process(void)
{
    return (struct aws_env){process_get, NULL};
}

const char *aws_env_get(const struct aws_env *env, const char *name)
{
    const char *value = env->get(env->ctx, name);
    return value == NULL || value[0] == '\0' ? NULL : value;
}

/* The partitions of botocore's endpoints data; anything unknown is in the first. */
static const struct partition {
    const char *prefix;
    const char *name;
    const char *suffix;
    const char *dual_stack; /* NULL: none */
} partitions[] = {
    {"cn-", "aws-cn", "amazonaws.com.cn", "api.amazonwebservices.com.cn"},
    {"us-gov-", "aws-us-gov", "amazonaws.com", "api.aws"},
    {"us-iso-", "aws-iso", "c2s.ic.gov", NULL},
    {"us-isob-", "aws-iso-b", "sc2s.sgov.gov", NULL},
    {"us-isof-", "aws-iso-f", "csp.hci.ic.gov", NULL},
    {"eu-isoe-", "aws-iso-e", "cloud.adc-e.uk", NULL},
    {"eusc-", "aws-eusc", "amazonaws.eu", NULL},
    {"", "aws", "amazonaws.com", "api.aws"},
};

static const struct partition *partition_of(struct view region)
{
    size_t i = 0;
    while (!view_starts(region, view_of(partitions[i].prefix)))
        i++;
    return &partitions[i];
}

const char *aws_region_suffix(struct view region)
{
    return partition_of(region)->suffix;
}

const char *aws_region_partition(struct view region)
{
    return partition_of(region)->name;
}

enum status aws_endpoint_check(struct view url, const char *what, struct error *err)
{
    struct uri u;
    if (uri_parse(url, &u) != ST_OK)
        return error_set(err, ST_USAGE, E_A111, "%s is not an endpoint address: \"%.*s\"", what,
                         SHOW_MAX(url, 128));
    if (!u.https && !uri_host_is_loopback(u.host))
        return error_set(err, ST_USAGE, E_A111,
                         "%s must be https (http only on loopback): \"%.*s\"", what,
                         SHOW_MAX(url, 128));
    return ST_OK;
}

/* A setting: the first variable that is set, else the profile's value, else VIEW_EMPTY. */
static struct view setting(const struct aws_config *c, const char *variable, const char *other,
                           const char *key)
{
    const char *text = variable == NULL ? NULL : aws_env_get(c->env, variable);
    if (text == NULL && other != NULL)
        text = aws_env_get(c->env, other);
    if (text == NULL && key != NULL)
        return aws_ini_get(c->ini, aws_config_profile(c), key);
    return view_of(text);
}

/* A copy of a setting that is to be kept; none is left NULL. */
static enum status keep(char **out, struct view value)
{
    if (value.len > 0)
        *out = view_dup(value);
    return value.len > 0 && *out == NULL ? ST_NO_MEMORY : ST_OK;
}

/*
 * Read both files and choose the profile.  A file that is not there is an empty one, but a profile
 * that was asked for by name must exist: silently falling back to other credentials would be worse
 * than failing.
 */
static enum status load_files(struct aws_config *c, const char *profile, struct error *err)
{
    static const struct {
        enum aws_ini_kind kind;
        const char *variable;
        const char *below_home;
    } files[] = {
        {AWS_INI_CONFIG, "AWS_CONFIG_FILE", "/.aws/config"},
        {AWS_INI_CREDENTIALS, "AWS_SHARED_CREDENTIALS_FILE", "/.aws/credentials"},
    };
    const char *home = aws_env_get(c->env, "HOME");
    const char *asked = profile != NULL ? profile : aws_env_get(c->env, "AWS_PROFILE");
    if (asked == NULL)
        asked = aws_env_get(c->env, "AWS_DEFAULT_PROFILE");
    c->profile = view_dup(view_of(asked != NULL ? asked : "default"));
    if (c->profile == NULL)
        return ST_NO_MEMORY;
    for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
        const char *path = aws_env_get(c->env, files[i].variable);
        struct buf full;
        buf_init(&full, 4096);
        bool below_home = path == NULL || (path[0] == '~' && path[1] == '/');
        if (below_home && home != NULL)
            buf_add_cstr(&full, home);
        if (path == NULL && home != NULL)
            buf_add_cstr(&full, files[i].below_home);
        else if (path != NULL)
            buf_add_cstr(&full, below_home && home != NULL ? path + 1 : path);
        enum status st = buf_status(&full);
        if (!st && full.len > 0) {
            const char *name = buf_cstr(&full);
            st = name == NULL ? ST_NO_MEMORY : aws_ini_add_file(c->ini, files[i].kind, name, err);
        }
        buf_clear(&full);
        if (st)
            return st;
    }
    if (asked != NULL && strcmp(asked, "default") != 0 &&
        !aws_ini_has_profile(c->ini, view_of(asked)))
        return error_set(err, ST_USAGE, E_A105,
                         "profile \"%.64s\" is in neither config nor credentials file", asked);
    return ST_OK;
}

/* "true"/"false" in any case, of a variable or else a profile key. */
static enum status load_flag(struct aws_config *c, const char *variable, const char *key, bool *out,
                             struct error *err)
{
    struct view v = setting(c, variable, NULL, key);
    *out = view_eq_nocase(v, VIEW_LIT("true"));
    if (v.len > 0 && !*out && !view_eq_nocase(v, VIEW_LIT("false")))
        return error_set(err, ST_USAGE, E_U207, "%s must be true or false: \"%.*s\"", variable,
                         SHOW_MAX(v, 64));
    return ST_OK;
}

/* Region, attempts and retry mode; a missing Region is not an error yet, because local commands need none. */
static enum status load_texts(struct aws_config *c, struct error *err)
{
    struct view region = setting(c, "AWS_REGION", "AWS_DEFAULT_REGION", "region");
    struct view attempts = setting(c, "AWS_MAX_ATTEMPTS", NULL, "max_attempts");
    struct view mode = setting(c, "AWS_RETRY_MODE", NULL, "retry_mode");
    uint64_t n = 3;
    if (region.len > 0 && !aws_region_valid(region))
        return error_set(err, ST_USAGE, E_U214, "not a Region: \"%.*s\"", SHOW_MAX(region, 64));
    if (attempts.len > 0 && (view_parse_u64(attempts, 100, &n) || n == 0))
        return error_set(err, ST_USAGE, E_U208, "AWS_MAX_ATTEMPTS must be 1 to 100: \"%.*s\"",
                         SHOW_MAX(attempts, 64));
    /* All modes are the standard one here: it is the one whose behaviour is specified. */
    if (mode.len > 0 && !view_eq_cstr(mode, "standard") && !view_eq_cstr(mode, "legacy") &&
        !view_eq_cstr(mode, "adaptive"))
        return error_set(err, ST_USAGE, E_A113,
                         "AWS_RETRY_MODE must be standard, legacy or adaptive: \"%.*s\"",
                         SHOW_MAX(mode, 64));
    c->max_attempts = (unsigned)n;
    return keep(&c->region, region);
}

/*
 * The bundle of certificates.  libcurl's compiled-in default is that of the machine it was built
 * on, so the places of the common distributions are tried.
 */
static enum status load_ca(struct aws_config *c, struct error *err)
{
    /* Debian/Ubuntu/Alpine, Amazon Linux 2023/RHEL/Fedora, older RHEL, openSUSE. */
    static const char *const places[] = {"/etc/ssl/certs/ca-certificates.crt",
                                         "/etc/pki/tls/certs/ca-bundle.crt",
                                         "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
                                         "/etc/ssl/ca-bundle.pem", "/etc/ssl/cert.pem"};
    struct view v = setting(c, "AWS_CA_BUNDLE", NULL, "ca_bundle");
    if (v.len == 0)
        v = view_of(aws_env_get(c->env, "SSL_CERT_FILE"));
    bool given = v.len > 0;
    for (size_t i = 0; i < sizeof(places) / sizeof(places[0]) && v.len == 0; i++)
        if (access(places[i], R_OK) == 0)
            v = view_of(places[i]);
    struct error detail = {0};
    struct stat about;
    enum status st = keep(&c->ca_file, v);
    if (st || !given)
        return st;
    /* libcurl reads it, to its end, whatever it is. */
    st = whole_file_read(NULL, c->ca_file, WHOLE_FILE_REGULAR, &about, &detail);
    if (!st && about.st_size > MAX_CA_BYTES)
        st = error_set(&detail, ST_TOO_BIG, E_F110, "is larger than %d bytes", MAX_CA_BYTES);
    return !st ? ST_OK
               : error_set(err, ST_USAGE, E_A112, "CA file cannot be read: \"%.128s\": %s",
                           c->ca_file, detail.text);
}

/*
 * The endpoint that somebody configured for a service, in the order of the SDK reference guide
 * ("Service-specific endpoints"); empty when there is none.
 */
static enum status find_override(const struct aws_config *c, const struct aws_service *service,
                                 struct view *out, struct error *err)
{
    *out = VIEW_EMPTY;
    if (c->ignore_endpoints)
        return ST_OK;
    struct buf name;
    buf_init(&name, 128);
    buf_add_cstr(&name, "AWS_ENDPOINT_URL_");
    buf_add_cstr(&name, service->env_suffix);
    const char *variable = buf_cstr(&name);
    if (variable == NULL) {
        buf_clear(&name);
        return ST_NO_MEMORY;
    }
    const char *what = "AWS_ENDPOINT_URL_<SERVICE>";
    struct view found = view_of(aws_env_get(c->env, variable));
    buf_clear(&name);
    if (found.len == 0) {
        what = "AWS_ENDPOINT_URL";
        found = view_of(aws_env_get(c->env, what));
    }
    if (found.len == 0) {
        what = "endpoint_url in the services section";
        struct view section = setting(c, NULL, NULL, "services");
        if (section.len > 0)
            found = aws_ini_get_service(c->ini, section, service->config_key, "endpoint_url");
    }
    if (found.len == 0) {
        what = "endpoint_url of the profile";
        found = setting(c, NULL, NULL, "endpoint_url");
    }
    while (found.len > 0 && found.ptr[found.len - 1] == '/')
        found.len--;
    *out = found;
    return found.len > 0 ? aws_endpoint_check(found, what, err) : ST_OK;
}

enum status aws_config_load(struct aws_config **out, const struct aws_env *env, const char *profile,
                            struct error *err)
{
    static const struct aws_service *const services[] = {&AWS_S3,  &AWS_SQS,     &AWS_CLOUDWATCH,
                                                         &AWS_STS, &AWS_BEDROCK, &AWS_DYNAMODB};
    *out = NULL;
    struct aws_config *c = calloc(1, sizeof(*c));
    if (c == NULL)
        return ST_NO_MEMORY;
    c->env = env;
    c->profile_forced = profile != NULL;
    enum status st = aws_ini_new(&c->ini);
    if (!st)
        st = load_files(c, profile, err);
    if (!st)
        st = load_texts(c, err);
    if (!st)
        st = load_flag(c, "AWS_USE_FIPS_ENDPOINT", "use_fips_endpoint", &c->fips, err);
    if (!st)
        st = load_flag(c, "AWS_USE_DUALSTACK_ENDPOINT", "use_dualstack_endpoint", &c->dual_stack,
                       err);
    if (!st)
        st = load_flag(c, "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", "ignore_configured_endpoint_urls",
                       &c->ignore_endpoints, err);
    if (!st)
        st = load_ca(c, err);
    if (!st)
        st = keep(&c->https_proxy, setting(c, "https_proxy", "HTTPS_PROXY", NULL));
    /*
     * Not HTTP_PROXY: in a CGI program a request header called Proxy arrives under that name
     * ("httpoxy", CVE-2016-5385), and curl ignores it for the same reason.
     */
    if (!st)
        st = keep(&c->http_proxy, setting(c, "http_proxy", NULL, NULL));
    if (!st)
        st = keep(&c->no_proxy, setting(c, "no_proxy", "NO_PROXY", NULL));
    /* A wrong override of any service is found at the start, not in the middle of a run. */
    for (size_t i = 0; i < sizeof(services) / sizeof(services[0]) && !st; i++) {
        struct view unused;
        st = find_override(c, services[i], &unused, err);
    }
    if (st) {
        aws_config_free(c);
        return st;
    }
    *out = c;
    return ST_OK;
}

void aws_config_free(struct aws_config *c)
{
    if (c == NULL)
        return;
    aws_ini_free(c->ini);
    free(c->profile);
    free(c->region);
    free(c->ca_file);
    free(c->https_proxy);
    free(c->http_proxy);
    free(c->no_proxy);
    free(c);
}

const struct aws_env *aws_config_env(const struct aws_config *c)
{
    return c->env;
}

const struct aws_ini *aws_config_ini(const struct aws_config *c)
{
    return c->ini;
}

struct view aws_config_profile(const struct aws_config *c)
{
    return view_of(c->profile);
}

bool aws_config_profile_forced(const struct aws_config *c)
{
    return c->profile_forced;
}

struct view aws_config_region(const struct aws_config *c)
{
    return view_of(c->region);
}

unsigned aws_config_max_attempts(const struct aws_config *c)
{
    return c->max_attempts;
}

struct http_options aws_config_http(const struct aws_config *c)
{
    return (struct http_options){.ca_file = c->ca_file,
                                 .https_proxy = c->https_proxy,
                                 .http_proxy = c->http_proxy,
                                 .no_proxy = c->no_proxy};
}

/*
 * sqs-fips.us-east-1.api.aws
 *    ^^^^^           ^^^^^^^ dual stack; S3 has s3-fips.dualstack.REGION.amazonaws.com instead
 */
static enum status own_endpoint(const struct aws_config *c, const struct aws_service *service,
                                struct view region, struct buf *out, struct error *err)
{
    const struct partition *p = partition_of(region);
    if (c->dual_stack && !service->s3 && p->dual_stack == NULL)
        return error_set(err, ST_USAGE, E_U214, "no dual-stack endpoints in Region \"%.*s\"",
                         SHOW(region));
    buf_add_cstr(out, "https://");
    buf_add_cstr(out, service->prefix);
    if (c->fips)
        buf_add_cstr(out, "-fips");
    if (c->dual_stack && service->s3)
        buf_add_cstr(out, ".dualstack");
    buf_add_char(out, '.');
    buf_add_view(out, region);
    buf_add_char(out, '.');
    buf_add_cstr(out, c->dual_stack && !service->s3 ? p->dual_stack : p->suffix);
    return buf_status(out);
}

enum status aws_config_endpoint(const struct aws_config *c, const struct aws_service *service,
                                struct view region, struct buf *out, bool *overridden,
                                struct error *err)
{
    struct view override;
    enum status st = find_override(c, service, &override, err);
    if (st)
        return st;
    if (overridden != NULL)
        *overridden = override.len > 0;
    if (override.len > 0) {
        buf_add_view(out, override);
        return buf_status(out);
    }
    if (region.len == 0)
        return error_set(err, ST_USAGE, E_U303, "no Region: set AWS_REGION");
    if (!aws_region_valid(region))
        return error_set(err, ST_USAGE, E_U214, "not a Region: \"%.*s\"", SHOW_MAX(region, 64));
    return own_endpoint(c, service, region, out, err);
}
