/*
 * sts.c: AssumeRole, AssumeRoleWithWebIdentity, GetCallerIdentity, in the query protocol: a form
 * is posted, XML is answered.
 *
 *   <AssumeRoleResponse><AssumeRoleResult><Credentials>
 *     <AccessKeyId/> <SecretAccessKey/> <SessionToken/> <Expiration>2026-11-01T10:31:00Z</Expiration>
 *
 * Facts: STS API reference, version 2011-06-15.
 */
#include "aws/sts.h"

#include "aws/aws_private.h"
#include "aws/uri.h"
#include "aws/xml_scan.h"
#include "base/rfc3339.h"

enum { MAX_BODY = 64 * 1024 };

bool sts_role_arn_valid(struct view arn)
{
    struct view rest = arn;
    struct view part;
    unsigned field = 0;
    if (arn.len > 2048)
        return false;
    /* arn:aws:iam::123456789012:role/path/name
     * 0   1   2   3 4           5              */
    while (field < 5 && view_split(&rest, ':', &part)) {
        bool ok = field == 0   ? view_eq_cstr(part, "arn")
                  : field == 1 ? part.len > 2 && view_starts(part, VIEW_LIT("aws"))
                  : field == 2 ? view_eq_cstr(part, "iam")
                  : field == 3 ? part.len == 0
                               : part.len == 12;
        for (size_t i = 0; i < part.len && ok; i++) {
            char c = part.ptr[i];
            ok = field == 4 ? c >= '0' && c <= '9' : (c >= 'a' && c <= 'z') || c == '-';
        }
        if (!ok)
            return false;
        field++;
    }
    if (field < 5 || !view_starts(rest, VIEW_LIT("role/")) || rest.len == 5)
        return false;
    for (size_t i = 0; i < rest.len; i++)
        if ((unsigned char)rest.ptr[i] <= 0x20 || (unsigned char)rest.ptr[i] >= 0x7f)
            return false;
    return true;
}

bool sts_session_name_valid(struct view name)
{
    return name.len >= 2 && name.len <= 64 && view_is_word(name, "_+=,.@-");
}

/* Post the form in *body. */
static enum status query(struct aws_client *c, struct view region, const char *operation,
                         struct buf *body, struct aws_answer *answer, struct error *err)
{
    enum status st = buf_status(body);
    if (st)
        return st;
    struct http_header type = http_header_of(
        "Content-Type", VIEW_LIT("application/x-www-form-urlencoded; charset=utf-8"));
    struct aws_request req = {.service = &AWS_STS,
                              .region = region,
                              .operation = operation,
                              .method = "POST",
                              .headers = &type,
                              .n_headers = 1,
                              .body = buf_view(body),
                              .max_body_bytes = MAX_BODY};
    return aws_call(c, &req, answer, err);
}

/* "AssumeRoleResponse/AssumeRoleResult" + rest */
static enum status find(const struct aws_answer *answer, const char *operation, const char *rest,
                        struct buf *out)
{
    struct buf path;
    buf_init(&path, 256);
    buf_add_cstr(&path, operation);
    buf_add_cstr(&path, "Response/");
    buf_add_cstr(&path, operation);
    buf_add_cstr(&path, "Result/");
    buf_add_cstr(&path, rest);
    const char *text = buf_cstr(&path);
    buf_reset(out);
    enum status st =
        text == NULL ? ST_NO_MEMORY : xml_scan_find(buf_view(&answer->http.body), text, out);
    buf_clear(&path);
    return st;
}

/* All four parts, or ST_RETRY: an answer without them is not one of STS. */
static enum status read_credentials(const struct aws_answer *answer, const char *operation,
                                    struct credentials *out, struct error *err)
{
    static const char *const names[] = {"Credentials/AccessKeyId", "Credentials/SecretAccessKey",
                                        "Credentials/SessionToken", "Credentials/Expiration"};
    struct buf values[4];
    enum status st = ST_OK;
    struct instant expires = {0};
    for (size_t i = 0; i < 4; i++)
        buf_init(&values[i], XML_MAX_TEXT);
    for (size_t i = 0; i < 4 && !st; i++)
        st = find(answer, operation, names[i], &values[i]);
    if (!st)
        st = rfc3339_parse(buf_view(&values[3]), &expires);
    if (!st)
        st = credentials_set(out, buf_view(&values[0]), buf_view(&values[1]), buf_view(&values[2]),
                             expires.seconds);
    for (size_t i = 0; i < 4; i++)
        buf_wipe(&values[i]);
    if (st && st != ST_NO_MEMORY)
        st = error_set(err, ST_RETRY, E_A114,
                       "%s: the answer holds no usable credentials (request %s)", operation,
                       answer->request_id);
    return st;
}

/* Both ways to take a role; parameters that are empty are left out. */
static enum status assume(struct aws_client *c, struct view region, const char *operation,
                          const struct sts_role *role, struct credentials *out, struct error *err)
{
    struct buf body;
    struct aws_answer answer;
    buf_init(&body, MAX_BODY * 2);
    aws_answer_init(&answer);
    buf_printf(&body, "Action=%s&Version=2011-06-15", operation);
    uri_add_parameter(&body, "RoleArn", role->role_arn);
    uri_add_parameter(&body, "RoleSessionName", role->session_name);
    uri_add_parameter(&body, "ExternalId", role->external_id);
    uri_add_parameter(&body, "WebIdentityToken", role->web_identity_token);
    if (role->duration_s > 0)
        buf_printf(&body, "&DurationSeconds=%u", role->duration_s);
    enum status st = query(c, region, operation, &body, &answer, err);
    if (!st)
        st = read_credentials(&answer, operation, out, err);
    aws_answer_clear(&answer);
    buf_wipe(&body);
    return st;
}

enum status sts_assume_role(struct aws_client *c, struct view region, const struct sts_role *role,
                            struct credentials *out, struct error *err)
{
    return assume(c, region, "AssumeRole", role, out, err);
}

enum status sts_assume_role_with_web_identity(struct aws_client *c, struct view region,
                                              const struct sts_role *role, struct credentials *out,
                                              struct error *err)
{
    return assume(c, region, "AssumeRoleWithWebIdentity", role, out, err);
}

static enum status copy_result(const struct aws_answer *answer, const char *name, char *out,
                               size_t size)
{
    struct buf text;
    buf_init(&text, XML_MAX_TEXT);
    enum status st = find(answer, "GetCallerIdentity", name, &text);
    if (!st && !view_copy(buf_view(&text), out, size))
        st = ST_TOO_BIG;
    buf_clear(&text);
    return st;
}

enum status sts_get_caller_identity(struct aws_client *c, struct view region,
                                    struct sts_identity *out, struct error *err)
{
    struct buf body;
    struct aws_answer answer;
    memset(out, 0, sizeof(*out));
    buf_init(&body, 128);
    aws_answer_init(&answer);
    buf_add_cstr(&body, "Action=GetCallerIdentity&Version=2011-06-15");
    enum status st = query(c, region, "GetCallerIdentity", &body, &answer, err);
    if (!st) {
        st = copy_result(&answer, "Account", out->account, sizeof(out->account));
        if (!st)
            st = copy_result(&answer, "Arn", out->arn, sizeof(out->arn));
        if (!st)
            st = copy_result(&answer, "UserId", out->user_id, sizeof(out->user_id));
        if (st && st != ST_NO_MEMORY)
            st = error_set(err, ST_RETRY, E_A305, "GetCallerIdentity: unusable answer (request %s)",
                           answer.request_id);
    }
    aws_answer_clear(&answer);
    buf_clear(&body);
    return st;
}
