/*
 * record.c: the checks that need more than one member: required values, the time, the outcome, who
 * called.
 *
 * The scanner has checked each value by itself already, so a record costs no allocation and no
 * copy here.
 */
#include "records/record.h"

#include "base/utf8.h"
#include "records/model_id.h"

/* A text that is there and good, else empty. */
static struct view text(const struct scan_record *raw, enum scan_field field)
{
    const struct scan_value *value = &raw->text[field];
    return value->kind == VALUE_GOOD ? view_make(value->ptr, value->len) : VIEW_EMPTY;
}

enum invocation_outcome record_outcome(struct view error_code)
{
    static const struct {
        const char *code;
        enum invocation_outcome outcome;
    } table[] = {
        {"ThrottlingException", INVOCATION_THROTTLED},
        {"ServiceQuotaExceededException", INVOCATION_THROTTLED},
        {"ModelNotReadyException", INVOCATION_THROTTLED},
        {"InternalServerException", INVOCATION_SERVER_ERROR},
        {"ServiceUnavailableException", INVOCATION_SERVER_ERROR},
        {"ModelErrorException", INVOCATION_SERVER_ERROR},
        {"ModelTimeoutException", INVOCATION_SERVER_ERROR},
        {"ModelStreamErrorException", INVOCATION_SERVER_ERROR},
    };
    if (error_code.len == 0)
        return INVOCATION_OK;
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        if (view_eq_cstr(error_code, table[i].code))
            return table[i].outcome;
    }
    return INVOCATION_CLIENT_ERROR;
}

/*
 * Adds NN * unit; false when it is not two digits below `limit`.  The caller has looked at the
 * length.
 */
static bool two_digits(const char *p, unsigned limit, int64_t unit, int64_t *seconds)
{
    unsigned tens = (unsigned)(p[0] - '0'), ones = (unsigned)(p[1] - '0');
    *seconds += (int64_t)(tens * 10 + ones) * unit;
    return tens <= 9 && ones <= 9 && tens * 10 + ones < limit;
}

/* "2026-11-01T10:31:07Z", the form Bedrock writes, of a date seen before; else the whole rules. */
static enum status read_time(struct view text, struct record_dates *dates, struct instant *out)
{
    if (text.len == 20 && memcmp(text.ptr, dates->text, sizeof(dates->text)) == 0) {
        const char *p = text.ptr;
        int64_t seconds = dates->seconds;
        if (p[13] == ':' && p[16] == ':' && p[19] == 'Z' &&
            two_digits(p + 11, 24, 3600, &seconds) && two_digits(p + 14, 60, 60, &seconds) &&
            two_digits(p + 17, 60, 1, &seconds)) {
            *out = (struct instant){seconds, 0};
            return ST_OK;
        }
    }
    enum status st = rfc3339_parse(text, out);
    if (st == ST_OK && text.len == 20 && text.ptr[19] == 'Z' && text.ptr[10] == 'T') {
        memcpy(dates->text, text.ptr, sizeof(dates->text));
        int64_t of_day = out->seconds % 86400;
        dates->seconds = out->seconds - (of_day < 0 ? of_day + 86400 : of_day);
    }
    return st;
}

/* The order decides nothing but speed: the cheapest checks come first. */
enum status record_check(const struct scan_record *raw, struct record_dates *dates,
                         struct record *out)
{
    for (size_t i = 0; i < NUMBER_COUNT; i++) {
        if (raw->number[i].kind == VALUE_BAD)
            return ST_BAD_ITEM;
        out->tokens[i] = raw->number[i].value;
    }
    out->model_id = text(raw, FIELD_MODEL_ID);
    out->region = text(raw, FIELD_REGION);
    if (out->model_id.len == 0 || out->region.len == 0)
        return ST_BAD_ITEM;
    if (read_time(text(raw, FIELD_TIMESTAMP), dates, &out->time) != ST_OK)
        return ST_BAD_ITEM;
    /* An errorCode that is not a string says that there was an error, but not which. */
    if (raw->text[FIELD_ERROR_CODE].kind == VALUE_BAD)
        out->outcome = INVOCATION_CLIENT_ERROR;
    else
        out->outcome = record_outcome(text(raw, FIELD_ERROR_CODE));
    out->inference_region = text(raw, FIELD_INFERENCE_REGION);
    out->account_id = text(raw, FIELD_ACCOUNT_ID);
    out->operation = text(raw, FIELD_OPERATION);
    out->identity_arn = text(raw, FIELD_IDENTITY_ARN);
    out->schema_version = text(raw, FIELD_SCHEMA_VERSION);
    out->metadata = &raw->text[FIELD_METADATA];
    out->latency = raw->latency;
    return ST_OK;
}

/* "role/" and a name, cut to what fits. */
static struct view join(const char *kind, struct view name, char *out, size_t out_size)
{
    size_t n = strlen(kind);
    name = utf8_cut(name, out_size - n);
    memcpy(out, kind, n);
    memcpy(out + n, name.ptr, name.len);
    return view_make(out, n + name.len);
}

struct view record_principal(struct view arn, char *out, size_t out_size)
{
    /* arn:aws:sts::123456789012:assumed-role/NAME/SESSION
     * arn:aws:iam::123456789012:role/PATH/NAME   user/PATH/NAME   root
     *     ^partition ^service ^Region ^account ^resource */
    struct view resource;
    if (!arn_resource(arn, &resource) || resource.len == 0)
        return VIEW_LIT("unknown");
    size_t slash = view_find_char(resource, '/');
    if (slash == SIZE_MAX)
        return utf8_cut(resource, out_size);
    struct view kind = view_first(resource, slash);
    struct view name = view_skip(resource, slash + 1);
    size_t last;
    if (view_eq_cstr(kind, "assumed-role")) {
        /* The last part is the session; without one the name is the last part. */
        last = view_rfind(name, VIEW_LIT("/"));
        if (last != SIZE_MAX)
            name = view_first(name, last);
    }
    last = view_rfind(name, VIEW_LIT("/"));
    struct view base = last == SIZE_MAX ? name : view_skip(name, last + 1);
    if (base.len == 0)
        return utf8_cut(resource, out_size);
    if (view_eq_cstr(kind, "assumed-role") || view_eq_cstr(kind, "role"))
        return join("role/", base, out, out_size);
    if (view_eq_cstr(kind, "user"))
        return join("user/", base, out, out_size);
    if (view_eq_cstr(kind, "federated-user"))
        return join("federated-user/", name, out, out_size);
    return utf8_cut(resource, out_size);
}
