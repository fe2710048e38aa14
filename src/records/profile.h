/*
 * profile.h: what application inference profiles stand for.
 *
 * An application profile's id is opaque.  The mapping comes from a file, which is what
 * `aws bedrock list-inference-profiles --output json` prints, or from Bedrock's API.  A profile is
 * immutable but for its tags, so an entry never goes stale.
 */
#ifndef RECORDS_PROFILE_H
#define RECORDS_PROFILE_H

#include "base/view.h"
#include "records/model_id.h"

struct buf;
struct profiles; /* read-only once filled, but for those asked for: shared between threads */

struct profile {
    struct view id;    /* what follows application-inference-profile/ */
    struct view name;  /* may be empty */
    struct view model; /* base model id; empty when the profile names none */
    enum profile_type type;
};

struct profiles *profiles_new(void); /* NULL: no memory */
/* NULL does nothing.  No thread may be using them. */
void profiles_free(struct profiles *profiles);

/*
 * Add the profiles of a JSON document: {"inferenceProfileSummaries":[...]}, the answer of
 * GetInferenceProfile, or an array of such.  Only application profiles are kept; a repeated id
 * replaces the earlier one.  ST_BAD_ITEM names what is wrong and where.
 */
NODISCARD enum status profiles_add_json(struct profiles *profiles, struct view json,
                                        struct error *err);

/*
 * Who is asked for a profile that is not known: *json gets a document as above.  Any status but
 * ST_OK: none can be had.  Called by counting threads, one at a time.
 */
typedef enum status profiles_ask_fn(void *context, struct view arn, struct buf *json);

/* From now on profiles_resolve asks.  ST_NO_MEMORY.  Before the profiles are shared. */
NODISCARD enum status profiles_set_asker(struct profiles *profiles, profiles_ask_fn *ask,
                                         void *context);

/*
 * The profile `id`, which a log names as `arn`; an unknown one is asked for once, whatever comes of
 * it, and never again.  false: there is none.  *out is valid as long as the profiles.  Any thread.
 */
bool profiles_resolve(const struct profiles *profiles, struct view arn, struct view id,
                      struct profile *out);

/* A tag of a profile, for Tag:<key>; empty when there is none. */
struct view profiles_tag(const struct profiles *profiles, struct view id, struct view key);

/* NULL when the id is not known. */
const struct profile *profiles_find(const struct profiles *profiles, struct view id);

/* How many were added, without those asked for later. */
size_t profiles_count(const struct profiles *profiles);

#endif
