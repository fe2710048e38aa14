/* walk.h: what the steps of doctor know of each other. */
#ifndef TOOLS_DOCTOR_WALK_H
#define TOOLS_DOCTOR_WALK_H

#include "aws/aws_call.h"
#include "aws/sqs.h"
#include "tools/doctor/doctor.h"

enum {
    WALK_MAX = 32,        /* buckets, queues, Regions each */
    WALK_MENDED_S = 1300, /* visibility that outlives an unknown outcome: its 15 minutes of a
                             signature, the fence behind it, and a round */
    WALK_OLD_OBJECT_S = 24 * 3600,
    WALK_LATE_OBJECT_S = 1800, /* an object older than this should have been counted */
    WALK_BACKLOG_S = 3600,
    WALK_TEXT = 64 * 1024, /* ceiling of a command */
};

/* A Region whose logs are counted: Bedrock's logging there. */
struct walk_region {
    struct view name;
    bool logging_known;
    char bucket[64];       /* where the logs go; "" unknown */
    char key_prefix[1025]; /* without the slash at its end */
};

struct walk_queue {
    struct sqs_queue queue;
    struct view region;
    char arn[256];
    bool there;
    bool missing; /* certainly not there */
    struct sqs_attributes attributes;
    uint64_t function_timeout_s; /* 0: unknown */
    uint64_t batch_window_s;     /* of the mapping */
    double oldest_s;             /* its oldest message waits so long; -1: unknown */
    char function_arn[256];      /* "" unknown */
};

struct walk_bucket {
    struct view name;
    char region[33]; /* "" unknown */
    bool there;
    bool missing;             /* certainly not there */
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
    bool objects_known;      /* all buckets were looked through */
};

/* May the step go on?  If it was asked to be left out, that is noted and the answer is false. */
bool walk_wants(struct walk *w, const char *step, struct view subject);

/*
 * A call of the step failed: AccessDenied and lost connections are "not checked", naming the IAM
 * action.  The caller has dealt with failures that say something about the pipeline.
 */
void walk_call_failed(struct walk *w, const char *step, struct view subject, enum status st,
                      const char *action, const struct error *err);

/* A word of a shell command, with a blank before it, quoted where it has to be. */
void walk_add_word(struct buf *command, struct view word);

/* A command from words: fixed text, then views.  walk_command_start empties it. */
void walk_command_start(struct buf *command, const char *text);
void walk_command_option(struct buf *command, const char *option, struct view value);

struct walk_region *walk_region_find(struct walk *w, struct view region);
/* Logs' folder of a Region: "[KEY_PREFIX/]AWSLogs/ACCOUNT/BedrockModelInvocationLogs/". */
void walk_log_folder(const struct walk *w, const struct walk_region *region, struct buf *out);

/* "3 minutes", "2 hours", ... */
void walk_age(int64_t seconds, char out[32]);

/* The steps, one file for each group.  The first two return false when nothing else can be done. */
bool walk_configuration(struct walk *w);
bool walk_credentials(struct walk *w);
void walk_bucket_there(struct walk *w, struct walk_bucket *b);
void walk_logging(struct walk *w);
void walk_objects(struct walk *w, struct walk_bucket *b);
void walk_queue_there(struct walk *w, struct walk_queue *q);
void walk_notification(struct walk *w, struct walk_bucket *b);
void walk_queue_policy(struct walk *w, struct walk_bucket *b);
void walk_bucket_policy(struct walk *w, struct walk_bucket *b);
void walk_key(struct walk *w, struct walk_bucket *b);
void walk_alarms(struct walk *w, struct walk_queue *q);
void walk_schedule(struct walk *w, struct walk_queue *q);
void walk_roles(struct walk *w);
void walk_dead_letters(struct walk *w, struct walk_queue *q);
void walk_function(struct walk *w, struct walk_queue *q);
void walk_visibility(struct walk *w, struct walk_queue *q);
void walk_backlog(struct walk *w, struct walk_queue *q);
void walk_metrics(struct walk *w);
void walk_ledger(struct walk *w);
void walk_canary(struct walk *w);

#endif
