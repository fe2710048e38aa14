/*
 * model_id.h: what a modelId says about the kind of inference profile that was used.
 *
 * The rules and the table are in docs/models.md.  The input is the text of a log record, so any
 * bytes; nothing is looked up anywhere, and nothing is guessed.
 */
#ifndef RECORDS_MODEL_ID_H
#define RECORDS_MODEL_ID_H

#include "base/view.h"

enum profile_type {
    PROFILE_IN_REGION,
    PROFILE_CROSS_REGION,
    PROFILE_GLOBAL,
    PROFILE_UNKNOWN, /* the last */
};
enum { PROFILE_TYPE_COUNT = PROFILE_UNKNOWN + 1 };

/* "InRegion", "CrossRegion", "GlobalCrossRegion", "Unknown". */
struct view profile_type_name(enum profile_type type);

struct model_class {
    enum profile_type type;
    bool needs_evidence;    /* names no model: CrossRegion if the record's Regions differ */
    bool application;       /* an application inference profile: `profile` is its id */
    bool unknown_geography; /* accepted by its form only: worth telling the user once */
    struct view model;      /* the base model, or the resource part as it is */
    struct view profile;    /* canonical profile id; empty where there is none */
    struct view geography;  /* "us", "global", ...; empty where there is none */
};

/*
 * The resource part of an ARN of any AWS partition (arn:aws[-a-z]*:): what follows the fifth colon,
 * may be empty.  Service, Region and account may be anything.  false: the text is not such an ARN.
 */
bool arn_resource(struct view arn, struct view *resource);

/* Classify a non-empty id.  The views point into `id`. */
void model_id_classify(struct view id, struct model_class *out);

/* Whether a label is one of the model vendors known to this version. */
bool model_id_is_vendor(struct view label);

/* Whether a label is one of the geographies known to this version, `global` among them. */
bool model_id_is_geography(struct view label);

#endif
