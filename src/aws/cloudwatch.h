/*
 * cloudwatch.h: PutMetricData, JSON protocol 1.0.  Reading is in cloudwatch_read.h.
 *
 * PutMetricData adds and is not idempotent: it has no client token that would make a repetition
 * harmless.  So a request goes out on a connection of its own, once, and the result says which of
 * three cases it is: taken, certainly not taken, unknown.
 */
#ifndef AWS_CLOUDWATCH_H
#define AWS_CLOUDWATCH_H

#include "aws/aws_call.h"

struct cloudwatch_put;

/*
 * A request from the caller's JSON body ({"Namespace":...,"MetricData":[...]}), which is gzip'ed
 * here.  region: where the metrics go; empty: the configured one.  ST_TOO_BIG: more than 1 MiB after
 * gzip (the service's limit).
 */
NODISCARD enum status cloudwatch_put_new(struct cloudwatch_put **out, struct aws_client *c,
                                         struct view region, struct view json, struct error *err);

/* Sign, with the clock of now.  May be repeated: each signature is for one send.  ST_DENIED: no
 * credentials, ST_RETRY: credentials cannot be had at the moment; nothing was sent. */
NODISCARD enum status cloudwatch_put_sign(struct cloudwatch_put *p, struct error *err);

/* X-Amz-Date of the signature, seconds since the epoch: CloudWatch refuses the request 15 minutes
 * later.  To be written down before cloudwatch_put_send(). */
int64_t cloudwatch_put_date_s(const struct cloudwatch_put *p);

/*
 * Send the signed request, exactly once.
 *
 *   ST_OK         CloudWatch has it.
 *   ST_RETRY      certainly not taken: throttled, expired credentials or clock skew (corrected:
 *                 sign again), or never completely handed over (DNS, connect, TLS, body cut while
 *                 sending).
 *   ST_BAD_ITEM   certainly not taken: 400, a datum breaks a rule; none of the data was taken.
 *   ST_TOO_BIG    certainly not taken: 413.
 *   ST_DENIED     certainly not taken: 401/403, or the server could not be authenticated.
 *   ST_IN_DOUBT   handed over, and no final answer, 5xx, 408, or an unreadable one.
 *   ST_CANCELLED  asked to stop before the request was completely handed over.
 *   ST_USAGE      not signed, or already sent.
 *
 * answer may be NULL; where given it was initialised by the caller.
 */
NODISCARD enum status cloudwatch_put_send(struct cloudwatch_put *p, struct aws_answer *answer,
                                          struct error *err);
void cloudwatch_put_free(struct cloudwatch_put *p); /* NULL does nothing */

/*
 * Whether CloudWatch answers this identity: a PutMetricData without data, which changes nothing and
 * is refused as invalid.  ST_OK: it does; else as cloudwatch_put_send.
 */
NODISCARD enum status cloudwatch_probe(struct aws_client *c, struct view region,
                                       struct view name_space, struct error *err);

/*
 * All of it, repeated with back-off only after ST_RETRY, up to the configured attempts.  ST_RETRY:
 * still not taken; the rest as above.
 */
NODISCARD enum status cloudwatch_put_data(struct aws_client *c, struct view region,
                                          struct view json, struct error *err);

#endif
