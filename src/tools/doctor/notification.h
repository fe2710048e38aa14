/*
 * notification.h: a bucket's notification configuration, read from the XML of
 * GetBucketNotificationConfiguration.
 */
#ifndef TOOLS_DOCTOR_NOTIFICATION_H
#define TOOLS_DOCTOR_NOTIFICATION_H

#include "base/buf.h"

enum notification_kind { NOTIFY_QUEUE, NOTIFY_TOPIC, NOTIFY_FUNCTION };

/* Which of the events that say an object is there. */
enum { CREATED_PUT = 1, CREATED_ALL = 2, CREATED_SOME = 4 };

struct notification_entry {
    enum notification_kind kind;
    unsigned created;                           /* bits above; 0: none of them */
    struct view target, events, prefix, suffix; /* events: as written, blank separated */
};

enum { NOTIFICATION_MAX_ENTRIES = 100 }; /* S3's own limit */

struct notification {
    struct notification_entry entries[NOTIFICATION_MAX_ENTRIES];
    size_t count;
    bool event_bridge;
    struct buf store; /* owns the texts */
};

/* ST_BAD_ITEM: not understood.  *out is cleared with notification_clear in any case. */
NODISCARD enum status notification_parse(struct view xml, struct notification *out,
                                         struct error *err);
void notification_clear(struct notification *n);

#endif
