#include "cli/cmd_doctor.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "cli/options.h"
#include "config/config.h"
#include "tools/doctor/doctor.h"

enum { MAX_OUTPUT = 64 * 1024 * 1024, MAX_WAIT_S = 86400 };

struct words {
    struct common_options common;
    const char *bucket, *queue, *region, *name_space, *consumer, *skip, *output, *wait;
    bool canary;
};

enum { OWN_OPTIONS = 9, OPTIONS = COMMON_OPTION_COUNT + OWN_OPTIONS };

static const struct command doctor_command = {
    .name = "doctor",
    .summary = "Check the whole pipeline, from Bedrock's logging to the metrics, and name each "
               "fault with its mend.",
    .synopsis = "[OPTIONS]",
    .details =
        "Nothing is changed, but by --canary, which writes one log object. A step that needs a\n"
        "permission which is missing is \"not checked\" and names the permission. A step that\n"
        "rests on one that failed is \"not checked\" too, so that a fault is named once.\n"
        "\n"
        "Exit status: 0 no fault (there may be warnings), 1 a fault, 2 wrong usage.\n"
        "\n"
        "Steps for --skip: roles, bucket, logging, objects, bucket-policy, key, queue,\n"
        "notification, queue-policy, mapping, function, concurrency, log-group, dead-letters,\n"
        "alarms, visibility, ledger, schedule, backlog, metrics, publishing, canary.\n"
        "What the codes mean: docs/doctor.md.\n",
};

static void options_table(struct words *w, struct option_spec *specs)
{
    const struct option_spec own[OWN_OPTIONS] = {
        {"bucket", "NAMES", "in place of S3_BUCKET_NAME", &w->bucket, NULL},
        {"queue", "URLS", "in place of SQS_QUEUE_URL", &w->queue, NULL},
        {"region", "REGION", "in place of AWS_REGION", &w->region, NULL},
        {"namespace", "NAME", "in place of CLOUDWATCH_NAMESPACE", &w->name_space, NULL},
        {"consumer", "function|worker", "who takes the messages (default function)", &w->consumer,
         NULL},
        {"skip", "STEP,...", "leave these steps out", &w->skip, NULL},
        {"output", "text|json", "form of the result (default text)", &w->output, NULL},
        {"canary", NULL, "write a marked log object and wait for its metric", NULL, &w->canary},
        {"wait", "SECONDS", "how long --canary waits (default 300)", &w->wait, NULL},
    };
    common_options_table(&w->common, specs);
    memcpy(specs + COMMON_OPTION_COUNT, own, sizeof(own));
}

/* Options go before the environment, and the environment before files. */
static enum status use_as_variables(const struct words *w, struct error *err)
{
    const struct {
        const char *name, *value;
    } given[] = {
        {"S3_BUCKET_NAME", w->bucket},
        {"SQS_QUEUE_URL", w->queue},
        {"AWS_REGION", w->region},
        {"CLOUDWATCH_NAMESPACE", w->name_space},
    };
    for (size_t i = 0; i < sizeof(given) / sizeof(given[0]); i++) {
        if (given[i].value != NULL && setenv(given[i].name, given[i].value, 1) != 0)
            return error_set(err, ST_NO_MEMORY, E_R113, "out of memory");
    }
    return ST_OK;
}

static enum status check_words(const struct words *w, struct doctor_options *options, bool *json,
                               struct error *err)
{
    struct view rest = view_of(w->skip), part;
    *options = (struct doctor_options){.canary = w->canary, .skip = rest, .wait_s = 300};
    if (w->consumer != NULL && strcmp(w->consumer, "worker") == 0)
        options->consumer = CONSUMER_WORKER;
    else if (w->consumer != NULL && strcmp(w->consumer, "function") != 0)
        return error_set(err, ST_USAGE, E_U299,
                         "--consumer must be function or worker, not \"%.80s\"", w->consumer);
    *json = w->output != NULL && strcmp(w->output, "json") == 0;
    if (w->output != NULL && !*json && strcmp(w->output, "text") != 0)
        return error_set(err, ST_USAGE, E_U299, "--output must be text or json, not \"%.80s\"",
                         w->output);
    if (w->wait != NULL && !w->canary)
        return error_set(err, ST_USAGE, E_U108, "--wait belongs to --canary");
    if (w->wait != NULL && view_parse_u64(view_of(w->wait), MAX_WAIT_S, &options->wait_s) != ST_OK)
        return error_set(err, ST_USAGE, E_U208, "--wait must be seconds, at most %d, not \"%.80s\"",
                         MAX_WAIT_S, w->wait);
    while (w->skip != NULL && view_split(&rest, ',', &part)) {
        part = view_trim(part);
        if (!doctor_step_known(part))
            return error_set(err, ST_USAGE, E_U299, "--skip: unknown step \"%.*s\"; known are %s",
                             (int)(part.len < 80 ? part.len : 80), part.ptr, doctor_step_names());
    }
    return ST_OK;
}

static int print(const struct findings *f, bool json)
{
    struct buf out;
    buf_init(&out, MAX_OUTPUT);
    if (json)
        findings_write_json(f, &out);
    else
        findings_write_text(f, isatty(STDOUT_FILENO) && config_get("NO_COLOR", NULL) == NULL, &out);
    bool ok = buf_status(&out) == ST_OK && fwrite(out.ptr, 1, out.len, stdout) == out.len &&
              fflush(stdout) == 0;
    buf_clear(&out);
    if (!ok)
        (void)run_failed(
            "doctor", &(struct error){.code = E_R110, .text = "the result could not be written"});
    return ok && f->number[DOCTOR_FAULT] == 0 ? EXIT_DONE : EXIT_FOUND_FAULTS;
}

int cmd_doctor(int argc, char **argv)
{
    struct words w = {0};
    struct option_spec specs[OPTIONS];
    struct doctor_options options;
    struct findings findings;
    struct error err = {0};
    bool json = false;
    int count = 0;
    options_table(&w, specs);
    enum status st = options_parse(specs, OPTIONS, argc, argv, &count, &err);
    if (st == ST_END) {
        options_help(&doctor_command, specs, OPTIONS);
        return EXIT_DONE;
    }
    if (st == ST_OK && count > 0)
        st = error_set(&err, ST_USAGE, E_U106, "takes no arguments, got \"%.80s\"", argv[0]);
    if (st == ST_OK)
        st = check_words(&w, &options, &json, &err);
    if (st == ST_OK)
        st = use_as_variables(&w, &err);
    if (st == ST_OK)
        st = common_options_apply(&w.common, &err);
    if (st != ST_OK)
        return start_failed("doctor", st, &err);
    findings_init(&findings);
    st = doctor_run(&options, &findings);
    int code = print(&findings, json);
    if (st != ST_OK) {
        code =
            run_failed("doctor", &(struct error){.code = E_R113,
                                                 .text = "out of memory, findings are incomplete"});
    }
    findings_clear(&findings);
    return code;
}
