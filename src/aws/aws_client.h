/* aws_client.h: what only the files of the AWS layer share. */
#ifndef AWS_AWS_CLIENT_H
#define AWS_AWS_CLIENT_H

#include "aws/aws_call.h"

/* The Regions of buckets, learned from redirects; the oldest is forgotten first. */
struct s3_regions {
    struct {
        char bucket[64];
        char region[33];
    } known[32];
    unsigned next;
};
struct s3_regions *aws_client_s3_regions(struct aws_client *c);

struct retry_budget *aws_client_budget(struct aws_client *c);

/* Asks the caller's aws_stop and the deadline. */
const struct aws_stop *aws_client_stop(const struct aws_client *c);

/* Credentials handed out as they are: a role's source while the role is taken. */
NODISCARD enum status cred_chain_new_static(struct cred_chain **out,
                                            const struct aws_config *config,
                                            const struct aws_clock *clock,
                                            const struct credentials *creds);

/* Fetch from the instance's or container's provider by its credential_source name. */
NODISCARD enum status cred_fetch_source(struct view name, const struct cred_context *ctx,
                                        struct credentials *out, struct error *err);

/* Take `role` with `base` (NULL: with role->web_identity_token). */
struct sts_role;
NODISCARD enum status cred_assume(const struct cred_context *ctx, struct cred_chain *base,
                                  struct view region, const struct sts_role *role,
                                  struct credentials *out, struct error *err);

/* The trimmed content of a small file that holds a token. */
NODISCARD enum status cred_read_token(const char *path, struct buf *out, struct error *err);

/* Header bits of a list: {"x-amz-target", view}. */
static inline struct http_header http_header_of(const char *name, struct view value)
{
    return (struct http_header){view_of(name), value};
}

/* Run `command` (see cred_split_command) without a shell; its output, at most 64 KiB, in *out. */
NODISCARD enum status cred_run_process(struct view command, const struct cred_context *ctx,
                                       struct buf *out, struct error *err);

#endif
