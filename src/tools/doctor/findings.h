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

/* D01 is the code BM-D01. */
/* clang-format off */
#define DOCTOR_CODES(X)                                                                   \
    X(01) X(02) X(03) X(04) X(05) X(10) X(11) X(12) X(13) X(14) X(20) X(21) X(22) X(30)   \
    X(31) X(32) X(33) X(34) X(35) X(36) X(37) X(38) X(40) X(41) X(42) X(43) X(44) X(45)   \
    X(50) X(51) X(52) X(53) X(54) X(55) X(56) X(57) X(58) X(59) X(60) X(61) X(62) X(63)   \
    X(64) X(65) X(66) X(67) X(68) X(70) X(71) X(72) X(73) X(74) X(75) X(76) X(77) X(78)   \
    X(79) X(80) X(81) X(82) X(83) X(84) X(90) X(91) X(92) X(94) X(95) X(96) X(97) X(98)   \
    X(99)
/* clang-format on */
#define DOCTOR_ENUMERATOR(number) D##number,
enum doctor_code { DOCTOR_NO_CODE, DOCTOR_CODES(DOCTOR_ENUMERATOR) DOCTOR_CODES_END };
#undef DOCTOR_ENUMERATOR

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
