/*
 * settings.h: what worker and Lambda function do, from the environment (variables.h).
 *
 * Every unusable value is an error that begins with its variable and quotes it, before any work.
 */
#ifndef CONFIG_SETTINGS_H
#define CONFIG_SETTINGS_H

#include "aws/aws_call.h"
#include "config/dimension_sets.h"
#include "count/object_counter.h"
#include "publish/batch.h"

struct profiles;
struct prices;
struct profile_asker;
struct region_guard;

/* Of all sums and texts of a worker or function while they are gathered. */
enum { SETTINGS_SUMS_BYTES = 36 * 1024 * 1024 };

enum { SETTINGS_MAX_SETS = DIMENSION_SETS_MAX, SETTINGS_MAX_QUEUES = 32, SETTINGS_MAX_ROLES = 32 };

enum settings_publisher { PUBLISHER_CLOUDWATCH, PUBLISHER_EMF };

struct run_settings {
    struct dimension_keys keys;
    struct dimension_set sets[SETTINGS_MAX_SETS];
    size_t set_count;
    metric_set metrics;
    bool latency;
    uint64_t resolution_s;
    uint64_t max_object_bytes;
    uint64_t max_series; /* of a set in a round */
    uint64_t batch_size; /* messages of a round */
    uint64_t flush_interval_s;
    struct view buckets; /* S3_BUCKET_NAME as given */
    struct view name_space;
    struct view cloudwatch_region; /* empty: the configured one */
    enum settings_publisher publisher;
    bool resolve_profiles;
    struct aggregate_bound *bound; /* of worker and function; NULL: none */
    struct region_guard *guard;    /* ALLOW_INFERENCE_REGIONS; NULL: every Region may serve */
    struct profiles *profiles;     /* NULL: none */
    struct prices *prices;         /* NULL: no cost, or not opened yet */
    bool prices_later;             /* the built-in list is wanted */
    int64_t profiles_listed_ms;    /* steady clock; 0: never */
    /* For a profile that was not listed: who is asked; NULL: nobody. */
    struct profile_asker *asker;
};

/*
 * What publishing needs: dimensions, metrics, namespace, publisher.  Quick: no file is read but the
 * price list and profiles that a variable names.  ST_USAGE: *err quotes the value.
 */
NODISCARD enum status settings_load_publishing(struct run_settings *s, struct error *err);

/* METRIC_DIMENSIONS into sets[SETTINGS_MAX_SETS]; keys are added to *keys. */
NODISCARD enum status settings_load_dimensions(struct dimension_keys *keys,
                                               struct dimension_set *sets, size_t *set_count,
                                               struct error *err);

/* The same and what taking events needs: buckets, batch and flush.  *s is zeroed first. */
NODISCARD enum status settings_load(struct run_settings *s, struct error *err);
/*
 * Open the built-in price list if it is wanted: some milliseconds, so a Lambda function asks for
 * its first invocation before.  To be called before a round.
 */
NODISCARD enum status settings_open_prices(struct run_settings *s, struct error *err);

/*
 * What an option or a variable names: the application profiles of --profiles or
 * INFERENCE_PROFILES_FILE (*out NULL: neither is given), the price list with the rows of --prices or
 * PRICES_FILE, and the allowed Regions of the option or variable `name` (nothing when `list` is
 * NULL).  `given` is the option's value, or NULL.  The caller frees *out.  ST_USAGE, ST_NO_MEMORY.
 */
NODISCARD enum status settings_profiles(const char *given, struct profiles **out,
                                        struct error *err);
NODISCARD enum status settings_prices(const char *given, struct prices **out, struct error *err);
NODISCARD enum status settings_guard(const char *name, const char *list, struct region_guard **out,
                                     struct error *err);

/* A zeroed one may be cleared too.  Before settings_aws_close. */
void settings_clear(struct run_settings *s);

/*
 * With RESOLVE_INFERENCE_PROFILES: a profile that a record names and the listing did not have is
 * asked for with a client of these options (outliving *s), once until the next listing.
 */
NODISCARD enum status settings_ask_profiles(struct run_settings *s,
                                            const struct aws_client_options *options,
                                            struct error *err);

/*
 * With RESOLVE_INFERENCE_PROFILES: ask Bedrock for the application profiles of these Regions, at
 * most once an hour, and put them over those of the file.  A Region that cannot be asked is named
 * at WARN; what was known before stays.  Only between rounds: earlier profiles are freed.
 */
void settings_resolve_profiles(struct run_settings *s, struct aws_client *client,
                               const struct view *regions, size_t region_count);

/* For object_counter_new; the views live as long as *s. */
struct counter_options settings_counter(const struct run_settings *s);

/* What is published of such a counter's sums, and how; the views live as long as *s. */
struct batch_options settings_batch(const struct run_settings *s, int64_t now_s);

/*
 * Our side of AWS: made once a process.  ROLE_ARN names roles to be taken for reading buckets of
 * other accounts: "ARN" for every bucket, or "BUCKET=ARN,...".
 */
struct settings_aws {
    struct aws_config *config;
    struct cred_chain *creds;
    struct retry_budget *budget;
    struct settings_role {
        struct view bucket; /* empty: every bucket without a role of its own */
        struct cred_chain *creds;
    } roles[SETTINGS_MAX_ROLES];
    size_t role_count;
};
NODISCARD enum status settings_aws_open(struct settings_aws *aws, struct error *err);
void settings_aws_close(struct settings_aws *aws);

/* A client with our own credentials, the system's clock, and nothing that stops it. */
struct aws_client_options settings_aws_client(const struct settings_aws *aws);

/* The role that reads this bucket: an index, or aws->role_count for our own credentials. */
size_t settings_aws_role(const struct settings_aws *aws, struct view bucket);
/* The credentials of that index. */
struct cred_chain *settings_aws_creds(const struct settings_aws *aws, size_t role);

#endif
