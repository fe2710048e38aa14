#include "aws/aws_private.h"

#include "aws/aws_json.h"
#include "aws/xml_scan.h"

void aws_answer_init(struct aws_answer *a)
{
    memset(a, 0, sizeof(*a));
    http_response_init(&a->http);
}

void aws_answer_clear(struct aws_answer *a)
{
    http_response_clear(&a->http);
}

/* Copy what is printable of v, cut to size. */
static void copy_text(char *out, size_t size, struct view v)
{
    size_t n = 0;
    for (size_t i = 0; i < v.len && n + 1 < size; i++) {
        unsigned char ch = (unsigned char)v.ptr[i];
        out[n++] = ch < 0x20 || ch == 0x7f ? ' ' : (char)ch;
    }
    out[n] = '\0';
}

/* "com.amazonaws.sqs#QueueDoesNotExist:http://..." -> "QueueDoesNotExist" */
static struct view bare_code(struct view code)
{
    size_t colon = view_find_char(code, ':');
    if (colon != SIZE_MAX)
        code = view_first(code, colon);
    size_t hash = view_find_char(code, '#');
    return view_trim(hash == SIZE_MAX ? code : view_skip(code, hash + 1));
}

static void read_xml_error(struct aws_answer *a, struct view body)
{
    static const char *const paths[][2] = {
        {"Error/Code", "Error/Message"},
        {"ErrorResponse/Error/Code", "ErrorResponse/Error/Message"},
    };
    struct buf text;
    buf_init(&text, XML_MAX_TEXT);
    for (size_t i = 0; i < 2 && a->code[0] == '\0'; i++) {
        buf_reset(&text);
        if (xml_scan_find(body, paths[i][0], &text) != ST_OK)
            continue;
        copy_text(a->code, sizeof(a->code), bare_code(buf_view(&text)));
        buf_reset(&text);
        if (xml_scan_find(body, paths[i][1], &text) == ST_OK)
            copy_text(a->message, sizeof(a->message), buf_view(&text));
    }
    buf_wipe(&text);
}

static void read_json_error(struct aws_answer *a, struct view body)
{
    json_t *doc = aws_json_parse(body);
    if (doc == NULL)
        return;
    struct view code = aws_json_text(doc, "__type");
    if (code.len == 0)
        code = aws_json_text(doc, "code");
    struct view message = aws_json_text(doc, "message");
    if (message.len == 0)
        message = aws_json_text(doc, "Message");
    if (a->code[0] == '\0')
        copy_text(a->code, sizeof(a->code), bare_code(code));
    copy_text(a->message, sizeof(a->message), message);
    json_decref(doc);
}

static bool code_in(const char *code, const char *const *list, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (strcmp(code, list[i]) == 0)
            return true;
    return false;
}

#define CODE_IN(code, list) code_in((code), (list), sizeof(list) / sizeof((list)[0]))

/* botocore, retries/standard.py, and S3's own. */
static const char *const throttle_codes[] = {"Throttling",
                                             "ThrottlingException",
                                             "ThrottledException",
                                             "RequestThrottledException",
                                             "RequestThrottled",
                                             "TooManyRequestsException",
                                             "ProvisionedThroughputExceededException",
                                             "TransactionInProgressException",
                                             "RequestLimitExceeded",
                                             "BandwidthLimitExceeded",
                                             "LimitExceededException",
                                             "SlowDown",
                                             "EC2ThrottledException"};
static const char *const transient_codes[] = {
    "RequestTimeout",        "RequestTimeoutException", "PriorRequestNotComplete",
    "InternalError",         "InternalFailure",         "ServiceUnavailable",
    "IDPCommunicationError", "InternalServerError",     "TransactionConflictException"};
static const char *const expired_codes[] = {"ExpiredToken", "ExpiredTokenException",
                                            "TokenRefreshRequired"};
static const char *const signature_codes[] = {
    "RequestTimeTooSkewed",  "RequestExpired",   "RequestInTheFuture", "InvalidSignatureException",
    "SignatureDoesNotMatch", "InvalidSignature", "AuthFailure"};
static const char *const missing_codes[] = {"NoSuchKey",
                                            "NoSuchBucket",
                                            "NoSuchVersion",
                                            "QueueDoesNotExist",
                                            "AWS.SimpleQueueService.NonExistentQueue",
                                            "NonExistentQueue",
                                            "ResourceNotFoundException"};
static const char *const denied_codes[] = {"AccessDenied",
                                           "AccessDeniedException",
                                           "UnrecognizedClientException",
                                           "InvalidClientTokenId",
                                           "MissingAuthenticationToken",
                                           "MissingAuthenticationTokenException",
                                           "IncompleteSignature",
                                           "OptInRequired",
                                           "InvalidAccessKeyId"};
static const char *const conflict_codes[] = {"ConditionalCheckFailedException",
                                             "PreconditionFailed", "InvalidObjectState",
                                             "ConditionalRequestConflict"};

void aws_answer_read(struct aws_answer *a)
{
    static const char *const ids[] = {"x-amzn-requestid", "x-amz-request-id", "x-amzn-request-id"};
    a->code[0] = a->message[0] = a->request_id[0] = '\0';
    a->throttled = false;
    a->timed_out = a->http.timed_out;
    a->server_date_s = 0;
    for (size_t i = 0; i < sizeof(ids) / sizeof(ids[0]) && a->request_id[0] == '\0'; i++)
        copy_text(a->request_id, sizeof(a->request_id), http_response_header(&a->http, ids[i]));
    if (retry_parse_http_date(http_response_header(&a->http, "date"), &a->server_date_s) != ST_OK)
        a->server_date_s = 0;
    if (a->http.status < 300)
        return;
    copy_text(a->code, sizeof(a->code),
              bare_code(http_response_header(&a->http, "x-amzn-errortype")));
    struct view body = view_trim(buf_view(&a->http.body));
    if (body.len > 0 && body.ptr[0] == '<')
        read_xml_error(a, body);
    else if (body.len > 0 && body.ptr[0] == '{')
        read_json_error(a, body);
    /* The text of a signature error repeats the canonical request, session token and all. */
    if (CODE_IN(a->code, signature_codes))
        a->message[0] = '\0';
    a->throttled = a->http.status == 429 || CODE_IN(a->code, throttle_codes);
    if (CODE_IN(a->code, transient_codes) && strstr(a->code, "Timeout") != NULL)
        a->timed_out = true;
}

enum status aws_answer_status(const struct aws_answer *a)
{
    int http = a->http.status;
    if (http >= 200 && http < 300)
        return ST_OK;
    if (a->throttled || http >= 500 || http == 408 || http == 425 ||
        CODE_IN(a->code, transient_codes))
        return http == 501 ? ST_BAD_ITEM : ST_RETRY;
    if (http == 412 || http == 409 || CODE_IN(a->code, conflict_codes))
        return ST_CONFLICT;
    if (http == 404 || CODE_IN(a->code, missing_codes))
        return ST_MISSING;
    if (http == 401 || http == 403 || CODE_IN(a->code, denied_codes) ||
        CODE_IN(a->code, expired_codes) || CODE_IN(a->code, signature_codes))
        return ST_DENIED;
    return ST_BAD_ITEM;
}

bool aws_answer_is_expired(const struct aws_answer *a)
{
    return CODE_IN(a->code, expired_codes);
}

bool aws_answer_is_signature(const struct aws_answer *a)
{
    return CODE_IN(a->code, signature_codes);
}
