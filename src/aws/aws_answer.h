/* aws_answer.h: what an answer means, in the spelling of each of AWS's protocols. */
#ifndef AWS_AWS_ANSWER_H
#define AWS_AWS_ANSWER_H

#include "aws/aws_call.h"

/* Fill code, message, request id and server date from an answer of any HTTP status. */
void aws_answer_read(struct aws_answer *a);

/* What the caller can do about it; of an answer that was read. */
enum status aws_answer_status(const struct aws_answer *a);

/* The credentials have expired, or the signature (or its time) was refused. */
bool aws_answer_is_expired(const struct aws_answer *a);
bool aws_answer_is_signature(const struct aws_answer *a);

#endif
