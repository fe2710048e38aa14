/*
 * record.h: one invocation log record with its values checked, ready to be counted.
 *
 * What makes a record valid, and what stands for a missing value, is in docs/models.md.
 */
#ifndef RECORDS_RECORD_H
#define RECORDS_RECORD_H

#include "base/rfc3339.h"
#include "base/view.h"
#include "records/scan.h"

/* How the invocation ended; decides which of the four counters the record adds one to. */
enum invocation_outcome {
    INVOCATION_OK,
    INVOCATION_CLIENT_ERROR,
    INVOCATION_SERVER_ERROR,
    INVOCATION_THROTTLED,
};

struct record {
    struct instant time;
    enum invocation_outcome outcome;
    uint64_t tokens[NUMBER_COUNT]; /* by enum scan_number, each 0..2^53 */
    struct scan_count latency;     /* milliseconds */
    struct view model_id;          /* as logged, not empty */
    struct view region;            /* not empty */
    struct view inference_region;  /* empty when absent */
    struct view account_id;        /* empty when absent, like all below */
    struct view operation;
    struct view identity_arn;
    struct view schema_version;
    const struct scan_value *metadata; /* by the index of the key asked for */
};

/* The last date read, because those of records come in runs.  All zero to begin with. */
struct record_dates {
    char text[11]; /* "2026-11-01T" */
    int64_t seconds;
};

/* The views point to where those of `raw` do.  ST_BAD_ITEM: the record is invalid. */
NODISCARD enum status record_check(const struct scan_record *raw, struct record_dates *dates,
                                   struct record *out);

/* Which counter an errorCode belongs to; empty is none. */
enum invocation_outcome record_outcome(struct view error_code);

/*
 * "role/NAME", "user/NAME", "root", "federated-user/NAME", another resource part as it is, or
 * "unknown": the identity of an ARN without path and session.  At most out_size bytes are written,
 * cut at a character border; returns the view of them, or of a constant.
 */
struct view record_principal(struct view arn, char *out, size_t out_size);

#endif
