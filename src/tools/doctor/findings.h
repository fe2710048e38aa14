/*
 * findings.h: what doctor found, in the order it was found, and how it is written.
 *
 * A code is stable: docs/doctor.md, dashboards and scripts know it.  Codes are never reused; new
 * ones are added.  One thread.
 */
#ifndef TOOLS_DOCTOR_FINDINGS_H
#define TOOLS_DOCTOR_FINDINGS_H

#include <stdarg.h>

#include "base/buf.h"

enum doctor_verdict { DOCTOR_OK, DOCTOR_WARNING, DOCTOR_FAULT, DOCTOR_NOT_CHECKED };
enum { DOCTOR_VERDICTS = DOCTOR_NOT_CHECKED + 1 };

enum doctor_code {
    DOCTOR_NO_CODE,
    CODE_BUCKET_VARIABLE,
    CODE_QUEUE_VARIABLE,
    CODE_NO_REGION,
    CODE_VARIABLE,
    CODE_AWS_SETTINGS,
    CODE_NO_CREDENTIALS,
    CODE_EXPIRED,
    CODE_REFUSED,
    CODE_UNREACHABLE,
    CODE_ROLE,
    CODE_LOGGING_OFF,
    CODE_LOGGING_NOT_S3,
    CODE_LOGGING_OTHER_BUCKET,
    CODE_NO_BUCKET,
    CODE_BUCKET_REGION,
    CODE_NO_OBJECTS,
    CODE_OLD_OBJECTS,
    CODE_BUCKET_POLICY,
    CODE_BUCKET_POLICY_DENIES,
    CODE_BUCKET_POLICY_OPEN,
    CODE_KEY_POLICY,
    CODE_KEY_STATE,
    CODE_NO_NOTIFICATION,
    CODE_NOTIFICATION_EVENTS,
    CODE_NOTIFICATION_PREFIX,
    CODE_NOTIFICATION_SUFFIX,
    CODE_NOTIFICATION_INDIRECT,
    CODE_NOTIFICATION_SOME_EVENTS,
    CODE_NO_QUEUE,
    CODE_QUEUE_FIFO,
    CODE_QUEUE_KEY,
    CODE_POLICY_NONE,
    CODE_POLICY_BUCKET,
    CODE_POLICY_ACCOUNT,
    CODE_POLICY_DENIES,
    CODE_POLICY_OPEN,
    CODE_SHORT_POLL,
    CODE_RETENTION,
    CODE_NO_REDRIVE,
    CODE_FEW_RECEIVES,
    CODE_NO_DEAD_LETTER_QUEUE,
    CODE_DEAD_LETTERS,
    CODE_DEAD_LETTER_RETENTION,
    CODE_NO_ALARM,
    CODE_SILENT_ALARM,
    CODE_CONCURRENCY,
    CODE_SWITCHED_OFF,
    CODE_NO_MAPPING,
    CODE_MAPPING_OFF,
    CODE_MAPPING_ALL_OR_NOTHING,
    CODE_TWO_MAPPINGS,
    CODE_NO_FUNCTION,
    CODE_FUNCTION_STATE,
    CODE_FUNCTION_UPDATE,
    CODE_FUNCTION_BUCKET,
    CODE_FUNCTION_NAMESPACE,
    CODE_FUNCTION_LEDGER,
    CODE_VISIBILITY,
    CODE_VISIBILITY_SHORT,
    CODE_BACKLOG,
    CODE_LOG_FOREVER,
    CODE_NO_SCHEDULE,
    CODE_NO_METRICS,
    CODE_NO_METRICS_YET,
    CODE_OLD_METRICS,
    CODE_NO_TABLE,
    CODE_TABLE_KEY,
    CODE_TABLE_STATE,
    CODE_LEDGER_FILE,
    CODE_CANARY_LOST,
    CODE_CANARY_REFUSED,
    DOCTOR_CODES
};

/* A row of the table of codes (codes.c). */
struct doctor_code_info {
    const char *name; /* "BM-D20" */
    enum doctor_verdict verdict;
    const char *needed; /* what should be, a sentence */
    const char *fix;    /* where it is always the same; NULL: the step makes a command */
};
const struct doctor_code_info *doctor_code_info(enum doctor_code code);

struct doctor_finding {
    enum doctor_verdict verdict;
    enum doctor_code code; /* DOCTOR_NO_CODE for ok and not checked */
    const char *step;      /* constant text */
    char *subject;         /* name of the bucket, queue, ...; may be "" */
    char *found;           /* of one not checked: why not */
    char *fix;             /* a shell command, or a sentence; "" for ok and not checked */
};

struct findings {
    struct doctor_finding *all;
    size_t count, capacity;
    size_t number[DOCTOR_VERDICTS]; /* of each verdict */
    enum status failed;             /* ST_NO_MEMORY: something could not be noted down */
};

/* findings_clear() leaves them as findings_init() does. */
void findings_init(struct findings *f);
void findings_clear(struct findings *f);

/* Append one: verdict, code and step are taken from *head; texts are copied. */
void findings_add(struct findings *f, const struct doctor_finding *head, struct view subject,
                  struct view fix, const char *format, va_list args)
    __attribute__((format(printf, 5, 0)));

/* The name of the first fault, or NULL. */
const char *findings_first_fault(const struct findings *f);

/* Append to *out: as JSON, schema bedrock-metrics/doctor/1, or as text for a terminal. */
void findings_write_json(const struct findings *f, struct buf *out);
void findings_write_text(const struct findings *f, bool colour, struct buf *out);

#endif
