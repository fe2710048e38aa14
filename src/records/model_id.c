/*
 * model_id.c: classification.  The rules are in docs/models.md ("What a model id says"); this is
 * the only place that knows the vendors and geographies.
 *
 * A model id is what the caller passed to InvokeModel or Converse, so it comes in many spellings:
 *
 *   anthropic.claude-sonnet-4-6                                  a bare model
 *   us.anthropic.claude-sonnet-4-6                               a profile: geography first
 *   arn:aws:bedrock:us-east-1:1:inference-profile/us.anthropic... the same profile
 *   arn:aws:bedrock:us-east-1:1:application-inference-profile/a1b2c3
 *   arn:aws:bedrock:us-east-1:1:provisioned-model/x              names no base model
 */
#include "records/model_id.h"

/* arn:aws-us-gov:bedrock:us-gov-west-1:123456789012:inference-profile/us-gov.anthropic.claude
 *     ^partition ^service ^Region      ^account     ^resource */
bool arn_resource(struct view arn, struct view *resource)
{
    struct view rest = arn, part;
    if (!view_split(&rest, ':', &part) || !view_eq_cstr(part, "arn"))
        return false;
    if (!view_split(&rest, ':', &part) || !view_starts(part, VIEW_LIT("aws")))
        return false;
    for (size_t i = 3; i < part.len; i++) {
        if (part.ptr[i] != '-' && (part.ptr[i] < 'a' || part.ptr[i] > 'z'))
            return false;
    }
    for (int i = 0; i < 3; i++) {
        if (!view_split(&rest, ':', &part))
            return false;
    }
    *resource = rest;
    return rest.ptr != NULL;
}

struct view profile_type_name(enum profile_type type)
{
    switch (type) {
    case PROFILE_IN_REGION: return VIEW_LIT("InRegion");
    case PROFILE_CROSS_REGION: return VIEW_LIT("CrossRegion");
    case PROFILE_GLOBAL: return VIEW_LIT("GlobalCrossRegion");
    case PROFILE_UNKNOWN: break;
    }
    return VIEW_LIT("Unknown");
}

static bool is_one_of(struct view label, const char *const *names, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (view_eq_cstr(label, names[i]))
            return true;
    }
    return false;
}

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

/* The vendors of the price list: the only table of them. */
bool model_id_is_vendor(struct view label)
{
    static const char *const vendors[] = {
        "ai21", "amazon",    "anthropic",  "cohere",   "deepseek",   "google", "luma",
        "meta", "minimax",   "mistral",    "moonshot", "moonshotai", "nvidia", "openai",
        "qwen", "stability", "twelvelabs", "writer",   "xai",        "zai",
    };
    return is_one_of(label, vendors, COUNT_OF(vendors));
}

bool model_id_is_geography(struct view label)
{
    static const char *const geographies[] = {
        "us", "us-gov", "eu", "apac", "jp", "au", "ca", "in", "sa", "global",
    };
    return is_one_of(label, geographies, COUNT_OF(geographies));
}

/*
 * us.anthropic.claude-sonnet-4-6
 * ^^ ^^^^^^^^^ first and second label; what follows the first is the base model
 */
static bool split_geography(struct view id, bool is_profile_arn, struct model_class *out)
{
    struct view rest = id, first, second = VIEW_EMPTY;
    if (!view_split(&rest, '.', &first) || rest.ptr == NULL)
        return false;
    struct view base = rest;
    bool has_third = false;
    if (view_split(&rest, '.', &second))
        has_third = rest.ptr != NULL;
    bool known = model_id_is_geography(first);
    bool vendor_first = model_id_is_vendor(first);
    bool by_form = !vendor_first && first.len > 0 &&
                   (model_id_is_vendor(second) || (is_profile_arn && has_third));
    if (!known && !by_form)
        return false;
    out->unknown_geography = !known;
    out->geography = first;
    out->model = base;
    out->profile = id;
    out->type = view_eq_cstr(first, "global") ? PROFILE_GLOBAL : PROFILE_CROSS_REGION;
    return true;
}

/*
 * Names no model.  Whether the Regions of the record differ is then the only evidence of a
 * cross-Region profile.
 */
static void unresolved(struct view as_it_stands, struct model_class *out)
{
    out->type = PROFILE_UNKNOWN;
    out->needs_evidence = true;
    out->model = as_it_stands;
}

/* A bare id, or what follows inference-profile/ in an ARN. */
static void classify_name(struct view id, bool is_profile_arn, struct model_class *out)
{
    if (split_geography(id, is_profile_arn, out))
        return;
    if (is_profile_arn) {
        /* A profile whose id has no geography: CrossRegion or not is what the Regions say. */
        out->profile = id;
        unresolved(id, out);
        return;
    }
    if (view_find_char(id, '.') == SIZE_MAX) {
        unresolved(id, out);
        return;
    }
    out->type = PROFILE_IN_REGION;
    out->model = id;
}

/* By the kind of resource.  One that is not listed (a prompt, a prompt router) names no model. */
static void classify_arn(struct view resource, struct model_class *out)
{
    static const struct {
        struct view kind;
        enum { IS_MODEL, IS_PROFILE, IS_APPLICATION, IS_IN_REGION } how;
    } kinds[] = {
        {{"foundation-model/", 17}, IS_MODEL},
        {{"inference-profile/", 18}, IS_PROFILE},
        {{"application-inference-profile/", 30}, IS_APPLICATION},
        {{"provisioned-model/", 18}, IS_IN_REGION},
        {{"provisioned-model-v2/", 21}, IS_IN_REGION},
        {{"custom-model/", 13}, IS_IN_REGION},
        {{"custom-model-deployment/", 24}, IS_IN_REGION},
        {{"imported-model/", 15}, IS_IN_REGION},
        {{"endpoint/", 9}, IS_IN_REGION},
    };
    for (size_t i = 0; i < COUNT_OF(kinds); i++) {
        if (!view_starts(resource, kinds[i].kind))
            continue;
        struct view name = view_skip(resource, kinds[i].kind.len);
        if (name.len == 0)
            break;
        switch (kinds[i].how) {
        case IS_MODEL:
            out->type = PROFILE_IN_REGION;
            out->model = name;
            return;
        case IS_PROFILE: classify_name(name, true, out); return;
        case IS_APPLICATION:
            out->application = true;
            out->profile = name;
            unresolved(resource, out);
            return;
        case IS_IN_REGION:
            out->type = PROFILE_IN_REGION;
            out->model = resource;
            return;
        }
    }
    unresolved(resource, out);
}

void model_id_classify(struct view id, struct model_class *out)
{
    struct view resource;
    *out = (struct model_class){.type = PROFILE_UNKNOWN};
    if (arn_resource(id, &resource))
        classify_arn(resource, out);
    else if (view_starts(id, VIEW_LIT("arn:")))
        unresolved(id, out);
    else
        classify_name(id, false, out);
    if (out->model.len == 0)
        out->model = id;
}
