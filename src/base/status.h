/* status.h: what a fallible function says, and the detail it leaves for people. */
#ifndef BASE_STATUS_H
#define BASE_STATUS_H

#include <stddef.h>
#include <stdint.h>

#include "base/codes.h"

/* A result that must not be ignored. */
#define NODISCARD __attribute__((warn_unused_result))
#define PRINTF_LIKE(fmt, args) __attribute__((format(printf, fmt, args)))

/*
 * The status says what the caller can do, not where the fault was.  Whether a queue message is
 * deleted, and what a run's exit code is, follows from it.
 */
enum status {
    ST_OK = 0,
    ST_END,       /* nothing more to come; not a fault */
    ST_RETRY,     /* throttled, timed out, 5xx, network: the same call may work later */
    ST_IN_DOUBT,  /* a request was handed over whole and has no answer: applied or not, unknown */
    ST_BAD_ITEM,  /* this input will never work: count it, go on */
    ST_TOO_BIG,   /* a stated ceiling was reached */
    ST_MISSING,   /* the thing asked for is not there */
    ST_DENIED,    /* permission or credentials: the run cannot succeed as configured */
    ST_CONFLICT,  /* a condition did not hold: somebody else was first */
    ST_IO,        /* a local read or write failed */
    ST_USAGE,     /* wrong option or configuration value, before any work */
    ST_CANCELLED, /* a signal or a deadline asked to stop */
    ST_NO_MEMORY,
};

/*
 * Detail for people, filled where the fault is found; a NULL pointer means nobody wants it.
 * `text` is a whole sentence without the subject's name and never holds log content or secrets.
 */
struct error {
    enum code code; /* E_NONE: what happened has no cause of its own; see error_code() */
    char text[320];
    uint64_t offset; /* byte position where one makes sense, else 0 */
};

/*
 * Set *err's code and text, the text cut to its size; returns `st` so that it can end a statement.
 * err may be NULL.  What wraps another error passes that one's code on, unless the place says more
 * than the cause: error_set(err, st, cause.code, "METRICS: %s", cause.text).
 */
enum status error_set(struct error *err, enum status st, enum code code, const char *format, ...)
    PRINTF_LIKE(4, 5);

/* The error's code, `otherwise` where it has none: for a log line that is named by its cause. */
static inline enum code error_code(const struct error *err, enum code otherwise)
{
    return err->code != E_NONE ? err->code : otherwise;
}

/* The code of an errno that says something about a file, `otherwise` for any other. */
enum code code_of_errno(int number, enum code otherwise);

/* A constant name such as "retry", for logs and JSON. */
const char *status_name(enum status st);

#endif
