#include "records/arn.h"

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
