/*
 * profile_asker.h: application inference profiles that the listing did not have, and tags, asked
 * for at Bedrock (GetInferenceProfile, ListTagsForResource).
 */
#ifndef CONFIG_PROFILE_ASKER_H
#define CONFIG_PROFILE_ASKER_H

#include <jansson.h>

#include "aws/aws_call.h"
#include "base/buf.h"

struct profile_asker;

/* A client of its own with these options, which outlive it; `tags`: ask for them too. */
NODISCARD enum status profile_asker_new(const struct aws_client_options *options, bool tags,
                                        struct profile_asker **out, struct error *err);
void profile_asker_free(struct profile_asker *asker); /* NULL does nothing */

/* For profiles_set_asker; the context is an asker.  A failure is named at WARN. */
enum status profile_asker_ask(void *context, struct view arn, struct buf *json);

/*
 * Give each profile of {"inferenceProfileSummaries":[...]} that has none its "tags".  The first
 * failure is named at WARN and ends it: a role that may not read one's may read nobody's.
 */
void profile_asker_add_tags(struct aws_client *client, struct view region, json_t *profiles);

#endif
