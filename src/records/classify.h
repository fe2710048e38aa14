/*
 * classify.h: what a record was: which model, through which inference profile, in which Region.
 *
 * A modelId alone says most of it (model_id.h); an application profile is opaque and is looked up
 * (profile.h); an id that names no model leaves the Regions of the record as evidence.  The rules
 * and their reasons are in docs/models.md.
 */
#ifndef RECORDS_CLASSIFY_H
#define RECORDS_CLASSIFY_H

#include "records/profile.h"
#include "records/record.h"

/* What a modelId stands for; the same for every record that has it. */
struct model_use {
    enum profile_type type;
    bool needs_evidence;     /* the id names no model: `type` takes the record's Regions too */
    bool unknown_geography;  /* accepted by its form only: worth telling the user once */
    struct view model;       /* the base model, or the resource part as it is */
    struct view profile;     /* as counted: name or canonical id; empty where there is none */
    struct view application; /* the id of a resolved application profile, else empty */
    struct view geography;   /* "us", "global", ...; empty where there is none; for the price */
};

/*
 * Classify a non-empty modelId.  `profiles` may be NULL; a profile that is not known may be asked
 * for (profiles_set_asker), so this can take as long as a request.  The views point into `id` and
 * into the profiles.
 */
void classify_model(struct view id, const struct profiles *profiles, struct model_use *out);

/* The profile type of one record of this model. */
enum profile_type classify_type(enum profile_type type, bool needs_evidence,
                                const struct record *record);

/*
 * The Region that ran a record of this type: the one it names, for InRegion the one that was called.
 * Empty: not known, and not guessed.
 */
struct view classify_region(enum profile_type type, const struct record *record);

#endif
