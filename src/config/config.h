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
 * into the environment where they are not set.  ST_USAGE names the line; all other failures are
 * those of whole_file_read, and *err names the path.
 */
NODISCARD enum status config_load_env_file(const char *path, struct error *err);

/*
 * The same with .env in the working folder, which may be part of a folder that somebody downloaded:
 * it is taken only if it belongs to the user or root, and may set only what its row in variables.h
 * allows, and the Region and profile of AWS.  All other names are appended to *ignored, separated by
 * commas.  ST_MISSING: there is none, or it is `named`, the file of --env-file (may be NULL), which
 * was read already.  A line that is none is skipped: ST_USAGE names the first.
 */
NODISCARD enum status config_load_dotenv(const char *named, struct buf *ignored, struct error *err);

#endif
