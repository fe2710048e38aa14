/*
 * config.h: files of settings.
 *
 * The environment comes first, then --env-file, then .env in the working folder: a value that is
 * set is never replaced by a later one.
 */
#ifndef CONFIG_CONFIG_H
#define CONFIG_CONFIG_H

#include "base/buf.h"

/*
 * Put the variables of a file of NAME=VALUE lines ("export", # comments and quotes are allowed)
 * into the environment where they are not set.  ST_MISSING: there is no such file.  ST_USAGE names
 * the line.
 */
NODISCARD enum status config_load_env_file(const char *path, struct error *err);

enum { CONFIG_MAX_FILE = 64 << 20 };

/*
 * A small file, whole.  *out is always initialised; the caller clears it.  ST_IO or ST_TOO_BIG, and
 * *err without the path.
 */
NODISCARD enum status config_read_file(const char *path, struct buf *out, struct error *err);

#endif
