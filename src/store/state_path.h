/* state_path.h: where a folder's store is kept unless told otherwise. */
#ifndef STORE_STATE_PATH_H
#define STORE_STATE_PATH_H

#include "base/status.h"

/*
 * $XDG_STATE_HOME/bedrock-metrics/NAME-HASH.sqlite (~/.local/state without it) for a folder's real
 * path; its folders are made, private.  *out is the caller's.  ST_USAGE: there is no home folder.
 */
NODISCARD enum status state_path_of_folder(const char *real_folder, char **out, struct error *err);

/* A copy.  ST_NO_MEMORY. */
NODISCARD enum status state_path_copy(const char *path, char **out);

#endif
