/*
 * aws_answer.c: what an answer means, in whichever protocol the service speaks.
 *
 * Three spellings of one error, and a fourth without a body (HEAD):
 *
 *   <Error><Code>NoSuchKey</Code><Message>...</Message></Error>          S3
 *   <ErrorResponse><Error><Code>AccessDenied</Code>...</ErrorResponse>   STS
 *   {"__type":"com.amazonaws.sqs#QueueDoesNotExist","message":"..."}     SQS, DynamoDB, CloudWatch
 *   x-amzn-errortype: ValidationException:http://...                     Bedrock, Lambda
 *
 * The code decides before the HTTP status does: DynamoDB and CloudWatch throttle with 400, and S3
 * refuses an expired token with 400.
 */
#include "aws/aws_private.h"

#include "aws/aws_json.h"
#include "aws/xml_scan.h"
#include "base/json_read.h"

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

/* Code and message of the two XML forms; the first that has a code counts. */
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

/*
 * Code and message of the JSON forms.  A code from the header is kept: restJson services put it
 * only there.
 */
static void read_json_error(struct aws_answer *a, struct view body)
{
    json_t *doc = aws_json_parse(body);
    if (doc == NULL)
        return;
    struct view code = json_text(doc, "__type");
    if (code.len == 0)
        code = json_text(doc, "code");
    struct view message = json_text(doc, "message");
    if (message.len == 0)
        message = json_text(doc, "Message");
    if (a->code[0] == '\0')
        copy_text(a->code, sizeof(a->code), bare_code(code));
    copy_text(a->message, sizeof(a->message), message);
    json_decref(doc);
}

/* What the caller can do about an error, as far as its name says. */
enum meaning {
    OTHER,     /* the HTTP status decides */
    THROTTLED, /* slow down; said with 400 by DynamoDB and CloudWatch */
    TRANSIENT, /* a passing fault of the service, whatever the HTTP status is */
    TIMED_OUT, /* the same, and it costs the retry budget what a timeout does */
    EXPIRED,   /* fresh credentials make it good */
    SIGNATURE, /* a wrong secret, or a clock that is off */
    MISSING,   /* does not exist; said with 400 by services that have no 404 */
    DENIED,    /* who we are may not do this; no repetition helps */
    CONFLICT,  /* a condition of the request does not hold */
};

/*
 * The names AWS gives its errors, as bare_code() leaves them.  Those to try again are botocore's
 * (retries/standard.py) and S3's own.  Without a code that of the HTTP status is taken.
 */
static const struct known {
    const char *name;
    enum code code;
    enum meaning meaning;
} known[] = {
    {"Throttling", E_A207, THROTTLED},
    {"ThrottlingException", E_A207, THROTTLED},
    {"ThrottledException", E_A207, THROTTLED},
    {"RequestThrottledException", E_A207, THROTTLED},
    {"RequestThrottled", E_A207, THROTTLED},
    {"TooManyRequestsException", E_A207, THROTTLED},
    {"ProvisionedThroughputExceededException", E_A207, THROTTLED},
    {"TransactionInProgressException", E_A207, THROTTLED},
    {"RequestLimitExceeded", E_A207, THROTTLED},
    {"BandwidthLimitExceeded", E_A207, THROTTLED},
    {"LimitExceededException", E_A207, THROTTLED},
    {"SlowDown", E_A207, THROTTLED},
    {"EC2ThrottledException", E_A207, THROTTLED},
    {"RequestTimeout", E_NONE, TIMED_OUT},
    {"RequestTimeoutException", E_NONE, TIMED_OUT},
    {"PriorRequestNotComplete", E_NONE, TRANSIENT},
    {"InternalError", E_NONE, TRANSIENT},
    {"InternalFailure", E_NONE, TRANSIENT},
    {"ServiceUnavailable", E_NONE, TRANSIENT},
    {"IDPCommunicationError", E_NONE, TRANSIENT},
    {"InternalServerError", E_NONE, TRANSIENT},
    {"TransactionConflictException", E_NONE, TRANSIENT},
    {"ExpiredToken", E_A208, EXPIRED},
    {"ExpiredTokenException", E_A208, EXPIRED},
    {"TokenRefreshRequired", E_A208, EXPIRED},
    {"RequestTimeTooSkewed", E_A210, SIGNATURE},
    {"RequestExpired", E_A210, SIGNATURE},
    {"RequestInTheFuture", E_A210, SIGNATURE},
    {"InvalidSignatureException", E_A209, SIGNATURE},
    {"SignatureDoesNotMatch", E_A209, SIGNATURE},
    {"InvalidSignature", E_A209, SIGNATURE},
    {"AuthFailure", E_NONE, SIGNATURE},
    {"NoSuchBucket", E_A203, MISSING},
    {"NoSuchKey", E_A204, MISSING},
    {"NoSuchVersion", E_NONE, MISSING},
    {"QueueDoesNotExist", E_A205, MISSING},
    {"AWS.SimpleQueueService.NonExistentQueue", E_A205, MISSING},
    {"NonExistentQueue", E_A205, MISSING},
    {"ResourceNotFoundException", E_A206, MISSING},
    {"AccessDenied", E_A202, DENIED},
    {"AccessDeniedException", E_A202, DENIED},
    {"AuthorizationError", E_A202, OTHER},
    {"AuthorizationErrorException", E_A202, OTHER},
    {"UnauthorizedOperation", E_A202, OTHER},
    {"NotAuthorized", E_A202, OTHER},
    {"NotAuthorizedException", E_A202, OTHER},
    {"InvalidAccessKeyId", E_A209, DENIED},
    {"InvalidClientTokenId", E_A209, DENIED},
    {"UnrecognizedClientException", E_A209, DENIED},
    {"MissingAuthenticationToken", E_NONE, DENIED},
    {"MissingAuthenticationTokenException", E_NONE, DENIED},
    {"IncompleteSignature", E_NONE, DENIED},
    {"OptInRequired", E_NONE, DENIED},
    {"InvalidObjectState", E_A211, CONFLICT},
    {"PermanentRedirect", E_A212, OTHER},
    {"AuthorizationHeaderMalformed", E_A212, OTHER},
    {"IllegalLocationConstraintException", E_A212, OTHER},
    {"PreconditionFailed", E_A213, CONFLICT},
    {"ConditionalCheckFailedException", E_NONE, CONFLICT},
    {"ConditionalRequestConflict", E_NONE, CONFLICT},
};

static const struct known *find_known(struct view name)
{
    static const struct known unknown = {"", E_NONE, OTHER};
    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
        if (view_eq(name, view_of(known[i].name)))
            return &known[i];
    }
    return &unknown;
}

static enum meaning meaning_of(const struct aws_answer *a)
{
    return find_known(view_of(a->code))->meaning;
}

enum code aws_code_of_name(struct view name, enum code otherwise)
{
    /* KMS.DisabledException of S3, KmsAccessDenied of SQS, KMSAccessDeniedException of Lambda */
    if (view_eq_nocase(view_first(name, 3), VIEW_LIT("KMS")))
        return E_A201;
    enum code code = find_known(name)->code;
    return code != E_NONE ? code : otherwise;
}

static enum code code_of_http(int status)
{
    switch (status) {
    case 400: return E_A216;
    case 401:
    case 403: return E_A202;
    case 404: return E_A214;
    case 412: return E_A213;
    case 429: return E_A207;
    case 500:
    case 502:
    case 503:
    case 504: return E_A215;
    default: return E_NONE;
    }
}

/*
 * "User: ARN is not authorized to perform: kms:Decrypt on resource: ARN ...": the action that was
 * denied.  No ARN holds a blank, so what is in front of the first "perform: " is AWS's.
 */
static bool is_denied_by_kms(const struct aws_answer *a)
{
    static const char before[] = " is not authorized to perform: ";
    struct view message = view_of(a->message);
    size_t at = view_find(message, view_of(before));
    return at != SIZE_MAX && view_starts(view_skip(message, at + strlen(before)), VIEW_LIT("kms:"));
}

enum code aws_answer_code(const struct aws_answer *a)
{
    enum code code = aws_code_of_name(view_of(a->code), code_of_http(a->http.status));
    return code == E_A202 && is_denied_by_kms(a) ? E_A201 : code;
}

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
    enum meaning meaning = meaning_of(a);
    /* The text of a signature error repeats the canonical request, session token and all. */
    if (meaning == SIGNATURE)
        a->message[0] = '\0';
    a->throttled = a->http.status == 429 || meaning == THROTTLED;
    a->timed_out = a->timed_out || meaning == TIMED_OUT;
}

enum status aws_answer_status(const struct aws_answer *a)
{
    int http = a->http.status;
    enum meaning meaning = meaning_of(a);
    if (http >= 200 && http < 300)
        return ST_OK;
    if (a->throttled || http >= 500 || http == 408 || http == 425 || meaning == TRANSIENT ||
        meaning == TIMED_OUT)
        return http == 501 ? ST_BAD_ITEM : ST_RETRY;
    if (http == 412 || http == 409 || meaning == CONFLICT)
        return ST_CONFLICT;
    if (http == 404 || meaning == MISSING)
        return ST_MISSING;
    if (http == 401 || http == 403 || meaning == DENIED || meaning == EXPIRED ||
        meaning == SIGNATURE)
        return ST_DENIED;
    return ST_BAD_ITEM;
}

bool aws_answer_is_expired(const struct aws_answer *a)
{
    return meaning_of(a) == EXPIRED;
}

bool aws_answer_is_signature(const struct aws_answer *a)
{
    return meaning_of(a) == SIGNATURE;
}
