/* time_option.h: --since and --until of a command line. */
#ifndef CLI_TIME_OPTION_H
#define CLI_TIME_OPTION_H

#include "config/interval.h"
#include "config/settings_sources.h"

struct instant time_option_now(void);

/*
 * The value of the option called `option` ("--since") into *out.  `text` NULL: it was not given,
 * and *out stays.  ST_USAGE: *err says what is wrong.
 */
NODISCARD enum status time_option(const char *option, const char *text, struct instant now,
                                  struct instant *out, struct error *err);

/* Both, NULL where not given; ST_USAGE also when the first is not before the second. */
NODISCARD enum status time_option_range(const char *since, const char *until, struct instant now,
                                        struct sources_range *out, struct error *err);

#endif
