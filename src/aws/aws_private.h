/*
 * aws_private.h: what the files of the AWS layer share with one another and with nobody else: parts
 * of a client, the reading of answers, S3's calls, pieces of credential providers.
 */
#ifndef AWS_AWS_PRIVATE_H
#define AWS_AWS_PRIVATE_H

#include "aws/aws_call.h"

/* ---- the client ---- */

/* An entry of a list of headers; the texts are the caller's. */
static inline struct http_header http_header_of(const char *name, struct view value)
{
    return (struct http_header){view_of(name), value};
}

/* The Regions of buckets, learned from redirects; the oldest is forgotten first. */
struct s3_regions {
    struct {
        char bucket[64];
        char region[33];
    } known[32];
    unsigned next;
};
struct s3_regions *aws_client_s3_regions(struct aws_client *c);

/*
 * Begin a call that may be repeated: with the client's budget, clock, stop and deadline.
 * max_attempts 0: as configured.
 */
void aws_client_retry(const struct aws_client *c, struct retry *retry, unsigned max_attempts);

/* ---- answers (aws_answer.c) ---- */

/*
 * Fill code, message, request id and server date from an answer of any HTTP status, whichever of
 * AWS's protocols it is in.
 */
void aws_answer_read(struct aws_answer *a);

/* What the caller can do about an answer that was read; the statuses are those of aws_call(). */
enum status aws_answer_status(const struct aws_answer *a);

/* The code of an answer of 300 and more that was read; E_NONE for an odd status without a name. */
enum code aws_answer_code(const struct aws_answer *a);

/* The code of an error by the name AWS gives it, such as "QueueDoesNotExist". */
enum code aws_code_of_name(struct view name, enum code otherwise);

/* The service refused the credentials as expired. */
bool aws_answer_is_expired(const struct aws_answer *a);

/* The service refused the signature, or the date in it. */
bool aws_answer_is_signature(const struct aws_answer *a);

/* ---- S3 (s3.c) ---- */

enum { S3_MAX_KEY = 1024, S3_MAX_PATH = 8 * 1024 };

/*
 * Append the endpoint ("https://host") and path of an object or (key empty) bucket in a Region.
 * ST_BAD_ITEM: bucket or key breaks its grammar; ST_USAGE: Region or endpoint.
 */
NODISCARD enum status s3_address(struct aws_client *c, struct view bucket, struct view region,
                                 struct view key, struct buf *endpoint, struct buf *path,
                                 struct error *err);

/*
 * Make a call about a bucket or object, following the bucket to its Region.  Service, Region,
 * endpoint and path of *req are filled in here.  `region` may be empty: where the bucket was found
 * before, else the configured one.  With `stream` the answer's body is left to be read from
 * *stream.  Otherwise as aws_call().
 */
NODISCARD enum status s3_call(struct aws_client *c, struct view bucket, struct view region,
                              struct view key, struct aws_request *req, struct aws_answer *answer,
                              struct http_stream **stream, struct error *err);

/* ---- credentials ---- */

/* Credentials handed out as they are: a role's source while the role is taken. */
NODISCARD enum status cred_chain_new_static(struct cred_chain **out,
                                            const struct aws_config *config,
                                            const struct aws_clock *clock,
                                            const struct credentials *creds);

/*
 * Fetch from the provider that a profile names as its credential_source.  ST_DENIED: it provides
 * none; ST_USAGE: no such source; other failures are the provider's.
 */
NODISCARD enum status cred_fetch_source(struct view name, const struct cred_context *ctx,
                                        struct credentials *out, struct error *err);

/*
 * Take `role` with the credentials of `base` (NULL: with role->web_identity_token), in a client of
 * its own.  Statuses as aws_call(); ST_RETRY also when STS answers without usable credentials.
 */
struct sts_role;
NODISCARD enum status cred_assume(const struct cred_context *ctx, struct cred_chain *base,
                                  struct view region, const struct sts_role *role,
                                  struct credentials *out, struct error *err);

/*
 * Append the trimmed content of a small file that holds a token.  ST_IO: it cannot be read;
 * ST_BAD_ITEM: it is empty; ST_TOO_BIG: beyond the ceiling of *out.
 */
NODISCARD enum status cred_read_token(const char *path, struct buf *out, struct error *err);

/*
 * Run `command` (see cred_split_command) without a shell; appends to *out what it prints, at
 * most 64 KiB.  ST_USAGE: it cannot be split or started; ST_DENIED: it ended with a failure;
 * ST_RETRY: it ran longer than a minute; ST_CANCELLED.
 */
NODISCARD enum status cred_run_process(struct view command, const struct cred_context *ctx,
                                       struct buf *out, struct error *err);

#endif
