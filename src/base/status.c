#include "base/status.h"

#include <stdarg.h>
#include <stdio.h>

enum status error_set(struct error *err, enum status st, const char *format, ...)
{
    if (err != NULL) {
        va_list ap;
        va_start(ap, format);
        (void)vsnprintf(err->text, sizeof(err->text), format, ap);
        va_end(ap);
    }
    return st;
}

const char *status_name(enum status st)
{
    switch (st) {
    case ST_OK: return "ok";
    case ST_END: return "end";
    case ST_RETRY: return "retry";
    case ST_IN_DOUBT: return "in_doubt";
    case ST_BAD_ITEM: return "bad_item";
    case ST_TOO_BIG: return "too_big";
    case ST_MISSING: return "missing";
    case ST_DENIED: return "denied";
    case ST_CONFLICT: return "conflict";
    case ST_IO: return "io";
    case ST_USAGE: return "usage";
    case ST_CANCELLED: return "cancelled";
    case ST_NO_MEMORY: return "no_memory";
    }
    return "unknown";
}
