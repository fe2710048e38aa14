/*
 * Whether the bucket notifies the queue of log objects.  Read from the XML of
 * GetBucketNotificationConfiguration:
 *
 *     <NotificationConfiguration>
 *       <QueueConfiguration>                     or Topic..., CloudFunction...
 *         <Queue>arn:aws:sqs:...</Queue>
 *         <Event>s3:ObjectCreated:*</Event>      any number
 *         <Filter><S3Key><FilterRule><Name>prefix</Name><Value>AWSLogs/</Value></FilterRule>...
 *       </QueueConfiguration>
 *       <EventBridgeConfiguration/>
 *     </NotificationConfiguration>
 *
 * A bucket has up to 100 entries (S3's limit); each is judged when it ends and the best is kept.
 */
#include <stdlib.h>

#include "aws/s3.h"
#include "aws/xml_scan.h"
#include "tools/doctor/walk.h"

/* How far the entries for the queue let log objects through. */
enum fit { FIT_NONE, FIT_EVENTS, FIT_PREFIX, FIT_SUFFIX, FIT_SOME, FIT_WHOLE };

/* Which of the events that say an object is there. */
enum { CREATED_PUT = 1, CREATED_ALL = 2, CREATED_SOME = 4 };

enum { MAX_TEXT = 1100 }; /* a key has at most 1024 bytes */

struct entry {
    unsigned created; /* bits above; 0: none of them */
    bool topic, suffix_rule;
    char target[MAX_TEXT], events[MAX_TEXT], prefix[MAX_TEXT], suffix[MAX_TEXT];
};

struct notification {
    struct view queue_arn, folder; /* the logs' */
    bool folder_known;
    struct entry now, best; /* the entry being read; the one for the queue that fits best */
    enum fit fit;           /* of `best` */
    bool any, event_bridge;
    char other[MAX_TEXT], topic[MAX_TEXT]; /* the first target of all; the first topic */
};

/* Longer than any key or ARN: cut, so that it equals none. */
static void copy(char out[MAX_TEXT], struct view text)
{
    text = view_first(text, MAX_TEXT - 1);
    if (text.len > 0)
        memcpy(out, text.ptr, text.len);
    out[text.len] = '\0';
}

/* `path` is below the entry's element. */
static void take_text(struct entry *e, struct view path, struct view text)
{
    if (view_eq_cstr(path, "Queue") || view_eq_cstr(path, "Topic") ||
        view_eq_cstr(path, "CloudFunction")) {
        copy(e->target, text);
    } else if (view_eq_cstr(path, "Event")) {
        size_t used = strlen(e->events);
        if (used + 1 + text.len < MAX_TEXT) { /* for a message only */
            if (used > 0)
                e->events[used++] = ' ';
            copy(e->events + used, text);
        }
        if (view_eq_cstr(text, "s3:ObjectCreated:*"))
            e->created |= CREATED_ALL | CREATED_PUT;
        else if (view_eq_cstr(text, "s3:ObjectCreated:Put"))
            e->created |= CREATED_PUT;
        else if (view_starts(text, VIEW_LIT("s3:ObjectCreated:")))
            e->created |= CREATED_SOME;
    } else if (view_eq_cstr(path, "Filter/S3Key/FilterRule/Name")) {
        e->suffix_rule = view_eq_nocase(text, VIEW_LIT("suffix"));
    } else if (view_eq_cstr(path, "Filter/S3Key/FilterRule/Value")) {
        copy(e->suffix_rule ? e->suffix : e->prefix, text);
    }
}

static enum fit fit_of(const struct notification *n, const struct entry *e)
{
    struct view prefix = view_of(e->prefix);
    if ((e->created & CREATED_PUT) == 0)
        return FIT_EVENTS;
    /* Without the logs' folder, whatever has AWSLogs in it may be right. */
    if (n->folder_known ? !view_starts(n->folder, prefix)
                        : view_find(prefix, VIEW_LIT("AWSLogs")) == SIZE_MAX &&
                              !view_starts(VIEW_LIT("AWSLogs/"), prefix))
        return FIT_PREFIX;
    if (!view_ends(VIEW_LIT(".json.gz"), view_of(e->suffix)))
        return FIT_SUFFIX;
    return (e->created & CREATED_ALL) != 0 ? FIT_WHOLE : FIT_SOME;
}

static void end_entry(struct notification *n)
{
    struct entry *e = &n->now;
    if (!n->any)
        copy(n->other, view_of(e->target));
    n->any = true;
    if (e->topic && e->created != 0 && n->topic[0] == '\0')
        copy(n->topic, view_of(e->target));
    if (!view_eq_cstr(n->queue_arn, e->target))
        return;
    enum fit fit = fit_of(n, e);
    if (fit > n->fit) {
        n->best = *e;
        n->fit = fit;
    }
}

static enum status parse(struct notification *n, struct view xml, struct error *err)
{
    static const char *const kinds[] = {"QueueConfiguration", "TopicConfiguration",
                                        "CloudFunctionConfiguration"};
    const struct view root = VIEW_LIT("NotificationConfiguration/");
    struct xml_scan x;
    enum xml_kind kind;
    enum status st;
    xml_scan_init(&x, xml);
    while ((st = xml_scan_next(&x, &kind, err)) == ST_OK) {
        struct view path = xml_scan_path(&x);
        if (!view_starts(path, root))
            continue;
        path = view_skip(path, root.len);
        n->event_bridge =
            n->event_bridge || view_starts(path, VIEW_LIT("EventBridgeConfiguration"));
        for (size_t k = 0; k < sizeof(kinds) / sizeof(kinds[0]); k++) {
            struct view element = view_of(kinds[k]);
            if (!view_starts(path, element))
                continue;
            if (path.len > element.len && kind == XML_TEXT)
                take_text(&n->now, view_skip(path, element.len + 1), xml_scan_text(&x));
            else if (path.len == element.len && kind == XML_OPEN)
                n->now = (struct entry){.topic = k == 1};
            else if (path.len == element.len && kind == XML_CLOSE)
                end_entry(n);
        }
    }
    xml_scan_clear(&x);
    return st == ST_END ? ST_OK : st;
}

/* The command that adds an entry.  Where there are others the AWS CLI alone would erase them: the
 * script keeps them. */
static void fix(struct walk *w, const struct notification *n, const struct walk_region *writer)
{
    struct view prefix = writer == NULL ? VIEW_EMPTY : view_of(writer->key_prefix);
    struct view arn = view_of(w->bucket->queue->arn);
    if (n->any || n->event_bridge) {
        if (prefix.len > 0)
            walk_fix(w, "deploy/attach-bucket.sh --bucket % --queue-arn % --key-prefix %",
                     w->bucket->name, arn, prefix);
        else
            walk_fix(w, "deploy/attach-bucket.sh --bucket % --queue-arn %", w->bucket->name, arn);
        return;
    }
    char filter[MAX_TEXT + 16];
    copy(filter, prefix);
    strcat(filter, prefix.len > 0 ? "/AWSLogs/" : "AWSLogs/");
    json_t *wanted = json_pack(
        "{s:[{s:s, s:s, s:[s], s:{s:{s:[{s:s, s:s}, {s:s, s:s}]}}}]}", "QueueConfigurations", "Id",
        "bedrock-metrics", "QueueArn", arn.ptr, "Events", "s3:ObjectCreated:*", "Filter", "Key",
        "FilterRules", "Name", "prefix", "Value", filter, "Name", "suffix", "Value", ".json.gz");
    walk_fix(w,
             "aws s3api put-bucket-notification-configuration --bucket % "
             "--notification-configuration %",
             w->bucket->name, walk_json(w, wanted));
}

static void judge(struct walk *w, const struct notification *n, const struct walk_region *writer)
{
    const struct entry *best = &n->best;
    struct view arn = view_of(w->bucket->queue->arn);
    fix(w, n, writer);
    switch (n->fit) {
    case FIT_EVENTS:
    case FIT_SOME:
        walk_found(w, n->fit == FIT_SOME ? D45 : D41, "the entry for the queue has %s",
                   best->events);
        break;
    case FIT_PREFIX:
        walk_found(w, D42, "the filter asks for the prefix \"%s\", the logs are below \"%.*s\"",
                   best->prefix, SHOW(n->folder));
        break;
    case FIT_SUFFIX:
        walk_found(w, D43, "the filter asks for the suffix \"%s\"", best->suffix);
        break;
    case FIT_WHOLE: walk_ok(w, "notifies %s", arn.ptr); break;
    case FIT_NONE:
        if (n->topic[0] != '\0') {
            walk_fix(w, "aws sns list-subscriptions-by-topic --topic-arn %", view_of(n->topic));
            walk_found(w, D44, "the bucket notifies the topic %s, not the queue", n->topic);
        } else if (n->event_bridge) {
            walk_fix(w, "aws events list-rule-names-by-target --target-arn %", arn);
            walk_found(w, D44, "the bucket notifies EventBridge, not the queue");
        } else if (n->any) {
            walk_found(w, D40, "the bucket notifies %s, and not %s", n->other, arn.ptr);
        } else {
            walk_found(w, D40, "the bucket notifies nobody of new objects");
        }
    }
}

void walk_notification(struct walk *w)
{
    const struct walk_region *writer = walk_writer(w, w->bucket);
    struct notification *n = calloc(1, sizeof(*n));
    struct buf xml, folder;
    buf_init(&xml, 1024 * 1024);
    buf_init(&folder, 4096);
    walk_log_folder(w, writer, &folder);
    if (writer != NULL)
        buf_printf(&folder, "%.*s/", SHOW(writer->name));
    enum status st =
        n == NULL ? ST_NO_MEMORY
                  : s3_get_setting(w->client, w->bucket->name, "notification", &xml, &w->err);
    if (st == ST_OK) {
        n->queue_arn = view_of(w->bucket->queue->arn);
        n->folder = buf_view(&folder);
        n->folder_known = writer != NULL;
        st = parse(n, buf_view(&xml), &w->err);
    }
    if (walk_answered(w, st, "s3:GetBucketNotification"))
        judge(w, n, writer);
    free(n);
    buf_clear(&xml);
    buf_clear(&folder);
}
