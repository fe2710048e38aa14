/*
 * cred.h: who we are.
 *
 * A chain of providers, each with a fetch and an expiry.  The first that is configured is used for
 * the life of the chain.  One refresh at a time; credentials are renewed five minutes before they
 * expire, and while old ones are still valid nobody waits for that.  Any thread may use a chain.
 * Supported: environment, web identity (EKS), shared files (static, role_arn with source_profile or
 * credential_source, web_identity_token_file, credential_process), container endpoint (ECS, EKS pod
 * identity), IMDSv2.  Not supported, and said so: AWS IAM Identity Center (sso_*) and MFA
 * (mfa_serial).
 */
#ifndef AWS_CRED_H
#define AWS_CRED_H

#include "aws/aws_config.h"
#include "aws/http.h"

enum { CRED_MAX_ID = 128, CRED_MAX_SECRET = 512, CRED_MAX_TOKEN = 16384, CRED_REFRESH_S = 300 };

struct credentials {
    char access_key_id[CRED_MAX_ID + 1];
    char secret[CRED_MAX_SECRET + 1];
    char session_token[CRED_MAX_TOKEN + 1]; /* "" when there is none */
    int64_t expires_s;                      /* 0: never */
    const char *source;                     /* "environment", "imds", ...; constant text */
};
/* Overwrite with zeros, in a way the compiler does not leave out. */
void credentials_wipe(struct credentials *c);

/* Set all three; ST_BAD_ITEM: empty id or secret, too long, or a control byte. */
NODISCARD enum status credentials_set(struct credentials *c, struct view id, struct view secret,
                                      struct view token, int64_t expires_s);

/* What a provider may use while it fetches: the calling thread's. */
struct cred_context {
    struct http *http;
    const struct aws_config *config;
    const struct aws_clock *clock;
    const struct aws_stop *stop;
};

struct cred_provider {
    const char *name;
    /*
     * ST_OK: *out is filled.  ST_MISSING: not configured here, ask the next.  Anything else:
     * configured but failing (ST_RETRY may pass, ST_DENIED and ST_USAGE will not); the chain stops
     * there, because falling through to somebody else's credentials would be worse than failing.
     */
    enum status (*fetch)(struct cred_provider *self, const struct cred_context *ctx,
                         struct credentials *out, struct error *err);
};

/* The environment is in cred_chain.c; one file each: cred_web_identity.c, cred_profile.c,
 * cred_container.c, cred_imds.c. */
extern struct cred_provider CRED_ENV, CRED_WEB_IDENTITY, CRED_PROFILE, CRED_CONTAINER, CRED_IMDS;

struct cred_chain;

/* The default chain in the order of the list above.  config must outlive it. */
NODISCARD enum status cred_chain_new(struct cred_chain **out, const struct aws_config *config,
                                     const struct aws_clock *clock);

/* A chain of the given providers (not owned), for tests. */
NODISCARD enum status cred_chain_new_from(struct cred_chain **out, const struct aws_config *config,
                                          const struct aws_clock *clock,
                                          struct cred_provider *const *providers, size_t n);

struct cred_role {
    struct view role_arn;
    struct view external_id;  /* empty: none */
    struct view session_name; /* empty: "bedrock-metrics" */
    struct view region;       /* of the STS endpoint; empty: the configured one */
    uint32_t duration_s;      /* 0: 3600 */
};

/* Credentials of another role, taken with those of `base`, which must outlive it.  ST_USAGE: bad
 * ARN or session name. */
NODISCARD enum status cred_chain_new_role(struct cred_chain **out, struct cred_chain *base,
                                          const struct cred_role *role, struct error *err);

void cred_chain_free(struct cred_chain *chain); /* wipes; NULL does nothing */

/*
 * Valid credentials, fetched or from memory, copied to *out.  ST_DENIED: nobody provides any;
 * other failures as the provider said.  Waits for a refresh under way only when there is nothing
 * valid to hand out.
 */
NODISCARD enum status cred_chain_get(struct cred_chain *chain, struct http *http,
                                     const struct aws_stop *stop, struct credentials *out,
                                     struct error *err);

/* The service refused credentials with this id as expired: fetch anew next time. */
void cred_chain_reject(struct cred_chain *chain, const char *access_key_id);

/*
 * Is `url` an address credentials may be fetched from: https, loopback, or over http 169.254.170.2,
 * 169.254.170.23, [fd00:ec2::23] (ECS and EKS)?  For IMDS: loopback, 169.254.169.254,
 * [fd00:ec2::254].
 */
bool cred_container_url_allowed(struct view url);
bool cred_imds_url_allowed(struct view url);

/* The JSON that container endpoints and credential_process print.  `what` names it in errors. */
NODISCARD enum status cred_parse_json(struct view text, const char *what, struct credentials *out,
                                      struct error *err);

/* argv of a credential_process line: blanks separate, " and ' quote, \ escapes outside '.
 * Words are written NUL-separated into *words.  ST_USAGE: unbalanced quotes, no word. */
NODISCARD enum status cred_split_command(struct view line, struct buf *words, size_t *n);

#endif
