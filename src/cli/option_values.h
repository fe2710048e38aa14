/* option_values.h: values of options that several commands read alike: points in time, a queue. */
#ifndef CLI_OPTION_VALUES_H
#define CLI_OPTION_VALUES_H

#include "aws/sqs.h"
#include "config/interval.h"
#include "config/settings_sources.h"

/* The time that spans are counted back from. */
struct instant time_option_now(void);

/*
 * The value of the option called `option` ("--since") into *out.  `text` NULL: it was not given,
 * and *out stays.  ST_USAGE: *err says what is wrong.
 */
NODISCARD enum status time_option(const char *option, const char *text, struct instant now,
                                  struct instant *out, struct error *err);

/* Both, NULL where not given; ST_USAGE also when the first is not before the second. */
NODISCARD enum status time_option_range(const char *since, const char *until, struct instant now,
                                        struct time_range *out, struct error *err);

/* The value of --queue; NULL: SQS_QUEUE_URL, which has to name one.  ST_USAGE quotes what is wrong.
 */
NODISCARD enum status queue_option(const char *url, const struct aws_config *config,
                                   struct sqs_queue *out, struct error *err);

#endif
