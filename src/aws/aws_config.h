/*
 * aws_config.h: Region, endpoints, CA file, proxies and retry settings, from the environment and
 * the shared config files, as the AWS command line reads them.
 *
 * Immutable once loaded: any number of threads may read one.  Whatever becomes a host name passes a
 * strict grammar first.
 */
#ifndef AWS_AWS_CONFIG_H
#define AWS_AWS_CONFIG_H

#include "aws/aws_ini.h"
#include "aws/http.h"
#include "base/aws_name.h"
#include "base/buf.h"

/* Where variables come from, so that tests need no real environment. */
struct aws_env {
    const char *(*get)(void *ctx, const char *name); /* NULL when unset */
    void *ctx;
};

/* The process environment. */
struct aws_env aws_env_process(void);

/* A variable's value, NULL when unset or empty. */
const char *aws_env_get(const struct aws_env *env, const char *name);

/* What is different about a service. */
struct aws_service {
    const char *name;         /* for messages: "CloudWatch" */
    const char *prefix;       /* first label of the host name: "monitoring" */
    const char *signing_name; /* in the credential scope */
    const char *env_suffix;   /* AWS_ENDPOINT_URL_<...>: "CLOUDWATCH" */
    const char *config_key;   /* in a [services x] section: "cloudwatch" */
    bool s3;                  /* signed the S3 way */
};
extern const struct aws_service AWS_S3, AWS_SQS, AWS_CLOUDWATCH, AWS_STS, AWS_BEDROCK, AWS_DYNAMODB;

struct aws_config;

/*
 * Read environment and files.  profile: overrides AWS_PROFILE when not NULL.  A file that does not
 * exist is an empty one.  ST_USAGE: a value breaks its grammar (quoted in err), a file is
 * malformed, or a profile asked for by name is in neither file; ST_IO: a file cannot be read;
 * ST_NO_MEMORY. env must outlive the config.
 */
NODISCARD enum status aws_config_load(struct aws_config **out, const struct aws_env *env,
                                      const char *profile, struct error *err);
void aws_config_free(struct aws_config *c);

/* What was loaded: borrowed, as long as the config. */
const struct aws_env *aws_config_env(const struct aws_config *c);
const struct aws_ini *aws_config_ini(const struct aws_config *c);
struct view aws_config_profile(const struct aws_config *c); /* "default" */
/* Named by aws_config_load's argument: it then takes precedence over credentials in the environment. */
bool aws_config_profile_forced(const struct aws_config *c);

/* AWS_REGION, AWS_DEFAULT_REGION, the profile's region; VIEW_EMPTY when none is configured. */
struct view aws_config_region(const struct aws_config *c);

/* AWS_MAX_ATTEMPTS, profile max_attempts, else 3; 1..100.  AWS_RETRY_MODE is checked, but every
 * mode is the standard one. */
unsigned aws_config_max_attempts(const struct aws_config *c);

/*
 * The CA file: AWS_CA_BUNDLE, profile ca_bundle, SSL_CERT_FILE, or the first that exists of the
 * places Linux distributions use; NULL when none.  The proxies: https_proxy/HTTPS_PROXY,
 * http_proxy (not honoured in capitals), no_proxy/NO_PROXY.  Clock and stop are left to the caller.
 */
struct http_options aws_config_http(const struct aws_config *c);

/*
 * The endpoint of a service in a Region, "https://host" or an override with port and path and no
 * trailing `/`; in the order AWS_ENDPOINT_URL_<SERVICE>, AWS_ENDPOINT_URL, the services section of
 * the profile, its endpoint_url, the service's own (with FIPS and dual stack where asked for).
 * *overridden (may be NULL) says whether it is not the service's own.  ST_USAGE: malformed Region
 * or override (checked when loading too), or not https and not loopback.
 */
NODISCARD enum status aws_config_endpoint(const struct aws_config *c,
                                          const struct aws_service *service, struct view region,
                                          struct buf *out, bool *overridden, struct error *err);

/* "amazonaws.com", "amazonaws.com.cn", ...; of a valid Region. */
const char *aws_region_suffix(struct view region);

/* "aws", "aws-cn", ...; of a valid Region. */
const char *aws_region_partition(struct view region);

/* https, or loopback over http.  ST_USAGE otherwise, quoting the value under `what`. */
NODISCARD enum status aws_endpoint_check(struct view url, const char *what, struct error *err);

#endif
