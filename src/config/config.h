/*
 * config.h: settings from the environment, as the README names them.
 *
 * The environment comes first, then --env-file, then .env in the working folder: a value that is
 * set is never replaced by a later one.  An unknown value is an error that quotes it.
 */
#ifndef CONFIG_CONFIG_H
#define CONFIG_CONFIG_H

#include "aggregate/metric.h"
#include "base/buf.h"

/*
 * Put the variables of a file of NAME=VALUE lines ("export", # comments and quotes are allowed)
 * into the environment where they are not set.  ST_MISSING: there is no such file.  ST_USAGE names
 * the line.
 */
NODISCARD enum status config_load_env_file(const char *path, struct error *err);

/* A variable's value, or `otherwise` when unset or empty. */
const char *config_get(const char *name, const char *otherwise);

/* "true"/"false" (also 1/0, yes/no, on/off; any case). */
NODISCARD enum status config_get_bool(const char *name, bool otherwise, bool *out,
                                      struct error *err);

/* A whole number within low..high. */
NODISCARD enum status config_get_u64(const char *name, uint64_t otherwise, uint64_t low,
                                     uint64_t high, uint64_t *out, struct error *err);

/* METRICS: names, comma separated; unset: `otherwise`. */
NODISCARD enum status config_get_metrics(metric_set otherwise, metric_set *out, struct error *err);

enum { CONFIG_MAX_FILE = 64 << 20 };

/*
 * A small file, whole.  *out is always initialised; the caller clears it.  ST_IO or ST_TOO_BIG, and
 * *err without the path.
 */
NODISCARD enum status config_read_file(const char *path, struct buf *out, struct error *err);

#endif
