/*
 * doctor.h: a read-only walk over the whole pipeline, from Bedrock's logging to the metrics.
 *
 * Steps follow the data flow.  A step that depends on one that failed is "not checked", so that a
 * fault is named first and once.  A refused permission is not a fault of the pipeline: the step is
 * "not checked", with the IAM action that is missing.  Nothing is written but by --canary.
 */
#ifndef TOOLS_DOCTOR_DOCTOR_H
#define TOOLS_DOCTOR_DOCTOR_H

#include "tools/doctor/findings.h"

enum doctor_consumer { CONSUMER_FUNCTION, CONSUMER_WORKER };

struct doctor_options {
    enum doctor_consumer consumer; /* who takes messages from the queue */
    struct view skip;              /* names of steps, comma separated */
    bool canary;                   /* write an object and wait for its metric */
    uint64_t wait_s;               /* for the canary */
};

/* The names of the steps that can be left out, separated by ", ", for messages. */
const char *doctor_step_names(void);
bool doctor_step_known(struct view name);

/*
 * Walk.  The settings are those of the process environment.  ST_OK whatever was found;
 * ST_NO_MEMORY: findings are incomplete.
 */
NODISCARD enum status doctor_run(const struct doctor_options *options, struct findings *findings);

#endif
