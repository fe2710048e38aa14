/* sts.h: roles and who we are (query protocol, XML answers). */
#ifndef AWS_STS_H
#define AWS_STS_H

#include "aws/aws_call.h"

struct sts_role {
    struct view role_arn;
    struct view session_name;
    struct view external_id;        /* empty: none */
    struct view web_identity_token; /* for AssumeRoleWithWebIdentity */
    uint32_t duration_s;            /* 900..43200; 0: the service's default */
};

/* c signs with the credentials that may assume the role. */
NODISCARD enum status sts_assume_role(struct aws_client *c, struct view region,
                                      const struct sts_role *role, struct credentials *out,
                                      struct error *err);

/* Unsigned; the token is the proof. */
NODISCARD enum status sts_assume_role_with_web_identity(struct aws_client *c, struct view region,
                                                        const struct sts_role *role,
                                                        struct credentials *out, struct error *err);

struct sts_identity {
    char account[13];
    char arn[2049];
    char user_id[129];
};
/* Whose credentials c signs with; needs no permission.  *out is overwritten. */
NODISCARD enum status sts_get_caller_identity(struct aws_client *c, struct view region,
                                              struct sts_identity *out, struct error *err);

/* arn:PARTITION:iam::ACCOUNT:role/..., at most 2048 bytes. */
bool sts_role_arn_valid(struct view arn);

/* 2..64 of letters, digits and _+=,.@- */
bool sts_session_name_valid(struct view name);

#endif
