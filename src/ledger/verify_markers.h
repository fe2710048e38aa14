/*
 * verify_markers.h: the markers of requests (marker.h) as the ledger has them, against CloudWatch.
 *
 * Each request carries one marker, so this says of single requests what verify.h says of sums:
 * one that was accepted and is not there, one that was applied more than once, one that this ledger
 * never handed out (another file publishes into the namespace; tables have slots of their own).
 * What it cannot tell: a marker of an earlier attempt of a request, or of a control, may be there
 * or not; a request applied four times looks like the next one applied once; slots far beyond those
 * the ledger used are not asked.
 */
#ifndef LEDGER_VERIFY_MARKERS_H
#define LEDGER_VERIFY_MARKERS_H

#include "ledger/verify.h"

enum marker_fault { MARKER_MISSING, MARKER_REPEATED, MARKER_UNKNOWN };

/* "missing", "repeated", "unknown" */
const char *marker_fault_name(enum marker_fault fault);

struct marker_difference {
    enum marker_fault fault;
    struct ledger_marker marker;
    unsigned applied;                 /* as CloudWatch has it, 0..3 */
    const struct ledger_nonce *batch; /* whose request it is the marker of, NULL: of none */
    uint16_t part;
};

struct verify_markers_result {
    uint64_t batches, slots;
    uint64_t accepted; /* markers of requests that were accepted */
    uint64_t found;    /* ... and are there, once */
    uint64_t open;     /* of requests in doubt, or given up: there or not */
    uint64_t others;   /* there once: of earlier attempts and controls */
    uint64_t missing, repeated, unknown;
};

/* ST_OK: all was compared.  ST_TOO_BIG: too many markers: choose a shorter time.  Else as the
 * ledger and cloudwatch_read(). */
NODISCARD enum status verify_markers_run(const struct verify_options *options,
                                         void (*on_difference)(void *ctx,
                                                               const struct marker_difference *d),
                                         struct verify_markers_result *out, struct error *err);

#endif
