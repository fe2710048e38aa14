/*
 * cloudwatch.c: PutMetricData, sent at most once and judged.
 *
 * Facts: CloudWatch API reference, PutMetricData, service version GraniteServiceVersion20100801 in
 * awsJson 1.0.  A body of gzip is accepted, and the limit of 1 MiB holds for it compressed.
 */
#include "aws/cloudwatch.h"

#include <stdlib.h>

#include "aws/aws_private.h"
#include "base/deflate.h"
#include "base/json_out.h"
#include "base/log.h"

enum {
    MAX_REQUEST = 1024 * 1024, /* of PutMetricData, compressed */
    /*
     * Short, because while it runs nobody knows whether the data was taken, and a process asked to
     * stop waits for it; long enough for the 408 CloudWatch itself sends after 10 s to be rare.
     */
    PUT_TOTAL_MS = 8000,
};

struct cloudwatch_put {
    struct aws_client *client;
    struct buf region;
    struct buf body; /* gzip'ed */
    struct http_header headers[3];
    struct aws_request req;
    struct aws_signed *signed_request;
    int64_t date_s;
};

enum status cloudwatch_put_new(struct cloudwatch_put **out, struct aws_client *c,
                               struct view region, struct view json, struct error *err)
{
    *out = NULL;
    struct cloudwatch_put *p = calloc(1, sizeof(*p));
    if (p == NULL)
        return ST_NO_MEMORY;
    p->client = c;
    buf_init(&p->region, 64);
    buf_init(&p->body, MAX_REQUEST);
    buf_add_view(&p->region, region);
    enum status st = buf_status(&p->region);
    if (st == ST_TOO_BIG)
        st = error_set(err, ST_USAGE, E_U214, "Region name is too long");
    if (!st)
        st = deflate_add(&p->body, json, DEFLATE_GZIP, DEFLATE_DEFAULT);
    if (st == ST_TOO_BIG)
        st = error_set(err, st, E_P111, "PutMetricData: larger than 1 MiB compressed");
    if (st) {
        cloudwatch_put_free(p);
        return st;
    }
    p->headers[0] = http_header_of("Content-Type", VIEW_LIT("application/x-amz-json-1.0"));
    p->headers[1] =
        http_header_of("X-Amz-Target", VIEW_LIT("GraniteServiceVersion20100801.PutMetricData"));
    p->headers[2] = http_header_of("Content-Encoding", VIEW_LIT("gzip"));
    p->req = (struct aws_request){.service = &AWS_CLOUDWATCH,
                                  .region = buf_view(&p->region),
                                  .operation = "PutMetricData",
                                  .method = "POST",
                                  .headers = p->headers,
                                  .n_headers = 3,
                                  .body = buf_view(&p->body),
                                  .total_timeout_ms = PUT_TOTAL_MS,
                                  .idle_timeout_ms = PUT_TOTAL_MS,
                                  .max_body_bytes = 64 * 1024,
                                  .max_attempts = 1,
                                  .once = true};
    *out = p;
    return ST_OK;
}

enum status cloudwatch_put_sign(struct cloudwatch_put *p, struct error *err)
{
    aws_signed_free(p->signed_request);
    p->signed_request = NULL;
    enum status st = aws_sign(p->client, &p->req, &p->signed_request, err);
    if (!st)
        p->date_s = aws_signed_date_s(p->signed_request);
    return st;
}

int64_t cloudwatch_put_date_s(const struct cloudwatch_put *p)
{
    return p->date_s;
}

/*
 * What the outcome of the one send means for the data.  The rule is one-sided: anything not proven
 * to be a refusal is in doubt.
 */
static enum status judge(enum status st, const struct aws_answer *a)
{
    int http = a->http.status;
    if (st == ST_OK)
        return ST_OK;
    if (st == ST_NO_MEMORY || st == ST_USAGE)
        return a->http.handed_over ? ST_IN_DOUBT : st;
    if (http >= 400 && http < 500 && http != 408) {
        /* Refused: the head alone says so, even if the rest of the answer was cut. */
        if (http == 413)
            return ST_TOO_BIG;
        /* A server's own trouble under a client's status: not documented, so not taken as proof. */
        if (!a->throttled &&
            (strncmp(a->code, "Internal", 8) == 0 || strncmp(a->code, "RequestTimeout", 14) == 0 ||
             strcmp(a->code, "ServiceUnavailable") == 0))
            return ST_IN_DOUBT;
        if (st == ST_RETRY || st == ST_DENIED)
            return st;
        if (http == 401 || http == 403)
            return ST_DENIED;
        /*
         * A 400 without a readable code may be throttling; 404 and 409 come from something that is
         * not CloudWatch.  Trying again cannot hurt.
         */
        return http == 400 && st != ST_TOO_BIG && a->code[0] != '\0' ? ST_BAD_ITEM : ST_RETRY;
    }
    if (http == 503 && a->throttled)
        return ST_RETRY; /* SlowDown and its like are answered before anything is done */
    if (!a->http.handed_over)
        return st; /* also when the server could not be authenticated: nothing left us */
    return ST_IN_DOUBT;
}

enum status cloudwatch_put_send(struct cloudwatch_put *p, struct aws_answer *answer,
                                struct error *err)
{
    struct aws_answer own;
    aws_answer_init(&own);
    struct aws_answer *a = answer != NULL ? answer : &own;
    enum status st;
    if (p->signed_request == NULL) {
        st = error_set(err, ST_USAGE, E_A309, "PutMetricData: not signed");
    } else {
        a->http.status = 0;
        a->http.handed_over = false;
        st = judge(aws_send_signed(p->client, p->signed_request, a, err), a);
        aws_signed_free(p->signed_request);
        p->signed_request = NULL;
    }
    aws_answer_clear(&own);
    return st;
}

void cloudwatch_put_free(struct cloudwatch_put *p)
{
    if (p == NULL)
        return;
    aws_signed_free(p->signed_request);
    buf_clear(&p->region);
    buf_clear(&p->body);
    free(p);
}

enum status cloudwatch_probe(struct aws_client *c, struct view region, struct view name_space,
                             struct error *err)
{
    struct cloudwatch_put *p = NULL;
    struct buf body;
    buf_init(&body, 1024);
    struct json_out j = {.out = &body};
    json_open_object(&j, NULL);
    json_add_string(&j, "Namespace", name_space);
    json_open_array(&j, "MetricData");
    json_end(&j);
    enum status st = buf_status(&body);
    if (st == ST_OK)
        st = cloudwatch_put_new(&p, c, region, buf_view(&body), err);
    if (st == ST_OK)
        st = cloudwatch_put_sign(p, err);
    if (st == ST_OK)
        st = cloudwatch_put_send(p, NULL, err);
    cloudwatch_put_free(p);
    buf_clear(&body);
    return st == ST_BAD_ITEM ? ST_OK : st;
}

enum status cloudwatch_put_data(struct aws_client *c, struct view region, struct view json,
                                struct error *err)
{
    struct cloudwatch_put *p = NULL;
    struct retry retry;
    struct aws_answer answer;
    struct error inner = {0};
    if (err == NULL)
        err = &inner;
    aws_answer_init(&answer);
    enum status st = cloudwatch_put_new(&p, c, region, json, err);
    if (st)
        goto out;
    aws_client_retry(c, &retry, 0);
    for (;;) {
        st = cloudwatch_put_sign(p, err);
        if (!st)
            st = cloudwatch_put_send(p, &answer, err);
        if (!st)
            retry_succeeded(&retry);
        if (st != ST_RETRY)
            break;
        LOG_EVENT(LOG_DEBUG, "request refused, will be repeated",
                  log_cstr("operation", "PutMetricData"), log_u64("attempt", retry.attempt),
                  log_cstr("reason", err->text));
        uint32_t pause =
            retry_after_ms(http_response_header(&answer.http, "retry-after"), aws_client_now_s(c));
        if (retry_wait(&retry, false, pause, NULL) != ST_OK)
            break;
    }
out:
    aws_answer_clear(&answer);
    cloudwatch_put_free(p);
    return st;
}
