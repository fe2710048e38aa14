/* s3_call.h: a call about a bucket or object, for the files of S3. */
#ifndef AWS_S3_CALL_H
#define AWS_S3_CALL_H

#include "aws/aws_call.h"

enum { S3_MAX_KEY = 1024, S3_MAX_PATH = 8 * 1024 };

/*
 * Make the call, following the bucket to its Region.  Service, Region, endpoint and path of *req
 * are filled in here.  `region` may be empty: where it was found before, else the configured one.
 * With `stream` the answer's body is left to be read from *stream.  Otherwise as aws_call().
 */
NODISCARD enum status s3_call(struct aws_client *c, struct view bucket, struct view region,
                              struct view key, struct aws_request *req, struct aws_answer *answer,
                              struct http_stream **stream, struct error *err);

/* Begin a buffer with a copy of a name or option. */
static inline void s3_keep(struct buf *b, struct view v)
{
    buf_init(b, 4096);
    buf_add_view(b, v);
}

#endif
