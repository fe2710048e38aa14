/*
 * aws_call.h: one signed call: endpoint, sign, send, classify; and the same repeated.
 *
 * A `struct aws_client` belongs to one thread.  Clients share only a credentials chain and a retry
 * budget.  A result is the caller's: there is no "last error".
 */
#ifndef AWS_AWS_CALL_H
#define AWS_AWS_CALL_H

#include "aws/aws_config.h"
#include "aws/cred.h"
#include "aws/http.h"
#include "aws/retry.h"
#include "aws/sigv4.h"

struct aws_client;

struct aws_client_options {
    const struct aws_config *config; /* these three outlive the client */
    struct cred_chain *creds;        /* NULL: requests go out unsigned */
    struct retry_budget *budget;     /* NULL: no budget */
    struct aws_clock clock;
    struct aws_stop stop;
};

/*
 * A client for one thread; *options is copied, what it points to is not.  ST_NO_MEMORY, or as
 * http_new().
 */
NODISCARD enum status aws_client_new(struct aws_client **out,
                                     const struct aws_client_options *options, struct error *err);
/* Closes its connections.  Nothing of it may be under way.  NULL does nothing. */
void aws_client_free(struct aws_client *c);

/* What the client was made with or has made: borrowed, as long as the client. */
struct http *aws_client_http(struct aws_client *c);
const struct aws_config *aws_client_config(const struct aws_client *c);
const struct aws_clock *aws_client_clock(const struct aws_client *c);

/*
 * All calls end with ST_CANCELLED at this moment of clock.steady_ms and no retry waits past it: the
 * Lambda deadline.  INT64_MAX: none (the start value).
 */
void aws_client_set_deadline(struct aws_client *c, int64_t steady_ms);
int64_t aws_client_deadline(const struct aws_client *c);

/* The wall clock with the correction learned from refused signatures, in seconds. */
int64_t aws_client_now_s(const struct aws_client *c);

struct aws_request {
    const struct aws_service *service;
    struct view region;    /* empty: the configured one */
    struct view endpoint;  /* "https://host..." instead of the service's; empty: the service's */
    const char *operation; /* for messages: "GetObject" */
    const char *method;
    struct view path;                  /* percent-encoded, with `/` first; empty: "/" */
    struct view query;                 /* percent-encoded, without `?` */
    const struct http_header *headers; /* beyond host, date, token, authorization */
    size_t n_headers;
    struct view body;
    uint32_t total_timeout_ms; /* of one attempt; 0: 10000 */
    uint32_t idle_timeout_ms;  /* 0: 10000 */
    uint32_t min_bytes_per_s;
    size_t max_body_bytes; /* 0: 1 MiB */
    unsigned max_attempts; /* 0: as configured; 1: never repeated */
    bool once;             /* see http.h */
};

/* An answer; refused ones with the service's reason. */
struct aws_answer {
    struct http_response http;
    char code[96];        /* "ThrottlingException", without namespace and URL; "" unknown */
    char message[256];    /* the service's text, for people; "" for signature errors */
    char request_id[128]; /* "" unknown */
    unsigned attempts;
    int64_t server_date_s; /* the Date header; 0 unknown */
    bool throttled;
    bool timed_out;
};
void aws_answer_init(struct aws_answer *a);
void aws_answer_clear(struct aws_answer *a);

/*
 * Make the call until it succeeds, is refused for good, or may not be repeated any more.
 * ST_OK: 2xx.  ST_MISSING: 404 or the service's not-found codes; ST_DENIED: 401/403, TLS,
 * credentials; ST_CONFLICT: 409, 412 and failed conditions; ST_RETRY: throttled, 5xx, 408, 429,
 * network, deadline; ST_BAD_ITEM: any other 4xx; ST_TOO_BIG: the answer; ST_USAGE: endpoint or
 * Region. 3xx is ST_BAD_ITEM (S3 looks into it).  *answer is filled as far as one came. err->text:
 * "GetObject: 403 AccessDenied: Access Denied (request 4442587FB7D0A2F9)".
 */
NODISCARD enum status aws_call(struct aws_client *c, const struct aws_request *req,
                               struct aws_answer *answer, struct error *err);

/* The same with the body pulled; retries end when the head of a 2xx answer has come. */
NODISCARD enum status aws_call_stream(struct aws_client *c, const struct aws_request *req,
                                      struct aws_answer *answer, struct http_stream **stream,
                                      struct error *err);

/*
 * Signing apart from sending, for callers that must write down the date of a signature before
 * anything is sent.  A signed request is sent at most once.  The views in *req must stay until it
 * is freed.
 */
struct aws_signed;
NODISCARD enum status aws_sign(struct aws_client *c, const struct aws_request *req,
                               struct aws_signed **out, struct error *err);
int64_t aws_signed_date_s(const struct aws_signed *s); /* X-Amz-Date */
NODISCARD enum status aws_send_signed(struct aws_client *c, struct aws_signed *s,
                                      struct aws_answer *answer, struct error *err);
void aws_signed_free(struct aws_signed *s); /* wipes; NULL does nothing */

#endif
