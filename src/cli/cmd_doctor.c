/* cmd_doctor.c: the walk over the whole pipeline, as text or JSON. */
#include <stdlib.h>
#include <unistd.h>

#include "cli/commands.h"
#include "config/variables.h"
#include "tools/doctor/doctor.h"

enum { MAX_OUTPUT = 64 * 1024 * 1024, MAX_WAIT_S = 86400, USUAL_WAIT_S = 300 };
enum { WAIT_NOT_GIVEN = MAX_WAIT_S + 1 };

struct options {
    const char *bucket, *queue, *region, *name_space, *skip;
    enum output_form output;
    struct doctor_options doctor;
};

static const struct option rows[] = {
    {"bucket", "NAMES", "overrides S3_BUCKET_NAME", OPT_TEXT(bucket)},
    {"queue", "URLS", "overrides SQS_QUEUE_URL", OPT_TEXT(queue)},
    {"region", "REGION", "overrides AWS_REGION", OPT_TEXT(region)},
    {"namespace", "NAME", "overrides CLOUDWATCH_NAMESPACE", OPT_TEXT(name_space)},
    {"consumer", "function|worker", "what consumes the queue (default function)",
     OPT_CHOICE(doctor.consumer)},
    {"skip", "STEP,...", "leave these steps out", OPT_TEXT(skip)},
    OUTPUT_OPTION,
    {"canary", NULL, "write a marked log object and wait for its metric", OPT_FLAG(doctor.canary)},
    {"wait", "SECONDS", "how long --canary waits (default 300)",
     OPT_NUMBER(doctor.wait_s, 0, MAX_WAIT_S, WAIT_NOT_GIVEN)},
};

static enum status open_doctor(struct invocation *in, struct error *err)
{
    struct options *o = in->options;
    struct view rest = view_of(o->skip), part;
    if (o->doctor.wait_s != WAIT_NOT_GIVEN && !o->doctor.canary)
        return error_set(err, ST_USAGE, E_U108, "--wait belongs to --canary");
    if (o->doctor.wait_s == WAIT_NOT_GIVEN)
        o->doctor.wait_s = USUAL_WAIT_S;
    o->doctor.skip = rest;
    while (o->skip != NULL && view_split(&rest, ',', &part)) {
        part = view_trim(part);
        if (!doctor_step_known(part))
            return error_set(err, ST_USAGE, E_U299, "--skip: unknown step \"%.*s\"; known are %s",
                             SHOW_MAX(part, 80), doctor_step_names());
    }
    /* Options override the environment and its files. */
    enum status st = variable_set(VAR_S3_BUCKET_NAME, o->bucket, err);
    if (st == ST_OK)
        st = variable_set(VAR_SQS_QUEUE_URL, o->queue, err);
    if (st == ST_OK)
        st = variable_set(VAR_CLOUDWATCH_NAMESPACE, o->name_space, err);
    if (st == ST_OK && o->region != NULL && setenv("AWS_REGION", o->region, 1) != 0)
        st = error_set(err, ST_NO_MEMORY, E_R113, "out of memory");
    return st;
}

static enum status run(struct invocation *in, struct error *err)
{
    const struct options *o = in->options;
    struct findings findings;
    struct buf out;
    findings_init(&findings);
    buf_init(&out, MAX_OUTPUT);
    enum status walked = doctor_run(&o->doctor, &findings);
    if (o->output == AS_JSON)
        findings_write_json(&findings, &out);
    else
        findings_write_text(&findings, isatty(STDOUT_FILENO) && !variable_given(VAR_NO_COLOR),
                            &out);
    if (findings.number[DOCTOR_FAULT] > 0)
        in->exit = EXIT_FOUND_FAULTS;
    enum status st = command_print_as_is(&out, err); /* escaped, and may be coloured */
    if (walked != ST_OK)
        st = error_set(err, walked, E_R113, "out of memory, findings are incomplete");
    findings_clear(&findings);
    return st;
}

COMMAND(doctor) = {
    .group = GROUP_AWS,
    .name = "doctor",
    .synopsis = "[OPTIONS]",
    .summary = "Check the whole pipeline, and name each fault with its fix",
    .details =
        "The checks follow the data, from Bedrock's logging configuration to the metrics.  doctor\n"
        "is read-only, except for --canary, which writes one log object.  A step that depends on "
        "a\n"
        "failed step, or needs a permission you do not have, is reported as \"not checked\", and\n"
        "the permission is named.\n"
        "\n"
        "Exit status: 0 no fault (there may be warnings), 1 a fault, 2 wrong usage.\n"
        "\n"
        "Steps for --skip: roles, bucket, logging, objects, bucket-policy, key, queue,\n"
        "notification, queue-policy, mapping, function, concurrency, log-group, dead-letters,\n"
        "alarms, visibility, ledger, schedule, backlog, metrics, publishing, canary.\n"
        "What a code means: \"bedrock-metrics explain BM-D40\".\n",
    .reads = READ_SETS | READ_DESTINATION | READ_PUBLISHING | READ_EVENTS | READ_WORKER,
    COMMAND_OPTIONS(rows),
    .open = open_doctor,
    .run = run,
};
