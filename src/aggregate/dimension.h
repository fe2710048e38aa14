/*
 * dimension.h: the dimensions that can be chosen, and sets of them.
 *
 * DIMENSIONS is the one list of those that every record has.  Settings, help, outputs, the store
 * and the page are made from it, the compiler wants a value for each (dimension_value in
 * aggregate.c), and tests/docs compares the documents with it.
 */
#ifndef AGGREGATE_DIMENSION_H
#define AGGREGATE_DIMENSION_H

#include "base/view.h"

/*
 *   X(id, published name, label on the page, the same for many, key in the page's address,
 *     tables of the page that have it, how many values it has: what is folded first)
 *
 * The order is for ever, because series in stores on disk have it: a new dimension is the last row.
 */
/* clang-format off */
#define DIMENSIONS(X)                                                                              \
    X(PROFILE_TYPE, "InferenceProfileType", "Profile type", "Profile types", "type",               \
      DIMENSION_ON_BOTH, DIMENSION_FEW)                                                            \
    X(PROFILE, "InferenceProfile", "Inference profile", "Inference profiles", "profile",           \
      DIMENSION_ON_NEITHER, DIMENSION_MODELS)                                                      \
    X(MODEL_ID, "ModelId", "Model", "Models", "model",                                             \
      DIMENSION_ON_BOTH, DIMENSION_MODELS)                                                         \
    X(SOURCE_REGION, "SourceRegion", "Source Region", "Source Regions", "source",                  \
      DIMENSION_ON_BOTH, DIMENSION_REGIONS)                                                        \
    X(INFERENCE_REGION, "InferenceRegion", "Inference Region", "Inference Regions", "inference",   \
      DIMENSION_ON_CUBE, DIMENSION_REGIONS)                                                        \
    X(ACCOUNT_ID, "AccountId", "Account", "Accounts", "account",                                   \
      DIMENSION_ON_BOTH, DIMENSION_ACCOUNTS)                                                       \
    X(OPERATION, "Operation", "Operation", "Operations", "operation",                              \
      DIMENSION_ON_PRINCIPALS, DIMENSION_OPERATIONS)                                               \
    X(PRINCIPAL, "Principal", "Principal", "Principals", "principal",                              \
      DIMENSION_ON_PRINCIPALS, DIMENSION_PRINCIPALS)
/* clang-format on */

/* "InferenceProfileType, InferenceProfile, ..." for messages and help. */
#define DIMENSION_NAME_AND_COMMA(id, name, ...) name ", "
#define DIMENSION_NAMES DIMENSIONS(DIMENSION_NAME_AND_COMMA) "Metadata:<key>, Tag:<key>"

#define DIMENSIONS_BY_DEFAULT "InferenceProfileType,ModelId" /* of reports */

enum {
    DIMENSIONS_PER_SET = 30, /* CloudWatch's limit for a metric */
    DIMENSION_METADATA_KEYS = 16,
};

#define DIMENSION_ENUMERATOR(id, ...) DIMENSION_##id,
enum dimension_kind {
    DIMENSIONS(DIMENSION_ENUMERATOR) DIMENSION_FIXED_COUNT,
    DIMENSION_METADATA = DIMENSION_FIXED_COUNT,
    DIMENSION_TAG,
};
#undef DIMENSION_ENUMERATOR

_Static_assert(DIMENSION_PRINCIPAL == 7, "stores have the first eight in this order");

/* The page draws from two tables: the cube, and the principals, which the cube leaves out. */
enum dimension_page {
    DIMENSION_ON_NEITHER = 0,
    DIMENSION_ON_CUBE = 1,
    DIMENSION_ON_PRINCIPALS = 2,
    DIMENSION_ON_BOTH = 3,
};

/* What a page folds when it has too many rows; keys of Metadata and Tag are folded like models. */
enum dimension_size {
    DIMENSION_PRINCIPALS,
    DIMENSION_ACCOUNTS,
    DIMENSION_MODELS,
    DIMENSION_OPERATIONS,
    DIMENSION_REGIONS,
    DIMENSION_SIZES,
    DIMENSION_FEW = DIMENSION_SIZES, /* never folded */
};

struct dimension_info {
    const char *name, *label, *labels, *address;
    enum dimension_page page;
};

/* The row of a kind below DIMENSION_FIXED_COUNT. */
const struct dimension_info *dimension_info(enum dimension_kind kind);

/* How many values of any kind of dimension stay, of `keep` for each size; 0: all. */
uint32_t dimension_kept(enum dimension_kind kind, const uint32_t keep[DIMENSION_SIZES]);

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

/* The place of a name in the set; SIZE_MAX: it is not there. */
size_t dimension_set_find(const struct dimension_set *set, struct view name);

#endif
