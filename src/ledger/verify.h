/*
 * verify.h: the ledger against CloudWatch, per series and minute.
 *
 * Every datum the ledger says was accepted is added up and compared with what GetMetricData
 * returns.  A namespace that others write into too shows their data as too much.
 */
#ifndef LEDGER_VERIFY_H
#define LEDGER_VERIFY_H

#include "ledger/ledger_session.h"

struct verify_difference {
    struct view series; /* JSON: {"MetricName":...,"Dimensions":[...]} */
    int64_t minute_s;
    double expected, in_doubt, found;
};

struct verify_options {
    struct ledger_session *session;
    struct aws_client *client;
    struct view region, name_space;
    int64_t since_s, until_s; /* of the data's time; whole minutes */
    struct aws_stop stop;
    /* Told how far it is: of the ledger's batches, then of CloudWatch's series.  May be NULL. */
    void (*on_step)(void *ctx, const char *what, uint64_t done, uint64_t all);
    void (*on_difference)(void *ctx, const struct verify_difference *d);
    void *ctx;
};

struct verify_result {
    uint64_t batches, series, points;
    uint64_t missing, over; /* points with less, or more, than the ledger says */
    uint64_t in_doubt;      /* points within what requests in doubt may have added */
};

/* ST_OK: all was compared; ST_TOO_BIG: more than VERIFY_MAX_POINTS: choose a shorter time. */
enum { VERIFY_MAX_POINTS = 20 * 1000 * 1000, VERIFY_MAX_DAYS = 14 };
NODISCARD enum status verify_run(const struct verify_options *options, struct verify_result *out,
                                 struct error *err);

#endif
