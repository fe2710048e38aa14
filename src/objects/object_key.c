/*
 * object_key.c: objects that are skipped by their key.  An S3 bucket for logs often holds those of
 * other services too, and Bedrock itself writes objects that are not records; opening each only to
 * find that out would cost a request.
 */
#include "objects/object_key.h"

#include <limits.h>

const char *object_skip_name(enum object_skip skip)
{
    switch (skip) {
    case OBJECT_OFFLOADED_BODY: return "offloaded_body";
    case OBJECT_PERMISSION_CHECK: return "permission_check";
    case OBJECT_OTHER_SERVICE: return "other_service";
    case OBJECT_MISSING: return "missing";
    case OBJECT_READ:
    case OBJECT_SKIP_COUNT: break;
    }
    return "none";
}

enum object_skip object_key_skip(struct view key)
{
    /* PREFIX/AWSLogs/ACCOUNT/BedrockModelInvocationLogs/REGION/YYYY/MM/DD/HH/data/ID_input.json.gz
     * The prefix is free text and may itself hold such names, so the last ones decide. */
    static const struct view logs = {"BedrockModelInvocationLogs", 26};
    static const struct view check = {"amazon-bedrock-logs-permission-check", 36};
    struct view rest = key, segment = VIEW_EMPTY;
    bool below_logs = false, data = false, other = false;
    int since_awslogs = INT_MAX; /* segments since the last AWSLogs, as long as they fit */
    while (view_split(&rest, '/', &segment)) {
        bool folder = rest.ptr != NULL;
        if (folder && view_eq(segment, VIEW_LIT("AWSLogs"))) {
            since_awslogs = 0;
            other = false;
            continue;
        }
        if (since_awslogs < 2)
            since_awslogs++;
        else
            since_awslogs = INT_MAX;
        /* Not exactly twelve digits: simulated and test logs have shorter numbers. */
        if (since_awslogs == 1 && !view_is_digits(segment))
            since_awslogs = INT_MAX;
        if (since_awslogs == 2)
            other = folder && !view_eq(segment, logs);
        if (folder && view_eq(segment, logs)) {
            below_logs = true;
            data = false;
        } else if (folder && below_logs && view_eq(segment, VIEW_LIT("data"))) {
            data = true;
        }
    }
    if (data)
        return OBJECT_OFFLOADED_BODY;
    if (view_starts(segment, check))
        return OBJECT_PERMISSION_CHECK;
    return other ? OBJECT_OTHER_SERVICE : OBJECT_READ;
}
