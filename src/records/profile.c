/*
 * profile.c: application inference profiles, a sorted array searched by id.
 *
 *   {"inferenceProfileSummaries":[{
 *     "inferenceProfileArn":"arn:aws:bedrock:us-east-1:1:application-inference-profile/a1b2c3",
 *     "inferenceProfileName":"search", "type":"APPLICATION",
 *     "models":[{"modelArn":"arn:aws:bedrock:us-east-1::foundation-model/anthropic.claude-..."}]}]}
 *
 * What was loaded from a file is read without a lock.  Profiles that are asked for while threads
 * count (`late`) are in a second set with a lock of its own; "there is none" is remembered too, so
 * a log full of unknown ids costs one request each, and MAX_ASKED in all.
 */
#include "records/profile.h"

#include <jansson.h>
#include <pthread.h>
#include <stdlib.h>

#include "base/array.h"
#include "base/buf.h"
#include "base/json_read.h"

/* Ids that nobody has are as many as somebody writes into logs. */
enum { MAX_ASKED = 1000, MAX_ANSWER = 1 << 20 };

struct tag {
    struct view key, value;
};

struct entry {
    struct profile profile;
    struct tag *tags;
    size_t tag_count;
    json_t *document; /* owns the texts the views point into */
};

/* Profiles that were asked for one by one, while others read. */
struct late {
    profiles_ask_fn *ask;
    void *context;
    pthread_mutex_t asking; /* held while asking */
    pthread_rwlock_t lock;  /* guards what is below */
    struct profiles *found; /* one of type Unknown without a model: there is none */
};

struct profiles {
    struct entry *entries; /* sorted by id */
    size_t count, capacity;
    struct late *late; /* NULL: nobody is asked */
};

struct profiles *profiles_new(void)
{
    return calloc(1, sizeof(struct profiles));
}

static void entry_clear(struct entry *entry)
{
    free(entry->tags);
    json_decref(entry->document);
}

void profiles_free(struct profiles *profiles)
{
    if (profiles == NULL)
        return;
    if (profiles->late != NULL) {
        profiles_free(profiles->late->found);
        pthread_mutex_destroy(&profiles->late->asking);
        pthread_rwlock_destroy(&profiles->late->lock);
        free(profiles->late);
    }
    for (size_t i = 0; i < profiles->count; i++)
        entry_clear(&profiles->entries[i]);
    free(profiles->entries);
    free(profiles);
}

/* Where the id is, or where it belongs. */
static size_t position(const struct profiles *profiles, struct view id, bool *found)
{
    size_t low = 0, high = profiles->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = view_compare(profiles->entries[middle].profile.id, id);
        if (order == 0) {
            *found = true;
            return middle;
        }
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    *found = false;
    return low;
}

const struct profile *profiles_find(const struct profiles *profiles, struct view id)
{
    bool found = false;
    size_t at = profiles == NULL ? 0 : position(profiles, id, &found);
    return found ? &profiles->entries[at].profile : NULL;
}

size_t profiles_count(const struct profiles *profiles)
{
    return profiles->count;
}

/* The value of a tag of a profile in this set. */
static struct view tag_of(const struct profiles *profiles, struct view id, struct view key)
{
    bool found;
    size_t at = position(profiles, id, &found);
    if (!found)
        return VIEW_EMPTY;
    const struct entry *entry = &profiles->entries[at];
    size_t i = entry->tag_count; /* of two with one key the last counts */
    while (i > 0 && !view_eq(entry->tags[i - 1].key, key))
        i--;
    return i > 0 ? entry->tags[i - 1].value : VIEW_EMPTY;
}

struct view profiles_tag(const struct profiles *profiles, struct view id, struct view key)
{
    if (profiles == NULL)
        return VIEW_EMPTY;
    struct late *late = profiles->late;
    struct view value = tag_of(profiles, id, key);
    if (value.len == 0 && late != NULL) {
        pthread_rwlock_rdlock(&late->lock);
        value = tag_of(late->found, id, key);
        pthread_rwlock_unlock(&late->lock);
    }
    return value;
}

/* arn:aws:bedrock:us-east-1::foundation-model/ID; an empty Region marks a copy of a global profile.
 */
static bool model_arn(struct view arn, struct view *region, struct view *model)
{
    struct view rest = arn, part;
    for (int i = 0; i < 5; i++) {
        if (!view_split(&rest, ':', &part))
            return false;
        if (i == 3)
            *region = part;
    }
    static const struct view kind = {"foundation-model/", 17};
    if (rest.ptr == NULL || !view_starts(rest, kind) || rest.len == kind.len)
        return false;
    *model = view_skip(rest, kind.len);
    return true;
}

/* Any Region-less model means global, several Regions CrossRegion, one InRegion. */
static void resolve_models(const json_t *models, struct profile *out)
{
    struct view first_region = VIEW_EMPTY;
    bool any = false, global = false, several = false;
    size_t i;
    json_t *item;
    json_array_foreach(models, i, item)
    {
        struct view region, model;
        if (!model_arn(json_text(item, "modelArn"), &region, &model))
            continue;
        if (out->model.len == 0)
            out->model = model;
        if (region.len == 0)
            global = true;
        else if (first_region.len == 0)
            first_region = region;
        else if (!view_eq(first_region, region))
            several = true;
        any = true;
    }
    out->type = !any      ? PROFILE_UNKNOWN
                : global  ? PROFILE_GLOBAL
                : several ? PROFILE_CROSS_REGION
                          : PROFILE_IN_REGION;
}

/* "tags": [{"key": "team", "value": "search"}], as ListTagsForResource gives them. */
static enum status read_tags(const json_t *profile, struct entry *entry)
{
    const json_t *tags = json_object_get(profile, "tags");
    entry->tag_count = json_array_size(tags);
    entry->tags = calloc(entry->tag_count + 1, sizeof(*entry->tags));
    if (entry->tags == NULL)
        return ST_NO_MEMORY;
    for (size_t i = 0; i < entry->tag_count; i++) {
        const json_t *tag = json_array_get(tags, i);
        entry->tags[i] = (struct tag){json_text(tag, "key"), json_text(tag, "value")};
    }
    return ST_OK;
}

/* Put an entry, which is taken over, into its place. */
static enum status insert(struct profiles *profiles, struct entry *entry)
{
    bool found;
    size_t at = position(profiles, entry->profile.id, &found);
    if (found) {
        entry_clear(&profiles->entries[at]);
        profiles->entries[at] = *entry;
        return ST_OK;
    }
    if (!array_room(&profiles->entries, profiles->count, &profiles->capacity, 16,
                    sizeof(*profiles->entries)))
        return ST_NO_MEMORY;
    memmove(&profiles->entries[at + 1], &profiles->entries[at],
            (profiles->count - at) * sizeof(*entry));
    profiles->entries[at] = *entry;
    profiles->count++;
    return ST_OK;
}

/* One element of the list; system-defined profiles are passed over. */
static enum status add_profile(struct profiles *profiles, json_t *item, size_t index,
                               struct error *err)
{
    static const struct view kind = {"application-inference-profile/", 30};
    if (!json_is_object(item))
        return error_set(err, ST_BAD_ITEM, E_U402, "profile %zu is not an object", index + 1);
    struct view arn = json_text(item, "inferenceProfileArn");
    struct view id = json_text(item, "inferenceProfileId");
    if (arn.len == 0 && id.len == 0)
        return error_set(err, ST_BAD_ITEM, E_U402,
                         "profile %zu has neither inferenceProfileArn nor inferenceProfileId",
                         index + 1);
    size_t at = view_find(arn, kind);
    if (at == SIZE_MAX && !view_eq_cstr(json_text(item, "type"), "APPLICATION"))
        return ST_OK; /* a system-defined profile says all in its id */
    if (at != SIZE_MAX)
        id = view_skip(arn, at + kind.len);
    if (id.len == 0)
        return error_set(err, ST_BAD_ITEM, E_U402, "profile %zu has no id", index + 1);
    if (!json_is_array(json_object_get(item, "models")))
        return error_set(err, ST_BAD_ITEM, E_U402, "profile %zu has no array \"models\"",
                         index + 1);
    struct entry entry = {.profile = {.id = id, .name = json_text(item, "inferenceProfileName")}};
    resolve_models(json_object_get(item, "models"), &entry.profile);
    entry.document = json_incref(item);
    enum status st = read_tags(item, &entry);
    if (st == ST_OK)
        st = insert(profiles, &entry);
    if (st != ST_OK)
        entry_clear(&entry);
    return st;
}

/* Any of the three forms of profile.h. */
static enum status add_document(struct profiles *profiles, json_t *root, struct error *err)
{
    json_t *list = json_is_object(root) ? json_object_get(root, "inferenceProfileSummaries") : root;
    if (list == NULL)
        return add_profile(profiles, root, 0, err);
    if (!json_is_array(list))
        return error_set(err, ST_BAD_ITEM, E_U402, "no array \"inferenceProfileSummaries\"");
    for (size_t i = 0; i < json_array_size(list); i++) {
        enum status st = add_profile(profiles, json_array_get(list, i), i, err);
        if (st != ST_OK)
            return st;
    }
    return ST_OK;
}

enum status profiles_add_json(struct profiles *profiles, struct view json, struct error *err)
{
    json_error_t fault;
    json_t *root = json_read(json, JSON_REJECT_DUPLICATES, &fault);
    if (root == NULL && json_error_code(&fault) == json_error_out_of_memory)
        return ST_NO_MEMORY;
    if (root == NULL)
        return error_set(err, ST_BAD_ITEM, E_U402, "not JSON at line %d, column %d", fault.line,
                         fault.column);
    enum status st = add_document(profiles, root, err);
    json_decref(root);
    return st;
}

/* ---- one by one ---- */

enum status profiles_set_asker(struct profiles *profiles, profiles_ask_fn *ask, void *context)
{
    struct late *late = calloc(1, sizeof(*late));
    struct profiles *found = profiles_new();
    if (late == NULL || found == NULL) {
        free(late);
        profiles_free(found);
        return ST_NO_MEMORY;
    }
    late->ask = ask;
    late->context = context;
    late->found = found;
    pthread_mutex_init(&late->asking, NULL);
    pthread_rwlock_init(&late->lock, NULL);
    profiles->late = late;
    return ST_OK;
}

/* What is known among those asked for; *out is copied under the lock. */
static bool look_up(struct late *late, struct view id, struct profile *out)
{
    pthread_rwlock_rdlock(&late->lock);
    const struct profile *known = profiles_find(late->found, id);
    if (known != NULL)
        *out = *known;
    pthread_rwlock_unlock(&late->lock);
    return known != NULL;
}

/* Remember that there is none. */
static enum status add_absent(struct profiles *found, struct view id)
{
    struct entry entry = {.document = json_stringn_nocheck(id.ptr, id.len)};
    if (entry.document == NULL)
        return ST_NO_MEMORY;
    entry.profile.id = view_make(json_string_value(entry.document), id.len);
    entry.profile.type = PROFILE_UNKNOWN;
    enum status st = insert(found, &entry);
    if (st != ST_OK)
        entry_clear(&entry);
    return st;
}

/* Called with `asking` held. */
static bool ask_for(struct late *late, struct view arn, struct view id, struct profile *out)
{
    struct buf json;
    if (look_up(late, id, out))
        return true;
    if (profiles_count(late->found) >= MAX_ASKED)
        return false;
    buf_init(&json, MAX_ANSWER);
    enum status st = late->ask(late->context, arn, &json);
    pthread_rwlock_wrlock(&late->lock);
    if (st == ST_OK)
        st = profiles_add_json(late->found, buf_view(&json), NULL);
    if (profiles_find(late->found, id) == NULL)
        st = add_absent(late->found, id);
    pthread_rwlock_unlock(&late->lock);
    buf_clear(&json);
    return look_up(late, id, out);
}

bool profiles_resolve(const struct profiles *profiles, struct view arn, struct view id,
                      struct profile *out)
{
    const struct profile *known = profiles_find(profiles, id);
    if (known != NULL || profiles == NULL || profiles->late == NULL) {
        if (known != NULL)
            *out = *known;
        return known != NULL;
    }
    struct late *late = profiles->late;
    if (look_up(late, id, out))
        return true;
    pthread_mutex_lock(&late->asking);
    bool found = ask_for(late, arn, id, out);
    pthread_mutex_unlock(&late->asking);
    return found;
}
