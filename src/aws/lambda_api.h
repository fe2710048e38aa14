/*
 * lambda_api.h: the runtime side of AWS Lambda's Runtime API, version 2018-06-01.
 *
 * Facts: AWS Lambda developer guide "Using the Lambda runtime API" and the source of the Runtime
 * Interface Emulator.  Plain HTTP to host:port of AWS_LAMBDA_RUNTIME_API, no signature, no proxy.
 */
#ifndef AWS_LAMBDA_API_H
#define AWS_LAMBDA_API_H

#include "aws/http.h"

enum { LAMBDA_MAX_EVENT = 6 * 1024 * 1024 + 4096, LAMBDA_MAX_ANSWER = 6291556 };

struct lambda_api;

/*
 * address: "host:port" (a host of letters, digits, `.` and `-`, or a bracketed IPv6 address; port
 * 1..65535).  ST_USAGE: anything else.  http is borrowed and must outlive it.
 */
NODISCARD enum status lambda_api_new(struct lambda_api **out, struct http *http,
                                     struct view address, struct error *err);
void lambda_api_free(struct lambda_api *api);

struct lambda_invocation {
    struct http_response answer; /* its body is the event */
    struct view event;           /* all views live until lambda_invocation_clear() */
    char request_id[128];
    struct view function_arn;
    struct view trace_id;
    int64_t deadline_ms; /* wall clock, ms since the epoch; 0: unknown */
};
/* Begin empty; clear it before each lambda_api_next(). */
void lambda_invocation_init(struct lambda_invocation *inv);
void lambda_invocation_clear(struct lambda_invocation *inv);

/*
 * Wait, without a timeout, for the next invocation.  For Lambda this also ends the last one.
 * ST_RETRY: the connection failed (try again a few times, then exit); ST_BAD_ITEM: an answer
 * without a usable request id; ST_TOO_BIG; ST_CANCELLED.
 */
NODISCARD enum status lambda_api_next(struct lambda_api *api, struct lambda_invocation *inv,
                                      struct error *err);

/* The invocation's result, a JSON text.  ST_TOO_BIG: 413, above 6 MiB; ST_CONFLICT: 400/403, the
 * invocation is no longer ours; go on with next.  ST_RETRY: tried three times in vain. */
NODISCARD enum status lambda_api_respond(struct lambda_api *api, const char *request_id,
                                         struct view json, struct error *err);

/* type: "Function.Xyz" or "Runtime.Xyz". */
NODISCARD enum status lambda_api_fail(struct lambda_api *api, const char *request_id,
                                      const char *type, struct view message, struct error *err);

/* Only before the first next; the process then exits with a non-zero code. */
NODISCARD enum status lambda_api_fail_init(struct lambda_api *api, const char *type,
                                           struct view message, struct error *err);

#endif
