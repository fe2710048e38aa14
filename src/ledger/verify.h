/*
 * verify.h: the ledger against CloudWatch, per series and minute, or per request.
 *
 * Every datum the ledger says was accepted is added up and compared with what GetMetricData
 * returns.  A namespace that others write into too shows their data as too much.
 */
#ifndef LEDGER_VERIFY_H
#define LEDGER_VERIFY_H

#include "ledger/ledger_session.h"

/* What verify_run() and verify_markers_run() (verify_markers.h) work on. */
struct verify_options {
    struct ledger_session *session;
    struct aws_client *client;
    struct view region, name_space;
    int64_t since_s, until_s; /* of the data's, or the markers', time; whole minutes */
    struct aws_stop stop;
    /* How far it is: of the ledger's batches, then of CloudWatch's series.  May be NULL. */
    void (*on_step)(void *ctx, const char *what, uint64_t done, uint64_t all);
    void *ctx; /* for this and the two on_difference */
};

struct verify_difference {
    struct view series; /* JSON: {"MetricName":...,"Dimensions":[...]} */
    int64_t minute_s;
    double expected, in_doubt, found;
};

struct verify_result {
    uint64_t batches, series, points;
    uint64_t missing, over; /* points with less, or more, than the ledger says */
    uint64_t in_doubt;      /* points within what requests in doubt may have added */
};

enum { VERIFY_MAX_POINTS = 20 * 1000 * 1000, VERIFY_MAX_DAYS = 14 };

/* Compare sums.  ST_OK: all was compared.  ST_TOO_BIG: more than VERIFY_MAX_POINTS: choose a
 * shorter time.  ST_BAD_ITEM: a damaged record of the ledger.  Else as the ledger and
 * cloudwatch_read(). */
NODISCARD enum status verify_run(const struct verify_options *options,
                                 void (*on_difference)(void *ctx,
                                                       const struct verify_difference *d),
                                 struct verify_result *out, struct error *err);

/*
 * The ledger walk: each batch that was prepared (or is done) at least `early_s` before since_s or
 * later is loaded and handed to `each`, whose answer other than ST_OK ends the walk.  *read counts
 * them.  A batch that is pruned meanwhile is left out.  ST_CANCELLED: asked to stop; otherwise the
 * first failure, with a sentence in *err.
 */
NODISCARD enum status verify_each_batch(const struct verify_options *options, int64_t early_s,
                                        enum status (*each)(void *ctx,
                                                            const struct ledger_record *record),
                                        void *ctx, uint64_t *read, struct error *err);

#endif
