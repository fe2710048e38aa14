/* object_key.h: what an object's key says about it, so that it need not be opened. */
#ifndef OBJECTS_OBJECT_KEY_H
#define OBJECTS_OBJECT_KEY_H

#include "base/view.h"

enum object_skip {
    OBJECT_READ,             /* not skipped */
    OBJECT_OFFLOADED_BODY,   /* a request or answer too large for its record */
    OBJECT_PERMISSION_CHECK, /* the marker Bedrock writes when logging is configured */
    OBJECT_OTHER_SERVICE,    /* another AWS service's log in the same bucket */
    OBJECT_MISSING,          /* gone before it was read; no key says so */
    OBJECT_SKIP_COUNT,
};

/*
 * Whether an object need not be opened, by the folders (`/`) of its key and its name.  A key may hold
 * any bytes; the last `AWSLogs` decides, because the prefix before it is free text.
 */
enum object_skip object_key_skip(struct view key);

/* "offloaded_body", "permission_check", ...: the reason in logs and results. */
const char *object_skip_name(enum object_skip skip);

#endif
