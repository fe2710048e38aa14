/*
 * variables.h: every environment variable that is ours, in one table: its default, what it may be,
 * and who reads it.  The program, doctor, the help and a test of the README read it.
 *
 * The environment comes first, then --env-file, then .env in the working folder (config.h).  An
 * empty variable is one that is not set.  What other programs read too (AWS_REGION and the like) is
 * in aws/.
 */
#ifndef CONFIG_VARIABLES_H
#define CONFIG_VARIABLES_H

#include "base/view.h"

enum variable_kind { VARIABLE_TEXT = 1, VARIABLE_NUMBER, VARIABLE_FLAG, VARIABLE_CHOICE };

/* Who reads it: what a command does.  A command has a set of these (cli/command.h). */
enum {
    READ_ALWAYS = 1 << 0,      /* every command */
    READ_COUNTING = 1 << 1,    /* reads logs */
    READ_SETS = 1 << 2,        /* needs to know what is published */
    READ_DESTINATION = 1 << 3, /* ... and where */
    READ_PUBLISHING = 1 << 4,  /* publishes */
    READ_EVENTS = 1 << 5,      /* takes events: worker and function */
    READ_WORKER = 1 << 6,
    READ_FUNCTION = 1 << 7,
    READ_QUEUE = 1 << 8,   /* has to do with the queue, not as worker */
    READ_BUCKETS = 1 << 9, /* has to do with the buckets, without taking events */
    READ_LEDGER = 1 << 10,
    READ_STORE = 1 << 11,
    READ_PRICES = 1 << 12,
    READ_SOURCES = 1 << 13, /* reads s3:// sources */
    READ_TESTS = 1 << 14,   /* not in the help */
};

/* clang-format off */
#define ANY_TEXT VARIABLE_TEXT, 0, 0, NULL
#define TRUE_OR_FALSE VARIABLE_FLAG, 0, 0, NULL
#define FROM_TO(low, high) VARIABLE_NUMBER, (low), (high), NULL
#define ONE_OF(words) VARIABLE_CHOICE, 0, 0, (words)

/*
 * X(name, default, what it may be, who reads it, whether a .env file may set it, help).  A .env may
 * not choose files, roles or addresses: it may be part of a folder that somebody downloaded.  Of
 * SQS_QUEUE_URL it may set what is a queue of AWS or on loopback (config.c).  A new row says false.
 */
#define VARIABLES(X)                                                                              \
    X(S3_BUCKET_NAME, NULL, ANY_TEXT, READ_EVENTS | READ_BUCKETS, true,                           \
      "bucket(s) whose events are accepted, comma-separated")                                     \
    X(SQS_QUEUE_URL, NULL, ANY_TEXT, READ_WORKER | READ_QUEUE, true,                              \
      "queue(s), comma-separated, each in its own Region")                                        \
    X(CLOUDWATCH_NAMESPACE, "Custom/BedrockMetrics", ANY_TEXT, READ_DESTINATION, true,            \
      "namespace of the metrics")                                                                 \
    X(CLOUDWATCH_REGION, NULL, ANY_TEXT, READ_DESTINATION, true,                                  \
      "Region that metrics are published to, independent of where the logs are")                  \
    X(METRIC_DIMENSIONS, "InferenceProfileType;InferenceProfileType,ModelId", ANY_TEXT,           \
      READ_SETS, true, "dimension sets to publish, separated by semicolons, at most 16")          \
    X(METRIC_RESOLUTION, "60", ANY_TEXT, READ_SETS, true,                                         \
      "period of a data point in seconds: 1, 5, 10, 30, or a multiple of 60 up to 3600")          \
    X(MAX_SERIES_PER_SET, "500", FROM_TO(1, 1000000), READ_SETS, true,                            \
      "cardinality limit: series per dimension set and round; smaller series are folded into Other") \
    X(PUBLISHER, "cloudwatch", ONE_OF("cloudwatch|emf"), READ_PUBLISHING, true,                   \
      "emf writes log lines in the CloudWatch embedded metric format instead")                    \
    X(ROLE_ARN, NULL, ANY_TEXT, READ_EVENTS | READ_BUCKETS | READ_SOURCES, false,                 \
      "role(s) to assume for reading buckets, comma-separated: BUCKET=ARN, or one ARN for all")   \
    X(LEDGER, NULL, ANY_TEXT, READ_LEDGER | READ_EVENTS, false,                                   \
      "count every object exactly once: a file (SQLite) or dynamodb://TABLE")                     \
    X(LEDGER_POLICY, "resolve", ONE_OF("resolve|resend|drop|hold"), READ_LEDGER | READ_EVENTS,    \
      true, "what becomes of a request whose outcome is unknown")                                 \
    X(LEDGER_IDENTITY, "key", ONE_OF("key|path"), READ_LEDGER | READ_EVENTS, true,                \
      "path: replicas of one log in several buckets are counted once")                            \
    X(LEDGER_MUST_EXIST, "false", TRUE_OR_FALSE, READ_LEDGER | READ_EVENTS, false,                \
      "true: a ledger file that is not there is an error, and not created")                        \
    X(LEDGER_TTL_DAYS, "35", FROM_TO(17, 3650), READ_LEDGER | READ_EVENTS, true,                  \
      "how long counted objects are remembered")                                                  \
    X(SWEEP_INTERVAL, "0", FROM_TO(0, 7 * 86400), READ_WORKER, true,                              \
      "worker with a ledger: seconds between sweeps; 0 disables them")                            \
    X(BATCH_SIZE, "10", FROM_TO(1, 10000), READ_WORKER, true, "worker: messages of a round")      \
    X(FLUSH_INTERVAL, "30", FROM_TO(0, 900), READ_WORKER, true,                                   \
      "worker: maximum seconds to hold messages while a round fills up")                          \
    X(MAX_HOLD, "3600", FROM_TO(0, 39600), READ_WORKER, false,                                    \
      "worker: maximum seconds to hold messages while S3 or CloudWatch fails; 0 returns them at once") \
    X(RESOLVE_INFERENCE_PROFILES, "false", TRUE_OR_FALSE, READ_EVENTS, true,                      \
      "true looks up application inference profiles in Bedrock, and their tags if a dimension is Tag:<key>") \
    X(ALLOW_INFERENCE_REGIONS, NULL, ANY_TEXT, READ_PUBLISHING, true,                             \
      "Regions that calls may run in; calls outside them are counted in metrics of their own")    \
    X(LOG_LEVEL, "INFO", ANY_TEXT, READ_ALWAYS, true,                                             \
      "DEBUG, INFO, WARN or ERROR; --log-level takes precedence")                                 \
    X(METRICS, NULL, ANY_TEXT, READ_COUNTING | READ_SETS, true,                                   \
      "names of the metrics to report, comma-separated")                                          \
    X(METRIC_LATENCY, "false", TRUE_OR_FALSE, READ_COUNTING | READ_SETS, true,                    \
      "true also reports InvocationLatency, the only number read from a response body")           \
    X(MAX_OBJECT_BYTES, "17179869184", FROM_TO(1, UINT64_MAX / 2), READ_COUNTING | READ_EVENTS,   \
      true, "objects that decompress to more than this fail; worker and function: 2 GiB by default")                                     \
    X(INFERENCE_PROFILES_FILE, NULL, ANY_TEXT, READ_COUNTING | READ_EVENTS, false,                \
      "the same as --profiles")                                                                   \
    X(PRICES_FILE, NULL, ANY_TEXT, READ_COUNTING | READ_EVENTS | READ_PRICES, false,              \
      "the same as --prices: rows that override the built-in list")                               \
    X(AWS_LAMBDA_RUNTIME_API, NULL, ANY_TEXT, READ_FUNCTION, false, "set by Lambda")              \
    X(AWS_LAMBDA_LOG_FORMAT, "Text", ANY_TEXT, READ_FUNCTION, false, "set by Lambda: Text or JSON") \
    X(AWS_LAMBDA_LOG_LEVEL, NULL, ANY_TEXT, READ_FUNCTION, false,                                 \
      "set by Lambda; of two log levels the less verbose one applies")                            \
    X(XDG_STATE_HOME, NULL, ANY_TEXT, READ_STORE, false, "where serve keeps its stores")          \
    X(NO_COLOR, NULL, ANY_TEXT, READ_ALWAYS, true, "when set, no colours on a terminal")          \
    X(BEDROCK_METRICS_SIMD, "auto", ANY_TEXT, READ_TESTS, false,                                  \
      "for tests: avx2, sse2, neon or scalar")                                                    \
    X(BEDROCK_METRICS_CHUNK, "0", FROM_TO(0, 1 << 30), READ_TESTS, false,                         \
      "for tests: bytes scanned at a time; 0 is the usual number")                                \
    X(BEDROCK_METRICS_TEST_LEASE_MS, NULL, FROM_TO(0, 86400000), READ_TESTS, false,               \
      "for tests: a shorter lease of the ledger, with which objects may count twice")             \
    X(BEDROCK_METRICS_TEST_FENCE_MS, NULL, FROM_TO(0, 86400000), READ_TESTS, false,               \
      "for tests: a shorter fence of the ledger, with which objects may count twice")
/* clang-format on */

#define VARIABLES_NUMBER(name, ...) VAR_##name,
enum variable_id { VARIABLES(VARIABLES_NUMBER) VARIABLE_COUNT };
#undef VARIABLES_NUMBER

struct variable {
    const char *name;
    const char *otherwise; /* the default, as it would be written; NULL: none */
    enum variable_kind kind;
    uint64_t low, high; /* of a number, both included */
    const char *words;  /* of a choice: "key|path" */
    unsigned readers;   /* a set of READ_... */
    bool dotenv;        /* whether .env may set it */
    const char *help;
};

/* The row of a variable. */
const struct variable *variable_at(enum variable_id id);

/* The value or the default; NULL when there is neither.  It lives until the environment changes. */
const char *variable_get(enum variable_id id);

/* Whether it is set to something. */
bool variable_given(enum variable_id id);

/*
 * The value as its row says, checked.  *out stays when there is neither value nor default.
 * ST_USAGE: *err begins with "NAME: " and quotes the value.
 */
NODISCARD enum status variable_number(enum variable_id id, uint64_t *out, struct error *err);
NODISCARD enum status variable_flag(enum variable_id id, bool *out, struct error *err);
NODISCARD enum status variable_choice(enum variable_id id, unsigned *out, struct error *err);

/* Whether the value is what its row allows; as above. */
NODISCARD enum status variable_check(enum variable_id id, struct error *err);

/*
 * For an option in place of a variable: the variable is set, so that one place checks it.  NULL
 * does nothing.
 */
NODISCARD enum status variable_set(enum variable_id id, const char *value, struct error *err);

#endif
