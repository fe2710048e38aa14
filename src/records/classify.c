/*
 * classify.c: the last step of classification, where the modelId, the profiles and the Regions of a
 * record are put together.  A file of its own because each of the three knows nothing of the others.
 */
#include "records/classify.h"

void classify_model(struct view id, const struct profiles *profiles, struct model_use *out)
{
    struct model_class class;
    struct profile resolved;
    model_id_classify(id, &class);
    *out = (struct model_use){
        .type = class.type,
        .needs_evidence = class.needs_evidence,
        .unknown_geography = class.unknown_geography,
        .model = class.model,
        .profile = class.profile,
        .geography = class.geography,
    };
    /* A bare id without a dot may be an application profile's too. */
    struct view application = class.application                                ? class.profile
                              : class.needs_evidence && class.profile.len == 0 ? id
                                                                               : VIEW_EMPTY;
    if (application.len == 0 || !profiles_resolve(profiles, id, application, &resolved) ||
        resolved.type == PROFILE_UNKNOWN)
        return;
    out->type = resolved.type;
    out->model = resolved.model;
    out->needs_evidence = false;
    out->geography = resolved.type == PROFILE_GLOBAL ? VIEW_LIT("global") : VIEW_EMPTY;
    out->profile = resolved.name.len > 0 ? resolved.name : resolved.id;
    out->application = resolved.id;
}

enum profile_type classify_type(enum profile_type type, bool needs_evidence,
                                const struct record *record)
{
    if (!needs_evidence)
        return type;
    return record->inference_region.len > 0 && !view_eq(record->inference_region, record->region)
               ? PROFILE_CROSS_REGION
               : PROFILE_UNKNOWN;
}

struct view classify_region(enum profile_type type, const struct record *record)
{
    if (record->inference_region.len > 0 || type != PROFILE_IN_REGION)
        return record->inference_region;
    return record->region;
}
