/* dimension.h: the dimensions that can be chosen, and sets of them. */
#ifndef AGGREGATE_DIMENSION_H
#define AGGREGATE_DIMENSION_H

#include "base/view.h"

enum {
    DIMENSIONS_PER_SET = 30, /* CloudWatch's limit for a metric */
    DIMENSION_METADATA_KEYS = 16,
};

enum dimension_kind {
    DIMENSION_PROFILE_TYPE,
    DIMENSION_PROFILE,
    DIMENSION_MODEL_ID,
    DIMENSION_SOURCE_REGION,
    DIMENSION_INFERENCE_REGION,
    DIMENSION_ACCOUNT_ID,
    DIMENSION_OPERATION,
    DIMENSION_PRINCIPAL,
    DIMENSION_FIXED_COUNT,
    DIMENSION_METADATA = DIMENSION_FIXED_COUNT,
    DIMENSION_TAG,
};

struct dimension {
    enum dimension_kind kind;
    size_t key;       /* Metadata and Tag: index into the names' table */
    struct view name; /* as published: "ModelId", "Metadata:team" */
};

struct dimension_set {
    struct dimension dimension[DIMENSIONS_PER_SET];
    size_t count;
};

/* The metadata and tag keys that some set asks for.  Views into the texts that were parsed. */
struct dimension_keys {
    struct view metadata[DIMENSION_METADATA_KEYS];
    size_t metadata_count;
    struct view tag[DIMENSION_METADATA_KEYS];
    size_t tag_count;
};

/*
 * "ModelId,Metadata:team" into *set; new keys are added to *keys.  ST_USAGE with a text that quotes
 * the value and names what is allowed: unknown or repeated dimension, empty list, too many.  `text`
 * must outlive both.
 */
NODISCARD enum status dimension_set_parse(struct view text, struct dimension_keys *keys,
                                          struct dimension_set *set, struct error *err);

/* "InferenceProfileType, InferenceProfile, ..." for messages and help. */
const char *dimension_all_names(void);

#endif
