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

struct profiles; /* read-only once filled: shared between threads */

struct profile {
    struct view id;    /* behind application-inference-profile/ */
    struct view name;  /* may be empty */
    struct view model; /* base model id; empty when the profile names none */
    enum profile_type type;
};

struct profiles *profiles_new(void); /* NULL: no memory */
void profiles_free(struct profiles *profiles);

/*
 * Add the profiles of a JSON document: {"inferenceProfileSummaries":[...]}, the answer of
 * GetInferenceProfile, or an array of such.  Only application profiles are kept; a repeated id
 * replaces the earlier one.  ST_BAD_ITEM names what is wrong and where.
 */
NODISCARD enum status profiles_add_json(struct profiles *profiles, struct view json,
                                        struct error *err);

/* A tag of a profile, for Tag:<key>; empty when there is none. */
struct view profiles_tag(const struct profiles *profiles, struct view id, struct view key);

/* NULL when the id is not known. */
const struct profile *profiles_find(const struct profiles *profiles, struct view id);

size_t profiles_count(const struct profiles *profiles);

#endif
