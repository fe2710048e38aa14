/*
 * profile_asker.c: profiles.h's asker, which asks Bedrock.  One client, used by one thread at a
 * time; the answer of a profile and its tags are joined into the document that profiles_add_json()
 * reads.
 */
#include "config/profile_asker.h"

#include <stdlib.h>

#include "aws/aws_json.h"
#include "aws/bedrock.h"
#include "base/json_read.h"
#include "base/log.h"

struct profile_asker {
    struct aws_client *client;
    bool tags;
};

enum status profile_asker_new(const struct aws_client_options *options, bool tags,
                              struct profile_asker **out, struct error *err)
{
    struct profile_asker *asker = calloc(1, sizeof(*asker));
    *out = NULL;
    if (asker == NULL)
        return error_set(err, ST_NO_MEMORY, E_R113, "out of memory");
    asker->tags = tags;
    enum status st = aws_client_new(&asker->client, options, err);
    if (st != ST_OK) {
        free(asker);
        return st;
    }
    *out = asker;
    return ST_OK;
}

void profile_asker_free(struct profile_asker *asker)
{
    if (asker == NULL)
        return;
    aws_client_free(asker->client);
    free(asker);
}

/*
 * arn:aws:bedrock:us-east-1:123456789012:application-inference-profile/ab12cd34ef56
 *                 ^^^^^^^^^ empty where it is no ARN
 */
static struct view region_of(struct view arn)
{
    struct view part;
    if (!view_starts(arn, VIEW_LIT("arn:")))
        return VIEW_EMPTY;
    for (int i = 0; i < 4; i++) {
        if (!view_split(&arn, ':', &part))
            return VIEW_EMPTY;
    }
    return part;
}

static enum status add_tags(struct aws_client *client, struct view region, json_t *profile,
                            struct error *err)
{
    json_t *answer = NULL;
    struct view arn = json_text(profile, "inferenceProfileArn");
    if (arn.len == 0 || json_object_get(profile, "tags") != NULL)
        return ST_OK;
    enum status st = bedrock_list_tags(client, region, arn, &answer, err);
    json_t *tags = json_object_get(answer, "tags");
    if (st == ST_OK && tags != NULL && json_object_set(profile, "tags", tags) != 0)
        st = error_set(err, ST_NO_MEMORY, E_R113, "out of memory");
    if (st != ST_OK)
        LOG_FAULT(LOG_WARN, E_R134, "tags of application inference profiles cannot be read",
                  log_view("profile", arn), log_cstr("reason", err->text));
    json_decref(answer);
    return st;
}

enum status profile_asker_ask(void *context, struct view arn, struct buf *json)
{
    struct profile_asker *asker = context;
    struct error err = {0};
    json_t *answer = NULL;
    struct view region = region_of(arn);
    enum status st = bedrock_get_inference_profile(asker->client, region, arn, &answer, &err);
    if (st != ST_OK) {
        LOG_FAULT(LOG_WARN, E_R133, "application inference profile cannot be resolved",
                  log_view("profile", view_first(arn, 200)), log_cstr("reason", err.text));
        return st;
    }
    if (asker->tags && add_tags(asker->client, region, answer, &err) != ST_OK)
        err.text[0] = '\0'; /* it was named; the profile counts without them */
    char *text = json_dumps(answer, JSON_COMPACT);
    st = text == NULL ? ST_NO_MEMORY : ST_OK;
    if (text != NULL) {
        buf_add_cstr(json, text);
        st = buf_status(json);
    }
    free(text);
    json_decref(answer);
    return st;
}

void profile_asker_add_tags(struct aws_client *client, struct view region, json_t *profiles)
{
    size_t i;
    json_t *profile;
    struct error err = {0};
    json_array_foreach(json_object_get(profiles, "inferenceProfileSummaries"), i, profile)
    {
        if (add_tags(client, region, profile, &err) != ST_OK)
            return;
    }
}
