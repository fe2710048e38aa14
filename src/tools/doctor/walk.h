/*
 * walk.h: what the steps of doctor share: what is known of the pipeline so far, and the one way to
 * ask, judge and note down.
 *
 * A step is a function of the walk.  doctor.c calls it for each thing it is about, after what it
 * needs is known.  It makes a call, hands the status to walk_answered(), and notes one or more
 * findings with walk_ok(), walk_found() and walk_not_checked(); those are about w->step and
 * w->subject, and a walk_found() takes the command that walk_fix() has put into w->fix.
 */
#ifndef TOOLS_DOCTOR_WALK_H
#define TOOLS_DOCTOR_WALK_H

#include <jansson.h>

#include "aws/aws_call.h"
#include "aws/sqs.h"
#include "tools/doctor/doctor.h"

enum {
    WALK_MAX = 32, /* buckets, queues, Regions each */
    WALK_TEXT = 64 * 1024,
    WALK_DAY_S = 24 * 3600,
};

/* A Region whose logs are counted: Bedrock's logging there. */
struct walk_region {
    struct view name;
    bool logging_known;
    char bucket[64];       /* where the logs go */
    char key_prefix[1025]; /* without the slash at its end */
};

struct walk_queue {
    struct sqs_queue queue;
    struct view name, region;
    char arn[256];
    bool known;   /* `attributes` were read */
    bool missing; /* certainly not there */
    struct sqs_attributes attributes;
    json_t *mapping;             /* of the function that takes the messages; NULL: not known */
    json_t *function;            /* its configuration; NULL: not known */
    struct view function_name;   /* into `mapping`; without qualifier */
    uint64_t function_timeout_s; /* 0: unknown */
    uint64_t batch_window_s;     /* of the mapping */
};

struct walk_bucket {
    struct view name;
    char region[33];          /* "" unknown */
    bool missing;             /* certainly not there */
    bool unreachable;         /* nothing can be said of it */
    struct walk_queue *queue; /* that of its Region; NULL none */
};

struct walk {
    const struct doctor_options *options;
    struct findings *f;
    struct aws_env env;
    struct aws_config *config;
    struct cred_chain *creds;
    struct aws_client *client;
    int64_t now_s;
    char account[13];
    char identity[512]; /* our ARN */
    struct view region; /* the configured one */
    struct walk_region regions[WALK_MAX];
    size_t region_count;
    struct walk_queue queues[WALK_MAX];
    size_t queue_count;
    struct walk_bucket buckets[WALK_MAX];
    size_t bucket_count;
    bool emf;
    char ledger[512]; /* LEDGER, that of the function where none is set here; "" none */
    struct view ledger_region;
    char name_space[256]; /* of the metrics; the function's where it differs */
    char metrics_region[33];
    int64_t newest_object_s; /* 0: none seen */

    /* The step at hand; empty before each step: */
    const char *step;
    struct view subject;
    struct walk_region *at; /* which of them it is about */
    struct walk_bucket *bucket;
    struct walk_queue *queue;
    struct error err;   /* of its last call */
    struct buf fix;     /* the command that its next finding gets */
    struct buf scratch; /* holds what walk_json() made */
};

/* Begin on a step: what the one before left is forgotten. */
void walk_begin(struct walk *w, const char *step, struct view subject);

/* Note down what the step found.  walk_found(): a fault or a warning, as the code says, with the
 * command in w->fix or else the code's own fix. */
void walk_ok(struct walk *w, const char *format, ...) PRINTF_LIKE(2, 3);
void walk_not_checked(struct walk *w, const char *format, ...) PRINTF_LIKE(2, 3);
void walk_found(struct walk *w, enum doctor_code code, const char *format, ...) PRINTF_LIKE(3, 4);

/*
 * Did the call that left w->err work?  If not, "not checked" is noted: AccessDenied with the IAM
 * action that is missing, other failures with their reason.  The caller has dealt with failures
 * that say something about the pipeline.
 */
bool walk_answered(struct walk *w, enum status st, const char *action);

/*
 * Make w->fix: the template with each % replaced by the next word, quoted for a shell where it has
 * to be.
 *
 *     walk_fix(w, "aws lambda get-function --region % --function-name %", q->region, name);
 */
#define walk_fix(w, template, ...)                                                                 \
    walk_fix_words((w), (template), (const struct view[]){__VA_ARGS__},                            \
                   sizeof((const struct view[]){__VA_ARGS__}) / sizeof(struct view))
void walk_fix_words(struct walk *w, const char *template, const struct view *words, size_t count);

/* Compact JSON, as a word for walk_fix(); `value` is taken over.  Valid until the next. */
struct view walk_json(struct walk *w, json_t *value);

/* Does `list`, comma separated, hold `name`? */
bool walk_listed(struct view list, struct view name);

/* NULL: not one of those looked at. */
struct walk_region *walk_region_find(struct walk *w, struct view region);

/* The Region whose logging writes to the bucket; NULL: none is known. */
const struct walk_region *walk_writer(const struct walk *w, const struct walk_bucket *b);

/* Append the logs' folder: "[KEY_PREFIX/]AWSLogs/ACCOUNT/BedrockModelInvocationLogs/". */
void walk_log_folder(const struct walk *w, const struct walk_region *region, struct buf *out);

/* "3 minutes", "2 hours", ... */
struct walk_age {
    char text[32];
} walk_age(int64_t seconds);

/*
 * Before the steps: settings, and who we are; later nothing can be done when these are false.
 * walk_find_regions(): where to look for logging, once the buckets' Regions are known.
 */
bool walk_configuration(struct walk *w);
bool walk_credentials(struct walk *w);
void walk_find_regions(struct walk *w);

/* The steps.  docs/doctor.md says what each looks at. */
void walk_roles(struct walk *w);
void walk_bucket(struct walk *w);
void walk_logging(struct walk *w);
void walk_objects(struct walk *w);
void walk_bucket_policy(struct walk *w);
void walk_key(struct walk *w);
void walk_queue(struct walk *w);
void walk_notification(struct walk *w);
void walk_queue_policy(struct walk *w);
void walk_mapping(struct walk *w);
void walk_function(struct walk *w);
void walk_concurrency(struct walk *w);
void walk_log_group(struct walk *w);
void walk_dead_letters(struct walk *w);
void walk_alarms(struct walk *w);
void walk_visibility(struct walk *w);
void walk_ledger(struct walk *w);
void walk_schedule(struct walk *w);
void walk_backlog(struct walk *w);
void walk_metrics(struct walk *w);
void walk_publishing(struct walk *w);
void walk_canary(struct walk *w);

#endif
