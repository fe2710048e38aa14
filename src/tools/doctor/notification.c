#include "tools/doctor/notification.h"

#include "aws/xml_scan.h"

enum { MAX_STORE = 512 * 1024 };

/* Texts as offsets into the store while it grows. */
struct reader {
    struct notification *out;
    struct {
        size_t target, target_len, events, events_len, prefix, prefix_len, suffix, suffix_len;
    } at[NOTIFICATION_MAX_ENTRIES];
    bool suffix_rule; /* the FilterRule being read */
};

static const struct {
    const char *element;
    const char *target;
    enum notification_kind kind;
} kinds[] = {
    {"QueueConfiguration", "Queue", NOTIFY_QUEUE},
    {"TopicConfiguration", "Topic", NOTIFY_TOPIC},
    {"CloudFunctionConfiguration", "CloudFunction", NOTIFY_FUNCTION},
};

static size_t keep(struct notification *n, struct view text)
{
    size_t at = n->store.len;
    buf_add_view(&n->store, text);
    return at;
}

static void on_event(struct reader *r, size_t i, struct view event)
{
    struct notification *n = r->out;
    struct notification_entry *e = &n->entries[i];
    if (r->at[i].events_len == 0)
        r->at[i].events = n->store.len;
    else
        buf_add_char(&n->store, ' ');
    buf_add_view(&n->store, event);
    r->at[i].events_len = n->store.len - r->at[i].events;
    if (view_eq_cstr(event, "s3:ObjectCreated:*"))
        e->created |= CREATED_ALL | CREATED_PUT;
    else if (view_eq_cstr(event, "s3:ObjectCreated:Put"))
        e->created |= CREATED_PUT;
    else if (view_starts(event, VIEW_LIT("s3:ObjectCreated:")))
        e->created |= CREATED_SOME;
}

/* path below the entry's element. */
static void on_text(struct reader *r, size_t i, const char *target, struct view path,
                    struct view text)
{
    if (view_eq_cstr(path, target)) {
        r->at[i].target_len = text.len;
        r->at[i].target = keep(r->out, text);
    } else if (view_eq_cstr(path, "Event")) {
        on_event(r, i, text);
    } else if (view_eq_cstr(path, "Filter/S3Key/FilterRule/Name")) {
        r->suffix_rule = view_eq_nocase(text, VIEW_LIT("suffix"));
    } else if (view_eq_cstr(path, "Filter/S3Key/FilterRule/Value")) {
        size_t at = keep(r->out, text);
        if (r->suffix_rule) {
            r->at[i].suffix = at;
            r->at[i].suffix_len = text.len;
        } else {
            r->at[i].prefix = at;
            r->at[i].prefix_len = text.len;
        }
    }
}

static void on_event_of_scan(struct reader *r, enum xml_kind kind, const struct xml_scan *x)
{
    const struct view root = VIEW_LIT("NotificationConfiguration/");
    struct notification *n = r->out;
    struct view path = xml_scan_path(x);
    if (!view_starts(path, root))
        return;
    path = view_skip(path, root.len);
    if (view_starts(path, VIEW_LIT("EventBridgeConfiguration")))
        n->event_bridge = true;
    for (size_t k = 0; k < sizeof(kinds) / sizeof(kinds[0]); k++) {
        struct view element = view_of(kinds[k].element);
        if (!view_starts(path, element))
            continue;
        if (kind == XML_OPEN && path.len == element.len && n->count < NOTIFICATION_MAX_ENTRIES) {
            n->entries[n->count++].kind = kinds[k].kind;
        } else if (kind == XML_TEXT && n->count > 0 && path.len > element.len + 1) {
            on_text(r, n->count - 1, kinds[k].target, view_skip(path, element.len + 1),
                    xml_scan_text(x));
        }
    }
}

enum status notification_parse(struct view xml, struct notification *out, struct error *err)
{
    struct reader r = {.out = out};
    struct xml_scan x;
    enum xml_kind kind;
    memset(out, 0, sizeof(*out));
    buf_init(&out->store, MAX_STORE);
    xml_scan_init(&x, xml);
    enum status st;
    while ((st = xml_scan_next(&x, &kind, err)) == ST_OK)
        on_event_of_scan(&r, kind, &x);
    xml_scan_clear(&x);
    if (st == ST_END)
        st = buf_status(&out->store);
    for (size_t i = 0; st == ST_OK && i < out->count; i++) {
        const char *base = out->store.ptr == NULL ? "" : out->store.ptr;
        out->entries[i].target = view_make(base + r.at[i].target, r.at[i].target_len);
        out->entries[i].events = view_make(base + r.at[i].events, r.at[i].events_len);
        out->entries[i].prefix = view_make(base + r.at[i].prefix, r.at[i].prefix_len);
        out->entries[i].suffix = view_make(base + r.at[i].suffix, r.at[i].suffix_len);
    }
    return st;
}

void notification_clear(struct notification *n)
{
    buf_clear(&n->store);
    n->count = 0;
}
