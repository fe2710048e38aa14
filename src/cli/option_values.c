/* option_values.c: values of options that several commands read alike. */
#include "cli/option_values.h"

#include "base/clock.h"
#include "config/variables.h"

struct instant time_option_now(void)
{
    int64_t ms = clock_wall_ms();
    return (struct instant){ms / 1000, (uint32_t)(ms % 1000) * 1000000};
}

enum status time_option(const char *option, const char *text, struct instant now,
                        struct instant *out, struct error *err)
{
    if (text == NULL || time_parse(view_of(text), now, out) == ST_OK)
        return ST_OK;
    if (rfc3339_parse(view_of(text), &now) == ST_OK)
        return error_set(err, ST_USAGE, E_U204,
                         "%s \"%.80s\" has more than nine digits after the decimal point", option,
                         text);
    return error_set(
        err, ST_USAGE, E_U204,
        "%s \"%.80s\" is not a date-time (2026-11-01T10:30:00Z), date, or span (90m 36h 7d 2w)",
        option, text);
}

enum status time_option_range(const char *since, const char *until, struct instant now,
                              struct time_range *out, struct error *err)
{
    out->has_since = since != NULL;
    out->has_until = until != NULL;
    enum status st = time_option("--since", since, now, &out->since, err);
    if (st == ST_OK)
        st = time_option("--until", until, now, &out->until, err);
    if (st == ST_OK && out->has_since && out->has_until &&
        instant_compare(out->since, out->until) >= 0)
        return error_set(err, ST_USAGE, E_U205, "--since \"%.80s\" is not before --until \"%.80s\"",
                         since, until);
    return st;
}

enum status queue_option(const char *url, const struct aws_config *config, struct sqs_queue *out,
                         struct error *err)
{
    struct error detail = {0};
    if (url == NULL)
        url = variable_get(VAR_SQS_QUEUE_URL);
    if (url == NULL)
        return error_set(err, ST_USAGE, E_U301, "no queue: give --queue or set SQS_QUEUE_URL");
    if (strchr(url, ',') != NULL)
        return error_set(err, ST_USAGE, E_U301,
                         "SQS_QUEUE_URL names several queues: choose one with --queue");
    if (sqs_queue_parse(view_of(url), config, out, &detail) != ST_OK)
        return error_set(err, ST_USAGE, detail.code, "queue \"%.120s\": %s", url, detail.text);
    return ST_OK;
}
