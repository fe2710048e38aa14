/* object_name.h: the name of an object as a source shows it, as what the ledger knows it by. */
#ifndef LEDGER_OBJECT_NAME_H
#define LEDGER_OBJECT_NAME_H

#include "base/status.h"
#include "ledger/ledger_id.h"

/*
 * "s3://bucket/key" into its parts; a local file becomes an empty bucket and its absolute path.
 * *path is what the views point into then, freed by the caller in every case.  ST_MISSING: it has
 * no name that lasts (standard input, or a file that is gone).
 */
NODISCARD enum status object_name_split(struct view shown, struct view *bucket, struct view *key,
                                        char **path);

/* The identity of what is shown so.  As above. */
NODISCARD enum status object_name_id(enum ledger_identity identity, struct view shown,
                                     struct ledger_id *id);

/* What LEDGER_IDENTITY says.  ST_USAGE quotes it. */
NODISCARD enum status object_name_identity(enum ledger_identity *out, struct error *err);

#endif
