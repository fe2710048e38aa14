/*
 * cloudwatch_read.h: values, series and alarms out of CloudWatch, all pages of them.
 *
 * GetMetricData takes up to 500 series a call and answers with up to 100,800 values a page, in any
 * order; a series can be continued on the next page.  Here a caller names its series one by one and
 * is handed all values of each, sorted by time.
 */
#ifndef AWS_CLOUDWATCH_READ_H
#define AWS_CLOUDWATCH_READ_H

#include <jansson.h>

#include "aws/aws_call.h"

/* The statistic of the period that begins at time_s. */
struct cloudwatch_value {
    int64_t time_s;
    double value;
};

/* One statistic of any number of series in one span of time. */
struct cloudwatch_query {
    struct aws_client *client;
    struct view region;       /* empty: the configured one */
    int64_t since_s, until_s; /* seconds since the epoch */
    uint32_t period_s;
    const char *stat; /* "Sum", "Maximum", ... */
    size_t series;    /* how many */
    /* {"Namespace":...,"MetricName":...,"Dimensions":[...]} of a series, a new reference.  NULL ends
     * the reading with ST_NO_MEMORY. */
    json_t *(*metric)(void *ctx, size_t series);
    /* All values of a series, oldest first; called once for each, of a call's series in the order of
     * the answer.  Anything but ST_OK ends the reading with that status. */
    enum status (*values)(void *ctx, size_t series, const struct cloudwatch_value *values, size_t n,
                          struct error *err);
    void *ctx;
};

/*
 * Read all series.  *server_date_s (may be NULL) is the Date of the last answer, 0 for none: the
 * resolver compares it with the date of a signature.  ST_RETRY: throttled for too long, or an answer
 * that is not complete (a StatusCode other than "Complete", a series left out); ST_TOO_BIG: more
 * than 200 pages in one call; else as aws_call().
 */
NODISCARD enum status cloudwatch_read(const struct cloudwatch_query *query, int64_t *server_date_s,
                                      struct error *err);

/* A metric as GetMetricData takes it.  Dimensions, an array, are taken over; NULL counts as no memory.
 * A new reference, NULL: no memory. */
json_t *cloudwatch_metric(struct view name_space, const char *name, json_t *dimensions);

/* The one dimension name=value, as an array.  A new reference, NULL: no memory. */
json_t *cloudwatch_dimension(const char *name, struct view value);

/*
 * ListMetrics: *metrics is an array of {"Namespace","MetricName","Dimensions"}, the caller's, of the
 * series that had data in the last two weeks.  `name` may be NULL for all metrics of the namespace.
 * ST_TOO_BIG: more than 200 pages of 500.
 */
NODISCARD enum status cloudwatch_list_metrics(struct aws_client *c, struct view region,
                                              struct view name_space, const char *name,
                                              json_t **metrics, struct error *err);

/* DescribeAlarms: *alarms is the array of all MetricAlarms of the Region, the caller's. */
NODISCARD enum status cloudwatch_describe_alarms(struct aws_client *c, struct view region,
                                                 json_t **alarms, struct error *err);

#endif
